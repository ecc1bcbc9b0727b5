/**
 * The state machines of the groups of one store, which share an engine: what they have changed
 * becomes durable together, in one step of the engine, with each group after one of its own
 * transactions. The executor owns them.
 */

import { type Timestamp, ZERO } from '../actors/accord/primitives/timestamp.ts';
import {
  type GroupId,
  GroupMap,
  isMetaGroup,
  isSameGroup,
  machineOf,
  shareSlots,
} from '../actors/accord/topology/group-id.ts';
import { type ClusterSettings, NO_SETTINGS } from './cluster-settings.ts';
import {
  type DatabaseBatch,
  type Engine,
  type EngineSnapshot,
  emptyMeta,
  type FlushBatch,
  type GroupSlots,
  hasEnded,
  type KeyRow,
  type MachineGroup,
  noChanges,
} from './engine.ts';
import { EngineError } from './errors.ts';
import { BigKeysSearch } from './keyspace/big-keys.ts';
import type { DatabaseReport } from './keyspace/databases.ts';
import { blocksWithin, type SlotBlock } from './keyspace/slot-counts.ts';
import { redisSlotOf, slotOfText } from './keyspace/slots.ts';
import { type ChunkCursor, firstCursor, readChunk } from './snapshots/chunk.ts';
import { describeGroup, type GroupDescription, Installation } from './snapshots/installation.ts';
import { wholeTable } from './snapshots/table-installation.ts';
import { StateMachine, type StateMachineOptions } from './state-machine.ts';

export interface StateMachinesOptions extends Omit<StateMachineOptions, 'group'> {
  readonly groups: readonly MachineGroup[];
  /** `needsFlush` is true from this many unflushed bytes on. */
  readonly dirtyBytesMax: number;
}

/** The last flush of a group to the engine. */
export interface FlushedGroup {
  readonly group: GroupId;
  readonly sequence: number;
}

interface GroupReport {
  readonly group: GroupId;
  readonly appliedSequence: number;
  readonly keys: number;
  /** Of keys and values, in memory or not. */
  readonly bytes: number;
}

/** The contents of a store, over all its groups, as they are when a field is read. */
export type StoreReport = Readonly<
  Pick<
    StateMachines,
    | 'appliedSequence'
    | 'flushedSequence'
    | 'size'
    | 'volatileSize'
    | 'hits'
    | 'misses'
    | 'cacheBytes'
    | 'unflushedBytes'
    | 'databases'
    | 'expiredKeys'
    | 'groups'
    | 'settings'
    | 'bytesOf'
  >
>;

interface Pinned {
  readonly view: EngineSnapshot;
  /** Of the successor. */
  readonly slots: GroupSlots;
  readonly description: readonly GroupDescription[];
}

/** Of a group as it was at its end. */
export type EndedChunk =
  | { readonly bytes: Uint8Array; readonly next: ChunkCursor }
  | { readonly bytes: Uint8Array; readonly description: readonly GroupDescription[] };

export interface InstalledChunk {
  readonly isFirst: boolean;
  readonly bytes: Uint8Array;
  /** With the last one. */
  readonly description?: readonly GroupDescription[] | undefined;
  /** With that: the place in the order up to which the data go; 0 by default, the beginning. */
  readonly sequence?: number | undefined;
}

/** A group that ends with its transaction `sequence`, and what follows it. */
export interface Division {
  readonly group: GroupId;
  readonly sequence: number;
  readonly successors: readonly GroupSlots[];
}

interface Held {
  readonly group: MachineGroup;
  readonly machine: StateMachine;
  readonly cacheBytesMax: number;
}

