/**
 * The keys of a group: a write-behind cache over an engine. It applies the changes of commands
 * under the version of the current transaction, holds unflushed changes, and merges cache and
 * engine when the keys are walked. The state machine owns it; it never parses a command, reads a
 * clock or waits.
 */
import { compare, keyOf, type Timestamp, ZERO } from '../../actors/accord/primitives/timestamp.ts';
import type { Arguments } from '../arguments.ts';
import { type Engine, type EngineMeta, type FlushBatch, PAGE_BYTES_MAX } from '../engine.ts';
import { ApplyOrderError, type EngineError } from '../errors.ts';
import type { Value, ValueType } from '../types/value-type.ts';
import { CELL_BYTES, Cell, CellCache, EVICTION_STEPS } from './cell-cache.ts';
import { ABSENT, type Deadline, Entry, NO_DEADLINE, NONE, type StoredEntry } from './entry.ts';
import {
  type Found,
  type KeyPage,
  type Keyspace,
  PAST_DEADLINE,
  UNIT_FULL,
  WRONG_TYPE,
} from './keyspace.ts';
import { SlotIndex } from './slot-index.ts';
import { POSITIONS, placeOfText, positionOf, slotOfText } from './slots.ts';
import { TableHash, type TableHashKey } from './table-hash.ts';

interface KeyspaceOptions {
  readonly engine: Engine;
  /** Bytes of memory for clean cells; unflushed ones are not counted. */
  readonly cacheBytesMax: number;
  /** From this many unflushed bytes on, `needsFlush` is true. */
  readonly dirtyBytesMax: number;
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
}

interface Flush {
  readonly cells: readonly Cell[];
  readonly generation: number;
  readonly clear: boolean;
  readonly meta: EngineMeta;
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
  readonly #dirtyBytesMax: number;
  readonly #cache: CellCache;
  /** Existing keys that the engine may not hold (yet), in hash order. */
  readonly #fresh = new SlotIndex<Cell>();

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

  /** Keys in the engine as of its last completed commit. */
  #engineKeys: number;
  /** Those with a cell: if both numbers are equal, a miss needs no look-up in the engine. */
  #knownStored = 0;

  constructor(options: KeyspaceOptions) {
    this.#engine = options.engine;
    this.#dirtyBytesMax = options.dirtyBytesMax;
    this.#unitWriteBytesMax = options.unitWriteBytesMax;
    this.#hash = new TableHash(options.tableHashKey);
    this.#cache = new CellCache(options.cacheBytesMax);
    const meta = options.engine.meta;
    this.#size = meta.keys;
    this.#volatileSize = meta.volatileKeys;
    this.#clearedAt = meta.clearedAt;
    this.#engineKeys = meta.keys;
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

  get flushing(): boolean {
    return this.#flush !== undefined;
  }

  get needsFlush(): boolean {
    return this.#dirtyBytes >= this.#dirtyBytesMax;
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
    for (const { cell, entry, unit } of this.#undo?.toReversed() ?? []) {
      this.#put(cell, entry);
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
    this.#size = 0;
    this.#volatileSize = 0;
    this.#clearedAt = this.#version;
    this.#clearPending = true;
    this.#unitBytes = 0;
    this.#era += 1;
  }

  page(position: number, limit: number): KeyPage {
    const fresh = this.#fresh.page(position, limit);
    const stored = this.#engineKeys === 0 ? [] : this.#engine.page(position, limit);
    let last = POSITIONS - 1;
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
    return { items, next: last === POSITIONS - 1 ? 0 : last + 1 };
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
   * Writes all changes so far to the engine, as one step to the state after transaction
   * `appliedSequence` and the first units of the next. The capture is constant work. `false` while
   * a flush is in progress.
   */
  flush(
    appliedSequence: number,
    appliedUnits: number,
    done: (error: EngineError | undefined) => void,
  ): boolean {
    if (this.#flush !== undefined) return false;
    if (appliedUnits > 0) this.#partlyStored = true;
    const flush: Flush = {
      cells: this.#dirty,
      generation: this.#generation,
      clear: this.#clearPending,
      meta: {
        appliedSequence,
        appliedUnits,
        keys: this.#size,
        volatileKeys: this.#volatileSize,
        clearedAt: this.#clearedAt,
      },
      era: this.#era,
    };
    this.#flush = flush;
    this.#dirty = [];
    this.#flushBytes = this.#dirtyBytes;
    this.#dirtyBytes = 0;
    this.#generation += 1;
    let taken = 0;
    const batch: FlushBatch = {
      meta: flush.meta,
      clear: flush.clear,
      count: flush.cells.length,
      take(limit, visit) {
        const from = taken;
        taken = Math.min(taken + limit, flush.cells.length);
        for (let i = from; i < taken; i += 1) {
          const cell = flush.cells[i] as Cell;
          const entry = capturedEntry(flush, cell);
          visit(cell, entry.type === NONE ? undefined : entry);
        }
        return taken - from;
      },
    };
    this.#engine.commit(batch, (error) => {
      this.#flush = undefined;
      this.#flushBytes = 0;
      if (error === undefined) this.#flushed(flush);
      else this.#notFlushed(flush);
      done(error);
    });
    return true;
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
    const cell = new Cell(key, hash, slotOfText(key), placeOfText(key), ABSENT, -1, false);
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
    if (cell.at === -1) throw new ApplyOrderError('a cell was kept beyond the next lookup');
    this.#charge(cell, entry);
    this.#undo?.push({ cell, entry: old, unit: cell.unit });
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
    if (cell.dirtyIn !== this.#generation) {
      const flush = this.#flush;
      if (flush !== undefined && cell.dirtyIn === flush.generation) cell.captured = old;
      cell.dirtyIn = this.#generation;
      this.#dirty.push(cell);
      this.#dirtyBytes += CELL_BYTES + cell.key.length + entry.bytes;
    } else {
      this.#dirtyBytes += entry.bytes - old.bytes;
    }
    this.#cache.resized(entry.bytes - old.bytes);
    this.#volatileSize +=
      Number(entry.deadline !== NO_DEADLINE) - Number(old.deadline !== NO_DEADLINE);
    cell.entry = entry;
    if (old.type === NONE) {
      if (entry.type !== NONE) {
        this.#size += 1;
        if (!cell.indexed) {
          cell.indexed = true;
          this.#fresh.add(cell);
        }
      }
    } else if (entry.type === NONE) {
      this.#size -= 1;
    }
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
    throw new ApplyOrderError(`a transaction came too late for ${what}: ${versions}`);
  }

  #evict(stepsMax = EVICTION_STEPS): void {
    const clean = this.#flush?.generation ?? this.#generation;
    this.#knownStored -= this.#cache.evict(clean, stepsMax);
  }

  #flushed(flush: Flush): void {
    if (flush.era !== this.#era) return;
    this.#engineKeys = flush.meta.keys;
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
    for (const cell of flush.cells) {
      cell.captured = undefined;
      if (cell.dirtyIn === this.#generation) continue;
      cell.dirtyIn = this.#generation;
      this.#dirty.push(cell);
      this.#dirtyBytes += CELL_BYTES + cell.key.length + cell.entry.bytes;
    }
  }
}

/** A removal keeps no bytes. */
function writtenBytes(key: string, entry: Entry): number {
  return entry.type === NONE ? 0 : key.length + entry.bytes;
}

function capturedEntry(flush: Flush, cell: Cell): Entry {
  const entry = cell.dirtyIn === flush.generation ? cell.entry : cell.captured;
  if (entry === undefined) throw new Error('a captured entry has been lost');
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
