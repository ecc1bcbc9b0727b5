import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { recordBytes } from '../../wal/record.ts';
import {
  SEGMENT_HEADER_BYTES,
  SEGMENT_VERSION,
  segmentName,
  spareName,
} from '../../wal/segment.ts';
import { WalError } from '../../wal/wal-error.ts';
import type { WriteAheadLog } from '../../wal/write-ahead-log.ts';
import { SECTOR_BYTES } from '../simulation/sim-disk.ts';
import { DIRECTORY, type LogHarness as Harness, LogHarness, payload } from './log-harness.ts';

const lsns = (records: readonly { readonly lsn: number }[]): number[] =>
  records.map((record) => record.lsn);

function refusal(harness: Harness): WalError {
  try {
    harness.open();
  } catch (error) {
    if (error instanceof WalError) return error;
    throw error;
  }
  throw new Error('the log was opened');
}

/** A payload that makes its record end exactly where a sector ends, from `offset` in the file. */
function toSectorEnd(mark: number, offset: number, sectors = 1): Buffer {
  const end = (Math.floor(offset / SECTOR_BYTES) + sectors) * SECTOR_BYTES;
  return payload(mark, end - offset - 24);
}

/** Offset of the first byte behind the records written so far in a log of one segment. */
function usedBytes(payloads: readonly Uint8Array[]): number {
  return payloads.reduce((sum, bytes) => sum + recordBytes(bytes.length), SEGMENT_HEADER_BYTES);
}

