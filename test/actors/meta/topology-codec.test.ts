import { expect, test } from 'vitest';
import { apply } from '../../../actors/meta/apply.ts';
import type { MetaState } from '../../../actors/meta/meta-state.ts';
import { firstMeta, groupsOf, type Topology } from '../../../actors/meta/topology.ts';
import { decodeTopology, encodeTopology } from '../../../actors/meta/topology-codec.ts';

const at = { hlc: 1, flags: 2, node: 1, store: 0 };
const nodes = [1, 2, 3].map((id) => ({ id, host: 'a', port: id, behaviourMax: 1 }));
const form = {
  ...({ type: 'Form', clusterId: 'ab'.repeat(16), nodes, electorate: [1, 2] } as const),
  ...{ initialRanges: 3, replicationFactor: 9, rangesMax: 5, closingMax: 2, behaviourLevel: 1 },
};
const range = { range: 2, generation: 1 };
const formed = apply(undefined, form, at).state;
const { topology } = apply(formed, { type: 'Split', range, atSlot: 8_000, by: 'x' }, at)
  .state as MetaState;

function changed(change: (copy: Record<string, unknown>) => void): string {
  const copy = JSON.parse(encodeTopology(topology));
  change(copy);
  return JSON.stringify(copy);
}

test('equal topologies are one text, in whatever order their fields were written', () => {
  const text = encodeTopology(topology);
  expect(decodeTopology(text)).toEqual(topology);
  const reversed = Object.fromEntries(Object.entries(topology).reverse()) as unknown as Topology;
  expect(encodeTopology(reversed)).toBe(text);
});

test('no other text is a topology', () => {
  const text = encodeTopology(topology);
  expect(decodeTopology(`${text} `)).toBeUndefined();
  for (let length = 0; length < text.length; length += 7) {
    expect(decodeTopology(text.slice(0, length))).toBeUndefined();
  }
  for (const other of ['null', '1', '[]', '{}', '"x"', '{"ranges":[],"nodes":[]}']) {
    expect(decodeTopology(other)).toBeUndefined();
  }
});

type Row = Record<string, unknown>;

const ABSENCE = { node: 9, isOut: true, flaps: 1, sinceUs: 1 };

function successorsIn(copy: Record<string, Row[]>): Row[] {
  const change = copy['ranges']?.[1]?.['change'] ?? {};
  return (change as Record<string, Row[]>)['successors'] ?? [];
}

test.each<[string, (copy: Record<string, Row[]>) => void]>([
  ['an epoch of nothing', (copy) => Object.assign(copy, { epoch: 0 })],
  ['a slot twice', (copy) => Object.assign(copy['ranges']?.[1] ?? {}, { fromSlot: 5_460 })],
  ['a slot left out', (copy) => Object.assign(copy['ranges']?.[1] ?? {}, { fromSlot: 5_470 })],
  ['the last range left out', (copy) => copy['ranges']?.pop()],
  ['a range twice', (copy) => Object.assign(copy['ranges']?.[0]?.['id'] ?? {}, { range: 3 })],
  [
    'a generation never given',
    (copy) => Object.assign(copy['ranges']?.[0]?.['id'] ?? {}, { generation: 9 }),
  ],
  [
    'a member that is no node',
    (copy) => Object.assign(copy['ranges']?.[0] ?? {}, { members: [1, 2, 9] }),
  ],
  [
    'no members',
    (copy) => Object.assign(copy['ranges']?.[0] ?? {}, { members: [], electorate: [] }),
  ],
  [
    'a member of the meta group that is no node',
    (copy) => Object.assign(copy['meta'] ?? {}, { members: [1, 2, 9] }),
  ],
  ['too few electors', (copy) => Object.assign(copy['ranges']?.[0] ?? {}, { electorate: [1] })],
  ['a number as text', (copy) => Object.assign(copy['nodes']?.[0] ?? {}, { port: '1' })],
  ['a level that a node does not know', (copy) => Object.assign(copy, { behaviourLevel: 2 })],
  [
    'a split at the edge',
    (copy) => {
      const [low, high] = successorsIn(copy);
      Object.assign(low ?? {}, { toSlot: 5_461 });
      Object.assign(high ?? {}, { fromSlot: 5_461 });
    },
  ],
  ['one half of a split', (copy) => successorsIn(copy).pop()],
  [
    'other members of a half',
    (copy) => Object.assign(successorsIn(copy)[0] ?? {}, { members: [1, 2] }),
  ],
  ['an absence of a stranger', (copy) => copy['absences']?.push(ABSENCE)],
  [
    'a paused close',
    (copy) =>
      Object.assign(copy['ranges']?.[1]?.['change'] ?? {}, { phase: 'closing', isPaused: true }),
  ],
  ['a field more', (copy) => Object.assign(copy, { extra: 1 })],
])('damage is seen: %s', (_what, change) => {
  const text = changed((copy) => change(copy as Record<string, Row[]>));
  expect(text).not.toBe(encodeTopology(topology));
  expect(decodeTopology(text)).toBeUndefined();
});

test('a node has the groups of which it is a member', () => {
  const two = { ...topology, ranges: topology.ranges.map((each) => ({ ...each })) };
  Object.assign(two.ranges[1] ?? {}, { members: [1, 2] });
  expect(groupsOf(two, 3).map(({ id }) => id.range)).toEqual([1, 3, 0]);
  expect(groupsOf(two, 1)).toHaveLength(4);
  Object.assign(two, { meta: firstMeta({ members: [1, 2], electorate: [1, 2] }) });
  expect(groupsOf(two, 3).map(({ id }) => id.range)).toEqual([1, 3]);
});
