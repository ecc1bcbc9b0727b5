/** How a cluster begins: with its first ranges, spread over its nodes. Pure. */
import { REDIS_SLOTS } from '../../storage/keyspace/slots.ts';
import { ZERO } from '../accord/primitives/timestamp.ts';
import { MEMBERS_MAX } from '../accord/topology/group.ts';
import { electorateOf } from './electorates.ts';
import type { Form, FormNode } from './meta-command.ts';
import type { Outcome } from './meta-state.ts';
import {
  faultOf,
  firstMeta,
  isWhole,
  type Members,
  RANGES_MAX,
  type Topology,
  type TopologyNode,
  type TopologyRange,
} from './topology.ts';

export function formed(form: Form): Outcome {
  const { clusterId, initialRanges, rangesMax, closingMax, behaviourLevel } = form;
  const { replicationFactor } = form;
  if (!isWhole(initialRanges, 1, RANGES_MAX)) return `1 to ${RANGES_MAX} ranges`;
  if (!isWhole(form.nodes.length, 1, MEMBERS_MAX)) return `1 to ${MEMBERS_MAX} nodes`;
  if (!isWhole(replicationFactor, 1, MEMBERS_MAX)) return `1 to ${MEMBERS_MAX} members`;
  const nodes = form.nodes.map(firstNode).sort((a, b) => a.id - b.id);
  const all = nodes.map(({ id }) => id);
  const nonElectors = all.filter((id) => !form.electorate.includes(id));
  const known = { nonElectors, absences: [] };
  const topology: Topology = {
    epoch: 1,
    ...{ clusterId, behaviourLevel, rangesMax, closingMax },
    lastRange: initialRanges,
    lastGeneration: 1,
    lastChange: 0,
    lastNode: nodes.at(-1)?.id ?? 0,
    nodes,
    ...known,
    meta: firstMeta(allMembers(form)),
    ranges: Array.from({ length: initialRanges }, (_, index) => {
      const members = membersOf(form, index);
      return { ...firstRange(form, index), members, electorate: electorateOf(members, known) };
    }),
  };
  const fault = faultOf(topology);
  if (fault !== undefined) return `the cluster cannot be formed: ${fault}`;
  return { topology, leases: [], pausedControllers: [], jobs: [], ended: [] };
}

function firstNode({ id, host, port, behaviourMax }: FormNode): TopologyNode {
  const untold = { redis: '', admin: '', version: '' };
  return { id, host, port, ...untold, behaviourMax, state: 'active', joinId: '', incarnation: 0 };
}

/** They are of the same size, but for a slot. */
function firstRange(form: Form, index: number): Omit<TopologyRange, 'members' | 'electorate'> {
  const { initialRanges } = form;
  return {
    id: { range: index + 1, generation: 1 },
    fromSlot: Math.floor((index * REDIS_SLOTS) / initialRanges),
    toSlot: Math.floor(((index + 1) * REDIS_SLOTS) / initialRanges),
    origin: [],
    floor: ZERO,
    ...{ owed: [], absent: [] },
  };
}

function allMembers({ nodes, electorate }: Form): Members {
  return {
    members: nodes.map(({ id }) => id).sort((a, b) => a - b),
    electorate: electorate.toSorted((a, b) => a - b),
  };
}

/** Each range begins one node further in the ring of all nodes than the one before it. */
function membersOf(form: Form, index: number): readonly number[] {
  const { members: all } = allMembers(form);
  const size = groupSize(form.replicationFactor, all.length);
  const first = index % all.length;
  const inTurn = [...all.slice(first), ...all.slice(0, first)];
  return inTurn.slice(0, size).sort((a, b) => a - b);
}

/** An even number of more than two survives no more failures than the odd one below it. */
export function groupSize(replicationFactor: number, nodes: number): number {
  const most = Math.min(replicationFactor, nodes);
  return most > 2 && most % 2 === 0 && most < nodes ? most - 1 : most;
}
