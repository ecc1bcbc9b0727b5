/**
 * The data of a group as they travel to a node that lacks them: entries in the order of their rows,
 * with the rows of large collections behind their entry, in chunks of bounded size. A cursor says
 * where the next chunk begins. Big endian:
 *
 *   1 u8 | database u16 | conflict slot u16 | place i32 | length u32 | record with its key
 *   2 u8 | order u48 | length u32 | name | length u32 | value      of the entry before it
 */

import { isMetaGroup } from '../../actors/accord/topology/group-id.ts';
import { readRecord, recordBytes, writeRecord } from '../engine/record.ts';
import type { CollectionRows, ElementRow, Engine, GroupSlots } from '../engine.ts';
import { EngineError } from '../errors.ts';
import type { Entry, StoredEntry } from '../keyspace/entry.ts';
import { positionOf, positionsOf, slotOfText } from '../keyspace/slots.ts';
import { DATABASES, TABLE_DATABASE } from '../limits.ts';
import { placeOfText } from '../place.ts';
import { isCollection } from '../types/collection.ts';
import { readLatin1, writeLatin1 } from '../types/latin1.ts';

/** Chunks are read from an engine, or from a snapshot of it. */
type ChunkSource = Pick<Engine, 'page' | 'rows'>;

/** Where a chunk begins. */
export interface ChunkCursor {
  /** Physical number. */
  readonly database: number;
  readonly position: number;
  /** Entries at that position that have been read. */
  readonly skip: number;
  /** Within the last of them: the row that was read last. */
  readonly after?: Omit<ElementRow, 'value'> | undefined;
}

interface Chunk {
  readonly bytes: Uint8Array;
  /** Undefined: there is no more. */
  readonly next: ChunkCursor | undefined;
}

/** One entry of a chunk, with the rows that follow it. */
export interface ChunkEntry {
  readonly database: number;
  readonly slot: number;
  readonly place: number;
  readonly key: string;
  readonly entry: Entry;
  /** Those of a large collection that are here so far. */
  readonly rows: ElementRow[];
}

const ENTRY = 1;
const ROW = 2;
const ENTRY_HEAD_BYTES = 13;
const ROW_HEAD_BYTES = 1 + 6 + 4 + 4;
const PAGE_ENTRIES = 64;
const PAGE_ROWS = 256;

/** Physical numbers of the databases with the data of a group: from, and up to without. */
export function databasesOf({ id }: GroupSlots): readonly [number, number] {
  return isMetaGroup(id) ? [TABLE_DATABASE, TABLE_DATABASE + 1] : [0, DATABASES];
}

export function firstCursor(group: GroupSlots): ChunkCursor {
  return { database: databasesOf(group)[0], position: positionsOf(group)[0], skip: 0 };
}

/** At least one item, and no more than about `bytesMax` bytes unless a single one has more. */
export function readChunk(
  source: ChunkSource,
  group: GroupSlots,
  from: ChunkCursor,
  bytesMax: number,
): Chunk {
  return new ChunkReader(source, group, bytesMax).read(from);
}