export class StateMachines {
  readonly #engine: Engine;
  readonly #dirtyBytesMax: number;
  readonly #options: StateMachinesOptions;
  readonly #held: Held[] = [];
  readonly #ofGroup = new GroupMap<StateMachine>();
  #flushing = false;
  /** Of groups that have ended meanwhile. */
  readonly #ended = { hits: 0, misses: 0, expiredKeys: 0 };
  #eventFlags = '';
  /** Groups whose data are coming in. */
  readonly #installations = new GroupMap<Installation>();
  /** Groups that are open in the engine, and void. */
  readonly #abandoned = new GroupMap<true>();
  /** By a group that has ended: a view of its data as they were then. */
  readonly #pinned = new GroupMap<Pinned>();

  /** `cacheBytesMax` is for all with keys together, and each of these has an equal share. */
  constructor(options: StateMachinesOptions) {
    const { engine, groups } = options;
    this.#engine = engine;
    this.#dirtyBytesMax = options.dirtyBytesMax;
    this.#options = options;
    const open = openGroups(engine, groups);
    const keyed = open.filter((group) => !isMeta(group)).length;
    this.#open(open, Math.floor(options.cacheBytesMax / Math.max(1, keyed)));
  }

  #open(groups: readonly MachineGroup[], share: number): void {
    for (const slots of groups) {
      const group = { ...slots, machine: machineOf(slots.id) };
      // The table is read as a whole, when it has changed.
      const cacheBytesMax = isMeta(group) ? 0 : share;
      const machine = new StateMachine({ ...this.#options, group, cacheBytesMax });
      machine.eventFlags = this.#eventFlags;
      this.#held.push({ group, machine, cacheBytesMax });
      this.#ofGroup.set(group.id, machine);
    }
  }

  /** Those with the keys of clients. */
  #keyed(): readonly Held[] {
    return this.#held.filter(({ group }) => !isMeta(group));
  }

  of(group: GroupId): StateMachine | undefined {
    return this.#ofGroup.get(group);
  }

  /** Those that have not ended. */
  get open(): readonly MachineGroup[] {
    return this.#held.map(({ group }) => group);
  }

