/** A node whose wall clock is set ten minutes ahead while it runs, and back. A quarter of a minute. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOST, TestCluster, type TestNode } from './harness.ts';
import { SkewedClock } from './skewed-clock.ts';

const directory = mkdtempSync(join(tmpdir(), 'holo-test-clock-'));
const clock = new SkewedClock(directory, 2);
let cluster: TestCluster;

beforeAll(async () => {
  const nodeArguments = (id: number): readonly string[] => (id === 2 ? clock.nodeArguments : []);
  cluster = await TestCluster.start({ nodeArguments });
});

afterAll(async () => {
  await cluster?.remove();
  rmSync(directory, { recursive: true, force: true });
});

async function readyz(node: TestNode, status: number): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const answer = await node.http('/readyz');
    if (answer.status === status) return answer.body;
    if (tries > 100) throw new Error(`${answer.status}: ${answer.body}`);
    await sleep(100);
  }
}

async function ask(node: TestNode, command: string, ...args: string[]): Promise<unknown> {
  const redis = new Redis({ host: HOST, port: node.redisPort, maxRetriesPerRequest: 0 });
  try {
    return await redis.call(command, ...args);
  } catch (error) {
    return error instanceof Error ? error.message : error;
  } finally {
    redis.disconnect();
  }
}

test('it says so, refuses its own writes, reads on, and is well again when it is right', async () => {
  const [one, two] = [cluster.node(1), cluster.node(2)];
  expect(await ask(one, 'SET', 'lock', 'A', 'PX', '300000')).toBe('OK');
  clock.step(600_000);
  expect(await readyz(two, 503)).toMatch(/clock of this node is \d+ s ahead of its peers'/);
  const { body: metrics } = await two.http('/metrics');
  const offset = Number(/^holostore_clock_offset_seconds (.*)$/m.exec(metrics)?.[1]);
  expect(offset).toBeGreaterThan(590);
  expect(offset).toBeLessThan(610);
  expect(await ask(two, 'SET', 'k', 'v')).toMatch(/^CLOCK refused, nothing was done: the clock/);
  expect(await ask(two, 'GET', 'lock')).toBe('A');
  for (let count = 1; count <= 20; count += 1) expect(await ask(one, 'INCR', 'n')).toBe(count);
  expect(await ask(one, 'SET', 'lock', 'B', 'NX')).toBe(null);
  const left = Number(await ask(two, 'PTTL', 'lock'));
  expect(left).toBeLessThanOrEqual(300_000);
  expect(left).toBeGreaterThan(100_000);
  expect(await readyz(one, 200)).toBe('ready\n');
  clock.heal();
  await readyz(two, 200);
  expect(await ask(two, 'SET', 'k', 'v')).toBe('OK');
  const lines = two
    .log()
    .split('\n')
    .filter((line) => line.includes('ahead of its peers'));
  expect(lines).toHaveLength(1);
});
