import { expect, test } from 'vitest';
import { HotKeys } from '../../../../transport/resp/insight/hot-keys.ts';

/** `seconds` of a load in which 1 of 4 commands names `hot`, the others 10,000 keys in turn. */
function loaded(hotKeys: HotKeys, perSecond: number, seconds: number): number {
  let looks = 0;
  for (let ms = 0; ms < seconds * 1_000; ms += 100) {
    for (let i = 0; i < perSecond / 10; i += 1) {
      if (!hotKeys.takes()) continue;
      looks += 1;
      hotKeys.add(0, i % 4 === 0 ? 'hot' : `cold:${(ms * 7 + i) % 10_000}`, 1);
    }
    hotKeys.onTick(ms + 100);
  }
  return looks;
}

test.each([[400], [20_000], [200_000]])('finds a key that 1 of 4 of %i commands name', (rate) => {
  const hotKeys = new HotKeys();
  const looks = loaded(hotKeys, rate, 30);
  const [first, second] = hotKeys.top(2);
  expect(first?.key).toBe('hot');
  expect(first?.perSecond).toBeGreaterThan((rate / 4) * 0.7);
  expect(first?.perSecond).toBeLessThan((rate / 4) * 1.4);
  expect(second?.perSecond ?? 0).toBeLessThan(rate / 8);
  expect(looks).toBeLessThan(30 * 400);
});

test('looks at few commands of a burst, also after quiet seconds', () => {
  const hotKeys = new HotKeys();
  loaded(hotKeys, 200_000, 3);
  for (let ms = 4_000; ms <= 10_000; ms += 1_000) hotKeys.onTick(ms);
  let looks = 0;
  for (let i = 0; i < 1_000_000; i += 1) {
    if (!hotKeys.takes()) continue;
    looks += 1;
    hotKeys.add(0, 'burst', 1);
  }
  // It doubles its step with each 250 samples.
  expect(looks).toBeLessThan(3_500);
  expect(hotKeys.top(1)[0]).toMatchObject({ key: 'burst' });
  expect(hotKeys.top(1)[0]?.perSecond).toBeGreaterThan(90_000);
  expect(hotKeys.top(1)[0]?.perSecond).toBeLessThan(110_000);
});

test('forgets within a minute, and cuts long keys', () => {
  const hotKeys = new HotKeys();
  hotKeys.onTick(1_000);
  hotKeys.takes();
  hotKeys.add(3, 'k'.repeat(1_000), 1);
  expect(hotKeys.top(5)).toEqual(
    [{ database: 3, key: 'k'.repeat(256), perSecond: 0.1 }].map((each) => ({
      ...each,
      perSecond: expect.closeTo(0.1),
    })),
  );
  for (let ms = 2_000; ms <= 60_000; ms += 1_000) hotKeys.onTick(ms);
  expect(hotKeys.top(5)).toEqual([]);
});

test('holds 128 keys, and a new one takes the place of the least', () => {
  const hotKeys = new HotKeys();
  for (let i = 0; i < 1_000; i += 1) hotKeys.add(0, `k${i}`, 1);
  expect(hotKeys.top(1_000)).toHaveLength(128);
});
