/**
 * The hash of the tables inside a node: HalfSipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast
 * short-input PRF", 2012; the variant that Linux uses for hash tables) under a secret of the
 * process, so that no client can choose keys that share a bucket. Hashes on which nodes must agree
 * are in `slots.ts` and have no key. Pure: the key comes from outside.
 */

import { KEY_BYTES_MAX } from '../limits.ts';
import { writeLatin1 } from '../types/latin1.ts';

/** 64 bits as two words. */
export type TableHashKey = readonly [low: number, high: number];

const V2 = 0x6c796765;
const V3 = 0x74656462;
/** Texts up to this length use a preallocated buffer. */
const TEXT_BYTES = 256;

export class TableHash {
  readonly #low: number;
  readonly #high: number;
  #text = Buffer.alloc(TEXT_BYTES);

  constructor(key: TableHashKey) {
    this.#low = key[0] | 0;
    this.#high = key[1] | 0;
  }

  /** The hash of a byte string (latin1), equal to `ofBytes` over the same bytes. */
  ofText(text: string): number {
    if (text.length > this.#text.length) this.#text = Buffer.alloc(KEY_BYTES_MAX);
    return this.ofBytes(this.#text, 0, writeLatin1(this.#text, text, 0));
  }

  /** The hash of the bytes `[start, end)`: a signed 32-bit integer. */
  ofBytes(data: Uint8Array, start: number, end: number): number {
    let v0 = this.#low;
    let v1 = this.#high;
    let v2 = V2 ^ this.#low;
    let v3 = V3 ^ this.#high;
    const rest = end - ((end - start) & 3);
    for (let at = start; at < rest; at += 4) {
      const word =
        (data[at] as number) |
        ((data[at + 1] as number) << 8) |
        ((data[at + 2] as number) << 16) |
        ((data[at + 3] as number) << 24);
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    let last = (end - start) << 24;
    for (let at = rest; at < end; at += 1) last |= (data[at] as number) << (8 * (at - rest));
    v3 ^= last;
    // The last word, then three rounds to finalize. Unrolled twice: every command runs this.
    for (let round = 0; round < 4; round += 1) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      if (round > 0) continue;
      v0 ^= last;
      v2 ^= 0xff;
    }
    return v1 ^ v3;
  }
}
