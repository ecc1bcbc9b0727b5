import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addInteger,
  INT64_MAX,
  INT64_MIN,
  parseInteger,
  parseUnsigned,
} from '../../../storage/types/integers.ts';

const int64 = fc.bigInt({ min: INT64_MIN, max: INT64_MAX });

function normal(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

describe('parseInteger', () => {
  test('takes every 64-bit integer, exactly', () => {
    fc.assert(
      fc.property(int64, (value) => {
        expect(parseInteger(value.toString())).toBe(normal(value));
      }),
    );
    for (const edge of [2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, INT64_MAX, INT64_MIN]) {
      expect(parseInteger(edge.toString())).toBe(normal(edge));
    }
  });

  test.each([
    '',
    '-',
    '+1',
    '-0',
    '01',
    '-01',
    ' 1',
    '1 ',
    '1.0',
    '1e3',
    '0x1',
    'x',
    '1\x00',
    '9223372036854775808',
    '-9223372036854775809',
    '99999999999999999999',
  ])('refuses %j', (text) => {
    expect(parseInteger(text)).toBeUndefined();
  });
});

describe('addInteger', () => {
  test('is exact and knows its limits', () => {
    fc.assert(
      fc.property(int64, int64, (a, b) => {
        const sum = a + b;
        const fits = sum >= INT64_MIN && sum <= INT64_MAX;
        expect(addInteger(normal(a), normal(b))).toBe(fits ? normal(sum) : undefined);
      }),
    );
    expect(addInteger(Number.MAX_SAFE_INTEGER, 1)).toBe(2n ** 53n);
    expect(addInteger(2n ** 53n, -1)).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe('parseUnsigned', () => {
  test.each([
    ['0', 0n],
    ['', 0n],
    ['+7', 7n],
    ['007', 7n],
    ['-1', 2n ** 64n - 1n],
    ['18446744073709551615', 2n ** 64n - 1n],
    ['18446744073709551616', undefined],
    ['x', undefined],
    [' 1', undefined],
    ['1x', undefined],
    ['0x1', undefined],
    ['9'.repeat(100), undefined],
  ])('%j is %s', (text, expected) => {
    expect(parseUnsigned(text)).toBe(expected);
  });
});
