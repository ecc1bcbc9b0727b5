/**
 * The directory of a log while it is opened: reads its files, makes the first segment, and removes
 * files that are no longer part of the log. Each error names the file, and the position if known.
 */
import type { Disk, DiskFile } from './disk.ts';
import {
  encodeSegmentHeader,
  FRESH_NAME,
  type SegmentNames,
  segmentName,
  sortNames,
  spareName,
} from './segment.ts';
import { WalError, type WalErrorCode } from './wal-error.ts';

export class LogDirectory {
  readonly path: string;
  readonly disk: Disk;

  constructor(path: string, disk: Disk) {
    this.path = path;
    this.disk = disk;
  }

  segmentPath(firstLsn: number): string {
    return this.#pathOf(segmentName(firstLsn));
  }

  #pathOf(name: string): string {
    return `${this.path}/${name}`;
  }

  names(): SegmentNames {
    return sortNames(this.attempt(this.path, () => this.disk.list(this.path)));
  }

  read(path: string): Buffer {
    const bytes = this.attempt(path, () => this.disk.read(path));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Makes the first segment of a new log. */
  createFirst(logId: Uint8Array, segmentBytes: number): DiskFile {
    const path = this.segmentPath(1);
    const header = { logId, firstLsn: 1, previousFirstLsn: 0, segmentBytes, recycled: false };
    return this.attempt(path, () => {
      const file = this.disk.open(path);
      if (file.size() > segmentBytes) file.truncate(0);
      file.allocate(segmentBytes);
      file.writeAndSyncNow([encodeSegmentHeader(header)], 0);
      this.disk.syncDirectory(this.path);
      return file;
    });
  }

  /** Removes files that are no longer part of the log. Returns the spares that can be reused. */
  removeLeftovers(names: SegmentNames, segmentBytes: number): readonly number[] {
    return this.attempt(this.path, () => {
      for (const lsn of names.resurrected) this.disk.remove(this.segmentPath(lsn));
      // Durable before any spare goes: a spare's number is the proof that these have retired.
      if (names.resurrected.length > 0) this.disk.syncDirectory(this.path);
      if (names.fresh) this.disk.remove(this.#pathOf(FRESH_NAME));
      const usable = names.spares.filter((lsn) => this.#bytesOf(spareName(lsn)) === segmentBytes);
      for (const lsn of names.spares) {
        if (!usable.includes(lsn)) this.disk.remove(this.#pathOf(spareName(lsn)));
      }
      this.disk.syncDirectory(this.path);
      return usable;
    });
  }

  #bytesOf(name: string): number {
    const file = this.disk.open(this.#pathOf(name));
    const bytes = file.size();
    file.close();
    return bytes;
  }

  /** @throws WalError HOLO_WAL_UNREADABLE in place of the operating system's error. */
  attempt<T>(path: string, action: () => T): T {
    try {
      return action();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new WalError('HOLO_WAL_UNREADABLE', `${path}: ${reason}`, { file: path }, cause);
    }
  }

  /** `file` says that the segment that begins with `lsn` comes before it. */
  missing(file: string, lsn: number): WalError {
    const missing = this.segmentPath(lsn);
    const message = `${missing} is missing: ${file} names it as the segment before it`;
    return new WalError('HOLO_WAL_MISSING_SEGMENT', message, { file: missing, lsn });
  }
}

export function damaged(file: string, offset: number, lsn: number, what: string): WalError {
  const message = `${file} is damaged at byte ${offset}, LSN ${lsn}: ${what}`;
  return new WalError('HOLO_WAL_DAMAGED', message, { file, offset, lsn });
}

export function headerDamaged(file: string, lsn: number): WalError {
  return damaged(file, 0, lsn, 'the segment header is unreadable');
}

export function logError(code: WalErrorCode, file: string, what: string): WalError {
  return new WalError(code, `${file} ${what}`, { file });
}
