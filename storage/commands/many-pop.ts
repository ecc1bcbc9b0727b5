/** LMPOP and ZMPOP: `numkeys key [key ...] END [COUNT count]`, and BLMPOP and BZMPOP. */
import type { Arguments } from '../arguments.ts';
import { SYNTAX_ERROR } from './command.ts';
import { integerFrom } from './integer-arguments.ts';
import { keysBehind } from './numkeys.ts';

export interface ManyPop<End> {
  /** The indices of the keys. */
  readonly keys: readonly number[];
  readonly end: End;
  readonly count: number;
}

/** The request, or the error line. `at`: of numkeys; `endAt`: the end that a word names. */
export function parseManyPop<End>(
  args: Arguments,
  endAt: (args: Arguments, i: number) => End | undefined,
  at = 1,
): ManyPop<End> | string {
  const numkeys = integerFrom(1, args, at, 'ERR numkeys should be greater than 0');
  if (typeof numkeys === 'string') return numkeys;
  const where = at + 1 + numkeys;
  const end = where < args.count ? endAt(args, where) : undefined;
  if (end === undefined) return SYNTAX_ERROR;
  let count: number | undefined;
  for (let i = where + 1; i < args.count; i += 2) {
    if (count !== undefined || !args.is(i, 'COUNT') || i + 1 === args.count) return SYNTAX_ERROR;
    const parsed = integerFrom(1, args, i + 1, 'ERR count should be greater than 0');
    if (typeof parsed === 'string') return parsed;
    count = parsed;
  }
  return { keys: keysBehind(args, at), end, count: count ?? 1 };
}
