/**
 * Rounds of small frames over `lo` in tiers 0 (dgram), 1 (sendmmsg) and 2 (kernel), in one run:
 * replication factors 3, 5 and 7, with 1 and 32 rounds in flight. The peers are native (C) echo
 * processes, so that the coordinator is what is measured; its CPU time is this whole process's.
 * `--transactions`: whole transactions instead (see holofast-transactions.ts).
 * `--seconds` per case (default 1), `--body` bytes (default 128), `--replicas 3,5,7`,
 * `--in-flight 1,32`, `--json`.
 */
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { buildHoloFast } from '../../bpf/build.ts';
import { encodeFrame, type FrameHeader, FrameKind, frameRound } from '../../bpf/frame.ts';
import { KernelHoloFast } from '../../bpf/holofast.ts';
import { loadAddon, type NativeAddon } from '../../bpf/native.ts';
import { probe, type Tier } from '../../bpf/probe.ts';
import {
  type QuorumNotifier,
  type QuorumSlot,
  UserspaceQuorumNotifier,
} from '../../bpf/quorum-notifier.ts';
import { sipKey } from '../../bpf/siphash.ts';
import { UdpLink } from '../../bpf/udp-link.ts';
import { type EchoPeer, startEchoPeer, stopChild } from '../bpf/native-helpers.ts';
import { runTransactions } from './holofast-transactions.ts';

const address = '127.0.0.1';
const portBase = 7600;
const group = 1;
const keyBytes = Uint8Array.from({ length: 16 }, (_, index) => index * 3);
const key = sipKey(keyBytes);
const warmupShare = 0.2;
const roundTimeoutMs = 1000;
const zeroStamp = { epoch: 0, hlc: 0, flags: 0, node: 0 };

interface Case {
  readonly tier: Tier;
  readonly replicas: number;
  readonly inFlight: number;
}

interface Measured extends Case {
  readonly roundsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly cpuUsPerRound: number;
  readonly lost: number;
}

/** Votes of peers for Accord's fast path: ceil((e + f + 1) / 2) less the coordinator's own. */
function fastQuorumOfPeers(replicas: number): number {
  const failures = Math.floor((replicas - 1) / 2);
  return Math.ceil((replicas + failures + 1) / 2) - 1;
}

/** Keeps so many rounds in flight until told to stop. */
class RoundDriver {
  readonly latenciesUs: number[] = [];
  lost = 0;
  readonly #link: UdpLink;
  readonly #notifier: QuorumNotifier;
  readonly #peers: number;
  readonly #need: number;
  readonly #body: Uint8Array;
  readonly #live = new Map<number, { slot: QuorumSlot; startedMs: number }>();
  #hlc = 1;
  #stopping = false;
  #stopped: () => void = () => {};

  constructor(link: UdpLink, notifier: QuorumNotifier, peers: number, bodyBytes: number) {
    this.#link = link;
    this.#notifier = notifier;
    this.#peers = peers;
    this.#need = fastQuorumOfPeers(peers + 1);
    this.#body = new Uint8Array(bodyBytes).fill(0x61);
    notifier.onQuorum = (batch) => {
      const nowMs = performance.now();
      for (const event of batch) this.#end(event, nowMs);
    };
  }

