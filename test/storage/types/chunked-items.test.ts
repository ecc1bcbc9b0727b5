/** The large form of lists against an array; which rows it changes; and its labels. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { labelBetween, relabelled } from '../../../storage/types/chunk-labels.ts';
import { ChunkedItems } from '../../../storage/types/chunked-items.ts';
import { ItemArray } from '../../../storage/types/item-array.ts';
import type { Items } from '../../../storage/types/items.ts';

/** A list with its rows, as an engine would have them: those touched are written anew. */
class Rows {
  readonly touched = new Set<number>();
  readonly rows = new Map<number, readonly string[]>();
  readonly list = new ChunkedItems((label) => {
    // The row before the change is what was written last, or an earlier change of this command.
    if (!this.touched.has(label)) expect(this.list.chunkOf(label)).toEqual(this.rows.get(label));
    this.touched.add(label);
  });

  /** Writes the touched rows; how many. */
  flush(): number {
    for (const label of this.touched) {
      const items = this.list.chunkOf(label);
      if (items === undefined) this.rows.delete(label);
      else this.rows.set(label, [...items]);
    }
    const { size } = this.touched;
    this.touched.clear();
    return size;
  }

  restored(): ChunkedItems {
    const list = new ChunkedItems(() => undefined);
    for (const [label, items] of this.rows) list.putChunk(label, items);
    return list;
  }
}

function itemsOf(list: Items): string[] {
  const items: string[] = [];
  list.ascend(0, list.length, (item) => items.push(item));
  return items;
}

const item = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 500, max: 5_000 }).map((n) => 'x'.repeat(n)) },
);
const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
type Step = readonly [kind: number, place: number, item: string, count: number];
const step: fc.Arbitrary<Step> = fc.tuple(
  fc.integer({ min: 0, max: 9 }),
  place,
  item,
  fc.integer({ min: 1, max: 60 }),
);

function apply(list: Items, [kind, at, text, count]: Step): void {
  const { length } = list;
  const index = Math.floor(at * length);
  if (length === 0 || kind < 2) {
    for (let i = 0; i < count; i += 1) list.pushRight(`${text}${i}`);
  } else if (kind < 4) {
    for (let i = 0; i < count; i += 1) list.pushLeft(`${text}${i}`);
  } else if (kind < 6) {
    for (let i = 0; i < count; i += 1) list.insert(index, `${text}${i}`);
  } else if (kind === 6) {
    list.set(index, text);
  } else {
    const removed = Math.min(count * (kind === 9 ? 10 : 1), length - index);
    list.remove(index, removed);
  }
}

describe('a list in chunks', () => {
  test('is an array, and its rows are the list', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const rows = new Rows();
        const model = new ItemArray();
        for (const each of steps) {
          apply(rows.list, each);
          apply(model, each);
          rows.flush();
        }
        const expected = itemsOf(model);
        expect(itemsOf(rows.list)).toEqual(expected);
        expect(rows.list.length).toBe(expected.length);
        expect(rows.list.bytes).toBe(expected.join('').length);
        expect(rows.list.chunkCount).toBe(rows.rows.size);
        expect(itemsOf(rows.restored())).toEqual(expected);
        const { length } = expected;
        for (let at = 0; at < length; at += 7) {
          const text = expected[at] as string;
          expect(rows.list.at(at)).toBe(text);
          const isIt = (each: string): boolean => each === text;
          expect(rows.list.find(0, length, isIt)).toBe(expected.indexOf(text));
          expect(rows.list.findLast(length - 1, length, isIt)).toBe(expected.lastIndexOf(text));
        }
      }),
      { numRuns: 25 },
    );
  });

  test('changes one row where it is pushed or popped, and a few for an item in the middle', () => {
    const rows = new Rows();
    for (let i = 0; i < 20_000; i += 1) rows.list.pushRight(`item ${i}`);
    rows.flush();
    for (let i = 0; i < 500; i += 1) {
      rows.list.pushLeft(`left ${i}`);
      expect(rows.flush()).toBe(1);
      rows.list.remove(rows.list.length - 1, 1);
      expect(rows.flush()).toBe(1);
      rows.list.insert(10_000, `middle ${i}`);
      expect(rows.flush()).toBeLessThan(20);
    }
    expect(rows.list.chunkCount).toBeLessThan(400);
    expect(itemsOf(rows.restored())).toEqual(itemsOf(rows.list));
  });

  test('finds labels for items that all go to one place', () => {
    const rows = new Rows();
    for (let i = 0; i < 2_000; i += 1) rows.list.pushRight(`end ${i}`);
    rows.flush();
    let written = 0;
    for (let i = 0; i < 8_000; i += 1) {
      rows.list.insert(1_000, `${i}`);
      written += rows.flush();
    }
    // One row for each, a second for a split, and the neighbours that get other labels.
    expect(written).toBeLessThan(10_000);
    expect(itemsOf(rows.restored())).toEqual(itemsOf(rows.list));
  });

  test('goes on where the labels end', () => {
    const rows = new Rows();
    const last = 2 ** 48 - 2;
    rows.list.putChunk(last, ['a']);
    rows.list.putChunk(1, ['0']);
    rows.rows.set(last, ['a']).set(1, ['0']);
    const long = 'b'.repeat(4_000);
    for (let i = 0; i < 40; i += 1) rows.list.pushRight(long);
    for (let i = 0; i < 40; i += 1) rows.list.pushLeft(long);
    rows.flush();
    const expected = [...Array(40).fill(long), '0', 'a', ...Array(40).fill(long)];
    expect(itemsOf(rows.list)).toEqual(expected);
    expect(itemsOf(rows.restored())).toEqual(expected);
  });

  test('gives an item that is large a chunk of its own', () => {
    const rows = new Rows();
    for (let i = 0; i < 100; i += 1) rows.list.pushRight(`${i}`);
    rows.list.set(50, 'x'.repeat(1_000_000));
    rows.flush();
    const sizes = [...rows.rows.values()].map((items) => items.length);
    expect(sizes.includes(1)).toBe(true);
    rows.list.set(10, 'y');
    const [label] = rows.touched;
    expect(rows.list.chunkOf(label as number)?.join('').length).toBeLessThan(5_000);
  });
});

describe('labels of chunks', () => {
  test('lie between their neighbours', () => {
    expect(labelBetween(undefined, undefined)).toBe(2 ** 47);
    expect(labelBetween(5, 6)).toBeUndefined();
    expect(labelBetween(5, 7)).toBe(6);
    expect(labelBetween(2 ** 48 - 1, undefined)).toBeUndefined();
    expect(labelBetween(undefined, 1)).toBeUndefined();
  });

  test('are given anew in order, within what the neighbours leave', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 80 }),
        place,
        fc.constantFrom(0, 2 ** 48 - 402),
        (numbers, at, base) => {
          const labels = numbers.sort((a, b) => a - b).map((label) => label + base);
          const added = Math.floor(at * (labels.length + 1));
          labels.splice(added, 0, 0);
          const { from, labels: given } = relabelled(labels, added);
          expect(added).toBeGreaterThanOrEqual(from);
          expect(added).toBeLessThan(from + given.length);
          labels.splice(from, given.length, ...given);
          expect(labels[0]).toBeGreaterThan(0);
          expect(labels.at(-1)).toBeLessThan(2 ** 48);
          for (let i = 1; i < labels.length; i += 1) {
            expect(labels[i]).toBeGreaterThan(labels[i - 1] as number);
            expect(Number.isInteger(labels[i])).toBe(true);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
