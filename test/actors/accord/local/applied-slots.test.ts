/** Whether a read of several slots may be answered from what is applied. */
import { describe, expect, test } from 'vitest';
import { AppliedSlots } from '../../../../actors/accord/local/applied-slots.ts';
import { participantsOf, WHOLE_STORE } from '../../../../actors/accord/primitives/participants.ts';

const A = 1;
const B = 65_535;

describe('a read of several slots', () => {
  test('is covered by a barrier that began after the last write of any of them', () => {
    const slots = new AppliedSlots(0, 65_536, 0);
    slots.applied(participantsOf([A]), 4);
    slots.applied(participantsOf([B]), 5);
    slots.applied(participantsOf([2]), 6);
    expect(slots.covers([A, B], 5)).toBe(true);
    expect(slots.covers([A, B], 4)).toBe(false);
    expect(slots.covers([B, A, B], 4)).toBe(false);
    expect(slots.covers([A, 3], 4)).toBe(true);
  });

  test('is not covered by a barrier that began before a write of the whole store', () => {
    const slots = new AppliedSlots(0, 65_536, 0);
    slots.applied(WHOLE_STORE, 7);
    expect(slots.covers([A, B], 6)).toBe(false);
    expect(slots.covers([A, B], 7)).toBe(true);
  });

  test('is not covered by a barrier that began before what the engine held at the start', () => {
    const slots = new AppliedSlots(0, 65_536, 9);
    expect(slots.covers([A, B], 8)).toBe(false);
    expect(slots.covers([A, B], 9)).toBe(true);
  });
});

test('a read of one slot, or of none, needs no more than its barrier', () => {
  const slots = new AppliedSlots(0, 65_536, 9);
  slots.applied(participantsOf([A]), 10);
  expect(slots.covers([A], 0)).toBe(true);
  expect(slots.covers([A, A], 0)).toBe(true);
  expect(slots.covers([], 0)).toBe(true);
});

test('slots are those of the group alone', () => {
  const slots = new AppliedSlots(100, 200, 0);
  slots.applied(participantsOf([100, 199]), 4);
  expect(slots.covers([100, 101], 3)).toBe(false);
  expect(slots.covers([101, 102], 3)).toBe(true);
  expect(slots.covers([101, 199], 4)).toBe(true);
});
