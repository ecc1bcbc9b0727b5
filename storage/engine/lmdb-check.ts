/**
 * The check of a store before it answers. Records have checksums, LMDB's pages have none: a damaged
 * page can hide keys or misdirect a search, and a missing key looks like one that was never
 * written. So the check walks all keys in order, looks each up again from the root, verifies its
 * record, and counts the keys of each Redis slot. It finds exactly the keys that a search finds.
 */
import { EngineError } from '../errors.ts';
import { REDIS_SLOTS, redisSlotOf, slotOfText } from '../keyspace/slots.ts';
import { placeOfText } from '../place.ts';
import { type CollectionHead, isCollection } from '../types/collection.ts';
import { numberOf, prefixEnd, verifyElement } from './element-row.ts';
import type { GroupTable } from './group-table.ts';
import { readRecord, verifyRecord } from './record.ts';
import {
  databaseOfRow,
  KEY_AT,
  keyOfRow,
  placeOfRow,
  ROW_KEY_BYTES_MAX,
  rowKeyEnd,
  slotOfRow,
  writeRowKey,
} from './row-key.ts';

/** Keys that are walked before each is looked up. */
const PAGE_KEYS = 256;

export interface StoredRows {
  /** Keys above `after` (all of them without it) in LMDB's order, `limit` at most. */
  keysAfter(after: Buffer | undefined, limit: number): Buffer[];
  /** A search from the root. The bytes are good until the next call. */
  find(key: Buffer): Buffer | undefined;
}

/**
 * Yields how many keys have been checked, after each. `written`: keys of each Redis slot, by
 * database, as the rows of the groups have them. Returns how many rows all collections together
 * must have.
 *
 * @throws EngineError HOLO_STORE_DAMAGED
 */
export function* checkRows(
  rows: StoredRows,
  written: ReadonlyMap<number, Uint32Array>,
): Generator<number, number, undefined> {
  const found = new Map<number, Uint32Array>();
  let elements = 0;
  let checked = 0;
  for (const { key, record } of allRows(rows)) {
    if (!belongs(key, record)) throw damaged(`key ${checked} does not match its record`);
    elements += headOf(key, record)?.rows ?? 0;
    const database = databaseOfRow(key);
    const slots = found.get(database) ?? new Uint32Array(REDIS_SLOTS);
    const slot = redisSlotOf(slotOfRow(key));
    slots[slot] = (slots[slot] ?? 0) + 1;
    found.set(database, slots);
    checked += 1;
    yield checked;
  }
  for (const database of new Set([...written.keys(), ...found.keys()])) {
    compareCounts(database, written.get(database), found.get(database));
  }
  return elements;
}

/**
 * The same for the rows of collections: each belongs to one whose head is among the keys, or was
 * dropped, and none is missing. `expected`: what `checkRows` has returned.
 *
 * @throws EngineError HOLO_STORE_DAMAGED
 */
export function* checkElements(
  rows: StoredRows,
  keys: StoredRows,
  expected: number,
  groups: GroupTable,
): Generator<number, void, undefined> {
  const dropped = new Set<string>();
  for (const { prefix } of groups.dropped()) dropped.add(prefix.toString('latin1'));
  let prefix = '';
  let rowsLeft = 0;
  let checked = 0;
  let left = expected;
  for (const { key, record } of allRows(rows)) {
    verifyElement(key, record);
    const end = prefixEnd(key);
    const itsPrefix = key.toString('latin1', 0, end);
    if (itsPrefix !== prefix) {
      if (rowsLeft !== 0) throw damaged(`a collection lacks ${rowsLeft} of its rows`);
      prefix = itsPrefix;
      rowsLeft = rowsUnder(key, end, keys);
      left -= rowsLeft;
      const known = rowsLeft > 0 || dropped.has(prefix);
      if (!known) throw damaged(`element ${checked} belongs to no collection`);
    }
    if (!dropped.has(prefix)) rowsLeft -= 1;
    checked += 1;
    yield checked;
  }
  if (left + rowsLeft !== 0) throw damaged(`collections lack ${left + rowsLeft} of their rows`);
}

/** Rows that the collection to which this one belongs must have; 0: there is no such one. */
function rowsUnder(element: Buffer, prefixBytes: number, keys: StoredRows): number {
  const row = Buffer.from(element.subarray(0, rowKeyEnd(element)));
  const record = keys.find(row);
  const head = record === undefined ? undefined : headOf(row, record);
  return head?.number === numberOf(element, prefixBytes) ? head.rows : 0;
}

/** All rows in order, each looked up from the root. */
function* allRows(rows: StoredRows): Generator<{ key: Buffer; record: Buffer }, void, undefined> {
  let last: Buffer | undefined;
  let checked = 0;
  for (;;) {
    const keys = rows.keysAfter(last, PAGE_KEYS);
    for (const key of keys) {
      if (last !== undefined && Buffer.compare(last, key) >= 0) {
        throw damaged(`key ${checked} is not in order`);
      }
      const record = rows.find(key);
      if (record === undefined) throw damaged(`key ${checked} is not found where it belongs`);
      yield { key, record };
      last = key;
      checked += 1;
    }
    if (keys.length < PAGE_KEYS) return;
  }
}

/** Of a row that is a large collection's. */
function headOf(row: Buffer, record: Buffer): CollectionHead | undefined {
  const { value } = readRecord(record, placeOfRow(row)).entry;
  return isCollection(value) ? value.head : undefined;
}

function compareCounts(
  database: number,
  written: Uint32Array = new Uint32Array(REDIS_SLOTS),
  found: Uint32Array = new Uint32Array(REDIS_SLOTS),
): void {
  const wrong = found.findIndex((count, slot) => count !== written[slot]);
  if (wrong === -1) return;
  const counts = `${written[wrong]} keys were written, ${found[wrong]} are found`;
  throw damaged(`database ${database}, slot ${wrong}: ${counts}`);
}

const rowKey = Buffer.alloc(ROW_KEY_BYTES_MAX);

/** Whether the row's key is the one under which the record was stored. */
function belongs(row: Buffer, record: Buffer): boolean {
  if (row.length < KEY_AT) return false;
  const { key: inRecord } = verifyRecord(record, placeOfRow(row));
  const inRow = keyOfRow(row);
  const key = inRecord ?? inRow;
  if (key === undefined || (inRecord !== undefined && inRow !== undefined)) return false;
  const end = writeRowKey(rowKey, databaseOfRow(row), slotOfText(key), placeOfText(key), key);
  return row.equals(rowKey.subarray(0, end));
}

function damaged(what: string): EngineError {
  return new EngineError('HOLO_STORE_DAMAGED', what);
}
