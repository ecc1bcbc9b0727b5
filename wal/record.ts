/**
 * The bytes of a log record. Pure: no file is touched here. `RecordBatch` collects the records of
 * one write, `readRecord` checks and reads one back, `findLaterBatch` looks for survivors behind
 * one that cannot be read.
 *
 *     0  crc32    u32  over everything behind it up to the end of the payload
 *     4  length   u32  payload bytes
 *     8  lsn      u64  consecutive record number, from 1
 *    16  delta    u32  lsn - batchStart
 *    20  store    u16
 *    22  type     u8
 *    23  reserved u8   0
 *    24  payload, then zeroes to a multiple of 8
 *
 * All numbers are little endian. The checksum starts from a seed that only this log knows (it
 * comes from the log's random id): a client could store the image of a record as a value, and an
 * old value may lie where replay looks for a record.
 */
import { crc32 } from 'node:zlib';

export const RECORD_HEADER_BYTES = 24;
/** Records begin at multiples of this, so that a search need not look at every byte. */
const RECORD_ALIGNMENT_BYTES = 8;
/** The largest LSN: 53 bits, which is 285 years at a million records per second. */
export const LSN_MAX = Number.MAX_SAFE_INTEGER;

const TWO_POW_32 = 2 ** 32;
const LSN_HIGH_MAX = 2 ** 21 - 1;
const BATCH_BYTES_INITIAL = 64 * 1024;
/** Shorter parts are copied: cheaper than one more piece of the write. */
const REFERRED_BYTES_MIN = 64 * 1024;

/** The size of a record in the log, in bytes, with header and padding. */
export function recordBytes(payloadBytes: number): number {
  return (
    (RECORD_HEADER_BYTES + payloadBytes + RECORD_ALIGNMENT_BYTES - 1) & -RECORD_ALIGNMENT_BYTES
  );
}

/** The seed of every record checksum of the log with this id. */
export function checksumSeed(logId: Uint8Array): number {
  return crc32(logId);
}

/** A long part, and where in the batch's buffer it belongs. */
interface LongPart {
  readonly at: number;
  readonly part: Uint8Array;
}

/**
 * The records of one write batch, encoded on append into one buffer that grows and is reused. Long
 * payload parts are not copied into it but referred to.
 */
