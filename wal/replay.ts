/**
 * Opens a log: checks every segment, hands out every record in order, and has the tail cut where a
 * torn write left it. Used by `WriteAheadLog.open` alone; never repairs damage.
 *
 * A batch is written only when the one before it is durable. So after a crash at most the last
 * batch is incomplete, and an unreadable record with a later batch or segment behind it was durable
 * once and has been damaged since: that stops the node. One limit remains: damage inside the very
 * last batch looks exactly like a torn write, and is cut like one (Alagappan et al.,
 * "Protocol-Aware Recovery for Consensus-Based Storage", FAST 2018, section 3.3.3).
 */
import type { Disk, DiskFile } from './disk.ts';
import { damaged, headerDamaged, LogDirectory, logError } from './log-directory.ts';
import { type Extent, type LoadedSegment, lastNonZero, mendTail } from './log-tail.ts';
import { checksumSeed, emptyRecordView, type RecordView, readRecord } from './record.ts';
import { readSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentNames } from './segment.ts';

export interface ReplayedRecord {
  readonly lsn: number;
  readonly store: number;
  readonly type: number;
  /** Keeps its whole segment in memory: copy it if you keep it for long. */
  readonly payload: Uint8Array;
}

export interface SegmentInfo {
  readonly firstLsn: number;
  readonly path: string;
  /** Size of the file. */
  readonly bytes: number;
}

/** The contents of the log at start. */
export interface ReplaySummary {
  records: number;
  payloadBytes: number;
  /** 1 when the last write was incomplete and has been cut. */
  tornTails: number;
  /** Bytes of the last segment that the cut overwrote with zeroes. */
  cutBytes: number;
}

export interface OpenedLog {
  readonly logId: Uint8Array;
  readonly segments: SegmentInfo[];
  readonly active: DiskFile;
  readonly activeUsedBytes: number;
  readonly nextLsn: number;
  /** First LSNs in the names of spares that can be reused. */
  readonly spares: readonly number[];
  readonly summary: ReplaySummary;
}

interface ReplayOptions {
  readonly disk: Disk;
  readonly directory: string;
  /** Used when there is no log yet. */
  readonly newLogId: Uint8Array;
  readonly segmentBytes: number;
  readonly onRecord: (record: ReplayedRecord) => void;
}

export function replay(options: ReplayOptions): OpenedLog {
  return new Replay(options).run();
}

