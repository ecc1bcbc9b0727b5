/**
 * Clients of this node that wait for keys (BLPOP and its like). The stores tell which keys were
 * written; a client whose turn it is tries again. There is no polling, and no replica knows of it.
 *
 * An element that has come goes to one client. All nodes whose clients wait for its key hear of it,
 * and each computes from the same facts which of them may try (`share`). A node tries with one
 * client per key at a time, in the order in which they came. Where the others' clients did not take
 * what was theirs (a node is gone, a count was old), the look after `LOOK_AGAIN_MS` finds it.
 */
import type { ReadyKey } from '../../../storage/keyspace/waited-keys.ts';

/** A connection whose command has found nothing. */
export interface WaitingClient {
  /** That of its command. */
  readonly unit: { readonly connection: number; readonly sequence: number } | undefined;
  /** Runs its command again; `remove` or `add` follows when it is answered. */
  tryAgain(): void;
  /** Its time is over. Calls `remove`, now or when the attempt under way is answered. */
  waitExpired(): void;
}

/** The keys that a client waits for. */
export interface WaitedFor {
  /** The number that clients select. */
  readonly database: number;
  readonly keys: readonly string[];
  /** As `waitedType`. */
  readonly type: string;
  /** An element is for one of those that wait, not for each. */
  readonly takes: boolean;
}

interface WaitersOptions {
  /** How many of the elements that have come are for clients of this node. */
  share(name: string, added: number, atUs: number): number;
  /** So many clients wait for it now. */
  changed(name: string, count: number): void;
}

interface Wait {
  readonly client: WaitingClient;
  readonly keys: readonly WaitedKey[];
  readonly takes: boolean;
  /** Monotonic milliseconds; Infinity: it waits for ever. */
  readonly deadlineMs: number;
  isTrying: boolean;
  hasTried: boolean;
  /**
   * Its store knows that it waits. It does not where the client has not tried yet, unless another
   * one has left it its place, and where the store has begun anew.
   */
  isNoted: boolean;
}

class WaitedKey {
  readonly name: string;
  /** Those that take elements from each other, in the order in which they came. */
  readonly takers = new Set<Wait>();
  readonly readers = new Set<Wait>();
  /** Readers of whom the store does not know. */
  readonly lostReaders = new Set<Wait>();
  /** Elements for clients of this node that none has tried to take. */
  credit = 0;
  /** Elements that were there when the key was last written. */
  left = 0;
  /** The one that tries to take an element. */
  trying: Wait | undefined;
  /** When to look again, while there are elements (monotonic milliseconds). */
  lookMs = Number.POSITIVE_INFINITY;

  constructor(name: string) {
    this.name = name;
  }

  get isUnused(): boolean {
    return this.takers.size + this.readers.size === 0;
  }

  add(wait: Wait): void {
    (wait.takes ? this.takers : this.readers).add(wait);
  }

  delete(wait: Wait): void {
    this.takers.delete(wait);
    this.readers.delete(wait);
    this.lostReaders.delete(wait);
  }

  /** The one whose turn it is: an element is for it, or its store does not know of it. */
  next(): Wait | undefined {
    for (const reader of this.lostReaders) return reader;
    const first = this.firstTaker();
    return this.credit > 0 || first?.isNoted === false ? first : undefined;
  }

  /** Those in front of it that try do so for other keys: one for each of these. */
  firstTaker(): Wait | undefined {
    for (const wait of this.takers) if (!wait.isTrying) return wait;
    return undefined;
  }
}

/** Elements that stay where they are for so long are for anyone. */
export const LOOK_AGAIN_MS = 50;

export class Waiters {
  readonly #options: WaitersOptions;
  readonly #keys = new Map<string, WaitedKey>();
  readonly #waits = new Map<WaitingClient, Wait>();
  #losses = 0;

  constructor(options: WaitersOptions) {
    this.#options = options;
  }

  /** How often stores have forgotten who waits. */
  get losses(): number {
    return this.#losses;
  }

  /** Clients that wait. */
  get size(): number {
    return this.#waits.size;
  }

  /** Keys that they wait for. */
  get keys(): number {
    return this.#keys.size;
  }

