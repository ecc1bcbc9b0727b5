/**
 * Whether a command reads the value of a key, writes it, or both, for permissions by key: as the
 * key specifications of Redis 7 have it. A command that only tells whether a key is there, or of
 * which kind, needs neither. Pure.
 */
import type { Command, Words } from './command.ts';

export const READS = 1;
export const WRITES = 2;
/** The sum of `READS` and `WRITES`. */
type KeyAccess = number;

const LOOKS_ONLY: ReadonlySet<string> = new Set([
  ...['STRLEN', 'HEXISTS', 'HLEN', 'HSTRLEN', 'SISMEMBER', 'SCARD', 'LLEN', 'ZCARD'],
  ...['EXISTS', 'TOUCH', 'TYPE', 'MEMORY|USAGE'],
  ...['OBJECT|ENCODING', 'OBJECT|REFCOUNT', 'OBJECT|FREQ', 'OBJECT|IDLETIME'],
]);
/** Commands that answer what they change. */
const READS_AND_WRITES: ReadonlySet<string> = new Set([
  ...['GETSET', 'GETDEL', 'GETEX', 'INCR', 'DECR', 'INCRBY', 'DECRBY', 'INCRBYFLOAT'],
  ...['HINCRBY', 'HINCRBYFLOAT', 'SPOP', 'LPOP', 'RPOP', 'LMPOP', 'BLPOP', 'BRPOP', 'BLMPOP'],
  ...[
    'ZINCRBY',
    'ZPOPMIN',
    'ZPOPMAX',
    'ZMPOP',
    'EVAL',
    'EVALSHA',
    'FCALL',
    'BZPOPMIN',
    'BZPOPMAX',
    'BZMPOP',
    'MOVE',
  ],
]);
/** The first key is taken from, the second one given to. */
const MOVES: ReadonlySet<string> = new Set([
  ...['SMOVE', 'RPOPLPUSH', 'LMOVE', 'BRPOPLPUSH', 'BLMOVE', 'RENAME', 'RENAMENX'],
]);
/** The first key is written, the others are read. */
const STORES: ReadonlySet<string> = new Set([
  ...['SINTERSTORE', 'SUNIONSTORE', 'SDIFFSTORE'],
  ...['ZRANGESTORE', 'ZUNIONSTORE', 'ZINTERSTORE', 'ZDIFFSTORE'],
]);

/** `at`: the index of the key among the arguments, `nth`: its number among the keys, from 0. */
export function keyAccess(command: Command, args: Words, at: number, nth: number): KeyAccess {
  const { name, kind } = command;
  if (LOOKS_ONLY.has(name)) return 0;
  if (kind === 'read') return READS;
  if (READS_AND_WRITES.has(name)) return READS + WRITES;
  if (MOVES.has(name)) return nth === 0 ? READS + WRITES : WRITES;
  if (STORES.has(name)) return nth === 0 ? WRITES : READS;
  if (name === 'COPY') return nth === 0 ? READS : WRITES;
  if (name === 'SORT') return at === 1 ? READS : WRITES;
  if (name === 'SET') return answersOldValue(args) ? READS + WRITES : WRITES;
  return WRITES;
}

/** SET with GET, or with a condition on the old value. */
function answersOldValue(args: Words): boolean {
  for (let i = 3; i < args.count; i += 1) {
    if (/^(GET|IFEQ|IFNE)$/i.test(args.text(i))) return true;
  }
  return false;
}
