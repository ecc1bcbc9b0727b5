/**
 * The groups of which this node became a member later, by a change of the topology: it takes part
 * in them at once, and its clients find them elsewhere until it has their data. Pure.
 */
import type { GroupJoin } from '../accord/local/journal.ts';
import type { Group, GroupDescriptor } from '../accord/topology/group.ts';
import { type GroupId, GroupMap, isSameGroup, shareSlots } from '../accord/topology/group-id.ts';
import type { EndedGroup } from '../meta/meta-state.ts';
import { descriptorOf, type Topology, type TopologyRange, withMeta } from '../meta/topology.ts';

type Join = Omit<GroupJoin, 'type'>;

/** Groups of which this node is a member without them. */
interface OwnGroups {
  readonly isHere: (group: GroupId) => boolean;
  /** Those that have not ended here. */
  readonly open: readonly Group[];
}

export class Joins<Store> {
  readonly #self: number;
  readonly #all: { readonly store: Store; readonly join: Join }[] = [];
  readonly #without = new GroupMap<Join>();
  readonly #whole = new GroupMap<true>();
  /** Groups whose data went with the store that was here before. */
  readonly #lost = new GroupMap<true>();
  /** By group: nodes that have told that they have its data. */
  readonly #held = new GroupMap<Set<number>>();
  /** Stores whose logs have been read: what this node is a member of is known then. */
  readonly #begun = new Set<Store>();
  #areAllBegun = false;

  constructor(self: number) {
    this.#self = self;
  }

  /** `true`: for the first time. */
  began(store: Store, stores: number): boolean {
    const isFirst = !this.#begun.has(store);
    this.#begun.add(store);
    this.#areAllBegun = this.#begun.size === stores;
    return isFirst;
  }

  /**
   * Of the groups that have ended those that may have come and gone since this node looked. One
   * that follows a group here is heard of from that, at its place in the order.
   */
  missed(ended: readonly EndedGroup[], { isHere, open }: OwnGroups): readonly EndedGroup[] {
    if (!this.#areAllBegun) return [];
    return ended.filter(({ group, successors }) => {
      const follows = open.some((own) => successors.some((range) => shareSlots(own, range)));
      return !follows && !isHere(group);
    });
  }

  /**
   * An older group here, of some of its slots, ends before: it learns that by itself. But where it
   * is owed the data of what follows, its own are void; then all of what follows must be owed.
   */
  wanted(topology: Topology, own: OwnGroups): readonly Join[] {
    if (!this.#areAllBegun) return [];
    return this.#missing(topology, own).flatMap((range): readonly Join[] => {
      const { origin, floor } = range;
      const [parent] = origin;
      if (parent === undefined) return [];
      const older = own.open.find((group) => shareSlots(group, range));
      const join = { group: descriptorOf(range), floor, parent };
      if (older === undefined && !origin.some(own.isHere)) return [join];
      if (!range.owed.includes(this.#self)) return [];
      const isWaiting = older !== undefined && this.#unowed(topology, own, older).length > 0;
      return isWaiting ? [] : [join];
    });
  }

  /** Groups that it comes to by its own way no more, since that of their neighbours is void. */
  lost(topology: Topology, own: OwnGroups): readonly GroupId[] {
    if (!this.#areAllBegun) return [];
    const owed = this.#missing(topology, own).filter((range) => range.owed.includes(this.#self));
    return own.open
      .filter((older) => owed.some((range) => shareSlots(older, range)))
      .flatMap((older) => this.#unowed(topology, own, older));
  }

  #unowed(topology: Topology, own: OwnGroups, older: Group): readonly GroupId[] {
    const ranges = this.#missing(topology, own).filter((range) => shareSlots(older, range));
    return ranges.filter(({ owed }) => !owed.includes(this.#self)).map(({ id }) => id);
  }

  /** This node is a member of them by the topology alone. */
  #missing(topology: Topology, { isHere, open }: OwnGroups): readonly TopologyRange[] {
    const joined = this.#all.map(({ join }) => join.group);
    return withMeta(topology).filter((range) => {
      if (!range.members.includes(this.#self) || isHere(range.id)) return false;
      const isNewer = (group: Group | GroupDescriptor): boolean =>
        group.id.generation > range.id.generation && shareSlots(group, range);
      // After a start the topology may be older than what this node is a member of.
      return !open.some(isNewer) && !joined.some(isNewer);
    });
  }

  /** The data of the group went with the store that was here before. */
  loses(group: GroupId): void {
    this.#without.delete(group);
    this.#lost.set(group, true);
  }

  /** Of the groups, those whose data are gone: they come with a later generation. */
  gone(groups: readonly Group[]): readonly GroupId[] {
    return groups.map(({ id }) => id).filter((id) => this.#lost.has(id));
  }

  /** Of the groups, those whose slots a newer one has that was joined. */
  superseded(groups: readonly Group[]): readonly Group[] {
    return groups.filter((group) =>
      this.#all.some(({ join: { group: joined } }) => {
        return joined.id.generation > group.id.generation && shareSlots(joined, group);
      }),
    );
  }

  /** Returns those whose data are needed no more: this one follows, and needs its own. */
  joined(store: Store, join: Join): readonly GroupId[] {
    const { group } = join;
    const overlapping = this.#all
      .map((each) => each.join.group)
      .filter((its) => shareSlots(its, group));
    this.#all.push({ store, join });
    const isNewer = (its: GroupDescriptor): boolean => its.id.generation > group.id.generation;
    if (!overlapping.some(isNewer)) this.#without.set(group.id, join);
    const older = overlapping.map(({ id }) => id).filter((id) => this.#without.has(id));
    const needless = older.filter((id) => id.generation < group.id.generation);
    for (const id of needless) this.#without.delete(id);
    return needless;
  }

  of(store: Store): readonly Join[] {
    return this.#all.filter((each) => each.store === store).map(({ join }) => join);
  }

  /** The data of the group are here. */
  done(group: GroupId): void {
    this.#without.delete(group);
    this.#lost.delete(group);
    this.#whole.set(group, true);
  }

  /** Its data are needed no more; the store still decides what is left of it. */
  gaveUp(group: GroupId): void {
    this.#without.delete(group);
    this.#lost.delete(group);
  }

  /** Another group has followed before it ended here: the store has no part in it any more. */
  abandoned(group: GroupId): void {
    this.gaveUp(group);
    const at = this.#all.findIndex(({ join }) => isSameGroup(join.group.id, group));
    if (at !== -1) this.#all.splice(at, 1);
  }

  lacksData(group: GroupId): boolean {
    return this.#without.has(group) || this.#lost.has(group);
  }

  isDone(group: GroupId): boolean {
    return this.#whole.has(group);
  }

  /** A peer has the data of a group that it has joined. */
  held(peer: number, group: GroupId): void {
    const others = this.#held.get(group) ?? new Set<number>();
    this.#held.set(group, others.add(peer));
  }

  /** The same of any node, as far as this one knows. */
  hasData(group: GroupId, node: number): boolean {
    return node === this.#self ? this.isDone(group) : this.#held.get(group)?.has(node) === true;
  }

  /** Groups whose data are here, which the topology does not know. */
  unreported(topology: Topology): readonly GroupId[] {
    const owed = withMeta(topology).filter((range) => range.owed.includes(this.#self));
    return owed.map(({ id }) => id).filter((id) => this.isDone(id));
  }

  readonly lacking = (): readonly Join[] => [...this.#without.values()];
}
