/** Commands that compute sets from others: intersection, union, difference. */
import type { Arguments } from '../arguments.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { forEachInSteps, type Steps } from '../steps.ts';
import { parseInteger } from '../types/integers.ts';
import {
  emptySet,
  hasMember,
  labelOfMembers,
  memberCount,
  membersOf,
  SET,
  type SetValue,
  setOf,
} from '../types/set.ts';
import { overwrite } from './collections.ts';
import { ALL_KEYS, type Command, command, keysAmong, SYNTAX_ERROR, sumOf } from './command.ts';
import { limitAt } from './integer-arguments.ts';
import { keysBehind } from './numkeys.ts';
import type { ReplySink } from './reply.ts';

/** Visits the members of the result, each once. In steps that go through so many members. */
type Algebra = (sets: readonly SetValue[], each: number, visit: (member: string) => void) => Steps;

/** The sets in some arguments; a missing key is the empty one. All are looked up. */
function setsIn(keyspace: Keyspace, args: Arguments, first: number, end: number): SetValue[] {
  const sets: SetValue[] = [];
  for (let i = first; i < end; i += 1) {
    sets.push(keyspace.findCollection(SET, args, i)?.entry.value ?? emptySet());
  }
  return sets;
}

const intersect: Algebra = (sets, each, visit) => {
  const [smallest, ...others] = sets.toSorted((a, b) => memberCount(a) - memberCount(b));
  return forEachInSteps(membersOf(smallest ?? emptySet()), each, (member) => {
    if (others.every((set) => hasMember(set, member))) visit(member);
  });
};

const unite: Algebra = function* (sets, each, visit) {
  const seen = new Set<string>();
  for (const set of sets) {
    yield* forEachInSteps(membersOf(set), each, (member) => {
      if (seen.has(member)) return;
      seen.add(member);
      visit(member);
    });
  }
};

const subtract: Algebra = ([first, ...others], each, visit) => {
  return forEachInSteps(membersOf(first ?? emptySet()), each, (member) => {
    if (!others.some((set) => hasMember(set, member))) visit(member);
  });
};

function* resultOf(
  algebra: Algebra,
  sets: readonly SetValue[],
  each: number,
): Steps<readonly string[]> {
  const members: string[] = [];
  yield* algebra(sets, each, (member) => members.push(member));
  return members;
}

function answer(algebra: Algebra) {
  return function* (keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
    const each = keyspace.stepElements;
    const members = yield* resultOf(algebra, setsIn(keyspace, args, 1, args.count), each);
    out.set(members.length);
    yield* forEachInSteps(members, each, (member) => out.bulk(member));
  };
}

/**
 * Whether Redis makes a difference from a copy of the first set, whose label then stays, because
 * that is less work than to look for its members in all others.
 */
function isFromCopy(sets: readonly SetValue[]): boolean {
  const sizes = sets.map(memberCount);
  const [first = 0] = sizes;
  const lookUps = first * sizes.filter((size) => size > 0).length;
  return Math.floor(lookUps / 2) > sizes.reduce((sum, size) => sum + size, 0);
}

/** The result replaces the value of the first key, whatever it is; none removes it. */
function storeResult(algebra: Algebra, event: string) {
  return function* (keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
    const { stepElements: each, thresholds } = keyspace;
    const sets = setsIn(keyspace, args, 2, args.count);
    const members = yield* resultOf(algebra, sets, each);
    const [first = emptySet()] = sets;
    const label =
      algebra === subtract && isFromCopy(sets)
        ? yield* labelOfMembers(membersOf(first), memberCount(first), thresholds, each)
        : yield* labelOfMembers(members, members.length, thresholds, each);
    overwrite(keyspace, args, 1, SET, yield* setOf(members, label, each), event);
    out.integer(members.length);
  };
}

/** https://redis.io/docs/latest/commands/sintercard */
const sintercard = command({
  group: 'set',
  keys: (args) => keysBehind(args, 1),
  flags: 'readonly',
  name: 'SINTERCARD',
  arity: -3,
  summary: 'Intersect multiple sets and return the cardinality of the result',
  since: '7.0.0',
  complexity: 'O(N*M) worst case where N is the cardinality of the smallest of M sets.',
  *run(keyspace, args, out) {
    const keys = parseInteger(args.text(1));
    if (keys === undefined || keys < 1) return out.error('ERR numkeys should be greater than 0');
    if (keys > args.count - 2) {
      return out.error("ERR Number of keys can't be greater than number of args");
    }
    const end = Number(keys) + 2;
    const limit = parseLimit(args, end);
    if (typeof limit === 'string') return out.error(limit);
    let count = 0;
    const sets = setsIn(keyspace, args, 2, end);
    const steps = intersect(sets, keyspace.stepElements, () => {
      count += 1;
    });
    while (steps.next().done !== true && count < limit) yield;
    out.integer(Math.min(count, limit));
  },
});

/** From argument `first` on; or the error line. */
function parseLimit(args: Arguments, first: number): number | string {
  let limit = Infinity;
  for (let i = first; i < args.count; i += 2) {
    if (!args.is(i, 'LIMIT') || i + 1 === args.count) return SYNTAX_ERROR;
    const value = limitAt(args, i + 1);
    if (typeof value === 'string') return value;
    limit = value === 0 ? Infinity : value;
  }
  return limit;
}

const OPERATIONS = [
  { name: 'SINTER', algebra: intersect, verb: 'Intersect' },
  { name: 'SUNION', algebra: unite, verb: 'Add' },
  { name: 'SDIFF', algebra: subtract, verb: 'Subtract' },
];

export const SET_ALGEBRA_COMMANDS: readonly Command[] = [
  sintercard,
  ...OPERATIONS.flatMap(({ name, algebra, verb }) => [
    command({
      group: 'set',
      keys: ALL_KEYS,
      flags: 'readonly',
      name,
      arity: -2,
      summary: `${verb} multiple sets`,
      since: '1.0.0',
      complexity: 'O(N) where N is the number of members of all sets.',
      run: answer(algebra),
    }),
    command({
      group: 'set',
      keys: ALL_KEYS,
      flags: 'write denyoom',
      name: `${name}STORE`,
      arity: -3,
      summary: `${verb} multiple sets and store the resulting set in a key`,
      since: '1.0.0',
      complexity: 'O(N) where N is the number of members of all sets.',
      growth: (args, bytesOf) => sumOf([...keysAmong(ALL_KEYS, args)].slice(1), bytesOf),
      run: storeResult(algebra, `${name.toLowerCase()}store`),
    }),
  ]),
];
