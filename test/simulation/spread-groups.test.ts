/** Nodes that are asked for keys of ranges of which they are no members, under all faults. */
import { expect, test } from 'vitest';
import { SPREAD_GROUPS, simulateSpread } from './spread-groups.ts';

test('each node is a member of three of five ranges', () => {
  const ranges = [1, 2, 3, 4, 5].map((node) => {
    return SPREAD_GROUPS.filter(({ members }) => members.includes(node)).length;
  });
  expect(ranges).toEqual([3, 3, 3, 3, 3]);
});

test('what is forwarded is done once, or said to be unknown', () => {
  const seen: Record<string, number> = {};
  for (const seed of [1, 5]) {
    const { violations, counts } = simulateSpread({ seed, timeMs: 2_500 });
    expect(violations).toEqual([]);
    for (const [what, times] of Object.entries(counts)) seen[what] = (seen[what] ?? 0) + times;
  }
  const { 'forward retried': retried = 0, 'forward indeterminate': unknown = 0 } = seen;
  expect(seen['forward taken']).toBeGreaterThan(100);
  expect(retried + unknown).toBeGreaterThan(0);
}, 120_000);

test('the same seed decides the same twice', () => {
  const run = (): string => simulateSpread({ seed: 21, timeMs: 200 }).eventHash;
  expect(run()).toBe(run());
});
