/**
 * The keys that one client hears of, and those that it is reading now. A key is invalidated at
 * once, for a value that the client has kept, and once more behind the replies of the unit that
 * reads it: these may be of before the write, and the first message may have overtaken them.
 */
import type { TrackingOptions } from './tracking-options.ts';

/** `undefined`: all keys. */
export type Invalidated = readonly string[] | undefined;

interface ClientTrackingOptions {
  /** The number of the client. */
  readonly id: number;
  /** To the client, or to the one that it has named. */
  deliver(keys: Invalidated, redirect: number): void;
}

export class ClientTracking {
  readonly id: number;
  options: TrackingOptions;
  /** CLIENT CACHING, for the next command or block. */
  caching = false;
  /** The client that was to hear instead is gone. */
  isBroken = false;
  /** Keys that the table names it for. */
  readonly remembered = new Set<string>();
  readonly #deliver: ClientTrackingOptions['deliver'];
  /** Keys that commands read which are not answered. */
  readonly #reading = new Set<string>();
  /** Those of them that were written meanwhile. */
  readonly #again = new Set<string>();
  #isAllAgain = false;

  constructor({ id, deliver }: ClientTrackingOptions, options: TrackingOptions) {
    this.id = id;
    this.#deliver = deliver;
    this.options = options;
  }

  /** Whether the keys of the next command are tracked. */
  takesNext(): boolean {
    const { opts } = this.options;
    return opts === undefined || (opts === 'in') === this.caching;
  }

  endCaching(): void {
    this.caching = false;
  }

  reads(key: string): void {
    this.#reading.add(key);
  }

  invalidate(keys: Invalidated): void {
    this.#deliver(keys, this.options.redirect);
    if (keys === undefined) this.#isAllAgain ||= this.#reading.size > 0;
    else for (const key of keys) if (this.#reading.has(key)) this.#again.add(key);
  }

  /** All commands so far are answered. */
  answered(): void {
    if (this.#reading.size === 0) return;
    this.#reading.clear();
    if (this.#isAllAgain) this.#deliver(undefined, this.options.redirect);
    else if (this.#again.size > 0) this.#deliver([...this.#again], this.options.redirect);
    this.#again.clear();
    this.#isAllAgain = false;
  }
}
