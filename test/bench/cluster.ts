/**
 * A whole cluster beside one Redis that syncs every write: same client, same machine, same run.
 *
 *     npm run bench -- cluster [--quick] [--nodes 3|5] [--no-redis] [--only TEXT] [--directory PATH]
 *
 * The client is redis-benchmark on the same machine, against one node. Redis runs with
 * `--appendonly yes --appendfsync always --save ''` and without replicas: it keeps one copy, we
 * keep as many as there are nodes, and all of them share this machine's cores and disk.
 */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { HOST, TestCluster } from '../cluster/harness.ts';
import { hasTool, runTool } from '../cluster/redis-tools.ts';
import { describeMachine, startSyncedRedis } from './beside-redis.ts';

/** One run of redis-benchmark. */
export interface Load {
  readonly command: string;
  /** Absent: those of its own test of that name. */
  readonly arguments?: readonly string[];
  readonly clients: number;
  readonly pipeline: number;
  readonly requests: number;
}

const CASES: readonly Load[] = [
  { command: 'SET', clients: 50, pipeline: 100, requests: 1_000_000 },
  { command: 'GET', clients: 50, pipeline: 100, requests: 1_000_000 },
  { command: 'SET', clients: 50, pipeline: 16, requests: 400_000 },
  { command: 'GET', clients: 50, pipeline: 16, requests: 400_000 },
  { command: 'SET', clients: 50, pipeline: 1, requests: 100_000 },
  { command: 'GET', clients: 50, pipeline: 1, requests: 100_000 },
  { command: 'SET', clients: 1, pipeline: 1, requests: 5_000 },
  { command: 'GET', clients: 1, pipeline: 1, requests: 10_000 },
  { command: 'INCR', clients: 50, pipeline: 16, requests: 400_000 },
  { command: 'MSET', clients: 50, pipeline: 16, requests: 60_000 },
];

const KEYS = 100_000;
const QUICK_SHARE = 0.1;
const CASE_TIMEOUT_MS = 180_000;
/** Linux: what /proc counts in. */
const TICKS_PER_SECOND = 100;

export interface Target {
  readonly port: number;
  readonly pids: readonly number[];
  /** Over TLS: the file of those that have issued its certificate. */
  readonly issuers?: string;
}

export interface Measured {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** User and system, all processes of the target, per request. */
  readonly cpuUs: number;
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      nodes: { type: 'string', default: '3' },
      redis: { type: 'boolean', default: true },
      only: { type: 'string', default: '' },
      directory: { type: 'string', default: tmpdir() },
    },
    allowNegative: true,
  });
  if (!hasTool('redis-benchmark')) {
    console.log('redis-benchmark is not installed (Debian: redis-tools); nothing was measured');
    return;
  }
  const share = values.quick ? QUICK_SHARE : 1;
  const cases = CASES.map((one) => ({ ...one, requests: Math.round(one.requests * share) })).filter(
    (one) => nameOf(one).includes(values.only),
  );
  const nodes = Number(values.nodes);
  await describeMachine(values.directory);
  const theirs = values.redis ? await measureRedis(cases, values.directory) : undefined;
  const { results, rssMib, cpuSeconds } = await measureCluster(cases, nodes, values.directory);
  print(cases, nodes, theirs, results);
  for (let at = 0; at < nodes; at += 1) {
    const cpu = cpuSeconds[at]?.toFixed(1);
    console.log(`node ${at + 1}: ${cpu} s of CPU over all cases, ${rssMib[at]?.toFixed()} MiB RSS`);
  }
  console.log('etcd is not measured: redis-benchmark does not speak its protocol.');
}

async function measureRedis(
  cases: readonly Load[],
  directory: string,
): Promise<Measured[] | undefined> {
  if (!hasTool('redis-server')) {
    console.log('redis-server is not installed; there is nothing to compare with');
    return undefined;
  }
  const redis = await startSyncedRedis(directory);
  try {
    return await measureAll('Redis', cases, { port: redis.port, pids: [redis.pid] });
  } finally {
    await redis.stop();
  }
}

