/** The conclusion of a recovery over two groups of three: evidence counts for its own group alone. */
import { describe, expect, test } from 'vitest';
import {
  concludeSpanning,
  type SpanningConclusion,
} from '../../../../actors/accord/coordinate/spanning-recovery.ts';
import { RoundPart, SpanningRound } from '../../../../actors/accord/coordinate/spanning-round.ts';
import type { RecoverOk } from '../../../../actors/accord/messages/messages.ts';
import { encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import { Status } from '../../../../actors/accord/primitives/status.ts';
import { type Timestamp, ZERO } from '../../../../actors/accord/primitives/timestamp.ts';
import { Group } from '../../../../actors/accord/topology/group.ts';
import { at, ballot, groupOf, touching } from '../fixture.ts';

const id: Timestamp = { ...at(1_000), flags: 6 };
const later: Timestamp = { ...at(1_200), flags: 6 };
const reads = Uint8Array.of(1, 2);

function reply(status: Status, more: Partial<RecoverOk> = {}): RecoverOk {
  return {
    type: 'RecoverOk',
    ...{ id, ballot: ballot(9_000), status, accepted: ZERO, executeAt: id },
    ...{ coordinated: null, local: encodeDeps([]), reads: null },
    ...{ votedFast: false, rejectsFastPath: false },
    ...{ wait: encodeDeps([]), noWait: encodeDeps([]) },
    ...touching(1),
    ...more,
  };
}

const fast = reply(Status.PreAccepted, { votedFast: true });
const slow = reply(Status.PreAccepted, { executeAt: later });
const value = { executeAt: later, coordinated: encodeDeps([at(3)]) };

/** Answers of members 1, 2, ... of each group; `gone`: ranges that have forgotten it. */
function conclude(
  answers: readonly (readonly RecoverOk[])[],
  gone: readonly number[] = [],
): { readonly conclusion: SpanningConclusion; readonly deps: readonly number[][] } {
  const parts = answers.map((replies, index) => {
    const group = new Group({ ...groupOf(3), electorate: [1, 2, 3], id: idOf(index) });
    const part = new RoundPart(group, new Uint8Array(0));
    for (const [at, each] of replies.entries()) {
      part.count(1 << at);
      if (each.votedFast) part.fast |= 1 << at;
      part.recoverReplies.push(each);
    }
    return part;
  });
  const round = new SpanningRound({
    ...{ id, ballot: ballot(9_000), phase: 'Recover', parts, body: new Uint8Array(0) },
    ...{ gone: new Set(gone), nowMs: 0, resendMs: 1 },
  });
  const conclusion = concludeSpanning(round);
  return { conclusion, deps: parts.map(({ deps }) => deps.map(({ hlc }) => hlc)) };
}

function idOf(index: number): Group['id'] {
  return { range: index + 1, generation: 1 };
}

describe('nothing is accepted anywhere', () => {
  test('what may have been fast in both groups is proposed for t0, with the deps of each', () => {
    const local = (hlc: number): RecoverOk => ({ ...fast, local: encodeDeps([at(hlc)]) });
    const { conclusion, deps } = conclude([
      [local(1), local(2)],
      [local(3), local(4)],
    ]);
    expect(conclusion).toEqual({ type: 'coordinate', executeAt: id });
    expect(deps).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  test('one group without the fast path is enough to invalidate', () => {
    const ofOne = conclude([
      [fast, fast],
      [fast, slow],
    ]);
    expect(ofOne.conclusion).toEqual({ type: 'invalidate' });
    const superseded = conclude([
      [fast, fast],
      [fast, { ...fast, rejectsFastPath: true }],
    ]);
    expect(superseded.conclusion).toEqual({ type: 'invalidate' });
  });

  test('what a group waits for, the evidence of another one does not settle', () => {
    const wait = { ...fast, wait: encodeDeps([at(900)]) };
    const noWait = { ...fast, noWait: encodeDeps([at(900)]) };
    expect(
      conclude([
        [wait, noWait],
        [fast, fast],
      ]).conclusion.type,
    ).toBe('coordinate');
    expect(
      conclude([
        [wait, fast],
        [fast, noWait],
      ]).conclusion,
    ).toEqual({
      type: 'wait',
      ids: [{ group: idOf(0), ids: [at(900)] }],
    });
  });

  test('a replica that did not know what it touches is asked again', () => {
    const { slots: _slots, body: _body, ...bare } = fast;
    expect(
      conclude([
        [fast, fast],
        [fast, bare],
      ]).conclusion.type,
    ).toBe('again');
  });
});

describe('some group has a value', () => {
  const accepted = reply(Status.Accepted, { ...value, accepted: ballot(10) });

  test('the time of the highest ballot of all groups is proposed in all of them', () => {
    const lower = { ...accepted, accepted: ballot(5), executeAt: at(5_000) };
    const { conclusion } = conclude([
      [fast, lower],
      [accepted, fast],
    ]);
    expect(conclusion).toEqual({ type: 'coordinate', executeAt: later });
    const given = reply(Status.AcceptedInvalidate, { accepted: ballot(11), executeAt: null });
    expect(
      conclude([
        [fast, given],
        [accepted, fast],
      ]).conclusion.type,
    ).toBe('invalidate');
  });

  test('proposed deps that are not below the time are left out', () => {
    const old = { ...accepted, accepted: ballot(5), executeAt: at(5_000) };
    const far = { ...old, coordinated: encodeDeps([at(4), at(4_000)]) };
    const { deps } = conclude([
      [fast, far],
      [accepted, fast],
    ]);
    expect(deps).toEqual([[4], [3]]);
  });

  test('a decided time is accepted and committed where that is missing', () => {
    const committed = reply(Status.Committed, { ...value, local: null });
    const { conclusion, deps } = conclude([
      [committed, fast],
      [fast, slow],
    ]);
    expect(conclusion).toMatchObject({ type: 'commit', executeAt: later, reads: undefined });
    if (conclusion.type !== 'commit') throw new Error(conclusion.type);
    expect(conclusion.missing.map(({ group }) => group.id.range)).toEqual([2]);
    expect(conclusion.short.map(({ group }) => group.id.range)).toEqual([1, 2]);
    expect(deps[0]).toEqual([3]);
  });

  test('stable in one group only commits in the other, and what was read goes on', () => {
    const stable = reply(Status.Stable, { ...value, local: null });
    const committed = reply(Status.Committed, { ...value, local: null });
    const { conclusion } = conclude([
      [stable, fast],
      [committed, fast],
    ]);
    if (conclusion.type !== 'stable') throw new Error(conclusion.type);
    expect(conclusion.missing).toEqual([]);
    expect(conclusion.short.map(({ group }) => group.id.range)).toEqual([2]);
    const applied = reply(Status.PreApplied, { ...value, local: null, reads });
    const both = conclude([
      [applied, fast],
      [stable, fast],
    ]).conclusion;
    expect(both).toMatchObject({ type: 'stable', executeAt: later, missing: [], short: [], reads });
  });

  test('invalidated in one group is invalidated', () => {
    const gone = reply(Status.Invalidated, { executeAt: null });
    expect(
      conclude([
        [fast, fast],
        [fast, gone],
      ]).conclusion.type,
    ).toBe('invalidated');
  });
});

describe('a group has forgotten it', () => {
  const stable = reply(Status.Stable, { ...value, local: null });

  test('without an outcome in the other one it never executes', () => {
    expect(conclude([[], [fast, fast]], [1]).conclusion.type).toBe('invalidated');
    expect(conclude([[], [slow, slow]], [1]).conclusion.type).toBe('invalidated');
  });

  test('an outcome goes on, and what is decided without one is asked for later', () => {
    const applied = reply(Status.Applied, { ...value, local: null, reads });
    expect(conclude([[], [stable, applied]], [1]).conclusion).toMatchObject({
      type: 'stable',
      missing: [],
      short: [],
      reads,
    });
    expect(conclude([[], [stable, fast]], [1]).conclusion.type).toBe('later');
  });
});
