/**
 * The rows of large collections, the same for every engine. They lie apart from those of the keys,
 * so that a walk over the keys does not pass them, but in the order of their keys:
 *
 *   row key of the key | number of the collection u48 | order u48 | form u8 | name
 *
 * (big endian). Form 1: the name is too long, its SHA-256 stands in its place, and the record holds
 * the name. The record, little endian:
 *
 *   crc32 u32 | [ name length u32 | name ]  value
 *
 * The checksum begins with the bytes of the row's key: a row under another key is damaged.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { CollectionRows, ElementRow } from '../engine.ts';
import { EngineError } from '../errors.ts';
import { readLatin1, writeLatin1 } from '../types/latin1.ts';
import { ROW_KEY_BYTES_MAX, rowKeyEnd, writeRowKey } from './row-key.ts';

const NUMBER_BYTES = 6;
const ORDER_BYTES = 6;
const PLAIN = 0;
const DIGEST = 1;
const CHECKSUM_BYTES = 4;
const LENGTH_BYTES = 4;
/** Behind the number. */
const SUFFIX_BYTES_MIN = ORDER_BYTES + 1;

/** Writes what the keys of all rows of a collection begin with; returns its bytes. */
export function writePrefix(bytes: Buffer, of: CollectionRows): number {
  const end = writeRowKey(bytes, of.database, of.slot, of.place, of.key);
  return bytes.writeUIntBE(of.number, end, NUMBER_BYTES);
}

/** Writes the rest of a row's key; returns where it ends. */
export function writeElementKey(
  bytes: Buffer,
  prefixBytes: number,
  order: number,
  name: string,
): number {
  const at = bytes.writeUIntBE(order, prefixBytes, ORDER_BYTES);
  if (isPlain(prefixBytes, name)) {
    bytes[at] = PLAIN;
    return at + 1 + writeLatin1(bytes, name, at + 1);
  }
  bytes[at] = DIGEST;
  return at + 1 + digestOf(name).copy(bytes, at + 1);
}

function isPlain(prefixBytes: number, name: string): boolean {
  return prefixBytes + SUFFIX_BYTES_MIN + name.length <= ROW_KEY_BYTES_MAX;
}

function digestOf(name: string): Buffer {
  return createHash('sha256').update(name, 'latin1').digest();
}

export function elementBytes(prefixBytes: number, name: string, value: string): number {
  const nameBytes = isPlain(prefixBytes, name) ? 0 : LENGTH_BYTES + name.length;
  return CHECKSUM_BYTES + nameBytes + value.length;
}

/** Fills `record`, which has exactly `elementBytes` bytes. */
export function writeElement(
  record: Buffer,
  key: Uint8Array,
  prefixBytes: number,
  name: string,
  value: string,
): void {
  let at = CHECKSUM_BYTES;
  if (!isPlain(prefixBytes, name)) {
    at = record.writeUInt32LE(name.length, at);
    at += writeLatin1(record, name, at);
  }
  writeLatin1(record, value, at);
  record.writeUInt32LE(checksumOf(key, record), 0);
}

function checksumOf(key: Uint8Array, record: Buffer): number {
  return crc32(record.subarray(CHECKSUM_BYTES), crc32(key));
}

/** Throws EngineError `HOLO_STORE_DAMAGED`. */
export function readElement(key: Buffer, prefixBytes: number, record: Buffer): ElementRow {
  verifyElement(key, record);
  const order = key.readUIntBE(prefixBytes, ORDER_BYTES);
  const nameAt = prefixBytes + SUFFIX_BYTES_MIN;
  if (key[nameAt - 1] === PLAIN) {
    const name = readLatin1(key, nameAt, key.length);
    return { order, name, value: readLatin1(record, CHECKSUM_BYTES, record.length) };
  }
  const start = CHECKSUM_BYTES + LENGTH_BYTES;
  const end = start + record.readUInt32LE(CHECKSUM_BYTES);
  const name = readLatin1(record, start, end);
  return { order, name, value: readLatin1(record, end, record.length) };
}

/** Throws EngineError `HOLO_STORE_DAMAGED`. */
export function verifyElement(key: Uint8Array, record: Buffer): void {
  if (record.length >= CHECKSUM_BYTES && record.readUInt32LE(0) === checksumOf(key, record)) return;
  throw new EngineError('HOLO_STORE_DAMAGED', 'an element does not match its checksum');
}

/** The first bytes behind all rows whose keys begin with the prefix. */
export function behindPrefix(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  const at = end.length - NUMBER_BYTES;
  end.writeUIntBE(end.readUIntBE(at, NUMBER_BYTES) + 1, at, NUMBER_BYTES);
  return end;
}

/** Where the prefix of a row's key ends. */
export function prefixEnd(key: Buffer): number {
  return rowKeyEnd(key) + NUMBER_BYTES;
}

/** Of the collection to which a row belongs. */
export function numberOf(key: Buffer, prefixBytes: number): number {
  return key.readUIntBE(prefixBytes - NUMBER_BYTES, NUMBER_BYTES);
}
