/**
 * The rows of dropped collections in LMDB. A transaction that drops a collection of a million
 * elements only notes it; the rows go with this commit and the next ones, some thousands at a time,
 * so that neither clients nor the commit wait for them.
 */
import type { GroupId } from '../../actors/accord/topology/group-id.ts';
import type { FlushBatch } from '../engine.ts';
import { behindPrefix, writePrefix } from './element-row.ts';
import type { GroupTable } from './group-table.ts';
import { type LmdbRows, reading } from './lmdb-rows.ts';
import { ROW_KEY_BYTES_MAX } from './row-key.ts';

/** Rows that one commit removes. */
export const SWEPT_ROWS_MAX = 16_384;
/** Rows that are looked up in one turn. */
const SWEPT_PER_TURN = 512;

interface Dropped {
  readonly group: GroupId;
  readonly number: number;
  readonly prefix: Buffer;
}

/** The part of a commit that concerns dropped collections. */
export class DroppedRows {
  readonly #table: GroupTable;
  readonly added: readonly Dropped[];
  /** Those without rows once the commit is done. */
  readonly finished: Dropped[] = [];

  constructor(table: GroupTable, batches: readonly FlushBatch[]) {
    this.#table = table;
    this.added = batches.flatMap(({ meta, databases }) =>
      databases
        .flatMap(({ dropped }) => dropped)
        .map((rows) => {
          const prefix = Buffer.alloc(ROW_KEY_BYTES_MAX);
          const end = writePrefix(prefix, rows);
          return { group: meta.id, number: rows.number, prefix: prefix.subarray(0, end) };
        }),
    );
  }

  /** Finds rows that earlier commits have dropped; yields after each piece. */
  *sweep(elements: LmdbRows, remove: (key: Uint8Array) => void): Generator<void, void, undefined> {
    let left = SWEPT_ROWS_MAX;
    for (const dropped of [...this.#table.dropped()]) {
      let from = { start: dropped.prefix, exclusiveStart: false };
      const end = behindPrefix(dropped.prefix);
      for (;;) {
        const limit = Math.min(left, SWEPT_PER_TURN);
        if (limit === 0) return;
        const keys = reading(() => [...elements.getKeys({ ...from, end, limit })]);
        for (const key of keys) remove(key);
        left -= keys.length;
        yield;
        const last = keys.at(-1);
        if (keys.length < limit || last === undefined) break;
        from = { start: Buffer.from(last), exclusiveStart: true };
      }
      this.finished.push(dropped);
    }
  }

  committed(): void {
    const { added, finished } = this;
    for (const { group, number } of finished) this.#table.rowsOf(group).dropped.delete(number);
    for (const { group, number, prefix } of added) {
      this.#table.rowsOf(group).dropped.set(number, prefix);
    }
  }
}
