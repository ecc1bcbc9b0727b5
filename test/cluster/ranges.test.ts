/** A cluster of several ranges, as three processes. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KEYS_IN_UNIT_MAX } from '../../storage/limits.ts';
import type { RangeReport } from '../../transport/http/topology-report.ts';
import type { Client } from './client.ts';
import { HOST, TestCluster } from './harness.ts';

const RANGES = 4;
const KEYS = 60;

/** Of each node that is started from now on. */
const flags = [`--initial-ranges=${RANGES}`];
let cluster: TestCluster;
let clients: Client[] = [];

beforeAll(async () => {
  cluster = await TestCluster.start({ flags });
  clients = cluster.nodes.map((node) => node.client());
}, 60_000);

afterAll(async () => {
  for (const client of clients) client.close();
  await cluster?.remove();
});

function client(id: number): Client {
  return clients[id - 1] as Client;
}

async function reload(): Promise<void> {
  for (const each of clients) each.close();
  await cluster.killAll();
  await cluster.startAll();
  clients = cluster.nodes.map((node) => node.client());
}

async function checkKeys(): Promise<void> {
  for (let key = 0; key < KEYS; key += 1) {
    expect(await client(1 + (key % 3)).must('GET', `key-${key}`)).toBe(`value-${key}`);
  }
}

test('keys of all ranges are written and read at every node, and outlive a kill of all', async () => {
  for (let key = 0; key < KEYS; key += 1) {
    await client(1 + (key % 3)).must('SET', `key-${key}`, `value-${key}`);
  }
  await checkKeys();
  await reload();
  await checkKeys();
}, 60_000);

test('all nodes tell one topology', async () => {
  const told = await Promise.all(cluster.nodes.map((node) => node.holoctl('ranges', '--json')));
  const [first] = told.map(({ stdout }) => JSON.parse(stdout) as RangeReport[]);
  expect(first?.map(({ from, to }) => [from, to])).toEqual([
    [0, 4_096],
    [4_096, 8_192],
    [8_192, 12_288],
    [12_288, 16_384],
  ]);
  expect(new Set(told.map(({ stdout }) => stdout)).size).toBe(1);
  const slots = await client(2).must('CLUSTER', 'SLOTS');
  expect(slots).toHaveLength(RANGES);
  // Each start of a node is recorded.
  const { ranges, topology_epoch: epoch } = await cluster.node(3).info();
  expect([ranges, Number(epoch) >= 1]).toEqual([`${RANGES}`, true]);
});

test('a pipeline over all ranges is answered in its order, and keeps it within a key', async () => {
  const redis = new Redis({ host: HOST, port: cluster.node(2).redisPort });
  const pipeline = redis.pipeline();
  for (let round = 0; round < 5; round += 1) {
    for (let key = 0; key < KEYS; key += 1) pipeline.incr(`count-${key}`).get(`count-${key}`);
  }
  const replies = (await pipeline.exec())?.map(([, reply]) => Number(reply)) ?? [];
  redis.disconnect();
  expect(replies).toEqual(
    Array.from({ length: 5 * 2 * KEYS }, (_, at) => 1 + Math.floor(at / (2 * KEYS))),
  );
});

test('a watched key that changes keeps a block from running', async () => {
  const [one, two] = [1, 2].map(
    (id) => new Redis({ host: HOST, port: cluster.node(id).redisPort }),
  );
  const changed = async (change: () => Promise<unknown>): Promise<unknown> => {
    await one?.watch('{a}watched');
    await change();
    return one?.multi().set('{a}block', 'ran').exec();
  };
  expect(await changed(async () => two?.set('{a}watched', '1'))).toBeNull();
  expect(await changed(async () => two?.set('{b}other', '1'))).toEqual([[null, 'OK']]);
  one?.disconnect();
  two?.disconnect();
});

test('deadlines end in every range', async () => {
  const volatile = async (): Promise<number> => {
    const info = await cluster.node(1).info('keyspace');
    return Number(/expires=(\d+)/.exec(info['db0'] ?? '')?.[1]);
  };
  const redis = new Redis({ host: HOST, port: cluster.node(1).redisPort });
  const pipeline = redis.pipeline();
  for (let key = 0; key < KEYS; key += 1) pipeline.set(`gone-${key}`, 'x', 'PX', 4_000);
  await pipeline.exec();
  redis.disconnect();
  expect(await volatile()).toBe(KEYS);
  await expect.poll(volatile, { timeout: 30_000 }).toBe(0);
}, 60_000);

