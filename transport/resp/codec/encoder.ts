/**
 * Renders replies as RESP2 or RESP3 bytes, thousands per turn. `take` returns the bytes without a
 * copy: slices of a slab whose returned part is never written to again. Replies that outgrow a slab
 * are kept in pieces, long texts by reference; `takePieces` returns them so. It knows no command.
 */

import type { ReplySink } from '../../../storage/commands/reply.ts';
import { writeLatin1 } from '../../../storage/types/latin1.ts';
import { scoreText } from '../../../storage/types/scores.ts';
import { escapeBytes } from '../../escape.ts';
import { LongReply } from './long-reply.ts';

const SLAB_BYTES = 64 * 1024;
/** A full slab with so much in it becomes a piece; with less it is copied to the next one. */
const PIECE_BYTES_MIN = 16 * 1024;
/** Longest text written byte by byte: up to here a call into the runtime costs more. */
const SHORT_BYTES_MAX = 24;
const PRECOMPUTED_MAX = 1024;
/** Type byte, the longest 64-bit integer, CRLF. */
const NUMBER_BYTES_MAX = 24;

const CARRIAGE_RETURN = 13;
const NEWLINE = 10;
const DOLLAR = 36;
const PERCENT = 37;
const ASTERISK = 42;
const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const ZERO = 48;
const COLON = 58;
const EQUALS = 61;
const GREATER = 62;
const TILDE = 126;

/** `<n>\r\n` for small n: the part behind the type byte of integers, lengths and counts. */
const NUMBERS: readonly Uint8Array[] = Array.from({ length: PRECOMPUTED_MAX }, (_, n) =>
  Buffer.from(`${n}\r\n`, 'latin1'),
);

const NIL_BULK = '$-1\r\n';
const NIL_ARRAY = '*-1\r\n';
const NIL_3 = '_\r\n';

export class ReplyWriter implements ReplySink {
  /** May change between two replies (HELLO). */
  protocol: 2 | 3;
  /** Error replies written so far. */
  errors = 0;
  /** The first word of the last one: `ERR`, `WRONGTYPE`. */
  lastErrorCode = '';
  readonly #onError: ((code: string) => void) | undefined;
  /** Bytes that the pieces may keep in memory. */
  keptBytesMax = Number.POSITIVE_INFINITY;
  /** The pieces keep more: further ones are dropped until `cutBack` or `allowMore`. */
  overflowed = false;
  #dropped = 0;
  #slab: Buffer;
  /** The bytes behind the pieces: `[#begin, #at)`. */
  #begin = 0;
  #at = 0;
  #pieces = new LongReply();

  /** `onError` is called with the code of each error that is written. */
  constructor(protocol: 2 | 3, onError?: (code: string) => void) {
    this.protocol = protocol;
    this.#onError = onError;
    this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#pieces.length + this.#dropped + this.#at - this.#begin;
  }

  /** They are in pieces: `take` would copy them. */
  get isLong(): boolean {
    return this.#pieces.length > 0;
  }

