/**
 * The protocol under some hundred seeds of chaos, for small and large electorates: every invariant
 * at every step, and all that should happen has happened somewhere.
 */
import { describe, expect, test } from 'vitest';
import { MIXES, type MixName } from './knobs.ts';
import { ProtocolCluster } from './protocol-cluster.ts';

const SEEDS_EACH = 8;
const SHAPES = [
  [3, 3],
  [3, 2],
  [5, 3],
  [5, 5],
] as const;

function live(mix: MixName, nodes: number, electorate: number, seed: number): ProtocolCluster {
  const cluster = new ProtocolCluster(seed, { ...MIXES[mix], nodes, electorate });
  try {
    cluster.live();
  } catch (error) {
    const how = `node --import tsx test/actors/accord/schedules.ts ${mix} ${nodes} ${electorate} ${seed} 1`;
    throw new Error(`${error instanceof Error ? error.message : error}\n${how}`);
  }
  return cluster;
}

describe.each(SHAPES)('N=%i E=%i', (nodes, electorate) => {
  const totals: Record<string, number> = {};

  test.each(Object.keys(MIXES) as MixName[])('%s', { timeout: 120_000 }, (mix) => {
    for (let seed = 1; seed <= SEEDS_EACH; seed += 1) {
      const { counts } = live(mix, nodes, electorate, seed);
      for (const [what, times] of Object.entries(counts)) {
        totals[what] = (totals[what] ?? 0) + times;
      }
    }
  });

  test.each([
    'fast',
    'slow',
    'recovered',
    'invalidated',
    'crash',
    'read',
    'recover',
    'forget',
    'meddle',
    'recovery: coordinate',
    'recovery: commit',
    'recovery: stable',
    'recovery: invalidate',
    'recovery: invalidated',
    'recovery: wait',
  ])('that has had: %s', (what) => {
    expect(totals[what] ?? 0).toBeGreaterThan(0);
  });

  test('one seed tells the same story twice', () => {
    const [first, second] = [1, 2].map(() => live('STANDARD', nodes, electorate, 7));
    const orders = [first, second].map((cluster) =>
      [...(cluster?.nodes.values() ?? [])].map((node) => node.applied.map(({ id }) => id)),
    );
    expect(orders[0]).toEqual(orders[1]);
    expect(first?.counts).toEqual(second?.counts);
  });
});
