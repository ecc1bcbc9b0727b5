/**
 * Strings: byte strings (latin1), one char per byte. A long one that was changed in part is in
 * memory as pieces: to clients and engines the same type.
 */
import { parseInteger } from './integers.ts';
import { readLatin1, writeLatin1 } from './latin1.ts';
import type { Pieces } from './pieces.ts';
import type { Value, ValueType } from './value-type.ts';

/** Redis stores the text of a 64-bit integer as a number. */
const INT_CHARACTERS_MAX = 20;
/** Redis embeds strings up to this length. */
const EMBEDDED_BYTES_MAX = 44;
/** Redis shares one object for each of these. */
const SHARED_INTEGERS = 10_000;

export const STRING: ValueType<string> = {
  code: 1,
  name: 'string',
  bytesOf: (value) => value.length,
  storedBytesOf: (value) => value.length,
  write(record, at, value) {
    writeLatin1(record, value, at);
  },
  read: (record, start, end) => readLatin1(record, start, end),
  digest(hash, value) {
    hash.update(value, 'latin1');
  },
  encodingOf(value) {
    if (integerOf(value) !== undefined) return 'int';
    return value.length <= EMBEDDED_BYTES_MAX ? 'embstr' : 'raw';
  },
};

export const PIECED_STRING: ValueType<Pieces> = {
  code: STRING.code,
  name: STRING.name,
  bytesOf: (value) => value.length,
  storedBytesOf: (value) => value.length,
  write(record, start, value) {
    let at = start;
    for (const piece of value.all) at += writeLatin1(record, piece, at);
  },
  read: () => {
    throw new Error('a string is read whole');
  },
  digest(hash, value) {
    for (const piece of value.all) hash.update(piece, 'latin1');
  },
  encodingOf: () => 'raw',
};

/** The whole text, if the value is a string in either form. */
export function textOf(type: ValueType, value: Value): string | undefined {
  if (type === (STRING as ValueType)) return value as string;
  return type === (PIECED_STRING as ValueType) ? value.toString() : undefined;
}

function integerOf(value: string): number | bigint | undefined {
  return value.length <= INT_CHARACTERS_MAX ? parseInteger(value) : undefined;
}

/** Whether Redis would share the value between keys. */
export function isShared(value: string): boolean {
  const integer = integerOf(value);
  return integer !== undefined && integer >= 0 && integer < SHARED_INTEGERS;
}
