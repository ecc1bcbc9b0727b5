/**
 * CLIENT PAUSE: for a while, commands of this node's clients wait before they run: all, or those
 * that write. Clients that wait for keys are not served meanwhile.
 */
import type { Route } from './routes.ts';

export interface PausedClient {
  resume(): void;
}

export class ClientPause {
  /** Monotonic milliseconds; 0: there is none. */
  untilMs = 0;
  #isForAll = false;
  readonly #clients = new Set<PausedClient>();
  readonly #tries = new Set<PausedClient>();

  /** A longer or wider one that lasts stays as it is, as in Redis. */
  begin(untilMs: number, isForAll: boolean): void {
    this.untilMs = Math.max(this.untilMs, untilMs);
    this.#isForAll ||= isForAll;
  }

  isOn(): boolean {
    return this.untilMs > 0;
  }

  /** Clients of which a command waits. */
  size(): number {
    return this.#clients.size;
  }

  /** `blockWrites`: it is EXEC of a block that writes. */
  stops(route: Route, blockWrites: boolean): boolean {
    if (route.label === 'client|unpause') return false;
    if (this.#isForAll || blockWrites) return true;
    return route.local === undefined ? route.writes : isPublish(route.name);
  }

  hold(client: PausedClient): void {
    this.#clients.add(client);
  }

  /** The client waits for keys, and is to try again when the pause is over. */
  holdTry(client: PausedClient): void {
    this.#tries.add(client);
  }

  forget(client: PausedClient): void {
    this.#clients.delete(client);
    this.#tries.delete(client);
  }

  end(): void {
    this.untilMs = 0;
    this.#isForAll = false;
    const clients = [...this.#tries, ...this.#clients];
    this.#clients.clear();
    this.#tries.clear();
    for (const client of clients) client.resume();
  }
}

/** Redis counts messages among what a replica is to have. */
function isPublish(name: string): boolean {
  return name === 'PUBLISH' || name === 'SPUBLISH';
}
