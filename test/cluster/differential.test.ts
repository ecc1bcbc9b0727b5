/**
 * The streams of commands that a state machine is compared by, spread over three nodes: what one
 * client sends by turns to different nodes is answered as one server of reference answers it, also
 * while a node is killed and when it is back. `HOLO_DIFFERENTIAL_RUNS` makes it run longer.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Judge } from '../storage/differential/judge.ts';
import { type Oracle, startOracles } from '../storage/differential/oracle.ts';
import { connectTo, type RedisConnection } from '../storage/differential/redis-server.ts';
import type { Value } from '../storage/differential/replies.ts';
import { STREAMS } from '../storage/differential/streams.ts';
import { TestCluster } from './harness.ts';

const RUNS = Number(process.env['HOLO_DIFFERENTIAL_RUNS'] ?? 6);
const TIMEOUT_MS = 60_000 + 2_000 * RUNS;
const CHUNK_MAX = 12;

/** Where the next commands go, and how many of them in one write. */
const turn = fc.record({
  node: fc.integer({ min: 0, max: 2 }),
  commands: fc.integer({ min: 1, max: CHUNK_MAX }),
});
const turns = fc.array(turn, { minLength: 10, maxLength: 10 });
/** One stream of so many runs while one node is down. */
const KILL_EVERY = 15;

type Turns = readonly { readonly node: number; readonly commands: number }[];

/** Over the connections in turn, each part after the replies to the one before. */
async function runSpread(
  connections: readonly RedisConnection[],
  places: Turns,
  commands: readonly (readonly string[])[],
): Promise<Value[]> {
  const replies: Value[] = [];
  for (let n = 0; replies.length < commands.length; n += 1) {
    const { node, commands: count } = places[n % places.length] as Turns[number];
    const part = commands.slice(replies.length, replies.length + count);
    const connection = connections[node % connections.length] as RedisConnection;
    replies.push(...(await connection.run(part)));
  }
  return replies;
}

const oracles: Oracle[] = await startOracles();

describe.skipIf(oracles.length === 0)('three nodes against servers of reference', () => {
  const judge = new Judge(oracles);
  let cluster: TestCluster;
  let streams = 0;
  let kills = 0;

  beforeAll(async () => {
    cluster = await TestCluster.start();
  });

  afterAll(async () => {
    console.info(`${judge.compared} replies compared, ${kills} times with a killed node`);
    for (const oracle of oracles) oracle.close();
    await cluster?.remove();
  });

  /** At times with one node down; all are up before and afterwards. */
  async function amidKills(run: () => Promise<void>): Promise<void> {
    streams += 1;
    if (streams % KILL_EVERY !== 0) return run();
    const node = cluster.node((kills % cluster.nodes.length) + 1);
    kills += 1;
    await node.kill();
    try {
      await run();
    } finally {
      node.start();
      await node.ready();
    }
  }

  const cases = STREAMS.flatMap((stream) =>
    ([2, 3] as const).map((protocol) => ({ ...stream, protocol })),
  );
  test.each(cases)(
    'answer commands on $name as one server, in RESP$protocol',
    async ({ command, protocol }) => {
      const sequences = fc.array(command, { minLength: 1, maxLength: 120, size: 'max' });
      await fc.assert(
        fc.asyncProperty(sequences, turns, async (commands, places) => {
          await amidKills(async () => {
            const up = cluster.nodes.filter(({ isRunning }) => isRunning);
            const connections = await Promise.all(
              up.map(({ redisPort }) => connectTo(redisPort, protocol)),
            );
            await connections[0]?.run([['FLUSHALL']]);
            const error = await judge.errorIn(commands, protocol, (all) =>
              runSpread(connections, places, all),
            );
            for (const connection of connections) connection.close();
            expect(error).toBeUndefined();
          });
        }),
        { numRuns: RUNS, endOnFailure: true },
      );
    },
    TIMEOUT_MS,
  );
});
