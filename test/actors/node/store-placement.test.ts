/** Groups are placed by their names alone, and evenly, on no more stores than have a number. */
import { expect, test } from 'vitest';
import { storeOf } from '../../../actors/node/store-placement.ts';
import { SimulatedCluster } from '../../simulation/cluster.ts';

test('one store holds all groups', () => {
  for (const range of [1, 2, 1_000]) expect(storeOf({ range, generation: 1 }, 1)).toBe(0);
});

test('ranges are spread evenly; generations of a range stay together', () => {
  const counts = [0, 0, 0, 0];
  for (let range = 1; range <= 100; range += 1) {
    const store = storeOf({ range, generation: 1 }, 4);
    expect(storeOf({ range, generation: 77 }, 4)).toBe(store);
    counts[store] = (counts[store] ?? 0) + 1;
  }
  expect(counts).toEqual([25, 25, 25, 25]);
});

test('no store has the number of the stream of the node', () => {
  const start = (stores: number): void => {
    const { nodes } = new SimulatedCluster({ seed: 1, nodes: 3, timeMs: 0, stores });
    for (const node of nodes) node.start();
  };
  expect(() => start(65_536)).toThrow(/^node 1: 65536 stores \(at most 65535\)$/);
  expect(() => start(65_535)).not.toThrow();
});
