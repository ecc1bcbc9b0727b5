/**
 * The coordinator of the rounds that holofast.ts measures, in a process of its own: so that it can
 * be in another network namespace, and its CPU time and system calls are its own. Does what its
 * parent tells it (open, run, close), one after the other, and answers each.
 */
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { ZERO } from '../../actors/accord/primitives/timestamp.ts';
import {
  type QuorumNotifier,
  type QuorumSlot,
  UserspaceQuorumNotifier,
} from '../../bpf/count/quorum-notifier.ts';
import {
  encodeFrame,
  type FrameHeader,
  FrameKind,
  frameRound,
  NO_GROUP,
} from '../../bpf/frame/frame.ts';
import type { GroupMember } from '../../bpf/frame/layout.ts';
import { sipKey } from '../../bpf/frame/siphash.ts';
import { KernelHoloFast } from '../../bpf/native/holofast.ts';
import { loadAddon } from '../../bpf/native/native.ts';
import type { Tier } from '../../bpf/native/probe.ts';
import { UdpLink } from '../../bpf/path/udp-link.ts';

export const keyBytes = Uint8Array.from({ length: 16 }, (_, index) => index * 3);

export interface RoundsCase {
  readonly tier: Tier;
  readonly interfaceName: string;
  readonly address: string;
  readonly peers: readonly GroupMember[];
  readonly inFlight: number;
  readonly bodyBytes: number;
}

export type RoundsCommand =
  | { readonly type: 'open'; readonly what: RoundsCase }
  | { readonly type: 'run'; readonly seconds: number }
  | { readonly type: 'close' };

/** Of one run; `rounds` also has those that ended while it stopped. */
export interface RoundsRun {
  readonly rounds: number;
  readonly roundsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly cpuUsPerRound: number;
  readonly lost: number;
  /** Rounds that were meant for the kernel and went by hand. */
  readonly byHand: number;
}

export type RoundsAnswer = { readonly run?: RoundsRun; readonly error?: string };

const group = 1;
const key = sipKey(keyBytes);
const roundTimeoutMs = 1000;
const expireEveryMs = 100;
const neighbourTriesMax = 100;

/** Votes of peers for Accord's fast path: ceil((e + f + 1) / 2) less the coordinator's own. */
function fastQuorumOfPeers(replicas: number): number {
  const failures = Math.floor((replicas - 1) / 2);
  return Math.ceil((replicas + failures + 1) / 2) - 1;
}

/** Keeps so many rounds in flight until told to stop. */
class RoundDriver {
  latenciesUs: number[] = [];
  rounds = 0;
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

  start(inFlight: number): void {
    this.#stopping = false;
    this.latenciesUs = [];
    this.rounds = 0;
    this.lost = 0;
    for (let i = 0; i < inFlight; i += 1) this.#begin();
  }

