/**
 * How nodes lose their ranges: those that are to leave, and one that is gone for long. Says which
 * replica moves next, and where; and to people, what is left, and what cannot move. Pure.
 */
import { quorumSizes } from '../accord/topology/group.ts';
import { isMetaGroup } from '../accord/topology/group-id.ts';
import { leaveFault, sharedMin } from './changes.ts';
import type { Move } from './meta-command.ts';
import { isLeaving, leaveReason } from './nodes.ts';
import {
  isMissed,
  type Topology,
  type TopologyNode,
  type TopologyRange,
  withMeta,
} from './topology.ts';

export interface DepartureLimits {
  /** Ranges that change their members at the same time, as far as nobody else asks for it. */
  readonly movesMax: number;
  /** A node that is gone for so long loses its ranges; 0: never by itself. */
  readonly replaceAfterMs: number;
}

export const DEPARTURE_LIMITS: DepartureLimits = Object.freeze({
  movesMax: 4,
  replaceAfterMs: 300_000,
});

export interface Presence {
  readonly isUp: (node: number) => boolean;
  /** The cluster's time. */
  readonly presentUs: number;
}

/** A node that loses its ranges: those that it still has, and what becomes of them. */
export interface Departure {
  readonly node: number;
  /** Ranges of which it is a member. */
  readonly left: number;
  /** The meta group is range 0; `to` is absent where no node takes its place. */
  readonly moving: readonly { readonly range: number; readonly to?: number | undefined }[];
  /** These do not go on by themselves. */
  readonly stuck: readonly { readonly range: number; readonly why: string }[];
}

type Step =
  | { readonly type: 'move'; readonly to?: number }
  | { readonly type: 'moving'; readonly to?: number | undefined }
  /** Behind others. */
  | { readonly type: 'later' }
  | { readonly type: 'stuck'; readonly why: string };

/**
 * Those that people take out, and one that is gone. Where several are gone at the same time, people
 * decide: the next one may take with it what is left of a range.
 */
function leavers(
  { nodes, absences }: Topology,
  { isUp, presentUs }: Presence,
  { replaceAfterMs }: DepartureLimits,
): readonly TopologyNode[] {
  const away = absences.filter(({ node, isOut }) => {
    return isOut && nodes.some((each) => each.id === node && !isLeaving(each));
  });
  const [gone] = away.length === 1 && replaceAfterMs > 0 ? away : [];
  const isGone = (id: number): boolean =>
    gone?.node === id && !isUp(id) && gone.sinceUs + replaceAfterMs * 1_000 <= presentUs;
  return nodes.filter(({ id, state }) => state === 'decommissioning' || isGone(id));
}

/** The next replica that is to move. */
export function nextMove(
  topology: Topology,
  presence: Presence,
  limits: DepartureLimits,
): Move | undefined {
  const running = withMeta(topology).filter(({ change, owed }) => {
    return (change?.kind === 'move' && !change.isPaused) || owed.some(presence.isUp);
  });
  if (running.length >= limits.movesMax) return undefined;
  const all = leavers(topology, presence, limits);
  // A range that has lost a member is nearer to its end than one that has all of them.
  const lostFirst = all.toSorted(
    (a, b) => Number(presence.isUp(a.id)) - Number(presence.isUp(b.id)),
  );
  for (const node of lostFirst) {
    for (const range of rangesOf(topology, node)) {
      const step = stepOf(topology, range, node, presence);
      if (step.type !== 'move') continue;
      return {
        type: 'Move',
        range: range.id,
        from: node.id,
        to: step.to,
        by: leaveReason(node.id),
      };
    }
  }
  return undefined;
}

