/** Ephemeral reads: whom a reader asks, what it waits for, and what a peer names. */
import { describe, expect, test } from 'vitest';
import type { Effect } from '../../../../actors/accord/local/effects.ts';
import type { AccordMessage } from '../../../../actors/accord/messages/messages.ts';
import { type Deps, decodeDeps, encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import {
  encodeParticipants,
  participantsOf,
} from '../../../../actors/accord/primitives/participants.ts';
import { keyOf, type TxnId, ZERO } from '../../../../actors/accord/primitives/timestamp.ts';
import { at, groupOf, LoneReplica, only, preAccept, touching } from '../fixture.ts';

const a = at(100);
const b = at(200);

function stable(id: TxnId, slot = 1): AccordMessage {
  return { type: 'Stable', id, executeAt: id, deps: encodeDeps([]), ...touching(slot) };
}

function begin(lone: LoneReplica, token = 1, slot = 1): Effect[] {
  const slots = encodeParticipants(participantsOf([slot]));
  return lone.take({ type: 'BeginRead', token, slots }, 3);
}

function answer(ids: Deps, more: { token?: number; behind?: boolean } = {}): AccordMessage {
  return { type: 'ReadBarrierOk', token: 1, behind: false, ids: encodeDeps(ids), ...more };
}

function sent(effects: readonly Effect[]): unknown[] {
  return effects.flatMap((effect) => {
    if (effect.type !== 'Send' || effect.message.type !== 'ReadBarrier') return [];
    return [[effect.to, effect.message.type, keyOf(effect.message.after)]];
  });
}

function served(effects: readonly Effect[]): number[] {
  return effects.flatMap((effect) => (effect.type === 'Read' ? [effect.token] : []));
}

describe('a reader', () => {
  test('asks all peers, and reads when a quorum has answered and nothing is missing', () => {
    const lone = new LoneReplica();
    const asked = begin(lone).flatMap((e) => (e.type === 'Send' ? [e.to] : []));
    expect(asked).toEqual([1, 2]);
    expect(served(lone.take(answer([]), 1))).toEqual([1]);
    expect(served(lone.take(answer([]), 2))).toEqual([]);
  });

  test('counts a member once: itself and one peer, however often it answers', () => {
    const lone = new LoneReplica(groupOf(5), 3);
    begin(lone);
    expect(served(lone.take(answer([]), 1))).toEqual([]);
    expect(served(lone.take(answer([]), 1))).toEqual([]);
    expect(served(lone.take(answer([]), 9))).toEqual([]);
    expect(served(lone.take(answer([]), 2))).toEqual([1]);
  });

  test('waits for what it is told of, and for what it knows itself', () => {
    const lone = new LoneReplica();
    lone.take(preAccept(a));
    begin(lone);
    expect(served(lone.take(answer([b]), 1))).toEqual([]);
    expect(served(lone.take(stable(b)))).toEqual([]);
    expect(served(lone.take(stable(a)))).toEqual([1]);
  });

  test('waits for a transaction even if it executes later, and lets an invalid one go', () => {
    const lone = new LoneReplica();
    begin(lone);
    lone.take(answer([a]), 1);
    expect(served(lone.take({ type: 'CommitInvalidate', id: a }))).toEqual([1]);
  });

  test('does not wait for what touches other slots, once that is known', () => {
    const lone = new LoneReplica();
    lone.take(preAccept(a, [], 2));
    begin(lone, 1, 1);
    expect(served(lone.take(answer([a]), 1))).toEqual([1]);
  });

  test('asks on where there is more to name, and tells what it has settled of it', () => {
    const lone = new LoneReplica();
    lone.take(stable(a));
    begin(lone);
    const page = lone.take(answer([a, b], { behind: true }), 1);
    expect(sent(page)).toEqual([[1, 'ReadBarrier', keyOf(b)]]);
    const { message } = only(page, 'Reply');
    expect(message).toMatchObject({ type: 'AppliedHint', ids: encodeDeps([a]) });
    expect(lone.take(answer([a, b], { behind: true }), 1)).toEqual([]);
    expect(served(lone.take(answer([]), 1))).toEqual([]);
    expect(served(lone.take(stable(b)))).toEqual([1]);
  });

  test('asks again from where it was when an answer is lost', () => {
    const lone = new LoneReplica();
    begin(lone);
    lone.take(answer([a], { behind: true }), 1);
    expect(sent(lone.tick(100))).toEqual([
      [1, 'ReadBarrier', keyOf(a)],
      [2, 'ReadBarrier', keyOf(ZERO)],
    ]);
  });

  test('waits with the rest while it has too much to wait for', () => {
    const lone = new LoneReplica(groupOf(3), 3, { barrierWaitsMax: 1 });
    const c = at(300);
    begin(lone);
    expect(sent(lone.take(answer([a], { behind: true }), 1))).toHaveLength(1);
    expect(sent(lone.take(answer([b], { behind: true }), 1))).toEqual([]);
    lone.take(stable(a));
    expect(sent(lone.take(answer([b], { behind: true }), 1))).toEqual([
      [1, 'ReadBarrier', keyOf(b)],
    ]);
    lone.take(answer([c]), 1);
    lone.take(stable(b));
    expect(served(lone.take(stable(c)))).toEqual([1]);
  });

  test('does not count a peer that has more to name', () => {
    const lone = new LoneReplica();
    begin(lone);
    expect(served(lone.take(answer([], { behind: true }), 1))).toEqual([]);
    expect(served(lone.take(answer([]), 2))).toEqual([1]);
  });

  test('asks again those that are silent, and gives up in the end', () => {
    const lone = new LoneReplica(groupOf(5), 3);
    begin(lone);
    lone.take(answer([]), 1);
    const again = lone.tick(100).flatMap((e) => {
      return e.type === 'Send' && e.message.type === 'ReadBarrier' ? [e.to] : [];
    });
    expect(again).toEqual([2, 4, 5]);
    lone.tick(10_001);
    expect(served(lone.take(answer([]), 2))).toEqual([]);
  });

  test('under too many barriers the oldest is given up', () => {
    const lone = new LoneReplica();
    for (let token = 1; token <= 65; token += 1) begin(lone, token);
    expect(served(lone.take(answer([], { token: 1 }), 1))).toEqual([]);
    expect(served(lone.take(answer([], { token: 2 }), 1))).toEqual([2]);
  });

  test('when there is place for one barrier, the last one is served', () => {
    const lone = new LoneReplica(groupOf(3), 3, { barriersMax: 1 });
    begin(lone, 1);
    begin(lone, 2);
    expect(served(lone.take(answer([], { token: 1 }), 1))).toEqual([]);
    expect(served(lone.take(answer([], { token: 2 }), 1))).toEqual([2]);
  });
});

describe('a peer', () => {
  function named(
    lone: LoneReplica,
    redundantBefore = ZERO,
    after = ZERO,
  ): { ids: string[]; behind: boolean } {
    const ask: AccordMessage = { type: 'ReadBarrier', token: 7, redundantBefore, after };
    const { message } = only(lone.take(ask, 1), 'Send');
    if (message.type !== 'ReadBarrierOk') throw new Error(message.type);
    return { ids: decodeDeps(message.ids).map(keyOf), behind: message.behind };
  }

  test('names all it has witnessed, also what it has applied, until the reader has it too', () => {
    const lone = new LoneReplica();
    lone.take(preAccept(a));
    lone.take(stable(b));
    expect(named(lone).ids).toEqual([a, b].map(keyOf));
    const settled = { redundantBefore: ZERO, retains: true, asks: false };
    lone.take({ type: 'AppliedHint', ids: encodeDeps([b]), ...settled }, 1);
    expect(named(lone).ids).toEqual([keyOf(a)]);
    expect(named(lone, at(150)).ids).toEqual([]);
  });

  test('names nothing that can never execute, or that it cannot define', () => {
    const lone = new LoneReplica();
    lone.take(preAccept(a));
    lone.take({ type: 'CommitInvalidate', id: a });
    lone.take({ type: 'AcceptInvalidate', id: b, ballot: at(1) });
    expect(named(lone).ids).toEqual([]);
  });

  test('says so when there is too much to name', () => {
    const lone = new LoneReplica(groupOf(3), 3, { barrierIdsMax: 2 });
    for (const hlc of [1, 2, 3]) lone.take(preAccept(at(hlc)));
    expect(named(lone)).toMatchObject({ behind: true });
    expect(named(lone).ids).toHaveLength(2);
    expect(named(lone, ZERO, at(2))).toEqual({ ids: [keyOf(at(3))], behind: false });
  });

  test('does not name what the reader has told before it was known here', () => {
    const lone = new LoneReplica();
    const settled = { redundantBefore: ZERO, retains: true, asks: false };
    lone.take({ type: 'AppliedHint', ids: encodeDeps([a]), ...settled }, 1);
    lone.take(stable(a), 2);
    expect(named(lone).ids).toEqual([]);
  });
});
