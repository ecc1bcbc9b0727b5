/**
 * A hash table from keys to items that carry their own chain. It exists beside JavaScript's Map for
 * three reasons: a look-up takes the bytes of a request (no string is made for an existing key), it
 * grows one bucket at a time (linear hashing, W. Litwin 1980: no pause to rehash millions), and it
 * may hold more than a Map's 2^24 keys.
 */
import type { Arguments } from '../arguments.ts';

export interface Keyed<T> {
  readonly key: string;
  /** Hash of the key, by the `TableHash` of this table's owner. */
  readonly hash: number;
  /** The table alone writes it. An item is in one table at most. */
  chain: T | undefined;
}

const BUCKETS_MIN = 1024;

export class KeyTable<T extends Keyed<T>> {
  #heads: (T | undefined)[] = emptyHeads<T>();
  /** Buckets below `#split` have been split in this round and take one more bit of the hash. */
  #mask = BUCKETS_MIN - 1;
  #split = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The item whose key is argument `i`; `hash` is that argument's. */
  find(args: Arguments, i: number, hash: number): T | undefined {
    let item = this.#heads[this.#bucket(hash)];
    while (item !== undefined && (item.hash !== hash || !args.equals(i, item.key))) {
      item = item.chain;
    }
    return item;
  }

  get(key: string, hash: number): T | undefined {
    let item = this.#heads[this.#bucket(hash)];
    while (item !== undefined && (item.hash !== hash || item.key !== key)) item = item.chain;
    return item;
  }

  /** The key must not be there. */
  add(item: T): void {
    const bucket = this.#bucket(item.hash);
    item.chain = this.#heads[bucket];
    this.#heads[bucket] = item;
    if (++this.#size > this.#heads.length) this.#grow();
  }

  /** The item must be here. */
  remove(item: T): void {
    const bucket = this.#bucket(item.hash);
    let before: T | undefined;
    let at = this.#heads[bucket];
    while (at !== item) {
      if (at === undefined) throw new Error('the item is not in the table');
      before = at;
      at = at.chain;
    }
    if (before === undefined) this.#heads[bucket] = item.chain;
    else before.chain = item.chain;
    item.chain = undefined;
    this.#size -= 1;
  }

  /** Constant work: the garbage collector frees the items. */
  clear(): void {
    this.#heads = emptyHeads<T>();
    this.#mask = BUCKETS_MIN - 1;
    this.#split = 0;
    this.#size = 0;
  }

  #bucket(hash: number): number {
    const bucket = hash & this.#mask;
    return bucket < this.#split ? hash & (this.#mask * 2 + 1) : bucket;
  }

  /** Splits the next bucket of the round into itself and a new one at the end. */
  #grow(): void {
    const bit = this.#mask + 1;
    let item = this.#heads[this.#split];
    let stay: T | undefined;
    let move: T | undefined;
    while (item !== undefined) {
      const next = item.chain;
      if ((item.hash & bit) === 0) {
        item.chain = stay;
        stay = item;
      } else {
        item.chain = move;
        move = item;
      }
      item = next;
    }
    this.#heads[this.#split] = stay;
    this.#heads.push(move);
    if (++this.#split === bit) {
      this.#split = 0;
      this.#mask = this.#mask * 2 + 1;
    }
  }
}

function emptyHeads<T>(): (T | undefined)[] {
  return new Array<T | undefined>(BUCKETS_MIN).fill(undefined);
}
