/**
 * Keys for which commands of this node's clients wait, in one group. A command that finds nothing
 * is noted at its own place in the order of the group, so no element that comes later is missed.
 * No replica depends on it: it is of this node alone, and gone when the store is opened again.
 */
import { isCollection } from '../types/collection.ts';
import { itemsOf } from '../types/packed.ts';
import type { Value, ValueType } from '../types/value-type.ts';
import type { Entry } from './entry.ts';

/** A command that has found nothing, as the keyspace tells it. */
export interface Nothing {
  /** The physical number of the database. */
  readonly database: number;
  readonly keys: readonly string[];
  /** Of the values that it waits for. */
  readonly type: ValueType;
  /** The request that is to be repeated, where it is another one than that of the client. */
  readonly again: Uint8Array | undefined;
}

/** The client that waits, and which of its attempts it was. */
export interface WaitId {
  readonly connection: number;
  readonly attempt: number;
}

/** The same for the client. */
export interface Waiting {
  /** The number that clients select. */
  readonly database: number;
  readonly keys: readonly string[];
  /** As TYPE tells it. */
  readonly type: string;
  readonly again: Uint8Array | undefined;
}

/** A key that is waited for, and was written. */
export interface ReadyKey {
  /** The number that clients select. */
  readonly database: number;
  readonly key: string;
  /** As TYPE tells it. */
  readonly type: string;
  /** Elements that have come since the last time. */
  readonly added: number;
  /** Elements that are there. */
  readonly left: number;
}

/** A key that is waited for, by the type of its value. */
class WaitedKey {
  readonly database: number;
  readonly key: string;
  readonly type: ValueType;
  left = 0;
  /** Connections that wait for it. */
  readonly waiters = new Set<number>();
  entry: Entry | undefined;

  constructor(database: number, key: string, type: ValueType) {
    this.database = database;
    this.key = key;
    this.type = type;
  }
}

interface Wait {
  readonly attempt: number;
  readonly keys: readonly WaitedKey[];
}

export class WaitedKeys {
  /** By physical number of the database, and key; one for each type. */
  readonly #keys = new Map<number, Map<string, WaitedKey[]>>();
  readonly #waits = new Map<number, Wait>();
  /** Keys that were written since the last `take`. */
  #written = new Set<WaitedKey>();
  /** Keys are in other databases now, or gone all at once: what is noted says nothing any more. */
  isLost = false;

  get isEmpty(): boolean {
    return this.#waits.size === 0;
  }

  /** The client's last command has found nothing. */
  add({ connection, attempt }: WaitId, { database, keys, type }: Nothing): void {
    this.#drop(connection);
    const waited = keys.map((key) => this.#keyOf(database, key, type));
    for (const { waiters } of waited) waiters.add(connection);
    this.#waits.set(connection, { attempt, keys: waited });
  }

  /** The client no longer waits, unless it has made a later attempt. */
  remove({ connection, attempt }: WaitId): void {
    const wait = this.#waits.get(connection);
    if (wait !== undefined && wait.attempt <= attempt) this.#drop(connection);
  }

  /** A key has this entry now. */
  wrote(database: number, key: string, entry: Entry): void {
    const waited = this.#keys.get(database)?.get(key);
    if (waited === undefined) return;
    for (const each of waited) {
      each.entry = entry;
      this.#written.add(each);
    }
  }

  /** Those written since the last call; `selected` gives the number that clients select. */
  take(selected: (physical: number) => number): readonly ReadyKey[] {
    if (this.#written.size === 0) return [];
    const ready: ReadyKey[] = [];
    for (const waited of this.#written) {
      const { database, key, type, entry } = waited;
      const left = entry?.type === type ? elementsIn(type, entry.value) : 0;
      const added = Math.max(0, left - waited.left);
      waited.left = left;
      waited.entry = undefined;
      ready.push({ database: selected(database), key, type: type.name, added, left });
    }
    this.#written.clear();
    return ready;
  }

  #keyOf(database: number, key: string, type: ValueType): WaitedKey {
    const keys = this.#keys.get(database) ?? new Map<string, WaitedKey[]>();
    this.#keys.set(database, keys);
    const waited = keys.get(key) ?? [];
    keys.set(key, waited);
    const known = waited.find((each) => each.type === type);
    if (known !== undefined) return known;
    const added = new WaitedKey(database, key, type);
    waited.push(added);
    return added;
  }

  #drop(connection: number): void {
    const wait = this.#waits.get(connection);
    if (wait === undefined) return;
    this.#waits.delete(connection);
    for (const waited of wait.keys) {
      waited.waiters.delete(connection);
      if (waited.waiters.size === 0) this.#forget(waited);
    }
  }

  #forget(waited: WaitedKey): void {
    this.#written.delete(waited);
    const keys = this.#keys.get(waited.database);
    const others = keys?.get(waited.key)?.filter((each) => each !== waited) ?? [];
    if (others.length > 0) keys?.set(waited.key, others);
    else keys?.delete(waited.key);
  }
}

/** Of a small sorted set each member is two items. */
function elementsIn(type: ValueType, value: Value): number {
  if (isCollection(value)) return value.count;
  const items = typeof value === 'string' ? itemsOf(value) : 0;
  return type.name === 'zset' ? items / 2 : items;
}
