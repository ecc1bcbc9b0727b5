/**
 * The engine in memory: for `--engine memory`, tests and the simulator. Durable data are in a
 * `MemoryStore`, which outlives the engine object: passing it to the next one is a restart. It
 * holds encoded records, so that damage is detected as on a disk.
 */

import type { GroupId } from '../../actors/accord/topology/group-id.ts';
import {
  type Engine,
  type FlushBatch,
  type GroupMeta,
  type GroupSlots,
  PageBuilder,
} from '../engine.ts';
import { EngineError } from '../errors.ts';
import type { Entry, StoredEntry } from '../keyspace/entry.ts';
import { type Keyed, KeyTable } from '../keyspace/key-table.ts';
import type { SlotBlock } from '../keyspace/slot-counts.ts';
import { SlotIndex, type SlotIndexed } from '../keyspace/slot-index.ts';
import { CONFLICT_SLOTS, positionOf, positionsOf } from '../keyspace/slots.ts';
import { TableHash, type TableHashKey } from '../keyspace/table-hash.ts';
import { GroupTable } from './group-table.ts';
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

/** The state that survives a crash. */
export class MemoryStore {
  /** A commit fails: the disk is full. */
  full = false;
  readonly #records = new KeyTable<StoredRecord>();
  readonly #index = new SlotIndex<StoredRecord>(0, CONFLICT_SLOTS);
  readonly #hash: TableHash;
  readonly #groups = new GroupTable();

  /** The key is that of the process. */
  constructor(tableHashKey: TableHashKey) {
    this.#hash = new TableHash(tableHashKey);
  }

  get groups(): GroupTable {
    return this.#groups;
  }

  get(key: string): StoredRecord | undefined {
    return this.#records.get(key, this.#hash.ofText(key));
  }

  page(from: number, to: number, limit: number): StoredRecord[] {
    const page = this.#index.page(from, limit);
    const end = page.findIndex(({ slot, place }) => positionOf(slot, place) >= to);
    return end === -1 ? page : page.slice(0, end);
  }

  /** One step: a crash happens before or after it. */
  apply(batches: readonly FlushBatch[]): void {
    for (const batch of batches) this.#apply(batch);
  }

  #apply(batch: FlushBatch): void {
    if (batch.clear) this.#clear(batch.meta);
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
    this.#groups.committed(batch);
  }

  #clear(slots: GroupSlots): void {
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

  /** Flips one bit of the record of a key; `false` if there is none. */
  flipBit(key: string, bit: number): boolean {
    const bytes = this.get(key)?.bytes;
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
  #committing = false;
  #closed = false;

  constructor(options: MemoryEngineOptions) {
    this.#store = options.store;
    this.#defer = options.defer;
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

  get(key: string): Entry | undefined {
    this.#assertOpen();
    const record = this.#store.get(key);
    return record === undefined ? undefined : readRecord(record.bytes, record.place).entry;
  }

  page(from: number, to: number, limit: number): StoredEntry[] {
    this.#assertOpen();
    const page = new PageBuilder(limit);
    for (const { key, slot, place, bytes } of this.#store.page(from, to, limit)) {
      if (!page.takes(slot, place)) break;
      page.add({ key, slot, place, entry: readRecord(bytes, place).entry });
    }
    return page.items;
  }

  commit(batches: readonly FlushBatch[], done: (error: EngineError | undefined) => void): void {
    this.#assertOpen();
    if (this.#committing) throw new Error('two commits at a time');
    this.#committing = true;
    this.#defer(() => {
      // The node has crashed meanwhile: nothing is written, and nothing waits for it.
      if (this.#closed) return;
      this.#committing = false;
      const failure = this.#failure ?? (this.#store.full ? noRoom() : undefined);
      this.#failure = undefined;
      if (failure === undefined) this.#store.apply(batches);
      done(failure);
    });
  }

  /** The next commit fails and changes nothing. */
  failNextCommit(): void {
    this.#failure = new EngineError('HOLO_STORE_WRITE_FAILED', 'the write was made to fail');
  }

  close(closed?: () => void): void {
    this.#closed = true;
    if (closed !== undefined) this.#defer(closed);
  }

  #assertOpen(): void {
    if (this.#closed) throw new EngineError('HOLO_STORE_CLOSED', 'the engine is closed');
  }
}

function noRoom(): EngineError {
  return new EngineError('HOLO_STORE_DISK_FULL', 'a flush was not written: there is no room');
}
