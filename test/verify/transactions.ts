/**
 * List-append transactions: what a history with the model `list-append-txn` is made of. It reads
 * operations into transactions and checks each one against itself; how transactions relate to each
 * other is the business of `version-order.ts` and `dependency-graph.ts`.
 *
 * An operation has the kind `txn` and micro-operations as arguments: `["append", key, value]` (no
 * two appends of a history add the same value to one key) and `["read", key]`. Its result is as
 * long as its arguments: the whole list for a read, null for an append.
 */
import { InvalidHistoryError, type Json, type Operation } from './history.ts';

export type Value = string | number;

export type MicroOperation =
  | readonly ['append', key: string, value: Value]
  | readonly ['read', key: string];

/** A transaction's view of a key before its own appends to it. */
export interface Read {
  readonly key: string;
  /** The longest list that the transaction was shown; its own appends are at the end. */
  readonly list: readonly Value[];
  /** Length of the list without its own appends. */
  readonly version: number;
}

export interface Transaction {
  /** Position among all transactions of the history. */
  readonly index: number;
  readonly operation: Operation;
  readonly micros: readonly MicroOperation[];
  readonly appends: ReadonlyMap<string, readonly Value[]>;
  /** One per key read; empty unless the operation is `ok`. */
  readonly reads: readonly Read[];
  /** Lists that contradict the transaction's own reads and appends. */
  readonly broken: readonly BrokenRead[];
}

export interface BrokenRead {
  readonly key: string;
  readonly list: readonly Value[];
  readonly text: string;
}

/** @throws InvalidHistoryError when an operation is not a list-append transaction. */
export function readTransactions(operations: readonly Operation[]): Transaction[] {
  return operations.map((operation, index) => {
    if (operation.kind !== 'txn') throw malformed(operation, 'its kind is not txn');
    const micros = operation.args.map((arg) => readMicro(operation, arg));
    const lists = readResult(operation, micros);
    const appends = new Map<string, Value[]>();
    const reads = new Map<string, Read>();
    const broken: BrokenRead[] = [];
    micros.forEach((micro, at) => {
      const [type, key] = micro;
      const own = appends.get(key);
      if (type === 'append') {
        if (own === undefined) appends.set(key, [micro[2]]);
        else own.push(micro[2]);
        return;
      }
      const list = lists[at];
      if (list === undefined) return;
      const earlier = reads.get(key);
      const expected = earlier?.list.slice(0, earlier.version).concat(own ?? []);
      const version = list.length - (own?.length ?? 0);
      const text =
        expected === undefined
          ? endsWith(list, own ?? [])
            ? undefined
            : `the list does not end with the transaction's own appends ${JSON.stringify(own)}`
          : startsWith(list, expected) && list.length === expected.length
            ? undefined
            : `the list should be ${describeList(expected)}, as the transaction saw and made it`;
      if (text === undefined) reads.set(key, { key, list, version });
      else broken.push({ key, list, text });
    });
    return { index, operation, micros, appends, reads: [...reads.values()], broken };
  });
}

/** Whether `list` begins with all of `start`. */
export function startsWith(list: readonly Value[], start: readonly Value[]): boolean {
  if (start.length > list.length) return false;
  for (let at = 0; at < start.length; at += 1) if (list[at] !== start[at]) return false;
  return true;
}

const LIST_SHOWN_MAX = 12;

/** Long lists lose their beginning: it is the end that tells versions apart. */
export function describeList(list: readonly Value[]): string {
  if (list.length <= LIST_SHOWN_MAX) return JSON.stringify(list);
  const end = JSON.stringify(list.slice(-LIST_SHOWN_MAX));
  return `[${list.length - LIST_SHOWN_MAX} more, ${end.slice(1)}`;
}

/** `process 3 [10, 25] append "x" 1, read "y" -> [4,5]`. */
export function describeTransaction({ operation, micros }: Transaction): string {
  const { process, invokedAt, completedAt, outcome, result } = operation;
  const parts = micros.map(([type, key, value], at) => {
    if (type === 'append') return `append ${JSON.stringify(key)} ${JSON.stringify(value)}`;
    const list = Array.isArray(result) ? ` -> ${describeList(result[at] ?? [])}` : '';
    return `read ${JSON.stringify(key)}${list}`;
  });
  const state = outcome === 'ok' ? '' : ` (${outcome})`;
  return `process ${process} [${invokedAt}, ${completedAt ?? 'open'}]${state} ${parts.join(', ')}`;
}

function endsWith(list: readonly Value[], end: readonly Value[]): boolean {
  const offset = list.length - end.length;
  if (offset < 0) return false;
  for (let at = 0; at < end.length; at += 1) if (list[offset + at] !== end[at]) return false;
  return true;
}

function readMicro(operation: Operation, arg: Json): MicroOperation {
  if (Array.isArray(arg)) {
    const [type, key, value] = arg as readonly Json[];
    if (typeof key === 'string') {
      if (type === 'read' && arg.length === 2) return ['read', key];
      if (type === 'append' && arg.length === 3 && isValue(value)) return ['append', key, value];
    }
  }
  throw malformed(operation, `${JSON.stringify(arg)} is neither an append nor a read`);
}

function readResult(
  operation: Operation,
  micros: readonly MicroOperation[],
): (readonly Value[] | undefined)[] {
  const { result } = operation;
  if (operation.outcome !== 'ok') return [];
  if (!Array.isArray(result) || result.length !== micros.length) {
    throw malformed(operation, 'its result is not as long as its arguments');
  }
  return (result as readonly Json[]).map((list, at) => {
    if (micros[at]?.[0] === 'append') return undefined;
    // Redis has no empty lists: a key without one reads as empty, or as nothing.
    if (list === null) return [];
    if (!Array.isArray(list) || !list.every(isValue)) {
      throw malformed(operation, 'a read has no list');
    }
    return list;
  });
}

function isValue(value: Json | undefined): value is Value {
  return typeof value === 'string' || typeof value === 'number';
}

function malformed(operation: Operation, why: string): InvalidHistoryError {
  return new InvalidHistoryError(`operation ${operation.id}: ${why}`);
}
