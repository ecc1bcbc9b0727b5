/** Hints of what is settled where get lost, and no round can close to make up for it. */
import { expect, test } from 'vitest';
import { simulate } from './cluster.ts';
import { Scenario } from './scenario.ts';

const LIVING = [1, 2, 3];
/** Shorter than it takes a node to notice that a link is down: frames are lost without a word. */
const BREAK_MS = 29;

function breakLinks(scenario: Scenario): void {
  const { network } = scenario.cluster;
  for (const a of LIVING) for (const b of LIVING) if (a !== b) network.cut(a, b);
  scenario.run(BREAK_MS);
  network.mend();
  scenario.run(10);
}

// A transaction that a member was not known to have settled was told to it again, and never asked
// for; so the other side kept naming it in every barrier, until one answer could not name them all.
test('two of five down and links that break: every node goes on reading', () => {
  const scenario = new Scenario(5, { replicaLimits: { barrierIdsMax: 8 } });
  for (const id of [4, 5]) scenario.node(id).crash();
  scenario.run(100);
  for (let time = 0; time < 40; time += 1) {
    for (const id of LIVING) scenario.ask(id, 'SET', `k${id}`, String(time));
    scenario.run(4);
    breakLinks(scenario);
  }
  scenario.run(4_000);
  for (const id of LIVING) expect(scenario.answerTo(id, 'SET', 'k', String(id))).toBe('OK');
  for (const id of LIVING) expect(scenario.answerTo(id, 'GET', 'k')).toBe('3');
});

// An elector was lost for good. Each page of the hints that a member had missed was the same one,
// full of transactions that it had settled long ago.
test.each([1, 3])('with lists of %i a member that has missed hints converges', (max) => {
  const replicaLimits = { listIdsMax: max, barrierIdsMax: max, fetchBytesMax: 64 };
  const profile = { replicaLimits, readPipelineRate: 0 };
  expect(simulate({ seed: 6, nodes: 5, timeMs: 10_000, profile }).violations).toEqual([]);
});
