/**
 * Clocks that are wrong, on whole nodes: one member is off by seconds, hours, years. The others
 * must not notice, deadlines must hold, and the member itself says what is wrong.
 */
import { describe, expect, test } from 'vitest';
import { complaintOf } from '../../actors/accord/primitives/cluster-time.ts';
import type { Node } from '../../actors/node/node.ts';
import type { Asked } from './scenario.ts';
import { Scenario } from './scenario.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A member whose clock is further off does not write. */
const LIMIT_MS = 60_000;
/** By how much clocks are off that are not noticed. */
const TOLERANCE_MS = 300;

function nodeOf(scenario: Scenario, id: number): Node {
  const { node } = scenario.node(id);
  if (node === undefined) throw new Error(`node ${id} is down`);
  return node;
}

function refusalOf(asked: Asked): string | undefined {
  return asked.answer?.type === 'replies' ? undefined : asked.answer?.why;
}

/** The clock is set while the node runs, or while it is down. */
function setClock(scenario: Scenario, id: number, ms: number, while_: 'up' | 'down'): void {
  const node = scenario.node(id);
  if (while_ === 'down') node.crash();
  node.jumpClock(ms);
  if (while_ === 'down') node.start();
  scenario.run(1_000);
}

/** Checks that a member with this clock still reads, and gives the reason why it does not write. */
function checkMember(scenario: Scenario, id: number, peer: number, skewMs: number): void {
  if (Math.abs(skewMs) < LIMIT_MS) return checkService(scenario, peer, id, 'there');
  const { time } = nodeOf(scenario, id);
  expect(complaintOf(time.verdict)).toMatch(
    /^the clock of this node is \d+ s (ahead of|behind) its/,
  );
  const write = scenario.ask(id, 'SET', 'x', '1');
  scenario.run(10);
  expect(refusalOf(write)).toBe('CLOCK');
  expect(scenario.answerTo(peer, 'SET', 'seen', 'v', 'PX', '1000')).toBe('OK');
  expect(scenario.answerTo(id, 'GET', 'seen')).toBe('v');
  const left = Number(scenario.answerTo(id, 'PTTL', 'seen'));
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(1_000);
}

/** All is applied everywhere, and no node retains it. */
function checkForgotten(scenario: Scenario): void {
  scenario.run(12_000);
  for (const { watermarks } of scenario.cluster.nodes) expect(watermarks?.retained ?? 0).toBe(0);
}

/** Writes and deadlines through one node, looked at through another. */
function checkService(scenario: Scenario, writer: number, reader: number, key: string): void {
  for (let count = 0; count < 10; count += 1) {
    expect(scenario.answerTo(writer, 'SET', `${key}${count}`, 'v')).toBe('OK');
  }
  expect(scenario.answerTo(writer, 'SET', key, 'v', 'PX', '2000')).toBe('OK');
  const left = Number(scenario.answerTo(reader, 'PTTL', key));
  expect(left).toBeLessThanOrEqual(2_000);
  expect(left).toBeGreaterThan(2_000 - TOLERANCE_MS - 100);
  scenario.run(2_000 - TOLERANCE_MS - 200);
  expect(scenario.answerTo(reader, 'GET', key)).toBe('v');
  scenario.run(2 * TOLERANCE_MS + 200);
  expect(scenario.answerTo(reader, 'GET', key)).toBe(null);
}

const SKEWS_MS = [-12_000, -90_000, -HOUR_MS, HOUR_MS, -400 * DAY_MS, 400 * DAY_MS];

