/**
 * The entries of one group that a transaction over several groups names, as they travel to the
 * others: whole values, and what WATCH needs of keys that are not there. Pure.
 *
 * Big endian: bytes that count u32 (`countedBytes`), first Redis slot of the group u16, databases
 * u8, and for each its number u8, keys u32, length of one of its keys u32 (all ones: it has none),
 * that key. Then entries u32, and for each key of a database: database u8, key length u32, key,
 * version of the last removal (a timestamp), record length u32 (0: no such key), record
 * (`storage/engine/record.ts`), rows of a large collection u32, and for each order f64, name length
 * u32, name, value length u32, value. No bytes at all: there was more than may be read.
 */
import {
  readTimestamp,
  TIMESTAMP_BYTES,
  type Timestamp,
  writeTimestamp,
} from '../../actors/accord/primitives/timestamp.ts';
import { readRecord, recordBytes, writeRecord } from '../engine/record.ts';
import type { Entry } from '../keyspace/entry.ts';
import { placeOfText } from '../place.ts';
import { allSteps } from '../steps.ts';
import { type Collection, isCollection } from '../types/collection.ts';
import { readLatin1, writeLatin1 } from '../types/latin1.ts';

export interface FetchedEntry {
  /** The number that clients select. */
  readonly database: number;
  readonly key: string;
  readonly removedAt: Timestamp;
  readonly entry: Entry | undefined;
}

/** One database of a group, for commands over all keys. */
export interface FetchedDatabase {
  /** The number that clients select. */
  readonly database: number;
  readonly keys: number;
  /** One that is alive, drawn at random; undefined: none was found. */
  readonly anyKey: string | undefined;
}

/** The part of one group in what is fetched. */
export interface FetchedGroup<Entries extends Iterable<FetchedEntry> = readonly FetchedEntry[]> {
  /** The first Redis slot of the group. */
  readonly fromSlot: number;
  /** None where no command looks at all keys. */
  readonly databases: readonly FetchedDatabase[];
  readonly entries: Entries;
}

/** More than may be read, as bytes. */
export const TOO_MUCH = new Uint8Array(0);
const NO_KEY = 0xffffffff;
const HEAD_BYTES = 7;
/** Each entry counts so much beside its key and its value. */
const ENTRY_BYTES = 64;

/**
 * `TOO_MUCH` where the entries have more than `bytesMax` bytes. Collections are loaded. What counts
 * is the same on every replica, whatever each has in memory: all must agree on what is too much.
 */
export function encodeFetched(
  { fromSlot, databases, entries }: FetchedGroup<Iterable<FetchedEntry>>,
  bytesMax: number,
): Uint8Array {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt16BE(fromSlot, 4);
  head[6] = databases.length;
  const count = Buffer.alloc(4);
  const parts: Buffer[] = [head, ...databases.flatMap(databaseParts), count];
  let items = 0;
  let bytes = 0;
  for (const each of entries) {
    for (const part of partsOf(each)) parts.push(part);
    const { key, entry } = each;
    if (entry !== undefined) bytes += ENTRY_BYTES + key.length + entry.bytes;
    if (bytes > bytesMax) return TOO_MUCH;
    items += 1;
  }
  head.writeUInt32BE(bytes);
  count.writeUInt32BE(items);
  return Buffer.concat(parts);
}

function databaseParts({ database, keys, anyKey }: FetchedDatabase): Buffer[] {
  const key = anyKey === undefined ? numberOf(NO_KEY) : textOf(anyKey);
  return [Buffer.from([database]), numberOf(keys), key];
}

function* partsOf({ database, key, removedAt, entry }: FetchedEntry): Generator<Buffer> {
  yield Buffer.from([database]);
  yield textOf(key);
  const removal = Buffer.alloc(TIMESTAMP_BYTES);
  writeTimestamp(removal, 0, removedAt);
  yield removal;
  if (entry === undefined) return yield numberOf(0);
  const record = Buffer.allocUnsafe(recordBytes(key, entry, false));
  // Of a collection the rows as they are now follow, whatever a flush is about to store.
  writeRecord(record, key, placeOfText(key), entry, false, false);
  yield numberOf(record.length);
  yield record;
  const { value } = entry;
  if (!isCollection(value)) return yield numberOf(0);
  yield numberOf(value.rowCount);
  for (const row of value.rowKeys()) {
    const order = Buffer.alloc(8);
    order.writeDoubleBE(value.orderOf(row));
    yield order;
    yield textOf(value.nameOf(row));
    yield textOf(value.rowOf(row) ?? '');
  }
}

function numberOf(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function textOf(text: string): Buffer {
  const bytes = Buffer.alloc(4 + text.length);
  bytes.writeUInt32BE(text.length);
  writeLatin1(bytes, text, 4);
  return bytes;
}

/** Undefined: there was more than may be read. Throws RangeError on bytes that are cut short. */
export function decodeFetched(bytes: Uint8Array): FetchedGroup | undefined {
  if (bytes.length === 0) return undefined;
  const reader = new Reader(bytes);
  reader.u32();
  const fromSlot = reader.u16();
  const databases: FetchedDatabase[] = [];
  for (let left = reader.u8(); left > 0; left -= 1) {
    const database = reader.u8();
    const keys = reader.u32();
    const length = reader.u32();
    const anyKey = length === NO_KEY ? undefined : reader.textOf(length);
    databases.push({ database, keys, anyKey });
  }
  return { fromSlot, databases, entries: readEntries(reader) };
}

function readEntries(reader: Reader): FetchedEntry[] {
  const fetched: FetchedEntry[] = [];
  for (let left = reader.u32(); left > 0; left -= 1) {
    const database = reader.u8();
    const key = reader.text();
    const removedAt = reader.timestamp();
    const recordLength = reader.u32();
    if (recordLength === 0) {
      fetched.push({ database, key, removedAt, entry: undefined });
      continue;
    }
    const { entry } = readRecord(reader.take(recordLength), placeOfText(key));
    const rows = reader.u32();
    if (isCollection(entry.value)) readRows(reader, entry.value, rows);
    fetched.push({ database, key, removedAt, entry });
  }
  return fetched;
}

function readRows(reader: Reader, collection: Collection, rows: number): void {
  for (let left = rows; left > 0; left -= 1) {
    const order = reader.f64();
    const name = reader.text();
    collection.putRow(collection.keyOf(order, name), reader.text());
  }
  if (allSteps(collection.endLoad(rows + 1))) return;
  throw new RangeError('a fetched collection has other rows');
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('fetched entries are cut short');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  u16(): number {
    return this.take(2).readUInt16BE();
  }

  u8(): number {
    return this.take(1)[0] as number;
  }

  u32(): number {
    return this.take(4).readUInt32BE();
  }

  f64(): number {
    return this.take(8).readDoubleBE();
  }

  text(): string {
    return this.textOf(this.u32());
  }

  textOf(length: number): string {
    return readLatin1(this.take(length), 0, length);
  }

  timestamp(): Timestamp {
    return readTimestamp(this.take(TIMESTAMP_BYTES), 0);
  }
}
