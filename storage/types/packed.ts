/**
 * Small collections as one byte string (latin1), as Redis has them in a listpack: the label of the
 * encoding, the number of items in two bytes, then the items, each behind its length (one byte
 * below 128, otherwise two, the lower seven bits first). Packed strings are never changed, but
 * replaced by others. They are flat: made from pieces, a string of V8 would keep the pieces.
 */
import { readLatin1, writeLatin1 } from './latin1.ts';
import { SHORT_TEXT_BYTES_MAX, shortText } from './short-text.ts';

/** A larger collection gets rows of its own. */
export const PACKED_BYTES_MAX = 4_096;
const HEAD = 3;
const MORE = 0x80;
const LOW = 0x7f;
const LOW_BITS = 7;

export function labelOf(packed: string): number {
  return packed.charCodeAt(0);
}

/** Number of items. */
export function itemsOf(packed: string): number {
  return packed.charCodeAt(1) | (packed.charCodeAt(2) << 8);
}

/** Walks over the items of a packed string. */
export class PackedItems {
  #packed = '';
  /** Where the current item begins, with its length; */
  from = HEAD;
  /** where its bytes begin, */
  start = HEAD;
  /** and where it ends. */
  to = HEAD;

  /** Before the first item, or at an item that begins at `from`. */
  begin(packed: string): this {
    this.#packed = packed;
    this.from = HEAD;
    this.start = HEAD;
    this.to = HEAD;
    return this;
  }

  /** Goes on by one item; `false` at the end. */
  next(): boolean {
    const packed = this.#packed;
    const at = this.to;
    this.from = at;
    if (at >= packed.length) return false;
    const low = packed.charCodeAt(at);
    if (low < MORE) {
      this.start = at + 1;
      this.to = at + 1 + low;
    } else {
      this.start = at + 2;
      this.to = at + 2 + ((low & LOW) | (packed.charCodeAt(at + 1) << LOW_BITS));
    }
    return true;
  }

  /** The current item. */
  text(): string {
    return this.#packed.slice(this.start, this.to);
  }

  is(text: string): boolean {
    return this.to - this.start === text.length && this.#packed.startsWith(text, this.start);
  }

  /**
   * Goes to the item that is `text`, looking at one of `step`, from the next one on. `false`: there
   * is none, and the current place is the end.
   */
  find(text: string, step: 1 | 2): boolean {
    while (this.next()) {
      if (this.is(text)) return true;
      if (step === 2) this.next();
    }
    return false;
  }
}

/** One room for all: what is built is taken before the next begins. */
const room = Buffer.alloc(PACKED_BYTES_MAX);

/** Builds a packed string. */
class PackedBuilder {
  #at = HEAD;
  #items = 0;
  #full = false;

  begin(label: number): this {
    room[0] = label;
    this.#at = HEAD;
    this.#items = 0;
    this.#full = false;
    return this;
  }

  add(text: string): this {
    const { length } = text;
    this.#items += 1;
    if (this.#full || this.#at + 2 + length > room.length) {
      this.#full = true;
      return this;
    }
    if (length < MORE) {
      room[this.#at] = length;
      this.#at += 1;
    } else {
      room[this.#at] = (length & LOW) | MORE;
      room[this.#at + 1] = length >>> LOW_BITS;
      this.#at += 2;
    }
    this.#at += writeLatin1(room, text, this.#at);
    return this;
  }

  /** Copies the items of another one between two places at which items begin or end. */
  copy(packed: string, from: number, to: number, items: number): this {
    this.#items += items;
    if (from === to) return this;
    if (this.#full || this.#at + to - from > room.length) {
      this.#full = true;
      return this;
    }
    this.#at += writeLatin1(room, packed.slice(from, to), this.#at);
    return this;
  }

  /** `undefined`: it would be too long. */
  take(): string | undefined {
    if (this.#full) return undefined;
    room[1] = this.#items & 0xff;
    room[2] = this.#items >>> 8;
    return readLatin1(room, 0, this.#at);
  }
}

const builder = new PackedBuilder();

/** A packed string of these items; `undefined`: it would be too long. */
export function pack(label: number, items: Iterable<string>): string | undefined {
  builder.begin(label);
  for (const item of items) builder.add(item);
  return builder.take();
}

/** The same with other items in the place of those between two places. */
export function splice(
  packed: string,
  label: number,
  from: number,
  to: number,
  removed: number,
  added: readonly string[],
): string | undefined {
  builder.begin(label).copy(packed, HEAD, from, 0);
  for (const item of added) builder.add(item);
  return builder.copy(packed, to, packed.length, itemsOf(packed) - removed).take();
}

const items = new PackedItems();

/** All items, each a string of its own that keeps nothing of the packed one. */
export function unpack(packed: string): string[] {
  const length = writeLatin1(room, packed, 0);
  const found: string[] = [];
  items.begin(packed);
  for (let at = HEAD; at < length && items.next(); at = items.to) {
    found.push(flatText(items.start, items.to));
  }
  return found;
}

/** Of `room`. */
function flatText(from: number, to: number): string {
  const length = to - from;
  return length <= SHORT_TEXT_BYTES_MAX
    ? shortText(room, from, length)
    : readLatin1(room, from, to);
}

/** The same string under another label. */
export function labelled(packed: string, label: number): string {
  return labelOf(packed) === label
    ? packed
    : (splice(packed, label, packed.length, packed.length, 0, []) ?? packed);
}
