/** The items of a small list, unpacked. */
import type { Items } from './items.ts';
import { pack, unpack } from './packed.ts';

export class ItemArray implements Items {
  readonly #items: string[];

  constructor(packed?: string) {
    this.#items = packed === undefined ? [] : unpack(packed);
  }

  get length(): number {
    return this.#items.length;
  }

  get contentBytes(): number {
    let bytes = 0;
    for (const item of this.#items) bytes += item.length;
    return bytes;
  }

  at(index: number): string {
    return this.#items[index] as string;
  }

  pushLeft(item: string): void {
    this.#items.unshift(item);
  }

  pushRight(item: string): void {
    this.#items.push(item);
  }

  set(index: number, item: string): void {
    this.#items[index] = item;
  }

  insert(index: number, item: string): void {
    this.#items.splice(index, 0, item);
  }

  remove(index: number, count: number): void {
    this.#items.splice(index, count);
  }

  ascend(index: number, count: number, visit: (item: string) => void): void {
    for (let at = index; at < index + count; at += 1) visit(this.#items[at] as string);
  }

  find(index: number, count: number, test: (item: string) => boolean): number | undefined {
    for (let at = index; at < index + count; at += 1) {
      if (test(this.#items[at] as string)) return at;
    }
    return undefined;
  }

  findLast(index: number, count: number, test: (item: string) => boolean): number | undefined {
    for (let at = index; at > index - count; at -= 1) {
      if (test(this.#items[at] as string)) return at;
    }
    return undefined;
  }

  /** `undefined`: it would be too long. */
  packed(label: number): string | undefined {
    return pack(label, this.#items);
  }
}