describe('a torn tail', () => {
  test('in any form costs only what was not acknowledged, and never comes back', () => {
    // One durable batch, then one of four records over six sectors: every subset of them arrives.
    const acknowledged = [payload(1, 100), payload(2, 150)];
    const torn = [payload(3, 700), payload(4, 90), payload(5, 1200), payload(6, 350)];
    const start = Math.floor(usedBytes(acknowledged) / SECTOR_BYTES);
    const end = Math.ceil(usedBytes([...acknowledged, ...torn]) / SECTOR_BYTES);
    const subsets = 2 ** (end - start);
    expect(subsets).toBe(64);
    for (let subset = 0; subset < subsets; subset += 1) {
      const harness = new LogHarness();
      const { log } = harness.open();
      harness.write(log, ...acknowledged);
      const path = harness.segmentPath(log, 0);
      const before = harness.disk.read(path);
      harness.write(log, ...torn);
      for (let sector = start; sector < end; sector += 1) {
        if (((subset >> (sector - start)) & 1) !== 0) continue;
        const from = sector * SECTOR_BYTES;
        harness.disk.plant(path, from, before.subarray(from, from + SECTOR_BYTES));
      }
      harness.disk.crash();
      const second = harness.open();
      const found = second.records.length;
      expect(lsns(second.records)).toEqual([1, 2, 3, 4, 5, 6].slice(0, found));
      expect(found).toBeGreaterThanOrEqual(2);
      expect(second.log.replayed.tornTails).toBe(found < 6 && subset !== 0 ? 1 : 0);
      expect(second.log.appendedLsn).toBe(found);
      // New records of the same sizes come to lie where the old ones lay.
      const fresh = torn.slice(found - 2, found - 1).map((bytes) => Buffer.alloc(bytes.length, 7));
      harness.write(second.log, ...fresh, payload(99, 5));
      harness.disk.crash();
      const third = harness.open();
      expect(lsns(third.records)).toEqual(
        lsns(second.records).concat(fresh.length === 0 ? [found + 1] : [found + 1, found + 2]),
      );
      expect(third.log.replayed.tornTails).toBe(0);
      expect(Buffer.compare(third.records.at(-1)?.payload ?? Buffer.alloc(0), payload(99, 5))).toBe(
        0,
      );
    }
  });

  test('whose later records survived is not taken for the successor of new records', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    const first = toSectorEnd(1, SEGMENT_HEADER_BYTES);
    harness.write(log, first);
    const path = harness.segmentPath(log, 0);
    const sector = payload(2, SECTOR_BYTES - 24);
    const before = harness.disk.read(path);
    harness.write(log, sector, payload(3, SECTOR_BYTES - 24), payload(4, SECTOR_BYTES - 24));
    // Record 2 never arrived; 3 and 4, of the same batch, did.
    harness.disk.plant(path, SECTOR_BYTES, before.subarray(SECTOR_BYTES, 2 * SECTOR_BYTES));
    harness.disk.crash();
    const second = harness.open();
    expect(lsns(second.records)).toEqual([1]);
    // A new record 2, in a batch that starts at 2 as well, ends exactly where the old 3 began.
    harness.write(second.log, payload(22, SECTOR_BYTES - 24));
    harness.disk.crash();
    const third = harness.open();
    expect(lsns(third.records)).toEqual([1, 2]);
    expect(third.records[1]?.payload.at(0)).toBe(22);
  });

  test('may be cut by halves, when the power fails again while it is cut', () => {
    const acknowledged = [payload(1, 100)];
    const torn = [payload(2, 700), payload(3, 90), payload(4, 1200)];
    const start = Math.floor(usedBytes(acknowledged) / SECTOR_BYTES) + 1;
    const end = Math.ceil(usedBytes([...acknowledged, ...torn]) / SECTOR_BYTES);
    for (let subset = 0; subset < 2 ** (end - start); subset += 1) {
      const harness = new LogHarness();
      const { log } = harness.open();
      harness.write(log, ...acknowledged);
      const path = harness.segmentPath(log, 0);
      harness.write(log, ...torn);
      harness.disk.flipBit(path, usedBytes(acknowledged) + 100);
      for (let sector = start; sector < end; sector += 1) {
        if (((subset >> (sector - start)) & 1) === 0) continue;
        harness.disk.plant(path, sector * SECTOR_BYTES, Buffer.alloc(SECTOR_BYTES));
      }
      const second = harness.open();
      expect(lsns(second.records)).toEqual([1]);
      harness.write(second.log, payload(5, 700));
      expect(lsns(harness.open().records)).toEqual([1, 2]);
    }
  });

  test('is counted with what it cost', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    harness.write(log, payload(1, 100));
    const path = harness.segmentPath(log, 0);
    harness.write(log, payload(2, 1000));
    harness.disk.flipBit(path, usedBytes([payload(1, 100)]) + 500);
    const { log: again } = harness.open();
    expect(again.replayed).toMatchObject({ records: 1, tornTails: 1 });
    expect(again.replayed.cutBytes).toBeGreaterThan(900);
    expect(harness.open().log.replayed.tornTails).toBe(0);
  });

  test('cannot be told from damage within the last batch: that is cut as well', () => {
    // The documented limit. The record was acknowledged; no later batch proves that it was durable.
    const harness = new LogHarness();
    const { log } = harness.open();
    harness.write(log, payload(1, 100));
    harness.write(log, payload(2, 100));
    harness.disk.flipBit(harness.segmentPath(log, 0), usedBytes([payload(1, 100)]) + 30);
    const { log: again, records } = harness.open();
    expect(lsns(records)).toEqual([1]);
    expect(again.replayed.tornTails).toBe(1);
  });
});

