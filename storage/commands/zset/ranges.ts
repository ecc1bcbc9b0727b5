/** Commands on ranges of a sorted set: by rank, by score, by member. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import type { Steps } from '../../steps.ts';
import type { Ranked } from '../../types/ranked.ts';
import { ZSET } from '../../types/sorted-set.ts';
import { type Command, command, ONE_KEY, SYNTAX_ERROR, TWO_KEYS } from '../command.ts';
import { clipped, integerAt } from '../integer-arguments.ts';
import type { ReplySink } from '../reply.ts';
import {
  lexRange,
  NOT_A_LEX_RANGE,
  NOT_A_SCORE_RANGE,
  type Places,
  type RangeOf,
  scoreRange,
} from './bounds.ts';
import {
  beginSortedSet,
  deleteInSteps,
  endSortedSet,
  findRanked,
  storeRange,
  visitInSteps,
} from './values.ts';

type By = 'rank' | 'score' | 'lex';

interface RangeOptions {
  by: By | undefined;
  isReverse: boolean | undefined;
  withScores: boolean;
  /** Of the range, what LIMIT asks for; a negative number: all. */
  offset: number;
  limit: number;
}

/** The name of a command fixes them: ZREVRANGEBYSCORE both, ZRANGE neither. */
type Fixed = Pick<RangeOptions, 'by' | 'isReverse'>;

/** Takes the option at an index; how many words it has, or the error line. */
function takeOption(
  options: RangeOptions,
  args: Arguments,
  i: number,
  isStore: boolean,
): number | string {
  if (!isStore && args.is(i, 'WITHSCORES')) {
    options.withScores = true;
  } else if (args.is(i, 'LIMIT') && i + 2 < args.count) {
    const offset = integerAt(args, i + 1);
    if (typeof offset === 'string') return offset;
    const limit = integerAt(args, i + 2);
    if (typeof limit === 'string') return limit;
    options.offset = offset;
    options.limit = limit;
    return 3;
  } else if (options.isReverse === undefined && args.is(i, 'REV')) {
    options.isReverse = true;
  } else if (options.by === undefined && args.is(i, 'BYLEX')) {
    options.by = 'lex';
  } else if (options.by === undefined && args.is(i, 'BYSCORE')) {
    options.by = 'score';
  } else {
    return SYNTAX_ERROR;
  }
  return 1;
}

/** The options from an index on, or the error line. */
function parseOptions(args: Arguments, first: number, fixed: Fixed, isStore: boolean) {
  const options: RangeOptions = { ...fixed, withScores: false, offset: 0, limit: -1 };
  // REV fixes the direction, as a name does; a second one is refused.
  for (let i = first; i < args.count; ) {
    const words = takeOption(options, args, i, isStore);
    if (typeof words === 'string') return words;
    i += words;
  }
  const isRank = (options.by ?? 'rank') === 'rank';
  if (isRank && options.limit !== -1) {
    return `${SYNTAX_ERROR}, LIMIT is only supported in combination with either BYSCORE or BYLEX`;
  }
  // As in Redis, a limit that takes all is accepted, and its offset then ignored.
  if (isRank) options.offset = 0;
  if (options.withScores && options.by === 'lex') {
    return `${SYNTAX_ERROR}, WITHSCORES not supported in combination with BYLEX`;
  }
  return options;
}

function rankRange(args: Arguments, min: number, isReverse: boolean): RangeOf | string {
  const start = integerAt(args, min);
  if (typeof start === 'string') return start;
  const stop = integerAt(args, min + 1);
  if (typeof stop === 'string') return stop;
  return ({ size }) => {
    const { from, to } = clipped(start, stop, size);
    return isReverse ? { from: size - to, to: size - from } : { from, to };
  };
}

/** The range in the arguments from `min` on, or the error line. */
function parseRange(args: Arguments, min: number, by: By, isReverse: boolean): RangeOf | string {
  if (by === 'rank') return rankRange(args, min, isReverse);
  const [low, high] = isReverse ? [min + 1, min] : [min, min + 1];
  return by === 'score'
    ? (scoreRange(args, low, high) ?? NOT_A_SCORE_RANGE)
    : (lexRange(args, low, high) ?? NOT_A_LEX_RANGE);
}

/** The places that LIMIT leaves. */
function limited({ from, to }: Places, options: RangeOptions): Places {
  const { offset, limit, isReverse } = options;
  const size = to - from;
  const skipped = offset < 0 ? size : Math.min(offset, size);
  const taken = limit < 0 ? size - skipped : Math.min(limit, size - skipped);
  const first = isReverse === true ? to - skipped - taken : from + skipped;
  return { from: first, to: first + taken };
}

function answerEntries(
  set: Ranked,
  places: Places,
  options: RangeOptions,
  each: number,
  out: ReplySink,
): Steps {
  const { from, to } = places;
  const count = to - from;
  const { withScores, isReverse } = options;
  if (withScores) out.pairs(count);
  else out.array(count);
  const visit = (member: string, score: number): void => {
    if (withScores) out.pair();
    out.bulk(member);
    if (withScores) out.double(score);
  };
  const isDown = isReverse === true;
  return visitInSteps(set, isDown ? to - 1 : from, count, isDown, each, visit);
}

function range(fixed: Fixed) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): unknown => {
    const options = parseOptions(args, 4, fixed, false);
    if (typeof options === 'string') return out.error(options);
    const rangeOf = parseRange(args, 2, options.by ?? 'rank', options.isReverse === true);
    if (typeof rangeOf === 'string') return out.error(rangeOf);
    const set = findRanked(keyspace, args, 1);
    if (set === undefined) return out.array(0);
    const each = keyspace.stepElements;
    return answerEntries(set, limited(rangeOf(set), options), options, each, out);
  };
}

