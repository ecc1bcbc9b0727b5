import { describe, expect, test } from 'vitest';
import {
  decodeSuccessors,
  encodeSuccessors,
  whyNotSuccessors,
} from '../../../../actors/accord/topology/close-body.ts';
import { Group, type GroupDescriptor } from '../../../../actors/accord/topology/group.ts';

function group(range: number, generation: number, fromSlot: number, toSlot: number) {
  const descriptor: GroupDescriptor = {
    id: { range, generation },
    ...{ fromSlot, toSlot, members: [1, 2, 3], electorate: [1, 3], machine: 'keyspace' },
  };
  return descriptor;
}

const PARENT = new Group(group(7, 2, 100, 300));
const HALVES = [group(7, 3, 100, 200), group(9, 3, 200, 300)] as const;

describe('the successors of a group', () => {
  test('are the same when they are read again', () => {
    expect(decodeSuccessors(encodeSuccessors(HALVES))).toEqual(HALVES);
    expect(decodeSuccessors(encodeSuccessors([]))).toEqual([]);
  });

  test('are refused when bytes are missing or too many', () => {
    const body = encodeSuccessors(HALVES);
    for (const length of [0, 1, 2, 20, body.length - 1]) {
      expect(() => decodeSuccessors(body.subarray(0, length))).toThrow(RangeError);
    }
    expect(() => decodeSuccessors(Uint8Array.of(...body, 0))).toThrow('more bytes');
  });

  test('may follow it when they have its slots and members', () => {
    expect(whyNotSuccessors(PARENT, HALVES)).toBeUndefined();
    expect(whyNotSuccessors(PARENT, [group(7, 3, 100, 300)])).toBeUndefined();
  });

  const [lower, upper] = HALVES;
  test.each([
    ['none', [], 'slot 100 would have no group'],
    ['a gap', [lower, group(9, 3, 201, 300)], 'slot 200 would have no group'],
    ['an overlap', [lower, group(9, 3, 199, 300)], 'slot 200 would have no group'],
    ['an end too early', [lower, group(9, 3, 200, 299)], 'slot 299 would have no group'],
    ['an end too late', [lower, group(9, 3, 200, 301)], 'slot 301 would have no group'],
    ['the same generation', [lower, group(9, 2, 200, 300)], 'the generation does not grow'],
    ['another member', [lower, { ...upper, members: [1, 2, 4] }], 'has other members'],
    ['a member less', [lower, { ...upper, members: [1, 2] }], 'has other members'],
  ])('may not with %s', (_what, successors, why) => {
    expect(whyNotSuccessors(PARENT, successors)).toContain(why);
  });
});
