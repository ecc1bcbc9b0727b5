/**
 * The engine on disk: LMDB, one environment per store. A flush is one LMDB write transaction that
 * the library executes on its own thread; this file only copies the captured entries to it. The
 * only importer of lmdb, and a production adapter: it may use setImmediate.
 */
import { constants } from 'node:os';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { GroupId } from '../../actors/accord/topology/group-id.ts';
import type {
  ChangedKey,
  CollectionRows,
  DatabaseBatch,
  ElementRow,
  Engine,
  FlushBatch,
  GroupMeta,
  GroupSlots,
} from '../engine.ts';
import { EngineError } from '../errors.ts';
import type { Entry, StoredEntry } from '../keyspace/entry.ts';
import type { SlotBlock } from '../keyspace/slot-counts.ts';
import { positionsOf, REDIS_SLOTS } from '../keyspace/slots.ts';
import { DroppedRows } from './dropped-rows.ts';
import { elementBytes, writeElement, writeElementKey, writePrefix } from './element-row.ts';
import {
  blockRowKey,
  decodeRow,
  droppedRowKey,
  encodeBlock,
  encodeDropped,
  encodeGroup,
  groupRowKey,
} from './group-rows.ts';
import { GroupTable } from './group-table.ts';
import { checkElements, checkRows } from './lmdb-check.ts';
import { lmdbHeaderProblem } from './lmdb-header.ts';
import {
  bufferOf,
  elementsOf,
  keysOf,
  type LmdbRows,
  pageOf,
  reading,
  rowOf,
  rowsBetween,
} from './lmdb-rows.ts';
import { LmdbSnapshot } from './lmdb-snapshot.ts';
import { OpenSnapshots } from './open-snapshots.ts';
import { readRecord, recordBytes, writeRecord } from './record.ts';
import { databaseOfRow, PLAIN_KEY_BYTES_MAX, ROW_KEY_BYTES_MAX, writeRowKey } from './row-key.ts';

/** Size of the pieces of memory that hold the encoded records. */
const STAGING_BYTES = 256 * 1024;
/** A longer record has memory of its own, and leaves the rest of the piece to those that follow. */
const LONG_RECORD_BYTES = STAGING_BYTES / 4;
/** Changes encoded in one turn, and between two checks of their size. */
const STAGED_PER_TURN = 512;
const STAGED_AT_ONCE = 32;

/** Outside of a snapshot. */
const NOW = {};

/** The library reports the system's error numbers. */
const { ENOSPC, EDQUOT } = constants.errno;

interface LmdbEngineOptions {
  /** Created if absent. */
  readonly directory: string;
  /** The directory may be opened again: every commit is complete or lost. */
  readonly onClosed?: () => void;
}

export class LmdbEngine implements Engine {
  readonly #root: RootDatabase<Buffer, Uint8Array>;
  readonly #data: Database<Buffer, Uint8Array>;
  readonly #elements: Database<Buffer, Uint8Array>;
  readonly #info: Database<Buffer, Uint8Array>;
  readonly #keyBytes = Buffer.alloc(ROW_KEY_BYTES_MAX);
  /** `#keys[n]` is the first n bytes of `#keyBytes`: a key costs no new view. */
  readonly #keys: (Buffer | undefined)[] = [];
  readonly #onClosed: () => void;
  readonly #groups: GroupTable;
  readonly #snapshots = new OpenSnapshots();
  #committing = false;
  #closing: Promise<void> | undefined;
  #failed = false;
  #closed = false;

  /** Throws EngineError `HOLO_STORE_OPEN_FAILED` or `HOLO_STORE_DAMAGED`. */
  constructor(options: LmdbEngineOptions) {
    const { directory } = options;
    this.#onClosed = options.onClosed ?? (() => undefined);
    const data = join(directory, 'data.mdb');
    const problem = lmdbHeaderProblem(data);
    if (problem !== undefined) {
      throw new EngineError('HOLO_STORE_DAMAGED', `${data} is damaged: ${problem}`);
    }
    try {
      // With event-turn batching the library makes a promise of its own per batch, and nothing
      // could catch it when a commit fails. Explicit batches are transactions without it.
      const options = { noSubdir: false, maxDbs: 4, eventTurnBatching: false };
      this.#root = open({ path: directory, ...options });
      const form = { encoding: 'binary', keyEncoding: 'binary' } as const;
      this.#data = this.#root.openDB('data', form);
      this.#elements = this.#root.openDB('elements', form);
      this.#info = this.#root.openDB('info', form);
    } catch (error) {
      const what = `cannot open the store in ${directory}`;
      throw new EngineError('HOLO_STORE_OPEN_FAILED', what, { cause: error });
    }
    this.#groups = this.#readGroups();
  }

