import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlotIndex, type SlotIndexed } from '../../../storage/keyspace/slot-index.ts';
import { CONFLICT_SLOTS, positionOf } from '../../../storage/keyspace/slots.ts';

interface Item extends SlotIndexed<Item> {
  name: number;
}

const place = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer());
const slot = fc.oneof(fc.integer({ min: 0, max: 65_535 }), fc.constantFrom(0, 31, 32, 65_535));

describe('SlotIndex', () => {
  test('gives pages in order, and never cuts between items of one position', () => {
    const items = fc.array(fc.tuple(slot, place, fc.boolean()), { maxLength: 60 });
    fc.assert(
      fc.property(items, fc.integer({ min: 1, max: 10 }), (all, limit) => {
        const index = new SlotIndex<Item>(0, CONFLICT_SLOTS);
        const made = all.map(
          ([s, p], name): Item => ({
            slot: s,
            place: p,
            next: undefined,
            previous: undefined,
            name,
          }),
        );
        for (const item of made) index.add(item);
        const kept = made.filter((item, i) => {
          if (all[i]?.[2] === true) index.remove(item);
          return all[i]?.[2] !== true;
        });
        expect(index.size).toBe(kept.length);
        const walked: Item[] = [];
        let position = 0;
        for (;;) {
          const page = index.page(position, limit);
          walked.push(...page);
          const last = page.at(-1);
          if (last === undefined || page.length < limit) break;
          position = positionOf(last.slot, last.place) + 1;
        }
        const positions = walked.map((item) => positionOf(item.slot, item.place));
        expect(positions).toEqual(positions.toSorted((a, b) => a - b));
        expect(walked.map((item) => item.name).toSorted()).toEqual(
          kept.map((item) => item.name).toSorted(),
        );
      }),
      { numRuns: 100 },
    );
  });

  test('returns no more than the limit where positions differ', () => {
    const index = new SlotIndex<Item>(0, CONFLICT_SLOTS);
    for (let i = 0; i < 10; i += 1) {
      index.add({ slot: 7, place: i, next: undefined, previous: undefined, name: i });
    }
    expect(index.page(0, 4).map((item) => item.name)).toEqual([0, 1, 2, 3]);
    for (let i = 0; i < 5; i += 1) {
      index.add({ slot: 7, place: 3, next: undefined, previous: undefined, name: 100 + i });
    }
    expect(index.page(0, 4)).toHaveLength(9);
  });

  test('is empty after clear, and refuses to remove a stranger', () => {
    const index = new SlotIndex<Item>(0, CONFLICT_SLOTS);
    const item: Item = { slot: 1, place: 1, next: undefined, previous: undefined, name: 1 };
    index.add(item);
    index.clear();
    expect(index.size).toBe(0);
    expect(index.page(0, 10)).toEqual([]);
    expect(() => index.remove(item)).toThrow();
  });
});
