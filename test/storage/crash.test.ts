/** A process that flushes to LMDB is killed with SIGKILL; what it leaves is one whole state. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { LmdbEngine } from '../../storage/engine/lmdb-engine.ts';
import { Machine } from './harness.ts';

const CHILD = join(import.meta.dirname, 'crash-child.ts');
const directories: string[] = [];

afterEach(() => {
  for (const each of directories.splice(0)) rmSync(each, { recursive: true, force: true });
});

/** Kills the child some milliseconds after its n-th flush; the last flush that it reported. */
async function runAndKill(directory: string, flushes: number, delayMs: number): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let last = 0;
  let seen = 0;
  return new Promise((resolve) => {
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      const lines = text.trim().split('\n');
      last = Number(lines.at(-1));
      seen += lines.length;
      if (seen >= flushes) setTimeout(() => child.kill('SIGKILL'), delayMs);
    });
    child.once('close', () => resolve(last));
  });
}

describe('a killed process', () => {
  test('leaves exactly the state after one of its transactions', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holo-crash-'));
    directories.push(directory);
    for (const [flushes, delayMs] of [
      [3, 0],
      [7, 3],
      [12, 7],
    ] as const) {
      const reported = await runAndKill(directory, flushes, delayMs);
      const engine = new LmdbEngine({ directory });
      const left = new Machine({ engine });
      const dump = left.dump();
      const n = left.machine.appliedSequence;
      expect(n).toBeGreaterThanOrEqual(reported);
      expect(left.machine.size).toBe(299);
      expect(Object.keys(dump)).not.toContain(`key${n % 300}`);
      expect(new Set(Object.values(dump))).toEqual(new Set([String(n)]));
      await new Promise<void>((resolve) => engine.close(resolve));
    }
  });
});

test('an engine says once when its directory may be opened again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'holo-close-'));
  let closed = 0;
  const onClosed = (): void => {
    closed += 1;
  };
  const engine = new LmdbEngine({ directory, onClosed });
  expect(closed).toBe(0);
  await new Promise<void>((resolve) => engine.close(resolve));
  await new Promise<void>((resolve) => engine.close(resolve));
  expect(closed).toBe(1);
  const again = new LmdbEngine({ directory });
  await new Promise<void>((resolve) => again.close(resolve));
  rmSync(directory, { recursive: true });
});