test('commands and blocks over several ranges see and do all or nothing, from any node', async () => {
  const names = Array.from({ length: 10 }, (_, key) => `span-${key}`);
  const all = names.flatMap((name, at) => [name, `${at}`]);
  await client(1).must('MSET', ...all);
  expect(await client(2).must('MGET', ...names)).toEqual(names.map((_, at) => `${at}`));
  expect(await client(3).must('EXISTS', ...names)).toBe(10);
  expect(await client(2).must('MSETNX', 'span-new', '1', 'span-3', '2')).toBe(0);
  await client(3).must('RPUSH', '{a}from', 'x', 'y');
  await client(1).must('RENAME', '{a}from', '{b}to');
  expect(await client(2).must('LRANGE', '{b}to', '0', '-1')).toEqual(['x', 'y']);
  expect(await client(2).must('EXISTS', '{a}from')).toBe(0);
  const block = await client(3).transaction([
    ['INCR', '{a}count'],
    ['COPY', '{a}count', '{b}count'],
    ['APPEND', '{b}count', '7'],
    ['GET', '{b}count'],
    ['GET', '{a}count'],
  ]);
  expect(block).toMatchObject({ type: 'ok', reply: [1, 1, 2, '17', '1'] });
  expect(await client(1).must('DEL', ...names, '{a}count', '{b}count', '{b}to')).toBe(13);
});

test('SORT finds keys of other ranges', async () => {
  await client(1).must('RPUSH', 'sorted', '1', '2', '3');
  await client(1).must('MSET', 'weight-1', '30', 'weight-2', '20', 'weight-3', '10');
  await client(2).must('MSET', 'name-1', 'one', 'name-2', 'two', 'name-3', 'three');
  const sorted = await client(3).must('SORT', 'sorted', 'BY', 'weight-*', 'GET', 'name-*');
  expect(sorted).toEqual(['three', 'two', 'one']);
});

test('scripts and functions that one node has loaded are known at every node', async () => {
  const library = (value: string): string =>
    `#!lua name=lib\nredis.register_function('f', function(keys)
      return redis.call('set', keys[1], ${value}) and redis.call('get', '{b}other') end)`;
  await client(1).must('SET', '{b}other', 'found');
  expect(await client(1).must('FUNCTION', 'LOAD', library("'a'"))).toBe('lib');
  expect(await client(2).must('FCALL', 'f', '1', '{a}set')).toBe('found');
  expect(await client(2).must('FUNCTION', 'LOAD', 'REPLACE', library("'b'"))).toBe('lib');
  expect(await client(3).must('FCALL', 'f', '1', '{a}set')).toBe('found');
  expect(await client(1).must('GET', '{a}set')).toBe('b');
  const hash = String(await client(3).must('SCRIPT', 'LOAD', "return redis.call('get', KEYS[1])"));
  expect(await client(1).must('EVALSHA', hash, '1', '{a}set')).toBe('b');
  expect(await client(2).must('SCRIPT', 'EXISTS', hash)).toEqual([1]);
});

test('concurrent blocks over several ranges from all nodes add up', async () => {
  const keys = Array.from({ length: 8 }, (_, key) => `sum-${key}`);
  const rounds = Array.from({ length: 20 }, (_, round) => round);
  await Promise.all(
    clients.map(async (each) => {
      for (const round of rounds) {
        const some = keys.filter((_, at) => (at + round) % 2 === 0);
        const block = await each.transaction(some.map((key) => ['INCR', key]));
        expect(block).toMatchObject({ type: 'ok' });
      }
    }),
  );
  const sums = (await client(1).must('MGET', ...keys)) as string[];
  expect(sums).toEqual(keys.map(() => `${(3 * rounds.length) / 2}`));
}, 60_000);

test('what a block over several ranges has done outlives a kill of all', async () => {
  const words = Array.from({ length: KEYS }, (_, key) => [`kept-${key}`, `${key}`]).flat();
  await client(2).must('MSET', ...words);
  await reload();
  const names = Array.from({ length: KEYS }, (_, key) => `kept-${key}`);
  expect(await client(3).must('MGET', ...names)).toEqual(names.map((_, key) => `${key}`));
}, 60_000);

