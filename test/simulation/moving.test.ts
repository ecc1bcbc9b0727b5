/** Groups whose members change, under all loads and faults. */
import { expect, test } from 'vitest';
import { simulateMetaMoving, simulateMoving } from './moving.ts';

test('under faults, from one to three groups on', () => {
  const seen: Record<string, number> = {};
  for (const seed of [1, 2, 3, 4]) {
    const { violations, counts } = simulateMoving({ seed, timeMs: 2_500 });
    expect([seed, ...violations]).toEqual([seed]);
    for (const [what, count] of Object.entries(counts)) seen[what] = (seen[what] ?? 0) + count;
  }
  for (const what of ['completed', 'cut off in the middle', 'with a rival']) {
    expect([what, seen[`move ${what}`] ?? 0]).not.toEqual([what, 0]);
  }
}, 120_000);

test('the members of the meta group too, by nodes that have joined', () => {
  for (const seed of [5, 6]) {
    const { violations, counts } = simulateMetaMoving({ seed, timeMs: 2_500 });
    expect([seed, ...violations]).toEqual([seed]);
    expect(counts['move of the meta group completed']).toBeGreaterThan(0);
  }
}, 60_000);