  #begin(): void {
    const txn = { hlc: this.#hlc++, flags: 0, node: 0, store: 0 };
    const fields: FrameHeader = {
      kind: FrameKind.preAccept,
      flags: 0,
      sender: 0,
      slot: 0,
      group,
      need: this.#need,
      generation: 0,
      txn,
      ballot: ZERO,
      groupId: NO_GROUP,
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
    this.rounds += 1;
    this.latenciesUs.push((nowMs - round.startedMs) * 1000);
    this.#goOn();
  }

  #goOn(): void {
    if (!this.#stopping) this.#begin();
    else if (this.#live.size === 0) this.#stopped();
  }

  /** UDP loses frames when a buffer is full; such a round must not hold up the others. */
  expire(): void {
    const nowMs = performance.now();
    for (const [index, { slot, startedMs }] of [...this.#live]) {
      if (nowMs - startedMs < roundTimeoutMs) continue;
      this.#live.delete(index);
      this.#notifier.release(slot);
      this.lost += 1;
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

/** Ethernet addresses of members are known once something was sent to them. */
async function meet(kernel: KernelHoloFast | undefined, what: RoundsCase): Promise<void> {
  const socket = createSocket('udp4');
  for (const { port, address } of what.peers) socket.send('?', port, address);
  for (let i = 0; i < neighbourTriesMax && kernel?.refreshNeighbours() === 0; i += 1) {
    await sleep(10);
  }
  socket.close();
}

/** One case: a link with its notifier, and the rounds on it. */
class Coordinator {
  readonly #link: UdpLink;
  readonly #kernel: KernelHoloFast | undefined;
  readonly #driver: RoundDriver;
  readonly #inFlight: number;

  static async open(what: RoundsCase): Promise<Coordinator> {
    const { addon, reason } = loadAddon();
    const { tier, interfaceName, address, peers } = what;
    if (tier > 0 && addon === undefined) throw new Error(reason);
    const common = { address, port: 0, keys: [keyBytes], receiveBufferBytes: 4 << 20 };
    const kernel =
      tier === 2 && addon !== undefined
        ? KernelHoloFast.open({ addon, interfaceName, firstGeneration: 1, ...common })
        : undefined;
    const notifier = kernel?.notifier ?? new UserspaceQuorumNotifier({ firstGeneration: 1 });
    const link = await UdpLink.open({
      ...common,
      notifier,
      onFrame: () => {},
      ...(tier > 0 && addon !== undefined ? { addon } : {}),
      ...(kernel === undefined ? {} : { kernel }),
    });
    link.setGroup(group, peers);
    await meet(kernel, what);
    const driver = new RoundDriver(link, notifier, peers.length, what.bodyBytes);
    return new Coordinator(link, kernel, driver, what.inFlight);
  }

  private constructor(
    link: UdpLink,
    kernel: KernelHoloFast | undefined,
    driver: RoundDriver,
    inFlight: number,
  ) {
    this.#link = link;
    this.#kernel = kernel;
    this.#driver = driver;
    this.#inFlight = inFlight;
  }

  async run(seconds: number): Promise<RoundsRun> {
    const driver = this.#driver;
    const absent = this.#link.counters.kernelAbsent;
    const expiry = setInterval(() => driver.expire(), expireEveryMs);
    const cpu = process.cpuUsage();
    const startedMs = performance.now();
    driver.start(this.#inFlight);
    await sleep(seconds * 1000);
    const elapsedMs = performance.now() - startedMs;
    const used = process.cpuUsage(cpu);
    const latencies = driver.latenciesUs.slice().sort((a, b) => a - b);
    await driver.stop();
    clearInterval(expiry);
    return {
      rounds: driver.rounds,
      roundsPerSecond: Math.round(latencies.length / (elapsedMs / 1000)),
      p50Us: Math.round(percentile(latencies, 0.5)),
      p99Us: Math.round(percentile(latencies, 0.99)),
      cpuUsPerRound: Math.round(((used.user + used.system) / latencies.length) * 10) / 10,
      lost: driver.lost,
      byHand: this.#link.counters.kernelAbsent - absent,
    };
  }

  async close(): Promise<void> {
    await this.#link.close();
    this.#kernel?.close();
  }
}

function serve(): void {
  let coordinator: Coordinator | undefined;
  const perform = async (command: RoundsCommand): Promise<RoundsAnswer> => {
    if (command.type === 'open') coordinator = await Coordinator.open(command.what);
    else if (coordinator === undefined) return { error: 'nothing is open' };
    else if (command.type === 'run') return { run: await coordinator.run(command.seconds) };
    else await coordinator.close();
    return {};
  };
  process.on('message', (command: RoundsCommand) => {
    perform(command).then(
      (answer) => process.send?.(answer),
      (error: unknown) => process.send?.({ error: String(error) }),
    );
  });
  process.once('disconnect', () => process.exit(0));
}

if (process.argv[1] === import.meta.filename) serve();
