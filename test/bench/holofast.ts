/**
 * Rounds of small frames in tiers 0 (dgram), 1 (sendmmsg) and 2 (kernel), in one run: over `lo`
 * and over veth and a bridge between network namespaces, replication factors 3, 5 and 7, with 1
 * and 32 rounds in flight. The peers are native (C) echo processes, so that the coordinator, a
 * process of its own, is what is measured. System calls are counted in a phase of their own.
 * `--transactions`: whole transactions instead (see holofast-transactions.ts).
 * `--seconds` per case (default 1), `--body` bytes (default 128), `--places lo,netns`,
 * `--replicas 3,5,7`, `--in-flight 1,32`, `--json`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { buildHoloFast } from '../../bpf/native/build.ts';
import { probe, type Tier } from '../../bpf/native/probe.ts';
import { type EchoPeer, startEchoPeer, stopChild } from '../bpf/native-helpers.ts';
import { atPlace, type Host } from '../bpf/real-cluster.ts';
import {
  keyBytes,
  type RoundsAnswer,
  type RoundsCase,
  type RoundsCommand,
  type RoundsRun,
} from './holofast-rounds.ts';
import { runTransactions } from './holofast-transactions.ts';
import { SyscallCounter } from './syscalls.ts';

const portBase = 7600;
const warmupShare = 0.2;
/** Before the first case, in every tier: that the code is compiled, which is not its cost. */
const compileSeconds = 0.3;
const countingShare = 0.5;
const coordinatorScript = join(import.meta.dirname, 'holofast-rounds.ts');
/** Electrode (NSDI '23), Multi-Paxos over UDP against the same with its messages in the kernel. */
const toBeat = 'to beat: Electrode, +128 % throughput and -42 % latency over its own tier 0';

interface Case {
  readonly replicas: number;
  readonly inFlight: number;
  readonly tier: Tier;
}

interface Measured extends RoundsRun, Case {
  readonly place: string;
  readonly syscallsPerRound: number | undefined;
}

interface Settings {
  readonly seconds: number;
  readonly bodyBytes: number;
  readonly replicas: readonly number[];
  readonly inFlight: readonly number[];
  readonly tierMax: Tier;
}

/** The coordinator's process, in the namespace of its host. */
class CoordinatorProcess {
  readonly child: ChildProcess;

  constructor(host: Host) {
    const node = [process.execPath, '--import', 'tsx', coordinatorScript];
    const [command = '', ...args] = [...host.enter, ...node];
    this.child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  async #ask(command: RoundsCommand): Promise<RoundsAnswer> {
    const answer = await new Promise<RoundsAnswer>((resolve, reject) => {
      const ended = (): void => reject(new Error('the coordinator has ended'));
      this.child.once('exit', ended);
      this.child.once('message', (message: RoundsAnswer) => {
        this.child.off('exit', ended);
        resolve(message);
      });
      this.child.send(command);
    });
    if (answer.error !== undefined) throw new Error(`coordinator: ${answer.error}`);
    return answer;
  }

  async open(what: RoundsCase): Promise<void> {
    await this.#ask({ type: 'open', what });
  }

  async run(seconds: number): Promise<RoundsRun> {
    const { run } = await this.#ask({ type: 'run', seconds });
    if (run === undefined) throw new Error('nothing was run');
    return run;
  }

  async close(): Promise<void> {
    await this.#ask({ type: 'close' });
  }
}

const syscalls = new SyscallCounter();

async function countSyscalls(
  coordinator: CoordinatorProcess,
  seconds: number,
): Promise<number | undefined> {
  let rounds = 0;
  const calls = await syscalls.during(coordinator.child.pid, async () => {
    ({ rounds } = await coordinator.run(seconds));
  });
  return calls === undefined ? undefined : Math.round((calls / rounds) * 100) / 100;
}

