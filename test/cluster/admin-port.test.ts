/**
 * Strangers at the admin port must not disturb the clients of the node, nor its probes: unread
 * answers, many traces at once, half requests.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOST, TestCluster, type TestNode } from './harness.ts';
import { hasTool, runTool } from './redis-tools.ts';

let cluster: TestCluster;
let node: TestNode;
const sockets: Socket[] = [];

beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 1 });
  node = cluster.node(1);
  const client = node.client();
  // A ring with something in it.
  for (let round = 0; round < 60; round += 1) {
    await Promise.all(
      Array.from({ length: 20 }, (_, k) => client.must('SET', `k${k}`, `${round}`)),
    );
  }
}, 60_000);

afterAll(async () => {
  await cluster.remove();
});

function drop(): void {
  for (const socket of sockets.splice(0)) socket.destroy();
}

async function open(text: string): Promise<Socket> {
  const socket = connect(node.adminPort, HOST);
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.pause();
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(text);
  return socket;
}

function residentMb(): number {
  const status = readFileSync(`/proc/${node.pid}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

/** Longest of some SETs of one client, in a process of its own; NaN without redis-benchmark. */
async function slowestSetMs(): Promise<number> {
  if (!hasTool('redis-benchmark')) return Number.NaN;
  const args = [
    '-h',
    HOST,
    '-p',
    String(node.redisPort),
    '-t',
    'set',
    '-c',
    '1',
    '-n',
    SETS,
    '--csv',
  ];
  const { stdout } = await runTool('redis-benchmark', args, 60_000);
  const row = stdout.split('\n').find((line) => line.startsWith('"SET"')) ?? '';
  return Number(row.split('","').at(-1)?.replaceAll('"', ''));
}

const SETS = '300';
const VOLLEYS_APART_MS = 300;
/** One is converted within the node, the other is the whole ring. */
const FORMATS = ['perfetto', 'jsonl'] as const;

test.each(FORMATS)('500 traces (%s) that nobody reads cost at most 64 MB', async (format) => {
  const before = residentMb();
  let most = before;
  for (let count = 0; count < 500; count += 1) {
    await open(`GET /trace?format=${format} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    if (count % 50 === 0) most = Math.max(most, residentMb());
  }
  for (let look = 0; look < 10; look += 1) {
    await sleep(100);
    most = Math.max(most, residentMb());
  }
  drop();
  console.log(`500 unread traces (${format}): ${(most - before).toFixed(1)} MB`);
  expect(most - before).toBeLessThanOrEqual(64);
});

test.each(FORMATS)(
  'of 40 traces (%s) at once one is written, others are asked to come again',
  async (format) => {
    const path = `/trace?format=${format}`;
    const codes: number[] = [];
    const idleMs = await slowestSetMs();
    let isOver = false;
    const slowest = slowestSetMs().finally(() => {
      isOver = true;
    });
    while (!isOver || codes.length < 80) {
      const ask = () => node.http(path, 60_000);
      const all = await Promise.all(Array.from({ length: 40 }, ask));
      codes.push(...all.map(({ status }) => status));
      await sleep(VOLLEYS_APART_MS);
    }
    const slowestMs = await slowest;
    console.log(
      `40 traces (${format}) at once, ${codes.length / 40} times: of ${SETS} SETs beside them the ` +
        `slowest took ${slowestMs.toFixed(1)} ms; without them ${idleMs.toFixed(1)} ms`,
    );
    expect(new Set(codes)).toEqual(new Set([200, 503]));
    expect(codes.filter((code) => code === 503).length).toBeGreaterThan(20);
    // And it is served again, after a pause.
    for (let tries = 0; (await node.http(path, 60_000)).status !== 200; tries += 1) {
      expect(tries).toBeLessThan(100);
      await sleep(200);
    }
  },
);

test('100 half requests do not keep out a probe', async () => {
  for (let count = 0; count < 100; count += 1) await open('GET /healthz HTTP/1.1\r\nHost: x');
  const start = performance.now();
  const { status } = await node.http('/healthz');
  drop();
  expect(status).toBe(200);
  console.log(`/healthz beside 100 half requests: ${(performance.now() - start).toFixed(1)} ms`);
});
