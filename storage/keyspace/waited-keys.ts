/**
 * Keys for which commands of this node's clients wait, in one group. A command that finds nothing
 * is noted at its own place in the order of the group, so no element that comes later is missed.
 * No replica depends on it: it is of this node alone, and gone when the store is opened again.
 */
import { isCollection } from '../types/collection.ts';
import { itemsOf } from '../types/packed.ts';
import { STREAM, Stream } from '../types/stream/stream.ts';
import { nextId } from '../types/stream/stream-id.ts';
import type { Value, ValueType } from '../types/value-type.ts';
import type { Entry } from './entry.ts';

/** A command that has found nothing, as the keyspace tells it. */
export interface Nothing {
  /** The physical number of the database. */
  readonly database: number;
  /** Of this group, */
  readonly keys: readonly string[];
  /** and those of other groups beside them. */
  readonly allKeys: readonly string[];
  /** Of the keys of this group, as they are now. */
  readonly entries: readonly (Entry | undefined)[];
  /** Of the values that it waits for. */
  readonly type: ValueType;
  /** The consumer group of streams for which it waits. */
  readonly group: string | undefined;
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
  /** As `waitedType`. */
  readonly type: string;
  readonly again: Uint8Array | undefined;
}

/** A key that is waited for, and was written. */
export interface ReadyKey {
  /** The number that clients select. */
  readonly database: number;
  readonly key: string;
  /** As `waitedType`. */
  readonly type: string;
  /** Elements that have come since the last time. */
  readonly added: number;
  /** Elements that are there. */
  readonly left: number;
  /** The consumer group is not there: all that wait for it are to be refused. */
  readonly isGone: boolean;
}

/** The type as TYPE tells it, and of streams the consumer group for which a client waits. */
export function waitedType(type: string, group: string | undefined): string {
  return group === undefined ? type : `${type}:${group.length}:${group}`;
}

/** A key that is waited for, by the type of its value. */
class WaitedKey {
  readonly database: number;
  readonly key: string;
  readonly type: ValueType;
  readonly group: string | undefined;
  left = 0;
  /** Of a stream: its last entry when it was looked at last. */
  mark = '';
  /** Connections that wait for it. */
  readonly waiters = new Set<number>();
  entry: Entry | undefined;

  constructor(database: number, key: string, type: ValueType, group: string | undefined) {
    this.database = database;
    this.key = key;
    this.type = type;
    this.group = group;
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
  add({ connection, attempt }: WaitId, nothing: Nothing): void {
    // The answer of an attempt that was given up may come late.
    if ((this.#waits.get(connection)?.attempt ?? 0) > attempt) return;
    this.#drop(connection);
    const waited = nothing.keys.map((key, i) => this.#keyOf(key, nothing, nothing.entries[i]));
    for (const { waiters } of waited) waiters.add(connection);
    this.#waits.set(connection, { attempt, keys: waited });
  }

  /** The client no longer waits, unless it has made a later attempt. */
  remove({ connection, attempt }: WaitId): void {
    const wait = this.#waits.get(connection);
    if (wait !== undefined && wait.attempt <= attempt) this.#drop(connection);
  }

  /** Another client waits for the same keys in its place. */
  pass({ connection, attempt }: WaitId, to: WaitId): void {
    const wait = this.#waits.get(connection);
    if (wait === undefined || wait.attempt > attempt) return;
    this.#drop(to.connection);
    for (const { waiters } of wait.keys) waiters.add(to.connection);
    this.#waits.set(to.connection, { attempt: to.attempt, keys: wait.keys });
    this.#drop(connection);
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
      const { database, key, type, group, entry } = waited;
      const value = entry?.type === type ? entry.value : undefined;
      waited.entry = undefined;
      const news = newsOf(waited, value);
      waited.left = news.left;
      const of = { database: selected(database), key, type: waitedType(type.name, group) };
      ready.push({ ...of, ...news });
    }
    this.#written.clear();
    return ready;
  }

  #keyOf(key: string, { database, type, group }: Nothing, entry: Entry | undefined): WaitedKey {
    const keys = this.#keys.get(database) ?? new Map<string, WaitedKey[]>();
    this.#keys.set(database, keys);
    const waited = keys.get(key) ?? [];
    keys.set(key, waited);
    const known = waited.find((each) => each.type === type && each.group === group);
    if (known !== undefined) return known;
    const added = new WaitedKey(database, key, type, group);
    added.mark = markOf(entry?.type === type ? entry.value : undefined);
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

type News = Pick<ReadyKey, 'added' | 'left' | 'isGone'>;

/** `value`: of the type that is waited for, if there is one. */
function newsOf(waited: WaitedKey, value: Value | undefined): News {
  if (waited.type.code === STREAM.code) return streamNewsOf(waited, value as Stream | undefined);
  const left = value === undefined ? 0 : elementsIn(waited.type, value);
  return { added: Math.max(0, left - waited.left), left, isGone: false };
}

/** Another one when an entry has come; '' where there is none. */
function markOf(value: Value | undefined): string {
  if (!(value instanceof Stream) || value.count === 0) return '';
  return `${value.facts.lastId}${value.facts.added}`;
}

/** Entries behind the last one that was looked at, or those that the group has not read. */
function streamNewsOf(waited: WaitedKey, stream: Stream | undefined): News {
  // Its rows are not in memory, so no entry has come.
  if (stream?.loaded === false) return { added: 0, left: waited.left, isGone: false };
  const mark = markOf(stream);
  const hasNew = mark !== '' && mark !== waited.mark;
  waited.mark = mark;
  if (waited.group === undefined) {
    return { added: Number(hasNew), left: Number(hasNew), isGone: false };
  }
  const place = stream?.groups.get(waited.group)?.place;
  const next = place && nextId(place.lastId);
  const read = next === undefined ? stream?.count : stream?.entries.countBefore(next);
  const left = (stream?.count ?? 0) - (read ?? 0);
  const grown = Math.max(left - waited.left, Number(hasNew && left > 0));
  return { added: Math.max(0, grown), left, isGone: place === undefined };
}

/** Of a small sorted set each member is two items. */
function elementsIn(type: ValueType, value: Value): number {
  if (isCollection(value)) return value.count;
  const items = typeof value === 'string' ? itemsOf(value) : 0;
  return type.name === 'zset' ? items / 2 : items;
}
