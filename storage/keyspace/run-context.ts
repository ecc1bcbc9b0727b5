/**
 * How commands run now: what the databases of a group share while a transaction or a read runs. The
 * state machine sets it, the keyspaces read it and charge their writes to it.
 */
import { type Timestamp, ZERO } from '../../actors/accord/primitives/timestamp.ts';
import { type BodySettings, STANDARD_SETTINGS } from '../body-settings.ts';
import { type ClusterSettings, NO_SETTINGS, type RowChange } from '../cluster-settings.ts';
import { SeededRandom } from '../seeded-random.ts';
import type { Steps } from '../steps.ts';
import type { TopologyRules } from '../topology-rules.ts';
import { type Collection, isCollection } from '../types/collection.ts';
import type { CacheMemory, Cell } from './cell-cache.ts';
import { type Entry, NONE, storedBytes } from './entry.ts';
import { type Footprint, hasSlot } from './footprint.ts';
import type { KeyEvents } from './key-events.ts';
import { KEY_OUTSIDE, type Keyspace, NOT_LOADED, UNIT_FULL } from './keyspace.ts';
import { SideEffects } from './side-effects.ts';
import type { Nothing, WaitedKeys } from './waited-keys.ts';
import type { WrittenKeys } from './written-keys.ts';

const NO_COMMAND = -1;

/** The databases of a group, as each of them sees the others. */
export interface OtherDatabases {
  /** The one that clients select by this number. */
  of(database: number): Keyspace;
  /** Removes all keys of all of them. */
  clear(): void;
  table(): Keyspace;
  tableChanged(changes: readonly RowChange[]): void;
  readonly topologyRules: TopologyRules;
  /** Each of the two numbers means the other's database from now on. */
  swap(a: number, b: number): void;
  /** The number that clients select for a database. */
  selected(physical: number): number;
  /** Version of the last transaction that did so with the number. */
  swappedAt(database: number): Timestamp;
  /** The one whose cache is the largest. */
  largest(): { evict(stepsMax: number): void };
}

/** A change of a command, to be undone. */
export interface Undo {
  readonly keyspace: { undo(change: Undo): void };
  readonly cell: Cell;
  readonly entry: Entry;
  readonly unit: number;
  /** The mark of the key's slot. */
  readonly removedAt: Timestamp;
  /** It was changed in place. */
  readonly edited: Collection | undefined;
}

/** Belongs to the command between two steps of which a read runs. */
interface Suspended {
  readonly nowMs: number;
  readonly reading: boolean;
  readonly counting: boolean;
  readonly command: number;
  readonly random: SeededRandom | undefined;
  readonly events: KeyEvents | undefined;
}

/** How the commands of a transaction run. */
interface WriteContext {
  readonly version: Timestamp;
  readonly nowMs: number;
  /** The engine already holds the effects of its first units. */
  readonly partlyStored: boolean;
  readonly footprint: Footprint;
  /** It was executed before, and subscribers have been told. */
  readonly isRepeated: boolean;
  readonly settings: BodySettings;
}

