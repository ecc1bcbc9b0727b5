/**
 * The engine on disk: LMDB, one environment per store. This file reads, and encodes what a flush
 * changes; the flush is one write transaction of the thread of commits. A production adapter: it
 * may use setImmediate.
 */
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
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
  KeyRow,
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
import { LmdbChanges, PIECE_BYTES, Table } from './lmdb-changes.ts';
import { checkElements, checkRows } from './lmdb-check.ts';
import { LmdbCommitter } from './lmdb-committer.ts';
import { type LmdbEnvironment, openEnvironment, type Rows } from './lmdb-environment.ts';
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

/** Changes encoded in one turn, unless they are longer than a piece before. */
const STAGED_PER_TURN = 512;

/**
 * A read that takes longer has waited for the disk, or for the processor; reads are taken to be
 * slow for a while then. A page that is in memory takes 0.03 ms.
 */
const SLOW_READ_MS = 1;
const SLOW_FOR_MS = 10_000;

/** Outside of a snapshot. */
const NOW = {};

interface LmdbEngineOptions {
  /** Created if absent. */
  readonly directory: string;
  /** The directory may be opened again: every commit is complete or lost. */
  readonly onClosed?: () => void;
}

export class LmdbEngine implements Engine {
  readonly #environment: LmdbEnvironment;
  readonly #data: Rows;
  readonly #elements: Rows;
  readonly #committer: LmdbCommitter;
  readonly #keyBytes = Buffer.alloc(ROW_KEY_BYTES_MAX);
  /** `#keys[n]` is the first n bytes of `#keyBytes`: a key costs no new view. */
  readonly #keys: (Buffer | undefined)[] = [];
  readonly #onClosed: () => void;
  readonly #groups: GroupTable;
  readonly #snapshots = new OpenSnapshots();
  #slowUntilMs = Number.NEGATIVE_INFINITY;
  #committing = false;
  #closing: Promise<void> | undefined;
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
      this.#environment = openEnvironment(directory);
    } catch (error) {
      const what = `cannot open the store in ${directory}`;
      throw new EngineError('HOLO_STORE_OPEN_FAILED', what, { cause: error });
    }
    this.#data = this.#environment.data;
    this.#elements = this.#environment.elements;
    this.#committer = new LmdbCommitter(directory);
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
    const beganMs = performance.now();
    const record = rowOf(this.#rows(), this.#keyOf(database, key, slot, place), NOW);
    this.#tookSince(beganMs);
    if (record === undefined) return undefined;
    const decoded = readRecord(record, place);
    if (decoded.key !== undefined && decoded.key !== key) {
      throw new EngineError('HOLO_STORE_DAMAGED', 'a stored value is under the wrong key');
    }
    return decoded.entry;
  }

  get isSlow(): boolean {
    return performance.now() < this.#slowUntilMs;
  }

  /** A thread of the library touches their pages. */
  readAhead(rows: readonly KeyRow[], done: () => void): void {
    this.#assertOpen();
    const keys = rows.map(({ database, key, slot, place }) => {
      return Buffer.from(this.#keyOf(database, key, slot, place));
    });
    const beganMs = performance.now();
    void this.#data.prefetch(keys, () => {
      this.#tookSince(beganMs);
      done();
    });
  }

  #tookSince(beganMs: number): void {
    const nowMs = performance.now();
    if (nowMs - beganMs > SLOW_READ_MS) this.#slowUntilMs = nowMs + SLOW_FOR_MS;
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
    const { root, info } = this.#environment;
    root.resetReadTxn();
    const source = {
      data: this.#rows(),
      elements: this.#elements as LmdbRows,
      info: info as LmdbRows,
      transaction: root.useReadTransaction(),
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
    const changes = new LmdbChanges();
    const dropped = new DroppedRows(this.#groups, batches);
    const clear = batches.some((batch) => this.#clearsAll(batch));
    this.#stage(this.#steps(batches, clear, changes, dropped), () => {
      this.#committer.commit(clear, changes.take(), (error) => {
        if (this.#closed) return;
        this.#committing = false;
        if (error === undefined) this.#committed(batches, dropped);
        done(error);
      });
    });
  }

  #committed(batches: readonly FlushBatch[], dropped: DroppedRows): void {
    // The transaction that the turn has read in is older.
    this.#environment.root.resetReadTxn();
    for (const batch of batches) this.#groups.committed(batch);
    dropped.committed();
    this.#snapshots.committed();
  }

  close(closed?: () => void): void {
    if (!this.#closed) this.#snapshots.closeAll();
    this.#closed = true;
    this.#closing ??= this.#committer
      .close()
      .then(() => this.#environment.root.close())
      .finally(this.#onClosed);
    const end = closed ?? (() => undefined);
    this.#closing.then(end, end);
  }

  /**
   * Encodes the changes in pieces, one per turn: a flush may have a hundred thousand of them, and
   * clients must not wait for that. The thread of commits gets the encoded bytes.
   */
  #stage(steps: Generator<void, void, undefined>, staged: () => void): void {
    setImmediate(() => {
      if (this.#closed) return;
      if (steps.next().done === true) staged();
      else this.#stage(steps, staged);
    });
  }

  /** Yields after each piece. `whole`: all rows are cleared before. */
  *#steps(
    batches: readonly FlushBatch[],
    whole: boolean,
    changes: LmdbChanges,
    dropped: DroppedRows,
  ): Generator<void, void, undefined> {
    let clears = whole;
    for (const { meta, databases } of batches) {
      for (const batch of databases) {
        clears ||= batch.clear;
        if (batch.clear && !whole) {
          yield* removals(this.#data, batch.database, meta, (key) => {
            changes.remove(Table.Data, key);
          });
          yield* removals(this.#elements, batch.database, meta, (key) => {
            changes.remove(Table.Elements, key);
          });
        }
        yield* this.#changes(batch, changes);
      }
    }
    // The rows that are swept must not be among those that were cleared.
    if (!clears) {
      yield* dropped.sweep(this.#elements as LmdbRows, (key) => {
        changes.remove(Table.Elements, key);
      });
    }
    for (const batch of batches) this.#stageGroup(changes, batch);
    stageDropped(changes, dropped);
  }

  *#changes(batch: DatabaseBatch, changes: LmdbChanges): Generator<void, void, undefined> {
    const { database } = batch;
    yield* pieces(changes, () =>
      batch.take(1, (change, entry) => this.#stageChange(changes, database, change, entry)),
    );
    yield* pieces(changes, () =>
      batch.takeRows(1, (of, order, name, value) => {
        this.#stageElement(changes, of, order, name, value);
      }),
    );
  }

  /** Every row is of a database that the batch clears. */
  #clearsAll({ meta, databases }: FlushBatch): boolean {
    if (!isWhole(meta) || databases.every(({ clear }) => !clear)) return false;
    const cleared = databases.filter(({ clear }) => clear).map(({ database }) => database);
    return [...this.#groups.keysOfDatabases()].every(([database, slots]) => {
      return cleared.includes(database) || slots.every((keys) => keys === 0);
    });
  }

  #stageChange(
    changes: LmdbChanges,
    database: number,
    change: ChangedKey,
    entry: Entry | undefined,
  ): void {
    const { key, slot, place } = change;
    const keyBytes = this.#keyOf(database, key, slot, place);
    if (entry === undefined) {
      changes.remove(Table.Data, keyBytes);
      return;
    }
    const withKey = key.length > PLAIN_KEY_BYTES_MAX;
    const record = changes.put(Table.Data, keyBytes, recordBytes(key, entry, withKey));
    writeRecord(record, key, place, entry, withKey);
  }

  #stageElement(
    changes: LmdbChanges,
    of: CollectionRows,
    order: number,
    name: string,
    value: string | undefined,
  ): void {
    const bytes = this.#keyBytes;
    const prefixBytes = writePrefix(bytes, of);
    const key = bytes.subarray(0, writeElementKey(bytes, prefixBytes, order, name));
    if (value === undefined) {
      changes.remove(Table.Elements, key);
      return;
    }
    const record = changes.put(Table.Elements, key, elementBytes(prefixBytes, name, value));
    writeElement(record, key, prefixBytes, name, value);
  }

  #stageGroup(changes: LmdbChanges, { meta, databases }: FlushBatch): void {
    for (const block of meta.phase === 'ended' ? this.countsOf(meta.id) : []) {
      changes.remove(Table.Info, blockRowKey(meta.id, block));
    }
    for (const { database, clear, blocks } of databases) {
      const before = clear ? this.countsOf(meta.id) : [];
      for (const block of before) {
        if (block.database === database) changes.remove(Table.Info, blockRowKey(meta.id, block));
      }
      for (const [number, prefix] of clear ? this.#groups.rowsOf(meta.id).dropped : []) {
        if (databaseOfRow(prefix) !== database) continue;
        changes.remove(Table.Info, droppedRowKey(meta.id, number));
      }
      for (const block of blocks) putInfo(changes, blockRowKey(meta.id, block), encodeBlock(block));
    }
    putInfo(changes, groupRowKey(meta.id), encodeGroup(meta));
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
    for (const { key, value } of this.#environment.info.getRange({})) {
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

function putInfo(changes: LmdbChanges, key: Buffer, row: Buffer): void {
  changes.put(Table.Info, key, row.length).set(row);
}

function stageDropped(changes: LmdbChanges, { added, finished }: DroppedRows): void {
  for (const { group, number } of finished) {
    changes.remove(Table.Info, droppedRowKey(group, number));
  }
  for (const { group, number, prefix } of added) {
    putInfo(changes, droppedRowKey(group, number), encodeDropped(prefix));
  }
}

/**
 * Stages what `take` gives until it is at its end; yields after each piece. The size is looked at
 * behind each change: a few may be of many MB.
 */
function* pieces(changes: LmdbChanges, take: () => number): Generator<void, void, undefined> {
  for (;;) {
    const before = changes.bytes;
    for (let left = STAGED_PER_TURN; left > 0 && changes.bytes - before < PIECE_BYTES; left -= 1) {
      if (take() === 0) return;
    }
    yield;
  }
}

/** Removes all rows of an interval of slots: LMDB has no step for that. */
function* removals(
  rows: Rows,
  database: number,
  slots: GroupSlots,
  remove: (key: Uint8Array) => void,
): Generator<void, void, undefined> {
  const { start, end } = rowsBetween(database, ...positionsOf(slots));
  let from = { start, exclusiveStart: false };
  for (;;) {
    const keys = reading(() => [...rows.getKeys({ ...from, end, limit: STAGED_PER_TURN })]);
    for (const key of keys) remove(key);
    const last = keys.at(-1);
    if (keys.length < STAGED_PER_TURN || last === undefined) return;
    from = { start: Buffer.from(last), exclusiveStart: true };
    yield;
  }
}

function entryCount(database: Rows): number {
  const stats = database.getStats() as { entryCount?: unknown };
  return Number(stats.entryCount);
}

function isWhole({ fromSlot, toSlot }: GroupSlots): boolean {
  return fromSlot === 0 && toSlot === REDIS_SLOTS;
}
