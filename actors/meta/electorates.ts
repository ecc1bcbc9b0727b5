/**
 * Which members of a group vote on the fast path: those that are there. A node that was missed
 * leaves the electorates of all its groups with one command, and comes back with another one.
 * Groups never change, so those concerned are renewed: each ends, and one with the same slots and
 * members follows. Pure.
 */
import type { Timestamp } from '../accord/primitives/timestamp.ts';
import { fetchingIn, quorumSizes } from '../accord/topology/group.ts';
import { isMetaGroup } from '../accord/topology/group-id.ts';
import type { NodeSeen } from './meta-command.ts';
import { inNextEpoch, type MetaState, type Outcome } from './meta-state.ts';
import {
  type Absence,
  type Change,
  ID_MAX,
  isMissed,
  isWhole,
  type Successor,
  type Topology,
  type TopologyRange,
} from './topology.ts';

/** An older observation says nothing about now: the proposer may have been cut off. */
export const SEEN_US_MAX = 5_000_000;
/** A node that was there for so long is not held to what was before. */
const FORGIVEN_US = 20 * 60 * 1_000_000;
/** From here on it does not have to be back for longer. */
export const FLAPS_MAX = 7;
const BY = 'electorate';

/**
 * Of a group: its members without those that are missed, or `absent`, as long as enough are left.
 * Where they are not, others complete it, so that it never has fewer than there must be.
 */
export function electorateOf(
  members: readonly number[],
  topology: Pick<Topology, 'nonElectors' | 'absences'>,
  absent: readonly number[] = [],
): readonly number[] {
  const { slow } = quorumSizes(members.length, members.length);
  const isOut = (node: number): boolean => absent.includes(node) || isMissed(topology, node);
  const wanted = members.filter((node) => !topology.nonElectors.includes(node));
  const all = wanted.length >= slow ? wanted : members;
  const present = all.filter((node) => !isOut(node));
  if (present.length >= slow) return present;
  const others = members.filter((node) => !all.includes(node) && !isOut(node));
  const missed = members.filter((node) => isOut(node) && !absent.includes(node));
  return [...present, ...others, ...missed, ...absent].slice(0, slow).sort((a, b) => a - b);
}

export function nodeSeen(
  state: MetaState,
  { type, node, seenUs }: NodeSeen,
  at: Timestamp,
): Outcome {
  const { topology } = state;
  const isOut = type === 'NodeMissed';
  if (!topology.nodes.some(({ id }) => id === node)) return 'no node of this cluster';
  if (!isWhole(seenUs, 0, Number.MAX_SAFE_INTEGER)) return 'it is not said when';
  if (at.hlc > seenUs + SEEN_US_MAX) return 'that was too long ago';
  const before = topology.absences.find((absence) => absence.node === node);
  if ((before?.isOut ?? false) === isOut) return 'nothing has changed';
  const absence = { node, isOut, flaps: flapsOf(before, isOut, at), sinceUs: at.hlc };
  const others = topology.absences.filter((each) => each !== before);
  return inNextEpoch(state, { absences: [...others, absence].sort((a, b) => a.node - b.node) });
}

function flapsOf(before: Absence | undefined, isOut: boolean, at: Timestamp): number {
  if (before === undefined) return 1;
  if (!isOut) return before.flaps;
  if (at.hlc > before.sinceUs + FORGIVEN_US) return 1;
  return Math.min(before.flaps + 1, FLAPS_MAX);
}

export function closingOf({ ranges }: Topology): number {
  return ranges.filter(({ change }) => change?.phase === 'closing').length;
}

/**
 * Has all ranges renewed whose electorate is another one than it should be, as many at a time as
 * may close. Those with another change follow when that has ended. The epoch stays.
 */
export function withRenewals(topology: Topology, at: Timestamp): Topology {
  const { closingMax, lastGeneration } = topology;
  if (lastGeneration >= ID_MAX) return topology;
  let room = closingMax - closingOf(topology);
  let { lastChange } = topology;
  const ranges = topology.ranges.map((range): TopologyRange => {
    const { change, ...its } = range;
    if (change !== undefined && (change.kind !== 'renewal' || change.phase === 'closing')) {
      return range;
    }
    // A member that fetches its data would have to begin anew.
    if (fetchingIn(range).length > 0) return range;
    if (!isOutdated(range, topology)) return change === undefined ? range : its;
    const phase = room > 0 ? 'closing' : 'intended';
    if (change === undefined) {
      if (lastChange >= ID_MAX) return range;
      lastChange += 1;
    } else if (phase === 'intended') return range;
    room -= 1;
    return { ...its, change: renewal(range, topology, change ?? begun(lastChange, at), phase) };
  });
  const isSame = ranges.every((range, index) => range === topology.ranges[index]);
  if (isSame) return topology;
  const isNamed = lastChange > topology.lastChange;
  return { ...topology, ranges, lastChange, lastGeneration: lastGeneration + (isNamed ? 1 : 0) };
}

function isOutdated(range: TopologyRange, topology: Topology): boolean {
  const { members, electorate, absent } = range;
  const wanted = electorateOf(members, topology, absent);
  return wanted.length !== electorate.length || wanted.some((node, at) => node !== electorate[at]);
}

function begun(number: number, at: Timestamp) {
  return { number, startedUs: at.hlc, successors: [] };
}

/** Its name stays once it has one: others were given since, but none to its range. */
function renewal(
  range: TopologyRange,
  topology: Topology,
  { number, startedUs, successors: [named] }: Pick<Change, 'number' | 'startedUs' | 'successors'>,
  phase: Change['phase'],
): Change {
  const { id, fromSlot, toSlot, members } = range;
  const own = named?.id ?? { range: id.range, generation: topology.lastGeneration + 1 };
  const successors = [successorOf(range, topology, { id: own, fromSlot, toSlot, members })];
  return { number, kind: 'renewal', successors, phase, isPaused: false, by: BY, startedUs };
}

/** With the electorate of now, and without data where the range is, and where members are new. */
export function successorOf(
  range: TopologyRange,
  topology: Topology,
  { id, fromSlot, toSlot, members }: Pick<Successor, 'id' | 'fromSlot' | 'toSlot' | 'members'>,
): Successor {
  const absent = members.filter((node) => range.absent.includes(node));
  const owed = members.filter((node) => !range.members.includes(node) || range.owed.includes(node));
  const { nonElectors } = topology;
  // That of the meta group does not follow who is there.
  const known = isMetaGroup(id) ? { nonElectors, absences: [] } : topology;
  const electorate = electorateOf(members, known, absent);
  return { id, fromSlot, toSlot, members, electorate, owed, absent };
}
