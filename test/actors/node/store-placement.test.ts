/** Groups are placed by their names alone, and evenly. */
import { expect, test } from 'vitest';
import { storeOf } from '../../../actors/node/store-placement.ts';

test('one store holds all groups', () => {
  for (const range of [1, 2, 1_000]) expect(storeOf({ range, generation: 1 }, 1)).toBe(0);
});

test('ranges are spread evenly; generations of a range stay together', () => {
  const counts = [0, 0, 0, 0];
  for (let range = 1; range <= 100; range += 1) {
    const store = storeOf({ range, generation: 1 }, 4);
    expect(storeOf({ range, generation: 77 }, 4)).toBe(store);
    counts[store] = (counts[store] ?? 0) + 1;
  }
  expect(counts).toEqual([25, 25, 25, 25]);
});
