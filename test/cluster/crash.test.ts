/** About a minute and a half; HOLO_LONG=1 makes it twenty rounds of killing instead of three. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { Words } from './client.ts';
import { TestCluster } from './harness.ts';
import { Load } from './load.ts';

const { HOLO_LONG } = process.env;
const LONG = HOLO_LONG === '1';
const ROUNDS = LONG ? 20 : 1;
/** Without any acknowledgement; a machine under load may stand still for seconds. */
const GAP_MS_MAX = 10_000;
const TIMEOUT_MS = LONG ? 900_000 : 120_000;

let cluster: TestCluster | undefined;

afterEach(async () => {
  await cluster?.remove();
  cluster = undefined;
});

function between(msMin: number, msMax: number): number {
  return msMin + Math.random() * (msMax - msMin);
}

/** Scripts that a limit ends, and one that ends by an error of its own: that keeps its write. */
const ENDED = ["string.find(('a'):rep(28), ('a-'):rep(14) .. 'b')", "string.rep('x', 1e9)"];
const RAISED = "assert(loadstring('return ' .. ('('):rep(1e5)))";

async function runBombs({ nodes }: TestCluster): Promise<void> {
  for (const node of nodes) {
    const client = node.client();
    const run = (code: string) =>
      client.run('EVAL', `redis.call('rpush', KEYS[1], 'x') ${code}`, '1', 'bombs');
    for (const code of ENDED) {
      expect(await run(code)).toMatchObject({ why: expect.stringMatching(/^TOOLARGE refused/) });
    }
    expect(await run(RAISED)).toMatchObject({ why: expect.stringMatching(/syntax levels/) });
    client.close();
  }
}

/** As each node has it. */
async function expectBombs({ nodes }: TestCluster): Promise<void> {
  for (const node of nodes) {
    const client = node.client();
    expect(await client.must('LLEN', 'bombs')).toBe(nodes.length);
    client.close();
  }
}

/** Waits for so many more acknowledged writes, however slow the machine. Returns how long. */
async function acknowledged(load: Load, count: number): Promise<number> {
  const enough = load.acknowledged + count;
  const start = performance.now();
  while (load.acknowledged < enough) {
    if (performance.now() - start > GAP_MS_MAX + 100 * count) throw new Error('it has stopped');
    await sleep(10);
  }
  return performance.now() - start;
}

describe('kill -9 under load', () => {
  test(
    'of each node in turn: nothing acknowledged is lost, the others go on',
    async () => {
      cluster = await TestCluster.start();
      const load = new Load(cluster, { clientsPerNode: 2 });
      let gapMsMax = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const node of cluster.nodes) {
          await sleep(between(100, 800));
          await node.kill();
          gapMsMax = Math.max(gapMsMax, await acknowledged(load, 1));
          await acknowledged(load, between(20, 100));
          node.start();
          await node.ready();
        }
      }
      await sleep(500);
      await load.stop();
      console.log(`kills: ${3 * ROUNDS}, longest gap ${gapMsMax.toFixed()} ms; ${load.describe()}`);
      expect(await load.problems()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'of all nodes at once: what was acknowledged is there again',
    async () => {
      cluster = await TestCluster.start();
      await runBombs(cluster);
      await expectBombs(cluster);
      for (let round = 0; round < Math.min(ROUNDS, 6) + 1; round += 1) {
        const load = new Load(cluster, { clientsPerNode: 2, prefix: `round${round}.` });
        await acknowledged(load, between(50, 300));
        await cluster.killAll();
        await load.stop();
        await cluster.startAll();
        expect(await load.problems()).toEqual([]);
        await expectBombs(cluster);
        console.log(`all killed; ${load.describe()}`);
      }
    },
    TIMEOUT_MS,
  );
});

test('without a majority commands are refused in time and by name; with one it goes on', async () => {
  cluster = await TestCluster.start({ flags: ['--command-timeout-ms=1000'] });
  const [first, second, third] = cluster.nodes;
  if (first === undefined || second === undefined || third === undefined) throw new Error('few');
  const client = first.client();
  expect(await client.run('SET', 'k', 'before')).toEqual({ type: 'ok', reply: 'OK' });
  await Promise.all([second.kill(), third.kill()]);
  const limitMs = 2_000;
  const commands: readonly Words[] = [
    ['SET', 'k', 'during'],
    ['GET', 'k'],
  ];
  for (const words of commands) {
    const start = performance.now();
    const outcome = await client.run(...words);
    expect(performance.now() - start).toBeLessThan(limitMs);
    expect(outcome.type).toMatch(/refused|unknown/);
    expect(outcome).toMatchObject({ why: expect.stringMatching(/majority/) });
  }
  // By now the node knows that it is alone, and says that nothing was done.
  expect(await client.run('SET', 'k', 'never')).toMatchObject({
    type: 'refused',
    why: expect.stringMatching(/^NOQUORUM refused/),
  });
  const { status, body } = await first.http('/readyz');
  expect([status, body]).toEqual([503, expect.stringContaining('only 1 of 3 members')]);
  third.start();
  await third.ready();
  const start = performance.now();
  let outcome = await client.run('SET', 'k', 'after');
  while (outcome.type !== 'ok' && performance.now() - start < 10_000) {
    outcome = await client.run('SET', 'k', 'after');
  }
  console.log(`goes on ${(performance.now() - start).toFixed()} ms after a majority is ready`);
  expect(outcome).toEqual({ type: 'ok', reply: 'OK' });
  expect(await third.client().must('GET', 'k')).toBe('after');
  client.close();
});

test('five nodes of which two are dead serve reads and writes', async () => {
  cluster = await TestCluster.start({ nodes: 5 });
  await cluster.node(1).client().must('SET', 'k', 'all alive');
  await Promise.all([cluster.node(2).kill(), cluster.node(4).kill()]);
  const load = new Load(cluster);
  const gapMs = await acknowledged(load, 1);
  await acknowledged(load, 200);
  await load.stop();
  console.log(`five nodes, two dead: first answer after ${gapMs.toFixed()} ms; ${load.describe()}`);
  for (const node of cluster.nodes.filter(({ isRunning }) => isRunning)) {
    expect(await node.client().must('GET', 'k')).toBe('all alive');
  }
  expect(await load.problems()).toEqual([]);
  cluster.node(2).start();
  cluster.node(4).start();
  await cluster.ready();
  expect(await load.problems()).toEqual([]);
});
