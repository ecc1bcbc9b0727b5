/**
 * Entries of a stream one after the other in one byte string, a block: the unit in which they are
 * in memory and on the disk. An id is told as its distance from that of the block, and names are
 * left out where they are those of the block's first entry, as they mostly are. Nothing is changed
 * but by appending; a removal builds the block anew. An entry:
 *
 *   bytes of the rest | milliseconds since the block's id | sequence | 2 * fields + same | items
 *
 * An item is its length and its bytes. Numbers are seven bits to a byte, the lower ones first, bit
 * 7 set where there is more. The sequence counts from that of the block's id within its
 * millisecond, else from 0. `same`: only values follow, under the names of the first entry.
 */
import { CountedLeaf } from '../counted-tree.ts';
import { readLatin1 } from '../latin1.ts';
import { msOf, type StreamId, sequenceOf, streamId } from './stream-id.ts';

/** Redis' `stream-node-max-entries`: removed ones count, too. Approximate trimming shows it. */
export const BLOCK_ENTRIES_MAX = 100;
/** Two rows with their keys fit into a page of LMDB. A block of one entry may be longer. */
const BLOCK_BYTES_MAX = 1_920;
/** An id that is farther from that of the block begins another one. */
const DISTANCE_MAX = 2 ** 48;
const MORE = 0x80;
const LOW = 0x7f;
const LOW_VALUES = 128;
/**
 * Of a row: entries, and removed ones, with bit 7 set where the last entry was removed. An entry of
 * its id without fields is then in front of the others.
 */
const HEAD_BYTES = 2;

/** How far an id is from that of its block. */
interface Distance {
  readonly ms: number;
  readonly sequence: number;
}

/** `id` is not before `label`. Rounded where no block has it. */
function distanceOf(label: StreamId, id: StreamId): Distance {
  const ms = minus(msOf(id), msOf(label));
  const sequence = ms === 0 ? minus(sequenceOf(id), sequenceOf(label)) : Number(sequenceOf(id));
  return { ms, sequence };
}

function minus(a: number | bigint, b: number | bigint): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : Number(BigInt(a) - BigInt(b));
}

function plus(a: number | bigint, b: number): number | bigint {
  return typeof a === 'number' ? a + b : a + BigInt(b);
}

function numberText(value: number): string {
  let text = '';
  let left = value;
  for (; left >= LOW_VALUES; left = Math.floor(left / LOW_VALUES)) {
    text += String.fromCharCode((left % LOW_VALUES) | MORE);
  }
  return text + String.fromCharCode(left);
}

function itemText(item: string): string {
  return numberText(item.length) + item;
}

/** Names and values, one behind the other. */
export type Fields = readonly string[];

function entryText({ ms, sequence }: Distance, fields: Fields, names: Fields | undefined): string {
  const isSame = names !== undefined && hasNames(fields, names);
  const head = numberText(ms) + numberText(sequence) + numberText(fields.length + Number(isSame));
  let text = head;
  for (let i = isSame ? 1 : 0; i < fields.length; i += isSame ? 2 : 1) {
    text += itemText(fields[i] as string);
  }
  return numberText(text.length) + text;
}

function hasNames(fields: Fields, like: Fields): boolean {
  if (fields.length !== like.length) return false;
  for (let i = 0; i < fields.length; i += 2) if (fields[i] !== like[i]) return false;
  return true;
}

export class EntryBlock extends CountedLeaf<EntryBlock> {
  /** The id of the entry that it began with, which may be gone. */
  readonly label: StreamId;
  /** Entries. */
  size = 0;
  #removed = 0;
  /** The id of the last entry, where that was removed. */
  #lastRemoved: StreamId | undefined;
  #text = '';
  /** The fields of the first entry, while entries are appended. */
  #first: Fields | undefined;

  constructor(label: StreamId) {
    super();
    this.label = label;
  }

  static ofRow(label: StreamId, row: string): EntryBlock {
    const block = new EntryBlock(label);
    block.size = row.charCodeAt(0);
    const removed = row.charCodeAt(1);
    block.#removed = removed & LOW;
    block.#text = row.slice(HEAD_BYTES);
    if (removed < MORE) return block;
    const cursor = new BlockCursor(block);
    cursor.next();
    block.#lastRemoved = cursor.id;
    block.#text = block.#text.slice(cursor.end);
    return block;
  }

  get row(): string {
    const mark = this.#lastRemoved === undefined ? 0 : MORE;
    return String.fromCharCode(this.size, this.#removed | mark) + this.#removedText() + this.#text;
  }

  get rowBytes(): number {
    return HEAD_BYTES + this.#removedText().length + this.#text.length;
  }

  #removedText(): string {
    const id = this.#lastRemoved;
    return id === undefined ? '' : entryText(distanceOf(this.label, id), [], undefined);
  }

  /** The id of the last entry, also of one that was removed. */
  get last(): StreamId {
    return this.#lastRemoved ?? this.idAt(this.size - 1);
  }

