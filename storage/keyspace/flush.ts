/** The changes of a keyspace on their way to the engine, as they were when they were captured. */
import type { ChangedRowVisit, CollectionRows, DatabaseBatch } from '../engine.ts';
import { type Collection, isCollection } from '../types/collection.ts';
import type { Cell } from './cell-cache.ts';
import type { CapturedCollections } from './changed-collections.ts';
import { type Entry, NONE } from './entry.ts';
import type { SlotBlock } from './slot-counts.ts';

export interface Flush {
  readonly cells: readonly Cell[];
  readonly collections: CapturedCollections;
  readonly generation: number;
  readonly clear: boolean;
  /** Keys at the capture. */
  readonly keys: number;
  readonly blocks: readonly SlotBlock[];
  /** The keyspace's era at the capture; a later FLUSHALL discards the captured cells. */
  readonly era: number;
}

export function capturedEntry(flush: Flush, cell: Cell): Entry {
  const entry = cell.dirtyIn === flush.generation ? cell.entry : cell.captured;
  if (entry === undefined) throw new Error('a captured entry is missing');
  return entry;
}

export function batchOf(database: number, flush: Flush): DatabaseBatch {
  const { clear, blocks, cells } = flush;
  let taken = 0;
  const rows = new RowsToWrite(database);
  return {
    database,
    clear,
    blocks,
    dropped: flush.collections.dropped,
    count: cells.length,
    take(limit, visit) {
      const from = taken;
      taken = Math.min(taken + limit, cells.length);
      for (let i = from; i < taken; i += 1) {
        const cell = cells[i] as Cell;
        const entry = capturedEntry(flush, cell);
        if (isCollection(entry.value)) rows.add(cell, entry.value);
        visit(cell, entry.type === NONE ? undefined : entry);
      }
      return taken - from;
    },
    takeRows: (limit, visit) => rows.take(limit, visit),
  };
}

/** The rows of the collections that a flush has met among its keys. */
class RowsToWrite {
  readonly #database: number;
  readonly #waiting: { readonly of: CollectionRows; readonly collection: Collection }[] = [];
  #next = 0;

  constructor(database: number) {
    this.#database = database;
  }

  add({ key, slot, place }: Cell, collection: Collection): void {
    const { number } = collection.head;
    const database = this.#database;
    this.#waiting.push({ of: { database, key, slot, place, number }, collection });
  }

  take(limit: number, visit: ChangedRowVisit): number {
    let taken = 0;
    while (taken < limit) {
      const next = this.#waiting[this.#next];
      if (next === undefined) break;
      const { of, collection } = next;
      const some = collection.takeRows(limit - taken, (order, name, value) =>
        visit(of, order, name, value),
      );
      taken += some;
      if (some === 0) this.#next += 1;
    }
    return taken;
  }
}
