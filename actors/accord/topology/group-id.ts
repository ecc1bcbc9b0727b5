/**
 * The name of a group: one generation of a range. Messages, records and effects of the protocol
 * belong to a group, and never to "the current" one.
 */
export interface GroupId {
  /** u32. */
  readonly range: number;
  /** u32. */
  readonly generation: number;
}

/** Of what concerns no group. */
export const NO_GROUP: GroupId = Object.freeze({ range: 0, generation: 0 });

/**
 * The first generation of the meta group, whose state machine is the cluster's own: its table of
 * settings and users. Its range has no keys.
 */
export const META_GROUP: GroupId = Object.freeze({ range: 0, generation: 1 });

/** The state machine of a group: keys of clients, or the cluster's own table. */
export type Machine = 'keyspace' | 'meta';

/** That of all generations of a range. */
export function machineOf({ range }: Pick<GroupId, 'range'>): Machine {
  return range === META_GROUP.range ? 'meta' : 'keyspace';
}

export function isMetaGroup(id: GroupId): boolean {
  return machineOf(id) === 'meta';
}

/** For maps, and what traces show. */
export function groupKey({ range, generation }: GroupId): string {
  return `${range}.${generation}`;
}

export function isSameGroup(a: GroupId, b: GroupId): boolean {
  return a === b || (a.range === b.range && a.generation === b.generation);
}

/** Redis slots of a group: from `fromSlot` up to, and without, `toSlot`. */
interface SlotInterval {
  readonly id: GroupId;
  readonly fromSlot: number;
  readonly toSlot: number;
}

/** Whether the two have a slot in common. Those of the meta group stand for no keys. */
export function shareSlots(a: SlotInterval, b: SlotInterval): boolean {
  const isCommon = a.fromSlot < b.toSlot && a.toSlot > b.fromSlot;
  return isCommon && machineOf(a.id) === machineOf(b.id);
}

/** A map by group. Consecutive look-ups are mostly for one group, so the last is kept. */
export class GroupMap<T> {
  readonly #values = new Map<string, T>();
  #lastId: GroupId | undefined;
  #last: T | undefined;

  constructor(entries: Iterable<readonly [GroupId, T]> = []) {
    for (const [id, value] of entries) this.#values.set(groupKey(id), value);
  }

  get(id: GroupId): T | undefined {
    if (this.#lastId !== undefined && isSameGroup(this.#lastId, id)) return this.#last;
    const value = this.#values.get(groupKey(id));
    if (value === undefined) return undefined;
    // A copy: a decoded section must not be kept alive with its messages.
    this.#lastId = { range: id.range, generation: id.generation };
    this.#last = value;
    return value;
  }

  has(id: GroupId): boolean {
    return this.get(id) !== undefined;
  }

  set(id: GroupId, value: T): void {
    this.#values.set(groupKey(id), value);
    this.#lastId = undefined;
  }

  delete(id: GroupId): void {
    this.#values.delete(groupKey(id));
    this.#lastId = undefined;
  }

  clear(): void {
    this.#values.clear();
    this.#lastId = undefined;
  }

  values(): IterableIterator<T> {
    return this.#values.values();
  }
}
