/**
 * Groups that are split at random slots under all faults and loads: one to three of them at first,
 * in one or two stores, all nodes members of all.
 */
import type { GroupDescriptor } from '../../actors/accord/topology/group.ts';
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { REDIS_SLOTS } from '../../storage/keyspace/slots.ts';
import { type RunOptions, type RunResult, simulate } from './cluster.ts';
import { drawSpanningLimits } from './limits.ts';

/** As much as a node of a small cluster must take at its worst. */
const SPLIT_EVERY_MS = 600;

export function simulateSplitting(options: Omit<RunOptions, 'groups'>): RunResult {
  const { seed, nodes } = options;
  const rng = new SeededRng(seed);
  const first = 1 + (seed % 3);
  const members = Array.from({ length: nodes }, (_, at) => at + 1);
  const groups = Array.from({ length: first }, (_, at): GroupDescriptor => {
    const [fromSlot = 0, toSlot = 0] = [at, at + 1].map((n) =>
      Math.floor((n * REDIS_SLOTS) / first),
    );
    const id = { range: at + 1, generation: 1 };
    return { id, fromSlot, toSlot, members, electorate: members, machine: 'keyspace' };
  });
  // FLUSHALL of one group becomes one of all of them.
  const several = first > 1 ? { flushes: false, databases: 1 } : {};
  const profile = { ...drawSpanningLimits(rng), ...several, ...options.profile };
  const stores = 1 + (seed % 2);
  const splitEveryMs = options.splitEveryMs ?? SPLIT_EVERY_MS;
  return simulate({ ...options, groups, stores, splitEveryMs, profile });
}
