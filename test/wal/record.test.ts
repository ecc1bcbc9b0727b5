import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lastNonZero } from '../../wal/log-tail.ts';
import {
  checksumSeed,
  emptyRecordView,
  findLaterBatch,
  RECORD_HEADER_BYTES,
  RecordBatch,
  readRecord,
  recordBytes,
} from '../../wal/record.ts';
import { LOG_ID, payload } from './log-harness.ts';

const SEED = checksumSeed(LOG_ID);

function encode(firstLsn: number, payloads: readonly Uint8Array[], seed = SEED): Buffer {
  const batch = new RecordBatch(seed);
  batch.begin(firstLsn);
  for (const bytes of payloads) batch.append(3, 4, [bytes], bytes.length);
  return Buffer.concat(batch.content());
}

describe('a record batch', () => {
  test('is read back record by record', () => {
    const part = fc.uint8Array({ maxLength: 40 });
    const record = fc.record({
      store: fc.integer({ min: 0, max: 0xffff }),
      type: fc.integer({ min: 0, max: 0xff }),
      parts: fc.array(part, { maxLength: 4 }),
    });
    const firstLsn = fc.maxSafeNat().map((lsn) => Math.max(1, lsn - 100));
    fc.assert(
      fc.property(firstLsn, fc.array(record, { minLength: 1, maxLength: 20 }), (first, records) => {
        const batch = new RecordBatch(SEED);
        batch.begin(first);
        for (const { store, type, parts } of records) {
          batch.append(store, type, parts, Buffer.concat(parts).length);
        }
        const bytes = Buffer.concat(batch.content());
        const view = emptyRecordView();
        let at = 0;
        for (const [index, { store, type, parts }] of records.entries()) {
          expect(readRecord(bytes, at, SEED, view)).toBe(true);
          expect(view).toMatchObject({ lsn: first + index, batchStart: first, store, type });
          const content = bytes.subarray(view.payloadStart, view.payloadEnd);
          expect(content.equals(Buffer.concat(parts))).toBe(true);
          at = view.next;
        }
        expect(at).toBe(bytes.length);
        expect(batch.lastLsn).toBe(first + records.length - 1);
      }),
      { numRuns: 200 },
    );
  });

  test('grows, and can be used again without remembering anything', () => {
    const batch = new RecordBatch(SEED);
    batch.begin(1);
    const large = payload(9, 300_000);
    batch.append(1, 1, [payload(1, 10)], 10);
    batch.append(1, 1, [large], large.length);
    const view = emptyRecordView();
    const bytes = Buffer.concat(batch.content());
    expect(readRecord(bytes, recordBytes(10), SEED, view)).toBe(true);
    expect(bytes.subarray(view.payloadStart, view.payloadEnd).equals(large)).toBe(true);

    batch.begin(77);
    batch.append(1, 1, [payload(2, 3)], 3);
    expect(Buffer.concat(batch.content()).equals(encode(77, [payload(2, 3)]))).toBe(false);
    batch.begin(77);
    batch.append(3, 4, [payload(2, 3)], 3);
    expect(Buffer.concat(batch.content()).equals(encode(77, [payload(2, 3)]))).toBe(true);
  });
});

