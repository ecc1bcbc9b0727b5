/**
 * A view of one command inside a buffer of RESP2 request arrays. One object is reused for every
 * command of a body, so that executing a command allocates only the texts it keeps. The executor
 * fills it with `next` (bytes that the gateway has validated), the gateway's strict parser with
 * `reset` and `push`. It never copies the buffer and never checks a length twice.
 */

import { headBytes, SETTINGS_HEAD } from './body-settings.ts';
import { slotOfBytes } from './keyspace/slots.ts';
import type { TableHash } from './keyspace/table-hash.ts';
import { ARGUMENTS_MAX } from './limits.ts';
import { databaseOfHead, isUnitHead, UNIT_HEAD, UNIT_HEAD_IN } from './transaction-body.ts';
import { readLatin1 } from './types/latin1.ts';
import { SHORT_TEXT_BYTES_MAX, shortText } from './types/short-text.ts';

const ASTERISK = 42;
const ZERO = 48;
const NAMES = 512;
const NAME_BYTES_MAX = 32;
const EMPTY = Buffer.alloc(0);

/** Known upper-cased names, by hash: a known name costs no new string. */
const names: (string | undefined)[] = new Array<string | undefined>(NAMES).fill(undefined);

export class Arguments {
  /** Number of arguments, the command's name included. */
  count = 0;
  /** Bytes of the longest argument: one comparison shows that no key is too long. */
  longest = 0;
  /** The command is the first of a unit (set by `next` only). */
  startsUnit = false;
  /** The command is the only one of its unit (set by `next` only). */
  isAlone = false;
  /** The database that the command is for (changed by `next` only). */
  database = 0;
  #buffer: Buffer = EMPTY;
  #source: Uint8Array = EMPTY;
  #bounds = new Int32Array(2 * 16);

