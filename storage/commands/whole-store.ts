/** Commands that read or remove all keys: their keys are not among their arguments. */

import type { Arguments } from '../arguments.ts';
import type { StoredEntry } from '../keyspace/entry.ts';
import type { KeyPage, Keyspace } from '../keyspace/keyspace.ts';
import { firstSlotOf, POSITIONS, positionOf, slotOfPosition } from '../keyspace/slots.ts';
import { parseUnsigned } from '../types/integers.ts';
import { type Command, command, SYNTAX_ERROR } from './command.ts';
import { DATABASE_OUT_OF_RANGE, databaseNumber } from './database-number.ts';
import { Glob } from './glob.ts';
import { NO_REPLY, type ReplySink } from './reply.ts';
import { INVALID_CURSOR, parseScanOptions, type ScanOptions } from './scan-options.ts';

/** Keys that a walk takes from the keyspace at a time. */
const PAGE_KEYS = 256;
/** The bytes of the keys that KEYS goes through among other commands. */
const KEYS_IN_UNIT_BYTES_MAX = 1024 * 1024;
/** KEYS by itself, where its node cannot list all groups. */
export const TOLD_KEYS_COMMAND = 'HOLO.KEYS';
/** Keys past their deadline that one RANDOMKEY removes before it gives up. */
const RANDOMKEY_VISITS_MAX = 4_096;
const TOO_MANY = Symbol('too many keys are past their deadline');
const MANY_EXPIRED =
  'TRYAGAIN no key was found: nearly all are past their deadline and are being removed';

/**
 * https://redis.io/docs/latest/commands/scan. A cursor is a position in hash order (48 bits), in
 * decimal: it is valid on every node, never expires, and needs no state. A key that exists during
 * the whole walk is returned; none is returned twice. A walk goes through the groups one by one,
 * but in a MULTI block or script a page is of all groups.
 */
const scan = command({
  group: 'generic',
  keys: 'whole-store',
  walksFrom: (args) => slotOfCursor(args.text(1)),
  listsKeys: () => true,
  flags: 'readonly',
  name: 'SCAN',
  arity: -2,
  summary: 'Incrementally iterate the keys space',
  since: '2.8.0',
  complexity: 'O(1) for every call. O(N) for a complete iteration.',
  run(keyspace, args, out) {
    const cursor = parseUnsigned(args.text(1));
    if (cursor === undefined) return out.error(INVALID_CURSOR);
    const options = parseScanOptions(args, 2, true);
    if (typeof options === 'string') return out.error(options);
    // A cursor that no SCAN returns points behind all keys.
    const position = Number(cursor);
    const page = pageAt(keyspace, position, options.count);
    if (page === undefined) return out.error(tooManyFor('SCAN', keyspace));
    const found = page.items.filter((item) => isWanted(item, options) && keyspace.isAlive(item));
    out.array(2);
    const hasNext = page.next !== 0 || position >= keyspace.end || keyspace.end === POSITIONS;
    out.bulk(String(hasNext ? page.next : keyspace.end));
    out.array(found.length);
    for (const item of found) out.bulk(item.key);
  },
});

/** Undefined: over several groups, there are too many keys. */
function pageAt(keyspace: Keyspace, position: number, limit: number): KeyPage | undefined {
  if (position >= POSITIONS) return { items: [], next: 0 };
  if (keyspace.listed === undefined) return keyspace.exactPage(position, limit);
  const items = keyspace.listed()?.filter((item) => placeOf(item) >= position);
  if (items === undefined) return undefined;
  let end = Math.min(limit, items.length);
  const last = items[end - 1];
  if (last === undefined) return { items, next: 0 };
  // A cursor cannot point between keys of one position.
  for (let next = items[end]; next && placeOf(next) === placeOf(last); next = items[end]) end += 1;
  return { items: items.slice(0, end), next: end === items.length ? 0 : placeOf(last) + 1 };
}

function placeOf({ slot, place }: StoredEntry): number {
  return positionOf(slot, place);
}

export function tooManyFor(name: string, { keysInUnitMax }: Keyspace): string {
  return (
    `ERR ${name} in a MULTI block or script over several ranges takes at most ` +
    `${keysInUnitMax} keys: send it alone`
  );
}

function tooManyInUnit({ keysInUnitMax }: Keyspace): string {
  return (
    `ERR KEYS in a MULTI block or script takes at most ${keysInUnitMax} keys of ` +
    `${KEYS_IN_UNIT_BYTES_MAX} bytes in all: send it alone, or use SCAN`
  );
}

function tooManyTold({ keysInUnitMax }: Keyspace): string {
  return (
    `ERR KEYS takes at most ${keysInUnitMax} keys of ${KEYS_IN_UNIT_BYTES_MAX} bytes in all at a ` +
    'node that is no member of all ranges: send it to one that is, or use SCAN'
  );
}

