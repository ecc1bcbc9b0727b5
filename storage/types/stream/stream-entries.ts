/**
 * The entries of a stream in the order of their ids, which is that of their numbers: the one at a
 * number, and the number of an id, are found in O(log n). They are in blocks, each of which is a
 * row, named by its label; entries are only ever added behind all others.
 */
import { CountedTree } from '../counted-tree.ts';
import { BlockCursor, EntryBlock, type Fields } from './entry-block.ts';
import { ID_BYTES, type StreamId } from './stream-id.ts';

/** `false`: that is enough. */
type EntryVisit = (id: StreamId, fields: Fields) => boolean;

export class StreamEntries {
  /** Told the label of a block before the block changes, comes or goes. */
  readonly #touch: (label: StreamId) => void;
  readonly #tree = new CountedTree<EntryBlock>();
  #blockCount = 0;
  #rowBytes = 0;

  constructor(touch: (label: StreamId) => void) {
    this.#touch = touch;
  }

  get length(): number {
    return this.#tree.size;
  }

  get blockCount(): number {
    return this.#blockCount;
  }

  /** Bytes of the blocks and of their labels. */
  get bytes(): number {
    return this.#rowBytes + this.#blockCount * ID_BYTES;
  }

  /** The id of the first entry, and of the last one. */
  get first(): StreamId | undefined {
    return this.#tree.first?.idAt(0);
  }

  get last(): StreamId | undefined {
    const { last } = this.#tree;
    return last?.idAt(last.size - 1);
  }

  /** `id` is behind all others. */
  append(id: StreamId, fields: Fields): void {
    const { last } = this.#tree;
    const text = last?.textOf(id, fields);
    if (last !== undefined && text !== undefined) {
      this.#touch(last.label);
      const before = last.rowBytes;
      last.append(text, fields);
      this.#rowBytes += last.rowBytes - before;
      this.#tree.resized(last, 1);
      return;
    }
    last?.seal();
    const block = new EntryBlock(id);
    this.#touch(id);
    block.append(block.textOf(id, fields) ?? '', fields);
    this.#putIn(last, block);
  }

  /** Entries before an id. */
  countBefore(id: StreamId): number {
    const block = this.#blockFor(id);
    return block === undefined ? 0 : this.#tree.before(block) + block.countBefore(id);
  }

  has(id: StreamId): boolean {
    const block = this.#blockFor(id);
    return block !== undefined && isAt(block, block.countBefore(id), id);
  }

  /** `false`: there is none. */
  delete(id: StreamId): boolean {
    const block = this.#blockFor(id);
    if (block === undefined) return false;
    const at = block.countBefore(id);
    if (!isAt(block, at, id)) return false;
    this.#remove(block, at, at + 1);
    return true;
  }

  /** Entries of the first block, and the id of its last one, there or removed. */
  get firstBlock(): { readonly size: number; readonly last: StreamId } | undefined {
    const { first } = this.#tree;
    return first && { size: first.size, last: first.last };
  }

  /** Removes the first entries of the first block, which has as many. */
  dropFirst(count: number): void {
    const { first } = this.#tree;
    if (first !== undefined && count > 0) this.#remove(first, 0, count);
  }

  /** Visits up to `count` entries upwards from a number on; how many. They must be there. */
  ascend(index: number, count: number, visit: EntryVisit): number {
    if (count <= 0) return 0;
    let block: EntryBlock | undefined = this.#tree.leafAt(index);
    let skipped = this.#tree.offset;
    let visited = 0;
    for (; block !== undefined; block = block.next) {
      const cursor = new BlockCursor(block);
      for (; skipped > 0; skipped -= 1) cursor.next();
      while (cursor.next()) {
        visited += 1;
        if (!visit(cursor.id, cursor.fields) || visited === count) return visited;
      }
    }
    return visited;
  }

  /** The same downwards. */
  descend(index: number, count: number, visit: EntryVisit): number {
    if (count <= 0) return 0;
    let block: EntryBlock | undefined = this.#tree.leafAt(index);
    let end = this.#tree.offset + 1;
    let visited = 0;
    for (; block !== undefined; block = block.previous, end = block?.size ?? 0) {
      const cursor = new BlockCursor(block);
      const places: number[] = [];
      for (let at = 0; at < end && cursor.next(); at += 1) places.push(cursor.place);
      for (const place of places.reverse()) {
        cursor.goTo(place);
        visited += 1;
        if (!visit(cursor.id, cursor.fields) || visited === count) return visited;
      }
    }
    return visited;
  }

  rowOf(label: StreamId): string | undefined {
    return this.#blockOf(label)?.row;
  }

  /** Sets the block with a label, or removes it, as it was before; touches nothing. */
  putRow(label: StreamId, row: string | undefined): void {
    const { last } = this.#tree;
    const before = last !== undefined && last.label < label ? last : this.#blockFor(label);
    const old = before?.label === label ? before : undefined;
    const previous = old === undefined ? before : old.previous;
    if (old !== undefined) this.#takeOut(old);
    if (row !== undefined) this.#putIn(previous, EntryBlock.ofRow(label, row));
  }

  /** The labels of the blocks, ascending. */
  *labels(): Generator<StreamId, void, undefined> {
    for (let block = this.#tree.first; block !== undefined; block = block.next) yield block.label;
  }

  /** The block that has the id if any has it. */
  #blockFor(id: StreamId): EntryBlock | undefined {
    return this.#tree.lastWhere((block) => block.label <= id);
  }

  #blockOf(label: StreamId): EntryBlock | undefined {
    const block = this.#blockFor(label);
    return block?.label === label ? block : undefined;
  }

  #putIn(previous: EntryBlock | undefined, block: EntryBlock): void {
    this.#tree.insertAfter(previous, block);
    this.#blockCount += 1;
    this.#rowBytes += block.rowBytes;
  }

  #takeOut(block: EntryBlock): void {
    this.#tree.remove(block);
    this.#blockCount -= 1;
    this.#rowBytes -= block.rowBytes;
  }

  #remove(block: EntryBlock, from: number, to: number): void {
    this.#touch(block.label);
    if (to - from === block.size) return this.#takeOut(block);
    const before = block.rowBytes;
    block.remove(from, to);
    this.#rowBytes += block.rowBytes - before;
    this.#tree.resized(block, from - to);
  }
}

function isAt(block: EntryBlock, at: number, id: StreamId): boolean {
  return at < block.size && block.idAt(at) === id;
}
