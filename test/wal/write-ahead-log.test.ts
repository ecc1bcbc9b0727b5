import { describe, expect, test } from 'vitest';
import { recordBytes } from '../../wal/record.ts';
import type { WalError } from '../../wal/wal-error.ts';
import { WriteAheadLog } from '../../wal/write-ahead-log.ts';
import { DIRECTORY, LOG_ID, LogHarness, payload, SMALL, texts } from './log-harness.ts';

const text = (value: string): Buffer => Buffer.from(value, 'latin1');

/** Records what `commit` answered. */
class Answers {
  readonly list: string[] = [];
  readonly done = (error: WalError | undefined, durableLsn: number): void => {
    this.list.push(`${error?.code ?? 'durable'} ${durableLsn}`);
  };
}

describe('appending and committing', () => {
  test('numbers records from 1 and gives them back after a power cut', () => {
    const harness = new LogHarness();
    const { log, records } = harness.open();
    expect(records).toEqual([]);
    expect(log.append(7, 8, [text('he'), text('llo')])).toBe(1);
    expect(log.append(9, 10, [])).toBe(2);
    expect([log.appendedLsn, log.durableLsn]).toEqual([2, 0]);
    harness.sync(log);
    expect([log.appendedLsn, log.durableLsn, log.pendingBytes]).toEqual([2, 2, 0]);
    harness.disk.crash();
    const again = harness.open();
    expect(texts(again.records)).toEqual(['1:hello', '2:']);
    expect(again.records[0]).toMatchObject({ store: 7, type: 8 });
    expect(again.log.append(1, 1, [])).toBe(3);
    expect(again.log.replayed).toEqual({
      records: 2,
      payloadBytes: 5,
      tornTails: 0,
      cutBytes: 0,
    });
  });

  test('copies parts at once, so that the caller may use them again', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    const part = text('first');
    log.append(1, 1, [part]);
    part.fill(0x2e);
    harness.sync(log);
    harness.disk.crash();
    expect(texts(harness.open().records)).toEqual(['1:first']);
  });

  test('folds commits that come while a write is under way into the next one', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    const answers = new Answers();
    const syncs = harness.disk.counters.syncs;
    log.append(1, 1, [text('a')]);
    log.commit(answers.done);
    expect(log.inFlight).toBe(true);
    for (const value of ['b', 'c', 'd']) {
      log.append(1, 1, [text(value)]);
      log.commit(answers.done);
    }
    expect(answers.list).toEqual([]);
    harness.time.drain();
    expect(answers.list).toEqual(['durable 1', 'durable 4', 'durable 4', 'durable 4']);
    expect(harness.disk.counters.syncs - syncs).toBe(2);
    expect(log.counters).toMatchObject({ batches: 2, records: 4, rolls: 0 });
  });

  test('writes nothing without a commit, and answers at once when all is durable', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    const answers = new Answers();
    log.commit(answers.done);
    expect(answers.list).toEqual(['durable 0']);
    log.append(1, 1, [text('lazy')]);
    harness.time.drain();
    expect(log.durableLsn).toBe(0);
    expect(log.pendingBytes).toBe(recordBytes(4));
  });

  test('lets `done` append and commit again', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    let rounds = 0;
    const again = (): void => {
      rounds += 1;
      if (rounds === 5) return;
      log.append(1, 1, [text(`round ${rounds}`)]);
      log.commit(again);
    };
    log.append(1, 1, [text('round 0')]);
    log.commit(again);
    harness.time.drain();
    expect([rounds, log.durableLsn]).toEqual([5, 5]);
  });
});