describe('damage in the middle', () => {
  test('is refused, with file, offset and LSN, wherever the bit lies', () => {
    const payloads = [payload(1, 100), payload(2, 40), payload(3, 333), payload(4, 20)];
    const build = (): { harness: LogHarness; path: string } => {
      const harness = new LogHarness();
      const { log } = harness.open();
      for (const bytes of payloads) harness.write(log, bytes);
      return { harness, path: harness.segmentPath(log, 0) };
    };
    const end = usedBytes(payloads.slice(0, 3));
    for (let offset = SEGMENT_HEADER_BYTES; offset < end; offset += 1) {
      const { harness, path } = build();
      harness.disk.flipBit(path, offset, offset % 8);
      const index = payloads.findIndex((_, at) => offset < usedBytes(payloads.slice(0, at + 1)));
      const start = usedBytes(payloads.slice(0, index));
      const isPadding = offset >= start + 24 + (payloads[index]?.length ?? 0);
      if (isPadding) {
        expect(lsns(harness.open().records)).toEqual([1, 2, 3, 4]);
      } else {
        const error = refusal(harness);
        expect(error.code).toBe('HOLO_WAL_DAMAGED');
        expect([error.file, error.offset, error.lsn]).toEqual([path, start, index + 1]);
        expect(error.message).toContain(`${path} is damaged at byte ${start}, LSN ${index + 1}`);
      }
    }
  });

  test('changes nothing on disk, so that the operator finds what was there', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    for (let mark = 0; mark < 3; mark += 1) harness.write(log, payload(mark, 100));
    const path = harness.segmentPath(log, 0);
    harness.disk.flipBit(path, SEGMENT_HEADER_BYTES + 40);
    const before = Buffer.from(harness.disk.read(path));
    expect(refusal(harness).code).toBe('HOLO_WAL_DAMAGED');
    harness.disk.crash();
    expect(before.equals(harness.disk.read(path))).toBe(true);
  });

  test('is proven by a later segment too', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    for (let mark = 0; mark < 6; mark += 1) harness.write(log, payload(mark, 1400));
    const path = harness.segmentPath(log, 0);
    // The last record of the first segment: nothing valid follows in its own file.
    harness.disk.flipBit(path, SEGMENT_HEADER_BYTES + 4 * recordBytes(1400) + 100);
    const error = refusal(harness);
    expect([error.code, error.file, error.lsn]).toEqual(['HOLO_WAL_DAMAGED', path, 5]);
  });

  test('a lost write (old sectors where new ones were acknowledged) is found', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    harness.write(log, payload(1, 700));
    const path = harness.segmentPath(log, 0);
    const before = harness.disk.read(path);
    harness.write(log, payload(2, 900));
    harness.write(log, payload(3, 900));
    harness.disk.plant(path, 1024, before.subarray(1024, 1536));
    expect(refusal(harness)).toMatchObject({ code: 'HOLO_WAL_DAMAGED', lsn: 2 });
  });

  test('of a segment header is found, unless it could be the crash that began the segment', () => {
    const segments = 3;
    const build = (): { harness: LogHarness; log: WriteAheadLog } => {
      const harness = new LogHarness();
      const { log } = harness.open();
      for (let mark = 0; mark < 5 * segments; mark += 1) harness.write(log, payload(mark, 1400));
      return { harness, log };
    };
    for (let index = 0; index < segments; index += 1) {
      const { harness, log } = build();
      const path = harness.segmentPath(log, index);
      harness.disk.flipBit(path, 33);
      const error = refusal(harness);
      expect([error.code, error.file, error.offset]).toEqual(['HOLO_WAL_DAMAGED', path, 0]);
    }
    // With one batch in the last segment, its header may have been torn: the records are intact.
    const harness = new LogHarness();
    const { log } = harness.open();
    for (let mark = 0; mark < 6; mark += 1) harness.write(log, payload(mark, 1400));
    harness.disk.flipBit(harness.segmentPath(log, 1), 33);
    const second = harness.open();
    expect(lsns(second.records)).toEqual([1, 2, 3, 4, 5, 6]);
    harness.write(second.log, payload(7, 10));
    harness.disk.crash();
    expect(lsns(harness.open().records)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test('of the only segment is not mistaken for a log that was never begun', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    harness.write(log, payload(1, 10));
    harness.disk.flipBit(harness.segmentPath(log, 0), 1);
    expect(refusal(harness)).toMatchObject({ code: 'HOLO_WAL_DAMAGED', offset: 0, lsn: 1 });
  });

  test('a shortened file is found, the last one too', () => {
    for (const index of [0, 1]) {
      const harness = new LogHarness();
      const { log } = harness.open();
      for (let mark = 0; mark < 6; mark += 1) harness.write(log, payload(mark, 1400));
      const path = harness.segmentPath(log, index);
      harness.disk.shorten(path, 3000);
      const error = refusal(harness);
      expect([error.code, error.file, error.offset]).toEqual(['HOLO_WAL_DAMAGED', path, 3000]);
    }
  });

  test('a file that cannot be read is named', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    const path = harness.segmentPath(log, 0);
    harness.disk.makeUnreadable(path);
    expect(refusal(harness)).toMatchObject({ code: 'HOLO_WAL_UNREADABLE', file: path });
  });
});

