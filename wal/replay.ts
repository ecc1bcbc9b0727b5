/**
 * Opening a log: checks every segment, hands out every record in order, cuts the torn tail, and
 * makes what it handed out durable. Used by `WriteAheadLog.open` alone; it never repairs damage.
 *
 * A batch is written only when the one before it is durable. So after a crash at most the last
 * batch can be incomplete, and an unreadable record that has a later batch (or a later segment)
 * behind it was durable once and has been damaged since: that stops the node. One limit remains:
 * damage inside the very last batch looks exactly like a torn write, and is cut like one (Alagappan
 * et al., "Protocol-Aware Recovery for Consensus-Based Storage", FAST 2018, section 3.3.3).
 */
import type { Disk, DiskFile } from './disk.ts';
import {
  checksumSeed,
  claimedLsn,
  emptyRecordView,
  findLaterBatch,
  type RecordView,
  readRecord,
  type Survivors,
} from './record.ts';
import {
  encodeSegmentHeader,
  FRESH_NAME,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentName,
  sortNames,
  spareName,
} from './segment.ts';
import { WalError, type WalErrorCode } from './wal-error.ts';

export interface ReplayedRecord {
  readonly lsn: number;
  readonly store: number;
  readonly type: number;
  /** May be kept, but keeps its whole segment in memory: copy what is kept for long. */
  readonly payload: Uint8Array;
}

export interface SegmentInfo {
  readonly firstLsn: number;
  readonly path: string;
  /** Size of the file. */
  readonly bytes: number;
}

/** What was found at start. */
export interface ReplaySummary {
  records: number;
  payloadBytes: number;
  /** 1 when the last write was incomplete and has been cut. */
  tornTails: number;
  /** Bytes of the last segment that were overwritten with zeroes by the cut. */
  cutBytes: number;
}

export interface OpenedLog {
  readonly logId: Uint8Array;
  readonly segments: SegmentInfo[];
  readonly active: DiskFile;
  readonly activeUsedBytes: number;
  readonly nextLsn: number;
  /** First LSNs in the names of spares that can be used again. */
  readonly spares: readonly number[];
  readonly summary: ReplaySummary;
}

interface ReplayOptions {
  readonly disk: Disk;
  readonly directory: string;
  /** For a log that does not exist yet. */
  readonly newLogId: Uint8Array;
  readonly segmentBytes: number;
  readonly onRecord: (record: ReplayedRecord) => void;
}

export function replay(options: ReplayOptions): OpenedLog {
  return new Replay(options).run();
}

interface LoadedSegment extends SegmentInfo {
  readonly content: Buffer;
  /** Undefined for the last segment when the crash came before its header was durable. */
  readonly header: SegmentHeader | undefined;
}

/** How far the records of a segment go. */
interface Extent {
  /** Offset behind the last valid record. */
  readonly end: number;
  /** Offset of the last batch; what is before it was durable before it was written. */
  readonly lastBatchAt: number;
}

