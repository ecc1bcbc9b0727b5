/**
 * The databases of a group. A client selects one of `DATABASES` by number; rows are kept under
 * physical numbers, and SWAPDB changes which number means which of them. A database costs memory
 * from its first use on. The state machine owns the object.
 */
import { type Timestamp, ZERO } from '../../actors/accord/primitives/timestamp.ts';
import {
  type ClusterSettings,
  changedSettings,
  NO_SETTINGS,
  type RowChange,
  settingsOf,
} from '../cluster-settings.ts';
import {
  type DatabaseMarks,
  type Engine,
  emptyMeta,
  type FlushBatch,
  type GroupMeta,
  type MachineGroup,
} from '../engine.ts';
import { ApplyOrderError, EngineError } from '../errors.ts';
import { DATABASES, TABLE_DATABASE } from '../limits.ts';
import type { TopologyRules } from '../topology-rules.ts';
import type { SearchedPlace } from './big-keys.ts';
import type { KeyspaceDigest } from './digest.ts';
import { GroupKeyspace } from './group-keyspace.ts';
import { type OtherDatabases, RunContext } from './run-context.ts';
import { POSITIONS, positionOf } from './slots.ts';
import { TableHash, type TableHashKey } from './table-hash.ts';

/** Rows of the table that are read at once. */
const PAGE_ROWS = 1_024;
/** A sample moves the mean time to live by so much of the difference, as in Redis. */
const TTL_SAMPLE_SHARE = 0.02;

interface DatabasesOptions {
  readonly engine: Engine;
  readonly group: MachineGroup;
  /** Bytes of memory for clean cells; unflushed ones are not counted. */
  readonly cacheBytesMax: number;
  /** Bytes of keys and values that one unit may write. */
  readonly unitWriteBytesMax: number;
  /** Keys that a list among other commands may have. */
  readonly keysInUnitMax: number;
  /** Elements that a command goes through in one step. */
  readonly stepElementsMax: number;
  /** A secret of this process. */
  readonly tableHashKey: TableHashKey;
  /** Where it is the meta group: by default every change is refused. */
  readonly topologyRules?: TopologyRules | undefined;
}

const NO_TOPOLOGY: TopologyRules = () => ({ changes: [], refused: 'no topology', answer: 0 });

/** A database that has keys, for INFO. */
export interface DatabaseReport {
  /** The number that clients select. */
  readonly database: number;
  readonly keys: number;
  readonly volatileKeys: number;
  /** Mean time that they have left, estimated from samples; 0 where none is known. */
  readonly ttlMs: number;
}

/** Changes on their way to the engine. */
export interface Capture {
  readonly batch: FlushBatch;
  /** Call it when the engine has written them, or not. */
  ended(error: EngineError | undefined): void;
}

/** The table, as the engine has it. */
function storedSettings(engine: Engine): ClusterSettings {
  const rows: [string, string][] = [];
  for (let from = 0; from < POSITIONS; ) {
    const page = engine.page(TABLE_DATABASE, from, POSITIONS, PAGE_ROWS);
    const last = page.at(-1);
    if (last === undefined) break;
    for (const { key, entry } of page) rows.push([key, String(entry.value)]);
    from = positionOf(last.slot, last.place) + 1;
  }
  return rows.length === 0 ? NO_SETTINGS : settingsOf(rows);
}

export class Databases implements OtherDatabases {
  readonly context: RunContext;
  /** The group has the cluster's table, and no keys. */
  readonly isMeta: boolean;
  readonly topologyRules: TopologyRules;
  readonly #engine: Engine;
  readonly #group: MachineGroup;
  readonly #hash: TableHash;
  /** Those in use, by physical number. */
  readonly #byNumber: (GroupKeyspace | undefined)[];
  /** The same by the number that clients select. */
  readonly #selected: (GroupKeyspace | undefined)[];
  /** The same in no order. */
  readonly #open: GroupKeyspace[] = [];
  /** By the number that clients select. */
  #marks: readonly DatabaseMarks[];
  /** Of the databases that are not in use, by physical number. */
  readonly #clearedAt: Timestamp[];
  #flushedSequence: number;
  /** Mean times to live, of what the expiry has looked at; by the number that clients select. */
  readonly #ttls: (number | undefined)[] = [];

