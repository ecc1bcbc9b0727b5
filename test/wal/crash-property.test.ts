/**
 * Random lives of a log on the simulated disk. Whatever crashes, tears, stalls or fills up: every
 * acknowledged record is there, in order, unchanged, and none is there that was not appended.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recordBytes } from '../../wal/record.ts';
import { WalError } from '../../wal/wal-error.ts';
import type { WriteAheadLog } from '../../wal/write-ahead-log.ts';
import { LogHarness, payload, SMALL } from './log-harness.ts';

type Operation =
  | { readonly type: 'append'; readonly sizes: readonly number[] }
  | { readonly type: 'commit' }
  | { readonly type: 'steps'; readonly count: number }
  | { readonly type: 'truncate'; readonly keep: number }
  | { readonly type: 'crash'; readonly kind: 'power' | 'process'; readonly again: boolean }
  | { readonly type: 'failSync' }
  | { readonly type: 'room'; readonly segments: number };

const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 2, arbitrary: fc.integer({ min: 300, max: 3000 }) },
  // A record that fills whole sectors, so that survivors of a torn batch line up with new records.
  { weight: 3, arbitrary: fc.constantFrom(512 - 24, 1024 - 24, 448 - 24) },
  // Larger than a segment.
  { weight: 1, arbitrary: fc.integer({ min: 8_000, max: 20_000 }) },
);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('append' as const),
      sizes: fc.array(size, { minLength: 1, maxLength: 8 }),
    }),
  },
  { weight: 7, arbitrary: fc.constant({ type: 'commit' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('steps' as const),
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('truncate' as const),
      keep: fc.integer({ min: 0, max: 30 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('crash' as const),
      kind: fc.constantFrom('power' as const, 'process' as const),
      again: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'failSync' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('room' as const),
      segments: fc.integer({ min: 0, max: 6 }),
    }),
  },
);

/** Coverage of a whole run of the property, so that it cannot pass by doing nothing. */
interface Seen {
  acknowledged: number;
  reopened: number;
  torn: number;
  recycled: number;
  large: number;
  failed: number;
  full: number;
}

class Life {
  readonly #harness: LogHarness;
  readonly #seen: Seen;
  #log: WriteAheadLog;
  /** The payload appended under each LSN, in the line of history that is still valid. */
  readonly #appended = new Map<number, Buffer>();
  #acknowledged = 0;
  /** Records below may be gone. */
  #floor = 1;
  #mark = 0;

  constructor(seed: number, seen: Seen) {
    const sizes = { batchBytesMax: 3000, recordBytesMax: 24_000, sparesMax: seed % 3 };
    this.#harness = new LogHarness(sizes, seed);
    this.#harness.disk.latencyMs = () => 1 + (this.#mark % 5);
    this.#seen = seen;
    this.#log = this.#harness.open().log;
  }