describe('limits', () => {
  test('pendingBytesMax: append throws, and a commit makes room', () => {
    const harness = new LogHarness({ pendingBytesMax: 8192 });
    const { log } = harness.open();
    for (let index = 0; index < 7; index += 1) log.append(1, 1, [payload(index, 1000)]);
    expect(log.append(1, 1, [payload(7, 1000)])).toBe(8);
    expect(log.pendingBytes).toBe(8 * recordBytes(1000));
    expect(() => log.append(1, 1, [payload(9, 1000)])).toThrowError(
      expect.objectContaining({ code: 'HOLO_WAL_FULL_BUFFER' }),
    );
    expect(log.appendedLsn).toBe(8);
    harness.sync(log);
    expect(log.append(1, 1, [payload(9, 1000)])).toBe(9);
  });

  test('recordBytesMax: a larger record is refused and leaves no trace', () => {
    const harness = new LogHarness({ recordBytesMax: 1024 });
    const { log } = harness.open();
    expect(() => log.append(1, 1, [payload(1, 1001)])).toThrowError(
      expect.objectContaining({ code: 'HOLO_WAL_RECORD_TOO_LARGE' }),
    );
    expect(log.append(1, 1, [payload(1, 1000)])).toBe(1);
    harness.sync(log);
  });

  test('commitsWaitingMax: one more is told so, the others are served', () => {
    const harness = new LogHarness({ commitsWaitingMax: 2 });
    const { log } = harness.open();
    const answers = new Answers();
    log.append(1, 1, [text('a')]);
    for (let index = 0; index < 3; index += 1) log.commit(answers.done);
    harness.time.drain();
    expect(answers.list).toEqual(['HOLO_WAL_TOO_MANY_COMMITS 0', 'durable 1', 'durable 1']);
  });

  test('store, type and options are checked', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    expect(() => log.append(65_536, 1, [])).toThrow(RangeError);
    expect(() => log.append(1, 256, [])).toThrow(RangeError);
    const bad = [
      { segmentBytes: 5000 },
      { batchBytesMax: 8192 },
      { recordBytesMax: 1e6 },
      { pendingBytesMax: 100 },
      { logBytesMax: 8192 },
      { sparesMax: -1 },
      { newLogId: LOG_ID.subarray(1) },
    ];
    for (const options of bad) {
      const open = (): unknown =>
        WriteAheadLog.open(harness.disk, '/other', { ...SMALL, ...options }, () => undefined);
      expect(open).toThrowError(expect.objectContaining({ code: 'HOLO_WAL_BAD_OPTION' }));
    }
  });
});

