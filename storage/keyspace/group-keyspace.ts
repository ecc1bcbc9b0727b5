/**
 * The keys of a group: a write-behind cache over an engine. It applies the changes of commands
 * under the version of the current transaction, holds unflushed changes, and merges cache and
 * engine when the keys are walked. The state machine owns it; it never parses a command, reads a
 * clock or waits.
 */
import { compare, keyOf, type Timestamp, ZERO } from '../../actors/accord/primitives/timestamp.ts';
import type { Arguments } from '../arguments.ts';
import {
  type Engine,
  emptyMeta,
  type FlushBatch,
  type GroupMeta,
  type GroupSlots,
  PAGE_BYTES_MAX,
} from '../engine.ts';
import { ApplyOrderError, EngineError } from '../errors.ts';
import type { Value, ValueType } from '../types/value-type.ts';
import { CELL_BYTES, Cell, CellCache, EVICTION_STEPS } from './cell-cache.ts';
import type { KeyspaceDigest } from './digest.ts';
import { ABSENT, type Deadline, Entry, NO_DEADLINE, NONE, type StoredEntry } from './entry.ts';
import {
  type Found,
  type KeyPage,
  type Keyspace,
  PAST_DEADLINE,
  UNIT_FULL,
  WRONG_TYPE,
} from './keyspace.ts';
import { type SlotBlock, SlotCounts } from './slot-counts.ts';
import { SlotIndex } from './slot-index.ts';
import { firstSlotOf, placeOfText, positionOf, redisSlotOf, slotOfText } from './slots.ts';
import { TableHash, type TableHashKey } from './table-hash.ts';

interface KeyspaceOptions {
  readonly engine: Engine;
  readonly group: GroupSlots;
  /** Bytes of memory for clean cells; unflushed ones are not counted. */
  readonly cacheBytesMax: number;
  /** Bytes of keys and values that one unit may write. */
  readonly unitWriteBytesMax: number;
  /** A secret of this process. */
  readonly tableHashKey: TableHashKey;
}

/** How the commands of a transaction run. */
interface WriteContext {
  readonly version: Timestamp;
  readonly nowMs: number;
  /** The engine already holds the effects of its first units. */
  readonly partlyStored: boolean;
}

/** A change of a command, to be undone. */
interface Undo {
  readonly cell: Cell;
  readonly entry: Entry;
  readonly unit: number;
  /** The mark of the key's slot. */
  readonly removedAt: Timestamp;
}

/** Changes on their way to the engine. */
export interface Capture {
  readonly batch: FlushBatch;
  /** Call it when the engine has written them, or not. */
  ended(error: EngineError | undefined): void;
}

interface Flush {
  readonly cells: readonly Cell[];
  readonly generation: number;
  readonly clear: boolean;
  readonly meta: GroupMeta;
  /** Keys at the capture. */
  readonly keys: number;
  readonly blocks: readonly SlotBlock[];
  /** The keyspace's era at the capture; a later FLUSHALL discards the captured cells. */
  readonly era: number;
}

export class GroupKeyspace implements Keyspace {
  nowMs = 0;
  /** Whether `find` counts: for reads whose reply a client gets. */
  counting = false;
  hits = 0;
  misses = 0;
  #version: Timestamp = ZERO;
  #reading = false;
  #partlyStored = false;

  /** Counts units: a cell written by the current one carries its number. */
  #unit = 0;
  /** Bytes written by the current unit. */
  #unitBytes = 0;
  #unitBytesBefore = 0;
  /** Changes of the current command, if it may write more than one key. */
  #undo: Undo[] | undefined;

  readonly #hash: TableHash;
  readonly #unitWriteBytesMax: number;
  readonly #engine: Engine;
  readonly #cache: CellCache;
  readonly #group: GroupSlots;
  /** The conflict slots of the group, and the positions behind them. */
  readonly #firstSlot: number;
  readonly #endSlot: number;
  readonly #end: number;
  /** Existing keys that the engine may not hold (yet), in hash order. */
  readonly #fresh: SlotIndex<Cell>;
  readonly #counts: SlotCounts;

  #size: number;
  #volatileSize: number;
  #clearedAt: Timestamp;
  /** Counts FLUSHALLs. */
  #era = 0;
  /** Readers ignore the engine's content, which the next flush removes. */
  #clearPending = false;

  #generation = 0;
  #dirty: Cell[] = [];
  #dirtyBytes = 0;
  #flush: Flush | undefined;
  #flushBytes = 0;
  #flushedSequence: number;

