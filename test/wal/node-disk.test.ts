import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NodeDisk, type SyncMethod } from '../../wal/node-disk.ts';
import type { ReplayedRecord } from '../../wal/replay.ts';
import { WriteAheadLog } from '../../wal/write-ahead-log.ts';
import { LOG_ID, payload } from './log-harness.ts';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holostore-wal-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const METHODS: readonly SyncMethod[] = ['dsync', 'fdatasync'];

function promised(start: (done: (error: Error | undefined) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === undefined ? resolve() : reject(error)));
  });
}

describe.each(METHODS)('the disk of production with %s', (syncMethod) => {
  test('writes parts one after the other, at an offset, in a later turn', async () => {
    const disk = new NodeDisk({ syncMethod });
    const path = join(directory, 'file');
    const file = disk.open(path);
    file.allocate(100);
    // More parts than the operating system takes in one call.
    const parts = Array.from({ length: 2500 }, (_, index) => Buffer.from([index & 0xff]));
    let isLater = false;
    const written = promised((done) => {
      file.writeAndSync(parts, 10, (error) => {
        expect(isLater).toBe(true);
        done(error);
      });
    });
    isLater = true;
    await written;
    expect(file.size()).toBe(2510);
    expect(
      disk
        .read(path)
        .subarray(10)
        .every((byte, index) => byte === (index & 0xff)),
    ).toBe(true);
    file.writeAndSyncNow([Buffer.from('ab'), Buffer.from('c')], 1);
    expect(Buffer.from(disk.read(path).subarray(0, 5)).toString('latin1')).toBe('\0abc\0');
    file.truncate(3);
    expect(file.size()).toBe(3);
    file.close();
  });

  test('writes a lone small part behind what the turn has queued before, and still in this turn', async () => {
    const disk = new NodeDisk({ syncMethod });
    const path = join(directory, 'file');
    const file = disk.open(path);
    const seen: number[] = [];
    process.nextTick(() => seen.push(file.size()));
    const written = promised((done) => file.writeAndSync([Buffer.from('small')], 0, done));
    process.nextTick(() => seen.push(file.size()));
    await written;
    expect(seen).toEqual([0, 5]);
    file.close();
  });

  test('allocates real blocks, and finishes what is under way before it closes', async () => {
    const disk = new NodeDisk({ syncMethod });
    const path = join(directory, 'file');
    const file = disk.open(path);
    await promised((done) => file.allocateLater(2_000_000, done));
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(2_000_000);
    await promised((done) => file.allocateLater(2_000_000, done));
    await promised((done) => {
      file.writeAndSync([Buffer.from('last')], 0, done);
      expect([disk.isWriting(directory), disk.isWriting('/elsewhere')]).toEqual([true, false]);
      file.close();
      file.close();
    });
    expect(disk.isWriting(directory)).toBe(false);
    expect(Buffer.from(disk.read(path).subarray(0, 4)).toString('latin1')).toBe('last');
  });

  test('reports errors through `done`, or throws where it is synchronous', async () => {
    const disk = new NodeDisk({ syncMethod });
    await expect(
      promised((done) => disk.syncDirectoryLater(join(directory, 'absent'), done)),
    ).rejects.toMatchObject({ code: 'ENOENT' });
    expect(() => disk.read(join(directory, 'absent'))).toThrow(/ENOENT/);
  });

  test.runIf(existsSync('/dev/full'))('says ENOSPC on a full disk', async () => {
    const file = new NodeDisk({ syncMethod }).open('/dev/full');
    await expect(
      promised((done) => file.writeAndSync([Buffer.from('x')], 0, done)),
    ).rejects.toMatchObject({ code: 'ENOSPC' });
    file.close();
  });

  test('carries a log through rolls, truncation and a new start', async () => {
    const disk = new NodeDisk({ syncMethod });
    const options = { newLogId: LOG_ID, segmentBytes: 64 * 1024, batchBytesMax: 8192 };
    const path = join(directory, 'log');
    const first = WriteAheadLog.open(disk, path, options, () => undefined);
    for (let round = 0; round < 30; round += 1) {
      for (let index = 0; index < 10; index += 1) {
        first.append(2, 3, [payload(first.appendedLsn + 1, 1000)]);
      }
      await promised((done) => first.commit(done));
      if (round === 20) first.truncateBefore(150);
    }
    expect(first.counters.rolls).toBeGreaterThan(3);
    expect(first.counters.recycled).toBeGreaterThan(0);
    first.close();
    const records: ReplayedRecord[] = [];
    const second = WriteAheadLog.open(disk, path, options, (record) => records.push(record));
    second.close();
    expect(records.at(0)?.lsn).toBeLessThanOrEqual(150);
    expect(records.at(-1)?.lsn).toBe(300);
    for (const { lsn, payload: bytes } of records) {
      expect(Buffer.compare(bytes, payload(lsn, 1000))).toBe(0);
    }
  });
});

describe('small files', () => {
  test('are replaced whole', () => {
    const disk = new NodeDisk();
    const path = join(directory, 'small');
    disk.replace(path, Buffer.from('one'));
    disk.replace(path, Buffer.from('2'));
    expect(Buffer.from(disk.read(path)).toString('latin1')).toBe('2');
    expect(disk.list(directory)).toEqual(['small']);
    disk.rename(path, `${path}er`);
    expect([existsSync(path), existsSync(`${path}er`)]).toEqual([false, true]);
    disk.remove(`${path}er`);
    disk.remove(`${path}er`);
    expect(disk.list(join(directory, 'made', 'here'))).toEqual([]);
    expect(readdirSync(directory)).toEqual(['made']);
    expect(disk.freeBytes(directory)).toBeGreaterThan(0);
  });
});

describe('a killed process', () => {
  test('has on disk what it said was durable, and the log goes on', async () => {
    const script = join(import.meta.dirname, 'killed-writer.ts');
    const arguments_ = ['--import', 'tsx', script, directory];
    const child = spawn(process.execPath, arguments_, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    for await (const chunk of child.stdout) {
      output += String(chunk);
      if (output.length > 500) child.kill('SIGKILL');
    }
    if (child.signalCode === null) await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
    // The last line may be cut short by the kill.
    const durableLsn = Number(output.split('\n').at(-2));
    expect(durableLsn).toBeGreaterThan(1000);
    let lastLsn = 0;
    const options = { newLogId: LOG_ID, segmentBytes: 256 * 1024, batchBytesMax: 32 * 1024 };
    const log = WriteAheadLog.open(new NodeDisk(), directory, options, (record) => {
      expect(Buffer.compare(record.payload, payload(record.lsn, 400))).toBe(0);
      lastLsn = record.lsn;
    });
    expect(lastLsn).toBeGreaterThanOrEqual(durableLsn);
    expect(log.logId).not.toEqual(LOG_ID);
    log.append(1, 1, [payload(lastLsn + 1, 400)]);
    await promised((done) => log.commit(done));
    expect(log.durableLsn).toBe(lastLsn + 1);
    log.close();
  });
});
