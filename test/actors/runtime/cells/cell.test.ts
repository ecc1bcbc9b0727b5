import { describe, expect, test } from 'vitest';
import type { ActorRef } from '../../../../actors/runtime/actor-ref.ts';
import type { ActorContext, ActorExit } from '../../../../actors/runtime/behavior.ts';
import { TURN_MESSAGES_MAX, TURN_MS_MAX } from '../../../../actors/runtime/cells/cell.ts';
import type { ActorInspection } from '../../../../actors/runtime/inspection.ts';
import { VirtualScheduler } from '../../../simulation/virtual-scheduler.ts';
import { recording, spec, virtualSystem } from '../fixture.ts';

function actorAt(system: { inspect(path: string): unknown }, path: string): ActorInspection {
  return system.inspect(path) as ActorInspection;
}

describe('mailbox', () => {
  test('messages are received in order, in a later turn', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    const ref = system.root.child(spec('a', recording('a', log)));
    for (const message of ['1', '2', '3']) expect(ref.tell(message)).toBe(true);
    expect(log).toEqual(['a:start1']);
    scheduler.runUntilIdle();
    expect(log).toEqual(['a:start1', 'a:1', 'a:2', 'a:3']);
  });

  test('a full mailbox refuses, says so and counts a dead letter', () => {
    const { scheduler, system, letters } = virtualSystem();
    const log: string[] = [];
    const ref = system.root.child(spec('a', recording('a', log), { mailboxMax: 2 }));
    expect([ref.tell('1'), ref.tell('2'), ref.tell('3')]).toEqual([true, true, false]);
    expect(letters).toEqual(['node/a 3 full']);
    scheduler.runUntilIdle();
    expect(ref.tell('4')).toBe(true);
    expect(system.deadLetters.count('full')).toBe(1);
  });

  test('the bound counts what the present turn has not received yet', () => {
    const { scheduler, system } = virtualSystem();
    const taken: boolean[] = [];
    let ref: ActorRef<string> | undefined;
    const receive = (): void => {
      if (ref !== undefined) taken.push(ref.tell('again'));
    };
    ref = system.root.child<string>(spec('a', () => ({ receive }), { mailboxMax: 2 }));
    ref.tell('1');
    ref.tell('2');
    scheduler.step();
    expect(taken).toEqual([true, true]);
    expect(actorAt(system, 'node/a').depth).toBe(2);
  });
});

describe('turns', () => {
  test('a turn takes at most TURN_MESSAGES_MAX messages and ends with turnEnd', () => {
    const { scheduler, system } = virtualSystem();
    const sizes: number[] = [];
    let size = 0;
    const start = () => ({
      receive: () => {
        size += 1;
      },
      turnEnd: () => {
        sizes.push(size);
        size = 0;
      },
    });
    const ref = system.root.child<number>(spec('a', start, { mailboxMax: 5_000 }));
    for (let next = 0; next < 2_500; next += 1) ref.tell(next);
    scheduler.runUntilIdle();
    expect(sizes).toEqual([TURN_MESSAGES_MAX, TURN_MESSAGES_MAX, 2_500 - 2 * TURN_MESSAGES_MAX]);
  });

  test('a turn ends when its time is over, and the rest keeps its order', () => {
    const virtual = new VirtualScheduler();
    let extraMs = 0;
    const clock = { ...virtual.clock, monotonicMs: () => virtual.nowMs + extraMs };
    const { system } = virtualSystem({ clock, scheduler: virtual });
    const received: number[] = [];
    const perTurn: number[] = [];
    const start = () => ({
      receive: (message: number) => {
        received.push(message);
        extraMs += TURN_MS_MAX / 100;
      },
      turnEnd: () => perTurn.push(received.length),
    });
    const ref = system.root.child<number>(spec('a', start, { mailboxMax: 500 }));
    for (let next = 0; next < 300; next += 1) ref.tell(next);
    virtual.runUntilIdle();
    expect(perTurn).toEqual([128, 256, 300]);
    expect(received).toEqual(Array.from({ length: 300 }, (_, at) => at));
  });

  test('a message of an actor to itself waits for the next turn', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    const start = (context: ActorContext<string>) => ({
      receive: (message: string) => {
        log.push(message);
        if (message === 'first') context.self.tell('second');
      },
      turnEnd: () => log.push('end'),
    });
    system.root.child<string>(spec('a', start)).tell('first');
    scheduler.runUntilIdle();
    expect(log).toEqual(['first', 'end', 'second', 'end']);
  });
});

