import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  forEachChange,
  LmdbChanges,
  PIECE_BYTES,
  Table,
} from '../../../storage/engine/lmdb-changes.ts';

interface Change {
  readonly table: Table;
  readonly key: Buffer;
  readonly record: Buffer | undefined;
}

const changes = fc.array(
  fc.record({
    table: fc.constantFrom(Table.Data, Table.Elements, Table.Info),
    key: fc.uint8Array({ minLength: 1, maxLength: 600 }).map((key) => Buffer.from(key)),
    // Among them records that fill pieces, and some that have one of their own.
    record: fc.option(
      fc
        .oneof(fc.nat(40), fc.nat(2 * PIECE_BYTES))
        .map((bytes) => Buffer.alloc(bytes, String(bytes))),
      { nil: undefined },
    ),
  }),
  { maxLength: 60 },
);

test('what is read from the pieces is what was written, in its order', () => {
  fc.assert(
    fc.property(changes, (written: readonly Change[]) => {
      const staged = new LmdbChanges();
      for (const { table, key, record } of written) {
        if (record === undefined) staged.remove(table, key);
        else staged.put(table, key, record.length).set(record);
      }
      const pieces = staged.take();
      const read: Change[] = [];
      for (const piece of pieces) {
        forEachChange(piece, (table, key, record) => read.push({ table, key, record }));
      }
      expect(read.map(textOf)).toEqual(written.map(textOf));
      expect(staged.take()).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

function textOf({ table, key, record }: Change): string {
  return `${table} ${key.toString('hex')} ${record === undefined ? 'removed' : record.toString('latin1')}`;
}
