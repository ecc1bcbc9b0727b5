/**
 * Nodes that join a cluster of three under all faults and loads, while its groups are split: they
 * are members of nothing, and are asked for everything.
 */
import type { RunOptions, RunResult } from './cluster.ts';
import { simulateSplitting } from './splitting.ts';

const JOINERS = 2;

/** Two of five nodes can be two of three members: nothing is damaged, and no node stays away. */
export function simulateJoining(options: Omit<RunOptions, 'groups' | 'nodes'>): RunResult {
  const profile = { damage: false, away: undefined, ...options.profile };
  return simulateSplitting({ ...options, nodes: 3, joiners: JOINERS, forwards: true, profile });
}
