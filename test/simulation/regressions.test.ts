/**
 * What whole clusters have found in the node: each with the smallest run that shows it.
 */
import { expect, test } from 'vitest';
import type { ActorInspection } from '../../actors/runtime/inspection.ts';
import { simulate } from './cluster.ts';
import { Scenario } from './scenario.ts';

// Records that the log's last incarnation had lost were followed by later ones from its mailbox.
test('a WalWriter that begins again leaves no gap in the log', () => {
  for (let seed = 1; seed <= 6; seed += 1) {
    const scenario = new Scenario(3, { diskMsMax: 10, flushEveryMs: 1_000 }, seed);
    const { scheduler } = scenario.cluster;
    const node = scenario.node(1);
    for (let crashes = 0; crashes < 3; crashes += 1) {
      for (let round = 0; round < 60; round += 1) {
        scenario.ask(1 + (round % 3), 'APPEND', `k${round % 4}`, 'x');
        scenario.run(2);
      }
      for (let steps = 0; steps < 2_000 && !hasBacklog(node.node?.system.inspect('node-1/wal')); ) {
        steps += 1;
        if (steps % 4 === 0) scenario.ask(1 + (steps % 3), 'APPEND', `k${steps % 4}`, 'x');
        scheduler.step();
      }
      node.node?.system.crash('node-1/wal', new Error('injected'));
      scenario.run(1_000);
    }
    scenario.converge();
    expect(scenario.cluster.violations).toEqual([]);
  }
});

function hasBacklog(wal: unknown): boolean {
  const { depth, description } = wal as ActorInspection;
  const { pendingBytes } = description as { pendingBytes?: number };
  return depth > 0 && (pendingBytes ?? 0) > 0;
}

// A replica whose log lay still waited for the answer to its request for ever.
test('a replica that crashes alone, without traffic, is back at once', () => {
  const scenario = new Scenario(3);
  scenario.answerTo(1, 'SET', 'k', '1');
  scenario.run(8_000);
  const node = scenario.node(1);
  node.node?.system.crash('node-1/store-0/replica', new Error('injected'));
  node.ready = false;
  scenario.run(1_000);
  expect(node.ready).toBe(true);
  expect(scenario.answerTo(1, 'GET', 'k')).toBe('1');
});

// The log was cut before the marks that the cut relied on were on disk; votes that were replaced
// since did not count as conflicts after a restart; a damaged log or store did not end the node.
test.each([
  [4, 5],
  [6, 5],
  [9, 3],
  [21, 3],
  [52, 5],
  [56, 5],
])('seed %i with %i nodes', (seed, nodes) => {
  expect(simulate({ seed, nodes, timeMs: 10_000 }).violations).toEqual([]);
});
