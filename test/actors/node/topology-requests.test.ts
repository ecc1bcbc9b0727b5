/** Requests of people become commands of the topology, or are refused by name. */
import { describe, expect, test } from 'vitest';
import { ZERO } from '../../../actors/accord/primitives/timestamp.ts';
import { apply } from '../../../actors/meta/apply.ts';
import type { MetaCommand } from '../../../actors/meta/meta-command.ts';
import type { MetaState } from '../../../actors/meta/meta-state.ts';
import { commandFor } from '../../../actors/node/topology-requests.ts';
import { FORM } from '../meta/form-sample.ts';

function done(state: MetaState | undefined, command: MetaCommand | string): MetaState {
  if (typeof command === 'string') throw new Error(command);
  const { state: next } = apply(state, command, ZERO);
  return next as MetaState;
}

const formed = done(undefined, { ...FORM, initialRanges: 2, rangesMax: 3 });

test('a split is of the range that has the slot, by whoever asks', () => {
  const command = commandFor(formed.topology, { what: 'split', slot: 9_000 }, 'jörg');
  const range = { range: 2, generation: 1 };
  expect(command).toEqual({ type: 'Split', range, atSlot: 9_000, by: 'j?rg' });
});

test('nodes are drained, taken back and out, and the behaviour level is raised', () => {
  for (const [what, type] of [
    ['drain', 'Drain'],
    ['recommission', 'Recommission'],
    ['decommission', 'Decommission'],
    ['remove-node', 'Remove'],
  ] as const) {
    expect(commandFor(formed.topology, { what, node: 3 }, 'a')).toEqual({ type, id: 3 });
  }
  const raise = { type: 'RaiseBehaviour', from: 1, to: 2 };
  expect(commandFor(formed.topology, { what: 'raise-behaviour', node: 2 }, 'a')).toEqual(raise);
  expect(commandFor(formed.topology, { what: 'raise-behaviour' }, 'a')).toEqual(raise);
});

describe('a split is refused', () => {
  test.each([
    [16_384, 'there is no slot 16384: slots are 0 to 16383'],
    [0.5, 'there is no slot 0.5'],
    [undefined, 'there is no slot NaN'],
    [8_192, 'range 2 begins at slot 8192'],
  ])('at slot %s', (slot, why) => {
    expect(commandFor(formed.topology, { what: 'split', slot }, 'a')).toContain(why);
  });

  test('where there are as many ranges as may be', () => {
    const full = { ...formed.topology, rangesMax: 2 };
    const why = 'there are 2 ranges already (--ranges-max)';
    expect(commandFor(full, { what: 'split', slot: 5 }, 'a')).toBe(why);
  });
});

test('a change is named by its range, or by any slot of it', () => {
  const split = commandFor(formed.topology, { what: 'split', slot: 9_000 }, 'a');
  const { topology } = done(formed, split);
  const named = { range: { range: 2, generation: 1 }, change: 1 };
  expect(commandFor(topology, { what: 'pause', slot: 16_000 }, 'a')).toEqual({
    ...{ type: 'Pause', ...named },
  });
  expect(commandFor(topology, { what: 'cancel', range: 2 }, 'a')).toEqual({
    ...{ type: 'Cancel', ...named },
  });
  for (const place of [{ slot: 5 }, { range: 1 }, { slot: 9_000, range: 1 }, {}]) {
    const why = 'no range there is being changed';
    expect(commandFor(topology, { what: 'resume', ...place }, 'a')).toBe(why);
  }
});

test('controllers have names', () => {
  const pause = { what: 'pause-controller', controller: 'ranges' } as const;
  expect(commandFor(formed.topology, pause, 'a')).toEqual({
    ...{ type: 'PauseController', domain: 'ranges' },
  });
  const other = { what: 'resume-controller', controller: 'x' } as const;
  const why = 'the controllers are ranges, replicas, meta, all';
  expect(commandFor(formed.topology, other, 'a')).toBe(why);
});

test('the meta group is range 0: its members move, and no slot names it', () => {
  const topology = { ...formed.topology, nodes: [...formed.topology.nodes] };
  const joined = { ...(topology.nodes[0] as (typeof topology.nodes)[number]), id: 9 };
  topology.nodes.push(joined);
  Object.assign(topology, { lastNode: 9 });
  const move = commandFor(topology, { what: 'move', range: 0, from: 3, to: 9 }, 'a');
  const range = { range: 0, generation: 1 };
  expect(move).toEqual({ type: 'Move', range, from: 3, to: 9, by: 'a' });
  const { topology: moving } = done({ ...formed, topology }, move);
  const cancel = { type: 'Cancel', range, change: 1 };
  expect(commandFor(moving, { what: 'cancel', range: 0 }, 'a')).toEqual(cancel);
  expect(commandFor(moving, { what: 'cancel', slot: 5 }, 'a')).toMatch(/^no range there/);
});
