import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigurationSet } from './configuration-set.ts';

const sets = fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { maxLength: 4 });
const entries = fc.array(
  fc.record({
    core: fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 1, maxLength: 3 }),
    open: sets.map((set) => set.toSorted((a, b) => a - b)),
  }),
  { maxLength: 300 },
);

test('knows a configuration when one with no other open operations was there', () => {
  fc.assert(
    fc.property(entries, (configurations) => {
      const memo = new ConfigurationSet();
      const before: { core: string; open: number[] }[] = [];
      for (const { core, open } of configurations) {
        const text = core.join();
        const isKnown = before.some(
          (other) => other.core === text && other.open.every((one) => open.includes(one)),
        );
        const words = Int32Array.from([...core, ...open, 99]);
        const added = memo.add(words, core.length, core.length + open.length);
        expect(added).toBe(isKnown ? 'known' : 'added');
        before.push({ core: text, open });
      }
    }),
  );
});

test('with many open sets of one core still finds each again', () => {
  const memo = new ConfigurationSet();
  const add = (open: number): string => memo.add(Int32Array.from([1, open]), 1, 2);
  for (let open = 0; open < 1000; open += 1) expect(add(open)).toBe('added');
  for (let open = 0; open < 1000; open += 1) expect(add(open)).toBe('known');
});

test('is full at wordsMax, and still knows what it holds', () => {
  const memo = new ConfigurationSet(1000);
  const add = (core: number): string => memo.add(Int32Array.from([core]), 1, 1);
  let core = 0;
  while (add(core) === 'added') core += 1;
  expect(core).toBeGreaterThan(100);
  expect(add(core)).toBe('full');
  expect(add(core - 1)).toBe('known');
});
