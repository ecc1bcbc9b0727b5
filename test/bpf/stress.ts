/**
 * Votes from two processes race with arming and releasing in this one. No quorum may be told
 * twice, too early, or with a vote that must not count. `node --import tsx test/bpf/stress.ts
 * [quorums]` (default 1,000,000); the test suite runs a short one.
 */

import { spawn } from 'node:child_process';
import { population } from '../../actors/accord/primitives/bit-set.ts';
import { KernelQuorumNotifier, type QuorumSlot } from '../../bpf/count/quorum-notifier.ts';
import type { CountedRound } from '../../bpf/count/slot-model.ts';
import {
  EVENT_LAYOUT,
  encodeGroup,
  encodeSettings,
  type GroupMember,
} from '../../bpf/frame/layout.ts';
import { artifactsIn, type HoloFastCounters, type NativeAddon } from '../../bpf/native/native.ts';
import { compileHelper, stopChild } from './native-helpers.ts';
import { bitmap, kernelSupport, keyBytes, round } from './support.ts';

export interface StressResult {
  readonly quorums: number;
  /** Released before their quorum was told, at random. */
  readonly abandoned: number;
  /** Told by the ring after the round was released. */
  readonly late: number;
  readonly duplicates: number;
  readonly wrong: number;
  readonly seconds: number;
  readonly counters: HoloFastCounters;
}

const slotsInUse = 64;
const voters = 2;
const senders = [1, 2, 3, 4, 5, 6];
/** In the electorate, but all that it ever sends is stale, or forged (see stress-voter.c). */
const mustNotVote = [7, 8];
const electorate = bitmap([...senders, ...mustNotVote]);
const abandonEveryMs = 1;

export async function runStress(addon: NativeAddon, quorumsMin: number): Promise<StressResult> {
  const handle = addon.open(artifactsIn().object);
  const members: GroupMember[] = [...senders, ...mustNotVote].map((sender) => ({
    sender,
    address: '127.0.0.1',
    port: 7000 + sender,
  }));
  addon.writeMap(handle, 'settings', 0, encodeSettings([keyBytes], '127.0.0.1', 7000));
  addon.writeMap(handle, 'groups', 3, encodeGroup(members, undefined, undefined));
  const run = new StressRun(new KernelQuorumNotifier(addon.slots(handle), 1), quorumsMin);
  const batch = new ArrayBuffer(1024 * EVENT_LAYOUT.bytes);
  const events = new DataView(batch);
  addon.onEvents(handle, batch, (count) => run.onEvents(events, count));
  const { socketProgram, slotsMap } = addon.ids(handle);
  const key = Buffer.from(keyBytes).toString('hex');
  const binary = compileHelper('stress-voter');
  const children = Array.from({ length: voters }, (_, index) => {
    const numbers = [socketProgram, slotsMap, slotsInUse, index + 1].map(String);
    return spawn(binary, [...numbers, key], { stdio: 'inherit' });
  });
  try {
    const started = performance.now();
    await run.finished(children.map((child) => new Promise((end) => child.once('exit', end))));
    const seconds = (performance.now() - started) / 1000;
    await Promise.all(children.map((child) => stopChild(child, 'SIGKILL')));
    for (let count = 1; count > 0; ) {
      count = addon.drainEvents(handle, batch);
      run.onEvents(events, count);
    }
    return { ...run.result, seconds, counters: addon.counters(handle) };
  } finally {
    await Promise.all(children.map((child) => stopChild(child, 'SIGKILL')));
    addon.close(handle);
  }
}

class StressRun {
  readonly result = { quorums: 0, abandoned: 0, late: 0, duplicates: 0, wrong: 0 };
  readonly #notifier: KernelQuorumNotifier;
  readonly #quorumsMin: number;
  readonly #needs = new Map<number, number>();
  readonly #live: QuorumSlot[] = [];
  readonly #lastTold = new Map<number, number>();
  #rounds = 0;
  #done: () => void = () => {};

  constructor(notifier: KernelQuorumNotifier, quorumsMin: number) {
    this.#notifier = notifier;
    this.#quorumsMin = quorumsMin;
    // The rest of the slots stay taken, so that all the traffic meets in a few.
    const spare: QuorumSlot[] = [];
    for (let slot = this.#arm(); slot !== undefined; slot = this.#arm()) {
      (slot.slot < slotsInUse ? this.#live : spare).push(slot);
    }
    notifier.onQuorum = (batch) => {
      for (const { slot } of batch) this.#next(slot);
    };
  }

  #arm(): QuorumSlot | undefined {
    const need = 1 + (this.#rounds++ % 4);
    const counted: CountedRound = round({ electorate, need });
    // Every round has bytes of its own, so that a torn read of a slot matches none.
    new DataView(counted.round.buffer, counted.round.byteOffset).setFloat64(8, this.#rounds);
    const slot = this.#notifier.arm(counted);
    if (slot !== undefined) this.#needs.set(slot.slot, need);
    return slot;
  }

  #next(index: number): void {
    const old = this.#live[index];
    if (old === undefined) throw new Error(`an event for slot ${index}, which is not in use`);
    this.#notifier.release(old);
    const slot = this.#arm();
    if (slot === undefined || slot.slot !== index) throw new Error('another slot was free');
    this.#live[index] = slot;
  }

  onEvents(events: DataView, count: number): void {
    for (let i = 0; i < count; i += 1) {
      const at = i * EVENT_LAYOUT.bytes;
      const generation = Number(events.getBigUint64(at + EVENT_LAYOUT.generation, true));
      const slot = events.getUint32(at + EVENT_LAYOUT.slot, true);
      const votes = events.getUint16(at + EVENT_LAYOUT.votes, true);
      if (this.#lastTold.get(slot) === generation) this.result.duplicates += 1;
      this.#lastTold.set(slot, generation);
      if (this.#live[slot]?.generation !== generation) {
        this.result.late += 1;
        continue;
      }
      this.result.quorums += 1;
      const illegal = (votes & ~bitmap(senders)) !== 0;
      if (illegal || population(votes) !== this.#needs.get(slot)) this.result.wrong += 1;
    }
    this.#notifier.takeEvents(events, count);
    if (this.result.quorums >= this.#quorumsMin) this.#done();
  }

  /** Until enough quorums have come; rejects when a voter ends by itself. */
  async finished(exits: readonly Promise<unknown>[]): Promise<void> {
    const enough = new Promise<void>((resolve) => {
      this.#done = resolve;
    });
    const timer = setInterval(() => {
      const index = this.#rounds % slotsInUse;
      this.result.abandoned += 1;
      this.#next(index);
    }, abandonEveryMs);
    const ended = Promise.race(exits).then(() => {
      throw new Error('a voter ended by itself');
    });
    try {
      await Promise.race([enough, ended]);
    } finally {
      clearInterval(timer);
      ended.catch(() => {});
    }
  }
}

if (process.argv[1] === import.meta.filename) {
  const { addon, reason } = kernelSupport();
  if (addon === undefined) {
    console.log(reason);
  } else {
    const result = await runStress(addon, Number(process.argv[2] ?? 1_000_000));
    console.log(result);
    if (result.wrong + result.duplicates > 0) process.exitCode = 1;
  }
}
