/** Strings: byte strings (latin1), one char per byte. */
import { parseInteger } from './integers.ts';
import { readLatin1, writeLatin1 } from './latin1.ts';
import type { ValueType } from './value-type.ts';

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

function integerOf(value: string): number | bigint | undefined {
  return value.length <= INT_CHARACTERS_MAX ? parseInteger(value) : undefined;
}

/** Whether Redis would share the value between keys. */
export function isShared(value: string): boolean {
  const integer = integerOf(value);
  return integer !== undefined && integer >= 0 && integer < SHARED_INTEGERS;
}