  begin(): void {
    const txn = { epoch: 1, hlc: this.#hlc++, flags: 0, node: 0 };
    const fields: FrameHeader = {
      kind: FrameKind.preAccept,
      flags: 0,
      sender: 0,
      slot: 0,
      group,
      need: this.#need,
      generation: 0,
      txn,
      ballot: zeroStamp,
      epoch: 1,
    };
    const frame = encodeFrame(fields, key, this.#body);
    const slot = this.#notifier.arm({
      group,
      electorate: ((1 << this.#peers) - 1) << 1,
      need: this.#need,
      replyKind: FrameKind.preAcceptSame,
      round: frameRound(frame),
    });
    if (slot === undefined) throw new Error('no free slot');
    this.#live.set(slot.slot, { slot, startedMs: performance.now() });
    const armed = encodeFrame({ ...fields, ...slot }, key, this.#body);
    this.#link.sendGroup(armed, group, slot);
  }

  #end(slot: QuorumSlot, nowMs: number): void {
    const round = this.#live.get(slot.slot);
    if (round?.slot.generation !== slot.generation) return;
    this.#live.delete(slot.slot);
    this.#notifier.release(slot);
    this.latenciesUs.push((nowMs - round.startedMs) * 1000);
    this.#goOn();
  }

  #goOn(): void {
    if (!this.#stopping) this.begin();
    else if (this.#live.size === 0) this.#stopped();
  }

  /** UDP loses frames when a buffer is full; such a round must not hold up the others. */
  expire(): void {
    const nowMs = performance.now();
    for (const [index, { slot, startedMs }] of [...this.#live]) {
      if (nowMs - startedMs < roundTimeoutMs) continue;
      this.#live.delete(index);
      this.#notifier.release(slot);
      this.lost++;
      this.#goOn();
    }
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#stopped = resolve;
      this.#stopping = true;
      if (this.#live.size === 0) resolve();
    });
  }
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function measure(
  one: Case,
  peers: readonly EchoPeer[],
  addon: NativeAddon | undefined,
  options: { seconds: number; bodyBytes: number },
): Promise<Measured> {
  const kernel =
    one.tier === 2 && addon !== undefined
      ? KernelHoloFast.open({
          addon,
          interfaceName: 'lo',
          address,
          port: 0,
          key: keyBytes,
          firstGeneration: 1,
        })
      : undefined;
  const notifier = kernel?.notifier ?? new UserspaceQuorumNotifier({ firstGeneration: 1 });
  const link = await UdpLink.open({
    address,
    port: 0,
    key: keyBytes,
    notifier,
    onFrame: () => {},
    receiveBufferBytes: 4 << 20,
    ...(one.tier > 0 && addon !== undefined ? { addon } : {}),
    ...(kernel === undefined ? {} : { kernel }),
  });
  link.setGroup(group, peers.slice(0, one.replicas - 1));
  const driver = new RoundDriver(link, notifier, one.replicas - 1, options.bodyBytes);
  const expiry = setInterval(() => driver.expire(), 100);
  for (let i = 0; i < one.inFlight; i++) driver.begin();
  await sleep(options.seconds * warmupShare * 1000);
  driver.latenciesUs.length = 0;
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  await sleep(options.seconds * 1000);
  const elapsedMs = performance.now() - startedMs;
  const used = process.cpuUsage(cpu);
  const latencies = driver.latenciesUs.slice().sort((a, b) => a - b);
  await driver.stop();
  clearInterval(expiry);
  await link.close();
  kernel?.close();
  return {
    ...one,
    roundsPerSecond: Math.round(latencies.length / (elapsedMs / 1000)),
    p50Us: Math.round(percentile(latencies, 0.5)),
    p99Us: Math.round(percentile(latencies, 0.99)),
    cpuUsPerRound: Math.round(((used.user + used.system) / latencies.length) * 10) / 10,
    lost: driver.lost,
  };
}

function print(results: readonly Measured[], bodyBytes: number): void {
  const table = new Table({
    head: ['RF', 'in flight', 'tier', 'rounds/s', 'p50 us', 'p99 us', 'CPU us/round', 'lost'],
    colAligns: new Array(8).fill('right'),
    style: { head: [], border: [] },
  });
  for (const one of results) {
    const { replicas, inFlight, tier, roundsPerSecond, p50Us, p99Us, cpuUsPerRound, lost } = one;
    table.push([replicas, inFlight, tier, roundsPerSecond, p50Us, p99Us, cpuUsPerRound, lost]);
  }
  console.log(`${bodyBytes} B bodies on lo, native echo peers, all on this machine's CPUs`);
  console.log(table.toString());
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
      replicas: { type: 'string', default: '3,5,7' },
      'in-flight': { type: 'string', default: '1,32' },
      json: { type: 'boolean', default: false },
    },
  });
  buildHoloFast();
  const best = probe();
  if (best.tier < 2) console.log(`tier ${best.tier} at most: ${best.reason}`);
  const { addon } = loadAddon();
  const replicas = numbers(values.replicas);
  const options = { seconds: Number(values.seconds), bodyBytes: Number(values.body) };
  const peers: EchoPeer[] = [];
  const results: Measured[] = [];
  try {
    for (let sender = 1; sender < Math.max(...replicas); sender++) {
      peers.push(await startEchoPeer({ sender, address, port: portBase + sender }, keyBytes));
    }
    for (const count of replicas) {
      for (const inFlight of numbers(values['in-flight'])) {
        for (const tier of [0, 1, 2] as const) {
          if (tier > best.tier) continue;
          const one = { tier, replicas: count, inFlight };
          results.push(await measure(one, peers, addon, options));
        }
      }
    }
  } finally {
    for (const { child } of peers) await stopChild(child, 'SIGKILL');
  }
  if (values.json) console.log(JSON.stringify({ bodyBytes: options.bodyBytes, results }));
  else print(results, options.bodyBytes);
}

if (process.argv[1] === import.meta.filename) await run(process.argv.slice(2));
