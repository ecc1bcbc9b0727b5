import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasSerialOrder } from './brute-force.ts';
import { readKnownHistories } from './data-set.ts';
import { generateHistory, pickFrom, pickFromChoices } from './generate.ts';
import type { History, Json, ModelName, Operation } from './history.ts';
import { checkLinearizability } from './linearizability.ts';
import { spoil } from './spoil.ts';

type Row = [from: number, to: number | undefined, kind: string, args: Json[], result?: Json];

/** Rows without a result are open; each is a process of its own. */
function historyOf(rows: readonly Row[], key: (at: number) => string = () => 'k'): History {
  const operations = rows.map(
    ([from, to, kind, args, result], id): Operation => ({
      id,
      process: id,
      invokedAt: from,
      completedAt: to,
      kind,
      keys: [key(id)],
      args,
      result,
      outcome: result === undefined ? 'unknown' : 'ok',
    }),
  );
  return { model: 'redis', operations };
}

describe('the 64 histories of the Porcupine project', () => {
  test.each(readKnownHistories())('$name', ({ history, linearizable }) => {
    const { verdict, violations } = checkLinearizability(history);
    expect(verdict).toBe(linearizable ? 'ok' : 'violation');
    for (const { prefixes, operations } of violations) {
      expect(prefixes.length).toBeGreaterThan(0);
      for (const { linearized, unplaced } of prefixes) {
        expect(linearized.length + unplaced.length).toBeLessThanOrEqual(operations);
        expect(unplaced.length).toBeGreaterThan(0);
      }
    }
  });
});

describe('histories made by hand', () => {
  test('an empty history is fine', () => {
    expect(checkLinearizability({ model: 'redis', operations: [] }).verdict).toBe('ok');
  });

  test('a stale read is named, with what came before it', () => {
    const found = checkLinearizability(
      historyOf([
        [0, 10, 'SET', ['a'], 'OK'],
        [20, 30, 'SET', ['b'], 'OK'],
        [40, 50, 'GET', [], 'a'],
        [60, 70, 'GET', [], 'b'],
      ]),
    );
    expect(found.verdict).toBe('violation');
    const [violation] = found.violations;
    expect(violation?.key).toBe('k');
    expect(violation?.prefixes).toHaveLength(1);
    expect(violation?.prefixes[0]?.linearized.map(({ id }) => id)).toEqual([0, 1]);
    expect(violation?.prefixes[0]?.state).toBe('b');
    expect(violation?.prefixes[0]?.unplaced.map(({ id }) => id)).toEqual([2]);
    expect(found.text).toContain('process 2 [40, 50] GET "k" -> "a"');
    expect(found.text).toContain('which leaves "b"');
  });

  test('all longest prefixes are given when they leave different states', () => {
    const found = checkLinearizability(
      historyOf([
        [0, 10, 'SET', ['a'], 'OK'],
        [0, 10, 'SET', ['b'], 'OK'],
        [20, 30, 'GET', [], 'c'],
      ]),
    );
    const states = found.violations[0]?.prefixes.map(({ state }) => state);
    expect(states?.toSorted()).toEqual(['a', 'b']);
  });

  test('intervals that touch in one instant are concurrent', () => {
    const rows: Row[] = [
      [0, 10, 'SET', ['a'], 'OK'],
      [10, 20, 'GET', [], null],
    ];
    expect(checkLinearizability(historyOf(rows)).verdict).toBe('ok');
    rows[1] = [11, 20, 'GET', [], null];
    expect(checkLinearizability(historyOf(rows)).verdict).toBe('violation');
  });

  test('an open write may happen late, once, or never, but not before it was asked for', () => {
    const open: Row = [5, undefined, 'SET', ['a']];
    const sees: Row = [100, 110, 'GET', [], 'a'];
    const misses: Row = [50, 60, 'GET', [], null];
    const deletes: Row = [120, 130, 'DEL', [], 1];
    const verdictOf = (...rows: Row[]): string => checkLinearizability(historyOf(rows)).verdict;
    expect(verdictOf(open, misses, sees)).toBe('ok');
    expect(verdictOf(open, misses)).toBe('ok');
    expect(verdictOf(open, misses, sees, deletes, [140, 150, 'GET', [], 'a'])).toBe('violation');
    expect(verdictOf([5, undefined, 'SET', ['a']], [0, 4, 'GET', [], 'a'])).toBe('violation');
    expect(verdictOf([5, undefined, 'SET', ['a']], [0, 5, 'GET', [], 'a'])).toBe('ok');
  });

  test('two open writes explain two sightings, one does not', () => {
    const rows: Row[] = [
      [0, undefined, 'INCR', []],
      [10, 20, 'GET', [], '1'],
      [30, 40, 'GET', [], '2'],
    ];
    expect(checkLinearizability(historyOf(rows)).verdict).toBe('violation');
    rows.push([25, undefined, 'INCR', []]);
    expect(checkLinearizability(historyOf(rows)).verdict).toBe('ok');
  });

  test('a refused write is counted, and must not be seen', () => {
    const { operations } = historyOf([
      [0, 10, 'SET', ['a'], 'OK'],
      [20, 30, 'GET', [], 'a'],
    ]);
    const [write, read] = operations;
    if (write === undefined || read === undefined) throw new Error('two operations');
    const refused = { ...write, outcome: 'refused', result: undefined } as const;
    const found = checkLinearizability({ model: 'redis', operations: [refused, read] });
    expect(found).toMatchObject({ verdict: 'violation', refused: 1, operations: 2 });
  });

  test('every key is judged alone', () => {
    const rows: Row[] = [
      [0, 10, 'SET', ['a'], 'OK'],
      [20, 30, 'GET', [], 'a'],
      [0, 10, 'SET', ['a'], 'OK'],
      [20, 30, 'GET', [], null],
    ];
    const found = checkLinearizability(historyOf(rows, (at) => (at < 2 ? 'good' : 'bad')));
    expect(found.keys).toBe(2);
    expect(found.violations.map(({ key }) => key)).toEqual(['bad']);
  });

  test('after violationsMax bad keys the rest is skipped, and said to be', () => {
    const rows = Array.from({ length: 5 }, (): Row => [0, 10, 'GET', [], 'never']);
    const found = checkLinearizability(
      historyOf(rows, (at) => `k${at}`),
      { violationsMax: 2 },
    );
    expect(found.violations).toHaveLength(2);
    expect(found.skippedKeys).toEqual(['k2', 'k3', 'k4']);
    expect(found.text).toContain('3 more keys were not searched');
  });

  test('operations on no key or several are no history of single keys', () => {
    const { operations } = historyOf([[0, 10, 'GET', [], null]]);
    const wrong = operations.map((one) => ({ ...one, keys: ['a', 'b'] }));
    expect(() => checkLinearizability({ model: 'redis', operations: wrong })).toThrow('one key');
  });
});