describe('crash', () => {
  test('the crashing message is a dead letter, the rest waits for the next incarnation', () => {
    const { scheduler, system, letters } = virtualSystem();
    const log: string[] = [];
    const ref = system.root.child(spec('a', recording('a', log)));
    for (const message of ['1', 'boom', '2']) ref.tell(message);
    scheduler.run(1);
    ref.tell('3');
    expect(actorAt(system, 'node/a')).toMatchObject({ state: 'down', depth: 2 });
    scheduler.runUntilIdle();
    expect(log).toEqual(['a:start1', 'a:1', 'a:crash', 'a:start2', 'a:2', 'a:3']);
    expect(letters).toEqual(['node/a boom crashed']);
    const { restarts, lastCrash } = actorAt(system, 'node/a');
    expect(restarts).toBe(1);
    expect(lastCrash?.error).toBe('Error: boom');
  });

  test('a crash in turnEnd or in a timer restarts like one in receive', () => {
    const { scheduler, system, letters } = virtualSystem();
    let starts = 0;
    const ref = system.root.child<string>(
      spec('a', (context) => {
        starts += 1;
        if (starts === 2) context.timers.start('t', 5, 'timer-boom');
        return {
          receive: (message) => {
            if (message === 'timer-boom') throw new Error('timer');
          },
          turnEnd: () => {
            if (starts === 1) throw new Error('turn end');
          },
        };
      }),
    );
    ref.tell('1');
    scheduler.runUntilIdle();
    expect(starts).toBe(3);
    expect(letters).toEqual(['node/a timer-boom crashed']);
    expect(actorAt(system, 'node/a').lastCrash?.error).toBe('Error: timer');
  });

  test('an exception of `stopped` is recorded and does no harm', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    const stopped = (): void => {
      throw new Error('in stopped');
    };
    const ref = system.root.child(spec('a', recording('a', log, { stopped })));
    ref.tell('boom');
    scheduler.runUntilIdle();
    ref.tell('next');
    scheduler.runUntilIdle();
    expect(log).toEqual(['a:start1', 'a:start2', 'a:next']);
    expect(actorAt(system, 'node/a').lastCrash?.error).toBe('Error: in stopped');
  });

  test('an injected crash hits the next turn', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    system.root.child(spec('a', recording('a', log)));
    system.crash('node/a', new Error('injected'));
    expect(log).toEqual(['a:start1']);
    scheduler.runUntilIdle();
    expect(log).toEqual(['a:start1', 'a:crash', 'a:start2']);
    expect(() => system.crash('node/none', 1)).toThrow('no actor');
  });
});

describe('timers', () => {
  test('keyed timers replace and repeat', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    let context: ActorContext<string> | undefined;
    system.root.child<string>(
      spec('a', (given) => {
        context = given;
        return { receive: (message) => log.push(`${message}@${scheduler.nowMs}`) };
      }),
    );
    const timers = context?.timers;
    timers?.start('once', 10, 'old');
    timers?.start('once', 20, 'new');
    timers?.startPeriodic('tick', 8, 'tick');
    scheduler.run(17);
    expect(actorAt(system, 'node/a').timers).toBe(2);
    timers?.start('tick', 8, 'last');
    scheduler.runUntilIdle();
    expect(log).toEqual(['tick@8', 'tick@16', 'new@20', 'last@25']);
    expect(actorAt(system, 'node/a').timers).toBe(0);
  });

  test('a timer that has expired but was not received can still be replaced', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    let context: ActorContext<string> | undefined;
    system.root.child<string>(
      spec('a', (given) => {
        context = given;
        return { receive: (message) => log.push(message) };
      }),
    );
    context?.timers.start('b', 1, 'b');
    system.suspend('node/a');
    scheduler.runUntilIdle();
    context?.timers.start('b', 5, 'b2');
    system.resume('node/a');
    scheduler.runUntilIdle();
    expect(log).toEqual(['b2']);
  });

  test('a periodic timer leaves one message, however long it is not received', () => {
    const { scheduler, system } = virtualSystem();
    let received = 0;
    system.root.child<string>(
      spec('a', (context) => {
        context.timers.startPeriodic('tick', 10, 'tick');
        return {
          receive: () => {
            received += 1;
          },
        };
      }),
    );
    system.suspend('node/a');
    scheduler.run(95);
    system.resume('node/a');
    scheduler.run(99);
    expect(received).toBe(1);
    scheduler.run(101);
    expect(received).toBe(2);
  });

  test('timers end with their incarnation, and a full mailbox does not stop them', () => {
    const { scheduler, system } = virtualSystem();
    const log: string[] = [];
    const contexts: ActorContext<string>[] = [];
    const ref = system.root.child<string>(
      spec(
        'a',
        (context) => {
          contexts.push(context);
          context.timers.start('t', 50, `timer${context.incarnation}`);
          return {
            receive: (message) => {
              if (message === 'boom') throw new Error('boom');
              log.push(message);
            },
          };
        },
        { mailboxMax: 1 },
      ),
    );
    ref.tell('boom');
    scheduler.run(30);
    contexts[0]?.timers.start('late', 1, 'from a dead incarnation');
    system.suspend('node/a');
    ref.tell('data');
    scheduler.run(200);
    system.resume('node/a');
    scheduler.runUntilIdle();
    expect(log).toEqual(['timer2', 'data']);
    expect(system.counters.timers).toBe(0);
  });
});

