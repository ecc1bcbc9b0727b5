/** Sets: members. Packed, each is an item; the large form has members without values. */
import { forEachInSteps, type Steps } from '../steps.ts';
import { collectionType } from './collection-type.ts';
import { Fields } from './fields.ts';
import { parseInteger } from './integers.ts';
import {
  itemsOf,
  labelled,
  labelOf,
  PACKED_BYTES_MAX,
  PackedItems,
  pack,
  splice,
  unpack,
} from './packed.ts';
import type { Thresholds } from './thresholds.ts';

export const SET = collectionType<Fields>({
  code: 3,
  name: 'set',
  encodings: ['intset', 'listpack', 'hashtable'],
  empty: (label, head) => new Fields(false, label, head),
});

const INTSET = 0;
const LISTPACK = 1;
const TABLE = 2;

export type SetValue = string | Fields;

const EMPTY = pack(INTSET, []) as string;
const items = new PackedItems();

export function emptySet(): SetValue {
  return EMPTY;
}

export function memberCount(set: SetValue): number {
  return typeof set === 'string' ? itemsOf(set) : set.count;
}

export function hasMember(set: SetValue, member: string): boolean {
  return typeof set === 'string' ? items.begin(set).find(member, 1) : set.has(member);
}

/** In an order that is the same on every replica. */
export function membersOf(set: SetValue): Iterable<string> {
  return typeof set === 'string' ? unpack(set) : set.rowKeys();
}

/** The members at some indices of that order. */
export function membersAt(set: SetValue, indices: readonly number[]): string[] {
  if (typeof set !== 'string') return indices.map((index) => set.nameAt(index));
  const all = unpack(set);
  return indices.map((index) => all[index] as string);
}

/** The set with a member: another one, or the same large one, changed. */
export function withMember(set: SetValue, member: string, thresholds: Thresholds): SetValue {
  if (hasMember(set, member)) return set;
  const label = labelWith(set, member, thresholds);
  if (typeof set !== 'string') {
    set.label = label;
    set.set(member, '');
    return set;
  }
  const packed = splice(set, label, set.length, set.length, 0, [member]);
  return packed ?? largeSet(label, [...unpack(set), member]);
}

/** The same without a member; `undefined`: it is none. */
export function withoutMember(set: SetValue, member: string): SetValue | undefined {
  if (typeof set !== 'string') return set.delete(member) ? set : undefined;
  if (!items.begin(set).find(member, 1)) return undefined;
  return splice(set, labelOf(set), items.from, items.to, 1, []);
}

/** The label of a set that so many members were added to. In steps of so many. */
export function* labelOfMembers(
  members: Iterable<string>,
  count: number,
  thresholds: Thresholds,
  each: number,
): Steps<number> {
  let label = INTSET;
  let longest = 0;
  yield* forEachInSteps(members, each, (member) => {
    if (label === INTSET && !isInteger(member)) label = LISTPACK;
    longest = Math.max(longest, member.length);
  });
  return labelOfSize(label, count, longest, thresholds);
}

/** A set of these, which differ. In steps of so many members. */
export function* setOf(members: readonly string[], label: number, each: number): Steps<SetValue> {
  const packed = members.length > PACKED_BYTES_MAX ? undefined : pack(label, members);
  if (packed !== undefined) return packed;
  const large = SET.empty(label);
  yield* forEachInSteps(members, each, (member) => large.set(member, ''));
  return large;
}

/**
 * The same set with the label that it gets when so many members are about to be added, the first of
 * which is given if the set is new: Redis chooses by their number.
 */
export function expecting(
  set: SetValue,
  count: number,
  first: string,
  thresholds: Thresholds,
): SetValue {
  const kind = memberCount(set) === 0 && !isInteger(first) ? LISTPACK : currentLabel(set);
  const label = labelOfSize(kind, count, 0, thresholds);
  if (typeof set === 'string') return labelled(set, label);
  set.label = label;
  return set;
}

function currentLabel(set: SetValue): number {
  return typeof set === 'string' ? labelOf(set) : set.label;
}

function largeSet(label: number, members: readonly string[]): Fields {
  const large = SET.empty(label);
  for (const member of members) large.set(member, '');
  return large;
}

function isInteger(member: string): boolean {
  return parseInteger(member) !== undefined;
}

/** With one more member, which is new. */
function labelWith(set: SetValue, member: string, thresholds: Thresholds): number {
  const before = currentLabel(set);
  const label = before === INTSET && !isInteger(member) ? LISTPACK : before;
  return labelOfSize(label, memberCount(set) + 1, member.length, thresholds);
}

function labelOfSize(
  label: number,
  count: number,
  longest: number,
  thresholds: Thresholds,
): number {
  const { setMaxIntsetEntries, setMaxListpackEntries, setMaxListpackValue } = thresholds;
  if (label === INTSET) return count <= setMaxIntsetEntries ? INTSET : TABLE;
  const small = count <= setMaxListpackEntries && longest <= setMaxListpackValue;
  return label === LISTPACK && small ? LISTPACK : TABLE;
}
