/** A member that is away for so long that its group goes on without it, and what it gets later. */
import { expect, test } from 'vitest';
import type { TopologyRange } from '../../actors/meta/topology.ts';
import { formedScenario, topologyOf } from './formed-scenario.ts';
import type { Scenario } from './scenario.ts';

const RETAINED_BYTES_MAX = 20_000;
const VALUE = 'x'.repeat(20_000);

function clusterOf(nodes: number): Scenario {
  return formedScenario(nodes, { retainedBytesMax: RETAINED_BYTES_MAX });
}

function rangeOf(scenario: Scenario): TopologyRange {
  const [range] = topologyOf(scenario).ranges;
  if (range === undefined) throw new Error('no range');
  return range;
}

/** How many were refused, and the most that node 1 has kept meanwhile. */
function write(scenario: Scenario, count: number): { refused: number; mostBytes: number } {
  let refused = 0;
  let mostBytes = 0;
  for (let at = 0; at < count; at += 1) {
    scenario.run(400);
    const asked = scenario.ask(1 + (at % 2), 'SET', `k${at % 20}`, `${VALUE}${at}`);
    for (let steps = 0; steps < 200 && asked.answer === undefined; steps += 1) scenario.run(2);
    if (String(asked.reply) !== 'OK') refused += 1;
    mostBytes = Math.max(mostBytes, scenario.node(1).watermarks?.retainedBytes ?? 0);
  }
  return { refused, mostBytes };
}

test('away through 60 times the limit: one Close, no refusal, and current again', () => {
  const scenario = clusterOf(3);
  write(scenario, 5);
  scenario.node(3).crash();
  scenario.run(1_000);
  const before = rangeOf(scenario);
  expect(before.electorate).toEqual([1, 2]);
  const { refused, mostBytes } = write(scenario, (60 * RETAINED_BYTES_MAX) / VALUE.length);
  expect(refused).toBe(0);
  expect(mostBytes).toBeLessThan(10 * RETAINED_BYTES_MAX);
  const during = rangeOf(scenario);
  expect(during.id.generation).toBe(before.id.generation + 1);
  expect(during).toMatchObject({ members: [1, 2, 3], owed: [3], absent: [3] });
  scenario.node(3).start();
  scenario.converge();
  expect(rangeOf(scenario)).toMatchObject({ members: [1, 2, 3], owed: [], absent: [] });
  expect(scenario.answerTo(3, 'GET', 'k19')).toBe(`${VALUE}59`);
  expect(scenario.cluster.violations).toEqual([]);
}, 60_000);

test('what comes back dies, and so do those that have its data, at any chunk', () => {
  const scenario = clusterOf(3);
  write(scenario, 5);
  scenario.node(3).crash();
  scenario.run(1_000);
  write(scenario, 20);
  expect(rangeOf(scenario).absent).toEqual([3]);
  for (let crash = 0; crash < 6; crash += 1) {
    const donor = scenario.node(1 + (crash % 2));
    scenario.node(3).start();
    scenario.run(600 + 34 * crash);
    if (crash % 3 === 0) donor.crash();
    scenario.node(3).crash();
    scenario.run(100);
    if (crash % 3 === 0) donor.start();
    scenario.run(500);
  }
  scenario.node(3).start();
  scenario.converge();
  expect(rangeOf(scenario)).toMatchObject({ owed: [], absent: [] });
  expect(scenario.answerTo(3, 'GET', 'k19')).toBe(`${VALUE}19`);
  expect(scenario.cluster.violations).toEqual([]);
}, 60_000);

/** Nodes that are asked may die. */
function move(scenario: Scenario, from: number, to: number): void {
  for (let tries = 0; !rangeOf(scenario).members.includes(to); tries += 1) {
    const command = { type: 'Move', range: rangeOf(scenario).id, from, to, by: 'me' } as const;
    scenario.node(2 + (tries % 2)).node?.changeTopology(command, () => undefined);
    scenario.run(1_000);
    if (tries > 10) throw new Error(`node ${to} does not become a member`);
  }
}

/** Until no member lacks the data any more. */
function runUntilWhole(scenario: Scenario): void {
  for (let steps = 0; steps < 100 && rangeOf(scenario).owed.length > 0; steps += 1) {
    scenario.run(100);
  }
}

test('a new member whose donors are gone gets the data with one more Close', () => {
  const scenario = clusterOf(4);
  write(scenario, 20);
  scenario.node(4).crash();
  move(scenario, 1, 4);
  // The one that has left is gone, and the views of the others are.
  scenario.node(1).crash();
  for (const id of [2, 3]) {
    scenario.node(id).crash();
    scenario.node(id).start();
    scenario.run(1_000);
  }
  const { id: before } = rangeOf(scenario);
  scenario.node(4).start();
  runUntilWhole(scenario);
  expect(rangeOf(scenario)).toMatchObject({ members: [2, 3, 4], owed: [] });
  expect(rangeOf(scenario).id.generation).toBeGreaterThan(before.generation);
  scenario.node(1).start();
  scenario.converge();
  expect(scenario.answerTo(2, 'GET', 'k19')).toBe(`${VALUE}19`);
  expect(scenario.cluster.violations).toEqual([]);
}, 60_000);

test('a new member that never had the data is replaced', () => {
  const scenario = clusterOf(5);
  write(scenario, 20);
  scenario.node(4).crash();
  move(scenario, 1, 4);
  move(scenario, 4, 5);
  runUntilWhole(scenario);
  expect(rangeOf(scenario)).toMatchObject({ members: [2, 3, 5], owed: [] });
  expect(scenario.answerTo(2, 'GET', 'k19')).toBe(`${VALUE}19`);
  scenario.node(4).start();
  scenario.converge();
  expect(scenario.cluster.violations).toEqual([]);
}, 60_000);
