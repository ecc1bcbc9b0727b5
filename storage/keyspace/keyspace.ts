/**
 * The keys that a command runs against: those of one database. Commands know nothing else of
 * storage: whether the keys are those of a group (`group-keyspace.ts`) or were fetched from several
 * is not their business.
 */
import type { Timestamp } from '../../actors/accord/primitives/timestamp.ts';
import type { Arguments } from '../arguments.ts';
import type { ClusterSettings, RowChange } from '../cluster-settings.ts';
import type { ScriptLimits } from '../script-limits.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { Steps } from '../steps.ts';
import type { TopologyRules } from '../topology-rules.ts';
import type { Thresholds } from '../types/thresholds.ts';
import type { Value, ValueType } from '../types/value-type.ts';
import type { Deadline, Entry, StoredEntry } from './entry.ts';
import type { EventClass } from './key-events.ts';
import type { SideEffects } from './side-effects.ts';

/** The time of a read that knows none: later than every deadline, so that it decides on none. */
export const TIME_UNKNOWN_MS = Infinity;

/** Thrown (without a stack, and never out of this room) by `find` and `isAlive` during a read. */
export const PAST_DEADLINE = Symbol('a key is physically there but past its deadline');

/** Thrown in the same way by a write that exceeds the unit's limit; the write is not done. */
export const UNIT_FULL = Symbol('the unit would write more than it may');

/** Thrown in the same way by `findOf`. */
export const WRONG_TYPE = Symbol('the key holds a value of another type');

/** Thrown in the same way by a command after which the rest of its unit is not to run. */
export const UNIT_ENDS = Symbol('the rest of the unit does not run');

/** Thrown in the same way by `findNamed`, and only by it. */
export const KEY_OUTSIDE = Symbol('the transaction does not have the key in its footprint');

/**
 * Thrown in the same way by a look-up: rows of a collection are to be loaded, in steps, and then
 * the command runs once more from its beginning.
 */
export const NOT_LOADED = Symbol('the rows of a collection are not in memory');

/**
 * Thrown by changes of large collections in a run that only learns which keys a command needs.
 * Other writes do nothing there.
 */
export const RUN_ENDS = Symbol('nothing is written, so the run can only end');

/** A key that exists. Good until the next look-up: another one may evict it. */
export interface Found<V extends Value = Value> {
  readonly key: string;
  readonly entry: Entry<V>;
}

/** Of `Keyspace.nothingYet`. */
export interface NothingOptions {
  readonly again?: readonly string[] | undefined;
  readonly group?: string;
  /** All keys of the client, where some of them are of other groups. */
  readonly allKeys?: readonly string[];
}

export interface KeyPage {
  readonly items: readonly StoredEntry[];
  /** Position of the next page; 0 after the last one. */
  readonly next: number;
}

export interface Keyspace {
  /** The time of the current commands: milliseconds since the Unix epoch. */
  readonly nowMs: number;
  /** The version under which commands run now. */
  readonly version: Timestamp;
  /** They are of a read, between two transactions. */
  readonly reading: boolean;
  readonly thresholds: Thresholds;
  readonly scriptLimits: ScriptLimits;
  /** The cluster's table, in the meta group. */
  readonly settings: ClusterSettings;
  /** A command that goes through more elements pauses behind each so many: see `Command.run`. */
  readonly stepElements: number;
  /** Keys, including those past their deadline that no transaction has removed yet. */
  readonly size: number;

  /** Keys of which a command beside others of its unit or script may tell the names. */
  readonly keysInUnitMax: number;

  /** The position behind all keys of the group; `POSITIONS` where it has all slots. */
  readonly end: number;

  /** Over several groups: a living key of any of them, at random; undefined: there is none. */
  anyKey?(): string | undefined;

  /**
   * The same, for a command beside others of its unit or script: all keys, in hash order.
   * Undefined: they are more than `keysInUnitMax`, or were so at the beginning in one group.
   */
  listed?(): readonly StoredEntry[] | undefined;

  /** The same of one Redis slot. */
  keysIn(redisSlot: number): number;

  /** Those of them that have a deadline. */
  volatileKeysIn(redisSlot: number): number;

  /** The Redis slot of the key with this number, from 0 to `size` - 1, in the order of slots. */
  slotOfNth(number: number): number;

  /**
   * The key in argument `i`, if it exists and is alive. A transaction first removes a key past its
   * deadline; a read cannot do that and throws `PAST_DEADLINE`.
   */
  find(args: Arguments, i: number): Found | undefined;

