/**
 * The topology, on which all nodes of a cluster agree: its nodes, and the ranges of slots with
 * their generations. The state machine of `apply.ts` makes it, in numbered states: the epoch.
 * Pure data, never changed in place.
 */
import { REDIS_SLOTS } from '../../storage/keyspace/slots.ts';
import { max, type Timestamp, ZERO } from '../accord/primitives/timestamp.ts';
import {
  type GroupDescriptor,
  type Lacks,
  lacksOf,
  MEMBERS_MAX,
  quorumSizes,
} from '../accord/topology/group.ts';
import {
  type GroupId,
  isMetaGroup,
  isSameGroup,
  META_GROUP,
  machineOf,
} from '../accord/topology/group-id.ts';

/** Upper end of `--ranges-max`. */
export const RANGES_MAX = 1_024;
/** Range ids, generations and node ids are u32. */
export const ID_MAX = 2 ** 32 - 1;

/** Where a node is, and what its release knows. */
export interface NodePlaces {
  /** Where its peers reach it. */
  readonly host: string;
  readonly port: number;
  /** Where clients and operators do, as HOST:PORT; empty: it has not told yet. */
  readonly redis: string;
  readonly admin: string;
  /** Of its release; empty: it has not told yet. */
  readonly version: string;
  /** The highest behaviour level that its release knows. */
  readonly behaviourMax: number;
}

/**
 * `joining`: it has an id, and has not started with it yet. `draining`: it takes no new clients,
 * until it starts again. `decommissioning`: its ranges move to other nodes. `decommissioned`: it has
 * none any more, and gets none.
 */
const NODE_STATES = [
  ...(['joining', 'active', 'draining'] as const),
  ...(['decommissioning', 'decommissioned'] as const),
] as const;
export type NodeState = (typeof NODE_STATES)[number];

export interface TopologyNode extends NodePlaces {
  /** u32, above 0. */
  readonly id: number;
  readonly state: NodeState;
  /** The name by which it has asked for its id; empty for those of the beginning. */
  readonly joinId: string;
  /** Of its last start that was told. */
  readonly incarnation: number;
  /** The node that is to have its ranges, where it is to leave; absent: any. */
  readonly replacedBy?: number;
}

/**
 * `intended`: may still be paused or cancelled, and nobody proposes Close. `closing`: nothing takes
 * it back, and anybody may propose Close.
 */
type ChangePhase = 'intended' | 'closing';

/** A group that is to follow. Its name is given to one change alone, also if that is cancelled. */
export interface Successor extends Members, Lacks {
  readonly id: GroupId;
  readonly fromSlot: number;
  readonly toSlot: number;
}

/**
 * `split`: the range is divided in two. `move`: one with the same slots and other members follows.
 * `renewal`: one with the same slots and members follows, and another electorate; or one member is
 * not waited for any more, or is given the data anew.
 */
type ChangeKind = 'split' | 'move' | 'renewal';

/** Of a range that is to end. */
export interface Change {
  /** Counts all changes of the cluster. */
  readonly number: number;
  readonly kind: ChangeKind;
  /** Ascending by slot. Their electorates are final from `closing` on. */
  readonly successors: readonly Successor[];
  readonly phase: ChangePhase;
  readonly isPaused: boolean;
  /** The name of the one who asked for it, for people. */
  readonly by: string;
  /** executeAt of the intent: microseconds. */
  readonly startedUs: number;
}

/** The open generation of a range, or of the meta group: its slots are all, and of no keys. */
export interface TopologyRange extends Lacks {
  readonly id: GroupId;
  /** Redis slots, half open. */
  readonly fromSlot: number;
  readonly toSlot: number;
  /** Node ids, ascending. */
  readonly members: readonly number[];
  readonly electorate: readonly number[];
  /** The groups whose Close began it; none for those that the cluster was formed with. */
  readonly origin: readonly GroupId[];
  /** executeAt of that Close: nothing of this generation is at or below it. */
  readonly floor: Timestamp;
  readonly change?: Change;
}

export interface Members {
  readonly members: readonly number[];
  readonly electorate: readonly number[];
}

/** A node that was missed, now or once. */
export interface Absence {
  readonly node: number;
  /** It is in no electorate that can do without it. */
  readonly isOut: boolean;
  /** How often it was missed in a row: each time it has to be back for longer. */
  readonly flaps: number;
  /** executeAt of the last change of this: microseconds. */
  readonly sinceUs: number;
}

