/**
 * Streams: entries in the order of their ids, and consumer groups that read them. A stream has no
 * packed form, and is there without entries, too. Its rows: facts about it as a whole, the blocks
 * of its entries, and those of its groups.
 */
import { Collection, type CollectionHead } from '../collection.ts';
import { collectionType } from '../collection-type.ts';
import { ConsumerGroups, GROUP_KEY } from './consumer-groups.ts';
import type { Fields } from './entry-block.ts';
import { StreamEntries } from './stream-entries.ts';
import { flatId, ID_MIN, type StreamId } from './stream-id.ts';
import {
  FACTS_BYTES,
  factsRow,
  type GroupPlace,
  NOT_KNOWN,
  readFacts,
  type StreamFacts,
  wrapped,
} from './stream-rows.ts';

/** The order of a row among those of the stream, a character, then its name. */
type RowKey = string;

const FACTS: RowKey = '\x00';
const BLOCK = '\x01';

/** Approximate memory of a row beside its bytes: its objects, and its places in trees. */
const ROW_OVERHEAD_BYTES = 112;

/** The entries, to be read. */
type EntriesView = Pick<
  StreamEntries,
  'length' | 'blockCount' | 'first' | 'last' | 'has' | 'countBefore' | 'ascend' | 'descend'
>;

export class Stream extends Collection<RowKey> {
  readonly #entries = new StreamEntries((label) => this.touch(BLOCK + label));
  /** Its methods may be called while the stream is changed. */
  readonly groups = new ConsumerGroups((key) => this.touch(key));
  #facts: StreamFacts = { lastId: ID_MIN, removedId: ID_MIN, added: 0n, groupsMade: 0 };

  get count(): number {
    return this.#entries.length;
  }

  get rowCount(): number {
    return 1 + this.#entries.blockCount + this.groups.rowCount;
  }

  get contentBytes(): number {
    return FACTS_BYTES + this.#entries.bytes + this.groups.bytes;
  }

  override get isEmpty(): boolean {
    return false;
  }

  protected override overheadOf(_elements: number, rows: number): number {
    return rows * ROW_OVERHEAD_BYTES;
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
    if (key >= GROUP_KEY) return this.groups.rowOf(key);
    return key === FACTS ? factsRow(this.#facts) : this.#entries.rowOf(key.slice(1));
  }

  putRow(key: RowKey, value: string | undefined): void {
    if (key >= GROUP_KEY) this.groups.putRow(key, value);
    else if (key !== FACTS) this.#entries.putRow(flatId(key.slice(1)), value);
    else if (value !== undefined) this.#facts = readFacts(value);
  }

  *rowKeys(): Generator<RowKey, void, undefined> {
    yield FACTS;
    for (const label of this.#entries.labels()) yield BLOCK + label;
    yield* this.groups.rowKeys();
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

  setFacts(facts: Partial<StreamFacts>): void {
    this.touch(FACTS);
    this.#facts = { ...this.#facts, ...facts };
  }

  /** `id` is behind the last one. */
  append(id: StreamId, fields: Fields): void {
    this.setFacts({ lastId: id, added: wrapped(this.#facts.added + 1n) });
    this.#entries.append(id, fields);
  }

  /** `false`: there is no such entry. */
  delete(id: StreamId): boolean {
    if (!this.#entries.delete(id)) return false;
    if (id > this.#facts.removedId) this.setFacts({ removedId: id });
    return true;
  }

  /** As `StreamEntries`. */
  get firstBlock(): StreamEntries['firstBlock'] {
    return this.#entries.firstBlock;
  }

  dropFirst(count: number): void {
    this.#entries.dropFirst(count);
  }

  /** There is no group of this name. */
  createGroup(name: string, place: GroupPlace): void {
    const groupsMade = this.#facts.groupsMade + 1;
    this.setFacts({ groupsMade });
    this.groups.create(groupsMade, name, place);
  }

  /**
   * Entries up to an id that were ever added; `NOT_KNOWN` where entries between others are gone, or
   * the id is not that of an entry at an end.
   */
  readUpTo(id: StreamId): bigint {
    const { lastId, removedId, added } = this.#facts;
    const length = BigInt(this.count);
    if (added === 0n) return 0n;
    if (length === 0n && id <= lastId) return added;
    if (id !== ID_MIN && id < removedId) return NOT_KNOWN;
    if (id === lastId) return added;
    const first = this.#entries.first ?? ID_MIN;
    if (id > lastId || id > first || (removedId !== ID_MIN && removedId >= first)) return NOT_KNOWN;
    return wrapped(id === first ? added - length + 1n : added - length);
  }

  /** Whether XDEL has removed an entry from this id on, of a stream that has entries. */
  hasGapFrom(id: StreamId): boolean {
    const { removedId } = this.#facts;
    return this.count > 0 && removedId !== ID_MIN && id <= removedId;
  }
}

export const STREAM = collectionType<Stream>({
  code: 7,
  name: 'stream',
  encodings: ['stream'],
  empty: (label, head?: CollectionHead) => new Stream(label, head),
});
