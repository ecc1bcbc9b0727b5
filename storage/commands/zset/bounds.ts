/** The two ends of a range of scores or members, as in ZRANGEBYSCORE and ZRANGEBYLEX. */
import type { Arguments } from '../../arguments.ts';
import type { IsBefore, Ranked } from '../../types/ranked.ts';
import { parseScoreBound } from '../../types/scores.ts';

export const NOT_A_SCORE_RANGE = 'ERR min or max is not a float';
export const NOT_A_LEX_RANGE = 'ERR min or max not valid string range item';

/** Places `[from, to)` in the order. */
export interface Places {
  readonly from: number;
  readonly to: number;
}

/** Where a range lies in a sorted set. */
export type RangeOf = (set: Ranked) => Places;

const EMPTY: Places = { from: 0, to: 0 };

function between(set: Ranked, isBefore: IsBefore, isNotBehind: IsBefore): Places {
  const from = set.countWhere(isBefore);
  const to = set.countWhere(isNotBehind);
  return from < to ? { from, to } : EMPTY;
}

interface Bound<T> {
  readonly value: T;
  readonly isOpen: boolean;
}

function scoreBound(text: string): Bound<number> | undefined {
  const isOpen = text.startsWith('(');
  const value = parseScoreBound(isOpen ? text.slice(1) : text);
  return value === undefined ? undefined : { value, isOpen };
}

/** `undefined`: they are no range of scores. */
export function scoreRange(args: Arguments, min: number, max: number): RangeOf | undefined {
  const low = scoreBound(args.text(min));
  const high = scoreBound(args.text(max));
  if (low === undefined || high === undefined) return undefined;
  return (set) =>
    between(
      set,
      (score) => (low.isOpen ? score <= low.value : score < low.value),
      (score) => (high.isOpen ? score < high.value : score <= high.value),
    );
}

/** -1 and 1: before and behind all members. */
type LexBound = Bound<string> | -1 | 1;

function lexBound(text: string): LexBound | undefined {
  if (text === '-') return -1;
  if (text === '+') return 1;
  if (!text.startsWith('(') && !text.startsWith('[')) return undefined;
  return { value: text.slice(1), isOpen: text.startsWith('(') };
}

/** `undefined`: they are no range of members. */
export function lexRange(args: Arguments, min: number, max: number): RangeOf | undefined {
  const low = lexBound(args.text(min));
  const high = lexBound(args.text(max));
  if (low === undefined || high === undefined) return undefined;
  return (set) =>
    between(
      set,
      (_score, member) => {
        if (typeof low === 'number') return low === 1;
        return low.isOpen ? member <= low.value : member < low.value;
      },
      (_score, member) => {
        if (typeof high === 'number') return high === 1;
        return high.isOpen ? member < high.value : member <= high.value;
      },
    );
}
