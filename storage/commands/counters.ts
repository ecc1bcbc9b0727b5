/** Commands on numbers in strings: the INCR family, in 64 bits and in long doubles. */

import type { Arguments } from '../arguments.ts';
import { NO_DEADLINE } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { addInteger, INT64_MIN, parseInteger } from '../types/integers.ts';
import { addLongDouble, formatLongDouble, parseLongDouble } from '../types/long-double.ts';
import { STRING } from '../types/string.ts';
import { type Command, command, NOT_A_FLOAT, NOT_AN_INTEGER, ONE_KEY } from './command.ts';
import type { ReplySink } from './reply.ts';

const COUNTER = {
  group: 'string',
  keys: ONE_KEY,
  flags: 'write denyoom fast',
  complexity: 'O(1)',
} as const;

function increment(keyspace: Keyspace, args: Arguments, by: number | bigint, out: ReplySink): void {
  const cell = keyspace.findOf(STRING, args, 1);
  const old = cell === undefined ? 0 : parseInteger(cell.entry.value);
  if (old === undefined) return out.error(NOT_AN_INTEGER);
  const sum = addInteger(old, by);
  if (sum === undefined) return out.error('ERR increment or decrement would overflow');
  const value = sum.toString();
  if (cell === undefined) keyspace.set(args, 1, STRING, value, NO_DEADLINE);
  else keyspace.replace(cell, STRING, value, cell.entry.deadline);
  keyspace.notify('string', 'incrby', args, 1);
  out.integer(sum);
}

const incr = command({
  ...COUNTER,
  name: 'INCR',
  arity: 2,
  summary: 'Increment the integer value of a key by one',
  since: '1.0.0',
  run: (keyspace, args, out) => increment(keyspace, args, 1, out),
});

const decr = command({
  ...COUNTER,
  name: 'DECR',
  arity: 2,
  summary: 'Decrement the integer value of a key by one',
  since: '1.0.0',
  run: (keyspace, args, out) => increment(keyspace, args, -1, out),
});

const incrby = command({
  ...COUNTER,
  name: 'INCRBY',
  arity: 3,
  summary: 'Increment the integer value of a key by the given amount',
  since: '1.0.0',
  run(keyspace, args, out) {
    const by = parseInteger(args.text(2));
    if (by === undefined) return out.error(NOT_AN_INTEGER);
    increment(keyspace, args, by, out);
  },
});

const decrby = command({
  ...COUNTER,
  name: 'DECRBY',
  arity: 3,
  summary: 'Decrement the integer value of a key by the given number',
  since: '1.0.0',
  run(keyspace, args, out) {
    const by = parseInteger(args.text(2));
    if (by === undefined) return out.error(NOT_AN_INTEGER);
    // Its negative does not fit 64 bits.
    if (by === INT64_MIN) return out.error('ERR decrement would overflow');
    increment(keyspace, args, -by, out);
  },
});

/** https://redis.io/docs/latest/commands/incrbyfloat */
const incrbyfloat = command({
  ...COUNTER,
  name: 'INCRBYFLOAT',
  arity: 3,
  summary: 'Increment the float value of a key by the given amount',
  since: '2.6.0',
  run(keyspace, args, out) {
    const cell = keyspace.findOf(STRING, args, 1);
    const old = parseLongDouble(cell === undefined ? '0' : cell.entry.value);
    const by = parseLongDouble(args.text(2));
    if (old === undefined || by === undefined) return out.error(NOT_A_FLOAT);
    const sum = addLongDouble(old, by);
    if (sum === undefined) return out.error('ERR increment would produce NaN or Infinity');
    const value = formatLongDouble(sum);
    keyspace.set(args, 1, STRING, value, cell?.entry.deadline ?? NO_DEADLINE);
    keyspace.notify('string', 'incrbyfloat', args, 1);
    out.bulk(value);
  },
});

export const COUNTER_COMMANDS: readonly Command[] = [incr, decr, incrby, decrby, incrbyfloat];
