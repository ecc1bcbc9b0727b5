import { describe, expect, test } from 'vitest';
import type {
  ShutdownPhase,
  ShutdownReport,
} from '../../../actors/runtime/supervision/coordinated-shutdown.ts';
import { nactSystem, recording, spec, virtualSystem } from './fixture.ts';

describe('coordinated shutdown', () => {
  test('phases run in order, each within its deadline, and the report tells', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    system.root.child(spec('a', recording('actor', log)));
    const phase = (name: string, run: ShutdownPhase['run']): ShutdownPhase => ({
      name,
      deadlineMs: 50,
      run: (done) => {
        log.push(name);
        run(done);
      },
    });
    const phases = [
      phase('stop-accepting', (done) => done()),
      phase('drain-clients', () => {}),
      phase('flush-wal', (done) => done(new Error('disk'))),
      system.stopActorsPhase(100),
      phase('close', () => {
        throw new Error('socket');
      }),
    ];
    expect(phases[3]?.name).toBe('stop-actors');
    const reports: ShutdownReport[] = [];
    system.shutdown(phases, (report) => reports.push(report));
    system.shutdown([], (report) => reports.push(report));
    scheduler.runUntilIdle();
    expect(log).toEqual([
      ...['actor:start1', 'stop-accepting', 'drain-clients', 'flush-wal'],
      ...['actor:shutdown', 'close'],
    ]);
    expect(reports.length).toBe(2);
    expect(reports[0]).toBe(reports[1]);
    const [report] = reports;
    expect(report?.isClean).toBe(false);
    expect(report?.phases.map(({ outcome }) => outcome)).toEqual([
      ...['done', 'late', 'failed', 'done', 'failed'],
    ]);
    expect(report?.phases[1]?.tookMs).toBe(50);
    expect(report?.phases[2]?.error).toEqual(new Error('disk'));
    system.shutdown([], (again) => reports.push(again));
    expect(reports[2]).toBe(report);
  });

  test('actors that no phase has stopped are killed in the end', () => {
    const { scheduler, system, letters } = virtualSystem();
    const log: string[] = [];
    const ref = system.root.child(spec('a', recording('a', log), { shutdownMs: 10_000 }));
    system.suspend('node/a');
    const reports: ShutdownReport[] = [];
    system.shutdown([system.stopActorsPhase(20)], (report) => reports.push(report));
    scheduler.run(10);
    ref.tell('waits');
    scheduler.runUntilIdle();
    expect(scheduler.nowMs).toBe(20);
    expect(log).toEqual(['a:start1', 'a:killed']);
    expect(reports[0]?.phases).toMatchObject([{ name: 'stop-actors', outcome: 'late' }]);
    expect(ref.tell('more')).toBe(false);
    expect(letters).toEqual(['node/a waits stopped', 'node/a more stopped']);
  });

  test('nothing is left of the production scheduler', async () => {
    const { scheduler, system } = nactSystem();
    const log: string[] = [];
    system.root.child<string>(
      spec('a', (context) => {
        context.timers.startPeriodic('tick', 5, 'tick');
        return recording('a', log)(context);
      }),
    );
    const report = await new Promise<ShutdownReport>((resolve) => {
      system.shutdown([system.stopActorsPhase(1_000)], resolve);
    });
    expect(report.isClean).toBe(true);
    expect([scheduler.wakerCount, scheduler.timerCount]).toEqual([0, 0]);
    expect(log.at(-1)).toBe('a:shutdown');
  });
});

describe('looking in', () => {
  test('the tree names every actor; counters add up', () => {
    const { scheduler, system } = virtualSystem();
    const plan = { strategy: 'rest_for_one', restartsMax: 5, periodMs: 30_000 } as const;
    const store = system.root.supervisor({ name: 'store-0', ...plan });
    const ref = store.child(spec('replica', recording('r', [])));
    for (const message of ['1', '2', 'boom', '3']) ref.tell(message);
    scheduler.runUntilIdle();
    expect(system.inspect()).toMatchObject({
      kind: 'supervisor',
      path: 'node',
      children: [{ path: 'node/store-0', children: [{ path: 'node/store-0/replica' }] }],
    });
    expect(system.inspect('node/store-0/none')).toBeUndefined();
    expect(system.counters).toMatchObject({
      actors: 1,
      messages: 4,
      crashes: 1,
      restarts: 1,
      deadLetters: 1,
      asksOutstanding: 0,
    });
    expect(system.counters.turns).toBeGreaterThanOrEqual(2);
    expect(system.counters.traceEvents).toBeGreaterThan(0);
  });

  test('a suspended actor takes messages but no turns', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    const ref = system.root.child(spec('a', recording('a', log)));
    system.suspend('node/a');
    ref.tell('1');
    scheduler.runUntilIdle();
    expect(log).toEqual(['a:start1']);
    system.resume('node/a');
    scheduler.runUntilIdle();
    expect(log).toEqual(['a:start1', 'a:1']);
    expect(() => system.suspend('node')).toThrow('no actor');
  });
});

test('a question under the real scheduler: reply, timeout, refusal', async () => {
  interface Question {
    readonly replyTo: { tell(reply: number): boolean };
    readonly isAnswered: boolean;
  }
  const { system, close } = nactSystem();
  const start = () => ({
    receive: ({ replyTo, isAnswered }: Question) => {
      if (isAnswered) replyTo.tell(42);
    },
  });
  const ref = system.root.child<Question>(spec('a', start));
  const asked = (isAnswered: boolean) =>
    new Promise<number | 'timeout' | 'refused'>((resolve) => {
      const make = (replyTo: Question['replyTo']) => ({ replyTo, isAnswered });
      const late = (): void => resolve('timeout');
      if (!system.ask<Question, number>(ref, make, 20, resolve, late)) resolve('refused');
    });
  expect(await asked(true)).toBe(42);
  expect(await asked(false)).toBe('timeout');
  await close();
  expect(await asked(true)).toBe('refused');
});
