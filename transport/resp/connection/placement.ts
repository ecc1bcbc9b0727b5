/**
 * Which group a key belongs to. Commands of one group travel together; what spans groups travels
 * alone (`unit-builder.ts`). Pure.
 */
import type { GroupId } from '../../../actors/accord/topology/group-id.ts';
import { CONFLICT_SLOTS, POSITIONS, slotOfPosition } from '../../../storage/keyspace/slots.ts';
import { parseUnsigned } from '../../../storage/types/integers.ts';

export interface PlacedGroup {
  readonly id: GroupId;
  /** Its conflict slots, half open. */
  readonly fromSlot: number;
  readonly toSlot: number;
}

/** Named by their index in `groups`. */
export class Placement {
  readonly groups: readonly GroupId[];
  /** One group has all slots: nothing needs to be cut. */
  readonly isSole: boolean;
  /** By conflict slot. */
  readonly #groupOf: Uint16Array;
  readonly #all: readonly number[];

  /** Throws unless each slot has exactly one group. */
  constructor(placed: readonly PlacedGroup[]) {
    this.groups = placed.map(({ id }) => id);
    this.isSole = placed.length === 1;
    this.#all = placed.map((_, index) => index);
    this.#groupOf = new Uint16Array(this.isSole ? 0 : CONFLICT_SLOTS);
    let next = 0;
    const inOrder = this.#all.toSorted((a, b) => from(placed, a) - from(placed, b));
    for (const index of inOrder) {
      const { fromSlot, toSlot } = placed[index] as PlacedGroup;
      if (fromSlot !== next || toSlot <= fromSlot) {
        throw new RangeError(`slot ${next} has no group`);
      }
      this.#groupOf.fill(index, fromSlot, toSlot);
      next = toSlot;
    }
    if (next !== CONFLICT_SLOTS) throw new RangeError(`slot ${next} has no group`);
  }

  groupOf(slot: number): number {
    return this.isSole ? 0 : (this.#groupOf[slot] as number);
  }

  /** The group in which a walk goes on from its cursor; of a wrong one: the first group. */
  groupAt(cursor: string): number {
    const position = Number(parseUnsigned(cursor) ?? 0);
    return position < POSITIONS ? this.groupOf(slotOfPosition(position)) : 0;
  }

  /** The groups of these keys, ascending; of no key: the first group. */
  span(slots: readonly number[], wholeStore: boolean): readonly number[] {
    if (wholeStore || this.isSole) return this.#all;
    const groups = new Set(slots.map((slot) => this.groupOf(slot)));
    return groups.size === 0 ? [0] : [...groups].sort((a, b) => a - b);
  }
}

function from(placed: readonly PlacedGroup[], index: number): number {
  return (placed[index] as PlacedGroup).fromSlot;
}
