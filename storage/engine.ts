/**
 * The interface of durable storage towards the keyspace. An engine holds whole flushes: every
 * `commit` is one atomic and durable step from the state after transaction n to the state after
 * transaction m. It knows nothing of commands, deadlines or the cache above it.
 */

import { type Timestamp, ZERO } from '../actors/accord/primitives/timestamp.ts';
import type { EngineError } from './errors.ts';
import type { Entry, StoredEntry } from './keyspace/entry.ts';

/** Describes the data; written in the same transaction as the data. */
export interface EngineMeta {
  /** The data is exactly the result of all transactions up to and including this one, */
  readonly appliedSequence: number;
  /** and of this many units of the next one: a flush may come between two units. */
  readonly appliedUnits: number;
  readonly keys: number;
  /** Keys with a deadline. */
  readonly volatileKeys: number;
  /** Version of the newest transaction that removed all keys. */
  readonly clearedAt: Timestamp;
}

/** Bytes of the values of one page: a walk over the keys must not load many large values. */
export const PAGE_BYTES_MAX = 8 * 1024 * 1024;

/** Collects a page, so that every engine ends it in the same place. */
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
    this.#bytes += item.entry.bytes;
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
  /** Remove all keys before writing the changes. */
  readonly clear: boolean;
  /** Number of changes. */
  readonly count: number;
  /**
   * Visits the next changes, at most `limit`: an entry to store, `undefined` for a key to remove.
   * Returns how many; 0 at the end. May be called in any turn until `done`: the values are those of
   * the capture, whatever changed later.
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
   * Entries from a position in hash order on: `limit` of them; fewer at the end, or when the last
   * one reaches `PAGE_BYTES_MAX` bytes of values; more if further keys share the last one's
   * position.
   */
  page(position: number, limit: number): StoredEntry[];
  /** One at a time. `done` is called once, in a later turn; after an error nothing has changed. */
  commit(batch: FlushBatch, done: (error: EngineError | undefined) => void): void;
  /** A commit in progress completes or is lost as a whole; its `done` is not called any more. */
  close(closed?: () => void): void;
}
