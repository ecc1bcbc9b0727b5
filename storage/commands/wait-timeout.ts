/** The timeout of a command that waits: seconds, with a fraction; 0 for ever. */
import { parseLongDouble } from '../types/long-double.ts';
import { parseScore } from '../types/scores.ts';
import type { Waits, Words } from './command.ts';

const NOT_A_FLOAT = 'ERR timeout is not a float or out of range';
const TOO_LONG = 'ERR timeout is out of range';
const NEGATIVE = 'ERR timeout is negative';
/** Redis: what a signed 64-bit integer holds. */
const TIMEOUT_MS_MAX = 2 ** 63;

/** Milliseconds, or the error line in Redis' words. */
function timeoutOf(text: string): number | string {
  if (/^[+-]?inf(inity)?$/i.test(text)) return text.startsWith('-') ? NEGATIVE : TOO_LONG;
  if (parseLongDouble(text) === undefined) return NOT_A_FLOAT;
  const ms = Math.ceil((parseScore(text) ?? 0) * 1000);
  if (ms < 0) return NEGATIVE;
  return ms >= TIMEOUT_MS_MAX ? TOO_LONG : ms;
}

/**
 * `index`: of the timeout; negative from the end. `keysOf`: the keys that are waited for, `type`:
 * of their values.
 */
export function timeoutAt(index: number, type: string, keysOf: Waits['keysOf']) {
  const at = (args: Words): string => args.text(index < 0 ? args.count + index : index);
  return {
    /** The error line, if it is wrong. */
    refusal(args: Words): string | undefined {
      const timeout = timeoutOf(at(args));
      return typeof timeout === 'string' ? timeout : undefined;
    },
    waits: {
      type,
      keysOf,
      takes: true,
      loses: true,
      timeoutMs(args: Words): number | undefined {
        const timeout = timeoutOf(at(args));
        return typeof timeout === 'string' ? undefined : timeout;
      },
    },
  };
}
