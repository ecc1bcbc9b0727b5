/**
 * A group replicates an interval of slots: its members, and how many of them make a quorum
 * (accord.md §2.3). It never changes, so a transaction is judged by the same members and electorate
 * for ever.
 *
 * Sets of nodes are bit sets: bit i stands for the i-th member in ascending order of node id, so
 * that a reply that comes twice counts once.
 */

import { firstSlotOf, REDIS_SLOTS } from '../../../storage/keyspace/slots.ts';
import { population } from '../primitives/bit-set.ts';
import type { GroupId, GroupMap, Machine } from './group-id.ts';

export const MEMBERS_MAX = 9;

interface QuorumSizes {
  /** Failures that are survived: floor((N-1)/2). */
  readonly failures: number;
  /** Slow and recovery quorum: N - f. */
  readonly slow: number;
  /** Votes for t0 among the electorate that decide: floor((E+f)/2) + 1. */
  readonly fast: number;
  /** More electorate members than this without a vote for t0: no fast path any more. E - F. */
  readonly fastRejectsMax: number;
  /**
   * Electorate members among a fence's quorum, E - F + f + 1: so many that every recovery meets
   * enough of them, without a vote for t0, to rule the fast path out.
   */
  readonly durabilityElectors: number;
}

/** `replicas` = N, `electorate` = E; needs N - f <= E <= N. */
export function quorumSizes(replicas: number, electorate: number): QuorumSizes {
  const failures = Math.floor((replicas - 1) / 2);
  const slow = replicas - failures;
  if (electorate < slow || electorate > replicas) {
    throw new RangeError(
      `an electorate of ${electorate} among ${replicas} replicas: must be ${slow} to ${replicas}`,
    );
  }
  const fast = Math.floor((electorate + failures) / 2) + 1;
  const fastRejectsMax = electorate - fast;
  return {
    failures,
    slow,
    fast,
    fastRejectsMax,
    durabilityElectors: fastRejectsMax + failures + 1,
  };
}

/** The description of a group: plain data, the same on every node of a cluster. */
export interface GroupDescriptor {
  readonly id: GroupId;
  /** Its Redis slots: from `fromSlot` up to, and without, `toSlot`. */
  readonly fromSlot: number;
  readonly toSlot: number;
  /** Node ids. */
  readonly members: readonly number[];
  readonly electorate: readonly number[];
  /** Members that begin it without the data of the one before; none by default. */
  readonly owed?: readonly number[] | undefined;
  /**
   * Those of them that were away for too long: nobody keeps records for them, so they get the data
   * with a later generation alone.
   */
  readonly absent?: readonly number[] | undefined;
  /** The state machine that executes its transactions. */
  readonly machine: Machine;
}

/** Members of a group that lack its data, as in `GroupDescriptor`; both ascend. */
export interface Lacks {
  readonly owed: readonly number[];
  readonly absent: readonly number[];
}

/** As a descriptor names them. */
export function lacksOf({ owed, absent }: Lacks): Partial<Lacks> {
  return { ...(owed.length > 0 && { owed }), ...(absent.length > 0 && { absent }) };
}

/** Members that fetch the data as they are at its beginning. */
export function fetchingIn({
  owed = [],
  absent = [],
}: Pick<GroupDescriptor, 'owed' | 'absent'>): readonly number[] {
  return owed.filter((node) => !absent.includes(node));
}

/** Whether the node begins the group by the Close before it, with its data. */
export function goesOnIn({ members, owed = [] }: GroupDescriptor, node: number): boolean {
  return members.includes(node) && !owed.includes(node);
}

/** The groups that have its slots and have not ended, of `successors`: what followed each. */
export function followersOf(
  group: Group,
  successors: GroupMap<readonly Group[]>,
): readonly Group[] {
  const next = successors.get(group.id);
  return next?.flatMap((each) => followersOf(each, successors)) ?? [group];
}

export class Group {
  readonly id: GroupId;
  readonly fromSlot: number;
  readonly toSlot: number;
  /** The conflict slots of these Redis slots, half open as well. */
  readonly fromConflictSlot: number;
  readonly toConflictSlot: number;
  readonly machine: Machine;
  /** Node ids, ascending. */
  readonly members: readonly number[];
  readonly quorums: QuorumSizes;
  /** Bit set of the fast-path electorate. */
  readonly electorate: number;
  /** See `GroupDescriptor`. */
  readonly absent: readonly number[];
  readonly #bits: ReadonlyMap<number, number>;

  constructor(descriptor: GroupDescriptor) {
    const { id, fromSlot, toSlot, members, electorate, absent = [], machine } = descriptor;
    this.id = id;
    this.fromSlot = fromSlot;
    this.toSlot = toSlot;
    this.fromConflictSlot = firstSlotOf(fromSlot);
    this.toConflictSlot = firstSlotOf(toSlot);
    this.machine = machine;
    if (!(fromSlot >= 0 && fromSlot < toSlot && toSlot <= REDIS_SLOTS)) {
      throw new RangeError(`a group of the slots from ${fromSlot} to ${toSlot}`);
    }
    this.members = [...members].sort((a, b) => a - b);
    if (this.members.length > MEMBERS_MAX) {
      throw new RangeError(`${members.length} members: at most ${MEMBERS_MAX}`);
    }
    this.#bits = new Map(this.members.map((node, index) => [node, 1 << index]));
    this.quorums = quorumSizes(this.members.length, new Set(electorate).size);
    this.absent = absent;
    this.electorate = 0;
    for (const node of electorate) {
      const bit = this.bit(node);
      if (bit === 0) throw new RangeError(`electorate: node ${node} is not a member`);
      this.electorate |= bit;
    }
  }

  /** 0 for a node that is no member: it can never be counted. */
  bit(node: number): number {
    return this.#bits.get(node) ?? 0;
  }

  /** Members of the electorate in a bit set. */
  electors(set: number): number {
    return population(set & this.electorate);
  }

  /**
   * The lowest member that is up leads what one member does for all, such as durability rounds and
   * the removal of expired keys. 0: `self` leads; n: the n-th to stand in for it. Members do not
   * agree on which members are up, so several may lead at once: that must do no harm.
   */
  leadRank(self: number, isUp: (node: number) => boolean): number {
    return this.members.filter((node) => node < self && isUp(node)).length;
  }
}
