/**
 * The keys of one database of a group: a write-behind cache over an engine. It applies the changes
 * of commands under the version of the current transaction, holds unflushed changes, and merges
 * cache and engine when the keys are walked. `databases.ts` owns it; it never parses a command,
 * reads a clock or waits.
 */
import { compare, keyOf, max, type Timestamp } from '../../actors/accord/primitives/timestamp.ts';
import type { Arguments } from '../arguments.ts';
import type { ClusterSettings, RowChange } from '../cluster-settings.ts';
import {
  type DatabaseBatch,
  type Engine,
  type GroupSlots,
  type KeyRow,
  PAGE_BYTES_MAX,
} from '../engine.ts';
import { ApplyOrderError, type EngineError } from '../errors.ts';
import { DATABASES } from '../limits.ts';
import { placeOfText } from '../place.ts';
import { requestOf } from '../request.ts';
import type { ScriptLimits } from '../script-limits.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { allSteps, type Steps } from '../steps.ts';
import type { TopologyRules } from '../topology-rules.ts';
import { type Collection, isCollection } from '../types/collection.ts';
import { STRING, textOf } from '../types/string.ts';
import type { Thresholds } from '../types/thresholds.ts';
import type { Value, ValueType } from '../types/value-type.ts';
import { CELL_BYTES, Cell, CellCache, EVICTION_STEPS } from './cell-cache.ts';
import { ChangedCollections } from './changed-collections.ts';
import { loadRows } from './collection-rows.ts';
import type { KeyspaceDigest } from './digest.ts';
import {
  ABSENT,
  type Deadline,
  Entry,
  NO_DEADLINE,
  NONE,
  type StoredEntry,
  storedBytes,
} from './entry.ts';
import { batchOf, capturedEntry, type Flush } from './flush.ts';
import { type EventClass, mayEmpty } from './key-events.ts';
import { KeysView } from './keys-view.ts';
import {
  type Found,
  type KeyPage,
  type Keyspace,
  type NothingOptions,
  PAST_DEADLINE,
  RUN_ENDS,
  WRONG_TYPE,
} from './keyspace.ts';
import type { OtherDatabases, RunContext, Undo } from './run-context.ts';
import type { SideEffects } from './side-effects.ts';
import { type SlotBlock, SlotCounts } from './slot-counts.ts';
import { SlotIndex } from './slot-index.ts';
import { CONFLICT_SLOTS, firstSlotOf, positionOf, redisSlotOf, slotOfText } from './slots.ts';
import type { TableHash } from './table-hash.ts';
import { type Nothing, WaitedKeys, type WaitId } from './waited-keys.ts';

interface KeyspaceOptions {
  readonly engine: Engine;
  readonly group: GroupSlots;
  /** The physical number of the database. */
  readonly database: number;
  readonly blocks: Iterable<SlotBlock>;
  readonly clearedAt: Timestamp;
  /** Shared by the databases of the group. */
  readonly context: RunContext;
  readonly hash: TableHash;
  readonly others: OtherDatabases;
}

/** Changes on their way to the engine. */
interface DatabaseCapture {
  readonly batch: DatabaseBatch;
  /** Call it when the engine has written them, or not. */
  ended(error: EngineError | undefined): void;
}

/**
 * An exact page ends behind the key that makes it this long. The bytes of keys weigh more than
 * those of values: patterns are compared with them.
 */
const EXACT_PAGE_BYTES_MAX = 8 * 1024 * 1024;
const KEY_BYTE_WEIGHT = 8;

export class GroupKeyspace implements Keyspace {
  /** The physical number of the database. */
  readonly database: number;
  /** Its rows are keys of clients. */
  readonly #hasKeys: boolean;
  readonly #context: RunContext;
  readonly #others: OtherDatabases;
  readonly #hash: TableHash;
  readonly #engine: Engine;
  readonly #cache: CellCache;
  /** The conflict slots of the group, and the positions behind them. */
  readonly #firstSlot: number;
  readonly #endSlot: number;
  readonly #end: number;
  /** Existing keys that the engine may not hold (yet), in hash order. */
  readonly #fresh: SlotIndex<Cell>;
  readonly #counts: SlotCounts;
  readonly #collections: ChangedCollections;

