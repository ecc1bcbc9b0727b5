/**
 * A release is followed by the next one, node by node, under load, and goes back to the first while
 * the behaviour level is not raised: about ten seconds.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOST, TestCluster, type TestNode } from './harness.ts';
import { Load } from './load.ts';
import { makeNextRelease, NEXT_BEHAVIOUR_LEVEL, NEXT_VERSION } from './next-release.ts';
import { findProgram, type Program } from './program.ts';

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.start();
});

afterAll(() => cluster?.remove());

async function restart(node: TestNode, program: Program): Promise<void> {
  expect(await node.terminate()).toBe(0);
  node.program = program;
  node.start();
  await node.ready();
}

/** Clients of an application, and the errors that their library does not hide. */
class Application {
  readonly errors = new Map<string, number>();
  done = 0;
  #ends = false;
  readonly #loops: Promise<void>[] = [];
  readonly #redis: (Redis | Cluster)[];

  constructor() {
    const places = cluster.nodes.map(({ redisPort }) => ({ host: HOST, port: redisPort }));
    this.#redis = [...places.map((place) => new Redis(place)), new Cluster(places)];
    for (const each of this.#redis) each.on('error', () => undefined);
    this.#redis.forEach((redis, at) => {
      this.#loops.push(this.#loop(redis, `application-${at}`));
    });
  }

  async #loop(redis: Redis | Cluster, key: string): Promise<void> {
    while (!this.#ends) {
      try {
        await redis.set(key, this.done);
        await redis.get(key);
        this.done += 1;
      } catch (error) {
        const { message } = error as Error;
        this.errors.set(message, (this.errors.get(message) ?? 0) + 1);
      }
      await sleep(2);
    }
  }

  async end(): Promise<void> {
    this.#ends = true;
    await Promise.all(this.#loops);
    for (const each of this.#redis) each.disconnect();
  }
}

test('nodes of two releases are one cluster, and each may be followed by the other', async () => {
  const first = findProgram();
  const next = makeNextRelease(cluster.directory);
  const application = new Application();
  const load = new Load(cluster);
  const [one, two, three] = cluster.nodes as [TestNode, TestNode, TestNode];
  const raise = (): ReturnType<TestNode['holoctl']> =>
    one.holoctl('raise-behaviour', String(NEXT_BEHAVIOUR_LEVEL));

  await restart(one, next);
  await restart(two, next);
  expect((await one.holoctl('topology')).stdout).toContain(NEXT_VERSION);
  const early = await raise();
  expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('node 3')]);
  await restart(two, first);
  await restart(two, next);
  await restart(three, next);
  await application.end();
  await load.stop();
  console.log('errors seen:', Object.fromEntries(application.errors), 'by', application.done);
  expect(application.done).toBeGreaterThan(0);
  const unexpected = [...application.errors.keys()].filter(
    (message) => !message.startsWith('SHUTDOWN refused'),
  );
  expect(unexpected).toEqual([]);
  expect(await load.problems()).toEqual([]);

  expect(await raise()).toMatchObject({ code: 0 });
  await two.terminate();
  two.program = first;
  two.start();
  expect(await two.ended).toBe(1);
  expect(two.lastWords()).toContain('at behaviour level 2');
}, 120_000);