export function departuresOf(
  topology: Topology,
  presence: Presence,
  limits: DepartureLimits,
): readonly Departure[] {
  return leavers(topology, presence, limits).flatMap((node) => {
    const ranges = rangesOf(topology, node);
    const steps = ranges.map((range) => {
      return { range: range.id.range, step: stepOf(topology, range, node, presence) };
    });
    const moving = steps.flatMap(({ range, step }) => {
      return step.type === 'moving' ? [{ range, to: step.to }] : [];
    });
    const stuck = steps.flatMap(({ range, step }) => {
      return step.type === 'stuck' ? [{ range, why: step.why }] : [];
    });
    const left = ranges.filter(({ id }) => !isMetaGroup(id)).length;
    // Of one that is gone by itself nothing is left to be told.
    if (left + moving.length === 0 && !isLeaving(node)) return [];
    return { node: node.id, left, moving, stuck };
  });
}

function rangesOf(topology: Topology, { id }: TopologyNode): readonly TopologyRange[] {
  return withMeta(topology).filter(({ members }) => members.includes(id));
}

function stepOf(
  topology: Topology,
  range: TopologyRange,
  node: TopologyNode,
  { isUp }: Presence,
): Step {
  const { members, owed, change } = range;
  const [successor] = change?.kind === 'move' ? change.successors : [];
  if (successor !== undefined && !successor.members.includes(node.id)) {
    if (change?.isPaused) return { type: 'stuck', why: 'its move is paused' };
    const to = successor.members.find((member) => !members.includes(member));
    return { type: 'moving', to };
  }
  const { slow } = quorumSizes(members.length, members.length);
  if (members.filter(isUp).length < slow) return { type: 'stuck', why: 'it has no quorum' };
  if (change !== undefined) return { type: 'later' };
  // One that lacks the data itself is replaced.
  const lacking = owed.find((each) => each !== node.id);
  if (lacking !== undefined) {
    if (isUp(lacking)) return { type: 'later' };
    return { type: 'stuck', why: `node ${lacking} is gone, and does not have its data yet` };
  }
  if (members.length < 2) return { type: 'stuck', why: 'no other member has its data' };
  if (isMetaGroup(range.id) && members.length - 1 < sharedMin(members, members)) {
    return { type: 'stuck', why: 'too few other members' };
  }
  return targetFor(topology, range, node, isUp);
}

/** The node that has the fewest ranges, of those that take none just now. */
function targetFor(
  topology: Topology,
  range: TopologyRange,
  { replacedBy }: TopologyNode,
  isUp: (node: number) => boolean,
): Step {
  const { members } = range;
  const others = topology.nodes.filter((each) => !isLeaving(each) && !members.includes(each.id));
  if (others.length === 0 && isMetaGroup(range.id)) return withoutOne(range);
  const named = others.filter(({ id }) => id === replacedBy);
  const able = (named.length > 0 ? named : others).filter(({ id, state }) => {
    return state === 'active' && isUp(id) && !isMissed(topology, id);
  });
  if (able.length === 0) {
    const why = named.length > 0 ? `node ${replacedBy} is not there` : 'no other node can take it';
    return { type: 'stuck', why };
  }
  const free = able.filter(({ id }) => isMetaGroup(range.id) || !receives(topology, id));
  const load = ({ id }: TopologyNode): number => rangesWith(topology, id).length;
  const [best] = free.toSorted((a, b) => load(a) - load(b) || a.id - b.id);
  return best === undefined ? { type: 'later' } : { type: 'move', to: best.id };
}

/** All other nodes are members already. */
function withoutOne(meta: TopologyRange): Step {
  const why = leaveFault(meta);
  if (why === undefined) return { type: 'move' };
  return { type: 'stuck', why: `no other node can take its place, and ${why}` };
}

/** Data of one range at a time come to a node; the table is there already. */
function receives({ ranges }: Topology, id: number): boolean {
  return ranges.some(({ members, owed, change }) => {
    const isNew = change?.kind === 'move' && !members.includes(id);
    return owed.includes(id) || (isNew && change.successors[0]?.members.includes(id) === true);
  });
}

/** As they will be. */
function rangesWith({ ranges }: Topology, id: number): readonly TopologyRange[] {
  return ranges.filter(({ members, change }) => {
    const [successor] = change?.kind === 'move' ? change.successors : [];
    return (successor?.members ?? members).includes(id);
  });
}
