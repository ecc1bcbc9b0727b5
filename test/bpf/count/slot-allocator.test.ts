/** Slots and generations: no two rounds share one, none is lost, all taken is an answer. */
import { expect, test } from 'vitest';
import { firstGenerationAt, SlotAllocator } from '../../../bpf/count/slot-allocator.ts';
import { GENERATION_MAX } from '../../../bpf/frame/frame.ts';

test('takes every slot once, then none, then those that came back, oldest first', () => {
  const slots = new SlotAllocator(3, 1);
  const taken = [slots.take(), slots.take(), slots.take()];
  expect(taken).toEqual([0, 1, 2]);
  expect(slots.take()).toBe(-1);
  expect(slots.release(1, slots.generation(1))).toBe(true);
  expect(slots.release(0, slots.generation(0))).toBe(true);
  expect(slots.free).toBe(2);
  expect([slots.take(), slots.take(), slots.take()]).toEqual([1, 0, -1]);
});

test('a release by another generation, or a second one, does nothing', () => {
  const slots = new SlotAllocator(2, 10);
  const slot = slots.take();
  const generation = slots.generation(slot);
  expect(slots.release(slot, generation + 1)).toBe(false);
  expect(slots.release(slot, generation)).toBe(true);
  expect(slots.release(slot, generation)).toBe(false);
  expect(slots.release(slot, 0)).toBe(false);
  expect(slots.free).toBe(2);
});

test('generations never repeat, never have sixteen low zeroes, and wrap after 48 bits', () => {
  const slots = new SlotAllocator(1, 0xffff);
  const next = (allocator: SlotAllocator): number => {
    const slot = allocator.take();
    const generation = allocator.generation(slot);
    allocator.release(slot, generation);
    return generation;
  };
  expect([next(slots), next(slots)]).toEqual([0xffff, 0x10001]);
  const last = new SlotAllocator(1, GENERATION_MAX);
  expect([next(last), next(last)]).toEqual([GENERATION_MAX, 1]);
});

test('a later start begins with a larger generation, within 48 bits', () => {
  const now = 1_800_000_000_000_000;
  expect(firstGenerationAt(now + 1_000_000) - firstGenerationAt(now)).toBe(65_536);
  expect(firstGenerationAt(0)).toBe(1);
  expect(firstGenerationAt((2 ** 32 - 1) * 1e6)).toBeLessThanOrEqual(GENERATION_MAX);
  expect(() => new SlotAllocator(1, 0)).toThrow(RangeError);
});