export class RunContext {
  version: Timestamp = ZERO;
  nowMs = 0;
  reading = false;
  partlyStored = false;
  /** The transaction was executed before. */
  isRepeated = false;
  footprint: Footprint;
  /** Of the keys that the arguments of a command do not name, while a run only learns them. */
  learned: Set<number> | undefined;
  /** It has learned that all keys are needed. */
  learnedAll = false;
  /** Whether `find` counts: for reads whose reply a client gets. */
  counting = false;
  hits = 0;
  misses = 0;
  /** Keys that were removed since their deadline had passed. */
  expired = 0;
  /** Counts units: a cell written by the current one carries its number. */
  unit = 0;
  /** The first one of the current transaction. */
  firstUnit = 1;
  /** Bytes written by the current unit. */
  unitBytes = 0;
  /** Changes of the current command, if it may write more than one key. */
  undo: Undo[] | undefined;
  /** Bytes of keys and values that one unit may write. */
  readonly unitWriteBytesMax: number;
  readonly keysInUnitMax: number;
  readonly memory: CacheMemory;
  /** Those of the transaction. */
  runSettings: BodySettings = STANDARD_SETTINGS;
  settings: ClusterSettings = NO_SETTINGS;
  /** Whether the client of the command waits where the command finds nothing. */
  mayWait = false;
  /** The command has found nothing, and its client waits. */
  nothing: Nothing | undefined;
  /** Keys for which clients of this node wait; undefined: none. */
  waited: WaitedKeys | undefined;
  /** Takes the keys that are written; undefined: no client of this node keeps any. */
  written: WrittenKeys | undefined;
  /** Of scripts, to be done by this node. */
  readonly sideEffects = new SideEffects();
  /** Those of the current command are this node's: its client waits for the reply. */
  hasSideEffects = false;
  /** Takes what is told of keys; undefined: nothing is. */
  events: KeyEvents | undefined;
  /** The same, as the cluster's settings are now. */
  keyEvents: KeyEvents | undefined;
  #eventsBefore = 0;
  /** Counts commands and reads. */
  #commands = 0;
  /** The number of the one that runs, */
  command = 0;
  /** and of the one between two steps of which it runs. */
  suspended = NO_COMMAND;
  readonly stepElements: number;
  /** Whether long loads end the run, and are done in steps before it begins anew. */
  mayPause = false;
  #missing: (() => Steps) | undefined;
  /** The largest number that a collection of the group has had. */
  lastCollection: number;
  #unitBytesBefore = 0;
  #hitsBefore = 0;
  #missesBefore = 0;
  /** The place of the current unit in its transaction, and of the command in its unit. */
  #unitIndex = 0;
  #commandIndex = 0;
  #random: SeededRandom | undefined;

  /** `cacheBytesMax`: memory for clean cells; unflushed ones are not counted. */
  constructor(options: {
    readonly cacheBytesMax: number;
    readonly unitWriteBytesMax: number;
    readonly keysInUnitMax: number;
    readonly stepElements: number;
    readonly lastCollection: number;
  }) {
    this.stepElements = options.stepElements;
    this.lastCollection = options.lastCollection;
    this.memory = { bytes: 0, bytesMax: options.cacheBytesMax };
    this.unitWriteBytesMax = options.unitWriteBytesMax;
    this.keysInUnitMax = options.keysInUnitMax;
  }

  beginWrite(context: WriteContext): void {
    const { version, nowMs, partlyStored, footprint, isRepeated, settings } = context;
    this.events = isRepeated ? undefined : this.keyEvents;
    this.isRepeated = isRepeated;
    this.runSettings = settings;
    this.footprint = footprint;
    if (version !== this.version) this.firstUnit = this.unit + 1;
    this.version = version;
    this.nowMs = nowMs;
    this.reading = false;
    this.partlyStored = partlyStored;
    this.#unitIndex = 0;
    this.beginUnit();
  }

  /** A command needs a key of this slot that its arguments do not name. */
  need(slot: number, ofGroup: boolean): void {
    if (this.learned !== undefined) {
      this.learned.add(slot);
      return;
    }
    if (!ofGroup || !hasSlot(this.footprint, slot)) throw KEY_OUTSIDE;
  }

  /** A command looks at keys that nobody names. `isOnly`: no other group has any. */
  needAll(isOnly: boolean): void {
    if (this.learned !== undefined) this.learnedAll = true;
    else if (!isOnly || this.footprint !== undefined) throw KEY_OUTSIDE;
  }

  beginUnit(): void {
    this.unit += 1;
    this.unitBytes = 0;
    this.#unitIndex += 1;
    this.#commandIndex = 0;
  }

