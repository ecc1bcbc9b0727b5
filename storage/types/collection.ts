/**
 * A large collection: a value that commands change in place, one row of the engine at a time. The
 * types derive from it; `packed.ts` is the form of the small ones, and content alone decides which
 * form a value has. A type holds the elements and says what its rows are. This class knows which
 * rows have changed: for the flush (also of rows that change while it is under way), and for a
 * command over several keys that must be undone. Nothing is copied but rows that change twice.
 *
 * The keyspace owns the objects: it loads their rows, captures and drops them. A command calls
 * `Keyspace.edit`, then methods of the type, then `Keyspace.changed`.
 */

import { forEachInSteps, type Steps } from '../steps.ts';
import { Pieces } from './pieces.ts';

export function isCollection(value: string | Pieces | Collection): value is Collection {
  return typeof value !== 'string' && !(value instanceof Pieces);
}

/** The name of a row in memory: a member, or the number of a chunk. */
type RowKey = string | number;

/** Approximate memory of an element beside its bytes: string headers and places in arrays. */
const ELEMENT_BYTES = 64;
/** Approximate bytes of a changed row on its way to the engine, beside its content. */
const ROW_BYTES = 64;

/** The row of the key itself: what is known of a collection before its rows are loaded. */
export interface CollectionHead {
  /** Names its rows among those of earlier collections under the same key; below 2^48. */
  readonly number: number;
  readonly label: number;
  /** Elements. */
  readonly count: number;
  readonly rows: number;
  /** Bytes of names and values. */
  readonly bytes: number;
}

/** A changed row: its place among the rows, its name, and its value; `undefined`: removed. */
type RowVisit = (order: number, name: string, value: string | undefined) => void;

export abstract class Collection<K extends RowKey = RowKey> {
  /** Which of the type's encodings OBJECT ENCODING tells; never goes back. */
  label: number;
  /** 0: the engine has no rows of it, and no name for them. */
  number = 0;
  /** It is the value of some key. `ChangedCollections` alone writes this and the next one. */
  attached = false;
  listed = false;
  /** Present while its rows are not in memory. */
  #stored: CollectionHead | undefined;
  /** Rows that have changed since the last capture. */
  #changed = new Set<K>();
  /** Rows that the flush in progress writes, */
  #captured: Set<K> | undefined;
  /** the head that goes with them, */
  #capturedHead: CollectionHead | undefined;
  /** those of them that it has not written yet, */
  #left: Iterator<K> | undefined;
  /** and the values of those that have changed since. */
  #before = new Map<K, string | undefined>();
  /** Values of the rows before the command that may be undone. */
  #undo: Map<K, string | undefined> | undefined;
  #undoLabel = 0;
  #growth = 0;
  #unflushedBytes = 0;
  #capturedBytes = 0;

  constructor(label: number, stored?: CollectionHead) {
    this.label = label;
    this.#stored = stored;
    if (stored === undefined) return;
    this.number = stored.number;
    this.attached = true;
  }

  /** Elements: LLEN, HLEN and the like. */
  abstract readonly count: number;
  abstract readonly rowCount: number;
  /** Bytes of all names and values, as a running sum. */
  abstract readonly contentBytes: number;
  /** The rows lie in the engine by this number, below 2^48, then by name. */
  abstract orderOf(key: K): number;
  abstract nameOf(key: K): string;
  abstract keyOf(order: number, name: string): K;
  /** The value of a row now (latin1). */
  abstract rowOf(key: K): string | undefined;
  /** Puts a row that the engine has, or that a command had changed; never calls `touch`. */
  abstract putRow(key: K, value: string | undefined): void;
  /** In an order that is the same on every replica. */
  abstract rowKeys(): Iterable<K>;
  /** Another one of the same label, without elements. */
  abstract emptyCopy(): Collection<K>;

  /** All rows of the engine were put, in their order; most types are complete by then. */
  protected *rowsLoaded(_each: number): Steps {
    yield;
  }

  get loaded(): boolean {
    return this.#stored === undefined;
  }

  /** Elements, loaded or not. */
  get size(): number {
    return this.#stored?.count ?? this.count;
  }

  /** Approximate memory, as if it were loaded. */
  get bytes(): number {
    const stored = this.#stored;
    if (stored !== undefined) return stored.bytes + this.overheadOf(stored.count, stored.rows);
    return this.contentBytes + this.overheadOf(this.count, this.rowCount);
  }

  /** Approximate memory beside the bytes of names and values. */
  protected overheadOf(elements: number, _rows: number): number {
    return elements * ELEMENT_BYTES;
  }

