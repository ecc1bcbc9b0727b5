/** The order of timestamps, their merge and their bytes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compare,
  equal,
  Flags,
  isRejected,
  keyOf,
  MAX,
  max,
  mergeMax,
  min,
  readTimestamp,
  rejected,
  TIMESTAMP_BYTES,
  type Timestamp,
  writeTimestamp,
  ZERO,
} from '../../../../actors/accord/primitives/timestamp.ts';

/** Few values, so that equal parts are common; and the extremes. */
const timestamps: fc.Arbitrary<Timestamp> = fc.record({
  epoch: fc.oneof(fc.nat(2), fc.constant(2 ** 48 - 1)),
  hlc: fc.oneof(fc.nat(3), fc.constant(Number.MAX_SAFE_INTEGER), fc.maxSafeNat()),
  flags: fc.constantFrom(0, Flags.WRITE, Flags.REJECTED, Flags.WRITE | Flags.REJECTED, 0x7fff),
  node: fc.oneof(fc.nat(3), fc.constant(2 ** 32 - 1)),
});

describe('the order', () => {
  test('is total: antisymmetric, transitive, and zero only for equals', () => {
    fc.assert(
      fc.property(timestamps, timestamps, timestamps, (a, b, c) => {
        expect(Math.sign(compare(a, b))).toBe(0 - Math.sign(compare(b, a)));
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
        expect(compare(a, b) === 0).toBe(keyOf(a) === keyOf(b));
        expect(equal(a, b)).toBe(compare(a, b) === 0);
      }),
    );
  });

  test('goes by epoch, then hlc, then kind, then node', () => {
    const base = { epoch: 1, hlc: 5, flags: Flags.WRITE, node: 3 };
    const ascending = [
      { ...base, node: 2 },
      base,
      { ...base, flags: Flags.WRITE << 1, node: 1 },
      { ...base, hlc: 6, flags: 0, node: 1 },
      { ...base, epoch: 2, hlc: 1, flags: 0, node: 1 },
    ];
    expect([...ascending].reverse().sort(compare)).toEqual(ascending);
  });

  test('a refusal is no part of the identity', () => {
    const vote = { epoch: 1, hlc: 5, flags: Flags.WRITE, node: 3 };
    expect(compare(vote, rejected(vote))).toBe(0);
    expect(keyOf(rejected(vote))).toBe(keyOf(vote));
    expect([isRejected(vote), isRejected(rejected(vote))]).toEqual([false, true]);
  });

  test('lies between ZERO and MAX', () => {
    fc.assert(
      fc.property(timestamps, timestamps, (a, b) => {
        expect(compare(ZERO, a)).toBeLessThanOrEqual(0);
        expect(compare(a, MAX)).toBeLessThanOrEqual(0);
        expect(compare(min(a, b), max(a, b))).toBeLessThanOrEqual(0);
        expect([a, b]).toContain(max(a, b));
      }),
    );
  });
});

describe('mergeMax', () => {
  test('keeps one of the two whole, the higher epoch, and a refusal of either', () => {
    fc.assert(
      fc.property(timestamps, timestamps, (a, b) => {
        const merged = mergeMax(a, b);
        const whole = [a, b].some(
          ({ hlc, node, flags }) =>
            merged.hlc === hlc &&
            merged.node === node &&
            (merged.flags & 0x7fff) === (flags & 0x7fff),
        );
        expect(whole).toBe(true);
        expect(merged.epoch).toBe(Math.max(a.epoch, b.epoch));
        expect(merged.hlc).toBe(Math.max(a.hlc, b.hlc));
        expect(isRejected(merged)).toBe(isRejected(a) || isRejected(b));
        expect(compare(merged, max(a, b))).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('never joins the hlc of one vote with the node of another', () => {
    const a = { epoch: 1, hlc: 10, flags: Flags.WRITE, node: 1 };
    const b = { epoch: 2, hlc: 9, flags: Flags.WRITE, node: 7 };
    expect(mergeMax(a, b)).toEqual({ epoch: 2, hlc: 10, flags: Flags.WRITE, node: 1 });
  });

  test('does not depend on the order of votes', () => {
    fc.assert(
      fc.property(timestamps, timestamps, timestamps, (a, b, c) => {
        expect(mergeMax(mergeMax(a, b), c)).toEqual(mergeMax(a, mergeMax(b, c)));
        expect(mergeMax(a, b)).toEqual(mergeMax(b, a));
      }),
    );
  });
});

test('the bytes give back the timestamp, at any offset', () => {
  fc.assert(
    fc.property(timestamps, fc.nat(5), (t, offset) => {
      const view = new DataView(new ArrayBuffer(TIMESTAMP_BYTES + offset));
      expect(writeTimestamp(view, offset, t)).toBe(offset + TIMESTAMP_BYTES);
      expect(readTimestamp(view, offset)).toEqual(t);
    }),
  );
});
