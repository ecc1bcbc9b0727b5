/**
 * Memory that small and large collections take beside Redis in the same run, in bytes per element.
 *
 *     npm run bench -- collection-memory [--elements 200000]
 *
 * Ours is the heap and the buffers of one process after a flush to LMDB and a collection of garbage, all
 * data in the cache; Redis' is `used_memory`. Both are what the elements add: a few were there before, so
 * that compiled code and buffers of a fixed size do not count. LMDB's pages are files and not counted.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Table from 'cli-table3';
import { Arguments } from '../../storage/arguments.ts';
import { NO_REPLY } from '../../storage/commands/reply.ts';
import { LmdbEngine } from '../../storage/engine/lmdb-engine.ts';
import { REDIS_SLOTS } from '../../storage/keyspace/slots.ts';
import type { StateMachine } from '../../storage/state-machine.ts';
import { StateMachines } from '../../storage/state-machines.ts';
import { freePorts } from '../cluster/ports.ts';
import { hasTool } from '../cluster/redis-tools.ts';
import {
  connectTo,
  type RedisConnection,
  startServer,
} from '../storage/differential/redis-server.ts';

const GROUP = { id: { range: 1, generation: 1 }, fromSlot: 0, toSlot: REDIS_SLOTS };
const START_US = 1_700_000_000_000_000;
const CACHE_BYTES = 2 ** 31;
const DIRTY_BYTES = 2 ** 30;
const ELEMENTS_PER_COMMAND = 100;
/** The first elements of each case. */
const WARM_UP_ELEMENTS = 20_000;

interface Case {
  readonly name: string;
  /** Elements of each key; 0: all in one. */
  readonly perKey: number;
  readonly command: string;
  /** The words of element `i`. */
  readonly words: (i: number) => readonly string[];
  /** A command adds one element. */
  readonly isSingle?: boolean;
}

const text = (i: number): string => `value:${String(i).padStart(10, '0')}`;

const entry = (i: number): string[] => [`${1_700_000_000_000 + i}-0`, 'name', text(i)];

const CASES: readonly Case[] = [
  { name: 'set of 10 integers', perKey: 10, command: 'SADD', words: (i) => [String(i)] },
  { name: 'set of 10 texts', perKey: 10, command: 'SADD', words: (i) => [text(i)] },
  { name: 'set of 100 integers', perKey: 100, command: 'SADD', words: (i) => [String(i)] },
  { name: 'hash of 10 integers', perKey: 10, command: 'HSET', words: (i) => [`f${i}`, String(i)] },
  { name: 'hash of 10 texts', perKey: 10, command: 'HSET', words: (i) => [`f${i}`, text(i)] },
  { name: 'hash of 100 texts', perKey: 100, command: 'HSET', words: (i) => [`f${i}`, text(i)] },
  { name: 'list of 10 texts', perKey: 10, command: 'RPUSH', words: (i) => [text(i)] },
  { name: 'sorted set of 10', perKey: 10, command: 'ZADD', words: (i) => [String(i), text(i)] },
  { name: 'stream of 10', perKey: 10, command: 'XADD', words: entry, isSingle: true },
  { name: 'one large stream', perKey: 0, command: 'XADD', words: entry, isSingle: true },
  { name: 'one large set', perKey: 0, command: 'SADD', words: (i) => [text(i)] },
  { name: 'one large hash', perKey: 0, command: 'HSET', words: (i) => [`f${i}`, text(i)] },
  { name: 'one large list', perKey: 0, command: 'RPUSH', words: (i) => [text(i)] },
  { name: 'one large sorted set', perKey: 0, command: 'ZADD', words: (i) => [String(i), text(i)] },
];

/** Each adds some elements to one key. */
function* commandsOf(
  { perKey, command, words, isSingle = false }: Case,
  from: number,
  to: number,
): Iterable<string[]> {
  const step = perKey === 0 ? ELEMENTS_PER_COMMAND : perKey;
  for (let i = from; i < to; i += step) {
    const key = perKey === 0 ? 'key' : `key:${i / step}`;
    const indices = Array.from({ length: step }, (_, n) => i + n);
    // Elements are as long in the last key as in the first.
    const within = indices.map((index) => (perKey === 0 ? index : index % 100_000));
    if (isSingle) for (const index of within) yield [command, key, ...words(index)];
    else yield [command, key, ...within.flatMap(words)];
  }
}

function resp(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((w) => `$${w.length}\r\n${w}\r\n`).join('')}`;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function usedBytes(): number {
  for (let i = 0; i < 3; i += 1) collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes of this process that a case takes. */
async function ours(one: Case, elements: number): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'holo-bench-memory-'));
  const engine = new LmdbEngine({ directory });
  const all = new StateMachines({
    groups: [GROUP],
    engine,
    cacheBytesMax: CACHE_BYTES,
    dirtyBytesMax: DIRTY_BYTES,
    tableHashKey: [1, 2],
  });
  const machine = all.of(GROUP.id) as StateMachine;
  const args = new Arguments();
  let sequence = 0;
  const fill = async (from: number, to: number): Promise<void> => {
    for (const words of commandsOf(one, from, to)) {
      sequence += 1;
      machine.begin({ hlc: START_US + sequence, flags: 2, node: 1, store: 0 });
      args.next(Buffer.from(resp(words), 'latin1'), 0);
      machine.run(args, NO_REPLY);
      machine.commit(sequence);
    }
    await new Promise<void>((done, failed) => {
      all.flush((error) => (error === undefined ? done() : failed(error)));
    });
  };
  await fill(0, WARM_UP_ELEMENTS);
  const before = usedBytes();
  await fill(WARM_UP_ELEMENTS, WARM_UP_ELEMENTS + elements);
  const used = usedBytes() - before;
  await new Promise<void>((done) => engine.close(done));
  rmSync(directory, { recursive: true, force: true });
  return used;
}

async function redisBytes(redis: RedisConnection): Promise<number> {
  const [info] = await redis.run([['INFO', 'memory']]);
  return Number(/used_memory:(\d+)/.exec(String(info))?.[1]);
}

/** Bytes of Redis that the same takes. */
async function theirs(redis: RedisConnection, one: Case, elements: number): Promise<number> {
  await redis.run([['FLUSHALL'], ...commandsOf(one, 0, WARM_UP_ELEMENTS)]);
  const before = await redisBytes(redis);
  await redis.run([...commandsOf(one, WARM_UP_ELEMENTS, WARM_UP_ELEMENTS + elements)]);
  return (await redisBytes(redis)) - before;
}

export async function run(args: string[]): Promise<void> {
  const options = { elements: { type: 'string', default: '200000' } } as const;
  const elements = Number(parseArgs({ args, options }).values.elements);
  if (!hasTool('redis-server')) {
    console.log('redis-server is not installed: there is nothing to compare with');
    return;
  }
  const [port = 0] = await freePorts(1);
  const server = startServer(port);
  const redis = await connectTo(port, 2);
  const table = new Table({ head: ['', 'Redis, bytes', 'HoloStore, bytes', 'ratio'] });
  for (const one of CASES) {
    const other = (await theirs(redis, one, elements)) / elements;
    const own = (await ours(one, elements)) / elements;
    table.push([one.name, other.toFixed(1), own.toFixed(1), (own / other).toFixed(2)]);
  }
  redis.close();
  server.kill('SIGKILL');
  console.log(`${elements} elements, bytes per element, with their share of the keys`);
  console.log(table.toString());
}
