/** The largest keys of a node, for operators: asks the executors of all its stores. */
import { type BigKeysFound, mergeBigKeys } from '../../storage/keyspace/big-keys.ts';
import type { ActorRef } from '../runtime/actor-ref.ts';
import type { ActorSystem } from '../runtime/actor-system.ts';
import type { BigKeysReply } from '../store/big-key-search.ts';
import type { ExecutorMessage } from '../store/messages.ts';

/** A search looks at so many keys that it is over long before. */
const ANSWER_MS_MAX = 60_000;

interface AskedStore {
  readonly executor: ActorRef<ExecutorMessage>;
}

/** `count`: of each type. A text says why there are none. */
export async function findBigKeys(
  system: Pick<ActorSystem, 'ask'>,
  stores: readonly AskedStore[],
  count: number,
): Promise<BigKeysFound | string> {
  const answers = await Promise.all(stores.map((store) => askOne(system, store, count)));
  const found: BigKeysFound[] = [];
  for (const answer of answers) {
    if (typeof answer === 'string') return answer;
    found.push(answer);
  }
  return mergeBigKeys(found, count);
}

function askOne(
  system: Pick<ActorSystem, 'ask'>,
  { executor }: AskedStore,
  count: number,
): Promise<BigKeysFound | string> {
  return new Promise((resolve) => {
    const isAsked = system.ask<ExecutorMessage, BigKeysReply>(
      executor,
      (replyTo) => ({ type: 'FindBig', count, replyTo }),
      ANSWER_MS_MAX,
      (reply) => resolve(reply ?? 'another search is under way: ask again'),
      () => resolve('a store has not answered: it may be starting'),
    );
    if (!isAsked) resolve('a store is too busy: ask again');
  });
}
