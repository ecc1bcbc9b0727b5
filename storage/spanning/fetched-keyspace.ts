/**
 * The keys of one database that other groups have sent for a transaction over several groups, while
 * it runs. What commands change here is seen by the commands behind them and forgotten with the
 * transaction: the groups of these keys run the same commands. So everything that decides a result,
 * such as the bytes that a write is charged with, is as in `group-keyspace.ts`.
 */
import { max, type Timestamp, ZERO } from '../../actors/accord/primitives/timestamp.ts';
import type { Arguments } from '../arguments.ts';
import { Cell } from '../keyspace/cell-cache.ts';
import {
  ABSENT,
  type Deadline,
  Entry,
  NO_DEADLINE,
  NONE,
  type StoredEntry,
} from '../keyspace/entry.ts';
import { joinPieces } from '../keyspace/group-keyspace.ts';
import { type Found, PAST_DEADLINE, RUN_ENDS } from '../keyspace/keyspace.ts';
import type { RunContext, Undo } from '../keyspace/run-context.ts';
import { redisSlotOf, slotOfText } from '../keyspace/slots.ts';
import { placeOfText } from '../place.ts';
import type { Steps } from '../steps.ts';
import { isCollection } from '../types/collection.ts';
import type { Value, ValueType } from '../types/value-type.ts';
import type { FetchedEntry } from './fetched-entries.ts';

export class FetchedKeyspace {
  readonly #context: RunContext;
  readonly #cells = new Map<string, Cell>();
  /** By Redis slot. */
  readonly #removedAt = new Map<number, Timestamp>();
  #clearedAt = ZERO;
  #isListed: boolean;
  /** Keys of the other groups, also those that were not sent. */
  #size: number;

  /** `isListed`: where commands list keys, `fetched` has all of them. */
  constructor(
    context: RunContext,
    fetched: readonly FetchedEntry[],
    { size, isListed }: { readonly size: number; readonly isListed: boolean },
  ) {
    this.#context = context;
    this.#size = size;
    this.#isListed = isListed;
    for (const { key, removedAt, entry } of fetched) {
      this.#removedAt.set(redisSlotOf(slotOfText(key)), removedAt);
      if (entry !== undefined) this.#cells.set(key, cellOf(key, entry));
    }
  }

  get size(): number {
    return this.#size;
  }

