/**
 * The groups of which this node became a member later, by a change of the topology: it takes part
 * in them at once, and its clients find them elsewhere until it has their data. Pure.
 */
import type { GroupJoin } from '../accord/local/journal.ts';
import type { Group } from '../accord/topology/group.ts';
import { type GroupId, GroupMap, isSameGroup } from '../accord/topology/group-id.ts';
import type { Topology } from '../meta/topology.ts';

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

  /** An older group here, of some of its slots, ends before: it learns that by itself. */
  wanted({ ranges }: Topology, { isHere, open }: OwnGroups): readonly Join[] {
    if (!this.#areAllBegun) return [];
    return ranges.flatMap(({ id, fromSlot, toSlot, members, electorate, origin, floor }) => {
      const [parent] = origin;
      if (parent === undefined || !members.includes(this.#self) || isHere(id)) return [];
      const isOlder = open.some((group) => group.fromSlot < toSlot && group.toSlot > fromSlot);
      if (isOlder || origin.some(isHere)) return [];
      const group = { id, fromSlot, toSlot, members, electorate, machine: 'keyspace' } as const;
      return { group, floor, parent };
    });
  }

  joined(store: Store, join: Join): void {
    this.#all.push({ store, join });
    this.#without.set(join.group.id, join);
  }

  of(store: Store): readonly Join[] {
    return this.#all.filter((each) => each.store === store).map(({ join }) => join);
  }

  /** The data of the group are here. */
  done(group: GroupId): void {
    this.#without.delete(group);
  }

  lacksData(group: GroupId): boolean {
    return this.#without.has(group);
  }

  isDone(group: GroupId): boolean {
    const isJoined = this.#all.some(({ join }) => isSameGroup(join.group.id, group));
    return isJoined && !this.lacksData(group);
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
  unreported({ ranges }: Topology): readonly GroupId[] {
    const owed = ranges.filter((range) => range.owed.includes(this.#self));
    return owed.map(({ id }) => id).filter((id) => this.isDone(id));
  }

  readonly lacking = (): readonly Join[] => [...this.#without.values()];
}
