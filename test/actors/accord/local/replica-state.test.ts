/** When a conflict may leave the index, and what a replica holds in memory. */
import { describe, expect, test } from 'vitest';
import type { Command } from '../../../../actors/accord/local/command.ts';
import { ReplicaState } from '../../../../actors/accord/local/replica-state.ts';
import { HybridClock } from '../../../../actors/accord/primitives/hybrid-clock.ts';
import { participantsOf } from '../../../../actors/accord/primitives/participants.ts';
import { Status } from '../../../../actors/accord/primitives/status.ts';
import { at, groupOf } from '../fixture.ts';

function stateOf(nodes: number): ReplicaState {
  const clock = new HybridClock({ node: 1, store: 0, nowUs: () => 0, reserveUs: 1 });
  return new ReplicaState({ self: 1, group: groupOf(nodes), clock, random: () => 0.5 });
}

function applied(state: ReplicaState, hlc: number): Command {
  const command = state.open(at(hlc));
  state.define(command, { participants: participantsOf([7]), body: new Uint8Array(10) });
  command.executeAt = command.id;
  command.status = Status.Applied;
  state.settled(command);
  return command;
}

function alsoAppliedAt(state: ReplicaState, command: Command, node: number): void {
  command.appliedBy |= state.group.bit(node);
  state.pruneApplied([command]);
}

describe('a conflict leaves the index', () => {
  test('only when a majority has applied both it and what covers it', () => {
    const state = stateOf(5);
    const early = applied(state, 10);
    const late = applied(state, 20);
    alsoAppliedAt(state, late, 2);
    alsoAppliedAt(state, early, 2);
    alsoAppliedAt(state, early, 3);
    // Three of five have applied the early one, but only two the late one.
    expect([early.indexed, late.indexed]).toEqual([1, 1]);
    alsoAppliedAt(state, late, 3);
    expect([early.indexed, late.indexed]).toEqual([0, 1]);
  });

  test('not while the covered one itself is applied by fewer', () => {
    const state = stateOf(5);
    const early = applied(state, 10);
    const late = applied(state, 20);
    for (const node of [2, 3]) alsoAppliedAt(state, late, node);
    expect([early.indexed, late.indexed]).toEqual([1, 1]);
  });
});

test('bytes of definitions are counted when they come and when they are forgotten', () => {
  const state = stateOf(3);
  expect(state.retainedBytes).toBe(0);
  const command = applied(state, 10);
  const held = state.retainedBytes;
  expect(held).toBeGreaterThanOrEqual(10);
  state.define(command, { participants: participantsOf([7]), body: new Uint8Array(10) });
  expect(state.retainedBytes).toBe(held);
  state.forget(command);
  expect(state.retainedBytes).toBe(0);
});
