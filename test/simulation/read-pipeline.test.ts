/** Reads of several slots: what two of them see must fit one order of all writes. */
import { describe, expect, test } from 'vitest';
import type { Profile } from './profile.ts';
import type { Asked } from './scenario.ts';
import { Scenario } from './scenario.ts';

const A = ['GET', 'a'] as const;
const B = ['GET', 'b'] as const;

/** Nodes 4 and 5 read; 1, 2 and 3 decide alone, and quickly. */
const READERS: Partial<Profile> = { electorate: 3 };

function begin(): Scenario {
  const scenario = new Scenario(5, READERS);
  expect(scenario.answerTo(1, 'MSET', 'a', 'old', 'b', 'old')).toBe('OK');
  scenario.run(200);
  return scenario;
}

function clog(scenario: Scenario, reader: number): void {
  for (const peer of [1, 2, 3, 4, 5]) {
    if (peer !== reader) scenario.cluster.network.clog(peer, reader);
  }
}

function unclog(scenario: Scenario, peer: number, reader: number): void {
  scenario.cluster.network.unclog(peer, reader);
  scenario.run(3);
}

/**
 * Both readers have asked all others before anything is written, and hear the answers late: node 4
 * has applied `a` by then and knows nothing of `b`, node 5 the other way round.
 */
function readAcross(scenario: Scenario): [Asked, Asked] {
  const { network } = scenario.cluster;
  clog(scenario, 4);
  clog(scenario, 5);
  const reads: [Asked, Asked] = [
    scenario.askUnit(4, [A, B], false),
    scenario.askUnit(5, [B, A], false),
  ];
  scenario.run(10);
  expect(scenario.answerTo(1, 'SET', 'a', 'new')).toBe('OK');
  expect(scenario.answerTo(2, 'SET', 'b', 'new')).toBe('OK');
  for (const [writer, reader] of [
    [1, 4],
    [2, 5],
  ] as const) {
    unclog(scenario, writer, reader);
    unclog(scenario, 3, reader);
  }
  scenario.run(200);
  for (const reader of [4, 5]) for (const peer of [1, 2, 3, 4, 5]) network.unclog(peer, reader);
  scenario.run(3_000);
  return reads;
}

describe('two pipelines of GETs', () => {
  // Each had one barrier, and then saw a write that was newer than that.
  test('never see two writes in opposite orders', () => {
    const [atFour, atFive] = readAcross(begin());
    expect([atFour.replies, atFive.replies]).not.toEqual([
      ['new', 'old'],
      ['new', 'old'],
    ]);
    expect(atFour.replies).toHaveLength(2);
    expect(atFive.replies).toHaveLength(2);
  });
});
