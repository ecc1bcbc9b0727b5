/**
 * A search for the largest keys of each type, page by page while transactions go on. It walks the
 * Redis slots of each database by their bytes, the largest first, so that the keys that matter are
 * met early, and looks at a bounded number of keys.
 */
import type { GroupKeyspace } from './group-keyspace.ts';
import { firstSlotOf, positionOf } from './slots.ts';

/** Keys of one page. */
const PAGE_KEYS = 64;

interface BigKey {
  readonly type: string;
  /** The number that clients select. */
  readonly database: number;
  readonly key: string;
  /** Memory of the value. */
  readonly bytes: number;
}

/** Of the keys that were looked at. */
interface TypeSummary {
  readonly type: string;
  readonly keys: number;
  readonly bytes: number;
}

export interface BigKeysFound {
  /** Of each type the largest ones, the largest first. */
  readonly largest: readonly BigKey[];
  readonly types: readonly TypeSummary[];
  readonly looked: number;
  /** Keys that there are. */
  readonly keys: number;
}

/** The part of a database that a group holds. */
export interface SearchedPlace {
  readonly database: number;
  readonly keyspace: GroupKeyspace;
}

interface OfType {
  keys: number;
  bytes: number;
  /** Largest first. */
  readonly largest: BigKey[];
}

export class BigKeysSearch {
  readonly #count: number;
  readonly #keysMax: number;
  /** Behind the present one. */
  readonly #places: SearchedPlace[];
  readonly #keys: number;
  readonly #byType = new Map<string, OfType>();
  #place: SearchedPlace | undefined;
  /** Of the present place, the next one last. */
  #slots: number[] = [];
  #position = 0;
  #end = 0;
  #looked = 0;
  /** Keys that may be looked at in the present place. */
  #left = 0;

  /** `count`: keys of each type. `keysMax`: keys to look at, an equal share in each place. */
  constructor(places: readonly SearchedPlace[], count: number, keysMax: number) {
    this.#count = count;
    this.#places = [...places];
    this.#keys = places.reduce((sum, { keyspace }) => sum + keyspace.size, 0);
    this.#keysMax = Math.ceil(keysMax / Math.max(1, places.length));
  }

  /** Looks at one page; `false`: there is no more to look at. */
  next(): boolean {
    if (this.#place === undefined || !this.#hasMore()) return this.#nextPlace();
    const { database, keyspace } = this.#place;
    const { items, next } = keyspace.page(this.#position, PAGE_KEYS);
    for (const item of items) {
      if (positionOf(item.slot, item.place) >= this.#end) break;
      this.#look(item.entry.type.name, database, item.key, item.entry.bytes);
    }
    this.#position = next === 0 ? this.#end : next;
    return true;
  }

  found(): BigKeysFound {
    const types = [...this.#byType].map(([type, { keys, bytes }]) => ({ type, keys, bytes }));
    const largest = [...this.#byType.values()].flatMap((ofType) => ofType.largest);
    return inOrder({ largest, types, looked: this.#looked, keys: this.#keys });
  }

  #hasMore(): boolean {
    if (this.#left <= 0) return false;
    if (this.#position < this.#end) return true;
    const slot = this.#slots.pop();
    if (slot === undefined) return false;
    this.#position = positionOf(firstSlotOf(slot), 0);
    this.#end = positionOf(firstSlotOf(slot + 1), 0);
    return true;
  }

  #nextPlace(): boolean {
    this.#place = this.#places.shift();
    this.#slots = this.#place?.keyspace.slotsByBytes() ?? [];
    this.#position = 0;
    this.#end = 0;
    this.#left = this.#keysMax;
    return this.#place !== undefined;
  }

  #look(type: string, database: number, key: string, bytes: number): void {
    this.#looked += 1;
    this.#left -= 1;
    const ofType = this.#byType.get(type) ?? { keys: 0, bytes: 0, largest: [] };
    this.#byType.set(type, ofType);
    ofType.keys += 1;
    ofType.bytes += bytes;
    const { largest } = ofType;
    const least = largest.at(-1);
    if (largest.length >= this.#count && least !== undefined && least.bytes >= bytes) return;
    const at = largest.findIndex((each) => each.bytes < bytes);
    largest.splice(at < 0 ? largest.length : at, 0, { type, database, key, bytes });
    if (largest.length > this.#count) largest.pop();
  }
}

/** Of several stores as if they were one; `count` keys of each type. */
export function mergeBigKeys(all: readonly BigKeysFound[], count: number): BigKeysFound {
  const types = new Map<string, TypeSummary>();
  for (const { type, keys, bytes } of all.flatMap((found) => found.types)) {
    const before = types.get(type) ?? { keys: 0, bytes: 0 };
    types.set(type, { type, keys: keys + before.keys, bytes: bytes + before.bytes });
  }
  const found = inOrder({
    largest: all.flatMap(({ largest }) => largest),
    types: [...types.values()],
    looked: all.reduce((sum, { looked }) => sum + looked, 0),
    keys: all.reduce((sum, { keys }) => sum + keys, 0),
  });
  const taken = new Map<string, number>();
  const largest = found.largest.filter(({ type }) => {
    const before = taken.get(type) ?? 0;
    taken.set(type, before + 1);
    return before < count;
  });
  return { ...found, largest };
}

function inOrder(found: BigKeysFound): BigKeysFound {
  const byType = (a: { type: string }, b: { type: string }): number => (a.type < b.type ? -1 : 1);
  return {
    ...found,
    largest: found.largest.toSorted((a, b) =>
      a.type === b.type ? b.bytes - a.bytes : byType(a, b),
    ),
    types: found.types.toSorted(byType),
  };
}
