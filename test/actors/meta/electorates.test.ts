/** Members that vote on the fast path, and how ranges come to the electorates that they need. */
import { expect, test } from 'vitest';
import { apply } from '../../../actors/meta/apply.ts';
import { electorateOf } from '../../../actors/meta/electorates.ts';
import type { MetaCommand } from '../../../actors/meta/meta-command.ts';
import type { MetaState } from '../../../actors/meta/meta-state.ts';
import { FORM } from './form-sample.ts';

function at(hlc: number) {
  return { hlc, flags: 2, node: 1, store: 0 };
}

function mustDo(state: MetaState | undefined, command: MetaCommand, hlc = 1): MetaState {
  const { state: next, refused } = apply(state, command, at(hlc));
  expect(refused).toBeUndefined();
  return next as MetaState;
}

test.each([
  ['12345', '', '', '12345'],
  ['12345', '', '4', '1235'],
  ['12345', '', '45', '123'],
  // There are never fewer than a slow quorum.
  ['12345', '', '345', '123'],
  ['123', '3', '', '12'],
  ['123', '3', '1', '23'],
  ['123', '3', '13', '12'],
  ['123', '23', '', '123'],
  ['12', '', '2', '12'],
])('of %s, without %s, and %s missed: %s', (members, without, missed, expected) => {
  const nodes = (text: string): number[] => [...text].map(Number);
  const absences = nodes(missed).map((node) => ({ node, isOut: true, flaps: 1, sinceUs: 1 }));
  const known = { nonElectors: nodes(without), absences };
  expect(electorateOf(nodes(members), known).join('')).toBe(expected);
});

const formed = mustDo(undefined, { ...FORM, initialRanges: 5, rangesMax: 8, closingMax: 2 });
const missed = { type: 'NodeMissed', node: 3, seenUs: 10 } as const;

function phases({ topology }: MetaState): (string | undefined)[] {
  return topology.ranges.map(({ change }) => change?.phase);
}

test('one command renews all groups of a node, as many at a time as may close', () => {
  let state = mustDo(formed, missed, 10);
  expect(phases(state)).toEqual(['closing', 'closing', 'intended', 'intended', 'intended']);
  let hlc = 20;
  for (let left = 5; left > 0; left -= 1) {
    const closing = state.topology.ranges.find(({ change }) => change?.phase === 'closing');
    const range = closing?.id ?? { range: 0, generation: 0 };
    const change = closing?.change?.number ?? 0;
    state = mustDo(state, { type: 'Done', range, change, closedAt: at(hlc) }, hlc + 1);
    hlc += 10;
  }
  expect(phases(state)).toEqual([undefined, undefined, undefined, undefined, undefined]);
  expect(state.topology.ranges.map(({ electorate }) => electorate.join(''))).toEqual(
    formed.topology.ranges.map(() => '12'),
  );
  expect(state.topology.ranges.map(({ id }) => id.range)).toEqual([1, 2, 3, 4, 5]);
  expect(state.topology.epoch).toBe(formed.topology.epoch + 6);
});

test('a renewal that has lost its reason before it closes is given up', () => {
  const state = mustDo(mustDo(formed, missed, 10), { ...missed, type: 'NodeBack' }, 11);
  expect(phases(state)).toEqual(['closing', 'closing', undefined, undefined, undefined]);
});

test('nobody pauses or cancels a renewal', () => {
  const state = mustDo(formed, missed, 10);
  const { id: range, change } = state.topology.ranges[4] ?? {};
  const name = { range: range ?? { range: 0, generation: 0 }, change: change?.number ?? 0 };
  for (const type of ['Pause', 'Cancel', 'BeginClosing'] as const) {
    expect(apply(state, { type, ...name }, at(11)).refused).toBe('a renewal begins by itself');
  }
});

test('while the controller of replicas is paused, nothing is renewed', () => {
  const paused = mustDo(formed, { type: 'PauseController', domain: 'replicas' }, 5);
  const state = mustDo(paused, missed, 10);
  expect(phases(state)).toEqual(formed.topology.ranges.map(() => undefined));
  const resumed = mustDo(state, { type: 'ResumeController', domain: 'replicas' }, 11);
  expect(phases(resumed)).toContain('closing');
});

test('a split closes with the electorate of that moment', () => {
  const range = { range: 1, generation: 1 };
  const split = mustDo(formed, { type: 'Split', range, atSlot: 100, by: 'x' }, 5);
  const state = mustDo({ ...split, pausedControllers: [] }, missed, 10);
  expect(state.topology.ranges[0]?.change?.kind).toBe('split');
  const roomy = { ...state, topology: { ...state.topology, closingMax: 9 } };
  const closing = mustDo(roomy, { type: 'BeginClosing', range, change: 1 }, 11);
  const { successors } = closing.topology.ranges[0]?.change ?? {};
  expect(successors?.map(({ electorate }) => electorate)).toEqual([
    [1, 2],
    [1, 2],
  ]);
});

test('what was seen too long ago counts no more; flaps are counted, and forgiven', () => {
  expect(apply(formed, missed, at(5_000_011)).refused).toBe('that was too long ago');
  let state = formed;
  const flaps: (number | undefined)[] = [];
  for (const hlc of [10, 100, 1_000, 2_000_000_000]) {
    state = mustDo(state, { ...missed, seenUs: hlc }, hlc);
    flaps.push(state.topology.absences[0]?.flaps);
    state = mustDo(state, { ...missed, type: 'NodeBack', seenUs: hlc + 1 }, hlc + 1);
  }
  expect(flaps).toEqual([1, 2, 3, 1]);
});