export interface Topology {
  /** Goes up by one with every change of anything below. */
  readonly epoch: number;
  /** 16 bytes as hex. */
  readonly clusterId: string;
  /** How commands behave, on all nodes. */
  readonly behaviourLevel: number;
  readonly rangesMax: number;
  /** Ranges that close at the same time. */
  readonly closingMax: number;
  /** The highest range id, generation and change number ever given. */
  readonly lastRange: number;
  readonly lastGeneration: number;
  readonly lastChange: number;
  /** The highest node id ever given. */
  readonly lastNode: number;
  /** Ascending by id. */
  readonly nodes: readonly TopologyNode[];
  /** Nodes that are in no electorate which can do without them. */
  readonly nonElectors: readonly number[];
  /** Ascending by node. */
  readonly absences: readonly Absence[];
  readonly meta: TopologyRange;
  /** Ascending by slot; each slot is in exactly one. */
  readonly ranges: readonly TopologyRange[];
}

/** All ranges, then the meta group. */
export function withMeta({ ranges, meta }: Topology): readonly TopologyRange[] {
  return [...ranges, meta];
}

/** Also of the meta group. */
export function rangeOf(topology: Topology, id: GroupId): TopologyRange | undefined {
  return withMeta(topology).find((range) => isSameGroup(range.id, id));
}

/** `by` is in its place. */
export function inPlaceOf(
  { ranges, meta }: Topology,
  old: TopologyRange,
  by: readonly TopologyRange[],
): Pick<Topology, 'ranges' | 'meta'> {
  const [only = meta] = by;
  if (old === meta) return { ranges, meta: only };
  return { ranges: ranges.flatMap((range) => (range === old ? by : [range])), meta };
}

/** The groups of which a node is a member, or all: by slot, then the meta group. */
export function groupsOf(topology: Topology, node?: number): readonly GroupDescriptor[] {
  const all = withMeta(topology).map(descriptorOf);
  return all.filter(({ members }) => node === undefined || members.includes(node));
}

export function descriptorOf(range: TopologyRange): GroupDescriptor {
  const { id, fromSlot, toSlot, members, electorate } = range;
  return {
    ...{ id, fromSlot, toSlot, members, electorate },
    ...{ ...lacksOf(range), machine: machineOf(id) },
  };
}

export function isMissed({ absences }: Pick<Topology, 'absences'>, id: number): boolean {
  return absences.some(({ node, isOut }) => node === id && isOut);
}

/** Of a group that is in the topology no more: when it has ended, and what has its slots now. */
export function endIn(
  topology: Topology,
  { id, fromSlot, toSlot }: Pick<GroupDescriptor, 'id' | 'fromSlot' | 'toSlot'>,
): { readonly executeAt: Timestamp; readonly successors: readonly GroupDescriptor[] } | undefined {
  if (rangeOf(topology, id) !== undefined) return undefined;
  const ranges = withMeta(topology).filter(
    (range) =>
      isMetaGroup(range.id) === isMetaGroup(id) &&
      range.fromSlot >= fromSlot &&
      range.toSlot <= toSlot,
  );
  const slots = ranges.reduce((sum, range) => sum + range.toSlot - range.fromSlot, 0);
  // It is of a later topology.
  if (slots < toSlot - fromSlot || ranges.some((range) => range.id.generation <= id.generation)) {
    return undefined;
  }
  const executeAt = ranges.reduce((last, { floor }) => max(last, floor), ZERO);
  return { executeAt, successors: ranges.map(descriptorOf) };
}

/** Its first generation. All of its transactions conflict; its slots stand for no keys. */
export function firstMeta({ members, electorate }: Members): TopologyRange {
  const slots = { fromSlot: 0, toSlot: REDIS_SLOTS };
  const begun = { origin: [], floor: ZERO, owed: [], absent: [] };
  return { id: META_GROUP, ...slots, members, electorate, ...begun };
}

export function metaGroup(members: Members): GroupDescriptor {
  return descriptorOf(firstMeta(members));
}

/** The last generation of the meta group that is known: one that is to come, once it is certain. */
export function metaViewOf({ id, change }: TopologyRange): number {
  const [next] = change?.phase === 'closing' ? change.successors : [];
  return (next ?? { id }).id.generation;
}

