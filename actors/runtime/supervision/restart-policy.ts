/**
 * When restarting has to stop and how long a restart has to wait: OTP's restart intensity, and
 * exponential backoff with jitter. Pure arithmetic over times that the supervisor passes in.
 */
import type { Rng } from '../ports/ports.ts';

export const BACKOFF_MS_MIN = 10;
export const BACKOFF_MS_MAX = 5_000;
/**
 * A delay is drawn from +-20 % around its nominal value, so that many nodes do not beat together.
 */
const JITTER = 0.2;

/** More than `restartsMax` restarts within `periodMs` are a failure of the supervisor itself. */
export class RestartIntensity {
  readonly restartsMax: number;
  readonly periodMs: number;
  /** Times of the last restarts, oldest first; never more than `restartsMax + 1`. */
  readonly #times: number[] = [];

  constructor(restartsMax: number, periodMs: number) {
    this.restartsMax = restartsMax;
    this.periodMs = periodMs;
  }

  /** Counts a restart; `false`: it is one too many. */
  allows(nowMs: number): boolean {
    this.#times.push(nowMs);
    return this.restartsInPeriod(nowMs) <= this.restartsMax;
  }

  restartsInPeriod(nowMs: number): number {
    while ((this.#times[0] ?? nowMs) < nowMs - this.periodMs) this.#times.shift();
    return this.#times.length;
  }

  clear(): void {
    this.#times.length = 0;
  }
}

/** The delay doubles with each crash that follows within `calmMs` of a start. */
export class Backoff {
  readonly #rng: Rng;
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #calmMs: number;
  #streak = 0;

  constructor(rng: Rng, minMs: number, maxMs: number, calmMs: number) {
    this.#rng = rng;
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#calmMs = calmMs;
  }

  /** The delay before the next start of something that ran for `ranMs`. */
  delayMs(ranMs: number): number {
    if (ranMs >= this.#calmMs) this.#streak = 0;
    const nominalMs = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(this.#streak, 30));
    this.#streak += 1;
    return nominalMs * (1 - JITTER + 2 * JITTER * this.#rng.next());
  }

  reset(): void {
    this.#streak = 0;
  }
}
