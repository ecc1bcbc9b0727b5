/**
 * The nodes of a cluster in its topology: how one joins, tells where it is, and leaves. A node id
 * is given once: `lastNode` only grows, also when its node is removed. Pure.
 */
import type { Timestamp } from '../accord/primitives/timestamp.ts';
import { fetchingIn } from '../accord/topology/group.ts';
import { cancel } from './changes.ts';
import type { Join, NodeStarted } from './meta-command.ts';
import { asOneEpoch, inNextEpoch, type MetaState, type Outcome } from './meta-state.ts';
import {
  ID_MAX,
  isPlaces,
  isText,
  isWhole,
  type NodeState,
  type Topology,
  type TopologyNode,
  type TopologyRange,
  withMeta,
} from './topology.ts';

/** Nodes of one cluster. */
export const NODES_MAX = 256;

/** The node that has asked for its id by this name. */
export function nodeOfJoin({ nodes }: Topology, joinId: string): TopologyNode | undefined {
  return joinId === '' ? undefined : nodes.find((node) => node.joinId === joinId);
}

/** A node that asks again by the same name, as after a lost answer, has its id already. */
export function join(state: MetaState, command: Join): Outcome {
  const { topology } = state;
  const { nodes, lastNode, behaviourLevel } = topology;
  const { joinId, behaviourMax } = command;
  if (!isText(joinId) || !/^[0-9a-f]{32}$/.test(joinId)) return 'no name to join by';
  if (nodeOfJoin(topology, joinId) !== undefined) return 'it has joined already';
  const fault = faultOfPlaces(command, behaviourLevel);
  if (fault !== undefined) return fault;
  if (nodes.length >= NODES_MAX) return `the cluster has at most ${NODES_MAX} nodes`;
  if (lastNode >= ID_MAX) return 'no names are left';
  const id = command.id ?? lastNode + 1;
  if (!isWhole(id, lastNode + 1, ID_MAX)) return `ids up to ${lastNode} were given before`;
  const { host, port, redis, admin, version } = command;
  const node: TopologyNode = {
    id,
    ...{ host, port, redis, admin, version, behaviourMax, joinId },
    incarnation: 0,
    state: 'joining',
  };
  return inNextEpoch(state, { lastNode: id, nodes: [...nodes, node] });
}

/** A start undoes a drain; what an older start has said is stale. */
export function nodeStarted(state: MetaState, command: NodeStarted): Outcome {
  const { nodes, behaviourLevel } = state.topology;
  const known = nodes.find((node) => node.id === command.id);
  if (known === undefined) return 'no node of this cluster';
  const fault = faultOfPlaces(command, behaviourLevel);
  if (fault !== undefined) return fault;
  const { incarnation, host, port, redis, admin, version, behaviourMax } = command;
  if (!isWhole(incarnation, 0, Number.MAX_SAFE_INTEGER)) return 'no incarnation';
  if (incarnation < known.incarnation) return 'it has started again since';
  const isBack = known.state === 'joining' || incarnation > known.incarnation;
  const node: TopologyNode = {
    ...known,
    ...{ incarnation, host, port, redis, admin, version, behaviourMax },
    state: isBack && !isLeaving(known) ? 'active' : known.state,
  };
  if (!isChanged(node, known)) return 'nothing has changed';
  return withNode(state, node);
}

export function drain(state: MetaState, id: number): Outcome {
  return moved(state, id, ['active'], 'draining');
}

/** Replicas that were to move for that reason stay, unless their range is closing. */
export function recommission(before: MetaState, id: number, at: Timestamp): Outcome {
  const states = ['draining', 'decommissioning', 'decommissioned'] as const;
  let outcome = moved(before, id, states, 'active');
  if (typeof outcome === 'string') return outcome;
  for (const { id: range, change } of withMeta(before.topology)) {
    if (change?.by !== leaveReason(id) || change.phase === 'closing') continue;
    const next = cancel(outcome, { range, change: change.number }, at);
    if (typeof next !== 'string') outcome = next;
  }
  return asOneEpoch(before, outcome);
}

/** Its ranges move to other nodes. */
export function decommission(state: MetaState, id: number): Outcome {
  return moved(state, id, ['joining', 'active', 'draining'], 'decommissioning');
}

