/**
 * The bytes of one stored entry, the same for every engine:
 *
 *   crc32 u32 | layout u8 | type u8 | deadline i64 | version (a timestamp)
 *   [ key length u32 | key ]  value
 *
 * (little endian, but for the timestamp). The checksum is that of the whole record with zeroes in
 * its own place, and begins with the key's place in hash order: a record found under another key
 * is as damaged as one with a flipped bit.
 */
import { crc32 } from 'node:zlib';
import {
  readTimestamp,
  TIMESTAMP_BYTES,
  writeTimestamp,
} from '../../actors/accord/primitives/timestamp.ts';
import { EngineError } from '../errors.ts';
import { type Deadline, Entry, storedBytes } from '../keyspace/entry.ts';
import { readLatin1, writeLatin1 } from '../types/latin1.ts';
import type { ValueType } from '../types/value-type.ts';
import { valueTypeOf } from '../types/value-types.ts';

const LAYOUT_PLAIN = 5;
const LAYOUT_WITH_KEY = 6;
const VERSION_AT = 14;
const RECORD_HEADER_BYTES = VERSION_AT + TIMESTAMP_BYTES;
const KEY_LENGTH_BYTES = 4;

export function recordBytes(key: string, entry: Entry, withKey: boolean): number {
  return RECORD_HEADER_BYTES + (withKey ? KEY_LENGTH_BYTES + key.length : 0) + storedBytes(entry);
}

/** Fills `record`, which has exactly `recordBytes` bytes. `isForFlush`: as `ValueType.write`. */
export function writeRecord(
  record: Buffer,
  key: string,
  place: number,
  entry: Entry,
  withKey: boolean,
  isForFlush = true,
): void {
  record[4] = withKey ? LAYOUT_WITH_KEY : LAYOUT_PLAIN;
  record[5] = entry.type.code;
  writeDeadline(record, 6, entry.deadline);
  writeTimestamp(record, VERSION_AT, entry.version);
  let at = RECORD_HEADER_BYTES;
  if (withKey) {
    at = record.writeUInt32LE(key.length, at);
    at += writeLatin1(record, key, at);
  }
  entry.type.write(record, at, entry.value, isForFlush);
  record.writeUInt32LE(0, 0);
  record.writeUInt32LE(crc32(record, place >>> 0), 0);
}

interface DecodedRecord {
  /** Present if the record was written with its key. */
  readonly key: string | undefined;
  readonly entry: Entry;
}

const ZEROES = Buffer.alloc(4);

function checksumOf(record: Buffer, place: number): number {
  return crc32(record.subarray(4), crc32(ZEROES, place >>> 0));
}

interface VerifiedRecord {
  readonly type: ValueType;
  /** Present if the record was written with its key. */
  readonly key: string | undefined;
}

/** Throws EngineError `HOLO_STORE_DAMAGED`. */
export function verifyRecord(record: Buffer, place: number): VerifiedRecord {
  const layout = record[4];
  if (record.length < RECORD_HEADER_BYTES || record.readUInt32LE(0) !== checksumOf(record, place)) {
    throw new EngineError('HOLO_STORE_DAMAGED', 'a stored value does not match its checksum');
  }
  const type = valueTypeOf(record[5] ?? 0);
  if ((layout !== LAYOUT_PLAIN && layout !== LAYOUT_WITH_KEY) || type === undefined) {
    const found = `layout ${layout}, type ${record[5]}`;
    throw new EngineError('HOLO_STORE_DAMAGED', `a stored value has an unknown layout (${found})`);
  }
  if (layout === LAYOUT_PLAIN) return { type, key: undefined };
  const at = RECORD_HEADER_BYTES + KEY_LENGTH_BYTES;
  return { type, key: readLatin1(record, at, at + record.readUInt32LE(RECORD_HEADER_BYTES)) };
}

/** Throws EngineError `HOLO_STORE_DAMAGED`. */
export function readRecord(record: Buffer, place: number): DecodedRecord {
  const { type, key } = verifyRecord(record, place);
  const at = RECORD_HEADER_BYTES + (key === undefined ? 0 : KEY_LENGTH_BYTES + key.length);
  const value = type.read(record, at, record.length);
  const deadline = readDeadline(record, 6);
  const version = readTimestamp(record, VERSION_AT);
  return { key, entry: new Entry(type, value, deadline, version) };
}

const TWO_TO_32 = 2 ** 32;

/** In two halves if a number holds it: a BigInt would cost more than the rest of the record. */
function writeDeadline(record: Buffer, at: number, deadline: Deadline): void {
  if (typeof deadline === 'bigint') {
    record.writeBigInt64LE(deadline, at);
    return;
  }
  record.writeUInt32LE(deadline >>> 0, at);
  record.writeInt32LE(Math.floor(deadline / TWO_TO_32), at + 4);
}

function readDeadline(record: Buffer, at: number): Deadline {
  const deadline = record.readInt32LE(at + 4) * TWO_TO_32 + record.readUInt32LE(at);
  return Number.isSafeInteger(deadline) ? deadline : record.readBigInt64LE(at);
}
