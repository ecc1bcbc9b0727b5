/**
 * Messages between actors when a mailbox is full: none that matters is lost, whatever the limit.
 * Each case fills one mailbox on purpose, or makes all of them small.
 */
import { describe, expect, test } from 'vitest';
import { parseReplies, unitOf } from './client.ts';
import { simulate } from './cluster.ts';
import { Scenario } from './scenario.ts';

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

/** A fast disk, and an engine that holds nothing when the power fails. */
const QUICK = { diskMsMax: 0, flushEveryMs: 1_000_000, segmentBytes: 4 * 1024 * 1024 };

/** A client per key counts it up, one answer after the other; returns how far each has come. */
function countUp(scenario: Scenario, id: number, thinkMs = 0): Map<string, number> {
  const acknowledged = new Map<string, number>();
  for (const [at, key] of KEYS.entries()) {
    const next = (): void => {
      const unit = unitOf([['INCR', key]], false, (answer) => {
        if (answer.type !== 'replies') return;
        acknowledged.set(key, Number(parseReplies(answer.bytes)[0]));
        if (thinkMs === 0) next();
        else scenario.cluster.scheduler.after(thinkMs * (at + 1), next);
      });
      scenario.node(id).submit(unit);
    };
    next();
  }
  return acknowledged;
}

/** After a crash, transactions in the log that the engine lacks have to be executed again. */
function crashWithMuchUnflushed(scenario: Scenario, loadMs: number, thinkMs = 0): number {
  const acknowledged = countUp(scenario, 1, thinkMs);
  scenario.run(loadMs);
  const unflushed = scenario.node(1).watermarks?.appliedSequence ?? 0;
  scenario.node(1).crash('power');
  scenario.node(1).start();
  scenario.run(2_000);
  expect(scenario.cluster.violations).toEqual([]);
  expect(scenario.node(1).node?.system.counters.crashes).toBe(0);
  for (const key of KEYS) {
    const value = Number(scenario.answerTo(1, 'GET', key));
    expect(value).toBeGreaterThanOrEqual(acknowledged.get(key) ?? 0);
    // One more per client may have been under way.
    expect(value).toBeLessThanOrEqual((acknowledged.get(key) ?? 0) + 1);
  }
  return unflushed;
}

describe('a restart with more to execute than the mailbox holds', () => {
  test.each([1, 8, 64])('of %i messages', (mailboxMax) => {
    const scenario = new Scenario(1, { ...QUICK, mailboxMax });
    expect(crashWithMuchUnflushed(scenario, 60)).toBeGreaterThan(500);
  });

  // Without the checks that look on, or it takes twice as long. Clients that answer at different
  // moments have a transaction each.
  test('of the usual size', { timeout: 180_000 }, () => {
    const backlogBytesMax = 256 * 2 ** 20;
    const options = { invariants: false };
    const scenario = new Scenario(1, { ...QUICK, backlogBytesMax }, 1, options);
    expect(crashWithMuchUnflushed(scenario, 880, 0.001)).toBeGreaterThan(65_536);
  });
});

test.each([
  [1, 3, 1],
  [4, 3, 1],
  [64, 5, 4],
])('whole clusters with mailboxes of %i: %i nodes, seed %i', (mailboxMax, nodes, seed) => {
  const { violations } = simulate({ seed, nodes, timeMs: 5_000, profile: { mailboxMax } });
  expect(violations).toEqual([]);
});

// The engine was flushed behind the back of records that waited for a turn at the log: after a
// crash, what it held was executed again.
test.each([2, 6, 31, 37, 73])('the engine holds nothing that the log may lose: seed %i', (seed) => {
  const profile = {
    turnsMax: 1,
    flushEveryMs: 20,
    diskMsMax: 20,
    crashKind: 'power',
    faultEveryMsMax: 400,
    thinkMsMax: 5,
  } as const;
  expect(simulate({ seed, nodes: 3, timeMs: 3_000, profile }).violations).toEqual([]);
});