describe('the budget', () => {
  const hard = generateHistory('redis', pickFrom(1), {
    operations: 400,
    processes: 20,
    keys: 2,
    unknownPercent: 5,
    refusedPercent: 0,
  });

  test('that is too small gives exhausted, never ok', () => {
    const found = checkLinearizability(hard, { stepsMax: 100 });
    expect(found.verdict).toBe('exhausted');
    expect(found.exhaustedKeys.toSorted()).toEqual(['k0', 'k1']);
    expect(found.steps).toBeLessThanOrEqual(200);
    expect(checkLinearizability(hard).verdict).toBe('ok');
  });

  test('does not hide a violation on another key', () => {
    const extra = historyOf([[0, 10, 'GET', [], 'never']], () => 'bad').operations;
    const operations = [...hard.operations, ...extra];
    const found = checkLinearizability({ model: 'redis', operations }, { stepsMax: 100 });
    expect(found.verdict).toBe('violation');
    expect(found.exhaustedKeys).toHaveLength(2);
  });
});

const MODELS: ModelName[] = ['cas-register', 'kv', 'redis', 'counter', 'list', 'collections'];
const choices = fc.array(fc.nat({ max: 999 }), { minLength: 20, maxLength: 200 });

describe.each(MODELS)('generated histories of %s', (model) => {
  test('that are right pass', () => {
    const options = {
      operations: 60,
      processes: 5,
      keys: 2,
      unknownPercent: 10,
      refusedPercent: 5,
    };
    fc.assert(
      fc.property(choices, (list) => {
        const found = checkLinearizability(generateHistory(model, pickFromChoices(list), options));
        expect(found.text).toContain(': ok;');
      }),
    );
  });

  test('that were spoilt get the verdict of the definition', () => {
    const options = { operations: 7, processes: 3, keys: 1, unknownPercent: 20, refusedPercent: 5 };
    const counts = { ok: 0, violation: 0, exhausted: 0 };
    fc.assert(
      fc.property(choices, fc.integer(), (list, seed) => {
        const history = generateHistory(model, pickFromChoices(list), options);
        const spoilt = spoil(spoil(history, pickFrom(seed)), pickFrom(seed + 1));
        const { verdict } = checkLinearizability(spoilt);
        counts[verdict] += 1;
        const expected = hasSerialOrder(spoilt.operations);
        expect(verdict).toBe(expected ? 'ok' : 'violation');
      }),
      { numRuns: 300, seed: 1 },
    );
    // A test in which nothing was wrong, or everything, would show nothing.
    expect(counts.violation).toBeGreaterThan(5);
    expect(counts.ok).toBeGreaterThan(5);
  });

  test('that are long pass whole and fail spoilt', () => {
    const pick = pickFrom(3);
    const history = generateHistory(model, pick, {
      operations: 10_000,
      processes: 20,
      keys: 20,
      unknownPercent: 1,
      refusedPercent: 1,
    });
    expect(checkLinearizability(history).verdict).toBe('ok');
    const answered = history.operations.filter(({ kind, outcome }) => {
      return outcome === 'ok' && !['put', 'append', 'write'].includes(kind);
    });
    const victim = answered[answered.length >> 1];
    const spoilt = history.operations.map((one) =>
      one === victim ? { ...one, result: 'never written' } : one,
    );
    const found = checkLinearizability({ model, operations: spoilt });
    expect(found.violations.map(({ key }) => key)).toEqual(victim?.keys);
  });
});
