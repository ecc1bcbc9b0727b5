/**
 * Is a history of list-append transactions strictly serializable? In the manner of Elle (Kingsbury
 * and Alvaro, VLDB 2020), in time linear in the history: version orders from the reads,
 * dependencies from version orders and real time, circles from dependencies. For these histories
 * the answer is exact: no false alarm, and nothing missed. An indeterminate transaction counts as
 * having happened when a read saw it, and is no part of the history otherwise.
 */
import { type Cycle, type CycleName, findCycles } from './cycles.ts';
import { buildDependencies, type Edge, RT, RW, WR, WW } from './dependency-graph.ts';
import { type History, InvalidHistoryError } from './history.ts';
import { describeTransaction, readTransactions, type Transaction } from './transactions.ts';
import { findVersionOrders, type KeyOrder, type ReadAnomalyName } from './version-order.ts';

/**
 * - `G0`, `G1c`, `G-single`, `G2`: circles of dependencies, by the edges they need.
 * - `strict`: a circle that closes only through real time (a stale read, a write before its time).
 * - `G1a`, `G1b`: a read of a refused transaction, or of the middle of one.
 * - `internal`: a transaction contradicts itself. `duplicate`: an element twice in a list.
 * - `unknown-value`: read, but never appended. `lost-append`: acknowledged, then never seen.
 * - `incompatible-order`: two reads of a key that cannot both be of the same list.
 */
export type AnomalyName = ReadAnomalyName | CycleName | 'strict';

export interface Anomaly {
  readonly name: AnomalyName;
  /** Of anomalies that concern one key. */
  readonly key: string | undefined;
  readonly transactions: readonly Transaction[];
  /** For people. */
  readonly text: string;
}

export interface StrictSerializabilityOptions {
  /** Anomalies described; all are counted. */
  readonly anomaliesMax?: number;
}

export interface StrictSerializabilityVerdict {
  readonly verdict: 'ok' | 'violation';
  readonly transactions: number;
  readonly keys: number;
  readonly open: number;
  /** Open transactions that a read saw. */
  readonly openObserved: number;
  readonly refused: number;
  /** Edges of the dependency graph. */
  readonly dependencies: number;
  /** How often each anomaly was found. */
  readonly counts: Readonly<Partial<Record<AnomalyName, number>>>;
  readonly anomalies: readonly Anomaly[];
  /** For people. */
  readonly text: string;
}

export const ANOMALIES_MAX = 32;

/** @throws InvalidHistoryError when the history is not one of list-append transactions. */
export function checkStrictSerializability(
  history: History,
  options: StrictSerializabilityOptions = {},
): StrictSerializabilityVerdict {
  if (history.model !== 'list-append-txn') {
    throw new InvalidHistoryError(`a history of ${history.model} has no list-append transactions`);
  }
  const transactions = readTransactions(history.operations);
  const { keys, anomalies: readAnomalies, observed } = findVersionOrders(transactions);
  const happened = Uint8Array.from(transactions, ({ operation, index }) =>
    operation.outcome === 'ok' || observed[index] === 1 ? 1 : 0,
  );
  const { graph, lost } = buildDependencies(transactions, keys, happened);
  const report = new Report(options.anomaliesMax ?? ANOMALIES_MAX);
  for (const { name, key, transactions: involved, why } of readAnomalies) {
    report.add(name, key, involved, () => `${why}\n${listTransactions(involved)}`);
  }
  for (const { key, value, writer, reader } of lost) {
    report.add('lost-append', key, [writer, reader], () => {
      const what = `${JSON.stringify(value)} was appended, and a later read does not show it`;
      return `${what}\n${listTransactions([writer, reader])}`;
    });
  }
  for (const cycle of findCycles(graph)) {
    const involved = cycle.edges.flatMap(({ from }) => transactions[from] ?? []);
    const name = cycle.strict ? 'strict' : cycle.name;
    report.add(name, undefined, involved, () => describeCycle(cycle, involved, keys));
  }
  const open = transactions.filter(({ operation }) => operation.outcome === 'unknown');
  const counts = {
    transactions: transactions.length,
    keys: keys.length,
    open: open.length,
    openObserved: open.filter(({ index }) => observed[index] === 1).length,
    refused: transactions.filter(({ operation }) => operation.outcome === 'refused').length,
    dependencies: graph.edges,
  };
  const verdict = report.total > 0 ? 'violation' : 'ok';
  const text = [
    `strict serializability: ${verdict}; ${counts.transactions} transactions ` +
      `(${counts.open} open, ${counts.openObserved} of them seen, ${counts.refused} refused) ` +
      `on ${counts.keys} keys, ` +
      `${counts.dependencies} dependencies`,
    ...report.lines(),
  ].join('\n');
  return { verdict, ...counts, counts: report.counts, anomalies: report.anomalies, text };
}

class Report {
  readonly counts: Partial<Record<AnomalyName, number>> = {};
  readonly anomalies: Anomaly[] = [];
  total = 0;
  readonly #anomaliesMax: number;

  constructor(anomaliesMax: number) {
    this.#anomaliesMax = anomaliesMax;
  }

  add(
    name: AnomalyName,
    key: string | undefined,
    transactions: readonly Transaction[],
    describe: () => string,
  ): void {
    this.total += 1;
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    if (this.anomalies.length >= this.#anomaliesMax) return;
    const where = key === undefined ? '' : ` on key ${JSON.stringify(key)}`;
    this.anomalies.push({ name, key, transactions, text: `${name}${where}: ${describe()}` });
  }

  lines(): string[] {
    const lines = this.anomalies.map(({ text }) => text);
    const rest = this.total - this.anomalies.length;
    return rest > 0 ? [...lines, `and ${rest} more anomalies`] : lines;
  }
}

function listTransactions(transactions: readonly Transaction[]): string {
  return transactions.map((one, at) => `  T${at + 1} = ${describeTransaction(one)}`).join('\n');
}

function describeCycle(
  { name, strict, edges }: Cycle,
  involved: readonly Transaction[],
  keys: readonly KeyOrder[],
): string {
  const lines = edges.map((edge, at) => {
    const from = `T${at + 1}`;
    const to = `T${at + 1 === edges.length ? 1 : at + 2}`;
    return `  ${from} before ${to} (${describeKind(edge)}): ${explain(edge, from, to, keys)}`;
  });
  const title = strict ? `${name} through real time` : 'each must come before the next';
  return [`${title}, in a circle`, listTransactions(involved), ...lines].join('\n');
}

function describeKind({ kind }: Edge): string {
  if (kind === WW) return 'ww';
  if (kind === WR) return 'wr';
  return kind === RW ? 'rw' : 'rt';
}

function explain(edge: Edge, from: string, to: string, keys: readonly KeyOrder[]): string {
  if (edge.kind === RT) return `${from} had ended when ${to} began`;
  const order = keys[edge.key];
  if (order === undefined) return '';
  const key = JSON.stringify(order.key);
  const before = JSON.stringify(order.order[edge.version - 1]);
  const after = JSON.stringify(order.order[edge.version]);
  const unseen = edge.version >= order.order.length;
  if (edge.kind === WR) return `${to} read the ${before} that ${from} appended to ${key}`;
  if (edge.kind === WW) {
    if (unseen) return `${to}'s append to ${key} is not yet there behind ${from}'s ${before}`;
    return `${to} appended ${after} to ${key} behind ${from}'s ${before}`;
  }
  return unseen
    ? `${from} read all of ${key} that was ever seen, without ${to}'s append`
    : `${from} read ${key} without the ${after} that ${to} appended`;
}
