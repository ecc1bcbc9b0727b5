/** Commands on single members of sorted sets: add, score, rank, remove. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { forRangeInSteps, type Steps } from '../../steps.ts';
import { parseScore } from '../../types/scores.ts';
import { ZSET } from '../../types/sorted-set.ts';
import { bytesFrom, countElements } from '../collections.ts';
import {
  arityError,
  type Command,
  command,
  NOT_A_FLOAT,
  ONE_KEY,
  SYNTAX_ERROR,
} from '../command.ts';
import type { ReplySink } from '../reply.ts';
import {
  add,
  beginSortedSet,
  type EditedSet,
  editSortedSet,
  endSortedSet,
  findRanked,
} from './values.ts';

const READ = { group: 'sorted-set', keys: ONE_KEY, flags: 'readonly fast' } as const;
const WRITE = { group: 'sorted-set', keys: ONE_KEY, flags: 'write denyoom fast' } as const;

const NOT_A_NUMBER = 'ERR resulting score is not a number (NaN)';

interface AddOptions {
  nx: boolean;
  xx: boolean;
  gt: boolean;
  lt: boolean;
  ch: boolean;
  incr: boolean;
  /** The first score. */
  first: number;
}

function noOptions(first: number, incr: boolean): AddOptions {
  return { nx: false, xx: false, gt: false, lt: false, ch: false, incr, first };
}

function parseAddOptions(args: Arguments): AddOptions {
  const options = noOptions(2, false);
  for (; options.first < args.count; options.first += 1) {
    const i = options.first;
    if (args.is(i, 'NX')) options.nx = true;
    else if (args.is(i, 'XX')) options.xx = true;
    else if (args.is(i, 'GT')) options.gt = true;
    else if (args.is(i, 'LT')) options.lt = true;
    else if (args.is(i, 'CH')) options.ch = true;
    else if (args.is(i, 'INCR')) options.incr = true;
    else break;
  }
  return options;
}

function refusalOf({ nx, xx, gt, lt, incr, first }: AddOptions, count: number): string | undefined {
  const words = count - first;
  if (words === 0 || words % 2 === 1) return SYNTAX_ERROR;
  if (nx && xx) return 'ERR XX and NX options at the same time are not compatible';
  if ((gt && nx) || (lt && nx) || (gt && lt)) {
    return 'ERR GT, LT, and/or NX options at the same time are not compatible';
  }
  if (incr && words > 2) return 'ERR INCR option supports a single increment-element pair';
  return undefined;
}

/** The new score of a member, its old one if nothing is to change; NaN: refused. */
function scoreAfter(
  options: AddOptions,
  old: number | undefined,
  given: number,
): number | undefined {
  if (old === undefined) return options.xx ? undefined : given;
  if (options.nx) return undefined;
  const score = options.incr ? old + given : given;
  if ((options.lt && score >= old) || (options.gt && score <= old)) return undefined;
  return score;
}

function addAll(keyspace: Keyspace, args: Arguments, options: AddOptions, out: ReplySink): unknown {
  const refusal = refusalOf(options, args.count);
  if (refusal !== undefined) return out.error(refusal);
  if (args.count > keyspace.stepElements) return addMany(keyspace, args, options, out);
  const scores: number[] = [];
  for (let i = options.first; i < args.count; i += 2) {
    const score = parseScore(args.text(i));
    if (score === undefined) return out.error(NOT_A_FLOAT);
    scores.push(score);
  }
  const found = keyspace.findCollection(ZSET, args, 1);
  const done: Added = { added: 0, updated: 0, last: undefined };
  const change = (set: EditedSet): boolean => {
    addSome(keyspace, args, options, set, scores, 0, scores.length, done);
    return done.added + done.updated > 0;
  };
  const bytes = bytesFrom(args, options.first) + 8 * scores.length;
  if (found !== undefined || !options.xx) editSortedSet(keyspace, args, 1, found, bytes, change);
  return answerAdded(keyspace, args, options, done, out);
}

/** The same in steps. */
function* addMany(keyspace: Keyspace, args: Arguments, options: AddOptions, out: ReplySink): Steps {
  const each = keyspace.stepElements;
  const scores: number[] = [];
  const pairs = (args.count - options.first) / 2;
  let isRefused = false;
  yield* forRangeInSteps(0, pairs, each, (start, end) => {
    for (let i = start; i < end; i += 1) {
      const score = parseScore(args.text(options.first + 2 * i));
      isRefused ||= score === undefined;
      scores.push(score ?? 0);
    }
  });
  if (isRefused) return out.error(NOT_A_FLOAT);
  const found = keyspace.findCollection(ZSET, args, 1);
  const done: Added = { added: 0, updated: 0, last: undefined };
  if (found !== undefined || !options.xx) {
    const bytes = bytesFrom(args, options.first) + 8 * pairs;
    const set = beginSortedSet(keyspace, found, bytes);
    yield* forRangeInSteps(0, pairs, each, (start, end) => {
      addSome(keyspace, args, options, set, scores, start, end, done);
    });
    if (done.added + done.updated > 0) endSortedSet(keyspace, args, 1, found, set);
  }
  answerAdded(keyspace, args, options, done, out);
}

interface Added {
  added: number;
  updated: number;
  /** The score of the last member. */
  last: number | undefined;
}

