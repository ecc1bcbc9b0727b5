/** The footprints of transactions, against sets of numbers. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeParticipants,
  encodeParticipants,
  hasSlot,
  meets,
  participantsOf,
  WHOLE_STORE,
} from '../../../../actors/accord/primitives/participants.ts';

const slots = fc.array(fc.oneof(fc.nat(10), fc.constant(65_535)), { maxLength: 8 });

test('a participants is ascending, without repeats', () => {
  fc.assert(
    fc.property(slots, (some) => {
      const expected = [...new Set(some)].sort((a, b) => a - b);
      expect([...participantsOf(some)]).toEqual(expected);
    }),
  );
});

test('they have the slots that they were made of, and the whole store has any', () => {
  fc.assert(
    fc.property(slots, fc.oneof(fc.nat(10), fc.constant(65_535)), (some, slot) => {
      expect(hasSlot(participantsOf(some), slot)).toBe(some.includes(slot));
      expect(hasSlot(WHOLE_STORE, slot)).toBe(true);
    }),
  );
});

test('so do many, which are marked and not sorted', () => {
  const many = fc.array(fc.nat(65_535), { minLength: 512, maxLength: 2_000 });
  fc.assert(
    fc.property(many, (some) => {
      const expected = [...new Set([...some, 0, 31, 32, 65_535])].sort((a, b) => a - b);
      expect([...participantsOf([...some, 0, 31, 32, 65_535, 31])]).toEqual(expected);
    }),
    { numRuns: 30 },
  );
});

test('two meet when they share a slot; the whole store meets everything, even nothing', () => {
  fc.assert(
    fc.property(slots, slots, (a, b) => {
      const shared = a.some((slot) => b.includes(slot));
      expect(meets(participantsOf(a), participantsOf(b))).toBe(shared);
      expect(meets(WHOLE_STORE, participantsOf(b))).toBe(true);
      expect(meets(participantsOf(a), WHOLE_STORE)).toBe(true);
    }),
  );
});

test('the bytes give it back, little endian, from any place in a buffer', () => {
  expect(encodeParticipants(participantsOf([258]))).toEqual(Uint8Array.of(2, 1));
  expect(encodeParticipants(WHOLE_STORE)).toBeNull();
  expect(decodeParticipants(null)).toBe(WHOLE_STORE);
  fc.assert(
    fc.property(slots, (some) => {
      const bytes = encodeParticipants(participantsOf(some)) ?? new Uint8Array(0);
      const larger = new Uint8Array(bytes.length + 3);
      larger.set(bytes, 1);
      expect(decodeParticipants(larger.subarray(1, 1 + bytes.length))).toEqual(
        participantsOf(some),
      );
    }),
  );
});
