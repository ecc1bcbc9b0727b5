/**
 * The strict, incremental parser of RESP requests: arrays of bulk strings, and inline lines. Each
 * connection owns one and feeds it the socket's chunks. Arguments are offsets into the chunk; only
 * the incomplete request at a chunk's end is ever copied, a long argument once. Returned bytes are
 * never written to again, so that a unit may keep a slice. After an error it accepts no more input:
 * once the framing is lost, values could run as commands.
 */
import { Arguments } from '../../../storage/arguments.ts';
import type { RequestLimits } from '../limits.ts';
import { encodeRequest, splitInline } from './inline-request.ts';

const NUL = 0;
const TAB = 9;
const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;
const DOUBLE_QUOTE = 34;
const DOLLAR = 36;
const SINGLE_QUOTE = 39;
const ASTERISK = 42;
const MINUS = 45;
const ZERO = 48;
const NINE = 57;
const UNDERSCORE = 95;

/** Ten digits exceed any limit and are still exact. */
const DIGITS_MAX = 10;
const CARRY_BYTES_MIN = 256;
/** Shorter chunks are copied at once: kept as they are, they would cost more than their bytes. */
const KEPT_CHUNK_BYTES_MIN = 4 * 1024;
const EMPTY = Buffer.alloc(0);

/** Limits before a login, as in Redis. */
const STRANGER_ARGUMENTS_MAX = 10;
const STRANGER_BULK_BYTES_MAX = 16 * 1024;
const STRANGER_BULK = 'unauthenticated bulk length';

export const NEED_MORE = 0;
export const REQUEST = 1;
export const FAILED = 2;
type ParseOutcome = typeof NEED_MORE | typeof REQUEST | typeof FAILED;

/** `#readLength` returns these instead of a position. */
const CUT_OFF = -1;
const INVALID = -2;
const NOT_READ = -1;

export class RequestParser {
  /** The arguments of the request that `next` has found; used again by each call. */
  readonly args = new Arguments();
  /** The request's bytes: `[start, end)` of `buffer`, always a request array. */
  buffer: Buffer = EMPTY;
  start = 0;
  end = 0;
  /** The protocol error, without prefix, after `next` has returned FAILED. */
  error = '';
  /** Requests found so far; empty lines and empty arrays are not counted. */
  requests = 0;

  /** `false`: nobody has logged in, and requests must be short. */
  isTrusted = true;

  readonly #limits: RequestLimits;
  /** The carried-over bytes, then the last chunk; valid up to `#filled`. */
  #input: Buffer = EMPTY;
  #filled = 0;
  /** Chunks behind `#input` that do not complete a long argument: they are copied once, with it. */
  #later: Buffer[] = [];
  #laterBytes = 0;
  /** `#input` is our own buffer and may be filled up to its length. */
  #carrying = false;
  /** First byte of the request that is being read. */
  #begin = 0;
  #position = 0;
  /** Arguments still to come; 0: between requests. */
  #wanted = 0;
  /** Length of the argument whose bytes come next. */
  #bulkLength = NOT_READ;
  /** Where the search for the end of an inline line continues. */
  #searched = 0;
  /** Second result of `#readLength`. */
  #length = 0;
  #failed = false;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /** Bytes that were fed and are not part of a returned request. */
  get unparsedBytes(): number {
    return this.#filled - this.#begin + this.#laterBytes;
  }

