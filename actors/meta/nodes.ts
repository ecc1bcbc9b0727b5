/**
 * The nodes of a cluster in its topology: how one joins, tells where it is, and leaves. A node id
 * is given once: `lastNode` only grows, also when its node is removed. Pure.
 */
import type { Join, NodeStarted } from './meta-command.ts';
import { inNextEpoch, type MetaState, type Outcome } from './meta-state.ts';
import {
  ID_MAX,
  isPlaces,
  isText,
  isWhole,
  type NodeState,
  type Topology,
  type TopologyNode,
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
    state: isBack && known.state !== 'decommissioning' ? 'active' : known.state,
  };
  if (!isChanged(node, known)) return 'nothing has changed';
  return withNode(state, node);
}

export function drain(state: MetaState, id: number): Outcome {
  return moved(state, id, ['active'], 'draining');
}

export function recommission(state: MetaState, id: number): Outcome {
  return moved(state, id, ['draining', 'decommissioning'], 'active');
}

/** It is to be removed once it has no ranges. */
export function decommission(state: MetaState, id: number): Outcome {
  return (
    keptBy(state, id) ?? moved(state, id, ['joining', 'active', 'draining'], 'decommissioning')
  );
}

/** For good: its id is given to no other node. */
export function remove(state: MetaState, id: number): Outcome {
  const { nodes } = state.topology;
  const node = nodes.find((each) => each.id === id);
  if (node === undefined) return 'no node of this cluster';
  if (node.state !== 'decommissioning') return `node ${id} is ${node.state}`;
  const kept = keptBy(state, id);
  if (kept !== undefined) return kept;
  const { nonElectors, absences } = state.topology;
  return inNextEpoch(state, {
    nodes: nodes.filter((each) => each !== node),
    nonElectors: nonElectors.filter((each) => each !== id),
    absences: absences.filter((each) => each.node !== id),
  });
}

/** Why the node cannot leave. */
function keptBy({ topology }: MetaState, id: number): string | undefined {
  const ranges = topology.ranges.filter(({ members }) => members.includes(id)).length;
  if (ranges > 0) return `node ${id} is a member of ${ranges} range${ranges === 1 ? '' : 's'}`;
  if (topology.meta.members.includes(id)) return `node ${id} is a member of the meta group`;
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

function moved(state: MetaState, id: number, from: readonly NodeState[], to: NodeState): Outcome {
  const node = state.topology.nodes.find((each) => each.id === id);
  if (node === undefined) return 'no node of this cluster';
  if (!from.includes(node.state)) return `node ${id} is ${node.state}`;
  return withNode(state, { ...node, state: to });
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
