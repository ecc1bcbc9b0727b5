/** Commands that look at all keys, on nodes whose clocks differ. */
import { expect, test } from 'vitest';
import { Scenario } from './scenario.ts';

// A transaction passed an expired key over without removing it; a node whose clock lagged still
// served it. SCAN did not even ask the cluster.
test.each([['KEYS', '*'], ['SCAN', '0'], ['RANDOMKEY']])(
  'no node finds what %s has called gone',
  (...words) => {
    const scenario = new Scenario(3);
    scenario.node(2).jumpClock(-400);
    expect(scenario.answerTo(1, 'SET', 'k', 'v', 'PX', '300')).toBe('OK');
    // Before a node removes by itself what is past its deadline.
    scenario.run(310);
    expect([[], ['0', []], null]).toContainEqual(scenario.answerTo(1, ...words));
    expect(scenario.answerTo(2, 'GET', 'k')).toBe(null);
    expect(scenario.answerTo(2, 'SCAN', '0')).toEqual(['0', []]);
    expect(scenario.cluster.violations).toEqual([]);
  },
);
