/**
 * Pipelined SETs of large values beside Redis: three nodes, and a redis-server that syncs every
 * write, take turns. --rounds 4, --values 150, --bytes 1048576. Needs redis-server.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { TestCluster } from '../cluster/harness.ts';
import { RawClient, request } from '../cluster/raw-client.ts';
import { describeMachine, startSyncedRedis } from './beside-redis.ts';
import { median, reportRatios } from './paired.ts';

export async function run(args: string[]): Promise<void> {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const options = { rounds: text('4'), values: text('150'), bytes: text('1048576') };
  const { values } = parseArgs({ args, options });
  const directory = mkdtempSync(join(tmpdir(), 'holo-large-values-'));
  await describeMachine(directory);
  const redis = await startSyncedRedis(directory);
  const cluster = await TestCluster.start({ directory, flags: ['--log-level=warn'] });
  try {
    const bytes = Buffer.alloc(Number(values.bytes), 'v');
    const sets = Array.from({ length: Number(values.values) }, (_, at) =>
      request('SET', `large${at}`, bytes),
    );
    const ports = { nodes: cluster.node(1).redisPort, redis: redis.port };
    const took: Record<keyof typeof ports, number[]> = { nodes: [], redis: [] };
    // The first one warms up.
    for (let round = 0; round <= Number(values.rounds); round += 1) {
      const sides = ['nodes', 'redis'] as const;
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        const ms = await send(ports[side], sets);
        if (round > 0) took[side].push(ms);
        console.log(`round ${round}, ${side}: ${ms.toFixed(0)} ms`);
      }
    }
    const [ours, theirs] = [median(took.nodes), median(took.redis)];
    console.log(`median: nodes ${ours.toFixed(0)} ms, Redis ${theirs.toFixed(0)} ms`);
    reportRatios(
      'time: nodes / Redis',
      took.nodes.map((ms, at) => ms / (took.redis[at] as number)),
    );
  } finally {
    await Promise.all([redis.stop(), cluster.remove()]);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Milliseconds until all are answered. */
async function send(port: number, sets: readonly Buffer[]): Promise<number> {
  const client = new RawClient(port);
  const startMs = performance.now();
  const answered = await client.run(...sets);
  const tookMs = performance.now() - startMs;
  const { errors } = client;
  client.close();
  if (!answered || errors > 0) throw new Error(`the SETs were not answered (${errors} errors)`);
  return tookMs;
}
