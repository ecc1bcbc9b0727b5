/** Settings of the cluster on whole nodes: who has a change, and who is waited for. */
import { expect, test } from 'vitest';
import { Scenario } from './scenario.ts';

const NAME = 'hash-max-listpack-entries';

function change(scenario: Scenario, node: number, value: string): void {
  scenario.answerTo(node, 'HOLO.SETTING', 'version', NAME, value);
}

function valuesOf(scenario: Scenario): (string | undefined)[] {
  return [1, 2, 3].map((id) => scenario.node(id).node?.settings.values.get(NAME));
}

function untilHeld(scenario: Scenario, node: number, version: number): void {
  for (let steps = 0; steps < 1_000; steps += 1) {
    if (scenario.node(node).node?.settings.isHeld(version) === true) return;
    scenario.run(10);
  }
  throw new Error(`node ${node} does not hear that all have version ${version}`);
}

test('a change at one node holds on all as soon as that node says so', () => {
  const scenario = new Scenario(3);
  change(scenario, 1, '7');
  untilHeld(scenario, 1, 1);
  expect(valuesOf(scenario)).toEqual(['7', '7', '7']);
  change(scenario, 3, '8');
  expect(scenario.node(3).node?.settings.isHeld(3)).toBe(false);
  untilHeld(scenario, 3, 2);
  expect(valuesOf(scenario)).toEqual(['8', '8', '8']);
  expect(scenario.cluster.violations).toEqual([]);
});

test('a node that is cut off is waited for until its links are down, and learns it later', () => {
  const scenario = new Scenario(3);
  change(scenario, 1, '7');
  untilHeld(scenario, 1, 1);
  scenario.isolate(3);
  change(scenario, 1, '8');
  scenario.node(3).crash('process');
  untilHeld(scenario, 1, 2);
  expect(scenario.node(2).node?.settings.values.get(NAME)).toBe('8');
  scenario.cluster.network.mend();
  scenario.node(3).start();
  for (let steps = 0; steps < 500 && valuesOf(scenario)[2] !== '8'; steps += 1) scenario.run(10);
  expect(valuesOf(scenario)).toEqual(['8', '8', '8']);
  untilHeld(scenario, 2, 2);
  expect(scenario.cluster.violations).toEqual([]);
});