async function measureCluster(cases: readonly Load[], nodes: number, directory: string) {
  const cluster = await TestCluster.start({ nodes, directory });
  try {
    const pids = cluster.nodes.map(({ pid }) => pid);
    const before = pids.map(cpuSecondsOf);
    const target = { port: cluster.node(1).redisPort, pids };
    const results = await measureAll('HoloStore', cases, target);
    return {
      results,
      rssMib: pids.map(rssMibOf),
      cpuSeconds: pids.map((pid, at) => cpuSecondsOf(pid) - (before[at] ?? 0)),
    };
  } finally {
    await cluster.remove();
  }
}

async function measureAll(
  who: string,
  cases: readonly Load[],
  target: Target,
): Promise<Measured[]> {
  const results: Measured[] = [];
  for (const one of cases) {
    const measured = await measure(one, target);
    const { perSecond, p50, p99 } = measured;
    console.log(`${who}, ${nameOf(one)}: ${thousands(perSecond)} k/s, p50 ${p50}, p99 ${p99} ms`);
    results.push(measured);
  }
  return results;
}

/** Runs it. */
export async function measure(one: Load, target: Target): Promise<Measured> {
  const { command, clients, pipeline, requests } = one;
  const args = [
    ...['-h', HOST, '-p', String(target.port), '--csv', '--precision', '3'],
    ...['-c', String(clients), '-P', String(pipeline)],
    ...['-n', String(requests), '-r', String(KEYS)],
    ...(target.issuers === undefined ? [] : ['--tls', '--cacert', target.issuers]),
    ...(one.arguments === undefined ? ['-t', command.toLowerCase()] : [command, ...one.arguments]),
  ];
  const before = sum(target.pids.map(cpuSecondsOf));
  const { code, stdout, stderr } = await runTool('redis-benchmark', args, CASE_TIMEOUT_MS);
  const cpuSeconds = sum(target.pids.map(cpuSecondsOf)) - before;
  const row = stdout.split('\n').find((line) => line.startsWith(`"${command}`));
  if (code !== 0 || row === undefined) {
    throw new Error(`redis-benchmark ${args.join(' ')}: ${code}; ${stdout.slice(-300)} ${stderr}`);
  }
  const columns = row.split('","').map((text) => Number(text.replaceAll('"', '')));
  const [, perSecond = 0, , , p50 = 0, , p99 = 0] = columns;
  return { perSecond, p50, p99, cpuUs: (cpuSeconds * 1e6) / requests };
}

function print(
  cases: readonly Load[],
  nodes: number,
  theirs: readonly Measured[] | undefined,
  ours: readonly Measured[],
): void {
  const columns = ['k/s', 'p50 ms', 'p99 ms', 'CPU µs'];
  const head = ['', ...columns.map((each) => `Redis ${each}`)];
  head.push(...columns.map((each) => `${nodes} nodes ${each}`), 'ratio');
  const colAligns = head.map((_, at) => (at === 0 ? 'left' : 'right') as 'left' | 'right');
  const table = new Table({ head, colAligns, style: { head: [], border: [] }, wordWrap: true });
  cases.forEach((one, at) => {
    const mine = ours[at];
    const other = theirs?.[at];
    const ratio = mine === undefined || other === undefined ? 0 : mine.perSecond / other.perSecond;
    table.push([nameOf(one), ...cells(other), ...cells(mine), ratio === 0 ? '' : ratio.toFixed(3)]);
  });
  console.log(table.toString());
}

function cells(measured: Measured | undefined): string[] {
  if (measured === undefined) return ['', '', '', ''];
  const { perSecond, p50, p99, cpuUs } = measured;
  return [thousands(perSecond), p50.toFixed(2), p99.toFixed(2), cpuUs.toFixed(1)];
}

function nameOf({ command, clients, pipeline }: Load): string {
  return `${command} c${clients} P${pipeline}`;
}

function thousands(value: number): string {
  return value < 100_000 ? (value / 1_000).toFixed(2) : (value / 1_000).toFixed(0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** User and system time of a process so far; 0 where there is no /proc. */
function cpuSecondsOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

function rssMibOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
