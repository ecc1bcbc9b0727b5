/** The introspection commands of a real node, for an ordinary client: about ten seconds. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, REDIS_PRESENT, RealRedis } from '../transport/resp/real-redis.ts';
import { HOST, TestCluster } from './harness.ts';

/** Of how redis-server was compiled and works inside: docs/compatibility.md names them. */
const LEFT_OUT =
  /^(atomicvar_api|gcc_version|monotonic_clock|client_recent_max_|expire_cycle_cpu|instantaneous_\w+_repl_kbps|used_cpu_\w+_main_thread|cmdstat_|latency_percentiles_)/;

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

  test('errors are counted by their code: of commands on keys, of others, and refused ones', async () => {
    await first.config('RESETSTAT');
    await first.set('text', 'x');
    const pipeline = first.pipeline().incr('text').incr('text').lpush('text', 'x');
    const replies = await pipeline.call('NOSUCH').call('GET').client('KILL', '1.2.3.4:5').exec();
    expect(replies?.every(([error]) => error !== null)).toBe(true);
    const stats = await infoOf(first, 'errorstats');
    expect(stats).toMatchObject({ errorstat_ERR: 'count=5', errorstat_WRONGTYPE: 'count=1' });
    expect((await infoOf(first, 'stats'))['total_error_replies']).toBe('6');
    expect((await infoOf(second, 'errorstats'))['errorstat_WRONGTYPE']).toBeUndefined();
    const { body } = await cluster.node(1).http('/metrics');
    expect(body).toContain('holostore_error_replies_total{code="WRONGTYPE"} 1');
    expect(body).toMatch(/^holostore_expired_keys_total \d+$/m);
    await first.config('RESETSTAT');
    expect(await infoOf(first, 'errorstats')).toEqual({ '# Errorstats': undefined, '': undefined });
  });

  test('expired keys, and the time that others have left', async () => {
    await second.config('RESETSTAT');
    await first.mset('stays', '1');
    for (let i = 0; i < 20; i += 1) await first.set(`lasts:${i}`, '1', 'EX', 1_000);
    for (let i = 0; i < 3; i += 1) await first.set(`ends:${i}`, '1', 'PX', 20);
    await above(second, 'stats', 'expired_keys', 2);
    const deadline = performance.now() + 10_000;
    let ttlMs = 0;
    while (ttlMs === 0 && performance.now() < deadline) {
      ttlMs = Number(/avg_ttl=(\d+)/.exec((await infoOf(second, 'keyspace'))['db0'] ?? '')?.[1]);
    }
    expect(ttlMs).toBeGreaterThan(900_000);
    // Sampled by the earliest time that it can be: a clock that is not known yet lags by seconds.
    expect(ttlMs).toBeLessThanOrEqual(1_010_000);
  });

  test('memory, log and links of the node', async () => {
    const memory = await infoOf(first, 'memory');
    const of = (name: string): number => Number.parseFloat(memory[name] ?? '');
    expect(of('used_memory_overhead') + of('used_memory_dataset')).toBe(of('used_memory'));
    expect(of('used_memory_peak_perc')).toBeGreaterThan(50);
    expect(of('total_system_memory')).toBeGreaterThan(of('used_memory_rss'));
    const { connected_slaves: peers, repl_backlog_size: size } = await infoOf(first, 'replication');
    expect([peers, Number(size)]).toEqual(['2', 256 * 1024 ** 2]);
    expect(Number((await infoOf(first, 'persistence'))['aof_current_size'])).toBeGreaterThan(0);
    const { total_net_repl_output_bytes: sent } = await infoOf(first, 'stats');
    expect(Number(sent)).toBeGreaterThan(1_000);
    const { run_id: mine } = await infoOf(first, 'server');
    expect(mine).toMatch(/^[0-9a-f]{40}$/);
    expect((await infoOf(second, 'server'))['run_id']).not.toBe(mine);
  });

  test.skipIf(!REDIS_PRESENT)('has each field of a redis-server, but for those named', async () => {
    const redis = await RealRedis.start();
    const client = new Redis({ host: HOST, port: redis.port });
    const namesOf = async (of: Redis): Promise<string[]> => {
      await of.set('a', '1', 'EX', 100);
      await of.call('NOSUCH').catch(() => undefined);
      return Object.keys(await infoOf(of, 'everything')).filter((name) => !/^#|^$/.test(name));
    };
    try {
      const ours = new Set(await namesOf(first));
      const lacking = (await namesOf(client)).filter((name) => !ours.has(name));
      expect(lacking.filter((name) => !LEFT_OUT.test(name))).toEqual([]);
      expect(lacking.length).toBeGreaterThan(5);
    } finally {
      client.disconnect();
      redis.stop();
    }
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
