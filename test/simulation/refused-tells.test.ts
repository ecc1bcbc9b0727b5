/**
 * Each message between the actors of a node whose loss would matter, refused once: the receiver
 * takes no turns while its mailbox, which holds one message, is full. When it goes on, nothing is
 * missing.
 */
import { describe, expect, test } from 'vitest';
import { Scenario } from './scenario.ts';

const NARROW = { mailboxMax: 1, commandTimeoutMs: 20_000 };
const path = (id: number, actor: string): string => `node-${id}/${actor}`;

/** The actor stands still meanwhile, with a full mailbox. */
function whileFull(scenario: Scenario, actor: string, act: () => void): void {
  const system = scenario.node(1).node?.system;
  system?.suspend(path(1, actor));
  act();
  const at = system?.inspect(path(1, actor));
  if (at?.kind === 'actor') expect(at.depth).toBeGreaterThanOrEqual(at.mailboxMax);
  system?.resume(path(1, actor));
}

function crash(scenario: Scenario, actor: string): void {
  scenario.node(1).node?.system.crash(path(1, actor), new Error('injected'));
}

function fine(scenario: Scenario): void {
  expect(scenario.cluster.violations).toEqual([]);
  scenario.converge();
}

describe('nothing is lost', () => {
  test('of what the executor is told: Expect, Execute, ExpectRead, Read, Forget', () => {
    const scenario = new Scenario(1, { ...NARROW, pipelineDepth: 8 });
    const asked: ReturnType<Scenario['ask']>[] = [];
    whileFull(scenario, 'store-0/executor', () => {
      for (let count = 0; count < 5; count += 1) {
        asked.push(scenario.ask(1, 'INCR', 'k'));
        scenario.run(20);
        asked.push(scenario.ask(1, 'GET', 'other'));
        scenario.run(20);
      }
    });
    scenario.run(500);
    expect(asked.map(({ reply }) => reply).filter((reply) => reply === undefined)).toEqual([]);
    expect(scenario.answerTo(1, 'GET', 'k')).toBe(
      String(asked.filter(({ reply }) => reply).length),
    );
    fine(scenario);
  });

  test('of what the executor is handed by others, in their order', () => {
    const scenario = new Scenario(3, NARROW);
    whileFull(scenario, 'store-0/executor', () => {
      for (let count = 0; count < 20; count += 1) scenario.answerTo(2, 'APPEND', 'k', `${count},`);
    });
    const all = Array.from({ length: 20 }, (_, at) => `${at},`).join('');
    expect(scenario.answerTo(1, 'GET', 'k')).toBe(all);
    fine(scenario);
  });

  test('of what the replica is told by its neighbours: Coordinate, BeginRead, Durable, Flushed', () => {
    const scenario = new Scenario(1, { ...NARROW, flushEveryMs: 5 });
    scenario.answerTo(1, 'SET', 'k', '0');
    const asked: ReturnType<Scenario['ask']>[] = [];
    whileFull(scenario, 'store-0/replica', () => {
      asked.push(scenario.ask(1, 'INCR', 'k'));
      scenario.run(1);
      asked.push(scenario.ask(1, 'GET', 'other'));
      scenario.run(50);
    });
    scenario.run(1_000);
    expect(asked.map(({ reply }) => reply)).toEqual([1, null]);
    const { appliedSequence, flushedSequence } = scenario.node(1).watermarks ?? {};
    expect(flushedSequence).toBe(appliedSequence);
    fine(scenario);
  });

  test('when the executor begins anew and the replica has no room to hear of it', () => {
    const scenario = new Scenario(1, { ...NARROW, flushEveryMs: 1_000_000 });
    for (let count = 1; count <= 10; count += 1) scenario.answerTo(1, 'INCR', 'k');
    whileFull(scenario, 'store-0/replica', () => {
      scenario.ask(1, 'INCR', 'k');
      scenario.run(5);
      crash(scenario, 'store-0/executor');
      scenario.run(500);
    });
    scenario.run(500);
    expect(Number(scenario.answerTo(1, 'GET', 'k'))).toBeGreaterThanOrEqual(10);
  });

  test('of what the coordinator is told: Executed, ReadsDone, Retry, PreAcceptOk', () => {
    const scenario = new Scenario(1, { ...NARROW, pipelineDepth: 2 });
    scenario.answerTo(1, 'SET', 'late', 'x', 'PX', '10');
    const asked: ReturnType<Scenario['ask']>[] = [];
    for (let count = 0; count < 6; count += 1) {
      asked.push(scenario.ask(1, 'INCR', 'k'));
      scenario.run(0.2);
      whileFull(scenario, 'store-0/coordinator', () => {
        asked.push(scenario.ask(1, 'GET', 'late'));
        scenario.run(20);
      });
      scenario.run(100);
    }
    scenario.run(500);
    expect(asked.every(({ answer }) => answer !== undefined)).toBe(true);
    const inspection = scenario.node(1).node?.system.inspect(path(1, 'store-0/coordinator'));
    expect(inspection).toMatchObject({ description: { transactions: 0, reads: 0, underWay: 0 } });
    fine(scenario);
  });

  test.each(['store-0/replica', 'store-0/coordinator'])(
    'whenever %s falls behind: credit, flushes and what is done are told all the same',
    (actor) => {
      const scenario = new Scenario(1, { ...NARROW, handOverMax: 1, flushEveryMs: 1 });
      for (let step = 0; step < 40; step += 1) {
        scenario.answerTo(1, 'SET', 'late', 'x', 'PX', '1');
        const asked = [scenario.ask(1, 'INCR', 'k')];
        scenario.run(step / 20);
        whileFull(scenario, actor, () => {
          asked.push(scenario.ask(1, 'GET', 'late'));
          scenario.run(20);
          asked.push(scenario.ask(1, 'GET', 'other'));
          scenario.run(20);
        });
        scenario.run(200);
        expect(asked.filter(({ answer }) => answer === undefined)).toEqual([]);
        const { appliedSequence, flushedSequence } = scenario.node(1).watermarks ?? {};
        expect(flushedSequence).toBe(appliedSequence);
        const coordinator = scenario.node(1).node?.system.inspect(path(1, 'store-0/coordinator'));
        expect(coordinator).toMatchObject({ description: { transactions: 0, reads: 0 } });
      }
      fine(scenario);
    },
  );

  test('that links have gone and come', () => {
    const scenario = new Scenario(3, NARROW);
    const reachable = (): unknown => {
      scenario.run(500);
      const at = scenario.node(1).node?.system.inspect(path(1, 'store-0/coordinator'));
      return at?.kind === 'actor' ? at.description : undefined;
    };
    whileFull(scenario, 'store-0/coordinator', () => {
      scenario.ask(1, 'SET', 'k', '0');
      scenario.run(10);
      for (const id of [2, 3]) scenario.node(id).crash('process');
      scenario.run(1_000);
    });
    expect(reachable()).toMatchObject({ quorumReachable: false });
    whileFull(scenario, 'store-0/coordinator', () => {
      scenario.ask(1, 'SET', 'k', '1');
      scenario.run(10);
      for (const id of [2, 3]) scenario.node(id).start();
      scenario.run(3_000);
    });
    expect(reachable()).toMatchObject({ quorumReachable: true });
    fine(scenario);
  });

  test('of what the WalWriter is told: Append, Sync, Truncate', () => {
    const scenario = new Scenario(1, { ...NARROW, flushEveryMs: 5 });
    const asked: ReturnType<Scenario['ask']>[] = [];
    for (let count = 0; count < 5; count += 1) {
      whileFull(scenario, 'wal', () => {
        asked.push(scenario.ask(1, 'INCR', 'k'));
        scenario.run(30);
        asked.push(scenario.ask(1, 'INCR', 'other'));
        scenario.run(30);
      });
      scenario.run(300);
    }
    expect(asked.filter(({ reply }) => typeof reply !== 'number')).toEqual([]);
    scenario.node(1).crash('power');
    scenario.node(1).start();
    scenario.run(1_000);
    expect(scenario.answerTo(1, 'GET', 'k')).toBe('5');
    fine(scenario);
  });
});
