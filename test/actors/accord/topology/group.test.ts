/**
 * The arithmetic of quorums (accord.md §2.3): the table itself, and by brute force that no two
 * conflicting fast decisions can miss each other, and that any recovery can tell.
 */
import { describe, expect, test } from 'vitest';
import { population } from '../../../../actors/accord/primitives/bit-set.ts';
import { Group, MEMBERS_MAX, quorumSizes } from '../../../../actors/accord/topology/group.ts';
import { REDIS_SLOTS } from '../../../../storage/keyspace/slots.ts';
import { firstGroup } from '../first-group.ts';
import { groupOf } from '../fixture.ts';

/** N, f, Q, then F for every E from Q to N: written out from accord.md, not computed. */
const TABLE: ReadonlyArray<readonly [number, number, number, readonly number[]]> = [
  [1, 0, 1, [1]],
  [2, 0, 2, [2]],
  [3, 1, 2, [2, 3]],
  [4, 1, 3, [3, 3]],
  [5, 2, 3, [3, 4, 4]],
  [6, 2, 4, [4, 4, 5]],
  [7, 3, 4, [4, 5, 5, 6]],
  [8, 3, 5, [5, 5, 6, 6]],
  [9, 4, 5, [5, 6, 6, 7, 7]],
];

const CASES = TABLE.flatMap(([replicas, failures, slow, fasts]) =>
  fasts.map((fast, index) => ({ replicas, failures, slow, electorate: slow + index, fast })),
);

describe('the table of quorums', () => {
  test.each(CASES)('N=$replicas E=$electorate: f=$failures Q=$slow F=$fast', (row) => {
    const sizes = quorumSizes(row.replicas, row.electorate);
    expect(sizes).toMatchObject({ failures: row.failures, slow: row.slow, fast: row.fast });
    expect(sizes.fastRejectsMax).toBe(row.electorate - row.fast);
    expect(sizes.fast).toBeGreaterThan(row.replicas / 2);
    expect(sizes.fast).toBeLessThanOrEqual(row.electorate);
    expect(sizes.durabilityElectors).toBeLessThanOrEqual(row.electorate);
  });

  test.each(TABLE)('N=%i takes no electorate that is too small or too large', (n, _, slow) => {
    expect(() => quorumSizes(n, slow - 1)).toThrow(RangeError);
    expect(() => quorumSizes(n, n + 1)).toThrow(RangeError);
  });
});

/** All sets of that many of the first `of` members. */
function subsets(of: number, size: number): number[] {
  const found: number[] = [];
  for (let set = 0; set < 1 << of; set += 1) if (population(set) === size) found.push(set);
  return found;
}

describe.each(CASES.filter(({ replicas }) => replicas <= 7))(
  'by brute force, N=$replicas E=$electorate',
  ({ replicas, electorate, slow, fast }) => {
    const electors = (1 << electorate) - 1;
    const fastQuorums = subsets(electorate, fast);
    const slowQuorums = subsets(replicas, slow);
    const rejectsMax = electorate - fast;

    test('two fast quorums meet, and a fast one meets every slow one', () => {
      for (const a of fastQuorums) {
        for (const b of fastQuorums) expect(a & b).not.toBe(0);
        for (const b of slowQuorums) expect(a & b).not.toBe(0);
      }
    });

    test('a recoverer of a fast decision never rules it out', () => {
      for (const voted of fastQuorums) {
        for (const asked of slowQuorums) {
          expect(population(asked & electors & ~voted)).toBeLessThanOrEqual(rejectsMax);
        }
      }
    });

    test('a later conflict that never met it is proof, for every recovery', () => {
      // The later one was decided fast by voters none of whom had seen the earlier one.
      for (const later of fastQuorums) {
        for (const asked of slowQuorums) {
          expect(population(asked & electors & later)).toBeGreaterThan(rejectsMax);
        }
      }
    });

    test('behind a closed rejectBefore every recovery can rule the fast path out', () => {
      const { durabilityElectors } = quorumSizes(replicas, electorate);
      for (let rejectingBefore = 0; rejectingBefore < 1 << replicas; rejectingBefore += 1) {
        if (
          population(rejectingBefore) < slow ||
          population(rejectingBefore & electors) < durabilityElectors
        )
          continue;
        for (const asked of slowQuorums) {
          expect(population(asked & electors & rejectingBefore)).toBeGreaterThan(rejectsMax);
        }
      }
    });
  },
);

describe('a group', () => {
  test('gives each member a bit, and strangers none', () => {
    const group = new Group(firstGroup([30, 10, 20], [10, 30]));
    expect(group.members).toEqual([10, 20, 30]);
    expect([10, 20, 30, 40].map((node) => group.bit(node))).toEqual([1, 2, 4, 0]);
    expect(group.electors(0b111)).toBe(2);
    expect(group.electors(0b010)).toBe(0);
  });

  test('is led by the lowest member that is up, and the next ones stand in for it', () => {
    const group = new Group(firstGroup([30, 10, 20], [10, 30]));
    const ranks = (...up: number[]): number[] =>
      group.members.map((self) => group.leadRank(self, (node) => up.includes(node)));
    expect(ranks(10, 20, 30)).toEqual([0, 1, 2]);
    expect(ranks(20, 30)).toEqual([0, 0, 1]);
    // The node that asks is up, whatever it hears of itself.
    expect(ranks()).toEqual([0, 0, 0]);
  });

  test('refuses electors that are no members, and more members than it can count', () => {
    expect(() => new Group(firstGroup([1, 2, 3], [1, 2, 9]))).toThrow('not a member');
    expect(() => groupOf(MEMBERS_MAX + 1)).toThrow('at most');
  });

  test.each([
    [0, 0],
    [-1, 1],
    [1, REDIS_SLOTS + 1],
    [Number.NaN, 1],
  ])('refuses the slots from %d to %d', (fromSlot, toSlot) => {
    const whole = firstGroup([1, 2, 3], [1, 2, 3]);
    expect(() => new Group({ ...whole, fromSlot, toSlot })).toThrow('a group of the slots');
  });
});