/** The conflict slot in which a walk goes on; of a wrong cursor: the first. */
function slotOfCursor(cursor: string): number {
  const position = Number(parseUnsigned(cursor) ?? 0);
  return position < POSITIONS ? slotOfPosition(position) : 0;
}

function isWanted(item: StoredEntry, options: ScanOptions): boolean {
  if (options.type !== undefined && options.type !== item.entry.type.name) return false;
  return options.pattern === undefined || options.pattern.matches(item.key);
}

/** Visits all keys, in hash order; `false` from the visitor ends it. */
function forEachKey(
  keyspace: Keyspace,
  start: number,
  visit: (item: StoredEntry) => boolean,
): void {
  let position = start;
  do {
    const page = keyspace.page(position, PAGE_KEYS);
    for (const item of page.items) if (!visit(item)) return;
    position = page.next;
  } while (position !== 0);
}

/**
 * KEYS as a unit by itself: the node whose client waits lists the keys, usually in slices of its
 * own (`actors/store/key-listings.ts`). Nothing is removed: replicas without the client do nothing.
 */
function listAlone(keyspace: Keyspace, args: Arguments, out: ReplySink): void {
  const pattern = new Glob(args.text(1));
  if (pattern.problem !== undefined) return out.error(pattern.problem);
  if (out === NO_REPLY) return;
  const found: string[] = [];
  forEachKey(keyspace, 0, ({ key, entry }) => {
    if (!entry.expired(keyspace.nowMs) && pattern.matches(key)) found.push(key);
    return true;
  });
  out.array(found.length);
  for (const key of found) out.bulk(key);
}

/** KEYS in the order of its transaction; the error line, if there are too many keys. */
function listInUnit(keyspace: Keyspace, args: Arguments, out: ReplySink, tooMany: string): void {
  const pattern = new Glob(args.text(1));
  if (pattern.problem !== undefined) return out.error(pattern.problem);
  if (keyspace.size > keyspace.keysInUnitMax) return out.error(tooMany);
  const found: string[] = [];
  let bytesLeft = KEYS_IN_UNIT_BYTES_MAX;
  const isWhole = visitAll(keyspace, 0, (item) => {
    bytesLeft -= item.key.length;
    if (bytesLeft >= 0 && pattern.matches(item.key) && keyspace.isAlive(item)) found.push(item.key);
    return bytesLeft >= 0;
  });
  if (!isWhole || bytesLeft < 0) return out.error(tooMany);
  out.array(found.length);
  for (const key of found) out.bulk(key);
}

/** As `forEachKey`, over several groups too. `false`: there are too many keys for that. */
export function visitAll(
  keyspace: Keyspace,
  start: number,
  visit: (item: StoredEntry) => boolean,
): boolean {
  if (keyspace.listed === undefined) {
    forEachKey(keyspace, start, visit);
    return true;
  }
  const listed = keyspace.listed();
  listed?.every((item) => placeOf(item) < start || visit(item));
  return listed !== undefined;
}

const keys = command({
  group: 'generic',
  keys: 'whole-store',
  listsKeys: (args) => !args.isAlone,
  flags: 'readonly',
  dangerous: true,
  name: 'KEYS',
  arity: 2,
  summary: 'Find all keys matching the given pattern',
  since: '1.0.0',
  complexity: 'O(N) with N being the number of keys in the store.',
  run(keyspace, args, out) {
    if (args.isAlone) listAlone(keyspace, args, out);
    else listInUnit(keyspace, args, out, tooManyInUnit(keyspace));
  },
});

/** Clients cannot send it. */
export const TOLD_KEYS = command({
  group: 'generic',
  keys: 'whole-store',
  listsKeys: () => true,
  flags: 'readonly',
  dangerous: true,
  name: TOLD_KEYS_COMMAND,
  arity: 2,
  summary: 'Find keys of groups that the node of the client does not have',
  since: '0.1.0',
  complexity: 'O(N) with N being the number of keys in the store.',
  run: (keyspace, args, out) => listInUnit(keyspace, args, out, tooManyTold(keyspace)),
});

/**
 * A living key of a slot that is drawn by its number of keys, behind a position in it that is drawn
 * too. Those past their deadline on the way are removed.
 */
function randomKey(keyspace: Keyspace): string | undefined | typeof TOO_MANY {
  const random = keyspace.random();
  let visitsLeft = RANDOMKEY_VISITS_MAX;
  while (keyspace.size > 0) {
    const redisSlot = keyspace.slotOfNth(random.below(keyspace.size));
    const keysOnly = keyspace.volatileKeysIn(redisSlot) === 0;
    const slot = firstSlotOf(redisSlot);
    const from = positionOf(slot, 0);
    const end = positionOf(slot + firstSlotOf(1), 0);
    const start = positionOf(slot + random.below(firstSlotOf(1)), random.below(2 ** 32));
    for (const [position, to] of [
      [start, end],
      [from, start],
    ] as const) {
      for (const item of keysBetween(keyspace, position, to, keysOnly)) {
        if (keyspace.isAlive(item)) return item.key;
        visitsLeft -= 1;
        if (visitsLeft === 0) return TOO_MANY;
      }
    }
  }
  return undefined;
}

