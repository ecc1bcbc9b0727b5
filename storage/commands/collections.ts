/** Shared by the commands of all collections. */
import type { Arguments } from '../arguments.ts';
import { NO_DEADLINE } from '../keyspace/entry.ts';
import type { Found, Keyspace } from '../keyspace/keyspace.ts';
import { forRangeInSteps, type Steps, sortedInSteps } from '../steps.ts';
import type { Collection } from '../types/collection.ts';
import type { CollectionType } from '../types/collection-type.ts';
import { parseUnsigned } from '../types/integers.ts';
import { itemsOf } from '../types/packed.ts';
import { signedAt } from './integer-arguments.ts';
import type { ReplySink } from './reply.ts';
import { INVALID_CURSOR, parseScanOptions } from './scan-options.ts';

/**
 * Gives the key in argument `i` its collection after the command has changed it, or made another
 * one; a key without elements is removed.
 */
export function store<C extends Collection>(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  type: CollectionType<C>,
  found: Found<string | C> | undefined,
  value: string | C,
): void {
  if (found !== undefined && typeof value !== 'string' && value === found.entry.value) {
    return keyspace.changed(found as Found);
  }
  if (found === undefined) {
    if (!isEmpty(value)) keyspace.set(args, i, type, value, NO_DEADLINE);
  } else if (isEmpty(value)) {
    keyspace.remove(found as Found);
  } else {
    keyspace.replace(found as Found, type, value, found.entry.deadline);
  }
}

/**
 * A result takes the place of what is at argument `i`; one without elements removes it. `event`:
 * the keyspace event of the command.
 */
export function overwrite<C extends Collection>(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  type: CollectionType<C>,
  value: string | C,
  event: string,
): void {
  if (!isEmpty(value)) {
    keyspace.set(args, i, type, value, NO_DEADLINE);
    return keyspace.notify(type.name, event, args, i);
  }
  const found = keyspace.find(args, i);
  if (found === undefined) return;
  keyspace.remove(found);
  keyspace.notify('generic', 'del', args, i);
}

function isEmpty(value: string | Collection): boolean {
  return typeof value === 'string' ? itemsOf(value) === 0 : value.isEmpty;
}

/**
 * HLEN and its like: the elements of the collection in argument 1, whose rows need not be in
 * memory. A packed one has `width` items for each.
 */
export function countElements<C extends Collection>(type: CollectionType<C>, width: 1 | 2) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): void => {
    const value = keyspace.findOf(type, args, 1)?.entry.value;
    if (value === undefined) out.integer(0);
    else out.integer(typeof value === 'string' ? itemsOf(value) / width : value.size);
  };
}

/** Before the first change of a collection that may be large: `bytes` as for `Keyspace.edit`. */
export function beginEdit<C extends Collection>(
  keyspace: Keyspace,
  found: Found<string | C> | undefined,
  bytes: number,
): void {
  if (found !== undefined && typeof found.entry.value !== 'string') {
    keyspace.edit(found as Found, bytes);
  }
}

/** Bytes of the arguments from `first` on. */
export function bytesFrom(args: Arguments, first: number): number {
  let bytes = 0;
  for (let i = first; i < args.count; i += 1) bytes += args.bytes(i);
  return bytes;
}

/** The longest of the arguments from `first` on. */
export function longestFrom(args: Arguments, first: number): number {
  let longest = 0;
  for (let i = first; i < args.count; i += 1) longest = Math.max(longest, args.bytes(i));
  return longest;
}

/** Picks of one command: HRANDFIELD and its like make a reply of any length of any collection. */
const PICKS_MAX = 1_048_576;
export const OUT_OF_RANGE = 'ERR value is out of range';

/** A number of picks, below zero with repeats; or the error line. */
export function parsePicks(args: Arguments, i: number): number | string {
  const count = signedAt(args, i);
  return typeof count === 'number' && count < -PICKS_MAX ? OUT_OF_RANGE : count;
}

/**
 * Indices of picks among `size` elements, ascending where they are distinct: `count` of them, or as
 * many as there are; below zero so many with repeats.
 */
export function* pickIndices(
  keyspace: Keyspace,
  size: number,
  count: number,
): Steps<readonly number[]> {
  const random = keyspace.random();
  const each = keyspace.stepElements;
  if (count < 0 || count >= size) {
    const indices: number[] = [];
    yield* forRangeInSteps(0, count < 0 ? -count : size, each, (start, end) => {
      for (let i = start; i < end; i += 1) indices.push(count < 0 ? random.below(size) : i);
    });
    return indices;
  }
  // R. Floyd's sample: as many random numbers as picks, whatever the size.
  const picked = new Set<number>();
  yield* forRangeInSteps(size - count, size, each, (start, end) => {
    for (let last = start; last < end; last += 1) {
      const index = random.below(last + 1);
      picked.add(picked.has(index) ? last : index);
    }
  });
  return yield* sortedInSteps([...picked], each, (a, b) => a - b);
}

/** Visits some elements from a cursor on; returns the next cursor, 0 at the end. */
type ScanPage = (
  from: number,
  limit: number,
  visit: (name: string, value: string) => void,
) => number;

/** Cursors are hashes of 32 bits, and 0. */
const CURSOR_END = 2 ** 32;

/**
 * A scan of the collection in argument 1. Like SCAN's, its cursor is a place in the order of hashes
 * and needs no state; what is there during the whole walk is returned, and nothing twice. `pageOf`
 * looks the key up.
 */
export function scanCollection(
  args: Arguments,
  out: ReplySink,
  withValues: boolean,
  pageOf: () => ScanPage | undefined,
): void {
  const cursor = parseUnsigned(args.text(2));
  if (cursor === undefined) return out.error(INVALID_CURSOR);
  const page = pageOf();
  const options = page === undefined ? undefined : parseScanOptions(args, 3, false);
  if (typeof options === 'string') return out.error(options);
  const found: string[] = [];
  let next = 0;
  if (page !== undefined && options !== undefined && cursor < CURSOR_END) {
    const { pattern } = options;
    next = page(Number(cursor), options.count, (name, value) => {
      if (pattern !== undefined && !pattern.matches(name)) return;
      found.push(name);
      if (withValues) found.push(value);
    });
  }
  out.array(2);
  out.bulk(String(next));
  out.array(found.length);
  for (const text of found) out.bulk(text);
}
