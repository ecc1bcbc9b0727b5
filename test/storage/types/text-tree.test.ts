/** Names in order against a sorted array. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TextTree } from '../../../storage/types/text-tree.ts';

const name = fc.oneof(
  fc.nat(400).map((n) => String(n).padStart(4, '0')),
  fc.string({ unit: 'binary-ascii', maxLength: 3 }),
);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constant('set' as const), name, fc.nat()) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('delete' as const), name, fc.nat()) },
  fc.tuple(fc.constant('run' as const), name, fc.nat(150)),
);

test('a tree of names is a sorted array', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: 'max' }), name, (steps, probe) => {
      const tree = new TextTree<number>();
      const model = new Map<string, number>();
      const set = (text: string, value: number): void => {
        tree.set(text, value);
        model.set(text, value);
      };
      for (const [type, text, value] of steps) {
        if (type === 'set') set(text, value);
        // In order, as the ids of entries come.
        else if (type === 'run') for (let i = 0; i < value; i += 1) set(`z${1_000 + i}`, i);
        else {
          expect(tree.delete(text)).toBe(model.get(text));
          model.delete(text);
        }
      }
      const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
      const behind = sorted.filter(([text]) => text >= probe);
      expect(tree.size).toBe(sorted.length);
      expect([tree.first, tree.last]).toEqual([sorted[0]?.[0], sorted.at(-1)?.[0]]);
      expect([...tree.from('')]).toEqual(sorted);
      expect([...tree.values()]).toEqual(sorted.map(([, value]) => value));
      expect([...tree.from(probe)]).toEqual(behind);
      expect(tree.page(probe, 7)).toEqual(behind.slice(0, 7));
      expect(tree.get(probe)).toBe(model.get(probe));
    }),
    { numRuns: 100 },
  );
});
