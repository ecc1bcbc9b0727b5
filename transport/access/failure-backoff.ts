/**
 * How long an address waits for the answer to a failed login: longer with each failure. Only
 * answers to failures wait, so a user who knows the password is never kept out. Pure.
 */

interface Failures {
  count: number;
  lastMs: number;
}

/** So many fail without a delay: a typing error is none. */
const FREE = 3;
const DELAY_MS_MIN = 200;
const DELAY_MS_MAX = 5_000;
/** Failures are forgotten after so long without another one. */
const FORGOTTEN_MS = 60_000;
/** Addresses that are remembered; beyond, the one without a failure for longest is forgotten. */
const ADDRESSES_MAX = 4_096;

export class FailureBackoff {
  readonly #failures = new Map<string, Failures>();

  /** Returns milliseconds until the answer. `address` is that of a machine, without a port. */
  failed(address: string, nowMs: number): number {
    const known = this.#failures.get(address);
    const before = known === undefined || nowMs - known.lastMs > FORGOTTEN_MS ? 0 : known.count;
    // Deleted first, so that the order is that of the last failures.
    this.#failures.delete(address);
    this.#failures.set(address, { count: before + 1, lastMs: nowMs });
    if (this.#failures.size > ADDRESSES_MAX) {
      const [oldest] = this.#failures.keys();
      if (oldest !== undefined) this.#failures.delete(oldest);
    }
    if (before < FREE) return 0;
    return Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** Math.min(before - FREE, 16));
  }

  succeeded(address: string): void {
    this.#failures.delete(address);
  }
}