  /** All bytes since the last call; they belong to the caller. */
  take(): Uint8Array {
    const bytes = this.#slab.subarray(this.#begin, this.#at);
    this.#begin = this.#at;
    if (this.#pieces.length === 0) return bytes;
    const all = this.#takePieces();
    all.add(bytes);
    return all.next(all.length);
  }

  /** The same without a copy. */
  takePieces(): LongReply {
    this.#endPiece();
    return this.#takePieces();
  }

  /** Drops what was written behind the first `length` bytes. */
  cutBack(length: number): void {
    this.overflowed = false;
    this.#dropped = 0;
    if (length >= this.#pieces.length) {
      this.#at = this.#begin + length - this.#pieces.length;
      return;
    }
    this.#at = this.#begin;
    this.#pieces.cutBack(length);
  }

  /** Goes on after an overflow, up to twice the limit; `false`: something is dropped already. */
  allowMore(): boolean {
    if (this.#dropped > 0 || this.#pieces.keptBytes > 2 * this.keptBytesMax) return false;
    this.overflowed = false;
    return true;
  }

  simple(text: string): void {
    this.#line(PLUS, text);
  }

  /** The line may contain client input: every byte of it is made harmless. */
  error(line: string): void {
    this.errors += 1;
    this.lastErrorCode = errorCodeOf(line);
    this.#onError?.(this.lastErrorCode);
    this.#line(MINUS, escapeBytes(line.replace(/[\r\n]/g, ' ')));
  }

  integer(value: number | bigint): void {
    this.#number(COLON, value);
  }

  bulk(text: string): void {
    const length = text.length;
    const room = length + NUMBER_BYTES_MAX + 2;
    if (this.#at + room > this.#slab.length) {
      if (length >= PIECE_BYTES_MIN) return this.#longBulk(text);
      this.#grow(room);
    }
    this.#number(DOLLAR, length);
    const slab = this.#slab;
    let at = this.#at;
    if (length <= SHORT_BYTES_MAX) {
      for (let i = 0; i < length; i += 1) slab[at + i] = text.charCodeAt(i);
    } else {
      writeLatin1(slab, text, at);
    }
    at += length;
    slab[at] = CARRIAGE_RETURN;
    slab[at + 1] = NEWLINE;
    this.#at = at + 2;
  }

  nil(): void {
    this.#text(this.protocol === 3 ? NIL_3 : NIL_BULK);
  }

  nilArray(): void {
    this.#text(this.protocol === 3 ? NIL_3 : NIL_ARRAY);
  }

  array(length: number): void {
    this.#number(ASTERISK, length);
  }

  map(pairs: number): void {
    if (this.protocol === 3) this.#number(PERCENT, pairs);
    else this.#number(ASTERISK, 2 * pairs);
  }

  set(length: number): void {
    this.#number(this.protocol === 3 ? TILDE : ASTERISK, length);
  }

  pairs(count: number): void {
    this.#number(ASTERISK, this.protocol === 3 ? count : 2 * count);
  }

  pair(): void {
    if (this.protocol === 3) this.#number(ASTERISK, 2);
  }

  keyedMap(entries: number): void {
    this.#number(this.protocol === 3 ? PERCENT : ASTERISK, entries);
  }

  keyed(): void {
    if (this.protocol === 2) this.#number(ASTERISK, 2);
  }

  /** Out-of-band data; RESP2 clients see an array. */
  push(length: number): void {
    this.#number(this.protocol === 3 ? GREATER : ASTERISK, length);
  }

  double(value: number): void {
    const text = scoreText(value);
    if (this.protocol === 3) this.#line(COMMA, text);
    else this.bulk(text);
  }

  boolean(value: boolean): void {
    if (this.protocol === 3) this.#text(value ? '#t\r\n' : '#f\r\n');
    else this.#number(COLON, value ? 1 : 0);
  }

  verbatim(text: string): void {
    if (this.protocol === 2) {
      this.bulk(text);
      return;
    }
    this.#number(EQUALS, text.length + 4);
    this.#text('txt:');
    this.#text(text);
    this.#text('\r\n');
  }

  /** Bytes that are whole replies already. */
  raw(bytes: Uint8Array): void {
    if (this.#at + bytes.length > this.#slab.length) this.#grow(bytes.length);
    this.#slab.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** One line of a reply. A line break would begin another reply, so it becomes a blank. */
  #line(type: number, line: string): void {
    const length = line.length;
    if (this.#at + length + 3 > this.#slab.length) this.#grow(length + 3);
    const slab = this.#slab;
    let at = this.#at;
    slab[at++] = type;
    for (let i = 0; i < length; i += 1) {
      const byte = line.charCodeAt(i);
      slab[at++] = byte === CARRIAGE_RETURN || byte === NEWLINE ? 32 : byte;
    }
    slab[at] = CARRIAGE_RETURN;
    slab[at + 1] = NEWLINE;
    this.#at = at + 2;
  }

  #number(type: number, value: number | bigint): void {
    if (this.#at + NUMBER_BYTES_MAX > this.#slab.length) this.#grow(NUMBER_BYTES_MAX);
    const slab = this.#slab;
    let at = this.#at;
    slab[at++] = type;
    if (typeof value === 'number' && value >= 0 && value < 10 && Number.isInteger(value)) {
      slab[at] = ZERO + value;
      slab[at + 1] = CARRIAGE_RETURN;
      slab[at + 2] = NEWLINE;
      this.#at = at + 3;
      return;
    }
    const known = typeof value === 'number' ? NUMBERS[value] : undefined;
    if (known !== undefined) {
      for (let i = 0; i < known.length; i += 1) slab[at + i] = known[i] as number;
      this.#at = at + known.length;
      return;
    }
    this.#at = at;
    this.#text(integerText(value));
    this.#text('\r\n');
  }

  #text(text: string): void {
    const length = text.length;
    if (this.#at + length > this.#slab.length) this.#grow(length);
    const slab = this.#slab;
    const at = this.#at;
    if (length <= SHORT_BYTES_MAX) {
      for (let i = 0; i < length; i += 1) slab[at + i] = text.charCodeAt(i);
    } else {
      writeLatin1(slab, text, at);
    }
    this.#at = at + length;
  }

  #longBulk(text: string): void {
    this.#number(DOLLAR, text.length);
    this.#endPiece();
    this.#keep(text);
    this.#text('\r\n');
  }

  /** Starts a new slab with room for at least `room` bytes. */
  #grow(room: number): void {
    if (this.#at - this.#begin >= PIECE_BYTES_MIN) this.#endPiece();
    const length = this.#at - this.#begin;
    const slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, length + room));
    this.#slab.copy(slab, 0, this.#begin, this.#at);
    this.#slab = slab;
    this.#begin = 0;
    this.#at = length;
  }

  #endPiece(): void {
    this.#keep(this.#slab.subarray(this.#begin, this.#at));
    this.#begin = this.#at;
  }

  #keep(piece: Uint8Array | string): void {
    if (this.overflowed) {
      this.#dropped += piece.length;
      return;
    }
    this.#pieces.add(piece);
    this.overflowed = this.#pieces.keptBytes > this.keptBytesMax;
  }

  #takePieces(): LongReply {
    const pieces = this.#pieces;
    this.#pieces = new LongReply();
    this.#dropped = 0;
    this.overflowed = false;
    return pieces;
  }
}

function integerText(value: number | bigint): string {
  // From 1e21 on a number would print with an exponent, which is not an integer in RESP.
  return typeof value === 'number' && Math.abs(value) >= 1e21
    ? BigInt(Math.trunc(value)).toString()
    : `${value}`;
}

/** As Redis counts errors: by the first word, and those that have none under ERR. */
function errorCodeOf(line: string): string {
  return /^[A-Z][A-Z0-9]{0,31}(?= |$)/.exec(line)?.[0] ?? 'ERR';
}
