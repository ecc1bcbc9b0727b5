/** Whole numbers among the arguments, as Redis reads its C longs. */
import type { Arguments } from '../arguments.ts';
import { INT64_MIN, parseInteger } from '../types/integers.ts';
import { NOT_AN_INTEGER } from './command.ts';

export const NOT_POSITIVE = 'ERR value is out of range, must be positive';
const NOT_BETWEEN =
  'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807';

/** A number, or the error line. Rounded where no index of anything can be as large. */
export function integerAt(args: Arguments, i: number): number | string {
  const value = parseInteger(args.text(i));
  return value === undefined ? NOT_AN_INTEGER : Number(value);
}

/** The same, at least `min`. */
export function integerFrom(
  min: number,
  args: Arguments,
  i: number,
  error: string,
): number | string {
  const value = parseInteger(args.text(i));
  return value === undefined || value < min ? error : Number(value);
}

/** The number of results that LIMIT of a cardinality allows, 0 for all; or the error line. */
export function limitAt(args: Arguments, i: number): number | string {
  return integerFrom(0, args, i, "ERR LIMIT can't be negative");
}

/** A number of which there is a negative, or the error line. */
export function signedAt(args: Arguments, i: number): number | string {
  const value = parseInteger(args.text(i));
  if (value === INT64_MIN) return NOT_BETWEEN;
  return value === undefined ? NOT_AN_INTEGER : Number(value);
}

/** `[from, to)` of a range with both ends, which may count from the end; empty: from === to. */
export function clipped(start: number, stop: number, length: number): { from: number; to: number } {
  const from = Math.max(0, start < 0 ? length + start : start);
  const to = Math.min(length, (stop < 0 ? length + stop : stop) + 1);
  return from < to ? { from, to } : { from: 0, to: 0 };
}
