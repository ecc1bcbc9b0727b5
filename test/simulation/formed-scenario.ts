/** Scenarios on clusters that were formed, so that their ranges change, and what has become of them. */
import { ZERO } from '../../actors/accord/primitives/timestamp.ts';
import { apply } from '../../actors/meta/apply.ts';
import type { Form } from '../../actors/meta/meta-command.ts';
import { groupsOf, type Topology } from '../../actors/meta/topology.ts';
import { UNIT_WRITE_BYTES_MAX } from '../../storage/limits.ts';
import type { Profile } from './profile.ts';
import { Scenario } from './scenario.ts';

/** One range with three members; nodes that are away are missed soon. */
export function formedScenario(nodes: number, profile: Partial<Profile>): Scenario {
  const ids = Array.from({ length: nodes }, (_, at) => at + 1);
  const form: Form = {
    type: 'Form',
    clusterId: '7'.repeat(32),
    nodes: ids.map((id) => ({ id, host: `node-${id}`, port: id, behaviourMax: 1 })),
    electorate: ids,
    ...{ initialRanges: 1, replicationFactor: 3, rangesMax: 4, closingMax: 2, behaviourLevel: 1 },
  };
  const { state } = apply(undefined, form, ZERO);
  if (state === undefined) throw new Error('the cluster cannot be formed');
  const groups = groupsOf(state.topology).filter(({ machine }) => machine === 'keyspace');
  const often = { missedMs: 100, backMs: 200, durabilityEveryMs: 50, durabilityLagMs: 100 };
  const common = { unitWriteBytesMax: UNIT_WRITE_BYTES_MAX, damage: false, ...often };
  const options = { form, groups, forwards: true, splitEveryMs: 1_000 };
  return new Scenario(nodes, { ...common, ...profile }, 1, options);
}

/** As the node knows it that knows most. */
export function topologyOf({ cluster }: Scenario): Topology {
  const known = cluster.nodes.flatMap(({ node }) => node?.topology.state?.topology ?? []);
  const [newest] = known.sort((a, b) => b.epoch - a.epoch);
  if (newest === undefined) throw new Error('no topology');
  return newest;
}
