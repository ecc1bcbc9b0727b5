/** Groups that end and are followed by two, under all loads and faults. */
import { expect, test } from 'vitest';
import { simulateSplitting } from './splitting.ts';

test('under faults, from one to three groups on', () => {
  const seen: Record<string, number> = {};
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const { violations, counts } = simulateSplitting({
      ...{ seed, nodes: seed % 2 === 1 ? 3 : 5 },
      timeMs: 2_500,
    });
    expect([seed, ...violations]).toEqual([seed]);
    for (const [what, count] of Object.entries(counts)) seen[what] = (seen[what] ?? 0) + count;
  }
  expect(seen['renewal completed'] ?? 0).toBeGreaterThan(0);
  for (const what of ['completed', 'cut off in the middle', 'with a rival']) {
    expect([what, seen[`split ${what}`] ?? 0]).not.toEqual([what, 0]);
  }
  for (const what of ['transaction moved', 'read moved', 'moved by another']) {
    expect([what, seen[what] ?? 0]).not.toEqual([what, 0]);
  }
}, 120_000);

test('the same seed decides the same twice', () => {
  const run = (): string => simulateSplitting({ seed: 21, nodes: 3, timeMs: 800 }).eventHash;
  expect(run()).toBe(run());
});
