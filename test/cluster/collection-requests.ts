/**
 * The requests of the linearizability check for collections: queues that workers take from
 * by LMOVE, sets that members move between, hashes, sorted sets, blocks over all of them and blocks
 * behind WATCH. It draws requests; `check-collections.ts` sends and records them.
 */
import type { Words } from './client.ts';

export type CollectionRequest =
  | { readonly type: 'one'; readonly group: string; readonly words: Words }
  | { readonly type: 'block'; readonly group: string; readonly commands: readonly Words[] }
  /** A block that may run only if `read`, of one key, would still answer as behind WATCH. */
  | {
      readonly type: 'watched';
      readonly group: string;
      readonly read: Words;
      readonly commands: readonly Words[];
    };

/** A group is used for a while; its keys share a tag, so that they lie in one range. */
export const GROUPS = ['queue', 'sets', 'hash', 'scores', 'mixed'] as const;

export type GroupName = (typeof GROUPS)[number];

export interface ValueSource {
  /** A number that was never used. */
  next(): string;
  /** One of the last few. */
  recent(): string;
}

/** Few, so that clients meet. */
const MEMBERS = 5;
const WORKERS = 2;
const BLOCK_MAX = 4;

function pick<T>(list: readonly T[]): T {
  const found = list[Math.floor(Math.random() * list.length)];
  if (found === undefined) throw new RangeError('an empty list');
  return found;
}

function below(count: number): string {
  return String(Math.floor(Math.random() * count));
}

/** The keys of a group, by what they are for. */
function keysOf(group: string) {
  const key = (name: string): string => `{${group}}${name}`;
  return {
    jobs: key('jobs'),
    workers: Array.from({ length: WORKERS }, (_, at) => key(`worker${at}`)),
    sets: [key('set0'), key('set1')] as const,
    hash: key('hash'),
    scores: key('scores'),
  };
}

function commandsOf(name: GroupName, group: string, values: ValueSource): readonly Words[] {
  const { jobs, workers, sets, hash, scores } = keysOf(group);
  const member = below(MEMBERS);
  const worker = pick(workers);
  const [from, to] = Math.random() < 0.5 ? sets : sets.toReversed();
  switch (name) {
    case 'queue':
      return [
        ['RPUSH', jobs, values.next()],
        ['RPUSH', jobs, values.next(), values.next()],
        ['LPUSH', jobs, values.next()],
        ['LMOVE', jobs, worker, 'LEFT', 'RIGHT'],
        ['LMOVE', jobs, worker, 'LEFT', 'RIGHT'],
        ['LMOVE', worker, jobs, 'RIGHT', 'LEFT'],
        ['LPOP', worker],
        ['LREM', worker, '1', values.recent()],
        ['LLEN', jobs],
      ];
    case 'sets':
      return [
        ['SADD', pick(sets), member],
        ['SADD', pick(sets), member],
        ['SREM', pick(sets), member],
        ['SMOVE', from ?? '', to ?? '', member],
        ['SISMEMBER', pick(sets), member],
        ['SCARD', pick(sets)],
      ];
    case 'hash':
      return [
        ['HSET', hash, member, values.next()],
        ['HSETNX', hash, member, values.next()],
        ['HINCRBY', hash, 'count', '1'],
        ['HDEL', hash, member],
        ['HGET', hash, member],
        ['HLEN', hash],
      ];
    case 'scores':
      return [
        ['ZADD', scores, values.next(), member],
        ['ZINCRBY', scores, '1', member],
        ['ZREM', scores, member],
        ['ZPOPMIN', scores],
        ['ZSCORE', scores, member],
        ['ZCARD', scores],
      ];
    case 'mixed':
      return (['queue', 'sets', 'hash', 'scores'] as const).flatMap((each) =>
        commandsOf(each, group, values),
      );
  }
}

/** Commands that read all keys of a group as a whole. */
export function readsOf(name: GroupName, group: string): readonly Words[] {
  const { jobs, workers, sets, hash, scores } = keysOf(group);
  const lists = [jobs, ...workers].map((key): Words => ['LRANGE', key, '0', '-1']);
  switch (name) {
    case 'queue':
      return lists;
    case 'sets':
      return sets.map((key): Words => ['SMEMBERS', key]);
    case 'hash':
      return [['HGETALL', hash]];
    case 'scores':
      return [['ZRANGE', scores, '0', '-1', 'WITHSCORES']];
    case 'mixed':
      return (['queue', 'sets', 'hash', 'scores'] as const).flatMap((each) => readsOf(each, group));
  }
}

export function drawRequest(
  name: GroupName,
  group: string,
  values: ValueSource,
): CollectionRequest {
  const dice = Math.random();
  const draw = (): Words => pick(commandsOf(name, group, values));
  const block = (): Words[] => Array.from({ length: 1 + Number(below(BLOCK_MAX)) }, draw);
  if (dice < 0.15) return drawRead(name, group);
  if (dice < 0.3) {
    return { type: 'watched', group, read: pick(readsOf(name, group)), commands: block() };
  }
  if (dice < 0.5 || name === 'mixed') return { type: 'block', group, commands: block() };
  return { type: 'one', group, words: draw() };
}

export function drawRead(name: GroupName, group: string): CollectionRequest {
  const reads = readsOf(name, group);
  if (Math.random() < 0.5) return { type: 'one', group, words: pick(reads) };
  return { type: 'block', group, commands: reads };
}
