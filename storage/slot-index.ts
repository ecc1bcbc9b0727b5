/**
 * Items in hash order (slot, then place), as chains that run through the items themselves. Adding
 * costs a store or two; order inside a slot is made when someone asks for it, which is cheap since
 * a slot holds few items. Owned by the keyspace (for keys that no engine holds yet) and by the
 * memory engine (for all its keys).
 */
import { CONFLICT_SLOTS, positionOf } from './slots.ts';

export interface SlotIndexed<T> {
  readonly slot: number;
  /** Order is that of `place >>> 0`. */
  readonly place: number;
  /** The chain; the index alone writes it. An item is in one index at most. */
  next: T | undefined;
}

export class SlotIndex<T extends SlotIndexed<T>> {
  #heads: (T | undefined)[] = new Array<T | undefined>(CONFLICT_SLOTS).fill(undefined);
  /** One bit per slot that has a chain: an empty stretch is skipped 32 slots at a time. */
  #occupied = new Int32Array(CONFLICT_SLOTS / 32);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(item: T): void {
    const slot = item.slot;
    item.next = this.#heads[slot];
    this.#heads[slot] = item;
    this.#occupied[slot >>> 5] = (this.#occupied[slot >>> 5] as number) | (1 << (slot & 31));
    this.#size++;
  }

  /** The item must be here. */
  remove(item: T): void {
    const slot = item.slot;
    let before: T | undefined;
    let at = this.#heads[slot];
    while (at !== item) {
      if (at === undefined) throw new Error('the item is not in the index');
      before = at;
      at = at.next;
    }
    if (before === undefined) {
      this.#heads[slot] = item.next;
      if (item.next === undefined) {
        this.#occupied[slot >>> 5] = (this.#occupied[slot >>> 5] as number) & ~(1 << (slot & 31));
      }
    } else {
      before.next = item.next;
    }
    item.next = undefined;
    this.#size--;
  }

  clear(): void {
    this.#heads = new Array<T | undefined>(CONFLICT_SLOTS).fill(undefined);
    this.#occupied.fill(0);
    this.#size = 0;
  }

  /**
   * Items from `position` on, in order: `limit` of them, and more only where further items share
   * the last one's position (a cursor cannot stand between those).
   */
  page(position: number, limit: number): T[] {
    const items: T[] = [];
    const first = Math.floor(position / 0x1_0000_0000);
    for (let slot = this.#from(first); slot !== -1; slot = this.#from(slot + 1)) {
      const chain: T[] = [];
      for (let at = this.#heads[slot]; at !== undefined; at = at.next) {
        if (slot !== first || positionOf(slot, at.place) >= position) chain.push(at);
      }
      chain.sort((a, b) => (a.place >>> 0) - (b.place >>> 0));
      for (const item of chain) {
        const last = items.length >= limit ? items.at(-1) : undefined;
        if (last !== undefined && (last.slot !== slot || last.place !== item.place)) return items;
        items.push(item);
      }
      if (items.length >= limit) return items;
    }
    return items;
  }

  /** The first slot with a chain, not before `slot`; -1 when there is none. */
  #from(slot: number): number {
    if (slot >= CONFLICT_SLOTS) return -1;
    let word = slot >>> 5;
    let bits = (this.#occupied[word] as number) & (-1 << (slot & 31));
    while (bits === 0) {
      word++;
      if (word === this.#occupied.length) return -1;
      bits = this.#occupied[word] as number;
    }
    return (word << 5) + (31 - Math.clz32(bits & -bits));
  }
}
