import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readKnownHistories } from './data-set.ts';
import { generateHistory, pickFrom } from './generate.ts';
import type { History } from './history.ts';
import { writeHistory } from './history-file.ts';
import { BAD_TRANSACTIONS, GOOD_TRANSACTIONS } from './known-transactions.ts';

const COMMAND = join(import.meta.dirname, 'check-main.ts');

describe('check-main', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'holostore-test-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  function check(history: History | undefined, ...args: string[]): [number | null, string, string] {
    const path = join(folder, 'history.jsonl');
    if (history !== undefined) writeHistory(path, history);
    const argv = ['--import', 'tsx', COMMAND, path, ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    return [status, stdout, stderr];
  }

  test('exits with 0 for a good history', () => {
    const [status, text] = check(GOOD_TRANSACTIONS[1]?.history);
    expect(text).toContain('strict serializability: ok;');
    expect(status).toBe(0);
  });

  test('exits with 1 for bad transactions and names the anomaly', () => {
    const [status, text] = check(BAD_TRANSACTIONS[0]?.history);
    expect(text).toContain('\nG0: ');
    expect(status).toBe(1);
  });

  test('exits with 1 for a bad register', () => {
    const bad = readKnownHistories().find(({ linearizable }) => !linearizable);
    const [status, text] = check(bad?.history);
    expect(text).toContain('linearizability of cas-register: violation;');
    expect(status).toBe(1);
  });

  test('exits with 2 when it gives up', () => {
    const options = { operations: 50, processes: 3, keys: 1, unknownPercent: 0, refusedPercent: 0 };
    const history = generateHistory('redis', pickFrom(1), options);
    const [status, text] = check(history, '--steps-max', '10');
    expect(text).toContain('exhausted');
    expect(status).toBe(2);
  });

  test('exits with 64 and a reason for what it cannot check', () => {
    writeFileSync(join(folder, 'history.jsonl'), '{}\n');
    expect(check(undefined)).toEqual([64, '', 'line 1: not a holostore-history file\n']);
    const [status, , reason] = check(undefined, '--no-such-option');
    expect(reason).toContain('--no-such-option');
    expect(status).toBe(64);
  });
});
