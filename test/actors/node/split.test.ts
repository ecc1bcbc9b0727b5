import { expect, test } from 'vitest';
import { Group } from '../../../actors/accord/topology/group.ts';
import { splitOf } from '../../../actors/node/split.ts';
import { REDIS_SLOTS } from '../../../storage/keyspace/slots.ts';

function group(range: number, generation: number, fromSlot: number, toSlot: number): Group {
  const id = { range, generation };
  const members = [1, 2, 3];
  return new Group({ id, fromSlot, toSlot, members, electorate: [1, 3], machine: 'keyspace' });
}

test('the lower half keeps its number; whoever splits gives the other one the same number', () => {
  const split = splitOf([group(2, 5, 4_000, 9_000), group(1, 1, 0, 4_000)], 4_321, 8);
  if (typeof split === 'string') throw new Error(split);
  expect(split.parent.id).toEqual({ range: 2, generation: 5 });
  const common = { members: [1, 2, 3], electorate: [1, 3], machine: 'keyspace' };
  expect(split.successors).toEqual([
    { id: { range: 2, generation: 6 }, fromSlot: 4_000, toSlot: 4_321, ...common },
    {
      id: { range: REDIS_SLOTS + 4_321, generation: 6 },
      fromSlot: 4_321,
      toSlot: 9_000,
      ...common,
    },
  ]);
});

test.each([
  [-1, 8, 'no slot -1'],
  [REDIS_SLOTS, 8, `no slot ${REDIS_SLOTS}`],
  [1.5, 8, 'no slot 1.5'],
  [Number.NaN, 8, 'no slot NaN'],
  [100, 8, 'range 1 begins at slot 100'],
  [7_000, 8, 'slot 7000 is in no range'],
  [101, 1, 'there are 1 ranges already (--ranges-max)'],
])('slot %d with at most %d ranges is refused', (slot, rangesMax, why) => {
  expect(splitOf([group(1, 1, 100, 5_000)], slot, rangesMax)).toContain(why);
});
