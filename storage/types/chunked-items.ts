/**
 * Byte strings by position, in chunks of bounded size: pushes and pops at both ends take constant
 * time, all else O(log n), and a change concerns one chunk, or two. A chunk is one row on the disk,
 * named by a label (`chunk-labels.ts`). What a list is made of.
 */
import { labelBetween, relabelled } from './chunk-labels.ts';
import { CountedLeaf, CountedTree } from './counted-tree.ts';
import type { Items } from './items.ts';

const ITEMS_MAX = 128;
/** A chunk is longer only where it has one item alone. */
const BYTES_MAX = 2_048;
/** A chunk between two others with less than this is joined with a neighbour that has room. */
const ITEMS_FEW = 32;
const BYTES_FEW = 512;
const JOINED_ITEMS_MAX = 96;
const JOINED_BYTES_MAX = 1_536;

class Chunk extends CountedLeaf<Chunk> {
  label: number;
  items: string[];
  bytes: number;

  constructor(label: number, items: string[]) {
    super();
    this.label = label;
    this.items = items;
    this.bytes = bytesOf(items);
  }

  get size(): number {
    return this.items.length;
  }

  get isLarge(): boolean {
    return this.size > 1 && (this.size > ITEMS_MAX || this.bytes > BYTES_MAX);
  }

  get isSmall(): boolean {
    return this.size < ITEMS_FEW && this.bytes < BYTES_FEW;
  }

  hasRoomFor(item: string): boolean {
    return this.size < ITEMS_MAX && this.bytes + item.length <= BYTES_MAX;
  }
}

export class ChunkedItems implements Items {
  /** Told the label of a chunk before the chunk changes, comes or goes. */
  readonly #touch: (label: number) => void;
  readonly #tree = new CountedTree<Chunk>();
  #chunkCount = 0;
  #bytes = 0;

  constructor(touch: (label: number) => void) {
    this.#touch = touch;
  }

  get length(): number {
    return this.#tree.size;
  }

  get chunkCount(): number {
    return this.#chunkCount;
  }

  /** Bytes of all items. */
  get bytes(): number {
    return this.#bytes;
  }

  at(index: number): string {
    const chunk = this.#tree.leafAt(index);
    return chunk.items[this.#tree.offset] as string;
  }

  pushRight(item: string): void {
    const { last } = this.#tree;
    if (last?.hasRoomFor(item) !== true) return this.#addAfter(last, [item]);
    this.#splice(last, last.size, 0, [item]);
  }

  pushLeft(item: string): void {
    const { first } = this.#tree;
    if (first?.hasRoomFor(item) !== true) return this.#addAfter(undefined, [item]);
    this.#splice(first, 0, 0, [item]);
  }

  set(index: number, item: string): void {
    const chunk = this.#tree.leafAt(index);
    this.#splice(chunk, this.#tree.offset, 1, [item]);
    this.#splitLarge(chunk);
  }

  insert(index: number, item: string): void {
    if (index === 0) return this.pushLeft(item);
    const chunk = this.#tree.leafAt(index);
    this.#splice(chunk, this.#tree.offset, 0, [item]);
    this.#splitLarge(chunk);
  }

  remove(index: number, count: number): void {
    let left = count;
    while (left > 0) {
      const chunk = this.#tree.leafAt(index);
      const { offset } = this.#tree;
      const removed = Math.min(left, chunk.size - offset);
      left -= removed;
      if (removed === chunk.size) {
        this.#touch(chunk.label);
        this.#takeOut(chunk);
      } else {
        this.#splice(chunk, offset, removed, []);
        if (left === 0) this.#joinSmall(chunk);
      }
    }
  }

  ascend(index: number, count: number, visit: (item: string) => void): void {
    this.find(index, count, (item) => {
      visit(item);
      return false;
    });
  }

  find(index: number, count: number, test: (item: string) => boolean): number | undefined {
    if (count <= 0) return undefined;
    let chunk: Chunk | undefined = this.#tree.leafAt(index);
    let at = this.#tree.offset;
    for (let visited = 0; visited < count; visited += 1) {
      if (at === (chunk as Chunk).size) {
        chunk = chunk?.next;
        at = 0;
      }
      if (test(chunk?.items[at] as string)) return index + visited;
      at += 1;
    }
    return undefined;
  }

  findLast(index: number, count: number, test: (item: string) => boolean): number | undefined {
    if (count <= 0) return undefined;
    let chunk: Chunk | undefined = this.#tree.leafAt(index);
    let at = this.#tree.offset;
    for (let visited = 0; visited < count; visited += 1) {
      if (at < 0) {
        chunk = chunk?.previous;
        at = (chunk as Chunk).size - 1;
      }
      if (test(chunk?.items[at] as string)) return index - visited;
      at -= 1;
    }
    return undefined;
  }

  /** The items of the chunk with a label. */
  chunkOf(label: number): readonly string[] | undefined {
    return this.#chunkOf(label)?.items;
  }

  /** Sets the chunk with a label, or removes it, as it was before; touches nothing. */
  putChunk(label: number, items: readonly string[] | undefined): void {
    const before = this.#tree.lastWhere((chunk) => chunk.label <= label);
    const old = before?.label === label ? before : undefined;
    const previous = old === undefined ? before : old.previous;
    if (old !== undefined) this.#takeOut(old);
    if (items !== undefined) this.#putIn(previous, new Chunk(label, [...items]));
  }

  /** The labels of the chunks, ascending. */
  *labels(): Generator<number, void, undefined> {
    for (let chunk = this.#tree.first; chunk !== undefined; chunk = chunk.next) yield chunk.label;
  }

  #chunkOf(label: number): Chunk | undefined {
    const chunk = this.#tree.lastWhere((candidate) => candidate.label <= label);
    return chunk?.label === label ? chunk : undefined;
  }

  #putIn(previous: Chunk | undefined, chunk: Chunk): void {
    this.#tree.insertAfter(previous, chunk);
    this.#chunkCount += 1;
    this.#bytes += chunk.bytes;
  }

