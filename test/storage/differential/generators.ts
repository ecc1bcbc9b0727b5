/** Values that the generators of all families share. */
import fc from 'fast-check';

/** Few keys: they meet, also under commands of another type. */
export const key = fc.constantFrom('a', 'b', 'c', 'key:1', '\x00\xff');

const longWords = ['x', 'y', 'z'].map((word) => word.repeat(65));

/** Names of fields, members, elements. */
export const element = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('m1', 'm2', 'm3', 'm4', 'm5', '') },
  { weight: 3, arbitrary: fc.integer({ min: -5, max: 20 }).map(String) },
  fc.constantFrom('007', '+1', '1.5', '9223372036854775807', '9223372036854775808', '\x80'),
  fc.constantFrom(...longWords),
);

export const count = fc.oneof(
  fc.integer({ min: -6, max: 8 }).map(String),
  fc.constantFrom(
    'x',
    '',
    '1.5',
    '9223372036854775807',
    '-9223372036854775808',
    '99999999999999999999',
  ),
);

export const float = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }).map((n) => String(n / 100)),
  fc.constantFrom('inf', '-inf', 'nan', '1e17', '0x1p-3', '1e5000', '.5', 'x', ''),
);

export function some<T>(of: fc.Arbitrary<T>, maxLength = 5): fc.Arbitrary<T[]> {
  return fc.array(of, { minLength: 1, maxLength });
}

export type Words = string[];

export function words(...parts: fc.Arbitrary<string | string[]>[]): fc.Arbitrary<Words> {
  return fc.tuple(...parts).map((found) => found.flat());
}

export function name(...names: string[]): fc.Arbitrary<string> {
  return fc.constantFrom(...names);
}
