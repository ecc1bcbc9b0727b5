/** How commands get at sorted sets, small and large, and change them. */
import type { Arguments } from '../../arguments.ts';
import type { Found, Keyspace } from '../../keyspace/keyspace.ts';
import { forEachInSteps, forRangeInSteps, type Steps } from '../../steps.ts';
import { labelOf, PACKED_BYTES_MAX } from '../../types/packed.ts';
import type { Ranked, RankedVisit } from '../../types/ranked.ts';
import { ScoreArray } from '../../types/score-array.ts';
import { SortedSet, ZSET, ZSET_LISTPACK, ZSET_SKIPLIST } from '../../types/sorted-set.ts';
import { overwrite, store } from '../collections.ts';

type SortedSetValue = string | SortedSet;
export type FoundSortedSet = Found<SortedSetValue>;

/** A sorted set that a command changes. */
export interface EditedSet extends Ranked {
  /** The label of its encoding. */
  label: number;
}

class SmallSet extends ScoreArray implements EditedSet {
  label: number;

  constructor(packed: string | undefined) {
    super(packed);
    this.label = packed === undefined ? ZSET_LISTPACK : labelOf(packed);
  }
}

export function rankedOf(value: SortedSetValue): Ranked {
  return typeof value === 'string' ? new ScoreArray(value) : value;
}

/** The sorted set of a key, to be read. */
export function findRanked(keyspace: Keyspace, args: Arguments, i: number): Ranked | undefined {
  const found = keyspace.findCollection(ZSET, args, i);
  return found === undefined ? undefined : rankedOf(found.entry.value);
}

/**
 * Lets `change` change the sorted set of argument `i`, which `found` is, if there is one. `change`
 * tells whether it has changed anything, must not fail after that, and writes at most `bytes`.
 */
export function editSortedSet(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  found: FoundSortedSet | undefined,
  bytes: number,
  change: (set: EditedSet) => boolean,
): void {
  const set = beginSortedSet(keyspace, found, bytes);
  if (change(set)) endSortedSet(keyspace, args, i, found, set);
}

/** The same in two halves, for a change in steps: the sorted set that is changed, */
export function beginSortedSet(
  keyspace: Keyspace,
  found: FoundSortedSet | undefined,
  bytes: number,
): EditedSet {
  const value = found?.entry.value;
  if (value instanceof SortedSet) {
    keyspace.edit(found as Found, bytes);
    return value;
  }
  return bytes > PACKED_BYTES_MAX ? largeSet(value) : new SmallSet(value);
}

/** and then, if it was changed, its way into the key. */
export function endSortedSet(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  found: FoundSortedSet | undefined,
  set: EditedSet,
): void {
  if (set === found?.entry.value) return keyspace.changed(found as Found);
  store(keyspace, args, i, ZSET, found, packedSet(set) ?? asLarge(set));
}

/** Visits `count` entries upwards from a place, or downwards. */
export function visitInSteps(
  set: Ranked,
  rank: number,
  count: number,
  isDown: boolean,
  each: number,
  visit: RankedVisit,
): Steps {
  return forRangeInSteps(0, count, each, (start, end) => {
    if (isDown) set.descend(rank - start, end - start, visit);
    else set.ascend(rank + start, end - start, visit);
  });
}

/** Removes members that are there. */
export function deleteInSteps(set: EditedSet, members: readonly string[], each: number): Steps {
  return forEachInSteps(members, each, (member) => set.delete(member));
}

/** Puts a new sorted set into argument `i`, or removes what is there if it has no members. */
export function* storeSortedSet(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  scores: ReadonlyMap<string, number>,
  event: string,
): Steps {
  const each = keyspace.stepElements;
  const set = new SortedSet(ZSET_LISTPACK);
  yield* forEachInSteps(scores.keys(), each, (member) => {
    relabel(keyspace, set, member, scores.size);
  });
  yield* forEachInSteps(scores, each, ([member, score]) => {
    set.set(member, labelledScore(set, score));
  });
  overwrite(keyspace, args, i, ZSET, packedSet(set) ?? set, event);
}

/**
 * The same for ZRANGESTORE, where members come one after the other: while it is a listpack, it has
 * no negative zero. `expected`: as many are known to come, or 0.
 */
export function* storeRange(
  keyspace: Keyspace,
  args: Arguments,
  entries: readonly (readonly [member: string, score: number])[],
  expected: number,
): Steps {
  const isLong = expected > keyspace.thresholds.zsetMaxListpackEntries;
  const set = new SortedSet(isLong ? ZSET_SKIPLIST : ZSET_LISTPACK);
  yield* forEachInSteps(entries, keyspace.stepElements, ([member, score]) => {
    add(keyspace, set, member, score);
  });
  overwrite(keyspace, args, 1, ZSET, packedSet(set) ?? set, 'zrangestore');
}

/** Adds a new member, or gives one that there is another score. */
export function add(keyspace: Keyspace, set: EditedSet, member: string, score: number): void {
  if (set.scoreOf(member) === undefined) relabel(keyspace, set, member, set.size + 1);
  set.set(member, labelledScore(set, score));
}

function relabel(keyspace: Keyspace, set: EditedSet, member: string, size: number): void {
  const { zsetMaxListpackEntries, zsetMaxListpackValue } = keyspace.thresholds;
  const isLong = member.length > zsetMaxListpackValue;
  if (isLong || size > zsetMaxListpackEntries) set.label = ZSET_SKIPLIST;
}

/** A listpack has whole scores as integers: there is no negative zero. */
function labelledScore(set: EditedSet, score: number): number {
  return set.label === ZSET_LISTPACK ? score + 0 : score;
}

function largeSet(value: string | undefined): SortedSet {
  return asLarge(new SmallSet(value));
}

function asLarge(set: EditedSet): SortedSet {
  if (set instanceof SortedSet) return set;
  const large = new SortedSet(set.label);
  set.ascend(0, set.size, (member, score) => large.set(member, score));
  return large;
}

/** `undefined`: it is a large one. */
function packedSet(set: EditedSet): string | undefined {
  if (set instanceof SmallSet) return set.packed(set.label);
  if (set instanceof SortedSet && set.contentBytes > PACKED_BYTES_MAX) return undefined;
  const small = new ScoreArray();
  set.ascend(0, set.size, (member, score) => small.set(member, score));
  return small.packed(set.label);
}
