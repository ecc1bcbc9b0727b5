import type { GroupDescriptor } from '../../../actors/accord/topology/group.ts';
import { REDIS_SLOTS } from '../../../storage/keyspace/slots.ts';

/** One group of all keys, as the default topology has it. */
export function firstGroup(
  members: readonly number[],
  electorate: readonly number[],
): GroupDescriptor {
  const id = { range: 1, generation: 1 };
  return { id, fromSlot: 0, toSlot: REDIS_SLOTS, members, electorate, machine: 'keyspace' };
}
