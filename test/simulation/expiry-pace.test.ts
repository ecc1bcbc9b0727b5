/** How soon keys past their deadline are gone for good, in whole clusters. */
import { describe, expect, test } from 'vitest';
import { Scenario } from './scenario.ts';

const QUIET = { flushEveryMs: 1_000, skewMs: 0 };

/** Sets keys that live for so long, in pipelines of a hundred. */
function setMany(scenario: Scenario, prefix: string, count: number, ttlMs: number): void {
  for (let from = 0; from < count; from += 100) {
    const commands = Array.from({ length: Math.min(100, count - from) }, (_, i) => [
      'SET',
      `${prefix}:${from + i}`,
      'v',
      'PX',
      String(ttlMs),
    ]);
    scenario.askUnit(1 + ((from / 100) % 3), commands, false);
  }
}

const sizes = (scenario: Scenario) => scenario.cluster.nodes.map(({ machines }) => machines?.size);

describe('keys past their deadline', () => {
  test('go within two seconds when three thousand are due at once, and others stay', () => {
    const scenario = new Scenario(3, QUIET);
    setMany(scenario, 'lives', 500, 3_600_000);
    setMany(scenario, 'dies', 3_000, 1_000);
    scenario.run(600);
    expect(sizes(scenario)).toEqual([3_500, 3_500, 3_500]);
    scenario.run(2_400);
    expect(sizes(scenario)).toEqual([500, 500, 500]);
    expect(scenario.cluster.violations).toEqual([]);
  });

  test('do not pile up at a thousand a second', () => {
    const scenario = new Scenario(3, QUIET);
    let most = 0;
    for (let tenth = 0; tenth < 80; tenth += 1) {
      setMany(scenario, `t${tenth}`, 100, 200);
      scenario.run(100);
      most = Math.max(most, ...sizes(scenario).map((size) => size ?? 0));
    }
    // Those that live, and what half a second brings.
    expect(most).toBeLessThan(700);
    scenario.run(1_000);
    expect(sizes(scenario)).toEqual([0, 0, 0]);
    expect(scenario.cluster.violations).toEqual([]);
  });

  test('cost ever fewer attempts while no removal is decided', () => {
    const scenario = new Scenario(3, { ...QUIET, commandTimeoutMs: 200 });
    setMany(scenario, 'dies', 300, 200);
    scenario.run(150);
    const { counts, nodes } = scenario.cluster;
    for (const { disk } of nodes) disk.stall();
    const before = counts['transaction batch'] ?? 0;
    scenario.run(60_000);
    // Three members, pauses that double from 200 ms: eight or so each, not two hundred.
    expect((counts['transaction batch'] ?? 0) - before).toBeLessThan(40);
    for (const { disk } of nodes) disk.resume();
    scenario.run(60_000);
    scenario.converge();
    expect(sizes(scenario)).toEqual([0, 0, 0]);
  });

  test('are removed by another member when the lowest cannot', () => {
    const scenario = new Scenario(3, QUIET);
    setMany(scenario, 'dies', 300, 200);
    scenario.run(150);
    scenario.node(1).pause();
    scenario.run(9_000);
    expect(sizes(scenario).slice(1)).toEqual([0, 0]);
    scenario.node(1).resume();
    scenario.converge();
    expect(sizes(scenario)).toEqual([0, 0, 0]);
  });
});
