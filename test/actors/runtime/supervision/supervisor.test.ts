import { describe, expect, test } from 'vitest';
import type { ActorRef } from '../../../../actors/runtime/actor-ref.ts';
import type { RestartNotice } from '../../../../actors/runtime/host.ts';
import type { Inspection, SupervisorInspection } from '../../../../actors/runtime/inspection.ts';
import {
  RestartIntensityError,
  type Supervisor,
} from '../../../../actors/runtime/supervision/supervisor.ts';
import { recording, spec, type VirtualSystem, virtualSystem } from '../fixture.ts';

const STRATEGIES = ['one_for_one', 'one_for_all', 'rest_for_one'] as const;

interface Group extends VirtualSystem {
  readonly log: string[];
  readonly group: Supervisor;
  readonly refs: readonly ActorRef<string>[];
}

/** Three actors a, b, c under a supervisor of its own. */
function groupOf(strategy: (typeof STRATEGIES)[number], restartsMax = 5): Group {
  const virtual = virtualSystem();
  const log: string[] = [];
  const group = virtual.system.root.supervisor({
    name: 'g',
    strategy,
    restartsMax,
    periodMs: 30_000,
  });
  const refs = ['a', 'b', 'c'].map((name) => group.child(spec(name, recording(name, log))));
  log.length = 0;
  return { ...virtual, log, group, refs };
}

describe('strategies', () => {
  test.each([
    ['one_for_one', ['b:crash', 'b:start2']],
    ['one_for_all', ['b:crash', 'c:shutdown', 'a:shutdown', 'a:start2', 'b:start2', 'c:start2']],
    ['rest_for_one', ['b:crash', 'c:shutdown', 'b:start2', 'c:start2']],
  ] as const)('%s restarts its group: stop in reverse, start in order', (strategy, expected) => {
    const { scheduler, log, refs } = groupOf(strategy);
    refs[1]?.tell('boom');
    scheduler.runUntilIdle();
    expect(log).toEqual(expected);
    for (const ref of refs) expect(ref.tell('alive')).toBe(true);
    scheduler.runUntilIdle();
    expect(log.slice(-3)).toEqual(['a:alive', 'b:alive', 'c:alive']);
  });

  test('every restart is reported with the actor that caused it', () => {
    const restarts: RestartNotice[] = [];
    const { scheduler, system } = virtualSystem({ onRestart: (restart) => restarts.push(restart) });
    const options = {
      name: 'g',
      strategy: 'one_for_all',
      restartsMax: 5,
      periodMs: 30_000,
    } as const;
    const group = system.root.supervisor(options);
    const [first] = ['a', 'b'].map((name) => group.child(spec(name, recording(name, []))));
    first?.tell('boom');
    scheduler.runUntilIdle();
    expect(restarts).toHaveLength(1);
    expect(restarts).toMatchObject([{ path: 'node/g/a', reason: { kind: 'crash' } }]);
    system.root.remove('g');
    scheduler.runUntilIdle();
    expect(restarts).toHaveLength(1);
  });

  test('an earlier crash widens a rest_for_one restart that is under way', () => {
    const { scheduler, log, refs, system } = groupOf('rest_for_one');
    refs[2]?.tell('boom');
    scheduler.run(1);
    expect(log).toEqual(['c:crash']);
    refs[0]?.tell('boom');
    scheduler.runUntilIdle();
    expect(log).toEqual(['c:crash', 'a:crash', 'b:shutdown', 'a:start2', 'b:start2', 'c:start2']);
    expect(system.inspect('node/g')).toMatchObject({ restartsInPeriod: 2, state: 'running' });
  });

  test('a start that fails within a group restart begins the group again', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    const plan = { name: 'g', strategy: 'one_for_all', restartsMax: 5, periodMs: 30_000 } as const;
    const group = system.root.supervisor(plan);
    const first = group.child(spec('a', recording('a', log)));
    group.child<string>(
      spec('b', (context) => {
        if (context.incarnation === 2) throw new Error('no disk');
        return recording('b', log)(context);
      }),
    );
    group.child(spec('c', recording('c', log)));
    first.tell('boom');
    scheduler.runUntilIdle();
    expect(log).toEqual([
      ...['a:start1', 'b:start1', 'c:start1', 'a:crash', 'c:shutdown', 'b:shutdown'],
      ...['a:start2', 'a:shutdown', 'a:start3', 'b:start3', 'c:start2'],
    ]);
  });

  test('a child removed during a group restart does not shift the group', () => {
    const { scheduler, log, refs, group } = groupOf('rest_for_one');
    refs[1]?.tell('boom');
    scheduler.run(1);
    group.remove('a');
    scheduler.runUntilIdle();
    expect(log).toEqual(['b:crash', 'c:shutdown', 'a:shutdown', 'b:start2', 'c:start2']);
  });

  test('a supervisor that is begun anew does not leave a waiting child behind', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    const limits = { restartsMax: 1, periodMs: 30_000, backoffMsMin: 1_000 };
    const group = system.root.supervisor({ name: 'g', strategy: 'one_for_one', ...limits });
    const refs = ['a', 'b'].map((name) => group.child(spec(name, recording(name, log))));
    for (const ref of refs) ref.tell('boom');
    scheduler.run(100);
    expect(log.slice(-2)).toEqual(['a:start2', 'b:start2']);
  });

  test('siblings keep what was sent to them while the group restarts', () => {
    const { scheduler, log, refs, letters } = groupOf('one_for_all');
    refs[1]?.tell('boom');
    scheduler.run(1);
    expect(refs.map((ref) => ref.tell('queued'))).toEqual([true, true, true]);
    scheduler.runUntilIdle();
    expect(log.slice(-3)).toEqual(['a:queued', 'b:queued', 'c:queued']);
    expect(letters).toEqual(['node/g/b boom crashed']);
  });
});

