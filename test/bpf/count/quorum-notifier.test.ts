/**
 * Both notifiers through one interface: the userspace twin, and the kernel's on memory of its own,
 * as when the kernel lets every frame through. They must agree on everything.
 */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  KernelQuorumNotifier,
  type QuorumEvent,
  type QuorumNotifier,
  type QuorumSlot,
  UserspaceQuorumNotifier,
} from '../../../bpf/count/quorum-notifier.ts';
import { FRAME_FLAG } from '../../../bpf/frame/frame.ts';
import { EVENT_LAYOUT, SLOT_LAYOUT, SLOTS_MAX } from '../../../bpf/frame/layout.ts';
import { bareOkFrame, bitmap, round } from '../support.ts';

function slotMemory(): ArrayBuffer {
  return new ArrayBuffer(SLOTS_MAX * SLOT_LAYOUT.bytes);
}

const makers: Record<string, () => QuorumNotifier> = {
  userspace: () => new UserspaceQuorumNotifier({ firstGeneration: 70_000 }),
  kernel: () => new KernelQuorumNotifier(slotMemory(), 70_000),
};

function mustArm(notifier: QuorumNotifier, fields = {}): QuorumSlot {
  const slot = notifier.arm(round(fields));
  if (slot === undefined) throw new Error('no slot');
  return slot;
}

describe.each(Object.entries(makers))('%s', (_name, make) => {
  let notifier: QuorumNotifier;
  let batches: QuorumEvent[][];
  beforeEach(() => {
    notifier = make();
    batches = [];
    notifier.onQuorum = (batch) => batches.push([...batch]);
  });
  const reply = (slot: QuorumSlot, sender: number): Uint8Array => bareOkFrame({ ...slot, sender });

  test('a quorum is told once, with the votes, at the flush', () => {
    const slot = mustArm(notifier);
    expect(notifier.receive(reply(slot, 1))).toBe('counted');
    expect(notifier.receive(reply(slot, 1))).toBe('duplicate');
    expect(notifier.votes(slot)).toBe(0b10);
    expect(notifier.receive(reply(slot, 2))).toBe('quorum');
    expect(batches).toEqual([]);
    notifier.flush();
    notifier.flush();
    expect(batches).toEqual([[{ ...slot, votes: 0b110 }]]);
  });

  test('quorums between two flushes come as one batch', () => {
    const slots = [0, 1, 2].map(() => mustArm(notifier, { need: 1 }));
    for (const slot of slots) notifier.receive(reply(slot, 1));
    notifier.flush();
    expect(batches).toHaveLength(1);
    expect(batches[0]?.map((event) => event.slot)).toEqual(slots.map((slot) => slot.slot));
  });

  test('a round released without its quorum is over: its replies are stale', () => {
    const slot = mustArm(notifier);
    notifier.receive(reply(slot, 1));
    notifier.release(slot);
    notifier.release(slot);
    expect(notifier.votes(slot)).toBe(0);
    expect(notifier.receive(reply(slot, 2))).toBe('stale');
    notifier.flush();
    expect(batches).toEqual([]);
    expect(notifier.free).toBe(SLOTS_MAX);
  });

  test('late replies to a round released with its quorum are dropped without a word', () => {
    const slot = mustArm(notifier, { electorate: 0b1110, need: 2 });
    notifier.receive(reply(slot, 1));
    notifier.receive(reply(slot, 2));
    notifier.flush();
    notifier.release(slot);
    expect(notifier.receive(reply(slot, 3))).toBe('counted');
    expect(notifier.receive(reply(slot, 3))).toBe('duplicate');
    notifier.flush();
    expect(batches).toHaveLength(1);
    expect(notifier.votes(slot)).toBe(0);
  });

  test('a quorum that was not flushed before the release is dropped', () => {
    const slot = mustArm(notifier, { need: 1 });
    expect(notifier.receive(reply(slot, 1))).toBe('quorum');
    notifier.release(slot);
    notifier.flush();
    expect(batches).toEqual([]);
  });

  test('late replies to a slot that serves another round are stale', () => {
    const old = mustArm(notifier);
    notifier.release(old);
    for (let i = 1; i < SLOTS_MAX; i += 1) notifier.release(mustArm(notifier));
    const current = mustArm(notifier);
    expect(current.slot).toBe(old.slot);
    expect(notifier.receive(reply(old, 1))).toBe('stale');
    expect(notifier.votes(current)).toBe(0);
    expect(notifier.votes(old)).toBe(0);
    notifier.release(old);
    expect(notifier.receive(reply(current, 1))).toBe('counted');
  });

  test('all slots taken: arm says so, and a release makes room', () => {
    const slots = Array.from({ length: SLOTS_MAX }, () => mustArm(notifier));
    expect(new Set(slots.map((slot) => slot.slot)).size).toBe(SLOTS_MAX);
    expect(notifier.arm(round())).toBeUndefined();
    const [first] = slots;
    if (first !== undefined) notifier.release(first);
    expect(mustArm(notifier).slot).toBe(0);
  });

  test('others than plain replies of the electorate are left to the coordinator', () => {
    const slot = mustArm(notifier);
    expect(notifier.receive(bareOkFrame({ ...slot, flags: 0 }))).toBe('passed');
    expect(notifier.receive(bareOkFrame({ ...slot, sender: 5 }))).toBe('foreign');
    expect(notifier.receive(bareOkFrame({ ...slot, groupId: { range: 99, generation: 6 } }))).toBe(
      'stale',
    );
    expect(notifier.receive(bareOkFrame({ ...slot, slot: SLOTS_MAX }))).toBe('stale');
    expect(notifier.receive(new Uint8Array(3))).toBe('passed');
    expect(notifier.votes(slot)).toBe(0);
  });

  test('a round that cannot be counted is refused, and takes no slot', () => {
    expect(() => notifier.arm(round({ need: 3 }))).toThrow(RangeError);
    expect(notifier.free).toBe(SLOTS_MAX);
  });
});