const zrangestore = command({
  group: 'sorted-set',
  keys: TWO_KEYS,
  flags: 'write denyoom',
  name: 'ZRANGESTORE',
  arity: -5,
  summary: 'Store a range of members from sorted set into another key',
  since: '6.2.0',
  complexity: 'O(log(N)+M) with N the members of the sorted set and M those stored.',
  growth: (_args, bytesOf) => bytesOf(2),
  *run(keyspace, args, out) {
    const options = parseOptions(args, 5, { by: undefined, isReverse: undefined }, true);
    if (typeof options === 'string') return out.error(options);
    const rangeOf = parseRange(args, 3, options.by ?? 'rank', options.isReverse === true);
    if (typeof rangeOf === 'string') return out.error(rangeOf);
    const set = findRanked(keyspace, args, 2);
    const entries: [string, number][] = [];
    if (set !== undefined) {
      const { from, to } = limited(rangeOf(set), options);
      yield* visitInSteps(set, from, to - from, false, keyspace.stepElements, (member, score) => {
        entries.push([member, score]);
      });
    }
    if (options.isReverse === true) entries.reverse();
    const isCounted = (options.by ?? 'rank') === 'rank';
    yield* storeRange(keyspace, args, entries, isCounted ? entries.length : 0);
    out.integer(entries.length);
  },
});

function count(by: By) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): void => {
    const rangeOf = parseRange(args, 2, by, false);
    if (typeof rangeOf === 'string') return out.error(rangeOf);
    const set = findRanked(keyspace, args, 1);
    if (set === undefined) return out.integer(0);
    const { from, to } = rangeOf(set);
    out.integer(to - from);
  };
}

function remove(by: By) {
  return function* (keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
    const rangeOf = parseRange(args, 2, by, false);
    if (typeof rangeOf === 'string') return out.error(rangeOf);
    const found = keyspace.findCollection(ZSET, args, 1);
    if (found === undefined) return out.integer(0);
    const each = keyspace.stepElements;
    const set = beginSortedSet(keyspace, found, 0);
    const { from, to } = rangeOf(set);
    const members: string[] = [];
    yield* visitInSteps(set, from, to - from, false, each, (member) => members.push(member));
    yield* deleteInSteps(set, members, each);
    if (members.length > 0) {
      endSortedSet(keyspace, args, 1, found, set);
      keyspace.notify('zset', `zremrangeby${by}`, args, 1);
    }
    out.integer(members.length);
  };
}

const READ = {
  group: 'sorted-set',
  keys: ONE_KEY,
  flags: 'readonly',
  complexity: 'O(log(N)+M) with N the members of the sorted set and M those returned.',
} as const;
const COUNT = {
  group: 'sorted-set',
  keys: ONE_KEY,
  flags: 'readonly fast',
  arity: 4,
  complexity: 'O(log(N))',
} as const;
const REMOVE = {
  group: 'sorted-set',
  keys: ONE_KEY,
  flags: 'write',
  arity: 4,
  complexity: 'O(M*log(N)) with N the members of the sorted set and M those removed.',
} as const;

export const ZSET_RANGE_COMMANDS: readonly Command[] = [
  command({
    ...READ,
    name: 'ZRANGE',
    arity: -4,
    summary: 'Return a range of members in a sorted set',
    since: '1.2.0',
    run: range({ by: undefined, isReverse: undefined }),
  }),
  command({
    ...READ,
    name: 'ZREVRANGE',
    arity: -4,
    summary: 'Return a range of members in a sorted set, by index, from high to low scores',
    since: '1.2.0',
    run: range({ by: 'rank', isReverse: true }),
  }),
  command({
    ...READ,
    name: 'ZRANGEBYSCORE',
    arity: -4,
    summary: 'Return a range of members in a sorted set, by score',
    since: '1.0.5',
    run: range({ by: 'score', isReverse: false }),
  }),
  command({
    ...READ,
    name: 'ZREVRANGEBYSCORE',
    arity: -4,
    summary: 'Return a range of members in a sorted set, by score, from high to low scores',
    since: '2.2.0',
    run: range({ by: 'score', isReverse: true }),
  }),
  command({
    ...READ,
    name: 'ZRANGEBYLEX',
    arity: -4,
    summary: 'Return a range of members in a sorted set, by lexicographical range',
    since: '2.8.9',
    run: range({ by: 'lex', isReverse: false }),
  }),
  command({
    ...READ,
    name: 'ZREVRANGEBYLEX',
    arity: -4,
    summary:
      'Return a range of members in a sorted set, by lexicographical range, from high to low',
    since: '2.8.9',
    run: range({ by: 'lex', isReverse: true }),
  }),
  zrangestore,
  command({
    ...COUNT,
    name: 'ZCOUNT',
    summary: 'Count the members in a sorted set with scores within the given values',
    since: '2.0.0',
    run: count('score'),
  }),
  command({
    ...COUNT,
    name: 'ZLEXCOUNT',
    summary: 'Count the members in a sorted set between a given lexicographical range',
    since: '2.8.9',
    run: count('lex'),
  }),
  command({
    ...REMOVE,
    name: 'ZREMRANGEBYRANK',
    summary: 'Remove all members in a sorted set within the given indexes',
    since: '2.0.0',
    run: remove('rank'),
  }),
  command({
    ...REMOVE,
    name: 'ZREMRANGEBYSCORE',
    summary: 'Remove all members in a sorted set within the given scores',
    since: '1.2.0',
    run: remove('score'),
  }),
  command({
    ...REMOVE,
    name: 'ZREMRANGEBYLEX',
    summary: 'Remove all members in a sorted set between the given lexicographical range',
    since: '2.8.9',
    run: remove('lex'),
  }),
];
