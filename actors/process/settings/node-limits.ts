/**
 * The sizes of a node that depend on each other, checked and derived together. Pure.
 *
 *   frame of a peer link        FRAME_BYTES_MAX: a constant, since every member must take it
 *   ├─ transaction              3/4 of a frame; the rest is for conflict slots, deps and envelope
 *   │  ├─ request, MULTI block  at most a transaction
 *   │  │  └─ one argument       2/3 of a request
 *   │  └─ batch                 at most 3/4 of a log segment, so that segments can be recycled
 *   └─ log record               two frames: what one frame brought, and the deps added to it
 *      └─ log buffer            two records
 *
 * A record may be larger than a segment (the log then makes a larger one): members with other
 * segment sizes, and deps that grow while a member is away, must never end a node.
 */
import { ConfigError, formatSize, GIB, KIB, MIB } from './settings.ts';

const FRAME_BYTES_MAX = 64 * MIB;
const TRANSACTION_BYTES_MAX = (FRAME_BYTES_MAX * 3) / 4;
const BATCH_BYTES_DEFAULT = MIB;
const LOG_BYTES_MIN = 16 * GIB;
/** A retained transaction has its commands in the log once, and some records about them. */
const LOG_BYTES_PER_RETAINED = 4;
/** Log segments are a whole number of these. */
const SEGMENT_UNIT_BYTES = 4 * KIB;

export interface NodeSizes {
  readonly frameBytesMax: number;
  readonly transactionBytesMax: number;
  readonly argumentBytesMax: number;
  readonly recordBytesMax: number;
  readonly logBufferBytesMax: number;
  readonly segmentBytes: number;
  readonly batchBytesMax: number;
}

/**
 * `batchBytesMax` 0: not given, so it is derived.
 *
 * @throws ConfigError that names the flags which do not go together.
 */
export function nodeSizes(segmentBytes: number, batchBytesMax: number): NodeSizes {
  if (segmentBytes % SEGMENT_UNIT_BYTES !== 0) {
    throw new ConfigError(
      `--segment-bytes must be a multiple of ${formatSize(SEGMENT_UNIT_BYTES)}, ` +
        `not ${segmentBytes} bytes`,
    );
  }
  const fits = Math.floor((segmentBytes * 3) / 4);
  if (batchBytesMax > fits) {
    throw new ConfigError(
      `--batch-bytes-max ${formatSize(batchBytesMax)} does not fit --segment-bytes ` +
        `${formatSize(segmentBytes)}: a batch is at most three quarters of a segment ` +
        `(${formatSize(fits)}); give a smaller batch, a larger segment, or no batch size`,
    );
  }
  return {
    frameBytesMax: FRAME_BYTES_MAX,
    transactionBytesMax: TRANSACTION_BYTES_MAX,
    argumentBytesMax: (TRANSACTION_BYTES_MAX * 2) / 3,
    recordBytesMax: 2 * FRAME_BYTES_MAX,
    logBufferBytesMax: 4 * FRAME_BYTES_MAX,
    segmentBytes,
    batchBytesMax: batchBytesMax === 0 ? Math.min(BATCH_BYTES_DEFAULT, fits) : batchBytesMax,
  };
}

/**
 * How far the log may grow. A log at this bound takes no record, also none that would let it be
 * cut: what is retained for members that are away must end well before it.
 */
export function logBytesMaxFor(retainedBytesMax: number): number {
  return Math.max(LOG_BYTES_MIN, LOG_BYTES_PER_RETAINED * retainedBytesMax);
}