  #takeOut(chunk: Chunk): void {
    this.#tree.remove(chunk);
    this.#chunkCount -= 1;
    this.#bytes -= chunk.bytes;
  }

  #splice(chunk: Chunk, at: number, removed: number, added: readonly string[]): void {
    this.#touch(chunk.label);
    const gone = chunk.items.splice(at, removed, ...added);
    const grown = bytesOf(added) - bytesOf(gone);
    chunk.bytes += grown;
    this.#bytes += grown;
    this.#tree.resized(chunk, added.length - gone.length);
  }

  #addAfter(previous: Chunk | undefined, items: string[]): void {
    const next = previous === undefined ? this.#tree.first : previous.next;
    const label = labelBetween(previous?.label, next?.label);
    const chunk = new Chunk(label ?? 0, items);
    if (label !== undefined) this.#touch(label);
    this.#putIn(previous, chunk);
    if (label === undefined) this.#relabelAround(chunk);
  }

  /** Gives a new chunk a label, and some of its neighbours other ones. */
  #relabelAround(added: Chunk): void {
    const chunks: Chunk[] = [];
    for (let at = this.#tree.first; at !== undefined; at = at.next) chunks.push(at);
    const { from, labels } = relabelled(
      chunks.map((chunk) => chunk.label),
      chunks.indexOf(added),
    );
    // While the new one has no label, it is in no one's way.
    this.#tree.remove(added);
    for (const [i, label] of labels.entries()) {
      const chunk = chunks[from + i] as Chunk;
      if (chunk !== added) this.#touch(chunk.label);
      if (this.#chunkOf(label) === undefined) this.#touch(label);
    }
    for (const [i, label] of labels.entries()) (chunks[from + i] as Chunk).label = label;
    this.#tree.insertAfter(chunks[chunks.indexOf(added) - 1], added);
  }

  /** Two parts of about as many bytes, until a large item is alone. */
  #splitLarge(chunk: Chunk): void {
    if (!chunk.isLarge) return;
    let at = 1;
    let bytes = (chunk.items[0] as string).length;
    while (at < chunk.size - 1 && (bytes + (chunk.items[at] as string).length) * 2 <= chunk.bytes) {
      bytes += (chunk.items[at] as string).length;
      at += 1;
    }
    if (chunk.bytes <= BYTES_MAX) at = chunk.size >>> 1;
    this.#touch(chunk.label);
    const items = chunk.items.splice(at);
    const moved = bytesOf(items);
    chunk.bytes -= moved;
    this.#bytes -= moved;
    this.#tree.resized(chunk, -items.length);
    this.#addAfter(chunk, items);
    const right = chunk.next as Chunk;
    this.#splitLarge(chunk);
    this.#splitLarge(right);
  }

  #joinSmall(chunk: Chunk): void {
    const { previous, next } = chunk;
    if (!chunk.isSmall || previous === undefined || next === undefined) return;
    const isFit = (other: Chunk): boolean =>
      other.size + chunk.size <= JOINED_ITEMS_MAX && other.bytes + chunk.bytes <= JOINED_BYTES_MAX;
    const fit = [previous, next].find(isFit);
    if (fit === undefined) return;
    this.#touch(chunk.label);
    this.#takeOut(chunk);
    this.#splice(fit, fit === previous ? fit.size : 0, 0, chunk.items);
  }
}

function bytesOf(items: readonly string[]): number {
  let bytes = 0;
  for (const item of items) bytes += item.length;
  return bytes;
}
