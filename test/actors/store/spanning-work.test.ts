/** Which groups a part over several of them touches, while some end, in whatever order. */
import { expect, test } from 'vitest';
import { Group } from '../../../actors/accord/topology/group.ts';
import { SpanningWork } from '../../../actors/store/spanning-work.ts';
import type { Part } from '../../../transport/resp/connection/part.ts';

function group(range: number, generation: number, fromSlot = (range - 1) * 100): Group {
  const slots = { fromSlot, toSlot: range * 100 };
  const members = [1, 2, 3];
  return new Group({
    id: { range, generation },
    ...slots,
    ...{ members, electorate: members, machine: 'keyspace' },
  });
}

/** Two keys: one of each range. */
const PART = {
  groups: [
    { range: 1, generation: 1 },
    { range: 2, generation: 2 },
  ],
  participants: [0, 4 * 100],
  wholeStore: false,
} as unknown as Part;

function names(work: SpanningWork): string[] {
  return work.partsOf(PART).map(({ group: { range, generation } }) => `${range}.${generation}`);
}

test.each([
  ['the older one first', [1, 2]],
  ['the joined one first', [2, 1]],
])('a group joined later ends, and the one before it: %s', (_order, order) => {
  const work = new SpanningWork([group(1, 1), group(2, 1)], 10);
  for (const generation of order) work.ended({ range: 2, generation }, [group(2, 3)]);
  expect(names(work)).toEqual(['1.1', '2.3']);
  expect(work.current(PART).groups).toEqual([
    { range: 1, generation: 1 },
    { range: 2, generation: 3 },
  ]);
});

test('a group that has ended already follows nothing', () => {
  const work = new SpanningWork([group(1, 1), group(2, 1)], 10);
  work.ended({ range: 2, generation: 2 }, [group(2, 3)]);
  expect(names(work)).toEqual(['1.1', '2.1']);
  expect(work.current(PART).groups.map(({ generation }) => generation)).toEqual([1, 3]);
  work.ended({ range: 2, generation: 1 }, [group(2, 2)]);
  expect(names(work)).toEqual(['1.1', '2.3']);
});