/** Why this is no topology of a cluster, for people; undefined: it is one. */
export function faultOf(topology: Topology): string | undefined {
  const { epoch, clusterId, behaviourLevel, rangesMax, closingMax, nodes, ranges } = topology;
  if (!isWhole(epoch, 1, Number.MAX_SAFE_INTEGER)) return 'epoch';
  if (!isText(clusterId) || !/^[0-9a-f]{32}$/.test(clusterId)) return 'cluster id';
  if (!isWhole(behaviourLevel, 1, ID_MAX)) return 'behaviour level';
  if (!isWhole(rangesMax, 1, RANGES_MAX)) return 'highest number of ranges';
  if (!isWhole(closingMax, 1, RANGES_MAX)) return 'highest number of ranges that close';
  if (!nodes.every(isNode) || !ascends(nodes.map(({ id }) => id))) return 'nodes';
  if (nodes.some(({ behaviourMax }) => behaviourMax < behaviourLevel)) return 'behaviour level';
  if (ranges.length > rangesMax) return `${ranges.length} ranges`;
  if (!areCounters(topology)) return 'counters';
  if (!areAbsences(topology)) return 'absences';
  const fault = metaFault(topology);
  if (fault !== undefined) return `${fault} of the meta group`;
  let next = 0;
  for (const range of ranges) {
    const { id, fromSlot, toSlot } = range;
    const itsFault = isMetaGroup(id) ? 'name' : rangeFault(range, topology);
    if (itsFault !== undefined) return `${itsFault} of range ${id.range}`;
    if (fromSlot !== next) return `slot ${next}`;
    next = toSlot;
  }
  if (next !== REDIS_SLOTS) return `slot ${next}`;
  const ids = ranges.flatMap(({ id, change }) => [
    id.range,
    ...(change?.successors ?? []).map((each) => each.id.range).filter((its) => its !== id.range),
  ]);
  return new Set(ids).size === ids.length ? undefined : 'a range id twice';
}

function areAbsences({ nodes, nonElectors, absences }: Topology): boolean {
  const isKnown = (node: number): boolean => nodes.some(({ id }) => id === node);
  const areSound = absences.every(({ isOut, flaps, sinceUs }) => {
    const isCounted = isWhole(flaps, 1, ID_MAX) && isWhole(sinceUs, 0, Number.MAX_SAFE_INTEGER);
    return typeof isOut === 'boolean' && isCounted;
  });
  const named = absences.map(({ node }) => node);
  return areSound && [nonElectors, named].every((ids) => ascends(ids) && ids.every(isKnown));
}

function areCounters(topology: Topology): boolean {
  const { lastRange, lastGeneration, lastChange, lastNode, nodes } = topology;
  return (
    isWhole(lastNode, nodes.at(-1)?.id ?? 1, ID_MAX) &&
    isWhole(lastRange, 1, ID_MAX) &&
    isWhole(lastGeneration, 1, ID_MAX) &&
    isWhole(lastChange, 0, ID_MAX)
  );
}

function isNode(node: TopologyNode): boolean {
  const { id, state, joinId, incarnation, replacedBy } = node;
  return (
    (replacedBy === undefined || isWhole(replacedBy, 1, ID_MAX)) &&
    isWhole(id, 1, ID_MAX) &&
    isPlaces(node) &&
    NODE_STATES.includes(state) &&
    (joinId === '' || (isText(joinId) && /^[0-9a-f]{32}$/.test(joinId))) &&
    isWhole(incarnation, 0, Number.MAX_SAFE_INTEGER)
  );
}

export function isPlaces(places: NodePlaces): boolean {
  const { host, port, redis, admin, version, behaviourMax } = places;
  const isTold = [redis, admin, version].every((text) => text === '' || isText(text));
  return isText(host) && isWhole(port, 0, 65_535) && isTold && isWhole(behaviourMax, 1, ID_MAX);
}

function metaFault(topology: Topology): string | undefined {
  const { id, fromSlot, toSlot, change } = topology.meta;
  if (!isMetaGroup(id)) return 'name';
  if (fromSlot !== 0 || toSlot !== REDIS_SLOTS) return 'slots';
  if (change !== undefined && change.kind !== 'move') return 'change';
  return rangeFault(topology.meta, topology);
}

