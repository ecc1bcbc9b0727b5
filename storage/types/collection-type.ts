/**
 * Value types with two forms: a packed byte string, or a `Collection`. Their record begins with the
 * code of the encoding; a collection's has the upper bit set there, and goes on with its head.
 */
import type { Collection, CollectionHead } from './collection.ts';
import { readLatin1, writeLatin1 } from './latin1.ts';
import { labelOf } from './packed.ts';
import type { ValueType } from './value-type.ts';

const LARGE = 0x80;
const NUMBER_BYTES = 6;
const HEAD_BYTES = 1 + NUMBER_BYTES + 3 * 8;

/** As TYPE tells it, and the class of its keyspace events. */
type CollectionName = 'hash' | 'list' | 'set' | 'zset' | 'stream';

interface CollectionTypeOptions<C extends Collection> {
  readonly code: number;
  readonly name: CollectionName;
  /** Redis' names of its encodings, by label. */
  readonly encodings: readonly string[];
  /** A collection without elements, whose rows are those of the head, if there is one. */
  readonly empty: (label: number, head: CollectionHead | undefined) => C;
}

export interface CollectionType<C extends Collection> extends ValueType<string | C> {
  readonly name: CollectionName;
  empty(label: number): C;
}

export function collectionType<C extends Collection>(
  options: CollectionTypeOptions<C>,
): CollectionType<C> {
  const { code, name, encodings, empty } = options;
  return {
    code,
    name,
    empty: (label) => empty(label, undefined),
    bytesOf: (value) => (typeof value === 'string' ? value.length : value.bytes),
    storedBytesOf: (value) => (typeof value === 'string' ? value.length : HEAD_BYTES),
    write(record, at, value, isForFlush) {
      if (typeof value === 'string') writeLatin1(record, value, at);
      else writeHead(record, at, isForFlush ? value.head : value.headNow);
    },
    read(record, start, end) {
      if (((record[start] ?? 0) & LARGE) === 0) return readLatin1(record, start, end);
      const head = readHead(record, start);
      return empty(head.label, head);
    },
    digest(hash, value) {
      if (typeof value === 'string') hash.update(value, 'latin1');
      else for (const part of contentOf(value)) hash.update(part, 'latin1');
    },
    encodingOf(value) {
      return encodings[typeof value === 'string' ? labelOf(value) : value.label] ?? '';
    },
  };
}

function* contentOf(value: Collection): Generator<string, void, undefined> {
  // Not those of the head: while a flush is under way, that is of its beginning.
  const { label, count, rowCount } = value;
  yield `${label}:${count}:${rowCount}:`;
  for (const key of value.rowKeys()) {
    const name = value.nameOf(key);
    const row = value.rowOf(key) ?? '';
    yield `${name.length}:${row.length}:${name}`;
    yield row;
  }
}

function writeHead(record: Buffer, start: number, head: CollectionHead): void {
  let at = record.writeUInt8(head.label | LARGE, start);
  at = record.writeUIntLE(head.number, at, NUMBER_BYTES);
  at = record.writeDoubleLE(head.count, at);
  at = record.writeDoubleLE(head.rows, at);
  record.writeDoubleLE(head.bytes, at);
}

function readHead(record: Buffer, start: number): CollectionHead {
  const at = start + 1 + NUMBER_BYTES;
  return {
    label: (record[start] ?? 0) & ~LARGE,
    number: record.readUIntLE(start + 1, NUMBER_BYTES),
    count: record.readDoubleLE(at),
    rows: record.readDoubleLE(at + 8),
    bytes: record.readDoubleLE(at + 16),
  };
}
