/**
 * The end of a log at start: decides whether the log ends here or is damaged here, and makes the
 * last batch durable. Repairs nothing.
 */
import type { DiskFile } from './disk.ts';
import { damaged, headerDamaged, type LogDirectory } from './log-directory.ts';
import { claimedLsn, findLaterBatch, type Survivors } from './record.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment.ts';

export interface LoadedSegment {
  readonly firstLsn: number;
  readonly path: string;
  /** Size of the file. */
  readonly bytes: number;
  readonly content: Buffer;
  /** Undefined for the last segment when the crash came before its header was durable. */
  readonly header: SegmentHeader | undefined;
}

/** Where the records of a segment end. */
export interface Extent {
  /** Offset behind the last valid record. */
  readonly end: number;
  /** Offset of the last batch; everything before it was durable before it was written. */
  readonly lastBatchAt: number;
}

interface LogTail {
  readonly segment: LoadedSegment;
  readonly extent: Extent;
  /** Of the record that would follow. */
  readonly nextLsn: number;
  readonly logId: Uint8Array;
  /** Seeds the checksums of this log. */
  readonly seed: number;
  /** First LSN of the segment before this one; 0 for none. */
  readonly previousFirstLsn: number;
  /** Of a segment whose header is lost. */
  readonly segmentBytes: number;
}

interface MendedTail {
  readonly file: DiskFile;
  readonly isTorn: boolean;
  /** Bytes behind the last valid record that were overwritten with zeroes. */
  readonly cutBytes: number;
}

/**
 * Writes the last batch once more and zeroes behind it. The batch, because after a process crash or
 * a failed sync it may have been read from the page cache only. The zeroes, because records of a
 * torn batch could one day lie exactly behind new records and be taken for their successors.
 *
 * @throws WalError HOLO_WAL_DAMAGED when a later batch shows that records here were durable.
 */
export function mendTail(directory: LogDirectory, tail: LogTail): MendedTail {
  const { segment, extent, nextLsn } = tail;
  const { content, path, header } = segment;
  const { end, lastBatchAt } = extent;
  const zeroesEnd = Math.max(end, lastNonZero(content, end) + 1);
  // A new segment is zeroes for the most part, which cost a start 0.2 s if they were searched.
  const survivors = findLaterBatch(content, end, nextLsn, tail.seed, zeroesEnd);
  if (survivors.laterBatchAt !== -1) {
    if (header === undefined) throw headerDamaged(path, segment.firstLsn);
    const what = `no valid record, although a later batch follows at ${survivors.laterBatchAt}`;
    throw damaged(path, end, nextLsn, what);
  }
  const zeroes = Buffer.alloc(zeroesEnd - end);
  const file = directory.attempt(path, () => {
    const opened = directory.disk.open(path);
    if (header === undefined) {
      const bytes = Math.max(opened.size(), tail.segmentBytes);
      opened.allocate(bytes);
      const records = content.subarray(SEGMENT_HEADER_BYTES, end);
      opened.writeAndSyncNow([lostHeader(tail, bytes), records, zeroes], 0);
    } else {
      opened.writeAndSyncNow([content.subarray(lastBatchAt, end), zeroes], lastBatchAt);
    }
    return opened;
  });
  const isTorn = isTornAt(segment, end, nextLsn, survivors, zeroesEnd);
  return { file, isTorn, cutBytes: zeroesEnd - end };
}

function lostHeader(tail: LogTail, segmentBytes: number): Buffer {
  return encodeSegmentHeader({
    logId: tail.logId,
    firstLsn: tail.segment.firstLsn,
    previousFirstLsn: tail.previousFirstLsn,
    segmentBytes,
    // Unknown; `false` errs towards reporting a torn tail.
    recycled: false,
  });
}

/** Old records behind the end of a recycled segment are no tear; records of this log's life are. */
function isTornAt(
  segment: LoadedSegment,
  end: number,
  nextLsn: number,
  survivors: Survivors,
  zeroesEnd: number,
): boolean {
  if (segment.header === undefined || survivors.anyRecord) return true;
  if (segment.header.recycled) return claimedLsn(segment.content, end) === nextLsn;
  return zeroesEnd > end;
}

/** Offset of the last byte at or behind `from` that is not zero, -1 when there is none. */
export function lastNonZero(bytes: Buffer, from: number): number {
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
