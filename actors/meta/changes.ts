/**
 * Changes of ranges: intended, then closing, then done. Until `closing` one may be paused, resumed
 * and cancelled; from then on it only ends by the Close of its group, which anybody may report.
 * Names of successors are given once: nobody mistakes what was cancelled for what came later. Pure.
 */
import { compare, type Timestamp } from '../accord/primitives/timestamp.ts';
import { fetchingIn, quorumSizes } from '../accord/topology/group.ts';
import { type GroupId, isMetaGroup } from '../accord/topology/group-id.ts';
import { closingOf, successorOf } from './electorates.ts';
import type { Done, HasData, Move, SeveralDone, Split } from './meta-command.ts';
import {
  ENDED_GROUPS_MAX,
  type EndedGroup,
  inNextEpoch,
  JOBS_MAX,
  type Job,
  type MetaState,
  type Outcome,
  severally,
} from './meta-state.ts';
import {
  type Change,
  descriptorOf,
  ID_MAX,
  inPlaceOf,
  isText,
  isTimestamp,
  isWhole,
  rangeOf,
  type Topology,
  type TopologyRange,
} from './topology.ts';

/** Of `--closing-max`, when nothing else is said. */
export const CLOSING_MAX = 16;

interface ChangeName {
  readonly range: GroupId;
  readonly change: number;
}

interface OpenChange {
  readonly range: TopologyRange;
  readonly change: Change;
}

export function split(state: MetaState, { range: id, atSlot, by }: Split, at: Timestamp): Outcome {
  const { topology } = state;
  const { ranges, rangesMax, lastRange, lastGeneration, lastChange } = topology;
  const range = rangeOf(topology, id);
  if (range === undefined) return 'no open range of this generation';
  if (isMetaGroup(id)) return 'the meta group is not split';
  if (range.change !== undefined) return 'the range is being changed';
  const [fetching] = fetchingIn(range);
  if (fetching !== undefined) return `node ${fetching} does not have its data yet`;
  if (!isWhole(atSlot, range.fromSlot + 1, range.toSlot - 1)) return 'no slot inside the range';
  if (!isText(by)) return 'it is not said who asks';
  const planned = ranges.filter(({ change }) => change?.kind === 'split').length;
  if (ranges.length + planned >= rangesMax) return `the cluster has at most ${rangesMax} ranges`;
  if (Math.max(lastRange, lastGeneration, lastChange) >= ID_MAX) return 'no names are left';
  const generation = lastGeneration + 1;
  const { fromSlot, toSlot, members } = range;
  const low = { range: id.range, generation };
  const high = { range: lastRange + 1, generation };
  const change: Change = {
    number: lastChange + 1,
    kind: 'split',
    successors: [
      successorOf(range, topology, { id: low, fromSlot, toSlot: atSlot, members }),
      successorOf(range, topology, { id: high, fromSlot: atSlot, toSlot, members }),
    ],
    ...{ phase: 'intended', isPaused: false, by },
    startedUs: at.hlc,
  };
  return inNextEpoch(state, {
    lastRange: lastRange + 1,
    lastGeneration: generation,
    lastChange: change.number,
    ...inPlaceOf(topology, range, [{ ...range, change }]),
  });
}

export function move(state: MetaState, { range: id, from, to, by }: Move, at: Timestamp): Outcome {
  const { topology } = state;
  const { lastGeneration, lastChange } = topology;
  const range = rangeOf(topology, id);
  if (range === undefined) return 'no open range of this generation';
  if (range.change !== undefined) return 'the range is being changed';
  if (!isText(by)) return 'it is not said who asks';
  if (!range.members.includes(from)) return `node ${from} is no member of the range`;
  const fault = to === undefined ? leaveFault(range) : targetFault(topology, range, to);
  if (fault !== undefined) return fault;
  const staying = range.members.filter((node) => node !== from);
  const members = [...staying, ...(to === undefined ? [] : [to])].sort((a, b) => a - b);
  if (staying.length === 0) return 'no member would stay that has its data';
  if (isMetaGroup(id) && staying.length < sharedMin(range.members, members)) {
    return 'too few members would stay to decide in both generations';
  }
  const lacking = lackingAfter(range, members);
  if (lacking !== undefined) return `node ${lacking} does not have its data yet`;
  if (Math.max(lastGeneration, lastChange) >= ID_MAX) return 'no names are left';
  const generation = lastGeneration + 1;
  const { fromSlot, toSlot } = range;
  const name = { range: id.range, generation };
  const change: Change = {
    number: lastChange + 1,
    kind: 'move',
    successors: [successorOf(range, topology, { id: name, fromSlot, toSlot, members })],
    ...{ phase: 'intended', isPaused: false, by },
    startedUs: at.hlc,
  };
  return inNextEpoch(state, {
    lastGeneration: generation,
    lastChange: change.number,
    ...inPlaceOf(topology, range, [{ ...range, change }]),
  });
}

/** So many members must be in both groups: a quorum of either. */
export function sharedMin(before: readonly number[], after: readonly number[]): number {
  const slow = [before, after].map(({ length }) => quorumSizes(length, length).slow);
  return Math.max(...slow);
}