  #size: number;
  #volatileSize: number;
  #clearedAt: Timestamp;
  /** Walks that are to find the keys as of an earlier moment. */
  readonly #views: KeysView[] = [];
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
    const { engine, group, database, context, hash, others } = options;
    this.database = database;
    this.#hasKeys = database < DATABASES;
    this.#engine = engine;
    this.#context = context;
    this.#others = others;
    this.#hash = hash;
    this.#cache = new CellCache(context.memory);
    const { fromSlot, toSlot } = group;
    this.#firstSlot = firstSlotOf(fromSlot);
    this.#endSlot = firstSlotOf(toSlot);
    this.#end = positionOf(this.#endSlot, 0);
    this.#fresh = new SlotIndex(this.#firstSlot, this.#endSlot);
    this.#counts = new SlotCounts(database, fromSlot, toSlot, options.blocks);
    const { keys, volatileKeys } = this.#counts.totals();
    this.#size = keys;
    this.#volatileSize = volatileKeys;
    this.#clearedAt = options.clearedAt;
    this.#collections = new ChangedCollections(database, context);
    this.#engineKeys = keys;
  }

  get nowMs(): number {
    return this.#context.nowMs;
  }

  get version(): Timestamp {
    return this.#context.version;
  }

  get reading(): boolean {
    return this.#context.reading;
  }

  lastRemoval(args: Arguments, i: number): Timestamp {
    return max(this.#clearedAt, this.#counts.removedAt(redisSlotOf(args.slot(i))));
  }

  swappedAt(database: number): Timestamp {
    return this.#others.swappedAt(database);
  }

  get thresholds(): Thresholds {
    return this.#context.runSettings;
  }

  get scriptLimits(): ScriptLimits {
    return this.#context.runSettings;
  }

  get settings(): ClusterSettings {
    return this.#context.settings;
  }

  get sideEffects(): SideEffects | undefined {
    const { hasSideEffects, learned, sideEffects } = this.#context;
    return hasSideEffects && learned === undefined ? sideEffects : undefined;
  }

  get keysInUnitMax(): number {
    return this.#context.keysInUnitMax;
  }

  get stepElements(): number {
    return this.#context.stepElements;
  }

  table(): Keyspace {
    return this.#others.table();
  }

  tableChanged(changes: readonly RowChange[]): void {
    this.#others.tableChanged(changes);
  }

  get topologyRules(): TopologyRules {
    return this.#others.topologyRules;
  }

  nothingYet(
    args: Arguments,
    keys: readonly number[],
    type: ValueType,
    { again, group, allKeys }: NothingOptions = {},
  ): void {
    if (!this.#context.mayWait) return;
    const its = keys.map((i) => args.text(i));
    this.#context.nothing = {
      database: this.database,
      keys: its,
      allKeys: allKeys ?? its,
      entries: keys.map((i) => this.#lookup(args, i, args.tableHash(i, this.#hash))?.entry),
      type,
      group,
      again: again === undefined ? undefined : requestOf(again),
    };
  }

  /** A client waits for these keys from now on. */
  noteKeys(wait: WaitId, its: Omit<Nothing, 'database' | 'entries'>): void {
    const entries = its.keys.map((key) => {
      const hash = this.#hash.ofText(key);
      return (this.#cache.get(key, hash) ?? this.#load(key, hash))?.entry;
    });
    this.#context.waited ??= new WaitedKeys();
    this.#context.waited.add(wait, { ...its, database: this.database, entries });
  }

  random(): SeededRandom {
    return this.#context.random();
  }

  in(database: number): Keyspace {
    return this.#others.of(database);
  }

  /** Version of the newest transaction that removed all keys. */
  get clearedAt(): Timestamp {
    return this.#clearedAt;
  }

  get end(): number {
    return this.#end;
  }

  keysIn(redisSlot: number): number {
    return this.#counts.keysIn(redisSlot);
  }

  volatileKeysIn(redisSlot: number): number {
    return this.#counts.volatileKeysIn(redisSlot);
  }

  slotOfNth(number: number): number {
    return this.#counts.slotOfNth(number);
  }

  /** Redis slots that have keys, by their bytes, the largest last. */
  slotsByBytes(): number[] {
    return this.#counts.byBytes();
  }

  get size(): number {
    return this.#size;
  }

  /** Keys with a deadline. */
  get volatileSize(): number {
    return this.#volatileSize;
  }

  /** Of keys and values, in memory or not. Adds up the slots. */
  dataBytes(): number {
    return this.#counts.totalBytes();
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

  /** Approximate bytes of the value of a key that is in memory; others count as none. */
  bytesOf(key: string): number {
    return this.#cache.get(key, this.#hash.ofText(key))?.entry.bytes ?? 0;
  }

  /** After `UNIT_FULL`. */
  undo({ cell, entry, unit, removedAt, edited }: Undo): void {
    edited?.rollBack();
    this.#put(cell, entry);
    this.#counts.removed(redisSlotOf(cell.slot), removedAt);
    cell.unit = unit;
  }

  find(args: Arguments, i: number): Cell | undefined {
    const cell = this.#living(this.#lookup(args, i, args.tableHash(i, this.#hash)));
    const { counting, events } = this.#context;
    if (cell === undefined && counting && events !== undefined) {
      this.#tell('miss', 'keymiss', args.text(i));
    }
    return cell;
  }

  notify(kind: EventClass, event: string, args: Arguments, i: number): void {
    if (this.#context.events === undefined) return;
    const key = args.text(i);
    this.#tell(kind, event, key);
    if (!mayEmpty(kind)) return;
    const cell = this.#lookup(args, i, args.tableHash(i, this.#hash));
    if (cell === undefined || cell.entry.type === NONE) this.#tell('generic', 'del', key);
  }

  #tell(kind: EventClass, event: string, key: string): void {
    const { events } = this.#context;
    if (events?.wants(kind) !== true || !this.#hasKeys) return;
    events.add(kind, event, this.#others.selected(this.database), key);
  }

  findNamed(key: string): Cell | undefined {
    const slot = slotOfText(key);
    const isHere = this.#hasSlot(slot);
    this.#context.need(slot, isHere);
    if (!isHere) return undefined;
    const hash = this.#hash.ofText(key);
    return this.#living(this.#cache.get(key, hash) ?? this.#load(key, hash));
  }

  need(args: Arguments, i: number): void {
    const slot = args.slot(i);
    this.#context.need(slot, this.#hasSlot(slot));
  }

  #hasSlot(slot: number): boolean {
    return slot >= this.#firstSlot && slot < this.#endSlot;
  }

  needAll(): void {
    this.#context.needAll(this.#firstSlot === 0 && this.#endSlot === CONFLICT_SLOTS);
  }

  /** The cell that a look-up has found, if its key exists and is alive. */
  #living(cell: Cell | undefined): Cell | undefined {
    if (cell === undefined || cell.entry.type === NONE) return this.#missed();
    // A write of what is there already would have the line written back to memory.
    if (!cell.referenced) cell.referenced = true;
    if (cell.entry.deadline === NO_DEADLINE || cell.entry.deadline > this.nowMs) {
      if (this.#context.counting) this.#context.hits += 1;
      return cell;
    }
    if (this.#context.learned !== undefined) return this.#missed();
    if (this.#context.reading) throw PAST_DEADLINE;
    this.#expire(cell);
    return this.#missed();
  }

  isAlive(item: StoredEntry): boolean {
    if (!item.entry.expired(this.nowMs)) return true;
    if (this.#context.reading) throw PAST_DEADLINE;
    const hash = this.#hash.ofText(item.key);
    // Look it up again: the cell of the page may have been evicted since.
    const cell = this.#cache.get(item.key, hash) ?? this.#load(item.key, hash);
    if (cell?.entry.expired(this.nowMs) === true) this.#expire(cell);
    return false;
  }

  #expire(cell: Cell): void {
    this.#write(cell, this.#tombstone());
    this.#context.expired += 1;
    this.#tell('expired', 'expired', cell.key);
  }

  /**
   * A key that is there, alive or not, with all rows, or without its value; changes nothing that
   * replicas agree on.
   */
  peek(key: string, withValue: boolean): Entry | undefined {
    const hash = this.#hash.ofText(key);
    const cell = this.#cache.get(key, hash) ?? this.#load(key, hash);
    if (cell === undefined || cell.entry.type === NONE) return undefined;
    return withValue ? this.wholeEntry(cell) : withoutValue(cell).entry;
  }

  /** As `lastRemoval`. */
  lastRemovalOf(key: string): Timestamp {
    return max(this.#clearedAt, this.#counts.removedAt(redisSlotOf(slotOfText(key))));
  }

  /** Whether a key is physically there and past its deadline; changes nothing. */
  isPastDeadline(args: Arguments, i: number): boolean {
    const cell = this.#lookup(args, i, args.tableHash(i, this.#hash));
    return cell?.entry.expired(this.nowMs) === true;
  }

  findOf<V extends Value>(type: ValueType<V>, args: Arguments, i: number): Found<V> | undefined {
    const cell = this.find(args, i);
    if (cell !== undefined && cell.entry.type !== (type as ValueType)) joinPieces(cell, type.code);
    return cell as Found<V> | undefined;
  }

  findCollection<V extends Value>(
    type: ValueType<V>,
    args: Arguments,
    i: number,
  ): Found<V> | undefined {
    const found = this.findOf(type, args, i);
    if (found !== undefined) this.load(found as Found);
    return found;
  }

  load(found: Found): void {
    const cell = found as Cell;
    const { mayPause, stepElements } = this.#context;
    cell.pinnedIn = this.#context.command;
    const { value } = cell.entry;
    if (!isCollection(value) || value.loaded) return;
    const rows = () => loadRows(this.#engine, this.database, cell, value, stepElements);
    if (mayPause && value.size > stepElements) this.#context.load(rows);
    allSteps(rows());
  }

  /** The entry of an item of a page, with the rows of its collection. */
  wholeEntry(item: StoredEntry): Entry {
    const { value } = item.entry;
    if (isCollection(value) && !value.loaded) {
      allSteps(loadRows(this.#engine, this.database, item, value, this.stepElements));
    }
    return item.entry;
  }

  *copyOf(found: Found): Steps<Value> {
    this.load(found);
    const { value } = found.entry;
    return isCollection(value) ? yield* value.copy(this.stepElements) : value;
  }

  edit(found: Found, bytes: number): void {
    const cell = found as Cell;
    const { entry } = cell;
    if (!isCollection(entry.value)) throw new Error('a value that is replaced was to be changed');
    this.#assertWritable(cell);
    const { undo } = this.#context;
    if (this.#isOutdated(cell)) {
      throw new ApplyOrderError('a transaction is applied a second time');
    }
    this.#context.charge(bytes);
    entry.value.written(bytes);
    if (undo === undefined) return;
    entry.value.beginUndo();
    this.#noteUndo(undo, cell, entry.value);
  }

  changed(found: Found): void {
    const cell = found as Cell;
    const { type, value, deadline } = cell.entry;
    const empty = isCollection(value) && value.isEmpty;
    const { unit, version } = this.#context;
    cell.unit = unit;
    this.#put(cell, empty ? this.#tombstone() : new Entry(type, value, deadline, version));
    this.#evict();
  }

  set<V extends Value>(
    args: Arguments,
    i: number,
    type: ValueType<V>,
    value: V,
    deadline: Deadline,
  ): void {
    if (this.#context.learned !== undefined) return;
    const hash = args.tableHash(i, this.#hash);
    const cell = this.#lookup(args, i, hash) ?? this.#create(args.text(i), hash);
    this.#write(cell, new Entry(type, value, deadline, this.#context.version));
  }

  replace<V extends Value>(cell: Cell, type: ValueType<V>, value: V, deadline: Deadline): void {
    this.#write(cell, new Entry(type, value, deadline, this.#context.version));
  }

  remove(cell: Cell): void {
    this.#write(cell, this.#tombstone());
  }

  /** In constant time: the engine is emptied by the next flush. */
  clear(): void {
    if (this.#outdated(this.#clearedAt, 'the keyspace')) return;
    for (const view of this.#views) view.lose();
    this.#cache.clear();
    this.#fresh.clear();
    this.#dirty = [];
    this.#dirtyBytes = 0;
    this.#knownStored = 0;
    this.#engineKeys = 0;
    this.#counts.clear();
    this.#collections.clear();
    this.#size = 0;
    this.#volatileSize = 0;
    this.#clearedAt = this.#context.version;
    this.#clearPending = true;
    this.#era += 1;
    if (this.#context.waited !== undefined) this.#context.waited.isLost = true;
    this.#context.written?.addAll();
  }

  clearAll(): void {
    this.#others.clear();
  }

  swap(a: number, b: number): void {
    this.#others.swap(a, b);
  }

  page(position: number, limit: number, keysOnly = false): KeyPage {
    const start = Math.max(position, positionOf(this.#firstSlot, 0));
    const fresh = this.#fresh.page(start, limit);
    let last = this.#end - 1;
    if (fresh.length >= limit) last = Math.min(last, endOf(fresh));
    // The rows behind the last fresh key are no part of the page, and their values may be long.
    const stored =
      this.#engineKeys === 0
        ? []
        : this.#engine.page(this.database, start, last + 1, limit, keysOnly);
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
    let end = 0;
    let bytes = 0;
    do {
      const page = this.page(next, limit - items.length);
      for (const item of page.items) {
        items.push(item instanceof Cell ? item : withoutValue(item));
        if (bytes >= EXACT_PAGE_BYTES_MAX) continue;
        end = Math.min(items.length, limit);
        bytes += item.entry.bytes + KEY_BYTE_WEIGHT * item.key.length;
      }
      next = page.next;
    } while (next !== 0 && items.length < limit && bytes < EXACT_PAGE_BYTES_MAX);
    while (end > 0 && end < items.length && items[end - 1]?.place === items[end]?.place) end += 1;
    if (end >= items.length && next === 0) return { items, next };
    items.length = Math.min(end, items.length);
    return { items, next: endOf(items) + 1 };
  }

  /**
   * All changes so far, for one step of the engine. Constant work, and some for each large
   * collection that has changed. One at a time.
   */
  capture(): DatabaseCapture {
    if (this.#flush !== undefined) throw new ApplyOrderError('a capture is already in progress');
    const flush: Flush = {
      cells: this.#dirty,
      collections: this.#collections.capture(),
      generation: this.#generation,
      clear: this.#clearPending,
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
      batch: batchOf(this.database, flush),
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
    const { database } = this;
    digest.addRemoval(database, -1, this.#clearedAt);
    this.#counts.forEachRemoval((slot, version) => digest.addRemoval(database, slot, version));
  }

  #missed(): undefined {
    if (this.#context.counting) this.#context.misses += 1;
  }

  #lookup(args: Arguments, i: number, hash: number): Cell | undefined {
    const cell = this.#cache.find(args, i, hash);
    if (cell !== undefined || this.#allKnown()) return cell;
    return this.#load(args.text(i), hash);
  }

  /** Where only the engine can tell about argument `i` as a key. */
  rowToRead(args: Arguments, i: number): KeyRow | undefined {
    const cell = this.#cache.find(args, i, args.tableHash(i, this.#hash));
    if (cell !== undefined || this.#allKnown()) return undefined;
    const key = args.text(i);
    const slot = slotOfText(key);
    if (!this.#hasSlot(slot)) return undefined;
    return { database: this.database, key, slot, place: placeOfText(key) };
  }

  /** Nothing that the engine holds is news: all is in the cache, or was removed with all keys. */
  #allKnown(): boolean {
    return this.#knownStored === this.#engineKeys;
  }

  #load(key: string, hash: number): Cell | undefined {
    if (this.#allKnown()) return undefined;
    const place = placeOfText(key);
    const slot = slotOfText(key);
    if (!this.#hasSlot(slot)) {
      // The engine holds the other groups as well, and changes behind this group's back.
      if (this.#context.learned !== undefined) return undefined;
      throw new ApplyOrderError('a command looked up a key of another group');
    }
    const entry = this.#engine.get(this.database, key, slot, place);
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
    if (!this.#hasSlot(slot)) {
      throw new ApplyOrderError('a transaction wrote a key of another group');
    }
    const cell = new Cell(key, hash, slot, placeOfText(key), ABSENT, -1, false);
    this.#cache.add(cell);
    return cell;
  }

  #tombstone(): Entry {
    return new Entry(NONE, '', NO_DEADLINE, this.#context.version);
  }

  #write(cell: Cell, entry: Entry): void {
    if (this.#context.learned !== undefined) return;
    const old = cell.entry;
    if (this.#isOutdated(cell)) return;
    this.#assertWritable(cell);
    this.#context.chargeWrite(cell, entry);
    const { undo, unit } = this.#context;
    const { value } = entry;
    if (isCollection(value) && value !== old.value) value.written(entry.bytes);
    if (undo !== undefined) this.#noteUndo(undo, cell, undefined);
    cell.unit = unit;
    this.#put(cell, entry);
    this.#evict();
  }

  #assertWritable(cell: Cell): void {
    if (this.#context.learned !== undefined) throw RUN_ENDS;
    if (this.#context.reading) throw new ApplyOrderError('a read tried to write');
    if (cell.at === -1) throw new ApplyOrderError('a cell was used after a later lookup');
  }

  #noteUndo(undo: Undo[], cell: Cell, edited: Collection | undefined): void {
    const removedAt = this.#counts.removedAt(redisSlotOf(cell.slot));
    const { entry, unit } = cell;
    undo.push({ keyspace: this, cell, entry, unit, removedAt, edited });
  }

  /** The keys as of now, to be walked while transactions go on. */
  pinKeys(changesMax: number): KeysView {
    const view = new KeysView(
      this.nowMs,
      changesMax,
      (position, limit) => this.page(position, limit, this.#volatileSize === 0),
      (closed) => this.#views.splice(this.#views.indexOf(closed), 1),
    );
    this.#views.push(view);
    return view;
  }

  /** Replaces the entry of a cell. */
  #put(cell: Cell, entry: Entry): void {
    const old = cell.entry;
    if (this.#views.length > 0) for (const view of this.#views) view.note(cell, old);
    this.#context.waited?.wrote(this.database, cell.key, entry);
    if (this.#hasKeys) this.#context.written?.add(cell.key);
    if (this.#context.events !== undefined && old.type === NONE && entry.type !== NONE) {
      this.#tell('new', 'new', cell.key);
    }
    const grows = entry.bytes - old.bytes;
    if (isCollection(entry.value) || isCollection(old.value)) {
      this.#dirtyBytes += this.#collections.replaced(cell, old.value, entry.value);
    }
    if (cell.dirtyIn !== this.#generation) {
      const flush = this.#flush;
      if (flush !== undefined && cell.dirtyIn === flush.generation) cell.captured = old;
      cell.dirtyIn = this.#generation;
      this.#dirty.push(cell);
      this.#dirtyBytes += CELL_BYTES + cell.key.length + storedBytes(entry);
    } else {
      this.#dirtyBytes += storedBytes(entry) - storedBytes(old);
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
    if (keys < 0) this.#counts.removed(slot, this.#context.version);
    if (keys <= 0 || cell.indexed) return;
    cell.indexed = true;
    this.#fresh.add(cell);
  }

  /** `#outdated` for a key that is to be written: in nearly all cases two numbers tell. */
  #isOutdated(cell: Cell): boolean {
    const { firstUnit, version } = this.#context;
    if (cell.unit >= firstUnit) return false;
    const { entry } = cell;
    if (entry.hlc < version.hlc && this.#clearedAt.hlc < version.hlc) return false;
    return this.#outdated(entry.version, cell.key);
  }

  /**
   * True if what is there is as new as the current transaction, which has then been applied
   * before and must not change it. Throws if it is newer.
   */
  #outdated(there: Timestamp, what: string): boolean {
    const newest =
      compare(this.#clearedAt, there) > 0 && this.#clearedAt !== this.#context.version
        ? this.#clearedAt
        : there;
    if (newest === this.#context.version) return false;
    const order = compare(this.#context.version, newest);
    if (order > 0) return false;
    // The engine holds the transaction's first units: the entry is its own earlier change.
    if (order === 0 && this.#context.partlyStored) return false;
    if (order === 0) return true;
    const versions = `${keyOf(this.#context.version)} after ${keyOf(newest)}`;
    throw new ApplyOrderError(`a transaction arrived too late for ${what}: ${versions}`);
  }

  #evict(stepsMax = EVICTION_STEPS): void {
    const { memory } = this.#context;
    if (memory.bytes > memory.bytesMax) this.#others.largest().evict(stepsMax);
  }

  /** Clean cells, while the databases of the group have more than their memory. */
  evict(stepsMax: number): void {
    const clean = this.#flush?.generation ?? this.#generation;
    const { command, suspended } = this.#context;
    this.#knownStored -= this.#cache.evict(clean, stepsMax, command, suspended);
  }

  #flushed(flush: Flush): void {
    if (flush.era !== this.#era) return;
    this.#collections.written(flush.collections);
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
    this.#dirtyBytes += this.#collections.notWritten(flush.collections);
    for (const cell of flush.cells) {
      cell.captured = undefined;
      if (cell.dirtyIn === this.#generation) continue;
      cell.dirtyIn = this.#generation;
      this.#dirty.push(cell);
      this.#dirtyBytes += CELL_BYTES + cell.key.length + storedBytes(cell.entry);
    }
  }
}

/** For a command on strings, which takes pieces as one text. The content stays the same. */
export function joinPieces(cell: Cell, code: number): void {
  const { entry } = cell;
  const text = code === STRING.code ? textOf(entry.type, entry.value) : undefined;
  if (text === undefined) throw WRONG_TYPE;
  cell.entry = new Entry<Value>(STRING as ValueType, text, entry.deadline, entry.version);
}

function valueBytes(items: readonly StoredEntry[]): number {
  return items.reduce((bytes, { entry }) => bytes + storedBytes(entry), 0);
}

export function withoutValue({ key, slot, place, entry }: StoredEntry): StoredEntry {
  const { type, deadline, version } = entry;
  return { key, slot, place, entry: new Entry(type, '', deadline, version) };
}

function endOf(items: readonly StoredEntry[]): number {
  const last = items.at(-1);
  return last === undefined ? 0 : positionOf(last.slot, last.place);
}

/** Hash order. */
export function inOrder(a: StoredEntry, b: StoredEntry): number {
  return (
    positionOf(a.slot, a.place) - positionOf(b.slot, b.place) ||
    (a.key < b.key ? -1 : Number(a.key > b.key))
  );
}
