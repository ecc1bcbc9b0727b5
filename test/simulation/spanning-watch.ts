/**
 * Looks on at a coordinator of several groups: what it hears and does in each of them goes to that
 * group's invariants, and what must hold over all of them is checked here.
 */
import type { CoordinatorEffect } from '../../actors/accord/coordinate/coordinator.ts';
import type {
  SpanningCoordinator,
  SpanningEffect,
} from '../../actors/accord/coordinate/spanning-coordinator.ts';
import { keyOf, type TxnId } from '../../actors/accord/primitives/timestamp.ts';
import { type GroupId, isSameGroup } from '../../actors/accord/topology/group-id.ts';
import type { SimGroup } from './sim-group.ts';

interface SpanningWatchOptions {
  readonly node: number;
  /** All of the cluster. */
  readonly groups: readonly SimGroup[];
  readonly count: (what: string) => void;
  readonly violation: (what: string) => void;
}

export function watchSpanning(
  coordinator: SpanningCoordinator,
  { node, groups, count, violation }: SpanningWatchOptions,
): void {
  const groupOf = (id: GroupId): SimGroup | undefined =>
    groups.find(({ descriptor }) => isSameGroup(descriptor.id, id));
  const handle = coordinator.handle.bind(coordinator);
  const takeEffects = coordinator.takeEffects.bind(coordinator);
  coordinator.handle = (group, from, message, nowMs) => {
    groupOf(group)?.invariants?.heardAnswer(from, message);
    handle(group, from, message, nowMs);
  };
  coordinator.takeEffects = () => {
    const effects = takeEffects();
    for (const group of groups) group.invariants?.sees(node, ofGroup(effects, group));
    for (const effect of effects) look(effect);
    return effects;
  };

  function look(effect: SpanningEffect): void {
    if (effect.type === 'Concluded') return count(`spanning recovery ${effect.conclusion}`);
    if (effect.type === 'Decided') {
      count(`spanning ${effect.path}`);
      if (effect.path === 'invalidated') checkInvalidated(effect.id);
      return;
    }
    const { message, group } = effect;
    if (message.type !== 'InformDurable') return;
    count('spanning durable');
    const its = groupOf(group)?.invariants;
    // Of one that can never execute, each group has forgotten what it knew.
    const isDecided = groups.some(
      ({ invariants }) => invariants?.decisions.get(keyOf(message.id)) !== undefined,
    );
    if (its === undefined || !isDecided || its.hasQuorumOf(message.id, 'ApplyOk')) return;
    violation(`I15: ${keyOf(message.id)} counts as durable without a quorum of each group`);
  }

  /** I19: some group has given it up by a quorum, or its replicas by a round of durability. */
  function checkInvalidated(id: TxnId): void {
    const isEnough = groups.some(
      ({ invariants }) =>
        invariants === undefined ||
        invariants.hasQuorumOf(id, 'AcceptInvalidateOk') ||
        invariants.decisions.has(keyOf(id)),
    );
    if (!isEnough) count('spanning invalidated below a mark');
  }
}

/** The decision, too, where the group takes part in it. */
function ofGroup(
  effects: readonly SpanningEffect[],
  { descriptor }: SimGroup,
): CoordinatorEffect[] {
  const its: CoordinatorEffect[] = [];
  const decided = new Map<string, Extract<CoordinatorEffect, { type: 'Decided' }>>();
  const told = new Set<string>();
  for (const effect of effects) {
    if (effect.type === 'Decided') decided.set(keyOf(effect.id), effect);
    if (effect.type === 'Concluded' && effect.conclusion === 'wait') {
      its.push({ type: 'Concluded', id: effect.id, conclusion: 'wait' });
    }
    if (effect.type !== 'Send' || !isSameGroup(effect.group, descriptor.id)) continue;
    const { to, message } = effect;
    its.push({ type: 'Send', to, message });
    const isDecision = message.type === 'Stable' || message.type === 'CommitInvalidate';
    if (isDecision) told.add(keyOf(message.id));
  }
  for (const [key, effect] of decided) if (told.has(key)) its.push(effect);
  return its;
}
