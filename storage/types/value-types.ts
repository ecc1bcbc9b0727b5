/** All types of values, by the code that engines write. */
import { HASH } from './hash.ts';
import { LIST } from './list.ts';
import { SET } from './set.ts';
import { ZSET } from './sorted-set.ts';
import { STREAM } from './stream/stream.ts';
import { STRING } from './string.ts';
import type { ValueType } from './value-type.ts';

const TYPES: readonly ValueType[] = [
  STRING,
  SET as ValueType,
  LIST as ValueType,
  ZSET as ValueType,
  HASH as ValueType,
  STREAM as ValueType,
];
const byCode = new Map(TYPES.map((type) => [type.code, type]));

/** undefined: no version of this program has written such a value. */
export function valueTypeOf(code: number): ValueType | undefined {
  return byCode.get(code);
}

export function valueTypeNamed(name: string): ValueType | undefined {
  return TYPES.find((type) => type.name === name);
}
