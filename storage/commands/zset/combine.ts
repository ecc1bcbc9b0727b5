/** ZUNION, ZINTER, ZDIFF, what they store and what they count. Sets take part with scores of 1. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { WRONG_TYPE } from '../../keyspace/keyspace.ts';
import { forEachInSteps, type Steps, sortedInSteps } from '../../steps.ts';
import { compareEntries } from '../../types/ranked-members.ts';
import { parseScore } from '../../types/scores.ts';
import { hasMember, memberCount, membersOf, SET, type SetValue } from '../../types/set.ts';
import { type SortedSet, ZSET } from '../../types/sorted-set.ts';
import { type Command, command, ONE_KEY, SYNTAX_ERROR, sumOf, type Words } from '../command.ts';
import { integerAt, limitAt } from '../integer-arguments.ts';
import { keysBehind } from '../numkeys.ts';
import type { ReplySink } from '../reply.ts';
import { rankedOf, storeSortedSet, visitInSteps } from './values.ts';

type Operation = 'union' | 'inter' | 'diff';
type Aggregate = (a: number, b: number) => number;

interface Source {
  readonly size: number;
  scoreOf(member: string): number | undefined;
  /** In steps of so many members. */
  forEach(each: number, visit: (member: string, score: number) => void): Steps;
  weight: number;
}

interface Shape {
  readonly name: string;
  readonly operation: Operation;
  /** Where the number of keys stands; 2: behind the key of the result. */
  readonly at: 1 | 2;
  readonly isCount: boolean;
}

interface CombineOptions {
  readonly weights: number[];
  aggregate: Aggregate;
  withScores: boolean;
  /** 0: none. */
  limit: number;
}

/** Infinity less infinity is no number, and zero here. */
function numeric(score: number): number {
  return Number.isNaN(score) ? 0 : score;
}

/** Unlike Math.min and Math.max they keep `a` where `b` is no number. */
function smaller(a: number, b: number): number {
  if (b < a) return b;
  return a;
}

function larger(a: number, b: number): number {
  if (b > a) return b;
  return a;
}

const AGGREGATES: Readonly<Record<string, Aggregate>> = {
  SUM: (a, b) => numeric(a + b),
  MIN: smaller,
  MAX: larger,
};

const EMPTY_SOURCE: Omit<Source, 'weight'> = {
  size: 0,
  scoreOf: () => undefined,
  forEach: () => forEachInSteps([], 1, () => undefined),
};

function setSource(set: SetValue): Omit<Source, 'weight'> {
  return {
    size: memberCount(set),
    scoreOf: (member) => (hasMember(set, member) ? 1 : undefined),
    forEach: (each, visit) => forEachInSteps(membersOf(set), each, (member) => visit(member, 1)),
  };
}

function sourceOf(keyspace: Keyspace, args: Arguments, i: number): Source {
  const found = keyspace.find(args, i);
  if (found === undefined) return { ...EMPTY_SOURCE, weight: 1 };
  const { type, value } = found.entry;
  keyspace.load(found);
  if (type.code === SET.code) return { ...setSource(value as SetValue), weight: 1 };
  if (type.code !== ZSET.code) throw WRONG_TYPE;
  const set = rankedOf(value as string | SortedSet);
  return {
    size: set.size,
    scoreOf: (member) => set.scoreOf(member),
    forEach: (each, visit) => visitInSteps(set, 0, set.size, false, each, visit),
    weight: 1,
  };
}

/** Takes the option at an index; how many words it has, or the error line. */
function takeOption(
  options: CombineOptions,
  args: Arguments,
  i: number,
  { operation, at, isCount }: Shape,
  keys: number,
): number | string {
  const left = args.count - i;
  const weighs = operation !== 'diff' && !isCount;
  if (weighs && left > keys && args.is(i, 'WEIGHTS')) {
    for (let j = i + 1; j <= i + keys; j += 1) {
      const weight = parseScore(args.text(j));
      if (weight === undefined) return 'ERR weight value is not a float';
      options.weights[j - i - 1] = weight;
    }
    return 1 + keys;
  }
  if (weighs && left >= 2 && args.is(i, 'AGGREGATE')) {
    const aggregate = AGGREGATES[args.text(i + 1).toUpperCase()];
    if (aggregate === undefined) return SYNTAX_ERROR;
    options.aggregate = aggregate;
    return 2;
  }
  if (at === 1 && !isCount && args.is(i, 'WITHSCORES')) {
    options.withScores = true;
    return 1;
  }
  if (isCount && left >= 2 && args.is(i, 'LIMIT')) {
    const limit = limitAt(args, i + 1);
    if (typeof limit === 'string') return limit;
    options.limit = limit;
    return 2;
  }
  return SYNTAX_ERROR;
}

function parseOptions(
  args: Arguments,
  first: number,
  shape: Shape,
  keys: number,
): CombineOptions | string {
  const options: CombineOptions = {
    weights: [],
    aggregate: AGGREGATES['SUM'] as Aggregate,
    withScores: false,
    limit: 0,
  };
  for (let i = first; i < args.count; ) {
    const words = takeOption(options, args, i, shape, keys);
    if (typeof words === 'string') return words;
    i += words;
  }
  return options;
}

interface Request {
  readonly sources: Source[];
  readonly options: CombineOptions;
  /** Members in one step. */
  readonly each: number;
}

