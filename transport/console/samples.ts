/**
 * Samples of one node for the console's views, and the views made of them: data for CBOR, shared
 * by the nodes and the page.
 */
import type { Finding } from '../http/findings.ts';
import type { PhaseReport } from '../http/latency-report.ts';
import type { NodeStatus } from '../http/node-status.ts';
import type { TopologyReport } from '../http/topology-report.ts';
import type { HeatMap } from '../resp/insight/slot-heat.ts';

interface LinkSample {
  readonly peer: number;
  readonly up: boolean;
  /** The shortest of the last comparisons of clocks; undefined: none yet. */
  readonly roundTripUs: number | undefined;
  /** The peer's wall clock minus this node's. */
  readonly offsetUs: number | undefined;
  readonly queuedBytes: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly reconnects: number;
}

/** Buckets of a histogram as `HdrHistogram.sparse` has them, since the start. */
interface LatencySample {
  readonly read: readonly number[];
  readonly write: readonly number[];
}

export interface OverviewSample {
  readonly status: NodeStatus;
  readonly memory: {
    readonly rssBytes: number;
    readonly storeBytes: number;
    /** 0: not known yet. */
    readonly maxBytes: number;
  };
  readonly disk: { readonly logBytes: number; readonly freeBytes: number; readonly bytes: number };
  /** This node's clock minus the cluster's time; undefined: not compared yet. */
  readonly clockAheadMs: number | undefined;
  readonly links: readonly LinkSample[];
  /** User and system time since the start. */
  readonly cpuMs: number;
  readonly monotonicMs: number;
  readonly commands: { readonly reads: number; readonly writes: number; readonly local: number };
  readonly errors: readonly (readonly [code: string, count: number])[];
  readonly restarts: number;
  readonly deadLetters: number;
  readonly latency: LatencySample;
  readonly findings: readonly Finding[];
}

/** Of one node, between its last two samples. */
interface NodeRates {
  readonly reads: number;
  readonly writes: number;
  readonly local: number;
  /** Percent of one core. */
  readonly cpu: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface OverviewNode extends Omit<OverviewSample, 'latency'> {
  /** Undefined at the first sample. */
  readonly rates: NodeRates | undefined;
}

interface Quantiles {
  /** Commands in the second. */
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

interface ClusterPaths {
  readonly fast: number;
  readonly slow: number;
  readonly recovered: number;
  readonly invalidated: number;
}

/** A text says why there is nothing of that node. */
export type OfNodes<T> = Readonly<Record<number, T | string>>;

export interface Overview {
  readonly nodes: OfNodes<OverviewNode>;
  /** Of the last second, merged over the nodes. */
  readonly read: Quantiles;
  readonly write: Quantiles;
  /** Transactions of the last second. */
  readonly paths: ClusterPaths;
  /** Errors of the last second, by their first word. */
  readonly errors: readonly (readonly [code: string, count: number])[];
  readonly findings: readonly Finding[];
}

export interface HoloFastSample {
  readonly status: NodeStatus['holofast'];
  readonly phases: readonly PhaseReport[];
}

export interface ActorsSample {
  /** The tree as `ActorSystem.inspect` has it, without descriptions. */
  readonly tree: unknown;
  readonly monotonicMs: number;
  /** The newest first. */
  readonly deadLetters: readonly unknown[];
}

export interface RangesSample {
  readonly topology: TopologyReport;
}

/** Of one node, or of all of them added up. */
export interface HeatSample {
  /** Undefined while no client is served. */
  readonly heat: HeatMap | undefined;
}
