/**
 * Members that are away for long, or lack data that nobody has any more. Groups never change, so
 * either ends the group, and one with the same slots and members follows. In front of the first
 * kind nobody keeps records for the member from then on; in front of the second kind the others
 * keep a view of the data for it. Pure.
 */
import type { Timestamp } from '../accord/primitives/timestamp.ts';
import { type Lacks, quorumSizes } from '../accord/topology/group.ts';
import { type GroupId, isMetaGroup } from '../accord/topology/group-id.ts';
import { withJob } from './changes.ts';
import { closingOf, SEEN_US_MAX, successorOf } from './electorates.ts';
import type { BringIn, PassOver } from './meta-command.ts';
import { inNextEpoch, type MetaState, type Outcome, severally } from './meta-state.ts';
import { type Change, ID_MAX, isMissed, isWhole, rangeOf, type TopologyRange } from './topology.ts';

const BY = 'absence';

export function passOver(before: MetaState, command: PassOver, at: Timestamp): Outcome {
  const { ranges, node, seenUs } = command;
  const rule = (state: MetaState, range: GroupId): Outcome =>
    renewedFor(state, { range, node, seenUs }, at, true);
  return severally(before, ranges, rule, 'no range is named');
}

export function bringIn(state: MetaState, command: BringIn, at: Timestamp): Outcome {
  return renewedFor(state, command, at, false);
}

function renewedFor(
  state: MetaState,
  { range: id, node, seenUs }: BringIn,
  at: Timestamp,
  isPassedOver: boolean,
): Outcome {
  const { topology } = state;
  const range = rangeOf(topology, id);
  if (range === undefined || isMetaGroup(id)) return 'no open range of this generation';
  if (!range.members.includes(node)) return `node ${node} is no member of the range`;
  if (!isWhole(seenUs, 0, Number.MAX_SAFE_INTEGER)) return 'it is not said when';
  if (at.hlc > seenUs + SEEN_US_MAX) return 'that was too long ago';
  if (isPassedOver && range.absent.includes(node)) return 'nothing has changed';
  const { closingMax, lastGeneration, lastChange } = topology;
  if (range.change?.phase === 'closing') return 'the range is closing';
  if (closingOf(topology) >= closingMax) return `${closingMax} ranges are closing`;
  if (Math.max(lastGeneration, lastChange) >= ID_MAX) return 'no names are left';
  const owed = sorted([...range.owed, node]);
  const { slow } = quorumSizes(range.members.length, range.members.length);
  const isThere = (each: number): boolean => {
    return !owed.includes(each) && !isMissed(topology, each);
  };
  if (range.members.filter(isThere).length < slow) return 'too few others are there with the data';
  const others = range.absent.filter((each) => each !== node);
  const absent = isPassedOver ? sorted([...others, node]) : others;
  return withRenewal(state, range, { owed, absent }, at);
}

function sorted(nodes: readonly number[]): readonly number[] {
  return [...new Set(nodes)].sort((a, b) => a - b);
}

/** It closes at once. What was intended with the range is given up: people may ask again. */
function withRenewal(
  state: MetaState,
  range: TopologyRange,
  lacks: Lacks,
  at: Timestamp,
): MetaState {
  const { topology } = state;
  const { id, fromSlot, toSlot, members, change: before } = range;
  const { number, generation, isNamed } = nameFor(before, topology);
  const its = { id: { range: id.range, generation }, fromSlot, toSlot, members };
  const change: Change = {
    ...{ number, kind: 'renewal' },
    successors: [successorOf({ ...range, ...lacks }, topology, its)],
    ...{ phase: 'closing', isPaused: false, by: BY, startedUs: at.hlc },
  };
  const next = inNextEpoch(state, {
    ...(isNamed && { lastGeneration: generation, lastChange: number }),
    ranges: topology.ranges.map((each) => (each === range ? { ...range, change } : each)),
  });
  const isGivenUp = before !== undefined && isNamed;
  return isGivenUp ? withJob(next, before, 'cancelled', at) : next;
}

/** A renewal that was only intended becomes this one. */
function nameFor(
  before: Change | undefined,
  { lastGeneration, lastChange }: MetaState['topology'],
) {
  const [named] = before?.kind === 'renewal' ? before.successors : [];
  if (before === undefined || named === undefined) {
    return { number: lastChange + 1, generation: lastGeneration + 1, isNamed: true };
  }
  return { number: before.number, generation: named.id.generation, isNamed: false };
}
