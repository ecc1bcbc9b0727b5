/**
 * Splits of ranges by hand. The two that follow have the members of their parent. The lower one
 * keeps the number of the range; the number of the other follows from its first slot, at which no
 * range has begun before: so two nodes never give one number to two ranges. Pure.
 */
import { REDIS_SLOTS } from '../../storage/keyspace/slots.ts';
import type { Group, GroupDescriptor } from '../accord/topology/group.ts';

/** Above the numbers of the ranges that a cluster is formed with. */
const LATER_RANGES = REDIS_SLOTS;

/** The groups that are to follow; or why there can be none, as a text. */
export function splitOf(
  open: readonly Group[],
  atSlot: number,
  rangesMax: number,
): string | { readonly parent: Group; readonly successors: readonly GroupDescriptor[] } {
  if (!Number.isInteger(atSlot) || atSlot < 0 || atSlot >= REDIS_SLOTS) {
    return `there is no slot ${atSlot}: slots are 0 to ${REDIS_SLOTS - 1}`;
  }
  const parent = open.find(({ fromSlot, toSlot }) => atSlot >= fromSlot && atSlot < toSlot);
  if (parent === undefined) return `slot ${atSlot} is in no range of this node`;
  if (atSlot === parent.fromSlot) return `range ${parent.id.range} begins at slot ${atSlot}`;
  if (open.length >= rangesMax) return `there are ${rangesMax} ranges already (--ranges-max)`;
  const generation = parent.id.generation + 1;
  const { members, machine } = parent;
  const electorate = members.filter((node) => parent.electors(parent.bit(node)) > 0);
  const half = { members, electorate, machine };
  const { range } = parent.id;
  const successors = [
    { id: { range, generation }, fromSlot: parent.fromSlot, toSlot: atSlot, ...half },
    {
      id: { range: LATER_RANGES + atSlot, generation },
      ...{ fromSlot: atSlot, toSlot: parent.toSlot, ...half },
    },
  ];
  return { parent, successors };
}