describe('intensity and backoff', () => {
  test('delays double up to their maximum, with seeded jitter', () => {
    const delaysOf = (): number[] => {
      const { scheduler, system } = virtualSystem({ restartsMax: 100, periodMs: 60_000 });
      const startedAt: number[] = [];
      system.root.child<string>(
        spec('a', () => {
          startedAt.push(scheduler.nowMs);
          throw new Error('never starts');
        }),
      );
      scheduler.run(30_000);
      return startedAt.slice(1).map((at, index) => at - (startedAt[index] ?? 0));
    };
    const delays = delaysOf();
    for (const [index, delay] of delays.entries()) {
      const nominal = Math.min(5_000, 10 * 2 ** index);
      expect(delay).toBeGreaterThanOrEqual(0.8 * nominal);
      expect(delay).toBeLessThanOrEqual(1.2 * nominal + 1);
    }
    expect(delays.length).toBeGreaterThan(10);
    expect(delaysOf()).toEqual(delays);
  });

  test('the mailbox takes messages up to its bound while the actor waits', () => {
    const { scheduler, system, letters } = virtualSystem();
    const log: string[] = [];
    const ref = system.root.child(spec('a', recording('a', log), { mailboxMax: 2 }));
    ref.tell('boom');
    scheduler.run(1);
    expect([ref.tell('1'), ref.tell('2'), ref.tell('3')]).toEqual([true, true, false]);
    scheduler.runUntilIdle();
    expect(log.slice(-2)).toEqual(['a:1', 'a:2']);
    expect(letters.slice(-1)).toEqual(['node/a 3 full']);
  });

  test('a supervisor over its intensity fails to its parent, which starts it anew', () => {
    const { scheduler, log, refs, system, failures } = groupOf('one_for_one', 1);
    refs[0]?.tell('boom');
    refs[0]?.tell('boom');
    scheduler.runUntilIdle();
    expect(log).toEqual([
      ...['a:crash', 'a:start2', 'a:crash', 'c:shutdown', 'b:shutdown'],
      ...['a:start3', 'b:start2', 'c:start2'],
    ]);
    expect(failures).toEqual([]);
    expect(system.inspect('node/g')).toMatchObject({ restartsInPeriod: 0, state: 'running' });
    expect(system.inspect('node')).toMatchObject({ restartsInPeriod: 1 });
  });

  test('a crash loop below a supervisor ends the system: no life inherits the long pauses', () => {
    const { scheduler, system, failures } = virtualSystem();
    const limits = { restartsMax: 5, periodMs: 30_000 };
    const group = system.root.supervisor({ name: 'g', strategy: 'rest_for_one', ...limits });
    group.child<string>(
      spec('a', () => {
        throw new Error('never starts');
      }),
    );
    scheduler.run(600_000);
    expect(failures).toMatchObject([{ kind: 'escalated' }]);
  });

  test('restarts outside of the period do not count', () => {
    const { scheduler, refs, system } = groupOf('one_for_one', 1);
    for (let round = 0; round < 5; round += 1) {
      refs[0]?.tell('boom');
      scheduler.run(scheduler.nowMs + 31_000);
    }
    expect(system.inspect('node/g')).toMatchObject({ restarts: 5, state: 'running' });
    expect(system.inspect('node')).toMatchObject({ restarts: 0 });
  });

  test('at the root the system fails, after all actors have ended in reverse order', () => {
    const { scheduler, system, failures, letters } = virtualSystem({ restartsMax: 0 });
    const log: string[] = [];
    const refs = ['a', 'b'].map((name) => system.root.child(spec(name, recording(name, log))));
    system.suspend('node/b');
    refs[1]?.tell('lost');
    refs[0]?.tell('boom');
    scheduler.runUntilIdle();
    expect(log).toEqual(['a:start1', 'b:start1', 'a:crash', 'b:killed']);
    expect(failures).toMatchObject([{ kind: 'escalated', path: 'node' }]);
    const error = failures[0]?.error;
    expect(error).toBeInstanceOf(RestartIntensityError);
    expect(error instanceof Error && error.message).toContain('node/a (Error: boom)');
    expect(error instanceof Error && error.cause).toEqual(new Error('boom'));
    expect(letters).toEqual(['node/a boom crashed', 'node/b lost stopped']);
    expect(system.failure).toBe(failures[0]);
  });
});