/** Adds the members with the numbers `[start, end)` among those of the command. */
function addSome(
  keyspace: Keyspace,
  args: Arguments,
  options: AddOptions,
  set: EditedSet,
  scores: readonly number[],
  start: number,
  end: number,
  done: Added,
): void {
  for (let i = start; i < end; i += 1) {
    const member = args.text(options.first + 2 * i + 1);
    const old = set.scoreOf(member);
    const score = scoreAfter(options, old, scores[i] as number);
    done.last = score;
    if (score === undefined || score === old || Number.isNaN(score)) continue;
    add(keyspace, set, member, score);
    if (old === undefined) done.added += 1;
    else done.updated += 1;
  }
}

function answerAdded(
  keyspace: Keyspace,
  args: Arguments,
  options: AddOptions,
  { added, updated, last }: Added,
  out: ReplySink,
): void {
  if (added + updated > 0) keyspace.notify('zset', options.incr ? 'zincr' : 'zadd', args, 1);
  if (!options.incr) return out.integer(options.ch ? added + updated : added);
  if (last === undefined) out.nil();
  else if (Number.isNaN(last)) out.error(NOT_A_NUMBER);
  else out.double(last);
}

const zrem = command({
  group: 'sorted-set',
  keys: ONE_KEY,
  flags: 'write fast',
  name: 'ZREM',
  arity: -3,
  summary: 'Remove one or more members from a sorted set',
  since: '1.2.0',
  complexity: 'O(M*log(N)) with N the members of the sorted set, M those to be removed.',
  *run(keyspace, args, out) {
    const found = keyspace.findCollection(ZSET, args, 1);
    let removed = 0;
    if (found === undefined) return out.integer(0);
    const set = beginSortedSet(keyspace, found, 0);
    yield* forRangeInSteps(2, args.count, keyspace.stepElements, (start, end) => {
      for (let i = start; i < end; i += 1) {
        const member = args.text(i);
        if (set.scoreOf(member) === undefined) continue;
        set.delete(member);
        removed += 1;
      }
    });
    if (removed > 0) {
      endSortedSet(keyspace, args, 1, found, set);
      keyspace.notify('zset', 'zrem', args, 1);
    }
    out.integer(removed);
  },
});

function rank(name: string, isReverse: boolean) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): void => {
    if (args.count > 4) return out.error(arityError(name));
    const withScore = args.count === 4;
    if (withScore && !args.is(3, 'WITHSCORE')) return out.error(SYNTAX_ERROR);
    const set = findRanked(keyspace, args, 1);
    const member = args.text(2);
    const place = set?.rankOf(member);
    if (set === undefined || place === undefined) return withScore ? out.nilArray() : out.nil();
    if (withScore) out.array(2);
    out.integer(isReverse ? set.size - 1 - place : place);
    if (withScore) out.double(set.scoreOf(member) as number);
  };
}

function answerScore(score: number | undefined, out: ReplySink): void {
  if (score === undefined) out.nil();
  else out.double(score);
}

const RANK = { ...READ, arity: -3, since: '2.0.0', complexity: 'O(log(N))' } as const;

export const ZSET_MEMBER_COMMANDS: readonly Command[] = [
  command({
    ...WRITE,
    name: 'ZADD',
    arity: -4,
    summary: 'Add one or more members to a sorted set, or update its score if it already exists',
    since: '1.2.0',
    complexity: 'O(log(N)) for each item added, N the members of the sorted set.',
    run: (keyspace, args, out) => addAll(keyspace, args, parseAddOptions(args), out),
  }),
  command({
    ...WRITE,
    name: 'ZINCRBY',
    arity: 4,
    summary: 'Increment the score of a member in a sorted set',
    since: '1.2.0',
    complexity: 'O(log(N))',
    run: (keyspace, args, out) => addAll(keyspace, args, noOptions(2, true), out),
  }),
  zrem,
  command({
    ...READ,
    name: 'ZCARD',
    arity: 2,
    summary: 'Get the number of members in a sorted set',
    since: '1.2.0',
    complexity: 'O(1)',
    run: countElements(ZSET, 2),
  }),
  command({
    ...READ,
    name: 'ZSCORE',
    arity: 3,
    summary: 'Get the score associated with the given member in a sorted set',
    since: '1.2.0',
    complexity: 'O(log(N))',
    run: (keyspace, args, out) =>
      answerScore(findRanked(keyspace, args, 1)?.scoreOf(args.text(2)), out),
  }),
  command({
    ...READ,
    name: 'ZMSCORE',
    arity: -3,
    summary: 'Get the score associated with the given members in a sorted set',
    since: '6.2.0',
    complexity: 'O(M*log(N)) where M is the number of members asked for.',
    run(keyspace, args, out) {
      const set = findRanked(keyspace, args, 1);
      out.array(args.count - 2);
      return forRangeInSteps(2, args.count, keyspace.stepElements, (start, end) => {
        for (let i = start; i < end; i += 1) answerScore(set?.scoreOf(args.text(i)), out);
      });
    },
  }),
  command({
    ...RANK,
    name: 'ZRANK',
    summary: 'Determine the index of a member in a sorted set',
    run: rank('ZRANK', false),
  }),
  command({
    ...RANK,
    name: 'ZREVRANK',
    summary:
      'Determine the index of a member in a sorted set, with scores ordered from high to low',
    run: rank('ZREVRANK', true),
  }),
];
