/**
 * Pages of a real store are damaged: a process that opens it reads everything as it was written,
 * refuses by name, or is killed by what it meets (which its parent reports). It never answers wrong.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRng } from '../../../actors/runtime/ports/seeded-rng.ts';
import { checkRows, type StoredRows } from '../../../storage/engine/lmdb-check.ts';
import { LmdbEngine } from '../../../storage/engine/lmdb-engine.ts';
import { EngineError } from '../../../storage/errors.ts';
import { REDIS_SLOTS } from '../../../storage/keyspace/slots.ts';
import { Machine } from '../harness.ts';

const CHILD = join(import.meta.dirname, 'damaged-child.ts');
const ROUNDS = 30;
const ROUNDS_AT_ONCE = 3;
/** By turns: much of it refuses early, a little gets further. */
const DAMAGED_PAGES = [20, 1, 20];
const KEYS = 20_000;
const PAGE_BYTES = 4_096;
/** LMDB's own two pages at the start of the file have a check of their own. */
const FIRST_PAGE = 2;

let directory: string;
let store: string;
let expected: string;
let sequence: number;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holo-damaged-'));
  store = join(directory, 'store');
  const engine = new LmdbEngine({ directory: store });
  const machine = new Machine({ engine });
  const hash = createHash('sha256');
  for (let at = 0; at < KEYS; at += 1) {
    machine.run('SET', `key${at}`, `value of ${at}`);
    hash.update(`key${at} value of ${at}\n`);
  }
  await new Promise<void>((settle, fail) => {
    machine.all.flush((error) => (error === undefined ? settle() : fail(error)));
  });
  await new Promise<void>((settle) => engine.close(settle));
  sequence = engine.appliedTotal;
  expected = `read ${hash.digest('hex')}`;
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function outcome(folder: string): Promise<string> {
  return new Promise((settle) => {
    const args = ['--import', 'tsx', CHILD, folder, `${KEYS}`, `${sequence}`];
    execFile(process.execPath, args, { timeout: 60_000 }, (error, stdout) => {
      settle(error === null ? stdout.trim() : (error.signal ?? `exit code ${error.code}`));
    });
  });
}

/** Some bytes of a page, all of it, or another page in its place. */
function damage(file: Buffer, seed: number): void {
  const rng = new SeededRng(seed);
  const draw = (end: number): number => Math.floor(rng.next() * end);
  const pages = file.length / PAGE_BYTES - FIRST_PAGE;
  const damaged = DAMAGED_PAGES[seed % DAMAGED_PAGES.length] as number;
  for (let count = 0; count < damaged; count += 1) {
    const at = (FIRST_PAGE + draw(pages)) * PAGE_BYTES;
    const kind = draw(3);
    if (kind === 0) file[at + draw(PAGE_BYTES)] = draw(256);
    else if (kind === 1) file.fill(0, at, at + PAGE_BYTES);
    else file.copy(file, at, (FIRST_PAGE + draw(pages)) * PAGE_BYTES, at + PAGE_BYTES);
  }
}

async function round(seed: number): Promise<string> {
  const folder = join(directory, `round-${seed}`);
  cpSync(store, folder, { recursive: true });
  const path = join(folder, 'data.mdb');
  const file = readFileSync(path);
  damage(file, seed);
  writeFileSync(path, file);
  const how = await outcome(folder);
  rmSync(folder, { recursive: true });
  return how;
}

test('a store that is whole is read', async () => {
  expect(await outcome(store)).toBe(expected);
});

test('damaged pages, one or twenty, never give a wrong answer', { timeout: 300_000 }, async () => {
  const counts = { read: 0, refused: 0, killed: 0 };
  for (let seed = 1; seed <= ROUNDS; seed += ROUNDS_AT_ONCE) {
    const seeds = Array.from({ length: ROUNDS_AT_ONCE }, (_, at) => seed + at);
    for (const [at, how] of (await Promise.all(seeds.map(round))).entries()) {
      if (how === expected) counts.read += 1;
      else if (/^HOLO_(STORE_DAMAGED|STORE_OPEN_FAILED|DATA_STORE_CUT) /.test(how)) {
        counts.refused += 1;
      } else if (/^SIG(SEGV|BUS|ABRT)$/.test(how)) counts.killed += 1;
      else expect.fail(`seed ${seeds[at]}: ${how}`);
    }
  }
  console.info(`${ROUNDS} damaged stores: ${JSON.stringify(counts)}`);
  expect(counts.refused).toBeGreaterThan(0);
});

describe('rows that a damaged page shows', () => {
  const key = (at: number): Buffer => Buffer.from([0, 0, 0, 0, 0, 0, 0, at, 0, 1, 97]);
  const check = (rows: StoredRows, count: number): void => {
    const written = new Uint32Array(REDIS_SLOTS);
    written[0] = count;
    for (const _ of checkRows(rows, new Map([[0, written]])));
  };
  const rowsOf = (keys: readonly Buffer[]): StoredRows => ({
    keysAfter: (after) => (after === undefined ? [...keys] : []),
    find: () => undefined,
  });
  const refusal = (what: RegExp): unknown =>
    expect.objectContaining({ code: 'HOLO_STORE_DAMAGED', message: expect.stringMatching(what) });

  test('a walk that sees fewer keys than were written', () => {
    expect(() => check(rowsOf([]), 1)).toThrow(refusal(/slot 0: 1 keys were written, 0 are found/));
    expect(() => check(rowsOf([]), 0)).not.toThrow();
  });

  test('a key that a search from the root does not find', () => {
    expect(() => check(rowsOf([key(1)]), 1)).toThrow(refusal(/not found where it belongs/));
  });

  test('a search that finds a damaged record, or one of another key', () => {
    const rows = { ...rowsOf([key(1)]), find: () => Buffer.alloc(40) };
    expect(() => check(rows, 1)).toThrow(EngineError);
  });
});
