/**
 * The interface of durable storage towards the keyspaces of the groups that share it. An engine
 * holds whole flushes: every `commit` is one atomic and durable step of some groups, each from the
 * state after its transaction n to the state after its transaction m. It knows nothing of commands,
 * deadlines or the cache above it.
 */

import { type Timestamp, ZERO } from '../actors/accord/primitives/timestamp.ts';
import type { GroupId, Machine } from '../actors/accord/topology/group-id.ts';
import type { EngineError } from './errors.ts';
import { type Entry, type StoredEntry, storedBytes } from './keyspace/entry.ts';
import type { SlotBlock } from './keyspace/slot-counts.ts';
import { DATABASES } from './limits.ts';

/** The keys of a group are those of an interval of Redis slots. */
export interface GroupSlots {
  readonly id: GroupId;
  readonly fromSlot: number;
  /** The first slot behind it. */
  readonly toSlot: number;
}

/** A group with the machine that executes its transactions; `keyspace` where nothing is said. */
export interface MachineGroup extends GroupSlots {
  readonly machine?: Machine;
}

/** One of the databases that clients select. */
export interface DatabaseMarks {
  /** The number under which its rows are. */
  readonly physical: number;
  /** Version of the newest SWAPDB that named it. */
  readonly swappedAt: Timestamp;
}

/**
 * `ended`: its keys are those of its successors. `left`: it has ended, its keys are still here as
 * they were then, and this node is no member of what follows. `partial`: some of the keys that a
 * snapshot brings are here, and nothing may be executed yet. `lost`: its keys went with the store
 * that was here before, while the log goes on.
 */
export type GroupPhase = 'open' | 'ended' | 'left' | 'partial' | 'lost';

/** Describes the data of a group; written in the same transaction as the data. */
export interface GroupMeta extends GroupSlots {
  /** The data is exactly the result of all transactions up to and including this one, */
  readonly appliedSequence: number;
  /** and of this many units of the next one: a flush may come between two units. */
  readonly appliedUnits: number;
  /** By physical number: version of the newest transaction that removed all keys of it. */
  readonly clearedAt: readonly Timestamp[];
  /** By the number that clients select. */
  readonly databases: readonly DatabaseMarks[];
  /** The largest number that a collection of the group has had. */
  readonly lastCollection: number;
  readonly phase: GroupPhase;
}

export function hasEnded({ phase }: Pick<GroupMeta, 'phase'>): boolean {
  return phase === 'ended' || phase === 'left';
}

/** Of a group that was never flushed. */
export function emptyMeta({ id, fromSlot, toSlot }: GroupSlots): GroupMeta {
  const databases = Array.from({ length: DATABASES }, (_, physical) => ({
    physical,
    swappedAt: ZERO,
  }));
  const clearedAt = databases.map(() => ZERO);
  return {
    ...{ id, fromSlot, toSlot, appliedSequence: 0, appliedUnits: 0, clearedAt, databases },
    ...{ lastCollection: 0, phase: 'open' },
  };
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

  #full(): boolean {
    return this.items.length >= this.#limit || this.#bytes >= PAGE_BYTES_MAX;
  }

  /** `false`: the page has ended before this key. */
  takes(slot: number, place: number): boolean {
    const last = this.#full() ? this.items.at(-1) : undefined;
    return last === undefined || (last.slot === slot && last.place === place);
  }

  add(item: StoredEntry): void {
    this.items.push(item);
    this.#bytes += storedBytes(item.entry);
  }
}

/** One changed key of a flush. */
export interface ChangedKey {
  readonly key: string;
  readonly slot: number;
  readonly place: number;
}

/** The row of a key. */
export interface KeyRow extends ChangedKey {
  /** The physical number. */
  readonly database: number;
}

/** Names the rows of a large collection: those under a key, of one of its collections. */
export interface CollectionRows extends KeyRow {
  /** Below 2^48. */
  readonly number: number;
}

/** A row of a large collection. Rows lie in the order of `order` (below 2^48), then of `name`. */
export interface ElementRow {
  readonly order: number;
  readonly name: string;
  readonly value: string;
}

/** The writes of one group. Where it has ended, its counts go. */
export interface FlushBatch {
  readonly meta: GroupMeta;
  readonly databases: readonly DatabaseBatch[];
}

