/**
 * Counts per Redis slot of a group: keys, keys with a deadline, bytes, and when a key was last
 * removed. In fixed arrays, so that counting a slot or planning a split reads no key. Engines store
 * them in blocks; a flush writes the blocks that have changed.
 */
import { type Timestamp, ZERO } from '../../actors/accord/primitives/timestamp.ts';

/** Redis slots of a block. */
export const BLOCK_SLOTS = 64;
const BLOCK_BITS = 6;

/** The counts of the Redis slots from `index * BLOCK_SLOTS` on; never changed once made. */
export interface SlotBlock {
  /** The physical number of the database. */
  readonly database: number;
  readonly index: number;
  readonly keys: Uint32Array;
  readonly volatileKeys: Uint32Array;
  readonly bytes: Float64Array;
  /** Version of the last transaction that removed one key; ZERO since all were removed. */
  readonly removedAt: readonly Timestamp[];
}

/** The counts of the Redis slots from `fromSlot` up to, and without, `toSlot`, alone. */
export function blocksWithin(
  blocks: readonly SlotBlock[],
  fromSlot: number,
  toSlot: number,
): readonly SlotBlock[] {
  return blocks.flatMap((block) => {
    const first = block.index * BLOCK_SLOTS;
    if (first + BLOCK_SLOTS <= fromSlot || first >= toSlot) return [];
    const isWithin = (at: number): boolean => first + at >= fromSlot && first + at < toSlot;
    return {
      database: block.database,
      index: block.index,
      keys: block.keys.map((count, at) => (isWithin(at) ? count : 0)),
      volatileKeys: block.volatileKeys.map((count, at) => (isWithin(at) ? count : 0)),
      bytes: block.bytes.map((count, at) => (isWithin(at) ? count : 0)),
      removedAt: block.removedAt.map((version, at) => (isWithin(at) ? version : ZERO)),
    };
  });
}

export class SlotCounts {
  readonly #database: number;
  /** The first slot of the first block; the group may begin behind it. */
  readonly #first: number;
  readonly #keys: Uint32Array;
  readonly #volatileKeys: Uint32Array;
  readonly #bytes: Float64Array;
  readonly #removedAt: Timestamp[];
  readonly #changed: Uint8Array;

  /** Of the Redis slots from `fromSlot` up to, and without, `toSlot`. */
  constructor(database: number, fromSlot: number, toSlot: number, blocks: Iterable<SlotBlock>) {
    this.#database = database;
    const firstBlock = fromSlot >>> BLOCK_BITS;
    const count = ((toSlot - 1) >>> BLOCK_BITS) - firstBlock + 1;
    const slots = count * BLOCK_SLOTS;
    this.#first = firstBlock * BLOCK_SLOTS;
    this.#keys = new Uint32Array(slots);
    this.#volatileKeys = new Uint32Array(slots);
    this.#bytes = new Float64Array(slots);
    this.#removedAt = new Array<Timestamp>(slots).fill(ZERO);
    this.#changed = new Uint8Array(count);
    for (const block of blocks) {
      const at = block.index * BLOCK_SLOTS - this.#first;
      this.#keys.set(block.keys, at);
      this.#volatileKeys.set(block.volatileKeys, at);
      this.#bytes.set(block.bytes, at);
      for (const [i, version] of block.removedAt.entries()) this.#removedAt[at + i] = version;
    }
  }

  /** Over all slots. */
  totals(): { readonly keys: number; readonly volatileKeys: number } {
    const sum = (counts: Uint32Array): number => counts.reduce((total, count) => total + count, 0);
    return { keys: sum(this.#keys), volatileKeys: sum(this.#volatileKeys) };
  }

  /** Of keys and values, over all slots. */
  totalBytes(): number {
    return this.#bytes.reduce((total, bytes) => total + bytes, 0);
  }

  keysIn(redisSlot: number): number {
    return this.#keys[redisSlot - this.#first] ?? 0;
  }

  volatileKeysIn(redisSlot: number): number {
    return this.#volatileKeys[redisSlot - this.#first] ?? 0;
  }

  /** The slot of a key by its number in the order of slots, from 0 on; 0 when there are fewer. */
  slotOfNth(number: number): number {
    let left = number;
    for (let at = 0; at < this.#keys.length; at += 1) {
      left -= this.#keys[at] as number;
      if (left < 0) return this.#first + at;
    }
    return 0;
  }

  /** The slots that have keys, by their bytes, the largest last. */
  byBytes(): number[] {
    const slots: number[] = [];
    for (let at = 0; at < this.#keys.length; at += 1) {
      if (this.#keys[at] !== 0) slots.push(this.#first + at);
    }
    const bytesOf = (slot: number): number => this.#bytes[slot - this.#first] as number;
    return slots.sort((a, b) => bytesOf(a) - bytesOf(b));
  }

  changed(redisSlot: number, keys: number, volatileKeys: number, bytes: number): void {
    const at = redisSlot - this.#first;
    if (keys !== 0) this.#keys[at] = (this.#keys[at] as number) + keys;
    if (volatileKeys !== 0) {
      this.#volatileKeys[at] = (this.#volatileKeys[at] as number) + volatileKeys;
    }
    this.#bytes[at] = (this.#bytes[at] as number) + bytes;
    this.#changed[at >>> BLOCK_BITS] = 1;
  }

  removedAt(redisSlot: number): Timestamp {
    return this.#removedAt[redisSlot - this.#first] ?? ZERO;
  }

  removed(redisSlot: number, version: Timestamp): void {
    this.#removedAt[redisSlot - this.#first] = version;
  }

  /** Every slot is empty, and what removed the keys is said once for all. */
  clear(): void {
    this.#keys.fill(0);
    this.#volatileKeys.fill(0);
    this.#bytes.fill(0);
    this.#removedAt.fill(ZERO);
    this.#changed.fill(0);
  }

  /** The blocks that have changed since the last call. */
  capture(): SlotBlock[] {
    const blocks: SlotBlock[] = [];
    for (let block = 0; block < this.#changed.length; block += 1) {
      if (this.#changed[block] === 0) continue;
      this.#changed[block] = 0;
      const from = block * BLOCK_SLOTS;
      const to = from + BLOCK_SLOTS;
      blocks.push({
        database: this.#database,
        index: (this.#first + from) / BLOCK_SLOTS,
        keys: this.#keys.slice(from, to),
        volatileKeys: this.#volatileKeys.slice(from, to),
        bytes: this.#bytes.slice(from, to),
        removedAt: this.#removedAt.slice(from, to),
      });
    }
    return blocks;
  }

  /** These blocks were not written: they count as changed again. */
  notWritten(blocks: readonly SlotBlock[]): void {
    for (const { index } of blocks) {
      this.#changed[index - this.#first / BLOCK_SLOTS] = 1;
    }
  }

  /** Visits the slots from which a key was removed since all were. */
  forEachRemoval(visit: (redisSlot: number, version: Timestamp) => void): void {
    this.#removedAt.forEach((version, at) => {
      if (version !== ZERO) visit(this.#first + at, version);
    });
  }
}
