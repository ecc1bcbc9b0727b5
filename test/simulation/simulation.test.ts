/**
 * Whole clusters: a short batch of random runs with all their checks, and scenarios that have
 * brought down stores like this one.
 */
import { describe, expect, test } from 'vitest';
import { runBatch } from './batch.ts';
import { SimulatedCluster, simulate } from './cluster.ts';
import { Scenario } from './scenario.ts';

describe('random runs', () => {
  test.each([
    [3, 1],
    [3, 5],
    [5, 9],
    [5, 13],
    [7, 17],
  ])('%i nodes, four seeds from %i', (nodes, from) => {
    const { failures } = runBatch({ from, seeds: nodes === 7 ? 1 : 4, nodes, timeMs: 5_000 });
    expect(failures).toEqual([]);
  });

  test('the same seed is the same run, with or without the trace; another is another', () => {
    const options = { seed: 7, nodes: 3, timeMs: 3_000 };
    const { eventHash } = simulate(options);
    expect(simulate({ ...options, trace: true }).eventHash).toBe(eventHash);
    expect(simulate({ ...options, seed: 8 }).eventHash).not.toBe(eventHash);
  });

  test('a check without a verdict fails the run', () => {
    const { violations } = simulate({ seed: 1, nodes: 3, timeMs: 2_000, checkStepsMax: 1 });
    expect(violations[0]).toContain('no verdict');
  });

  test('a quiet cluster stays up, and its speed is shown', () => {
    const cluster = new SimulatedCluster({
      seed: 1,
      nodes: 3,
      timeMs: 10_000,
      profile: { faultEveryMsMax: 0, crashAfterSendRate: 0 },
    });
    const startMs = performance.now();
    expect(cluster.runQuiet(10_000).violations).toEqual([]);
    const seconds = (performance.now() - startMs) / 1_000;
    console.log(`quiet: ${(10 / seconds).toFixed(0)} simulated seconds per second`);
    expect(cluster.nodes.every(({ ready }) => ready)).toBe(true);
  });
});

