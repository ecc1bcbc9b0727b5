/** A group that has ended has ended for good, whatever is cut from its log and wherever it tears. */
import { describe, expect, test } from 'vitest';
import { CommandStore } from '../../../../actors/accord/local/command-store.ts';
import type { StoreEffect } from '../../../../actors/accord/local/effects.ts';
import type { JournalRecord } from '../../../../actors/accord/local/journal.ts';
import type { ReplicaMessage } from '../../../../actors/accord/local/replica.ts';
import { decodeDeps, encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import { HybridClock } from '../../../../actors/accord/primitives/hybrid-clock.ts';
import { Flags, type TxnId, ZERO } from '../../../../actors/accord/primitives/timestamp.ts';
import { encodeSuccessors } from '../../../../actors/accord/topology/close-body.ts';
import { Group, type GroupDescriptor } from '../../../../actors/accord/topology/group.ts';
import { firstGroup } from '../first-group.ts';
import { at, LoneReplica, preAccept } from '../fixture.ts';

const DESCRIPTOR = firstGroup([1, 2, 3], [1, 2, 3]);
const SUCCESSORS = [
  { ...DESCRIPTOR, id: { range: 1, generation: 2 }, toSlot: 8_192 },
  { ...DESCRIPTOR, id: { range: 2, generation: 2 }, fromSlot: 8_192 },
];

function closeAt(hlc: number, successors: readonly GroupDescriptor[] = SUCCESSORS): ReplicaMessage {
  const id: TxnId = { ...at(hlc), flags: Flags.WRITE | Flags.CLOSE };
  const body = encodeSuccessors(successors);
  return { type: 'Stable', id, executeAt: id, deps: encodeDeps([]), slots: null, body };
}

function ended(): LoneReplica {
  const lone = new LoneReplica();
  lone.take(preAccept(at(800)));
  lone.take(closeAt(900));
  expect(lone.replica.ended?.executeAt.hlc).toBe(900);
  return lone;
}

const types = (log: readonly JournalRecord[]): string[] => log.map(({ type }) => type);

test('a log that ends behind Close, and before the end that follows from it', () => {
  const lone = ended();
  const records = types(lone.log).indexOf('Ended');
  expect(types(lone.log.slice(0, records))).toContain('Applied');
  lone.restart(records);
  expect(lone.replica.ended).toMatchObject({ executeAt: { hlc: 900 }, successors: SUCCESSORS });
});

test('the end stands among the marks that are written again before the log is cut', () => {
  const lone = ended();
  const before = lone.log.length;
  lone.replica.repeatMarks();
  lone.tick(0);
  const again = lone.log.slice(before);
  expect(types(again)).toContain('RejectBefore');
  expect(types(again)).toContain('Ended');
  lone.log.splice(0, before);
  lone.restart();
  expect(lone.replica.ended?.executeAt.hlc).toBe(900);
});

test('votes name the Close also when it was forgotten', () => {
  const lone = new LoneReplica();
  lone.take(closeAt(900));
  const settled = { ids: encodeDeps([]), retains: false, asks: false };
  lone.nowMs = 10_000_000;
  const mark = { type: 'RedundantBefore', before: at(5_000_000) } as const;
  lone.replica.flushed(9);
  lone.restart(lone.log.push(mark), 9);
  for (const peer of [1, 2]) {
    lone.take({ type: 'AppliedHint', redundantBefore: at(5_000_000), ...settled }, peer);
  }
  lone.tick(1);
  expect(lone.replica.view.commands.size).toBe(0);
  const { deps } = lone.ask(preAccept(at(6_000_000)), 'PreAcceptOk');
  expect(decodeDeps(deps ?? encodeDeps([]))).toMatchObject([{ hlc: 900 }]);
  // A member that lags behind what is forgotten here must not take that for all there is.
  const barrier = { type: 'ReadBarrier', token: 1, after: ZERO } as const;
  expect(lone.take({ ...barrier, redundantBefore: at(900) })).toEqual([]);
  expect(lone.take({ ...barrier, redundantBefore: at(5_000_000) })).toHaveLength(1);
  // Nor may it settle what is named here for all that there was.
  const fence = { type: 'RejectBefore', before: at(6_000_000) } as const;
  expect(lone.take({ ...fence, base: at(900) })).toEqual([]);
  expect(lone.take({ ...fence, base: at(5_000_000) })).not.toEqual([]);
});

/** A store whose group is to end, and what one message leads to. */
function begun(): (group: number, message: ReplicaMessage) => readonly StoreEffect[] {
  const nowMs = 1;
  const clock = new HybridClock({ node: 3, store: 0, nowUs: () => 1_000, reserveUs: 1_000_000 });
  const store = new CommandStore({
    ...{ self: 3, groups: [new Group(DESCRIPTOR)], clock, random: () => 0.5, startedMs: 0, nowMs },
    connected: new Set([1, 2]),
    limits: { retainedBytesMax: 1e9, unloggedBytesMax: 1e9 },
  });
  store.restored(0, nowMs);
  store.executorReady(
    { generation: 1, flushed: [{ group: DESCRIPTOR.id, sequence: 0 }], lost: [] },
    nowMs,
  );
  store.closeTurn(nowMs);
  store.clockLimit(clock.limitUs);
  return (generation, message) => {
    store.takeEffects();
    store.handle({ range: 1, generation }, 1, message, nowMs);
    store.closeTurn(nowMs);
    const effects = store.takeEffects();
    for (const effect of effects) {
      if (effect.type === 'Append') store.durable(effect.token, effect.token);
    }
    return [...effects, ...store.takeEffects()];
  };
}

test('its mark goes to where others have forgotten all, when nothing of it is open', () => {
  const lone = ended();
  const ids = encodeDeps([]);
  const forgotten = { type: 'AppliedList', base: at(5_000), before: at(5_000), ids } as const;
  lone.nowMs = 10_000_000;
  // It may execute before the Close yet.
  lone.take(forgotten, 2);
  expect(lone.replica.view.redundantBefore).toEqual(ZERO);
  lone.take({ type: 'CommitInvalidate', id: at(800) });
  lone.take(forgotten, 2);
  expect(lone.replica.view.redundantBefore).toEqual(at(5_000));
  // An older question is answered with that.
  lone.replica.flushed(9);
  const hint = { type: 'AppliedHint', ids, retains: false, asks: false } as const;
  for (const peer of [1, 2]) lone.take({ ...hint, redundantBefore: at(3_000_000) }, peer);
  lone.take({ ...forgotten, base: at(3_000_000), before: at(3_000_000) }, 2);
  lone.tick(1);
  const answer = lone.ask({ type: 'CatchUp', from: at(100) }, 'AppliedList');
  expect(answer.base).toEqual(answer.before);
  expect(answer.base.hlc).toBeGreaterThan(900);
});

describe('its mark moves without promises when too few have not been passed over', () => {
  const members = [1, 2, 3, 4, 5];
  const five = new Group(firstGroup(members, members));
  test.each([
    ['for a quorum', new Group(DESCRIPTOR), [2], [3]],
    ['with electors enough', five, [2], [3]],
  ])('%s', (_, group, gone, last) => {
    const passedOver = new Set(gone);
    const limits = { durabilityLagMs: 1_000, durabilityEveryMs: 500 };
    const lone = new LoneReplica(group, 1, limits, (node) => passedOver.has(node));
    lone.nowMs = 5_000_000;
    lone.take(closeAt(900));
    lone.tick(1);
    expect(lone.replica.view.redundantBefore).toEqual(ZERO);
    for (const node of last) passedOver.add(node);
    // The round that is under way gets no answer.
    lone.tick(5_000);
    lone.tick(1);
    expect(lone.replica.view.redundantBefore.hlc).toBeGreaterThan(900);
  });
});

test('a successor votes above the end of its parent alone', () => {
  const take = begun();
  take(1, closeAt(900));
  const answerTo = (hlc: number): unknown => {
    const sent = take(2, preAccept(at(hlc))).flatMap((effect) =>
      effect.type === 'Send' ? [effect.message] : [],
    );
    expect(sent).toHaveLength(1);
    return sent[0];
  };
  expect(answerTo(850)).toMatchObject({ type: 'Nack', reason: 'truncated' });
  expect(answerTo(950)).toMatchObject({ type: 'PreAcceptOk', vote: { hlc: 950 } });
});

test('a successor that owes this node its data does not begin here by itself', () => {
  const take = begun();
  const [low, high] = SUCCESSORS as [GroupDescriptor, GroupDescriptor];
  take(1, closeAt(900, [{ ...low, owed: [3], absent: [3] }, high]));
  expect(take(2, preAccept(at(950))).filter(({ type }) => type === 'Send')).toEqual([]);
});
