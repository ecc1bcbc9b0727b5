/**
 * Deadlines for an incomplete request, for idleness, and for a half-closed connection. It reads no
 * clock: the gateway's ticks bring the time and set the precision. It closes nothing itself.
 */
import type { GatewayLimits } from '../limits.ts';

/** After the last reply the client has this long to read it and to close its side. */
const CLOSE_MS_MAX = 5_000;

export type Expiry = 'partial' | 'idle' | 'unclosed';

export class ConnectionDeadlines {
  readonly #limits: GatewayLimits;
  #activeMs: number;
  /** Number of the request that was incomplete at the last tick; -1: none. */
  #partialRequest = -1;
  #partialSinceMs = 0;
  #endedSinceMs = -1;
  #unsentBytes = 0;

  constructor(limits: GatewayLimits, nowMs: number) {
    this.#limits = limits;
    this.#activeMs = nowMs;
  }

  /** `active`: data arrived since the last tick, or a unit is in progress. */
  checkIdle(nowMs: number, active: boolean): Expiry | undefined {
    if (active) this.#activeMs = nowMs;
    const { idleTimeoutMs } = this.#limits;
    return idleTimeoutMs > 0 && nowMs - this.#activeMs >= idleTimeoutMs ? 'idle' : undefined;
  }

  /** `request`: the number of the request that waits for more bytes of the client. */
  checkPartial(nowMs: number, request: number | undefined): Expiry | undefined {
    if (request === undefined) {
      this.#partialRequest = -1;
    } else if (request !== this.#partialRequest) {
      this.#partialRequest = request;
      this.#partialSinceMs = nowMs;
    } else if (nowMs - this.#partialSinceMs >= this.#limits.partialRequestMsMax) {
      return 'partial';
    }
    return undefined;
  }

  /** For a connection whose last reply is in the socket's buffer. */
  checkEnded(nowMs: number, unsentBytes: number): Expiry | undefined {
    // The deadline restarts whenever the client has read something.
    if (this.#endedSinceMs < 0 || unsentBytes < this.#unsentBytes) this.#endedSinceMs = nowMs;
    this.#unsentBytes = unsentBytes;
    return nowMs - this.#endedSinceMs >= CLOSE_MS_MAX ? 'unclosed' : undefined;
  }
}
