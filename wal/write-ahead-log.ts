/**
 * The write-ahead log of one node: appends records to a buffer, writes and syncs them in batches,
 * rolls over segments, and reads everything back at start. Driven by the WAL actor, one turn at a
 * time; it reads no clock and decides nothing about when to sync (that is `SyncPolicy`).
 *
 * At most one write is in flight, and none begins before the one before it is durable: by this rule
 * replay.ts tells a torn tail from damage. `write` (policy `on_flush`) breaks it: after a power
 * cut, a torn tail may look like damage.
 */
import { STORE_MAX } from '../actors/accord/primitives/timestamp.ts';
import type { Disk, DiskFile } from './disk.ts';
import { checksumSeed, LSN_MAX, RecordBatch, recordBytes } from './record.ts';
import {
  type OpenedLog,
  type ReplayedRecord,
  type ReplaySummary,
  replay,
  type SegmentInfo,
} from './replay.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment.ts';
import { SegmentPool, type TakenSegment } from './segment-pool.ts';
import { diskFull, isDiskFull, WalError } from './wal-error.ts';
import { checkOptions, segmentBytesFor, type WalLimits, type WalOptions } from './wal-options.ts';

const TYPE_MAX = 0xff;
/** Empty batches kept for reuse; two suffice unless a stall has piled up more. */
const IDLE_BATCHES_MAX = 2;
/** A batch buffer that a huge record has grown beyond this size is not kept. */
const IDLE_BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** `durableLsn`: every record up to this one is on disk. */
type CommitDone = (error: WalError | undefined, durableLsn: number) => void;

interface Waiter {
  readonly lsn: number;
  /** Waits for the disk; otherwise only for the operating system. */
  readonly syncs: boolean;
  readonly done: CommitDone;
}

/** Counted since start, for metrics. */
interface WalCounters {
  batches: number;
  records: number;
  /** Written to disk, headers included. */
  bytes: number;
  /** Segments begun, and how many of them were recycled. */
  rolls: number;
  recycled: number;
  /** Commits refused because the disk was full. */
  diskFull: number;
}

export class WriteAheadLog {
  readonly logId: Uint8Array;
  /** The contents of the log at start. */
  readonly replayed: Readonly<ReplaySummary>;
  readonly counters: WalCounters = {
    batches: 0,
    records: 0,
    bytes: 0,
    rolls: 0,
    recycled: 0,
    diskFull: 0,
  };
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #limits: WalLimits;
  readonly #seed: number;
  readonly #pool: SegmentPool;
  /** Oldest first; the last one is active. */
  readonly #segments: SegmentInfo[];
  #active: DiskFile;
  #activeUsed: number;
  #activeBytes: number;
  /** Set until the first write into the active segment, which carries the header, is durable. */
  #headerDue: Buffer | undefined;

  /** Batches not yet written, oldest first; records are appended to the last one. */
  readonly #batches: RecordBatch[] = [];
  readonly #idleBatches: RecordBatch[] = [];
  #writing: RecordBatch | undefined;
  /** The operation in flight ends with a sync. */
  #syncing = false;
  #rolling = false;
  #pendingBytes = 0;
  #nextLsn: number;
  #writtenLsn: number;
  #durableLsn: number;
  /** Oldest first, so ordered by LSN too. */
  #waiters: Waiter[] = [];
  #failed: WalError | undefined;
  #closed = false;
  readonly #onSegments: NonNullable<WalOptions['onSegments']>;
  readonly #onWritten = (error: Error | undefined): void => this.#written(error);
  readonly #onSynced = (error: Error | undefined): void => this.#synced(error);

  /**
   * Opens the log in `directory`, or makes one. `onRecord` gets every remaining record in order
   * before this returns; if this throws, they are void.
   *
   * @throws {WalError} HOLO_WAL_DAMAGED, _MISSING_SEGMENT, _FOREIGN_SEGMENT, _UNSUPPORTED_VERSION,
   * _UNREADABLE, _BAD_OPTION, _BUSY
   */
  static open(
    disk: Disk,
    directory: string,
    options: WalOptions,
    onRecord: (record: ReplayedRecord) => void,
  ): WriteAheadLog {
    const limits = checkOptions(options);
    // A late write of a closed log, or of a dead actor's, would land in this log.
    if (disk.isWriting(directory)) {
      throw new WalError('HOLO_WAL_BUSY', `${directory}: a write is under way`, {
        file: directory,
      });
    }
    const { segmentBytes } = limits;
    const newLogId = options.newLogId;
    const opened = replay({ disk, directory, newLogId, segmentBytes, onRecord });
    return new WriteAheadLog(disk, directory, limits, opened, options.onSegments);
  }

