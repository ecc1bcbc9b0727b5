/**
 * The arguments of XREAD and XREADGROUP: `[GROUP group consumer] [COUNT count] [BLOCK ms] [NOACK]
 * STREAMS key [key ...] id [id ...]`.
 */
import { type Arguments, upperCase } from '../../arguments.ts';
import { parseInteger } from '../../types/integers.ts';
import { SYNTAX_ERROR, type Waits, type Words } from '../command.ts';
import { integerAt } from '../integer-arguments.ts';

/** Options with so many values behind them. */
const VALUES = new Map([
  ['BLOCK', 1],
  ['COUNT', 1],
  ['GROUP', 2],
  ['NOACK', 0],
]);

/** The index of the option behind which the keys stand, or where it ends to make sense. */
function endOfOptions(args: Words, visit: (word: string, at: number) => void): number {
  let at = 1;
  for (; at < args.count; at += 1) {
    const word = upperCase(args.text(at));
    const values = VALUES.get(word);
    if (values === undefined) return word === 'STREAMS' ? at : args.count;
    visit(word, at);
    at += values;
  }
  return at;
}

/** The indices of the keys; none if the arguments make no sense. */
export function streamKeys(args: Words): readonly number[] {
  const at = endOfOptions(args, () => undefined);
  const words = args.count - at - 1;
  if (words < 2 || words % 2 === 1) return [];
  return Array.from({ length: words / 2 }, (_, i) => at + 1 + i);
}

/** Where the client waits: with BLOCK, and in a group for new entries alone. */
function waitsOf(ofGroup: boolean): Waits {
  const valueBehind = (args: Words, option: string): number | undefined => {
    let found: number | undefined;
    endOfOptions(args, (word, at) => {
      if (word === option && at + 1 < args.count) found = at + 1;
    });
    return found;
  };
  return {
    type: 'stream',
    keysOf: streamKeys,
    takes: ofGroup,
    // An entry that it has taken is pending: others can claim it.
    loses: false,
    groupAt: (args) => (ofGroup ? valueBehind(args, 'GROUP') : undefined),
    timeoutMs(args) {
      const keys = streamKeys(args);
      const at = valueBehind(args, 'BLOCK');
      const timeout = at === undefined || keys.length === 0 ? undefined : timeoutOf(args.text(at));
      if (typeof timeout !== 'number') return undefined;
      const isForNew = keys.every((key) => args.text(key + keys.length) === '>');
      return ofGroup && !isForNew ? undefined : timeout;
    },
  };
}

export const READ_WAITS = waitsOf(false);
export const GROUP_READ_WAITS = waitsOf(true);

/** Redis: what a signed 64-bit integer holds, and the time comes on top. */
const TIMEOUT_MS_MAX = 2 ** 62;

/** Milliseconds, or the error line. */
function timeoutOf(text: string): number | string {
  const ms = parseInteger(text);
  if (ms === undefined) return 'ERR timeout is not an integer or out of range';
  if (ms < 0) return 'ERR timeout is negative';
  return ms > TIMEOUT_MS_MAX ? 'ERR timeout is out of range' : Number(ms);
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
    } else if (args.is(at, 'BLOCK') && more >= 1) {
      const timeout = timeoutOf(args.text(at + 1));
      if (typeof timeout === 'string') return timeout;
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