  /**
   * Whether others wait for each of these keys already. A client that comes then would take what
   * is for them: it is to queue behind them, and tries when it is the first.
   */
  isQueued({ keys, takes, ...its }: WaitedFor): boolean {
    if (!takes) return false;
    return keys.every((key) => this.#keys.has(nameOf(its, key)));
  }

  /**
   * The client's command has found nothing, or it has not been run yet (`isNew`). Its place is that
   * of the first call.
   */
  add(client: WaitingClient, waitedFor: WaitedFor, deadlineMs: number, isNew = false): void {
    const known = this.#waits.get(client);
    if (known !== undefined) {
      known.isTrying = false;
      known.isNoted = true;
      for (const key of known.keys) {
        // It has looked, and its store tells of all that comes from now on.
        key.left = 0;
        key.lookMs = Number.POSITIVE_INFINITY;
        if (key.trying !== known) continue;
        key.trying = undefined;
        key.credit = 0;
        this.#next(key);
      }
      return;
    }
    const { keys, takes } = waitedFor;
    const waited = [...new Set(keys)].map((key) => this.#keyOf(nameOf(waitedFor, key)));
    const state = { isTrying: false, hasTried: !isNew, isNoted: !isNew };
    const wait = { client, keys: waited, takes, deadlineMs, ...state };
    this.#waits.set(client, wait);
    for (const key of waited) {
      key.add(wait);
      if (takes) this.#options.changed(key.name, key.takers.size);
    }
  }

  /**
   * The client has its answer, or is gone. Returns the one that waits in its place from now on, as
   * its store is to be told: so the store needs no attempt to know of it.
   */
  remove(client: WaitingClient): WaitingClient | undefined {
    const wait = this.#waits.get(client);
    if (wait === undefined) return undefined;
    this.#waits.delete(client);
    const heir = this.#heirOf(wait);
    if (heir !== undefined) heir.isNoted = true;
    for (const key of wait.keys) {
      key.delete(wait);
      if (wait.takes) this.#options.changed(key.name, key.takers.size);
      if (key.trying === wait) key.trying = undefined;
      if (key.isUnused) this.#keys.delete(key.name);
      else this.#next(key);
    }
    return heir?.client;
  }

  /** The next one for the same keys, if its store does not know of it. */
  #heirOf(wait: Wait): Wait | undefined {
    const [key] = wait.keys;
    if (!wait.isNoted || !wait.takes || key === undefined) return undefined;
    key.takers.delete(wait);
    const next = key.firstTaker();
    const isSame =
      next?.keys.length === wait.keys.length && wait.keys.every((each) => next.keys.includes(each));
    return isSame && !next.isNoted ? next : undefined;
  }

  /** A key has been written. */
  ready(ready: ReadyKey, atUs: number, nowMs: number): void {
    const { key, added, left, isGone } = ready;
    const waited = this.#keys.get(nameOf(ready, key));
    if (waited === undefined) return;
    if (isGone) this.#tryAll([...waited.takers, ...waited.readers]);
    waited.left = left;
    if (left === 0) {
      waited.credit = 0;
      waited.lookMs = Number.POSITIVE_INFINITY;
      return;
    }
    if (added > 0) this.#tryAll([...waited.readers]);
    // Readers take nothing, so there is nothing to look for again.
    if (waited.takers.size === 0) return;
    waited.credit += added === 0 ? 0 : this.#options.share(waited.name, added, atUs);
    if (waited.lookMs === Number.POSITIVE_INFINITY) waited.lookMs = nowMs + LOOK_AGAIN_MS;
    this.#next(waited);
  }

  /** Stores have forgotten who waits: the first for each key tries again, and is known then. */
  lost(): void {
    this.#losses += 1;
    for (const wait of this.#waits.values()) unnote(wait);
    for (const key of [...this.#keys.values()]) {
      key.left = 0;
      this.#next(key);
    }
  }

  /** The same of a client that was trying meanwhile, behind `add`. */
  lostOne(client: WaitingClient): void {
    const wait = this.#waits.get(client);
    if (wait === undefined) return;
    unnote(wait);
    for (const key of wait.keys) this.#next(key);
  }

  /** To be called now and then: takes what nobody else has taken. */
  onTick(nowMs: number): void {
    for (const key of [...this.#keys.values()]) {
      if (nowMs < key.lookMs) continue;
      key.lookMs = nowMs + LOOK_AGAIN_MS;
      if (key.left === 0 || key.trying !== undefined) continue;
      key.credit = Math.max(1, key.credit);
      this.#next(key);
    }
  }

  /** Ends waits whose time is over. Returns when the next one's is, or Infinity. */
  expire(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { client, deadlineMs, isTrying } of [...this.#waits.values()]) {
      if (deadlineMs > nowMs) nextMs = Math.min(nextMs, deadlineMs);
      else if (!isTrying && !this.tryNow(client)) client.waitExpired();
    }
    return nextMs;
  }

  /** Lets a client try that has not tried yet, out of turn. `false`: it has tried. */
  tryNow(client: WaitingClient): boolean {
    const wait = this.#waits.get(client);
    if (wait === undefined || wait.hasTried || wait.isTrying) return false;
    this.#try(wait);
    return true;
  }

  #keyOf(name: string): WaitedKey {
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const key = new WaitedKey(name);
    this.#keys.set(name, key);
    return key;
  }

  #tryAll(waits: readonly Wait[]): void {
    for (const wait of waits) if (!wait.isTrying) this.#try(wait);
  }

  /** Lets the client whose turn it is try, if one may. */
  #next(key: WaitedKey): void {
    while (key.trying === undefined) {
      const wait = key.next();
      if (wait === undefined) return;
      key.credit = Math.max(0, key.credit - 1);
      key.trying = wait;
      this.#try(wait);
    }
  }

  #try(wait: Wait): void {
    wait.isTrying = true;
    wait.hasTried = true;
    if (!wait.takes) for (const key of wait.keys) key.lostReaders.delete(wait);
    wait.client.tryAgain();
  }
}

/** Its store does not know of it. */
function unnote(wait: Wait): void {
  wait.isNoted = false;
  if (wait.takes || wait.isTrying) return;
  for (const key of wait.keys) key.lostReaders.add(wait);
}

/** The same on every node: their clients wait for the same. */
function nameOf(of: Pick<ReadyKey, 'database' | 'type'>, key: string): string {
  return `${of.database} ${of.type} ${key}`;
}
