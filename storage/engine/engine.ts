/**
 * What the keyspace asks of the place where data rests. An engine holds whole flushes: every
 * `commit` is one atomic and durable step from the state after transaction n to the state after
 * transaction m. It knows nothing of commands, deadlines or the cache above it.
 */
import type { Entry, StoredEntry } from '../entry.ts';
import type { EngineError } from '../errors.ts';
import { NO_VERSION, type Version } from '../version.ts';

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
  readonly clearedAt: Version;
}

export const EMPTY_META: EngineMeta = Object.freeze({
  appliedSequence: 0,
  appliedUnits: 0,
  keys: 0,
  volatileKeys: 0,
  clearedAt: NO_VERSION,
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
   * Entries from a position in hash order on: `limit` of them (fewer only at the end), and more
   * only where further keys share the last one's position.
   */
  page(position: number, limit: number): StoredEntry[];
  /** One at a time. `done` is called once, in a later turn; after an error nothing has changed. */
  commit(batch: FlushBatch, done: (error: EngineError | undefined) => void): void;
  /** A commit under way is completed or lost as a whole, and its `done` is not called any more. */
  close(closed?: () => void): void;
}