async function measurePlace(
  place: string,
  hosts: readonly Host[],
  settings: Settings,
): Promise<Measured[]> {
  const { seconds, bodyBytes } = settings;
  const [own, ...others] = hosts;
  if (own === undefined) throw new Error('no host');
  const peers: EchoPeer[] = [];
  const results: Measured[] = [];
  const coordinator = new CoordinatorProcess(own);
  try {
    for (const [index, { address, enter }] of others.entries()) {
      const peer = { sender: index + 1, address, port: portBase + index + 1 };
      peers.push(await startEchoPeer(peer, keyBytes, enter));
    }
    const open = async ({ replicas, inFlight, tier }: Case): Promise<void> => {
      const members = peers
        .slice(0, replicas - 1)
        .map(({ sender, address, port }) => ({ sender, address, port }));
      const interfaceName = place === 'lo' ? 'lo' : 'eth0';
      const { address } = own;
      await coordinator.open({ tier, interfaceName, address, peers: members, inFlight, bodyBytes });
    };
    for (const one of cases({ ...settings, replicas: [hosts.length], inFlight: [8] })) {
      await open(one);
      await coordinator.run(compileSeconds);
      await coordinator.close();
    }
    for (const one of cases(settings)) {
      await open(one);
      await coordinator.run(seconds * warmupShare);
      const run = await coordinator.run(seconds);
      const syscallsPerRound = await countSyscalls(coordinator, seconds * countingShare);
      await coordinator.close();
      results.push({ place, ...one, ...run, syscallsPerRound });
    }
  } finally {
    await stopChild(coordinator.child, 'SIGKILL');
    for (const { child } of peers) await stopChild(child, 'SIGKILL');
  }
  return results;
}

function cases({ replicas, inFlight, tierMax }: Settings): Case[] {
  const tiers = ([0, 1, 2] as const).filter((tier) => tier <= tierMax);
  return replicas.flatMap((count) =>
    inFlight.flatMap((rounds) =>
      tiers.map((tier) => ({ replicas: count, inFlight: rounds, tier })),
    ),
  );
}

/** `+128 %`; of nothing to compare with, `-`. */
function change(value: number, base: number | undefined): string {
  if (base === undefined || !(base > 0)) return '-';
  const percent = Math.round((value / base - 1) * 100);
  return `${percent > 0 ? '+' : ''}${percent} %`;
}

function print(results: readonly Measured[], bodyBytes: number): void {
  const measured = ['rounds/s', 'p50 us', 'p99 us', 'CPU us/round', 'syscalls/round', 'lost'];
  const head = ['place', 'RF', 'in flight', 'tier', ...measured];
  const table = new Table({
    head: [...head, 'rounds/s to tier 0', 'p50 to tier 0'],
    colAligns: new Array(12).fill('right'),
    style: { head: [], border: [] },
  });
  for (const one of results) {
    const { place, replicas, inFlight, tier, roundsPerSecond, p50Us } = one;
    const base = results.find(
      (other) =>
        other.tier === 0 &&
        other.place === place &&
        other.replicas === replicas &&
        other.inFlight === inFlight,
    );
    table.push([
      ...[place, replicas, inFlight, tier, roundsPerSecond, p50Us, one.p99Us],
      ...[one.cpuUsPerRound, one.syscallsPerRound ?? '-', one.lost],
      ...[change(roundsPerSecond, base?.roundsPerSecond), change(p50Us, base?.p50Us)],
    ]);
  }
  console.log(`${bodyBytes} B bodies, native echo peers, all on this machine's CPUs; ${toBeat}`);
  console.log(table.toString());
  if (syscalls.reason !== undefined) console.log(syscalls.reason);
  const byHand = results.filter((one) => one.tier === 2 && one.byHand > 0);
  for (const { place, replicas, inFlight, byHand: rounds } of byHand) {
    console.log(`${place} RF ${replicas} W ${inFlight}: ${rounds} rounds of tier 2 went by hand`);
  }
}

function numbers(text: string): number[] {
  return text.split(',').map(Number);
}

/** Prints a table (or JSON); tiers that this machine cannot do are left out, with the reason. */
export async function run(args: string[]): Promise<void> {
  if (args[0] === '--transactions') return runTransactions(args.slice(1));
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '1' },
      body: { type: 'string', default: '128' },
      places: { type: 'string', default: 'lo,netns' },
      replicas: { type: 'string', default: '3,5,7' },
      'in-flight': { type: 'string', default: '1,32' },
      json: { type: 'boolean', default: false },
    },
  });
  buildHoloFast();
  const best = probe();
  if (best.tier < 2) console.log(`tier ${best.tier} at most: ${best.reason}`);
  const settings: Settings = {
    seconds: Number(values.seconds),
    bodyBytes: Number(values.body),
    replicas: numbers(values.replicas),
    inFlight: numbers(values['in-flight']),
    tierMax: best.tier,
  };
  const count = Math.max(...settings.replicas);
  const results: Measured[] = [];
  for (const place of values.places.split(',')) {
    await atPlace(place, count, async (hosts) => {
      results.push(...(await measurePlace(place, hosts, settings)));
    });
  }
  if (values.json) console.log(JSON.stringify({ bodyBytes: settings.bodyBytes, results }));
  else print(results, settings.bodyBytes);
}

if (process.argv[1] === import.meta.filename) await run(process.argv.slice(2));
