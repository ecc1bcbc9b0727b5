/**
 * How commands run now: what the databases of a group share while a transaction or a read runs. The
 * state machine sets it, the keyspaces read it and charge their writes to it.
 */
import { type Timestamp, ZERO } from '../../actors/accord/primitives/timestamp.ts';
import type { CacheMemory, Cell } from './cell-cache.ts';
import type { Entry } from './entry.ts';
import type { Keyspace } from './keyspace.ts';

/** The databases of a group, as each of them sees the others. */
export interface OtherDatabases {
  /** The one that clients select by this number. */
  of(database: number): Keyspace;
  /** Removes all keys of all of them. */
  clear(): void;
  /** Each of the two numbers means the other's database from now on. */
  swap(a: number, b: number): void;
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
}

/** How the commands of a transaction run. */
interface WriteContext {
  readonly version: Timestamp;
  readonly nowMs: number;
  /** The engine already holds the effects of its first units. */
  readonly partlyStored: boolean;
}

export class RunContext {
  version: Timestamp = ZERO;
  nowMs = 0;
  reading = false;
  partlyStored = false;
  /** Whether `find` counts: for reads whose reply a client gets. */
  counting = false;
  hits = 0;
  misses = 0;
  /** Counts units: a cell written by the current one carries its number. */
  unit = 0;
  /** Bytes written by the current unit. */
  unitBytes = 0;
  /** Changes of the current command, if it may write more than one key. */
  undo: Undo[] | undefined;
  /** Bytes of keys and values that one unit may write. */
  readonly unitWriteBytesMax: number;
  readonly memory: CacheMemory;
  #unitBytesBefore = 0;

  /** `cacheBytesMax`: memory for clean cells; unflushed ones are not counted. */
  constructor(cacheBytesMax: number, unitWriteBytesMax: number) {
    this.memory = { bytes: 0, bytesMax: cacheBytesMax };
    this.unitWriteBytesMax = unitWriteBytesMax;
  }

  beginWrite({ version, nowMs, partlyStored }: WriteContext): void {
    this.version = version;
    this.nowMs = nowMs;
    this.reading = false;
    this.partlyStored = partlyStored;
    this.beginUnit();
  }

  beginUnit(): void {
    this.unit += 1;
    this.unitBytes = 0;
  }

  /** A command that writes at most one key, as its last step, has nothing to undo. */
  beginCommand(mayWriteMany: boolean): void {
    this.undo = mayWriteMany ? [] : undefined;
    this.#unitBytesBefore = this.unitBytes;
  }

  /** After `UNIT_FULL`: undoes all changes of the command. */
  undoCommand(): void {
    const changes = this.undo ?? [];
    this.undo = undefined;
    for (const change of changes.toReversed()) change.keyspace.undo(change);
    this.unitBytes = this.#unitBytesBefore;
  }

  beginRead(nowMs: number): void {
    this.nowMs = nowMs;
    this.reading = true;
  }
}
