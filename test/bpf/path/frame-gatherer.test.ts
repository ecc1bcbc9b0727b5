/** The datagrams at the end of a turn: one for all requests, one batch of replies. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type QuorumSlot, UserspaceQuorumNotifier } from '../../../bpf/count/quorum-notifier.ts';
import {
  checkFrame,
  encodeFrame,
  FRAME_HEADER_BYTES,
  FrameKind,
  frameGeneration,
  frameKind,
  frameSlot,
  writeHeader,
} from '../../../bpf/frame/frame.ts';
import { BUNDLE_FRAMES_MAX } from '../../../bpf/frame/frame-bundle.ts';
import {
  BUNDLE_BYTES_MAX,
  FrameGatherer,
  framesOf,
  SINGLES_MAX,
} from '../../../bpf/path/frame-gatherer.ts';
import type { GroupSend } from '../../../bpf/path/udp-link.ts';
import { bareOkFrame, header, key, round } from '../support.ts';

const SLOTS = 4;

class Bench {
  readonly groups: Array<{ readonly frame: Uint8Array; readonly slot: QuorumSlot | undefined }> =
    [];
  readonly batches: number[][] = [];
  readonly notifier = new UserspaceQuorumNotifier({ firstGeneration: 1, slots: SLOTS });
  readonly gatherer: FrameGatherer;
  result: GroupSend = 'fannedOut';
  #turnEnds: Array<() => void> = [];

  constructor(tier: 0 | 2 = 2) {
    this.gatherer = new FrameGatherer({
      link: {
        tier,
        frameBytesMax: 60_000,
        sendGroup: (frame, _group, slot) => {
          this.groups.push({ frame, slot });
          return this.result;
        },
        sendBatch: (frames, receivers) => {
          expect(frames).toHaveLength(receivers.length);
          this.batches.push([...receivers]);
        },
      },
      notifier: this.notifier,
      key: () => key,
      group: 1,
      atTurnEnd: (action) => this.#turnEnds.push(action),
    });
  }

  request(bodyBytes = 10, slot?: QuorumSlot): boolean {
    const frame = Buffer.alloc(FRAME_HEADER_BYTES + bodyBytes);
    writeHeader(frame, header({ ...slot }));
    return this.gatherer.sendGroup(frame, slot);
  }

  turnEnd(): void {
    const ends = this.#turnEnds;
    this.#turnEnds = [];
    for (const end of ends) end();
  }
}

let bench = new Bench();
beforeEach(() => {
  bench = new Bench();
});

describe('requests of a turn', () => {
  test('leave as one sealed bundle when the turn is over', () => {
    const slots = [bench.notifier.arm(round()), bench.notifier.arm(round())];
    for (const slot of slots) expect(bench.request(20, slot)).toBe(true);
    expect(bench.request(20)).toBe(true);
    expect(bench.groups).toEqual([]);
    bench.turnEnd();
    const [sent] = bench.groups;
    if (sent === undefined) throw new Error('nothing was sent');
    expect(checkFrame(sent.frame, key)).toBeUndefined();
    expect(frameKind(sent.frame)).toBe(FrameKind.bundle);
    const inner = framesOf(sent.frame);
    expect(inner.map(frameSlot).slice(0, 2)).toEqual(slots.map((slot) => slot?.slot));
    expect(inner).toHaveLength(3);
    // The kernel marks a slot that no round uses, which is free again.
    expect(slots).not.toContainEqual(sent.slot);
    expect(frameSlot(sent.frame)).toBe(sent.slot?.slot);
    expect(bench.notifier.free).toBe(SLOTS - 2);
    bench.turnEnd();
    expect(bench.groups).toHaveLength(1);
  });

  test('one alone leaves as it is, with its own slot or a borrowed one', () => {
    const slot = bench.notifier.arm(round());
    bench.request(20, slot);
    bench.turnEnd();
    bench.request(20);
    bench.turnEnd();
    const [first, second] = bench.groups;
    expect(first?.slot).toEqual(slot);
    expect(second?.slot).not.toEqual(slot);
    for (const each of bench.groups) {
      expect(checkFrame(each.frame, key)).toBeUndefined();
      expect(framesOf(each.frame)).toEqual([each.frame]);
      expect(frameSlot(each.frame)).toBe(each.slot?.slot);
    }
    expect(bench.notifier.free).toBe(SLOTS - 1);
  });

  test('one alone whose round was given up in the meantime gets a borrowed slot, and no bundle', () => {
    const slot = bench.notifier.arm(round());
    if (slot === undefined) throw new Error('no slot');
    // As large as a datagram can be: nothing may be wrapped around it.
    bench.request(60_000 - FRAME_HEADER_BYTES, slot);
    bench.notifier.abandon(slot);
    bench.turnEnd();
    const [sent] = bench.groups;
    expect(sent?.frame).toHaveLength(60_000);
    expect(sent?.slot).not.toEqual(slot);
    expect(frameGeneration(sent?.frame ?? new Uint8Array(0))).toBe(sent?.slot?.generation);
    expect(bench.notifier.free).toBe(SLOTS);
  });

  test('nothing is borrowed where the kernel sends nothing, or when all slots are taken', () => {
    const byHand = new Bench(0);
    byHand.request();
    byHand.turnEnd();
    while (bench.notifier.free > 0) bench.notifier.arm(round());
    bench.request();
    bench.turnEnd();
    expect([...byHand.groups, ...bench.groups].map(({ slot }) => slot)).toEqual([
      undefined,
      undefined,
    ]);
  });

  test('more than fit a bundle leave in several, in order', () => {
    for (let i = 0; i <= BUNDLE_FRAMES_MAX; i += 1) bench.request(1);
    expect(bench.groups).toHaveLength(1);
    bench.turnEnd();
    expect(bench.groups.map(({ frame }) => framesOf(frame).length)).toEqual([BUNDLE_FRAMES_MAX, 1]);
    for (let i = 0; i < 5; i += 1) bench.request(BUNDLE_BYTES_MAX / 3);
    bench.turnEnd();
    expect(bench.groups.slice(2).map(({ frame }) => framesOf(frame).length)).toEqual([2, 2, 1]);
    for (const { frame } of bench.groups) expect(frame.length <= BUNDLE_BYTES_MAX).toBe(true);
  });

  test('one that is larger than a bundle leaves alone; beyond a datagram it is refused', () => {
    expect(bench.request(BUNDLE_BYTES_MAX)).toBe(true);
    expect(bench.request(1)).toBe(true);
    expect(bench.request(60_000)).toBe(false);
    bench.turnEnd();
    expect(bench.groups.map(({ frame }) => framesOf(frame).length)).toEqual([1, 1]);
  });

  test('are refused after a send that failed, until the path is looked at again', () => {
    bench.result = 'failed';
    expect(bench.request()).toBe(true);
    bench.turnEnd();
    expect(bench.request()).toBe(false);
    bench.result = 'sendmmsg';
    bench.gatherer.refresh();
    expect(bench.request()).toBe(true);
    bench.turnEnd();
    expect(bench.request()).toBe(true);
  });
});

describe('replies of a turn', () => {
  test('leave in one batch, and no more than its limit', () => {
    for (let i = 0; i <= SINGLES_MAX; i += 1) bench.gatherer.send(bareOkFrame(), i % 3);
    expect(bench.batches).toHaveLength(1);
    bench.turnEnd();
    expect(bench.batches.map(({ length }) => length)).toEqual([SINGLES_MAX, 1]);
    expect(bench.batches[0]?.slice(0, 4)).toEqual([0, 1, 2, 0]);
  });

  test('a frame that no datagram holds is refused', () => {
    expect(bench.gatherer.send(encodeFrame(header(), key, new Uint8Array(60_000)), 1)).toBe(false);
    bench.turnEnd();
    expect(bench.batches).toEqual([]);
  });
});

test('a bundle that makes no sense has no frames', () => {
  const empty = Buffer.alloc(FRAME_HEADER_BYTES + 3);
  writeHeader(empty, header({ kind: FrameKind.bundle }));
  expect(framesOf(empty)).toEqual([]);
});
