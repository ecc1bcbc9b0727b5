/**
 * Pipelines whose replies are far larger than what a node keeps of them: each command gets its own
 * reply, and a client that does not read costs the node little.
 */
import { connect } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { HOST, TestCluster } from './harness.ts';
import { residentMib } from './memory.ts';

const MIB = 1024 * 1024;
const LARGE_KEYS = 6;
const LARGE_BYTES = 10 * MIB;
const LARGE_GETS = 60;
const VALUE_BYTES = 16 * MIB;
const VALUES = 1_000;
const GROWN_MIB_MAX = 500;
const UNREAD_MS = 3_000;

let cluster: TestCluster;
let client: Redis;

beforeAll(async () => {
  cluster = await TestCluster.start();
});

afterEach(() => client?.disconnect());

afterAll(() => cluster?.remove());

function clientOf(node: number, enableAutoPipelining = false): Redis {
  client = new Redis(cluster.node(node).redisPort, HOST, { enableAutoPipelining });
  return client;
}

test('a write in front of 150 GETs of 1 MiB is answered as done', async () => {
  const redis = clientOf(1);
  await redis.set('m', 'x'.repeat(MIB));
  const pipeline = redis.pipeline().incr('n').set('s', '1');
  for (let at = 0; at < 150; at += 1) pipeline.get('m');
  const replies = (await pipeline.exec()) ?? [];
  expect(replies.slice(0, 2)).toEqual([
    [null, 1],
    [null, 'OK'],
  ]);
  const lengths = replies.slice(2).map(([, value]) => (value as string | undefined)?.length);
  expect(lengths).toEqual(Array(150).fill(MIB));
  expect(await redis.get('n')).toBe('1');
}, 60_000);

test('150 GETs of 1 MiB that ioredis pipelines by itself, and 600 MiB in one pipeline', async () => {
  const redis = clientOf(2, true);
  for (let at = 0; at < 150; at += 1) await redis.set(`a${at}`, String(at).padStart(MIB, '-'));
  const keys = Array.from({ length: 150 }, (_, at) => `a${at}`);
  const values = await Promise.all(keys.map((key) => redis.get(key)));
  expect(
    values.map((value) => [value?.length, Number(value?.slice(-3).replace(/-/g, ''))]),
  ).toEqual(keys.map((_, at) => [MIB, at]));
  for (let at = 0; at < LARGE_KEYS; at += 1) {
    await redis.set(`l${at}`, Buffer.alloc(LARGE_BYTES, String(at)));
  }
  const pipeline = redis.pipeline();
  for (let at = 0; at < LARGE_GETS; at += 1) pipeline.getBuffer(`l${at % LARGE_KEYS}`);
  const replies = (await pipeline.exec()) ?? [];
  const found = replies.map(([, value]) => value as Buffer | undefined);
  expect(found.map((value) => [value?.length, value?.at(-1)])).toEqual(
    found.map((_, at) => [LARGE_BYTES, 48 + (at % LARGE_KEYS)]),
  );
}, 120_000);

test('a thousand times the same value, which nobody reads, is in memory once', async () => {
  const redis = clientOf(3);
  await redis.set('big', Buffer.alloc(VALUE_BYTES, 'y'));
  const before = residentMib(cluster.node(3).pid);
  const socket = connect(cluster.node(3).redisPort, HOST);
  socket.on('error', () => undefined);
  socket.pause();
  socket.write(`MGET${' big'.repeat(VALUES)}\r\n`);
  const untilMs = performance.now() + UNREAD_MS;
  let most = before;
  while (performance.now() < untilMs) {
    expect(await redis.ping()).toBe('PONG');
    most = Math.max(most, residentMib(cluster.node(3).pid));
  }
  socket.destroy();
  expect(most - before).toBeLessThan(GROWN_MIB_MAX);
  expect(cluster.node(3).log()).not.toMatch(/is restarted/);
}, 60_000);