export class RecordBatch {
  readonly #seed: number;
  #buffer: Buffer = Buffer.alloc(0);
  /** Bytes of the buffer in use, */
  #used = 0;
  /** and those of the batch. */
  #bytes = 0;
  #longParts: LongPart[] = [];
  #firstLsn = 0;
  #records = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get capacityBytes(): number {
    return this.#buffer.length;
  }

  get lastLsn(): number {
    return this.#firstLsn + this.#records - 1;
  }

  /** Empties the batch; its next record gets `firstLsn`. */
  begin(firstLsn: number): void {
    this.#used = 0;
    this.#bytes = 0;
    this.#longParts = [];
    this.#records = 0;
    this.#firstLsn = firstLsn;
  }

  /**
   * `payloadBytes` is the sum of the parts' lengths. Returns the record's LSN. The parts must not
   * change until the batch is written.
   */
  append(store: number, type: number, parts: readonly Uint8Array[], payloadBytes: number): number {
    const bytes = recordBytes(payloadBytes);
    let copiedBytes = bytes;
    for (const { length } of parts) if (length >= REFERRED_BYTES_MIN) copiedBytes -= length;
    const start = this.#used;
    const end = start + copiedBytes;
    if (end > this.#buffer.length) this.#grow(end);
    const buffer = this.#buffer;
    const delta = this.#records;
    const lsn = this.#firstLsn + delta;
    // The padding lies within the last eight bytes; header and payload overwrite the rest of them.
    buffer.writeUInt32LE(0, end - 8);
    buffer.writeUInt32LE(0, end - 4);
    buffer.writeUInt32LE(payloadBytes, start + 4);
    buffer.writeUInt32LE(lsn % TWO_POW_32, start + 8);
    buffer.writeUInt32LE(Math.floor(lsn / TWO_POW_32), start + 12);
    buffer.writeUInt32LE(delta, start + 16);
    buffer.writeUInt16LE(store, start + 20);
    buffer.writeUInt16LE(type, start + 22);
    let at = start + RECORD_HEADER_BYTES;
    let checked = start + 4;
    let checksum = this.#seed;
    for (const part of parts) {
      if (part.length < REFERRED_BYTES_MIN) {
        buffer.set(part, at);
        at += part.length;
      } else {
        checksum = crc32(part, crc32(buffer.subarray(checked, at), checksum));
        checked = at;
        this.#longParts.push({ at, part });
      }
    }
    if (at > checked) checksum = crc32(buffer.subarray(checked, at), checksum);
    buffer.writeUInt32LE(checksum, start);
    this.#used = end;
    this.#bytes += bytes;
    this.#records = delta + 1;
    return lsn;
  }

  /** The encoded records, piece by piece; valid until the next `append` or `begin`. */
  content(): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let from = 0;
    for (const { at, part } of this.#longParts) {
      // Two long parts may follow one another.
      if (at > from) pieces.push(this.#buffer.subarray(from, at));
      pieces.push(part);
      from = at;
    }
    if (this.#used > from) pieces.push(this.#buffer.subarray(from, this.#used));
    return pieces;
  }

  #grow(bytesWanted: number): void {
    const doubled = Math.max(BATCH_BYTES_INITIAL, this.#buffer.length * 2);
    const grown = Buffer.allocUnsafeSlow(Math.max(doubled, bytesWanted));
    grown.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = grown;
  }
}

/** The result of `readRecord`; one object serves a whole replay. */
export interface RecordView {
  lsn: number;
  /** LSN of the first record of the write that this record was part of. */
  batchStart: number;
  store: number;
  type: number;
  payloadStart: number;
  payloadEnd: number;
  /** Offset of the next record. */
  next: number;
}

export function emptyRecordView(): RecordView {
  return { lsn: 0, batchStart: 0, store: 0, type: 0, payloadStart: 0, payloadEnd: 0, next: 0 };
}

/** The LSN that the bytes at `offset` claim, checked by nothing; 0 when they cannot be a record. */
export function claimedLsn(bytes: Buffer, offset: number): number {
  if (offset + RECORD_HEADER_BYTES > bytes.length) return 0;
  const high = bytes.readUInt32LE(offset + 12);
  return high > LSN_HIGH_MAX ? 0 : high * TWO_POW_32 + bytes.readUInt32LE(offset + 8);
}

/** Reads the record at `offset` into `view`. False when there is no valid record. */
export function readRecord(bytes: Buffer, offset: number, seed: number, view: RecordView): boolean {
  const lsn = claimedLsn(bytes, offset);
  if (lsn === 0) return false;
  const length = bytes.readUInt32LE(offset + 4);
  const payloadStart = offset + RECORD_HEADER_BYTES;
  if (length > bytes.length - payloadStart) return false;
  const delta = bytes.readUInt32LE(offset + 16);
  if (delta >= lsn || bytes.readUInt8(offset + 23) !== 0) return false;
  const payloadEnd = payloadStart + length;
  const checksum = crc32(bytes.subarray(offset + 4, payloadEnd), seed);
  if (checksum !== bytes.readUInt32LE(offset)) return false;
  view.lsn = lsn;
  view.batchStart = lsn - delta;
  view.store = bytes.readUInt16LE(offset + 20);
  view.type = bytes.readUInt8(offset + 22);
  view.payloadStart = payloadStart;
  view.payloadEnd = payloadEnd;
  view.next = offset + recordBytes(length);
  return true;
}

/** Readable records after an unreadable one. */
export interface Survivors {
  /** Offset of a valid record of a later batch, -1 when there is none. */
  laterBatchAt: number;
  /** A valid record with an LSN of at least `lsn` was seen, in whatever batch. */
  anyRecord: boolean;
}

/**
 * Searches `[offset, end of bytes)` for a valid record whose batch began after `lsn`. A batch is
 * written only when the one before it is durable, so such a record proves that the record `lsn`
 * was durable once. Records below `lsn` are leftovers of a recycled segment and prove nothing. Only
 * zeroes lie behind `zeroesFrom`, where no record begins.
 */
export function findLaterBatch(
  bytes: Buffer,
  offset: number,
  lsn: number,
  seed: number,
  zeroesFrom = bytes.length,
): Survivors {
  const view = emptyRecordView();
  // No record behind `offset` can have a higher number than if all were empty.
  const lsnMax = lsn + Math.ceil((bytes.length - offset) / RECORD_HEADER_BYTES);
  const end = Math.min(zeroesFrom, bytes.length - RECORD_HEADER_BYTES + 1);
  let anyRecord = false;
  for (let at = offset; at < end; at += RECORD_ALIGNMENT_BYTES) {
    const claimed = claimedLsn(bytes, at);
    if (claimed < lsn || claimed > lsnMax || !readRecord(bytes, at, seed, view)) continue;
    anyRecord = true;
    if (view.batchStart > lsn) return { laterBatchAt: at, anyRecord };
    at = view.next - RECORD_ALIGNMENT_BYTES;
  }
  return { laterBatchAt: -1, anyRecord };
}
