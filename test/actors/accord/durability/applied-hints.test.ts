/** How members announce settled transactions, and how lost announcements are made good. */
import { describe, expect, test } from 'vitest';
import type { Effect } from '../../../../actors/accord/local/effects.ts';
import type { AccordMessage } from '../../../../actors/accord/messages/messages.ts';
import { type Deps, decodeDeps, encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import { type TxnId, ZERO } from '../../../../actors/accord/primitives/timestamp.ts';
import { at, groupOf, LoneReplica, only, touching } from '../fixture.ts';

const LIMITS = { durabilityLagMs: 1_000, progressDelayMs: 1e9, listIdsMax: 2 };
const [a, b, c, d] = [at(1), at(2), at(3), at(4)] as const;
const PERIOD_MS = 2_000;

function replica(limits = LIMITS): LoneReplica {
  const lone = new LoneReplica(groupOf(3), 3, limits);
  // Nothing ever closes a round here.
  lone.replica.peerDown(1, lone.nowMs);
  return lone;
}

function stable(id: TxnId): AccordMessage {
  return { type: 'Stable', id, executeAt: id, deps: encodeDeps([]), ...touching(1) };
}

function hint(ids: Deps, asks = false): AccordMessage {
  return { type: 'AppliedHint', ids: encodeDeps(ids), redundantBefore: ZERO, retains: true, asks };
}

/** Its messages to member 2: hints with `?` when they ask, and fetches. */
function said(effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) => {
    if ((effect.type !== 'Send' && effect.type !== 'Reply') || effect.to !== 2) return [];
    const { message } = effect;
    if (message.type !== 'AppliedHint' && message.type !== 'Fetch') return [];
    const ids = decodeDeps(message.ids).map(({ hlc }) => 'abcd'[hlc - 1]);
    const asks = message.type === 'AppliedHint' && message.asks ? '?' : '';
    return [`${message.type === 'Fetch' ? 'fetch ' : ''}${ids.join('')}${asks}`];
  });
}

/** All four settled here, told, and the hints lost. */
function told(...ids: readonly TxnId[]): LoneReplica {
  const lone = replica();
  for (const id of ids) lone.take(stable(id));
  lone.tick(1);
  return lone;
}

describe('transactions that a member is not known to have settled', () => {
  test('is asked for, and the next page follows when all of the last is confirmed', () => {
    const lone = told(a, b, c, d);
    expect(said(lone.tick(PERIOD_MS))).toEqual(['ab?']);
    expect(said(lone.take(hint([a]), 2))).toEqual([]);
    expect(said(lone.take(hint([b]), 2))).toEqual(['cd?']);
    expect(said(lone.take(hint([c, d]), 2))).toEqual([]);
    expect(said(lone.tick(PERIOD_MS))).toEqual(['']);
  });

  test('does not wait behind a page that is not confirmed, and comes round again', () => {
    const lone = told(a, b, c);
    expect(said(lone.tick(PERIOD_MS))).toEqual(['ab?']);
    expect(said(lone.tick(PERIOD_MS))).toEqual(['c?']);
    expect(said(lone.tick(PERIOD_MS))).toEqual(['ab?']);
  });

  test('is not asked for as long as its hint may be under way', () => {
    const lone = told(a);
    expect(said(lone.tick(PERIOD_MS))).toEqual(['a?']);
    lone.tick(PERIOD_MS - 500);
    lone.take(stable(b));
    expect(said(lone.tick(500))).toEqual(['b', 'a?']);
    expect(said(lone.tick(PERIOD_MS))).toEqual(['ab?']);
  });

  test('is asked for at once when the link is up again, from the beginning', () => {
    const lone = told(a, b, c);
    lone.tick(PERIOD_MS);
    lone.replica.peerDown(2, lone.nowMs);
    expect(said(lone.tick(PERIOD_MS))).toEqual(['']);
    lone.replica.peerUp(2);
    expect(said(lone.tick(1))).toEqual(['ab?']);
  });

  test('is all asked for one by one when a list holds no more', () => {
    const lone = replica({ ...LIMITS, listIdsMax: 1 });
    for (const id of [a, b, c]) lone.take(stable(id));
    lone.tick(1);
    expect(said(lone.tick(PERIOD_MS))).toEqual(['a?']);
    expect(said(lone.take(hint([a]), 2))).toEqual(['b?']);
    expect(said(lone.take(hint([b]), 2))).toEqual(['c?']);
  });
});

