/**
 * The replica's handlers, line by line of the table in accord.md §2.5: what is refused, what
 * changes, what is logged, what is answered, and that a repetition changes nothing.
 */
import { describe, expect, test } from 'vitest';
import type { AccordMessage } from '../../../../actors/accord/messages/messages.ts';
import { type Deps, encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import { Status } from '../../../../actors/accord/primitives/status.ts';
import {
  type Ballot,
  compare,
  isRejected,
  type Timestamp,
  ZERO,
} from '../../../../actors/accord/primitives/timestamp.ts';
import { Group } from '../../../../actors/accord/topology/group.ts';
import { metaGroup } from '../../../../actors/meta/topology.ts';
import { at, ballot, LoneReplica, only, preAccept, touching } from '../fixture.ts';

const id = at(1_000);
const low = ballot(2_000);
const high = ballot(3_000);
const later = at(5_000, 2);

function accept(b: Ballot, executeAt: Timestamp = id, deps: Deps = []): AccordMessage {
  return { type: 'Accept', id, ballot: b, executeAt, deps: encodeDeps(deps), ...touching(1) };
}

function commit(b: Ballot, executeAt: Timestamp = id, deps: Deps = []): AccordMessage {
  return { type: 'Commit', id, ballot: b, executeAt, deps: encodeDeps(deps), ...touching(1) };
}

function stable(executeAt: Timestamp = id, deps: Deps = []): AccordMessage {
  return { type: 'Stable', id, executeAt, deps: encodeDeps(deps), ...touching(1) };
}

const invalidate = (b: Ballot): AccordMessage => ({ type: 'AcceptInvalidate', id, ballot: b });
const recovery = (b: Ballot): AccordMessage => ({
  type: 'BeginRecovery',
  id,
  ballot: b,
  ...touching(1),
});
const forget: AccordMessage = { type: 'CommitInvalidate', id };

/** A replica that has taken these messages. */
function having(...messages: AccordMessage[]): LoneReplica {
  const lone = new LoneReplica();
  for (const message of messages) lone.take(message);
  return lone;
}

function statusOf(lone: LoneReplica): Status | undefined {
  return lone.replica.view.find(id)?.status;
}

describe('PreAccept', () => {
  test('votes t0 when nothing conflicts, logs definition and vote, and answers from the log', () => {
    const lone = new LoneReplica();
    const effects = lone.take(preAccept(id));
    expect(only(effects, 'Reply').message).toEqual({
      type: 'PreAcceptOk',
      id,
      vote: id,
      deps: null,
    });
    expect(lone.log.map(({ type }) => type)).toEqual(['Defined', 'PreAccepted']);
    expect(effects.filter((e) => e.type === 'Persist').map((e) => e.urgent)).toEqual([false, true]);
    expect(effects.at(-1)?.type).toBe('Reply');
  });

  test('votes above everything it has witnessed on these slots, and names the earlier ones', () => {
    const lone = having(preAccept(at(1_500)));
    const { vote } = lone.ask(preAccept(id), 'PreAcceptOk');
    expect(vote.hlc).toBeGreaterThan(1_500);
    expect(vote.node).toBe(3);
    const next = lone.ask(preAccept(at(9_000)), 'PreAcceptOk');
    expect(next.deps).toEqual(encodeDeps([id, at(1_500)]));
  });

  test('does not mind what touches other slots', () => {
    const lone = having(preAccept(at(1_500), [], 2));
    expect(lone.ask(preAccept(id, [], 1), 'PreAcceptOk').vote).toEqual(id);
  });

  test('answers "same" only when the coordinator has named all that it would', () => {
    const earlier = at(900);
    expect(having(preAccept(earlier)).ask(preAccept(id, [earlier]), 'PreAcceptOk').deps).toBeNull();
    expect(having(preAccept(earlier)).ask(preAccept(id, []), 'PreAcceptOk').deps).not.toBeNull();
    expect(new LoneReplica().ask(preAccept(id, [earlier]), 'PreAcceptOk').deps).toBeNull();
  });

  test('keeps its first vote, whatever came between', () => {
    const lone = having(preAccept(id), preAccept(at(1_500)));
    const records = lone.log.length;
    expect(lone.ask(preAccept(id), 'PreAcceptOk').vote).toEqual(id);
    expect(lone.log).toHaveLength(records);
  });

  test.each([
    ['a promise', recovery(low), 'promised'],
    ['an acceptance', accept(ZERO), 'decided'],
    ['an accepted invalidation', invalidate(ZERO), 'decided'],
    ['a commit', commit(ZERO), 'decided'],
    ['an execution', stable(), 'decided'],
    ['an invalidation', forget, 'decided'],
  ] as const)('is refused after %s', (_, message, reason) => {
    const lone = having(message);
    const before = statusOf(lone);
    expect(lone.ask(preAccept(id), 'Nack')).toMatchObject({ round: 'PreAccept', reason });
    expect(statusOf(lone)).toBe(before);
  });

  test('is refused when it was settled and forgotten', () => {
    const lone = new LoneReplica();
    const list = { base: ZERO, before: at(2_000, 0), ids: encodeDeps([]) };
    lone.take({ type: 'AppliedList', ...list });
    expect(lone.ask(preAccept(id), 'Nack').reason).toBe('truncated');
    expect(lone.replica.view.commands.size).toBe(0);
  });

  test('below a rejectBefore gets a refusing vote that is no vote for t0', () => {
    const rejectingBefore = having({ type: 'RejectBefore', before: at(2_000, 0), base: ZERO });
    const vote = rejectingBefore.ask(preAccept(id), 'PreAcceptOk').vote;
    expect(isRejected(vote)).toBe(true);
    expect(rejectingBefore.replica.view.find(id)?.votedFast).toBe(false);
  });

  test('too far ahead of the clock is refused as if it had not come', () => {
    const lone = new LoneReplica();
    const ahead = at(70_000_000);
    expect(lone.ask(preAccept(ahead), 'Nack').reason).toBe('skewed');
    expect([lone.log, lone.replica.view.commands.size]).toEqual([[], 0]);
    expect(lone.clock.lastUs).toBe(0);
    // Time passes, and it is an id like any other.
    lone.nowMs = 20_000_000;
    expect(lone.ask(preAccept(ahead), 'PreAcceptOk').vote).toEqual(ahead);
  });

  test('a first proposal that is too far ahead is refused the same way', () => {
    const lone = new LoneReplica();
    expect(lone.ask(accept(ZERO, at(70_000_000)), 'Nack').reason).toBe('skewed');
    expect(lone.replica.view.commands.size).toBe(0);
  });

  test('is refused when a conflict lies too far ahead for any vote', () => {
    const lone = new LoneReplica();
    const far = at(70_000_000);
    const deps = encodeDeps([]);
    lone.take({
      ...touching(1),
      type: 'Accept',
      id: at(5),
      ballot: ballot(9),
      executeAt: far,
      deps,
    });
    expect(lone.ask(preAccept(id), 'Nack').reason).toBe('skewed');
    // Once it is decided it is a fact, and time goes on from there.
    lone.take({ ...touching(1), type: 'Stable', id: at(5), executeAt: far, deps });
    expect(lone.ask(preAccept(id), 'PreAcceptOk').vote.hlc).toBe(far.hlc + 1);
  });
});

describe('Coordinate', () => {
  test('votes, sends PreAccept with its deps to all peers, and answers itself from the log', () => {
    const lone = having(preAccept(at(900)));
    const own = at(1_200, 3);
    const effects = lone.take({ type: 'Coordinate', id: own, ...touching(1) }, 3);
    const sent = effects.filter((effect) => effect.type === 'Send');
    expect(sent.map(({ to }) => to)).toEqual([1, 2]);
    for (const { message } of sent) expect(message).toMatchObject({ deps: encodeDeps([at(900)]) });
    expect(only(effects, 'Reply')).toMatchObject({ to: 3, message: { type: 'PreAcceptOk' } });
  });
});

describe('Accept', () => {
  test('takes value, ballot and deps, logs them, and holds back later votes', () => {
    const lone = new LoneReplica();
    const effects = lone.take(accept(low, later, [at(900)]));
    expect(only(effects, 'Reply').message).toMatchObject({ type: 'AcceptOk', ballot: low });
    const { view } = lone.replica;
    expect(view.find(id)).toMatchObject({
      status: Status.Accepted,
      promised: low,
      accepted: low,
      executeAt: later,
      deps: [at(900)],
    });
    expect(lone.log.at(-1)).toMatchObject({ type: 'Accepted', ballot: low, executeAt: later });
    expect(lone.ask(preAccept(at(4_000)), 'PreAcceptOk').vote.hlc).toBeGreaterThan(5_000);
  });

  test('answers with conflicts up to executeAt that were not proposed', () => {
    const lone = having(preAccept(at(900)), preAccept(at(4_000)), preAccept(at(6_000)));
    const answer = lone.ask(accept(low, later, [at(900)]), 'AcceptOk');
    expect(answer.deps).toEqual(encodeDeps([at(4_000)]));
  });

  test.each([
    ['a higher promise', recovery(high), 'promised'],
    ['a higher acceptance', accept(high), 'promised'],
    ['a higher invalidation', invalidate(high), 'promised'],
    ['a commit', commit(ZERO), 'decided'],
    ['an execution', stable(), 'decided'],
    ['an invalidation', forget, 'decided'],
  ] as const)('is refused after %s', (_, message, reason) => {
    const lone = having(message);
    const records = lone.log.length;
    expect(lone.ask(accept(low), 'Nack')).toMatchObject({ round: 'Accept', reason, ballot: low });
    expect(lone.log).toHaveLength(records);
  });

  test('overrides an invalidation accepted at a lower ballot, and may be repeated', () => {
    const lone = having(invalidate(low));
    const first = lone.ask(accept(high, later), 'AcceptOk');
    expect(lone.ask(accept(high, later), 'AcceptOk')).toEqual(first);
    expect(statusOf(lone)).toBe(Status.Accepted);
  });

  test('asks for the definition when it lacks it', () => {
    const {
      slots: _,
      body: __,
      ...bare
    } = accept(low) as AccordMessage & { slots: null; body: null };
    expect(new LoneReplica().ask(bare as AccordMessage, 'Nack').reason).toBe('insufficient');
  });
});

describe('AcceptInvalidate', () => {
  test('takes the ballot, forgets proposed deps, keeps the vote', () => {
    const lone = having(preAccept(id), accept(ZERO, later, [at(900)]));
    lone.ask(invalidate(low), 'AcceptInvalidateOk');
    expect(lone.replica.view.find(id)).toMatchObject({
      status: Status.AcceptedInvalidate,
      promised: low,
      accepted: low,
      deps: undefined,
      executeAt: later,
    });
    expect(lone.log.at(-1)).toEqual({ type: 'AcceptedInvalidate', id, ballot: low });
  });

  test('needs no definition, and may be repeated', () => {
    const lone = new LoneReplica();
    expect(lone.ask(invalidate(low), 'AcceptInvalidateOk')).toEqual(
      lone.ask(invalidate(low), 'AcceptInvalidateOk'),
    );
  });

  test.each([
    ['a higher promise', recovery(high), 'promised'],
    ['a commit', commit(ZERO), 'decided'],
    ['an execution', stable(), 'decided'],
  ] as const)('is refused after %s', (_, message, reason) => {
    expect(having(message).ask(invalidate(low), 'Nack').reason).toBe(reason);
  });
});

describe('a ballot', () => {
  test.each([
    ['a time, then none', accept(low, later), invalidate(low)],
    ['no time, then one', invalidate(low), accept(low, later)],
    ['one time, then another', accept(low, later), accept(low, id)],
    ['a commit of what was not proposed', accept(low, later), commit(low)],
    ['a commit of what is invalidated', invalidate(ZERO), commit(ZERO)],
  ] as const)('takes one value: %s has no effect, and is told', (_, first, second) => {
    const lone = having(preAccept(id), first);
    const before = { ...lone.replica.view.find(id) };
    expect(only(lone.take(second), 'Contradicted').reason).toMatch(/proposes something else/);
    expect(lone.replica.view.find(id)).toMatchObject(before);
  });
});

describe('Commit', () => {
  test('takes executeAt and deps, logs them, does not execute', () => {
    const lone = new LoneReplica();
    const effects = lone.take(commit(low, later, [at(900)]));
    expect(only(effects, 'Reply').message).toEqual({ type: 'CommitOk', id, ballot: low });
    expect(effects.some((effect) => effect.type === 'Execute')).toBe(false);
    expect(lone.replica.view.find(id)).toMatchObject({
      status: Status.Committed,
      accepted: low,
      promised: low,
    });
    expect(lone.log.at(-1)).toMatchObject({ type: 'Committed', executeAt: later });
  });

  test('is refused below a promise, or below what was committed', () => {
    expect(having(recovery(high)).ask(commit(low), 'Nack').reason).toBe('promised');
    expect(having(commit(high)).ask(commit(low), 'Nack').reason).toBe('promised');
  });

  test('is fine when it is stable already, and when it comes twice', () => {
    expect(having(stable()).ask(commit(low), 'CommitOk').ballot).toEqual(low);
    expect(having(commit(low)).ask(commit(low), 'CommitOk').ballot).toEqual(low);
  });

  test('has no effect when it contradicts what is known, and tells', () => {
    expect(only(having(commit(low)).take(commit(low, later)), 'Contradicted').reason).toMatch(
      /safety/,
    );
    expect(only(having(forget).take(commit(low)), 'Contradicted').reason).toMatch(
      /Invalidated here, but it is decided for/,
    );
  });
});

describe('Stable', () => {
  test('is a fact: no promise holds it up, and it works before any PreAccept', () => {
    for (const lone of [new LoneReplica(), having(recovery(high)), having(invalidate(high))]) {
      const effects = lone.take(stable());
      expect(only(effects, 'Execute').execution).toMatchObject({ id, executeAt: id, sequence: 1 });
      expect(statusOf(lone)).toBe(Status.Applied);
    }
  });

  test('twice executes once', () => {
    expect(having(stable()).take(stable())).toEqual([]);
  });

  test('without a definition asks the sender', () => {
    const bare: AccordMessage = { type: 'Stable', id, executeAt: id, deps: encodeDeps([]) };
    const effects = new LoneReplica().take(bare, 2);
    expect(only(effects, 'Send')).toMatchObject({ to: 2, message: { type: 'CheckStatus', id } });
  });

  test('has no effect when it contradicts what is known, and tells', () => {
    expect(only(having(stable()).take(stable(later)), 'Contradicted').reason).toMatch(
      /decided for/,
    );
    expect(only(having(forget).take(stable()), 'Contradicted').reason).toMatch(
      /Invalidated here, but it is decided for/,
    );
  });
});

describe('CommitInvalidate', () => {
  test('is final, logged, and said once', () => {
    const lone = having(preAccept(id));
    lone.take(forget);
    expect(statusOf(lone)).toBe(Status.Invalidated);
    expect(lone.log.at(-1)).toEqual({ type: 'Invalidated', id });
    expect(lone.take(forget)).toEqual([]);
  });

  test('refuses the client of an own transaction', () => {
    const own = at(1_000, 3);
    const effects = new LoneReplica().take({ type: 'CommitInvalidate', id: own });
    expect(only(effects, 'Refused').id).toEqual(own);
  });

  test.each([
    ['a commit', commit(ZERO)],
    ['an execution', stable()],
  ])('never meets %s', (_, message) => {
    expect(only(having(message).take(forget), 'Contradicted').reason).toMatch(/it is invalidated/);
  });
});

describe('BeginRecovery', () => {
  test('of a time far ahead is answered, with a vote above it, and does not move our time', () => {
    const lone = new LoneReplica();
    const far = at(70_000_000);
    const reply = lone.ask({ ...recovery(low), id: far } as AccordMessage, 'RecoverOk');
    expect(reply).toMatchObject({ status: Status.PreAccepted, votedFast: false });
    expect(compare(reply.executeAt as Timestamp, far)).toBeGreaterThan(0);
    expect(lone.clock.lastUs).toBe(low.hlc);
    // It may have been decided: the value is taken, too.
    const value = { ballot: low, executeAt: far, deps: encodeDeps([]), ...touching(1) };
    expect(lone.ask({ type: 'Accept', id: far, ...value }, 'AcceptOk').ballot).toEqual(low);
    expect(lone.clock.lastUs).toBe(low.hlc);
    lone.ask({ type: 'Commit', id: far, ...value }, 'CommitOk');
    expect(lone.clock.lastUs).toBe(far.hlc);
    lone.restart();
    expect(lone.clock.lastUs).toBe(far.hlc);
  });

  test('at a ballot far ahead is refused, since no replica could go above such a promise', () => {
    const lone = new LoneReplica();
    expect(lone.ask(recovery(ballot(70_000_000)), 'Nack').reason).toBe('skewed');
    expect(lone.ask(recovery(low), 'RecoverOk').ballot).toEqual(low);
  });

  test('promises, and leaves what was accepted as it was', () => {
    const lone = having(accept(ZERO, later));
    const reply = lone.ask(recovery(low), 'RecoverOk');
    expect(reply).toMatchObject({ status: Status.Accepted, accepted: ZERO, executeAt: later });
    expect(lone.replica.view.find(id)).toMatchObject({ promised: low, accepted: ZERO });
    expect(lone.log.at(-1)).toEqual({ type: 'Promised', id, ballot: low });
  });

  test('defines what it did not know, with a vote that is never t0, and witnesses it', () => {
    const lone = new LoneReplica();
    const reply = lone.ask(recovery(low), 'RecoverOk');
    expect(reply).toMatchObject({ status: Status.PreAccepted, votedFast: false });
    const vote = reply.executeAt as Timestamp;
    expect(vote.hlc).toBeGreaterThan(id.hlc);
    expect(lone.ask(preAccept(at(1_100)), 'PreAcceptOk').vote.hlc).toBeGreaterThan(vote.hlc);
  });

  test('says that the vote was t0 when it was, with its deps of now', () => {
    const lone = having(preAccept(at(900)), preAccept(id));
    expect(lone.ask(recovery(low), 'RecoverOk')).toMatchObject({
      votedFast: true,
      executeAt: id,
      local: encodeDeps([at(900)]),
      coordinated: null,
    });
  });

  test('is refused below a promise; the same ballot is answered again without a record', () => {
    const lone = having(recovery(high));
    const records = lone.log.length;
    expect(lone.ask(recovery(low), 'Nack')).toMatchObject({ reason: 'promised', promised: high });
    lone.ask(recovery(high), 'RecoverOk');
    expect(lone.log).toHaveLength(records);
  });

  test('tells an outcome that is known', () => {
    expect(having(stable(id, [])).ask(recovery(low), 'RecoverOk').status).toBe(Status.Applied);
    expect(having(forget).ask(recovery(low), 'RecoverOk').status).toBe(Status.Invalidated);
  });
});

describe('CheckStatus', () => {
  test('passes on facts, never votes', () => {
    const ask: AccordMessage = { type: 'CheckStatus', id };
    const nothing = { executeAt: null, deps: null };
    expect(having(preAccept(id)).ask(ask, 'StatusReply')).toMatchObject(nothing);
    expect(having(accept(low, later)).ask(ask, 'StatusReply')).toMatchObject(nothing);
    expect(having(commit(low, later)).ask(ask, 'StatusReply')).toMatchObject(nothing);
    expect(having(stable(later)).ask(ask, 'StatusReply')).toMatchObject({ executeAt: later });
    expect(new LoneReplica().ask(ask, 'StatusReply').status).toBe(Status.NotDefined);
  });

  test('a stable answer is taken like a Stable', () => {
    const reply = having(stable(later)).ask({ type: 'CheckStatus', id }, 'StatusReply');
    expect(only(new LoneReplica().take(reply), 'Execute').execution.executeAt).toEqual(later);
  });
});

describe('a restart', () => {
  const lives: ReadonlyArray<readonly [string, readonly AccordMessage[]]> = [
    ['a vote', [preAccept(id)]],
    ['a slow vote', [preAccept(at(1_500)), preAccept(id)]],
    ['a promise', [preAccept(id), recovery(low)]],
    ['a promise without a definition', [{ type: 'BeginRecovery', id, ballot: low }]],
    ['an acceptance', [preAccept(id), accept(low, later, [at(900)])]],
    ['an invalidation accepted', [accept(ZERO, later), invalidate(low)]],
    ['a commit', [commit(low, later, [at(900)])]],
    ['an execution', [stable()]],
    ['an invalidation', [preAccept(id), forget]],
  ];

  test.each(lives)('behind %s changes no answer', (_, messages) => {
    const lone = having(...messages);
    const { view } = lone.replica;
    const { status, promised, accepted, executeAt, deps, votedFast } = view.find(id) ?? {};
    lone.restart();
    expect(lone.replica.view.find(id)).toMatchObject({
      status,
      promised,
      accepted,
      executeAt,
      deps,
      votedFast,
    });
  });

  test('still votes above all it ever witnessed', () => {
    const lone = having(accept(low, later));
    lone.restart();
    expect(lone.ask(preAccept(at(4_000)), 'PreAcceptOk').vote.hlc).toBeGreaterThan(5_000);
  });

  test('executes again, in the same order, what the engine does not hold', () => {
    const second = at(1_200);
    const lone = having(stable(), { ...stable(second), id: second } as AccordMessage);
    const sequences = (flushed: number): number[] =>
      lone
        .restart(lone.log.length, flushed)
        .flatMap((effect) => (effect.type === 'Execute' ? [effect.execution.sequence] : []));
    expect(sequences(0)).toEqual([1, 2]);
    expect(sequences(1)).toEqual([2]);
    expect(sequences(2)).toEqual([]);
  });

  test('goes on waiting where it waited', () => {
    const dep = at(900);
    const lone = having(stable(id, [dep]));
    expect(lone.restart().some((effect) => effect.type === 'Execute')).toBe(false);
    const effects = lone.take({ type: 'CommitInvalidate', id: dep });
    expect(only(effects, 'Execute').execution.id).toEqual(id);
  });
});

describe('without room for one more transaction', () => {
  const full = (): LoneReplica => {
    const lone = new LoneReplica(undefined, 3, { heldBytesMax: 1 });
    lone.take({ type: 'Coordinate', id: at(900, 3), ...touching(1) });
    return lone;
  };

  test.each<[string, AccordMessage]>([
    ['PreAccept', preAccept(id)],
    ['Accept', accept(low, later)],
    ['AcceptInvalidate', invalidate(low)],
    ['Commit', commit(low)],
    ['Stable', stable()],
    ['CommitInvalidate', forget],
    ['BeginRecovery', recovery(low)],
    [
      'AppliedHint',
      {
        type: 'AppliedHint',
        ids: encodeDeps([id]),
        redundantBefore: ZERO,
        retains: false,
        asks: false,
      },
    ],
  ])('a %s of a peer about an unknown one is dropped', (_type, message) => {
    const lone = full();
    const effects = lone.take(message);
    expect(effects.every((effect) => effect.type === 'Trace')).toBe(true);
    expect(lone.replica.view.commands.size).toBe(1);
  });

  // Five members of which each held other transactions could finish none of them.
  test('transactions of a peer are still witnessed, up to the same limit for each member', () => {
    const lone = new LoneReplica(undefined, 3, { heldBytesMax: 2_500 });
    for (const hlc of [900, 901]) lone.take({ type: 'Coordinate', id: at(hlc, 3), ...touching(1) });
    const known = (): number => lone.replica.view.commands.size;
    lone.take(preAccept(at(902)));
    expect(known()).toBe(2);
    lone.take({ ...recovery(low), id: at(903) } as AccordMessage);
    lone.take({ ...recovery(low), id: at(904) } as AccordMessage);
    expect(known()).toBe(4);
    lone.take({ ...recovery(low), id: at(905) } as AccordMessage);
    expect(known()).toBe(4);
  });

  // Only a change tells a new member that it is one, for whose sake all is kept.
  test('changes of the topology are taken, up to the same limit for each member', () => {
    const members = [1, 2, 3];
    const meta = new Group(metaGroup({ members, electorate: members }));
    const lone = new LoneReplica(meta, 3, { heldBytesMax: 2_500 });
    for (const hlc of [900, 901]) lone.take({ type: 'Coordinate', id: at(hlc, 3), ...touching(1) });
    for (const hlc of [902, 903, 904]) lone.take(preAccept(at(hlc)));
    expect(lone.replica.view.commands.size).toBe(4);
  });

  test('known transactions go on, and this node itself may begin new ones', () => {
    const lone = full();
    const own = at(900, 3);
    const fact = { ...stable(own), id: own } as AccordMessage;
    expect(only(lone.take(fact), 'Execute').execution.id).toEqual(own);
    lone.take({ type: 'Coordinate', id: at(950, 3), ...touching(2) });
    expect(lone.replica.view.commands.size).toBe(2);
  });
});

test('a message for a coordinator is not for a replica', () => {
  expect(() => new LoneReplica().take({ type: 'CommitOk', id, ballot: ZERO })).toThrow('CommitOk');
});
