/**
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012) in 32-bit halves, for
 * the tags of frames. Twin of siphash.h; the kernel computes the same. Our own because it reads a
 * frame in place around its tag, allocates nothing, and runs once per frame. Pure.
 */

export const SIP_KEY_BYTES = 16;

/** The key as four little-endian words. */
export type SipKey = Uint32Array;

/** Throws RangeError unless there are exactly 16 bytes. */
export function sipKey(bytes: Uint8Array): SipKey {
  if (bytes.length !== SIP_KEY_BYTES) {
    throw new RangeError(`a SipHash key has ${SIP_KEY_BYTES} bytes, not ${bytes.length}`);
  }
  const key = new Uint32Array(4);
  for (let i = 0; i < 4; i++) key[i] = word(bytes, i * 4);
  return key;
}

function word(data: Uint8Array, at: number): number {
  return (
    (data[at] as number) |
    ((data[at + 1] as number) << 8) |
    ((data[at + 2] as number) << 16) |
    ((data[at + 3] as number) << 24)
  );
}

/** Like `word`, with zeroes for what lies past `end`. */
function partialWord(data: Uint8Array, at: number, end: number): number {
  let result = 0;
  for (let i = 0; i < 4 && at + i < end; i++) result |= (data[at + i] as number) << (8 * i);
  return result;
}

/**
 * Hashes `data[0, end)` and leaves the low and the high half in `out`. The bytes
 * `[gapStart, gapEnd)` are left out; both must be multiples of eight.
 */
export function sipHash24(
  key: SipKey,
  data: Uint8Array,
  out: Uint32Array,
  end: number = data.length,
  gapStart = -1,
  gapEnd = -1,
): void {
  const gap = gapStart >= 0 && gapStart < end ? Math.min(gapEnd, end) - gapStart : 0;
  const length = end - gap;
  const words = length >>> 3;
  let v0l = (key[0] as number) ^ 0x70736575;
  let v0h = (key[1] as number) ^ 0x736f6d65;
  let v1l = (key[2] as number) ^ 0x6e646f6d;
  let v1h = (key[3] as number) ^ 0x646f7261;
  let v2l = (key[0] as number) ^ 0x6e657261;
  let v2h = (key[1] as number) ^ 0x6c796765;
  let v3l = (key[2] as number) ^ 0x79746573;
  let v3h = (key[3] as number) ^ 0x74656462;
  let at = 0;
  // One pass per full word, one for the last word (rest and length), one for the finalization:
  // so the round stands here once.
  for (let pass = 0; pass <= words + 1; pass++) {
    let ml = 0;
    let mh = 0;
    let rounds = 2;
    if (at === gapStart) at = gapEnd;
    if (pass < words) {
      ml = word(data, at);
      mh = word(data, at + 4);
      at += 8;
    } else if (pass === words) {
      ml = partialWord(data, at, end);
      mh = partialWord(data, at + 4, end) | (length << 24);
    } else {
      v2l ^= 0xff;
      rounds = 4;
    }
    v3l ^= ml;
    v3h ^= mh;
    for (let round = 0; round < rounds; round++) {
      let t = 0;
      v0l = (v0l + v1l) | 0;
      v0h = (v0h + v1h + (v0l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0;
      t = (v1l << 13) | (v1h >>> 19);
      v1h = (v1h << 13) | (v1l >>> 19);
      v1l = t ^ v0l;
      v1h ^= v0h;
      t = v0l;
      v0l = v0h;
      v0h = t;
      v2l = (v2l + v3l) | 0;
      v2h = (v2h + v3h + (v2l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0;
      t = (v3l << 16) | (v3h >>> 16);
      v3h = (v3h << 16) | (v3l >>> 16);
      v3l = t ^ v2l;
      v3h ^= v2h;
      v0l = (v0l + v3l) | 0;
      v0h = (v0h + v3h + (v0l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0;
      t = (v3l << 21) | (v3h >>> 11);
      v3h = (v3h << 21) | (v3l >>> 11);
      v3l = t ^ v0l;
      v3h ^= v0h;
      v2l = (v2l + v1l) | 0;
      v2h = (v2h + v1h + (v2l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0;
      t = (v1l << 17) | (v1h >>> 15);
      v1h = (v1h << 17) | (v1l >>> 15);
      v1l = t ^ v2l;
      v1h ^= v2h;
      t = v2l;
      v2l = v2h;
      v2h = t;
    }
    v0l ^= ml;
    v0h ^= mh;
  }
  out[0] = v0l ^ v1l ^ v2l ^ v3l;
  out[1] = v0h ^ v1h ^ v2h ^ v3h;
}