describe('segments that do not belong together', () => {
  function threeSegments(): LogHarness {
    const harness = new LogHarness();
    const { log } = harness.open();
    for (let mark = 0; mark < 11; mark += 1) harness.write(log, payload(mark, 1400));
    expect(log.segments().map((segment) => segment.firstLsn)).toEqual([1, 6, 11]);
    return harness;
  }

  test('a missing one in the middle is named', () => {
    const harness = threeSegments();
    harness.disk.remove(`${DIRECTORY}/${segmentName(6)}`);
    const error = refusal(harness);
    expect([error.code, error.file]).toEqual([
      'HOLO_WAL_MISSING_SEGMENT',
      `${DIRECTORY}/${segmentName(6)}`,
    ]);
  });

  test('spares without a log are no empty log', () => {
    const harness = new LogHarness();
    harness.disk.open(`${DIRECTORY}/${spareName(6)}`).allocate(8192);
    expect(refusal(harness).code).toBe('HOLO_WAL_MISSING_SEGMENT');
  });

  test('one of another log is recognised', () => {
    const harness = threeSegments();
    const other = new LogHarness({ newLogId: new Uint8Array(16).fill(9) });
    const { log } = other.open();
    for (let mark = 0; mark < 11; mark += 1) other.write(log, payload(mark, 1400));
    const name = `${DIRECTORY}/${segmentName(6)}`;
    harness.disk.plant(name, 0, other.disk.read(name));
    expect(refusal(harness)).toMatchObject({ code: 'HOLO_WAL_FOREIGN_SEGMENT', file: name });
  });

  test('one of a later format version is recognised', () => {
    const harness = threeSegments();
    const name = `${DIRECTORY}/${segmentName(11)}`;
    const header = Buffer.from(harness.disk.read(name).subarray(0, 64));
    header.writeUInt32LE(SEGMENT_VERSION + 1, 8);
    header.writeUInt32LE(crc32(header.subarray(0, 56)), 56);
    harness.disk.plant(name, 0, header);
    const error = refusal(harness);
    expect([error.code, error.file]).toEqual(['HOLO_WAL_UNSUPPORTED_VERSION', name]);
    expect(error.message).toContain(`version ${SEGMENT_VERSION + 1}`);
  });

  test('one that came back from retirement, in part, is not believed', () => {
    const harness = threeSegments();
    // Of the renames of segments 1 and 6, only that of 6 has reached the disk.
    harness.disk.rename(`${DIRECTORY}/${segmentName(6)}`, `${DIRECTORY}/${spareName(6)}`);
    expect(lsns(harness.open().records)).toEqual([11]);
    expect(harness.disk.exists(`${DIRECTORY}/${segmentName(1)}`)).toBe(false);
    harness.disk.crash();
    expect(lsns(harness.open().records)).toEqual([11]);
  });
});

describe('making a log', () => {
  test('that a crash interrupts begins anew', () => {
    for (let seed = 1; seed < 30; seed += 1) {
      const harness = new LogHarness({}, seed);
      const path = `${DIRECTORY}/${segmentName(1)}`;
      const file = harness.disk.open(path);
      harness.disk.syncDirectory(DIRECTORY);
      file.allocate(seed % 2 === 0 ? 8192 : 4096);
      if (seed % 3 === 0) file.writeAndSyncNow([Buffer.from('HOLOWAL\n half a head')], 0);
      harness.disk.crash();
      const { log, records } = harness.open();
      expect(records).toEqual([]);
      harness.write(log, payload(1, 10));
      harness.disk.crash();
      expect(lsns(harness.open().records)).toEqual([1]);
    }
  });

  test('keeps its id when it is opened with another one', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    harness.write(log, payload(1, 10));
    const again = harness.open({ newLogId: new Uint8Array(16).fill(5) });
    expect(again.log.logId).toEqual(log.logId);
    expect(lsns(again.records)).toEqual([1]);
  });

  test('goes on with another segment size', () => {
    const harness = new LogHarness();
    let { log } = harness.open();
    for (let mark = 0; mark < 7; mark += 1) harness.write(log, payload(mark, 1400));
    log.truncateBefore(6);
    harness.time.drain();
    log = harness.open({ segmentBytes: 16_384 }).log;
    for (let mark = 7; mark < 30; mark += 1) harness.write(log, payload(mark, 1400));
    expect(log.counters.recycled).toBe(0);
    harness.disk.crash();
    const { records } = harness.open({ segmentBytes: 4096, batchBytesMax: 2048 });
    expect(lsns(records)).toEqual(Array.from({ length: 25 }, (_, index) => index + 6));
  });
});
