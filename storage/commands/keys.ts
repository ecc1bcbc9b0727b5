/** Commands on keys of any type: remove, test, rename, copy. */

import type { Arguments } from '../arguments.ts';
import type { Deadline } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { forRangeInSteps, type Steps } from '../steps.ts';
import type { Value, ValueType } from '../types/value-type.ts';
import { ALL_KEYS, type Command, command, ONE_KEY, SYNTAX_ERROR, TWO_KEYS } from './command.ts';
import { databaseNumber } from './database-number.ts';
import type { ReplySink } from './reply.ts';

const NO_SUCH_KEY = 'ERR no such key';

/** Counts the arguments that name a key of which `test` is true. */
function countKeys(test: (keyspace: Keyspace, args: Arguments, i: number) => boolean) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): Steps | undefined => {
    if (args.count > keyspace.stepElements) return countInSteps(keyspace, args, out, test);
    let count = 0;
    for (let i = 1; i < args.count; i += 1) if (test(keyspace, args, i)) count += 1;
    out.integer(count);
    return undefined;
  };
}

function* countInSteps(
  keyspace: Keyspace,
  args: Arguments,
  out: ReplySink,
  test: (keyspace: Keyspace, args: Arguments, i: number) => boolean,
): Steps {
  let count = 0;
  yield* forRangeInSteps(1, args.count, keyspace.stepElements, (start, end) => {
    for (let i = start; i < end; i += 1) if (test(keyspace, args, i)) count += 1;
  });
  out.integer(count);
}

const removeAll = countKeys((keyspace, args, i) => {
  const cell = keyspace.find(args, i);
  if (cell === undefined) return false;
  keyspace.remove(cell);
  keyspace.notify('generic', 'del', args, i);
  return true;
});

const countPresent = countKeys((keyspace, args, i) => keyspace.find(args, i) !== undefined);

/** In the place of what is there: for subscribers a new key, as in Redis. */
function put(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  type: ValueType,
  value: Value,
  deadline: Deadline,
): void {
  const { size } = keyspace;
  keyspace.set(args, i, type, value, deadline);
  if (keyspace.size === size) keyspace.notify('new', 'new', args, i);
}

/** Moves the value and deadline of argument 1 to argument 2, and answers. */
function* move(keyspace: Keyspace, args: Arguments, answer: () => void): Steps {
  const cell = keyspace.find(args, 1);
  if (cell !== undefined) {
    const { type, deadline } = cell.entry;
    const value = yield* keyspace.copyOf(cell);
    keyspace.remove(cell);
    put(keyspace, args, 2, type, value, deadline);
    keyspace.notify('generic', 'rename_from', args, 1);
    keyspace.notify('generic', 'rename_to', args, 2);
  }
  answer();
}

const rename = command({
  group: 'generic',
  keys: TWO_KEYS,
  flags: 'write',
  name: 'RENAME',
  arity: 3,
  summary: 'Rename a key',
  since: '1.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    if (keyspace.find(args, 1) === undefined) return out.error(NO_SUCH_KEY);
    if (!args.equals(2, args.text(1))) return move(keyspace, args, () => out.simple('OK'));
    out.simple('OK');
  },
});

const renamenx = command({
  group: 'generic',
  keys: TWO_KEYS,
  flags: 'write fast',
  name: 'RENAMENX',
  arity: 3,
  summary: 'Rename a key, only if the new key does not exist',
  since: '1.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    if (keyspace.find(args, 1) === undefined) return out.error(NO_SUCH_KEY);
    if (keyspace.find(args, 2) !== undefined) return out.integer(0);
    return move(keyspace, args, () => out.integer(1));
  },
});

const SAME_OBJECT = 'ERR source and destination objects are the same';

