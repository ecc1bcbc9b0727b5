/**
 * The check of a store before it answers. Records have checksums, LMDB's pages have none: a damaged
 * page can hide keys or misdirect a search, and a missing key looks like one that was never
 * written. So the check walks all keys in order, looks each up again from the root, verifies its
 * record, and counts the keys of each Redis slot. It finds exactly the keys that a search finds.
 */
import { EngineError } from '../errors.ts';
import { placeOfText, REDIS_SLOTS, redisSlotOf, slotOfText } from '../keyspace/slots.ts';
import { verifyRecord } from './record.ts';
import {
  databaseOfRow,
  KEY_AT,
  keyOfRow,
  placeOfRow,
  ROW_KEY_BYTES_MAX,
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
 * database, as the rows of the groups have them.
 *
 * @throws EngineError HOLO_STORE_DAMAGED
 */
export function* checkRows(
  rows: StoredRows,
  written: ReadonlyMap<number, Uint32Array>,
): Generator<number, void, undefined> {
  const found = new Map<number, Uint32Array>();
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
      if (!belongs(key, record)) throw damaged(`key ${checked} does not match its record`);
      const database = databaseOfRow(key);
      const slots = found.get(database) ?? new Uint32Array(REDIS_SLOTS);
      const slot = redisSlotOf(slotOfRow(key));
      slots[slot] = (slots[slot] ?? 0) + 1;
      found.set(database, slots);
      last = key;
      checked += 1;
      yield checked;
    }
    if (keys.length < PAGE_KEYS) break;
  }
  for (const database of new Set([...written.keys(), ...found.keys()])) {
    compareCounts(database, written.get(database), found.get(database));
  }
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
