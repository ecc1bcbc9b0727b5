import { describe, expect, test } from 'vitest';
import {
  addLongDouble,
  formatLongDouble,
  type LongDouble,
  parseLongDouble,
} from '../../../storage/types/long-double.ts';

function sum(a: string, b: string): string | undefined {
  const total = addLongDouble(parseLongDouble(a) as LongDouble, parseLongDouble(b) as LongDouble);
  return total === undefined ? undefined : formatLongDouble(total);
}

/** The expected values are what Redis 7.0.15 on x86-64 answers. */
describe('long doubles', () => {
  test.each([
    ['1.5', '1', '2.5'],
    ['0.1', '0.2', '0.3'],
    ['10.50', '0.1', '10.6'],
    ['10.6', '5.0e3', '5010.60000000000000009'],
    ['3.0e3', '200', '3200'],
    ['1e17', '1', '100000000000000001'],
    ['100000000000000001', '0x10', '100000000000000017'],
    ['0', '0.00000000000000001', '0.00000000000000001'],
    ['1.00000000000000001', '1e-18', '1.00000000000000001'],
    ['-0', '0', '0'],
    ['-0.0', '-0', '0'],
    ['0', '0x1p3', '8'],
    ['0', '0X.8P+1', '1'],
    ['0', '.5', '0.5'],
    ['0.5', '5.', '5.5'],
    ['1', '-1', '0'],
    ['-1.25', '0', '-1.25'],
    ['1e-4940', '0', '0'],
  ])('%s and %s make %s', (a, b, expected) => {
    expect(sum(a, b)).toBe(expected);
  });

  test('has the digits of large numbers that 80 bits have', () => {
    expect(sum('0', '1e30')).toBe('1000000000000000000024696061952');
    expect(sum('1e4932', '0')?.length).toBe(4933);
  });

  test.each(['', ' 1', '1 ', 'x', '1e', 'e5', '.', 'nan', '-nan', '0x', '1_0', '1\x00'])(
    'takes %j for no number',
    (text) => {
      expect(parseLongDouble(text)).toBeUndefined();
    },
  );

  test('refuses what is out of range, and does not choke on its exponent', () => {
    for (const text of ['1e5000', '-1e5000', '1e-5000', '1e999999999', '0x1p20000']) {
      expect(parseLongDouble(text), text).toBeUndefined();
    }
    expect(parseLongDouble('0e999999999')).toEqual({ mantissa: 0n, exponent: 0 });
    expect(parseLongDouble('1'.repeat(256))).toBeUndefined();
  });

  test('has no sum with infinity, and none that is infinite', () => {
    expect(sum('inf', '1')).toBeUndefined();
    expect(sum('1', '-Infinity')).toBeUndefined();
    expect(sum('1.18e4932', '1.18e4932')).toBeUndefined();
  });
});
