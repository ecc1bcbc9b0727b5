/**
 * Commands on parts of strings. They take a long string as pieces and never copy the whole: many
 * small changes of one long value must not hold up a node.
 */

import type { Arguments } from '../arguments.ts';
import { type Deadline, NO_DEADLINE } from '../keyspace/entry.ts';
import { type Found, type Keyspace, WRONG_TYPE } from '../keyspace/keyspace.ts';
import { VALUE_BYTES_MAX } from '../limits.ts';
import { parseInteger } from '../types/integers.ts';
import { PIECED_BYTES_MIN, Pieces } from '../types/pieces.ts';
import { PIECED_STRING, STRING } from '../types/string.ts';
import { type Command, command, NOT_AN_INTEGER, ONE_KEY, TOO_LONG } from './command.ts';
import type { ReplySink } from './reply.ts';

const WRITE = { group: 'string', keys: ONE_KEY, flags: 'write denyoom' } as const;
const READ = { group: 'string', keys: ONE_KEY, flags: 'readonly' } as const;

/** The string in argument 1, in the form in which it is. */
function findText(keyspace: Keyspace, args: Arguments): Found<string | Pieces> | undefined {
  const found = keyspace.find(args, 1);
  if (found !== undefined && found.entry.type.code !== STRING.code) throw WRONG_TYPE;
  return found as Found<string | Pieces> | undefined;
}

function store(
  keyspace: Keyspace,
  args: Arguments,
  value: string | Pieces,
  deadline: Deadline = NO_DEADLINE,
): void {
  if (typeof value === 'string') keyspace.set(args, 1, STRING, value, deadline);
  else keyspace.set(args, 1, PIECED_STRING, value, deadline);
}

function overwritten(old: string | Pieces, at: number, patch: string): string | Pieces {
  if (typeof old !== 'string') return old.with(at, patch);
  if (Math.max(old.length, at) + patch.length >= PIECED_BYTES_MIN) {
    return Pieces.of(old).with(at, patch);
  }
  const head = at <= old.length ? old.slice(0, at) : old + '\0'.repeat(at - old.length);
  return head + patch + old.slice(at + patch.length);
}

const append = command({
  ...WRITE,
  flags: 'write denyoom fast',
  name: 'APPEND',
  arity: 3,
  summary: 'Append a value to a key',
  since: '2.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const cell = findText(keyspace, args);
    const before = cell?.entry.value ?? '';
    const bytes = before.length + args.bytes(2);
    if (bytes > VALUE_BYTES_MAX) return out.error(TOO_LONG);
    const added = args.text(2);
    const value = typeof before === 'string' ? before + added : before.with(before.length, added);
    store(keyspace, args, value, cell?.entry.deadline);
    keyspace.notify('string', 'append', args, 1);
    out.integer(bytes);
  },
});

const strlen = command({
  ...READ,
  flags: 'readonly fast',
  name: 'STRLEN',
  arity: 2,
  summary: 'Get the length of the value stored in a key',
  since: '2.2.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    out.integer(findText(keyspace, args)?.entry.bytes ?? 0);
  },
});

/** Both ends are inclusive; negative ones count from the end; they are clipped to the range. */
function getRange(keyspace: Keyspace, args: Arguments, out: ReplySink): void {
  const first = parseInteger(args.text(2));
  const last = parseInteger(args.text(3));
  if (first === undefined || last === undefined) return out.error(NOT_AN_INTEGER);
  const value = findText(keyspace, args)?.entry.value ?? '';
  let start = Number(first);
  let end = Number(last);
  // Redis decides this before it clips, so that "-1 -3" is empty while "0 -100" is one byte.
  if (start < 0 && end < 0 && start > end) return out.bulk('');
  start = Math.max(start < 0 ? start + value.length : start, 0);
  end = Math.min(Math.max(end < 0 ? end + value.length : end, 0), value.length - 1);
  out.bulk(start > end ? '' : value.slice(start, end + 1));
}

const getrange = command({
  ...READ,
  name: 'GETRANGE',
  arity: 4,
  summary: 'Get a substring of the string stored at a key',
  since: '2.4.0',
  complexity: 'O(N) where N is the length of the returned string.',
  run: getRange,
});

const substr = command({
  ...READ,
  name: 'SUBSTR',
  arity: 4,
  summary: 'Get a substring of the string stored at a key',
  since: '1.0.0',
  complexity: 'O(N) where N is the length of the returned string.',
  run: getRange,
});

const setrange = command({
  ...WRITE,
  name: 'SETRANGE',
  arity: 4,
  summary: 'Overwrite part of a string at key starting at the specified offset',
  since: '2.2.0',
  complexity: 'O(M) with M being the length of the value argument.',
  growth(args) {
    const offset = Number(parseInteger(args.text(2)) ?? 0);
    return offset > 0 && offset < VALUE_BYTES_MAX ? offset : 0;
  },
  run(keyspace, args, out) {
    const offset = parseInteger(args.text(2));
    if (offset === undefined) return out.error(NOT_AN_INTEGER);
    if (offset < 0) return out.error('ERR offset is out of range');
    const cell = findText(keyspace, args);
    const old = cell?.entry.value ?? '';
    const patch = args.text(3);
    if (patch === '') return out.integer(old.length);
    const at = Number(offset);
    if (at + patch.length > VALUE_BYTES_MAX) return out.error(TOO_LONG);
    const value = overwritten(old, at, patch);
    store(keyspace, args, value, cell?.entry.deadline);
    keyspace.notify('string', 'setrange', args, 1);
    out.integer(value.length);
  },
});

export const STRING_PART_COMMANDS: readonly Command[] = [
  append,
  strlen,
  getrange,
  substr,
  setrange,
];
