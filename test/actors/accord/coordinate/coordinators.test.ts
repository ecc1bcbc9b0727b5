/** The door of a store's coordinators: it routes by group, and idle groups cost nothing. */
import { expect, test, vi } from 'vitest';
import type { CoordinatorEffect } from '../../../../actors/accord/coordinate/coordinator.ts';
import { Coordinator } from '../../../../actors/accord/coordinate/coordinator.ts';
import { Coordinators } from '../../../../actors/accord/coordinate/coordinators.ts';
import type { SpanningEffect } from '../../../../actors/accord/coordinate/spanning-coordinator.ts';
import { HybridClock } from '../../../../actors/accord/primitives/hybrid-clock.ts';
import { participantsOf } from '../../../../actors/accord/primitives/participants.ts';
import { ZERO } from '../../../../actors/accord/primitives/timestamp.ts';
import { Group } from '../../../../actors/accord/topology/group.ts';
import type { GroupId } from '../../../../actors/accord/topology/group-id.ts';
import { groupOf } from '../fixture.ts';

type AnyEffect = CoordinatorEffect | SpanningEffect;

const SELF = 1;
const NOW_MS = 1_000;

function storeOf(count: number): { coordinators: Coordinators; ids: readonly GroupId[] } {
  const groups = Array.from({ length: count }, (_, index) => {
    const id = { range: index + 1, generation: 1 };
    const slots = { fromSlot: index, toSlot: index + 1 };
    return new Group({ ...groupOf(3), electorate: [1, 2, 3], id, ...slots });
  });
  const clock = new HybridClock({ node: SELF, store: 0, nowUs: () => 1e6, reserveUs: 1_000 });
  const limits = { limits: {}, spanningReadBytesMax: 1_024 };
  const coordinators = new Coordinators({
    ...{ self: SELF, groups, allGroups: groups, clock, ...limits },
  });
  return { coordinators, ids: groups.map(({ id }) => id) };
}

function effectsOf(coordinators: Coordinators): Array<[number, AnyEffect]> {
  const effects: Array<[number, AnyEffect]> = [];
  coordinators.takeEffects((group, effect) => effects.push([group?.range ?? 0, effect]));
  return effects;
}

test('effects name the group that they are of, and its state is its own', () => {
  const { coordinators, ids } = storeOf(3);
  const [, second = ids[0] as GroupId, third = second] = ids;
  const id = coordinators.coordinate(second, participantsOf([4]), new Uint8Array(1), NOW_MS);
  expect(effectsOf(coordinators)).toMatchObject([
    [2, { type: 'Send', to: SELF, message: { type: 'Coordinate', id } }],
  ]);
  expect(ids.map((group) => coordinators.state(group).underWay)).toEqual([0, 1, 0]);
  // The same reply for another group is about no transaction of that group.
  const vote = { type: 'PreAcceptOk', id, vote: id, deps: new Uint8Array() } as const;
  for (const from of [1, 2, 3]) coordinators.handle(third, from, vote, NOW_MS);
  expect(effectsOf(coordinators)).toEqual([]);
  for (const from of [1, 2, 3]) coordinators.handle(second, from, vote, NOW_MS);
  const decided = effectsOf(coordinators).filter(([, { type }]) => type === 'Decided');
  expect(decided).toMatchObject([[2, { id, path: 'fast' }]]);
  expect(coordinators.describe()).toEqual({ underWay: 0, recoveries: 0 });
});

test('a thousand idle groups are not ticked; one with a round is, until it is decided', () => {
  const { coordinators, ids } = storeOf(1_000);
  const tick = vi.spyOn(Coordinator.prototype, 'tick');
  coordinators.peerDown(2, NOW_MS);
  coordinators.peerUp(2);
  coordinators.tick(NOW_MS);
  expect([effectsOf(coordinators), tick.mock.calls.length]).toEqual([[], 0]);
  const group = ids[7] as GroupId;
  const id = coordinators.coordinate(group, participantsOf([30]), new Uint8Array(1), NOW_MS);
  effectsOf(coordinators);
  coordinators.tick(NOW_MS + 20);
  expect(tick).toHaveBeenCalledTimes(1);
  const vote = { type: 'PreAcceptOk', id, vote: id, deps: new Uint8Array() } as const;
  for (const from of [1, 2, 3]) coordinators.handle(group, from, vote, NOW_MS);
  effectsOf(coordinators);
  coordinators.tick(NOW_MS + 40);
  expect(tick).toHaveBeenCalledTimes(1);
  tick.mockRestore();
});

test('what is under way for a group that is not here any more is as good as lost', () => {
  const { coordinators } = storeOf(1);
  const gone = { range: 9, generation: 1 };
  const id = { hlc: 5, flags: 2, node: SELF, store: 0 };
  const vote = { type: 'PreAcceptOk', id, vote: id, deps: new Uint8Array() } as const;
  coordinators.handle(gone, 2, vote, NOW_MS);
  coordinators.recover(gone, id, undefined, NOW_MS);
  const answer = { id, round: 'PreAccept', ballot: ZERO, members: 3 } as const;
  expect(coordinators.answeredBarely(gone, answer, NOW_MS)).toBe(false);
  expect([effectsOf(coordinators), coordinators.busy()]).toEqual([[], []]);
});

test('to ask for a group that is not here is a mistake of the shell', () => {
  const { coordinators } = storeOf(1);
  expect(() => coordinators.state({ range: 9, generation: 1 })).toThrow('not in this store');
});
