/**
 * The 80-bit floating point numbers (64 bits of mantissa) in which Redis on x86-64 computes
 * INCRBYFLOAT, in integer arithmetic: the same digits as Redis on every machine, where plain
 * doubles would differ in the 17th. Pure; used by INCRBYFLOAT alone.
 */

const MANTISSA_BITS = 64;
/** Values are below 2^16384. */
const EXPONENT_MAX = 16_384;
/** The smallest number is 2^-16445. */
const EXPONENT_MIN = -16_445;
const TEXT_MAX = 255;
const FRACTION_DIGITS = 17n;

/** `mantissa * 2 ** exponent`; the mantissa carries the sign and has at most 64 bits. */
export type LongDouble =
  | { readonly mantissa: bigint; readonly exponent: number }
  | 'infinity'
  | '-infinity';

const ZERO: LongDouble = { mantissa: 0n, exponent: 0 };
const NUMBER =
  /^([+-]?)(?:(0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?[0-9]+)?)|((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)|(inf(?:inity)?))$/i;

/** Like `strtold` over the whole text; `undefined` for no number, NaN, or out of range. */
export function parseLongDouble(text: string): LongDouble | undefined {
  if (text.length > TEXT_MAX) return undefined;
  const parts = NUMBER.exec(text);
  if (parts === null) return undefined;
  const negative = parts[1] === '-';
  if (parts[4] !== undefined) return negative ? '-infinity' : 'infinity';
  const hexadecimal = parts[2] !== undefined;
  const [digits = '', power = '0'] = hexadecimal
    ? (parts[2] ?? '').slice(2).toLowerCase().split('p')
    : (parts[3] ?? '').toLowerCase().split('e');
  const [whole = '', fraction = ''] = digits.split('.');
  const integer = BigInt(`${hexadecimal ? '0x' : ''}0${whole}${fraction}`);
  if (integer === 0n) return ZERO;
  const shift = Number(power) - fraction.length * (hexadecimal ? 4 : 1);
  // With a larger power no text of this length is within range; this keeps the integers small.
  if (!(Math.abs(shift) < 4 * EXPONENT_MAX)) return undefined;
  const base = hexadecimal ? 2n : 10n;
  const value =
    shift >= 0
      ? roundRatio(integer * base ** BigInt(shift), 1n)
      : roundRatio(integer, base ** BigInt(-shift));
  const top = bitLength(value.mantissa) + value.exponent;
  if (top > EXPONENT_MAX || top <= EXPONENT_MIN) return undefined;
  return negative ? { mantissa: -value.mantissa, exponent: value.exponent } : value;
}

/** `undefined` where the sum is infinite or not a number. */
export function addLongDouble(a: LongDouble, b: LongDouble): LongDouble | undefined {
  if (typeof a === 'string' || typeof b === 'string') return undefined;
  const exponent = Math.min(a.exponent, b.exponent);
  const sum =
    (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent));
  if (sum === 0n) return ZERO;
  const magnitude = roundBits(sum < 0n ? -sum : sum, exponent);
  if (bitLength(magnitude.mantissa) + magnitude.exponent > EXPONENT_MAX) return undefined;
  return sum < 0n ? { mantissa: -magnitude.mantissa, exponent: magnitude.exponent } : magnitude;
}

/** Like `%.17Lf` without the zeros at the end: no exponent, ever. */
export function formatLongDouble(value: LongDouble): string {
  if (typeof value === 'string') return value === 'infinity' ? 'inf' : '-inf';
  const negative = value.mantissa < 0n;
  const scaled = (negative ? -value.mantissa : value.mantissa) * 10n ** FRACTION_DIGITS;
  const rounded =
    value.exponent >= 0
      ? scaled << BigInt(value.exponent)
      : divideToEven(scaled, 1n << BigInt(-value.exponent));
  const digits = rounded.toString().padStart(Number(FRACTION_DIGITS) + 1, '0');
  const whole = digits.slice(0, -Number(FRACTION_DIGITS));
  const fraction = digits.slice(-Number(FRACTION_DIGITS)).replace(/0+$/, '');
  const text = fraction === '' ? whole : `${whole}.${fraction}`;
  return negative && text !== '0' ? `-${text}` : text;
}

function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

/** The nearest number with 64 bits of mantissa, ties to even. */
function roundRatio(
  numerator: bigint,
  denominator: bigint,
): { mantissa: bigint; exponent: number } {
  const shift = MANTISSA_BITS + 2 - (bitLength(numerator) - bitLength(denominator));
  const scaled = shift >= 0 ? numerator << BigInt(shift) : numerator;
  const divisor = shift >= 0 ? denominator : denominator << BigInt(-shift);
  const quotient = scaled / divisor;
  // The sticky bit records a remainder: then it is not a tie.
  const sticky = scaled % divisor === 0n ? 0n : 1n;
  return roundBits((quotient << 1n) | sticky, -shift - 1);
}

function roundBits(value: bigint, exponent: number): { mantissa: bigint; exponent: number } {
  const excess = bitLength(value) - MANTISSA_BITS;
  if (excess <= 0) return { mantissa: value, exponent };
  const mantissa = divideToEven(value, 1n << BigInt(excess));
  return { mantissa, exponent: exponent + excess };
}

function divideToEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  const up = twice > denominator || (twice === denominator && (quotient & 1n) === 1n);
  return up ? quotient + 1n : quotient;
}
