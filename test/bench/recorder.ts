/**
 * The cost of the trace recorder: CPU per command of three nodes that record, over that of three
 * nodes that do not (`--trace-events 0`), in interleaved pairs.
 *
 *     npm run bench -- recorder [--pairs 24] [--each 8] [--requests 100000] [--pipeline 16]
 *
 * Both clusters run side by side, and one of them is idle; each pair measures both, first one and
 * then the other in turn. Every `each` pairs both are started anew, since two processes of one
 * program differ for their whole life. The interval is a bootstrap over the pairs.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { TestCluster } from '../cluster/harness.ts';
import { hasTool } from '../cluster/redis-tools.ts';
import { measure } from './cluster.ts';

const CLIENTS = 50;
const RESAMPLES = 10_000;
const READS_PER_WRITE = 3;
const COMMANDS = ['SET', 'GET'] as const;
type Command = (typeof COMMANDS)[number];

/** CPU of a run that records over that of one that does not. */
type Ratios = Record<Command, number[]>;

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      pairs: { type: 'string', default: '24' },
      each: { type: 'string', default: '8' },
      requests: { type: 'string', default: '100000' },
      pipeline: { type: 'string', default: '16' },
    },
  });
  if (!hasTool('redis-benchmark')) {
    console.log('redis-benchmark is not installed (Debian: redis-tools); nothing was measured');
    return;
  }
  const pairs = Number(values.pairs);
  const each = Number(values.each);
  const load = { requests: Number(values.requests), pipeline: Number(values.pipeline) };
  const ratios: Ratios = { SET: [], GET: [] };
  for (let done = 0; done < pairs; done += each) {
    await measurePairs(Math.min(each, pairs - done), load, ratios);
    for (const command of COMMANDS) report(command, ratios[command]);
  }
}

async function measurePairs(
  pairs: number,
  load: { readonly requests: number; readonly pipeline: number },
  ratios: Ratios,
): Promise<void> {
  const on = await TestCluster.start();
  const off = await TestCluster.start({ flags: ['--trace-events=0'] });
  const cpuUs = async (cluster: TestCluster, command: Command): Promise<number> => {
    const pids = cluster.nodes.map(({ pid }) => pid);
    const port = cluster.node(1).redisPort;
    // A read costs a fraction of a write.
    const requests = load.requests * (command === 'GET' ? READS_PER_WRITE : 1);
    const before = pids.reduce((sum, pid) => sum + cpuNsOf(pid), 0);
    await measure({ command, clients: CLIENTS, pipeline: load.pipeline, requests }, { port, pids });
    const after = pids.reduce((sum, pid) => sum + cpuNsOf(pid), 0);
    return (after - before) / 1_000 / requests;
  };
  try {
    // Late compilation and the first flushes belong to neither.
    for (const cluster of [on, off]) for (const each of COMMANDS) await cpuUs(cluster, each);
    for (let pair = 0; pair < pairs; pair += 1) {
      const order = pair % 2 === 0 ? [on, off] : [off, on];
      for (const command of COMMANDS) {
        const found = new Map<TestCluster, number>();
        for (const cluster of order) found.set(cluster, await cpuUs(cluster, command));
        ratios[command].push((found.get(on) ?? Number.NaN) / (found.get(off) ?? Number.NaN));
      }
    }
  } finally {
    await Promise.all([on.remove(), off.remove()]);
  }
}

/** User and system time of all threads; the ticks of /proc/PID/stat would be too coarse. */
function cpuNsOf(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).reduce((sum, task) => {
    return sum + Number(readFileSync(`${tasks}/${task}/schedstat`, 'latin1').split(' ')[0]);
  }, 0);
}

function report(command: Command, ratios: readonly number[]): void {
  const [low, high] = bootstrap(ratios);
  const mean = geometricMean(ratios).toFixed(3);
  const interval = `[${low.toFixed(3)}, ${high.toFixed(3)}]`;
  console.log(`${command}: on / off ${mean} ${interval} of ${ratios.length} pairs`);
}

/** 95 percent, of the geometric mean. */
function bootstrap(ratios: readonly number[]): [low: number, high: number] {
  const means = Array.from({ length: RESAMPLES }, () =>
    geometricMean(ratios.map(() => ratios[Math.floor(Math.random() * ratios.length)] ?? 1)),
  ).sort((a, b) => a - b);
  return [means[Math.floor(0.025 * RESAMPLES)] ?? 1, means[Math.floor(0.975 * RESAMPLES)] ?? 1];
}

function geometricMean(ratios: readonly number[]): number {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}
