/**
 * The production clock and the production seed: the only place of the runtime that reads the
 * time and the entropy of the operating system. Built by `node.ts` and by tools; the simulator
 * never loads it.
 */
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Clock } from './ports.ts';
import { SeededRng } from './seeded-rng.ts';

const RESYNC_PERIOD_MS = 1_000;
/**
 * Above the 1 ms granularity of Date.now, so that only a real step of the wall clock is followed.
 */
const STEP_MS_MIN = 2;

/**
 * The wall clock has microseconds: the monotonic clock gives the fraction, and the wall clock is
 * asked once a second whether it was stepped (NTP, an operator) since.
 */
export class SystemClock implements Clock {
  #offsetMs = performance.timeOrigin;
  #resyncAtMs = 0;

  wallUs(): number {
    const nowMs = performance.now();
    if (nowMs >= this.#resyncAtMs) this.#resync(nowMs);
    return Math.floor((this.#offsetMs + nowMs) * 1_000);
  }

  monotonicMs(): number {
    return performance.now();
  }

  #resync(nowMs: number): void {
    this.#resyncAtMs = nowMs + RESYNC_PERIOD_MS;
    const measuredMs = Date.now() - nowMs;
    if (Math.abs(measuredMs - this.#offsetMs) >= STEP_MS_MIN) this.#offsetMs = measuredMs;
  }
}

/** A generator with a seed of its own in each process. */
export function systemRng(): SeededRng {
  const bytes = randomBytes(8);
  return new SeededRng(bytes.readUInt32LE(0) * 2 ** 21 + (bytes.readUInt32LE(4) >>> 11));
}
