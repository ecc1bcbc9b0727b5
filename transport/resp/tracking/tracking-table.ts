/**
 * Which clients of this node keep which keys (CLIENT TRACKING). A key is noted before the command
 * that reads it leaves for the store, and the store tells what was written before it answers with
 * it, so no client keeps a value that is older than what this node has served since.
 */
import type { Written } from '../../../storage/keyspace/written-keys.ts';
import type { ClientTracking } from './client-tracking.ts';
import { InvalidationWriter } from './invalidation.ts';
import type { TrackingOptions } from './tracking-options.ts';

interface TrackingTableOptions {
  /** Whether any client wants to hear of keys. */
  changed(isUsed: boolean): void;
}

/** Bytes of all names that are kept, whatever their number. */
const TRACKED_BYTES_MAX = 64 * 1024 * 1024;

export class TrackingTable {
  /** `tracking-table-max-keys`; 0: as many as there is room for. */
  keysMax = 1_000_000;
  readonly messages = new InvalidationWriter();
  readonly #options: TrackingTableOptions;
  readonly #bytesMax: number;
  readonly #clients = new Set<ClientTracking>();
  readonly #byKey = new Map<string, Set<ClientTracking>>();
  readonly #byPrefix = new Map<string, Set<ClientTracking>>();
  #bytes = 0;
  #items = 0;

  constructor(options: TrackingTableOptions, bytesMax: number = TRACKED_BYTES_MAX) {
    this.#options = options;
    this.#bytesMax = bytesMax;
    // The stores may know that of a table before this one.
    options.changed(false);
  }

  get clients(): number {
    return this.#clients.size;
  }

  get keys(): number {
    return this.#byKey.size;
  }

  /** Each client of each key. */
  get items(): number {
    return this.#items;
  }

  get prefixes(): number {
    return this.#byPrefix.size;
  }

  add(client: ClientTracking): void {
    if (this.#clients.size === 0) this.#options.changed(true);
    this.#clients.add(client);
    this.#addPrefixes(client);
  }

  /** The client still hears of the keys that it has read before. */
  change(client: ClientTracking, options: TrackingOptions): void {
    client.options = options;
    client.caching = false;
    client.isBroken = false;
    this.#addPrefixes(client);
  }

  #addPrefixes(client: ClientTracking): void {
    for (const prefix of client.options.prefixes) {
      const clients = this.#byPrefix.get(prefix) ?? new Set();
      this.#byPrefix.set(prefix, clients.add(client));
    }
  }

  remove(client: ClientTracking): void {
    if (!this.#clients.delete(client)) return;
    for (const prefix of client.options.prefixes) {
      const clients = this.#byPrefix.get(prefix);
      clients?.delete(client);
      if (clients?.size === 0) this.#byPrefix.delete(prefix);
    }
    for (const key of client.remembered) this.#forget(client, key);
    if (this.#clients.size === 0) this.#options.changed(false);
  }

  /** The client is about to read the key. */
  reads(client: ClientTracking, key: string): void {
    client.reads(key);
    if (client.options.isBroadcast || client.remembered.has(key)) return;
    const clients = this.#byKey.get(key) ?? new Set();
    if (clients.size === 0) {
      this.#byKey.set(key, clients);
      this.#bytes += key.length;
    }
    clients.add(client);
    client.remembered.add(key);
    this.#items += 1;
    this.#evict();
  }

  /** `by`: the client of this node that has written them. */
  written(keys: Written, by: number | undefined): void {
    if (keys === 'all') return this.invalidateAll();
    const told = new Map<ClientTracking, string[]>();
    const tell = (client: ClientTracking, key: string): void => {
      if (client.options.noLoop && client.id === by) return;
      const list = told.get(client) ?? [];
      list.push(key);
      told.set(client, list);
    };
    for (const key of keys) {
      for (const client of this.#byKey.get(key) ?? []) tell(client, key);
      for (const [prefix, clients] of this.#byPrefix) {
        if (key.startsWith(prefix)) for (const client of clients) tell(client, key);
      }
    }
    for (const [client, its] of told) {
      client.invalidate(its);
      for (const key of its) this.#forget(client, key);
    }
  }

  /** A store has begun anew. */
  lost(): void {
    this.#options.changed(this.#clients.size > 0);
    this.invalidateAll();
  }

  /** Some keys have changed, and it is not known which. */
  invalidateAll(): void {
    for (const client of this.#clients) {
      client.invalidate(undefined);
      for (const key of client.remembered) this.#forget(client, key);
    }
  }

  #forget(client: ClientTracking, key: string): void {
    const clients = this.#byKey.get(key);
    if (clients === undefined || !clients.delete(client)) return;
    client.remembered.delete(key);
    this.#items -= 1;
    if (clients.size > 0) return;
    this.#byKey.delete(key);
    this.#bytes -= key.length;
  }

  /** The oldest go first, and their clients hear of it. */
  #evict(): void {
    const keysMax = this.keysMax === 0 ? Number.POSITIVE_INFINITY : this.keysMax;
    for (const [key, clients] of this.#byKey) {
      if (this.#byKey.size <= keysMax && this.#bytes <= this.#bytesMax) return;
      for (const client of [...clients]) {
        client.invalidate([key]);
        this.#forget(client, key);
      }
    }
  }
}