  /** Sets the buffer of the following `push` calls, with no argument yet. */
  reset(buffer: Uint8Array): void {
    if (buffer !== this.#source) this.#attach(buffer);
    this.count = 0;
    this.longest = 0;
  }

  /** Adds the argument `[start, end)`. Throws RangeError past `ARGUMENTS_MAX`. */
  push(start: number, end: number): void {
    const at = this.count * 2;
    if (at === this.#bounds.length) this.#grow(this.count + 1);
    this.#bounds[at] = start;
    this.#bounds[at + 1] = end;
    this.count += 1;
    if (end - start > this.longest) this.longest = end - start;
  }

  /**
   * Reads the command at `offset` and returns the offset behind it. The bytes are trusted: it only
   * checks, and throws, so that a torn body is never executed. The first of them is for database 0
   * unless it names another one; the settings in front of it are passed over.
   */
  next(buffer: Uint8Array, from: number): number {
    if (buffer !== this.#source) this.#attach(buffer);
    this.startsUnit = false;
    if (from === 0) this.database = 0;
    const offset = buffer[from] === SETTINGS_HEAD && from === 0 ? headBytes(buffer) : from;
    const head = buffer[offset];
    if (head !== ASTERISK) this.#beginAt(head as number, offset);
    let at = offset + 1;
    let digit = buffer[at++] as number;
    let count = 0;
    // Stops at the end of the line or of the buffer.
    while (digit >= ZERO) {
      count = count * 10 + digit - ZERO;
      digit = buffer[at++] as number;
    }
    at += 1;
    if (count * 2 > this.#bounds.length) this.#grow(count);
    const bounds = this.#bounds;
    let longest = 0;
    for (let i = 0; i < count; i += 1) {
      at += 1;
      let length = 0;
      digit = buffer[at++] as number;
      while (digit >= ZERO) {
        length = length * 10 + digit - ZERO;
        digit = buffer[at++] as number;
      }
      at += 1;
      bounds[2 * i] = at;
      at += length;
      bounds[2 * i + 1] = at;
      at += 2;
      if (length > longest) longest = length;
    }
    if (count < 1 || at > buffer.length) {
      throw new Error(`the command at byte ${offset} is truncated`);
    }
    this.isAlone = this.startsUnit && (at === buffer.length || isUnitHead(buffer[at]));
    this.count = count;
    this.longest = longest;
    return at;
  }

  /** Argument `i` as a byte string (latin1); every call makes a new one. */
  text(i: number): string {
    const start = this.#bounds[2 * i] as number;
    const end = this.#bounds[2 * i + 1] as number;
    return end - start <= SHORT_TEXT_BYTES_MAX
      ? shortText(this.#buffer, start, end - start)
      : readLatin1(this.#buffer, start, end);
  }

  /** The first bytes of argument `i`, at most so many, as text (latin1). */
  head(i: number, bytesMax: number): string {
    const start = this.#bounds[2 * i] as number;
    const end = this.#bounds[2 * i + 1] as number;
    return readLatin1(this.#buffer, start, Math.min(end, start + bytesMax));
  }

  /** Bytes of argument `i`. */
  bytes(i: number): number {
    return (this.#bounds[2 * i + 1] as number) - (this.#bounds[2 * i] as number);
  }

  /** The offset of argument `i` in the buffer. */
  start(i: number): number {
    return this.#bounds[2 * i] as number;
  }

  /** The hash of argument `i` as a key, for tables of this process. */
  tableHash(i: number, hash: TableHash): number {
    return hash.ofBytes(
      this.#buffer,
      this.#bounds[2 * i] as number,
      this.#bounds[2 * i + 1] as number,
    );
  }

  /** The conflict slot of argument `i` as a key. */
  slot(i: number): number {
    return slotOfBytes(
      this.#buffer,
      this.#bounds[2 * i] as number,
      this.#bounds[2 * i + 1] as number,
    );
  }

  /** Whether argument `i` is this byte string. */
  equals(i: number, text: string): boolean {
    const start = this.#bounds[2 * i] as number;
    const length = text.length;
    if ((this.#bounds[2 * i + 1] as number) - start !== length) return false;
    const buffer = this.#buffer;
    for (let at = 0; at < length; at += 1) {
      if (buffer[start + at] !== text.charCodeAt(at)) return false;
    }
    return true;
  }

  /** The command's name, upper-cased (ASCII letters only); the same string for the same name. */
  get name(): string {
    const buffer = this.#buffer;
    const start = this.#bounds[0] as number;
    const length = (this.#bounds[1] as number) - start;
    let hash = length;
    for (let i = 0; i < length; i += 1) {
      hash = (Math.imul(hash, 31) + ((buffer[start + i] as number) & 0xdf)) | 0;
    }
    const at = (hash ^ (hash >>> 9)) & (NAMES - 1);
    const known = names[at];
    if (known !== undefined && known.length === length && isName(buffer, start, known)) {
      return known;
    }
    const name = upperCase(this.text(0));
    if (length <= NAME_BYTES_MAX) names[at] = name;
    return name;
  }

  /** Whether argument `i` is this word in any case; `word` is in upper case. */
  is(i: number, word: string): boolean {
    return this.bytes(i) === word.length && isName(this.#buffer, this.start(i), word);
  }

  /** A head that says more than `*`. */
  #beginAt(head: number, offset: number): void {
    const database = head === UNIT_HEAD ? 0 : databaseOfHead(head);
    if (database === undefined) throw new Error(`no command begins at byte ${offset}`);
    this.startsUnit = head === UNIT_HEAD || head >= UNIT_HEAD_IN;
    this.database = database;
  }

  #attach(buffer: Uint8Array): void {
    this.#source = buffer;
    this.#buffer = Buffer.isBuffer(buffer)
      ? buffer
      : Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }

  #grow(count: number): void {
    if (count > ARGUMENTS_MAX) throw new RangeError(`more than ${ARGUMENTS_MAX} arguments`);
    let capacity = this.#bounds.length;
    while (capacity < 2 * count) capacity *= 2;
    const bounds = new Int32Array(capacity);
    bounds.set(this.#bounds);
    this.#bounds = bounds;
  }
}

const probe = new Arguments();

/** Whether `next` reads the bytes to their end, command by command. */
export function isCommandBody(bytes: Uint8Array): boolean {
  try {
    for (let at = 0; at < bytes.length; ) at = probe.next(bytes, at);
  } catch {
    return false;
  } finally {
    probe.reset(EMPTY);
  }
  return true;
}

/** Changes ASCII letters only: the other bytes have no case. */
export function upperCase(text: string): string {
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

function isName(buffer: Uint8Array, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i += 1) {
    let byte = buffer[start + i] as number;
    if (byte >= 97 && byte <= 122) byte -= 32;
    if (byte !== name.charCodeAt(i)) return false;
  }
  return true;
}
