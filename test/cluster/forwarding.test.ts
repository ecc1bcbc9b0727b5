/** Five nodes, sixteen ranges of three members each: any node takes any command. */
import { Redis } from 'ioredis';
import { BasicClientSideCache, createClient } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RangeReport } from '../../transport/http/topology-report.ts';
import type { Client } from './client.ts';
import { HOST, TestCluster } from './harness.ts';
import { Load } from './load.ts';

const RANGES = 16;
const KEYS = 12;
const NODES = [1, 2, 3, 4, 5];

let cluster: TestCluster;
let clients: Client[] = [];

beforeAll(async () => {
  const flags = [`--initial-ranges=${RANGES}`, '--replication-factor=3'];
  cluster = await TestCluster.start({ nodes: NODES.length, flags });
  clients = cluster.nodes.map((node) => node.client());
}, 90_000);

afterAll(async () => {
  for (const client of clients) client.close();
  await cluster?.remove();
});

function client(id: number): Client {
  return clients[id - 1] as Client;
}

function redis(id: number): Redis {
  return new Redis({ host: HOST, port: cluster.node(id).redisPort });
}

test('each node is a member of some ranges, and all of them tell of all', async () => {
  const told = await Promise.all(cluster.nodes.map((node) => node.holoctl('ranges', '--json')));
  const [first] = told.map(({ stdout }) => JSON.parse(stdout) as RangeReport[]);
  expect(first).toHaveLength(RANGES);
  for (const { members } of first ?? []) expect(members).toHaveLength(3);
  for (const id of NODES) {
    const own = first?.filter(({ members }) => members.includes(id)).length ?? 0;
    expect(own).toBeGreaterThan(8);
    expect(await cluster.node(id).info()).toMatchObject({
      ranges: `${RANGES}`,
      ranges_here: `${own}`,
    });
  }
});

test('any node writes, reads, and runs blocks and scripts on any keys', async () => {
  for (let key = 0; key < KEYS; key += 1) {
    await client(1 + (key % 5)).must('SET', `key-${key}`, `${key}`);
  }
  const names = Array.from({ length: KEYS }, (_, key) => `key-${key}`);
  for (const id of NODES) {
    for (const [key, name] of names.entries()) {
      expect(await client(id).must('GET', name)).toBe(`${key}`);
    }
    expect(await client(id).must('MGET', ...names)).toEqual(names.map((_, key) => `${key}`));
    expect(await client(id).must('DBSIZE')).toBe(KEYS);
    expect(names).toContain(await client(id).must('RANDOMKEY'));
    const block = await client(id).transaction(
      names.slice(0, 8).map((name) => ['INCRBY', name, '0']),
    );
    expect(block).toMatchObject({ type: 'ok' });
    const script = `return redis.call('GET', KEYS[1]) .. redis.call('GET', KEYS[2])`;
    expect(await client(id).must('EVAL', script, '2', 'key-1', 'key-2')).toBe('12');
  }
  const all = await Promise.all(cluster.nodes.map((node) => node.info()));
  for (const info of all) expect(info['forwards_sent']).not.toBe('0');
  const taken = all.reduce((sum, info) => sum + Number(info['forwards_taken']), 0);
  expect(taken).toBeGreaterThan(0);
}, 60_000);

test('all keys are found from any node, also in blocks and scripts', async () => {
  const found: string[] = [];
  let cursor = '0';
  let pages = 0;
  do {
    const words = ['SCAN', cursor, 'COUNT', '5'] as const;
    const [next, page] = (await client(1 + (pages % 5)).must(...words)) as [string, string[]];
    found.push(...page);
    cursor = next;
    pages += 1;
  } while (cursor !== '0');
  const names = Array.from({ length: KEYS }, (_, key) => `key-${key}`).sort();
  expect(found.sort()).toEqual(names);
  for (const id of NODES) {
    expect(((await client(id).must('KEYS', '*')) as string[]).sort()).toEqual(names);
    expect(await client(id).must('KEYS', 'none*')).toEqual([]);
    const one = redis(id);
    const block = await one
      .multi()
      .set('block', id)
      .keys('*')
      .scan(0, 'COUNT', 1000)
      .del('block')
      .keys('b*')
      .exec();
    const [, keys, page, , left] = (block ?? []).map(([, reply]) => reply);
    expect((keys as string[]).sort()).toEqual(['block', ...names]);
    expect((page as [string, string[]])[1]).toContain('block');
    expect(left).toEqual([]);
    const script = "return #redis.call('keys', 'key*') .. redis.call('randomkey')";
    expect(await one.eval(script, 0)).toMatch(new RegExp(`^${KEYS}key-`));
    for (const key of ['key-1', 'key-2', 'key-3']) {
      const slot = Number(await client(1).must('CLUSTER', 'KEYSLOT', key));
      expect(await one.cluster('COUNTKEYSINSLOT', slot)).toBe(1);
      expect(await one.cluster('GETKEYSINSLOT', slot, 5)).toEqual([key]);
    }
    one.disconnect();
  }
}, 60_000);

test('a pipeline of long replies comes back whole, in its order', async () => {
  const one = redis(1);
  const value = 'x'.repeat(300_000);
  const pipeline = one.pipeline();
  for (let key = 0; key < 20; key += 1) pipeline.set(`long-${key}`, `${key}${value}`);
  for (let key = 0; key < 20; key += 1) pipeline.get(`long-${key}`);
  const replies = (await pipeline.exec())?.map(([, reply]) => reply) ?? [];
  expect(replies.slice(20)).toEqual(Array.from({ length: 20 }, (_, key) => `${key}${value}`));
  one.disconnect();
}, 60_000);

