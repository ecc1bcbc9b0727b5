/** The bytes of row keys: their order is that of databases, positions and keys. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  keyOfRow,
  PLAIN_KEY_BYTES_MAX,
  placeOfRow,
  ROW_KEY_BYTES_MAX,
  rowsFrom,
  slotOfRow,
  writeRowKey,
} from '../../../storage/engine/row-key.ts';
import { positionOf, slotOfText } from '../../../storage/keyspace/slots.ts';
import { placeOfText } from '../../../storage/place.ts';

function rowOf(database: number, slot: number, place: number, key: string): Buffer {
  const bytes = Buffer.alloc(ROW_KEY_BYTES_MAX);
  return bytes.subarray(0, writeRowKey(bytes, database, slot, place, key));
}

const row = fc.record({
  database: fc.constantFrom(0, 1, 0xff, 0x100, 0xffff),
  slot: fc.constantFrom(0, 1, 0xff, 0x100, 0xffff),
  place: fc.constantFrom(0, 1, 0xff, 2 ** 31 - 1, -(2 ** 31), -1),
  key: fc.string({ unit: fc.constantFrom('\x00', 'a', '\xff'), maxLength: 4 }),
});

type Row = { database: number; slot: number; place: number; key: string };

function order(a: Row, b: Row): number {
  return (
    a.database - b.database ||
    positionOf(a.slot, a.place) - positionOf(b.slot, b.place) ||
    a.key.length - b.key.length ||
    Buffer.compare(Buffer.from(a.key, 'latin1'), Buffer.from(b.key, 'latin1'))
  );
}

describe('row keys', () => {
  test('stand in the order of database, position and key', () => {
    fc.assert(
      fc.property(row, row, (a, b) => {
        const [left, right] = [a, b].map((r) => rowOf(r.database, r.slot, r.place, r.key));
        expect(Buffer.compare(left as Buffer, right as Buffer)).toBe(Math.sign(order(a, b)));
      }),
      { numRuns: 2_000 },
    );
  });

  test('give back what they are made of', () => {
    fc.assert(
      fc.property(row, ({ database, slot, place, key }) => {
        const bytes = rowOf(database, slot, place, key);
        expect([slotOfRow(bytes), placeOfRow(bytes), keyOfRow(bytes)]).toEqual([slot, place, key]);
        expect(Buffer.compare(rowsFrom(database, positionOf(slot, place)), bytes)).toBe(-1);
        const next = positionOf(slot, place) + 1;
        if (next < 2 ** 48) expect(Buffer.compare(bytes, rowsFrom(database, next))).toBe(-1);
      }),
    );
  });

  test('no key is the beginning of another one: rows may live under it', () => {
    fc.assert(
      fc.property(row, row, (a, b) => {
        const [left, right] = [a, b].map((r) => rowOf(0, 7, 7, r.key)) as [Buffer, Buffer];
        const begins = left.equals(right.subarray(0, left.length));
        expect(begins).toBe(a.key === b.key);
      }),
    );
  });

  test('keep long keys as their digest, and room for the names below', () => {
    for (const length of [PLAIN_KEY_BYTES_MAX, PLAIN_KEY_BYTES_MAX + 1, 65_535, 65_536]) {
      const key = 'k'.repeat(length);
      const bytes = rowOf(0, slotOfText(key), placeOfText(key), key);
      expect(bytes.length).toBeLessThanOrEqual(ROW_KEY_BYTES_MAX - 64);
      expect(keyOfRow(bytes)).toBe(length <= PLAIN_KEY_BYTES_MAX ? key : undefined);
      const other = `${key.slice(1)}x`;
      expect(rowOf(0, slotOfText(key), placeOfText(key), other)).not.toEqual(bytes);
    }
  });
});