  /** Keys in the engine as of its last completed commit. */
  #engineKeys: number;
  /** Those with a cell: if both numbers are equal, a miss needs no look-up in the engine. */
  #knownStored = 0;

  constructor(options: KeyspaceOptions) {
    this.#engine = options.engine;
    this.#unitWriteBytesMax = options.unitWriteBytesMax;
    this.#hash = new TableHash(options.tableHashKey);
    this.#cache = new CellCache(options.cacheBytesMax);
    const { engine, group } = options;
    const { id, fromSlot, toSlot } = group;
    const meta = engine.metaOf(id) ?? emptyMeta(group);
    if (meta.fromSlot !== fromSlot || meta.toSlot !== toSlot) {
      const slots = `${meta.fromSlot} to ${meta.toSlot}, not ${fromSlot} to ${toSlot}`;
      throw new EngineError('HOLO_STORE_DAMAGED', `a group has the slots from ${slots}`);
    }
    this.#group = group;
    this.#firstSlot = firstSlotOf(fromSlot);
    this.#endSlot = firstSlotOf(toSlot);
    this.#end = positionOf(this.#endSlot, 0);
    this.#fresh = new SlotIndex(this.#firstSlot, this.#endSlot);
    this.#counts = new SlotCounts(fromSlot, toSlot, engine.countsOf(id));
    const { keys, volatileKeys } = this.#counts.totals();
    this.#size = keys;
    this.#volatileSize = volatileKeys;
    this.#clearedAt = meta.clearedAt;
    this.#flushedSequence = meta.appliedSequence;
    this.#engineKeys = keys;
  }

  /** The last transaction whose effect is durable in the engine. */
  get flushedSequence(): number {
    return this.#flushedSequence;
  }

  keysIn(redisSlot: number): number {
    return this.#counts.keysIn(redisSlot);
  }

  get size(): number {
    return this.#size;
  }

  /** Keys with a deadline. */
  get volatileSize(): number {
    return this.#volatileSize;
  }

  get cacheBytes(): number {
    return this.#cache.bytes;
  }

  get cachedKeys(): number {
    return this.#cache.size;
  }

  /** Bytes changed since the last capture. */
  get dirtyBytes(): number {
    return this.#dirtyBytes;
  }

  /** The same, including the changes that a flush in progress has captured. */
  get unflushedBytes(): number {
    return this.#dirtyBytes + this.#flushBytes;
  }

  get version(): Timestamp {
    return this.#version;
  }

  beginWrite(context: WriteContext): void {
    this.#version = context.version;
    this.nowMs = context.nowMs;
    this.#reading = false;
    this.#partlyStored = context.partlyStored;
    this.beginUnit();
  }

  beginUnit(): void {
    this.#unit += 1;
    this.#unitBytes = 0;
  }

  /** A command that writes at most one key, as its last step, has nothing to undo. */
  beginCommand(mayWriteMany: boolean): void {
    this.#undo = mayWriteMany ? [] : undefined;
    this.#unitBytesBefore = this.#unitBytes;
  }

  /** After `UNIT_FULL`: undoes all changes of the command. */
  undoCommand(): void {
    for (const { cell, entry, unit, removedAt } of this.#undo?.toReversed() ?? []) {
      this.#put(cell, entry);
      this.#counts.removed(redisSlotOf(cell.slot), removedAt);
      cell.unit = unit;
    }
    this.#undo = undefined;
    this.#unitBytes = this.#unitBytesBefore;
  }

  beginRead(nowMs: number): void {
    this.nowMs = nowMs;
    this.#reading = true;
  }

