/**
 * Which store of a node holds a group. A function of the group's name alone, so that a group finds
 * its rows again at the next start, whatever other groups have come and gone. Pure.
 */
import type { GroupId } from '../accord/topology/group-id.ts';

/** From 0; ranges are spread evenly, and all generations of a range stay together. */
export function storeOf({ range }: GroupId, stores: number): number {
  return (range - 1) % stores;
}
