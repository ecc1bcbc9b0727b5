/**
 * The conclusion from a quorum of `RecoverOk` replies (accord.md §2.11): continue what may have
 * been decided, or prove that nothing was and invalidate, or wait for more evidence. A pure
 * function.
 */

import type { RecoverOk } from '../messages/messages.ts';
import type { Deps } from '../primitives/deps.ts';
import { compareProgress, Status } from '../primitives/status.ts';
import type { Timestamp } from '../primitives/timestamp.ts';
import type { Group } from '../topology/group.ts';
import { acceptedDeps, acceptedTime, awaitedOf, unite } from './recover-replies.ts';
import type { TransactionRound } from './transaction-round.ts';

export type Conclusion =
  | { readonly type: 'invalidated' }
  | { readonly type: 'invalidate' }
  | {
      readonly type: 'stable' | 'commit' | 'coordinate';
      readonly executeAt: Timestamp;
      readonly deps: Deps;
    }
  | { readonly type: 'wait'; readonly ids: Deps }
  /** Some replies came from replicas that did not know what the transaction touches. */
  | { readonly type: 'again' };

export function concludeRecovery(group: Group, round: TransactionRound): Conclusion {
  const replies = round.recoverReplies;
  const most = replies.reduce((a, b) => (compareProgress(a, b) >= 0 ? a : b));
  switch (most.status) {
    case Status.Invalidated:
      return { type: 'invalidated' };
    case Status.AcceptedInvalidate:
      return { type: 'invalidate' };
    case Status.Applied:
    case Status.Stable:
      return { type: 'stable', ...acceptedValue(most) };
    case Status.Committed:
      return { type: 'commit', ...acceptedValue(most) };
    case Status.Accepted:
      // The value of the highest accepted ballot: not t0, not the maximum.
      return { type: 'coordinate', ...acceptedValue(most) };
    default:
      return concludeUndecided(group, round);
  }
}

/** No member of the quorum has accepted anything: was the fast path taken? */
function concludeUndecided(group: Group, round: TransactionRound): Conclusion {
  const replies = round.recoverReplies;
  const notFast = group.electors(round.replied & ~round.fast);
  const impossible = notFast > group.quorums.fastRejectsMax;
  if (impossible || replies.some((reply) => reply.rejectsFastPath)) return { type: 'invalidate' };
  // A replica without the footprint cannot have looked for evidence: ask again with the definition.
  if (replies.some((reply) => reply.body === undefined)) return { type: 'again' };
  const wait = awaitedOf(replies);
  if (wait.length > 0) return { type: 'wait', ids: wait };
  return { type: 'coordinate', executeAt: round.id, deps: unite(replies, (reply) => reply.local) };
}

function acceptedValue(reply: RecoverOk): { executeAt: Timestamp; deps: Deps } {
  return { executeAt: acceptedTime(reply), deps: acceptedDeps(reply) };
}
