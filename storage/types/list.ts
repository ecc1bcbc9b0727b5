/**
 * Lists: items by position. In the large form a chunk of items is a row, its label the row's place
 * among the others.
 */
import { ChunkedItems } from './chunked-items.ts';
import { Collection, type CollectionHead } from './collection.ts';
import { collectionType } from './collection-type.ts';
import type { Items } from './items.ts';

/** Bytes of an item's length in a row. */
const LENGTH_CHARACTERS = 4;

export class List extends Collection<number> implements Items {
  readonly #items = new ChunkedItems((label) => this.touch(label));

  get count(): number {
    return this.#items.length;
  }

  get rowCount(): number {
    return this.#items.chunkCount;
  }

  get contentBytes(): number {
    return this.#items.bytes;
  }

  orderOf(label: number): number {
    return label;
  }

  nameOf(): string {
    return '';
  }

  keyOf(order: number): number {
    return order;
  }

  rowOf(label: number): string | undefined {
    const items = this.#items.chunkOf(label);
    return items === undefined ? undefined : rowOfItems(items);
  }

  putRow(label: number, value: string | undefined): void {
    this.#items.putChunk(label, value === undefined ? undefined : itemsOfRow(value));
  }

  rowKeys(): Iterable<number> {
    return this.#items.labels();
  }

  emptyCopy(): List {
    return new List(this.label);
  }

  get length(): number {
    return this.#items.length;
  }

  at(index: number): string {
    return this.#items.at(index);
  }

  pushLeft(item: string): void {
    this.#items.pushLeft(item);
  }

  pushRight(item: string): void {
    this.#items.pushRight(item);
  }

  set(index: number, item: string): void {
    this.#items.set(index, item);
  }

  insert(index: number, item: string): void {
    this.#items.insert(index, item);
  }

  remove(index: number, count: number): void {
    this.#items.remove(index, count);
  }

  ascend(index: number, count: number, visit: (item: string) => void): void {
    this.#items.ascend(index, count, visit);
  }

  find(index: number, count: number, test: (item: string) => boolean): number | undefined {
    return this.#items.find(index, count, test);
  }

  findLast(index: number, count: number, test: (item: string) => boolean): number | undefined {
    return this.#items.findLast(index, count, test);
  }
}

/** Each item behind its length: u32, big endian. */
function rowOfItems(items: readonly string[]): string {
  let row = '';
  for (const item of items) {
    const { length } = item;
    row += String.fromCharCode(length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255);
    row += String.fromCharCode(length & 255) + item;
  }
  return row;
}

function itemsOfRow(row: string): string[] {
  const items: string[] = [];
  for (let at = 0; at < row.length; ) {
    let length = 0;
    for (let i = 0; i < LENGTH_CHARACTERS; i += 1) length = length * 256 + row.charCodeAt(at + i);
    at += LENGTH_CHARACTERS;
    items.push(row.slice(at, at + length));
    at += length;
  }
  return items;
}

export const LIST_LISTPACK = 0;
export const LIST_QUICKLIST = 1;

export const LIST = collectionType<List>({
  code: 4,
  name: 'list',
  encodings: ['listpack', 'quicklist'],
  empty: (label, head?: CollectionHead) => new List(label, head),
});
