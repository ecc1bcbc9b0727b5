/**
 * The groups of which this node is a member and which have not ended here, and the ends of all
 * groups that it knows of, from its stores or from the topology. Pure.
 */
import type { EndOfGroup } from '../accord/local/effects.ts';
import { followersOf, Group, goesOnIn } from '../accord/topology/group.ts';
import { type GroupId, GroupMap, isMetaGroup, isSameGroup } from '../accord/topology/group-id.ts';

interface FollowedEnd {
  readonly successors: readonly Group[];
  /** Those of them that begin here with it. */
  readonly begun: readonly Group[];
}

export class HeldGroups {
  readonly #self: number;
  #open: readonly Group[];
  readonly #ends = new GroupMap<EndOfGroup>();
  /** By group: what followed it. */
  readonly #successors = new GroupMap<readonly Group[]>();
  #wasOutOfMeta: boolean;

  constructor(self: number, groups: readonly Group[]) {
    this.#self = self;
    this.#open = groups;
    this.#wasOutOfMeta = this.meta === undefined;
  }

  get open(): readonly Group[] {
    return this.#open;
  }

  get ends(): Iterable<EndOfGroup> {
    return this.#ends.values();
  }

  /** The meta group, where it is one of them. */
  get meta(): Group | undefined {
    return this.#open.find(({ id }) => isMetaGroup(id));
  }

  /** At some time it was none of them: the log alone does not lead to the table. */
  get wasOutOfMeta(): boolean {
    return this.#wasOutOfMeta;
  }

  endOf(group: GroupId): EndOfGroup | undefined {
    return this.#ends.get(group);
  }

  isOpen(group: GroupId): boolean {
    return this.#open.some(({ id }) => isSameGroup(id, group));
  }

  /** It, or what follows it here, has not ended here. */
  isFollowed(group: GroupId): boolean {
    if (this.isOpen(group)) return true;
    return this.#successors.get(group)?.some(({ id }) => this.isFollowed(id)) ?? false;
  }

  /** The group, or what has followed it, here or elsewhere. */
  readonly follow = (group: Group): readonly Group[] => followersOf(group, this.#successors);

  joined(group: Group): void {
    this.#open = [...this.#open, group];
  }

  /** The node has no part in it any more. */
  left(group: Group): void {
    this.#hold(this.#open.filter((other) => other !== group));
  }

  /**
   * `isHere`: a store tells it, which has executed it; `isBegun`: of groups that are here already.
   * The topology may have told of the end before, when the node did not know yet that it was a
   * member. undefined: it is known.
   */
  ended(
    end: EndOfGroup,
    isHere: boolean,
    isBegun: (group: GroupId) => boolean,
  ): FollowedEnd | undefined {
    const isOwn = isHere && this.isOpen(end.group);
    if (this.#ends.has(end.group) && !isOwn) return undefined;
    this.#ends.set(end.group, end);
    const successors = end.successors.map((descriptor) => new Group(descriptor));
    this.#successors.set(end.group, successors);
    if (!isOwn) return { successors, begun: [] };
    // Without data one is joined, when the topology has it.
    const mayBegin = end.successors.map((its) => goesOnIn(its, this.#self) && !isBegun(its.id));
    const begun = successors.filter((_, at) => mayBegin[at]);
    const isIt = ({ id }: Group): boolean => isSameGroup(id, end.group);
    this.#hold(this.#open.flatMap((group) => (isIt(group) ? begun : [group])));
    return { successors, begun };
  }

  #hold(groups: readonly Group[]): void {
    this.#open = groups;
    if (this.meta === undefined) this.#wasOutOfMeta = true;
  }
}
