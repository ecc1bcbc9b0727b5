/**
 * Commands on lists whose clients wait where there is nothing: BLPOP and its like. Inside a MULTI
 * block they answer null then.
 */
import { LIST } from '../../types/list.ts';
import type { ValueType } from '../../types/value-type.ts';
import { type Command, command, keysAmong, SYNTAX_ERROR, TWO_KEYS } from '../command.ts';
import { parseManyPop } from '../many-pop.ts';
import { keysBehind } from '../numkeys.ts';
import { timeoutAt } from '../wait-timeout.ts';
import { type End, endAt, moved, popFirst, popped } from './ends.ts';

const TYPE = LIST as ValueType;
/** The timeout stands behind the keys. */
const KEYS = { first: 1, last: -2, step: 1 } as const;

function pop(name: string, end: End, summary: string): Command {
  const timeout = timeoutAt(-1, 'list', (args) => keysAmong(KEYS, args));
  return command({
    group: 'list',
    keys: KEYS,
    flags: 'write noscript blocking',
    name,
    arity: -3,
    summary,
    since: '2.0.0',
    complexity: 'O(N) where N is the number of provided keys.',
    waits: timeout.waits,
    run(keyspace, args, out) {
      const refusal = timeout.refusal(args);
      if (refusal !== undefined) return out.error(refusal);
      const keys = [...keysAmong(KEYS, args)];
      for (const i of keys) {
        const found = keyspace.findCollection(LIST, args, i);
        if (found === undefined) continue;
        const [item = ''] = popped(keyspace, args, i, found, 1, end);
        out.array(2);
        out.bulk(args.text(i));
        return out.bulk(item);
      }
      keyspace.nothingYet(args, keys, TYPE);
      out.nilArray();
    },
  });
}

const source = () => [1];
const moveTimeout = timeoutAt(5, 'list', source);
const popPushTimeout = timeoutAt(3, 'list', source);
const manyTimeout = timeoutAt(1, 'list', (args) => keysBehind(args, 2));

const MOVE = {
  group: 'list',
  keys: TWO_KEYS,
  flags: 'write denyoom noscript blocking',
  complexity: 'O(1)',
} as const;

export const LIST_WAIT_COMMANDS: readonly Command[] = [
  pop('BLPOP', 'left', 'Remove and get the first element in a list, or block until there is one'),
  pop('BRPOP', 'right', 'Remove and get the last element in a list, or block until there is one'),
  command({
    ...MOVE,
    name: 'BLMOVE',
    arity: 6,
    summary: 'Pop an element from a list, push it to another and return it, or block until it can',
    since: '6.2.0',
    waits: { ...moveTimeout.waits, loses: false },
    run(keyspace, args, out) {
      const [from, to] = [endAt(args, 3), endAt(args, 4)];
      if (from === undefined || to === undefined) return out.error(SYNTAX_ERROR);
      const refusal = moveTimeout.refusal(args);
      if (refusal !== undefined) return out.error(refusal);
      if (moved(keyspace, args, from, to, out)) return;
      keyspace.nothingYet(args, [1], TYPE);
      out.nil();
    },
  }),
  command({
    ...MOVE,
    name: 'BRPOPLPUSH',
    arity: 4,
    summary: 'Pop an element from a list, push it to another and return it, or block until it can',
    since: '2.2.0',
    waits: { ...popPushTimeout.waits, loses: false },
    run(keyspace, args, out) {
      const refusal = popPushTimeout.refusal(args);
      if (refusal !== undefined) return out.error(refusal);
      if (moved(keyspace, args, 'right', 'left', out)) return;
      keyspace.nothingYet(args, [1], TYPE);
      out.nil();
    },
  }),
  command({
    group: 'list',
    keys: (args) => keysBehind(args, 2),
    flags: 'write blocking',
    name: 'BLMPOP',
    arity: -5,
    summary: 'Pop elements from a list, or block until one is available',
    since: '7.0.0',
    complexity: 'O(N+M) with N the keys and M the elements returned.',
    waits: manyTimeout.waits,
    run(keyspace, args, out) {
      const request = parseManyPop(args, endAt, 2);
      if (typeof request === 'string') return out.error(request);
      const refusal = manyTimeout.refusal(args);
      if (refusal !== undefined) return out.error(refusal);
      return popFirst(keyspace, args, request, out, () => {
        keyspace.nothingYet(args, request.keys, TYPE);
        out.nilArray();
      });
    },
  }),
];
