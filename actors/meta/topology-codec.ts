/**
 * A topology as text: JSON with its fields in one order, so that two equal topologies are the same
 * text, and have the same digest. In `identity.json`, and what nodes compare when they greet. Pure.
 */
import type { GroupId } from '../accord/topology/group-id.ts';
import {
  type Absence,
  type Change,
  faultOf,
  type Members,
  type Successor,
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
  const { nonElectors, absences } = topology;
  return {
    ...{ epoch, clusterId, behaviourLevel, rangesMax, closingMax },
    ...{ lastRange, lastGeneration, lastChange, lastNode },
    nodes: nodes.map(nodeInOrder),
    nonElectors: [...nonElectors],
    absences: absences.map(absenceInOrder),
    meta: rangeInOrder(meta),
    ranges: ranges.map(rangeInOrder),
  };
}

function nodeInOrder(node: TopologyNode): TopologyNode {
  const { id, host, port, redis, admin, version, behaviourMax, state, joinId, incarnation } = node;
  const { replacedBy } = node;
  return {
    ...{ id, host, port, redis, admin, version, behaviourMax, state, joinId, incarnation },
    ...(replacedBy === undefined ? {} : { replacedBy }),
  };
}

function rangeInOrder(range: TopologyRange): TopologyRange {
  const { id, fromSlot, toSlot, members, electorate, origin, floor, owed, absent, change } = range;
  const { hlc, flags, node, store } = floor;
  return {
    id: idInOrder(id),
    ...{ fromSlot, toSlot },
    ...membersInOrder({ members, electorate }),
    origin: origin.map(idInOrder),
    floor: { hlc, flags, node, store },
    ...{ owed: [...owed], absent: [...absent] },
    ...(change === undefined ? {} : { change: changeInOrder(change) }),
  };
}

function membersInOrder({ members, electorate }: Members): Members {
  return { members: [...members], electorate: [...electorate] };
}

function changeInOrder(change: Change): Change {
  const { number, kind, successors, phase, isPaused, by, startedUs } = change;
  const its = successors.map(successorInOrder);
  return { number, kind, successors: its, phase, isPaused, by, startedUs };
}

function successorInOrder({ id, fromSlot, toSlot, ...its }: Successor): Successor {
  const lacks = { owed: [...its.owed], absent: [...its.absent] };
  return { id: idInOrder(id), fromSlot, toSlot, ...membersInOrder(its), ...lacks };
}

function absenceInOrder({ node, isOut, flaps, sinceUs }: Absence): Absence {
  return { node, isOut, flaps, sinceUs };
}

function idInOrder({ range, generation }: GroupId): GroupId {
  return { range, generation };
}