describe('death watch', () => {
  function watcherOf(target: ActorRef<string>, exits: ActorExit[]) {
    return spec<ActorExit>('watcher', (context) => {
      context.watch(target, (exit) => exit);
      return { receive: (exit) => exits.push(exit) };
    });
  }

  test('reports each end with its reason, the last one as final', () => {
    const { scheduler, system } = virtualSystem();
    const exits: ActorExit[] = [];
    const target = system.root.child(spec('a', recording('a', [])));
    system.root.child(watcherOf(target, exits));
    target.tell('boom');
    scheduler.runUntilIdle();
    system.root.remove('a');
    scheduler.runUntilIdle();
    expect(exits).toMatchObject([
      { path: 'node/a', reason: { kind: 'crash' }, restarting: true },
      { path: 'node/a', reason: { kind: 'shutdown' }, restarting: false },
    ]);
    const [first] = exits;
    expect(first?.reason.kind === 'crash' && first.reason.error).toEqual(new Error('boom'));
  });

  test('reports at once for an actor that has gone', () => {
    const { scheduler, system } = virtualSystem();
    const exits: ActorExit[] = [];
    const target = system.root.child(spec('a', recording('a', [])));
    target.tell('boom');
    scheduler.run(1);
    system.root.remove('a');
    system.root.child(watcherOf(target, exits));
    scheduler.runUntilIdle();
    expect(exits).toMatchObject([{ reason: { kind: 'crash' }, restarting: false }]);
  });

  test('a later watch of the same actor takes the place of the first, also of its notices', () => {
    const { scheduler, system } = virtualSystem();
    const target = system.root.child(spec('a', recording('a', [])));
    const exits: string[] = [];
    let context: ActorContext<string> | undefined;
    system.root.child<string>(
      spec('w', (given) => {
        context = given;
        given.watch(target, () => 'exit');
        return { receive: (message) => exits.push(message) };
      }),
    );
    system.suspend('node/w');
    target.tell('boom');
    scheduler.runUntilIdle();
    context?.watch(target, () => 'second');
    system.resume('node/w');
    scheduler.runUntilIdle();
    expect(exits).toEqual([]);
    target.tell('boom');
    scheduler.runUntilIdle();
    expect(exits).toEqual(['second']);
  });

  test('ends with the watcher, and knows no foreign refs', () => {
    const { scheduler, system } = virtualSystem();
    const exits: string[] = [];
    const target = system.root.child(spec('a', recording('a', [])));
    let context: ActorContext<string> | undefined;
    const watcher = system.root.child<string>(
      spec('w', (given) => {
        context = given;
        if (given.incarnation === 1) given.watch(target, () => 'exit');
        return {
          receive: (message) => {
            if (message === 'boom') throw new Error('boom');
            exits.push(message);
          },
        };
      }),
    );
    watcher.tell('boom');
    scheduler.runUntilIdle();
    expect(actorAt(system, 'node/a').watchers).toBe(0);
    target.tell('boom');
    scheduler.runUntilIdle();
    expect(exits).toEqual([]);
    const foreign = virtualSystem().system.root.child(spec('a', recording('a', [])));
    expect(() => context?.watch(foreign, () => 'x')).toThrow(TypeError);
    expect(() => context?.watch({ path: 'p', tell: () => true }, () => 'x')).toThrow(TypeError);
  });
});

