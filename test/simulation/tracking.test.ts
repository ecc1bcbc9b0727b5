/** Clients that keep what they read, on simulated nodes under faults; `HOLO_TRACKING_SEEDS` runs more. */
import { expect, test } from 'vitest';
import { runTracking } from './tracking.ts';

const SEEDS = Number(process.env['HOLO_TRACKING_SEEDS'] ?? 2);

test.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
  'seed %i: no client keeps a value that is older than one that its node has served since',
  (seed) => {
    const { violations, invalidations, hits, faults } = runTracking(seed);
    expect(violations).toEqual([]);
    expect(invalidations).toBeGreaterThan(100);
    expect(hits).toBeGreaterThan(1_000);
    expect(faults).toBeGreaterThan(0);
  },
  60_000,
);