  find(args: Arguments, i: number): Cell | undefined {
    const cell = this.#lookup(args, i, args.tableHash(i, this.#hash));
    if (cell === undefined || cell.entry.type === NONE) return this.#missed();
    cell.referenced = true;
    if (cell.entry.deadline === NO_DEADLINE || cell.entry.deadline > this.nowMs) {
      if (this.counting) this.hits += 1;
      return cell;
    }
    if (this.#reading) throw PAST_DEADLINE;
    this.#write(cell, this.#tombstone());
    return this.#missed();
  }

  isAlive(item: StoredEntry): boolean {
    if (!item.entry.expired(this.nowMs)) return true;
    if (this.#reading) throw PAST_DEADLINE;
    const hash = this.#hash.ofText(item.key);
    // Look it up again: the cell of the page may have been evicted since.
    const cell = this.#cache.get(item.key, hash) ?? this.#load(item.key, hash);
    if (cell?.entry.expired(this.nowMs) === true) this.#write(cell, this.#tombstone());
    return false;
  }

  /** Whether a key is physically there and past its deadline; changes nothing. */
  isPastDeadline(args: Arguments, i: number): boolean {
    const cell = this.#lookup(args, i, args.tableHash(i, this.#hash));
    return cell?.entry.expired(this.nowMs) === true;
  }

  findOf<V extends Value>(type: ValueType<V>, args: Arguments, i: number): Found<V> | undefined {
    const cell = this.find(args, i);
    if (cell !== undefined && cell.entry.type !== (type as ValueType)) throw WRONG_TYPE;
    return cell as Found<V> | undefined;
  }

  set<V extends Value>(
    args: Arguments,
    i: number,
    type: ValueType<V>,
    value: V,
    deadline: Deadline,
  ): void {
    const hash = args.tableHash(i, this.#hash);
    const cell = this.#lookup(args, i, hash) ?? this.#create(args.text(i), hash);
    this.#write(cell, new Entry(type, value, deadline, this.#version));
  }

  replace<V extends Value>(cell: Cell, type: ValueType<V>, value: V, deadline: Deadline): void {
    this.#write(cell, new Entry(type, value, deadline, this.#version));
  }

  remove(cell: Cell): void {
    this.#write(cell, this.#tombstone());
  }

  /** In constant time: the engine is emptied by the next flush. */
  clear(): void {
    if (this.#outdated(this.#clearedAt, 'the keyspace')) return;
    this.#cache.clear();
    this.#fresh.clear();
    this.#dirty = [];
    this.#dirtyBytes = 0;
    this.#knownStored = 0;
    this.#engineKeys = 0;
    this.#counts.clear();
    this.#size = 0;
    this.#volatileSize = 0;
    this.#clearedAt = this.#version;
    this.#clearPending = true;
    this.#unitBytes = 0;
    this.#era += 1;
  }

  page(position: number, limit: number): KeyPage {
    const start = Math.max(position, positionOf(this.#firstSlot, 0));
    const fresh = this.#fresh.page(start, limit);
    const stored = this.#engineKeys === 0 ? [] : this.#engine.page(start, this.#end, limit);
    let last = this.#end - 1;
    if (fresh.length >= limit) last = Math.min(last, endOf(fresh));
    if (stored.length >= limit || valueBytes(stored) >= PAGE_BYTES_MAX) {
      last = Math.min(last, endOf(stored));
    }
    const items: StoredEntry[] = [];
    const seen = new Set<string>();
    for (const item of stored) {
      if (positionOf(item.slot, item.place) > last) break;
      const cell = this.#cache.get(item.key, this.#hash.ofText(item.key));
      if (cell !== undefined && cell.entry.type === NONE) continue;
      items.push(cell ?? item);
      if (fresh.length > 0) seen.add(item.key);
    }
    for (const cell of fresh) {
      if (positionOf(cell.slot, cell.place) > last) break;
      if (cell.entry.type !== NONE && !seen.has(cell.key)) items.push(cell);
    }
    if (fresh.length > 0) items.sort(inOrder);
    return { items, next: last === this.#end - 1 ? 0 : last + 1 };
  }

  exactPage(position: number, limit: number): KeyPage {
    const items: StoredEntry[] = [];
    let next = position;
    do {
      const page = this.page(next, limit - items.length);
      for (const item of page.items) items.push(item instanceof Cell ? item : withoutValue(item));
      next = page.next;
    } while (next !== 0 && items.length < limit);
    let end = limit;
    while (end < items.length && items[end - 1]?.place === items[end]?.place) end += 1;
    if (end >= items.length && next === 0) return { items, next };
    items.length = Math.min(end, items.length);
    return { items, next: endOf(items) + 1 };
  }

  /**
   * All changes so far, for one step of the engine to the state after transaction `appliedSequence`
   * and the first units of the next. Constant work. One at a time.
   */
  capture(appliedSequence: number, appliedUnits: number): Capture {
    if (this.#flush !== undefined) throw new ApplyOrderError('a capture is already in progress');
    if (appliedUnits > 0) this.#partlyStored = true;
    const { id, fromSlot, toSlot } = this.#group;
    const clearedAt = this.#clearedAt;
    const flush: Flush = {
      cells: this.#dirty,
      generation: this.#generation,
      clear: this.#clearPending,
      meta: { id, fromSlot, toSlot, appliedSequence, appliedUnits, clearedAt },
      keys: this.#size,
      blocks: this.#counts.capture(),
      era: this.#era,
    };
    this.#flush = flush;
    this.#dirty = [];
    this.#flushBytes = this.#dirtyBytes;
    this.#dirtyBytes = 0;
    this.#generation += 1;
    return {
      batch: batchOf(flush),
      ended: (error) => {
        this.#flush = undefined;
        this.#flushBytes = 0;
        if (error === undefined) this.#flushed(flush);
        else this.#notFlushed(flush);
      },
    };
  }

  /** When keys were last removed, all or one of a slot, as replicas must agree. */
  addRemovals(digest: KeyspaceDigest): void {
    digest.addRemoval(-1, this.#clearedAt);
    this.#counts.forEachRemoval((slot, version) => digest.addRemoval(slot, version));
  }

  #missed(): undefined {
    if (this.counting) this.misses += 1;
  }

  #lookup(args: Arguments, i: number, hash: number): Cell | undefined {
    const cell = this.#cache.find(args, i, hash);
    if (cell !== undefined || this.#knownStored === this.#engineKeys) return cell;
    return this.#load(args.text(i), hash);
  }

  #load(key: string, hash: number): Cell | undefined {
    const place = placeOfText(key);
    const slot = slotOfText(key);
    const entry = this.#engine.get(key, slot, place);
    if (entry === undefined) return undefined;
    const cell = new Cell(key, hash, slot, place, entry, -1, true);
    // Evict first: the cell to be returned must stay.
    this.#evict();
    this.#knownStored += 1;
    this.#cache.add(cell);
    return cell;
  }

  #create(key: string, hash: number): Cell {
    const slot = slotOfText(key);
    if (slot < this.#firstSlot || slot >= this.#endSlot) {
      throw new ApplyOrderError('a transaction wrote a key of another group');
    }
    const cell = new Cell(key, hash, slot, placeOfText(key), ABSENT, -1, false);
    this.#cache.add(cell);
    return cell;
  }

  #tombstone(): Entry {
    return new Entry(NONE, '', NO_DEADLINE, this.#version);
  }

  #write(cell: Cell, entry: Entry): void {
    const old = cell.entry;
    if (old.version !== this.#version && this.#outdated(old.version, cell.key)) return;
    if (this.#reading) throw new ApplyOrderError('a read tried to write');
    if (cell.at === -1) throw new ApplyOrderError('a cell was used after a later lookup');
    this.#charge(cell, entry);
    if (this.#undo !== undefined) {
      const removedAt = this.#counts.removedAt(redisSlotOf(cell.slot));
      this.#undo.push({ cell, entry: old, unit: cell.unit, removedAt });
    }
    cell.unit = this.#unit;
    this.#put(cell, entry);
    this.#evict();
  }

  /** Charges a write to the unit; an earlier write of the same key no longer counts. */
  #charge(cell: Cell, entry: Entry): void {
    const before = cell.unit === this.#unit ? writtenBytes(cell.key, cell.entry) : 0;
    const bytes = this.#unitBytes + writtenBytes(cell.key, entry) - before;
    if (bytes > this.#unitWriteBytesMax && bytes > this.#unitBytes) throw UNIT_FULL;
    this.#unitBytes = bytes;
  }

  /** Replaces the entry of a cell. */
  #put(cell: Cell, entry: Entry): void {
    const old = cell.entry;
    const grows = entry.bytes - old.bytes;
    if (cell.dirtyIn !== this.#generation) {
      const flush = this.#flush;
      if (flush !== undefined && cell.dirtyIn === flush.generation) cell.captured = old;
      cell.dirtyIn = this.#generation;
      this.#dirty.push(cell);
      this.#dirtyBytes += CELL_BYTES + cell.key.length + entry.bytes;
    } else {
      this.#dirtyBytes += grows;
    }
    this.#cache.resized(grows);
    cell.entry = entry;
    // Most writes replace a value by one of its kind and size.
    if (grows !== 0 || entry.type !== old.type || entry.deadline !== old.deadline) {
      this.#count(cell, old, entry);
    }
  }

  #count(cell: Cell, old: Entry, entry: Entry): void {
    const keys = Number(entry.type !== NONE) - Number(old.type !== NONE);
    const volatileKeys =
      Number(entry.deadline !== NO_DEADLINE) - Number(old.deadline !== NO_DEADLINE);
    const slot = redisSlotOf(cell.slot);
    const bytes = keys * cell.key.length + entry.bytes - old.bytes;
    this.#size += keys;
    this.#volatileSize += volatileKeys;
    this.#counts.changed(slot, keys, volatileKeys, bytes);
    if (keys < 0) this.#counts.removed(slot, this.#version);
    if (keys <= 0 || cell.indexed) return;
    cell.indexed = true;
    this.#fresh.add(cell);
  }

  /**
   * True if the entry is as new as the current transaction, which has then been applied before and
   * must not change it. Throws if the entry is newer.
   */
  #outdated(there: Timestamp, what: string): boolean {
    const newest =
      compare(this.#clearedAt, there) > 0 && this.#clearedAt !== this.#version
        ? this.#clearedAt
        : there;
    if (newest === this.#version) return false;
    const order = compare(this.#version, newest);
    if (order > 0) return false;
    // The engine holds the transaction's first units: the entry is its own earlier change.
    if (order === 0 && this.#partlyStored) return false;
    if (order === 0) return true;
    const versions = `${keyOf(this.#version)} after ${keyOf(newest)}`;
    throw new ApplyOrderError(`a transaction arrived too late for ${what}: ${versions}`);
  }

  #evict(stepsMax = EVICTION_STEPS): void {
    const clean = this.#flush?.generation ?? this.#generation;
    this.#knownStored -= this.#cache.evict(clean, stepsMax);
  }

  #flushed(flush: Flush): void {
    this.#flushedSequence = flush.meta.appliedSequence;
    if (flush.era !== this.#era) return;
    this.#engineKeys = flush.keys;
    if (flush.clear) this.#clearPending = false;
    for (const cell of flush.cells) {
      const clean = cell.dirtyIn === flush.generation;
      const stored = capturedEntry(flush, cell).type !== NONE;
      cell.captured = undefined;
      if (stored !== cell.stored) {
        cell.stored = stored;
        this.#knownStored += stored ? 1 : -1;
      }
      if (clean && cell.indexed) {
        cell.indexed = false;
        this.#fresh.remove(cell);
      }
      if (clean && !stored) this.#cache.remove(cell);
    }
    // The clock passes a cell twice before it evicts it; the flushed cells may go at once.
    this.#evict(2 * flush.cells.length);
  }

  /** The engine is unchanged: the captured changes are dirty again, with the later ones. */
  #notFlushed(flush: Flush): void {
    if (flush.era !== this.#era) return;
    this.#counts.notWritten(flush.blocks);
    for (const cell of flush.cells) {
      cell.captured = undefined;
      if (cell.dirtyIn === this.#generation) continue;
      cell.dirtyIn = this.#generation;
      this.#dirty.push(cell);
      this.#dirtyBytes += CELL_BYTES + cell.key.length + cell.entry.bytes;
    }
  }
}

function batchOf(flush: Flush): FlushBatch {
  const { meta, clear, blocks, cells } = flush;
  let taken = 0;
  return {
    meta,
    clear,
    blocks,
    count: cells.length,
    take(limit, visit) {
      const from = taken;
      taken = Math.min(taken + limit, cells.length);
      for (let i = from; i < taken; i += 1) {
        const cell = cells[i] as Cell;
        const entry = capturedEntry(flush, cell);
        visit(cell, entry.type === NONE ? undefined : entry);
      }
      return taken - from;
    },
  };
}

/** A removal keeps no bytes. */
function writtenBytes(key: string, entry: Entry): number {
  return entry.type === NONE ? 0 : key.length + entry.bytes;
}

function capturedEntry(flush: Flush, cell: Cell): Entry {
  const entry = cell.dirtyIn === flush.generation ? cell.entry : cell.captured;
  if (entry === undefined) throw new Error('a captured entry is missing');
  return entry;
}

function valueBytes(items: readonly StoredEntry[]): number {
  return items.reduce((bytes, { entry }) => bytes + entry.bytes, 0);
}

function withoutValue({ key, slot, place, entry }: StoredEntry): StoredEntry {
  const { type, deadline, version } = entry;
  return { key, slot, place, entry: new Entry(type, '', deadline, version) };
}

function endOf(items: readonly StoredEntry[]): number {
  const last = items.at(-1);
  return last === undefined ? 0 : positionOf(last.slot, last.place);
}

function inOrder(a: StoredEntry, b: StoredEntry): number {
  return (
    positionOf(a.slot, a.place) - positionOf(b.slot, b.place) ||
    (a.key < b.key ? -1 : Number(a.key > b.key))
  );
}