  /**
   * The same for a key that the arguments do not name. It must be in the footprint of the
   * transaction: otherwise no order with other transactions would be certain, and the run ends
   * (`KEY_OUTSIDE`). Look up all such keys before anything is written.
   */
  findNamed(key: string): Found | undefined;

  /**
   * Call it for the key in argument `i` of a command that another one runs: ends the run as
   * `findNamed` does.
   */
  need(args: Arguments, i: number): void;

  /** The same for one that looks at all keys. */
  needAll(): void;

  /**
   * The same where the command takes one type only: throws `WRONG_TYPE` for another one, which the
   * state machine answers. A command looks up all its keys before it writes and answers.
   */
  findOf<V extends Value>(type: ValueType<V>, args: Arguments, i: number): Found<V> | undefined;

  /**
   * The same for collections, large ones with all their rows. What was found stays good until the
   * end of the command, whatever is looked up later.
   */
  findCollection<V extends Value>(
    type: ValueType<V>,
    args: Arguments,
    i: number,
  ): Found<V> | undefined;

  /** Does for a key that `find` has just returned what `findCollection` does. */
  load(found: Found): void;

  /** The value for another key: of a large collection a copy, made in steps. */
  copyOf(found: Found): Steps<Value>;

  /**
   * Call it before the first change of a large collection that was loaded. `bytes`: of all names
   * and values that the command writes there, none for removals. They are charged to the unit:
   * throws `UNIT_FULL` with nothing changed. Afterwards the changes must not fail.
   */
  edit(found: Found, bytes: number): void;

  /** Call it after the last change: once for each `edit`. Removes a key without elements. */
  changed(found: Found): void;

  /**
   * The command has found no value of this type under its keys (indices), and its client waits for
   * one. `again`: the request that is to be repeated then, if it is not that of the client. `group`:
   * the consumer group of streams for which it waits.
   */
  nothingYet(
    args: Arguments,
    keys: readonly number[],
    type: ValueType,
    options?: NothingOptions,
  ): void;

  /**
   * Tells subscribers of keyspace events what was done to the key in argument `i`. Behind an event
   * of a collection that has lost its last element it tells of the removal of the key.
   */
  notify(kind: EventClass, event: string, args: Arguments, i: number): void;

  /** Of a script, where this node is to do its side effects. */
  readonly sideEffects: SideEffects | undefined;

  /** For this command; the same on every replica. */
  random(): SeededRandom;

  /** Stores a value under the key in argument `i`, present or not. */
  set<V extends Value>(
    args: Arguments,
    i: number,
    type: ValueType<V>,
    value: V,
    deadline: Deadline,
  ): void;

  /** The same for a key that `find` has just returned. */
  replace<V extends Value>(found: Found, type: ValueType<V>, value: V, deadline: Deadline): void;

  /** Removes a key that `find` has just returned. */
  remove(found: Found): void;

  /** Version of the last transaction that removed a key of the slot of the key in argument `i`. */
  lastRemoval(args: Arguments, i: number): Timestamp;

  /** The same of the last one that gave the number of a database another meaning. */
  swappedAt(database: number): Timestamp;

  /** Removes all keys. */
  clear(): void;

  /** Removes all keys of all databases. */
  clearAll(): void;

  /** The database that clients select by this number, below `DATABASES`. */
  in(database: number): Keyspace;

  /** The settings of the cluster: rows of a database of their own. */
  table(): Keyspace;

  /** These changes of rows of the table, which are made, count from now on. */
  tableChanged(changes: readonly RowChange[]): void;

  /** Those of the cluster's topology; only in the meta group. */
  readonly topologyRules: TopologyRules;

  /** Each of the two numbers means the other's database from now on. */
  swap(a: number, b: number): void;

  /**
   * Keys in hash order from a position on: `limit` of them, a few more (see SlotIndex.page) or
   * fewer. A key that exists during a whole walk from 0 until `next` is 0 is in exactly one of its
   * pages. `keysOnly`, where no key has a deadline: values are not read.
   */
  page(position: number, limit: number, keysOnly?: boolean): KeyPage;

  /**
   * The next `limit` keys in hash order, and those that share the last one's position: the same on
   * every replica, whatever each has flushed, so that a transaction may act on them. Fewer where
   * keys or values are long. Omits values that are not in memory.
   */
  exactPage(position: number, limit: number): KeyPage;

  /**
   * Whether a key of a page is alive. Like in `find`, a transaction removes it if it is past its
   * deadline, so that no read with another clock finds it again; a read throws `PAST_DEADLINE`.
   */
  isAlive(item: StoredEntry): boolean;
}
