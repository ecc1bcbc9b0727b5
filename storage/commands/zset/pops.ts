/** ZPOPMIN, ZPOPMAX, ZMPOP. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { ZSET } from '../../types/sorted-set.ts';
import { type Command, command, ONE_KEY, SYNTAX_ERROR } from '../command.ts';
import { integerFrom, NOT_POSITIVE } from '../integer-arguments.ts';
import { parseManyPop } from '../many-pop.ts';
import { keysBehind } from '../numkeys.ts';
import type { ReplySink } from '../reply.ts';
import { editSortedSet, type FoundSortedSet } from './values.ts';

type Popped = (readonly [member: string, score: number])[];

/** Removes up to `count` members at one end. */
function popped(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  found: FoundSortedSet,
  count: number,
  isMax: boolean,
): Popped {
  const entries: Popped = [];
  editSortedSet(keyspace, args, i, found, 0, (set) => {
    const taken = Math.min(count, set.size);
    const take = (member: string, score: number) => entries.push([member, score]);
    if (isMax) set.descend(set.size - 1, taken, take);
    else set.ascend(0, taken, take);
    for (const [member] of entries) set.delete(member);
    return true;
  });
  return entries;
}

function pop(isMax: boolean) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): void => {
    if (args.count > 3) return out.error(SYNTAX_ERROR);
    const count = args.count === 3 ? integerFrom(0, args, 2, NOT_POSITIVE) : 1;
    if (typeof count === 'string') return out.error(count);
    const found = keyspace.findCollection(ZSET, args, 1);
    if (found === undefined || count === 0) return out.array(0);
    const entries = popped(keyspace, args, 1, found, count, isMax);
    if (args.count === 3) out.pairs(entries.length);
    else out.array(2 * entries.length);
    for (const [member, score] of entries) {
      if (args.count === 3) out.pair();
      out.bulk(member);
      out.double(score);
    }
  };
}

type End = 'min' | 'max';

function endAt(args: Arguments, i: number): End | undefined {
  if (args.is(i, 'MIN')) return 'min';
  return args.is(i, 'MAX') ? 'max' : undefined;
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
  run(keyspace, args, out) {
    const request = parseManyPop(args, endAt);
    if (typeof request === 'string') return out.error(request);
    for (const i of request.keys) {
      const found = keyspace.findCollection(ZSET, args, i);
      if (found === undefined) continue;
      const entries = popped(keyspace, args, i, found, request.count, request.end === 'max');
      out.array(2);
      out.bulk(args.text(i));
      out.array(entries.length);
      for (const [member, score] of entries) {
        out.array(2);
        out.bulk(member);
        out.double(score);
      }
      return;
    }
    out.nilArray();
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