  private constructor(
    disk: Disk,
    directory: string,
    limits: WalLimits,
    opened: OpenedLog,
    onSegments: WalOptions['onSegments'],
  ) {
    this.#onSegments = onSegments ?? (() => undefined);
    this.#disk = disk;
    this.#directory = directory;
    this.#limits = limits;
    this.logId = opened.logId;
    this.replayed = opened.summary;
    this.#seed = checksumSeed(opened.logId);
    this.#segments = opened.segments;
    this.#active = opened.active;
    this.#activeUsed = opened.activeUsedBytes;
    this.#activeBytes = opened.active.size();
    this.#nextLsn = opened.nextLsn;
    this.#writtenLsn = opened.nextLsn - 1;
    this.#durableLsn = opened.nextLsn - 1;
    this.#pool = new SegmentPool({
      disk,
      directory,
      segmentBytes: limits.segmentBytes,
      sparesMax: limits.sparesMax,
      spares: opened.spares,
      mayGrow: (bytes) => this.#bytesWithSpares() + bytes <= limits.logBytesMax,
      onFailure: (error) => this.#fail('changing names', error),
    });
  }

  /** LSN of the oldest remaining record; one above `appendedLsn` when there is none. */
  get firstLsn(): number {
    return this.#segments[0]?.firstLsn ?? this.#nextLsn;
  }

  get appendedLsn(): number {
    return this.#nextLsn - 1;
  }

  get durableLsn(): number {
    return this.#durableLsn;
  }

  /** Every record up to this one survives a crash of the process; see `write`. */
  get writtenLsn(): number {
    return this.#writtenLsn;
  }

  /** Bytes appended and not yet written, headers included. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** A write, or the roll before one, is in flight. */
  get inFlight(): boolean {
    return this.#writing !== undefined || this.#syncing || this.#rolling;
  }

  /** The error that ended the log for good, if any. */
  get failed(): WalError | undefined {
    return this.#failed;
  }

  /** Bytes on disk in segments that are part of the log, unused room in the last one included. */
  get bytes(): number {
    let bytes = 0;
    for (const segment of this.#segments) bytes += segment.bytes;
    return bytes;
  }

  /** Oldest first; the last one is active. */
  segments(): readonly SegmentInfo[] {
    return [...this.#segments];
  }

  /**
   * Buffers a record and returns its LSN. `parts` must not change until it is on disk. Nothing
   * reaches the disk before `commit`, except along with another record's commit.
   *
   * @throws {WalError} HOLO_WAL_FULL_BUFFER, _RECORD_TOO_LARGE, _FAILED, _CLOSED
   */
  append(store: number, type: number, parts: readonly Uint8Array[]): number {
    const stopped = this.#stopped();
    if (stopped !== undefined) throw stopped;
    let payloadBytes = 0;
    for (const part of parts) payloadBytes += part.length;
    const bytes = recordBytes(payloadBytes);
    const { recordBytesMax, pendingBytesMax } = this.#limits;
    if (bytes > recordBytesMax) {
      const message = `a record of ${bytes} bytes exceeds recordBytesMax (${recordBytesMax})`;
      throw new WalError('HOLO_WAL_RECORD_TOO_LARGE', message);
    }
    if (this.#pendingBytes + bytes > pendingBytesMax) {
      const message = `${this.#pendingBytes} bytes wait for the disk (at most ${pendingBytesMax})`;
      throw new WalError('HOLO_WAL_FULL_BUFFER', message);
    }
    if (store < 0 || store > STORE_MAX || type < 0 || type > TYPE_MAX || this.#nextLsn > LSN_MAX) {
      throw new RangeError(`store ${store}, type ${type} or LSN ${this.#nextLsn} is out of range`);
    }
    this.#batchFor(bytes).append(store, type, parts, payloadBytes);
    this.#pendingBytes += bytes;
    const lsn = this.#nextLsn;
    this.#nextLsn = lsn + 1;
    return lsn;
  }

  /**
   * Makes everything appended so far durable, then calls `done`. While a write is under way, calls
   * are folded into the next one. When all is durable already, `done` is called before this
   * returns. With HOLO_WAL_DISK_FULL the records stay buffered, and a later commit tries again;
   * with HOLO_WAL_FAILED the log is dead.
   */
  commit(done: CommitDone): void {
    this.#wait(true, done);
  }

  /**
   * Like `commit` without the sync: the records appended so far survive a crash of the process, but
   * not a power cut before the next `commit`.
   */
  write(done: CommitDone): void {
    this.#wait(false, done);
  }

  #wait(syncs: boolean, done: CommitDone): void {
    const stopped = this.#stopped();
    const reachedLsn = syncs ? this.#durableLsn : this.#writtenLsn;
    if (stopped !== undefined) {
      done(stopped, this.#durableLsn);
    } else if (reachedLsn === this.appendedLsn) {
      done(undefined, this.#durableLsn);
    } else if (this.#waiters.length >= this.#limits.commitsWaitingMax) {
      const message = `${this.#waiters.length} commits are waiting already`;
      done(new WalError('HOLO_WAL_TOO_MANY_COMMITS', message), this.#durableLsn);
    } else {
      this.#waiters.push({ lsn: this.appendedLsn, syncs, done });
      this.#pump();
    }
  }

  /**
   * Retires the segments that hold only records below `lsn`, never the active one.
   */
  truncateBefore(lsn: number): void {
    if (this.#stopped() !== undefined) return;
    // The last segment's header must be durable before the one before it may go: at start, a last
    // segment without a header is told from a damaged log by the segment before it.
    const keep = this.#headerDue === undefined ? 1 : 2;
    let count = 0;
    while (count < this.#segments.length - keep) {
      const next = this.#segments[count + 1];
      if (next === undefined || next.firstLsn > lsn) break;
      count += 1;
    }
    const first = this.#segments[count]?.firstLsn;
    const last = this.#segments.at(-1)?.firstLsn;
    if (count === 0 || first === undefined || last === undefined) return;
    this.#onSegments(first, last, this.#durableLsn);
    this.#pool.retire(this.#segments.splice(0, count).map((segment) => segment.firstLsn));
  }

  /** Waiting commits get HOLO_WAL_CLOSED; a write in flight is finished, no other begins. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pool.close();
    this.#active.close();
    this.#refuseWaiters(new WalError('HOLO_WAL_CLOSED', 'the log is closed'));
  }

  #stopped(): WalError | undefined {
    if (this.#failed !== undefined) return this.#failed;
    return this.#closed ? new WalError('HOLO_WAL_CLOSED', 'the log is closed') : undefined;
  }

  /** The batch that takes the next record: each batch becomes one write. */
  #batchFor(bytes: number): RecordBatch {
    const last = this.#batches.at(-1);
    if (last !== undefined && last.bytes + bytes <= this.#limits.batchBytesMax) return last;
    const batch = this.#idleBatches.pop() ?? new RecordBatch(this.#seed);
    batch.begin(this.#nextLsn);
    this.#batches.push(batch);
    return batch;
  }

  /** Begins the next write if a commit waits and no write is in flight. */
  #pump(): void {
    if (this.inFlight || this.#waiters.length === 0 || this.#stopped() !== undefined) return;
    const batch = this.#batches[0];
    const isUnsynced = this.#durableLsn < this.#writtenLsn;
    if (batch === undefined) {
      if (isUnsynced) this.#sync();
      return;
    }
    if (this.#activeUsed + batch.bytes > this.#activeBytes) {
      // Nothing syncs a segment once the next one is begun.
      if (isUnsynced) return this.#sync();
      this.#rolling = true;
      const bytes = segmentBytesFor(this.#limits, batch.bytes);
      // A segment without records has the name that the next one would have.
      if (this.#activeUsed === SEGMENT_HEADER_BYTES) this.#enlarge(bytes);
      else {
        this.#pool.take(this.#durableLsn + 1, bytes, (error, taken) => this.#rolled(error, taken));
      }
      return;
    }
    this.#batches.shift();
    this.#writing = batch;
    const header = this.#headerDue;
    this.#syncing = header !== undefined || this.#waiters.some(({ syncs }) => syncs);
    if (header !== undefined) {
      this.#active.writeAndSync([header, ...batch.content()], 0, this.#onWritten);
    } else if (this.#syncing) {
      this.#active.writeAndSync(batch.content(), this.#activeUsed, this.#onWritten);
    } else {
      this.#active.write(batch.content(), this.#activeUsed, this.#onWritten);
    }
  }

  /** Syncs records that were written without a sync. */
  #sync(): void {
    this.#syncing = true;
    this.#active.writeAndSync([], this.#activeUsed, this.#onSynced);
  }

  #synced(error: Error | undefined): void {
    this.#syncing = false;
    if (this.#stopped() !== undefined) return;
    if (error !== undefined) {
      this.#fail('syncing', error);
      return;
    }
    this.#durableLsn = this.#writtenLsn;
    this.#answerWaiters();
    this.#pump();
  }

  /** Makes the empty active segment as large as its first write needs. */
  #enlarge(bytes: number): void {
    const directory = this.#directory;
    const growth = bytes - this.#activeBytes;
    const free = Math.min(
      this.#disk.freeBytes(directory),
      this.#limits.logBytesMax - this.#bytesWithSpares(),
    );
    if (growth > free) {
      this.#rolled(diskFull(directory, `no room for a segment of ${bytes} bytes`), undefined);
      return;
    }
    this.#active.allocateLater(bytes, (error) => {
      if (error === undefined) this.#enlarged();
      else if (isDiskFull(error)) {
        this.#rolled(diskFull(directory, error.message, error), undefined);
      } else this.#rolled(error, undefined);
    });
  }

  /** The header keeps the original size: a file may be longer than its header says. */
  #enlarged(): void {
    this.#rolling = false;
    if (this.#stopped() !== undefined) return;
    this.#activeBytes = this.#active.size();
    const active = this.#segments.pop();
    if (active !== undefined) this.#segments.push({ ...active, bytes: this.#activeBytes });
    this.#pump();
  }

  #rolled(error: Error | undefined, taken: TakenSegment | undefined): void {
    this.#rolling = false;
    if (this.#stopped() !== undefined) return;
    if (error instanceof WalError && error.code === 'HOLO_WAL_DISK_FULL') {
      this.counters.diskFull += 1;
      this.#refuseWaiters(error);
      return;
    }
    if (error !== undefined || taken === undefined) {
      this.#fail('beginning a segment', error);
      return;
    }
    const firstLsn = this.#durableLsn + 1;
    this.#active.close();
    this.#active = taken.file;
    this.#activeBytes = taken.file.size();
    this.#activeUsed = SEGMENT_HEADER_BYTES;
    this.#headerDue = encodeSegmentHeader({
      logId: this.logId,
      firstLsn,
      previousFirstLsn: this.#segments.at(-1)?.firstLsn ?? 0,
      segmentBytes: this.#activeBytes,
      recycled: taken.recycled,
    });
    this.#segments.push({ firstLsn, path: taken.path, bytes: this.#activeBytes });
    this.counters.rolls += 1;
    try {
      this.#onSegments(this.#segments[0]?.firstLsn ?? firstLsn, firstLsn, this.#durableLsn);
    } catch (cause) {
      this.#fail('noting a segment', cause instanceof Error ? cause : new Error(String(cause)));
      return;
    }
    if (taken.recycled) this.counters.recycled += 1;
    this.#pump();
  }

  #written(error: Error | undefined): void {
    const batch = this.#writing;
    this.#writing = undefined;
    const synced = this.#syncing;
    this.#syncing = false;
    if (batch === undefined) return;
    if (error !== undefined) {
      this.#fail('writing', error);
      return;
    }
    this.#headerDue = undefined;
    this.#activeUsed += batch.bytes;
    this.#pendingBytes -= batch.bytes;
    this.counters.batches += 1;
    this.counters.records += batch.lastLsn - this.#writtenLsn;
    this.counters.bytes += batch.bytes;
    this.#writtenLsn = batch.lastLsn;
    if (synced) this.#durableLsn = batch.lastLsn;
    this.#keepIdle(batch);
    this.#answerWaiters();
    this.#pump();
    if (this.#activeUsed * 2 > this.#activeBytes && !this.#closed) this.#pool.prepareAhead();
  }

  #keepIdle(batch: RecordBatch): void {
    if (this.#idleBatches.length >= IDLE_BATCHES_MAX) return;
    // It must not keep the parts that it refers to in memory.
    batch.begin(0);
    if (batch.capacityBytes <= IDLE_BATCH_BYTES_MAX) this.#idleBatches.push(batch);
  }

  #answerWaiters(): void {
    const isDone = ({ lsn, syncs }: Waiter): boolean =>
      lsn <= (syncs ? this.#durableLsn : this.#writtenLsn);
    const done = this.#waiters.filter(isDone);
    // Removed from the list first, since `done` may commit again.
    this.#waiters = this.#waiters.filter((waiter) => !isDone(waiter));
    for (const waiter of done) waiter.done(undefined, this.#durableLsn);
  }

  #refuseWaiters(error: WalError): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.done(error, this.#durableLsn);
  }

  /** Never retried: after a failed sync the kernel may have dropped what it could not write. */
  #fail(what: string, cause: Error | undefined): void {
    if (this.#failed !== undefined) return;
    const reason = cause?.message ?? 'unknown reason';
    const message = `${this.#directory}: ${what} failed: ${reason}`;
    const place = { file: this.#directory, lsn: this.#durableLsn + 1 };
    this.#failed = new WalError('HOLO_WAL_FAILED', message, place, cause);
    this.#refuseWaiters(this.#failed);
  }

  #bytesWithSpares(): number {
    return this.bytes + this.#pool.ready * this.#limits.segmentBytes;
  }
}
