/** Nodes that join while everything else goes on. */
import { expect, test } from 'vitest';
import { simulateJoining } from './joining.ts';

test('nodes that join serve everything, under all faults', () => {
  const seen: Record<string, number> = {};
  for (const seed of [1, 2]) {
    const { violations, counts } = simulateJoining({ seed, timeMs: 2_000 });
    expect(violations).toEqual([]);
    for (const [what, times] of Object.entries(counts)) seen[what] = (seen[what] ?? 0) + times;
  }
  expect(seen['node joined']).toBe(4);
  expect(seen['forward taken']).toBeGreaterThan(20);
}, 120_000);
