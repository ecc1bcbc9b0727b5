import { expect, test } from 'vitest';
import {
  Backoff,
  RestartIntensity,
} from '../../../../actors/runtime/supervision/restart-policy.ts';

test('intensity allows restartsMax within any period, and forgets what is older', () => {
  const intensity = new RestartIntensity(2, 1_000);
  expect([0, 500, 1_000].map((at) => intensity.allows(at))).toEqual([true, true, false]);
  const slow = new RestartIntensity(2, 1_000);
  expect([0, 600, 1_200, 1_800, 2_400].every((at) => slow.allows(at))).toBe(true);
  expect(slow.restartsInPeriod(2_500)).toBe(2);
  expect(slow.restartsInPeriod(9_999)).toBe(0);
  expect(new RestartIntensity(0, 1_000).allows(0)).toBe(false);
});

test('backoff doubles, has a maximum, and begins anew after a calm life', () => {
  const backoff = new Backoff({ next: () => 0.5 }, 10, 50, 1_000);
  const delays = [5, 5, 5, 5, 1_000, 5].map((ranMs) => backoff.delayMs(ranMs));
  expect(delays).toEqual([10, 20, 40, 50, 10, 20]);
  const shortest = new Backoff({ next: () => 0 }, 10, 50, 1_000);
  expect(shortest.delayMs(0)).toBeCloseTo(8);
});
