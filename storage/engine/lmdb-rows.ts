/** Rows of an LMDB database as entries, at its present state or in a read transaction. */
import { type CollectionRows, type ElementRow, PAGE_BYTES_MAX, PageBuilder } from '../engine.ts';
import { EngineError } from '../errors.ts';
import { type StoredEntry, UNREAD } from '../keyspace/entry.ts';
import { POSITIONS } from '../keyspace/slots.ts';
import { behindPrefix, readElement, writeElementKey, writePrefix } from './element-row.ts';
import { readRecord } from './record.ts';
import { keyOfRow, placeOfRow, ROW_KEY_BYTES_MAX, rowsFrom, slotOfRow } from './row-key.ts';

/** Where rows are read: in the read transaction, or as they are now. */
interface ReadOptions {
  readonly transaction?: { done(): void };
}

/** The part of the library's databases that reads. */
export interface LmdbRows {
  getRange(
    options: ReadOptions & {
      start?: Buffer;
      end?: Buffer;
      exclusiveStart?: boolean;
      limit?: number;
    },
  ): Iterable<{ key: Uint8Array; value: Uint8Array }>;
  getKeys(
    options: ReadOptions & {
      start?: Buffer;
      end?: Buffer;
      exclusiveStart?: boolean;
      limit: number;
    },
  ): Iterable<Uint8Array>;
  getBinaryFast(key: Buffer, options: ReadOptions): Uint8Array | undefined;
}

/** Keys of the rows of a database from a position up to another one. */
export function rowsBetween(
  database: number,
  from: number,
  to: number,
): { start: Buffer; end: Buffer } {
  const end = to < POSITIONS ? rowsFrom(database, to) : rowsFrom(database + 1, 0);
  return { start: rowsFrom(database, from), end };
}

/** As `Engine.page`. */
export function pageOf(
  data: LmdbRows,
  options: ReadOptions,
  database: number,
  from: number,
  to: number,
  limit: number,
): StoredEntry[] {
  const page = new PageBuilder(limit);
  const range = data
    .getRange({ ...rowsBetween(database, from, to), ...options })
    [Symbol.iterator]();
  for (;;) {
    const next = reading(() => range.next());
    if (next.done === true) break;
    const item = storedEntry(bufferOf(next.value.key), bufferOf(next.value.value));
    if (!page.takes(item.slot, item.place)) break;
    page.add(item);
  }
  return page.items;
}

/** The same without values; the library would copy each, however long it is. */
export function keysOf(
  data: LmdbRows,
  options: ReadOptions,
  database: number,
  from: number,
  to: number,
  limit: number,
): StoredEntry[] {
  const page = new PageBuilder(limit);
  // In parts: rows that share the position of the last one belong to the page.
  const range = { ...rowsBetween(database, from, to), exclusiveStart: false };
  for (;;) {
    const rows = reading(() => [...data.getKeys({ ...range, ...options, limit: limit + 1 })]);
    for (const row of rows) {
      const bytes = bufferOf(row);
      const [slot, place] = [slotOfRow(bytes), placeOfRow(bytes)];
      if (!page.takes(slot, place)) return page.items;
      const key = keyOfRow(bytes) ?? keyOfRecord(data, bytes, options);
      page.add({ key, slot, place, entry: UNREAD });
    }
    const last = rows.at(-1);
    if (rows.length <= limit || last === undefined) return page.items;
    range.start = Buffer.from(last);
    range.exclusiveStart = true;
  }
}

/** Of a long key the row has only a digest. */
function keyOfRecord(data: LmdbRows, row: Buffer, options: ReadOptions): string {
  const copy = Buffer.from(row);
  const record = rowOf(data, copy, options);
  return (record && readRecord(record, placeOfRow(copy)).key) ?? '';
}

/** As `Engine.rows`. */
export function elementsOf(
  elements: LmdbRows,
  options: ReadOptions,
  of: CollectionRows,
  after: ElementRow | undefined,
  limit: number,
): ElementRow[] {
  const bytes = Buffer.alloc(ROW_KEY_BYTES_MAX);
  const prefixBytes = writePrefix(bytes, of);
  const end = behindPrefix(bytes.subarray(0, prefixBytes));
  const from =
    after === undefined
      ? prefixBytes
      : writeElementKey(bytes, prefixBytes, after.order, after.name);
  const start = bytes.subarray(0, from);
  const exclusiveStart = after !== undefined;
  const found: ElementRow[] = [];
  let pageBytes = 0;
  const range = { start, end, exclusiveStart, limit, ...options };
  const rows = elements.getRange(range)[Symbol.iterator]();
  while (pageBytes < PAGE_BYTES_MAX) {
    const next = reading(() => rows.next());
    if (next.done === true) break;
    const { key, value } = next.value;
    const row = readElement(bufferOf(key), prefixBytes, bufferOf(value));
    pageBytes += row.name.length + row.value.length;
    found.push(row);
  }
  return found;
}

function storedEntry(row: Buffer, record: Buffer): StoredEntry {
  const place = placeOfRow(row);
  const { key, entry } = readRecord(record, place);
  return { key: key ?? keyOfRow(row) ?? '', slot: slotOfRow(row), place, entry };
}

/** A row whose bytes are valid until the library's next call. */
export function rowOf(data: LmdbRows, key: Buffer, options: ReadOptions): Buffer | undefined {
  const row = reading(() => data.getBinaryFast(key, options));
  // A long row comes as a plain Uint8Array in its own memory.
  return row && bufferOf(row);
}

export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Data that the library cannot read are damaged: a restart would not help. */
export function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EngineError('HOLO_STORE_DAMAGED', `the store cannot be read: ${reason}`, {
      cause: error,
    });
  }
}
