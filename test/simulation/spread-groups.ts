/**
 * Five ranges of three members each on five nodes, as a cluster of `--replication-factor 3` begins:
 * each node is a member of three of them, and forwards what its clients ask of the other two.
 */
import { ZERO } from '../../actors/accord/primitives/timestamp.ts';
import type { GroupDescriptor } from '../../actors/accord/topology/group.ts';
import { apply } from '../../actors/meta/apply.ts';
import { groupsOf } from '../../actors/meta/topology.ts';
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { type RunOptions, type RunResult, simulate } from './cluster.ts';
import { drawSpanningLimits } from './limits.ts';

const NODES = [1, 2, 3, 4, 5];

function formedRanges(): readonly GroupDescriptor[] {
  const nodes = NODES.map((id) => ({ id, host: `node-${id}`, port: id, behaviourMax: 1 }));
  const levels = { replicationFactor: 3, closingMax: 2, behaviourLevel: 1 };
  const clusterId = '0'.repeat(32);
  const ranges = { initialRanges: 5, rangesMax: 5 };
  const form = { type: 'Form', clusterId, nodes, electorate: NODES, ...ranges, ...levels } as const;
  const { state, refused } = apply(undefined, form, ZERO);
  if (state === undefined) throw new Error(refused);
  return groupsOf(state.topology).filter(({ machine }) => machine === 'keyspace');
}

export const SPREAD_GROUPS = formedRanges();

/** Two of five can be two of three: nothing is damaged for good, and no node stays away. */
export function simulateSpread(options: Omit<RunOptions, 'nodes' | 'groups'>): RunResult {
  const rng = new SeededRng(options.seed);
  const profile = {
    ...{ damage: false, away: undefined, sameSlot: false },
    ...drawSpanningLimits(rng),
    ...options.profile,
  };
  return simulate({ ...options, nodes: 5, groups: SPREAD_GROUPS, forwards: true, profile });
}
