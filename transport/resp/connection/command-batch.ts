/**
 * Commands for the store with everything that the coordinator needs: their bytes, their conflict
 * slots, and whether they only read. A unit has one for each of its parts; a MULTI block is one,
 * and becomes part of a unit at EXEC.
 */
import type { Arguments } from '../../../storage/arguments.ts';
import { keysAmong } from '../../../storage/commands/command.ts';
import { databaseOfHead, headIn } from '../../../storage/transaction-body.ts';
import { CallTally } from '../call-tally.ts';
import { ByteRuns } from '../codec/byte-runs.ts';
import { KEYS_LISTED, KEYS_NONE, KEYS_ONE, type StoreRoute } from '../routes.ts';
import type { OwnCommand } from './watched-keys.ts';

/** Of a command that names no key: a script without one, or one whose arguments are wrong. */
const SLOT_OF_NO_KEY = 0;

export class CommandBatch {
  /** Commands that need the store. */
  count = 0;
  readonly runs = new ByteRuns();
  slots: number[] = [];
  wholeStore = false;
  /** Every command reads exactly one key, or walks the keys (SCAN). */
  readOnly = true;
  /** Behind the last command that writes, or belongs to a MULTI block. */
  readsFrom = 0;
  calls = new CallTally();
  /** That of the last command. */
  #database = 0;

  /** The request array, for a database, is `[start, end)` of `buffer`, `args` a view of it. */
  addCommand(
    route: StoreRoute,
    args: Arguments,
    buffer: Uint8Array,
    start: number,
    end: number,
    database: number,
  ): void {
    this.#addBytes(buffer, start, end, database);
    this.count += 1;
    this.calls.add(route);
    if (route.keys === KEYS_ONE) {
      this.slots.push(args.slot(route.firstKey));
      if (route.writes) this.#noteWrite();
    } else {
      this.#addRare(route, args);
    }
  }

  /** A command that is no client's; it is not counted as a call. */
  addOwn({ bytes, slots, database }: OwnCommand): void {
    this.#addBytes(bytes, 0, bytes.length, database);
    this.count += 1;
    for (const slot of slots) this.slots.push(slot);
  }

  addBatch(batch: CommandBatch): void {
    if (batch.count === 0) return;
    const bytes = batch.runs.take();
    const database = databaseOfHead(bytes[0] as number) ?? 0;
    this.#addBytes(bytes, 0, bytes.length, database);
    this.#database = batch.#database;
    for (const slot of batch.slots) this.slots.push(slot);
    this.count += batch.count;
    this.calls.addAll(batch.calls);
    this.wholeStore ||= batch.wholeStore;
    this.readOnly &&= batch.readOnly;
  }

  /** A command whose keys only show while it runs. */
  protected addFinder(): void {
    this.readOnly = false;
  }

  /** The keys of a command alone. */
  addKeys(route: StoreRoute, args: Arguments): void {
    const { keys } = route.command;
    if (route.keys === KEYS_NONE) return;
    if (typeof keys === 'string') {
      this.wholeStore = true;
      return;
    }
    const named = keysAmong(keys, args);
    // A transaction without any slot would have no place among the others.
    if (named.length === 0) this.slots.push(SLOT_OF_NO_KEY);
    for (const i of named) this.slots.push(args.slot(i));
  }

  /** Names the database where it is another one than that of the command before. */
  #addBytes(buffer: Uint8Array, start: number, end: number, database: number): void {
    if (database === this.#database) return this.runs.add(buffer, start, end);
    this.#database = database;
    this.runs.add(Uint8Array.of(headIn(database)), 0, 1);
    this.runs.add(buffer, start + 1, end);
  }

  #addRare(route: StoreRoute, args: Arguments): void {
    if (route.command.findsKeys?.(args) === true) this.addFinder();
    const before = this.slots.length;
    this.addKeys(route, args);
    if (route.writes) this.#noteWrite();
    if (route.keys === KEYS_LISTED) {
      if (this.slots.length - before !== 1) this.readOnly = false;
    } else if (!route.walksKeys) {
      this.readOnly = false;
    }
  }

  #noteWrite(): void {
    this.readOnly = false;
    this.readsFrom = this.count;
  }
}
