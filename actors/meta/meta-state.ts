/** The state of the meta group: the topology, and who may change it. Pure data. */
import type { Timestamp } from '../accord/primitives/timestamp.ts';
import type { GroupDescriptor } from '../accord/topology/group.ts';
import type { GroupId } from '../accord/topology/group-id.ts';
import type { Domain } from './meta-command.ts';
import type { Change, Topology } from './topology.ts';

/** Ended changes that are remembered. */
export const JOBS_MAX = 1_000;

/** Ended groups that are remembered. */
export const ENDED_GROUPS_MAX = 256;

/**
 * A group that has ended, as its Close said. A node may be told of the topology long after it was,
 * and of transactions over groups that came and went meanwhile.
 */
export interface EndedGroup {
  readonly group: GroupId;
  readonly executeAt: Timestamp;
  readonly successors: readonly GroupDescriptor[];
}

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
  /** The newest last. */
  readonly ended: readonly EndedGroup[];
}

/** The answer of a rule: the new state, or why there is none. */
export type Outcome = MetaState | string;

/** The changes that several rules have made are one epoch. */
export function asOneEpoch(before: MetaState, after: MetaState): MetaState {
  const { epoch } = before.topology;
  return { ...after, topology: { ...after.topology, epoch: epoch + 1 } };
}

/** Each item by its rule; refused where it changes nothing for any of them. */
export function severally<Item>(
  before: MetaState,
  items: readonly Item[],
  rule: (state: MetaState, item: Item) => Outcome,
  none: string,
): Outcome {
  let state = before;
  let refused = none;
  for (const item of items) {
    const outcome = rule(state, item);
    if (typeof outcome === 'string') refused = outcome;
    else state = outcome;
  }
  return state === before ? refused : asOneEpoch(before, state);
}

/** The next state of the topology. */
export function inNextEpoch(state: MetaState, changes: Partial<Topology>): MetaState {
  const topology = { ...state.topology, ...changes, epoch: state.topology.epoch + 1 };
  return { ...state, topology };
}
