/** Clients that wait, on simulated nodes under faults; `HOLO_WAITING_SEEDS` runs more. */
import { expect, test } from 'vitest';
import { runWaiting, waitingMode } from './waiting.ts';

const SEEDS = Number(process.env['HOLO_WAITING_SEEDS'] ?? 3);

const runs = Array.from({ length: SEEDS }, (_, i) => i + 1).map((seed) => ({
  seed,
  mode: waitingMode(seed),
}));

test.each(runs)(
  'seed $seed, $mode: elements are taken once, and no client sleeps beside one',
  ({ seed, mode }) => {
    const { violations, taken, faults } = runWaiting(seed, mode);
    expect(violations).toEqual([]);
    expect(taken).toBeGreaterThan(100);
    expect(faults).toBeGreaterThan(0);
  },
  60_000,
);
