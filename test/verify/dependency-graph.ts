/**
 * Which transaction must come before which, and why (Adya 1999): one node per transaction that
 * happened, one edge per reason. `cycles.ts` looks for circles in it. Every transaction in a circle
 * would have to come before itself, so a history with one has no serial order; without one, any
 * topological order is a strict serialization.
 */
import type { Transaction, Value } from './transactions.ts';
import type { KeyOrder } from './version-order.ts';

/** Kinds of edges, as bits so that a search can ask for several. */
export const WW = 1;
export const WR = 2;
export const RW = 4;
/** Real time: one had ended before the other began. */
export const RT = 8;
/** Out of a node that only bundles edges; it continues whatever led into it. */
export const BUNDLE = 16;

export type EdgeKind = number;

const COLUMNS = 5;
const EDGES_MIN = 1024;

export interface Edge {
  readonly from: number;
  readonly to: number;
  readonly kind: EdgeKind;
  /** Index of the key among the orders given, or -1. */
  readonly key: number;
  /** Length of the list before the append in question (ww, rw) or up to it (wr). */
  readonly version: number;
}

/** Edges in columns of one array, since there are tens for every transaction. */
export class DependencyGraph {
  /** Nodes below this number are transactions; the others bundle edges. */
  readonly transactions: number;
  #nodes: number;
  #edges = new Int32Array(EDGES_MIN * COLUMNS);
  #count = 0;
  /** Edges by source: those of node n lie at `offsets[n] .. offsets[n + 1]` of `bySource`. */
  #offsets = new Int32Array(0);
  #bySource = new Int32Array(0);

  constructor(transactions: number) {
    this.transactions = transactions;
    this.#nodes = transactions;
  }

  get nodes(): number {
    return this.#nodes;
  }

  get edges(): number {
    return this.#count;
  }

  addBundle(): number {
    return this.#nodes++;
  }

