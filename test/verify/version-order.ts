/**
 * The order of appends per key, as the reads of a history show it, and what is wrong with single
 * reads. A list shows its whole past: the longest read of a key gives the order, and every other
 * read must be a beginning of it. `strict-serializability.ts` builds on it; nothing here looks at
 * more than one key at a time.
 */
import { InvalidHistoryError } from './history.ts';
import {
  describeList,
  type Read,
  startsWith,
  type Transaction,
  type Value,
} from './transactions.ts';

export interface Append {
  readonly value: Value;
  readonly writer: Transaction;
  /** False when the same transaction appends to the key again afterwards. */
  readonly isLast: boolean;
}

export interface KeyRead {
  readonly reader: Transaction;
  /** Length of the beginning of `order` that the reader saw. */
  readonly version: number;
}

export interface KeyOrder {
  readonly key: string;
  /** By value: everything that anybody tried to append. */
  readonly appends: ReadonlyMap<Value, Append>;
  /** The longest list read. */
  readonly order: readonly Value[];
  /** The writer of each element of `order`; undefined where there is none. */
  readonly writers: readonly (Append | undefined)[];
  /** Reads that are beginnings of `order`, without the readers' own appends. */
  readonly reads: readonly KeyRead[];
}

export type ReadAnomalyName =
  | 'internal'
  | 'duplicate'
  | 'unknown-value'
  | 'incompatible-order'
  | 'lost-append'
  | 'G1a'
  | 'G1b';

export interface ReadAnomaly {
  readonly name: ReadAnomalyName;
  readonly key: string;
  readonly transactions: readonly Transaction[];
  readonly why: string;
}

export interface VersionOrders {
  readonly keys: readonly KeyOrder[];
  readonly anomalies: readonly ReadAnomaly[];
  /** By transaction index: 1 when an append of it was seen by anybody. */
  readonly observed: Uint8Array;
}

interface KeyDraft {
  readonly key: string;
  readonly appends: Map<Value, Append>;
  /** Transactions that append to the key more than once. */
  readonly blocks: Transaction[];
  readonly reads: { reader: Transaction; read: Read }[];
  longest: { reader: Transaction; read: Read } | undefined;
}

/** @throws InvalidHistoryError when two appends add the same value to one key. */
export function findVersionOrders(transactions: readonly Transaction[]): VersionOrders {
  const finder = new Finder(transactions.length);
  for (const transaction of transactions) finder.collect(transaction);
  for (const transaction of transactions) finder.inspectBroken(transaction);
  const keys = finder.drafts().map((draft) => finder.order(draft));
  return { keys, anomalies: finder.anomalies, observed: finder.observed };
}

class Finder {
  readonly anomalies: ReadAnomaly[] = [];
  readonly observed: Uint8Array;
  readonly #drafts = new Map<string, KeyDraft>();

  constructor(transactions: number) {
    this.observed = new Uint8Array(transactions);
  }