function rangeFault(range: TopologyRange, topology: Topology): string | undefined {
  const { id, fromSlot, toSlot, origin, floor, change } = range;
  if (!isGiven(id, topology)) return 'name';
  if (!isWhole(fromSlot, 0, REDIS_SLOTS - 1)) return 'slots';
  if (!isWhole(toSlot, fromSlot + 1, REDIS_SLOTS)) return 'slots';
  const fault = membersFault(range, topology);
  if (fault !== undefined) return fault;
  const older = origin.every(
    (parent) => isGiven(parent, topology) && parent.generation < id.generation,
  );
  if (!older) return 'origin';
  if (!isTimestamp(floor)) return 'floor';
  if (!areLacks(range)) return 'owed data';
  return change === undefined || isChange(change, range, topology) ? undefined : 'change';
}

function areLacks({ members, owed, absent }: Members & Lacks): boolean {
  const areAscending = ascends(owed) && ascends(absent);
  return (
    areAscending &&
    owed.every((node) => members.includes(node)) &&
    absent.every((node) => owed.includes(node))
  );
}

function membersFault(group: Members, { nodes }: Topology): string | undefined {
  const { members, electorate } = group;
  const isKnown = (member: number): boolean => nodes.some(({ id }) => id === member);
  if (!isWhole(members.length, 1, MEMBERS_MAX)) return 'members';
  if (!ascends(members) || !members.every(isKnown)) return 'members';
  return isElectorate(members, electorate) ? undefined : 'electorate';
}

function isElectorate(members: readonly number[], electorate: readonly number[]): boolean {
  if (!ascends(electorate) || !electorate.every((node) => members.includes(node))) return false;
  return electorate.length >= quorumSizes(members.length, members.length).slow;
}

export function isTimestamp({ hlc, flags, node, store }: Timestamp): boolean {
  return (
    isWhole(hlc, 0, Number.MAX_SAFE_INTEGER) &&
    isWhole(flags, 0, 0xffff) &&
    isWhole(node, 0, ID_MAX) &&
    isWhole(store, 0, 0xffff)
  );
}

function isChange(change: Change, range: TopologyRange, topology: Topology): boolean {
  const { number, successors, phase, isPaused, by, startedUs } = change;
  return (
    isWhole(number, 1, topology.lastChange) &&
    areSuccessors(change, range) &&
    successors.every((each) => isSuccessor(each, range, topology)) &&
    (phase === 'intended' || (phase === 'closing' && !isPaused)) &&
    typeof isPaused === 'boolean' &&
    isText(by) &&
    isWhole(startedUs, 0, Number.MAX_SAFE_INTEGER)
  );
}

function isSuccessor(successor: Successor, range: TopologyRange, topology: Topology): boolean {
  const { id, members, electorate } = successor;
  return (
    isGiven(id, topology) &&
    areLacks(successor) &&
    id.generation > range.id.generation &&
    membersFault({ members, electorate }, topology) === undefined &&
    (range.change?.kind === 'move' || isSameList(members, range.members))
  );
}

function isSameList(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((node, at) => node === b[at]);
}

/** As many as there must be, with the slots of the range; the first one keeps its number. */
function areSuccessors({ kind, successors }: Change, range: TopologyRange): boolean {
  if (successors.length !== { split: 2, move: 1, renewal: 1 }[kind]) return false;
  let next = range.fromSlot;
  for (const { id, fromSlot, toSlot } of successors) {
    const isFirst = fromSlot === range.fromSlot;
    if (fromSlot !== next || !isWhole(toSlot, fromSlot + 1, range.toSlot)) return false;
    if (isFirst ? id.range !== range.id.range : id.range <= range.id.range) return false;
    next = toSlot;
  }
  return next === range.toSlot;
}

function isGiven({ range, generation }: GroupId, { lastRange, lastGeneration }: Topology): boolean {
  return isWhole(range, 0, lastRange) && isWhole(generation, 1, lastGeneration);
}

/** A whole number, both ends included. */
export function isWhole(value: number, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= min && value <= max;
}

/** Hosts, and names of those who ask: ASCII alone. */
export function isText(value: string): boolean {
  return typeof value === 'string' && /^[\x20-\x7e]{1,255}$/.test(value);
}

function ascends(ids: readonly number[]): boolean {
  return ids.every(
    (id, at) => isWhole(id, 1, ID_MAX) && (at === 0 || (ids[at - 1] as number) < id),
  );
}