/** Its ranges move to the other one, but for those that this one has already. */
export function replace(state: MetaState, id: number, replacement: number): Outcome {
  const other = state.topology.nodes.find((node) => node.id === replacement);
  if (other === undefined) return `there is no node ${replacement}`;
  if (id === replacement) return 'a node does not replace itself';
  if (isLeaving(other)) return `node ${replacement} is ${other.state}`;
  const states = ['joining', 'active', 'draining', 'decommissioning'] as const;
  return moved(state, id, states, 'decommissioning', replacement);
}

/** Names the asker of moves of a node that leaves. */
export function leaveReason(id: number): string {
  return `node ${id} leaves`;
}

/** It gets no ranges, and loses those that it has. */
export function isLeaving({ state }: TopologyNode): boolean {
  return state === 'decommissioning' || state === 'decommissioned';
}

/**
 * A node that was to leave has left when it is a member of nothing, and nobody needs data of it:
 * a new member may have them from nobody else. The epoch stays.
 */
export function withLeft(topology: Topology): Topology {
  const isLacking = withMeta(topology).some((range) => fetchingIn(range).length > 0);
  const hasLeft = ({ id, state }: TopologyNode): boolean =>
    state === 'decommissioning' && !isLacking && keptBy(topology, id) === undefined;
  if (!topology.nodes.some(hasLeft)) return topology;
  const nodes = topology.nodes.map((node): TopologyNode => {
    return hasLeft(node) ? { ...node, state: 'decommissioned' } : node;
  });
  return { ...topology, nodes };
}

/** For good: its id is given to no other node. */
export function remove(state: MetaState, id: number): Outcome {
  const { nodes } = state.topology;
  const node = nodes.find((each) => each.id === id);
  if (node === undefined) return 'no node of this cluster';
  const kept = keptBy(state.topology, id);
  if (kept !== undefined) return kept;
  if (node.state !== 'decommissioned') return `node ${id} is ${node.state}: decommission it first`;
  const { nonElectors, absences } = state.topology;
  return inNextEpoch(state, {
    nodes: nodes.filter((each) => each !== node),
    nonElectors: nonElectors.filter((each) => each !== id),
    absences: absences.filter((each) => each.node !== id),
  });
}

/** Why the node cannot leave. */
function keptBy(topology: Topology, id: number): string | undefined {
  const isIn = ({ members, change }: TopologyRange): boolean =>
    members.includes(id) || change?.successors.some((each) => each.members.includes(id)) === true;
  const ranges = topology.ranges.filter(isIn).length;
  if (ranges > 0) return `node ${id} is a member of ${ranges} range${ranges === 1 ? '' : 's'}`;
  if (isIn(topology.meta)) return `node ${id} is a member of the meta group`;
  return undefined;
}

export function raiseBehaviour(state: MetaState, from: number, to: number): Outcome {
  const { nodes, behaviourLevel } = state.topology;
  if (from !== behaviourLevel) return `the behaviour level is ${behaviourLevel}`;
  if (!isWhole(to, from + 1, ID_MAX)) return 'the behaviour level is only raised';
  const behind = nodes.find(({ behaviourMax }) => behaviourMax < to);
  if (behind !== undefined) return `node ${behind.id} knows levels up to ${behind.behaviourMax}`;
  return inNextEpoch(state, { behaviourLevel: to });
}

function moved(
  state: MetaState,
  id: number,
  from: readonly NodeState[],
  to: NodeState,
  replacedBy?: number,
): Outcome {
  const known = state.topology.nodes.find((each) => each.id === id);
  if (known === undefined) return 'no node of this cluster';
  if (!from.includes(known.state)) return `node ${id} is ${known.state}`;
  const { replacedBy: _former, ...node } = known;
  return withNode(state, {
    ...node,
    ...(replacedBy === undefined ? {} : { replacedBy }),
    state: to,
  });
}

function withNode(state: MetaState, node: TopologyNode): MetaState {
  const nodes = state.topology.nodes.map((each) => (each.id === node.id ? node : each));
  return inNextEpoch(state, { nodes });
}

function faultOfPlaces(command: Join | NodeStarted, behaviourLevel: number): string | undefined {
  if (!isPlaces(command)) return 'no address';
  if (isWhole(command.behaviourMax, behaviourLevel, ID_MAX)) return undefined;
  return `the cluster is at behaviour level ${behaviourLevel}, which its release does not know`;
}

function isChanged(node: TopologyNode, known: TopologyNode): boolean {
  return (Object.keys(node) as (keyof TopologyNode)[]).some((name) => node[name] !== known[name]);
}
