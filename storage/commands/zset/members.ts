/** Commands on single members of sorted sets: add, score, rank, remove. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
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
import { add, type EditedSet, editSortedSet, findRanked } from './values.ts';

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

function addAll(keyspace: Keyspace, args: Arguments, options: AddOptions, out: ReplySink): void {
  const refusal = refusalOf(options, args.count);
  if (refusal !== undefined) return out.error(refusal);
  const scores: number[] = [];
  for (let i = options.first; i < args.count; i += 2) {
    const score = parseScore(args.text(i));
    if (score === undefined) return out.error(NOT_A_FLOAT);
    scores.push(score);
  }
  const found = keyspace.findCollection(ZSET, args, 1);
  let added = 0;
  let updated = 0;
  let last: number | undefined;
  const change = (set: EditedSet): boolean => {
    for (const [i, given] of scores.entries()) {
      const member = args.text(options.first + 2 * i + 1);
      const old = set.scoreOf(member);
      last = scoreAfter(options, old, given);
      if (last === undefined || last === old || Number.isNaN(last)) continue;
      add(keyspace, set, member, last);
      if (old === undefined) added += 1;
      else updated += 1;
    }
    return added + updated > 0;
  };
  const bytes = bytesFrom(args, options.first) + 8 * scores.length;
  if (found !== undefined || !options.xx) editSortedSet(keyspace, args, 1, found, bytes, change);
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
  run(keyspace, args, out) {
    const found = keyspace.findCollection(ZSET, args, 1);
    let removed = 0;
    if (found === undefined) return out.integer(0);
    editSortedSet(keyspace, args, 1, found, 0, (set) => {
      for (let i = 2; i < args.count; i += 1) {
        const member = args.text(i);
        if (set.scoreOf(member) === undefined) continue;
        set.delete(member);
        removed += 1;
      }
      return removed > 0;
    });
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
      for (let i = 2; i < args.count; i += 1) answerScore(set?.scoreOf(args.text(i)), out);
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
