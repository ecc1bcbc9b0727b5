/** Commands that read or remove all keys: their keys are not among their arguments. */

import { keyOf } from '../../actors/accord/primitives/timestamp.ts';
import type { Arguments } from '../arguments.ts';
import type { StoredEntry } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { POSITIONS, positionOf, slotOfText } from '../keyspace/slots.ts';
import { parseUnsigned } from '../types/integers.ts';
import { type Command, command, SYNTAX_ERROR } from './command.ts';
import { DATABASE_OUT_OF_RANGE, databaseNumber } from './database-number.ts';
import { matchesGlob } from './glob.ts';
import type { ReplySink } from './reply.ts';
import { INVALID_CURSOR, parseScanOptions, type ScanOptions } from './scan-options.ts';

/** Keys that KEYS and RANDOMKEY take from the keyspace at a time. */
const PAGE_KEYS = 256;

/**
 * https://redis.io/docs/latest/commands/scan. A cursor is a position in hash order (48 bits), in
 * decimal: it is valid on every node, never expires, and needs no state. A key that exists during
 * the whole walk is returned; none is returned twice.
 */
const scan = command({
  group: 'generic',
  keys: 'whole-store',
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
    const page =
      position < POSITIONS ? keyspace.exactPage(position, options.count) : { items: [], next: 0 };
    const found = page.items.filter((item) => isWanted(item, options) && keyspace.isAlive(item));
    out.array(2);
    out.bulk(String(page.next));
    out.array(found.length);
    for (const item of found) out.bulk(item.key);
  },
});

function isWanted(item: StoredEntry, options: ScanOptions): boolean {
  if (options.type !== undefined && options.type !== item.entry.type.name) return false;
  return options.pattern === undefined || matchesGlob(options.pattern, item.key);
}

/** Visits all keys, in hash order; `false` from the visitor ends it. */
export function forEachKey(
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

const keys = command({
  group: 'generic',
  keys: 'whole-store',
  flags: 'readonly',
  dangerous: true,
  name: 'KEYS',
  arity: 2,
  summary: 'Find all keys matching the given pattern',
  since: '1.0.0',
  complexity: 'O(N) with N being the number of keys in the store.',
  run(keyspace, args, out) {
    const pattern = args.text(1);
    const found: string[] = [];
    forEachKey(keyspace, 0, (item) => {
      const matches = pattern === '*' || matchesGlob(pattern, item.key);
      if (matches && keyspace.isAlive(item)) found.push(item.key);
      return true;
    });
    out.array(found.length);
    for (const key of found) out.bulk(key);
  },
});

/** The first living key behind a position derived from executeAt: replicas must agree. */
const randomkey = command({
  group: 'generic',
  keys: 'whole-store',
  flags: 'readonly',
  name: 'RANDOMKEY',
  arity: 1,
  summary: 'Return a random key from the keyspace',
  since: '1.0.0',
  complexity: 'O(1), more where many keys are past their deadline.',
  run(keyspace, _args, out) {
    const seed = keyOf(keyspace.version);
    const start = positionOf(slotOfText(seed), slotOfText(`${seed}/`) << 16);
    let found: string | undefined;
    const take = (item: StoredEntry): boolean => {
      if (keyspace.isAlive(item)) found = item.key;
      return found === undefined;
    };
    forEachKey(keyspace, start, take);
    if (found === undefined) forEachKey(keyspace, 0, take);
    if (found === undefined) out.nil();
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