  addEdge(from: number, to: number, kind: EdgeKind, key: number, version: number): void {
    // That a transaction sees or follows itself says nothing.
    if (from === to) return;
    const at = this.#count * COLUMNS;
    if (at === this.#edges.length) {
      const grown = new Int32Array(this.#edges.length * 2);
      grown.set(this.#edges);
      this.#edges = grown;
    }
    this.#edges[at] = from;
    this.#edges[at + 1] = to;
    this.#edges[at + 2] = kind;
    this.#edges[at + 3] = key;
    this.#edges[at + 4] = version;
    this.#count += 1;
  }

  /** Sorts the edges by source. Call it once, after the last edge. */
  freeze(): void {
    const offsets = new Int32Array(this.#nodes + 1);
    for (let edge = 0; edge < this.#count; edge += 1) {
      const from = this.from(edge);
      offsets[from + 1] = (offsets[from + 1] ?? 0) + 1;
    }
    for (let node = 0; node < this.#nodes; node += 1) {
      offsets[node + 1] = (offsets[node + 1] ?? 0) + (offsets[node] ?? 0);
    }
    const cursor = offsets.slice();
    this.#bySource = new Int32Array(this.#count);
    for (let edge = 0; edge < this.#count; edge += 1) {
      const from = this.from(edge);
      const at = cursor[from] ?? 0;
      this.#bySource[at] = edge;
      cursor[from] = at + 1;
    }
    this.#offsets = offsets;
  }

  firstOf(node: number): number {
    return this.#offsets[node] ?? 0;
  }

  endOf(node: number): number {
    return this.#offsets[node + 1] ?? 0;
  }

  /** The edge at a position between `firstOf` and `endOf`. */
  edgeAt(position: number): number {
    return this.#bySource[position] ?? 0;
  }

  from(edge: number): number {
    return this.#edges[edge * COLUMNS] ?? 0;
  }

  to(edge: number): number {
    return this.#edges[edge * COLUMNS + 1] ?? 0;
  }

  kind(edge: number): EdgeKind {
    return this.#edges[edge * COLUMNS + 2] ?? 0;
  }

  edge(edge: number): Edge {
    const at = edge * COLUMNS;
    return {
      from: this.from(edge),
      to: this.to(edge),
      kind: this.kind(edge),
      key: this.#edges[at + 3] ?? 0,
      version: this.#edges[at + 4] ?? 0,
    };
  }
}

/** A committed append that a read which should show it does not show. */
export interface LostAppend {
  readonly key: string;
  readonly value: Value;
  readonly writer: Transaction;
  /** The transaction that should have seen it. */
  readonly reader: Transaction;
}

export interface Dependencies {
  readonly graph: DependencyGraph;
  readonly lost: readonly LostAppend[];
}

/** `happened`: by transaction index, 1 for committed ones and for those that a read saw. */
export function buildDependencies(
  transactions: readonly Transaction[],
  keys: readonly KeyOrder[],
  happened: Uint8Array,
): Dependencies {
  const graph = new DependencyGraph(transactions.length);
  const lost: LostAppend[] = [];
  keys.forEach((key, index) => {
    linkWriters(graph, key, index);
    const unseen = findUnseen(key, happened, lost);
    linkReaders(graph, key, index, unseen);
  });
  linkRealTime(graph, transactions, happened);
  graph.freeze();
  return { graph, lost };
}

function linkWriters(graph: DependencyGraph, { writers }: KeyOrder, key: number): void {
  let previous: Transaction | undefined;
  writers.forEach((append, version) => {
    if (append === undefined) return;
    if (previous !== undefined) {
      graph.addEdge(previous.index, append.writer.index, WW, key, version);
    }
    previous = append.writer;
  });
}

/**
 * Transactions that happened and whose appends to the key no read has seen: they come after the
 * longest read, in no known order. An append that was seen missing is lost and no part of any
 * order.
 */
function findUnseen(
  { key, order, appends, writers, reads }: KeyOrder,
  happened: Uint8Array,
  lost: LostAppend[],
): Transaction[] {
  const seen = new Set(order);
  // A transaction with other appends in the order already has its place in it.
  const placed = new Set(writers.map((append) => append?.writer));
  let latest: Transaction | undefined;
  for (const { reader } of reads) {
    const later = reader.operation.invokedAt > (latest?.operation.invokedAt ?? -Infinity);
    if (later) latest = reader;
  }
  const unseen = new Set<Transaction>();
  for (const { value, writer } of appends.values()) {
    if (seen.has(value) || placed.has(writer) || happened[writer.index] !== 1) continue;
    const completedAt = writer.operation.completedAt ?? Number.POSITIVE_INFINITY;
    if (latest !== undefined && latest.operation.invokedAt > completedAt) {
      lost.push({ key, value, writer, reader: latest });
    } else {
      unseen.add(writer);
    }
  }
  return [...unseen];
}

/**
 * A reader that itself appended after what it read must not reach itself through a bundle, so it is
 * linked to every other appender alone. Two such readers are a circle; more would only add edges.
 */
const DIRECT_READERS_MAX = 2;

function linkReaders(
  graph: DependencyGraph,
  { order, writers, reads }: KeyOrder,
  key: number,
  unseen: readonly Transaction[],
): void {
  const end = order.length;
  // One node between those who saw the whole list and those who appended after it: the edges would
  // be as many as the product of their numbers.
  const bundle = unseen.length > 0 ? graph.addBundle() : -1;
  for (const writer of unseen) graph.addEdge(bundle, writer.index, BUNDLE, key, end);
  const lastWriter = writers[end - 1]?.writer;
  if (bundle !== -1 && lastWriter !== undefined) {
    graph.addEdge(lastWriter.index, bundle, WW, key, end);
  }
  const appenders = new Set(unseen);
  let linked = 0;
  for (const { reader, version } of reads) {
    const before = writers[version - 1];
    if (before !== undefined) graph.addEdge(before.writer.index, reader.index, WR, key, version);
    const after = version < end ? writers[version] : undefined;
    // An intermediate read misses the next append of the writer it saw; that has its own name.
    if (after !== undefined && after.writer !== before?.writer) {
      graph.addEdge(reader.index, after.writer.index, RW, key, version);
    }
    if (version < end || bundle === -1) continue;
    if (!appenders.has(reader)) {
      graph.addEdge(reader.index, bundle, RW, key, end);
    } else if (linked++ < DIRECT_READERS_MAX) {
      for (const writer of unseen) graph.addEdge(reader.index, writer.index, RW, key, end);
    }
  }
}

/**
 * Real time, with few edges: a transaction is linked from those that had ended before it began and
 * that no other ended-and-later-begun one stands between. They all ran at the same time, so there
 * are never more of them than clients.
 */
function linkRealTime(
  graph: DependencyGraph,
  transactions: readonly Transaction[],
  happened: Uint8Array,
): void {
  const took = transactions.filter(({ index }) => happened[index] === 1);
  const begun = took.toSorted((a, b) => a.operation.invokedAt - b.operation.invokedAt);
  const ended = took
    .filter(({ operation }) => operation.outcome === 'ok')
    .toSorted((a, b) => endOf(a) - endOf(b));
  let frontier: Transaction[] = [];
  let next = 0;
  for (const transaction of begun) {
    for (let done = ended[next]; done !== undefined; done = ended[++next]) {
      const { invokedAt } = done.operation;
      if (endOf(done) >= transaction.operation.invokedAt) break;
      frontier = frontier.filter((earlier) => endOf(earlier) >= invokedAt);
      frontier.push(done);
    }
    for (const done of frontier) graph.addEdge(done.index, transaction.index, RT, -1, 0);
  }
}

function endOf({ operation }: Transaction): number {
  return operation.completedAt ?? Number.POSITIVE_INFINITY;
}
