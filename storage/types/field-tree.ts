/**
 * Names with values, or without, in an order that is the same on every replica: by a hash of the
 * name, then by name. What large hashes and sets are made of. A name, the name at an index, and the
 * names from a hash on are found in O(log n); random picks go by index and scans by hash. Beside
 * the strings an element costs three places in arrays, so there is no second table to find it.
 */

import { placeOfText } from '../place.ts';
import { firstNotBefore } from './binary-search.ts';
import { CountedLeaf, CountedTree } from './counted-tree.ts';

const LEAF_MAX = 64;
const LEAF_FEW = 16;
const SIGN = 0x8000_0000;
/** The value of a name without one. */
const NONE: string | number = '';

/** Places in an order that small integers keep. */
function sortedPlace(name: string): number {
  return placeOfText(name) ^ SIGN;
}

class FieldLeaf<V> extends CountedLeaf<FieldLeaf<V>> {
  readonly places: number[];
  readonly names: string[];
  /** None in a set. */
  readonly values: V[] | undefined;

  constructor(places: number[], names: string[], values: V[] | undefined) {
    super();
    this.places = places;
    this.names = names;
    this.values = values;
  }

  get size(): number {
    return this.names.length;
  }

  add(at: number, place: number, name: string, value: V): void {
    this.places.splice(at, 0, place);
    this.names.splice(at, 0, name);
    this.values?.splice(at, 0, value);
  }

  remove(at: number): void {
    this.places.splice(at, 1);
    this.names.splice(at, 1);
    this.values?.splice(at, 1);
  }

  /** The upper half, taken out of this one. */
  split(): FieldLeaf<V> {
    const half = this.size >>> 1;
    const [places, names] = [this.places.splice(half), this.names.splice(half)];
    return new FieldLeaf(places, names, this.values?.splice(half));
  }

  /** Takes all elements of the next leaf. */
  join(next: FieldLeaf<V>): void {
    this.places.push(...next.places);
    this.names.push(...next.names);
    this.values?.push(...(next.values ?? []));
  }
}

export class FieldTree<V extends string | number = string> {
  readonly #tree = new CountedTree<FieldLeaf<V>>();
  readonly #withValues: boolean;
  /** The element that is looked for: read by `#isAtOrBefore`. */
  #place = 0;
  #name = '';
  readonly #isAtOrBefore = (leaf: FieldLeaf<V>): boolean => this.#compareAt(leaf, 0) <= 0;
  /** Where `#find` has found the name, or where it belongs; no leaf: before all. */
  #leaf: FieldLeaf<V> | undefined;
  #at = 0;

  constructor(withValues: boolean) {
    this.#withValues = withValues;
  }

  get size(): number {
    return this.#tree.size;
  }

  /** The value ('' in a set); `undefined`: the name is not here. */
  get(name: string): V | undefined {
    if (!this.#find(name)) return undefined;
    const values = this.#leaf?.values;
    return values === undefined ? (NONE as V) : values[this.#at];
  }

  /** Adds a name, or changes its value. The value before; `undefined`: the name was not here. */
  set(name: string, value: V): V | undefined {
    const before = this.get(name);
    if (before === undefined) {
      this.#add(name, value);
      return undefined;
    }
    const values = this.#leaf?.values;
    if (values !== undefined) values[this.#at] = value;
    return before;
  }

  /** The value before; `undefined`: the name was not here. */
  delete(name: string): V | undefined {
    const before = this.get(name);
    const leaf = this.#leaf;
    if (before === undefined || leaf === undefined) return undefined;
    if (leaf.size === 1) {
      this.#tree.remove(leaf);
      return before;
    }
    leaf.remove(this.#at);
    this.#tree.resized(leaf, -1);
    const { next } = leaf;
    if (leaf.size < LEAF_FEW && next !== undefined && leaf.size + next.size <= LEAF_MAX >>> 1) {
      this.#tree.remove(next);
      leaf.join(next);
      this.#tree.resized(leaf, next.size);
    }
    return before;
  }

  /** The name at an index, which must be there. */
  nameAt(index: number): string {
    return this.#tree.leafAt(index).names[this.#tree.offset] as string;
  }

  /** Visits names and values in order. */
  forEach(visit: (name: string, value: V) => void): void {
    for (let leaf = this.#tree.first; leaf !== undefined; leaf = leaf.next) {
      const { names, values } = leaf;
      for (let i = 0; i < names.length; i += 1) {
        visit(names[i] as string, values?.[i] ?? (NONE as V));
      }
    }
  }

  *names(): Generator<string, void, undefined> {
    for (let leaf = this.#tree.first; leaf !== undefined; leaf = leaf.next) yield* leaf.names;
  }

  /**
   * Visits elements from a hash on: `limit` of them, and those that share the last one's hash.
   * Returns the hash from which on there are more; 0: there are none.
   */
  page(from: number, limit: number, visit: (name: string, value: V) => void): number {
    // Nothing lies between the empty name's place in the order and the first name of the hash.
    this.#place = from ^ SIGN;
    this.#name = '';
    let leaf = this.#tree.lastWhere(this.#isAtOrBefore) ?? this.#tree.first;
    let at = leaf === undefined ? 0 : this.#lowerBound(leaf);
    let visited = 0;
    let last = 0;
    for (; leaf !== undefined; leaf = leaf.next, at = 0) {
      const { places, names, values } = leaf;
      for (; at < names.length; at += 1) {
        const place = places[at] as number;
        if (visited >= limit && place !== last) return (place ^ SIGN) >>> 0;
        visit(names[at] as string, values?.[at] ?? (NONE as V));
        last = place;
        visited += 1;
      }
    }
    return 0;
  }

  #add(name: string, value: V): void {
    const place = this.#place;
    let leaf = this.#leaf ?? this.#tree.first;
    if (leaf === undefined) {
      const values = this.#withValues ? [value] : undefined;
      this.#tree.insertAfter(undefined, new FieldLeaf([place], [name], values));
      return;
    }
    let at = this.#at;
    if (leaf.size === LEAF_MAX) {
      const right = leaf.split();
      this.#tree.resized(leaf, -right.size);
      this.#tree.insertAfter(leaf, right);
      if (at > leaf.size) {
        at -= leaf.size;
        leaf = right;
      }
    }
    leaf.add(at, place, name, value);
    this.#tree.resized(leaf, 1);
  }

  #find(name: string): boolean {
    this.#place = sortedPlace(name);
    this.#name = name;
    const leaf = this.#tree.lastWhere(this.#isAtOrBefore);
    this.#leaf = leaf;
    this.#at = 0;
    if (leaf === undefined) return false;
    this.#at = this.#lowerBound(leaf);
    return leaf.places[this.#at] === this.#place && leaf.names[this.#at] === name;
  }

  /** The first element of a leaf that is not before the one that is looked for. */
  #lowerBound(leaf: FieldLeaf<V>): number {
    return firstNotBefore(0, leaf.size, (at) => this.#compareAt(leaf, at) < 0);
  }

  /** Below 0: the element is before the one that is looked for. */
  #compareAt(leaf: FieldLeaf<V>, at: number): number {
    const place = leaf.places[at] as number;
    if (place !== this.#place) return place < this.#place ? -1 : 1;
    const name = leaf.names[at] as string;
    return name === this.#name ? 0 : name < this.#name ? -1 : 1;
  }
}
