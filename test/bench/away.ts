/**
 * One of three nodes is away while many writes go on, and comes back.
 *
 *     npm run bench -- away [--writes N] [--keys N] [--bytes N] [--retained SIZE] [--ranges N]
 *                           [--directory PATH]
 *
 * Shown are writes that were refused (there must be none), their times, what the others keep
 * meanwhile, the generations of the ranges, and how long the node takes from its start until it has
 * all data, with what `holoctl ranges` shows of that.
 */
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import type { RangeReport } from '../../transport/http/topology-report.ts';
import { HOST, TestCluster, type TestNode } from '../cluster/harness.ts';

const CLIENTS = 16;
/** Writes of a client that are sent together. */
const PIPELINE = 8;
const LOOK_MS = 500;
const CURRENT_MS_MAX = 120_000;

interface Written {
  readonly timesMs: number[];
  readonly refused: Map<string, number>;
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      writes: { type: 'string', default: '1000000' },
      keys: { type: 'string', default: '100000' },
      bytes: { type: 'string', default: '1024' },
      retained: { type: 'string', default: '16mb' },
      ranges: { type: 'string', default: '1' },
      directory: { type: 'string', default: tmpdir() },
    },
  });
  const flags = [`--retained-bytes-max=${values.retained}`, `--initial-ranges=${values.ranges}`];
  const cluster = await TestCluster.start({ directory: values.directory, flags });
  try {
    const value = 'v'.repeat(Number(values.bytes));
    await write(cluster, 1_000, Number(values.keys), value);
    await cluster.node(3).kill();
    await writeWithoutOne(cluster, Number(values.writes), Number(values.keys), value);
    await comeBack(cluster);
  } finally {
    await cluster.remove();
  }
}

async function writeWithoutOne(
  cluster: TestCluster,
  writes: number,
  keys: number,
  value: string,
): Promise<void> {
  let isDone = false;
  const kept: number[] = [];
  const looks = (async () => {
    while (!isDone) {
      kept.push(await retainedOf(cluster.node(1)));
      await sleep(LOOK_MS);
    }
  })();
  const startedMs = performance.now();
  const { timesMs, refused } = await write(cluster, writes, keys, value);
  const tookMs = performance.now() - startedMs;
  isDone = true;
  await looks;
  timesMs.sort((a, b) => a - b);
  const at = (share: number): string =>
    (timesMs[Math.floor(share * (timesMs.length - 1))] ?? 0).toFixed(1);
  const failed = [...refused].map(([why, count]) => `${count} of ${why}`).join(', ');
  console.log(`${writes} writes while node 3 is away: ${((writes / tookMs) * 1_000).toFixed(0)}/s`);
  console.log(`  refused: ${failed === '' ? 'none' : failed}`);
  console.log(`  ${PIPELINE} writes: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`);
  const most = Math.max(...kept) / 2 ** 20;
  console.log(
    `  kept: at most ${most.toFixed(1)} MiB, ${((kept.at(-1) ?? 0) / 2 ** 20).toFixed(1)} at the end`,
  );
  console.log(`  ranges: ${described(await rangesOf(cluster.node(1)))}`);
}

async function write(
  cluster: TestCluster,
  writes: number,
  keys: number,
  value: string,
): Promise<Written> {
  const timesMs: number[] = [];
  const refused = new Map<string, number>();
  let left = writes;
  const one = async (client: Redis): Promise<void> => {
    while (left > 0) {
      const count = Math.min(PIPELINE, left);
      left -= count;
      const startedMs = performance.now();
      const key = (): string => `key-${Math.floor(Math.random() * keys)}`;
      const sent = Array.from({ length: count }, () => client.set(key(), value));
      for (const outcome of await Promise.allSettled(sent)) {
        if (outcome.status === 'fulfilled') continue;
        const why = String(outcome.reason).slice(0, 60);
        refused.set(why, (refused.get(why) ?? 0) + 1);
      }
      timesMs.push(performance.now() - startedMs);
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, at) => {
    return new Redis(cluster.node(1 + (at % 2)).redisPort, HOST);
  });
  await Promise.all(clients.map(one));
  for (const client of clients) client.disconnect();
  return { timesMs, refused };
}

async function comeBack(cluster: TestCluster): Promise<void> {
  const node = cluster.node(3);
  const startedMs = performance.now();
  const seconds = (): string => ((performance.now() - startedMs) / 1_000).toFixed(1);
  node.start();
  await node.ready();
  console.log(`node 3 is ready ${seconds()} s after its start`);
  let last = '';
  while (performance.now() < startedMs + CURRENT_MS_MAX) {
    const ranges = await rangesOf(node);
    const isCurrent = ranges.every(({ owed, keys }) => owed.length === 0 && keys !== undefined);
    const shown = described(ranges);
    if (shown !== last) console.log(`  ${seconds()} s: ${shown}`);
    last = shown;
    if (isCurrent) {
      console.log(`node 3 has all data ${seconds()} s after its start`);
      return;
    }
    await sleep(100);
  }
  console.log('node 3 does not become current');
}

async function rangesOf(node: TestNode): Promise<readonly RangeReport[]> {
  const { stdout } = await node.holoctl('ranges', '--json');
  return JSON.parse(stdout) as RangeReport[];
}

function described(ranges: readonly RangeReport[]): string {
  return ranges
    .map(({ range, generation, owed, keys = '-', fetchedBytes = 0 }) => {
      const come = (fetchedBytes / 2 ** 20).toFixed(1);
      return `${range}.${generation} owed [${owed}] keys ${keys} fetched ${come} MiB`;
    })
    .join('; ');
}

async function retainedOf(node: TestNode): Promise<number> {
  return Number((await node.info('replication'))['repl_backlog_histlen']);
}
