/**
 * Keys chosen to collide by an attacker: sixteen thousand of them share all 32 bits of the hash
 * that places keys inside a slot, and the tables inside a node must not care.
 */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Arguments } from '../../../storage/arguments.ts';
import { SlotIndex, type SlotIndexed } from '../../../storage/keyspace/slot-index.ts';
import { CONFLICT_SLOTS } from '../../../storage/keyspace/slots.ts';
import { TableHash } from '../../../storage/keyspace/table-hash.ts';
import { placeOfText } from '../../../storage/place.ts';
import { Machine } from '../harness.ts';

const STAGES = 14;
const SEED = 0x2f0b4c47;
const PRIME = 0x5bd1e995;

/** Joux's multicollision: a pair of blocks that meet at each of fourteen stages. */
function collidingKeys(): string[] {
  let keys = [''];
  let state = SEED;
  for (let stage = 0; stage < STAGES; stage += 1) {
    const seen = new Map<number, string>();
    for (let n = 0; ; n += 1) {
      const block = n.toString(36).padStart(6, '.');
      let h = state;
      for (let i = 0; i < block.length; i += 1) h = Math.imul(h ^ block.charCodeAt(i), PRIME);
      const other = seen.get(h);
      if (other === undefined) {
        seen.set(h, block);
        continue;
      }
      keys = keys.flatMap((key) => [key + block, key + other]);
      state = h;
      break;
    }
  }
  return keys;
}

const KEYS = collidingKeys();

afterEach(() => {
  vi.restoreAllMocks();
});

describe('TableHash', () => {
  test('is HalfSipHash-1-3', () => {
    const hash = new TableHash([0x03020100, 0x07060504]);
    const data = Buffer.from(Array.from({ length: 16 }, (_, i) => i));
    const values = [0x5814c896, 0xe7e864ca, 0xbc4b0e30, 0x01539939, 0x7e059ea6, 0x88e3d89b];
    values.forEach((value, length) => {
      expect(hash.ofBytes(data, 0, length) >>> 0).toBe(value);
      expect(hash.ofText(data.toString('latin1', 0, length)) >>> 0).toBe(value);
    });
  });

  test('takes texts of any length that a key may have', () => {
    const hash = new TableHash([1, 2]);
    for (const length of [255, 256, 257, 65_536]) {
      const text = '\xff'.repeat(length);
      const bytes = Buffer.from(`x${text}`, 'latin1');
      expect(hash.ofText(text)).toBe(hash.ofBytes(bytes, 1, bytes.length));
    }
  });

  test('spreads keys that collide in their place, and differently under each key', () => {
    expect(new Set(KEYS).size).toBe(16_384);
    expect(new Set(KEYS.map(placeOfText)).size).toBe(1);
    const [one, two] = [new TableHash([1, 2]), new TableHash([1, 3])];
    for (const hash of [one, two]) {
      const buckets = new Uint8Array(KEYS.length);
      for (const key of KEYS) {
        const bucket = hash.ofText(key) & (buckets.length - 1);
        buckets[bucket] = (buckets[bucket] as number) + 1;
      }
      expect(Math.max(...buckets)).toBeLessThanOrEqual(12);
    }
    expect(KEYS.some((key) => one.ofText(key) !== two.ofText(key))).toBe(true);
  });
});

describe('tables with keys that collide in their place', () => {
  test('compare a key with hardly any other one', () => {
    const some = KEYS.slice(0, 2_000);
    const machine = new Machine({ cacheBytesMax: 1e9, dirtyBytesMax: 1e9 });
    const equals = vi.spyOn(Arguments.prototype, 'equals');
    for (const key of some) machine.run('SET', key, 'v');
    for (const key of some) machine.run('GET', key);
    for (const key of some) expect(machine.run('DEL', key)).toBe(1);
    expect(equals.mock.calls.length).toBeLessThan(4 * some.length);
  });

  test('remove and page through a full slot without walking it again and again', () => {
    let steps = 0;
    class Item implements SlotIndexed<Item> {
      readonly slot = 7;
      readonly place: number;
      previous: Item | undefined = undefined;
      #next: Item | undefined = undefined;

      constructor(place: number) {
        this.place = place;
      }

      get next(): Item | undefined {
        steps += 1;
        return this.#next;
      }

      set next(item: Item | undefined) {
        this.#next = item;
      }
    }
    const index = new SlotIndex<Item>(0, CONFLICT_SLOTS);
    const items = KEYS.map((_, i) => new Item(Math.imul(i, 0x9e3779b1)));
    for (const item of items) index.add(item);
    expect(index.page(0, 100).length).toBe(100);
    steps = 0;
    for (let i = 0; i < 100; i += 1) index.page(0, 10);
    for (const item of items) index.remove(item);
    expect(index.size).toBe(0);
    expect(steps).toBeLessThan(4 * items.length);
  });
});