function targetFault({ nodes }: Topology, range: TopologyRange, to: number): string | undefined {
  const target = nodes.find((node) => node.id === to);
  if (target === undefined) return `there is no node ${to}`;
  if (target.state !== 'active') return `node ${to} is ${target.state}`;
  return range.members.includes(to) ? `node ${to} is a member of the range` : undefined;
}

/** Why no member can go without another one in its place: with an even number more can fail. */
export function leaveFault({ id, members }: Pick<TopologyRange, 'id' | 'members'>) {
  const left = members.length - 1;
  if (!isMetaGroup(id)) return 'a range keeps the number of its members';
  const isEnough = left >= 3 && left % 2 === 1;
  return isEnough ? undefined : `${left} members would stay: an odd number, 3 at least, is needed`;
}

/** One that lacks the data, where too few of either group have them; undefined: enough have. */
function lackingAfter(range: TopologyRange, members: readonly number[]): number | undefined {
  if (range.owed.length === 0) return undefined;
  const holders = range.members.filter((node) => !range.owed.includes(node));
  const staying = holders.filter((node) => members.includes(node));
  const isEnough = (having: number, of: number): boolean => having >= quorumSizes(of, of).slow;
  const areEnough =
    isEnough(holders.length, range.members.length) && isEnough(staying.length, members.length);
  return areEnough ? undefined : range.owed[0];
}

export function hasData(state: MetaState, { range: id, node }: HasData): Outcome {
  const range = rangeOf(state.topology, id);
  if (range === undefined) return 'no open range of this generation';
  if (!range.owed.includes(node)) return `node ${node} is not known to lack its data`;
  if (range.absent.includes(node)) return `node ${node} gets the data of a later generation alone`;
  const next = { ...range, owed: range.owed.filter((each) => each !== node) };
  return inNextEpoch(state, inPlaceOf(state.topology, range, [next]));
}

export function setPaused(state: MetaState, name: ChangeName, isPaused: boolean): Outcome {
  const open = intendedChange(state, name);
  if (typeof open === 'string') return open;
  if (open.change.isPaused === isPaused) return `the change is ${isPaused ? '' : 'not '}paused`;
  return withChange(state, open, { isPaused });
}

export function beginClosing(state: MetaState, name: ChangeName): Outcome {
  const open = intendedChange(state, name);
  if (typeof open === 'string') return open;
  if (open.change.isPaused) return 'the change is paused';
  const { topology } = state;
  if (closingOf(topology) >= topology.closingMax) {
    return `${topology.closingMax} ranges are closing`;
  }
  const successors = open.change.successors.map((each) => successorOf(open.range, topology, each));
  return withChange(state, open, { phase: 'closing', successors });
}

export function cancel(state: MetaState, name: ChangeName, at: Timestamp): Outcome {
  const open = intendedChange(state, name);
  if (typeof open === 'string') return open;
  const { change, ...range } = open.range;
  const without = inPlaceOf(state.topology, open.range, [range]);
  return withJob(inNextEpoch(state, without), open.change, 'cancelled', at);
}

export function done(state: MetaState, command: Done, at: Timestamp): Outcome {
  const open = openChange(state, command);
  if (typeof open === 'string') return open;
  const { closedAt } = command;
  const { range, change } = open;
  if (change.phase !== 'closing') return 'the range is not closing';
  if (!isTimestamp(closedAt) || compare(closedAt, range.floor) <= 0) {
    return 'it cannot have ended before it began';
  }
  const successors = change.successors.map((each) => ({
    ...each,
    ...{ origin: [range.id], floor: closedAt },
  }));
  const begun = inPlaceOf(state.topology, range, successors);
  const end: EndedGroup = {
    group: range.id,
    executeAt: closedAt,
    successors: successors.map(descriptorOf),
  };
  const ended = [...state.ended, end].slice(-ENDED_GROUPS_MAX);
  return withJob({ ...inNextEpoch(state, begun), ended }, change, 'done', at);
}

export function severalDone(before: MetaState, { ends }: SeveralDone, at: Timestamp): Outcome {
  return severally(before, ends, (state, end) => done(state, end, at), 'no range has ended');
}

function openChange({ topology }: MetaState, name: ChangeName): OpenChange | string {
  const range = rangeOf(topology, name.range);
  if (range === undefined) return 'no open range of this generation';
  const { change } = range;
  return change?.number === name.change ? { range, change } : 'no such change of the range';
}

/** One that may still be held up: a renewal begins by itself, and ends with its reason. */
function intendedChange(state: MetaState, name: ChangeName): OpenChange | string {
  const open = openChange(state, name);
  if (typeof open === 'string') return open;
  if (open.change.phase === 'closing') return 'the range is closing';
  return open.change.kind === 'renewal' ? 'a renewal begins by itself' : open;
}

function withChange(state: MetaState, open: OpenChange, changes: Partial<Change>): MetaState {
  const { range, change } = open;
  const next = { ...range, change: { ...change, ...changes } };
  return inNextEpoch(state, inPlaceOf(state.topology, range, [next]));
}

export function withJob(
  state: MetaState,
  change: Change,
  outcome: Job['outcome'],
  at: Timestamp,
): MetaState {
  const { number, kind, by, startedUs } = change;
  const job: Job = { number, kind, outcome, by, startedUs, endedUs: at.hlc };
  return { ...state, jobs: [...state.jobs, job].slice(-JOBS_MAX) };
}