  constructor(options: DatabasesOptions) {
    const { engine, group, stepElementsMax: stepElements } = options;
    const { id, fromSlot, toSlot } = group;
    this.isMeta = group.machine === 'meta';
    this.topologyRules = options.topologyRules ?? NO_TOPOLOGY;
    this.#engine = engine;
    this.#group = group;
    this.#hash = new TableHash(options.tableHashKey);
    const meta = engine.metaOf(id) ?? emptyMeta(group);
    if (meta.fromSlot !== fromSlot || meta.toSlot !== toSlot) {
      const slots = `${meta.fromSlot} to ${meta.toSlot}, not ${fromSlot} to ${toSlot}`;
      throw new EngineError('HOLO_STORE_DAMAGED', `a group has the slots from ${slots}`);
    }
    const { lastCollection } = meta;
    this.context = new RunContext({ ...options, stepElements, lastCollection });
    this.#marks = meta.databases;
    this.#clearedAt = [...meta.clearedAt];
    this.#flushedSequence = meta.appliedSequence;
    this.#byNumber = new Array<GroupKeyspace | undefined>(TABLE_DATABASE + 1).fill(undefined);
    this.#selected = new Array<GroupKeyspace | undefined>(DATABASES).fill(undefined);
    if (!this.isMeta) this.#use(this.#physical(0));
    for (const { database } of engine.countsOf(id)) this.#use(database);
    this.#assign();
    if (this.isMeta) this.context.settings = storedSettings(engine);
  }

  /** The same object until they change. */
  get settings(): ClusterSettings {
    return this.context.settings;
  }

  /** The last transaction whose effect is durable in the engine. */
  get flushedSequence(): number {
    return this.#flushedSequence;
  }

  of(database: number): GroupKeyspace {
    if (this.isMeta) return this.table();
    return this.#selected[database] ?? this.#use(this.#physical(database));
  }

  /** The numbers that clients select, of those in use. */
  get numbers(): number[] {
    return this.#selected.flatMap((keyspace, number) => (keyspace === undefined ? [] : [number]));
  }

  /** Those in use. */
  get open(): readonly GroupKeyspace[] {
    return this.#open;
  }

  /** Keys of all databases that clients can select. */
  get size(): number {
    return this.isMeta ? 0 : this.#sum((keyspace) => keyspace.size);
  }

  /** Keys with a deadline. */
  get volatileSize(): number {
    return this.#sum((keyspace) => keyspace.volatileSize);
  }

  /** Of keys and values, in memory or not. Adds up the slots of each database. */
  dataBytes(): number {
    return this.#sum((keyspace) => keyspace.dataBytes());
  }

  get cacheBytes(): number {
    return this.context.memory.bytes;
  }

  get cachedKeys(): number {
    return this.#sum((keyspace) => keyspace.cachedKeys);
  }

  get dirtyBytes(): number {
    return this.#sum((keyspace) => keyspace.dirtyBytes);
  }

  get unflushedBytes(): number {
    return this.#sum((keyspace) => keyspace.unflushedBytes);
  }

  /** The databases that have keys. */
  report(): DatabaseReport[] {
    return this.withKeys().map(({ database, keyspace }) => {
      const { size: keys, volatileSize: volatileKeys } = keyspace;
      return { database, keys, volatileKeys, ttlMs: volatileKeys > 0 ? this.#ttlMs(database) : 0 };
    });
  }

  /** Keys of the database have so much time left, in the mean of a sample. */
  sampleTtl(database: number, ttlMs: number): void {
    const before = this.#ttls[database];
    const share = before === undefined ? 1 : TTL_SAMPLE_SHARE;
    this.#ttls[database] = (before ?? 0) + share * (ttlMs - (before ?? 0));
  }

  #ttlMs(database: number): number {
    return this.#ttls[database] ?? 0;
  }

  /** The same, to look at. */
  withKeys(): SearchedPlace[] {
    const found: SearchedPlace[] = [];
    for (let database = 0; database < DATABASES; database += 1) {
      const keyspace = this.#selected[database];
      if (keyspace === undefined || keyspace.size === 0) continue;
      found.push({ database, keyspace });
    }
    return found;
  }

  // For the keyspaces.

