import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arguments } from '../../../storage/arguments.ts';
import { type Keyed, KeyTable } from '../../../storage/keyspace/key-table.ts';
import { placeOfText } from '../../../storage/place.ts';
import { body } from '../harness.ts';

interface Item extends Keyed<Item> {}

/** A hash with few values, so that chains are long. */
function item(key: string, hash = placeOfText(key)): Item {
  return { key, hash, chain: undefined };
}

describe('KeyTable', () => {
  test('holds what a Map holds, through all its growth', () => {
    const operation = fc.tuple(fc.nat(5_000), fc.boolean());
    fc.assert(
      fc.property(fc.array(operation, { minLength: 3_000, maxLength: 6_000 }), (operations) => {
        const table = new KeyTable<Item>();
        const map = new Map<string, Item>();
        for (const [n, add] of operations) {
          const key = `key${n}`;
          const there = map.get(key);
          expect(table.get(key, placeOfText(key))).toBe(there);
          if (there === undefined) {
            const made = item(key);
            table.add(made);
            map.set(key, made);
          } else if (!add) {
            table.remove(there);
            map.delete(key);
          }
        }
        expect(table.size).toBe(map.size);
        for (const [key, made] of map) expect(table.get(key, placeOfText(key))).toBe(made);
      }),
      { numRuns: 5, endOnFailure: true },
    );
  });

  test('finds keys by the bytes of an argument', () => {
    const table = new KeyTable<Item>();
    const args = new Arguments();
    const keys = ['', 'a', 'key:000000000001', '\xff\x00\x80'];
    for (const key of keys) table.add(item(key));
    args.next(body(['MGET', ...keys, 'absent']), 0);
    keys.forEach((key, i) => {
      expect(table.find(args, i + 1, placeOfText(key))?.key).toBe(key);
    });
    expect(table.find(args, 5, placeOfText('absent'))).toBeUndefined();
  });

  test('tells keys with equal hashes apart', () => {
    const table = new KeyTable<Item>();
    const items = Array.from({ length: 50 }, (_, i) => item(`key${i}`, 42));
    for (const each of items) table.add(each);
    for (const each of items) expect(table.get(each.key, 42)).toBe(each);
    table.remove(items[25] as Item);
    expect(table.get('key25', 42)).toBeUndefined();
    expect(table.get('key24', 42)).toBe(items[24]);
    expect(() => table.remove(items[25] as Item)).toThrow();
  });

  test('is empty after clear', () => {
    const table = new KeyTable<Item>();
    for (let i = 0; i < 3_000; i += 1) table.add(item(`key${i}`));
    table.clear();
    expect(table.size).toBe(0);
    expect(table.get('key1', placeOfText('key1'))).toBeUndefined();
    table.add(item('key1'));
    expect(table.get('key1', placeOfText('key1'))?.key).toBe('key1');
  });
});
