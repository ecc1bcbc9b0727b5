import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { NactScheduler } from '../../../actors/runtime/nact-shim.ts';
import { turns, until } from './fixture.ts';

describe('the scheduler on nact', () => {
  let scheduler: NactScheduler;
  beforeEach(() => {
    scheduler = new NactScheduler();
  });
  afterEach(() => scheduler.close());

  test('wakes before a turn are folded into one, never inside wake', async () => {
    let count = 0;
    const waker = scheduler.waker('node/a.1', () => {
      count += 1;
    });
    waker.wake();
    waker.wake();
    expect(count).toBe(0);
    await turns();
    expect(count).toBe(1);
    waker.wake();
    await turns();
    expect(count).toBe(2);
  });

  test('a wake within the turn brings another turn, after the event loop had its own', async () => {
    const log: string[] = [];
    const waker = scheduler.waker('a', () => {
      log.push('turn');
      if (log.length > 3) return;
      waker.wake();
      setImmediate(() => log.push('loop'));
    });
    waker.wake();
    await turns();
    expect(log.slice(0, 3)).toEqual(['turn', 'loop', 'turn']);
  });

  test('no turn begins after stop, also not one that was asked for', async () => {
    let count = 0;
    const waker = scheduler.waker('a', () => {
      count += 1;
    });
    waker.wake();
    waker.stop();
    waker.wake();
    await turns();
    expect(count).toBe(0);
    expect(scheduler.wakerCount).toBe(0);
  });

  test('the same name may be used again and again', async () => {
    const log: number[] = [];
    const first = scheduler.waker('a', () => log.push(1));
    const second = scheduler.waker('a', () => log.push(2));
    first.wake();
    second.wake();
    await turns();
    expect(log).toEqual([1, 2]);
  });

  test('timers never ring early, and not after cancel or close', async () => {
    const early: number[] = [];
    let rang = 0;
    for (let at = 0; at < 50; at += 1) {
      const delayMs = at * 0.37;
      const dueMs = performance.now() + delayMs;
      scheduler.after(delayMs, () => {
        rang += 1;
        if (performance.now() < dueMs) early.push(delayMs);
      });
    }
    const cancelled = scheduler.after(1, () => {
      rang += 1_000;
    });
    cancelled.cancel();
    await until(() => rang >= 50);
    expect([rang, early, scheduler.timerCount]).toEqual([50, [], 0]);
    scheduler.after(1, () => {
      rang += 1_000;
    });
    scheduler.close();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(rang).toBe(50);
    expect(() => scheduler.after(1, () => {})).toThrow('closed');
    expect(() => scheduler.waker('a', () => {})).toThrow('closed');
  });

  test('an error of the runtime itself is not swallowed by nact', async () => {
    const seen: unknown[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => seen.push(error));
    const waker = scheduler.waker('a', () => {
      throw new Error('defect');
    });
    waker.wake();
    await turns();
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
    expect(seen).toEqual([new Error('defect')]);
  });
});

describe('chained turns', () => {
  test('runs an actor that a turn has woken in the same event-loop turn, in order', async () => {
    const scheduler = new NactScheduler();
    const order: string[] = [];
    const third = scheduler.waker('third', () => order.push('third'));
    const second = scheduler.waker('second', () => {
      order.push('second');
      third.wake();
    });
    const first = scheduler.waker('first', () => {
      order.push('first');
      setImmediate(() => order.push('loop'));
      second.wake();
    });
    first.wake();
    await vi.waitFor(() => expect(order).toContain('loop'));
    expect(order).toEqual(['first', 'second', 'third', 'loop']);
    scheduler.close();
  });

  test('lets timers and sockets in between, however long two actors wake each other', async () => {
    const scheduler = new NactScheduler();
    let turns = 0;
    let hasTimerFired = false;
    const ping = scheduler.waker('ping', () => {
      turns += 1;
      if (!hasTimerFired) pong.wake();
      // The timer is set behind the first turn, so that it cannot fire before there was one.
      if (turns === 1) {
        scheduler.after(1, () => {
          hasTimerFired = true;
        });
      }
    });
    const pong = scheduler.waker('pong', () => {
      turns += 1;
      if (!hasTimerFired) ping.wake();
    });
    ping.wake();
    await vi.waitFor(() => expect(hasTimerFired).toBe(true));
    expect(turns).toBeGreaterThan(1);
    scheduler.close();
  });
});
