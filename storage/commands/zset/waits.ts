/**
 * Commands on sorted sets whose clients wait where there is nothing: BZPOPMIN and its like. Inside
 * a MULTI block they answer null then.
 */
import { ZSET } from '../../types/sorted-set.ts';
import type { ValueType } from '../../types/value-type.ts';
import { type Command, command, keysAmong } from '../command.ts';
import { parseManyPop } from '../many-pop.ts';
import { keysBehind } from '../numkeys.ts';
import { timeoutAt } from '../wait-timeout.ts';
import { endAt, popFirst, popped } from './pops.ts';

const TYPE = ZSET as ValueType;
/** The timeout stands behind the keys. */
const KEYS = { first: 1, last: -2, step: 1 } as const;

function pop(name: string, isMax: boolean, which: string): Command {
  const timeout = timeoutAt(-1, 'zset', (args) => keysAmong(KEYS, args));
  return command({
    group: 'sorted-set',
    keys: KEYS,
    flags: 'write noscript blocking fast',
    name,
    arity: -3,
    summary: `Remove and return the member with the ${which} score, or block until there is one`,
    since: '5.0.0',
    complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
    waits: timeout.waits,
    *run(keyspace, args, out) {
      const refusal = timeout.refusal(args);
      if (refusal !== undefined) return out.error(refusal);
      const keys = [...keysAmong(KEYS, args)];
      for (const i of keys) {
        const found = keyspace.findCollection(ZSET, args, i);
        if (found === undefined) continue;
        const entries = yield* popped(keyspace, args, i, found, 1, isMax);
        const [member, score] = entries[0] ?? ['', 0];
        out.array(3);
        out.bulk(args.text(i));
        out.bulk(member);
        return out.double(score);
      }
      keyspace.nothingYet(args, keys, TYPE);
      out.nilArray();
    },
  });
}

const manyTimeout = timeoutAt(1, 'zset', (args) => keysBehind(args, 2));

export const ZSET_WAIT_COMMANDS: readonly Command[] = [
  pop('BZPOPMIN', false, 'lowest'),
  pop('BZPOPMAX', true, 'highest'),
  command({
    group: 'sorted-set',
    keys: (args) => keysBehind(args, 2),
    flags: 'write blocking',
    name: 'BZMPOP',
    arity: -5,
    summary: 'Remove and return members with scores in a sorted set, or block until there is one',
    since: '7.0.0',
    complexity: 'O(K) + O(M*log(N)) with K the keys, N the members, M those popped.',
    waits: manyTimeout.waits,
    *run(keyspace, args, out) {
      const request = parseManyPop(args, endAt, 2);
      if (typeof request === 'string') return out.error(request);
      const refusal = manyTimeout.refusal(args);
      if (refusal !== undefined) return out.error(refusal);
      yield* popFirst(keyspace, args, request, out, () => {
        keyspace.nothingYet(args, request.keys, TYPE);
        out.nilArray();
      });
    },
  }),
];
