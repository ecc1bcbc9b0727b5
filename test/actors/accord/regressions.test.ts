/**
 * Faults that were found in the protocol's code once: each with the schedule that showed it, small
 * enough to read, and the seeds that found it in the cluster.
 */
import { describe, expect, test } from 'vitest';
import { concludeRecovery } from '../../../actors/accord/coordinate/recovery.ts';
import { TransactionRound } from '../../../actors/accord/coordinate/transaction-round.ts';
import { encodeDeps } from '../../../actors/accord/primitives/deps.ts';
import { ZERO } from '../../../actors/accord/primitives/timestamp.ts';
import { at, ballot, groupOf, LoneReplica, only, preAccept, touching } from './fixture.ts';
import { MIXES, type MixName } from './knobs.ts';
import { ProtocolCluster } from './protocol-cluster.ts';

describe('a rejectBefore at one replica is no proof against the fast path', () => {
  // N=5, E=3: nodes 1, 2 and 3 have decided t0 on the fast path, the coordinator is gone, and a
  // durability round has fenced node 4, which never heard of the transaction.
  test('the transaction is proposed again at t0, not invalidated', () => {
    const group = groupOf(5, 3);
    const id = at(2_000);
    const round = new TransactionRound({
      id,
      ballot: ballot(9_000),
      phase: 'Recover',
      definition: touching(1),
      nowMs: 0,
      resendMs: 1,
    });
    for (const node of [2, 3, 4]) {
      const lone = new LoneReplica(group, node);
      lone.nowMs = 5_000;
      if (node !== 4) lone.take(preAccept(id));
      lone.take({ type: 'RejectBefore', before: at(4_000, 0), base: ZERO });
      const recovery = { id, ballot: round.ballot, ...touching(1) };
      const reply = lone.ask({ type: 'BeginRecovery', ...recovery }, 'RecoverOk');
      round.count(group.bit(node));
      if (reply.votedFast) round.fast |= group.bit(node);
      round.recoverReplies.push(reply);
    }
    expect(concludeRecovery(group, round)).toEqual({
      type: 'coordinate',
      executeAt: id,
      deps: [],
    });
  });

  test('a rejectBefore closes only with so many electors that every recovery meets enough of them', () => {
    for (const [nodes, electorate, electors] of [
      [3, 3, 2],
      [3, 2, 2],
      [5, 5, 4],
      [5, 3, 3],
    ] as const) {
      expect(groupOf(nodes, electorate).quorums.durabilityElectors).toBe(electors);
    }
  });

  test.each<[MixName, number]>([
    ['STANDARD', 6],
    ['STANDARD', 11],
    ['STORM', 50],
    ['SETTLING', 49],
    ['POWER_CUTS', 3],
    ['READERS', 13],
  ])('%s, seed %i', (mix, seed) => {
    expect(() => new ProtocolCluster(seed, { ...MIXES[mix], nodes: 5, electorate: 3 }).live())
      .not //
      .toThrow();
  });
});

describe('a proposal that is repeated to the own replica', () => {
  // The first answer of the own replica waits for a slow disk; meanwhile an earlier conflict comes
  // in. "Same" answers to newer deps would be read as the deps of that first answer.
  test('is not sent to the peers with newer deps', () => {
    const lone = new LoneReplica(groupOf(3), 1);
    const id = at(3_000, 1);
    const first = lone.take({ type: 'Coordinate', id, ...touching(1) });
    expect(first.filter((effect) => effect.type === 'Send')).toHaveLength(2);
    lone.take(preAccept(at(2_000, 2)), 2);
    const second = lone.take({ type: 'Coordinate', id, ...touching(1) });
    expect(second.filter((effect) => effect.type === 'Send')).toEqual([]);
    expect(only(second, 'Reply').message.type).toBe('PreAcceptOk');
  });
});

describe('records that the log may forget', () => {
  function forgetful(): LoneReplica {
    return new LoneReplica(groupOf(3), 3, { durabilityLagMs: 1, durabilityEveryMs: 1 });
  }

  /** All that is below the mark is applied everywhere. */
  function settleAll(lone: LoneReplica, hlc: number): void {
    const before = at(hlc, 0);
    const ids = encodeDeps([]);
    lone.take({ type: 'AppliedList', base: ZERO, before, ids });
    for (const peer of [1, 2]) {
      lone.take(
        { type: 'AppliedHint', ids, redundantBefore: before, retains: false, asks: false },
        peer,
      );
    }
  }

  test('marks are written again before the log is cut', () => {
    const lone = forgetful();
    lone.nowMs = 9_000_000;
    lone.take({ type: 'CommitInvalidate', id: at(1_500_000) });
    lone.take({ type: 'RejectBefore', before: at(8_000_000, 0), base: ZERO });
    settleAll(lone, 7_000_000);
    const effects = lone.tick(1);
    const cut = effects.findIndex((effect) => effect.type === 'LogNeeded');
    const before = effects.slice(0, cut).flatMap((e) => (e.type === 'Persist' ? [e.record] : []));
    expect(cut).toBeGreaterThan(0);
    expect(before).toEqual([
      { type: 'RejectBefore', before: at(8_000_000, 0) },
      { type: 'RedundantBefore', before: at(7_000_000, 0) },
      { type: 'DurableBefore', before: expect.objectContaining({ hlc: 2_000_000 }) },
    ]);
  });

  test('the log is kept from the first record of any transaction, in whatever order they came', () => {
    const lone = forgetful();
    lone.nowMs = 9_000_000;
    lone.take({ type: 'CommitInvalidate', id: at(1_500_000) });
    // Heard of first, logged second.
    const late = at(8_400_000);
    lone.take({ type: 'LookAfter', ids: encodeDeps([late]) });
    lone.take(preAccept(at(8_500_000), [late]));
    const { commands } = lone.replica.view;
    expect([...commands.values()].map(({ id }) => id.hlc)).toEqual([
      1_500_000, 8_400_000, 8_500_000,
    ]);
    lone.replica.logged(at(8_500_000), 10);
    lone.replica.logged(late, 12);
    settleAll(lone, 7_000_000);
    expect(only(lone.tick(1), 'LogNeeded').fromLsn).toBe(10);
  });
});

test('an id that is only defined in the log is not given out again when the clock goes back', () => {
  const lone = new LoneReplica(groupOf(3), 1);
  const id = at(50_000, 1);
  lone.take({ type: 'Coordinate', id, ...touching(1) });
  expect(lone.log[0]?.type).toBe('Defined');
  lone.nowMs = 10;
  lone.restart(1);
  expect(lone.clock.uniqueNow().hlc).toBeGreaterThan(id.hlc);
});
