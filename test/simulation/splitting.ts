/**
 * Groups that are split at random slots under all faults and loads: one to three of them at first,
 * in one or two stores, all nodes members of all.
 */
import { ZERO } from '../../actors/accord/primitives/timestamp.ts';
import { apply } from '../../actors/meta/apply.ts';
import type { Form } from '../../actors/meta/meta-command.ts';
import { groupsOf } from '../../actors/meta/topology.ts';
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { UNIT_WRITE_BYTES_MAX } from '../../storage/limits.ts';
import { type RunOptions, type RunResult, simulate } from './cluster.ts';
import { drawAbsenceLimits, drawSpanningLimits } from './limits.ts';

/** As much as a node of a small cluster must take at its worst. */
const SPLIT_EVERY_MS = 600;
/** Of runs in which nodes are missed so soon that groups are renewed. */
const RENEWALS_RATE = 0.4;

export function simulateSplitting(options: Omit<RunOptions, 'groups'>): RunResult {
  const { seed, nodes } = options;
  const rng = new SeededRng(seed);
  const first = 1 + (seed % 3);
  const members = Array.from({ length: nodes }, (_, at) => at + 1);
  const form: Form = {
    type: 'Form',
    clusterId: '5'.repeat(32),
    nodes: members.map((id) => ({ id, host: `node-${id}`, port: id, behaviourMax: 1 })),
    electorate: members,
    ...{
      initialRanges: first,
      replicationFactor: 9,
      rangesMax: 16,
      closingMax: 2,
      behaviourLevel: 1,
    },
  };
  const { state } = apply(undefined, form, ZERO);
  if (state === undefined) throw new Error('the cluster cannot be formed');
  const groups = groupsOf(state.topology).filter(({ machine }) => machine === 'keyspace');
  // FLUSHALL of one group becomes one of all of them.
  const several = first > 1 ? { flushes: false, databases: 1 } : {};
  // A topology must fit one unit.
  const common = { ...drawSpanningLimits(rng), unitWriteBytesMax: UNIT_WRITE_BYTES_MAX };
  const absences = rng.next() < RENEWALS_RATE ? drawAbsenceLimits(rng) : {};
  const profile = { ...common, ...several, ...absences, ...options.profile };
  const stores = 1 + (seed % 2);
  const splitEveryMs = options.splitEveryMs ?? SPLIT_EVERY_MS;
  return simulate({ ...options, form, groups, stores, splitEveryMs, profile });
}