describe.each(SKEWS_MS)('one clock is off by %i ms', (skewMs) => {
  test.each([
    ['up', 1],
    ['up', 3],
    ['down', 1],
    ['down', 3],
  ] as const)(
    'set while the node is %s, node %i of three: the others do not notice',
    (when, bad) => {
      const scenario = new Scenario(3);
      const [one, other] = [1, 2, 3].filter((id) => id !== bad) as [number, number];
      checkService(scenario, one, other, 'before');
      setClock(scenario, bad, skewMs, when);
      checkService(scenario, one, other, 'during');
      checkMember(scenario, bad, other, skewMs);
      checkForgotten(scenario);
      scenario.node(bad).jumpClock(-skewMs);
      scenario.run(1_000);
      checkService(scenario, bad, one, 'after');
      scenario.converge();
      expect(scenario.cluster.violations).toEqual([]);
    },
  );

  test('one of five, with another down', () => {
    const scenario = new Scenario(5);
    scenario.node(5).crash();
    setClock(scenario, 1, skewMs, 'down');
    checkService(scenario, 2, 3, 'during');
    checkMember(scenario, 1, 3, skewMs);
    scenario.node(1).jumpClock(-skewMs);
    scenario.run(1_000);
    checkService(scenario, 1, 2, 'after');
    scenario.node(5).start();
    scenario.run(1_000);
    scenario.converge();
    expect(scenario.cluster.violations).toEqual([]);
  });

  test('one of three, with another down: refused, and well again when the clock is right', () => {
    const scenario = new Scenario(3);
    for (const id of [1, 2, 3]) scenario.node(id).crash();
    scenario.node(2).jumpClock(skewMs);
    for (const id of [1, 2]) scenario.node(id).start();
    scenario.run(1_000);
    const writes = [scenario.ask(1, 'SET', 'k', '1'), scenario.ask(2, 'SET', 'k', '2')];
    scenario.run(4_000);
    if (Math.abs(skewMs) > LIMIT_MS) {
      for (const write of writes) expect(refusalOf(write)).toBe('CLOCK');
    }
    expect(scenario.answerTo(1, 'GET', 'nothing')).toBe(null);
    scenario.node(2).jumpClock(-skewMs);
    scenario.run(1_000);
    checkService(scenario, 2, 1, 'after');
    expect(scenario.cluster.violations).toEqual([]);
  });

  test('one of three, with another down: well again when that is back', () => {
    const scenario = new Scenario(3);
    for (const id of [1, 2, 3]) scenario.node(id).crash();
    scenario.node(2).jumpClock(skewMs);
    for (const id of [1, 2]) scenario.node(id).start();
    scenario.run(2_000);
    scenario.node(3).start();
    scenario.run(1_000);
    checkService(scenario, 1, 3, 'after');
    expect(scenario.cluster.violations).toEqual([]);
  });
});

// Such a node judged deadlines by the last timestamp that it had seen, which may be long past.
test('a node that does not know the time yet decides on no deadline', () => {
  const scenario = new Scenario(3);
  expect(scenario.answerTo(1, 'SET', 'plain', 'p')).toBe('OK');
  expect(scenario.answerTo(1, 'SET', 'brief', 'b', 'PX', '1000')).toBe('OK');
  expect(scenario.answerTo(1, 'SET', 'long', 'l', 'PX', '86400000')).toBe('OK');
  for (const id of [1, 2, 3]) scenario.node(id).crash();
  scenario.node(2).jumpClock(HOUR_MS);
  for (const id of [1, 2]) scenario.node(id).start();
  scenario.run(2_000);
  expect(nodeOf(scenario, 1).time.isKnown).toBe(false);
  const reads = [
    ['GET', 'brief'],
    ['GET', 'long'],
    ['PTTL', 'long'],
    ['OBJECT', 'IDLETIME', 'plain'],
  ].map((words) => scenario.ask(1, ...words));
  expect(scenario.answerTo(1, 'GET', 'plain')).toBe('p');
  scenario.run(6_000);
  expect(reads.map(refusalOf)).toEqual(reads.map(() => 'CLOCK'));
  scenario.node(2).jumpClock(-HOUR_MS);
  scenario.run(1_000);
  expect(scenario.answerTo(1, 'GET', 'brief')).toBe(null);
  expect(scenario.answerTo(1, 'GET', 'long')).toBe('l');
  expect(scenario.cluster.violations).toEqual([]);
});

describe.each([300, 1_000, 12_000, 59_000])('one clock leads by %i ms', (skewMs) => {
  test.each(['up', 'down'] as const)('set while the node is %s: deadlines hold', (when) => {
    const scenario = new Scenario(3);
    setClock(scenario, 2, skewMs, when);
    for (const [writer, reader] of [
      [2, 1],
      [1, 2],
      [1, 3],
      [2, 2],
    ] as const) {
      checkService(scenario, writer, reader, `${writer}${reader}`);
    }
    expect(scenario.cluster.violations).toEqual([]);
  });
});