  do(operation: Operation): void {
    const { disk, time } = this.#harness;
    switch (operation.type) {
      case 'append':
        this.#append(operation.sizes);
        break;
      case 'commit':
        this.#commit();
        break;
      case 'steps':
        for (let index = 0; index < operation.count; index += 1) time.step();
        break;
      case 'truncate': {
        const lsn = Math.max(1, this.#log.durableLsn + 1 - operation.keep);
        if (this.#log.failed === undefined) this.#floor = Math.max(this.#floor, lsn);
        this.#log.truncateBefore(lsn);
        break;
      }
      case 'crash':
        disk.crash(operation.kind);
        this.#reopen();
        if (operation.again) {
          disk.crash('power');
          this.#reopen();
        }
        break;
      case 'failSync':
        disk.failSyncs(1);
        break;
      case 'room':
        disk.capacityBytes = (2 + operation.segments) * 8192;
        break;
    }
  }

  #hasRoom(bytes: number): boolean {
    return this.#log.pendingBytes + recordBytes(bytes) <= (SMALL.pendingBytesMax ?? 0);
  }

  #append(sizes: readonly number[]): void {
    for (const bytes of sizes) {
      if (this.#log.failed !== undefined || !this.#hasRoom(bytes)) return;
      this.#mark += 1;
      const content = payload(this.#mark, bytes);
      const lsn = this.#log.append(this.#mark % 7, this.#mark % 5, [content]);
      expect(this.#appended.has(lsn)).toBe(false);
      this.#appended.set(lsn, content);
    }
  }

  #commit(): void {
    const log = this.#log;
    const wanted = log.appendedLsn;
    log.commit((error, durableLsn) => {
      if (error?.code === 'HOLO_WAL_DISK_FULL') this.#seen.full += 1;
      if (error?.code === 'HOLO_WAL_FAILED') this.#seen.failed += 1;
      if (error !== undefined) return;
      expect(durableLsn).toBeGreaterThanOrEqual(wanted);
      this.#acknowledged = Math.max(this.#acknowledged, durableLsn);
      this.#seen.acknowledged += 1;
    });
  }

  #reopen(): void {
    this.#seen.recycled += this.#log.counters.recycled;
    this.#seen.large += this.#log.segments().filter(({ bytes }) => bytes > 8192).length;
    this.#harness.disk.failSyncs(0);
    const { log, records } = this.#harness.open();
    const first = records[0]?.lsn ?? log.firstLsn;
    expect(first).toBeLessThanOrEqual(this.#floor);
    for (const [index, record] of records.entries()) {
      expect(record.lsn).toBe(first + index);
      expect(this.#appended.has(record.lsn)).toBe(true);
      expect(Buffer.compare(record.payload, this.#appended.get(record.lsn) ?? Buffer.of(1))).toBe(
        0,
      );
    }
    const last = first + records.length - 1;
    expect(last).toBeGreaterThanOrEqual(this.#acknowledged);
    expect([log.appendedLsn, log.durableLsn]).toEqual([last, last]);
    for (const lsn of this.#appended.keys()) if (lsn > last) this.#appended.delete(lsn);
    this.#acknowledged = last;
    this.#log = log;
    this.#seen.reopened += 1;
    this.#seen.torn += log.replayed.tornTails;
  }
}

describe('any life of a log', () => {
  test('keeps what was acknowledged, in order, and invents nothing', () => {
    const ends = { torn: 0, failed: 0, full: 0 };
    const seen: Seen = { acknowledged: 0, reopened: 0, recycled: 0, large: 0, ...ends };
    const operations = fc.array(operation, { minLength: 30, maxLength: 120, size: 'max' });
    fc.assert(
      fc.property(fc.integer(), operations, (seed, list) => {
        const life = new Life(Math.abs(seed), seen);
        for (const each of list) life.do(each);
        life.do({ type: 'crash', kind: 'power', again: true });
      }),
      { numRuns: 150 },
    );
    for (const [name, count] of Object.entries(seen)) expect(count, name).toBeGreaterThan(0);
  });
});

describe('a flipped bit anywhere', () => {
  test('is refused, or harmless, or costs the last batch alone; it never changes a record', () => {
    const batch = fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 4 });
    const batches = fc.array(batch, { minLength: 2, maxLength: 12 });
    const seen = { refused: 0, harmless: 0, cut: 0 };
    fc.assert(
      fc.property(batches, fc.integer({ min: 0, max: 999_999 }), (lives, where) => {
        const harness = new LogHarness();
        const { log } = harness.open();
        let mark = 0;
        for (const sizes of lives) {
          harness.write(log, ...sizes.map((bytes, index) => payload(mark + index + 1, bytes)));
          mark += sizes.length;
        }
        const segments = log.segments();
        const bit = Math.floor((where / 1_000_000) * log.bytes * 8);
        const path = segments[Math.floor(bit / 8 / 8192)]?.path ?? '';
        harness.disk.flipBit(path, Math.floor(bit / 8) % 8192, bit % 8);
        try {
          const { records } = harness.open();
          for (const [index, record] of records.entries()) {
            expect(record.lsn).toBe(index + 1);
            expect(Buffer.compare(record.payload, payload(index + 1, record.payload.length))).toBe(
              0,
            );
          }
          const lost = mark - records.length;
          expect(lost).toBeLessThanOrEqual(lives.at(-1)?.length ?? 0);
          seen[lost === 0 ? 'harmless' : 'cut'] += 1;
        } catch (error) {
          if (!(error instanceof WalError)) throw error;
          expect(error.code).toBe('HOLO_WAL_DAMAGED');
          seen.refused += 1;
        }
      }),
      { numRuns: 400 },
    );
    for (const [name, count] of Object.entries(seen)) expect(count, name).toBeGreaterThan(0);
  });
});