describe('a member that is asked', () => {
  test('confirms what it has settled, also to one that it knows to have it', () => {
    const lone = told(a, b);
    lone.take(hint([a, b]), 2);
    expect(said(lone.take(hint([a, b], true), 2))).toEqual(['ab']);
  });

  test('fetches the rest until it has it, and tells then', () => {
    const lone = told(a);
    expect(said(lone.take(hint([a, b, c], true), 2))).toEqual(['a', 'fetch bc']);
    expect(said(lone.tick(50))).toEqual([]);
    lone.take(stable(b));
    expect(said(lone.tick(50))).toEqual(['b', 'fetch c']);
    lone.take({ type: 'CommitInvalidate', id: c });
    expect(said(lone.tick(100))).toEqual(['c']);
    expect(said(lone.tick(100))).toEqual([]);
  });

  test('does not fetch from one whose link is down', () => {
    const lone = replica();
    lone.take(hint([a], true), 2);
    lone.replica.peerDown(2, lone.nowMs);
    expect(said(lone.tick(100))).toEqual([]);
  });
});

/** Carries what two replicas say to each other; the third is gone. */
function carry(nodes: readonly LoneReplica[], effects: readonly Effect[], from: number): void {
  for (const effect of effects) {
    if (effect.type !== 'Send' && effect.type !== 'Reply') continue;
    const to = nodes[effect.to - 1];
    if (to === undefined || effect.to === from) continue;
    carry(nodes, to.take(effect.message, from), effect.to);
  }
}

// Each knew what the other had settled, and neither knew that the other knew.
test('two members that lost each hint of the other agree after one period', () => {
  const nodes = [1, 2].map((self) => new LoneReplica(groupOf(3), self, LIMITS));
  for (const node of nodes) {
    node.replica.peerDown(3, node.nowMs);
    for (const id of [a, b, c, d]) node.take(stable(id), 3);
    node.tick(1);
  }
  nodes[0]?.take(hint([a, b, c, d]), 2);
  for (const [index, node] of nodes.entries()) carry(nodes, node.tick(PERIOD_MS), index + 1);
  for (const [index, node] of nodes.entries()) {
    // The transactions that a read of the other node would have to wait for.
    const barrier = { type: 'ReadBarrier', token: 1, redundantBefore: ZERO, after: ZERO } as const;
    const { message } = only(node.take(barrier, 2 - index), 'Send');
    expect(message).toEqual({
      type: 'ReadBarrierOk',
      token: 1,
      ids: encodeDeps([]),
      behind: false,
    });
  }
});

/** How many transactions the next one on slot 1 depends on. */
function depsOfNext(lone: LoneReplica): number {
  const id = at(lone.nowMs * 10, 3);
  const { deps } = lone.ask(
    { type: 'PreAccept', id, deps: encodeDeps([]), ...touching(1) },
    'PreAcceptOk',
  );
  return decodeDeps(deps ?? encodeDeps([])).length;
}

describe('after a restart the deps are short again', () => {
  const ids = Array.from({ length: 50 }, (_, index) => at(index + 1));

  test('at once, where this member alone is a majority', () => {
    const lone = new LoneReplica(groupOf(1), 1, LIMITS);
    for (const id of ids) lone.take(stable(id));
    lone.restart();
    expect(depsOfNext(lone)).toBe(1);
  });

  test('as soon as another member answers the first question', () => {
    const lone = replica({ ...LIMITS, listIdsMax: 20 });
    for (const id of ids) lone.take(stable(id));
    lone.take(hint(ids), 2);
    lone.restart();
    lone.replica.peerDown(1, lone.nowMs);
    expect(depsOfNext(lone)).toBe(50);
    let effects = lone.tick(1);
    for (let page = 0; page < 3; page += 1) {
      const asked = effects.flatMap((effect) =>
        effect.type === 'Reply' && effect.to === 2 && effect.message.type === 'AppliedHint'
          ? [...decodeDeps(effect.message.ids)]
          : [],
      );
      effects = lone.take(hint(asked), 2);
    }
    // That of the last one here, and the one that was asked about before.
    expect(depsOfNext(lone)).toBe(2);
  });
});