// Votes of that node became times of execution, everybody observed them, and locks expired early.
test('a clock that leads by ten minutes lets no lock expire early', () => {
  const scenario = new Scenario(3);
  expect(scenario.answerTo(1, 'SET', 'lock', 'A', 'PX', '300000')).toBe('OK');
  scenario.node(3).jumpClock(600_000);
  for (let count = 0; count < 20; count += 1) {
    scenario.ask(3, 'INCR', 'n');
    scenario.answerTo(1 + (count % 2), 'INCR', 'n');
  }
  for (const id of [1, 2]) expect(scenario.answerTo(id, 'SET', 'lock', 'B', 'NX')).toBe(null);
  expect(scenario.answerTo(3, 'GET', 'lock')).toBe('A');
  scenario.run(200_000);
  expect(scenario.answerTo(1, 'SET', 'lock', 'B', 'NX')).toBe(null);
  scenario.run(100_000);
  expect(scenario.answerTo(1, 'SET', 'lock', 'B', 'NX')).toBe('OK');
});

// The limit that each life had reserved, three seconds ahead, was where the next one began.
test.each([3, 1])('15 restarts in four seconds do not move the time (N=%i)', (nodes) => {
  const scenario = new Scenario(nodes);
  const lead = (): number => {
    const clocks = scenario.cluster.nodes.flatMap(({ node }) =>
      (node?.stores ?? []).map(({ clock }) => clock),
    );
    const presents = clocks.filter(({ begun }) => begun).map(({ presentUs }) => presentUs);
    return (Math.max(0, ...presents) - scenario.cluster.scheduler.clock.wallUs()) / 1_000;
  };
  expect(scenario.answerTo(1, 'SET', 'lock', 'A', 'PX', '10000')).toBe('OK');
  for (let count = 0; count < 15; count += 1) {
    scenario.ask(1, 'INCR', 'n');
    scenario.run(10);
    scenario.node(1).crash('process');
    scenario.node(1).start();
    scenario.run(257);
    for (const { id } of scenario.cluster.nodes) scenario.ask(id, 'INCR', 'n');
    expect(lead()).toBeLessThan(30);
  }
  scenario.run(1_000);
  expect(scenario.answerTo(1, 'SET', 'other', '1')).toBe('OK');
  expect(lead()).toBeLessThan(10);
  scenario.run(4_500);
  expect(scenario.answerTo(1, 'SET', 'lock', 'B', 'NX')).toBe(null);
  expect(scenario.cluster.violations).toEqual([]);
});

test('actors that begin again in a node that goes on move nothing', () => {
  const scenario = new Scenario(3);
  const clock = nodeOf(scenario, 1).stores[0]?.clock;
  if (clock === undefined) throw new Error('there is no store');
  for (const actor of ['store-0/replica', 'wal', 'store-0/coordinator']) {
    scenario.answerTo(1, 'SET', 'k', actor);
    nodeOf(scenario, 1).system.crash(`node-1/${actor}`, new Error('injected'));
    scenario.run(300);
    expect(scenario.answerTo(1, 'SET', 'k', actor)).toBe('OK');
    const leadUs = clock.presentUs - scenario.cluster.scheduler.clock.wallUs();
    expect(leadUs).toBeLessThan(1_000);
  }
  expect(scenario.cluster.violations).toEqual([]);
});

test('a clock that was set back before a restart repeats nothing and stops no node', () => {
  const scenario = new Scenario(1);
  for (let count = 1; count <= 5; count += 1) {
    expect(scenario.answerTo(1, 'INCR', 'n')).toBe(count);
    scenario.node(1).crash('process');
    scenario.node(1).jumpClock(-HOUR_MS);
    scenario.node(1).start();
    scenario.run(500);
  }
  expect(scenario.answerTo(1, 'GET', 'n')).toBe('5');
  expect(scenario.cluster.violations).toEqual([]);
});
