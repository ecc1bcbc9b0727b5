/** One coordinator, fed by hand: the latch between the paths, and which answers count. */
import { describe, expect, test } from 'vitest';
import {
  Coordinator,
  type CoordinatorEffect,
} from '../../../../actors/accord/coordinate/coordinator.ts';
import type { AccordMessage, Nack } from '../../../../actors/accord/messages/messages.ts';
import { type Deps, decodeDeps, encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import { HybridClock } from '../../../../actors/accord/primitives/hybrid-clock.ts';
import { participantsOf } from '../../../../actors/accord/primitives/participants.ts';
import { Status } from '../../../../actors/accord/primitives/status.ts';
import {
  rejected,
  type Timestamp,
  type TxnId,
  ZERO,
} from '../../../../actors/accord/primitives/timestamp.ts';
import { at, ballot, groupOf, touching } from '../fixture.ts';

class Bench {
  readonly coordinator: Coordinator;
  nowMs = 100;

  constructor(nodes = 3, electorate = nodes, recoveriesMax = 256) {
    const group = groupOf(nodes, electorate);
    const nowUs = (): number => this.nowMs * 1_000;
    const clock = new HybridClock({ node: 1, store: 0, nowUs, reserveUs: 1e6 });
    const limits = { slowPathMs: 20, resendMs: 250, recoveriesMax };
    this.coordinator = new Coordinator({ self: 1, group, clock, limits });
  }

  coordinate(): TxnId {
    const id = this.coordinator.coordinate(participantsOf([1]), Uint8Array.of(1), this.nowMs);
    this.coordinator.takeEffects();
    return id;
  }

  from(node: number, message: AccordMessage): readonly CoordinatorEffect[] {
    this.coordinator.handle(node, message, this.nowMs);
    return this.coordinator.takeEffects();
  }

  tick(ms: number): readonly CoordinatorEffect[] {
    this.nowMs += ms;
    this.coordinator.tick(this.nowMs);
    return this.coordinator.takeEffects();
  }
}

function vote(id: TxnId, time: Timestamp = id, deps: Deps | null = []): AccordMessage {
  return { type: 'PreAcceptOk', id, vote: time, deps: deps && encodeDeps(deps) };
}

function acceptOk(id: TxnId, b: Timestamp = ZERO, deps: Deps = []): AccordMessage {
  return { type: 'AcceptOk', id, ballot: b, deps: encodeDeps(deps) };
}

function nack(id: TxnId, more: Partial<Nack>): Nack {
  const all = {
    round: 'PreAccept',
    ballot: ZERO,
    reason: 'promised',
    promised: ballot(9),
  } as const;
  return { type: 'Nack', id, ...all, ...more };
}

/** The messages sent and the decisions, in short. */
function said(effects: readonly CoordinatorEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.type === 'Send') return `${effect.message.type}>${effect.to}`;
    return effect.type === 'Decided' ? effect.path : [];
  });
}

function sent<T extends AccordMessage['type']>(
  effects: readonly CoordinatorEffect[],
  type: T,
): Extract<AccordMessage, { type: T }> {
  const found = effects.find((e) => e.type === 'Send' && e.message.type === type);
  if (found?.type !== 'Send') throw new Error(`no ${type} was sent`);
  return found.message as Extract<AccordMessage, { type: T }>;
}

const STABLE = ['Stable>1', 'Stable>2', 'Stable>3'];
const ACCEPT = ['Accept>1', 'Accept>2', 'Accept>3'];
const COMMIT = ['Commit>1', 'Commit>2', 'Commit>3'];

