/**
 * The invocations and returns of one key, put in the order of time for `linearization-search.ts`.
 * Here it is decided what runs at the same time as what; nothing here knows what operations mean,
 * except which of them can be left out.
 */
import type { Operation } from './history.ts';
import type { Model } from './model.ts';

/** In place of an operation or a position, where there is none. */
export const NONE = -1;

/** The events of one key. Operations are named by their index in the key's list. */
export interface Events {
  /** Number of events of completed operations; they have the positions 1..length. */
  readonly length: number;
  readonly operationAt: Int32Array;
  readonly isReturn: Uint8Array;
  /** By operation; 0 for open ones. */
  readonly callOf: Int32Array;
  readonly returnOf: Int32Array;
  readonly readOnly: Uint8Array;
  /** Open operations that could change something, in the order of their invocation. */
  readonly open: Int32Array;
  /** Position in `open`, by operation. */
  readonly openIndex: Int32Array;
  /** By position in `open`: an open operation is invoked after the event at this position. */
  readonly openCall: Int32Array;
  /** By position in `open`: the equal operation invoked just before it, or NONE. */
  readonly twin: Int32Array;
}

/**
 * Puts events in the order of time. Intervals are closed, so at equal times invocations come before
 * returns: two operations that touch in one instant are concurrent.
 */
export function orderEvents(model: Model, operations: readonly Operation[]): Events {
  const count = operations.length;
  const completed: number[] = [];
  const open: number[] = [];
  const readOnly = new Uint8Array(count);
  operations.forEach((operation, id) => {
    if (model.isReadOnly(operation)) readOnly[id] = 1;
    if (operation.outcome === 'ok') completed.push(id);
    else if (readOnly[id] === 0) open.push(id);
  });
  const invokedAt = (id: number): number => operations[id]?.invokedAt ?? 0;
  const completedAt = (id: number): number => operations[id]?.completedAt ?? 0;
  const calls = completed.toSorted((a, b) => invokedAt(a) - invokedAt(b) || a - b);
  const returns = completed.toSorted((a, b) => completedAt(a) - completedAt(b) || a - b);
  open.sort((a, b) => invokedAt(a) - invokedAt(b) || a - b);

  const length = 2 * completed.length;
  const operationAt = new Int32Array(length + 2);
  const isReturn = new Uint8Array(length + 2);
  const callOf = new Int32Array(count);
  const returnOf = new Int32Array(count);
  const openCall = new Int32Array(open.length);
  let call = 0;
  let back = 0;
  let opened = 0;
  for (let at = 1; at <= length; at += 1) {
    const caller = calls[call];
    const returner = returns[back] ?? 0;
    const isCall = caller !== undefined && invokedAt(caller) <= completedAt(returner);
    const id = isCall ? caller : returner;
    const time = isCall ? invokedAt(id) : completedAt(id);
    for (let next = open[opened]; next !== undefined; next = open[++opened]) {
      if (invokedAt(next) > time) break;
      openCall[opened] = at - 1;
    }
    operationAt[at] = id;
    isReturn[at] = isCall ? 0 : 1;
    if (isCall) {
      callOf[id] = at;
      call += 1;
    } else {
      returnOf[id] = at;
      back += 1;
    }
  }
  // Calls invoked after the last return cannot affect any result.
  openCall.fill(length + 1, opened);
  const openIndex = new Int32Array(count).fill(NONE);
  open.forEach((id, index) => {
    openIndex[id] = index;
  });
  return {
    length,
    operationAt,
    isReturn,
    callOf,
    returnOf,
    readOnly,
    open: Int32Array.from(open),
    openIndex,
    openCall,
    twin: findTwins(model, operations, open),
  };
}

function findTwins(
  model: Model,
  operations: readonly Operation[],
  open: readonly number[],
): Int32Array {
  const latest = new Map<string, number>();
  return Int32Array.from(open, (id) => {
    const operation = operations[id];
    if (operation === undefined) return NONE;
    const equal = model.classOf(operation);
    const twin = latest.get(equal) ?? NONE;
    latest.set(equal, id);
    return twin;
  });
}
