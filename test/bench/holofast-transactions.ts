/**
 * Whole transactions (SET by redis-benchmark at node 1) over TCP alone and over HoloFast's tiers,
 * in one run and in turns: 3 and 5 real nodes, on `lo` and in network namespaces. What counts is
 * the ratio within a run: the machine is shared. CPU is that of node 1, the coordinator, per
 * transaction; its system calls are counted in a phase of their own. `--replicas 3,5`,
 * `--clients 1,50`, `--requests N` per case (a fifth of them for one client), `--warmup N`
 * before all of them, until the compiler has nothing left to do, `--rounds N`,
 * `--places lo,netns`, `--modes off,userspace,sendmmsg,kernel`, `--program FILE`, `--json`;
 * `--nice=-20` keeps a shared machine's other work out of the way.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { buildHoloFast } from '../../bpf/native/build.ts';
import { oneLine } from '../../bpf/native/native.ts';
import { probe } from '../../bpf/native/probe.ts';
import type { HoloFastMode } from '../../bpf/path/holofast-mode.ts';
import { atPlace, type Host, hasTool, RealCluster, type RealNode } from '../bpf/real-cluster.ts';
import { median } from './paired.ts';
import { SyscallCounter } from './syscalls.ts';

const portBase = 7900;
const compiled = join(import.meta.dirname, '../../dist/actors/main.js');
const tierOf: Readonly<Record<string, number>> = { userspace: 0, sendmmsg: 1, kernel: 2 };

interface Measured {
  readonly place: string;
  readonly replicas: number;
  readonly clients: number;
  readonly mode: string;
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUsPerTransaction: number;
  readonly cpuUsPerCommand: number;
  readonly commandsPerTransaction: number;
  readonly slowShare: number;
  /** Of node 1; NaN where they are not counted. */
  readonly syscallsPerTransaction: number;
}

const syscalls = new SyscallCounter();

/** The arguments of redis-benchmark. */
function setLoad(clients: number, requests: number): string[] {
  const load = ['-t', 'set', '-d', '64', '-r', '10000'];
  return [...load, '-c', String(clients), '-n', String(requests)];
}

async function countSyscalls(
  cluster: RealCluster,
  node: RealNode,
  load: readonly string[],
): Promise<number> {
  const transactions = (): number => Number(cluster.info(node, 'holostore')['batches']);
  const before = transactions();
  const calls = await syscalls.during(node.child.pid, () => cluster.benchmark(node, load));
  return calls === undefined ? Number.NaN : Math.round(calls / (transactions() - before));
}

async function measure(
  cluster: RealCluster,
  what: { place: string; replicas: number; clients: number; mode: string },
  requests: number,
): Promise<Measured> {
  const node = cluster.first;
  const some = setLoad(what.clients, Math.ceil(requests / 4));
  await cluster.benchmark(node, some);
  const before = cluster.info(node, 'holostore');
  const cpuUs = cluster.cpuUs(node);
  const { rps, p50, p99 } = await cluster.benchmark(node, setLoad(what.clients, requests));
  const usedUs = cluster.cpuUs(node) - cpuUs;
  const after = cluster.info(node, 'holostore');
  const delta = (name: string): number => Number(after[name]) - Number(before[name]);
  const transactions = delta('batches');
  return {
    ...what,
    opsPerSecond: Math.round(rps),
    p50Ms: p50,
    p99Ms: p99,
    cpuUsPerTransaction: Math.round(usedUs / transactions),
    cpuUsPerCommand: Math.round((usedUs / requests) * 10) / 10,
    commandsPerTransaction: Math.round((requests / transactions) * 10) / 10,
    slowShare: Math.round((delta('transactions_slow') / transactions) * 1000) / 1000,
    syscallsPerTransaction: await countSyscalls(cluster, node, some),
  };
}

/** Each number is the median of its own rounds. */
function summary(rounds: readonly Measured[]): Measured {
  const [first] = rounds;
  if (first === undefined) throw new Error('nothing was measured');
  const of = (pick: (one: Measured) => number): number => median(rounds.map(pick));
  return {
    ...first,
    opsPerSecond: of((one) => one.opsPerSecond),
    p50Ms: of((one) => one.p50Ms),
    p99Ms: of((one) => one.p99Ms),
    cpuUsPerTransaction: of((one) => one.cpuUsPerTransaction),
    cpuUsPerCommand: of((one) => one.cpuUsPerCommand),
    commandsPerTransaction: of((one) => one.commandsPerTransaction),
    slowShare: of((one) => one.slowShare),
    syscallsPerTransaction: of((one) => one.syscallsPerTransaction),
  };
}

