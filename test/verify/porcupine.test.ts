import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readKnownHistories } from './data-set.ts';
import { generateHistory, pickFrom } from './generate.ts';
import type { History, ModelName } from './history.ts';
import { BAD_TRANSACTIONS, GOOD_TRANSACTIONS } from './known-transactions.ts';
import { checkLinearizability } from './linearizability.ts';
import {
  buildPorcupine,
  checkWithPorcupine,
  PorcupineUnavailableError,
  porcupineUnavailable,
} from './porcupine.ts';
import { spoil } from './spoil.ts';
import { checkStrictSerializability } from './strict-serializability.ts';

const unavailable = porcupineUnavailable();
if (unavailable !== undefined) {
  test(`Porcupine is skipped: ${unavailable}`, (context) => context.skip(unavailable));
}

describe.skipIf(unavailable !== undefined)('Porcupine', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'holostore-test-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('agrees on its own 64 histories, and on the keys that are bad', () => {
    for (const { name, history, linearizable } of readKnownHistories()) {
      const theirs = checkWithPorcupine(history);
      expect(`${name} ${theirs.verdict}`).toBe(`${name} ${linearizable ? 'ok' : 'violation'}`);
      const ours = checkLinearizability(history).violations.map(({ key }) => key);
      expect(theirs.badKeys).toEqual(ours);
    }
  });

  const models: ModelName[] = ['cas-register', 'kv', 'redis', 'counter', 'list'];
  test.each(models)('agrees on generated histories of %s, right and spoilt', (model) => {
    const bad = new Set<string>();
    for (let seed = 1; seed <= 8; seed += 1) {
      const pick = pickFrom(seed);
      const right = generateHistory(model, pick, {
        operations: 120,
        processes: 5,
        keys: 6,
        unknownPercent: 4,
        refusedPercent: 4,
      });
      let history: History = right;
      for (let times = seed % 4; times > 0; times -= 1) history = spoil(history, pick);
      const ours = checkLinearizability(history);
      const theirs = checkWithPorcupine(history);
      expect([seed, theirs.verdict, theirs.badKeys]).toEqual([
        seed,
        ours.verdict,
        ours.violations.map(({ key }) => key),
      ]);
      bad.add(theirs.verdict);
    }
    expect([...bad].toSorted()).toEqual(['ok', 'violation']);
  });

  test('agrees on every transaction history made by hand', () => {
    for (const { name, history, anomalies } of [...BAD_TRANSACTIONS, ...GOOD_TRANSACTIONS]) {
      const verdict = anomalies.length === 0 ? 'ok' : 'violation';
      expect(`${name}: ${checkWithPorcupine(history).verdict}`).toBe(`${name}: ${verdict}`);
    }
  });

  test('agrees on generated transactions', () => {
    const verdicts = new Set<string>();
    for (let seed = 1; seed <= 20; seed += 1) {
      const pick = pickFrom(seed);
      let history = generateHistory('list-append-txn', pick, {
        operations: 30,
        processes: 4,
        keys: 3,
        unknownPercent: 5,
        refusedPercent: 5,
      });
      if (seed % 2 === 0) history = spoil(history, pick);
      const { verdict } = checkStrictSerializability(history);
      expect([seed, checkWithPorcupine(history).verdict]).toEqual([seed, verdict]);
      verdicts.add(verdict);
    }
    expect([...verdicts].toSorted()).toEqual(['ok', 'violation']);
  });

  test('draws the first bad key, and only a bad one', () => {
    const known = readKnownHistories();
    const htmlPath = join(folder, 'view.html');
    const good = known.find(({ linearizable }) => linearizable);
    const bad = known.find(({ linearizable }) => !linearizable);
    if (good === undefined || bad === undefined) throw new Error('there are both');
    expect(checkWithPorcupine(good.history, { htmlPath }).html).toBeUndefined();
    expect(existsSync(htmlPath)).toBe(false);
    expect(checkWithPorcupine(bad.history, { htmlPath }).html).toBe(htmlPath);
    expect(readFileSync(htmlPath, 'utf8')).toContain('<html');
  });

  test('gives up in time and says so', () => {
    const hard = generateHistory('kv', pickFrom(1), {
      operations: 3000,
      processes: 25,
      keys: 1,
      unknownPercent: 10,
      refusedPercent: 0,
    });
    const found = checkWithPorcupine(hard, { timeoutMs: 50 });
    expect(found).toMatchObject({ verdict: 'exhausted', exhaustedKeys: ['k0'] });
  });

  test('reports what it cannot read', () => {
    const operations = [
      {
        id: 0,
        process: 0,
        invokedAt: 0,
        completedAt: 1,
        kind: 'POP',
        keys: ['k'],
        args: [],
        result: null,
        outcome: 'ok' as const,
      },
    ];
    expect(() => checkWithPorcupine({ model: 'redis', operations })).toThrow('POP');
    expect(() => checkWithPorcupine(join(folder, 'none.jsonl'))).toThrow('none.jsonl');
  });

  test('is built outside the repository', () => {
    expect(buildPorcupine().startsWith(tmpdir())).toBe(true);
    const sources = readdirSync(join(import.meta.dirname, 'porcupine')).toSorted();
    expect(sources).toEqual(['go.mod', 'go.sum', 'main.go', 'models.go']);
  });
});

test('without Go the reason is given', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holostore-test-'));
  try {
    vi.stubEnv('PATH', folder);
    // Another cache, or the program that was built before would be found.
    vi.stubEnv('TMPDIR', folder);
    expect(() => buildPorcupine()).toThrow(PorcupineUnavailableError);
    expect(porcupineUnavailable()).toContain('`go` command was not found');
  } finally {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  }
});
