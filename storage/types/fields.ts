/** The large form of hashes and sets: each element is a row, by its hash and its name. */
import { placeOfText } from '../place.ts';
import { Collection, type CollectionHead } from './collection.ts';
import { FieldTree } from './field-tree.ts';

export class Fields extends Collection<string> {
  readonly #tree: FieldTree;
  readonly #withValues: boolean;
  #contentBytes = 0;

  constructor(withValues: boolean, label: number, head?: CollectionHead) {
    super(label, head);
    this.#withValues = withValues;
    this.#tree = new FieldTree(withValues);
  }

  get count(): number {
    return this.#tree.size;
  }

  get rowCount(): number {
    return this.#tree.size;
  }

  get contentBytes(): number {
    return this.#contentBytes;
  }

  orderOf(name: string): number {
    return placeOfText(name) >>> 0;
  }

  nameOf(name: string): string {
    return name;
  }

  keyOf(_order: number, name: string): string {
    return name;
  }

  rowOf(name: string): string | undefined {
    return this.#tree.get(name);
  }

  putRow(name: string, value: string | undefined): void {
    if (value === undefined) this.#delete(name);
    else this.#set(name, value);
  }

  rowKeys(): Iterable<string> {
    return this.#tree.names();
  }

  emptyCopy(): Fields {
    return new Fields(this.#withValues, this.label);
  }

  get(name: string): string | undefined {
    return this.#tree.get(name);
  }

  has(name: string): boolean {
    return this.#tree.get(name) !== undefined;
  }

  /** `true`: the name is new. */
  set(name: string, value: string): boolean {
    this.touch(name);
    return this.#set(name, value);
  }

  /** `false`: there was none. */
  delete(name: string): boolean {
    if (!this.has(name)) return false;
    this.touch(name);
    this.#delete(name);
    return true;
  }

  nameAt(index: number): string {
    return this.#tree.nameAt(index);
  }

  forEach(visit: (name: string, value: string) => void): void {
    this.#tree.forEach(visit);
  }

  /** As `FieldTree.page`. */
  page(from: number, limit: number, visit: (name: string, value: string) => void): number {
    return this.#tree.page(from, limit, visit);
  }

  #set(name: string, value: string): boolean {
    const before = this.#tree.set(name, value);
    const replaced = before === undefined ? -name.length : before.length;
    this.#contentBytes += value.length - replaced;
    return before === undefined;
  }

  #delete(name: string): void {
    const before = this.#tree.delete(name);
    if (before !== undefined) this.#contentBytes -= name.length + before.length;
  }
}