function print(results: readonly Measured[]): void {
  const head = ['place', 'RF', 'clients', 'mode', 'ops/s', 'p50 ms', 'p99 ms'];
  const table = new Table({
    head: [...head, 'CPU us/txn', 'CPU us/op', 'ops/txn', 'slow', 'syscalls/txn'],
    style: { head: [], border: [] },
  });
  for (const one of results) {
    table.push([
      ...[one.place, one.replicas, one.clients, one.mode, one.opsPerSecond, one.p50Ms, one.p99Ms],
      ...[one.cpuUsPerTransaction, one.cpuUsPerCommand, one.commandsPerTransaction, one.slowShare],
      Number.isNaN(one.syscallsPerTransaction) ? '-' : one.syscallsPerTransaction,
    ]);
  }
  console.log(table.toString());
}

interface Plan {
  readonly modes: readonly string[];
  readonly clients: readonly number[];
  readonly requests: number;
  readonly warmup: number;
  readonly rounds: number;
  readonly program: string;
  readonly flags: readonly string[];
  /** A command to run everything by, before that of the host. */
  readonly enter: readonly string[];
}

/** One cluster of its own in one mode, with each number of clients. */
async function measureMode(
  place: string,
  hosts: readonly Host[],
  mode: string,
  plan: Plan,
): Promise<Measured[]> {
  const cluster = await RealCluster.start({
    hosts: hosts.map(({ address, enter }) => ({ address, enter: [...plan.enter, ...enter] })),
    portBase,
    modes: [mode as HoloFastMode],
    program: plan.program,
    flags: plan.flags,
  });
  try {
    const found: Measured[] = [];
    if (plan.warmup > 0) await cluster.benchmark(cluster.first, setLoad(50, plan.warmup));
    for (const clients of plan.clients) {
      const what = { place, replicas: hosts.length, clients, mode };
      found.push(await measure(cluster, what, plan.requests / (clients === 1 ? 5 : 1)));
    }
    return found;
  } finally {
    await cluster.stop();
  }
}

async function measurePlace(
  place: string,
  hosts: readonly Host[],
  plan: Plan,
): Promise<Measured[]> {
  const found: Measured[] = [];
  // Modes take turns, so that a busy minute of the machine does not fall on one of them.
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const mode of plan.modes) {
      try {
        found.push(...(await measureMode(place, hosts, mode, plan)));
      } catch (error) {
        // One cluster that does not come up must not cost the rest of the table.
        console.error(`${place}, ${hosts.length} nodes, ${mode}: ${oneLine(error)}`);
      }
    }
  }
  return plan.clients.flatMap((clients) =>
    plan.modes.flatMap((mode) => {
      const rounds = found.filter((one) => one.clients === clients && one.mode === mode);
      return rounds.length === 0 ? [] : [summary(rounds)];
    }),
  );
}

export async function runTransactions(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      replicas: { type: 'string', default: '3,5' },
      clients: { type: 'string', default: '1,50' },
      requests: { type: 'string', default: '20000' },
      warmup: { type: 'string', default: '60000' },
      rounds: { type: 'string', default: '3' },
      places: { type: 'string', default: 'lo,netns' },
      modes: { type: 'string', default: 'off,userspace,sendmmsg,kernel' },
      program: { type: 'string', default: compiled },
      flags: { type: 'string', default: '' },
      nice: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
    },
  });
  if (!hasTool('redis-benchmark') || !existsSync(values.program)) {
    throw new Error('redis-benchmark and a built program are needed (npm run build)');
  }
  buildHoloFast();
  const best = probe();
  if (best.tier < 2) console.log(`tier ${best.tier} at most: ${best.reason}`);
  const plan: Plan = {
    modes: values.modes.split(',').filter((mode) => (tierOf[mode] ?? 0) <= best.tier),
    clients: values.clients.split(',').map(Number),
    requests: Number(values.requests),
    warmup: Number(values.warmup),
    rounds: Number(values.rounds),
    program: values.program,
    flags: values.flags === '' ? [] : values.flags.split(' '),
    enter: values.nice === '' ? [] : ['nice', '-n', values.nice],
  };
  const results: Measured[] = [];
  for (const place of values.places.split(',')) {
    for (const replicas of values.replicas.split(',').map(Number)) {
      await atPlace(place, replicas, async (hosts) => {
        const rows = await measurePlace(place, hosts, plan);
        results.push(...rows);
        if (!values.json) print(rows);
      });
    }
  }
  if (!values.json && syscalls.reason !== undefined) console.log(syscalls.reason);
  if (values.json) console.log(JSON.stringify(results));
}

if (process.argv[1] === import.meta.filename) await runTransactions(process.argv.slice(2));