describe('segments', () => {
  test('roll: a batch that does not fit goes whole into the next segment', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    for (let index = 0; index < 12; index += 1) {
      harness.write(log, payload(2 * index, 1400), payload(2 * index + 1, 1400));
    }
    expect(log.segments().map((segment) => segment.firstLsn)).toEqual([1, 5, 9, 13, 17, 21]);
    expect(log.counters.rolls).toBe(5);
    expect(log.bytes).toBe(6 * 8192);
    harness.disk.crash();
    const { records } = harness.open();
    expect(records.map((record) => record.lsn)).toEqual(
      Array.from({ length: 24 }, (_, i) => i + 1),
    );
    for (const { lsn, payload: bytes } of records) {
      expect(Buffer.compare(bytes, payload(lsn - 1, 1400))).toBe(0);
    }
  });

  test('an oversized batch becomes several writes, over several segments', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    const payloads = Array.from({ length: 30 }, (_, index) => payload(index, 1000));
    harness.write(log, ...payloads);
    expect(log.counters.batches).toBe(8);
    expect(log.segments().length).toBe(7);
    harness.disk.crash();
    expect(harness.open().records.map((record) => Buffer.from(record.payload))).toEqual(payloads);
  });

  test('a record that fills a whole segment is taken', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    const largest = payload(1, 8192 - 64 - 24);
    harness.write(log, payload(0, 10), largest, payload(2, 10));
    expect(log.segments().length).toBe(3);
    harness.disk.crash();
    expect(Buffer.compare(harness.open().records[1]?.payload ?? text(''), largest)).toBe(0);
  });

  test('a record that no segment holds gets a segment of its own size, which is never a spare', () => {
    const harness = new LogHarness({ recordBytesMax: 40_000 });
    const { log } = harness.open();
    const large = payload(2, 30_000);
    harness.write(log, payload(1, 100));
    harness.write(log, large);
    harness.write(log, payload(3, 4_000));
    const sizes = log.segments().map(({ bytes }) => bytes);
    expect(sizes).toEqual([8192, 32_768, 8192]);
    harness.disk.crash('power');
    const again = harness.open();
    expect(again.records.map((record) => record.payload.length)).toEqual([100, 30_000, 4_000]);
    expect(Buffer.compare(again.records[1]?.payload ?? Buffer.of(), large)).toBe(0);
    again.log.truncateBefore(3);
    harness.time.drain();
    const names = harness.disk.list(DIRECTORY);
    expect(names.filter((name) => name.startsWith('spare'))).toHaveLength(1);
    expect(again.log.bytes).toBe(8192);
  });

  test('the first record of a log may be larger than its segment', () => {
    const harness = new LogHarness({ recordBytesMax: 40_000 });
    const { log } = harness.open();
    harness.write(log, payload(1, 30_000));
    harness.write(log, payload(2, 100));
    expect(log.segments().map(({ bytes }) => bytes)).toEqual([32_768]);
    harness.disk.crash('power');
    expect(harness.open().records.map((record) => record.payload.length)).toEqual([30_000, 100]);
  });

  test('a large record on a full disk waits for room like any other', () => {
    const harness = new LogHarness({ recordBytesMax: 40_000 });
    const { log } = harness.open();
    const answers = new Answers();
    harness.disk.capacityBytes = 3 * 8192;
    log.append(1, 1, [payload(1, 30_000)]);
    log.commit(answers.done);
    harness.time.drain();
    harness.disk.capacityBytes = 1024 ** 2;
    harness.sync(log);
    expect(answers.list).toEqual(['HOLO_WAL_DISK_FULL 0']);
    expect(log.durableLsn).toBe(1);
  });

  test('truncateBefore gives up whole segments below the LSN and recycles their files', () => {
    const harness = new LogHarness({ sparesMax: 2 });
    const { log } = harness.open();
    for (let index = 0; index < 24; index += 1) harness.write(log, payload(index, 1400));
    const first = log.segments().map((segment) => segment.firstLsn);
    expect(first).toEqual([1, 6, 11, 16, 21]);
    log.truncateBefore(5);
    expect(log.firstLsn).toBe(1);
    log.truncateBefore(16);
    expect(log.firstLsn).toBe(16);
    harness.time.drain();
    // Three retired: two kept as spares, one removed; the fresh one prepared ahead is there too.
    const spares = harness.disk.list(DIRECTORY).filter((name) => name.startsWith('spare-'));
    expect(spares.length).toBe(2);
    for (let index = 24; index < 40; index += 1) harness.write(log, payload(index, 1400));
    expect(log.counters.recycled).toBe(2);
    harness.disk.crash();
    const again = harness.open();
    expect(again.log.firstLsn).toBe(16);
    expect(again.records.map((record) => record.lsn)).toEqual(
      Array.from({ length: 25 }, (_, index) => index + 16),
    );
    expect(again.log.replayed.tornTails).toBe(0);
  });

  test('truncateBefore never gives up the segment that is written to', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    for (let index = 0; index < 12; index += 1) harness.write(log, payload(index, 1400));
    log.truncateBefore(1_000_000);
    harness.time.drain();
    expect(log.segments().map((segment) => segment.firstLsn)).toEqual([11]);
    harness.write(log, text('on it goes'));
    harness.disk.crash();
    expect(harness.open().records.map((record) => record.lsn)).toEqual([11, 12, 13]);
  });

  test('truncateBefore spares the segment before one whose header is not durable yet', () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const harness = new LogHarness({}, seed);
      const { log } = harness.open();
      for (let index = 0; index < 5; index += 1) harness.write(log, payload(index, 1400));
      log.append(1, 1, [payload(5, 1400)]);
      log.commit(() => undefined);
      while (log.segments().length === 1) harness.time.step();
      log.truncateBefore(6);
      harness.disk.crash();
      // Without it, a lost header would look like a log that has lost everything.
      expect(harness.open().log.firstLsn).toBe(1);
    }
  });

  test('prepares the next segment before it is needed', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    harness.write(log, payload(1, 3000));
    expect(harness.disk.exists(`${DIRECTORY}/fresh.seg`)).toBe(false);
    harness.write(log, payload(2, 3000));
    expect(harness.disk.exists(`${DIRECTORY}/fresh.seg`)).toBe(true);
    harness.write(log, payload(3, 3000));
    expect(harness.disk.exists(`${DIRECTORY}/fresh.seg`)).toBe(false);
    expect(log.segments().length).toBe(2);
  });
});

