import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VirtualScheduler } from './virtual-scheduler.ts';

test('events run in the order of time, whatever is cancelled in between', () => {
  const plan = fc.array(fc.record({ delayMs: fc.nat(50), isCancelled: fc.boolean() }));
  fc.assert(
    fc.property(plan, fc.option(fc.nat(), { nil: undefined }), (events, seed) => {
      const scheduler = new VirtualScheduler(seed === undefined ? {} : { seed });
      const log: number[] = [];
      const handles = events.map(({ delayMs }) =>
        scheduler.after(delayMs, () => {
          expect(scheduler.nowMs).toBe(delayMs);
          log.push(delayMs);
        }),
      );
      for (const [at, { isCancelled }] of events.entries()) if (isCancelled) handles[at]?.cancel();
      const kept = events.filter(({ isCancelled }) => !isCancelled).map(({ delayMs }) => delayMs);
      expect(scheduler.pending).toBe(kept.length);
      scheduler.runUntilIdle();
      expect(log).toEqual(kept.toSorted((a, b) => a - b));
    }),
  );
});

test('without a seed equal times run in order of making; a seed shuffles, always the same way', () => {
  const orderOf = (seed: number | undefined): number[] => {
    const scheduler = new VirtualScheduler(seed === undefined ? {} : { seed });
    const log: number[] = [];
    for (let at = 0; at < 20; at += 1) scheduler.waker('a', () => log.push(at)).wake();
    scheduler.runUntilIdle();
    return log;
  };
  const inOrder = Array.from({ length: 20 }, (_, at) => at);
  expect(orderOf(undefined)).toEqual(inOrder);
  expect(orderOf(1)).not.toEqual(inOrder);
  expect(orderOf(1)).toEqual(orderOf(1));
  expect(orderOf(1)).not.toEqual(orderOf(2));
});

test('wakes are folded, a stopped waker has no turn, a turn may wake itself', () => {
  const scheduler = new VirtualScheduler({ seed: 3, wakeJitterMs: 1 });
  let count = 0;
  const waker = scheduler.waker('a', () => {
    count += 1;
    if (count < 3) waker.wake();
  });
  waker.wake();
  waker.wake();
  expect([count, scheduler.pending]).toEqual([0, 1]);
  scheduler.runUntilIdle();
  expect(count).toBe(3);
  expect(scheduler.nowMs).toBeGreaterThan(0);
  waker.wake();
  waker.stop();
  waker.wake();
  expect(scheduler.pending).toBe(0);
});

test('run stops at its time, and moves the time to it', () => {
  const scheduler = new VirtualScheduler();
  const log: number[] = [];
  for (const at of [5, 10, 15]) scheduler.after(at, () => log.push(at));
  expect(scheduler.run(10)).toBe(2);
  expect([log, scheduler.nowMs]).toEqual([[5, 10], 10]);
  scheduler.run(12);
  expect(scheduler.nowMs).toBe(12);
  expect([scheduler.step(), scheduler.step()]).toEqual([true, false]);
  const forever = (): void => {
    scheduler.after(1, forever);
  };
  forever();
  expect(() => scheduler.runUntilIdle(100)).toThrow('not idle');
});

test('closing one scope leaves the others alone', () => {
  const scheduler = new VirtualScheduler();
  const [one, two] = [scheduler.scope(), scheduler.scope()];
  const log: string[] = [];
  one.after(1, () => log.push('one'));
  const waker = one.waker('a', () => log.push('one'));
  waker.wake();
  two.after(1, () => log.push('two'));
  one.close();
  waker.wake();
  one.after(1, () => log.push('one'));
  scheduler.runUntilIdle();
  expect(log).toEqual(['two']);
});

test('clocks may be skewed for the wall, never for monotonic time', () => {
  const scheduler = new VirtualScheduler();
  const skewed = scheduler.clockWith({ offsetUs: -500, driftPpm: 1_000 });
  scheduler.run(1_000);
  expect(skewed.wallUs() - scheduler.clock.wallUs()).toBe(-500 + 1_000);
  expect(skewed.monotonicMs()).toBe(1_000);
});

test('a paused scope does nothing; then it does what fell due, and time has gone on', () => {
  const scheduler = new VirtualScheduler({ seed: 1 });
  const [one, two] = [scheduler.scope(), scheduler.scope()];
  const log: string[] = [];
  const note = (what: string) => () => log.push(`${what} ${scheduler.nowMs}`);
  one.after(5, note('timer'));
  const cancelled = one.after(6, note('cancelled'));
  const waker = one.waker('a', note('turn'));
  two.after(7, note('other'));
  one.pause();
  waker.wake();
  scheduler.run(8);
  waker.wake();
  cancelled.cancel();
  expect(log).toEqual(['other 7']);
  one.resume();
  scheduler.run(8);
  expect(log.toSorted()).toEqual(['other 7', 'timer 8', 'turn 8']);
});