  /** Takes ownership of the chunk: its bytes must not change any more. */
  feed(chunk: Buffer): void {
    if (this.#failed || chunk.length === 0) return;
    const tail = this.#filled - this.#begin;
    if (tail === 0) {
      this.#input = chunk;
      this.#filled = chunk.length;
      this.#carrying = false;
      this.#begin = 0;
      this.#position = 0;
      return;
    }
    this.#later.push(chunk);
    this.#laterBytes += chunk.length;
    if (chunk.length < KEPT_CHUNK_BYTES_MIN || !this.#isWithinArgument()) this.#copyLater(tail);
  }

  #isWithinArgument(): boolean {
    const end = this.#position + this.#bulkLength + 2;
    return this.#bulkLength !== NOT_READ && this.#filled + this.#laterBytes < end;
  }

  #copyLater(tail: number): void {
    if (!this.#carrying || this.#filled + this.#laterBytes > this.#input.length) {
      this.#moveTail(tail, this.#laterBytes);
    }
    for (const chunk of this.#later) {
      chunk.copy(this.#input, this.#filled);
      this.#filled += chunk.length;
    }
    this.#later = [];
    this.#laterBytes = 0;
  }

  /**
   * The next request. After REQUEST, `args`, `buffer`, `start` and `end` describe it until the
   * next call; after NEED_MORE, feed; after FAILED, send `error` and close.
   */
  next(): ParseOutcome {
    if (this.#failed) return FAILED;
    if (this.#wanted === 0) {
      const outcome = this.#begins();
      if (outcome !== ARRAY) return outcome;
    }
    const input = this.#input;
    const filled = this.#filled;
    const bulkBytesMax = this.isTrusted
      ? this.#limits.requestBulkBytesMax
      : STRANGER_BULK_BYTES_MAX;
    let at = this.#position;
    let length = this.#bulkLength;
    let wanted = this.#wanted;
    while (wanted > 0) {
      if (length === NOT_READ) {
        if (at >= filled) break;
        if (input[at] !== DOLLAR) return this.#fail(expectedDollar(input[at] as number));
        const next = this.#readLength(at + 1);
        if (next === CUT_OFF) break;
        length = this.#length;
        if (next === INVALID || length < 0 || length > bulkBytesMax) {
          return this.#fail(
            this.#isLongForStranger(length) ? STRANGER_BULK : 'invalid bulk length',
          );
        }
        at = next;
        if (at + length - this.#begin > this.#limits.requestBytesMax) {
          return this.#fail('request exceeds the maximum size');
        }
      }
      const end = at + length;
      if (end + 2 > filled) break;
      if (input[end] !== CARRIAGE_RETURN || input[end + 1] !== NEWLINE) {
        return this.#fail('expected CRLF after a bulk string');
      }
      this.args.push(at, end);
      at = end + 2;
      length = NOT_READ;
      wanted -= 1;
    }
    this.#position = at;
    this.#wanted = wanted;
    this.#bulkLength = length;
    if (wanted > 0) return NEED_MORE;
    this.buffer = input;
    this.start = this.#begin;
    this.end = at;
    this.#begin = at;
    this.requests += 1;
    return REQUEST;
  }

  /** Between requests: reads the array's header, or a whole inline request. */
  #begins(): ParseOutcome | typeof ARRAY {
    for (;;) {
      const at = this.#position;
      if (at >= this.#filled) return NEED_MORE;
      if (this.#input[at] !== ASTERISK) {
        const outcome = this.#inline(at);
        if (outcome !== IGNORED) return outcome;
        continue;
      }
      const next = this.#readLength(at + 1);
      if (next === CUT_OFF) return NEED_MORE;
      if (!this.isTrusted && next !== INVALID && this.#length > STRANGER_ARGUMENTS_MAX) {
        return this.#fail('unauthenticated multibulk length');
      }
      if (next === INVALID || this.#length > this.#limits.argumentsMax) {
        return this.#fail('invalid multibulk length');
      }
      this.#position = next;
      if (this.#length > 0) {
        this.#wanted = this.#length;
        this.#bulkLength = NOT_READ;
        this.args.reset(this.#input);
        return ARRAY;
      }
      this.#begin = next;
    }
  }

  /** Reads one line of words and encodes it as a request array. */
  #inline(begin: number): ParseOutcome | typeof IGNORED {
    const input = this.#input;
    const filled = this.#filled;
    const inlineBytesMax = this.#limits.inlineBytesMax;
    if (!beginsInline(input[begin] as number)) {
      return this.#fail(`expected a command, got '${String.fromCharCode(input[begin] as number)}'`);
    }
    let at = Math.max(begin, this.#searched);
    while (at < filled && input[at] !== NEWLINE) {
      // Text contains no NUL: this is another protocol, or the rest of a lost bulk.
      if (input[at] === NUL) return this.#fail('NUL byte in an inline request');
      at += 1;
    }
    this.#searched = at;
    const cut = at === filled;
    const end = !cut && at > begin && input[at - 1] === CARRIAGE_RETURN ? at - 1 : at;
    if (end - begin > inlineBytesMax) return this.#fail('too big inline request');
    if (cut) return NEED_MORE;
    this.#searched = 0;
    this.#position = at + 1;
    this.#begin = at + 1;
    const words = splitInline(input, begin, end);
    if (words === undefined) return this.#fail('unbalanced quotes in request');
    if (words.length === 0) return IGNORED;
    this.buffer = encodeRequest(words);
    this.start = 0;
    this.end = this.args.next(this.buffer, 0);
    this.requests += 1;
    return REQUEST;
  }

  /**
   * Reads a decimal number and its CRLF at `at` into `#length`; returns the position behind, or
   * CUT_OFF, or INVALID. As strict as Redis' string2ll: no plus, no leading zero, no blank.
   */
  #readLength(at: number): number {
    const input = this.#input;
    const filled = this.#filled;
    const negative = at < filled && input[at] === MINUS;
    const first = negative ? at + 1 : at;
    let p = first;
    let value = 0;
    for (; p < filled; p += 1) {
      const byte = input[p] as number;
      if (byte < ZERO || byte > NINE) break;
      value = value * 10 + byte - ZERO;
      if (p - first === DIGITS_MAX) return INVALID;
    }
    const digits = p - first;
    if (digits > 0 && input[first] === ZERO && (digits > 1 || negative)) return INVALID;
    if (p >= filled) return CUT_OFF;
    if (digits === 0 || input[p] !== CARRIAGE_RETURN) return INVALID;
    if (p + 1 >= filled) return CUT_OFF;
    if (input[p + 1] !== NEWLINE) return INVALID;
    this.#length = negative ? -value : value;
    return p + 2;
  }

  /** Copies the incomplete request into our own buffer, with room for the rest. */
  #moveTail(tail: number, more: number): void {
    // Double the bytes that have arrived; never reserve what a header announces, which would let
    // a client allocate memory with a few bytes.
    const carry = Buffer.allocUnsafe(Math.max(CARRY_BYTES_MIN, 2 * tail, tail + more));
    this.#input.copy(carry, 0, this.#begin, this.#filled);
    const moved = this.#begin;
    const args = this.args;
    if (this.#wanted > 0) {
      const count = args.count;
      args.reset(carry);
      for (let i = 0; i < count; i += 1) {
        const start = args.start(i) - moved;
        args.push(start, start + args.bytes(i));
      }
    }
    this.#input = carry;
    this.#filled = tail;
    this.#carrying = true;
    this.#begin = 0;
    this.#position -= moved;
    this.#searched = Math.max(0, this.#searched - moved);
  }

  #isLongForStranger(length: number): boolean {
    return !this.isTrusted && length > STRANGER_BULK_BYTES_MAX;
  }

  #fail(error: string): typeof FAILED {
    this.#failed = true;
    this.error = `Protocol error: ${error}`;
    this.#input = EMPTY;
    this.#filled = 0;
    this.#later = [];
    this.#laterBytes = 0;
    this.#begin = 0;
    return FAILED;
  }
}

/** Results of the inner steps that `next` never returns. */
const ARRAY = 3;
const IGNORED = 4;

function expectedDollar(byte: number): string {
  return `expected '$', got '${String.fromCharCode(byte)}'`;
}

/**
 * Redis accepts any byte as the start of an inline request and keeps answering "unknown command".
 * Command names begin with a letter; any other byte means that the framing is lost.
 */
function beginsInline(byte: number): boolean {
  const letter = byte | 32;
  return (
    (letter >= 97 && letter <= 122) ||
    byte === SPACE ||
    (byte >= TAB && byte <= CARRIAGE_RETURN) ||
    byte === DOUBLE_QUOTE ||
    byte === SINGLE_QUOTE ||
    byte === UNDERSCORE
  );
}
