/**
 * The state machines of the groups of one store, which share an engine: what they have changed
 * becomes durable together, in one step of the engine, with each group after one of its own
 * transactions. The executor owns them.
 */
import { type GroupId, GroupMap } from '../actors/accord/topology/group-id.ts';
import { type ClusterSettings, NO_SETTINGS } from './cluster-settings.ts';
import type { Engine, GroupSlots } from './engine.ts';
import type { EngineError } from './errors.ts';
import { BigKeysSearch } from './keyspace/big-keys.ts';
import type { DatabaseReport } from './keyspace/databases.ts';
import { redisSlotOf, slotOfText } from './keyspace/slots.ts';
import { StateMachine, type StateMachineOptions } from './state-machine.ts';

export interface StateMachinesOptions extends Omit<StateMachineOptions, 'group'> {
  readonly groups: readonly GroupSlots[];
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

export class StateMachines {
  readonly #engine: Engine;
  readonly #dirtyBytesMax: number;
  readonly #groups: readonly GroupSlots[];
  readonly #machines: readonly StateMachine[];
  readonly #ofGroup: GroupMap<StateMachine>;
  #flushing = false;

  /** `cacheBytesMax` is for all together, and each has an equal share. */
  constructor(options: StateMachinesOptions) {
    const { engine, groups } = options;
    const cacheBytesMax = Math.floor(options.cacheBytesMax / groups.length);
    this.#engine = engine;
    this.#dirtyBytesMax = options.dirtyBytesMax;
    this.#groups = groups;
    this.#machines = groups.map((group) => new StateMachine({ ...options, group, cacheBytesMax }));
    this.#ofGroup = new GroupMap(
      this.#machines.map((machine, i) => [(groups[i] as GroupSlots).id, machine]),
    );
  }

  of(group: GroupId): StateMachine | undefined {
    return this.#ofGroup.get(group);
  }

  /** Of each group: transactions applied, and its keys. */
  get groups(): readonly GroupReport[] {
    return this.#groups.map(({ id }, i) => ({
      group: id,
      appliedSequence: this.#machines[i]?.appliedSequence ?? 0,
      keys: this.#machines[i]?.size ?? 0,
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

  get settings(): ClusterSettings {
    return this.#machines[0]?.settings ?? NO_SETTINGS;
  }

  /** Approximate memory of the value of a key; 0 if it is not in memory. */
  bytesOf(database: number, key: string): number {
    const slot = redisSlotOf(slotOfText(key));
    const at = this.#groups.findIndex(({ fromSlot, toSlot }) => slot >= fromSlot && slot < toSlot);
    return this.#machines[at]?.bytesOf(database, key) ?? 0;
  }

  /** The databases that have keys, over all groups. */
  get databases(): readonly DatabaseReport[] {
    const [only] = this.#machines;
    if (this.#machines.length === 1 && only !== undefined) return only.report();
    const found: DatabaseReport[] = [];
    for (const each of this.#machines.flatMap((one) => one.report())) {
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
    const places = this.#machines.flatMap((machine) => machine.withKeys());
    return new BigKeysSearch(places, count, keysMax);
  }

  get flushed(): readonly FlushedGroup[] {
    return this.#groups.map(({ id }, i) => ({
      group: id,
      sequence: this.#machines[i]?.flushedSequence ?? 0,
    }));
  }

  get size(): number {
    return this.#sum((machine) => machine.size);
  }

  get volatileSize(): number {
    return this.#sum((machine) => machine.volatileSize);
  }

  get hits(): number {
    return this.#sum((machine) => machine.hits);
  }

  get misses(): number {
    return this.#sum((machine) => machine.misses);
  }

  get expiredKeys(): number {
    return this.#sum((machine) => machine.expiredKeys);
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
    for (const machine of this.#machines) sum += machine.unflushedBytes;
    return sum;
  }

  /** It is time to flush: more than `dirtyBytesMax` has changed since the last capture. */
  get needsFlush(): boolean {
    return this.dirtyBytes >= this.#dirtyBytesMax;
  }

  get flushing(): boolean {
    return this.#flushing;
  }

  get hasUnflushed(): boolean {
    return this.#engine.hasDropped || this.#machines.some((machine) => machine.hasUnflushed);
  }

  /**
   * Writes all changes. `done` is called in a later turn; after an error all of them are unflushed
   * again. `false` (and no call) while a flush is in progress.
   */
  flush(done: (error: EngineError | undefined) => void): boolean {
    if (this.#flushing) return false;
    this.#flushing = true;
    const changed = this.#machines.filter((machine) => machine.hasUnflushed);
    const captures = changed.map((machine) => machine.capture());
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

  /** Equal on two stores exactly when (for all practical purposes) all their groups agree. */
  digest(): string {
    return this.#machines.map((machine) => machine.digest()).join(' ');
  }

  #sum(of: (machine: StateMachine) => number): number {
    let sum = 0;
    for (const machine of this.#machines) sum += of(machine);
    return sum;
  }
}
