/**
 * Values by their names, in the order of the names' bytes: a name, and the names from one on, are
 * found in O(log n). Pure.
 */
import { firstNotBefore } from './binary-search.ts';
import { CountedLeaf, CountedTree } from './counted-tree.ts';

const LEAF_MAX = 64;
const LEAF_FEW = 16;

class TextLeaf<V> extends CountedLeaf<TextLeaf<V>> {
  readonly texts: string[];
  readonly values: V[];

  constructor(texts: string[], values: V[]) {
    super();
    this.texts = texts;
    this.values = values;
  }

  get size(): number {
    return this.texts.length;
  }

  /** The index of the first text that is not before this one. */
  indexOf(text: string): number {
    return firstNotBefore(0, this.size, (at) => (this.texts[at] as string) < text);
  }
}

export class TextTree<V> {
  readonly #tree = new CountedTree<TextLeaf<V>>();

  get size(): number {
    return this.#tree.size;
  }

  get first(): string | undefined {
    return this.#tree.first?.texts[0];
  }

  get last(): string | undefined {
    return this.#tree.last?.texts.at(-1);
  }

  get(text: string): V | undefined {
    const leaf = this.#leafFor(text);
    const at = leaf?.indexOf(text) ?? 0;
    return leaf?.texts[at] === text ? leaf.values[at] : undefined;
  }

  /** Adds a value, or replaces the one of this name. */
  set(text: string, value: V): void {
    let leaf = this.#leafFor(text) ?? this.#tree.first;
    if (leaf === undefined) {
      this.#tree.insertAfter(undefined, new TextLeaf([text], [value]));
      return;
    }
    let at = leaf.indexOf(text);
    if (leaf.texts[at] === text) {
      leaf.values[at] = value;
      return;
    }
    if (leaf.size === LEAF_MAX) {
      // Names that come in order leave full leaves behind.
      const half = at === LEAF_MAX ? LEAF_MAX - 1 : LEAF_MAX >>> 1;
      const right = new TextLeaf(leaf.texts.splice(half), leaf.values.splice(half));
      this.#tree.resized(leaf, -right.size);
      this.#tree.insertAfter(leaf, right);
      if (at > half) {
        leaf = right;
        at -= half;
      }
    }
    leaf.texts.splice(at, 0, text);
    leaf.values.splice(at, 0, value);
    this.#tree.resized(leaf, 1);
  }

  /** The value that was there. */
  delete(text: string): V | undefined {
    const leaf = this.#leafFor(text);
    const at = leaf?.indexOf(text) ?? 0;
    if (leaf === undefined || leaf.texts[at] !== text) return undefined;
    const value = leaf.values[at];
    if (leaf.size === 1) {
      this.#tree.remove(leaf);
      return value;
    }
    leaf.texts.splice(at, 1);
    leaf.values.splice(at, 1);
    this.#tree.resized(leaf, -1);
    const { next } = leaf;
    if (leaf.size < LEAF_FEW && next !== undefined && leaf.size + next.size <= LEAF_MAX >>> 1) {
      this.#tree.remove(next);
      leaf.texts.push(...next.texts);
      leaf.values.push(...next.values);
      this.#tree.resized(leaf, next.size);
    }
    return value;
  }

  /** Names and values from a name on. Good until the tree changes. */
  *from(text: string): Generator<readonly [text: string, value: V], void, undefined> {
    let leaf = this.#leafFor(text) ?? this.#tree.first;
    for (let at = leaf?.indexOf(text) ?? 0; leaf !== undefined; leaf = leaf.next, at = 0) {
      for (; at < leaf.size; at += 1) yield [leaf.texts[at] as string, leaf.values[at] as V];
    }
  }

  /** Up to `limit` of them. */
  page(text: string, limit: number): (readonly [text: string, value: V])[] {
    const found: (readonly [string, V])[] = [];
    if (limit <= 0) return found;
    for (const each of this.from(text)) {
      found.push(each);
      if (found.length === limit) break;
    }
    return found;
  }

  *values(): Generator<V, void, undefined> {
    for (let leaf = this.#tree.first; leaf !== undefined; leaf = leaf.next) yield* leaf.values;
  }

  #leafFor(text: string): TextLeaf<V> | undefined {
    return this.#tree.lastWhere((leaf) => (leaf.texts[0] as string) <= text);
  }
}