class Replay {
  readonly #options: ReplayOptions;
  readonly #disk: Disk;
  readonly #view: RecordView = emptyRecordView();
  readonly #summary: ReplaySummary = { records: 0, payloadBytes: 0, tornTails: 0, cutBytes: 0 };
  #logId: Uint8Array | undefined;
  #seed = 0;
  #nextLsn = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#disk = options.disk;
  }

  run(): OpenedLog {
    const { directory } = this.#options;
    const names = sortNames(this.#read(directory, () => this.#disk.list(directory)));
    const first = names.live[0];
    if (first === undefined) {
      if (names.spares.length === 0) return this.#create();
      throw this.#error('HOLO_WAL_MISSING_SEGMENT', directory, 'has spare segments but no log');
    }
    if (names.live.length === 1 && this.#isUnborn(first)) return this.#create();
    this.#nextLsn = first;
    const segments: SegmentInfo[] = [];
    let last: { segment: LoadedSegment; extent: Extent } | undefined;
    for (const [index, firstLsn] of names.live.entries()) {
      const nextFirstLsn = names.live[index + 1];
      const segment = this.#load(firstLsn, names.live[index - 1], nextFirstLsn === undefined);
      const extent = this.#replaySegment(segment, nextFirstLsn ?? Number.POSITIVE_INFINITY);
      if (nextFirstLsn === undefined) last = { segment, extent };
      else if (this.#nextLsn !== nextFirstLsn) this.#refuseGap(segment, extent.end, nextFirstLsn);
      segments.push({ firstLsn, path: segment.path, bytes: segment.bytes });
    }
    if (last === undefined || this.#logId === undefined) throw new Error('a log without segments');
    const active = this.#mend(last.segment, last.extent, segments.at(-2)?.firstLsn ?? 0);
    const spares = this.#tidyNames(names);
    return {
      logId: this.#logId,
      segments,
      active,
      activeUsedBytes: last.extent.end,
      nextLsn: this.#nextLsn,
      spares,
      summary: this.#summary,
    };
  }

  /** True when the only segment was being made as the node crashed: nothing was ever in it. */
  #isUnborn(firstLsn: number): boolean {
    if (firstLsn !== 1) return false;
    const path = this.#path(segmentName(firstLsn));
    const content = this.#readFile(path);
    if (readSegmentHeader(content).kind !== 'invalid') return false;
    return lastNonZero(content, SEGMENT_HEADER_BYTES) === -1;
  }

  #create(): OpenedLog {
    const { directory, segmentBytes, newLogId } = this.#options;
    const path = this.#path(segmentName(1));
    const header: SegmentHeader = {
      logId: newLogId,
      firstLsn: 1,
      previousFirstLsn: 0,
      segmentBytes,
      recycled: false,
    };
    const active = this.#read(path, () => {
      const file = this.#disk.open(path);
      if (file.size() > segmentBytes) file.truncate(0);
      file.allocate(segmentBytes);
      file.writeAndSyncNow([encodeSegmentHeader(header)], 0);
      this.#disk.syncDirectory(directory);
      return file;
    });
    return {
      logId: newLogId,
      segments: [{ firstLsn: 1, path, bytes: segmentBytes }],
      active,
      activeUsedBytes: SEGMENT_HEADER_BYTES,
      nextLsn: 1,
      spares: [],
      summary: this.#summary,
    };
  }

  #load(firstLsn: number, previousFirstLsn: number | undefined, isLast: boolean): LoadedSegment {
    const path = this.#path(segmentName(firstLsn));
    const content = this.#readFile(path);
    const bytes = content.length;
    const reading = readSegmentHeader(content);
    if (reading.kind === 'unsupported') {
      const what = `has format version ${reading.version}, which this build does not know`;
      throw this.#error('HOLO_WAL_UNSUPPORTED_VERSION', path, what);
    }
    const header = reading.kind === 'valid' ? reading.header : undefined;
    if (header !== undefined) this.#checkLogId(path, header.logId);
    if (header?.firstLsn !== firstLsn) {
      // Header and first batch of a segment are one write: the last segment may lack both. It
      // cannot be the only one, since the one before it stays until that write is durable.
      if (isLast && previousFirstLsn !== undefined) {
        return { firstLsn, path, bytes, content, header: undefined };
      }
      throw this.#headerDamaged(path, firstLsn);
    }
    if (bytes < header.segmentBytes) {
      const what = `the file has ${bytes} of ${header.segmentBytes} bytes`;
      throw this.#damaged(path, bytes, firstLsn, what);
    }
    if (previousFirstLsn !== undefined && header.previousFirstLsn !== previousFirstLsn) {
      throw this.#missing(path, header.previousFirstLsn);
    }
    return { firstLsn, path, bytes, content, header };
  }

  #checkLogId(path: string, logId: Uint8Array): void {
    if (this.#logId === undefined) {
      this.#logId = logId;
      this.#seed = checksumSeed(logId);
    } else if (Buffer.compare(this.#logId, logId) !== 0) {
      const what = `belongs to log ${hex(logId)}, not to ${hex(this.#logId)}`;
      throw this.#error('HOLO_WAL_FOREIGN_SEGMENT', path, what);
    }
  }

  /** Hands out the records below `endLsn`; in the last segment, as far as they can be read. */
  #replaySegment(segment: LoadedSegment, endLsn: number): Extent {
    const { content } = segment;
    const view = this.#view;
    let end = SEGMENT_HEADER_BYTES;
    let lastBatchAt = SEGMENT_HEADER_BYTES;
    let batchStart = 0;
    while (this.#nextLsn < endLsn) {
      if (!readRecord(content, end, this.#seed, view) || view.lsn !== this.#nextLsn) break;
      if (view.batchStart === view.lsn) {
        batchStart = view.lsn;
        lastBatchAt = end;
      } else if (view.batchStart !== batchStart) {
        break;
      }
      if (segment.header === undefined && batchStart > segment.firstLsn) {
        throw this.#headerDamaged(segment.path, segment.firstLsn);
      }
      const payload = content.subarray(view.payloadStart, view.payloadEnd);
      this.#options.onRecord({ lsn: view.lsn, store: view.store, type: view.type, payload });
      this.#summary.records += 1;
      this.#summary.payloadBytes += payload.length;
      this.#nextLsn += 1;
      end = view.next;
    }
    // Where the header shares the first write with the records, it is to be made durable with them.
    return { end, lastBatchAt: lastBatchAt === SEGMENT_HEADER_BYTES ? 0 : lastBatchAt };
  }

  /** The records of `segment` end before the next segment begins: says which of two it is. */
  #refuseGap(segment: LoadedSegment, offset: number, nextFirstLsn: number): never {
    const nextPath = this.#path(segmentName(nextFirstLsn));
    const reading = readSegmentHeader(this.#readFile(nextPath));
    if (
      reading.kind === 'valid' &&
      reading.header.firstLsn === nextFirstLsn &&
      reading.header.previousFirstLsn !== segment.firstLsn
    ) {
      throw this.#missing(nextPath, reading.header.previousFirstLsn);
    }
    const what = `no valid record, although ${nextPath} follows`;
    throw this.#damaged(segment.path, offset, this.#nextLsn, what);
  }

  /**
   * Decides whether the log ends here or is damaged here. Then writes the last batch once more and
   * zeroes behind it. The batch, because after a mere process crash (or a failed sync) it may have
   * been read from the page cache only; the zeroes, because records of a torn batch that follow
   * the cut could otherwise one day lie exactly behind new ones, and be taken for their successors.
   */
  #mend(segment: LoadedSegment, extent: Extent, previousFirstLsn: number): DiskFile {
    const { content, path, header } = segment;
    const { end } = extent;
    const survivors = findLaterBatch(content, end, this.#nextLsn, this.#seed);
    if (survivors.laterBatchAt !== -1) {
      if (header === undefined) throw this.#headerDamaged(path, segment.firstLsn);
      const what = `no valid record, although a later batch follows at ${survivors.laterBatchAt}`;
      throw this.#damaged(path, end, this.#nextLsn, what);
    }
    const zeroesEnd = Math.max(end, lastNonZero(content, end) + 1);
    if (this.#isTorn(segment, end, survivors, zeroesEnd)) {
      this.#summary.tornTails = 1;
      this.#summary.cutBytes = zeroesEnd - end;
    }
    const zeroes = Buffer.alloc(zeroesEnd - end);
    return this.#read(path, () => {
      const file = this.#disk.open(path);
      if (header === undefined) {
        const bytes = Math.max(file.size(), this.#options.segmentBytes);
        file.allocate(bytes);
        const headerBytes = this.#lostHeader(segment.firstLsn, previousFirstLsn, bytes);
        const records = content.subarray(SEGMENT_HEADER_BYTES, end);
        file.writeAndSyncNow([headerBytes, records, zeroes], 0);
      } else {
        const { lastBatchAt } = extent;
        file.writeAndSyncNow([content.subarray(lastBatchAt, end), zeroes], lastBatchAt);
      }
      return file;
    });
  }

  #lostHeader(firstLsn: number, previousFirstLsn: number, segmentBytes: number): Buffer {
    const logId = this.#logId ?? this.#options.newLogId;
    // Whether the blocks were used before is lost; "no" reports more tears, not fewer.
    return encodeSegmentHeader({
      logId,
      firstLsn,
      previousFirstLsn,
      segmentBytes,
      recycled: false,
    });
  }

  /** Leftovers behind the end of a recycled segment are no tear; only records of this life are. */
  #isTorn(segment: LoadedSegment, end: number, survivors: Survivors, zeroesEnd: number): boolean {
    if (segment.header === undefined || survivors.anyRecord) return true;
    if (segment.header.recycled) return claimedLsn(segment.content, end) === this.#nextLsn;
    return zeroesEnd > end;
  }

  /** Removes what is no longer part of the log. Returns the spares that can be used again. */
  #tidyNames(names: ReturnType<typeof sortNames>): readonly number[] {
    const { directory, segmentBytes } = this.#options;
    return this.#read(directory, () => {
      for (const lsn of names.resurrected) this.#disk.remove(this.#path(segmentName(lsn)));
      // First these for good: a spare's number is what tells that they have retired.
      if (names.resurrected.length > 0) this.#disk.syncDirectory(directory);
      if (names.fresh) this.#disk.remove(this.#path(FRESH_NAME));
      const usable = names.spares.filter((lsn) => this.#size(spareName(lsn)) === segmentBytes);
      for (const lsn of names.spares) {
        if (!usable.includes(lsn)) this.#disk.remove(this.#path(spareName(lsn)));
      }
      this.#disk.syncDirectory(directory);
      return usable;
    });
  }

  #size(name: string): number {
    const file = this.#disk.open(this.#path(name));
    const bytes = file.size();
    file.close();
    return bytes;
  }

  #path(name: string): string {
    return `${this.#options.directory}/${name}`;
  }

  #readFile(path: string): Buffer {
    const bytes = this.#read(path, () => this.#disk.read(path));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  #read<T>(path: string, action: () => T): T {
    try {
      return action();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new WalError('HOLO_WAL_UNREADABLE', `${path}: ${reason}`, { file: path }, cause);
    }
  }

  #missing(file: string, lsn: number): WalError {
    const missing = this.#path(segmentName(lsn));
    const message = `${missing} is missing: ${file} names it as the segment before it`;
    return new WalError('HOLO_WAL_MISSING_SEGMENT', message, { file: missing, lsn });
  }

  #damaged(file: string, offset: number, lsn: number, what: string): WalError {
    const message = `${file} is damaged at byte ${offset}, LSN ${lsn}: ${what}`;
    return new WalError('HOLO_WAL_DAMAGED', message, { file, offset, lsn });
  }

  #headerDamaged(file: string, lsn: number): WalError {
    return this.#damaged(file, 0, lsn, 'the segment header is unreadable');
  }

  #error(code: WalErrorCode, file: string, what: string): WalError {
    return new WalError(code, `${file} ${what}`, { file });
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Offset of the last byte at or behind `from` that is not zero, -1 when there is none. */
function lastNonZero(bytes: Buffer, from: number): number {
  const zeroes = Buffer.alloc(64 * 1024);
  let end = bytes.length;
  while (end > from) {
    const start = Math.max(from, end - zeroes.length);
    if (bytes.compare(zeroes, 0, end - start, start, end) !== 0) {
      let at = end - 1;
      while (bytes[at] === 0) at -= 1;
      return at;
    }
    end = start;
  }
  return -1;
}
