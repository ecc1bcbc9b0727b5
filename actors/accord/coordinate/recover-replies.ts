/** Readings of the `RecoverOk` replies of a quorum, taken together (accord.md §2.11). Pure. */
import type { RecoverOk } from '../messages/messages.ts';
import { type Deps, decodeDeps, NO_DEPS, union, without } from '../primitives/deps.ts';
import type { Timestamp } from '../primitives/timestamp.ts';

/** The deps that `of` takes from the replies. */
export function unite(
  replies: readonly RecoverOk[],
  of: (reply: RecoverOk) => Uint8Array | null,
): Deps {
  let all = NO_DEPS;
  for (const reply of replies) {
    const some = of(reply);
    if (some !== null) all = union(all, decodeDeps(some));
  }
  return all;
}

/** Transactions that must be decided before anything can be concluded. */
export function awaitedOf(replies: readonly RecoverOk[]): Deps {
  const noWait = unite(replies, (reply) => reply.noWait);
  return without(
    unite(replies, (reply) => reply.wait),
    noWait,
  );
}

/** Of a reply that has accepted a value. */
export function acceptedTime({ executeAt }: RecoverOk): Timestamp {
  if (executeAt === null) throw new Error('recovery: an accepted value without executeAt');
  return executeAt;
}

/** The same for its deps. */
export function acceptedDeps({ coordinated }: RecoverOk): Deps {
  if (coordinated === null) throw new Error('recovery: an accepted value without deps');
  return decodeDeps(coordinated);
}
