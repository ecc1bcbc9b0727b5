/**
 * EVAL of a script with two commands beside Redis: three nodes, a node alone, and a redis-server
 * that syncs every write, take turns. --rounds 6, --requests 30000, --depth 16, --clients 50.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TestCluster } from '../cluster/harness.ts';
import { describeMachine, startSyncedRedis } from './beside-redis.ts';
import { type Load, type Measured, measure, type Target } from './cluster.ts';
import { reportRatios } from './paired.ts';

const SCRIPT = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])";

export async function run(args: string[]): Promise<void> {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const options = {
    ...{ rounds: text('6'), requests: text('30000'), depth: text('16'), clients: text('50') },
  };
  const { values } = parseArgs({ args, options });
  const directory = mkdtempSync(join(tmpdir(), 'holo-bench-scripts-'));
  await describeMachine(directory);
  const load: Load = {
    command: 'EVAL',
    arguments: [SCRIPT, '1', 'key:__rand_int__', 'value'],
    clients: Number(values.clients),
    pipeline: Number(values.depth),
    requests: Number(values.requests),
  };
  const redis = await startSyncedRedis(directory);
  try {
    for (const nodes of [3, 1]) {
      const cluster = await TestCluster.start({ nodes, directory });
      const ours = { port: cluster.node(1).redisPort, pids: cluster.nodes.map(({ pid }) => pid) };
      const sides = [ours, { port: redis.port, pids: [redis.pid] }] as const;
      try {
        await compare(`${nodes} nodes`, load, sides, Number(values.rounds));
      } finally {
        await cluster.remove();
      }
    }
  } finally {
    await redis.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** In turns, and each round begins with the other one. */
async function compare(
  who: string,
  load: Load,
  [ours, theirs]: readonly [Target, Target],
  rounds: number,
): Promise<void> {
  const pairs: (readonly [Measured, Measured])[] = [];
  // The first one warms up.
  for (let round = 0; round <= rounds; round += 1) {
    const isFirst = round % 2 === 0;
    const early = await measure(load, isFirst ? ours : theirs);
    const late = await measure(load, isFirst ? theirs : ours);
    if (round > 0) pairs.push(isFirst ? [early, late] : [late, early]);
  }
  for (const [mine, redis] of pairs) {
    const [here, there] = [mine, redis].map(({ perSecond, p50, p99, cpuUs }) => {
      return `${Math.round(perSecond)}/s, p50 ${p50}, p99 ${p99} ms, CPU ${cpuUs.toFixed(1)} us`;
    });
    console.log(`${who}: ${here}; Redis: ${there}`);
  }
  const ratios = pairs.map(([mine, redis]) => mine.perSecond / redis.perSecond);
  reportRatios(`${who} / Redis: EVAL/s`, ratios);
  reportRatios(
    `${who} / Redis: CPU`,
    pairs.map(([mine, redis]) => mine.cpuUs / redis.cpuUs),
  );
}
