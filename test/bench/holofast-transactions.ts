/**
 * Whole transactions (SET by redis-benchmark at node 1) over TCP alone and over HoloFast's tiers,
 * in one run and in turns: 3 and 5 real nodes, on `lo` and in network namespaces. What counts is
 * the ratio within a run: the machine is shared. CPU is that of node 1, the coordinator, per
 * transaction. `--replicas 3,5`, `--clients 1,50`, `--requests N` per case, `--rounds N`,
 * `--nice=-20` keeps a shared machine's other work out of the way. `--places lo,netns`, `--modes off,userspace,sendmmsg,kernel`, `--program FILE`, `--json`.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { buildHoloFast } from '../../bpf/build.ts';
import type { HoloFastMode } from '../../bpf/holofast-mode.ts';
import { probe } from '../../bpf/probe.ts';
import { BridgedHosts, hasTool, localHosts, RealCluster } from '../bpf/real-cluster.ts';

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
}

async function measure(
  cluster: RealCluster,
  what: { place: string; replicas: number; clients: number; mode: string },
  requests: number,
): Promise<Measured> {
  const [node] = cluster.nodes;
  if (node === undefined) throw new Error('no node');
  const load = ['-t', 'set', '-d', '64', '-r', '10000', '-c', String(what.clients)];
  await cluster.benchmark(node, [...load, '-n', String(Math.ceil(requests / 4))]);
  const before = cluster.info(node, 'holostore');
  const cpuUs = cluster.cpuUs(node);
  const { rps, p50, p99 } = await cluster.benchmark(node, [...load, '-n', String(requests)]);
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
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
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
  };
}

function print(results: readonly Measured[]): void {
  const head = ['place', 'RF', 'clients', 'mode', 'ops/s', 'p50 ms', 'p99 ms'];
  const table = new Table({
    head: [...head, 'CPU us/txn', 'CPU us/op', 'ops/txn', 'slow'],
    style: { head: [], border: [] },
  });
  for (const one of results) {
    table.push([
      ...[one.place, one.replicas, one.clients, one.mode, one.opsPerSecond, one.p50Ms, one.p99Ms],
      ...[one.cpuUsPerTransaction, one.cpuUsPerCommand, one.commandsPerTransaction, one.slowShare],
    ]);
  }
  console.log(table.toString());
}

export async function runTransactions(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      replicas: { type: 'string', default: '3,5' },
      clients: { type: 'string', default: '1,50' },
      requests: { type: 'string', default: '5000' },
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
  const modes = values.modes.split(',').filter((mode) => (tierOf[mode] ?? 0) <= best.tier);
  const results: Measured[] = [];
  for (const place of values.places.split(',')) {
    for (const replicas of values.replicas.split(',').map(Number)) {
      const bridged = place === 'lo' ? undefined : new BridgedHosts(replicas);
      if (bridged?.make() === false) {
        console.log('no network namespaces here');
        continue;
      }
      const plain = bridged?.hosts ?? localHosts(replicas);
      const first = values.nice === '' ? [] : ['nice', '-n', values.nice];
      const hosts = plain.map(({ address, enter }) => ({ address, enter: [...first, ...enter] }));
      const found = new Map<string, Measured[]>();
      try {
        // Modes take turns, so that a busy minute of the machine does not fall on one of them.
        for (let round = 0; round < Number(values.rounds); round++) {
          for (const mode of modes) {
            const cluster = await RealCluster.start({
              hosts,
              portBase,
              modes: [mode as HoloFastMode],
              program: values.program,
              flags: values.flags === '' ? [] : values.flags.split(' '),
            });
            try {
              for (const clients of values.clients.split(',').map(Number)) {
                const what = { place, replicas, clients, mode };
                const requests = Number(values.requests) / (clients === 1 ? 5 : 1);
                const one = await measure(cluster, what, requests);
                const key = `${clients} ${mode}`;
                found.set(key, [...(found.get(key) ?? []), one]);
              }
            } finally {
              await cluster.stop();
            }
          }
        }
      } finally {
        bridged?.remove();
      }
      const keys = [...found.keys()].sort(
        (a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10),
      );
      const rows = keys.map((key) => summary(found.get(key) ?? []));
      results.push(...rows);
      if (!values.json) print(rows);
    }
  }
  if (values.json) console.log(JSON.stringify(results));
}

if (process.argv[1] === import.meta.filename) await runTransactions(process.argv.slice(2));
