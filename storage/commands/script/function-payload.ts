/**
 * The payload of FUNCTION DUMP and FUNCTION RESTORE: the code of all libraries, in the form of
 * Redis (rdb.c), so that each can be restored by the other. Texts are written as they are, and read
 * compressed, too. Pure.
 */
import { crc64 } from './crc64.ts';

/** In front of each library. */
const LIBRARY = 245;
/** Version of the form: that of Redis 7.0, which later ones read. */
const VERSION = 10;
/** The latest whose libraries are written as in `VERSION`. */
const VERSION_MAX = 80;
/** Version, and checksum. */
const FOOTER_BYTES = 10;
/** The two upper bits of a length: one byte, two, or what the lower bits say. */
const SHORT_MAX = 0x40;
const LONG_MAX = 0x4000;
const AS_32_BITS = 0x80;
const AS_64_BITS = 0x81;
const INTEGERS = [0xc0, 0xc1, 0xc2];
const COMPRESSED = 0xc3;
/** Of all libraries, before they are unpacked. */
const UNPACKED_BYTES_MAX = 64 * 1024 * 1024;

/** As a byte string (latin1). */
export function dumpOf(codes: readonly string[]): string {
  const parts = codes.flatMap((code) => [
    Buffer.of(LIBRARY),
    lengthOf(code.length),
    Buffer.from(code, 'latin1'),
  ]);
  const version = Buffer.alloc(2);
  version.writeUInt16LE(VERSION);
  const checked = Buffer.concat([...parts, version]);
  const checksum = Buffer.alloc(8);
  checksum.writeBigUInt64LE(crc64(checked));
  return Buffer.concat([checked, checksum]).toString('latin1');
}

function lengthOf(length: number): Buffer {
  if (length < SHORT_MAX) return Buffer.of(length);
  if (length < LONG_MAX) return Buffer.of(0x40 | (length >> 8), length & 0xff);
  const long = Buffer.alloc(5);
  long[0] = AS_32_BITS;
  long.writeUInt32BE(length, 1);
  return long;
}

/** The code of each library; `undefined`: it is no such payload. */
export function librariesInDump(payload: string): string[] | undefined {
  const bytes = Buffer.from(payload, 'latin1');
  const end = bytes.length - FOOTER_BYTES;
  if (end < 0 || bytes.readUInt16LE(end) > VERSION_MAX) return undefined;
  const checksum = bytes.readBigUInt64LE(end + 2);
  if (checksum !== 0n && checksum !== crc64(bytes.subarray(0, end + 2))) return undefined;
  const reader = new PayloadReader(bytes.subarray(0, end));
  const codes: string[] = [];
  try {
    while (!reader.isAtEnd) {
      if (reader.byte() !== LIBRARY) return undefined;
      codes.push(reader.text());
    }
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  return codes;
}

/** Throws RangeError where the bytes end too early or make no sense. */
class PayloadReader {
  readonly #bytes: Buffer;
  #at = 0;
  #unpacked = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    return this.#take(1)[0] as number;
  }

  text(): string {
    const head = this.byte();
    if (head === COMPRESSED) {
      const packedBytes = this.#length(this.byte());
      const bytes = this.#length(this.byte());
      this.#unpacked += bytes;
      if (this.#unpacked > UNPACKED_BYTES_MAX) throw new RangeError('it is too long');
      return unpacked(this.#take(packedBytes), bytes).toString('latin1');
    }
    const width = INTEGERS.indexOf(head);
    if (width !== -1) {
      const bytes = 2 ** width;
      return String(this.#take(bytes).readIntLE(0, bytes));
    }
    return this.#take(this.#length(head)).toString('latin1');
  }

  #length(head: number): number {
    if (head < 0x40) return head;
    if (head < 0x80) return ((head & 0x3f) << 8) | this.byte();
    if (head === AS_32_BITS) return this.#take(4).readUInt32BE();
    if (head === AS_64_BITS) return Number(this.#take(8).readBigUInt64BE());
    throw new RangeError('it is no length');
  }

  #take(bytes: number): Buffer {
    if (bytes > this.#bytes.length - this.#at) throw new RangeError('it is cut short');
    this.#at += bytes;
    return this.#bytes.subarray(this.#at - bytes, this.#at);
  }
}

/** LZF: literal runs, and references to what came before (lzf_d.c). */
function unpacked(packed: Buffer, bytes: number): Buffer {
  const out = Buffer.alloc(bytes);
  let to = 0;
  let at = 0;
  const next = (): number => {
    const byte = packed[at];
    if (byte === undefined) throw new RangeError('it is cut short');
    at += 1;
    return byte;
  };
  const put = (byte: number): void => {
    if (to === bytes) throw new RangeError('it is longer than it says');
    out[to] = byte;
    to += 1;
  };
  while (at < packed.length) {
    const control = next();
    if (control < 32) {
      for (let left = control + 1; left > 0; left -= 1) put(next());
      continue;
    }
    let length = control >> 5;
    if (length === 7) length += next();
    const from = to - (((control & 0x1f) << 8) | next()) - 1;
    if (from < 0) throw new RangeError('it refers to what is not there');
    for (let i = 0; i < length + 2; i += 1) put(out[from + i] as number);
  }
  if (to !== bytes) throw new RangeError('it is shorter than it says');
  return out;
}