  /** All keys, in no order; undefined: there were too many to be sent. */
  listed(): StoredEntry[] | undefined {
    if (!this.#isListed) return undefined;
    return [...this.#cells.values()].filter(({ entry }) => entry.type !== NONE);
  }

  isAlive({ key, entry }: StoredEntry): boolean {
    return !entry.expired(this.#context.nowMs) || this.#living(this.#cells.get(key)) !== undefined;
  }

  clear(): void {
    this.#cells.clear();
    this.#size = 0;
    this.#isListed = true;
    this.#clearedAt = this.#context.version;
  }

  find(args: Arguments, i: number): Found | undefined {
    return this.#living(this.#cells.get(args.text(i)));
  }

  findNamed(key: string): Found | undefined {
    this.#context.need(slotOfText(key), true);
    return this.#living(this.#cells.get(key));
  }

  need(args: Arguments, i: number): void {
    this.#context.need(args.slot(i), true);
  }

  findOf<V extends Value>(type: ValueType<V>, args: Arguments, i: number): Found<V> | undefined {
    const cell = this.find(args, i) as Cell | undefined;
    if (cell !== undefined && cell.entry.type !== (type as ValueType)) joinPieces(cell, type.code);
    return cell as Found<V> | undefined;
  }

  *copyOf({ entry: { value } }: Found): Steps<Value> {
    return isCollection(value) ? yield* value.copy(this.#context.stepElements) : value;
  }

  edit(found: Found, bytes: number): void {
    const cell = found as Cell;
    const { value } = cell.entry;
    if (!isCollection(value)) throw new Error('a value that is replaced was to be changed');
    if (this.#context.learned !== undefined) throw RUN_ENDS;
    const { undo } = this.#context;
    this.#context.charge(bytes);
    if (undo === undefined) return;
    value.beginUndo();
    this.#noteUndo(undo, cell, value);
  }

  changed(found: Found): void {
    const cell = found as Cell;
    const { type, value, deadline } = cell.entry;
    const { unit, version } = this.#context;
    const empty = isCollection(value) && value.isEmpty;
    cell.unit = unit;
    cell.entry = empty ? this.#tombstone() : new Entry(type, value, deadline, version);
    this.#context.written?.add(cell.key);
    if (empty) this.#size -= 1;
    if (empty) this.#removedAt.set(redisSlotOf(cell.slot), version);
  }

  set<V extends Value>(
    args: Arguments,
    i: number,
    type: ValueType<V>,
    value: V,
    deadline: Deadline,
  ): void {
    if (this.#context.learned !== undefined) return;
    const key = args.text(i);
    const cell = this.#cells.get(key) ?? cellOf(key, ABSENT);
    this.#cells.set(key, cell);
    this.#write(cell, new Entry<Value>(type as ValueType, value, deadline, this.#context.version));
  }

  replace<V extends Value>(found: Found, type: ValueType<V>, value: V, deadline: Deadline): void {
    const entry = new Entry<Value>(type as ValueType, value, deadline, this.#context.version);
    this.#write(found as Cell, entry);
  }

  remove(found: Found): void {
    this.#write(found as Cell, this.#tombstone());
  }

  lastRemoval(args: Arguments, i: number): Timestamp {
    return max(this.#clearedAt, this.#removedAt.get(redisSlotOf(args.slot(i))) ?? ZERO);
  }

  /** After `UNIT_FULL`. */
  undo({ cell, entry, unit, removedAt, edited }: Undo): void {
    edited?.rollBack();
    this.#count(cell.entry, entry);
    cell.entry = entry;
    cell.unit = unit;
    this.#removedAt.set(redisSlotOf(cell.slot), removedAt);
  }

  #living(cell: Cell | undefined): Cell | undefined {
    if (cell === undefined || cell.entry.type === NONE) return undefined;
    if (!cell.entry.expired(this.#context.nowMs)) return cell;
    if (this.#context.learned !== undefined) return undefined;
    if (this.#context.reading) throw PAST_DEADLINE;
    this.#write(cell, this.#tombstone());
    return undefined;
  }

  #write(cell: Cell, entry: Entry): void {
    if (this.#context.learned !== undefined) return;
    const { undo, unit } = this.#context;
    this.#context.chargeWrite(cell, entry);
    if (undo !== undefined) this.#noteUndo(undo, cell, undefined);
    const isRemoval = entry.type === NONE && cell.entry.type !== NONE;
    if (isRemoval) this.#removedAt.set(redisSlotOf(cell.slot), this.#context.version);
    cell.unit = unit;
    this.#count(cell.entry, entry);
    cell.entry = entry;
    // This group may answer with it before the key's own one has executed.
    this.#context.written?.add(cell.key);
  }

  #count(before: Entry, after: Entry): void {
    this.#size += Number(after.type !== NONE) - Number(before.type !== NONE);
  }

  #noteUndo(undo: Undo[], cell: Cell, edited: Undo['edited']): void {
    const { entry, unit } = cell;
    const removedAt = this.#removedAt.get(redisSlotOf(cell.slot)) ?? ZERO;
    undo.push({ keyspace: this, cell, entry, unit, removedAt, edited });
  }

  #tombstone(): Entry {
    return new Entry(NONE, '', NO_DEADLINE, this.#context.version);
  }
}

function cellOf(key: string, entry: Entry): Cell {
  return new Cell(key, 0, slotOfText(key), placeOfText(key), entry, -1, false);
}
