/** Questions of operators to the stores of a node: its largest keys, the transactions on a key. */
import { type BigKeysFound, mergeBigKeys } from '../../storage/keyspace/big-keys.ts';
import { slotOfText } from '../../storage/keyspace/slots.ts';
import type { FoundTxn } from '../accord/local/slot-search.ts';
import type { ActorRef } from '../runtime/actor-ref.ts';
import type { ActorSystem } from '../runtime/actor-system.ts';
import type { BigKeysReply } from '../store/big-key-search.ts';
import type { ExecutorMessage, ReplicaActorMessage } from '../store/messages.ts';

/** A search looks at so many keys that it is over long before. */
const BIG_KEYS_MS_MAX = 60_000;
/** Less than what another node waits for an answer. */
const TXNS_MS_MAX = 2_000;

interface AskedStore {
  readonly executor: ActorRef<ExecutorMessage>;
  readonly replica: ActorRef<ReplicaActorMessage>;
}

type Asks = Pick<ActorSystem, 'ask'>;

/** `count`: of each type. A text says why there are none. */
export async function findBigKeys(
  system: Asks,
  stores: readonly AskedStore[],
  count: number,
): Promise<BigKeysFound | string> {
  const answers = await Promise.all(
    stores.map(({ executor }) =>
      askOne<ExecutorMessage, BigKeysReply>(system, executor, BIG_KEYS_MS_MAX, (replyTo) => ({
        type: 'FindBig',
        count,
        replyTo,
      })),
    ),
  );
  const found: BigKeysFound[] = [];
  for (const answer of answers) {
    if (typeof answer === 'string') return answer;
    if (answer === undefined) return 'another search is under way: ask again';
    found.push(answer);
  }
  return mergeBigKeys(found, count);
}

/** The latest that this node's replicas know on the conflict slot of a key (latin1). */
export async function findTxns(
  system: Asks,
  stores: readonly AskedStore[],
  key: string,
  count: number,
): Promise<readonly FoundTxn[]> {
  const slot = slotOfText(key);
  const answers = await Promise.all(
    stores.map(({ replica }) =>
      askOne<ReplicaActorMessage, readonly FoundTxn[]>(system, replica, TXNS_MS_MAX, (replyTo) => ({
        type: 'FindTxns',
        slot,
        count,
        replyTo,
      })),
    ),
  );
  return answers.flatMap((answer) => (typeof answer === 'string' ? [] : answer));
}

/** A text says why there is no answer. */
function askOne<Message, Reply>(
  system: Asks,
  actor: ActorRef<Message>,
  msMax: number,
  question: (replyTo: ActorRef<Reply>) => Message,
): Promise<Reply | string> {
  return new Promise((resolve) => {
    const late = () => resolve('a store has not answered: it may be starting');
    const isAsked = system.ask<Message, Reply>(actor, question, msMax, resolve, late);
    if (!isAsked) resolve('a store is too busy: ask again');
  });
}
