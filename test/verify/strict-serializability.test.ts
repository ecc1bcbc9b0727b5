import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasSerialOrder } from './brute-force.ts';
import { generateHistory, pickFrom, pickFromChoices } from './generate.ts';
import type { History } from './history.ts';
import { BAD_TRANSACTIONS, GOOD_TRANSACTIONS } from './known-transactions.ts';
import { spoil } from './spoil.ts';
import { type AnomalyName, checkStrictSerializability } from './strict-serializability.ts';

const MODEL = 'list-append-txn';

function namesOf(history: History): string[] {
  return Object.keys(checkStrictSerializability(history).counts);
}

describe('histories made by hand', () => {
  test.each(BAD_TRANSACTIONS)('$anomalies: $name', ({ history, anomalies }) => {
    const found = checkStrictSerializability(history);
    expect(found.verdict).toBe('violation');
    expect(Object.keys(found.counts)).toEqual(anomalies);
    for (const { transactions, text } of found.anomalies) {
      expect(transactions.length).toBeGreaterThan(0);
      expect(text).toContain(anomalies[0]);
      expect(text).toContain('T1 = process');
    }
  });

  test.each(GOOD_TRANSACTIONS)('good: $name', ({ history }) => {
    expect(checkStrictSerializability(history).text).toContain('strict serializability: ok;');
  });

  test.each([...BAD_TRANSACTIONS, ...GOOD_TRANSACTIONS])(
    'the definition agrees: $name',
    ({ history, anomalies }) => {
      expect(hasSerialOrder(history.operations)).toBe(anomalies.length === 0);
    },
  );

  test('there is one for every anomaly', () => {
    const every: Record<AnomalyName, true> = {
      G0: true,
      G1a: true,
      G1b: true,
      G1c: true,
      'G-single': true,
      G2: true,
      strict: true,
      internal: true,
      duplicate: true,
      'unknown-value': true,
      'lost-append': true,
      'incompatible-order': true,
    };
    const shown = new Set(BAD_TRANSACTIONS.flatMap(({ anomalies }) => anomalies));
    expect([...shown].toSorted()).toEqual(Object.keys(every).toSorted());
  });
});

test('a circle is told with its transactions and the reason of every step', () => {
  const skew = BAD_TRANSACTIONS.find(({ name }) => name.startsWith('read skew: one'));
  if (skew === undefined) throw new Error('there is no read skew');
  const { anomalies } = checkStrictSerializability(skew.history);
  expect(anomalies[0]?.text.split('\n')).toEqual([
    'G-single: each must come before the next, in a circle',
    '  T1 = process 1 [0, 1000] read "x" -> [], read "y" -> [1]',
    '  T2 = process 0 [0, 1000] append "x" 1, append "y" 1',
    '  T1 before T2 (rw): T1 read "x" without the 1 that T2 appended',
    '  T2 before T1 (wr): T1 read the 1 that T2 appended to "y"',
  ]);
});

test('more anomalies than anomaliesMax are counted, not described', () => {
  const operations = Array.from({ length: 5 }, (_, id) => ({
    id,
    process: id,
    invokedAt: 0,
    completedAt: 1,
    kind: 'txn',
    keys: ['x'],
    args: [['read', `x${id}`]],
    result: [[1]],
    outcome: 'ok' as const,
  }));
  const found = checkStrictSerializability({ model: MODEL, operations }, { anomaliesMax: 2 });
  expect(found.anomalies).toHaveLength(2);
  expect(found.counts).toEqual({ 'unknown-value': 5 });
  expect(found.text).toContain('and 3 more anomalies');
});

test('other histories are refused', () => {
  expect(() => checkStrictSerializability({ model: 'redis', operations: [] })).toThrow('redis');
});

const choices = fc.array(fc.nat({ max: 999 }), { minLength: 20, maxLength: 300 });

describe('generated histories', () => {
  test('that are right pass', () => {
    fc.assert(
      fc.property(choices, fc.integer({ min: 1, max: 8 }), (list, keys) => {
        const options = {
          operations: 60,
          processes: 6,
          keys,
          unknownPercent: 15,
          refusedPercent: 10,
        };
        const history = generateHistory(MODEL, pickFromChoices(list), options);
        expect(checkStrictSerializability(history).text).toContain(': ok;');
      }),
      { numRuns: 200 },
    );
  });

  test('that were spoilt get the verdict of the definition', () => {
    const counts = { ok: 0, violation: 0 };
    const names = new Set<string>();
    fc.assert(
      fc.property(choices, fc.integer(), (list, seed) => {
        const pick = pickFrom(seed);
        const options = {
          operations: 2 + pick(5),
          processes: 4,
          keys: 1 + pick(3),
          unknownPercent: 20,
          refusedPercent: 10,
        };
        let history = generateHistory(MODEL, pickFromChoices(list), options);
        for (let times = 1 + pick(2); times > 0; times -= 1) history = spoil(history, pick);
        const { verdict } = checkStrictSerializability(history);
        counts[verdict] += 1;
        for (const name of namesOf(history)) names.add(name);
        expect(verdict).toBe(hasSerialOrder(history.operations) ? 'ok' : 'violation');
      }),
      { numRuns: 3000, seed: 1 },
    );
    expect(counts.ok).toBeGreaterThan(100);
    expect(counts.violation).toBeGreaterThan(100);
    // Lies that only ever look one way would test one branch.
    expect(names.size).toBeGreaterThanOrEqual(11);
  });

  test('that are long pass whole and fail spoilt', () => {
    const pick = pickFrom(5);
    const history = generateHistory(MODEL, pick, {
      operations: 10_000,
      processes: 30,
      keys: 40,
      unknownPercent: 2,
      refusedPercent: 1,
    });
    const good = checkStrictSerializability(history);
    expect(good.verdict).toBe('ok');
    expect(good.open).toBeGreaterThan(good.openObserved);
    expect(good.openObserved).toBeGreaterThan(0);
    // The last transaction that reads a key sees what its first reader saw.
    const readers = history.operations.filter(({ args, outcome }) => {
      return outcome === 'ok' && args.length === 1 && JSON.stringify(args).includes('"read","k7"');
    });
    const stale = readers.at(-1);
    const operations = history.operations.map((one) =>
      one === stale ? { ...one, result: readers[0]?.result ?? null } : one,
    );
    expect(namesOf({ model: MODEL, operations })).toEqual(['strict']);
  });
});
