/** A process gives up, in all threads, the capabilities to load and attach, and loses nothing. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { kernelSupport } from '../support.ts';

const NET_ADMIN = 1n << 12n;
const ALL = NET_ADMIN | (1n << 21n) | (1n << 38n) | (1n << 39n);
const { addon } = kernelSupport();

function outcomeOf(fanOut: 'tcx' | 'clsact'): Record<string, unknown> {
  const script = join(import.meta.dirname, 'privileges-process.ts');
  const args = ['--import', 'tsx', script, fanOut];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

function held(sets: unknown): bigint {
  return (sets as string[]).reduce((sum, set) => sum | BigInt(`0x${set}`), 0n) & ALL;
}

describe.skipIf(addon === undefined)('capabilities', () => {
  test.each([
    ['tcx', 0n],
    // A clsact filter can be removed and attached with this one alone.
    ['clsact', NET_ADMIN],
  ] as const)('are dropped once attached by %s, but for %i', (fanOut, kept) => {
    const { threads, child, load, ...can } = outcomeOf(fanOut);
    expect([held(threads), held([child])]).toEqual([kept, kept]);
    expect(load).toMatch(/not permitted/);
    const done = { keys: 'done', counters: 'done', reattach: 'done', again: 'done' };
    expect(can).toEqual({ left: 0, ...done });
  });
});
