import { expect, test } from 'vitest';
import { apply } from '../../../actors/meta/apply.ts';
import type { MetaCommand } from '../../../actors/meta/meta-command.ts';
import type { MetaState } from '../../../actors/meta/meta-state.ts';
import { endIn, groupsOf } from '../../../actors/meta/topology.ts';
import { FORM } from './form-sample.ts';

function at(hlc: number) {
  return { hlc, flags: 2, node: 1, store: 0 };
}

function done(state: MetaState | undefined, command: MetaCommand, hlc: number): MetaState {
  const next = apply(state, command, at(hlc));
  if (next.state === undefined || next.refused !== undefined) throw new Error(next.refused);
  return next.state;
}

/** The first range that has this slot is divided at it. */
function divided(state: MetaState, atSlot: number, hlc: number): MetaState {
  const open = state.topology.ranges.find(({ fromSlot, toSlot }) => {
    return atSlot > fromSlot && atSlot < toSlot;
  });
  if (open === undefined) throw new Error('no range');
  const split = done(state, { type: 'Split', range: open.id, atSlot, by: 'x' }, hlc);
  const name = { range: open.id, change: split.topology.lastChange };
  const closing = done(
    { ...split, leases: [{ domain: 'ranges', holder: 1, term: 1, untilUs: hlc + 9 }] },
    { type: 'BeginClosing', ...name, lease: { domain: 'ranges', holder: 1, term: 1 } },
    hlc,
  );
  return done(closing, { type: 'Done', ...name, closedAt: at(hlc) }, hlc);
}

test('a group has ended where the topology has others in its place', () => {
  const formed = done(undefined, FORM, 1);
  const [first] = groupsOf(formed.topology);
  if (first === undefined) throw new Error('no range');
  expect(endIn(formed.topology, first)).toBeUndefined();
  const twice = divided(divided(formed, 8_000, 10), 4_000, 20);
  const end = endIn(twice.topology, first);
  expect(end?.executeAt).toEqual(at(20));
  const slots = end?.successors.map(({ fromSlot, toSlot }) => [fromSlot, toSlot]);
  expect(slots).toEqual([
    [0, 4_000],
    [4_000, 8_000],
    [8_000, 16_384],
  ]);
  const [half] = groupsOf(divided(formed, 8_000, 10).topology);
  if (half === undefined) throw new Error('no range');
  expect(endIn(twice.topology, half)?.successors).toHaveLength(2);
  // The topology is older than the group.
  expect(endIn(formed.topology, half)).toBeUndefined();
});