describe('the fast path', () => {
  test('is taken with a fast quorum of votes for t0, with the union of their deps', () => {
    const bench = new Bench();
    const id = bench.coordinate();
    bench.from(1, vote(id, id, [at(1)]));
    expect(bench.from(2, vote(id, id, null))).toEqual([]);
    const effects = bench.from(3, vote(id, id, [at(2)]));
    expect(said(effects)).toEqual([...STABLE, 'fast']);
    expect(sent(effects, 'Stable').executeAt).toEqual(id);
    expect(decodeDeps(sent(effects, 'Stable').deps)).toEqual([at(1), at(2)]);
    expect(bench.coordinator.underWay).toBe(0);
  });

  test('counts electors only', () => {
    const bench = new Bench(5, 3);
    const id = bench.coordinate();
    for (const node of [1, 2, 4, 5]) expect(said(bench.from(node, vote(id)))).toEqual([]);
    expect(said(bench.from(3, vote(id))).at(-1)).toBe('fast');
  });

  test('waits for the own deps that "same" answers stand for', () => {
    const bench = new Bench(3, 2);
    const id = bench.coordinate();
    expect(bench.from(2, vote(id, id, null))).toEqual([]);
    expect(bench.from(3, vote(id, id, null))).toEqual([]);
    const effects = bench.from(1, vote(id, id, [at(5)]));
    expect(decodeDeps(sent(effects, 'Stable').deps)).toEqual([at(5)]);
  });
});

describe('which answers count', () => {
  test('a member once, a stranger never, an unknown transaction not at all', () => {
    const bench = new Bench(3, 2);
    const id = bench.coordinate();
    bench.from(1, vote(id));
    expect(bench.from(1, vote(id))).toEqual([]);
    expect(bench.from(9, vote(id))).toEqual([]);
    expect(bench.from(2, vote(at(7)))).toEqual([]);
    expect(said(bench.from(2, vote(id))).at(-1)).toBe('fast');
    expect(bench.from(3, vote(id))).toEqual([]);
  });

  test('not those of another ballot or phase', () => {
    const bench = new Bench();
    const id = bench.coordinate();
    bench.from(1, vote(id));
    bench.from(2, vote(id, at(999_999, 2)));
    expect(said(bench.from(1, acceptOk(id, ballot(5))))).toEqual([]);
    expect(said(bench.from(2, { type: 'CommitOk', id, ballot: ZERO }))).toEqual([]);
    bench.from(1, acceptOk(id));
    expect(said(bench.from(2, acceptOk(id)))).toEqual(COMMIT);
    expect(said(bench.from(3, acceptOk(id)))).toEqual([]);
    expect(said(bench.from(1, { type: 'CommitOk', id, ballot: ballot(5) }))).toEqual([]);
  });
});

describe('the slow path', () => {
  test('does not count an answer with deps that no peer would take in a Commit', () => {
    const bench = new Bench();
    const id = bench.coordinate();
    const time = at(999_999, 2);
    for (const node of [1, 2, 3]) bench.from(node, vote(id, node === 2 ? time : id));
    expect(bench.from(1, acceptOk(id, ZERO, [time]))).toEqual([]);
    expect(bench.from(2, acceptOk(id))).toEqual([]);
    expect(said(bench.from(1, acceptOk(id, ZERO, [at(999_998)])))).toEqual(COMMIT);
  });

  test('is taken at once when the fast one is out of reach: highest vote, all deps, three rounds', () => {
    const bench = new Bench();
    const id = bench.coordinate();
    const highest = at(999_999, 2);
    bench.from(1, vote(id, id, [at(1)]));
    const proposal = bench.from(2, vote(id, highest, [at(2)]));
    expect(said(proposal)).toEqual(ACCEPT);
    expect(sent(proposal, 'Accept')).toMatchObject({ ballot: ZERO, executeAt: highest });
    bench.from(1, acceptOk(id, ZERO, [at(3)]));
    const commits = bench.from(3, acceptOk(id, ZERO, [at(4)]));
    expect(decodeDeps(sent(commits, 'Commit').deps)).toEqual([at(1), at(2), at(3), at(4)]);
    bench.from(1, { type: 'CommitOk', id, ballot: ZERO });
    const end = bench.from(3, { type: 'CommitOk', id, ballot: ZERO });
    expect(said(end)).toEqual([...STABLE, 'slow']);
    expect(sent(end, 'Stable').executeAt).toEqual(highest);
  });

  test('is taken late when votes stay away, and never left again', () => {
    const bench = new Bench();
    const id = bench.coordinate();
    bench.from(1, vote(id));
    bench.from(2, vote(id));
    expect(said(bench.tick(19))).toEqual([]);
    expect(said(bench.tick(1))).toEqual(ACCEPT);
    expect(bench.from(3, vote(id))).toEqual([]);
  });

  test('is taken at once when an elector that has not voted is known to be gone', () => {
    const bench = new Bench();
    const id = bench.coordinate();
    bench.from(1, vote(id));
    bench.from(2, vote(id));
    bench.coordinator.peerDown(3, bench.nowMs);
    expect(said(bench.coordinator.takeEffects())).toEqual(ACCEPT);
  });

  test('ends in an invalidation when a voter refuses', () => {
    const bench = new Bench();
    const id = bench.coordinate();
    bench.from(1, vote(id));
    const effects = bench.from(2, vote(id, rejected(at(999_999, 2))));
    expect(said(effects)[0]).toBe('AcceptInvalidate>1');
    bench.from(1, { type: 'AcceptInvalidateOk', id, ballot: ZERO });
    const end = bench.from(2, { type: 'AcceptInvalidateOk', id, ballot: ZERO });
    expect(said(end).at(-1)).toBe('invalidated');
  });
});

