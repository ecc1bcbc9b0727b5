/** ZPOPMIN, ZPOPMAX, ZMPOP. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { forEachInSteps, type Steps } from '../../steps.ts';
import { ZSET } from '../../types/sorted-set.ts';
import { type Command, command, ONE_KEY, SYNTAX_ERROR } from '../command.ts';
import { integerFrom, NOT_POSITIVE } from '../integer-arguments.ts';
import { type ManyPop, parseManyPop } from '../many-pop.ts';
import { keysBehind } from '../numkeys.ts';
import type { ReplySink } from '../reply.ts';
import {
  beginSortedSet,
  deleteInSteps,
  endSortedSet,
  type FoundSortedSet,
  visitInSteps,
} from './values.ts';

type Popped = (readonly [member: string, score: number])[];

/** Removes up to `count` members at one end. */
export function* popped(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  found: FoundSortedSet,
  count: number,
  isMax: boolean,
): Steps<Popped> {
  const entries: Popped = [];
  const each = keyspace.stepElements;
  const set = beginSortedSet(keyspace, found, 0);
  const taken = Math.min(count, set.size);
  yield* visitInSteps(set, isMax ? set.size - 1 : 0, taken, isMax, each, (member, score) => {
    entries.push([member, score]);
  });
  const members = entries.map(([member]) => member);
  yield* deleteInSteps(set, members, each);
  endSortedSet(keyspace, args, i, found, set);
  keyspace.notify('zset', isMax ? 'zpopmax' : 'zpopmin', args, i);
  return entries;
}

function pop(isMax: boolean) {
  return function* (keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
    if (args.count > 3) return out.error(SYNTAX_ERROR);
    const count = args.count === 3 ? integerFrom(0, args, 2, NOT_POSITIVE) : 1;
    if (typeof count === 'string') return out.error(count);
    const found = keyspace.findCollection(ZSET, args, 1);
    if (found === undefined || count === 0) return out.array(0);
    const entries = yield* popped(keyspace, args, 1, found, count, isMax);
    if (args.count === 3) out.pairs(entries.length);
    else out.array(2 * entries.length);
    yield* forEachInSteps(entries, keyspace.stepElements, ([member, score]) => {
      if (args.count === 3) out.pair();
      out.bulk(member);
      out.double(score);
    });
  };
}

type End = 'min' | 'max';

export function endAt(args: Arguments, i: number): End | undefined {
  if (args.is(i, 'MIN')) return 'min';
  return args.is(i, 'MAX') ? 'max' : undefined;
}

/** Pops from the first sorted set of the request that is there, and answers; or `nothing` does. */
export function* popFirst(
  keyspace: Keyspace,
  args: Arguments,
  { keys, count, end }: ManyPop<End>,
  out: ReplySink,
  nothing: () => void,
): Steps {
  for (const i of keys) {
    const found = keyspace.findCollection(ZSET, args, i);
    if (found === undefined) continue;
    const entries = yield* popped(keyspace, args, i, found, count, end === 'max');
    out.array(2);
    out.bulk(args.text(i));
    out.array(entries.length);
    yield* forEachInSteps(entries, keyspace.stepElements, ([member, score]) => {
      out.array(2);
      out.bulk(member);
      out.double(score);
    });
    return;
  }
  nothing();
}

const zmpop = command({
  group: 'sorted-set',
  keys: (args) => keysBehind(args, 1),
  flags: 'write',
  name: 'ZMPOP',
  arity: -4,
  summary: 'Remove and return members with scores in a sorted set',
  since: '7.0.0',
  complexity: 'O(K) + O(M*log(N)) with K the keys, N the members, M those popped.',
  *run(keyspace, args, out) {
    const request = parseManyPop(args, endAt);
    if (typeof request === 'string') return out.error(request);
    yield* popFirst(keyspace, args, request, out, () => out.nilArray());
  },
});

const POP = {
  group: 'sorted-set',
  keys: ONE_KEY,
  flags: 'write fast',
  arity: -2,
  since: '5.0.0',
  complexity: 'O(log(N)*M) with N the members of the sorted set, and M those popped.',
} as const;

export const ZSET_POP_COMMANDS: readonly Command[] = [
  command({
    ...POP,
    name: 'ZPOPMIN',
    summary: 'Remove and return members with the lowest scores in a sorted set',
    run: pop(false),
  }),
  command({
    ...POP,
    name: 'ZPOPMAX',
    summary: 'Remove and return members with the highest scores in a sorted set',
    run: pop(true),
  }),
  zmpop,
];