describe('stopping', () => {
  test('an actor that does not end when asked is killed at its deadline', () => {
    const { scheduler, system, letters } = virtualSystem();
    const log: string[] = [];
    const ref = system.root.child(spec('a', recording('a', log), { shutdownMs: 70 }));
    system.suspend('node/a');
    let removedAt = -1;
    system.root.remove('a', () => {
      removedAt = scheduler.nowMs;
    });
    scheduler.run(69);
    ref.tell('late');
    expect(removedAt).toBe(-1);
    scheduler.runUntilIdle();
    expect(removedAt).toBe(70);
    expect(log).toEqual(['a:start1', 'a:killed']);
    expect(letters).toEqual(['node/a late stopped']);
  });

  test('an actor that is asked twice ends once', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    system.root.child(spec('a', recording('a', log)));
    system.suspend('node/a');
    system.root.remove('a');
    scheduler.run(10);
    system.shutdown([system.stopActorsPhase(1_000)], () => {});
    system.resume('node/a');
    scheduler.runUntilIdle();
    expect(log).toEqual(['a:start1', 'a:shutdown']);
  });

  test('a removed name is free again; an unknown one is an error', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    const old = system.root.child(spec('a', recording('a', log)));
    expect(() => system.root.child(spec('a', recording('a', log)))).toThrow('exists already');
    expect(() => system.root.child(spec('a/b', recording('a', log)))).toThrow('not a name');
    system.root.remove('a');
    scheduler.runUntilIdle();
    const fresh = system.root.child(spec('a', recording('fresh', log)));
    expect([old.tell('x'), fresh.tell('y')]).toEqual([false, true]);
    scheduler.runUntilIdle();
    expect(log).toEqual(['a:start1', 'a:shutdown', 'fresh:start1', 'fresh:y']);
    expect(() => system.root.remove('none')).toThrow('no child');
  });

  test('removing an actor that waits for its restart cancels the restart', () => {
    const { scheduler, system, letters } = virtualSystem();
    const log: string[] = [];
    const ref = system.root.child(spec('a', recording('a', log)));
    ref.tell('boom');
    scheduler.run(1);
    ref.tell('queued');
    system.root.remove('a');
    scheduler.runUntilIdle();
    expect(log).toEqual(['a:start1', 'a:crash']);
    expect(letters.slice(-1)).toEqual(['node/a queued stopped']);
  });

  test('nested supervisors stop from the last to the first, each after its children', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    const plan = { strategy: 'rest_for_one', restartsMax: 5, periodMs: 30_000 } as const;
    system.root.child(spec('wal', recording('wal', log)));
    for (const name of ['store-0', 'store-1']) {
      const store = system.root.supervisor({ name, ...plan });
      for (const part of ['replica', 'executor']) {
        store.child(spec(part, recording(`${name}/${part}`, log)));
      }
    }
    log.length = 0;
    let isClean: boolean | undefined;
    system.shutdown([system.stopActorsPhase(1_000)], (report) => {
      isClean = report.isClean;
    });
    scheduler.runUntilIdle();
    expect(log).toEqual([
      ...['store-1/executor:shutdown', 'store-1/replica:shutdown'],
      ...['store-0/executor:shutdown', 'store-0/replica:shutdown', 'wal:shutdown'],
    ]);
    expect(isClean).toBe(true);
    const states = (node: Inspection): string[] => [
      node.state,
      ...((
        node as Partial<SupervisorInspection> & { children?: readonly Inspection[] }
      ).children?.flatMap(states) ?? []),
    ];
    const tree = system.inspect();
    expect(tree === undefined ? [] : new Set(states(tree))).toEqual(new Set(['retired']));
  });

  test('a shutdown in the middle of a restart wins', () => {
    const { scheduler, system, log, refs, letters } = groupOf('one_for_all');
    refs[0]?.tell('boom');
    scheduler.run(1);
    refs[0]?.tell('queued');
    system.shutdown([system.stopActorsPhase(1_000)], () => {});
    scheduler.runUntilIdle();
    expect(log).toEqual(['a:crash', 'c:shutdown', 'b:shutdown']);
    expect(letters.slice(-1)).toEqual(['node/g/a queued stopped']);
  });
});
