/** The policy `on_flush`: replies do not wait for the disk, and outlive the process all the same. */
import { expect, test } from 'vitest';
import { simulate } from './cluster.ts';
import { Scenario } from './scenario.ts';

// No record was ever written before a flush, and no flush came without one: no write was answered.
test('answered writes survive when all processes end at once', () => {
  const profile = { syncPolicy: 'on_flush', flushEveryMs: 1_000_000, tellsEvents: false } as const;
  const scenario = new Scenario(3, profile);
  const ids = [1, 2, 3];
  const before = ids.map((id) => scenario.node(id).disk.counters.syncs);
  for (let i = 0; i < 20; i += 1) {
    expect(scenario.answerTo(1 + (i % 3), 'SET', `k${i}`, `v${i}`)).toBe('OK');
  }
  for (const [i, id] of ids.entries()) {
    expect(scenario.node(id).disk.counters.syncs - (before[i] ?? 0)).toBeLessThan(10);
  }
  for (const id of ids) scenario.node(id).crash('process');
  for (const id of ids) scenario.node(id).start();
  scenario.run(1_000);
  for (let i = 0; i < 20; i += 1) expect(scenario.answerTo(2, 'GET', `k${i}`)).toBe(`v${i}`);
  expect(scenario.cluster.violations).toEqual([]);
});

test('the engine holds nothing that a power cut could take from the log', () => {
  const scenario = new Scenario(3, { syncPolicy: 'on_flush', flushEveryMs: 50 });
  for (let i = 0; i < 20; i += 1) scenario.answerTo(1, 'SET', `k${i}`, `v${i}`);
  scenario.run(1_000);
  for (const id of [1, 2, 3]) scenario.node(id).crash('power');
  for (const id of [1, 2, 3]) scenario.node(id).start();
  scenario.run(1_000);
  // The flush of the engines has synced the logs.
  for (let i = 0; i < 20; i += 1) expect(scenario.answerTo(3, 'GET', `k${i}`)).toBe(`v${i}`);
});

test.each([1, 2, 3])('whole clusters whose processes crash: seed %i', (seed) => {
  const profile = { syncPolicy: 'on_flush' } as const;
  expect(simulate({ seed, nodes: 3, timeMs: 5_000, profile }).violations).toEqual([]);
});
