/**
 * Items in hash order (slot, then place), chained through the items themselves. Adding and removing
 * cost a few stores; a slot is sorted on demand and stays sorted. The keyspace owns one (for keys
 * that no engine holds yet), and so does the memory engine (for all its keys).
 */
import { positionOf, slotOfPosition } from './slots.ts';

export interface SlotIndexed<T> {
  readonly slot: number;
  /** Ordered by `place >>> 0`. */
  readonly place: number;
  /** The chain; the index alone writes it. An item is in one index at most. */
  next: T | undefined;
  previous: T | undefined;
}

export class SlotIndex<T extends SlotIndexed<T>> {
  /** The arrays begin with this slot, a multiple of 32. */
  readonly #first: number;
  #heads: (T | undefined)[];
  /** One bit per slot that has a chain: an empty stretch is skipped 32 slots at a time. */
  readonly #occupied: Int32Array;
  /** Slots whose chains are not in order. */
  readonly #unsorted: Uint8Array;
  #size = 0;

  /** Of the conflict slots from `fromSlot` up to, and without, `toSlot`. */
  constructor(fromSlot: number, toSlot: number) {
    this.#first = fromSlot & -32;
    const slots = (toSlot - this.#first + 31) & -32;
    this.#heads = new Array<T | undefined>(slots).fill(undefined);
    this.#occupied = new Int32Array(slots / 32);
    this.#unsorted = new Uint8Array(slots);
  }

  get size(): number {
    return this.#size;
  }

  add(item: T): void {
    const slot = item.slot - this.#first;
    const head = this.#heads[slot];
    item.next = head;
    item.previous = undefined;
    if (head !== undefined) {
      head.previous = item;
      this.#unsorted[slot] = 1;
    }
    this.#heads[slot] = item;
    this.#occupied[slot >>> 5] = (this.#occupied[slot >>> 5] as number) | (1 << (slot & 31));
    this.#size += 1;
  }

  /** The item must be here. Constant work, however many items share the slot. */
  remove(item: T): void {
    const { next, previous } = item;
    const slot = item.slot - this.#first;
    if (previous === undefined) {
      if (this.#heads[slot] !== item) throw new Error('the item is not in the index');
      this.#heads[slot] = next;
      if (next === undefined) {
        this.#occupied[slot >>> 5] = (this.#occupied[slot >>> 5] as number) & ~(1 << (slot & 31));
      }
    } else {
      previous.next = next;
    }
    if (next !== undefined) next.previous = previous;
    item.next = undefined;
    item.previous = undefined;
    this.#size -= 1;
  }

  clear(): void {
    this.#heads = new Array<T | undefined>(this.#heads.length).fill(undefined);
    this.#occupied.fill(0);
    this.#unsorted.fill(0);
    this.#size = 0;
  }

  /**
   * Items from `position` on, in order: `limit` of them, and more only if further items share the
   * last one's position (a cursor cannot point between those).
   */
  page(position: number, limit: number): T[] {
    const items: T[] = [];
    const first = slotOfPosition(position) - this.#first;
    for (let slot = this.#from(first); slot !== -1; slot = this.#from(slot + 1)) {
      this.#sort(slot);
      for (let item = this.#heads[slot]; item !== undefined; item = item.next) {
        if (slot === first && positionOf(item.slot, item.place) < position) continue;
        const last = items.length >= limit ? items.at(-1) : undefined;
        if (last !== undefined && (last.slot !== item.slot || last.place !== item.place)) {
          return items;
        }
        items.push(item);
      }
      if (items.length >= limit) return items;
    }
    return items;
  }

  /** The chain stays in order until something is added. */
  #sort(slot: number): void {
    if (this.#unsorted[slot] === 0) return;
    this.#unsorted[slot] = 0;
    const chain: T[] = [];
    for (let at = this.#heads[slot]; at !== undefined; at = at.next) chain.push(at);
    chain.sort((a, b) => (a.place >>> 0) - (b.place >>> 0));
    this.#heads[slot] = chain[0];
    chain.forEach((item, i) => {
      item.previous = chain[i - 1];
      item.next = chain[i + 1];
    });
  }

  /** The first slot with a chain, not before `slot`; -1 when there is none. */
  #from(from: number): number {
    const slot = Math.max(from, 0);
    if (slot >= this.#heads.length) return -1;
    let word = slot >>> 5;
    let bits = (this.#occupied[word] as number) & (-1 << (slot & 31));
    while (bits === 0) {
      word += 1;
      if (word === this.#occupied.length) return -1;
      bits = this.#occupied[word] as number;
    }
    return (word << 5) + (31 - Math.clz32(bits & -bits));
  }
}