  /** Of each group: transactions applied, and its keys. */
  get groups(): readonly GroupReport[] {
    return this.#held.map(({ group, machine }) => ({
      group: group.id,
      appliedSequence: machine.appliedSequence,
      keys: machine.size,
      bytes: machine.dataBytes(),
    }));
  }

  /** Applied transactions of all groups. */
  get appliedSequence(): number {
    return this.#sum((machine) => machine.appliedSequence);
  }

  /** Those that the engine holds. */
  get flushedSequence(): number {
    return this.#sum((machine) => machine.flushedSequence);
  }

  /**
   * The cluster's table, where the meta group is in this store; the same object until it changes.
   */
  get settings(): ClusterSettings {
    return this.#held.find(({ group }) => isMeta(group))?.machine.settings ?? NO_SETTINGS;
  }

  /** See `StateMachine.eventFlags`. */
  set eventFlags(flags: string) {
    this.#eventFlags = flags;
    for (const { machine } of this.#held) machine.eventFlags = flags;
  }

  /** Approximate memory of the value of a key; 0 if it is not in memory. */
  bytesOf(database: number, key: string): number {
    const slot = redisSlotOf(slotOfText(key));
    const holder = this.#keyed().find(({ group: { fromSlot, toSlot } }) => {
      return slot >= fromSlot && slot < toSlot;
    });
    return holder?.machine.bytesOf(database, key) ?? 0;
  }

  /** The databases that have keys, over all groups. */
  get databases(): readonly DatabaseReport[] {
    const held = this.#keyed();
    const [only] = held;
    if (held.length === 1 && only !== undefined) return only.machine.report();
    const found: DatabaseReport[] = [];
    for (const each of held.flatMap(({ machine }) => machine.report())) {
      const { database } = each;
      const at = found.findIndex((other) => other.database === database);
      const before = found[at] ?? { keys: 0, volatileKeys: 0, ttlMs: 0 };
      const volatileKeys = each.volatileKeys + before.volatileKeys;
      const ttlMs = each.ttlMs * each.volatileKeys + before.ttlMs * before.volatileKeys;
      const both = {
        database,
        keys: each.keys + before.keys,
        volatileKeys,
        ttlMs: ttlMs / Math.max(1, volatileKeys),
      };
      found.splice(at === -1 ? found.length : at, at === -1 ? 0 : 1, both);
    }
    return found.sort((a, b) => a.database - b.database);
  }

  /** For the largest keys of all groups; see `BigKeysSearch`. */
  searchBigKeys(count: number, keysMax: number): BigKeysSearch {
    const places = this.#held.flatMap(({ machine }) => machine.withKeys());
    return new BigKeysSearch(places, count, keysMax);
  }

  get flushed(): readonly FlushedGroup[] {
    return this.#held.map(({ group, machine }) => ({
      group: group.id,
      sequence: machine.flushedSequence,
    }));
  }

  /** Groups that have ended, with their last transactions. */
  get ended(): readonly FlushedGroup[] {
    const ended = this.#engine.groups.filter(hasEnded);
    return ended.map(({ id, appliedSequence }) => ({ group: id, sequence: appliedSequence }));
  }

  /** Groups whose data went with the store that was here before, and have not come in again. */
  get lost(): readonly GroupId[] {
    return this.#options.groups.flatMap(({ id }) => {
      const phase = this.#engine.metaOf(id)?.phase;
      return phase === 'lost' || phase === 'partial' ? [id] : [];
    });
  }

  hasEnded(group: GroupId): boolean {
    const meta = this.#engine.metaOf(group);
    return meta !== undefined && hasEnded(meta);
  }

  get size(): number {
    return this.#sum((machine) => machine.size);
  }

  get volatileSize(): number {
    return this.#sum((machine) => machine.volatileSize);
  }

  get hits(): number {
    return this.#ended.hits + this.#sum((machine) => machine.hits);
  }

  get misses(): number {
    return this.#ended.misses + this.#sum((machine) => machine.misses);
  }

  get expiredKeys(): number {
    return this.#ended.expiredKeys + this.#sum((machine) => machine.expiredKeys);
  }

  get cacheBytes(): number {
    return this.#sum((machine) => machine.cacheBytes);
  }

  get cachedKeys(): number {
    return this.#sum((machine) => machine.cachedKeys);
  }

  get dirtyBytes(): number {
    return this.#sum((machine) => machine.dirtyBytes);
  }

  /** Changed bytes that the engine does not hold yet, including those of a flush in progress. */
  get unflushedBytes(): number {
    // Asked before every unit.
    let sum = 0;
    for (const { machine } of this.#held) sum += machine.unflushedBytes;
    return sum;
  }

  /** It is time to flush: more than `dirtyBytesMax` has changed since the last capture. */
  get needsFlush(): boolean {
    return this.dirtyBytes >= this.#dirtyBytesMax;
  }

  /** Reads of keys that are not in memory have waited for the disk lately. */
  get readsAreSlow(): boolean {
    return this.#engine.isSlow;
  }

  /** As `Engine.readAhead`. */
  readAhead(rows: readonly KeyRow[], done: () => void): void {
    this.#engine.readAhead(rows, done);
  }

  get flushing(): boolean {
    return this.#flushing;
  }

  get hasUnflushed(): boolean {
    return this.#engine.hasDropped || this.#held.some(({ machine }) => machine.hasUnflushed);
  }

  /**
   * Writes all changes. `done` is called in a later turn; after an error all of them are unflushed
   * again. `false` (and no call) while a flush is in progress.
   */
  flush(done: (error: EngineError | undefined) => void): boolean {
    if (this.#flushing) return false;
    this.#flushing = true;
    const changed = this.#held.filter(({ machine }) => machine.hasUnflushed);
    const captures = changed.map(({ machine }) => machine.capture());
    this.#engine.commit(
      captures.map(({ batch }) => batch),
      (error) => {
        this.#flushing = false;
        for (const capture of captures) capture.ended(error);
        done(error);
      },
    );
    return true;
  }

  /** The engine holds all that the group has changed, and no commit is under way. */
  mayDivide(group: GroupId): boolean {
    return !this.#flushing && this.of(group)?.hasUnflushed === false;
  }

  /**
   * The groups end, and their successors hold their keys: in one step of the engine, in which no
   * row moves. Without a successor here the keys stay as they are, until `dropEnded`. `done` is
   * called in a later turn; after an error nothing has changed. Nothing may be applied to the
   * groups meanwhile.
   */
  divide(divisions: readonly Division[], done: (error: EngineError | undefined) => void): void {
    this.#flushing = true;
    this.#engine.commit(
      divisions.flatMap((each) => this.#divided(each)),
      (error) => {
        this.#flushing = false;
        if (error === undefined) for (const each of divisions) this.#follow(each);
        done(error);
      },
    );
  }

  #heldOf(group: GroupId): Held {
    const held = this.#held.find(({ group: { id } }) => isSameGroup(id, group));
    if (held === undefined) throw new Error('a group ends that is not here');
    return held;
  }

  /** The successors are open in its place. */
  #follow({ group, successors }: Division): void {
    const parent = this.#heldOf(group);
    const { hits, misses, expiredKeys } = parent.machine;
    this.#ended.hits += hits;
    this.#ended.misses += misses;
    this.#ended.expiredKeys += expiredKeys;
    this.#held.splice(this.#held.indexOf(parent), 1);
    this.#ofGroup.delete(group);
    const share = parent.cacheBytesMax / Math.max(1, successors.length);
    this.#open(successors, Math.floor(share));
  }

  /** The end of the group, and the beginning of its successors. */
  #divided({ group: id, sequence, successors }: Division): readonly FlushBatch[] {
    const appliedSequence = sequence;
    const { group } = this.#heldOf(id);
    const meta = this.#engine.metaOf(group.id) ?? emptyMeta(group);
    const counts = this.#engine.countsOf(group.id);
    const begun = successors.map(({ id, fromSlot, toSlot }) => ({
      meta: { ...meta, id, fromSlot, toSlot, appliedSequence: 0 },
      databases: countsAlone(counts, fromSlot, toSlot),
    }));
    // All others have the table, too.
    const isNeedless = successors.length === 0 && isMeta(group);
    if (isNeedless) return [this.#removal(group, appliedSequence)];
    const phase = successors.length === 0 ? 'left' : 'ended';
    return [{ meta: { ...meta, appliedSequence, phase }, databases: [] }, ...begun];
  }

  // ---- data that come and go with members -------------------------------------------------

  /** Groups that have ended here while their keys are still kept. */
  get left(): readonly GroupSlots[] {
    return this.#engine.groups.filter(({ phase }) => phase === 'left');
  }

  /**
   * Keeps a view of a group that has just ended, and whose data one successor has: for a new member
   * of that. Few can be kept, and none for long.
   */
  pin(group: GroupId, successor: GroupSlots): void {
    const view = this.#engine.snapshot();
    const meta = this.#engine.metaOf(successor.id);
    if (view === undefined || meta === undefined) return;
    const description = describeGroup(meta, this.#engine.countsOf(successor.id));
    this.#pinned.set(group, { view, slots: successor, description });
  }

  /** For a member that has lost its store: with all that this one has applied, or not at all. */
  #pinTable(id: GroupId): void {
    this.#unpin(id);
    const table = this.#held.find(({ group }) => isSameGroup(group.id, id));
    if (table === undefined || table.machine.hasUnflushed || this.#flushing) return;
    this.pin(id, table.group);
  }

  #unpin(group: GroupId): void {
    this.#pinned.get(group)?.view.close();
    this.#pinned.delete(group);
  }

  /** A piece of a group as it was at its end, for a node that lacks it; undefined: it is gone. */
  readEnded(
    group: GroupId,
    from: ChunkCursor | undefined,
    bytesMax: number,
  ): EndedChunk | undefined {
    const meta = this.#engine.metaOf(group);
    if (isMetaGroup(group) && from === undefined) this.#pinTable(group);
    const pinned = this.#pinned.get(group);
    if (meta?.phase === 'left') {
      const { bytes, next } = readChunk(this.#engine, meta, from ?? firstCursor(meta), bytesMax);
      if (next !== undefined) return { bytes, next };
      return { bytes, description: describeGroup(meta, this.#engine.countsOf(group)) };
    }
    if (pinned === undefined) return undefined;
    const { view, slots, description } = pinned;
    try {
      const { bytes, next } = readChunk(view, slots, from ?? firstCursor(slots), bytesMax);
      return next === undefined ? { bytes, description } : { bytes, next };
    } catch (error) {
      if (!isEnded(error)) throw error;
      this.#pinned.delete(group);
      return undefined;
    }
  }

  /**
   * Writes the next chunk of a group whose data come in; with the description, which comes with the
   * last one, the group is open. Nothing of an older group with these slots is left then. As
   * `divide`, it is called while no flush is under way.
   */
  install(
    group: GroupSlots,
    { isFirst, bytes, description, sequence = 0 }: InstalledChunk,
    done: (error: EngineError | undefined) => void,
  ): void {
    const batches: FlushBatch[] = isFirst ? this.#removals(group) : [];
    const known = isFirst ? undefined : this.#installations.get(group.id);
    const installation = known ?? new Installation(group);
    this.#installations.set(group.id, installation);
    try {
      batches.push(installation.next(bytes));
      // A group is described once in a commit.
      if (description !== undefined) batches.push(installation.last(description, sequence));
    } catch (error) {
      this.#installations.delete(group.id);
      if (!(error instanceof EngineError)) throw error;
      done(error);
      return;
    }
    this.#flushing = true;
    this.#engine.commit(batches, (error) => {
      this.#flushing = false;
      if (error === undefined && description !== undefined) this.#installed(group);
      if (error !== undefined) this.#installations.delete(group.id);
      done(error);
    });
  }

  /** The same with the table, whole. */
  installTable(
    group: GroupSlots,
    table: ClusterSettings,
    done: (error: EngineError | undefined) => void,
  ): void {
    this.#flushing = true;
    this.#engine.commit([...this.#removals(group), wholeTable(group, table)], (error) => {
      this.#flushing = false;
      if (error === undefined) this.#installed(group);
      done(error);
    });
  }

  /** Of the data of a group that have come in, but for their description: their last change. */
  lastChangeIn(group: GroupId, description: readonly GroupDescription[]): Timestamp {
    return this.#installations.get(group)?.lastChange(description) ?? ZERO;
  }

  /**
   * Groups that are open here, with slots of a newer one whose data come in: nothing is applied to
   * them any more. Their keys go with the first chunk.
   */
  abandonOlder(newer: GroupSlots): readonly GroupId[] {
    const isOlder = ({ group }: Held): boolean =>
      group.id.generation < newer.id.generation && shareSlots(group, newer);
    const older = this.#held.filter(isOlder);
    for (const each of older) {
      this.#held.splice(this.#held.indexOf(each), 1);
      this.#ofGroup.delete(each.group.id);
      this.#abandoned.set(each.group.id, true);
    }
    return older.map(({ group }) => group.id);
  }

  /**
   * The data of the group are not taken any more; what has come of them goes when others of its
   * slots come. Those of older groups that were abandoned for its sake go now. `done` as of
   * `divide`.
   */
  giveUp(group: GroupSlots, done: (error: EngineError | undefined) => void): void {
    this.#installations.delete(group.id);
    this.#abandoned.set(group.id, true);
    const needless = this.#engine.groups.filter((other) => {
      const isVoid = other.phase === 'open' && this.#abandoned.has(other.id);
      const isOlder = other.id.generation < group.id.generation;
      return isOlder && (isVoid || other.phase === 'partial') && shareSlots(other, group);
    });
    if (needless.length === 0) return done(undefined);
    this.#flushing = true;
    const batches = needless.map((other) => this.#removal(other));
    this.#engine.commit(batches, (error) => {
      this.#flushing = false;
      done(error);
    });
  }

  isAbandoned(group: GroupId): boolean {
    return this.#abandoned.has(group);
  }

  #installed(group: GroupSlots): void {
    this.#installations.delete(group.id);
    const keyed = this.#keyed().length + 1;
    const first = this.#options.groups.find(({ id }) => isSameGroup(id, group.id));
    this.#open([first ?? group], Math.floor(this.#options.cacheBytesMax / keyed));
  }

  /** A group that has come later has its slots, or some. */
  isSuperseded(group: GroupSlots): boolean {
    return this.#engine.groups.some(
      (other) =>
        (other.phase === 'open' || other.phase === 'partial') &&
        other.id.generation > group.id.generation &&
        shareSlots(other, group),
    );
  }

  /** Of groups that were left or abandoned, or never came in whole, with slots of this one. */
  #removals(group: GroupSlots): FlushBatch[] {
    const others = this.#engine.groups.filter(
      (other) =>
        (other.phase === 'left' ||
          other.phase === 'partial' ||
          (other.phase === 'open' && this.#abandoned.has(other.id))) &&
        !isSameGroup(other.id, group.id) &&
        shareSlots(other, group),
    );
    return others.map((other) => this.#removal(other));
  }

  #removal({ id }: GroupSlots, appliedSequence?: number): FlushBatch {
    const before = this.#engine.metaOf(id) ?? emptyMeta({ id, fromSlot: 0, toSlot: 0 });
    const meta = { ...before, ...(appliedSequence !== undefined && { appliedSequence }) };
    const databases = new Set(this.#engine.countsOf(id).map(({ database }) => database));
    return {
      meta: { ...meta, phase: 'ended' },
      databases: [...databases].map((database) => ({ ...noChanges(database), clear: true })),
    };
  }

  /**
   * The data of the group are not needed any more: its keys go if it was left. `done` as of
   * `divide`.
   */
  dropEnded(group: GroupId, done: (error: EngineError | undefined) => void): void {
    this.#unpin(group);
    const left = this.left.find(({ id }) => isSameGroup(id, group));
    if (left === undefined) return done(undefined);
    this.#flushing = true;
    this.#engine.commit([this.#removal(left)], (error) => {
      this.#flushing = false;
      done(error);
    });
  }

  /** Equal on two stores exactly when (for all practical purposes) all their groups agree. */
  digest(): string {
    return this.#held.map(({ machine }) => machine.digest()).join(' ');
  }

  #sum(of: (machine: StateMachine) => number): number {
    let sum = 0;
    for (const { machine } of this.#held) sum += of(machine);
    return sum;
  }
}

/** The view was open for too long. */
function isEnded(error: unknown): boolean {
  return error instanceof EngineError && error.code === 'HOLO_STORE_SNAPSHOT_ENDED';
}

function isMeta({ id }: MachineGroup): boolean {
  return isMetaGroup(id);
}

/** Those of the node's beginning, and their successors, that have not ended. */
function openGroups(engine: Engine, first: readonly MachineGroup[]): readonly MachineGroup[] {
  const later = engine.groups.filter(({ id }) => !first.some((group) => isSameGroup(group.id, id)));
  return [
    ...first.filter(({ id }) => (engine.metaOf(id)?.phase ?? 'open') === 'open'),
    ...later.filter(({ phase }) => phase === 'open'),
  ];
}

/** The counts of these Redis slots, with no change of a key. */
function countsAlone(
  counts: readonly SlotBlock[],
  fromSlot: number,
  toSlot: number,
): readonly DatabaseBatch[] {
  const blocks = blocksWithin(counts, fromSlot, toSlot);
  const databases = new Set(blocks.map(({ database }) => database));
  return [...databases].map((database) => ({
    ...noChanges(database),
    blocks: blocks.filter((block) => block.database === database),
  }));
}