  #rows(): LmdbRows {
    return this.#data as LmdbRows;
  }

  get groups(): readonly GroupMeta[] {
    return this.#groups.metas;
  }

  metaOf(group: GroupId): GroupMeta | undefined {
    return this.#groups.metaOf(group);
  }

  countsOf(group: GroupId): readonly SlotBlock[] {
    return this.#groups.countsOf(group);
  }

  get appliedTotal(): number {
    return this.#groups.appliedTotal;
  }

  /** Rows, which are keys: of all groups. */
  get keys(): number {
    return entryCount(this.#data);
  }

  get hasDropped(): boolean {
    return this.#groups.hasDropped;
  }

  rows(of: CollectionRows, after: ElementRow | undefined, limit: number): ElementRow[] {
    this.#assertOpen();
    return elementsOf(this.#elements as LmdbRows, NOW, of, after, limit);
  }

  get(database: number, key: string, slot: number, place: number): Entry | undefined {
    this.#assertOpen();
    const record = rowOf(this.#rows(), this.#keyOf(database, key, slot, place), NOW);
    if (record === undefined) return undefined;
    const decoded = readRecord(record, place);
    if (decoded.key !== undefined && decoded.key !== key) {
      throw new EngineError('HOLO_STORE_DAMAGED', 'a stored value is under the wrong key');
    }
    return decoded.entry;
  }

  page(database: number, from: number, to: number, limit: number, keysOnly = false): StoredEntry[] {
    this.#assertOpen();
    const read = keysOnly ? keysOf : pageOf;
    return read(this.#rows(), NOW, database, from, to, limit);
  }

  snapshot(): LmdbSnapshot | undefined {
    this.#assertOpen();
    if (this.#snapshots.full) return undefined;
    // The transaction that the turn has read in may be older than the last commit.
    this.#root.resetReadTxn();
    const transaction = this.#root.useReadTransaction();
    const source = {
      data: this.#rows(),
      elements: this.#elements as LmdbRows,
      info: this.#info as LmdbRows,
      transaction,
    };
    return new LmdbSnapshot(source, this.#snapshots);
  }

  /**
   * Looks at every key, a step at a time, and yields how many it has seen. Until it has come to its
   * end, what this engine answers may be wrong where the file is damaged. Throws EngineError
   * `HOLO_STORE_DAMAGED`.
   */
  *check(): Generator<number, void, undefined> {
    const snapshot = this.snapshot();
    if (snapshot === undefined) throw new Error('the store was used before its check');
    try {
      const data = snapshot.stored('data');
      const elements = yield* checkRows(data, this.#groups.keysOfDatabases());
      yield* checkElements(snapshot.stored('elements'), data, elements, this.#groups);
    } finally {
      snapshot.close();
    }
  }

  commit(batches: readonly FlushBatch[], done: (error: EngineError | undefined) => void): void {
    this.#assertOpen();
    if (this.#committing) throw new Error('another commit is in progress');
    this.#committing = true;
    const staged: Staged = {
      data: new Staging(),
      elements: new Staging(),
      dropped: new DroppedRows(this.#groups, batches),
    };
    const finish = (error: EngineError | undefined): void => {
      if (this.#closed) return;
      this.#committing = false;
      if (error === undefined) {
        for (const batch of batches) this.#groups.committed(batch);
        staged.dropped.committed();
        this.#snapshots.committed();
      }
      done(error);
    };
    this.#stage(this.#steps(batches, staged), () => {
      this.#write(batches, staged).then(
        () => finish(undefined),
        (cause: unknown) => {
          this.#failed = true;
          writeFailed(cause, finish);
        },
      );
    });
  }

  close(closed?: () => void): void {
    if (!this.#closed) this.#snapshots.closeAll();
    this.#closed = true;
    // After a failed commit the library's `close` never returns from its sync.
    this.#closing ??= (this.#failed ? Promise.resolve() : this.#root.close()).finally(
      this.#onClosed,
    );
    const end = closed ?? (() => undefined);
    this.#closing.then(end, end);
  }

  /**
   * Encodes the changes in pieces, one per turn: a flush may have a hundred thousand of them, and
   * clients must not wait for that. The LMDB batch then only passes on the encoded bytes.
   */
  #stage(steps: Generator<void, void, undefined>, staged: () => void): void {
    setImmediate(() => {
      if (this.#closed) return;
      if (steps.next().done === true) staged();
      else this.#stage(steps, staged);
    });
  }

  /** Yields after each piece. */
  *#steps(batches: readonly FlushBatch[], staged: Staged): Generator<void, void, undefined> {
    const { data, elements, dropped } = staged;
    const whole = batches.some((batch) => this.#clearsAll(batch));
    let clears = whole;
    for (const { meta, databases } of batches) {
      for (const batch of databases) {
        clears ||= batch.clear;
        if (batch.clear && !whole) {
          yield* removals(this.#data, batch.database, meta, data);
          yield* removals(this.#elements, batch.database, meta, elements);
        }
        yield* this.#changes(batch, staged);
      }
    }
    // The rows that are swept must not be among those that were cleared.
    if (!clears) yield* dropped.sweep(this.#elements as LmdbRows, (key) => elements.remove(key));
  }

  *#changes(batch: DatabaseBatch, staged: Staged): Generator<void, void, undefined> {
    const { data, elements } = staged;
    const { database } = batch;
    yield* pieces(data, (limit) =>
      batch.take(limit, (change, entry) => this.#stageChange(data, database, change, entry)),
    );
    yield* pieces(elements, (limit) =>
      batch.takeRows(limit, (of, order, name, value) => {
        this.#stageElement(elements, of, order, name, value);
      }),
    );
  }

  /** Every row is of a database that the batch clears. */
  #clearsAll({ meta, databases }: FlushBatch): boolean {
    if (!isWhole(meta) || databases.every(({ clear }) => !clear)) return false;
    const kept = databases.filter(({ clear }) => !clear).map(({ database }) => database);
    return [...this.#groups.keysOfDatabases()].every(([database, slots]) => {
      return !kept.includes(database) || slots.every((keys) => keys === 0);
    });
  }

  #stageChange(
    staging: Staging,
    database: number,
    change: ChangedKey,
    entry: Entry | undefined,
  ): void {
    const { key, slot, place } = change;
    const keyBytes = this.#keyOf(database, key, slot, place);
    if (entry === undefined) {
      staging.remove(keyBytes);
      return;
    }
    const withKey = key.length > PLAIN_KEY_BYTES_MAX;
    const record = staging.take(recordBytes(key, entry, withKey));
    writeRecord(record, key, place, entry, withKey);
    staging.put(keyBytes, record);
  }

  #stageElement(
    staging: Staging,
    of: CollectionRows,
    order: number,
    name: string,
    value: string | undefined,
  ): void {
    const bytes = this.#keyBytes;
    const prefixBytes = writePrefix(bytes, of);
    const key = bytes.subarray(0, writeElementKey(bytes, prefixBytes, order, name));
    if (value === undefined) {
      staging.remove(key);
      return;
    }
    const record = staging.take(elementBytes(prefixBytes, name, value));
    writeElement(record, key, prefixBytes, name, value);
    staging.put(key, record);
  }

  /** Resolves when the transaction is on disk. */
  async #write(batches: readonly FlushBatch[], staged: Staged): Promise<void> {
    const data = this.#data;
    const elements = this.#elements;
    const committed = data.batch(() => {
      if (batches.some((batch) => this.#clearsAll(batch))) {
        watch(data.clearAsync());
        watch(elements.clearAsync());
      }
      staged.data.writeTo(data);
      staged.elements.writeTo(elements);
      for (const batch of batches) this.#writeGroup(batch);
      this.#writeDropped(staged.dropped);
    });
    await Promise.all([committed, data.flushed]);
  }

  #writeDropped({ added, finished }: DroppedRows): void {
    const info = this.#info;
    for (const { group, number } of finished) watch(info.remove(droppedRowKey(group, number)));
    for (const { group, number, prefix } of added) {
      watch(info.put(droppedRowKey(group, number), encodeDropped(prefix)));
    }
  }

  #writeGroup({ meta, databases }: FlushBatch): void {
    const info = this.#info;
    for (const block of meta.ended ? this.countsOf(meta.id) : []) {
      watch(info.remove(blockRowKey(meta.id, block)));
    }
    for (const { database, clear, blocks } of databases) {
      const before = clear ? this.countsOf(meta.id) : [];
      for (const block of before) {
        if (block.database === database) watch(info.remove(blockRowKey(meta.id, block)));
      }
      for (const [number, prefix] of clear ? this.#groups.rowsOf(meta.id).dropped : []) {
        if (databaseOfRow(prefix) === database) watch(info.remove(droppedRowKey(meta.id, number)));
      }
      for (const block of blocks) {
        watch(info.put(blockRowKey(meta.id, block), encodeBlock(block)));
      }
    }
    watch(info.put(groupRowKey(meta.id), encodeGroup(meta)));
  }

  /** The LMDB key of a key: LMDB's order is the hash order. */
  #keyOf(database: number, key: string, slot: number, place: number): Buffer {
    const end = writeRowKey(this.#keyBytes, database, slot, place, key);
    let view = this.#keys[end];
    if (view === undefined) {
      view = this.#keyBytes.subarray(0, end);
      this.#keys[end] = view;
    }
    return view;
  }

  #readGroups(): GroupTable {
    const table = new GroupTable();
    for (const { key, value } of this.#info.getRange({})) {
      decodeRow(bufferOf(key), bufferOf(value), table);
    }
    const written = table.keys;
    if (table.incomplete) {
      throw new EngineError(
        'HOLO_STORE_DAMAGED',
        'the store has the counts of a group but not its row',
      );
    }
    if (written !== this.keys) {
      const counts = `${this.keys} keys, but its groups count ${written}`;
      throw new EngineError('HOLO_STORE_DAMAGED', `the store holds ${counts}`);
    }
    return table;
  }

  #assertOpen(): void {
    if (this.#closed) throw new EngineError('HOLO_STORE_CLOSED', 'the engine is closed');
  }
}

/** All that a commit writes. */
interface Staged {
  readonly data: Staging;
  readonly elements: Staging;
  readonly dropped: DroppedRows;
}

/** Stages what `take` gives until it is at its end; yields after each piece. */
function* pieces(
  staging: Staging,
  take: (limit: number) => number,
): Generator<void, void, undefined> {
  for (;;) {
    const before = staging.bytes;
    let taken = 0;
    let left = STAGED_PER_TURN;
    do {
      taken = take(STAGED_AT_ONCE);
      left -= taken;
    } while (taken > 0 && left > 0 && staging.bytes - before < STAGING_BYTES);
    if (taken === 0) return;
    yield;
  }
}

/** Removes all rows of an interval of slots: LMDB has no step for that. */
function* removals(
  rows: Database<Buffer, Uint8Array>,
  database: number,
  slots: GroupSlots,
  staging: Staging,
): Generator<void, void, undefined> {
  const { start, end } = rowsBetween(database, ...positionsOf(slots));
  let from = { start, exclusiveStart: false };
  for (;;) {
    const keys = reading(() => [...rows.getKeys({ ...from, end, limit: STAGED_PER_TURN })]);
    for (const key of keys) staging.remove(key);
    const last = keys.at(-1);
    if (keys.length < STAGED_PER_TURN || last === undefined) return;
    from = { start: Buffer.from(last), exclusiveStart: true };
    yield;
  }
}

/** Encoded changes. The library's thread reads the memory later: never write it twice. */
class Staging {
  readonly keys: Buffer[] = [];
  /** The record of each key; `undefined` to remove the key. */
  readonly records: (Buffer | undefined)[] = [];
  bytes = 0;
  #piece = Buffer.alloc(0);
  #used = 0;

  remove(key: Uint8Array): void {
    this.keys.push(this.#copy(key));
    this.records.push(undefined);
  }

  /** The record comes from `take`. */
  put(key: Uint8Array, record: Buffer): void {
    this.keys.push(this.#copy(key));
    this.records.push(record);
  }

  #copy(key: Uint8Array): Buffer {
    const copy = this.take(key.length);
    copy.set(key);
    return copy;
  }

  writeTo(database: Database<Buffer, Uint8Array>): void {
    this.keys.forEach((key, i) => {
      const record = this.records[i];
      watch(record === undefined ? database.remove(key) : database.put(key, record));
    });
  }

  take(bytes: number): Buffer {
    if (bytes > LONG_RECORD_BYTES) {
      this.bytes += bytes;
      return Buffer.allocUnsafeSlow(bytes);
    }
    if (this.#used + bytes > this.#piece.length) {
      this.#piece = Buffer.allocUnsafeSlow(STAGING_BYTES);
      this.#used = 0;
    }
    const view = this.#piece.subarray(this.#used, this.#used + bytes);
    this.#used += bytes;
    this.bytes += bytes;
    return view;
  }
}

/** The batch's own promise reports the result of its parts. */
function watch(part: Promise<unknown>): void {
  void part;
}

function writeFailed(cause: unknown, finish: (error: EngineError) => void): void {
  const tell = (reason: unknown): void => {
    const what = `a flush was not written: ${reason instanceof Error ? reason.message : reason}`;
    const { code } = (reason ?? {}) as { code?: unknown };
    const full = code === ENOSPC || code === EDQUOT;
    const kind = full ? 'HOLO_STORE_DISK_FULL' : 'HOLO_STORE_WRITE_FAILED';
    finish(new EngineError(kind, what, { cause: reason }));
  };
  // The library keeps the reason in a second promise, which must not go unhandled.
  const reason = (cause as { commitError?: Promise<unknown> } | undefined)?.commitError;
  if (reason === undefined) tell(cause);
  else reason.then(tell, tell);
}

function entryCount(database: Database<Buffer, Uint8Array>): number {
  const stats = database.getStats() as { entryCount?: unknown };
  return Number(stats.entryCount);
}

function isWhole({ fromSlot, toSlot }: GroupSlots): boolean {
  return fromSlot === 0 && toSlot === REDIS_SLOTS;
}
