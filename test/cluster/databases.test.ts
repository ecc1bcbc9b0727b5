/** Databases, watched keys and settings of the cluster, by ordinary clients of three processes. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOST, TestCluster } from './harness.ts';

const MANY = 20;

let cluster: TestCluster;
let clients: Redis[] = [];

beforeAll(async () => {
  cluster = await TestCluster.prepare();
  await cluster.startAll();
  clients = cluster.nodes.map(({ redisPort }) => new Redis({ host: HOST, port: redisPort, db: 3 }));
});

afterAll(async () => {
  for (const client of clients) client.disconnect();
  await cluster?.remove();
});

test('a database is the same one at every node, and another one than the others', async () => {
  const [one, two, three] = clients as [Redis, Redis, Redis];
  await one.set('k', 'three');
  expect(await two.get('k')).toBe('three');
  await three.select(5);
  expect(await three.get('k')).toBeNull();
  expect(await two.swapdb(3, 5)).toBe('OK');
  expect(await three.get('k')).toBe('three');
  expect(await one.get('k')).toBeNull();
  expect(await three.info('keyspace')).toContain('db5:keys=1,expires=0');
  expect(await three.move('k', 3)).toBe(1);
  expect(await one.get('k')).toBe('three');
  await three.select(3);
});

test('of blocks that watch one key at different nodes, one at a time runs', async () => {
  let tries = 0;
  const add = async (client: Redis): Promise<void> => {
    for (let done = 0; done < MANY; ) {
      tries += 1;
      await client.watch('sum');
      const sum = Number(await client.get('sum'));
      const answer = await client
        .multi()
        .set('sum', String(sum + 1))
        .exec();
      if (answer !== null) done += 1;
    }
  };
  await Promise.all(clients.map(add));
  expect(await clients[0]?.get('sum')).toBe(String(MANY * clients.length));
  console.info(`${MANY * clients.length} blocks ran in ${tries} tries`);
});

test('a setting of the cluster that is changed at one node is there at all of them', async () => {
  const name = 'hash-max-listpack-entries';
  for (const [at, client] of clients.entries()) {
    const value = String(7 + at);
    expect(await client.config('SET', name, value)).toBe('OK');
    for (const other of clients) expect(await other.config('GET', name)).toEqual([name, value]);
  }
});