describe('a failing disk', () => {
  test('a failed sync is final: nothing is retried, every later call learns it', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    const answers = new Answers();
    harness.write(log, text('safe'));
    harness.disk.failSyncs(1);
    log.append(1, 1, [text('lost?')]);
    log.commit(answers.done);
    log.append(1, 1, [text('behind it')]);
    log.commit(answers.done);
    harness.time.drain();
    expect(answers.list).toEqual(['HOLO_WAL_FAILED 1', 'HOLO_WAL_FAILED 1']);
    expect(log.failed?.cause).toMatchObject({ code: 'EIO' });
    const written = harness.disk.counters.bytesWritten;
    log.commit(answers.done);
    expect(answers.list.at(-1)).toBe('HOLO_WAL_FAILED 1');
    expect(() => log.append(1, 1, [])).toThrowError(log.failed);
    harness.time.drain();
    expect(harness.disk.counters.bytesWritten).toBe(written);
  });

  test('page-cache data after a failed sync is made durable before it is trusted', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const harness = new LogHarness({}, seed);
      const { log } = harness.open();
      harness.write(log, text('safe'));
      harness.disk.failSyncs(1);
      log.append(1, 1, [payload(1, 3000)]);
      log.commit(() => undefined);
      harness.time.drain();
      harness.disk.crash('process');
      const seen = harness.open().records.length;
      harness.disk.crash('power');
      expect(harness.open().records.length).toBeGreaterThanOrEqual(seen);
    }
  });

  test('a directory that cannot be synced fails the log as well', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    const answers = new Answers();
    for (let index = 0; index < 5; index += 1) harness.write(log, payload(index, 1400));
    harness.disk.failSyncs(1);
    log.append(1, 1, [payload(6, 1400)]);
    log.commit(answers.done);
    harness.time.drain();
    expect(answers.list).toEqual(['HOLO_WAL_FAILED 5']);
  });

  test('a stalled disk holds up commits and loses nothing', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    const answers = new Answers();
    harness.disk.stall();
    log.append(1, 1, [text('a')]);
    log.commit(answers.done);
    harness.time.drain();
    expect(answers.list).toEqual([]);
    harness.disk.resume();
    expect(answers.list).toEqual(['durable 1']);
  });
});

describe('a full disk', () => {
  test('is reported before anything is written, and a commit succeeds once there is room', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    harness.disk.capacityBytes = 8192 + 4096;
    const answers = new Answers();
    for (let index = 0; index < 5; index += 1) harness.write(log, payload(index, 1400));
    const written = harness.disk.counters.bytesWritten;
    log.append(1, 1, [payload(5, 1400)]);
    log.commit(answers.done);
    harness.time.drain();
    expect(answers.list).toEqual(['HOLO_WAL_DISK_FULL 5']);
    expect(harness.disk.counters.bytesWritten).toBe(written);
    expect([log.failed, log.durableLsn, log.appendedLsn]).toEqual([undefined, 5, 6]);
    expect(harness.disk.list(DIRECTORY).length).toBe(1);

    harness.disk.capacityBytes = 1024 * 1024;
    harness.sync(log);
    harness.disk.crash();
    expect(harness.open().records.length).toBe(6);
  });

  test('that becomes full while a segment is being prepared gives the half back', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    for (let index = 0; index < 2; index += 1) harness.write(log, payload(index, 1400));
    const answers = new Answers();
    // Enough by the disk's own account when asked, taken away before the zeroes are written.
    log.append(1, 1, [payload(2, 6000)]);
    log.commit(answers.done);
    harness.time.schedule(0.05, () => {
      harness.disk.capacityBytes = 8192 + 100;
    });
    harness.time.drain();
    expect(answers.list).toEqual(['HOLO_WAL_DISK_FULL 2']);
    expect(harness.disk.list(DIRECTORY)).toEqual(['wal-0000000000000001.seg']);
    harness.disk.crash();
    expect(harness.open().records.length).toBe(2);
  });

  test('logBytesMax is a full disk of its own making; truncation makes room', () => {
    const harness = new LogHarness({ logBytesMax: 3 * 8192 });
    const { log } = harness.open();
    const answers = new Answers();
    while (answers.list.length === 0) {
      log.append(1, 1, [payload(log.appendedLsn, 1400)]);
      log.commit((error, lsn) => {
        if (error !== undefined) answers.done(error, lsn);
      });
      harness.time.drain();
    }
    expect(answers.list).toEqual(['HOLO_WAL_DISK_FULL 15']);
    log.truncateBefore(11);
    harness.time.drain();
    harness.sync(log);
    expect([log.durableLsn, log.firstLsn, log.counters.recycled]).toEqual([16, 11, 1]);
  });
});

describe('closing', () => {
  test('finishes the write under way, refuses the rest', () => {
    const harness = new LogHarness();
    const { log } = harness.open();
    const answers = new Answers();
    log.append(1, 1, [text('under way')]);
    log.commit(answers.done);
    log.append(1, 1, [text('too late')]);
    log.commit(answers.done);
    log.close();
    log.close();
    log.commit(answers.done);
    expect(() => log.append(1, 1, [])).toThrowError(
      expect.objectContaining({ code: 'HOLO_WAL_CLOSED' }),
    );
    // Writes under way would land in the next life of the log.
    expect(() => harness.open()).toThrowError(expect.objectContaining({ code: 'HOLO_WAL_BUSY' }));
    harness.time.drain();
    expect(answers.list).toEqual(Array.from({ length: 3 }, () => 'HOLO_WAL_CLOSED 0'));
    expect(texts(harness.open().records)).toEqual(['1:under way']);
  });
});