describe('the two agree', () => {
  const step = fc.record({
    act: fc.constantFrom('arm', 'release', 'flush', ...new Array(8).fill('reply')),
    which: fc.nat({ max: 5 }),
    sender: fc.nat({ max: 6 }),
    old: fc.boolean(),
    plain: fc.integer({ min: 0, max: 9 }),
    need: fc.integer({ min: 1, max: 4 }),
  });
  test('on any sequence of rounds and frames', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const twins = Object.values(makers).map((make) => make());
        const told: QuorumEvent[][] = twins.map(() => []);
        twins.forEach((twin, index) => {
          twin.onQuorum = (batch) => told[index]?.push(...batch);
        });
        const slots: QuorumSlot[] = [];
        for (const { act, which, sender, old, plain, need } of steps) {
          const slot = slots[old ? which : slots.length - 1 - which];
          const seen = twins.map((twin) => {
            if (act === 'arm') return twin.arm(round({ electorate: 0b1111110, need }));
            if (act === 'flush') return twin.flush();
            if (slot === undefined) return undefined;
            if (act === 'release') return twin.release(slot);
            const flags = plain === 0 ? 0 : FRAME_FLAG.plain;
            return [twin.receive(bareOkFrame({ ...slot, sender, flags })), twin.votes(slot)];
          });
          expect(seen[0]).toEqual(seen[1]);
          if (act === 'arm') slots.push(seen[0] as QuorumSlot);
        }
        for (const twin of twins) twin.flush();
        expect(told[0]).toEqual(told[1]);
      }),
      { numRuns: 60 },
    );
  });
});