  /** The text for `append`, of an id behind all others; `undefined`: it begins another block. */
  textOf(id: StreamId, fields: Fields): string | undefined {
    const distance = distanceOf(this.label, id);
    const isNear = Math.max(distance.ms, distance.sequence) < DISTANCE_MAX;
    if (!isNear || this.size + this.#removed >= BLOCK_ENTRIES_MAX) return undefined;
    if (this.size > 0) this.#first ??= new BlockCursor(this).firstFields();
    const text = entryText(distance, fields, this.#first);
    const isLong = this.size > 0 && this.#text.length + text.length > BLOCK_BYTES_MAX;
    return isLong ? undefined : text;
  }

  append(text: string, fields: Fields): void {
    this.#first ??= fields;
    this.#text += text;
    this.#lastRemoved = undefined;
    this.size += 1;
  }

  /** Nothing is appended any more. */
  seal(): void {
    this.#first = undefined;
    this.#text = flat(this.#text);
  }

  get text(): string {
    return this.#text;
  }

  /** Without the entries `[from, to)`. */
  remove(from: number, to: number): void {
    if (to === this.size) this.#lastRemoved = this.last;
    const cursor = new BlockCursor(this);
    this.#first = undefined;
    let text = '';
    for (let at = 0; cursor.next(); at += 1) {
      if (at >= from && at < to) continue;
      const { distance, fields } = cursor;
      text += entryText(distance, fields, this.#first);
      this.#first ??= fields;
    }
    this.#first = undefined;
    this.#text = flat(text);
    this.size -= to - from;
    this.#removed += to - from;
  }

  /** Entries before an id. */
  countBefore(id: StreamId): number {
    if (id <= this.label) return 0;
    const { ms, sequence } = distanceOf(this.label, id);
    const cursor = new BlockCursor(this);
    let count = 0;
    while (cursor.next()) {
      const { distance } = cursor;
      if (distance.ms > ms || (distance.ms === ms && distance.sequence >= sequence)) break;
      count += 1;
    }
    return count;
  }

  /** The id of an entry that is there. */
  idAt(index: number): StreamId {
    const cursor = new BlockCursor(this);
    for (let at = 0; at <= index; at += 1) cursor.next();
    return cursor.id;
  }
}

/** A string that keeps nothing of what it was made from. */
function flat(text: string): string {
  return readLatin1(Buffer.from(text, 'latin1'), 0, text.length);
}

/** Goes over the entries of a block. */
export class BlockCursor {
  readonly #label: StreamId;
  readonly #text: string;
  #at = 0;
  #end = 0;
  /** Where the items of the current entry begin, and how many there are. */
  #items = 0;
  #shape = 0;
  #ms = 0;
  #sequence = 0;
  #first: Fields | undefined;

  constructor({ label, text }: EntryBlock) {
    this.#label = label;
    this.#text = text;
  }

  /** Goes on by one entry; `false` at the end. */
  next(): boolean {
    if (this.#end >= this.#text.length) return false;
    this.#at = this.#end;
    this.place = this.#end;
    const bytes = this.#number();
    this.#end = this.#at + bytes;
    this.#ms = this.#number();
    this.#sequence = this.#number();
    this.#shape = this.#number();
    this.#items = this.#at;
    return true;
  }

  /** Where the current entry begins. */
  place = 0;

  /** To an entry that begins there. */
  goTo(place: number): void {
    this.#end = place;
    this.next();
  }

  /** Where the current entry ends. */
  get end(): number {
    return this.#end;
  }

  get distance(): Distance {
    return { ms: this.#ms, sequence: this.#sequence };
  }

  get id(): StreamId {
    const label = this.#label;
    const sequence = this.#ms === 0 ? plus(sequenceOf(label), this.#sequence) : this.#sequence;
    return streamId(plus(msOf(label), this.#ms), sequence);
  }

  get fields(): Fields {
    this.#at = this.#items;
    const count = this.#shape - (this.#shape % 2);
    const isSame = count !== this.#shape;
    const names = isSame ? this.firstFields() : undefined;
    const fields: string[] = new Array<string>(count);
    for (let i = 0; i < count; i += 1) {
      fields[i] = names !== undefined && i % 2 === 0 ? (names[i] as string) : this.#item();
    }
    return fields;
  }

  /** Those of the first entry, which has all its names. */
  firstFields(): Fields {
    if (this.#first !== undefined) return this.#first;
    const at = this.#at;
    this.#at = 0;
    for (let i = 0; i < 3; i += 1) this.#number();
    const count = this.#number();
    const fields = Array.from({ length: count }, () => this.#item());
    this.#at = at;
    this.#first = fields;
    return fields;
  }

  #item(): string {
    const length = this.#number();
    const start = this.#at;
    this.#at += length;
    return this.#text.slice(start, this.#at);
  }

  #number(): number {
    const text = this.#text;
    let byte = text.charCodeAt(this.#at++);
    if (byte < MORE) return byte;
    let value = byte & LOW;
    for (let unit = LOW_VALUES; byte >= MORE; unit *= LOW_VALUES) {
      byte = text.charCodeAt(this.#at++);
      value += (byte & LOW) * unit;
    }
    return value;
  }
}
