/**
 * Which store of a node holds a group of the topology. A function of the group's name alone, so
 * that a group finds its rows again at the next start, whatever other groups have come and gone.
 * What follows a group that has ended is in the store of that one. Pure.
 */
import { type GroupId, isMetaGroup } from '../accord/topology/group-id.ts';

/**
 * From 0; ranges are spread evenly, and all generations of a range stay together. The meta group is
 * in the first store.
 */
export function storeOf(group: GroupId, stores: number): number {
  return isMetaGroup(group) ? 0 : (group.range - 1) % stores;
}