describe('a long part of a record', () => {
  const LONG = 64 * 1024;

  test('is not copied, and is read back between short ones', () => {
    const [first, second] = [payload(7, LONG), payload(8, LONG + 3)];
    const parts = [payload(1, 5), first, second, payload(2, 11)];
    const whole = Buffer.concat(parts);
    const batch = new RecordBatch(SEED);
    batch.begin(5);
    batch.append(3, 4, [payload(3, 9)], 9);
    batch.append(3, 4, parts, whole.length);
    batch.append(3, 4, [second], second.length);
    batch.append(3, 4, [payload(4, 2)], 2);
    const pieces = batch.content();
    expect(pieces.filter((piece) => piece === first || piece === second)).toHaveLength(3);
    expect(batch.capacityBytes).toBe(64 * 1024);

    const bytes = Buffer.concat(pieces);
    expect(bytes.length).toBe(batch.bytes);
    expect(bytes.equals(encode(5, [payload(3, 9), whole, second, payload(4, 2)]))).toBe(true);
    const view = emptyRecordView();
    let at = 0;
    for (const content of [payload(3, 9), whole, second, payload(4, 2)]) {
      expect(readRecord(bytes, at, SEED, view)).toBe(true);
      expect(bytes.subarray(view.payloadStart, view.payloadEnd).equals(content)).toBe(true);
      at = view.next;
    }
    expect(at).toBe(bytes.length);
  });

  test('is let go when the batch begins anew', () => {
    const batch = new RecordBatch(SEED);
    batch.begin(1);
    batch.append(3, 4, [payload(1, LONG)], LONG);
    batch.begin(9);
    expect(batch.content()).toEqual([]);
    batch.append(3, 4, [payload(2, 3)], 3);
    expect(Buffer.concat(batch.content()).equals(encode(9, [payload(2, 3)]))).toBe(true);
  });
});

describe('reading a record', () => {
  test('notices every flipped bit of header and payload', () => {
    const bytes = encode(2 ** 33 + 5, [payload(1, 21)]);
    const view = emptyRecordView();
    for (let bit = 0; bit < (RECORD_HEADER_BYTES + 21) * 8; bit += 1) {
      const rotten = Buffer.from(bytes);
      rotten.writeUInt8(rotten.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(readRecord(rotten, 0, SEED, view), `bit ${bit}`).toBe(false);
    }
    expect(readRecord(bytes, 0, SEED, view)).toBe(true);
  });

  test('takes neither zeroes, nor a cut record, nor the record of another log', () => {
    const bytes = encode(1, [payload(1, 100)]);
    const view = emptyRecordView();
    expect(readRecord(Buffer.alloc(4096), 0, SEED, view)).toBe(false);
    for (let length = 0; length < RECORD_HEADER_BYTES + 100; length += 1) {
      expect(readRecord(bytes.subarray(0, length), 0, SEED, view)).toBe(false);
    }
    expect(readRecord(bytes, 0, SEED + 1, view)).toBe(false);
  });
});

describe('the search behind an unreadable record', () => {
  const rotten = encode(10, [payload(1, 50)]);
  rotten.writeUInt8(rotten.readUInt8(30) ^ 1, 30);
  const room = Buffer.alloc(1024);

  test('finds a later batch', () => {
    const bytes = Buffer.concat([rotten, encode(11, [payload(2, 60)]), room]);
    const found = findLaterBatch(bytes, 0, 10, SEED);
    expect(found).toEqual({ laterBatchAt: rotten.length, anyRecord: true });
  });

  test('finds one whose payload is zeroes, where nothing but zeroes follows', () => {
    const bytes = Buffer.concat([rotten, encode(11, [Buffer.alloc(60)]), room]);
    const zeroesFrom = lastNonZero(bytes, 0) + 1;
    expect(zeroesFrom).toBeLessThan(rotten.length + RECORD_HEADER_BYTES);
    const found = findLaterBatch(bytes, 0, 10, SEED, zeroesFrom);
    expect(found).toEqual({ laterBatchAt: rotten.length, anyRecord: true });
  });

  test('sees the rest of the same batch, which proves nothing', () => {
    const batch = encode(10, [payload(1, 50), payload(2, 50), payload(3, 50)]);
    batch.writeUInt8(1, 40);
    const found = findLaterBatch(Buffer.concat([batch, room]), 0, 10, SEED);
    expect(found).toEqual({ laterBatchAt: -1, anyRecord: true });
  });

  test('ignores leftovers of lower numbers, and images of records inside payloads', () => {
    const forged = encode(12, [payload(4, 30)], SEED ^ 0x1234);
    const older = encode(4, [payload(5, 30), forged]);
    const found = findLaterBatch(Buffer.concat([rotten, older, forged, room]), 0, 10, SEED);
    expect(found).toEqual({ laterBatchAt: -1, anyRecord: false });
  });
});
