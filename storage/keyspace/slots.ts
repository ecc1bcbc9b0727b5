/**
 * The position of a key: its conflict slot (16 bits) and its place inside the slot (32 bits).
 * Engines store keys, and SCAN walks them, in this 48-bit order, so that a slot is one contiguous
 * piece of every engine. The upper 14 bits of the conflict slot are the key's hash slot in Redis
 * Cluster: keys with the same hash tag stay together, and a range of Redis slots is a range of
 * positions. Pure. All nodes must compute the same values, and always will: cursors and files
 * contain them. Never seed it.
 */

/** Transactions conflict when they share one of these. */
export const CONFLICT_SLOTS = 65_536;
/** Hash slots of Redis Cluster. */
export const REDIS_SLOTS = 16_384;
/** A Redis slot is divided into 2 to this power conflict slots. */
const SLOT_BITS = 2;

const TAG_OPEN = 123;
const TAG_CLOSE = 125;

/** CRC16 (XMODEM) of each byte. */
const CRC = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ ((crc & 0x8000) === 0 ? 0 : 0x1021);
  return crc;
});
/** The same of each byte with a zero behind it: two bytes cost no more steps than one. */
const CRC_BEFORE = CRC.map((crc) => (crc << 8) ^ (CRC[crc >>> 8] as number));

/**
 * Redis takes the lower 14 bits of the checksum for the slot. The two that it drops, of the whole
 * key, spread the keys of one tag over the slot.
 */
function slotOf(tagCrc: number, keyCrc: number): number {
  return ((tagCrc & (REDIS_SLOTS - 1)) << SLOT_BITS) | (keyCrc >>> (16 - SLOT_BITS));
}

function crcOf(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  for (let i = start; i < end; i += 1) {
    crc = ((crc << 8) ^ (CRC[(crc >>> 8) ^ (bytes[i] as number)] as number)) & 0xffff;
  }
  return crc;
}

/** Conflict slot of the key `[start, end)`. */
export function slotOfBytes(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  let i = start;
  for (; i < end - 1; i += 2) {
    const byte = bytes[i] as number;
    const next = bytes[i + 1] as number;
    if (byte === TAG_OPEN || next === TAG_OPEN) return taggedSlot(bytes, start, end);
    crc = (CRC_BEFORE[(crc >>> 8) ^ byte] as number) ^ (CRC[(crc & 0xff) ^ next] as number);
  }
  if (i < end) crc = ((crc << 8) ^ (CRC[(crc >>> 8) ^ (bytes[i] as number)] as number)) & 0xffff;
  return slotOf(crc, crc);
}

/** The same for a byte string (latin1). */
export function slotOfText(key: string): number {
  let crc = 0;
  for (let i = 0; i < key.length; i += 1) {
    const byte = key.charCodeAt(i);
    if (byte === TAG_OPEN) return taggedSlot(Buffer.from(key, 'latin1'), 0, key.length);
    crc = ((crc << 8) ^ (CRC[(crc >>> 8) ^ byte] as number)) & 0xffff;
  }
  return slotOf(crc, crc);
}

/** As in Redis, the tag is what the first `{` and the next `}` enclose, unless that is empty. */
function taggedSlot(bytes: Uint8Array, start: number, end: number): number {
  const crc = crcOf(bytes, start, end);
  const open = bytes.indexOf(TAG_OPEN, start);
  const close = bytes.subarray(0, end).indexOf(TAG_CLOSE, open);
  return slotOf(close > open + 1 ? crcOf(bytes, open + 1, close) : crc, crc);
}

/** Hash slot of a conflict slot in Redis Cluster. */
export function redisSlotOf(slot: number): number {
  return slot >>> SLOT_BITS;
}

/** The first conflict slot of a Redis slot; that of `REDIS_SLOTS` is behind all of them. */
export function firstSlotOf(redisSlot: number): number {
  return redisSlot << SLOT_BITS;
}

/** Positions in hash order run from 0 to `POSITIONS - 1`. */
export const POSITIONS = 2 ** 48;

/** The first position of an interval of Redis slots, and the first one behind it. */
export function positionsOf(slots: { fromSlot: number; toSlot: number }): [number, number] {
  return [positionOf(firstSlotOf(slots.fromSlot), 0), positionOf(firstSlotOf(slots.toSlot), 0)];
}

export function slotOfPosition(position: number): number {
  return Math.floor(position / 0x1_0000_0000);
}

export function positionOf(slot: number, place: number): number {
  return slot * 0x1_0000_0000 + (place >>> 0);
}
