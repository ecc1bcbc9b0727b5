/** How nodes come into a topology, tell where they are, and leave it. */
import { expect, test } from 'vitest';
import { apply } from '../../../actors/meta/apply.ts';
import type { MetaCommand } from '../../../actors/meta/meta-command.ts';
import type { MetaState } from '../../../actors/meta/meta-state.ts';
import { NODES_MAX, nodeOfJoin } from '../../../actors/meta/nodes.ts';
import { faultOf, ID_MAX } from '../../../actors/meta/topology.ts';
import { FORM } from './form-sample.ts';

const AT = { hlc: 9, flags: 2, node: 1, store: 0 };
const PLACES = {
  ...{ host: 'new', port: 7, redis: 'new:6379', admin: 'new:8080' },
  ...{ version: '1.2.3', behaviourMax: 1 },
};

function joinOf(disk: string): MetaCommand {
  return { type: 'Join', joinId: disk.repeat(32), ...PLACES };
}

function mustDo(state: MetaState | undefined, ...commands: readonly MetaCommand[]): MetaState {
  let next = state;
  for (const command of commands) {
    const { state: after, refused } = apply(next, command, AT);
    expect(refused).toBeUndefined();
    next = after;
  }
  expect(faultOf((next as MetaState).topology)).toBeUndefined();
  return next as MetaState;
}

function refusal(state: MetaState, command: MetaCommand): string | undefined {
  return apply(state, command, AT).refused;
}

const started = (id: number, incarnation: number) =>
  ({ type: 'NodeStarted', id, incarnation, ...PLACES }) as const;
const formed = mustDo(undefined, FORM);
const joined = mustDo(formed, joinOf('a'));

test('a node that joins has the next id, and no ranges; its start makes it active', () => {
  const expected = { id: 4, state: 'joining', incarnation: 0, joinId: 'a'.repeat(32), ...PLACES };
  expect(nodeOfJoin(joined.topology, 'a'.repeat(32))).toEqual(expected);
  expect(joined.topology.epoch).toBe(2);
  expect(joined.topology.ranges).toEqual(formed.topology.ranges);
  const { topology } = mustDo(joined, started(4, 1));
  expect(topology.nodes.at(-1)).toMatchObject({ state: 'active', incarnation: 1 });
  expect(topology.meta.members).toEqual([1, 2, 3]);
});

test('asked for twice by one name, there is one node', () => {
  expect(refusal(joined, joinOf('a'))).toBe('it has joined already');
  expect(mustDo(joined, joinOf('b')).topology.nodes.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5]);
});

test('the id of a node that was removed is given to no other, nor to itself again', () => {
  const gone = mustDo(joined, { type: 'Decommission', id: 4 }, { type: 'Remove', id: 4 });
  expect(gone.topology.nodes.map(({ id }) => id)).toEqual([1, 2, 3]);
  expect(refusal(gone, started(4, 2))).toBe('no node of this cluster');
  expect(mustDo(gone, joinOf('a')).topology.nodes.at(-1)?.id).toBe(5);
});

test('a changed address is recorded; that of an older start is not', () => {
  const here = mustDo(joined, started(4, 2));
  const before = { ...started(4, 1), port: 9 };
  expect(refusal(here, before)).toBe('it has started again since');
  expect(refusal(here, started(4, 2))).toBe('nothing has changed');
  const { topology } = mustDo(here, { ...started(4, 3), port: 9 });
  expect(topology.nodes.at(-1)).toMatchObject({ port: 9, incarnation: 3, state: 'active' });
});

test('a drain lasts until the node starts again, or is taken back', () => {
  const draining = mustDo(formed, started(2, 1), { type: 'Drain', id: 2 });
  expect(draining.topology.nodes[1]?.state).toBe('draining');
  expect(refusal(draining, { type: 'Drain', id: 2 })).toBe('node 2 is draining');
  // The same start, with another address: it has not been away.
  const told = mustDo(draining, { ...started(2, 1), port: 8 });
  expect(told.topology.nodes[1]?.state).toBe('draining');
  expect(mustDo(told, started(2, 2)).topology.nodes[1]?.state).toBe('active');
  const back = mustDo(told, { type: 'Recommission', id: 2 });
  expect(back.topology.nodes[1]?.state).toBe('active');
});

