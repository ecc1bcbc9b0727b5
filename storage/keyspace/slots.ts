/**
 * The position of a key: its conflict slot (16 bits) and its place inside the slot (32 bits).
 * Engines store keys, and SCAN walks them, in this 48-bit order, so that a slot is one contiguous
 * piece of every engine. Pure. All nodes must compute the same values, and always will: cursors and
 * files contain them. Never seed it.
 */

/** Transactions conflict when they share one of these. */
export const CONFLICT_SLOTS = 65_536;

const SLOT_SEED = 0x811c9dc5;
const PLACE_SEED = 0x2f0b4c47;
const FNV_PRIME = 0x01000193;
const PLACE_PRIME = 0x5bd1e995;

/** The finaliser of MurmurHash3: every input bit reaches every output bit. */
function avalanche(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** FNV-1a over the bytes, finalised: a signed 32-bit integer. */
export function hashOfBytes(buffer: Uint8Array, start: number, end: number): number {
  let h = SLOT_SEED;
  for (let i = start; i < end; i++) h = Math.imul(h ^ (buffer[i] as number), FNV_PRIME);
  return avalanche(h);
}

/** `key` is a byte string (latin1); the value is that of `hashOfBytes` over the same bytes. */
export function hashOfText(key: string): number {
  let h = SLOT_SEED;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), FNV_PRIME);
  return avalanche(h);
}

/** A slot is the upper half of a hash; tables use the lower one. */
export function slotOfBytes(buffer: Uint8Array, start: number, end: number): number {
  return hashOfBytes(buffer, start, end) >>> 16;
}

/** The value is that of `slotOfBytes` over the same bytes. */
export function slotOfText(key: string): number {
  return hashOfText(key) >>> 16;
}

/** The place inside the slot as a signed 32-bit integer; its order is that of `place >>> 0`. */
export function placeOfText(key: string): number {
  let h = PLACE_SEED;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), PLACE_PRIME);
  return avalanche(h ^ key.length);
}

/** `placeOfText` over the same bytes. */
export function placeOfBytes(buffer: Uint8Array, start: number, end: number): number {
  let h = PLACE_SEED;
  for (let i = start; i < end; i++) h = Math.imul(h ^ (buffer[i] as number), PLACE_PRIME);
  return avalanche(h ^ (end - start));
}

/** Positions in hash order run from 0 to `POSITIONS - 1`. */
export const POSITIONS = 2 ** 48;

export function positionOf(slot: number, place: number): number {
  return slot * 0x1_0000_0000 + (place >>> 0);
}
