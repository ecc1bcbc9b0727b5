/** Groups of which a node became a member later, as the topology and the stores' logs have them. */
import { expect, test } from 'vitest';
import { Group } from '../../../actors/accord/topology/group.ts';
import { isSameGroup } from '../../../actors/accord/topology/group-id.ts';
import { apply } from '../../../actors/meta/apply.ts';
import type { MetaCommand } from '../../../actors/meta/meta-command.ts';
import type { MetaState } from '../../../actors/meta/meta-state.ts';
import { Joins } from '../../../actors/node/joins.ts';
import { FORM } from '../meta/form-sample.ts';

const PARENT = { range: 1, generation: 1 };
const MOVED = { range: 1, generation: 2 };

/** The range of nodes 1 to 3 has moved from 1 to 4. */
function moved(): MetaState {
  const nodes = [1, 2, 3, 4].map((id) => ({ id, host: 'h', port: id, behaviourMax: 1 }));
  const name = { range: PARENT, change: 1 };
  const commands: readonly MetaCommand[] = [
    { ...FORM, nodes, electorate: [1, 2, 3, 4], replicationFactor: 3 },
    { type: 'Move', range: PARENT, from: 1, to: 4, by: 'somebody' },
    { type: 'BeginClosing', ...name },
    { type: 'Done', ...name, closedAt: { hlc: 9, flags: 2, node: 1, store: 0 } },
  ];
  let state: MetaState | undefined;
  for (const command of commands) {
    const applied = apply(state, command, { hlc: 20, flags: 2, node: 1, store: 0 });
    expect(applied.refused).toBeUndefined();
    state = applied.state;
  }
  return state as MetaState;
}

const NONE = { isHere: () => false, open: [] };

test('a group is joined when all logs have been read, and nothing older is open', () => {
  const { topology } = moved();
  const joins = new Joins<string>(4);
  expect(joins.began('one', 2)).toBe(true);
  expect(joins.wanted(topology, NONE)).toEqual([]);
  joins.began('two', 2);
  expect(joins.began('two', 2)).toBe(false);
  const slots = { fromSlot: 0, toSlot: 16_384, members: [2, 3, 4], electorate: [2, 3, 4] };
  const older = new Group({ id: { range: 9, generation: 1 }, ...slots, machine: 'keyspace' });
  // Its older data are void, since it is owed those of the group that follows.
  expect(joins.wanted(topology, { ...NONE, open: [older] })).toMatchObject([{ parent: PARENT }]);
  const isHere = (group: typeof MOVED): boolean => isSameGroup(group, MOVED);
  expect(joins.wanted(topology, { ...NONE, isHere })).toEqual([]);
  const group = { id: MOVED, ...slots, machine: 'keyspace' };
  const wanted = joins.wanted(topology, NONE);
  expect(wanted).toMatchObject([{ group, parent: PARENT, floor: { hlc: 9 } }]);
  // A member of the parent hears of it by its Close.
  expect(new Joins<string>(2).wanted(topology, NONE)).toEqual([]);
});

test('groups that came and went unseen are known, but for those that follow one here', () => {
  const { ended, topology } = moved();
  const [range] = topology.ranges;
  expect(ended).toMatchObject([
    { group: PARENT, executeAt: { hlc: 9 }, successors: [{ id: MOVED }] },
  ]);
  const joins = new Joins<string>(5);
  expect(joins.missed(ended, NONE)).toEqual([]);
  joins.began('one', 1);
  expect(joins.missed(ended, NONE)).toEqual(ended);
  const isHere = (group: typeof PARENT): boolean => isSameGroup(group, PARENT);
  expect(joins.missed(ended, { ...NONE, isHere })).toEqual([]);
  const slots = { fromSlot: range?.fromSlot ?? 0, toSlot: 1, members: [5], electorate: [5] };
  const older = new Group({ id: { range: 9, generation: 1 }, ...slots, machine: 'keyspace' });
  expect(joins.missed(ended, { ...NONE, open: [older] })).toEqual([]);
});

test('its data are missed until they are there, and told till the topology knows', () => {
  const { topology } = moved();
  const joins = new Joins<string>(4);
  joins.began('one', 1);
  const [join] = joins.wanted(topology, NONE);
  if (join === undefined) throw new Error('nothing is joined');
  joins.joined('one', join);
  expect(joins.of('one')).toEqual([join]);
  expect(joins.lacking()).toEqual([join]);
  expect([joins.lacksData(MOVED), joins.hasData(MOVED, 4)]).toEqual([true, false]);
  expect(joins.unreported(topology)).toEqual([]);
  joins.done(MOVED);
  expect([joins.lacksData(MOVED), joins.hasData(MOVED, 4)]).toEqual([false, true]);
  expect(joins.unreported(topology)).toEqual([MOVED]);
  // A member of the meta group that is told by the other one.
  const other = new Joins<string>(2);
  expect(other.hasData(MOVED, 4)).toBe(false);
  other.held(4, MOVED);
  expect(other.hasData(MOVED, 4)).toBe(true);
});

test('a group whose data are needed no more stays one of its store, until another one follows', () => {
  const { topology } = moved();
  const joins = new Joins<string>(4);
  joins.began('one', 1);
  const [join] = joins.wanted(topology, NONE);
  if (join === undefined) throw new Error('nothing is joined');
  joins.joined('one', join);
  joins.gaveUp(MOVED);
  // A store that begins anew is told of it.
  expect([joins.lacksData(MOVED), joins.of('one')]).toEqual([false, [join]]);
  joins.abandoned(MOVED);
  expect(joins.of('one')).toEqual([]);
});
