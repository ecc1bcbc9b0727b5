/** The answer to /topology: the JSON that holoctl reads. Fields are added, never removed. */
interface NodeReport {
  readonly id: number;
  /** The address at which its peers reach it. */
  readonly host: string;
  readonly port: number;
  /** As the node that answers sees it. */
  readonly alive: boolean;
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
  /** stable, intended or closing. */
  readonly phase: string;
  /** At the node that answers, where it is a member: transactions applied, keys and bytes. */
  readonly appliedSequence?: number;
  readonly keys?: number;
  readonly bytes?: number;
}

export interface TopologyReport {
  readonly clusterId: string;
  readonly epoch: number;
  /** Equal on all nodes. */
  readonly digest: string;
  readonly behaviourLevel: number;
  readonly rangesMax: number;
  readonly nodes: readonly NodeReport[];
  readonly ranges: readonly RangeReport[];
}

/** Checks what holoctl relies on; unknown fields are fine. */
export function isTopologyReport(value: unknown): value is TopologyReport {
  if (typeof value !== 'object' || value === null) return false;
  const { digest, nodes, ranges } = value as Partial<TopologyReport>;
  return (
    typeof digest === 'string' &&
    Array.isArray(nodes) &&
    Array.isArray(ranges) &&
    ranges.every(({ members, electorate }) => Array.isArray(members) && Array.isArray(electorate))
  );
}
