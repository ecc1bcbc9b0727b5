/**
 * Three static groups over disjoint slots with different members, on five nodes: what a node of
 * several stores shares (log, links, router, single frames) must not mix what belongs to one group.
 * Only the first group has all nodes, so only it has single frames.
 */
import type { GroupDescriptor } from '../../actors/accord/topology/group.ts';
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { REDIS_SLOTS } from '../../storage/keyspace/slots.ts';
import { type RunOptions, type RunResult, simulate } from './cluster.ts';
import { drawSpanningLimits } from './limits.ts';

const CUTS = [0, 4_000, 9_000, REDIS_SLOTS] as const;

function group(range: number, members: readonly number[], electors: number): GroupDescriptor {
  return {
    id: { range, generation: range },
    fromSlot: CUTS[range - 1] as number,
    toSlot: CUTS[range] as number,
    members,
    electorate: members.slice(0, electors),
    machine: 'keyspace',
  };
}

export const THREE_GROUPS: readonly GroupDescriptor[] = [
  group(1, [1, 2, 3, 4, 5], 4),
  group(2, [1, 2, 3], 3),
  group(3, [3, 4, 5], 2),
];

/**
 * In one to three stores. Nothing is damaged for good, and no node stays away: two of five can be two
 * of three.
 */
export function simulateThreeGroups(options: Omit<RunOptions, 'nodes' | 'groups'>): RunResult {
  const rng = new SeededRng(options.seed);
  const profile = {
    ...{ damage: false, away: undefined, sameSlot: false },
    ...drawSpanningLimits(rng),
    // One of four is of commands over all keys.
    ...(options.seed % 4 === 3 ? { spansOnly: true, flushes: options.seed % 8 === 3 } : {}),
    ...options.profile,
  };
  const stores = 1 + (options.seed % 3);
  return simulate({ ...options, nodes: 5, groups: THREE_GROUPS, stores, profile });
}
