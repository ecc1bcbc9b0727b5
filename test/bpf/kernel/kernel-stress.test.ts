/** A short run of the race between votes and re-arming; the long one is stress.ts by hand. */
import { expect, test } from 'vitest';
import { runStress } from '../stress.ts';
import { kernelSupport } from '../support.ts';

const { addon, reason } = kernelSupport();

test.skipIf(addon === undefined)(
  `no quorum twice, early or with a wrong vote ${reason ?? ''}`,
  async () => {
    if (addon === undefined) return;
    const result = await runStress(addon, 50_000);
    expect(result.wrong).toBe(0);
    expect(result.duplicates).toBe(0);
    expect(result.quorums).toBeGreaterThanOrEqual(50_000);
    const { counters } = result;
    expect(counters.quorums).toBe(result.quorums + result.late + counters.ring_full);
    // Every kind of vote that must not count was really tried.
    expect(Math.min(counters.stale, counters.tampered, counters.foreign)).toBeGreaterThan(100);
    expect(Math.min(counters.duplicates, result.abandoned)).toBeGreaterThan(0);
  },
);
