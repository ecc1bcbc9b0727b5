/**
 * Scores: doubles in the text forms of Redis. Used where a command reads or answers one. Pure.
 */

import { readLatin1, writeLatin1 } from './latin1.ts';

/** As `strtod` takes them, but for blanks and NaN. */
const DECIMAL = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const HEXADECIMAL =
  /^([+-]?)0[xX](?=[0-9a-fA-F.])([0-9a-fA-F]*)\.?([0-9a-fA-F]*)(?:[pP]([+-]?[0-9]+))?$/;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;
const BLANKS = /^[ \t-\r]+/;
/** With a larger exponent no text of a legal length is within range. */
const EXPONENT_MAX = 1_000_000_000;
/** Redis prints whole numbers up to here digit by digit. */
const WHOLE_MAX = 2 ** 62;

/** A number that a client gives as a score; `undefined` for no number, NaN or out of range. */
export function parseScore(text: string): number | undefined {
  const value = parseDouble(text);
  if (value === undefined || INFINITE.test(text)) return value;
  if (!Number.isFinite(value)) return undefined;
  return value === 0 && /[1-9a-f]/i.test(significand(text)) ? undefined : value;
}

/**
 * The end of a range of scores: Redis is more lenient there. Blanks before it and an empty text are
 * taken, and what is out of range is infinite or zero.
 */
export function parseScoreBound(text: string): number | undefined {
  const end = text.indexOf('\0');
  const whole = end === -1 ? text : text.slice(0, end);
  const rest = whole.replace(BLANKS, '');
  return whole === '' ? 0 : parseDouble(rest);
}

function parseDouble(text: string): number | undefined {
  if (DECIMAL.test(text)) return Number(text);
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinite[1] === '-' ? -Infinity : Infinity;
  const parts = HEXADECIMAL.exec(text);
  if (parts === null) return undefined;
  const [, sign = '', whole = '', fraction = '', power = '0'] = parts;
  if (whole === '' && fraction === '') return undefined;
  const digits = Number(BigInt(`0x0${whole}${fraction}`));
  const exponent = Math.max(-EXPONENT_MAX, Math.min(EXPONENT_MAX, Number(power)));
  const value = scaled(digits, exponent - 4 * fraction.length);
  return sign === '-' ? -value : value;
}

/** In two steps: one factor alone may be out of range where the product is not. */
function scaled(value: number, exponent: number): number {
  const half = Math.trunc(exponent / 2);
  return value === 0 ? value : value * 2 ** half * 2 ** (exponent - half);
}

/** The digits of a number without its exponent. */
function significand(text: string): string {
  const hexadecimal = HEXADECIMAL.test(text);
  return text.replace(hexadecimal ? /^[+-]?0x|p.*$/gi : /e.*$/i, '');
}

/** The text that Redis 7.2 answers: whole numbers in full, else the shortest digits. */
export function scoreText(value: number): string {
  if (Number.isInteger(value)) {
    if (Object.is(value, -0)) return '-0';
    if (Number.isSafeInteger(value)) return `${value}`;
    if (Math.abs(value) <= WHOLE_MAX) return BigInt(value).toString();
  }
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return shortest(value);
}

/** `digits * 10 ** power`, with an exponent where Redis writes one. */
function shortest(value: number): string {
  const [mantissa = '', e = '0'] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '');
  const exponent = Number(e);
  const power = exponent - digits.length + 1;
  const sign = value < 0 ? '-' : '';
  const size = Math.abs(exponent);
  if (power >= 0 && size < digits.length + 7) return sign + digits + '0'.repeat(power);
  if (power < 0 && (power > -7 || size < 4)) {
    const whole = digits.length + power;
    if (whole <= 0) return `${sign}0.${'0'.repeat(-whole)}${digits}`;
    return `${sign}${digits.slice(0, whole)}.${digits.slice(whole)}`;
  }
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  return `${sign}${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${size}`;
}

/** Bytes of a stored score: an IEEE 754 double, big endian. */
export const SCORE_BYTES = 8;

const view = Buffer.alloc(SCORE_BYTES);

export function scoreBytes(score: number): string {
  view.writeDoubleBE(score, 0);
  return readLatin1(view, 0, SCORE_BYTES);
}

export function readScore(bytes: string): number {
  writeLatin1(view, bytes, 0);
  return view.readDoubleBE(0);
}
