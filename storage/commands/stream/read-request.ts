/**
 * The arguments of XREAD and XREADGROUP: `[GROUP group consumer] [COUNT count] [NOACK] STREAMS key
 * [key ...] id [id ...]`.
 */
import { type Arguments, upperCase } from '../../arguments.ts';
import { SYNTAX_ERROR, type Words } from '../command.ts';
import { integerAt } from '../integer-arguments.ts';

/** Options with so many values behind them. */
const VALUES = new Map([
  ['COUNT', 1],
  ['GROUP', 2],
  ['NOACK', 0],
]);

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

export interface ReadRequest {
  /** Entries of each stream; Infinity: all. */
  readonly count: number;
  /** The index of the name of the group, before that of the consumer; undefined: XREAD. */
  readonly group: number | undefined;
  readonly noAck: boolean;
  readonly keys: readonly number[];
}

function onlyInGroups(option: string): string {
  return `ERR The ${option} option is only supported by XREADGROUP. You called XREAD instead.`;
}

const NO_GROUP = 'ERR Missing GROUP option for XREADGROUP';

function unbalanced(name: string, id: string): string {
  return (
    `ERR Unbalanced '${name}' list of streams: ` +
    `for each stream key an ID or '${id}' must be specified.`
  );
}

/** The request, or the error line. */
export function parseRead(args: Arguments, ofGroup: boolean): ReadRequest | string {
  let count = Number.POSITIVE_INFINITY;
  let group: number | undefined;
  let noAck = false;
  let at = 1;
  for (; at < args.count && !(args.is(at, 'STREAMS') && at + 1 < args.count); at += 1) {
    const more = args.count - at - 1;
    if (args.is(at, 'COUNT') && more >= 1) {
      const parsed = integerAt(args, at + 1);
      if (typeof parsed === 'string') return parsed;
      count = parsed > 0 ? parsed : Number.POSITIVE_INFINITY;
      at += 1;
    } else if (args.is(at, 'GROUP') && more >= 2) {
      if (!ofGroup) return onlyInGroups('GROUP');
      group = at + 1;
      at += 2;
    } else if (args.is(at, 'NOACK')) {
      if (!ofGroup) return onlyInGroups('NOACK');
      noAck = true;
    } else {
      return SYNTAX_ERROR;
    }
  }
  if (at >= args.count) return SYNTAX_ERROR;
  const words = args.count - at - 1;
  if (words % 2 === 1) return ofGroup ? unbalanced('xreadgroup', '>') : unbalanced('xread', '$');
  if (ofGroup && group === undefined) return NO_GROUP;
  const keys = Array.from({ length: words / 2 }, (_, i) => at + 1 + i);
  return { count, group, noAck, keys };
}
