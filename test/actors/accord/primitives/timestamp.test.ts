/** The order of timestamps, their merge and their bytes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  boundAt,
  compare,
  equal,
  Flags,
  flagsAt,
  hlcAt,
  isRejected,
  keyOf,
  max,
  mergeMax,
  min,
  nodeAt,
  readTimestamp,
  rejected,
  STORE_MAX,
  storeAt,
  TIMESTAMP_BYTES,
  type Timestamp,
  writeTimestamp,
  ZERO,
} from '../../../../actors/accord/primitives/timestamp.ts';

/** Few values, so that equal parts are common; and the extremes. */
const timestamps: fc.Arbitrary<Timestamp> = fc.record({
  hlc: fc.oneof(fc.nat(3), fc.constant(Number.MAX_SAFE_INTEGER), fc.maxSafeNat()),
  flags: fc.constantFrom(0, Flags.WRITE, Flags.REJECTED, Flags.WRITE | Flags.REJECTED, 0x7fff),
  node: fc.oneof(fc.nat(3), fc.constant(2 ** 32 - 1)),
  store: fc.oneof(fc.nat(3), fc.constant(STORE_MAX)),
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

  test('goes by hlc, then kind, then node, then store', () => {
    const base = { hlc: 5, flags: Flags.WRITE, node: 3, store: 0 };
    const ascending = [
      { ...base, node: 2, store: 9 },
      base,
      { ...base, store: 1 },
      { ...base, flags: Flags.WRITE << 1, node: 1 },
      { ...base, hlc: 6, flags: 0, node: 1 },
    ];
    expect([...ascending].reverse().sort(compare)).toEqual(ascending);
  });

  test('a refusal is no part of the identity', () => {
    const vote = { hlc: 5, flags: Flags.WRITE, node: 3, store: 0 };
    expect(compare(vote, rejected(vote))).toBe(0);
    expect(keyOf(rejected(vote))).toBe(keyOf(vote));
    expect([isRejected(vote), isRejected(rejected(vote))]).toEqual([false, true]);
  });

  test('begins with ZERO; min and max are of it', () => {
    fc.assert(
      fc.property(timestamps, timestamps, (a, b) => {
        expect(compare(ZERO, a)).toBeLessThanOrEqual(0);
        expect(compare(min(a, b), max(a, b))).toBeLessThanOrEqual(0);
        expect([a, b]).toContain(max(a, b));
      }),
    );
  });
});

describe('mergeMax', () => {
  test('keeps the higher one whole, and a refusal of either', () => {
    fc.assert(
      fc.property(timestamps, timestamps, (a, b) => {
        const merged = mergeMax(a, b);
        const whole = [a, b].some(
          ({ hlc, node, store, flags }) =>
            merged.hlc === hlc &&
            merged.node === node &&
            merged.store === store &&
            (merged.flags & 0x7fff) === (flags & 0x7fff),
        );
        expect(whole).toBe(true);
        expect(merged.hlc).toBe(Math.max(a.hlc, b.hlc));
        expect(isRejected(merged)).toBe(isRejected(a) || isRejected(b));
        expect(compare(merged, max(a, b))).toBe(0);
      }),
    );
  });

  test('never joins the hlc of one vote with the node of another', () => {
    const a = { hlc: 10, flags: Flags.WRITE, node: 1, store: 0 };
    const b = { hlc: 9, flags: Flags.WRITE, node: 7, store: 0 };
    expect(mergeMax(a, b)).toEqual({ hlc: 10, flags: Flags.WRITE, node: 1, store: 0 });
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
      const bytes = new Uint8Array(TIMESTAMP_BYTES + offset);
      expect(writeTimestamp(bytes, offset, t)).toBe(offset + TIMESTAMP_BYTES);
      expect(readTimestamp(bytes, offset)).toEqual(t);
      expect(hlcAt(bytes, offset)).toBe(t.hlc);
      expect(flagsAt(bytes, offset)).toBe(t.flags);
      expect(storeAt(bytes, offset)).toBe(t.store);
      expect(nodeAt(bytes, offset)).toBe(t.node);
      expect(() => readTimestamp(bytes, offset + 1)).toThrow(RangeError);
    }),
  );
});

test('the bytes are hlc, flags, store and node, big endian', () => {
  const bytes = new Uint8Array(TIMESTAMP_BYTES);
  writeTimestamp(bytes, 0, { hlc: 2 ** 52 + 5, flags: 0x8002, node: 0xf0000007, store: 0x0103 });
  expect(Buffer.from(bytes).toString('hex')).toBe('00100000000000058002' + '0103' + 'f0000007');
});

test('a bound lies between the microsecond before and all of its own', () => {
  const before = { hlc: 4, flags: 0x7fff, node: 2 ** 32 - 1, store: STORE_MAX };
  expect(compare(before, boundAt(5))).toBeLessThan(0);
  expect(compare(boundAt(5), { hlc: 5, flags: 0, node: 1, store: 0 })).toBeLessThan(0);
});