test('a node with ranges, or in the meta group, is not removed', () => {
  const remove = (id: number) => ({ type: 'Remove', id }) as const;
  expect(refusal(formed, remove(1))).toBe('node 1 is a member of 1 range');
  const { topology } = mustDo(formed, { type: 'Decommission', id: 1 });
  expect(topology.nodes[0]?.state).toBe('decommissioning');
  const [range] = topology.ranges;
  const without = { members: [2, 3], electorate: [2, 3] };
  const moved = { ...topology, ranges: [{ ...range, ...without }] } as typeof topology;
  const meta = { ...formed, topology: moved };
  expect(refusal(meta, remove(1))).toBe('node 1 is a member of the meta group');
  expect(refusal(joined, remove(4))).toBe('node 4 is joining: decommission it first');
});

test('a decommission is taken back, and no start undoes it', () => {
  for (const id of [3, 4]) {
    const leaving = mustDo(joined, started(id, 1), { type: 'Decommission', id });
    const state = id === 3 ? 'decommissioning' : 'decommissioned';
    const of = ({ topology }: MetaState) => topology.nodes.find((node) => node.id === id)?.state;
    expect(of(leaving)).toBe(state);
    expect(of(mustDo(leaving, started(id, 2)))).toBe(state);
    expect(of(mustDo(leaving, { type: 'Recommission', id }))).toBe('active');
  }
});

test('a node is replaced by another one that stays', () => {
  const replace = (id: number, replacement: number) =>
    ({ type: 'Replace', id, replacement }) as const;
  expect(refusal(joined, replace(1, 9))).toBe('there is no node 9');
  expect(refusal(joined, replace(1, 1))).toBe('a node does not replace itself');
  const leaving = mustDo(joined, replace(1, 4));
  expect(leaving.topology.nodes[0]).toMatchObject({ state: 'decommissioning', replacedBy: 4 });
  expect(refusal(leaving, replace(2, 1))).toBe('node 1 is decommissioning');
  const another = mustDo(leaving, joinOf('b'), replace(1, 5));
  expect(another.topology.nodes[0]?.replacedBy).toBe(5);
  const back = mustDo(another, { type: 'Recommission', id: 1 });
  expect(back.topology.nodes[0]).not.toHaveProperty('replacedBy');
});

test.each([
  ['no name', { joinId: 'x' }, 'no name to join by'],
  ['no host', { host: '' }, 'no address'],
  ['no port', { port: 65_536 }, 'no address'],
  ['an address of other characters', { redis: 'ü:1' }, 'no address'],
])('nothing joins with %s', (_what, wrong, why) => {
  expect(refusal(formed, { ...joinOf('a'), ...wrong } as MetaCommand)).toMatch(why);
});

test('a release behind the behaviour level neither joins nor holds up those that know it', () => {
  const newer = [1, 2, 3].map((id) => ({ ...started(id, 1), behaviourMax: 2 }) as const);
  const raise = { type: 'RaiseBehaviour', from: 1, to: 2 } as const;
  const behind = mustDo(joined, ...newer);
  expect(refusal(behind, raise)).toBe('node 4 knows levels up to 1');
  const raised = mustDo(mustDo(formed, ...newer), raise);
  expect(raised.topology.behaviourLevel).toBe(2);
  expect(refusal(raised, joinOf('b'))).toMatch('at behaviour level 2');
});

test('limits: nodes of a cluster, and their ids', () => {
  const [node] = joined.topology.nodes.slice(-1);
  const full = Array.from({ length: NODES_MAX }, (_, at) => ({ ...node, id: at + 1 }));
  const nodes = full as typeof joined.topology.nodes;
  const crowded = { ...joined, topology: { ...joined.topology, nodes } };
  expect(refusal(crowded, joinOf('b'))).toBe(`the cluster has at most ${NODES_MAX} nodes`);
  const last = { ...joined, topology: { ...joined.topology, lastNode: ID_MAX } };
  expect(refusal(last, joinOf('b'))).toBe('no names are left');
});
