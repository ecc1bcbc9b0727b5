/**
 * A topology as text: JSON with its fields in one order, so that two equal topologies are the same
 * text, and have the same digest. In `identity.json`, and what nodes compare when they greet. Pure.
 */
import type { GroupId } from '../accord/topology/group-id.ts';
import {
  type Change,
  faultOf,
  type MetaMembers,
  type Topology,
  type TopologyNode,
  type TopologyRange,
} from './topology.ts';

export function encodeTopology(topology: Topology): string {
  return JSON.stringify(inOrder(topology));
}

/** Undefined unless the text is exactly what `encodeTopology` makes of a sound topology. */
export function decodeTopology(text: string): Topology | undefined {
  try {
    // Reading any field of what has another shape throws, or gives another text.
    const topology = inOrder(JSON.parse(text) as Topology);
    const isSound = JSON.stringify(topology) === text && faultOf(topology) === undefined;
    return isSound ? topology : undefined;
  } catch {
    return undefined;
  }
}

function inOrder(topology: Topology): Topology {
  const { epoch, clusterId, behaviourLevel, rangesMax, closingMax } = topology;
  const { lastRange, lastGeneration, lastChange, lastNode, nodes, meta, ranges } = topology;
  return {
    ...{ epoch, clusterId, behaviourLevel, rangesMax, closingMax },
    ...{ lastRange, lastGeneration, lastChange, lastNode },
    nodes: nodes.map(nodeInOrder),
    meta: membersInOrder(meta),
    ranges: ranges.map(rangeInOrder),
  };
}

function nodeInOrder(node: TopologyNode): TopologyNode {
  const { id, host, port, redis, admin, version, behaviourMax, state, joinId, incarnation } = node;
  return { id, host, port, redis, admin, version, behaviourMax, state, joinId, incarnation };
}

function rangeInOrder(range: TopologyRange): TopologyRange {
  const { id, fromSlot, toSlot, members, electorate, origin, floor, change } = range;
  const { hlc, flags, node, store } = floor;
  return {
    id: idInOrder(id),
    ...{ fromSlot, toSlot },
    ...membersInOrder({ members, electorate }),
    origin: origin.map(idInOrder),
    floor: { hlc, flags, node, store },
    ...(change === undefined ? {} : { change: changeInOrder(change) }),
  };
}

function membersInOrder({ members, electorate }: MetaMembers): MetaMembers {
  return { members: [...members], electorate: [...electorate] };
}

function changeInOrder(change: Change): Change {
  const { number, kind, atSlot, successors, phase, isPaused, by, startedUs } = change;
  const [low, high] = successors;
  const named = [idInOrder(low), idInOrder(high)] as const;
  return { number, kind, atSlot, successors: named, phase, isPaused, by, startedUs };
}

function idInOrder({ range, generation }: GroupId): GroupId {
  return { range, generation };
}
