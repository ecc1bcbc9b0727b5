/** The introspection commands of a real node, for an ordinary client: about ten seconds. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../transport/resp/real-redis.ts';
import { HOST, TestCluster } from './harness.ts';

let cluster: TestCluster;
let first: Redis;
let second: Redis;

beforeAll(async () => {
  cluster = await TestCluster.start();
  first = new Redis({ host: HOST, port: cluster.node(1).redisPort });
  second = new Redis({ host: HOST, port: cluster.node(2).redisPort });
});

afterAll(() => {
  first?.disconnect();
  second?.disconnect();
  return cluster?.remove();
});

async function infoOf(redis: Redis, section: string): Promise<Record<string, string>> {
  const lines = (await redis.info(section)).split('\r\n');
  return Object.fromEntries(lines.map((line) => line.split(/:(.*)/s) as [string, string]));
}

/** The field's number, when it has come to be above `bound`: nodes report every 100 ms. */
async function above(redis: Redis, section: string, field: string, bound: number) {
  const deadline = performance.now() + 10_000;
  let value = Number.NaN;
  while (!(value > bound) && performance.now() < deadline) {
    value = Number((await infoOf(redis, section))[field]);
  }
  expect(value).toBeGreaterThan(bound);
  return value;
}

test('OBJECT and MEMORY USAGE read the key, from any node and inside of MULTI', async () => {
  await first.set('number', '12345');
  await first.set('text', 'x'.repeat(45));
  expect(await second.object('ENCODING', 'number')).toBe('int');
  expect(await second.object('ENCODING', 'text')).toBe('raw');
  expect(await second.object('REFCOUNT', 'text')).toBe(1);
  expect(await second.object('IDLETIME', 'text')).toBeLessThan(60);
  await expect(second.object('FREQ', 'text')).rejects.toThrow('An LFU maxmemory policy is not');
  expect(await second.object('ENCODING', 'nothing')).toBeNull();
  const bytes = Number(await second.memory('USAGE', 'text'));
  expect(bytes - Number(await second.memory('USAGE', 'number'))).toBe(45 - 5 + 4 - 6);
  expect(await first.multi().object('ENCODING', 'text').del('text').exec()).toEqual([
    [null, 'raw'],
    [null, 1],
  ]);
});

test('keys are counted by Redis Cluster slot', async () => {
  await first.mset('foo', '1', '{foo}bar', '2');
  expect(await second.cluster('COUNTKEYSINSLOT', 12182)).toBe(2);
  await expect(second.cluster('MEET', HOST, 1)).rejects.toThrow('cluster support disabled');
});

test('a skipped reply is no lost one', async () => {
  const lines = ['SET skipped 1', 'CLIENT REPLY SKIP', 'CLIENT REPLY ON', 'GET skipped'];
  const bytes = lines.map((line) => `${line}\r\n`).join('');
  const end = '$1\r\n1\r\n';
  expect(await ask(cluster.node(3).redisPort, bytes, end)).toBe(`+OK\r\n+OK\r\n${end}`);
});

describe('INFO', () => {
  test('counts the keys that clients of this node have looked up', async () => {
    await first.set('present', '1');
    await first.config('RESETSTAT');
    await second.config('RESETSTAT');
    for (let i = 0; i < 5; i += 1) await second.get('present');
    // As a transaction it is executed by all nodes, and counted where its client is.
    await second.mget('present', 'absent', 'missing');
    await above(second, 'stats', 'keyspace_misses', 1);
    const { keyspace_hits: hits, keyspace_misses: misses } = await infoOf(second, 'stats');
    expect([hits, misses]).toEqual(['6', '2']);
    const { keyspace_hits: others } = await infoOf(first, 'stats');
    expect(others).toBe('0');
  });

  test('commandstats have measured times', async () => {
    await second.config('RESETSTAT');
    await second.set('a', '1');
    await second.incr('a');
    await second.append('a', 'x');
    await second.incr('a').catch(() => undefined);
    const stats = await infoOf(second, 'commandstats');
    expect(stats['cmdstat_incr']).toMatch(
      /^calls=2,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=0,failed_calls=1$/,
    );
    const usec = Number(/usec=(\d+)/.exec(stats['cmdstat_set'] ?? '')?.[1]);
    expect(usec).toBeGreaterThan(10);
    expect(usec).toBeLessThan(60_000_000);
  });

  test('the replication offset grows with writes, the same in ROLE', async () => {
    const before = Number((await infoOf(first, 'replication'))['master_repl_offset']);
    await first.set('a', '2');
    const offset = await above(first, 'replication', 'master_repl_offset', before);
    const role = (await first.role()) as unknown as [string, number, unknown[]];
    expect([role[0], role[2]]).toEqual(['master', []]);
    expect(role[1]).toBeGreaterThanOrEqual(offset);
  });

  test('LASTSAVE moves when the store is written out', async () => {
    const before = await first.lastsave();
    expect(Math.abs(before - Date.now() / 1000)).toBeLessThan(300);
    await first.set('a', '3');
    await above(first, 'persistence', 'rdb_last_save_time', before);
  });
});

test('MEMORY STATS are of this process', async () => {
  const stats = (await first.memory('STATS')) as unknown[] | Record<string, number>;
  const flat = Array.isArray(stats) ? stats : Object.entries(stats).flat();
  const at = flat.indexOf('total.allocated');
  expect(Number(flat[at + 1])).toBeGreaterThan(1024 * 1024);
  expect(await first.memory('DOCTOR')).toMatch(/memory/i);
});
