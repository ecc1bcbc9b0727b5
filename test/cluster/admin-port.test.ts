/**
 * Strangers at the admin port must not disturb the clients of the node, nor its probes: unread
 * answers, many traces at once, half requests.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOST, TestCluster, type TestNode } from './harness.ts';

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
    const client = node.client();
    const path = `/trace?format=${format}`;
    const answers = Promise.all(Array.from({ length: 40 }, () => node.http(path, 60_000)));
    let slowest = 0;
    let sets = 0;
    let isDone = false;
    const all = answers.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      const start = performance.now();
      await client.must('SET', 'k', 'v');
      slowest = Math.max(slowest, performance.now() - start);
      sets += 1;
    }
    const codes = (await all).map(({ status }) => status);
    console.log(
      `40 traces (${format}) at once: ${sets} SETs, the slowest took ${slowest.toFixed(1)} ms`,
    );
    for (const code of codes) expect([200, 503]).toContain(code);
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
