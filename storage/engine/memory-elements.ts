/** The rows of large collections in memory: encoded, so that damage is detected as on a disk. */

import {
  type CollectionRows,
  type ElementRow,
  type GroupSlots,
  PAGE_BYTES_MAX,
} from '../engine.ts';
import { redisSlotOf } from '../keyspace/slots.ts';
import { firstNotBefore } from '../types/binary-search.ts';
import {
  elementBytes,
  readElement,
  writeElement,
  writeElementKey,
  writePrefix,
} from './element-row.ts';
import { ROW_KEY_BYTES_MAX } from './row-key.ts';

/** Of one collection: records by the keys of their rows (latin1: in the order of their bytes). */
interface Rows {
  readonly of: CollectionRows;
  readonly records: Map<string, Buffer>;
  /** The keys in order, until one is added or removed. */
  order: readonly string[] | undefined;
}

export class MemoryElements {
  /** By what the keys of the rows begin with. */
  #collections = new Map<string, Rows>();

  /** Writes a row, or removes it. */
  write(of: CollectionRows, order: number, name: string, value: string | undefined): void {
    const key = Buffer.alloc(ROW_KEY_BYTES_MAX);
    const prefixBytes = writePrefix(key, of);
    const prefix = key.toString('latin1', 0, prefixBytes);
    let rows = this.#collections.get(prefix);
    if (rows === undefined) {
      rows = { of, records: new Map(), order: undefined };
      this.#collections.set(prefix, rows);
    }
    const bytes = key.subarray(0, writeElementKey(key, prefixBytes, order, name));
    const text = bytes.toString('latin1');
    if (value === undefined) {
      if (rows.records.delete(text)) rows.order = undefined;
      return;
    }
    const record = Buffer.allocUnsafe(elementBytes(prefixBytes, name, value));
    writeElement(record, bytes, prefixBytes, name, value);
    if (!rows.records.has(text)) rows.order = undefined;
    rows.records.set(text, record);
  }

  rows(of: CollectionRows, after: ElementRow | undefined, limit: number): ElementRow[] {
    const bytes = Buffer.alloc(ROW_KEY_BYTES_MAX);
    const prefixBytes = writePrefix(bytes, of);
    const rows = this.#collections.get(bytes.toString('latin1', 0, prefixBytes));
    if (rows === undefined) return [];
    rows.order ??= [...rows.records.keys()].sort();
    const from =
      after === undefined
        ? ''
        : bytes.toString('latin1', 0, writeElementKey(bytes, prefixBytes, after.order, after.name));
    const found: ElementRow[] = [];
    let pageBytes = 0;
    for (let at = firstBehind(rows.order, from); found.length < limit; at += 1) {
      const key = rows.order[at];
      if (key === undefined || pageBytes >= PAGE_BYTES_MAX) break;
      const record = rows.records.get(key) as Buffer;
      const row = readElement(Buffer.from(key, 'latin1'), prefixBytes, record);
      pageBytes += row.name.length + row.value.length;
      found.push(row);
    }
    return found;
  }

  drop(of: CollectionRows): void {
    const bytes = Buffer.alloc(ROW_KEY_BYTES_MAX);
    this.#collections.delete(bytes.toString('latin1', 0, writePrefix(bytes, of)));
  }

  clear(database: number, { fromSlot, toSlot }: GroupSlots): void {
    for (const [prefix, { of }] of this.#collections) {
      if (of.database !== database) continue;
      const slot = redisSlotOf(of.slot);
      if (slot >= fromSlot && slot < toSlot) this.#collections.delete(prefix);
    }
  }

  /** Records are replaced, never changed. */
  copy(): MemoryElements {
    const copy = new MemoryElements();
    for (const [prefix, { of, records, order }] of this.#collections) {
      copy.#collections.set(prefix, { of, records: new Map(records), order });
    }
    return copy;
  }
}

/** Index of the first text that is greater. */
function firstBehind(texts: readonly string[], text: string): number {
  return firstNotBefore(0, texts.length, (at) => (texts[at] as string) <= text);
}
