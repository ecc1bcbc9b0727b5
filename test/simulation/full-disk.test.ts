/** A disk that is full, or that does not answer, costs its node writes and nothing else. */
import { describe, expect, test } from 'vitest';
import { Scenario } from './scenario.ts';
import type { SimNode } from './sim-node.ts';

const HUGE_BYTES = 1024 ** 3;
const VALUE = 'v'.repeat(4_000);

/** Nothing more can be allocated; what is allocated already can still be written. */
function fill({ disk }: SimNode): void {
  disk.capacityBytes -= disk.freeBytes('');
}

/** Writes through another node, so many that the log of every node needs new segments. */
function write(scenario: Scenario, from: number, count: number): void {
  for (let at = 0; at < count; at += 1) {
    expect(scenario.answerTo(from, 'SET', `k${at % 10}`, `${at} ${VALUE}`)).toBe('OK');
  }
}

describe.each([
  ['full', fill],
  ['stalled', (node: SimNode) => node.disk.stall()],
])('a %s disk', (_kind, spoil) => {
  test('reads through its node go on, and see what others write', () => {
    const scenario = new Scenario(3);
    write(scenario, 2, 20);
    spoil(scenario.node(1));
    for (let round = 0; round < 5; round += 1) {
      write(scenario, 2, 20);
      scenario.run(2_000);
      expect(scenario.answerTo(1, 'GET', 'k9')).toBe(`19 ${VALUE}`);
      expect(scenario.answerTo(3, 'GET', 'k9')).toBe(`19 ${VALUE}`);
    }
    const { disk } = scenario.node(1);
    disk.capacityBytes = HUGE_BYTES;
    disk.resume();
    scenario.run(2_000);
    expect(scenario.answerTo(1, 'SET', 'k9', 'after')).toBe('OK');
    scenario.converge();
  });
});

test('reads go on when more waits for the disk than one answer to a barrier names', () => {
  const scenario = new Scenario(3, { replicaLimits: { barrierIdsMax: 16 } });
  const { disk } = scenario.node(1);
  disk.stall();
  for (let round = 0; round < 4; round += 1) {
    write(scenario, 2, 40);
    scenario.run(2_000);
    expect(scenario.answerTo(1, 'GET', 'k9')).toBe(`39 ${VALUE}`);
  }
  disk.resume();
  scenario.converge();
});

test('the backlog at a stalled disk is bounded: the node takes no more, and catches up later', () => {
  const unloggedBytesMax = 64 * 1024;
  const scenario = new Scenario(3, { unloggedBytesMax });
  const node = scenario.node(1);
  const { disk } = node;
  disk.stall();
  write(scenario, 2, 100);
  scenario.run(3_000);
  const waiting = node.watermarks?.unloggedBytes ?? 0;
  expect(waiting).toBeGreaterThan(unloggedBytesMax);
  expect(waiting).toBeLessThan(2 * unloggedBytesMax);
  expect(scenario.cluster.counts).toMatchObject({ 'log backlogged': 1, 'log stalled': 1 });
  disk.resume();
  scenario.converge();
  expect(scenario.answerTo(1, 'GET', 'k9')).toBe(`99 ${VALUE}`);
});

// The clock's reservation waits for the disk nearly all the time there, and that kept peers out.
test('with hardly any room for what waits for a slow disk, peers are heard in between', () => {
  const profile = { unloggedBytesMax: 1, diskMsMax: 28, reserveMs: 2, progressDelayMs: 100 };
  const scenario = new Scenario(3, profile);
  const startMs = scenario.cluster.scheduler.nowMs;
  for (let count = 0; count < 20; count += 1) {
    expect(scenario.answerTo(1 + (count % 3), 'INCR', 'k')).toBe(count + 1);
  }
  expect(scenario.cluster.scheduler.nowMs - startMs).toBeLessThan(10_000);
});

test('a store without room costs its node writes: nothing crashes, nothing is lost', () => {
  const scenario = new Scenario(3);
  const node = scenario.node(1);
  node.store.full = true;
  for (let round = 0; round < 10; round += 1) {
    write(scenario, 2, 10);
    scenario.run(2_000);
    expect(scenario.answerTo(1, 'GET', 'k9')).toBe(`9 ${VALUE}`);
  }
  const refused = scenario.ask(1, 'SET', 'k9', 'x');
  scenario.run(100);
  expect(refused.answer).toEqual({ type: 'refused', why: 'DISKFULL' });
  expect(node.node?.system.counters.restarts).toBe(0);
  node.store.full = false;
  scenario.run(6_000);
  expect(scenario.answerTo(1, 'SET', 'k9', 'after')).toBe('OK');
  node.crash('power');
  node.start();
  scenario.run(1_000);
  expect(scenario.answerTo(1, 'GET', 'k9')).toBe('after');
  scenario.converge();
});
