/** What a transaction touches: against sets of numbers. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeFootprint,
  encodeFootprint,
  footprintOf,
  meets,
  WHOLE_STORE,
} from '../../../../actors/accord/primitives/participants.ts';

const slots = fc.array(fc.oneof(fc.nat(10), fc.constant(65_535)), { maxLength: 8 });

test('a footprint is ascending, without repeats', () => {
  fc.assert(
    fc.property(slots, (some) => {
      const expected = [...new Set(some)].sort((a, b) => a - b);
      expect([...footprintOf(some)]).toEqual(expected);
    }),
  );
});

test('two meet when they share a slot; the whole store meets everything, even nothing', () => {
  fc.assert(
    fc.property(slots, slots, (a, b) => {
      const shared = a.some((slot) => b.includes(slot));
      expect(meets(footprintOf(a), footprintOf(b))).toBe(shared);
      expect(meets(WHOLE_STORE, footprintOf(b))).toBe(true);
      expect(meets(footprintOf(a), WHOLE_STORE)).toBe(true);
    }),
  );
});

test('the bytes give it back, little endian, from any place in a buffer', () => {
  expect(encodeFootprint(footprintOf([258]))).toEqual(Uint8Array.of(2, 1));
  expect(encodeFootprint(WHOLE_STORE)).toBeNull();
  expect(decodeFootprint(null)).toBe(WHOLE_STORE);
  fc.assert(
    fc.property(slots, (some) => {
      const bytes = encodeFootprint(footprintOf(some)) ?? new Uint8Array(0);
      const larger = new Uint8Array(bytes.length + 3);
      larger.set(bytes, 1);
      expect(decodeFootprint(larger.subarray(1, 1 + bytes.length))).toEqual(footprintOf(some));
    }),
  );
});
