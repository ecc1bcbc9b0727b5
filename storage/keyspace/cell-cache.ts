/**
 * The keyspace's memory: one cell per key in memory, and second-chance (clock) eviction. It knows
 * bytes and places, not transactions. The keyspace is its only user and marks the cells that must
 * stay with `Cell.dirtyIn`.
 */
import type { Arguments } from '../arguments.ts';
import type { Entry } from './entry.ts';
import { KeyTable } from './key-table.ts';

/** Approximate bytes of a cell, its entry, its strings' headers and its place in the table. */
export const CELL_BYTES = 240;

/** Cells that one write or load visits for eviction, so that none pays for a whole sweep. */
export const EVICTION_STEPS = 8;

const REFERENCED = 1;
const STORED = 2;
const INDEXED = 4;

/**
 * The fields stand in the order in which a look-up touches them, then a write: a cell is larger
 * than two cache lines, and a line that is not in the processor's cache costs a look-up more than
 * all else.
 */
export class Cell {
  readonly hash: number;
  /** In the table of all cells. */
  chain: Cell | undefined = undefined;
  readonly key: string;
  entry: Entry;
  /** Three booleans in the room of one. */
  #marks: number;
  /** The generation of the last change; equal to the keyspace's while the change is unflushed. */
  dirtyIn: number;
  /** The last unit that wrote it, by the keyspace's count; 0: none since it was loaded. */
  unit = 0;
  /** Place on the clock's ring. */
  at = -1;
  readonly slot: number;
  readonly place: number;
  /** The entry that the flush in progress must write, if `entry` was replaced since its capture. */
  captured: Entry | undefined = undefined;
  /** The command that has looked up its collection, and may not lose it. */
  pinnedIn = 0;
  /** In the index of fresh keys. */
  next: Cell | undefined = undefined;
  previous: Cell | undefined = undefined;

  constructor(
    key: string,
    hash: number,
    slot: number,
    place: number,
    entry: Entry,
    dirtyIn: number,
    stored: boolean,
  ) {
    this.hash = hash;
    this.key = key;
    this.entry = entry;
    this.#marks = stored ? REFERENCED | STORED : REFERENCED;
    this.dirtyIn = dirtyIn;
    this.slot = slot;
    this.place = place;
  }

  /** Since the clock's hand last passed. */
  get referenced(): boolean {
    return (this.#marks & REFERENCED) !== 0;
  }

  set referenced(is: boolean) {
    this.#marks = is ? this.#marks | REFERENCED : this.#marks & ~REFERENCED;
  }

  /** Whether the engine holds the key, as of the last completed flush. */
  get stored(): boolean {
    return (this.#marks & STORED) !== 0;
  }

  set stored(is: boolean) {
    this.#marks = is ? this.#marks | STORED : this.#marks & ~STORED;
  }

  /** In the index of keys that the engine may not hold. */
  get indexed(): boolean {
    return (this.#marks & INDEXED) !== 0;
  }

  set indexed(is: boolean) {
    this.#marks = is ? this.#marks | INDEXED : this.#marks & ~INDEXED;
  }
}

/** Bytes of several caches together. */
export interface CacheMemory {
  bytes: number;
  readonly bytesMax: number;
}

export class CellCache {
  readonly #cells = new KeyTable<Cell>();
  #ring: Cell[] = [];
  #hand = 0;
  #bytes = 0;
  readonly #memory: CacheMemory;

  constructor(memory: CacheMemory) {
    this.#memory = memory;
  }

  get size(): number {
    return this.#ring.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string, hash: number): Cell | undefined {
    return this.#cells.get(key, hash);
  }

  /** The cell of the key in argument `i`, whose hash is given. */
  find(args: Arguments, i: number, hash: number): Cell | undefined {
    return this.#cells.find(args, i, hash);
  }

  add(cell: Cell): void {
    this.#cells.add(cell);
    cell.at = this.#ring.length;
    this.#ring.push(cell);
    this.resized(CELL_BYTES + cell.key.length + cell.entry.bytes);
  }

  /** Call it when a cell's entry is replaced by one with a value of another size. */
  resized(byBytes: number): void {
    this.#bytes += byBytes;
    this.#memory.bytes += byBytes;
  }

  remove(cell: Cell): void {
    this.#cells.remove(cell);
    const last = this.#ring.pop();
    if (last !== undefined && last !== cell) {
      this.#ring[cell.at] = last;
      last.at = cell.at;
    }
    cell.at = -1;
    this.resized(-(CELL_BYTES + cell.key.length + cell.entry.bytes));
  }

  clear(): void {
    this.#cells.clear();
    this.#ring = [];
    this.#hand = 0;
    this.resized(-this.#bytes);
  }

  /**
   * Evicts cells while the caches have more bytes than allowed: those not used since the clock's
   * hand last passed, and only those last changed before generation `clean` and pinned in neither
   * of two commands. Visits `stepsMax` of them. Returns how many of them the engine holds.
   */
  evict(clean: number, stepsMax: number, command: number, suspended: number): number {
    const memory = this.#memory;
    let evicted = 0;
    for (let steps = 0; steps < stepsMax && memory.bytes > memory.bytesMax; steps += 1) {
      if (this.#hand >= this.#ring.length) this.#hand = 0;
      const cell = this.#ring[this.#hand];
      if (cell === undefined) break;
      const isPinned = cell.pinnedIn === command || cell.pinnedIn === suspended;
      if (cell.dirtyIn >= clean || isPinned) {
        this.#hand += 1;
      } else if (cell.referenced) {
        cell.referenced = false;
        this.#hand += 1;
      } else {
        this.remove(cell);
        if (cell.stored) evicted += 1;
      }
    }
    return evicted;
  }
}
