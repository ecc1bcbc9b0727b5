/**
 * Ids of the entries of streams: 16 bytes (latin1), big endian, milliseconds u64 and sequence u64.
 * So the order of ids is that of their texts, and an id is the name of a row as it is. Pure.
 */
import { parseUnsigned } from '../integers.ts';
import { readLatin1 } from '../latin1.ts';

export type StreamId = string;

export const ID_BYTES = 16;
const HALF_BYTES = 8;
const WORD = 2 ** 32;
const U64_MAX = 2n ** 64n - 1n;
/** Milliseconds above are handled as BigInt. */
const EXACT_HIGH_MAX = 2 ** 20;
/** Redis refuses longer texts. */
const TEXT_CHARACTERS_MAX = 127;

export const ID_MIN: StreamId = '\0'.repeat(ID_BYTES);
export const ID_MAX: StreamId = '\xff'.repeat(ID_BYTES);

const bytes = Buffer.alloc(ID_BYTES);

function writeHalf(value: number | bigint, at: number): void {
  if (typeof value === 'bigint') {
    bytes.writeBigUInt64BE(value, at);
    return;
  }
  bytes.writeUInt32BE(Math.floor(value / WORD), at);
  bytes.writeUInt32BE(value % WORD, at + 4);
}

/** Each below 2^64; a number only where it is a safe integer. */
export function streamId(ms: number | bigint, sequence: number | bigint): StreamId {
  writeHalf(ms, 0);
  writeHalf(sequence, HALF_BYTES);
  return readLatin1(bytes, 0, ID_BYTES);
}

function wordAt(id: StreamId, at: number): number {
  return (
    id.charCodeAt(at) * 2 ** 24 +
    ((id.charCodeAt(at + 1) << 16) | (id.charCodeAt(at + 2) << 8) | id.charCodeAt(at + 3))
  );
}

function halfOf(id: StreamId, at: number): number | bigint {
  const high = wordAt(id, at);
  const low = wordAt(id, at + 4);
  return high < EXACT_HIGH_MAX ? high * WORD + low : (BigInt(high) << 32n) | BigInt(low);
}

/** A number where it is below 2^52. */
export function msOf(id: StreamId): number | bigint {
  return halfOf(id, 0);
}

/** The same. */
export function sequenceOf(id: StreamId): number | bigint {
  return halfOf(id, HALF_BYTES);
}

/** The same id as a string of its own. */
export function flatId(id: StreamId): StreamId {
  for (let i = 0; i < ID_BYTES; i += 1) bytes[i] = id.charCodeAt(i);
  return readLatin1(bytes, 0, ID_BYTES);
}

/** As clients know it. */
export function formatId(id: StreamId): string {
  return `${msOf(id)}-${sequenceOf(id)}`;
}

/**
 * `ms` or `ms-sequence`; `missing`: the sequence of an id without one. `undefined`: it is no id.
 */
export function parseId(text: string, missing: 'first' | 'last'): StreamId | undefined {
  if (text.length > TEXT_CHARACTERS_MAX) return undefined;
  const dash = text.indexOf('-');
  const ms = parseHalf(dash === -1 ? text : text.slice(0, dash));
  if (ms === undefined) return undefined;
  if (dash === -1) return streamId(ms, missing === 'first' ? 0 : U64_MAX);
  const sequence = parseHalf(text.slice(dash + 1));
  return sequence === undefined ? undefined : streamId(ms, sequence);
}

/** The milliseconds of `ms-*`; `undefined`: it is something else. */
export function parseOpenId(text: string): bigint | undefined {
  return text.endsWith('-*') && text.length <= TEXT_CHARACTERS_MAX
    ? parseHalf(text.slice(0, -2))
    : undefined;
}

function parseHalf(text: string): bigint | undefined {
  return text === '' || text.startsWith('-') ? undefined : parseUnsigned(text);
}

/** The next id; `undefined`: there is none. */
export function nextId(id: StreamId): StreamId | undefined {
  return stepped(id, 0xff, 1);
}

/** The one before; `undefined`: there is none. */
export function previousId(id: StreamId): StreamId | undefined {
  return stepped(id, 0, -1);
}

/** Bytes that are `end` wrap, from the last one on. */
function stepped(id: StreamId, end: number, by: 1 | -1): StreamId | undefined {
  let at = ID_BYTES - 1;
  while (at >= 0 && id.charCodeAt(at) === end) at -= 1;
  if (at < 0) return undefined;
  for (let i = 0; i < ID_BYTES; i += 1) {
    const byte = id.charCodeAt(i);
    bytes[i] = i < at ? byte : i === at ? byte + by : 0xff - end;
  }
  return readLatin1(bytes, 0, ID_BYTES);
}
