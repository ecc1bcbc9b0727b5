/**
 * Segment files: their names and their header. Pure: no file is touched here.
 *
 * A log is a directory of equally large segments:
 *
 *     wal-<first lsn>.seg    part of the log
 *     spare-<first lsn>.seg  was part of the log; its blocks wait to be used again
 *     fresh.seg              being filled with zeroes, to become a segment later
 *
 * Names, not contents, decide what is part of the log. A crash may lose any of several renames:
 * a spare therefore keeps its number, and every segment numbered no higher has retired with it.
 */
import { crc32 } from 'node:zlib';

export const SEGMENT_HEADER_BYTES = 64;
export const SEGMENT_VERSION = 4;
export const LOG_ID_BYTES = 16;
export const FRESH_NAME = 'fresh.seg';

const MAGIC = Buffer.from('HOLOWAL\n', 'latin1');
const FLAG_RECYCLED = 1;
const CRC_OFFSET = 56;

/*
 *     0  magic             8 bytes
 *     8  version           u32
 *    12  flags             u32
 *    16  log id            16 bytes
 *    32  first lsn         u64
 *    40  previous segment's first lsn, u64, 0 for none
 *    48  segment bytes     u64
 *    56  crc32             u32  over everything before it
 *    60  zero              u32
 *
 * Magic, version and checksum stay where they are in every later version.
 */
export interface SegmentHeader {
  readonly logId: Uint8Array;
  readonly firstLsn: number;
  /** First LSN of the segment before this one; 0 for the first of all. */
  readonly previousFirstLsn: number;
  /** Size of the whole file: a shorter file has lost something. */
  readonly segmentBytes: number;
  /** The bytes behind the last record may be older records instead of zeroes. */
  readonly recycled: boolean;
}

type HeaderReading =
  | { readonly kind: 'valid'; readonly header: SegmentHeader }
  | { readonly kind: 'unsupported'; readonly version: number }
  | { readonly kind: 'invalid' };

export function segmentName(firstLsn: number): string {
  return `wal-${String(firstLsn).padStart(16, '0')}.seg`;
}

export function spareName(firstLsn: number): string {
  return `spare-${String(firstLsn).padStart(16, '0')}.seg`;
}

export interface SegmentNames {
  /** First LSNs of the log's segments, ascending. */
  readonly live: readonly number[];
  /** First LSNs of segments whose retirement the disk has partly lost. */
  readonly resurrected: readonly number[];
  /** First LSNs in the names of spares, ascending. */
  readonly spares: readonly number[];
  readonly fresh: boolean;
}

/** Sorts the names in a directory; ignores names of other kinds. */
export function sortNames(names: readonly string[]): SegmentNames {
  const segments: number[] = [];
  const spares: number[] = [];
  for (const name of names) {
    const match = /^(wal|spare)-(\d{16})\.seg$/.exec(name);
    if (match === null) continue;
    (match[1] === 'wal' ? segments : spares).push(Number(match[2]));
  }
  const ascending = (a: number, b: number): number => a - b;
  segments.sort(ascending);
  spares.sort(ascending);
  const retired = spares.at(-1) ?? 0;
  return {
    live: segments.filter((lsn) => lsn > retired),
    resurrected: segments.filter((lsn) => lsn <= retired),
    spares,
    fresh: names.includes(FRESH_NAME),
  };
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.set(MAGIC, 0);
  bytes.writeUInt32LE(SEGMENT_VERSION, 8);
  bytes.writeUInt32LE(header.recycled ? FLAG_RECYCLED : 0, 12);
  bytes.set(header.logId, 16);
  bytes.writeBigUInt64LE(BigInt(header.firstLsn), 32);
  bytes.writeBigUInt64LE(BigInt(header.previousFirstLsn), 40);
  bytes.writeBigUInt64LE(BigInt(header.segmentBytes), 48);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CRC_OFFSET)), CRC_OFFSET);
  return bytes;
}

export function readSegmentHeader(bytes: Buffer): HeaderReading {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) {
    return { kind: 'invalid' };
  }
  if (crc32(bytes.subarray(0, CRC_OFFSET)) !== bytes.readUInt32LE(CRC_OFFSET)) {
    return { kind: 'invalid' };
  }
  const version = bytes.readUInt32LE(8);
  if (version !== SEGMENT_VERSION) return { kind: 'unsupported', version };
  return {
    kind: 'valid',
    header: {
      // A copy: the header outlives the segment's bytes.
      logId: Uint8Array.from(bytes.subarray(16, 16 + LOG_ID_BYTES)),
      firstLsn: Number(bytes.readBigUInt64LE(32)),
      previousFirstLsn: Number(bytes.readBigUInt64LE(40)),
      segmentBytes: Number(bytes.readBigUInt64LE(48)),
      recycled: (bytes.readUInt32LE(12) & FLAG_RECYCLED) !== 0,
    },
  };
}