describe('the end of an incarnation', () => {
  test('thisIncarnation ends with it, self does not', () => {
    const { scheduler, system, letters } = virtualSystem();
    const log: string[] = [];
    const contexts: ActorContext<string>[] = [];
    const ref = system.root.child<string>(spec('a', recording('a', log, {}, contexts)));
    expect(contexts[0]?.thisIncarnation.tell('now')).toBe(true);
    ref.tell('boom');
    scheduler.runUntilIdle();
    expect(contexts[0]?.thisIncarnation.tell('stale')).toBe(false);
    expect(contexts[0]?.self.tell('fine')).toBe(true);
    scheduler.runUntilIdle();
    expect(log).toEqual(['a:start1', 'a:now', 'a:crash', 'a:start2', 'a:fine']);
    expect(letters).toEqual(['node/a boom crashed', 'node/a stale stale']);
  });

  // A completion that was in the mailbox when its incarnation crashed was received by the next.
  test('unreceived messages to thisIncarnation end with it, in their place', () => {
    const { scheduler, system, letters } = virtualSystem({}, { sampleEvery: 1 });
    const log: string[] = [];
    const contexts: ActorContext<string>[] = [];
    const ref = system.root.child<string>(spec('a', recording('a', log, {}, contexts)));
    ref.tell('boom');
    ref.tell('first');
    contexts[0]?.thisIncarnation.tell('stale');
    ref.tell('second');
    scheduler.runUntilIdle();
    contexts[1]?.thisIncarnation.tell('now');
    scheduler.runUntilIdle();
    const received = ['a:first', 'a:second', 'a:now'];
    expect(log).toEqual(['a:start1', 'a:crash', 'a:start2', ...received]);
    expect(letters).toEqual(['node/a boom crashed', 'node/a stale stale']);
  });

  test('fatal ends the whole system at once, without draining', () => {
    const { scheduler, system, failures, letters } = virtualSystem();
    const log: string[] = [];
    const first = system.root.child(spec('first', recording('first', log)));
    const bad = system.root.child<string>(
      spec('bad', (context) => ({
        receive: () => {
          context.fatal(new Error('two timestamps for one transaction'));
        },
        turnEnd: () => log.push('no turn end'),
      })),
    );
    first.tell('waits');
    system.suspend('node/first');
    bad.tell('evidence');
    scheduler.runUntilIdle();
    expect(log).toEqual(['first:start1', 'first:fatal']);
    expect(failures).toMatchObject([{ kind: 'fatal', path: 'node/bad' }]);
    expect(failures[0]?.error).toEqual(new Error('two timestamps for one transaction'));
    expect(letters.sort()).toEqual(['node/bad evidence crashed', 'node/first waits stopped']);
    expect(system.counters.restarts).toBe(0);
    expect(bad.tell('x')).toBe(false);
  });

  test('fatal counts even when the handler swallows the exception', () => {
    const { scheduler, system, failures } = virtualSystem();
    const received: string[] = [];
    const ref = system.root.child<string>(
      spec('a', (context) => ({
        receive: (message) => {
          received.push(message);
          try {
            context.fatal('fsync');
          } catch {}
        },
        turnEnd: () => received.push('turn end'),
      })),
    );
    ref.tell('1');
    ref.tell('2');
    scheduler.runUntilIdle();
    expect(received).toEqual(['1']);
    expect(failures).toEqual([{ kind: 'fatal', path: 'node/a', error: 'fsync' }]);
  });
});

test('fatal from a callback between turns ends the system without waiting for a message', () => {
  const { scheduler, system, failures } = virtualSystem();
  const log: string[] = [];
  const contexts: ActorContext<string>[] = [];
  system.root.child<string>(spec('a', recording('a', log, {}, contexts)));
  scheduler.runUntilIdle();
  expect(() => contexts[0]?.fatal('socket')).toThrow('fatal failure');
  expect([log, failures]).toEqual([['a:start1'], []]);
  scheduler.runUntilIdle();
  expect(log).toEqual(['a:start1', 'a:fatal']);
  expect(failures).toEqual([{ kind: 'fatal', path: 'node/a', error: 'socket' }]);
});

test('a kill that hits an actor in its turn waits for the end of its handler', () => {
  const { scheduler, system, failures } = virtualSystem();
  const log: string[] = [];
  const parent = system.root.child<string>(
    spec('a', (context) => ({
      receive: (message) => {
        log.push(message);
        system.root.child<string>(spec('b', (inner) => inner.fatal('first')));
        log.push('handler ends');
        context.fatal('second');
      },
      stopped: (reason) => log.push(reason.kind),
    })),
  );
  parent.tell('1');
  parent.tell('2');
  scheduler.runUntilIdle();
  expect(log).toEqual(['1', 'handler ends', 'fatal']);
  expect(failures).toEqual([{ kind: 'fatal', path: 'node/b', error: 'first' }]);
  expect(system.failure).toBe(failures[0]);
});

test('inspect shows the state of an actor', () => {
  const { scheduler, system } = virtualSystem();
  const describeState = { describe: () => ({ balance: 3 }) };
  const ref = system.root.child(spec('a', recording('a', [], describeState)));
  ref.tell('1');
  scheduler.runUntilIdle();
  system.suspend('node/a');
  ref.tell('2');
  scheduler.runUntilIdle();
  expect(actorAt(system, 'node/a')).toEqual({
    kind: 'actor',
    path: 'node/a',
    state: 'running',
    isSuspended: true,
    incarnation: 1,
    restarts: 0,
    depth: 1,
    mailboxMax: 100,
    timers: 0,
    watchers: 0,
    processed: 1,
    turns: 1,
    busyMs: 0,
    lastCrash: undefined,
    description: { balance: 3 },
  });
  expect(system.outline).toMatchObject({ children: [{ path: 'node/a', description: undefined }] });
});
