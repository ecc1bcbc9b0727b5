/** Transactions of single groups from any member, FLUSHALL of one group, crashes, partitions. */
import { describe, expect, test } from 'vitest';
import { SimulatedCluster } from './cluster.ts';
import { simulateThreeGroups, THREE_GROUPS } from './three-groups.ts';

describe('three static groups with different members', () => {
  test.each([1, 2, 3, 4, 5, 6])('under faults, seed %i', (seed) => {
    const { violations, counts } = simulateThreeGroups({ seed, timeMs: 4_000 });
    expect(violations).toEqual([]);
    for (const range of [1, 2, 3]) expect(counts[`executed in range ${range}`]).toBeGreaterThan(0);
  });

  test('FLUSHALL of one group leaves the others as they are', () => {
    const mix = { register: 1, volatile: 0, group: 0, readMany: 0, transaction: 0, mixed: 1 };
    const profile = {
      flushes: true,
      readPipelineRate: 0,
      mix: { ...mix, wholeStore: 2, walk: 0, big: 0, watch: 0, settings: 0 },
    };
    const { violations, counts } = simulateThreeGroups({ seed: 14, timeMs: 4_000, profile });
    expect(violations).toEqual([]);
    expect(counts['answered FLUSHALL']).toBeGreaterThan(0);
  });

  test.each([
    [1, [[[1, 2, 0]], [[1, 2, 0]], [[1, 2, 3, 0]], [[1, 3, 0]], [[1, 3, 0]]]],
    [2, [[[1, 0], [2]], [[1, 0], [2]], [[1, 3, 0], [2]], [[1, 3, 0]], [[1, 3, 0]]]],
    [
      3,
      [
        [[1, 0], [2]],
        [[1, 0], [2]],
        [[1, 0], [2], [3]],
        [[1, 0], [3]],
        [[1, 0], [3]],
      ],
    ],
  ])(
    'a node of %i stores holds its own groups, and no others but the meta group',
    (stores, expected) => {
      const profile = { damage: false, away: undefined };
      const options = { seed: 1, nodes: 5, timeMs: 0, groups: THREE_GROUPS, stores, profile };
      const cluster = new SimulatedCluster(options);
      cluster.runQuiet(1_000);
      const held = cluster.nodes.map(({ node }) =>
        node?.stores.map(({ groups }) => groups.map(({ id }) => id.range)),
      );
      expect(held).toEqual(expected);
    },
  );

  test('transactions over several of them meet all faults', () => {
    const seen = new Map<string, number>();
    for (const seed of [9, 10, 11, 12]) {
      const { violations, counts } = simulateThreeGroups({ seed, timeMs: 4_000 });
      expect(violations).toEqual([]);
      for (const what of ['fast', 'slow', 'recovered', 'durable']) {
        seen.set(what, (seen.get(what) ?? 0) + (counts[`spanning ${what}`] ?? 0));
      }
    }
    for (const [what, times] of seen) expect([what, times]).not.toEqual([what, 0]);
  });

  // Replicas that had opened other databases took different bytes for too much.
  test.each([4, 6])('commands over all keys, seed %i', (seed) => {
    const profile = { spansOnly: true, flushes: true, databases: 4 };
    const { violations } = simulateThreeGroups({ seed, timeMs: 4_000, profile });
    expect(violations).toEqual([]);
  });

  test('the same seed decides the same twice', () => {
    const run = (): string => simulateThreeGroups({ seed: 21, timeMs: 1_000 }).eventHash;
    expect(run()).toBe(run());
  });
});
