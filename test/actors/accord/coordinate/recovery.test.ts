/** The conclusions from a quorum of replies: the table of accord.md §2.11, one line a test. */
import { describe, expect, test } from 'vitest';
import {
  type Conclusion,
  concludeRecovery,
} from '../../../../actors/accord/coordinate/recovery.ts';
import { TransactionRound } from '../../../../actors/accord/coordinate/transaction-round.ts';
import type { AccordMessage, RecoverOk } from '../../../../actors/accord/messages/messages.ts';
import { type Deps, encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import { Status } from '../../../../actors/accord/primitives/status.ts';
import {
  type Ballot,
  type Timestamp,
  type TxnId,
  ZERO,
} from '../../../../actors/accord/primitives/timestamp.ts';
import { at, ballot, groupOf, LoneReplica, preAccept, touching } from '../fixture.ts';

const id = at(1_000);
const b = ballot(9_000);

function reply(status: Status, more: Partial<RecoverOk> = {}): RecoverOk {
  const nothing = { coordinated: null, local: encodeDeps([]), reads: null };
  const evidence = { rejectsFastPath: false, wait: encodeDeps([]), noWait: encodeDeps([]) };
  const own = { status, accepted: ZERO, executeAt: id, votedFast: false };
  return {
    type: 'RecoverOk',
    id,
    ballot: b,
    ...own,
    ...nothing,
    ...evidence,
    ...touching(1),
    ...more,
  };
}

function value(status: Status, accepted: Ballot, executeAt: Timestamp, deps: Deps): RecoverOk {
  return reply(status, { accepted, executeAt, coordinated: encodeDeps(deps) });
}

/** Replies of nodes 1, 2, ... of N=5, E=3. */
function conclude(...replies: RecoverOk[]): Conclusion {
  const group = groupOf(5, 3);
  const start = { phase: 'Recover', definition: undefined, nowMs: 0, resendMs: 1 } as const;
  const round = new TransactionRound({ id, ballot: b, ...start });
  for (const [index, each] of replies.entries()) {
    round.count(1 << index);
    if (each.votedFast) round.fast |= 1 << index;
    round.recoverReplies.push(each);
  }
  return concludeRecovery(group, round);
}

const fast = reply(Status.PreAccepted, { votedFast: true });

describe('a replica knows more than a vote', () => {
  const low = ballot(1);
  const high = ballot(2);

  test('invalidated: say so', () => {
    expect(conclude(fast, fast, reply(Status.Invalidated))).toEqual({ type: 'invalidated' });
  });

  test.each([Status.Stable, Status.Applied])('%i: its value is stable', (status) => {
    const answers = [value(Status.Accepted, high, at(7), []), value(status, ZERO, at(5), [at(1)])];
    expect(conclude(...answers)).toEqual({ type: 'stable', executeAt: at(5), deps: [at(1)] });
  });

  test('committed: commit it again, whatever was accepted at later ballots', () => {
    const answers = [
      value(Status.Committed, low, at(5), [at(1)]),
      value(Status.Accepted, high, at(5), []),
    ];
    expect(conclude(...answers)).toEqual({ type: 'commit', executeAt: at(5), deps: [at(1)] });
  });

  test('accepted: the value of the highest ballot, with its deps; not t0, not the maximum', () => {
    const answers = [
      value(Status.Accepted, high, at(5), [at(1)]),
      value(Status.Accepted, low, at(9), [at(2)]),
      fast,
    ];
    expect(conclude(...answers)).toEqual({ type: 'coordinate', executeAt: at(5), deps: [at(1)] });
  });

  test('an invalidation accepted at a higher ballot beats an accepted value, and the reverse', () => {
    const accepted = (at_: Ballot): RecoverOk => value(Status.Accepted, at_, at(5), []);
    const invalid = (at_: Ballot): RecoverOk => reply(Status.AcceptedInvalidate, { accepted: at_ });
    expect(conclude(accepted(low), invalid(high))).toEqual({ type: 'invalidate' });
    expect(conclude(accepted(high), invalid(low))).toMatchObject({ type: 'coordinate' });
  });
});

describe('no replica has accepted anything', () => {
  test('too many electors without a vote for t0: it was not decided', () => {
    expect(conclude(fast, fast, reply(Status.PreAccepted))).toEqual({ type: 'invalidate' });
  });

  test('a replica has proof against the fast path', () => {
    const proof = reply(Status.PreAccepted, { votedFast: true, rejectsFastPath: true });
    expect(conclude(fast, fast, proof)).toEqual({ type: 'invalidate' });
  });

  test('it may have been decided: t0, with all the deps that the replies know', () => {
    const answers = [1, 2, 3].map((hlc) =>
      reply(Status.PreAccepted, { votedFast: true, local: encodeDeps([at(hlc)]) }),
    );
    const deps = [at(1), at(2), at(3)];
    expect(conclude(...answers)).toEqual({ type: 'coordinate', executeAt: id, deps });
  });

  test('replicas outside the electorate do not count against it', () => {
    const outside = reply(Status.PreAccepted);
    expect(conclude(fast, fast, fast, outside, outside)).toMatchObject({ type: 'coordinate' });
  });

  test('an earlier one may yet turn out not to have witnessed it: wait, unless one knows better', () => {
    const waits = { ...fast, wait: encodeDeps([at(1), at(2)]) };
    const knows = { ...fast, noWait: encodeDeps([at(2)]) };
    expect(conclude(fast, waits, knows)).toEqual({ type: 'wait', ids: [at(1)] });
    const allKnown = { ...fast, noWait: encodeDeps([at(1), at(2)]) };
    expect(conclude(fast, waits, allKnown)).toMatchObject({ type: 'coordinate' });
  });

  test('a replica without the definition has not looked for evidence: ask again', () => {
    const { slots: _, body: __, ...blind } = fast;
    expect(conclude(fast, fast, blind)).toEqual({ type: 'again' });
  });
});

describe('the evidence of one replica', () => {
  function evidence(
    other: TxnId,
    message: Partial<AccordMessage> & { deps: Uint8Array },
  ): RecoverOk {
    const lone = new LoneReplica();
    lone.take(preAccept(id));
    lone.take({ id: other, ...touching(1), ...message } as AccordMessage);
    return lone.ask({ type: 'BeginRecovery', id, ballot: b, ...touching(1) }, 'RecoverOk');
  }
  const none = encodeDeps([]);
  const names = encodeDeps([id]);
  const earlier = at(900, 2);
  const later = at(1_100, 2);
  const above = at(2_000, 2);
  const accepted = { type: 'Accept', ballot: ZERO, executeAt: above } as const;
  const committed = { type: 'Commit', ballot: ZERO, executeAt: above } as const;
  const stable = { type: 'Stable', executeAt: above } as const;

  test.each([
    ['later, accepted without it', later, { ...accepted, deps: none }, 'rejects'],
    ['later, accepted with it', later, { ...accepted, deps: names }, ''],
    ['later, committed without it', later, { ...committed, deps: none }, 'rejects'],
    ['later, stable without it', later, { ...stable, deps: none }, 'rejects'],
    ['later, stable with it', later, { ...stable, deps: names }, ''],
    ['earlier, accepted without it', earlier, { ...accepted, deps: none }, 'wait'],
    ['earlier, accepted with it', earlier, { ...accepted, deps: names }, ''],
    ['earlier, committed without it', earlier, { ...committed, deps: none }, 'wait'],
    ['earlier, stable without it', earlier, { ...stable, deps: none }, 'rejects'],
    ['earlier, stable with it', earlier, { ...stable, deps: names }, 'no wait'],
    ['earlier, at its own time', earlier, { ...accepted, executeAt: earlier, deps: none }, ''],
  ] as const)('a conflict that is %s', (_, other, message, verdict) => {
    const answer = evidence(other, message);
    expect(answer.rejectsFastPath).toBe(verdict === 'rejects');
    expect(answer.wait).toEqual(encodeDeps(verdict === 'wait' ? [other] : []));
    expect(answer.noWait).toEqual(encodeDeps(verdict === 'no wait' ? [other] : []));
  });
});