/** The writes to one database of a group. */
export interface DatabaseBatch {
  /** The physical number. */
  readonly database: number;
  /** Remove all its keys and counts, of the group's slots, before writing the changes. */
  readonly clear: boolean;
  /** Counts that have changed. */
  readonly blocks: readonly SlotBlock[];
  /** Number of changes. */
  readonly count: number;
  /**
   * Visits the next changes, at most `limit`: an entry to store, `undefined` for a key to remove.
   * Returns how many; 0 at the end. May be called in any turn until `done`: the values are those of
   * the capture, whatever changed later.
   */
  take(limit: number, visit: (key: ChangedKey, entry: Entry | undefined) => void): number;
  /** The same for changed rows of collections, once `take` has come to its end. */
  takeRows(limit: number, visit: ChangedRowVisit): number;
  /** Collections that are no more. Their rows may go at once, or later: no key refers to them. */
  readonly dropped: readonly CollectionRows[];
}

/** The row of a group whose data went with the store that was here before. */
export function lostGroup(slots: GroupSlots): FlushBatch {
  return { meta: { ...emptyMeta(slots), phase: 'lost' }, databases: [] };
}

/** A batch that writes nothing. */
export function noChanges(database: number): DatabaseBatch {
  const nothing = { count: 0, take: () => 0, takeRows: () => 0, dropped: [] };
  return { database, clear: false, blocks: [], ...nothing };
}

export type ChangedRowVisit = (
  of: CollectionRows,
  order: number,
  name: string,
  value: string | undefined,
) => void;

/** A view of an engine as of one commit, whatever is committed later. */
export interface EngineSnapshot {
  /** As of then. */
  metaOf(group: GroupId): GroupMeta | undefined;
  /** As `Engine.page`. Throws `HOLO_STORE_SNAPSHOT_ENDED` after the snapshot's end. */
  page(database: number, from: number, to: number, limit: number): StoredEntry[];
  /** As `Engine.rows`. */
  rows(of: CollectionRows, after: ElementRow | undefined, limit: number): ElementRow[];
  /** Ends it; the engine does so too when it closes, or after `SNAPSHOT_COMMITS_MAX` commits. */
  close(): void;
}

export interface Engine {
  /** All that were ever flushed, as of opening, then of the last completed commit. */
  readonly groups: readonly GroupMeta[];
  /** One of them; undefined for a group never flushed. */
  metaOf(group: GroupId): GroupMeta | undefined;
  /** The counts of the slots of a group, likewise, of all databases; those without are empty. */
  countsOf(group: GroupId): readonly SlotBlock[];
  /** Applied transactions of all groups together, likewise. */
  readonly appliedTotal: number;
  /**
   * Synchronous. During a commit, keys that it changes may show either state. Throws EngineError
   * `HOLO_STORE_DAMAGED` rather than return wrong data.
   */
  get(database: number, key: string, slot: number, place: number): Entry | undefined;
  /** `get` has waited for the disk lately: to read ahead is worth a detour. */
  readonly isSlow: boolean;
  /** Brings rows into memory while the caller goes on. `done` is called once, in a later turn. */
  readAhead(rows: readonly KeyRow[], done: () => void): void;
  /**
   * Entries of a database (its physical number) from a position in hash order up to, and without,
   * another one: `limit` of them; fewer at the end, or when the last one reaches `PAGE_BYTES_MAX`
   * bytes of values; more if further keys share the last one's position. `keysOnly`: entries may be
   * `UNREAD`, since no key there has a deadline and nobody asks for values.
   */
  page(
    database: number,
    from: number,
    to: number,
    limit: number,
    keysOnly?: boolean,
  ): StoredEntry[];
  /**
   * Rows of a collection behind one of them (from the first one on without it), in order: `limit`
   * of them; fewer at the end, or when the last one reaches `PAGE_BYTES_MAX`.
   */
  rows(of: CollectionRows, after: ElementRow | undefined, limit: number): ElementRow[];
  /** Rows of dropped collections are left: further commits, also empty ones, remove them. */
  readonly hasDropped: boolean;
  /** The state of the last completed commit; undefined while `SNAPSHOTS_MAX` are open. */
  snapshot(): EngineSnapshot | undefined;
  /**
   * All batches or none, one commit at a time. `done` is called once, in a later turn; after an
   * error nothing has changed.
   */
  commit(batches: readonly FlushBatch[], done: (error: EngineError | undefined) => void): void;
  /** A commit in progress completes or is lost as a whole; its `done` is not called any more. */
  close(closed?: () => void): void;
}