/** https://redis.io/docs/latest/commands/copy */
const copy = command({
  group: 'generic',
  keys: TWO_KEYS,
  flags: 'write denyoom',
  name: 'COPY',
  arity: -3,
  summary: 'Copy a key',
  since: '6.2.0',
  complexity: 'O(1)',
  growth: (_args, bytesOf) => bytesOf(1),
  growsAt: 2,
  *run(keyspace, args, out) {
    let replace = false;
    let { database } = args;
    for (let i = 3; i < args.count; i += 1) {
      if (args.is(i, 'REPLACE')) {
        replace = true;
      } else if (args.is(i, 'DB') && i + 1 < args.count) {
        const named = databaseNumber(args.text(++i));
        if (typeof named === 'string') return out.error(named);
        database = named;
      } else {
        return out.error(SYNTAX_ERROR);
      }
    }
    if (database === args.database && args.equals(2, args.text(1))) {
      return out.error(SAME_OBJECT);
    }
    const target = keyspace.in(database);
    const found = keyspace.find(args, 1);
    if (found === undefined) return out.integer(0);
    const { type, deadline } = found.entry;
    keyspace.load(found);
    if (!replace && target.find(args, 2) !== undefined) return out.integer(0);
    put(target, args, 2, type, yield* keyspace.copyOf(found), deadline);
    target.notify('generic', 'copy_to', args, 2);
    out.integer(1);
  },
});

/** https://redis.io/docs/latest/commands/move */
const moveToDatabase = command({
  group: 'generic',
  keys: ONE_KEY,
  flags: 'write fast',
  name: 'MOVE',
  arity: 3,
  summary: 'Move a key to another database',
  since: '1.0.0',
  complexity: 'O(1)',
  *run(keyspace, args, out) {
    const database = databaseNumber(args.text(2));
    if (typeof database === 'string') return out.error(database);
    if (database === args.database) return out.error(SAME_OBJECT);
    const target = keyspace.in(database);
    const found = keyspace.find(args, 1);
    if (found === undefined) return out.integer(0);
    const { type, deadline } = found.entry;
    keyspace.load(found);
    if (target.find(args, 1) !== undefined) return out.integer(0);
    target.set(args, 1, type, yield* keyspace.copyOf(found), deadline);
    keyspace.remove(found);
    keyspace.notify('generic', 'move_from', args, 1);
    target.notify('generic', 'move_to', args, 1);
    out.integer(1);
  },
});

export const KEY_COMMANDS: readonly Command[] = [
  command({
    group: 'generic',
    keys: ALL_KEYS,
    flags: 'write',
    name: 'DEL',
    arity: -2,
    ignoresValues: true,
    summary: 'Delete a key',
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys that will be removed.',
    run: removeAll,
  }),
  command({
    group: 'generic',
    keys: ALL_KEYS,
    flags: 'write fast',
    name: 'UNLINK',
    arity: -2,
    ignoresValues: true,
    summary: 'Delete a key; values are reclaimed later',
    since: '4.0.0',
    complexity: 'O(1) for each key removed.',
    run: removeAll,
  }),
  command({
    group: 'generic',
    keys: ALL_KEYS,
    flags: 'readonly fast',
    name: 'EXISTS',
    arity: -2,
    ignoresValues: true,
    summary: 'Determine if a key exists',
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys to check.',
    run: countPresent,
  }),
  command({
    group: 'generic',
    keys: ALL_KEYS,
    flags: 'readonly fast',
    name: 'TOUCH',
    arity: -2,
    ignoresValues: true,
    summary: 'Return the number of existing keys specified; there is no access time to alter',
    since: '3.2.1',
    complexity: 'O(N) where N is the number of keys to check.',
    run: countPresent,
  }),
  command({
    group: 'generic',
    keys: ONE_KEY,
    flags: 'readonly fast',
    name: 'TYPE',
    arity: 2,
    summary: 'Determine the type stored at key',
    since: '1.0.0',
    complexity: 'O(1)',
    run(keyspace, args, out) {
      out.simple(keyspace.find(args, 1)?.entry.type.name ?? 'none');
    },
  }),
  rename,
  renamenx,
  copy,
  moveToDatabase,
];
