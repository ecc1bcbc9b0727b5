/** A node whose log or store is damaged or gone comes back when what was there is put back. */
import { describe, expect, test } from 'vitest';
import { TABLE_DATABASE } from '../../storage/limits.ts';
import { Scenario } from './scenario.ts';
import { SIM_DIRECTORY, type SimNode } from './sim-node.ts';

type Damage = (node: SimNode) => () => void;

function flipLog({ disk }: SimNode): () => void {
  const path = `${SIM_DIRECTORY}/${disk.list(SIM_DIRECTORY).find((name) => name.startsWith('wal-'))}`;
  disk.flipBit(path, 1_000);
  return () => disk.flipBit(path, 1_000);
}

function flipStore({ store }: SimNode): () => void {
  for (let key = 0; key < 10; key += 1) store.flipBit(0, `k${key}`, 3);
  return () => {
    for (let key = 0; key < 10; key += 1) store.flipBit(0, `k${key}`, 3);
  };
}

/** Met while the executor begins, before its first message. */
function flipSettings({ store }: SimNode): () => void {
  expect(store.flipBit(TABLE_DATABASE, 'version', 3)).toBe(true);
  return () => void store.flipBit(TABLE_DATABASE, 'version', 3);
}

describe.each<[string, Damage, string, 'log rot' | 'store rot' | 'missing']>([
  ['a flipped bit in the log', flipLog, 'log rot refused', 'log rot'],
  ['flipped bits in the store', flipStore, 'store rot found', 'store rot'],
  ['a flipped bit in the settings', flipSettings, 'store rot found', 'store rot'],
  ['a missing log', (node) => node.loseLog(), 'missing log refused', 'missing'],
  ['a missing store', (node) => node.loseStore(), 'missing store refused', 'missing'],
])('%s', (_name, damage, refusal, expected) => {
  test('is refused by name; with the disk as it was the node catches up', () => {
    const scenario = new Scenario(3, { flushEveryMs: 50 });
    const write = (text: string): void => {
      for (let key = 0; key < 10; key += 1) scenario.answerTo(1, 'SET', `k${key}`, text);
    };
    write('before');
    scenario.answerTo(1, 'HOLO.SETTING', 'version', 'hash-max-listpack-entries', '4');
    scenario.run(500);
    const node = scenario.node(3);
    node.crash('power');
    const putBack = damage(node);
    node.expected = expected;
    node.rotten = expected === 'store rot';
    node.start();
    // A node that meets the damage stops.
    for (let key = 0; key < 10; key += 1) scenario.ask(3, 'GET', `k${key}`);
    scenario.run(1_000);
    expect(scenario.cluster.counts).toMatchObject({ [refusal]: 1 });
    expect(node.up).toBe(false);
    write('meanwhile');
    putBack();
    Object.assign(node, { lost: false, rotten: false });
    node.start();
    scenario.run(1_000);
    for (let key = 0; key < 10; key += 1) {
      expect(scenario.answerTo(3, 'GET', `k${key}`)).toBe('meanwhile');
    }
    scenario.converge();
    expect(scenario.cluster.violations).toEqual([]);
  });
});
