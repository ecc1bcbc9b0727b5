/** Clients that wait, on simulated nodes under faults; `HOLO_WAITING_SEEDS` runs more. */
import { expect, test } from 'vitest';
import { runWaiting } from './waiting.ts';

const SEEDS = Number(process.env['HOLO_WAITING_SEEDS'] ?? 4);

test.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
  'seed %i: elements are taken once, and no client sleeps beside one',
  (seed) => {
    const { violations, taken, faults } = runWaiting(seed);
    expect(violations).toEqual([]);
    expect(taken).toBeGreaterThan(100);
    expect(faults).toBeGreaterThan(0);
  },
  60_000,
);
