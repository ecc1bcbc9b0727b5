/** A cluster as an operator sees it, and that nothing is kept for ever. About half a minute. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sortNames } from '../../wal/segment.ts';
import { HOST, TestCluster, type TestNode } from './harness.ts';
import { runTool } from './redis-tools.ts';

/** Small segments, so that the log is cut while the test watches. */
const FLAGS = ['--segment-bytes=1mb', '--batch-bytes-max=64kb'];
const PIPELINE = 100;
/** Live segments of a log at rest: the one being written, and what the last flush left. */
const SEGMENTS_MAX = 4;

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.start({ flags: FLAGS });
});

afterAll(() => cluster?.remove());

async function writeMany(node: TestNode, count: number, prefix: string, bytes: number) {
  const redis = new Redis({ host: HOST, port: node.redisPort });
  const value = 'v'.repeat(bytes);
  for (let at = 0; at < count; at += PIPELINE) {
    const pipeline = redis.pipeline();
    for (let each = at; each < at + PIPELINE; each += 1) pipeline.set(`${prefix}${each}`, value);
    const replies = (await pipeline.exec()) ?? [];
    const failed = replies.find(([error]) => error !== null);
    if (failed !== undefined) throw failed[0];
  }
  redis.disconnect();
}

async function eventually<T>(timeoutMs: number, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms`);
    await sleep(100);
  }
}

function liveSegments(node: TestNode): number {
  return sortNames(readdirSync(join(node.dataDir, 'wal'))).live.length;
}

describe('the admin port', () => {
  test.each(['/healthz', '/readyz'])('%s says yes', async (path) => {
    for (const node of cluster.nodes) expect((await node.http(path)).status).toBe(200);
  });

  test('/metrics counts what was done', async () => {
    const node = cluster.node(1);
    const counted = async (): Promise<number> => {
      const { body } = await node.http('/metrics');
      return Number(/holostore_commands_total\{[^}]*write[^}]*\} (\d+)/.exec(body)?.[1] ?? 0);
    };
    const before = await counted();
    await node.client().must('SET', 'counted', '1');
    expect(await counted()).toBe(before + 1);
  });
});

describe('holoctl', () => {
  async function holoctl(...args: string[]) {
    return runTool(process.execPath, [cluster.node(1).program.holoctl, ...args]);
  }

  test('status shows every node, and fails when one does not answer', async () => {
    const nodes = cluster.nodes.map(({ adminPort }) => `${HOST}:${adminPort}`).join(',');
    const { code, stdout } = await holoctl('status', '--nodes', nodes);
    expect(code).toBe(0);
    for (const { redisPort } of cluster.nodes) expect(stdout).toContain(`${HOST}:${redisPort}`);
    expect((await holoctl('status', '--nodes', `${nodes},${HOST}:1`)).code).toBe(1);
  });

  test.each(['jsonl', 'perfetto', 'shiviz'])('trace dump --format %s', async (format) => {
    const node = cluster.node(2);
    await node.client().must('SET', 'traced', '1');
    const { code, stdout, stderr } = await node.holoctl('trace', 'dump', '--format', format);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('store-0');
    if (format === 'perfetto') JSON.parse(stdout);
    if (format === 'jsonl') for (const line of stdout.trim().split('\n')) JSON.parse(line);
  });
});

test('SIGUSR2 writes the flight recorder into the data directory', async () => {
  const node = cluster.node(3);
  node.signal('SIGUSR2');
  const folder = join(node.dataDir, 'traces');
  const name = await eventually(5_000, async () => {
    return node.log().includes('the trace of the last events') ? readdirSync(folder)[0] : undefined;
  });
  const lines = readFileSync(join(folder, name), 'utf8').trim().split('\n');
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines) JSON.parse(line);
});

test('after traffic nothing is retained and the log is short', async () => {
  await writeMany(cluster.node(1), 20_000, 'bulk', 300);
  const start = performance.now();
  for (const node of cluster.nodes) {
    await eventually(30_000, async () => {
      const { retained_transactions: retained } = await node.info();
      const rest = Number(retained) <= 2 && liveSegments(node) <= SEGMENTS_MAX;
      return rest ? true : undefined;
    });
  }
  console.log(`at rest ${(performance.now() - start).toFixed()} ms after 20,000 writes`);
});

test('a node that was down during 10,000 writes catches up without traffic', async () => {
  const absent = cluster.node(3);
  await absent.kill();
  await writeMany(cluster.node(1), 10_000, 'missed', 100);
  absent.start();
  await absent.ready();
  const start = performance.now();
  const applied = (await cluster.node(1).info())['applied_sequence'];
  await eventually(30_000, async () => {
    const { applied_sequence: ours } = await absent.info();
    const { retained_transactions: retained } = await cluster.node(1).info();
    const { keys } = JSON.parse((await absent.http('/status')).body);
    const { keys: all } = JSON.parse((await cluster.node(1).http('/status')).body);
    const even = keys === all && Number(retained) <= 2;
    return even ? ours : undefined;
  });
  const ms = (performance.now() - start).toFixed();
  console.log(`caught up ${ms} ms after it was ready; node 1 is at ${applied}`);
  expect(await absent.client().must('GET', 'missed9999')).toBe('v'.repeat(100));
  await eventually(30_000, async () =>
    liveSegments(cluster.node(1)) <= SEGMENTS_MAX ? 1 : undefined,
  );
});
