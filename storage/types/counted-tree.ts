/**
 * A B+ tree that counts: the sequence of the leaves, each with some elements, in which the element
 * at an index and the index of a leaf are found in O(log n). It knows nothing of the elements: its
 * owners (sorted sets, lists) fill, split and join leaves and tell it of them. Pure.
 */
import { firstNotBefore } from './binary-search.ts';

const CHILDREN_MAX = 32;
/** Below this a branch is joined with a neighbour, if both fit with room to spare. */
const CHILDREN_FEW = 8;
const JOINED_MAX = 24;

export abstract class CountedLeaf<L extends CountedLeaf<L>> {
  /** The tree alone writes these three. */
  parent: Branch<L> | undefined = undefined;
  next: L | undefined = undefined;
  previous: L | undefined = undefined;

  /** Number of elements. No leaf of a tree is empty between two calls of its owner. */
  abstract get size(): number;
}

type Node<L extends CountedLeaf<L>> = Branch<L> | L;

class Branch<L extends CountedLeaf<L>> {
  parent: Branch<L> | undefined = undefined;
  children: Node<L>[];
  size: number;
  /** The first leaf below it; none in an empty root alone. */
  first: L | undefined;

  constructor(children: Node<L>[]) {
    this.children = children;
    this.size = 0;
    for (const child of children) {
      this.size += child.size;
      child.parent = this;
    }
    this.first = firstOf(children[0]);
  }
}

function firstOf<L extends CountedLeaf<L>>(node: Node<L> | undefined): L | undefined {
  return node instanceof Branch ? node.first : node;
}

export class CountedTree<L extends CountedLeaf<L>> {
  #root: Branch<L>;
  #last: L | undefined;
  /** Where the last `leafAt` found its element in the leaf. */
  offset = 0;

  /** Leaves in order, none of them empty. */
  constructor(leaves: readonly L[] = []) {
    this.#last = leaves.at(-1);
    for (let i = 0; i < leaves.length; i += 1) {
      const leaf = leaves[i] as L;
      leaf.previous = leaves[i - 1];
      leaf.next = leaves[i + 1];
    }
    let nodes: Node<L>[] = [...leaves];
    while (nodes.length > CHILDREN_MAX) {
      const branches: Branch<L>[] = [];
      for (let at = 0; at < nodes.length; at += JOINED_MAX) {
        branches.push(new Branch<L>(nodes.slice(at, at + JOINED_MAX)));
      }
      nodes = branches;
    }
    this.#root = new Branch<L>(nodes);
  }

  /** Elements of all leaves. */
  get size(): number {
    return this.#root.size;
  }

  get first(): L | undefined {
    return this.#root.first;
  }

  get last(): L | undefined {
    return this.#last;
  }

  /** The leaf with the element at an index, which must be there; `offset` tells where in it. */
  leafAt(index: number): L {
    let node: Node<L> = this.#root;
    let left = index;
    while (node instanceof Branch) {
      const { children }: Branch<L> = node;
      let at = 0;
      while (at < children.length - 1 && left >= (children[at] as Node<L>).size) {
        left -= (children[at] as Node<L>).size;
        at += 1;
      }
      node = children[at] as Node<L>;
    }
    this.offset = left;
    return node;
  }

  /** Elements before those of a leaf. */
  before(leaf: L): number {
    let before = 0;
    let node: Node<L> = leaf;
    for (let parent = leaf.parent; parent !== undefined; parent = parent.parent) {
      for (const child of parent.children) {
        if (child === node) break;
        before += child.size;
      }
      node = parent;
    }
    return before;
  }

  /** The last leaf that has a property which no leaf has behind one that lacks it. */
  lastWhere(holds: (leaf: L) => boolean): L | undefined {
    let node: Node<L> = this.#root;
    while (node instanceof Branch) {
      const { children }: Branch<L> = node;
      const end = firstNotBefore(0, children.length, (at) => holds(firstOf(children[at]) as L));
      if (end === 0) return undefined;
      node = children[end - 1] as Node<L>;
    }
    return node;
  }

  /** Call it after elements were added to a leaf, or removed from it. */
  resized(leaf: L, by: number): void {
    for (let branch = leaf.parent; branch !== undefined; branch = branch.parent) branch.size += by;
  }

  /** Puts a new leaf behind another one, or first. */
  insertAfter(previous: L | undefined, leaf: L): void {
    const next = previous === undefined ? this.first : previous.next;
    leaf.previous = previous;
    leaf.next = next;
    if (previous !== undefined) previous.next = leaf;
    if (next === undefined) this.#last = leaf;
    else next.previous = leaf;
    const parent = previous?.parent ?? next?.parent ?? this.#root;
    parent.children.splice(previous === undefined ? 0 : indexOf(parent, previous) + 1, 0, leaf);
    leaf.parent = parent;
    this.resized(leaf, leaf.size);
    refreshFirst(parent);
    this.#splitLarge(parent);
  }

  /** Takes a leaf out; its size must be what the tree was told last. */
  remove(leaf: L): void {
    const { previous, next } = leaf;
    if (previous !== undefined) previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    this.resized(leaf, -leaf.size);
    const parent = leaf.parent as Branch<L>;
    leaf.parent = undefined;
    leaf.previous = undefined;
    leaf.next = undefined;
    this.#dropChild(parent, indexOf(parent, leaf));
  }

  #splitLarge(branch: Branch<L>): void {
    let large: Branch<L> | undefined = branch;
    while (large !== undefined && large.children.length > CHILDREN_MAX) {
      const right = new Branch<L>(large.children.splice(large.children.length >>> 1));
      large.size -= right.size;
      const parent: Branch<L> | undefined = large.parent;
      if (parent === undefined) {
        this.#root = new Branch<L>([large, right]);
        return;
      }
      right.parent = parent;
      parent.children.splice(indexOf(parent, large) + 1, 0, right);
      large = parent;
    }
  }

  #dropChild(branch: Branch<L>, at: number): void {
    branch.children.splice(at, 1);
    const { parent } = branch;
    if (branch.children.length === 0 && parent !== undefined) {
      this.#dropChild(parent, indexOf(parent, branch));
      return;
    }
    refreshFirst(branch);
    if (branch.children.length < CHILDREN_FEW && parent !== undefined) this.#join(branch, parent);
    while (this.#root.children.length === 1 && this.#root.children[0] instanceof Branch) {
      this.#root = this.#root.children[0];
      this.#root.parent = undefined;
    }
  }

  #join(few: Branch<L>, parent: Branch<L>): void {
    const at = indexOf(parent, few);
    const left = at > 0 ? at - 1 : 0;
    const [a, b] = [parent.children[left], parent.children[left + 1]];
    if (!(a instanceof Branch && b instanceof Branch)) return;
    if (a.children.length + b.children.length > JOINED_MAX) return;
    for (const child of b.children) {
      child.parent = a;
      a.children.push(child);
    }
    a.size += b.size;
    this.#dropChild(parent, left + 1);
  }
}

function indexOf<L extends CountedLeaf<L>>(branch: Branch<L>, node: Node<L>): number {
  return branch.children.indexOf(node);
}

function refreshFirst<L extends CountedLeaf<L>>(from: Branch<L>): void {
  let branch: Branch<L> | undefined = from;
  while (branch !== undefined) {
    const first = firstOf(branch.children[0]);
    if (branch.first === first) return;
    branch.first = first;
    branch = branch.parent;
  }
}
