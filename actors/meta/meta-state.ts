/** The state of the meta group: the topology, and who may change it. Pure data. */
import type { Domain } from './meta-command.ts';
import type { Change, Topology } from './topology.ts';

/** Ended changes that are remembered. */
export const JOBS_MAX = 1_000;

/** A change that has ended. */
export interface Job {
  readonly number: number;
  readonly kind: Change['kind'];
  readonly outcome: 'done' | 'cancelled';
  readonly by: string;
  readonly startedUs: number;
  readonly endedUs: number;
}

export interface Lease {
  readonly domain: Domain;
  /** Node id. */
  readonly holder: number;
  /** Goes up by one whenever the lease is taken, also by the one who had it. */
  readonly term: number;
  /** executeAt in microseconds from which on it is free. */
  readonly untilUs: number;
}

export interface MetaState {
  readonly topology: Topology;
  /** At most one per domain. They change without a new epoch. */
  readonly leases: readonly Lease[];
  readonly pausedControllers: readonly Domain[];
  /** The newest last. */
  readonly jobs: readonly Job[];
}

/** The answer of a rule: the new state, or why there is none. */
export type Outcome = MetaState | string;

/** The next state of the topology. */
export function inNextEpoch(state: MetaState, changes: Partial<Topology>): MetaState {
  const topology = { ...state.topology, ...changes, epoch: state.topology.epoch + 1 };
  return { ...state, topology };
}
