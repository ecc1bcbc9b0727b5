import { describe, expect, test } from 'vitest';
import { Arguments } from '../../../../storage/arguments.ts';
import { commandFor } from '../../../../storage/commands/command-table.ts';
import { CONFLICT_SLOTS, POSITIONS, positionOf } from '../../../../storage/keyspace/slots.ts';
import { requestOf } from '../../../../storage/request.ts';
import { Placement } from '../../../../transport/resp/connection/placement.ts';
import { placementOf, SOLE_PLACEMENT } from '../placements.ts';

const group = (range: number, fromSlot: number, toSlot: number) => ({
  id: { range, generation: 1 },
  fromSlot,
  toSlot,
});

describe('a placement', () => {
  test('knows the group of every slot, in whatever order the groups are named', () => {
    const placement = new Placement([group(7, 100, CONFLICT_SLOTS), group(3, 0, 100)]);
    expect(placement.groups.map(({ range }) => range)).toEqual([7, 3, 0]);
    expect(placement.meta).toBe(2);
    const slots = [0, 99, 100, CONFLICT_SLOTS - 1];
    expect(slots.map((slot) => placement.groupOf(slot))).toEqual([1, 1, 0, 0]);
  });

  test.each([
    ['several slots', [0, 40_000, 1], false, [0, 1]],
    ['one group, many times', [5, 6, 7], false, [0]],
    ['descending', [65_000, 3], false, [0, 2]],
    ['no key', [], false, [0]],
    ['the whole store', [], true, [0, 1, 2]],
  ])('spans: %s', (_name, slots, wholeStore, groups) => {
    expect(placementOf(3).span(slots, wholeStore)).toEqual(groups);
  });

  test('a walk goes on in the group of its cursor, and a wrong cursor is of the first', () => {
    const placement = placementOf(3);
    const last = String(positionOf(CONFLICT_SLOTS - 1, 7));
    const cursors = ['0', String(positionOf(40_000, 0)), last, String(POSITIONS), 'x', ''];
    const args = new Arguments();
    const slots = cursors.map((cursor) => {
      args.next(requestOf(['SCAN', cursor]), 0);
      return commandFor(args)?.walksFrom?.(args) ?? -1;
    });
    expect(slots.map((slot) => placement.groupOf(slot))).toEqual([0, 1, 2, 0, 0, 0]);
  });

  test('of one group cuts nothing', () => {
    expect(SOLE_PLACEMENT.isSole).toBe(true);
    expect(SOLE_PLACEMENT.span([0, 65_535], true)).toEqual([0]);
  });

  test.each([
    ['a gap', [group(1, 0, 10), group(2, 11, CONFLICT_SLOTS)]],
    ['an overlap', [group(1, 0, 11), group(2, 10, CONFLICT_SLOTS)]],
    ['no end', [group(1, 0, 10)]],
    ['nothing at all', []],
    ['an empty group', [group(1, 0, 0), group(2, 0, CONFLICT_SLOTS)]],
  ])('refuses %s', (_name, placed) => {
    expect(() => new Placement(placed)).toThrow(RangeError);
  });
});