test('a watched key of another range keeps a block from running', async () => {
  const redis = new Redis({ host: HOST, port: cluster.node(1).redisPort });
  await redis.watch('{a}guard', '{b}guard');
  await client(2).must('SET', '{b}guard', '1');
  expect(await redis.multi().set('{a}guarded', 'ran').set('{b}guarded', 'ran').exec()).toBeNull();
  await redis.watch('{a}guard', '{b}guard');
  const kept = await redis.multi().set('{a}guarded', 'ran').set('{b}guarded', 'ran').exec();
  expect(kept).toEqual([
    [null, 'OK'],
    [null, 'OK'],
  ]);
  redis.disconnect();
});

test('keys of several ranges that hold too much for one transaction are refused by name', async () => {
  const half = 'x'.repeat(17 * 1024 * 1024);
  await client(1).must('SET', '{a}large', half);
  await client(1).must('SET', '{b}large', half);
  const block = await client(2).run('MGET', '{a}large', '{b}large');
  expect(block).toMatchObject({ type: 'refused', why: expect.stringContaining('TOOLARGE') });
  expect(await client(2).must('DEL', '{a}large', '{b}large')).toBe(2);
}, 60_000);

test('commands over all keys see all ranges, at every node', async () => {
  await client(1).must('FLUSHALL');
  for (let key = 0; key < KEYS; key += 1) {
    await client(1 + (key % 3)).must('SET', `all-${key}`, `${key}`);
  }
  const names = Array.from({ length: KEYS }, (_, key) => `all-${key}`).sort();
  for (const each of clients) {
    expect(await each.must('DBSIZE')).toBe(KEYS);
    expect(((await each.must('KEYS', 'all-*')) as string[]).sort()).toEqual(names);
    expect(await each.must('KEYS', 'none-*')).toEqual([]);
    expect(names).toContain(await each.must('RANDOMKEY'));
  }
  const drawn = new Set<unknown>();
  for (let at = 0; at < 60; at += 1) drawn.add(await client(2).must('RANDOMKEY'));
  expect(drawn.size).toBeGreaterThan(10);
}, 60_000);

test('SCAN walks through all ranges, each page at another node', async () => {
  const found: string[] = [];
  let cursor = '0';
  let pages = 0;
  do {
    const words = ['SCAN', cursor, 'COUNT', '7'] as const;
    const [next, page] = (await client(1 + (pages % 3)).must(...words)) as [string, string[]];
    found.push(...page);
    cursor = next;
    pages += 1;
  } while (cursor !== '0');
  const names = Array.from({ length: KEYS }, (_, key) => `all-${key}`).sort();
  expect(found.sort()).toEqual(names);
  expect(await client(1).run('SCAN', '281474976710656')).toMatchObject({ reply: ['0', []] });
  expect(await client(1).run('SCAN', 'x')).toMatchObject({ type: 'error' });
});

test('a block counts, removes and writes in all ranges at once', async () => {
  const redis = new Redis({ host: HOST, port: cluster.node(2).redisPort });
  const block = await redis
    .multi()
    .set('{a}one', '1')
    .dbsize()
    .flushdb()
    .dbsize()
    .mset('{a}two', '2', '{b}three', '3')
    .dbsize()
    .exec();
  const replies = block?.map(([, reply]) => reply);
  expect(replies).toEqual(['OK', KEYS + 1, 'OK', 0, 'OK', 2]);
  await redis.select(1);
  await redis.mset('{a}other', '1', '{b}other', '1', '{c}other', '1');
  await redis.call('SWAPDB', '0', '1');
  expect(await redis.dbsize()).toBe(2);
  await redis.select(0);
  expect(await redis.mget('{a}other', '{b}other', '{a}two')).toEqual(['1', '1', null]);
  redis.disconnect();
  expect(await client(3).must('DBSIZE')).toBe(3);
  await reload();
  expect(await client(1).must('DBSIZE')).toBe(3);
  await client(1).must('FLUSHALL');
  for (const each of clients) expect(await each.must('DBSIZE')).toBe(0);
  expect(await client(1).must('RANDOMKEY')).toBeNull();
}, 60_000);

