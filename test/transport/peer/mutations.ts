/**
 * Damages messages and frames of peers in the ways of a broken program: a field of another type, a
 * timestamp no node has minted, bytes cut or swapped, parts of one message in another. For the fuzz
 * of the replica's door.
 */
import { crc32 } from 'node:zlib';
import { TIMESTAMP_BYTES } from '../../../actors/accord/primitives/timestamp.ts';

export type Random = () => number;
export type Loose = Record<string, unknown>;

const CRC_AT = 1;
const CRC_START = 5;

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}

function junk(random: Random): unknown {
  return pick<() => unknown>(random, [
    () => null,
    () => undefined,
    () => -1,
    () => 0,
    () => 1.5,
    () => Number.NaN,
    () => Number.POSITIVE_INFINITY,
    () => 2 ** 50,
    () => 2 ** 53,
    () => true,
    () => '',
    () => 'constructor',
    () => ({}),
    () => [],
    () => [[[]]],
    () => ({ hlc: 1, flags: 2, node: 1, store: 0 }),
    () => new Uint8Array(Math.floor(random() * 64)),
    () => Uint8Array.from({ length: TIMESTAMP_BYTES }, () => Math.floor(random() * 256)),
  ])();
}

const NUMBERS = [0, 1, 2, 3, 4, 7, 9, 255, 65_535, 2 ** 31, 2 ** 32, 2 ** 48, 2 ** 50, 2 ** 52];

function otherNumber(random: Random, value: number): number {
  return pick<() => number>(random, [
    () => value + 1,
    () => value - 1,
    () => value + Math.floor(random() * 2 ** 20),
    () => value * 2,
    () => -value,
    () => value ^ 0x8000,
    () => pick(random, NUMBERS),
  ])();
}

function otherBytes(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = Math.floor(random() * copy.length);
  return pick<() => Uint8Array>(random, [
    () => copy.subarray(0, at),
    () => copy.subarray(at),
    () => Buffer.concat([copy, copy]),
    () => Buffer.concat([copy, Uint8Array.of(at)]),
    () => Buffer.concat([copy.subarray(TIMESTAMP_BYTES), copy.subarray(0, TIMESTAMP_BYTES)]),
    () => {
      if (copy.length > 0) copy[at] = Math.floor(random() * 256);
      return copy;
    },
  ])();
}

function otherValue(random: Random, value: unknown): unknown {
  if (random() < 0.2) return junk(random);
  if (typeof value === 'number') return otherNumber(random, value);
  if (typeof value === 'boolean') return !value;
  if (value instanceof Uint8Array) return otherBytes(random, value);
  if (typeof value !== 'object' || value === null) return junk(random);
  const fields = { ...(value as Loose) };
  const field = pick(random, Object.keys(fields));
  if (field !== undefined) fields[field] = otherValue(random, fields[field]);
  return fields;
}

/** One damage; `other` lends a part. */
export function damage(random: Random, message: Loose, other: Loose): Loose {
  const copy = { ...message };
  const names = Object.keys(copy);
  const field = pick(random, random() < 0.1 ? names : names.filter((name) => name !== 'type'));
  const strange = pick(random, Object.keys(other));
  const kind = random();
  if (kind < 0.6) copy[field] = otherValue(random, copy[field]);
  else if (kind < 0.75) copy[field] = other[field];
  else if (kind < 0.85) copy[strange] = other[strange];
  else if (kind < 0.9) delete copy[field];
  else if (kind < 0.95) copy['type'] = other['type'];
  else copy[pick(random, ['extra', 'body', 'slots', 'deps', 'ballot'])] = junk(random);
  return copy;
}

/** Flips bytes behind the checksum, and makes the checksum right again. */
export function damageFrame(random: Random, frame: Buffer): Buffer {
  const copy = Buffer.from(frame);
  for (let flips = 1 + Math.floor(random() * 3); flips > 0; flips -= 1) {
    const at = CRC_START + Math.floor(random() * (copy.length - CRC_START));
    copy[at] = Math.floor(random() * 256);
  }
  copy.writeUInt32BE(crc32(copy.subarray(CRC_START)), CRC_AT);
  return copy;
}
