/**
 * The engine in memory: for `--engine memory`, tests and the simulator. Durable data are in a
 * `MemoryStore`, which outlives the engine object: passing it to the next one is a restart. It
 * holds encoded records, so that damage is detected as on a disk.
 */

import type { GroupId } from '../../actors/accord/topology/group-id.ts';
import {
  type CollectionRows,
  type DatabaseBatch,
  type ElementRow,
  type Engine,
  type EngineSnapshot,
  type FlushBatch,
  type GroupMeta,
  type GroupSlots,
  type KeyRow,
  PageBuilder,
} from '../engine.ts';
import { EngineError } from '../errors.ts';
import { type Entry, type StoredEntry, UNREAD } from '../keyspace/entry.ts';
import { type Keyed, KeyTable } from '../keyspace/key-table.ts';
import type { SlotBlock } from '../keyspace/slot-counts.ts';
import { SlotIndex, type SlotIndexed } from '../keyspace/slot-index.ts';
import { CONFLICT_SLOTS, POSITIONS, positionOf, positionsOf } from '../keyspace/slots.ts';
import { TableHash, type TableHashKey } from '../keyspace/table-hash.ts';
import { firstNotBefore } from '../types/binary-search.ts';
import { GroupTable } from './group-table.ts';
import { MemoryElements } from './memory-elements.ts';
import { OpenSnapshots } from './open-snapshots.ts';
import { readRecord, recordBytes, writeRecord } from './record.ts';

/** Records that FLUSHALL looks up at a time. */
const CLEARED_AT_ONCE = 1_024;

class StoredRecord implements Keyed<StoredRecord>, SlotIndexed<StoredRecord> {
  readonly key: string;
  readonly hash: number;
  readonly slot: number;
  readonly place: number;
  bytes: Buffer;
  chain: StoredRecord | undefined = undefined;
  next: StoredRecord | undefined = undefined;
  previous: StoredRecord | undefined = undefined;

  constructor(key: string, hash: number, slot: number, place: number, bytes: Buffer) {
    this.key = key;
    this.hash = hash;
    this.slot = slot;
    this.place = place;
    this.bytes = bytes;
  }
}

class StoredDatabase {
  readonly #records = new KeyTable<StoredRecord>();
  readonly #index = new SlotIndex<StoredRecord>(0, CONFLICT_SLOTS);
  readonly #hash: TableHash;

  constructor(hash: TableHash) {
    this.#hash = hash;
  }

  get(key: string): StoredRecord | undefined {
    return this.#records.get(key, this.#hash.ofText(key));
  }

  page(from: number, to: number, limit: number): StoredRecord[] {
    const page = this.#index.page(from, limit);
    const end = page.findIndex(({ slot, place }) => positionOf(slot, place) >= to);
    return end === -1 ? page : page.slice(0, end);
  }

  apply(batch: DatabaseBatch): void {
    batch.take(batch.count, ({ key, slot, place }, entry) => {
      const hash = this.#hash.ofText(key);
      const record = this.#records.get(key, hash);
      if (entry === undefined) {
        if (record === undefined) return;
        this.#records.remove(record);
        this.#index.remove(record);
        return;
      }
      const bytes = Buffer.allocUnsafe(recordBytes(key, entry, false));
      writeRecord(bytes, key, place, entry, false);
      if (record !== undefined) {
        record.bytes = bytes;
        return;
      }
      const added = new StoredRecord(key, hash, slot, place, bytes);
      this.#records.add(added);
      this.#index.add(added);
    });
  }

  clear(slots: GroupSlots): void {
    const [from, to] = positionsOf(slots);
    for (;;) {
      const page = this.page(from, to, CLEARED_AT_ONCE);
      for (const record of page) {
        this.#records.remove(record);
        this.#index.remove(record);
      }
      if (page.length < CLEARED_AT_ONCE) return;
    }
  }
}

/** Rows of collections that a commit takes at a time. */
const ROWS_AT_ONCE = 1_024;

/** The state that survives a crash. */
export class MemoryStore {
  /** A commit fails: the disk is full. */
  full = false;
  /** Those that have ever had a key, by physical number. */
  readonly #databases = new Map<number, StoredDatabase>();
  readonly #hash: TableHash;
  readonly #groups = new GroupTable();
  readonly elements = new MemoryElements();

  /** The key is that of the process. */
  constructor(tableHashKey: TableHashKey) {
    this.#hash = new TableHash(tableHashKey);
  }

  get groups(): GroupTable {
    return this.#groups;
  }

  get(database: number, key: string): StoredRecord | undefined {
    return this.#databases.get(database)?.get(key);
  }

  page(database: number, from: number, to: number, limit: number): StoredRecord[] {
    return this.#databases.get(database)?.page(from, to, limit) ?? [];
  }

  get databases(): readonly number[] {
    return [...this.#databases.keys()];
  }

  /** One step: a crash happens before or after it. */
  apply(batches: readonly FlushBatch[]): void {
    for (const batch of batches) {
      for (const changes of batch.databases) {
        if (changes.clear) {
          this.#databases.get(changes.database)?.clear(batch.meta);
          this.elements.clear(changes.database, batch.meta);
        }
        for (const rows of changes.dropped) this.elements.drop(rows);
        if (changes.count > 0) this.#databaseOf(changes.database).apply(changes);
        const write = this.elements.write.bind(this.elements);
        while (changes.takeRows(ROWS_AT_ONCE, write) > 0);
      }
      this.#groups.committed(batch);
    }
  }

  #databaseOf(database: number): StoredDatabase {
    const known = this.#databases.get(database);
    if (known !== undefined) return known;
    const made = new StoredDatabase(this.#hash);
    this.#databases.set(database, made);
    return made;
  }

  /** Flips one bit of the record of a key; `false` if there is none. */
  flipBit(database: number, key: string, bit: number): boolean {
    const bytes = this.get(database, key)?.bytes;
    if (bytes === undefined) return false;
    const at = (bit >>> 3) % bytes.length;
    bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
    return true;
  }
}

interface MemoryEngineOptions {
  readonly store: MemoryStore;
  /** Calls back in a later turn: `setImmediate`, or the simulator's timer. */
  readonly defer: (callback: () => void) => void;
}

export class MemoryEngine implements Engine {
  readonly #store: MemoryStore;
  readonly #defer: (callback: () => void) => void;
  #failure: EngineError | undefined;
  readonly #snapshots = new OpenSnapshots();
  #committing = false;
  #closed = false;

