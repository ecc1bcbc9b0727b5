/** Fences, lists, catching up and forgetting (accord.md §2.14, in our form). */
import { describe, expect, test } from 'vitest';
import type { Effect } from '../../../../actors/accord/local/effects.ts';
import type { AccordMessage } from '../../../../actors/accord/messages/messages.ts';
import { type Deps, decodeDeps, encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import { Status } from '../../../../actors/accord/primitives/status.ts';
import {
  type Timestamp,
  type TxnId,
  ZERO,
} from '../../../../actors/accord/primitives/timestamp.ts';
import { at, groupOf, LoneReplica, only, preAccept, touching } from '../fixture.ts';

const LIMITS = {
  durabilityLagMs: 1_000,
  durabilityEveryMs: 500,
  progressDelayMs: 1e9,
  listIdsMax: 3,
};
const X = at(2_000_000, 0);

/** Wall clock at 5 s; node 1 leads. */
function replica(self: number, nodes = 3, electorate = nodes): LoneReplica {
  const lone = new LoneReplica(groupOf(nodes, electorate), self, LIMITS);
  lone.nowMs = 5_000_000;
  return lone;
}

function stable(id: TxnId): AccordMessage {
  return { type: 'Stable', id, executeAt: id, deps: encodeDeps([]), ...touching(1) };
}

function list(ids: Deps, before: Timestamp = X, base: Timestamp = ZERO): AccordMessage {
  return { type: 'AppliedList', base, before, ids: encodeDeps(ids) };
}

function hint(redundantBefore: Timestamp, ids: Deps = [], retains = false): AccordMessage {
  return { type: 'AppliedHint', ids: encodeDeps(ids), redundantBefore, retains, asks: false };
}

function messages<T extends AccordMessage['type']>(
  effects: readonly Effect[],
  type: T,
): Array<Extract<AccordMessage, { type: T }>> {
  return effects.flatMap((effect) => {
    if (effect.type !== 'Send' && effect.type !== 'Reply') return [];
    const { message } = effect;
    return message.type === type ? [message as Extract<AccordMessage, { type: T }>] : [];
  });
}

describe('a rejectBefore', () => {
  test('is promised durably, names what is known below it, and holds back the clock', () => {
    const lone = replica(3);
    lone.take(preAccept(at(1_000)));
    lone.take(preAccept(at(3_000_000)));
    const effects = lone.take({ type: 'RejectBefore', before: X, base: ZERO });
    expect(decodeDeps(messages(effects, 'RejectBeforeOk')[0]?.ids ?? new Uint8Array(1))).toEqual([
      at(1_000),
    ]);
    expect(lone.log.at(-1)).toEqual({ type: 'RejectBefore', before: X });
    expect(effects.at(-1)?.type).toBe('Reply');
    lone.restart();
    expect(lone.replica.view.rejectBefore).toEqual(X);
  });

  test('names as many as fit a message, and says up to where', () => {
    const lone = replica(3);
    const ids = [1, 2, 3, 4].map((hlc) => at(hlc));
    for (const id of ids) lone.take(preAccept(id));
    const part = lone.ask({ type: 'RejectBefore', before: X, base: ZERO }, 'RejectBeforeOk');
    expect(decodeDeps(part.ids)).toEqual(ids.slice(0, 3));
    expect(part.end).toEqual(ids[3]);
    const rest = lone.ask({ type: 'RejectBefore', before: X, base: part.end }, 'RejectBeforeOk');
    expect(decodeDeps(rest.ids)).toEqual(ids.slice(3));
    expect(rest.end).toEqual(X);
  });

  test('repeated, or lower, is answered without a record', () => {
    const lone = replica(3);
    lone.take({ type: 'RejectBefore', before: X, base: ZERO });
    const records = lone.log.length;
    expect(
      messages(lone.take({ type: 'RejectBefore', before: at(9, 0), base: ZERO }), 'RejectBeforeOk'),
    ).toHaveLength(1);
    expect(lone.log).toHaveLength(records);
    expect(lone.replica.view.rejectBefore).toEqual(X);
  });

  test('far ahead of the clock is not promised', () => {
    const before = at(900_000_000, 0);
    expect(replica(3).take({ type: 'RejectBefore', before, base: ZERO })).toEqual([]);
  });
});

describe('a round', () => {
  function lead(lone: LoneReplica): { before: Timestamp; base: Timestamp } {
    const [rejectBefore] = messages(lone.tick(1), 'RejectBefore');
    if (rejectBefore === undefined) throw new Error('no round was begun');
    const [own] = lone.group.members;
    lone.take(
      { ...rejectBefore, type: 'RejectBeforeOk', end: rejectBefore.before, ids: encodeDeps([]) },
      own,
    );
    return rejectBefore;
  }

  test('is led by the lowest member that is up', () => {
    const second = replica(2);
    second.take(preAccept(at(1_000)));
    expect(messages(second.tick(1), 'RejectBefore')).toEqual([]);
    second.replica.peerDown(1, second.nowMs);
    expect(messages(second.tick(1), 'RejectBefore')).toHaveLength(2);
  });

  test('is led by the next one as well when the lowest gets nowhere', () => {
    const [second, third] = [replica(2), replica(3)];
    const rejectsBefore = (lone: LoneReplica, ms: number): number =>
      messages(lone.tick(ms), 'RejectBefore').length;
    for (const lone of [second, third]) lone.take(preAccept(at(1_000)));
    for (const lone of [second, third]) {
      expect([rejectsBefore(lone, 1), rejectsBefore(lone, 4_998)]).toEqual([0, 0]);
    }
    expect([rejectsBefore(second, 2), rejectsBefore(third, 2)]).toEqual([2, 0]);
    // It has got somewhere: the lowest may lead again.
    third.take(list([]));
    expect([rejectsBefore(third, 5_001), rejectsBefore(third, 5_001)]).toEqual([0, 2]);
  });

  test('is not begun while no replica holds anything', () => {
    expect(messages(replica(1).tick(1), 'RejectBefore')).toEqual([]);
  });

  test('settles when a quorum has promised and all that was named is applied', () => {
    const lone = replica(1);
    const known = at(1_000_000, 2);
    const unheard = at(1_100_000, 2);
    lone.take(stable(known), 2);
    const rejectBefore = lead(lone);
    lone.take(
      {
        ...rejectBefore,
        type: 'RejectBeforeOk',
        end: rejectBefore.before,
        ids: encodeDeps([known, unheard]),
      },
      2,
    );
    lone.tick(1);
    expect(lone.replica.view.redundantBefore).toEqual(ZERO);
    lone.take({ type: 'CommitInvalidate', id: unheard }, 2);
    const [sent] = messages(lone.tick(1), 'AppliedList');
    expect(lone.replica.view.redundantBefore).toEqual(rejectBefore.before);
    expect(decodeDeps(sent?.ids ?? new Uint8Array(1))).toEqual([known]);
  });

  // On a slow disk fences refused all that was under way, and all recoveries of it, for ever.
  test('refuses nothing that is later than what its leader knows to be under way', () => {
    const lone = replica(1);
    const [applied, open] = [at(1_000_000, 2), at(1_100_000, 2)];
    lone.take(stable(applied), 2);
    for (const id of [open, at(1_200_000, 2)]) lone.take(preAccept(id), 2);
    const { before } = lead(lone);
    expect(before).toEqual({ ...ZERO, hlc: open.hlc });
    for (const node of [2, 3]) {
      const end = { before, base: ZERO, end: before, ids: encodeDeps([applied]) };
      lone.take({ type: 'RejectBeforeOk', ...end }, node);
    }
    expect(messages(lone.tick(1), 'AppliedList')).toHaveLength(2);
    expect(lone.replica.view.redundantBefore).toEqual(before);
    // No other one is begun for the same.
    expect(messages(lone.tick(1_000), 'RejectBefore')).toEqual([]);
    lone.take({ type: 'CommitInvalidate', id: open }, 2);
    expect(messages(lone.tick(1_000), 'RejectBefore')[0]?.before.hlc).toBe(1_200_000);
  });

  test('does not settle with a quorum that lacks electors', () => {
    const lone = replica(1, 5, 3);
    lone.take(preAccept(at(1_000_000, 2)), 2);
    const rejectBefore = lead(lone);
    const none = encodeDeps([]);
    for (const node of [4, 5]) {
      lone.take(
        { ...rejectBefore, type: 'RejectBeforeOk', end: rejectBefore.before, ids: none },
        node,
      );
    }
    lone.tick(1);
    expect(lone.replica.view.redundantBefore).toEqual(ZERO);
    for (const node of [2, 3]) {
      lone.take(
        { ...rejectBefore, type: 'RejectBeforeOk', end: rejectBefore.before, ids: none },
        node,
      );
    }
    lone.tick(1);
    expect(lone.replica.view.redundantBefore).toEqual(rejectBefore.before);
  });

  test('gives up what the leader alone knows, and was not named', () => {
    const lone = replica(1);
    const rejectBefore = lead_(lone);
    const late = at(1_000_000, 2);
    lone.take({ type: 'LookAfter', ids: encodeDeps([late]) }, 1);
    expect(lone.replica.view.find(late)?.status).toBe(Status.NotDefined);
    for (const node of [2, 3]) {
      lone.take(
        { ...rejectBefore, type: 'RejectBeforeOk', end: rejectBefore.before, ids: encodeDeps([]) },
        node,
      );
    }
    lone.tick(1);
    expect(lone.replica.view.find(late)?.status).toBe(Status.Invalidated);
  });

  test('settles as far as the shortest answer names, and the next one follows at once', () => {
    const lone = replica(1);
    const ids = [1, 2, 3, 4].map((n) => at(1_000_000 + n, 2));
    for (const id of ids) lone.take(stable(id), 2);
    const rejectBefore = lead(lone);
    const [short, ...rest] = ids as [TxnId, TxnId, TxnId, TxnId];
    const answer = { ...rejectBefore, type: 'RejectBeforeOk' } as const;
    lone.take({ ...answer, ids: encodeDeps([short]), end: rest[0] }, 2);
    lone.take({ ...answer, ids: encodeDeps(ids), end: rejectBefore.before }, 3);
    const effects = lone.tick(1);
    expect(lone.replica.view.redundantBefore).toEqual(rest[0]);
    expect(decodeDeps(messages(effects, 'AppliedList')[0]?.ids ?? new Uint8Array(1))).toEqual([
      short,
    ]);
    expect(messages(lone.tick(1), 'RejectBefore')[0]?.base).toEqual(rest[0]);
  });

  function lead_(lone: LoneReplica): { before: Timestamp; base: Timestamp } {
    lone.take(hint(ZERO, [], true), 2);
    return lead(lone);
  }

  test('is given up when no quorum answers in time', () => {
    const lone = replica(1);
    lone.take(preAccept(at(1_000_000, 2)), 2);
    const rejectBefore = lead(lone);
    lone.tick(2_001);
    for (const node of [2, 3]) {
      lone.take(
        { ...rejectBefore, type: 'RejectBeforeOk', end: rejectBefore.before, ids: encodeDeps([]) },
        node,
      );
    }
    lone.tick(1);
    expect(lone.replica.view.redundantBefore).toEqual(ZERO);
  });
});

describe('a list', () => {
  const listed = at(1_000);
  const unlisted = at(1_100);

  test('is done when all of it is applied; the rest below it can never execute', () => {
    const lone = replica(3);
    lone.take(preAccept(unlisted));
    const effects = lone.take(list([listed]));
    expect(lone.replica.view.find(unlisted)?.status).toBe(Status.Invalidated);
    expect(decodeDeps(messages(effects, 'Fetch')[0]?.ids ?? new Uint8Array(1))).toEqual([listed]);
    expect(lone.replica.view.redundantBefore).toEqual(ZERO);
    lone.take(stable(listed));
    lone.tick(1);
    expect(lone.replica.view.redundantBefore).toEqual(X);
    expect(lone.log).toContainEqual({ type: 'RedundantBefore', before: X });
  });

  test('that contradicts what is decided here is given up, and told', () => {
    const committed = replica(3);
    committed.take(stable(unlisted));
    expect(only(committed.take(list([listed])), 'Contradicted').reason).toMatch(
      /not among the settled/,
    );
    const invalid = replica(3);
    invalid.take({ type: 'CommitInvalidate', id: listed });
    expect(only(invalid.take(list([listed])), 'Contradicted').reason).toMatch(
      /is among the settled/,
    );
  });

  test('that begins above our mark is asked for again from there', () => {
    const lone = replica(3);
    const [ask] = messages(lone.take(list([listed], X, at(900, 0))), 'CatchUp');
    expect(ask?.from).toEqual(ZERO);
    expect(lone.replica.view.redundantBefore).toEqual(ZERO);
  });

  test('that is old news is ignored', () => {
    const lone = replica(3);
    lone.take(list([]));
    expect(lone.take(list([listed], at(1_500_000, 0)))).toEqual([]);
  });

  test('is sent in parts that fit a message', () => {
    const lone = replica(3);
    const ids = [1, 2, 3, 4, 5].map((hlc) => at(hlc));
    for (const id of ids) lone.take(stable(id));
    lone.take(list(ids));
    const part = lone.ask({ type: 'CatchUp', from: ZERO }, 'AppliedList');
    expect(decodeDeps(part.ids)).toEqual(ids.slice(0, 3));
    const rest = lone.ask({ type: 'CatchUp', from: part.before }, 'AppliedList');
    expect(decodeDeps(rest.ids)).toEqual(ids.slice(3));
    expect(rest.before).toEqual(X);
  });
});

describe('catching up', () => {
  test('a replica that hears of a mark far above its own asks for the list, not too often', () => {
    const lone = replica(3);
    expect(messages(lone.take(hint(at(4_000_000, 0))), 'CatchUp')).toHaveLength(1);
    expect(messages(lone.take(hint(at(4_000_001, 0))), 'CatchUp')).toHaveLength(0);
  });
});

describe('forgetting', () => {
  const id = at(1_000);

  function appliedEverywhere(lone: LoneReplica): void {
    lone.take(stable(id));
    lone.take(list([id]));
    lone.replica.flushed(1);
    for (const peer of [1, 2]) lone.take(hint(X), peer);
  }

  test('takes what all members have settled and the engine holds', () => {
    const lone = replica(3);
    appliedEverywhere(lone);
    lone.tick(1);
    expect(lone.replica.view.commands.size).toBe(0);
    expect(lone.replica.view.sizes.indexed).toBe(0);
    expect(lone.log.at(-1)?.type).toBe('DurableBefore');
    expect(lone.ask(preAccept(id), 'Nack').reason).toBe('truncated');
  });

  test('stays forgotten over a restart, also in front of the old records', () => {
    const lone = replica(3);
    appliedEverywhere(lone);
    lone.tick(1);
    lone.restart(lone.log.length, 1);
    expect(lone.replica.view.commands.size).toBe(0);
    expect(lone.ask(preAccept(id), 'Nack').reason).toBe('truncated');
  });

  test('waits for the engine', () => {
    const lone = replica(3);
    appliedEverywhere(lone);
    lone.replica.flushed(0);
    lone.tick(1);
    expect(lone.replica.view.commands.size).toBe(1);
  });

  test('waits for a member that is behind', () => {
    const lone = replica(3);
    lone.take(stable(id));
    lone.take(list([id]));
    lone.replica.flushed(1);
    lone.take(hint(X), 1);
    lone.tick(1);
    expect(lone.replica.view.commands.size).toBe(1);
  });

  test('a replica that has forgotten all repeats its mark when another still holds records', () => {
    const lone = replica(3);
    appliedEverywhere(lone);
    lone.tick(1);
    lone.tick(5_000);
    expect(messages(lone.tick(5_000), 'AppliedHint')).toEqual([]);
    lone.take(hint(X, [], true), 1);
    expect(messages(lone.tick(5_000), 'AppliedHint').map((m) => m.redundantBefore)).toEqual([X, X]);
  });
});

// With an elector gone for good no round closes: what one lost hint was about stayed unknown to a
// member that was up, until something else met it.
test('hints that a peer is not known to have settled are repeated, to peers that are up', () => {
  const lone = replica(2);
  const ids = [at(1_000), at(1_100), at(1_200), at(1_300)];
  for (const id of ids) lone.take(stable(id));
  const told = (ms: number): unknown =>
    lone
      .tick(ms)
      .flatMap((e) => (e.type === 'Reply' && e.message.type === 'AppliedHint' ? [e] : []))
      .map(({ to, message }) => [to, decodeDeps((message as { ids: Uint8Array }).ids)]);
  lone.tick(1);
  expect(told(100)).toEqual([]);
  lone.take(hint(ZERO, [at(1_000)]), 3);
  lone.replica.peerDown(1, lone.nowMs);
  expect(told(5_000)).toEqual([
    [1, []],
    [3, ids.slice(1)],
  ]);
});
