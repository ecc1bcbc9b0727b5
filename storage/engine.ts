/**
 * What the keyspace asks of the place where data rests. An engine holds whole flushes: every
 * `commit` is one atomic and durable step from the state after transaction n to the state after
 * transaction m. It knows nothing of commands, deadlines or the cache above it.
 */

import { type Timestamp, ZERO } from '../actors/accord/primitives/timestamp.ts';
import type { EngineError } from './errors.ts';
import type { Entry, StoredEntry } from './keyspace/entry.ts';

/** What an engine knows of itself; written in the same transaction as the data it speaks of. */
export interface EngineMeta {
  /** The data is exactly what all transactions up to and with this one have left. */
  readonly appliedSequence: number;
  /** And what so many units of the next transaction have: a flush may come between two units. */
  readonly appliedUnits: number;
  readonly keys: number;
  /** Keys with a deadline. */
  readonly volatileKeys: number;
  /** The newest transaction that removed all keys. */
  readonly clearedAt: Timestamp;
}

/** Values of one page: large ones must not meet in memory only because keys are walked. */
export const PAGE_BYTES_MAX = 8 * 1024 * 1024;

/** Collects a page; every engine ends it alike. */
export class PageBuilder {
  readonly items: StoredEntry[] = [];
  readonly #limit: number;
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get #full(): boolean {
    return this.items.length >= this.#limit || this.#bytes >= PAGE_BYTES_MAX;
  }

  /** `false`: the page has ended before this key. */
  takes(slot: number, place: number): boolean {
    const last = this.#full ? this.items.at(-1) : undefined;
    return last === undefined || (last.slot === slot && last.place === place);
  }

  add(item: StoredEntry): void {
    this.items.push(item);
    this.#bytes += item.entry.value.length;
  }
}

export const EMPTY_META: EngineMeta = Object.freeze({
  appliedSequence: 0,
  appliedUnits: 0,
  keys: 0,
  volatileKeys: 0,
  clearedAt: ZERO,
});

/** One changed key of a flush. */
export interface ChangedKey {
  readonly key: string;
  readonly slot: number;
  readonly place: number;
}

export interface FlushBatch {
  readonly meta: EngineMeta;
  /** All keys go before the changes are written. */
  readonly clear: boolean;
  /** Number of changes. */
  readonly count: number;
  /**
   * Hands out the next changes, `limit` of them at most: an entry to store, `undefined` for a key
   * to
   * remove. Returns how many; 0 when all have been handed out. May be called in any turn until
   * `done`: the values are those of the capture, whatever came after.
   */
  take(limit: number, visit: (key: ChangedKey, entry: Entry | undefined) => void): number;
}

export interface Engine {
  /** As of opening, then of the last completed commit. */
  readonly meta: EngineMeta;
  /**
   * Synchronous. During a commit, keys that it changes may show either state. Throws EngineError
   * `HOLO_STORE_DAMAGED` rather than return wrong data.
   */
  get(key: string, slot: number, place: number): Entry | undefined;
  /**
   * Entries from a position in hash order on: `limit` of them, fewer only at the end and where the
   * last one completes `PAGE_BYTES_MAX` bytes of values, and more only where further keys share
   * the last one's position.
   */
  page(position: number, limit: number): StoredEntry[];
  /** One at a time. `done` is called once, in a later turn; after an error nothing has changed. */
  commit(batch: FlushBatch, done: (error: EngineError | undefined) => void): void;
  /** A commit under way is completed or lost as a whole, and its `done` is not called any more. */
  close(closed?: () => void): void;
}