  constructor(options: MemoryEngineOptions) {
    this.#store = options.store;
    this.#defer = options.defer;
  }

  get groups(): readonly GroupMeta[] {
    return this.#store.groups.metas;
  }

  metaOf(group: GroupId): GroupMeta | undefined {
    return this.#store.groups.metaOf(group);
  }

  countsOf(group: GroupId): readonly SlotBlock[] {
    return this.#store.groups.countsOf(group);
  }

  get appliedTotal(): number {
    return this.#store.groups.appliedTotal;
  }

  get(database: number, key: string): Entry | undefined {
    this.#assertOpen();
    const record = this.#store.get(database, key);
    return record === undefined ? undefined : readRecord(record.bytes, record.place).entry;
  }

  /** There is no disk. */
  get isSlow(): boolean {
    return false;
  }

  readAhead(_rows: readonly KeyRow[], done: () => void): void {
    this.#defer(done);
  }

  page(database: number, from: number, to: number, limit: number, keysOnly = false): StoredEntry[] {
    this.#assertOpen();
    return pageOf(this.#store.page(database, from, to, limit), limit, keysOnly);
  }

  rows(of: CollectionRows, after: ElementRow | undefined, limit: number): ElementRow[] {
    this.#assertOpen();
    return this.#store.elements.rows(of, after, limit);
  }

  /** They go at once. */
  get hasDropped(): boolean {
    return false;
  }

  snapshot(): EngineSnapshot | undefined {
    this.#assertOpen();
    return this.#snapshots.full ? undefined : new MemorySnapshot(this.#store, this.#snapshots);
  }

  commit(batches: readonly FlushBatch[], done: (error: EngineError | undefined) => void): void {
    this.#assertOpen();
    if (this.#committing) throw new Error('another commit is in progress');
    this.#committing = true;
    this.#defer(() => {
      // The node has crashed meanwhile: nothing is written, and nothing waits for it.
      if (this.#closed) return;
      this.#committing = false;
      const failure = this.#failure ?? (this.#store.full ? noRoom() : undefined);
      this.#failure = undefined;
      if (failure === undefined) {
        this.#store.apply(batches);
        this.#snapshots.committed();
      }
      done(failure);
    });
  }

  /** The next commit fails and changes nothing. */
  failNextCommit(): void {
    this.#failure = new EngineError('HOLO_STORE_WRITE_FAILED', 'injected write failure');
  }

  close(closed?: () => void): void {
    this.#closed = true;
    this.#snapshots.closeAll();
    if (closed !== undefined) this.#defer(closed);
  }

  #assertOpen(): void {
    if (this.#closed) throw new EngineError('HOLO_STORE_CLOSED', 'the engine is closed');
  }
}

/** A copy of the index: records are replaced, never changed. */
class MemorySnapshot implements EngineSnapshot {
  readonly #groups: GroupTable;
  readonly #life: ReturnType<OpenSnapshots['add']>;
  /** By physical number of the database. */
  readonly #items = new Map<number, readonly StoredRecord[]>();
  #elements: MemoryElements;

  constructor(store: MemoryStore, snapshots: OpenSnapshots) {
    for (const database of store.databases) {
      const items = store.page(database, 0, POSITIONS, Infinity);
      const copies = items.map(
        ({ key, hash, slot, place, bytes }) => new StoredRecord(key, hash, slot, place, bytes),
      );
      this.#items.set(database, copies);
    }
    this.#elements = store.elements.copy();
    this.#groups = store.groups.copy();
    this.#life = snapshots.add(() => {
      this.#items.clear();
      this.#elements = new MemoryElements();
    });
  }

  metaOf(group: GroupId): GroupMeta | undefined {
    this.#life.assertOpen();
    return this.#groups.metaOf(group);
  }

  page(database: number, from: number, to: number, limit: number): StoredEntry[] {
    this.#life.assertOpen();
    const items = this.#items.get(database) ?? [];
    return pageOf(items.slice(indexOf(items, from), indexOf(items, to)), limit);
  }

  rows(of: CollectionRows, after: ElementRow | undefined, limit: number): ElementRow[] {
    this.#life.assertOpen();
    return this.#elements.rows(of, after, limit);
  }

  close(): void {
    this.#life.close();
  }
}

/** Of the first item that is not before the position. */
function indexOf(items: readonly StoredRecord[], position: number): number {
  return firstNotBefore(0, items.length, (at) => {
    const { slot, place } = items[at] as StoredRecord;
    return positionOf(slot, place) < position;
  });
}

function pageOf(records: readonly StoredRecord[], limit: number, keysOnly = false): StoredEntry[] {
  const page = new PageBuilder(limit);
  for (const { key, slot, place, bytes } of records) {
    if (!page.takes(slot, place)) break;
    const entry = keysOnly ? UNREAD : readRecord(bytes, place).entry;
    page.add({ key, slot, place, entry });
  }
  return page.items;
}

function noRoom(): EngineError {
  return new EngineError('HOLO_STORE_DISK_FULL', 'a flush was not written: the disk is full');
}
