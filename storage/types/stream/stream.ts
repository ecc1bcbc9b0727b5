/**
 * Streams: entries in the order of their ids. A stream has no packed form, and is there without
 * entries, too. Its rows: what is known of it as a whole, and the blocks of its entries.
 */
import { Collection, type CollectionHead } from '../collection.ts';
import { collectionType } from '../collection-type.ts';
import type { Fields } from './entry-block.ts';
import { StreamEntries } from './stream-entries.ts';
import { ID_MIN, type StreamId } from './stream-id.ts';
import { FACTS_BYTES, readFacts, type StreamFacts, writeFacts } from './stream-rows.ts';

/** The order of a row among those of the stream, a character, then its name. */
type RowKey = string;

const FACTS: RowKey = '\x00';
const BLOCK = '\x01';

/** The entries, to be read. */
type EntriesView = Pick<
  StreamEntries,
  'length' | 'blockCount' | 'first' | 'last' | 'has' | 'countBefore' | 'ascend' | 'descend'
>;

export class Stream extends Collection<RowKey> {
  readonly #entries = new StreamEntries((label) => this.touch(BLOCK + label));
  #facts: StreamFacts = { lastId: ID_MIN, removedId: ID_MIN, added: 0n };

  get count(): number {
    return this.#entries.length;
  }

  get rowCount(): number {
    return 1 + this.#entries.blockCount;
  }

  get contentBytes(): number {
    return FACTS_BYTES + this.#entries.bytes;
  }

  override get isEmpty(): boolean {
    return false;
  }

  orderOf(key: RowKey): number {
    return key.charCodeAt(0);
  }

  nameOf(key: RowKey): string {
    return key.slice(1);
  }

  keyOf(order: number, name: string): RowKey {
    return String.fromCharCode(order) + name;
  }

  rowOf(key: RowKey): string | undefined {
    return key === FACTS ? writeFacts(this.#facts) : this.#entries.rowOf(key.slice(1));
  }

  putRow(key: RowKey, value: string | undefined): void {
    if (key !== FACTS) this.#entries.putRow(key.slice(1), value);
    else if (value !== undefined) this.#facts = readFacts(value);
  }

  *rowKeys(): Generator<RowKey, void, undefined> {
    yield FACTS;
    for (const label of this.#entries.labels()) yield BLOCK + label;
  }

  emptyCopy(): Stream {
    return new Stream(this.label);
  }

  get entries(): EntriesView {
    return this.#entries;
  }

  get facts(): StreamFacts {
    return this.#facts;
  }

  setFacts(facts: StreamFacts): void {
    this.touch(FACTS);
    this.#facts = facts;
  }

  /** `id` is behind the last one. */
  append(id: StreamId, fields: Fields): void {
    const { removedId, added } = this.#facts;
    this.setFacts({ lastId: id, removedId, added: added + 1n });
    this.#entries.append(id, fields);
  }

  /** `false`: there is no such entry. */
  delete(id: StreamId): boolean {
    if (!this.#entries.delete(id)) return false;
    if (id > this.#facts.removedId) this.setFacts({ ...this.#facts, removedId: id });
    return true;
  }

  /** As `StreamEntries`. */
  get firstBlock(): StreamEntries['firstBlock'] {
    return this.#entries.firstBlock;
  }

  dropFirst(count: number): void {
    this.#entries.dropFirst(count);
  }

  protected override overheadOf(_elements: number, rows: number): number {
    return rows * BLOCK_OVERHEAD_BYTES;
  }
}

/** Approximate memory of a row beside its bytes: its object, its label, its place in the tree. */
const BLOCK_OVERHEAD_BYTES = 160;

export const STREAM = collectionType<Stream>({
  code: 7,
  name: 'stream',
  encodings: ['stream'],
  empty: (label, head?: CollectionHead) => new Stream(label, head),
});
