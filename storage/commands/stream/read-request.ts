/** The arguments of XREAD: `[COUNT count] STREAMS key [key ...] id [id ...]`. */
import { type Arguments, upperCase } from '../../arguments.ts';
import { SYNTAX_ERROR, type Words } from '../command.ts';
import { integerAt } from '../integer-arguments.ts';

/** Options with so many values behind them. */
const VALUES = new Map([['COUNT', 1]]);

/** The indices of the keys; none if the arguments make no sense. */
export function streamKeys(args: Words): readonly number[] {
  let at = 1;
  for (; at < args.count; at += 1) {
    const word = upperCase(args.text(at));
    if (word === 'STREAMS') break;
    const values = VALUES.get(word);
    if (values === undefined) return [];
    at += values;
  }
  const words = args.count - at - 1;
  if (words < 2 || words % 2 === 1) return [];
  return Array.from({ length: words / 2 }, (_, i) => at + 1 + i);
}

interface ReadRequest {
  /** Entries of each stream; Infinity: all. */
  readonly count: number;
  readonly keys: readonly number[];
}

/** The request, or the error line. */
export function parseRead(args: Arguments): ReadRequest | string {
  let count = Number.POSITIVE_INFINITY;
  let at = 1;
  for (; at + 1 < args.count && !args.is(at, 'STREAMS'); at += 2) {
    if (!args.is(at, 'COUNT')) return SYNTAX_ERROR;
    const parsed = integerAt(args, at + 1);
    if (typeof parsed === 'string') return parsed;
    count = parsed > 0 ? parsed : Number.POSITIVE_INFINITY;
  }
  if (at + 1 >= args.count) return SYNTAX_ERROR;
  if ((args.count - at - 1) % 2 === 1) return UNBALANCED;
  return { count, keys: streamKeys(args) };
}

const UNBALANCED =
  "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.";