test('settings and users of the cluster change at any node, and hold at all of them', async () => {
  const encodingAt = async (node: number, key: string): Promise<unknown> => {
    await client(node).must('HSET', key, 'a', '1', 'b', '2');
    return client(node).must('OBJECT', 'ENCODING', key);
  };
  const name = 'hash-max-listpack-entries';
  await client(2).must('CONFIG', 'SET', name, '1');
  for (const node of [1, 2, 3]) {
    expect(await client(node).must('CONFIG', 'GET', name)).toEqual([name, '1']);
    for (const key of ['{a}', '{b}', '{c}']) {
      expect(await encodingAt(node, `${key}h${node}`)).toBe('hashtable');
    }
  }
  await client(1).must('ACL', 'SETUSER', 'ann', 'on', 'nopass', '~a*', '+get');
  expect(await client(3).must('ACL', 'GETUSER', 'ann')).toContain('~a*');
  await reload();
  expect(await encodingAt(1, '{a}behind')).toBe('hashtable');
  expect(await client(2).must('ACL', 'DELUSER', 'ann')).toBe(1);
  await client(3).must('CONFIG', 'SET', name, '512');
  expect(await encodingAt(1, '{b}behind')).toBe('listpack');
  await client(1).must('FLUSHALL');
}, 60_000);

test('commands wait for keys of several ranges, and are woken from any node', async () => {
  const waiters = [1, 2, 3, 1].map(
    (id) => new Redis({ host: HOST, port: cluster.node(id).redisPort }),
  );
  const [one, two, three, four] = waiters as [Redis, Redis, Redis, Redis];
  const asleep = async (count: number): Promise<void> => {
    const blocked = async (): Promise<number> => {
      const infos = await Promise.all(cluster.nodes.map((node) => node.info('clients')));
      return infos.reduce((sum, info) => sum + Number(info['blocked_clients']), 0);
    };
    await expect.poll(blocked).toBe(count);
  };
  expect(await one.blpop('{a}l', '{b}l', '{c}l', 0.1)).toBeNull();
  await client(1).must('XADD', '{a}s', '1-1', 'f', 'old');
  const popped = one.blpop('{a}l', '{b}l', '{c}l', 20);
  const moved = two.blmove('{b}from', '{a}to', 'LEFT', 'RIGHT', 20);
  const read = three.xread('BLOCK', 20_000, 'STREAMS', '{a}s', '{b}s', '$', '$');
  const ended = four.bzpopmin('{a}z', '{b}z', 0);
  await asleep(4);
  await client(2).must('RPUSH', '{c}l', '1');
  await client(3).must('RPUSH', '{b}from', '2');
  await client(1).must('XADD', '{a}s', '2-1', 'f', 'new');
  expect(await popped).toEqual(['{c}l', '1']);
  expect(await moved).toBe('2');
  expect(await read).toEqual([['{a}s', [['2-1', ['f', 'new']]]]]);
  const list = String(await client(1).must('CLIENT', 'LIST'));
  const [id] = list.match(/(?<=id=)\d+(?=.* flags=b)/) ?? [];
  expect(await client(1).must('CLIENT', 'UNBLOCK', String(id))).toBe(1);
  expect(await ended).toBeNull();
  await asleep(0);
  for (const each of waiters) each.disconnect();
  await client(1).must('FLUSHALL');
}, 60_000);

test('a block lists at most so many keys over several ranges', async () => {
  const pipeline = new Redis({ host: HOST, port: cluster.node(2).redisPort });
  const names = Array.from({ length: KEYS_IN_UNIT_MAX }, (_, key) => [`many-${key}`, '1']).flat();
  await pipeline.mset(...names);
  const listed = async (): Promise<unknown> => {
    const block = await pipeline.multi().get('none').keys('many-1*').exec();
    return block?.[1];
  };
  const [, keys] = (await listed()) as [null, string[]];
  expect(keys).toHaveLength(1_111);
  await pipeline.set('one', 'more');
  const [error] = (await listed()) as [Error];
  expect(error.message).toContain(`at most ${KEYS_IN_UNIT_MAX} keys`);
  // By itself it is listed in slices.
  expect(await pipeline.keys('*')).toHaveLength(KEYS_IN_UNIT_MAX + 1);
  expect(await pipeline.flushall()).toBe('OK');
  pipeline.disconnect();
}, 30_000);
