/**
 * The conclusion from a quorum of `RecoverOk` replies of each group of a transaction (accord.md
 * §2.10, §2.11). The decision is one for all groups, the deps and the evidence are per group. Pure:
 * the deps that a group's part goes on with are left in the part.
 */
import type { RecoverOk } from '../messages/messages.ts';
import { type Deps, union } from '../primitives/deps.ts';
import { compareProgress, Status } from '../primitives/status.ts';
import { compare, type Timestamp } from '../primitives/timestamp.ts';
import type { GroupId } from '../topology/group-id.ts';
import { acceptedDeps, acceptedTime, awaitedOf, unite } from './recover-replies.ts';
import type { RoundPart, SpanningRound } from './spanning-round.ts';

export type SpanningConclusion =
  | { readonly type: 'invalidated' }
  | { readonly type: 'invalidate' }
  /** Propose in all groups. */
  | { readonly type: 'coordinate'; readonly executeAt: Timestamp }
  | {
      readonly type: 'commit' | 'stable';
      readonly executeAt: Timestamp;
      /** Groups without committed deps: they must accept the time first. */
      readonly missing: readonly RoundPart[];
      /** Groups whose deps may not be at a quorum. */
      readonly short: readonly RoundPart[];
      readonly reads: Uint8Array | undefined;
    }
  | { readonly type: 'wait'; readonly ids: readonly { group: GroupId; ids: Deps }[] }
  /** Some replies came from replicas that did not know what the transaction touches. */
  | { readonly type: 'again' }
  /** The answers do not go together yet: a later recovery finds more. */
  | { readonly type: 'later' };

export function concludeSpanning(round: SpanningRound): SpanningConclusion {
  const { live, gone } = round;
  const replies = live.flatMap(({ recoverReplies }) => recoverReplies);
  const most = replies.reduce((a, b) => (compareProgress(a, b) >= 0 ? a : b));
  if (most.status === Status.Invalidated) return { type: 'invalidated' };
  if (most.reads === null && gone.size > 0) return withoutOutcome(most);
  switch (most.status) {
    case Status.AcceptedInvalidate:
      return { type: 'invalidate' };
    case Status.Accepted:
      for (const part of live) part.deps = proposalOf(part, acceptedTime(most));
      return { type: 'coordinate', executeAt: acceptedTime(most) };
    case Status.Committed:
    case Status.Stable:
    case Status.PreApplied:
    case Status.Applied:
      return complete(live, most);
    default:
      return concludeUndecided(round, replies);
  }
}

/**
 * A group has settled it and forgotten. It forgets what was applied only when a quorum of each
 * group has the outcome, and these were asked after that; so it was not applied there, and below
 * that group's mark it never can be.
 */
function withoutOutcome({ status }: RecoverOk): SpanningConclusion {
  return status < Status.Committed ? { type: 'invalidated' } : { type: 'later' };
}

/** The time is decided: the groups that lack deps get them. */
function complete(live: readonly RoundPart[], most: RecoverOk): SpanningConclusion {
  const executeAt = acceptedTime(most);
  const isStable = most.status >= Status.Stable;
  const missing: RoundPart[] = [];
  const short: RoundPart[] = [];
  for (const part of live) {
    const known = part.recoverReplies.filter(({ status }) => status >= Status.Committed);
    const best = known.reduce<RecoverOk | undefined>(
      (a, b) => (a !== undefined && compareProgress(a, b) >= 0 ? a : b),
      undefined,
    );
    if (best === undefined) missing.push(part);
    if (!isStable || best === undefined || best.status < Status.Stable) short.push(part);
    part.deps = best === undefined ? proposalOf(part, executeAt) : acceptedDeps(best);
  }
  const reads = most.reads ?? undefined;
  return { type: isStable ? 'stable' : 'commit', executeAt, missing, short, reads };
}

/** The deps to propose: of the highest accepted ballot in the group, and what its members know. */
function proposalOf({ recoverReplies }: RoundPart, executeAt: Timestamp): Deps {
  const accepted = recoverReplies.filter(({ status }) => status === Status.Accepted);
  const highest = accepted.reduce<RecoverOk | undefined>(
    (a, b) => (a !== undefined && compare(a.accepted, b.accepted) >= 0 ? a : b),
    undefined,
  );
  const local = unite(recoverReplies, (reply) => reply.local);
  const deps = highest === undefined ? local : union(acceptedDeps(highest), local);
  // An older proposal may have been for a later time.
  return deps.filter((id) => compare(id, executeAt) < 0);
}

/** No member of any quorum has accepted anything: was the fast path taken, in every group? */
function concludeUndecided(
  { id, live }: SpanningRound,
  replies: readonly RecoverOk[],
): SpanningConclusion {
  const impossible = live.some(
    ({ group, replied, fast }) => group.electors(replied & ~fast) > group.quorums.fastRejectsMax,
  );
  if (impossible || replies.some(({ rejectsFastPath }) => rejectsFastPath)) {
    return { type: 'invalidate' };
  }
  if (replies.some(({ body }) => body === undefined)) return { type: 'again' };
  const ids = live.flatMap(({ group, recoverReplies }) => {
    const wait = awaitedOf(recoverReplies);
    return wait.length === 0 ? [] : [{ group: group.id, ids: wait }];
  });
  if (ids.length > 0) return { type: 'wait', ids };
  for (const part of live) part.deps = unite(part.recoverReplies, (reply) => reply.local);
  return { type: 'coordinate', executeAt: id };
}
