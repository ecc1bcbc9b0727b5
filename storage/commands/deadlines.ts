/**
 * Deadlines of SET, GETEX and the EXPIRE family: seconds or milliseconds, relative or since the
 * Unix epoch. They become absolute milliseconds at once and are compared with executeAt only.
 */

import type { Deadline } from '../keyspace/entry.ts';
import { addInteger, multiplyInteger, parseInteger } from '../types/integers.ts';
import { NOT_AN_INTEGER } from './command.ts';

export interface TimeForm {
  /** Milliseconds in the unit. */
  readonly unit: 1 | 1000;
  readonly relative: boolean;
}

export const SECONDS: TimeForm = { unit: 1000, relative: true };
export const MILLISECONDS: TimeForm = { unit: 1, relative: true };
export const AT_SECONDS: TimeForm = { unit: 1000, relative: false };
export const AT_MILLISECONDS: TimeForm = { unit: 1, relative: false };

/** The deadline, or the error line: as in Redis, an overflow of 64 bits is invalid. */
export function parseDeadline(
  text: string,
  form: TimeForm,
  nowMs: number,
  invalid: string,
  positive: boolean,
): Deadline | string {
  const value = parseInteger(text);
  if (value === undefined) return NOT_AN_INTEGER;
  if (positive && value <= 0) return invalid;
  const ms = multiplyInteger(value, form.unit);
  if (ms === undefined) return invalid;
  return addInteger(ms, form.relative ? nowMs : 0) ?? invalid;
}
