/**
 * The large collections of a group that have changed since the last capture, and the rows of those
 * that are no more: what a flush has to write beside the keys themselves. The keyspace tells it
 * which value a key gets; it knows no transaction and no command.
 */
import type { CollectionRows } from '../engine.ts';
import { type Collection, isCollection } from '../types/collection.ts';
import type { Value } from '../types/value-type.ts';

/** A key, as far as its rows need it. */
interface Place {
  readonly key: string;
  readonly slot: number;
  readonly place: number;
}

/** Captured collections, and the rows that go. */
export interface CapturedCollections {
  readonly collections: readonly Collection[];
  readonly dropped: readonly CollectionRows[];
}

/** The largest number that was ever used, of all databases of the group. */
interface CollectionNumbers {
  lastCollection: number;
}

export class ChangedCollections {
  #changed: Collection[] = [];
  #dropped = new Map<number, CollectionRows>();
  readonly #database: number;
  readonly #numbers: CollectionNumbers;

  constructor(database: number, numbers: CollectionNumbers) {
    this.#database = database;
    this.#numbers = numbers;
  }

  /** A key gets a value, or its collection has changed. Returns by how much the unflushed grow. */
  replaced(at: Place, before: Value, after: Value): number {
    let bytes = 0;
    if (before !== after && isCollection(before)) {
      before.attached = false;
      bytes -= before.unflushedBytes;
      const { key, slot, place } = at;
      const { number } = before;
      const database = this.#database;
      if (number !== 0) this.#dropped.set(number, { database, key, slot, place, number });
    }
    if (!isCollection(after)) return bytes;
    const growth = after.takeGrowth();
    if (before === after) {
      bytes += growth;
    } else {
      if (after.attached) throw new Error('two keys would share a collection');
      after.attached = true;
      this.#dropped.delete(after.number);
      bytes += after.unflushedBytes;
    }
    if (after.listed) return bytes;
    after.listed = true;
    this.#changed.push(after);
    return bytes;
  }

  capture(): CapturedCollections {
    const collections: Collection[] = [];
    for (const collection of this.#changed) {
      collection.listed = false;
      if (!collection.attached) continue;
      if (collection.number === 0) this.#numbers.lastCollection += 1;
      collection.capture(this.#numbers.lastCollection);
      collections.push(collection);
    }
    const dropped = [...this.#dropped.values()];
    this.#changed = [];
    this.#dropped.clear();
    return { collections, dropped };
  }

  written({ collections }: CapturedCollections): void {
    for (const collection of collections) collection.endCapture(true);
  }

  /** The captured changes are unflushed again. Returns by how many bytes those grow. */
  notWritten({ collections, dropped }: CapturedCollections): number {
    let bytes = 0;
    for (const rows of dropped) this.#dropped.set(rows.number, rows);
    for (const collection of collections) {
      const again = collection.endCapture(false);
      if (!collection.attached) continue;
      bytes += again;
      if (collection.listed) continue;
      collection.listed = true;
      this.#changed.push(collection);
    }
    return bytes;
  }

  /** All keys were removed, and the engine removes all rows. */
  clear(): void {
    this.#changed = [];
    this.#dropped.clear();
  }
}
