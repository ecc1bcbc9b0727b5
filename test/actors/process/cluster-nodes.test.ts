/** The nodes and ranges that CLUSTER shows. */
import { expect, test } from 'vitest';
import { Group } from '../../../actors/accord/topology/group.ts';
import { apply } from '../../../actors/meta/apply.ts';
import { groupsOf, type Topology } from '../../../actors/meta/topology.ts';
import { clusterOf } from '../../../actors/process/cluster-nodes.ts';
import { FORM } from '../meta/form-sample.ts';

const AT = { hlc: 1, flags: 2, node: 1, store: 0 };
const formed = apply(undefined, { ...FORM, initialRanges: 3 }, AT).state?.topology as Topology;
const topology: Topology = {
  ...formed,
  nodes: formed.nodes.map((node) => ({ ...node, redis: `r${node.id}:6379` })),
};
const groups = groupsOf(topology)
  .filter(({ machine }) => machine === 'keyspace')
  .map((descriptor) => new Group(descriptor));

function shown(self: number, connected: readonly number[], from = topology) {
  const sight = { self, redis: `here:${self}`, groups, connected: new Set(connected) };
  const { nodes } = clusterOf(from, sight);
  return nodes.map(({ host, online, slots }) => [host, online, slots.map(({ first }) => first)]);
}

test('each range is that of one member, and they take turns', () => {
  expect(shown(1, [2, 3])).toEqual([
    ['here', true, [0]],
    ['r2', true, [5_461]],
    ['r3', true, [10_922]],
  ]);
});

test('a range of a member that is away is shown at the next one', () => {
  expect(shown(2, [1])).toEqual([
    ['r1', true, [0, 10_922]],
    ['here', true, [5_461]],
    ['r3', false, []],
  ]);
});

test('a node that has not told its address is not shown, and its ranges are elsewhere', () => {
  expect(shown(3, [1, 2], formed)).toEqual([['here', true, [0, 5_461, 10_922]]]);
});

test('all nodes have the same names everywhere', () => {
  const names = [1, 2].map((self) => {
    const sight = { self, redis: 'h:1', groups, connected: new Set<number>() };
    return clusterOf(topology, sight).nodes.map(({ id }) => id);
  });
  expect(names[0]).toEqual(names[1]);
  expect(new Set(names[0]).size).toBe(3);
});
