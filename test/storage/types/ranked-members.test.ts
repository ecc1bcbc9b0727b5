/** The large form of sorted sets against a sorted array, and with many members. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RankedMembers } from '../../../storage/types/ranked-members.ts';
import { ScoreArray } from '../../../storage/types/score-array.ts';

const member = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 3 }),
  fc.integer({ min: 0, max: 400 }).map(String),
);
const score = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.double({ noNaN: true }),
  fc.constantFrom(0, -0, Infinity, -Infinity),
);
type Change = readonly ['set', string, number] | readonly ['delete', string];
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constant('set' as const), member, score) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('delete' as const), member) },
);

type Entry = readonly [member: string, score: number];

function inOrder([a, scoreA]: Entry, [b, scoreB]: Entry): number {
  if (scoreA !== scoreB) return scoreA < scoreB ? -1 : 1;
  return a < b ? -1 : Number(a > b);
}

/** Every answer of a sorted set, from its entries alone. */
function expectLike(set: RankedMembers | ScoreArray, model: Map<string, number>): void {
  const entries = [...model].sort(inOrder);
  const collect = (walk: 'ascend' | 'descend', from: number): Entry[] => {
    const found: Entry[] = [];
    set[walk](from, entries.length, (m, s) => found.push([m, s]));
    return found;
  };
  expect(set.size).toBe(entries.length);
  expect(collect('ascend', 0)).toEqual(entries);
  expect(collect('descend', entries.length - 1)).toEqual(entries.toReversed());
  for (const [rank, [m, s]] of entries.entries()) {
    expect(set.rankOf(m)).toBe(rank);
    expect(set.memberAt(rank)).toBe(m);
    expect(set.scoreOf(m)).toBe(s);
    expect(set.countWhere((each) => each < s)).toBe(entries.filter(([, x]) => x < s).length);
  }
  expect(set.rankOf('no such member')).toBeUndefined();
}

describe('a sorted set', () => {
  test.each([
    ['large', () => RankedMembers.empty()],
    ['small', () => new ScoreArray()],
  ])('in its %s form is a sorted array', (_form, empty) => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 600, size: 'max' }), (changes) => {
        const set = empty();
        const model = new Map<string, number>();
        for (const [what, name, value] of changes) {
          if (what === 'delete') {
            set.delete(name);
            model.delete(name);
          } else {
            set.set(name, value);
            if (model.get(name) !== value) model.set(name, value);
          }
        }
        expectLike(set, model);
      }),
      { numRuns: 20 },
    );
  });

  test('survives its packed form', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(member, score), { maxLength: 100 }), (entries) => {
        const model = new Map(entries);
        const set = new ScoreArray();
        for (const [name, value] of model) set.set(name, value);
        const packed = set.packed(1);
        expect(packed?.charCodeAt(0)).toBe(1);
        expectLike(new ScoreArray(packed), model);
      }),
      { numRuns: 100 },
    );
  });

  test('of many members has a place for each, whatever the order of their coming', () => {
    const size = 20_000;
    const set = RankedMembers.empty();
    // Each number once, in no order: the second factor and the modulus have none in common.
    for (let i = 0; i < size; i += 1) {
      const at = 1 + ((i * 7_777) % size);
      set.set(`m${at}`, at);
    }
    expect(set.size).toBe(size);
    for (const rank of [0, 1, 63, 64, 65, 9_999, 19_998, 19_999]) {
      expect(set.memberAt(rank)).toBe(`m${rank + 1}`);
      expect(set.rankOf(`m${rank + 1}`)).toBe(rank);
      expect(set.countWhere((score) => score <= rank)).toBe(rank);
    }
    for (let at = 2; at <= size; at += 2) set.delete(`m${at}`);
    expect(set.rankOf('m19999')).toBe(9_999);
  });
});
