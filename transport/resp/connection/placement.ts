/**
 * Which group a key belongs to. Commands of one group travel together; what spans groups travels
 * alone (`unit-builder.ts`). Pure.
 */
import {
  type GroupId,
  isMetaGroup,
  isSameGroup,
  META_GROUP,
} from '../../../actors/accord/topology/group-id.ts';
import { CONFLICT_SLOTS } from '../../../storage/keyspace/slots.ts';

export interface PlacedGroup {
  readonly id: GroupId;
  /** Its conflict slots, half open. */
  readonly fromSlot: number;
  readonly toSlot: number;
}

/**
 * Groups are named by their index in `groups`, for ever: a unit that was begun before a group ended
 * names it still.
 */
export class Placement {
  readonly groups: GroupId[] = [];
  /** The index of the meta group, of its generation that has not ended. */
  meta: number;
  /** By conflict slot. */
  readonly #groupOf = new Uint16Array(CONFLICT_SLOTS);
  /** Those that have not ended. */
  #open: readonly number[] = [];

  /** Throws unless each slot has exactly one group. */
  constructor(placed: readonly PlacedGroup[], meta: GroupId = META_GROUP) {
    const inOrder = placed.toSorted((a, b) => a.fromSlot - b.fromSlot);
    let next = 0;
    for (const { fromSlot, toSlot } of inOrder) {
      if (fromSlot !== next || toSlot <= fromSlot) {
        throw new RangeError(`slot ${next} has no group`);
      }
      next = toSlot;
    }
    if (next !== CONFLICT_SLOTS) throw new RangeError(`slot ${next} has no group`);
    this.#place(placed);
    this.meta = this.groups.push(meta) - 1;
  }

  #place(placed: readonly PlacedGroup[]): void {
    for (const { id, fromSlot, toSlot } of placed) {
      const index = this.groups.push(id) - 1;
      this.#groupOf.fill(index, fromSlot, toSlot);
      this.#open = [...this.#open, index];
    }
  }

  /** A group has ended; the successors have its slots. */
  ended(parent: GroupId, successors: readonly PlacedGroup[]): void {
    if (isMetaGroup(parent)) {
      for (const { id } of successors) this.meta = this.groups.push(id) - 1;
      return;
    }
    this.#open = this.#open.filter((index) => !isSameGroup(this.groups[index] as GroupId, parent));
    this.#place(successors);
  }

  /** One group has all slots: nothing needs to be cut. */
  get isSole(): boolean {
    return this.#open.length === 1;
  }

  /** The one that has all slots. */
  get sole(): number {
    return this.#open[0] as number;
  }

  groupOf(slot: number): number {
    return this.#groupOf[slot] as number;
  }

  /** The groups of these keys, ascending; of no key: the first group. */
  span(slots: readonly number[], wholeStore: boolean): readonly number[] {
    if (wholeStore || this.isSole) return this.#open;
    const groups = new Set(slots.map((slot) => this.groupOf(slot)));
    return groups.size === 0 ? this.#open.slice(0, 1) : [...groups].sort((a, b) => a - b);
  }
}
