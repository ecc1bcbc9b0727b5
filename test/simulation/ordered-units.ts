/** Commands on lists and sorted sets, and SORT, on keys of their own. */
import type { RandomUnit, RandomUnitOptions, Words } from './random-units.ts';

/** A few of them make a collection a large one. */
const LONG_BYTES = 700;
const MEMBERS = 12;

function below({ rng }: RandomUnitOptions, end: number): number {
  return Math.floor(rng.next() * end);
}

export function listCommand(options: RandomUnitOptions): Words {
  const { rng, keys, value } = options;
  const key = `xl${below(options, keys)}`;
  const other = `xl${below(options, keys)}`;
  const item = rng.next() < 0.3 ? value().padEnd(LONG_BYTES, 'x') : value();
  const index = String(below(options, MEMBERS) - MEMBERS / 2);
  const choices: readonly Words[] = [
    ['RPUSH', key, item],
    ['LPUSH', key, item, value()],
    ['RPUSH', key, item, item, value()],
    ['LPOP', key],
    ['RPOP', key, '2'],
    ['LMOVE', key, other, 'LEFT', 'RIGHT'],
    ['RPOPLPUSH', key, other],
    ['LSET', key, index, item],
    ['LINSERT', key, 'BEFORE', item, value()],
    ['LREM', key, '1', item],
    ['LTRIM', key, '0', '40'],
    ['LRANGE', key, index, '-1'],
    ['LINDEX', key, index],
    ['LLEN', key],
    ['LMPOP', '2', key, other, 'LEFT', 'COUNT', '3'],
    ['RENAME', key, other],
    ['COPY', key, other, 'REPLACE'],
    ['DEL', key],
  ];
  return choices[below(options, choices.length)] ?? ['LLEN', key];
}

export function sortedSetCommand(options: RandomUnitOptions): Words {
  const { rng, keys } = options;
  const key = `xz${below(options, keys)}`;
  const other = `xz${below(options, keys)}`;
  const name = `m${below(options, MEMBERS)}`;
  const member = rng.next() < 0.3 ? name.padEnd(LONG_BYTES, 'x') : name;
  const score = String(below(options, 20) - 10);
  const choices: readonly Words[] = [
    ['ZADD', key, score, member],
    ['ZADD', key, score, member, '1', name, '-1', `${name}-`],
    ['ZADD', key, 'GT', 'CH', score, member],
    ['ZINCRBY', key, '1.5', member],
    ['ZREM', key, member, name],
    ['ZPOPMIN', key],
    ['ZPOPMAX', key, '2'],
    ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
    ['ZRANGE', key, '(0', '5', 'BYSCORE', 'LIMIT', '1', '3'],
    ['ZRANK', key, member],
    ['ZRANDMEMBER', key, '2'],
    ['ZRANGESTORE', other, key, '0', '3'],
    ['ZUNIONSTORE', other, '2', key, other],
    ['ZDIFF', '2', key, other],
    ['ZREMRANGEBYRANK', key, '0', '0'],
    ['ZMPOP', '2', key, other, 'MAX', 'COUNT', '2'],
    ['COPY', key, other, 'REPLACE'],
    ['DEL', key],
  ];
  return choices[below(options, choices.length)] ?? ['ZRANGE', key, '0', '-1'];
}

/** A SORT whose keys only show while it runs: a connection sends it alone. */
export function sortUnit(options: RandomUnitOptions): RandomUnit {
  const { rng, keys } = options;
  const list = `xs${below(options, 2)}`;
  const element = String(below(options, keys));
  const choices: readonly Words[] = [
    ['RPUSH', list, element],
    ['SORT', list, 'BY', 'x*', 'ALPHA', 'GET', '#', 'GET', 'x*', 'LIMIT', '0', '20'],
    ['SORT', list, 'BY', 'nosort', 'GET', 'x*', 'LIMIT', '0', '20', 'STORE', 'xsorted'],
    ['SORT_RO', list, 'BY', 'x*', 'ALPHA', 'LIMIT', '0', '20'],
    ['LTRIM', list, '-8', '-1'],
    ['LRANGE', 'xsorted', '0', '-1'],
  ];
  const commands = [choices[below(options, choices.length)] ?? ['LLEN', list]];
  const plan = rng.next() < 0.2 ? [{ exec: 1 }] : [1];
  return { commands, plan, flushes: false };
}
