/** A cluster of several ranges, as three processes. */
import { rmSync } from 'node:fs';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RangeReport } from '../../transport/http/topology-report.ts';
import type { Client, Words } from './client.ts';
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
  expect(await cluster.node(3).info()).toMatchObject({ ranges: `${RANGES}`, topology_epoch: '1' });
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

test('what touches several ranges is refused, and does nothing', async () => {
  const spanning: readonly Words[] = [
    ['MSET', '{a}x', '1', '{b}x', '2'],
    ...([['FLUSHALL'], ['DBSIZE'], ['KEYS', '*'], ['SCAN', '0'], ['RANDOMKEY']] as const),
    ['CONFIG', 'SET', 'hash-max-listpack-entries', '5'],
  ];
  for (const words of spanning) {
    expect(await client(1).run(...words)).toMatchObject({
      type: 'refused',
      why: expect.stringContaining('CROSSSLOT'),
    });
  }
  expect(await client(2).must('GET', '{a}x')).toBeNull();
  const block = await client(1).transaction([
    ['SET', '{a}x', '1'],
    ['SET', '{b}x', '2'],
  ]);
  expect(block).toMatchObject({ type: 'refused' });
  const within = await client(1).transaction([
    ['SET', '{a}x', '1'],
    ['APPEND', '{a}y', '2'],
  ]);
  expect(within).toMatchObject({ type: 'ok' });
  await checkKeys();
});

test('a node that was formed with other ranges is refused by the others', async () => {
  const third = cluster.node(3);
  await third.kill();
  rmSync(third.dataDir, { recursive: true });
  flags[0] = '--initial-ranges=5';
  third.start();
  const reason = 'was formed with another --initial-ranges or --ranges-max';
  await expect.poll(() => third.log(), { timeout: 30_000 }).toContain(reason);
  await expect.poll(() => cluster.node(1).log(), { timeout: 30_000 }).toContain(reason);
  expect((await third.http('/readyz')).body).toContain('only 1 of 3 members of group 1.1');
}, 60_000);
