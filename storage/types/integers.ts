/**
 * 64-bit integers in Redis' text form. Numbers as long as they are exact, BigInt beyond; nothing is
 * ever rounded. Pure.
 */

export const INT64_MAX = 2n ** 63n - 1n;
export const INT64_MIN = -(2n ** 63n);

const ZERO = 48;
const NINE = 57;
const MINUS = 45;
/** Up to this many digits a number is exact. */
const EXACT_DIGITS = 15;
const INT64_DIGITS = 19;

/**
 * The strict form: an optional minus, no plus, no leading zero, no blank, within 64 bits. A number
 * where it is a safe integer, else a BigInt; `undefined` for anything else.
 */
export function parseInteger(text: string): number | bigint | undefined {
  const length = text.length;
  const negative = length > 0 && text.charCodeAt(0) === MINUS;
  const first = negative ? 1 : 0;
  const digits = length - first;
  if (digits < 1 || digits > INT64_DIGITS) return undefined;
  if (text.charCodeAt(first) === ZERO) return length === 1 ? 0 : undefined;
  let value = 0;
  for (let i = first; i < length; i += 1) {
    const digit = text.charCodeAt(i);
    if (digit < ZERO || digit > NINE) return undefined;
    value = value * 10 + (digit - ZERO);
  }
  if (digits <= EXACT_DIGITS || value <= Number.MAX_SAFE_INTEGER) return negative ? -value : value;
  const exact = BigInt(text);
  return exact >= INT64_MIN && exact <= INT64_MAX ? exact : undefined;
}

/** The same value: a number where it is a safe integer. */
export function exactInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The sum, as a number if it is safe; `undefined` if it exceeds 64 bits. */
export function addInteger(a: number | bigint, b: number | bigint): number | bigint | undefined {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return within64Bits(BigInt(a) + BigInt(b));
}

/** The product, in the form of `addInteger`. */
export function multiplyInteger(a: number | bigint, b: number): number | bigint | undefined {
  const product = Number(a) * b;
  return Number.isSafeInteger(product) ? product : within64Bits(BigInt(a) * BigInt(b));
}

function within64Bits(value: bigint): number | bigint | undefined {
  return value < INT64_MIN || value > INT64_MAX ? undefined : exactInteger(value);
}

/** `strtoul` of 64 bits as SCAN cursors use it: sign allowed, wraps, `undefined` past the range. */
export function parseUnsigned(text: string): bigint | undefined {
  if (text === '') return 0n;
  if (!/^[+-]?[0-9]{1,64}$/.test(text)) return undefined;
  const negative = text.startsWith('-');
  const value = BigInt(/^[+-]/.test(text) ? text.slice(1) : text);
  if (value >= 2n ** 64n) return undefined;
  return negative ? BigInt.asUintN(64, -value) : value;
}
