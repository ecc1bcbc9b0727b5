/** The slot logic: the shared vectors, and what must hold for any sequence of frames. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { population } from '../../../actors/accord/primitives/bit-set.ts';
import { consumes, SlotModel } from '../../../bpf/count/slot-model.ts';
import { FrameKind } from '../../../bpf/frame/frame.ts';
import { SLOTS_MAX } from '../../../bpf/frame/layout.ts';
import { armed, bareOkFrame, bitmap, key, readSlotVectors, round, stepFrame } from '../support.ts';

describe('vectors', () => {
  const { group, cases } = readSlotVectors();
  test.each(cases)('$name', ({ arm, steps }) => {
    const model = new SlotModel({ key });
    model.setGroup(group.id, group.members);
    let now = armed(arm);
    model.arm(now.slot, now.generation, now.round);
    steps.forEach((step, index) => {
      if (step.rearm !== undefined) {
        now = armed(step.rearm);
        model.arm(now.slot, now.generation, now.round);
      } else if (step.release === true) {
        model.disarm(now.slot);
      } else {
        const { frame, source } = stepFrame(step, now, group.members);
        expect(model.judge(frame, source), `step ${index}`).toBe(step.verdict);
      }
      expect(model.votes(now.slot), `votes after step ${index}`).toBe(bitmap(step.bits));
    });
  });
});

describe('any sequence of replies', () => {
  test('exactly one quorum, and exactly when enough different members have voted', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 0xffff }),
        fc.array(fc.nat({ max: 15 }), { maxLength: 60 }),
        fc.nat(),
        (electorate, senders, choice) => {
          const need = 1 + (choice % population(electorate));
          const model = new SlotModel({ slots: 8 });
          model.arm(7, 70_000, round({ electorate, need }));
          const voted = new Set<number>();
          let quorums = 0;
          for (const sender of senders) {
            const before = voted.size;
            const verdict = model.judge(bareOkFrame({ sender }));
            if (((electorate >> sender) & 1) === 1) voted.add(sender);
            else expect(verdict).toBe('foreign');
            if (verdict === 'quorum') {
              quorums += 1;
              expect(voted.size).toBe(need);
              expect(before).toBe(need - 1);
            }
          }
          expect(quorums).toBe(voted.size >= need ? 1 : 0);
          expect(model.votes(7)).toBe(bitmap([...voted]));
        },
      ),
    );
  });
});

describe('limits', () => {
  test('rounds that could never be counted right are refused', () => {
    const model = new SlotModel({ slots: 8 });
    for (const bad of [
      { need: 0 },
      { need: 3 },
      { electorate: 0x10000 },
      { electorate: -1 },
      { round: new Uint8Array(47) },
    ]) {
      expect(() => model.arm(7, 1, round(bad)), JSON.stringify(bad)).toThrow(RangeError);
    }
    expect(() => model.arm(8, 1, round())).toThrow(RangeError);
    expect(() => model.arm(7, 0, round())).toThrow(RangeError);
    expect(() => model.arm(7, 2 ** 48, round())).toThrow(RangeError);
    expect(() => new SlotModel({ slots: SLOTS_MAX + 1 })).toThrow(RangeError);
  });

  test('the kernel keeps nothing to itself but votes', () => {
    const kept = (['quorum', 'counted', 'duplicate'] as const).map(consumes);
    const passed = (['stale', 'foreign', 'tampered', 'passed'] as const).map(consumes);
    expect(kept).toEqual([true, true, true]);
    expect(passed).toEqual([false, false, false, false]);
  });

  test('without a key the tag is not looked at', () => {
    const model = new SlotModel({ slots: 8 });
    model.arm(7, 70_000, round({ need: 1 }));
    const frame = bareOkFrame({ kind: FrameKind.preAcceptSame });
    frame[72] = (frame[72] as number) ^ 1;
    expect(model.judge(frame)).toBe('quorum');
  });
});
