/** Clients that wait, on simulated nodes under faults; `HOLO_WAITING_SEEDS` runs more. */
import { expect, test } from 'vitest';
import { runWaiting } from './waiting.ts';

const SEEDS = Number(process.env['HOLO_WAITING_SEEDS'] ?? 4);

const runs = Array.from({ length: SEEDS }, (_, i) => ({ seed: i + 1, ranges: 1 + (i % 2) }));

test.each(runs)(
  'seed $seed, $ranges ranges: elements are taken once, and no client sleeps beside one',
  ({ seed, ranges }) => {
    const { violations, taken, faults } = runWaiting(seed, ranges === 1 ? 1 : 2);
    expect(violations).toEqual([]);
    expect(taken).toBeGreaterThan(100);
    expect(faults).toBeGreaterThan(0);
  },
  60_000,
);