  /** A key without elements is removed, of most types. */
  get isEmpty(): boolean {
    return this.count === 0;
  }

  /** Ends the loading; `false`: the rows are not those that the head counts. */
  *endLoad(each: number): Steps<boolean> {
    const stored = this.#stored;
    yield* this.rowsLoaded(each);
    this.#stored = undefined;
    return (
      stored === undefined ||
      (stored.count === this.count &&
        stored.rows === this.rowCount &&
        stored.bytes === this.contentBytes)
    );
  }

  /** Call it before a row changes, any number of times. */
  protected touch(key: K): void {
    if (this.#undo !== undefined && !this.#undo.has(key)) this.#undo.set(key, this.rowOf(key));
    if (this.#captured?.has(key) === true && !this.#before.has(key)) {
      this.#before.set(key, this.rowOf(key));
    }
    if (this.#changed.has(key)) return;
    this.#changed.add(key);
    this.#growth += ROW_BYTES + (typeof key === 'string' ? key.length : 0);
  }

  /** A collection of the same elements that no key has yet: all its rows are new. */
  *copy(each: number): Steps<Collection<K>> {
    const copy = this.emptyCopy();
    yield* forEachInSteps(this.rowKeys(), each, (key) => {
      copy.touch(key);
      copy.putRow(key, this.rowOf(key));
    });
    return copy;
  }

  /** A command writes so many bytes to rows. */
  written(bytes: number): void {
    this.#growth += bytes;
  }

  /** Unflushed bytes that were not asked for yet. */
  takeGrowth(): number {
    const growth = this.#growth;
    this.#growth = 0;
    this.#unflushedBytes += growth;
    return growth;
  }

  get unflushedBytes(): number {
    return this.#unflushedBytes;
  }

  /** From here on until `endUndo` its changes can be undone. */
  beginUndo(): void {
    if (this.#undo !== undefined) return;
    this.#undo = new Map();
    this.#undoLabel = this.label;
  }

  endUndo(): void {
    this.#undo = undefined;
  }

  /** Undoes all changes since `beginUndo`: rows go last one first, and come first one first. */
  rollBack(): void {
    const undo = this.#undo;
    if (undo === undefined) return;
    this.#undo = undefined;
    this.label = this.#undoLabel;
    const rows = [...undo].sort(([a], [b]) => this.orderOf(a) - this.orderOf(b));
    for (const [key, value] of rows.toReversed()) if (value === undefined) this.#restore(key);
    for (const [key, value] of rows) if (value !== undefined) this.#restore(key, value);
  }

  #restore(key: K, value?: string): void {
    this.touch(key);
    this.putRow(key, value);
  }

  /** The changed rows and the head are for a flush now, as they are. Constant work. */
  capture(number: number): void {
    if (this.number === 0) this.number = number;
    this.#capturedHead = this.headNow;
    this.#captured = this.#changed;
    this.#left = this.#changed.values();
    this.#changed = new Set();
    this.#capturedBytes = this.#unflushedBytes;
    this.#unflushedBytes = 0;
  }

  /** The head to be stored. */
  get head(): CollectionHead {
    return this.#capturedHead ?? this.headNow;
  }

  /** As its rows are now: they may have changed since those that a flush stores. */
  get headNow(): CollectionHead {
    const { number, label } = this;
    const stored = this.#stored;
    if (stored !== undefined) return { ...stored, number, label };
    return { number, label, count: this.count, rows: this.rowCount, bytes: this.contentBytes };
  }

  /** Visits the next captured rows, at most `limit`; how many; 0 at the end. */
  takeRows(limit: number, visit: RowVisit): number {
    let taken = 0;
    while (taken < limit) {
      const next = this.#left?.next();
      if (next === undefined || next.done === true) return taken;
      const key = next.value;
      const value = this.#before.has(key) ? this.#before.get(key) : this.rowOf(key);
      visit(this.orderOf(key), this.nameOf(key), value);
      taken += 1;
    }
    return taken;
  }

  /**
   * The captured rows were written; or not, and have changed again. Returns the bytes that are
   * unflushed again.
   */
  endCapture(written: boolean): number {
    const captured = this.#captured;
    const bytes = this.#capturedBytes;
    this.#captured = undefined;
    this.#capturedHead = undefined;
    this.#left = undefined;
    this.#before.clear();
    this.#capturedBytes = 0;
    if (written || captured === undefined) return 0;
    for (const key of captured) this.#changed.add(key);
    this.#unflushedBytes += bytes;
    return bytes;
  }
}
