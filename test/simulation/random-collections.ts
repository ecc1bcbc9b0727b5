/**
 * Commands on collections for random units: small ones and such that grow past what is packed, keys
 * that change their type, random picks on which all replicas must agree.
 */
import type { Rng } from '../../actors/runtime/ports/ports.ts';

type Words = readonly string[];

interface Keys {
  readonly hash: string;
  readonly otherHash: string;
  readonly set: string;
  readonly otherSet: string;
  readonly list: string;
  readonly otherList: string;
  readonly ranked: string;
  readonly otherRanked: string;
  /** Of strings. */
  readonly text: string;
}

const NAMES = 24;
/** A collection of so long elements is soon a large one. */
const LONG = 1_200;

export function collectionCommand(rng: Rng, keys: Keys, value: () => string): Words {
  const below = (end: number): number => Math.floor(rng.next() * end);
  const padded = rng.next() < 0.5 ? LONG : 0;
  const name = (): string => `n${below(NAMES)}`.padEnd(padded, '.');
  const some = (): string[] => Array.from({ length: 1 + below(4) }, name);
  const { hash, otherHash, set, otherSet, list, otherList, ranked, otherRanked, text } = keys;
  const scored = some().flatMap((member) => [String(below(20) / 4), member]);
  const items = some().map((item) => value() + item);
  const pairs = some().flatMap((field) => [field, value().padEnd(padded, '.')]);
  const choices: readonly Words[] = [
    ['HSET', hash, ...pairs],
    ['HSET', hash, ...pairs],
    ['HSET', hash, ...pairs],
    ['HSETNX', hash, name(), value()],
    ['HDEL', hash, ...some()],
    ['HGET', hash, name()],
    ['HMGET', hash, ...some()],
    ['HGETALL', hash],
    ['HLEN', hash],
    ['HINCRBY', hash, 'n', '3'],
    ['HINCRBYFLOAT', hash, 'n', '0.5'],
    ['HRANDFIELD', hash, '3', 'WITHVALUES'],
    ['HSCAN', hash, '0', 'COUNT', '5'],
    ['SADD', set, ...some()],
    ['SADD', set, ...some()],
    ['SADD', otherSet, ...some()],
    ['SREM', set, ...some()],
    ['SMOVE', set, otherSet, name()],
    ['SPOP', set],
    ['SPOP', set, '2'],
    ['SRANDMEMBER', set, '-3'],
    ['SMEMBERS', set],
    ['SCARD', set],
    ['SINTER', set, otherSet],
    ['SINTERSTORE', otherSet, set, otherSet],
    ['SUNIONSTORE', otherSet, set, otherSet],
    ['SDIFFSTORE', otherSet, set, otherSet],
    ['RENAME', hash, otherHash],
    ['COPY', set, otherSet, 'REPLACE'],
    ['DEL', hash, set],
    ['PEXPIRE', hash, '2000'],
    ['OBJECT', 'ENCODING', set],
    ['TYPE', hash],
    ['RPUSH', list, ...items],
    ['LPUSH', list, ...items],
    ['RPUSH', list, ...items],
    ['LPOP', list, '2'],
    ['RPOP', list],
    ['LRANGE', list, '1', '-2'],
    ['LSET', list, '-1', value()],
    ['LINSERT', list, 'BEFORE', items[0] ?? '', value()],
    ['LREM', list, '0', items[0] ?? ''],
    ['LTRIM', list, '1', '-2'],
    ['LMOVE', list, otherList, 'LEFT', 'RIGHT'],
    ['LMOVE', list, list, 'RIGHT', 'LEFT'],
    ['LPOS', list, items[0] ?? ''],
    ['ZADD', ranked, ...scored],
    ['ZADD', ranked, 'GT', 'CH', ...scored],
    ['ZADD', otherRanked, ...scored],
    ['ZINCRBY', ranked, '0.5', name()],
    ['ZREM', ranked, ...some()],
    ['ZPOPMIN', ranked, '2'],
    ['ZRANGE', ranked, '0', '-1', 'WITHSCORES'],
    ['ZRANGEBYSCORE', ranked, '1', '(3'],
    ['ZRANK', ranked, name()],
    ['ZREMRANGEBYRANK', ranked, '0', '1'],
    ['ZRANDMEMBER', ranked, '-3'],
    ['ZUNIONSTORE', otherRanked, '2', ranked, otherRanked],
    ['ZINTERSTORE', otherRanked, '2', ranked, otherRanked],
    ['ZRANGESTORE', otherRanked, ranked, '0', '5'],
    // Keys of another type: refused, or replaced.
    ['LPUSH', ranked, value()],
    ['RENAME', list, ranked],
    ['COPY', ranked, list, 'REPLACE'],
    ['HSET', set, name(), value()],
    ['SADD', text, name()],
    ['GET', hash],
    ['SET', hash, value()],
    ['RENAME', set, hash],
  ];
  return choices[below(choices.length)] ?? ['HLEN', hash];
}