describe('kernel', () => {
  function event(slot: QuorumSlot, votes: number): DataView {
    const view = new DataView(new ArrayBuffer(EVENT_LAYOUT.bytes));
    view.setBigUint64(EVENT_LAYOUT.generation, BigInt(slot.generation), true);
    view.setUint32(EVENT_LAYOUT.slot, slot.slot, true);
    view.setUint16(EVENT_LAYOUT.votes, votes, true);
    return view;
  }

  test('an event of the ring is told once, also when its frame came up as well', () => {
    const memory = slotMemory();
    const notifier = new KernelQuorumNotifier(memory, 1);
    const batches: QuorumEvent[][] = [];
    notifier.onQuorum = (batch) => batches.push([...batch]);
    const slot = mustArm(notifier);
    new DataView(memory).setUint16(slot.slot * SLOT_LAYOUT.bytes, 0b110, true);
    notifier.takeEvents(event(slot, 0b110), 1);
    notifier.takeEvents(event(slot, 0b110), 1);
    expect(notifier.receive(bareOkFrame({ ...slot, sender: 2 }))).toBe('duplicate');
    notifier.flush();
    expect(batches).toEqual([[{ ...slot, votes: 0b110 }]]);
  });

  test('ring full: the frame that completed the quorum is the notification', () => {
    const memory = slotMemory();
    const notifier = new KernelQuorumNotifier(memory, 1);
    const slot = mustArm(notifier);
    // The kernel has set the bits and passed the frame up.
    new DataView(memory).setUint16(slot.slot * SLOT_LAYOUT.bytes, 0b110, true);
    expect(notifier.receive(bareOkFrame({ ...slot, sender: 2 }))).toBe('quorum');
    expect(notifier.receive(bareOkFrame({ ...slot, sender: 2 }))).toBe('duplicate');
  });

  test('an event of an earlier round of the slot, or of none, is dropped', () => {
    const notifier = new KernelQuorumNotifier(slotMemory(), 1);
    let told = 0;
    notifier.onQuorum = () => told++;
    const slot = mustArm(notifier);
    notifier.takeEvents(event({ ...slot, generation: slot.generation + 1 }, 0b110), 1);
    notifier.takeEvents(event({ slot: SLOTS_MAX + 5, generation: 1 }, 0b110), 1);
    notifier.release(slot);
    notifier.takeEvents(event(slot, 0b110), 1);
    expect(told).toBe(0);
  });

  test('arming writes the slot as the kernel reads it, and clears old votes', () => {
    const memory = slotMemory();
    const notifier = new KernelQuorumNotifier(memory, 0xabcd_1234_5678);
    const counted = round({ electorate: 0x8006, need: 3, group: 9 });
    const slot = notifier.arm(counted);
    const view = new DataView(memory);
    expect(view.getBigUint64(SLOT_LAYOUT.word, true)).toBe(0xabcd_1234_5678_0000n);
    expect(new Uint8Array(memory, SLOT_LAYOUT.round, 48)).toEqual(Uint8Array.from(counted.round));
    expect(view.getUint32(SLOT_LAYOUT.group, true)).toBe(9);
    expect(view.getUint16(SLOT_LAYOUT.electorate, true)).toBe(0x8006);
    expect(view.getUint8(SLOT_LAYOUT.need)).toBe(3);
    expect(view.getUint8(SLOT_LAYOUT.replyKind)).toBe(counted.replyKind);
    expect(slot === undefined || notifier.wasFannedOut(slot)).toBe(false);
    view.setBigUint64(SLOT_LAYOUT.fanned, 0xabcd_1234_5678n, true);
    expect(slot !== undefined && notifier.wasFannedOut(slot)).toBe(true);
  });

  test('rounds of an earlier process in pinned memory are disarmed', () => {
    const memory = slotMemory();
    const first = new KernelQuorumNotifier(memory, 70_000);
    mustArm(first);
    const second = new KernelQuorumNotifier(memory, 80_000);
    expect(new DataView(memory).getUint32(SLOT_LAYOUT.word, true)).toBe(0);
    expect(second.free).toBe(SLOTS_MAX);
  });

  test('counting goes on when the kernel’s memory goes', () => {
    const memory = slotMemory();
    const notifier = new KernelQuorumNotifier(memory, 1);
    const slot = mustArm(notifier, { electorate: bitmap([1, 2, 3]), need: 3 });
    new DataView(memory).setUint16(slot.slot * SLOT_LAYOUT.bytes, 0b10, true);
    notifier.leaveKernel();
    new Uint8Array(memory).fill(0xff);
    expect(notifier.votes(slot)).toBe(0b10);
    expect(notifier.receive(bareOkFrame({ ...slot, sender: 2 }))).toBe('counted');
    expect(notifier.receive(bareOkFrame({ ...slot, sender: 3 }))).toBe('quorum');
  });

  test('a quorum that is complete in the kernel, but not told, is told when it goes', () => {
    const memory = slotMemory();
    const notifier = new KernelQuorumNotifier(memory, 1);
    const batches: QuorumEvent[][] = [];
    notifier.onQuorum = (batch) => batches.push([...batch]);
    const told = mustArm(notifier);
    const untold = mustArm(notifier);
    const open = mustArm(notifier);
    for (const { slot } of [told, untold]) {
      new DataView(memory).setUint16(slot * SLOT_LAYOUT.bytes, 0b110, true);
    }
    new DataView(memory).setUint16(open.slot * SLOT_LAYOUT.bytes, 0b10, true);
    notifier.takeEvents(event(told, 0b110), 1);
    notifier.leaveKernel();
    expect(batches).toEqual([[{ ...told, votes: 0b110 }], [{ ...untold, votes: 0b110 }]]);
  });

  test('memory of another size is refused', () => {
    expect(() => new KernelQuorumNotifier(new ArrayBuffer(64), 1)).toThrow(RangeError);
  });
});
