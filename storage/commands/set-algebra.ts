/** Commands that compute sets from others: intersection, union, difference. */
import type { Arguments } from '../arguments.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { parseInteger } from '../types/integers.ts';
import {
  emptySet,
  forEachMember,
  hasMember,
  memberCount,
  SET,
  type SetValue,
  setOf,
} from '../types/set.ts';
import { overwrite } from './collections.ts';
import { ALL_KEYS, type Command, command, SYNTAX_ERROR } from './command.ts';
import { keysBehind } from './numkeys.ts';
import type { ReplySink } from './reply.ts';

/** Visits the members of the result, each once; `false` from the visitor ends it. */
type Algebra = (sets: readonly SetValue[], visit: (member: string) => boolean) => void;

/** The sets in some arguments; a missing key is the empty one. All are looked up. */
function setsIn(keyspace: Keyspace, args: Arguments, first: number, end: number): SetValue[] {
  const sets: SetValue[] = [];
  for (let i = first; i < end; i += 1) {
    sets.push(keyspace.findCollection(SET, args, i)?.entry.value ?? emptySet());
  }
  return sets;
}

const intersect: Algebra = (sets, visit) => {
  const [smallest, ...others] = sets.toSorted((a, b) => memberCount(a) - memberCount(b));
  if (smallest === undefined) return;
  forEachMember(smallest, (member) => {
    return !others.every((set) => hasMember(set, member)) || visit(member);
  });
};

const unite: Algebra = (sets, visit) => {
  const seen = new Set<string>();
  for (const set of sets) {
    forEachMember(set, (member) => {
      if (seen.has(member)) return true;
      seen.add(member);
      return visit(member);
    });
  }
};

const subtract: Algebra = ([first, ...others], visit) => {
  if (first === undefined) return;
  forEachMember(first, (member) => {
    return others.some((set) => hasMember(set, member)) || visit(member);
  });
};

function resultOf(algebra: Algebra, sets: readonly SetValue[]): string[] {
  const members: string[] = [];
  algebra(sets, (member) => {
    members.push(member);
    return true;
  });
  return members;
}

function answer(algebra: Algebra) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): void => {
    const members = resultOf(algebra, setsIn(keyspace, args, 1, args.count));
    out.set(members.length);
    for (const member of members) out.bulk(member);
  };
}

/** The result replaces the value of the first key, whatever it is; none removes it. */
function storeResult(algebra: Algebra) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): void => {
    const members = resultOf(algebra, setsIn(keyspace, args, 2, args.count));
    overwrite(keyspace, args, 1, SET, setOf(members, keyspace.thresholds));
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
  run(keyspace, args, out) {
    const keys = parseInteger(args.text(1));
    if (keys === undefined || keys < 1) return out.error('ERR numkeys should be greater than 0');
    if (keys > args.count - 2) {
      return out.error("ERR Number of keys can't be greater than number of args");
    }
    const end = Number(keys) + 2;
    const limit = parseLimit(args, end);
    if (typeof limit === 'string') return out.error(limit);
    let count = 0;
    intersect(setsIn(keyspace, args, 2, end), () => {
      count += 1;
      return count < limit;
    });
    out.integer(count);
  },
});

/** From argument `first` on; or the error line. */
function parseLimit(args: Arguments, first: number): number | string {
  let limit = Infinity;
  for (let i = first; i < args.count; i += 2) {
    if (!args.is(i, 'LIMIT') || i + 1 === args.count) return SYNTAX_ERROR;
    const value = parseInteger(args.text(i + 1));
    if (value === undefined || value < 0) return "ERR LIMIT can't be negative";
    limit = value === 0 ? Infinity : Number(value);
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
      run: storeResult(algebra),
    }),
  ]),
];
