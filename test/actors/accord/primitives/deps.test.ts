/** Sets of ids against JavaScript's own sets, and their one canonical encoding. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Deps,
  decodeDeps,
  depsOf,
  encodeDeps,
  includes,
  isSubset,
  NO_DEPS,
  union,
  without,
} from '../../../../actors/accord/primitives/deps.ts';
import {
  compare,
  keyOf,
  TIMESTAMP_BYTES,
  type TxnId,
} from '../../../../actors/accord/primitives/timestamp.ts';
import { at } from '../fixture.ts';

const ids: fc.Arbitrary<TxnId[]> = fc.array(
  fc.tuple(fc.nat(12), fc.integer({ min: 1, max: 3 })).map(([hlc, node]) => at(hlc, node)),
  { maxLength: 20 },
);

function keys(deps: Deps): string[] {
  return deps.map(keyOf);
}

function sortedKeys(all: readonly TxnId[]): string[] {
  const unique = new Map(all.map((id) => [keyOf(id), id]));
  return keys([...unique.values()].sort(compare));
}

describe('sets of ids', () => {
  test('depsOf sorts and removes repeats', () => {
    fc.assert(
      fc.property(ids, (a) => {
        expect(keys(depsOf([...a]))).toEqual(sortedKeys(a));
      }),
    );
  });

  test('union, without, includes and isSubset do what sets do', () => {
    fc.assert(
      fc.property(ids, ids, (left, right) => {
        const a = depsOf([...left]);
        const b = depsOf([...right]);
        const inB = new Set(keys(b));
        expect(keys(union(a, b))).toEqual(sortedKeys([...left, ...right]));
        expect(keys(without(a, b))).toEqual(keys(a).filter((key) => !inB.has(key)));
        for (const id of a) expect(includes(b, id)).toBe(inB.has(keyOf(id)));
        expect(isSubset(a, b)).toBe(keys(a).every((key) => inB.has(key)));
        expect(isSubset(a, union(a, b))).toBe(true);
      }),
    );
  });

  test('nothing is taken from or added to the arguments', () => {
    const a = depsOf([at(1), at(3)]);
    const b = depsOf([at(2)]);
    union(a, b);
    without(a, b);
    expect([keys(a), keys(b)]).toEqual([keys([at(1), at(3)]), keys([at(2)])]);
  });
});

describe('the encoding', () => {
  test('is the same for equal sets, and gives the set back', () => {
    fc.assert(
      fc.property(ids, fc.func(fc.nat()), (some, shuffle) => {
        const shuffled = [...some].sort((x, y) => shuffle(keyOf(x)) - shuffle(keyOf(y)));
        const bytes = encodeDeps(depsOf([...some]));
        expect(encodeDeps(depsOf(shuffled))).toEqual(bytes);
        expect(decodeDeps(bytes)).toEqual(depsOf([...some]));
      }),
    );
  });

  test('of nothing is empty, and takes no room', () => {
    expect(encodeDeps(NO_DEPS)).toHaveLength(0);
    expect(decodeDeps(new Uint8Array(0))).toBe(NO_DEPS);
  });

  test('reads from the middle of a buffer', () => {
    const bytes = encodeDeps([at(1), at(2)]);
    const larger = new Uint8Array(bytes.length + 10);
    larger.set(bytes, 5);
    expect(decodeDeps(larger.subarray(5, 5 + bytes.length))).toEqual([at(1), at(2)]);
  });

  test('refuses what is not canonical', () => {
    const two = encodeDeps([at(1), at(2)]);
    expect(() => decodeDeps(two.subarray(1))).toThrow('whole number');
    const swapped = Buffer.concat([
      two.subarray(TIMESTAMP_BYTES),
      two.subarray(0, TIMESTAMP_BYTES),
    ]);
    expect(() => decodeDeps(swapped)).toThrow('ascend');
    const twice = Buffer.concat([
      two.subarray(0, TIMESTAMP_BYTES),
      two.subarray(0, TIMESTAMP_BYTES),
    ]);
    expect(() => decodeDeps(twice)).toThrow('ascend');
  });
});