class Replay {
  readonly #options: ReplayOptions;
  readonly #directory: LogDirectory;
  readonly #view: RecordView = emptyRecordView();
  readonly #summary: ReplaySummary = { records: 0, payloadBytes: 0, tornTails: 0, cutBytes: 0 };
  #logId: Uint8Array | undefined;
  #seed = 0;
  #nextLsn = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#directory = new LogDirectory(options.directory, options.disk);
  }

  run(): OpenedLog {
    const names = this.#directory.names();
    const first = names.live[0];
    if (first === undefined) {
      if (names.spares.length === 0) return this.#create();
      const { path } = this.#directory;
      throw logError('HOLO_WAL_MISSING_SEGMENT', path, 'has spare segments but no log');
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
    return this.#end(last.segment, last.extent, this.#logId, segments, names);
  }

  /** True when the crash came while the only segment was being made: it never held a record. */
  #isUnborn(firstLsn: number): boolean {
    if (firstLsn !== 1) return false;
    const content = this.#directory.read(this.#directory.segmentPath(firstLsn));
    if (readSegmentHeader(content).kind !== 'invalid') return false;
    return lastNonZero(content, SEGMENT_HEADER_BYTES) === -1;
  }

  #create(): OpenedLog {
    const { segmentBytes, newLogId } = this.#options;
    const active = this.#directory.createFirst(newLogId, segmentBytes);
    const path = this.#directory.segmentPath(1);
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
    const path = this.#directory.segmentPath(firstLsn);
    const content = this.#directory.read(path);
    const bytes = content.length;
    const reading = readSegmentHeader(content);
    if (reading.kind === 'unsupported') {
      const what = `has format version ${reading.version}, which this build does not know`;
      throw logError('HOLO_WAL_UNSUPPORTED_VERSION', path, what);
    }
    const header = reading.kind === 'valid' ? reading.header : undefined;
    if (header !== undefined) this.#checkLogId(path, header.logId);
    if (header?.firstLsn !== firstLsn) {
      // Header and first batch of a segment are one write: the last segment may lack both. It
      // cannot be the only one, since the one before it stays until that write is durable.
      if (isLast && previousFirstLsn !== undefined) {
        return { firstLsn, path, bytes, content, header: undefined };
      }
      throw headerDamaged(path, firstLsn);
    }
    if (bytes < header.segmentBytes) {
      const what = `the file has ${bytes} of ${header.segmentBytes} bytes`;
      throw damaged(path, bytes, firstLsn, what);
    }
    if (previousFirstLsn !== undefined && header.previousFirstLsn !== previousFirstLsn) {
      throw this.#directory.missing(path, header.previousFirstLsn);
    }
    return { firstLsn, path, bytes, content, header };
  }

  #checkLogId(path: string, logId: Uint8Array): void {
    if (this.#logId === undefined) {
      this.#logId = logId;
      this.#seed = checksumSeed(logId);
    } else if (Buffer.compare(this.#logId, logId) !== 0) {
      const what = `belongs to log ${hex(logId)}, not to ${hex(this.#logId)}`;
      throw logError('HOLO_WAL_FOREIGN_SEGMENT', path, what);
    }
  }

  /** Hands out the records below `endLsn`; of the last segment, as many as are valid. */
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
        throw headerDamaged(segment.path, segment.firstLsn);
      }
      const payload = content.subarray(view.payloadStart, view.payloadEnd);
      this.#options.onRecord({ lsn: view.lsn, store: view.store, type: view.type, payload });
      this.#summary.records += 1;
      this.#summary.payloadBytes += payload.length;
      this.#nextLsn += 1;
      end = view.next;
    }
    // The header shares the first batch's write, so it is made durable with that batch.
    return { end, lastBatchAt: lastBatchAt === SEGMENT_HEADER_BYTES ? 0 : lastBatchAt };
  }

  /**
   * The records of `segment` end before the next segment begins: a segment is missing or damaged.
   */
  #refuseGap(segment: LoadedSegment, offset: number, nextFirstLsn: number): never {
    const nextPath = this.#directory.segmentPath(nextFirstLsn);
    const reading = readSegmentHeader(this.#directory.read(nextPath));
    if (
      reading.kind === 'valid' &&
      reading.header.firstLsn === nextFirstLsn &&
      reading.header.previousFirstLsn !== segment.firstLsn
    ) {
      throw this.#directory.missing(nextPath, reading.header.previousFirstLsn);
    }
    const what = `no valid record, although ${nextPath} follows`;
    throw damaged(segment.path, offset, this.#nextLsn, what);
  }

  #end(
    segment: LoadedSegment,
    extent: Extent,
    logId: Uint8Array,
    segments: SegmentInfo[],
    names: SegmentNames,
  ): OpenedLog {
    const { segmentBytes } = this.#options;
    const { file, isTorn, cutBytes } = mendTail(this.#directory, {
      segment,
      extent,
      nextLsn: this.#nextLsn,
      logId,
      seed: this.#seed,
      previousFirstLsn: segments.at(-2)?.firstLsn ?? 0,
      segmentBytes,
    });
    if (isTorn) {
      this.#summary.tornTails = 1;
      this.#summary.cutBytes = cutBytes;
    }
    return {
      logId,
      segments,
      active: file,
      activeUsedBytes: extent.end,
      nextLsn: this.#nextLsn,
      spares: this.#directory.removeLeftovers(names, segmentBytes),
      summary: this.#summary,
    };
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