describe('clocks that differ too far', () => {
  const skewed = (id: TxnId): AccordMessage => nack(id, { reason: 'skewed', promised: ZERO });

  test('a member that refuses for it is as one that is silent, but is not waited for', () => {
    const bench = new Bench();
    const id = bench.coordinate();
    bench.from(1, vote(id));
    expect(said(bench.from(3, skewed(id)))).toEqual([]);
    const effects = bench.from(2, vote(id));
    expect(said(effects)).toEqual(ACCEPT);
    expect(sent(effects, 'Accept').executeAt).toEqual(id);
  });

  test('a vote that is too far ahead is none', () => {
    const bench = new Bench();
    const id = bench.coordinate();
    bench.from(1, vote(id));
    bench.from(3, vote(id, at(600e6, 3)));
    const effects = bench.from(2, vote(id));
    expect(sent(effects, 'Accept').executeAt).toEqual(id);
  });

  test('without a quorum of others it is invalidated', () => {
    const bench = new Bench();
    const id = bench.coordinate();
    bench.from(1, vote(id));
    bench.from(3, skewed(id));
    expect(said(bench.from(2, vote(id, at(600e6, 2))))[0]).toBe('AcceptInvalidate>1');
  });

  test('with the third away it waits, and asks the one that has refused again', () => {
    const bench = new Bench();
    const id = bench.coordinate();
    bench.from(1, vote(id));
    bench.coordinator.peerDown(2, bench.nowMs);
    expect(said(bench.from(3, skewed(id)))).toEqual([]);
    expect(said(bench.tick(251))).toContain('PreAccept>3');
    expect(said(bench.from(3, vote(id)))).toEqual(ACCEPT);
  });

  test('a value accepted far ahead is proposed again, and does not move our time', () => {
    const bench = new Bench();
    const id = at(5, 2);
    bench.coordinator.recover(id, touching(1), bench.nowMs);
    const b = sent(bench.coordinator.takeEffects(), 'BeginRecovery').ballot;
    const far = at(600e6, 2);
    const known = { type: 'RecoverOk', id, ballot: b, status: Status.Accepted } as const;
    const rest = { local: encodeDeps([]), votedFast: false, rejectsFastPath: false };
    const waits = { wait: encodeDeps([]), noWait: encodeDeps([]), reads: null };
    const none = { ...waits, ...rest, ...touching(1) };
    const value = { accepted: ZERO, executeAt: far, coordinated: encodeDeps([]) };
    bench.from(1, { ...known, ...value, ...none });
    const effects = bench.from(3, { ...known, ...value, ...none });
    expect(sent(effects, 'Accept').executeAt).toEqual(far);
    expect(bench.coordinate().hlc).toBeLessThan(1e6);
  });
});