  /** A command that writes at most one key, as its last step, has nothing to undo. */
  beginCommand(mayWriteMany: boolean): void {
    if (this.undo !== undefined) for (const { edited } of this.undo) edited?.endUndo();
    this.#commands += 1;
    this.command = this.#commands;
    this.#commandIndex += 1;
    this.#hitsBefore = this.hits;
    this.#missesBefore = this.misses;
    this.#random = undefined;
    this.undo = mayWriteMany ? [] : undefined;
    this.#unitBytesBefore = this.unitBytes;
    this.#eventsBefore = this.events?.count ?? 0;
    this.sideEffects.beginCommand();
  }

  /** After `UNIT_FULL`: undoes all changes of the command. */
  undoCommand(): void {
    const changes = this.undo ?? [];
    this.undo = undefined;
    for (const change of changes.toReversed()) change.keyspace.undo(change);
    this.events?.take(this.#eventsBefore);
    this.sideEffects.undoCommand();
    this.unitBytes = this.#unitBytesBefore;
  }

  beginRead(nowMs: number): void {
    this.#hitsBefore = this.hits;
    this.#missesBefore = this.misses;
    this.nowMs = nowMs;
    this.reading = true;
    this.events = this.keyEvents;
    this.#eventsBefore = this.events?.count ?? 0;
    this.#commands += 1;
    this.command = this.#commands;
    this.#random = undefined;
  }

  /** Ends the run: these rows are to be loaded first. */
  load(rows: () => Steps): never {
    this.#missing = rows;
    // The run that begins anew counts them again.
    this.hits = this.#hitsBefore;
    this.misses = this.#missesBefore;
    this.events?.forgetMisses(this.#eventsBefore);
    throw NOT_LOADED;
  }

  /**
   * Loads the rows that the run which has ended with `NOT_LOADED` needs. The same command runs
   * again behind it, and draws the same random numbers.
   */
  loading(): Steps | undefined {
    const missing = this.#missing;
    this.#missing = undefined;
    this.#random = undefined;
    return missing?.();
  }

  /** A read is about to run between two steps of the current command. */
  suspend(): Suspended {
    const { nowMs, reading, counting, command, events } = this;
    this.suspended = command;
    return { nowMs, reading, counting, command, random: this.#random, events };
  }

  resume({ nowMs, reading, counting, command, random, events }: Suspended): void {
    this.events = events;
    this.suspended = NO_COMMAND;
    this.nowMs = nowMs;
    this.reading = reading;
    this.counting = counting;
    this.command = command;
    this.#random = random;
  }

  /** Of a read, whose reply no other replica computes, it only has to differ from the others. */
  random(): SeededRandom {
    if (this.#random === undefined) {
      const { hlc, node, store } = this.version;
      const place = this.reading ? this.command : (this.#unitIndex << 12) ^ this.#commandIndex;
      const high = Math.floor(hlc / 2 ** 32) ^ (node << 16) ^ (store << 8);
      this.#random = new SeededRandom(hlc, high, place);
    }
    return this.#random;
  }

  /** Charges bytes to the unit. */
  charge(bytes: number): void {
    const sum = this.unitBytes + bytes;
    if (bytes > 0 && sum > this.unitWriteBytesMax) throw UNIT_FULL;
    this.unitBytes = sum;
  }

  /**
   * Charges the write of an entry, before it; an earlier write of the same key no longer counts. In
   * all groups of a transaction alike, or the unit would end at different places.
   */
  chargeWrite(cell: Cell, entry: Entry): void {
    const before = cell.unit === this.unit ? writtenBytes(cell.key, cell.entry) : 0;
    const { value } = entry;
    const rows = isCollection(value) && value !== cell.entry.value ? entry.bytes : 0;
    this.charge(writtenBytes(cell.key, entry) + rows - before);
  }
}

/** A removal keeps no bytes, and of a large collection the rows count apart. */
function writtenBytes(key: string, entry: Entry): number {
  return entry.type === NONE ? 0 : key.length + storedBytes(entry);
}