  drafts(): KeyDraft[] {
    return [...this.#drafts.values()];
  }

  collect(transaction: Transaction): void {
    for (const [key, values] of transaction.appends) {
      const { appends, blocks } = this.#draft(key);
      if (values.length > 1) blocks.push(transaction);
      values.forEach((value, at) => {
        if (appends.has(value)) {
          const what = `${JSON.stringify(value)} is appended to ${JSON.stringify(key)}`;
          throw new InvalidHistoryError(`${what} more than once; values must be unique per key`);
        }
        appends.set(value, { value, writer: transaction, isLast: at === values.length - 1 });
      });
    }
    for (const read of transaction.reads) {
      const draft = this.#draft(read.key);
      const entry = { reader: transaction, read };
      draft.reads.push(entry);
      if (read.list.length > (draft.longest?.read.list.length ?? -1)) draft.longest = entry;
    }
  }

  /** Reads that contradict their own transaction order nothing, but what they show has happened. */
  inspectBroken(transaction: Transaction): void {
    for (const { key, list, text } of transaction.broken) {
      const why = `read ${describeList(list)}, but ${text}`;
      this.anomalies.push({ name: 'internal', key, transactions: [transaction], why });
      this.#inspect(this.#draft(key), transaction, list);
    }
  }

  order(draft: KeyDraft): KeyOrder {
    const { key, appends, longest } = draft;
    const order = longest?.read.list ?? [];
    if (longest !== undefined) this.#inspect(draft, longest.reader, order);
    const positions = new Map(order.map((value, at) => [value, at]));
    for (const writer of draft.blocks) this.#inspectBlock(draft, writer, order, positions);
    const reads: KeyRead[] = [];
    for (const { reader, read } of draft.reads) {
      if (!startsWith(order, read.list)) {
        this.#incompatible(draft, reader, read.list);
        continue;
      }
      const early = reader.appends.get(key)?.find((own) => {
        return (positions.get(own) ?? order.length) < read.version;
      });
      if (early !== undefined) {
        const why = `read its own ${JSON.stringify(early)} before it appended it`;
        this.anomalies.push({ name: 'internal', key, transactions: [reader], why });
        continue;
      }
      reads.push({ reader, version: read.version });
      const last = appends.get(order[read.version - 1] ?? '');
      if (read.version > 0 && last !== undefined && !last.isLast) {
        this.anomalies.push({
          name: 'G1b',
          key,
          transactions: [reader, last.writer],
          why: `read up to ${JSON.stringify(last.value)}, which its writer appended to again after`,
        });
      }
    }
    return { key, appends, order, writers: order.map((value) => appends.get(value)), reads };
  }

  /**
   * The appends of one transaction to one key must stand in its own order and none may be missing
   * before another element. (What others put between them is a circle of writes, found later.)
   */
  #inspectBlock(
    { key, longest }: KeyDraft,
    writer: Transaction,
    order: readonly Value[],
    positions: ReadonlyMap<Value, number>,
  ): void {
    if (longest === undefined) return;
    const transactions = [longest.reader, writer];
    let previous = -1;
    let missing: Value | undefined;
    let lost = false;
    for (const value of writer.appends.get(key) ?? []) {
      const position = positions.get(value);
      if (position === undefined) {
        missing ??= value;
        continue;
      }
      if (position < previous) {
        const why = `read ${describeList(order)}, not in the order in which they were appended`;
        this.anomalies.push({ name: 'incompatible-order', key, transactions, why });
        return;
      }
      if (missing !== undefined) lost = true;
      previous = position;
    }
    if (previous !== -1 && previous < order.length - 1 && missing !== undefined) lost = true;
    if (!lost) return;
    const why = `read ${describeList(order)}, where ${JSON.stringify(missing)} is missing`;
    this.anomalies.push({ name: 'lost-append', key, transactions, why });
  }

  #incompatible(draft: KeyDraft, reader: Transaction, list: readonly Value[]): void {
    const { key, longest } = draft;
    if (longest === undefined) return;
    this.anomalies.push({
      name: 'incompatible-order',
      key,
      transactions: [reader, longest.reader],
      why: `read ${describeList(list)}, no beginning of ${describeList(longest.read.list)}`,
    });
    this.#inspect(draft, reader, list);
  }

  #inspect({ key, appends }: KeyDraft, reader: Transaction, list: readonly Value[]): void {
    const seen = new Set<Value>();
    for (const value of list) {
      const append = appends.get(value);
      const shown = JSON.stringify(value);
      if (append === undefined) {
        const why = `read ${shown}, which nobody appended`;
        this.anomalies.push({ name: 'unknown-value', key, transactions: [reader], why });
        continue;
      }
      const { writer } = append;
      this.observed[writer.index] = 1;
      if (seen.has(value)) {
        const why = `read ${shown} more than once`;
        this.anomalies.push({ name: 'duplicate', key, transactions: [reader, writer], why });
      } else if (writer.operation.outcome === 'refused') {
        const why = `read ${shown}, whose transaction had been refused`;
        this.anomalies.push({ name: 'G1a', key, transactions: [reader, writer], why });
      }
      seen.add(value);
    }
  }

  #draft(key: string): KeyDraft {
    let draft = this.#drafts.get(key);
    if (draft === undefined) {
      draft = { key, appends: new Map(), blocks: [], reads: [], longest: undefined };
      this.#drafts.set(key, draft);
    }
    return draft;
  }
}
