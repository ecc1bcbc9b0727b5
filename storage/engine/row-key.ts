/**
 * The key of a row in an ordered engine: database, position, then the key of the client behind its
 * length, so that no key is the beginning of another one and rows may live under a key:
 *
 *   database u16 | conflict slot u16 | place u32 | bytes of the key u16 | key
 *
 * (big endian). A key that is too long is replaced by its SHA-256, and the length by `DIGEST`.
 */
import { createHash } from 'node:crypto';
import { readLatin1, writeLatin1 } from '../types/latin1.ts';

/** LMDB's keys end here. */
export const ROW_KEY_BYTES_MAX = 1_978;
const SLOT_AT = 2;
const PLACE_AT = 4;
const LENGTH_AT = 8;
/** Bytes of the shortest row key. */
export const KEY_AT = 10;
/** Bytes up to the position, whole. */
const POSITION_END = LENGTH_AT;
/** In the place of the length: the SHA-256 follows, and the record holds the key. */
const DIGEST = 0xffff;
const DIGEST_BYTES = 32;
/** Room for the rows under a key: the names that they have there, or a digest of them. */
const BELOW_BYTES = 64;
/** Longer keys are stored by their digest. */
export const PLAIN_KEY_BYTES_MAX = ROW_KEY_BYTES_MAX - KEY_AT - BELOW_BYTES;

/** Returns the bytes written; `bytes` has room for `ROW_KEY_BYTES_MAX`. */
export function writeRowKey(
  bytes: Buffer,
  database: number,
  slot: number,
  place: number,
  key: string,
): number {
  bytes[0] = database >>> 8;
  bytes[1] = database & 0xff;
  bytes[SLOT_AT] = slot >>> 8;
  bytes[SLOT_AT + 1] = slot & 0xff;
  bytes.writeInt32BE(place, PLACE_AT);
  if (key.length <= PLAIN_KEY_BYTES_MAX) {
    bytes[LENGTH_AT] = key.length >>> 8;
    bytes[LENGTH_AT + 1] = key.length & 0xff;
    return KEY_AT + writeLatin1(bytes, key, KEY_AT);
  }
  bytes.writeUInt16BE(DIGEST, LENGTH_AT);
  return KEY_AT + digestOf(key).copy(bytes, KEY_AT);
}

/** The bytes from which on rows lie at a position, or behind it. */
export function rowsFrom(database: number, position: number): Buffer {
  const bytes = Buffer.alloc(POSITION_END);
  bytes.writeUInt16BE(database, 0);
  bytes.writeUIntBE(position, SLOT_AT, POSITION_END - SLOT_AT);
  return bytes;
}

export function databaseOfRow(bytes: Buffer): number {
  return bytes.readUInt16BE(0);
}

export function slotOfRow(bytes: Buffer): number {
  return bytes.readUInt16BE(SLOT_AT);
}

export function placeOfRow(bytes: Buffer): number {
  return bytes.readInt32BE(PLACE_AT);
}

/** The key; undefined where the row has only its digest. */
export function keyOfRow(bytes: Buffer): string | undefined {
  const hasKey = bytes.readUInt16BE(LENGTH_AT) !== DIGEST;
  return hasKey ? readLatin1(bytes, KEY_AT, bytes.length) : undefined;
}

/** Where a key that begins with a row key goes on. */
export function rowKeyEnd(bytes: Buffer): number {
  const length = bytes.readUInt16BE(LENGTH_AT);
  return KEY_AT + (length === DIGEST ? DIGEST_BYTES : length);
}

function digestOf(key: string): Buffer {
  return createHash('sha256').update(key, 'latin1').digest();
}