test('a client waits at any node for a key that is written at another', async () => {
  const lists = Array.from({ length: 10 }, (_, at) => `list-${at}`);
  const waiters = lists.map((_, at) => redis(1 + (at % 5)));
  const popped = waiters.map((each, at) => each.blpop(lists[at] as string, 20));
  const blocked = async (): Promise<number> => {
    const all = await Promise.all(cluster.nodes.map((node) => node.info('clients')));
    return all.reduce((sum, info) => sum + Number(info['blocked_clients']), 0);
  };
  await expect.poll(blocked, { timeout: 10_000 }).toBe(lists.length);
  for (const [at, list] of lists.entries()) {
    await client(1 + ((at + 2) % 5)).must('RPUSH', list, 'element');
  }
  expect(await Promise.all(popped)).toEqual(lists.map((list) => [list, 'element']));
  const several = waiters.map((each, at) => each.blpop('{a}l', '{b}l', '{c}l', '{d}l', 20 + at));
  await expect.poll(blocked, { timeout: 10_000 }).toBe(lists.length);
  const pushed = lists.map((_, at) => `{${'abcd'[at % 4]}}l`);
  for (const [at, list] of pushed.entries()) await client(1 + (at % 5)).must('RPUSH', list, 'x');
  expect((await Promise.all(several)).map((popped) => popped?.[0]).sort()).toEqual(pushed.sort());
  for (const each of waiters) each.disconnect();
}, 60_000);

test('a watched key keeps a block from running, and writes are heard of, everywhere', async () => {
  for (const id of NODES) {
    const one = redis(id);
    await one.watch('{w}watched');
    await client(1 + (id % 5)).must('SET', '{w}watched', `${id}`);
    expect(await one.multi().set('{w}block', 'ran').exec()).toBeNull();
    one.disconnect();
  }
  await client(1).must('CONFIG', 'SET', 'notify-keyspace-events', 'KEA');
  const heard = new Map<number, string[]>();
  const subscribers = NODES.map((id) => {
    const subscriber = redis(id);
    heard.set(id, []);
    subscriber.on('message', (channel: string) => heard.get(id)?.push(channel));
    return subscriber;
  });
  const names = Array.from({ length: 8 }, (_, at) => `event-${at}`);
  const channels = names.map((name) => `__keyspace@0__:${name}`);
  await Promise.all(subscribers.map((each) => each.subscribe(...channels)));
  for (const name of names) await client(2).must('SET', name, '1');
  for (const id of NODES) {
    await expect.poll(() => heard.get(id)?.toSorted()).toEqual(channels);
  }
  for (const subscriber of subscribers) subscriber.disconnect();
  await client(1).must('CONFIG', 'SET', 'notify-keyspace-events', '');
}, 60_000);

test('the cache of a client follows writes to all ranges', async () => {
  const clientSideCache = new BasicClientSideCache({ maxEntries: 100 });
  const url = `redis://${HOST}:${cluster.node(1).redisPort}`;
  const cached = createClient({ url, RESP: 3, clientSideCache });
  await cached.connect();
  for (let round = 0; round < 2; round += 1) {
    for (let key = 0; key < 16; key += 1) {
      await client(2).must('SET', `cached-${key}`, `${round}`);
      await expect.poll(() => cached.get(`cached-${key}`)).toBe(`${round}`);
      expect(await cached.get(`cached-${key}`)).toBe(`${round}`);
    }
  }
  expect(clientSideCache.stats().hitCount).toBeGreaterThan(25);
  cached.destroy();
}, 60_000);

test('a range that is split is followed by nodes that are no members of it', async () => {
  // Of keys in range 1, whose members are 1, 2 and 3; asked at another node.
  const slots = await Promise.all(
    Array.from({ length: 200 }, (_, key) => client(4).must('CLUSTER', 'KEYSLOT', `split-${key}`)),
  );
  const names = slots.flatMap((slot, key) => (Number(slot) < 1_024 ? `split-${key}` : []));
  expect(names.length).toBeGreaterThan(3);
  for (const [at, name] of names.entries()) await client(1 + (at % 5)).must('SET', name, '1');
  const split = await cluster.node(4).holoctl('split', '--at-slot', '500', '--json');
  expect(split).toMatchObject({ code: 0 });
  for (const id of NODES) {
    for (const name of names) await client(id).must('INCR', name);
    const all = [...names, 'key-1', 'key-2'];
    expect(await client(id).must('EXISTS', ...all)).toBe(all.length);
    await expect
      .poll(async () => (await cluster.node(id).info())['ranges'], { timeout: 10_000 })
      .toBe(`${RANGES + 1}`);
  }
  expect(await client(5).must('MGET', ...names)).toEqual(names.map(() => '6'));
}, 60_000);

test('a member is killed under load: nothing is lost, nothing done twice', async () => {
  const load = new Load(cluster, { clientsPerNode: 1 });
  await new Promise((resolve) => setTimeout(resolve, 500));
  await cluster.node(3).kill();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  for (const id of [1, 2, 4, 5]) {
    for (let key = 0; key < 8; key += 1) await client(id).must('SET', `key-${key}`, `${id}`);
  }
  cluster.node(3).start();
  await cluster.node(3).ready();
  await load.stop();
  expect(await load.problems()).toEqual([]);
  console.log(load.describe());
}, 90_000);