describe('scenarios', () => {
  test('a commit that is late, a write that conflicts and a recovery leave equal replicas', () => {
    for (let cutAfterMs = 0.2; cutAfterMs < 4; cutAfterMs += 0.2) {
      const scenario = new Scenario(3);
      const first = scenario.ask(1, 'SET', 'k', 'first');
      scenario.run(cutAfterMs);
      scenario.isolate(1);
      const second = scenario.ask(2, 'APPEND', 'k', 'second');
      scenario.run(2_500);
      scenario.cluster.network.mend();
      scenario.converge();
      const value = scenario.answerTo(3, 'GET', 'k');
      expect(second.reply).toBeTypeOf('number');
      if (first.reply === 'OK') expect(value).toMatch(/^first/);
      expect(['second', 'first', 'firstsecond']).toContain(value);
      expect(scenario.cluster.violations).toEqual([]);
    }
  });

  test('no OK for what was invalidated while its coordinator stood still', () => {
    for (let pauseAfterMs = 0.05; pauseAfterMs < 3; pauseAfterMs += 0.15) {
      const scenario = new Scenario(3);
      const mine = [scenario.ask(1, 'SET', 'a', '1'), scenario.ask(1, 'SET', 'b', '1')];
      scenario.run(pauseAfterMs);
      scenario.node(1).pause();
      const others = [scenario.ask(2, 'APPEND', 'a', 'x'), scenario.ask(3, 'APPEND', 'b', 'x')];
      scenario.run(2_000);
      scenario.node(1).resume();
      scenario.converge();
      scenario.run(4_000);
      for (const [at, key] of ['a', 'b'].entries()) {
        expect(others[at]?.reply).toBeTypeOf('number');
        const value = String(scenario.answerTo(2, 'GET', key));
        if (mine[at]?.reply === 'OK') expect(value).toContain('1');
        if (mine[at]?.answer?.type === 'refused') expect(value).not.toContain('1');
      }
      expect(scenario.cluster.violations).toEqual([]);
    }
  });

  test('writes after a cut of the log and a restart of all nodes are read', () => {
    const scenario = new Scenario(3);
    for (let round = 0; round < 400; round += 1) {
      scenario.answerTo(1 + (round % 3), 'SET', 'k', `old ${round} ${'x'.repeat(200)}`);
    }
    scenario.run(5_000);
    expect(scenario.cluster.counts['log truncated']).toBeGreaterThan(0);
    for (const node of scenario.cluster.nodes) node.crash('power');
    for (const node of scenario.cluster.nodes) node.start();
    scenario.run(500);
    expect(scenario.answerTo(1, 'SET', 'k', 'new')).toBe('OK');
    for (const id of [1, 2, 3]) expect(scenario.answerTo(id, 'GET', 'k')).toBe('new');
    expect(scenario.cluster.violations).toEqual([]);
  });

  test('nothing is kept of what all have applied, and the log stays short', () => {
    const scenario = new Scenario(3);
    for (let round = 0; round < 600; round += 1) {
      scenario.ask(1 + (round % 3), 'SET', `k${round % 50}`, 'x'.repeat(300));
      scenario.run(5);
    }
    scenario.run(6_000);
    for (const node of scenario.cluster.nodes) {
      expect(node.watermarks).toMatchObject({ retained: 0, unapplied: 0 });
      const segments = node.disk.list('wal').filter((name) => name.startsWith('wal-'));
      expect(segments.length).toBeLessThanOrEqual(2);
    }
    expect(scenario.cluster.violations).toEqual([]);
  });

  test('with one of three nodes gone, reads and writes go on', () => {
    const scenario = new Scenario(3);
    scenario.answerTo(1, 'SET', 'k', '0');
    scenario.node(2).crash('power');
    for (let round = 1; round <= 10; round += 1) {
      expect(scenario.answerTo(1, 'SET', 'k', String(round))).toBe('OK');
      expect(scenario.answerTo(3, 'GET', 'k')).toBe(String(round));
    }
    expect(scenario.cluster.violations).toEqual([]);
  });

  test('acknowledged writes survive when the power fails everywhere', () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const scenario = new Scenario(3, {}, seed);
      const asked = scenario.ask(1, 'SET', 'k', 'kept');
      while (asked.answer === undefined) scenario.cluster.scheduler.step();
      for (const node of scenario.cluster.nodes) node.crash('power');
      for (const node of scenario.cluster.nodes) node.start();
      scenario.run(500);
      expect(asked.reply).toBe('OK');
      expect(scenario.answerTo(2, 'GET', 'k')).toBe('kept');
      expect(scenario.cluster.violations).toEqual([]);
    }
  });

  test('of two that claim the same key at once, one wins', () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const scenario = new Scenario(3, {}, seed);
      const claims = [1, 2, 3].map((id) => scenario.ask(id, 'SETNX', 'lock', String(id)));
      scenario.run(3_000);
      const winners = claims.filter(({ reply }) => reply === 1);
      expect(winners.length).toBe(1);
      const owner = String(1 + claims.findIndex(({ reply }) => reply === 1));
      expect(scenario.answerTo(2, 'GET', 'lock')).toBe(owner);
      expect(scenario.cluster.violations).toEqual([]);
    }
  });

  test('a node that was away catches up without any traffic', () => {
    const scenario = new Scenario(3);
    scenario.node(3).crash('power');
    scenario.run(200);
    for (let round = 0; round < 500; round += 1) {
      scenario.ask(1 + (round % 2), 'SET', `k${round % 20}`, String(round));
      scenario.run(5);
    }
    scenario.run(1_000);
    scenario.node(3).start();
    scenario.converge();
    scenario.run(6_000);
    expect(scenario.node(3).watermarks).toMatchObject({ retained: 0, unapplied: 0 });
    expect(scenario.cluster.violations).toEqual([]);
  });

  test('a torn end of the log is cut, and the node starts', () => {
    const scenario = new Scenario(3, { diskMsMax: 3 });
    for (let round = 0; round < 40; round += 1) {
      for (let key = 0; key < 5; key += 1) {
        scenario.ask(1 + (key % 2), 'APPEND', `k${key}`, 'x'.repeat(2_000));
      }
      scenario.run(1.5);
      scenario.node(3).crash('power');
      scenario.run(50);
      scenario.node(3).start();
      scenario.run(300);
    }
    expect(scenario.cluster.counts['torn tail cut']).toBeGreaterThan(0);
    scenario.converge();
    expect(scenario.cluster.violations).toEqual([]);
  });
});
