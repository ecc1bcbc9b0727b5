import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TimerWheel, type WheelTimer } from '../../../../actors/runtime/ports/timer-wheel.ts';
import { VirtualScheduler } from '../../../simulation/virtual-scheduler.ts';

describe('timer wheel', () => {
  test('every timer expires at the first whole tick not before its time', () => {
    const delay = fc.oneof(
      fc.double({ min: 0, max: 300, noNaN: true }),
      fc.integer({ min: 0, max: 20_000_000 }),
      fc.integer({ min: 0, max: 3 * 64 ** 5 }),
    );
    const step = fc.record({ delay, waitMs: fc.double({ min: 0, max: 5_000, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const scheduler = new VirtualScheduler();
        const wheel = new TimerWheel(scheduler.clock, scheduler);
        let open = 0;
        for (const { delay: delayMs, waitMs } of steps) {
          const dueMs = scheduler.nowMs + delayMs;
          open += 1;
          wheel.after(delayMs, () => {
            open -= 1;
            expect(scheduler.nowMs).toBeGreaterThanOrEqual(dueMs - 1e-5);
            expect(scheduler.nowMs).toBeLessThan(dueMs + 1.001);
          });
          scheduler.run(scheduler.nowMs + waitMs);
        }
        scheduler.runUntilIdle(100_000);
        expect(open).toBe(0);
        expect(wheel.size).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  test('cancelled timers do not expire; a restarted one expires once', () => {
    const scheduler = new VirtualScheduler();
    const wheel = new TimerWheel(scheduler.clock, scheduler);
    const log: string[] = [];
    const note = (name: string) => (): void => {
      log.push(`${name}@${scheduler.nowMs}`);
    };
    const cancelled: WheelTimer = wheel.after(5, note('cancelled'));
    const moved = wheel.after(10, note('moved'));
    wheel.after(70, note('far'));
    wheel.cancel(cancelled);
    wheel.cancel(cancelled);
    wheel.start(moved, 100);
    expect(wheel.size).toBe(2);
    scheduler.runUntilIdle();
    expect(log).toEqual(['far@70', 'moved@100']);
  });

  test('a timer may start and cancel others while it expires', () => {
    const scheduler = new VirtualScheduler();
    const wheel = new TimerWheel(scheduler.clock, scheduler);
    const log: string[] = [];
    wheel.after(5, () => {
      log.push('first');
      wheel.cancel(second);
      wheel.after(0, () => log.push(`third@${scheduler.nowMs}`));
    });
    const second = wheel.after(5, () => log.push('second'));
    scheduler.runUntilIdle();
    expect(log).toEqual(['first', 'third@6']);
  });

  test('an idle wheel asks for no wake-ups, a closed one expires nothing', () => {
    const scheduler = new VirtualScheduler();
    const wheel = new TimerWheel(scheduler.clock, scheduler);
    expect(scheduler.pending).toBe(0);
    wheel.after(5, () => {});
    scheduler.runUntilIdle();
    expect(scheduler.pending).toBe(0);
    wheel.after(5, () => expect.unreachable());
    wheel.close();
    scheduler.runUntilIdle();
    expect(() => wheel.after(-1, () => {})).toThrow(RangeError);
    expect(() => wheel.after(Number.NaN, () => {})).toThrow(RangeError);
  });
});
