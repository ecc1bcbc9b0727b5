/** Which groups are a node's own, and which have ended, by its stores and by the topology. */
import { expect, test } from 'vitest';
import type { EndOfGroup } from '../../../actors/accord/local/effects.ts';
import { Group, type GroupDescriptor } from '../../../actors/accord/topology/group.ts';
import { groupKey } from '../../../actors/accord/topology/group-id.ts';
import { HeldGroups } from '../../../actors/node/held-groups.ts';
import { at } from '../accord/fixture.ts';

const SELF = 4;

function descriptor(generation: number, members = [2, 3, 4], owed?: number[]): GroupDescriptor {
  const slots = { fromSlot: 0, toSlot: 100 };
  const lacks = owed === undefined ? {} : { owed };
  return {
    ...{ id: { range: 1, generation }, ...slots, members, electorate: members },
    ...{ machine: 'keyspace', ...lacks },
  };
}

function end(generation: number, ...successors: GroupDescriptor[]): EndOfGroup {
  const executeAt = at(generation * 10);
  return { type: 'Ended', group: { range: 1, generation }, executeAt, successors };
}

const NONE = (): boolean => false;

function open(held: HeldGroups): string[] {
  return held.open.map(({ id }) => groupKey(id));
}

test('what the store has executed counts, also where the topology has told of it before', () => {
  const held = new HeldGroups(SELF, []);
  // By the topology that was kept, as the node starts: its log is not read yet.
  expect(held.ended(end(1, descriptor(5, [1, 2, 4])), false, NONE)?.begun).toEqual([]);
  expect(held.ended(end(1, descriptor(5, [1, 2, 4])), false, NONE)).toBeUndefined();
  expect(open(held)).toEqual([]);
  held.joined(new Group(descriptor(1)));
  expect(held.isFollowed({ range: 1, generation: 1 })).toBe(true);
  const own = end(1, descriptor(2, [1, 2, 4], [1]));
  const begun = held.ended(own, true, NONE)?.begun.map(({ id }) => id);
  expect(begun).toEqual([{ range: 1, generation: 2 }]);
  expect(open(held)).toEqual(['1.2']);
  expect(held.endOf(own.group)).toBe(own);
  // A store that begins anew tells of its ends again.
  expect(held.ended(own, true, NONE)).toBeUndefined();
  expect(open(held)).toEqual(['1.2']);
});

test('a group is followed as long as one after it has not ended here', () => {
  const held = new HeldGroups(SELF, [new Group(descriptor(1))]);
  const first = { range: 1, generation: 1 };
  held.ended(end(1, descriptor(2)), true, NONE);
  // Elsewhere it has: this node has still to come to that.
  held.ended(end(2, descriptor(3, [1, 2, 3])), false, NONE);
  expect([open(held), held.isFollowed(first)]).toEqual([['1.2'], true]);
  held.ended(end(2, descriptor(3, [1, 2, 3])), true, NONE);
  expect([open(held), held.isFollowed(first)]).toEqual([[], false]);
});

test('where it lacks the data of what follows, or has begun with it, nothing begins', () => {
  const held = new HeldGroups(SELF, [new Group(descriptor(1))]);
  const isBegun = (): boolean => true;
  expect(held.ended(end(1, descriptor(2)), true, isBegun)?.begun).toEqual([]);
  const other = new HeldGroups(SELF, [new Group(descriptor(1))]);
  const owed = descriptor(2, [2, 3, 4], [SELF]);
  expect(other.ended(end(1, owed), true, NONE)?.begun).toEqual([]);
  expect([open(held), open(other)]).toEqual([[], []]);
});
