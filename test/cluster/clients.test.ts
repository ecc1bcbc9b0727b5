/** A cluster as ordinary Redis clients see it: about twenty seconds. */
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOST, TestCluster } from './harness.ts';
import { hasTool, runTool } from './redis-tools.ts';

/** Under five seconds on a machine of one's own; this one may be shared with many. */
const UP_MS_MAX = 15_000;

let cluster: TestCluster;
let upMs = 0;

beforeAll(async () => {
  cluster = await TestCluster.prepare();
  const start = performance.now();
  await cluster.startAll();
  upMs = performance.now() - start;
});

afterAll(() => cluster?.remove());

test('three new nodes are ready within seconds', () => {
  console.log(`three nodes ready after ${upMs.toFixed()} ms`);
  expect(upMs).toBeLessThan(UP_MS_MAX);
});

describe.skipIf(!hasTool('redis-cli'))('redis-cli (skipped where it is not installed)', () => {
  async function cli(port: number, ...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await runTool('redis-cli', ['-p', String(port), ...words]);
    expect([code, stderr]).toEqual([0, '']);
    return stdout.trim();
  }

  test('a write that one node has acknowledged, all others have', async () => {
    for (const writer of cluster.nodes) {
      const value = `from ${writer.id}`;
      expect(await cli(writer.redisPort, 'set', 'greeting', value)).toBe('OK');
      for (const { redisPort } of cluster.nodes) {
        expect(await cli(redisPort, 'get', 'greeting')).toBe(value);
      }
    }
    for (const { redisPort } of cluster.nodes) await cli(redisPort, 'incr', 'visits');
    expect(await cli(cluster.node(1).redisPort, 'get', 'visits')).toBe('3');
  });

  test('RESP3, keys, deletions and errors', async () => {
    const [first, second] = cluster.nodes.map(({ redisPort }) => redisPort);
    expect(await cli(first ?? 0, '-3', 'mset', 'c:1', 'a', 'c:2', 'b')).toBe('OK');
    expect(await cli(second ?? 0, '-3', 'mget', 'c:1', 'c:2', 'c:3')).toBe('a\nb');
    expect(await cli(second ?? 0, 'del', 'c:1', 'c:2')).toBe('2');
    expect(await cli(first ?? 0, 'exists', 'c:1')).toBe('0');
    expect(await cli(first ?? 0, 'incr', 'greeting')).toContain('not an integer');
    expect(await cli(first ?? 0, 'nonsense')).toContain("unknown command 'nonsense'");
  });

  test('--bigkeys finds the biggest keys; --hotkeys is told why not', async () => {
    const [first = 0] = cluster.nodes.map(({ redisPort }) => redisPort);
    await cli(first, 'set', 'big:string', 'x'.repeat(5_000));
    await cli(first, 'rpush', 'big:list', ...'abcdefghij');
    const big = await cli(first, '--bigkeys');
    expect(big).toMatch(/Biggest string found .*big:string.* has 5000 bytes/);
    expect(big).toMatch(/Biggest +list found .*big:list.* has 10 items/);
    const memory = await cli(first, '--memkeys');
    expect(memory).toMatch(/Biggest string found .*big:string.* has \d+ bytes/);
    const { stdout, stderr } = await runTool('redis-cli', ['-p', String(first), '--hotkeys']);
    expect(`${stdout}${stderr}`).toContain('An LFU maxmemory policy is not selected');
    // Keys that --bigkeys and --memkeys have asked for count as well.
    await cli(first, '-r', '300', 'get', 'hot');
    expect((await cli(first, 'holohotkeys', '1')).split('\n')[1]).toBe('hot');
  });

  test('the slow log and the latency histograms of a node', async () => {
    const [first = 0] = cluster.nodes.map(({ redisPort }) => redisPort);
    await cli(first, 'config', 'set', 'slowlog-log-slower-than', '0');
    await cli(first, 'set', 'slow', '1');
    expect(await cli(first, 'slowlog', 'get', '1')).toMatch(/set\nslow\n1\n127.0.0.1:\d+/);
    await cli(first, 'config', 'set', 'slowlog-log-slower-than', '10000');
    expect(await cli(first, 'latency', 'histogram', 'set')).toMatch(/^set\ncalls\n\d+\nhisto/);
  });
});

describe.skipIf(!hasTool('redis-benchmark'))('redis-benchmark (skipped where it is not)', () => {
  test.each([1, 2, 3])('runs against node %i without an error', async (id) => {
    const flags = '-q -n 2000 -c 20 -P 8 -r 1000 -t set,get,incr,mset'.split(' ');
    const port = String(cluster.node(id).redisPort);
    const { code, stdout, stderr } = await runTool('redis-benchmark', ['-p', port, ...flags]);
    expect(code).toBe(0);
    const lines = `${stdout}\n${stderr}`.split(/[\r\n]+/);
    const complaints = lines.filter((line) => /error|warning|fail|denied/i.test(line));
    expect(complaints.filter((line) => !line.includes('CONFIG'))).toEqual([]);
    for (const name of ['SET', 'GET', 'INCR', 'MSET (10 keys)']) {
      expect(stdout).toContain(`${name}: `);
    }
  });
});

describe('ioredis', () => {
  test.each([undefined, 2, 3] as const)('protocol %s', async (protocol) => {
    const port = cluster.node(2).redisPort;
    const redis = new Redis({ host: HOST, port, ...(protocol === undefined ? {} : { protocol }) });
    try {
      const key = `ioredis:${protocol}`;
      expect(await redis.set(key, '1')).toBe('OK');
      const pipeline = redis.pipeline();
      for (let at = 0; at < 100; at += 1) pipeline.incr(key);
      const replies = (await pipeline.exec()) ?? [];
      expect(replies.map(([error, reply]) => error ?? reply)).toEqual(
        Array.from({ length: 100 }, (_, at) => at + 2),
      );
      const exec = await redis.multi().incr(key).get(key).del(key).exec();
      expect(exec).toEqual([
        [null, 102],
        [null, '102'],
        [null, 1],
      ]);
      await expect(redis.multi().incr(key).call('nonsense').exec()).rejects.toThrow('EXECABORT');
      expect(await redis.get(key)).toBeNull();
    } finally {
      redis.disconnect();
    }
  });
});

describe('node-redis', () => {
  test.each([undefined, 2, 3] as const)('RESP %s', async (RESP) => {
    const socket = { host: HOST, port: cluster.node(3).redisPort };
    const options = RESP === undefined ? { socket } : { socket, RESP };
    const redis = createClient(options);
    redis.on('error', () => undefined);
    await redis.connect();
    try {
      const key = `node-redis:${RESP}`;
      expect(await redis.set(key, '1')).toBe('OK');
      const many = Array.from({ length: 100 }, () => redis.incr(key));
      expect(await Promise.all(many)).toEqual(Array.from({ length: 100 }, (_, at) => at + 2));
      expect(await redis.multi().incr(key).get(key).del(key).exec()).toEqual([102, '102', 1]);
      expect(await redis.get(key)).toBeNull();
    } finally {
      redis.destroy();
    }
  });
});
