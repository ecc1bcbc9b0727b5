/**
 * One of three nodes is killed under load: how fast the others are before it and after.
 *
 *     npm run bench -- one-down [--ranges N] [--only TEXT] [--seconds N] [--directory PATH]
 *
 * The client is redis-benchmark on the same machine, against one of the nodes that stay, with keys
 * over all ranges. Each case has a cluster of its own. A line per half second shows the commands of
 * that node, and which of its transactions were decided fast; the last line compares all that comes
 * from three seconds after the kill on with what was before it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { HOST, TestCluster, type TestNode } from '../cluster/harness.ts';
import { hasTool } from '../cluster/redis-tools.ts';

interface Case {
  readonly command: 'SET' | 'GET';
  readonly pipeline: number;
}

const CASES: readonly Case[] = [
  { command: 'SET', pipeline: 16 },
  { command: 'GET', pipeline: 16 },
  { command: 'SET', pipeline: 1 },
  { command: 'GET', pipeline: 1 },
];
const CLIENTS = 50;
const KEYS = 100_000;
const WARM_MS = 2_000;
const STEP_MS = 500;
/** The others must be as fast as before by then. */
const AFTER_MS = 3_000;

interface Counts {
  readonly atMs: number;
  readonly commands: number;
  readonly fast: number;
  readonly slow: number;
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      ranges: { type: 'string', default: '16' },
      only: { type: 'string', default: '' },
      seconds: { type: 'string', default: '5' },
      directory: { type: 'string', default: tmpdir() },
    },
  });
  if (!hasTool('redis-benchmark')) {
    console.log('redis-benchmark is not installed (Debian: redis-tools); nothing was measured');
    return;
  }
  for (const one of CASES) {
    const name = `${one.command}, c${CLIENTS} P${one.pipeline}`;
    if (!name.includes(values.only)) continue;
    const flags = [`--initial-ranges=${values.ranges}`];
    const cluster = await TestCluster.start({ directory: values.directory, flags });
    const load = start(one, cluster.node(1).redisPort);
    try {
      await measure(name, cluster, Number(values.seconds) * 1_000);
    } finally {
      load.kill();
      await cluster.remove();
    }
  }
}

function start({ command, pipeline }: Case, port: number): ChildProcess {
  const args = [
    ...['-h', HOST, '-p', String(port), '-t', command.toLowerCase(), '-q', '-l'],
    ...['-c', String(CLIENTS), '-P', String(pipeline), '-n', '1000000', '-r', String(KEYS)],
  ];
  return spawn('redis-benchmark', args, { stdio: 'ignore' });
}

async function measure(name: string, cluster: TestCluster, forMs: number): Promise<void> {
  const node = cluster.node(1);
  await sleep(WARM_MS);
  const before = [await counts(node), await countsAfter(node, forMs)] as const;
  const killedMs = performance.now();
  await cluster.node(3).kill();
  const steps = [before[1]];
  while (performance.now() < killedMs + AFTER_MS + forMs) {
    steps.push(await countsAfter(node, STEP_MS));
    const [from, to] = steps.slice(-2) as [Counts, Counts];
    const at = ((to.atMs - killedMs) / 1_000).toFixed(1);
    console.log(`  ${name}: ${at} s after the kill: ${rateOf(from, to)}`);
  }
  const first = steps.find(({ atMs }) => atMs >= killedMs + AFTER_MS) ?? before[1];
  const last = steps.at(-1) ?? first;
  const ratio = perSecond(first, last) / perSecond(...before);
  console.log(`${name}: before ${rateOf(...before)}; from ${AFTER_MS / 1_000} s after the kill on`);
  console.log(`  ${rateOf(first, last)}: ${ratio.toFixed(2)} of what it was`);
}

async function countsAfter(node: TestNode, ms: number): Promise<Counts> {
  await sleep(ms);
  return counts(node);
}

async function counts(node: TestNode): Promise<Counts> {
  const [stats, store] = [await node.info('stats'), await node.info('holostore')];
  return {
    atMs: performance.now(),
    commands: Number(stats['total_commands_processed']),
    fast: Number(store['transactions_fast']),
    slow: Number(store['transactions_slow']),
  };
}

function perSecond(from: Counts, to: Counts): number {
  return ((to.commands - from.commands) * 1_000) / (to.atMs - from.atMs);
}

function rateOf(from: Counts, to: Counts): string {
  const decided = `${to.fast - from.fast} fast, ${to.slow - from.slow} slow`;
  return `${(perSecond(from, to) / 1_000).toFixed(1)} k/s, ${decided}`;
}
