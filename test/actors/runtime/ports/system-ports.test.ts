import { afterEach, describe, expect, test, vi } from 'vitest';
import { SeededRng } from '../../../../actors/runtime/ports/seeded-rng.ts';
import { SystemClock, systemRng } from '../../../../actors/runtime/ports/system-ports.ts';

describe('system clock', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test('the wall clock agrees with the system’s, in whole microseconds', () => {
    const us = new SystemClock().wallUs();
    expect(Number.isInteger(us)).toBe(true);
    expect(Math.abs(us / 1_000 - Date.now())).toBeLessThan(5);
  });

  test('a step of the system’s clock is followed within a second, jitter is not', () => {
    const clock = new SystemClock();
    let nowMs = 10_000;
    let stepMs = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    vi.spyOn(Date, 'now').mockImplementation(() => Math.floor(1e12 + nowMs + stepMs));
    expect(clock.wallUs()).toBe((1e12 + 10_000) * 1_000);
    nowMs += 1_500.4;
    expect(clock.wallUs()).toBe((1e12 + 11_500.4) * 1_000);
    stepMs = -60_000;
    nowMs += 1_500;
    expect(clock.wallUs()).toBe(Math.floor(1e12 + 13_000.4 - 60_000) * 1_000);
    expect(clock.monotonicMs()).toBe(nowMs);
  });
});

describe('random numbers', () => {
  test('the same seed gives the same numbers, another seed others', () => {
    const draw = (rng: SeededRng): number[] => Array.from({ length: 5 }, () => rng.next());
    expect(draw(new SeededRng(42))).toEqual(draw(new SeededRng(42)));
    expect(draw(new SeededRng(42))).not.toEqual(draw(new SeededRng(43)));
    expect(draw(new SeededRng(1))).not.toEqual(draw(new SeededRng(1 + 2 ** 40)));
    expect(draw(new SeededRng(42).fork())).not.toEqual(draw(new SeededRng(42)));
    expect(draw(systemRng())).not.toEqual(draw(systemRng()));
  });

  test('they are uniform in [0, 1)', () => {
    const rng = new SeededRng(7);
    const buckets = new Array<number>(10).fill(0);
    for (let at = 0; at < 100_000; at += 1) {
      const bucket = Math.floor(rng.next() * 10);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    expect(buckets.length).toBe(10);
    for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});
