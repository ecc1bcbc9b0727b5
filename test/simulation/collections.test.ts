/** Collections that grow, shrink, move and vanish, on replicas that crash, evict and flush. */
import { expect, test } from 'vitest';
import { simulate } from './cluster.ts';
import { USUAL_LIMITS } from './limits.ts';

const mix = {
  register: 0.1,
  volatile: 0,
  group: 0,
  readMany: 0,
  transaction: 0,
  mixed: 1,
  wholeStore: 0.05,
  walk: 0,
  big: 0,
  watch: 0,
  settings: 0,
};

test('replicas agree on large and small ones, whatever happens to them', () => {
  let [read, dropped] = [0, 0];
  for (const seed of [1, 3, 5, 6, 7, 8]) {
    // A small cache, so that collections leave memory; no other limit may keep them small.
    const limits = { ...USUAL_LIMITS, cacheBytesMax: 4_096 };
    const profile = { mix, limits, keys: 2, readPipelineRate: 0, damage: false, away: undefined };
    const { violations, counts } = simulate({ seed, nodes: 3, timeMs: 4_000, profile });
    expect(violations, `seed ${seed}`).toEqual([]);
    read += counts['collection read'] ?? 0;
    dropped += counts['collection dropped'] ?? 0;
  }
  expect(read).toBeGreaterThan(0);
  expect(dropped).toBeGreaterThan(0);
});
