/** A node whose store is gone while its log is there: it begins it anew, with the data of others. */
import { expect, test } from 'vitest';
import { formedScenario, topologyOf } from './formed-scenario.ts';
import type { Scenario } from './scenario.ts';
import { simulateSplitting } from './splitting.ts';

const VALUE = 'x'.repeat(20);

function write(scenario: Scenario, from: number, to: number): void {
  for (let at = from; at < to; at += 1) {
    expect(scenario.answerTo(1 + (at % 2), 'SET', `k${at}`, `${VALUE}${at}`)).toBe('OK');
    scenario.run(100);
  }
}

function loseStore(scenario: Scenario, id: number): void {
  scenario.node(id).crash();
  scenario.node(id).healStore();
  scenario.node(id).start();
}

function heals(scenario: Scenario, id: number): void {
  for (let steps = 0; steps < 300 && scenario.node(id).healing; steps += 1) scenario.run(100);
  expect(scenario.node(id).healing).toBe(false);
}

test('a node whose store is gone has all data again, and answers by others meanwhile', () => {
  const scenario = formedScenario(3, { flushes: false, databases: 1 });
  write(scenario, 0, 20);
  // All of it is flushed and forgotten.
  scenario.run(6_000);
  for (const id of [1, 2, 3]) {
    loseStore(scenario, id);
    scenario.run(300);
    expect(scenario.answerTo(id, 'GET', 'k7')).toBe(`${VALUE}7`);
    heals(scenario, id);
    for (const { owed } of topologyOf(scenario).ranges) expect(owed).toEqual([]);
    write(scenario, 20 + id, 21 + id);
  }
  scenario.node(2).crash();
  for (const id of [1, 3]) {
    expect(scenario.answerTo(id, 'GET', 'k7')).toBe(`${VALUE}7`);
    expect(scenario.answerTo(id, 'GET', 'k22')).toBe(`${VALUE}22`);
  }
  scenario.node(2).start();
  scenario.converge();
  expect(scenario.cluster.violations).toEqual([]);
}, 60_000);

test('stores are lost amid all other faults, while ranges are split', () => {
  const seen: Record<string, number> = {};
  const often = { durabilityEveryMs: 60, durabilityLagMs: 100, flushEveryMs: 100 };
  const faults = { faultMix: { healStore: 60 }, faultEveryMsMax: 700, downMsMax: 600 };
  const calm = { clockJumps: false, setBackMsMax: 0, damage: false, away: undefined };
  const profile = { ...often, ...faults, ...calm };
  for (const seed of [14, 18]) {
    const options = { seed, nodes: 3, timeMs: 2_500, forwards: true, profile };
    const { violations, counts } = simulateSplitting(options);
    expect([seed, ...violations]).toEqual([seed]);
    for (const [what, count] of Object.entries(counts)) seen[what] = (seen[what] ?? 0) + count;
  }
  for (const what of ['store begun anew', 'data lost: keyspace', 'data lost: meta']) {
    expect([what, seen[what] ?? 0]).not.toEqual([what, 0]);
  }
}, 60_000);
