/**
 * The options of a log with their defaults and limits, checked once when the log is opened.
 */
import { LOG_ID_BYTES, SEGMENT_HEADER_BYTES } from './segment.ts';
import { WalError } from './wal-error.ts';

const MIB = 1024 * 1024;
const SEGMENT_BYTES_MAX = 1024 * MIB;
const SEGMENT_UNIT_BYTES = 4096;

export interface WalOptions {
  /** 16 random bytes, used when the log is made; an existing log keeps its id. */
  readonly newLogId: Uint8Array;
  /** Size of a segment file. Default 16 MiB. */
  readonly segmentBytes?: number;
  /** A write is closed at this size; only a single larger record exceeds it. Default 4 MiB. */
  readonly batchBytesMax?: number;
  /**
   * Largest record, header included. Default: what fits into a segment. A larger one gets a segment
   * of its own size.
   */
  readonly recordBytesMax?: number;
  /** Bytes appended and not yet durable. Default 64 MiB. */
  readonly pendingBytesMax?: number;
  /** `commit` calls waiting. Default 4096. */
  readonly commitsWaitingMax?: number;
  /** Retired segments kept for later: a burst then needs fewer new ones. Default 4. */
  readonly sparesMax?: number;
  /** Size of all segments; a log of this size behaves as on a full disk. Default 16 GiB. */
  readonly logBytesMax?: number;
  /**
   * Called when a segment has begun and before segments retire, with the first LSNs of the oldest
   * and the newest segment and the durable LSN. If it throws, no segment retires.
   */
  readonly onSegments?: (firstSegment: number, lastSegment: number, durableLsn: number) => void;
}

/** The options with defaults filled in. */
export type WalLimits = Required<Omit<WalOptions, 'newLogId' | 'onSegments'>>;

/** @throws {WalError} HOLO_WAL_BAD_OPTION */
export function checkOptions(options: WalOptions): WalLimits {
  const segmentBytes = options.segmentBytes ?? 16 * MIB;
  const roomBytes = segmentBytes - SEGMENT_HEADER_BYTES;
  const limits: WalLimits = {
    segmentBytes,
    batchBytesMax: options.batchBytesMax ?? Math.min(4 * MIB, Math.floor(roomBytes / 4)),
    recordBytesMax: options.recordBytesMax ?? roomBytes,
    pendingBytesMax: options.pendingBytesMax ?? Math.max(64 * MIB, segmentBytes),
    commitsWaitingMax: options.commitsWaitingMax ?? 4096,
    sparesMax: options.sparesMax ?? 4,
    logBytesMax: options.logBytesMax ?? 16 * 1024 * MIB,
  };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 0) throw badOption(`${name} is ${value}`);
  }
  if (options.newLogId.length !== LOG_ID_BYTES) {
    throw badOption(`newLogId has ${options.newLogId.length} bytes, not ${LOG_ID_BYTES}`);
  }
  if (
    segmentBytes % SEGMENT_UNIT_BYTES !== 0 ||
    segmentBytes === 0 ||
    segmentBytes > SEGMENT_BYTES_MAX
  ) {
    throw badOption(`segmentBytes is ${segmentBytes}, not a multiple of 4096 up to 1 GiB`);
  }
  if (limits.batchBytesMax > roomBytes) throw badOption('batchBytesMax must fit into a segment');
  const largestBytes = segmentBytesFor(limits, limits.recordBytesMax);
  if (largestBytes > SEGMENT_BYTES_MAX) {
    throw badOption('recordBytesMax must fit into the largest possible segment (1 GiB)');
  }
  if (limits.pendingBytesMax < limits.recordBytesMax) {
    throw badOption('pendingBytesMax must hold at least one record of recordBytesMax');
  }
  if (limits.logBytesMax < segmentBytes + largestBytes) {
    throw badOption('logBytesMax must hold at least two segments, one with the largest record');
  }
  return limits;
}

/** Size of a segment whose first write has this many bytes. */
export function segmentBytesFor(
  { segmentBytes }: Pick<WalLimits, 'segmentBytes'>,
  writeBytes: number,
): number {
  const neededBytes = SEGMENT_HEADER_BYTES + writeBytes;
  return Math.max(segmentBytes, Math.ceil(neededBytes / SEGMENT_UNIT_BYTES) * SEGMENT_UNIT_BYTES);
}

function badOption(what: string): WalError {
  return new WalError('HOLO_WAL_BAD_OPTION', `write-ahead log: ${what}`);
}
