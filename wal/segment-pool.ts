/**
 * The segments outside the log: retired ones, and a fresh one that is filled with zeroes ahead of
 * need. Owned by one `WriteAheadLog`; it touches a segment of the log only to create or retire it.
 */
import type { Disk, DiskFile } from './disk.ts';
import { FRESH_NAME, segmentName, spareName } from './segment.ts';
import { diskFull, isDiskFull } from './wal-error.ts';

interface SegmentPoolOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly segmentBytes: number;
  /** Retired segments kept for later; more are removed. */
  readonly sparesMax: number;
  /** First LSNs in the names of spares found at start. */
  readonly spares: readonly number[];
  /** Whether the log may grow by one more segment of this size. */
  readonly mayGrow: (bytes: number) => boolean;
  /** The directory is in an unknown state: the log must stop. */
  readonly onFailure: (error: Error) => void;
}

export interface TakenSegment {
  readonly file: DiskFile;
  readonly path: string;
  readonly recycled: boolean;
}

type TakeDone = (error: Error | undefined, taken: TakenSegment | undefined) => void;

interface Wanted {
  readonly firstLsn: number;
  readonly bytes: number;
  readonly done: TakeDone;
}

export class SegmentPool {
  readonly #options: SegmentPoolOptions;
  readonly #disk: Disk;
  /** First LSNs in the names of spares whose retirement is durable, ascending. */
  readonly #spares: number[];
  #fresh: DiskFile | undefined;
  #preparing: DiskFile | undefined;
  #retirements = 0;
  #wanted: Wanted | undefined;
  #closed = false;

  constructor(options: SegmentPoolOptions) {
    this.#options = options;
    this.#disk = options.disk;
    this.#spares = [...options.spares];
  }

  /** Segments that take no more room on the disk. */
  get ready(): number {
    return this.#spares.length + (this.#fresh === undefined ? 0 : 1);
  }

  /** Starts to fill a segment with zeroes when none is ready; `take` reports a full disk. */
  prepareAhead(): void {
    if (this.ready > 0 || this.#retirements > 0 || this.#preparing !== undefined) return;
    this.#guard(() => {
      const { segmentBytes } = this.#options;
      if (!this.#closed && this.#hasRoom(segmentBytes)) this.#prepare(segmentBytes);
    });
  }

  /**
   * Hands over a segment of that size, durably named for `firstLsn`; one larger than `segmentBytes`
   * is made to order. One `take` at a time. `HOLO_WAL_DISK_FULL` when there is no room; after any
   * other error the names on disk are unknown.
   */
  take(firstLsn: number, bytes: number, done: TakeDone): void {
    this.#wanted = { firstLsn, bytes, done };
    this.#guard(() => this.#serve());
  }

  /** Takes segments out of the log: kept as spares, or removed when there are enough. */
  retire(firstLsns: readonly number[]): void {
    if (firstLsns.length === 0 || this.#closed) return;
    this.#guard(() => {
      for (const lsn of firstLsns) {
        this.#disk.rename(this.#path(segmentName(lsn)), this.#path(spareName(lsn)));
      }
    });
    this.#retirements += 1;
    // A rename that is not durable may be undone, and the segment must then still hold its records.
    this.#disk.syncDirectoryLater(this.#options.directory, (error) => {
      this.#retirements -= 1;
      if (this.#closed) return;
      if (error !== undefined) this.#options.onFailure(error);
      else this.#guard(() => this.#keep(firstLsns));
    });
  }

  close(): void {
    this.#closed = true;
    this.#wanted = undefined;
    this.#fresh?.close();
    this.#preparing?.close();
    this.#fresh = undefined;
    this.#preparing = undefined;
  }

  #keep(firstLsns: readonly number[]): void {
    for (const lsn of firstLsns) {
      const path = this.#path(spareName(lsn));
      if (this.#spares.length < this.#options.sparesMax && this.#hasFullSize(path)) {
        this.#spares.push(lsn);
      } else {
        this.#disk.remove(path);
      }
    }
    this.#serve();
  }

  #hasFullSize(path: string): boolean {
    const file = this.#disk.open(path);
    const bytes = file.size();
    file.close();
    return bytes === this.#options.segmentBytes;
  }

  #serve(): void {
    const wanted = this.#wanted;
    if (wanted === undefined || this.#closed) return;
    const spare = wanted.bytes > this.#options.segmentBytes ? undefined : this.#spares.shift();
    if (spare !== undefined) {
      const from = this.#path(spareName(spare));
      this.#adopt(wanted, from, this.#disk.open(from), true);
    } else if (this.#fresh !== undefined && this.#fresh.size() >= wanted.bytes) {
      const file = this.#fresh;
      this.#fresh = undefined;
      this.#adopt(wanted, this.#path(FRESH_NAME), file, false);
    } else if (this.#retirements === 0 && this.#preparing === undefined) {
      if (this.#hasRoom(wanted.bytes)) this.#prepare(wanted.bytes);
      else this.#refuse(diskFull(this.#options.directory, 'no room for another segment'));
    }
  }

  #adopt(wanted: Wanted, from: string, file: DiskFile, recycled: boolean): void {
    this.#wanted = undefined;
    const path = this.#path(segmentName(wanted.firstLsn));
    this.#disk.rename(from, path);
    this.#disk.syncDirectoryLater(this.#options.directory, (error) => {
      if (this.#closed || error !== undefined) file.close();
      if (this.#closed) return;
      if (error === undefined) wanted.done(undefined, { file, path, recycled });
      else wanted.done(error, undefined);
    });
  }

  #hasRoom(bytes: number): boolean {
    const { directory, mayGrow } = this.#options;
    return mayGrow(bytes) && this.#disk.freeBytes(directory) >= bytes;
  }

  /** Enlarges a fresh segment that is too small. */
  #prepare(bytes: number): void {
    const path = this.#path(FRESH_NAME);
    const file = this.#fresh ?? this.#disk.open(path);
    this.#fresh = undefined;
    this.#preparing = file;
    file.allocateLater(bytes, (error) => {
      if (this.#closed) return;
      this.#preparing = undefined;
      if (error === undefined) {
        this.#fresh = file;
        this.#guard(() => this.#serve());
        return;
      }
      file.close();
      // Frees its blocks on the full disk at once.
      this.#guard(() => this.#disk.remove(path));
      const { directory } = this.#options;
      this.#refuse(isDiskFull(error) ? diskFull(directory, error.message, error) : error);
    });
  }

  #refuse(error: Error): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    wanted?.done(error, undefined);
  }

  /** A name operation that throws leaves the directory in an unknown state. */
  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.onFailure(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #path(name: string): string {
    return `${this.#options.directory}/${name}`;
  }
}
