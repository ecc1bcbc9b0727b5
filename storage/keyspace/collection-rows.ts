/** The rows of a large collection, read from the engine. */
import type { CollectionRows, ElementRow, Engine } from '../engine.ts';
import { EngineError } from '../errors.ts';
import type { Steps } from '../steps.ts';
import type { Collection } from '../types/collection.ts';
import type { StoredEntry } from './entry.ts';

/** Completes a collection whose head was read under this key, in steps of so many rows. */
export function* loadRows(
  engine: Pick<Engine, 'rows'>,
  database: number,
  { key, slot, place }: StoredEntry,
  collection: Collection,
  rowsAtOnce: number,
): Steps {
  const of: CollectionRows = { database, key, slot, place, number: collection.number };
  let last: ElementRow | undefined;
  do {
    const page = engine.rows(of, last, rowsAtOnce);
    for (const { order, name, value } of page) {
      collection.putRow(collection.keyOf(order, name), value);
    }
    last = page.at(-1);
    yield;
  } while (last !== undefined);
  if (yield* collection.endLoad(rowsAtOnce)) return;
  throw new EngineError('HOLO_STORE_DAMAGED', 'a collection has not the rows that it should have');
}
