/** The rows of a large collection, read from the engine. */
import type { CollectionRows, ElementRow, Engine } from '../engine.ts';
import { EngineError } from '../errors.ts';
import type { Collection } from '../types/collection.ts';
import type { StoredEntry } from './entry.ts';

/** Rows that are in memory twice while a collection is loaded. */
const PAGE_ROWS = 1_024;

/** Completes a collection whose head was read under this key. */
export function loadRows(
  engine: Pick<Engine, 'rows'>,
  database: number,
  { key, slot, place }: StoredEntry,
  collection: Collection,
): void {
  const of: CollectionRows = { database, key, slot, place, number: collection.number };
  let last: ElementRow | undefined;
  do {
    const page = engine.rows(of, last, PAGE_ROWS);
    for (const { order, name, value } of page) {
      collection.putRow(collection.keyOf(order, name), value);
    }
    last = page.at(-1);
  } while (last !== undefined);
  if (collection.endLoad()) return;
  throw new EngineError('HOLO_STORE_DAMAGED', 'a collection has not the rows that it should have');
}
