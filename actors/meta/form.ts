/** How a cluster begins: with its first ranges, of which all nodes are members. Pure. */
import { REDIS_SLOTS } from '../../storage/keyspace/slots.ts';
import { ZERO } from '../accord/primitives/timestamp.ts';
import type { Form } from './meta-command.ts';
import type { Outcome } from './meta-state.ts';
import {
  faultOf,
  isWhole,
  type MetaMembers,
  RANGES_MAX,
  type Topology,
  type TopologyRange,
} from './topology.ts';

export function formed(form: Form): Outcome {
  const { clusterId, initialRanges, rangesMax, closingMax, behaviourLevel } = form;
  if (!isWhole(initialRanges, 1, RANGES_MAX)) return `1 to ${RANGES_MAX} ranges`;
  const nodes = form.nodes.toSorted((a, b) => a.id - b.id);
  const topology: Topology = {
    epoch: 1,
    ...{ clusterId, behaviourLevel, rangesMax, closingMax },
    lastRange: initialRanges,
    lastGeneration: 1,
    lastChange: 0,
    nodes,
    meta: firstMembers(form),
    ranges: Array.from({ length: initialRanges }, (_, index) => firstRange(form, index)),
  };
  const fault = faultOf(topology);
  if (fault !== undefined) return `the cluster cannot be formed: ${fault}`;
  return { topology, leases: [], pausedControllers: [], jobs: [] };
}

/** They are of the same size, but for a slot. */
function firstRange(form: Form, index: number): TopologyRange {
  const { initialRanges } = form;
  return {
    id: { range: index + 1, generation: 1 },
    fromSlot: Math.floor((index * REDIS_SLOTS) / initialRanges),
    toSlot: Math.floor(((index + 1) * REDIS_SLOTS) / initialRanges),
    ...firstMembers(form),
    origin: [],
    floor: ZERO,
  };
}

/** All nodes are members of all groups. */
function firstMembers({ nodes, electorate }: Form): MetaMembers {
  return {
    members: nodes.map(({ id }) => id).sort((a, b) => a - b),
    electorate: electorate.toSorted((a, b) => a - b),
  };
}
