/**
 * nact, which schedules our turns, has known defects. One test for each: on the production
 * scheduler, what our actors do where nact's own would go wrong.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ActorRef } from '../../../actors/runtime/actor-ref.ts';
import type { Behavior } from '../../../actors/runtime/behavior.ts';
import { type NactSystem, nactSystem, recording, spec, turns, until } from './fixture.ts';

const GROUP = { name: 'g', strategy: 'one_for_all', restartsMax: 5, periodMs: 30_000 } as const;

describe('a defect of nact that cannot reach us:', () => {
  let node: NactSystem;
  const rejections: unknown[] = [];
  const onRejection = (error: unknown): number => rejections.push(error);

  beforeEach(() => {
    node = nactSystem();
    rejections.length = 0;
    process.on('unhandledRejection', onRejection);
  });

  afterEach(async () => {
    await turns(3);
    process.off('unhandledRejection', onRejection);
    await node.close();
    expect(node.scheduler.wakerCount).toBe(0);
    expect(rejections).toEqual([]);
  });

  test('1. stopping a parent leaves its children running, without a last word', async () => {
    const log: string[] = [];
    const group = node.system.root.supervisor(GROUP);
    const child = group.child(spec('a', recording('a', log)));
    let isRemoved = false;
    node.system.root.remove('g', () => {
      isRemoved = true;
    });
    await until(() => isRemoved);
    expect(child.tell('unheard')).toBe(false);
    await turns();
    expect(log).toEqual(['a:start1', 'a:shutdown']);
  });

  test('2. a group reset runs two handlers of one actor at once', async () => {
    const log: string[] = [];
    const group = node.system.root.supervisor(GROUP);
    const busy = group.child<string>(
      spec('busy', (context) => {
        let state = 0;
        // An async handler is what could overlap; it is refused as a crash, before it goes on.
        const receive = (async (message: string): Promise<void> => {
          const before = state;
          if (message === 'slow') await turns(3);
          state = before + 1;
          log.push(`${context.incarnation}:${message}:${state}`);
        }) as Behavior<string>['receive'];
        return { receive };
      }),
    );
    const peer = group.child(spec('peer', recording('peer', [])));
    busy.tell('slow');
    peer.tell('boom');
    await until(() => node.system.counters.restarts >= 2);
    await turns();
    expect(node.system.inspect('node/g/busy')).toMatchObject({
      incarnation: expect.any(Number),
      lastCrash: { error: expect.stringContaining('AsyncHandlerError') },
    });
    // The orphaned promise may finish, but no later incarnation has seen or shared its state.
    expect(log).toEqual(['1:slow:1']);
  });

  test('3. escalate and resume leave the child busy for ever', async () => {
    const log: string[] = [];
    const plan = { ...GROUP, restartsMax: 0 };
    const group = node.system.root.supervisor(plan);
    const child = group.child(spec('a', recording('a', log)));
    child.tell('boom');
    child.tell('after');
    await until(() => log.includes('a:after'));
    expect(log).toEqual(['a:start1', 'a:crash', 'a:start2', 'a:after']);
  });

  test('4. a policy meant for children wedges the actor itself', async () => {
    const log: string[] = [];
    const ref = node.system.root.child(spec('a', recording('a', log)));
    for (const message of ['1', 'boom', '2', '3']) ref.tell(message);
    await until(() => log.includes('a:3'));
    expect(node.system.inspect('node/a')).toMatchObject({ depth: 0, state: 'running' });
  });

  test('5. a start that always fails hangs the process in microtasks', async () => {
    let starts = 0;
    node.system.root.child<string>(
      spec('a', () => {
        starts += 1;
        throw new Error('no state');
      }),
    );
    let timers = 0;
    const interval = setInterval(() => {
      timers += 1;
    }, 1);
    await until(() => node.failures.length > 0);
    clearInterval(interval);
    expect(starts).toBe(4);
    expect(timers).toBeGreaterThan(0);
    expect(node.failures).toMatchObject([{ kind: 'escalated' }]);
  });

  test('6. a throwing crash hook or a late rejection becomes an unhandledRejection', async () => {
    const stopped = (): void => {
      throw new Error('in stopped');
    };
    const bad = node.system.root.child(spec('bad', recording('bad', [], { stopped })));
    const receive = (async (): Promise<void> => {
      await turns(5);
      throw new Error('late');
    }) as Behavior<string>['receive'];
    const late = node.system.root.child(spec<string>('late', () => ({ receive })));
    bad.tell('boom');
    late.tell('x');
    await until(() => node.system.counters.restarts === 2);
    await turns(10);
    expect(rejections).toEqual([]);
  });

  test('7. a handler that rejects after stop runs the stop hook twice', async () => {
    const ends: string[] = [];
    const receive = (async (): Promise<void> => {
      await turns(5);
      throw new Error('late');
    }) as Behavior<string>['receive'];
    const start = () => ({
      receive,
      stopped: ({ kind }: { kind: string }): void => {
        ends.push(kind);
      },
    });
    const ref = node.system.root.child<string>(spec('a', start));
    ref.tell('x');
    await turns(15);
    expect(ends).toEqual(['crash']);
  });

  test('8. stop loses the message that was scheduled already', async () => {
    const log: string[] = [];
    const ref = node.system.root.child(spec('a', recording('a', log)));
    ref.tell('scheduled');
    ref.tell('queued');
    node.system.root.remove('a');
    await until(() => log.length > 1);
    expect(log).toEqual(['a:start1', 'a:shutdown']);
    expect(node.letters).toEqual(['node/a scheduled stopped', 'node/a queued stopped']);
  });

  test('9. an old ref reaches a new actor of the same name; the old hook runs after it', async () => {
    const log: string[] = [];
    const old = node.system.root.child(spec('a', recording('old', log)));
    await new Promise<void>((resolve) => {
      node.system.root.remove('a', resolve);
    });
    const fresh = node.system.root.child(spec('a', recording('fresh', log)));
    old.tell('stray');
    fresh.tell('meant');
    await turns();
    expect(log).toEqual(['old:start1', 'old:shutdown', 'fresh:start1', 'fresh:meant']);
    expect(node.letters).toEqual(['node/a stray stopped']);
  });

  test('10. random question ids collide, replies reach the wrong asker', async () => {
    interface Question {
      readonly id: number;
      readonly number: number;
      readonly replyTo: ActorRef<number>;
    }
    const ids = new Set<number>();
    const start = () => ({
      receive: ({ id, number, replyTo }: Question) => {
        ids.add(id);
        replyTo.tell(number);
      },
    });
    const ref = node.system.root.child<Question>(spec('a', start, { mailboxMax: 20_000 }));
    let right = 0;
    let wrong = 0;
    for (let number = 0; number < 20_000; number += 1) {
      const make = (replyTo: ActorRef<number>, id: number): Question => ({ id, number, replyTo });
      const onReply = (reply: number): void => {
        if (reply === number) right += 1;
        else wrong += 1;
      };
      node.system.ask(ref, make, 5_000, onReply, () => {
        wrong += 1;
      });
    }
    await until(() => right + wrong === 20_000);
    expect([ids.size, right, wrong]).toEqual([20_000, 20_000, 0]);
  });

  test('11. a message to a stopped actor vanishes silently', async () => {
    const ref = node.system.root.child(spec('a', recording('a', [])));
    ref.tell('boom');
    await until(() => node.system.counters.crashes === 1);
    node.system.root.remove('a');
    await turns();
    expect(ref.tell('into the void')).toBe(false);
    expect(node.system.deadLetters.since(0)).toMatchObject([
      { reason: 'crashed', message: 'boom' },
      { reason: 'stopped', message: 'into the void', to: 'node/a' },
    ]);
  });

  test('12. refs of the wrong type compile, and so does what is no ref at all', () => {
    interface Cat {
      readonly type: 'cat';
    }
    interface Dog {
      readonly type: 'dog';
    }
    const cats: ActorRef<Cat> = node.system.root.child<Cat>(spec('a', () => ({ receive() {} })));
    const both: ActorRef<Cat | Dog> = node.system.root.child<Cat | Dog>(
      spec('b', () => ({ receive() {} })),
    );
    // @ts-expect-error a ref of one protocol is not a ref of another
    const dogs: ActorRef<Dog> = cats;
    // @ts-expect-error an actor that only knows cats must not be sent dogs
    const wider: ActorRef<Cat | Dog> = cats;
    const narrower: ActorRef<Cat> = both;
    // @ts-expect-error a message of another protocol
    const sent: boolean = cats.tell({ type: 'dog' });
    // @ts-expect-error a string is not a ref
    const text: ActorRef<string> = 'not a ref';
    // @ts-expect-error a start must return a behavior
    const starting = () => spec<Cat>('c', () => {});
    // @ts-expect-error a behavior must be able to receive
    const deaf: Behavior<Cat> = { turnEnd() {} };
    // @ts-expect-error the behavior of another protocol
    const dogBehavior = () => spec<Cat>('d', () => ({ receive: (_message: Dog): void => {} }));
    expect([dogs, wider].map(({ path }) => path)).toEqual([cats.path, cats.path]);
    expect([narrower === both, sent, text]).toEqual([true, true, 'not a ref']);
    expect([starting, deaf, dogBehavior].every(Boolean)).toBe(true);
  });
});