/** Over several groups, beside other commands, which may have removed what the groups have told. */
function randomListed(keyspace: Keyspace, listed: readonly StoredEntry[]): string | undefined {
  const random = keyspace.random();
  const left = [...listed];
  while (left.length > 0) {
    const [drawn] = left.splice(random.below(left.length), 1);
    if (drawn !== undefined && keyspace.isAlive(drawn)) return drawn.key;
  }
  return undefined;
}

function* keysBetween(
  keyspace: Keyspace,
  from: number,
  to: number,
  keysOnly: boolean,
): Generator<StoredEntry> {
  let limit = 1;
  for (let position = from; position < to; ) {
    const page = keyspace.page(position, limit, keysOnly);
    for (const item of page.items) {
      if (positionOf(item.slot, item.place) >= to) return;
      yield item;
    }
    if (page.next === 0) return;
    position = page.next;
    limit = Math.min(2 * limit, PAGE_KEYS);
  }
}

const randomkey = command({
  group: 'generic',
  keys: 'whole-store',
  listsKeys: (args) => !args.isAlone,
  flags: 'readonly',
  name: 'RANDOMKEY',
  arity: 1,
  summary: 'Return a random key from the keyspace',
  since: '1.0.0',
  complexity: 'O(1), more where many keys are past their deadline.',
  run(keyspace, args, out) {
    let found: string | undefined | typeof TOO_MANY;
    if (keyspace.listed === undefined) found = randomKey(keyspace);
    else if (args.isAlone) found = keyspace.anyKey?.();
    else {
      const listed = keyspace.listed();
      if (listed === undefined) return out.error(tooManyFor('RANDOMKEY', keyspace));
      found = randomListed(keyspace, listed);
    }
    if (found === undefined) out.nil();
    else if (found === TOO_MANY) out.error(MANY_EXPIRED);
    else out.bulk(found);
  },
});

const dbsize = command({
  group: 'server',
  keys: 'whole-store',
  flags: 'readonly fast',
  name: 'DBSIZE',
  arity: 1,
  summary: 'Return the number of keys in the selected database',
  since: '1.0.0',
  complexity: 'O(1)',
  run: (keyspace, _args, out) => out.integer(keyspace.size),
});

/** SYNC and ASYNC are the same here: keys are removed at once, memory is freed later. */
function flush(clear: (keyspace: Keyspace) => void) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): void => {
    const plain = args.count === 1 || args.is(1, 'SYNC') || args.is(1, 'ASYNC');
    if (args.count > 2 || !plain) return out.error(SYNTAX_ERROR);
    clear(keyspace);
    out.simple('OK');
  };
}

/** Also one of no database. */
function isNumber(database: number | string | undefined): database is number | string {
  return typeof database === 'number' || database === DATABASE_OUT_OF_RANGE;
}

/** https://redis.io/docs/latest/commands/swapdb */
const swapdb = command({
  group: 'server',
  keys: 'whole-store',
  flags: 'write fast',
  dangerous: true,
  name: 'SWAPDB',
  arity: 3,
  summary: 'Swap two databases',
  since: '4.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const [first, second] = [1, 2].map((i) => databaseNumber(args.text(i)));
    if (!isNumber(first)) return out.error('ERR invalid first DB index');
    if (!isNumber(second)) return out.error('ERR invalid second DB index');
    if (typeof first === 'string') return out.error(first);
    if (typeof second === 'string') return out.error(second);
    if (first !== second) keyspace.swap(first, second);
    out.simple('OK');
  },
});

export const WHOLE_STORE_COMMANDS: readonly Command[] = [
  scan,
  keys,
  randomkey,
  dbsize,
  swapdb,
  command({
    group: 'server',
    keys: 'whole-store',
    flags: 'write',
    dangerous: true,
    name: 'FLUSHALL',
    arity: -1,
    summary: 'Remove all keys from all databases',
    since: '1.0.0',
    complexity: 'O(1)',
    run: flush((keyspace) => keyspace.clearAll()),
  }),
  command({
    group: 'server',
    keys: 'whole-store',
    flags: 'write',
    dangerous: true,
    name: 'FLUSHDB',
    arity: -1,
    summary: 'Remove all keys from the current database',
    since: '1.0.0',
    complexity: 'O(1)',
    run: flush((keyspace) => keyspace.clear()),
  }),
];
