/**
 * The check of a store before anything is answered from it. Records have checksums, LMDB's pages
 * have none: a damaged page can hide keys, or send the search for one the wrong way, and a missing
 * key looks like one that was never written. So all keys are walked in order, each is looked up
 * again from the root, its record is verified, and they are counted. What a search would not find,
 * the check does not find either.
 */
import { createHash } from 'node:crypto';
import { EngineError } from '../errors.ts';
import { placeOfBytes, placeOfText, slotOfBytes, slotOfText } from '../keyspace/slots.ts';
import { FORM_DIGEST, FORM_PLAIN, POSITION_BYTES, PREFIX_BYTES } from './lmdb-key.ts';
import { verifyRecord } from './record.ts';

/** Keys that are walked before each is looked up. */
const PAGE_KEYS = 256;

export interface StoredRows {
  /** Keys above `after` (all of them without it) in LMDB's order, `limit` at most. */
  keysAfter(after: Buffer | undefined, limit: number): Buffer[];
  /** A search from the root. The bytes are good until the next call. */
  find(key: Buffer): Buffer | undefined;
}

/**
 * Yields how many keys have been checked, after each. `count`: as the store's meta record has it.
 *
 * @throws EngineError HOLO_STORE_DAMAGED
 */
export function* checkRows(rows: StoredRows, count: number): Generator<number, void, undefined> {
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
      if (!belongs(key, record)) throw damaged(`key ${checked} is not one that was written`);
      last = key;
      checked += 1;
      yield checked;
    }
    if (keys.length < PAGE_KEYS) break;
  }
  if (checked !== count) throw damaged(`${count} keys were written, ${checked} are found`);
}

/** Whether the key's bytes are those under which the record was stored. */
function belongs(key: Buffer, record: Buffer): boolean {
  if (key.length < PREFIX_BYTES) return false;
  const place = key.readInt32BE(2);
  const slot = key.readUInt16BE(0);
  const text = verifyRecord(record, place);
  const form = key[POSITION_BYTES];
  if (form === FORM_PLAIN) {
    if (text !== undefined) return false;
    const at = [key, PREFIX_BYTES, key.length] as const;
    return slotOfBytes(...at) === slot && placeOfBytes(...at) === place;
  }
  if (form !== FORM_DIGEST || text === undefined) return false;
  if (slotOfText(text) !== slot || placeOfText(text) !== place) return false;
  return createHash('sha256').update(text, 'latin1').digest().equals(key.subarray(PREFIX_BYTES));
}

function damaged(what: string): EngineError {
  return new EngineError('HOLO_STORE_DAMAGED', what);
}
