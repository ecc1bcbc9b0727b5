/**
 * Deadlines as SET, GETEX and the EXPIRE family take them: seconds or milliseconds, from now or
 * since the epoch. They become absolute milliseconds at once and are compared with executeAt only.
 */
import { NOT_AN_INTEGER } from '../command.ts';
import { INT64_MIN, parseInteger } from '../integers.ts';
import { DEADLINE_MS_MAX } from '../limits.ts';

export interface TimeForm {
  /** Milliseconds in the unit. */
  readonly unit: 1 | 1000;
  readonly relative: boolean;
}

export const SECONDS: TimeForm = { unit: 1000, relative: true };
export const MILLISECONDS: TimeForm = { unit: 1, relative: true };
export const AT_SECONDS: TimeForm = { unit: 1000, relative: false };
export const AT_MILLISECONDS: TimeForm = { unit: 1, relative: false };

/**
 * The deadline as a safe integer, or the error line. Deadlines past `DEADLINE_MS_MAX` (the year
 * 287,396) are refused as invalid, where Redis takes what fits 64 bits.
 */
export function parseDeadline(
  text: string,
  form: TimeForm,
  nowMs: number,
  invalid: string,
  positive: boolean,
): number | string {
  const value = parseInteger(text);
  if (value === undefined) return NOT_AN_INTEGER;
  if (positive && value <= 0) return invalid;
  const deadline = Number(value) * form.unit + (form.relative ? nowMs : 0);
  if (typeof value === 'number' && Math.abs(deadline) <= DEADLINE_MS_MAX) return deadline;
  // Longer ago than can be said is past all the same, as far as Redis can count milliseconds.
  const isPast = value < 0 && BigInt(value) * BigInt(form.unit) >= INT64_MIN;
  return isPast ? -DEADLINE_MS_MAX : invalid;
}