  clear(): void {
    for (const [database, version] of this.#clearedAt.entries()) {
      const keyspace = this.#byNumber[database];
      if (keyspace !== undefined) keyspace.clear();
      else if (version !== this.context.version) this.#clearedAt[database] = this.context.version;
    }
    this.context.unitBytes = 0;
  }

  table(): GroupKeyspace {
    return this.#use(TABLE_DATABASE);
  }

  tableChanged(changes: readonly RowChange[]): void {
    this.context.settings = changedSettings(this.context.settings, changes);
  }

  swap(a: number, b: number): void {
    const swappedAt = this.context.version;
    const [first, second] = [this.#physical(a), this.#physical(b)];
    this.#marks = this.#marks.with(a, { physical: second, swappedAt });
    this.#marks = this.#marks.with(b, { physical: first, swappedAt });
    this.#assign();
    if (this.context.waited !== undefined) this.context.waited.isLost = true;
    this.context.written?.addAll();
  }

  /** The number that clients select for a database. */
  selected(physical: number): number {
    return this.#marks.findIndex((marks) => marks.physical === physical);
  }

  swappedAt(database: number): Timestamp {
    return this.#marksOf(database).swappedAt;
  }

  largest(): GroupKeyspace {
    let largest = this.#open[0] as GroupKeyspace;
    for (const keyspace of this.#open) {
      if (keyspace.cacheBytes > largest.cacheBytes) largest = keyspace;
    }
    return largest;
  }

  // Towards the engine.

  /**
   * All changes so far, for one step of the engine to the state after transaction `appliedSequence`
   * and the first units of the next. Constant work, and some for each large collection that has
   * changed. One at a time.
   */
  capture(appliedSequence: number, appliedUnits: number): Capture {
    if (appliedUnits > 0) this.context.partlyStored = true;
    const { id, fromSlot, toSlot } = this.#group;
    const clearedAt = this.#clearedAt.map(
      (version, database) => this.#byNumber[database]?.clearedAt ?? version,
    );
    const captures = this.#open.map((keyspace) => keyspace.capture());
    const meta: GroupMeta = {
      ...{ id, fromSlot, toSlot, appliedSequence, appliedUnits, clearedAt },
      databases: this.#marks,
      ...{ lastCollection: this.context.lastCollection, phase: 'open' },
    };
    return {
      batch: { meta, databases: captures.map(({ batch }) => batch) },
      ended: (error) => {
        if (error === undefined) this.#flushedSequence = appliedSequence;
        for (const capture of captures) capture.ended(error);
      },
    };
  }

  /** When keys were last removed, and what the numbers mean, as replicas must agree. */
  addMarks(digest: KeyspaceDigest): void {
    for (const [database, version] of this.#clearedAt.entries()) {
      const keyspace = this.#byNumber[database];
      if (keyspace !== undefined) keyspace.addRemovals(digest);
      else digest.addRemoval(database, -1, version);
    }
    for (const [database, { physical, swappedAt }] of this.#marks.entries()) {
      digest.addDatabase(database, physical, swappedAt);
    }
  }

  #physical(database: number): number {
    return this.#marksOf(database).physical;
  }

  #marksOf(database: number): DatabaseMarks {
    const marks = this.#marks[database];
    if (marks === undefined) throw new ApplyOrderError(`there is no database ${database}`);
    return marks;
  }

  #use(physical: number): GroupKeyspace {
    const known = this.#byNumber[physical];
    if (known !== undefined) return known;
    const blocks = this.#engine.countsOf(this.#group.id);
    const keyspace = new GroupKeyspace({
      engine: this.#engine,
      group: this.#group,
      database: physical,
      blocks: blocks.filter(({ database }) => database === physical),
      clearedAt: this.#clearedAt[physical] ?? ZERO,
      context: this.context,
      hash: this.#hash,
      others: this,
    });
    this.#byNumber[physical] = keyspace;
    this.#open.push(keyspace);
    this.#assign();
    return keyspace;
  }

  #assign(): void {
    for (const [database, { physical }] of this.#marks.entries()) {
      this.#selected[database] = this.#byNumber[physical];
    }
  }

  #sum(of: (keyspace: GroupKeyspace) => number): number {
    let sum = 0;
    for (const keyspace of this.#open) sum += of(keyspace);
    return sum;
  }
}