describe('refusals and silence', () => {
  test('a higher promise ends it; what is decided elsewhere is asked for', () => {
    const promised = new Bench();
    const first = promised.coordinate();
    expect(promised.from(2, nack(first, {}))).toEqual([]);
    expect(promised.coordinator.underWay).toBe(0);
    const decided = new Bench();
    const second = decided.coordinate();
    expect(said(decided.from(2, nack(second, { reason: 'decided' })))).toEqual(['CheckStatus>2']);
  });

  test('a refusal of another round or ballot is ignored', () => {
    const bench = new Bench();
    const id = bench.coordinate();
    bench.from(2, nack(id, { round: 'Accept' }));
    bench.from(2, nack(id, { ballot: ballot(1) }));
    expect(bench.coordinator.underWay).toBe(1);
  });

  test('a replica that lacks the definition gets it', () => {
    const bench = new Bench(3, 2);
    const id = bench.coordinate();
    bench.from(1, vote(id));
    bench.from(2, vote(id, at(999_999, 2)));
    const again = bench.from(2, nack(id, { round: 'Accept', reason: 'insufficient' }));
    expect(said(again)).toEqual(['Accept>2']);
    expect(sent(again, 'Accept').body).toEqual(Uint8Array.of(1));
  });

  test('a replica that does not answer is asked again, at growing intervals', () => {
    const bench = new Bench();
    const id = bench.coordinate();
    bench.from(1, vote(id));
    expect(said(bench.tick(250))).toEqual(['PreAccept>2', 'PreAccept>3']);
    expect(said(bench.tick(499))).toEqual([]);
    expect(said(bench.tick(1))).toEqual(['PreAccept>2', 'PreAccept>3']);
  });

  test('a quorum is reachable until too many are down', () => {
    const { coordinator } = new Bench();
    coordinator.peerDown(2, 0);
    expect(coordinator.quorumReachable).toBe(true);
    coordinator.peerDown(3, 0);
    expect(coordinator.quorumReachable).toBe(false);
    coordinator.peerUp(3);
    expect(coordinator.quorumReachable).toBe(true);
  });
});

describe('recovery', () => {
  const id = at(500, 2);

  test('always at a ballot of its own, in place of what was under way', () => {
    const bench = new Bench();
    bench.coordinator.recover(id, touching(1), bench.nowMs);
    const first = sent(bench.coordinator.takeEffects(), 'BeginRecovery').ballot;
    bench.coordinator.recover(id, touching(1), bench.nowMs);
    const second = sent(bench.coordinator.takeEffects(), 'BeginRecovery').ballot;
    expect(second.hlc).toBeGreaterThan(first.hlc);
    expect(bench.coordinator.recoveries).toBe(1);
  });

  test('no more at once than the limit; the progress log asks again', () => {
    const bench = new Bench(3, 3, 2);
    for (const hlc of [1, 2, 3]) bench.coordinator.recover(at(hlc), undefined, bench.nowMs);
    expect(bench.coordinator.recoveries).toBe(2);
  });

  test('hands its evidence to the conclusion and goes on with that', () => {
    const bench = new Bench();
    bench.coordinator.recover(id, touching(1), bench.nowMs);
    const { ballot: b } = sent(bench.coordinator.takeEffects(), 'BeginRecovery');
    const reply = {
      type: 'RecoverOk',
      id,
      ballot: b,
      accepted: ZERO,
      executeAt: id,
      coordinated: encodeDeps([at(3)]),
      local: null,
      votedFast: false,
      rejectsFastPath: false,
      wait: encodeDeps([]),
      noWait: encodeDeps([]),
      reads: null,
    } as const;
    bench.from(2, { ...reply, status: Status.Committed });
    const effects = bench.from(3, { ...reply, status: Status.Stable });
    expect(said(effects)).toEqual([...STABLE, 'recovered']);
    expect(decodeDeps(sent(effects, 'Stable').deps)).toEqual([at(3)]);
  });
});
