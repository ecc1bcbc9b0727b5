/** The answer to /topology: the JSON that holoctl reads. Fields are added, never removed. */
interface NodeReport {
  readonly id: number;
  /** The address at which its peers reach it. */
  readonly host: string;
  readonly port: number;
  /** Where clients and operators reach it, as HOST:PORT; empty: it has not told yet. */
  readonly redis: string;
  readonly admin: string;
  /** Of its release. */
  readonly version: string;
  /** joining, active, draining, decommissioning or decommissioned. */
  readonly state: string;
  /** Its ranges are to move away. */
  readonly departure?: DepartureReport;
  /** As the node that answers sees it. */
  readonly alive: boolean;
}

export interface DepartureReport {
  /**
   * Ranges of which it is a member, and those of them that are on their way; 0 is the meta group,
   * in which perhaps nobody takes its place.
   */
  readonly left: number;
  readonly moving: readonly { readonly range: number; readonly to?: number | undefined }[];
  /** Those that do not move, and why. */
  readonly stuck: readonly { readonly range: number; readonly why: string }[];
}

export interface RangeReport {
  readonly range: number;
  readonly generation: number;
  /** Redis slots, half open. */
  readonly from: number;
  readonly to: number;
  /** Node ids. */
  readonly members: readonly number[];
  readonly electorate: readonly number[];
  /** Members that do not have its data yet. */
  readonly owed: readonly number[];
  /** It has these members since then, in microseconds; 0: since the cluster was formed. */
  readonly sinceUs: number;
  /** stable, intended or closing. */
  readonly phase: string;
  /** Under way. */
  readonly change?: ChangeReport;
  /** At the node that answers, where it is a member: transactions applied, keys and bytes. */
  readonly appliedSequence?: number;
  readonly keys?: number;
  readonly bytes?: number;
  /** The node that answers, if its data of the range went with its store, and are not back yet. */
  readonly lostBy?: number;
  /** Of the data that it fetches, while it is owed them: bytes that have come. */
  readonly fetchedBytes?: number;
}

interface ChangeReport {
  readonly number: number;
  readonly kind: string;
  /** Of a split: the first slot of the upper successor. */
  readonly atSlot?: number;
  /** Of a move: the members that the range is to have. */
  readonly members?: readonly number[];
  readonly isPaused: boolean;
  readonly by: string;
  /** Microseconds since 1970, as are the other times. */
  readonly startedUs: number;
}

interface ControllerReport {
  readonly domain: string;
  readonly isPaused: boolean;
  /** Node id; 0: nobody holds the lease. */
  readonly holder: number;
  readonly term: number;
  /** The rest of the lease, as the node that answers sees it; 0: it is free. */
  readonly remainingMs: number;
}

interface JobReport {
  readonly number: number;
  readonly kind: string;
  readonly outcome: string;
  readonly by: string;
  readonly startedUs: number;
  readonly endedUs: number;
}

interface MetaReport {
  readonly members: readonly number[];
  readonly electorate: readonly number[];
  /** Transactions that the node which answers has applied. */
  readonly appliedSequence: number;
  /** How often its members have changed, and more: higher after each change. */
  readonly generation: number;
  /** As of a range. */
  readonly owed: readonly number[];
  readonly sinceUs: number;
  readonly phase: string;
  readonly change?: ChangeReport;
}

/** A change that somebody asks for. */
export interface TopologyRequest {
  readonly what: TopologyAction;
  readonly slot?: number | undefined;
  readonly range?: number | undefined;
  readonly controller?: string | undefined;
  /** Node ids. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Node id, or a behaviour level. */
  readonly node?: number | undefined;
}

export const TOPOLOGY_ACTIONS = [
  'split',
  'move',
  'pause',
  'resume',
  'cancel',
  'pause-controller',
  'resume-controller',
  'drain',
  'recommission',
  'decommission',
  'replace',
  'remove-node',
  'raise-behaviour',
] as const;
export type TopologyAction = (typeof TOPOLOGY_ACTIONS)[number];

/** As an answer of HTTP: 200 it is decided, 400 it cannot be, 409 not now, 503 it is not known. */
export interface TopologyOutcome {
  readonly code: 200 | 400 | 409 | 503;
  readonly text: string;
}

export interface TopologyReport {
  readonly clusterId: string;
  readonly epoch: number;
  /** Equal on all nodes. */
  readonly digest: string;
  readonly behaviourLevel: number;
  readonly rangesMax: number;
  readonly nodes: readonly NodeReport[];
  readonly closingMax: number;
  readonly meta: MetaReport;
  readonly controllers: readonly ControllerReport[];
  /** The last changes that have ended, the newest last. */
  readonly jobs: readonly JobReport[];
  readonly ranges: readonly RangeReport[];
}

/** Checks what holoctl relies on; unknown fields are fine. */
export function isTopologyReport(value: unknown): value is TopologyReport {
  if (typeof value !== 'object' || value === null) return false;
  const { digest, nodes, ranges, controllers, jobs } = value as Partial<TopologyReport>;
  return (
    typeof digest === 'string' &&
    Array.isArray(nodes) &&
    Array.isArray(ranges) &&
    Array.isArray(controllers) &&
    Array.isArray(jobs) &&
    ranges.every(({ members, electorate }) => Array.isArray(members) && Array.isArray(electorate))
  );
}
