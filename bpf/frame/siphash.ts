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
  for (let i = 0; i < 4; i += 1) key[i] = word(bytes, i * 4);
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

/** v0 to v3, each as its low and its high half; scratch of the hash that is being computed. */
const STATE = new Int32Array(8);
const LAST_BLOCK = new Uint8Array(8);
const ZERO_BLOCK = new Uint8Array(8);

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
  const hasGap = gapStart >= 0 && gapStart < end;
  const firstEnd = hasGap ? gapStart : end;
  const secondStart = hasGap ? Math.min(gapEnd, end) : end;
  const length = firstEnd + end - secondStart;
  STATE[0] = (key[0] as number) ^ 0x70736575;
  STATE[1] = (key[1] as number) ^ 0x736f6d65;
  STATE[2] = (key[2] as number) ^ 0x6e646f6d;
  STATE[3] = (key[3] as number) ^ 0x646f7261;
  STATE[4] = (key[0] as number) ^ 0x6e657261;
  STATE[5] = (key[1] as number) ^ 0x6c796765;
  STATE[6] = (key[2] as number) ^ 0x79746573;
  STATE[7] = (key[3] as number) ^ 0x74656462;
  compress(data, 0, firstEnd >>> 3, 2);
  compress(data, secondStart, (end - secondStart) >>> 3, 2);
  const rest = length & 7;
  for (let i = 0; i < 7; i += 1) LAST_BLOCK[i] = i < rest ? (data[end - rest + i] as number) : 0;
  LAST_BLOCK[7] = length;
  compress(LAST_BLOCK, 0, 1, 2);
  STATE[4] = (STATE[4] as number) ^ 0xff;
  compress(ZERO_BLOCK, 0, 1, 4);
  out[0] = folded(0);
  out[1] = folded(1);
}

function folded(half: number): number {
  const v01 = (STATE[half] as number) ^ (STATE[half + 2] as number);
  return v01 ^ (STATE[half + 4] as number) ^ (STATE[half + 6] as number);
}

/** Mixes blocks of eight bytes into the state. */
function compress(data: Uint8Array, from: number, blocks: number, rounds: number): void {
  let v0l = STATE[0] as number;
  let v0h = STATE[1] as number;
  let v1l = STATE[2] as number;
  let v1h = STATE[3] as number;
  let v2l = STATE[4] as number;
  let v2h = STATE[5] as number;
  let v3l = STATE[6] as number;
  let v3h = STATE[7] as number;
  const end = from + blocks * 8;
  for (let at = from; at < end; at += 8) {
    const ml = word(data, at);
    const mh = word(data, at + 4);
    v3l ^= ml;
    v3h ^= mh;
    for (let round = 0; round < rounds; round += 1) {
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
  STATE[0] = v0l;
  STATE[1] = v0h;
  STATE[2] = v1l;
  STATE[3] = v1h;
  STATE[4] = v2l;
  STATE[5] = v2h;
  STATE[6] = v3l;
  STATE[7] = v3h;
}
