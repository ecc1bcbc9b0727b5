/** Limits are drawn down to the least, most of them keep their usual size, and nodes get them. */
import { expect, test } from 'vitest';
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { drawLimits, type LimitName, RANGES, USUAL_LIMITS } from './limits.ts';
import { logLimits, nodeLimits } from './node-limits.ts';
import { drawProfile } from './profile.ts';

const NAMES = Object.keys(RANGES) as LimitName[];

test('each limit is within its range, and most have their usual size', () => {
  const rng = new SeededRng(1);
  let usual = 0;
  for (let seed = 0; seed < 200; seed += 1) {
    const limits = drawLimits(rng);
    for (const name of NAMES) {
      const [least, most] = RANGES[name];
      expect(limits[name]).toBeGreaterThanOrEqual(least);
      expect(limits[name]).toBeLessThanOrEqual(most);
      if (limits[name] === USUAL_LIMITS[name]) usual += 1;
    }
  }
  expect(usual / (200 * NAMES.length)).toBeGreaterThan(0.6);
});

test('small values are drawn', () => {
  const rng = new SeededRng(2);
  const least = { ...USUAL_LIMITS };
  for (let seed = 0; seed < 2_000; seed += 1) {
    const limits = drawLimits(rng);
    for (const name of NAMES) {
      const value = Math.min(least[name], limits[name]);
      Object.assign(least, { [name]: value });
    }
  }
  expect(least.listIdsMax).toBe(1);
  expect(least.recoveriesMax).toBe(1);
  expect(least.waitingMax).toBe(1);
  expect(least.retainedBytesMax).toBeLessThan(4);
});

test('a node is given what was drawn', () => {
  const limits = { ...USUAL_LIMITS, listIdsMax: 3, recoveriesMax: 2, writeBytesMax: 5 };
  const profile = { ...drawProfile(new SeededRng(1), 3), limits };
  expect(nodeLimits(profile)).toMatchObject({
    replica: { listIdsMax: 3 },
    coordinator: { recoveriesMax: 2 },
    batch: { batchBytesMax: limits.transactionBytesMax },
  });
  expect(logLimits(profile)).toMatchObject({ batchBytesMax: 5 });
});