class ChunkReader {
  readonly #source: ChunkSource;
  readonly #from: number;
  readonly #to: number;
  readonly #databasesEnd: number;
  readonly #bytesMax: number;
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(source: ChunkSource, group: GroupSlots, bytesMax: number) {
    this.#source = source;
    [this.#from, this.#to] = positionsOf(group);
    this.#databasesEnd = databasesOf(group)[1];
    this.#bytesMax = bytesMax;
  }

  read(begin: ChunkCursor): Chunk {
    let cursor: ChunkCursor | undefined = begin;
    while (cursor !== undefined && this.#bytes < this.#bytesMax) cursor = this.#readPage(cursor);
    return { bytes: Buffer.concat(this.#parts), next: cursor };
  }

  #readPage(cursor: ChunkCursor): ChunkCursor | undefined {
    const { database, position, skip, after } = cursor;
    const page = this.#source.page(database, position, this.#to, PAGE_ENTRIES + skip);
    const rest = page.slice(after === undefined ? skip : skip - 1);
    if (rest.length === 0) {
      const next = database + 1;
      const isIn = next < this.#databasesEnd;
      return isIn ? { database: next, position: this.#from, skip: 0 } : undefined;
    }
    let at = cursor;
    for (const item of rest) {
      at = this.#readEntry(database, item, at);
      if (at.after !== undefined || this.#bytes >= this.#bytesMax) break;
    }
    return at;
  }

  /** Returns the place behind it, or within its rows. */
  #readEntry(database: number, item: StoredEntry, before: ChunkCursor): ChunkCursor {
    const { key, slot, place, entry } = item;
    const position = positionOf(slot, place);
    const isBegun = before.after !== undefined;
    if (!isBegun) this.#addEntry(database, item);
    const isSame = before.position === position;
    const skip = isBegun ? before.skip : 1 + (isSame ? before.skip : 0);
    const { value } = entry;
    const behind = { database, position, skip };
    if (!isCollection(value)) return behind;
    const of = { database, key, slot, place, number: value.number };
    const last = this.#readRows(of, before.after);
    return last === undefined ? behind : { ...behind, after: last };
  }

  /** The last row that had room; undefined: all had. */
  #readRows(of: CollectionRows, after: ChunkCursor['after']): ChunkCursor['after'] {
    let last = after;
    for (;;) {
      const from = last === undefined ? undefined : { ...last, value: '' };
      const rows = this.#source.rows(of, from, PAGE_ROWS);
      for (const row of rows) this.#addRow(row);
      const end = rows.at(-1);
      if (end === undefined) return undefined;
      last = { order: end.order, name: end.name };
      if (this.#bytes >= this.#bytesMax) return last;
    }
  }

  #addEntry(database: number, { key, slot, place, entry }: StoredEntry): void {
    const length = recordBytes(key, entry, true);
    const bytes = Buffer.allocUnsafe(ENTRY_HEAD_BYTES + length);
    bytes.writeUInt8(ENTRY, 0);
    bytes.writeUInt16BE(database, 1);
    bytes.writeUInt16BE(slot, 3);
    bytes.writeInt32BE(place, 5);
    bytes.writeUInt32BE(length, 9);
    writeRecord(bytes.subarray(ENTRY_HEAD_BYTES), key, place, entry, true);
    this.#add(bytes);
  }

  #addRow({ order, name, value }: ElementRow): void {
    const bytes = Buffer.allocUnsafe(ROW_HEAD_BYTES + name.length + value.length);
    let at = bytes.writeUInt8(ROW, 0);
    at = bytes.writeUIntBE(order, at, 6);
    at = bytes.writeUInt32BE(name.length, at);
    at += writeLatin1(bytes, name, at);
    at = bytes.writeUInt32BE(value.length, at);
    writeLatin1(bytes, value, at);
    this.#add(bytes);
  }

  #add(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
  }
}

/**
 * The entries of a chunk. Rows in front of the first one are of the last entry of the chunk before,
 * `open`, and are added to it.
 *
 * @throws EngineError HOLO_STORE_DAMAGED
 */
export function entriesOf(chunk: Uint8Array, open: ChunkEntry | undefined): ChunkEntry[] {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const entries: ChunkEntry[] = [];
  let last = open;
  let at = 0;
  try {
    while (at < bytes.length) {
      if (bytes[at] === ENTRY) {
        last = entryAt(bytes, at);
        entries.push(last);
        at += ENTRY_HEAD_BYTES + bytes.readUInt32BE(at + 9);
      } else {
        if (bytes[at] !== ROW || last === undefined) throw damaged('an unknown item');
        const { row, end } = rowAt(bytes, at);
        last.rows.push(row);
        at = end;
      }
    }
  } catch (error) {
    if (error instanceof RangeError) throw damaged('it is cut short');
    throw error;
  }
  return entries;
}

function entryAt(bytes: Buffer, at: number): ChunkEntry {
  const [database, slot] = [bytes.readUInt16BE(at + 1), bytes.readUInt16BE(at + 3)];
  const place = bytes.readInt32BE(at + 5);
  const start = at + ENTRY_HEAD_BYTES;
  const end = start + bytes.readUInt32BE(at + 9);
  if (end > bytes.length) throw damaged('it is cut short');
  const { key, entry } = readRecord(bytes.subarray(start, end), place);
  if (key === undefined) throw damaged('an entry has no key');
  if (slotOfText(key) !== slot || placeOfText(key) !== place) throw damaged('a key is elsewhere');
  if (database > TABLE_DATABASE) throw damaged('an unknown database');
  return { database, slot, place, key, entry, rows: [] };
}

function rowAt(bytes: Buffer, start: number): { readonly row: ElementRow; readonly end: number } {
  const order = bytes.readUIntBE(start + 1, 6);
  let at = start + 7;
  const texts: string[] = [];
  for (let text = 0; text < 2; text += 1) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) throw damaged('it is cut short');
    texts.push(readLatin1(bytes, at + 4, end));
    at = end;
  }
  const [name = '', value = ''] = texts;
  return { row: { order, name, value }, end: at };
}

function damaged(what: string): EngineError {
  return new EngineError('HOLO_STORE_DAMAGED', `a chunk of a snapshot: ${what}`);
}