/** The request with its sources looked up, or the error line. */
function parse(keyspace: Keyspace, args: Arguments, shape: Shape): Request | string {
  const keys = integerAt(args, shape.at);
  if (typeof keys === 'string') return keys;
  if (keys < 1) {
    return `ERR at least 1 input key is needed for '${shape.name.toLowerCase()}' command`;
  }
  if (keys > args.count - shape.at - 1) return SYNTAX_ERROR;
  const sources = keysBehind(args, shape.at).map((i) => sourceOf(keyspace, args, i));
  const options = parseOptions(args, shape.at + 1 + keys, shape, keys);
  if (typeof options === 'string') return options;
  for (const [i, weight] of options.weights.entries()) (sources[i] as Source).weight = weight;
  // As in Redis, which adds up in this order: the smallest first.
  if (shape.operation !== 'diff') sources.sort((a, b) => a.size - b.size);
  return { sources, options, each: keyspace.stepElements };
}

function* union({ sources, options, each }: Request): Steps<Map<string, number>> {
  const scores = new Map<string, number>();
  for (const source of sources) {
    yield* source.forEach(each, (member, score) => {
      const weighed = numeric(source.weight * score);
      const old = scores.get(member);
      scores.set(member, old === undefined ? weighed : options.aggregate(old, weighed));
    });
  }
  return scores;
}

/** Visits members of all sources until `visit` answers false. */
function* intersect(
  { sources, options, each }: Request,
  visit: (member: string, score: number) => boolean,
): Steps {
  const [first, ...others] = sources;
  if (first === undefined) return;
  let isOver = false;
  const steps = first.forEach(each, (member, score) => {
    if (isOver) return;
    let sum = numeric(first.weight * score);
    for (const other of others) {
      const found = other.scoreOf(member);
      if (found === undefined) return;
      sum = options.aggregate(sum, other.weight * found);
    }
    isOver = !visit(member, sum);
  });
  while (steps.next().done !== true && !isOver) yield;
}

function* combined(operation: Operation, request: Request): Steps<Map<string, number>> {
  if (operation === 'union') return yield* union(request);
  const scores = new Map<string, number>();
  if (operation === 'inter') {
    yield* intersect(request, (member, score) => {
      scores.set(member, score);
      return true;
    });
    return scores;
  }
  const [first, ...others] = request.sources;
  if (first === undefined) return scores;
  yield* first.forEach(request.each, (member, score) => {
    if (!others.some((other) => other.scoreOf(member) !== undefined)) scores.set(member, score);
  });
  return scores;
}

function* answerAll(
  scores: Map<string, number>,
  withScores: boolean,
  each: number,
  out: ReplySink,
): Steps {
  const entries: [string, number][] = [];
  yield* forEachInSteps(scores, each, (entry) => entries.push(entry));
  const ordered = yield* sortedInSteps(entries, each, ([a, scoreA], [b, scoreB]) =>
    compareEntries(scoreA, a, scoreB, b),
  );
  if (withScores) out.pairs(ordered.length);
  else out.array(ordered.length);
  yield* forEachInSteps(ordered, each, ([member, score]) => {
    if (withScores) out.pair();
    out.bulk(member);
    if (withScores) out.double(score);
  });
}

function* answerCount(request: Request, out: ReplySink): Steps {
  const { limit } = request.options;
  let count = 0;
  yield* intersect(request, () => {
    count += 1;
    return count !== limit;
  });
  out.integer(count);
}

function run(shape: Shape) {
  return function* (keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
    const request = parse(keyspace, args, shape);
    if (typeof request === 'string') return out.error(request);
    if (shape.isCount) return yield* answerCount(request, out);
    const { options, each } = request;
    const scores = yield* combined(shape.operation, request);
    if (shape.at === 1) return yield* answerAll(scores, options.withScores, each, out);
    yield* storeSortedSet(keyspace, args, 1, scores, shape.name.toLowerCase());
    out.integer(scores.size);
  };
}

const COMPLEXITY = 'O(N)+O(M*log(M)) with N the members of all sources and M those of the result.';

function reading(operation: Operation, name: string, summary: string): Command {
  return command({
    group: 'sorted-set',
    keys: (args) => keysBehind(args, 1),
    flags: 'readonly',
    name,
    arity: -3,
    summary,
    since: '6.2.0',
    complexity: COMPLEXITY,
    run: run({ name, operation, at: 1, isCount: false }),
  });
}

function storing(operation: Operation, name: string, summary: string): Command {
  return command({
    group: 'sorted-set',
    keys: resultAndSources,
    fixedKeys: ONE_KEY,
    flags: 'write denyoom',
    name,
    arity: -4,
    summary,
    since: operation === 'diff' ? '6.2.0' : '2.0.0',
    complexity: COMPLEXITY,
    growth: (args, bytesOf) => sumOf(keysBehind(args, 2), bytesOf),
    run: run({ name, operation, at: 2, isCount: false }),
  });
}

function resultAndSources(args: Words): readonly number[] {
  return [1, ...keysBehind(args, 2)];
}

export const ZSET_COMBINE_COMMANDS: readonly Command[] = [
  reading('union', 'ZUNION', 'Add multiple sorted sets'),
  reading('inter', 'ZINTER', 'Intersect multiple sorted sets'),
  reading('diff', 'ZDIFF', 'Subtract multiple sorted sets'),
  storing('union', 'ZUNIONSTORE', 'Add multiple sorted sets and store the result in a new key'),
  storing('inter', 'ZINTERSTORE', 'Intersect sorted sets and store the result in a new key'),
  storing('diff', 'ZDIFFSTORE', 'Subtract sorted sets and store the result in a new key'),
  command({
    group: 'sorted-set',
    keys: (args) => keysBehind(args, 1),
    flags: 'readonly',
    name: 'ZINTERCARD',
    arity: -3,
    summary: 'Intersect multiple sorted sets and return the cardinality of the result',
    since: '7.0.0',
    complexity: 'O(N*K) with N the members of the smallest source and K the sources.',
    run: run({ name: 'ZINTERCARD', operation: 'inter', at: 1, isCount: true }),
  }),
];
