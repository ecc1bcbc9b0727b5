/**
 * How much a client may leave unread. All clients have one limit; those with subscriptions have
 * Redis' `client-output-buffer-limit pubsub` as well, since they cannot be made to wait.
 */
import type { GatewayLimits } from '../limits.ts';
import { type ClientState, isSubscriber } from './client-state.ts';

export class OutputWatch {
  readonly #limits: GatewayLimits;
  /** When the soft limit was exceeded (monotonic milliseconds), while it is. */
  #softSinceMs: number | undefined;

  constructor(limits: GatewayLimits) {
    this.#limits = limits;
  }

  /** Whether the client is to be disconnected for so many unread bytes. */
  exceeds(client: ClientState, bytes: number, nowMs: number): boolean {
    if (bytes > this.#limits.outputBytesMax) return true;
    if (!isSubscriber(client)) {
      this.#softSinceMs = undefined;
      return false;
    }
    const { hardBytes, softBytes, softSeconds } = this.#limits.pubsubOutput;
    if (hardBytes > 0 && bytes > hardBytes) return true;
    if (softBytes === 0 || bytes <= softBytes) {
      this.#softSinceMs = undefined;
      return false;
    }
    this.#softSinceMs ??= nowMs;
    return nowMs - this.#softSinceMs > softSeconds * 1000;
  }
}
