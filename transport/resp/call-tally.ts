/**
 * Counts the calls of a unit per command, for the counters that INFO shows by name. Filled on the
 * hot path: it has one place per distinct command, not per call.
 */
import { Arguments } from '../../storage/arguments.ts';
import type { Routes, StoreRoute } from './routes.ts';

export class CallTally {
  readonly #routes: StoreRoute[] = [];
  readonly #counts: number[] = [];

  add(route: StoreRoute, calls = 1): void {
    const routes = this.#routes;
    for (let i = 0; i < routes.length; i += 1) {
      if (routes[i] === route) {
        (this.#counts[i] as number) += calls;
        return;
      }
    }
    routes.push(route);
    this.#counts.push(calls);
  }

  addAll(other: CallTally): void {
    for (const [i, route] of other.#routes.entries()) this.add(route, other.#counts[i]);
  }

  /** They are executed now. */
  countCalls(): number {
    let calls = 0;
    for (const [i, route] of this.#routes.entries()) {
      route.calls += this.#counts[i] as number;
      calls += this.#counts[i] as number;
    }
    return calls;
  }

  /** Each of the `calls` is charged an equal share, and has waited the whole time. */
  countTime(usec: number, calls: number, routes: Routes): void {
    for (const [i, route] of this.#routes.entries()) {
      const count = this.#counts[i] as number;
      route.usec += (usec * count) / calls;
      routes.latency(route, usec, count);
    }
  }

  /** All calls have failed. */
  countFailures(): void {
    for (const [i, route] of this.#routes.entries()) route.failed += this.#counts[i] as number;
  }
}

/** The commands of `bytes` with these indices, ascending, were answered with an error. */
export function countFailed(routes: Routes, bytes: Uint8Array, indices: readonly number[]): void {
  const args = new Arguments();
  let at = 0;
  let next = 0;
  for (const index of indices) {
    for (; next <= index; next += 1) at = args.next(bytes, at);
    const route = routes.find(args);
    if (route !== undefined) route.failed += 1;
  }
}
