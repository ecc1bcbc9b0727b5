/**
 * Small histories of list-append transactions with known verdicts, made by hand: one or more for
 * every anomaly, and good ones that look suspicious. A checker that is only ever shown good
 * histories may well accept all; `strict-serializability.test.ts` and Porcupine are held to these.
 */
import type { History, Json, Outcome } from './history.ts';
import type { AnomalyName } from './strict-serializability.ts';

export interface KnownTransactions {
  readonly name: string;
  /** Exactly the anomalies that must be found; empty for a good history. */
  readonly anomalies: readonly AnomalyName[];
  readonly history: History;
}

type Micro = readonly [micro: Json, result: Json];

const append = (key: string, value: number): Micro => [['append', key, value], null];
const read = (key: string, ...list: number[]): Micro => [['read', key], list];

interface Draft {
  readonly from: number;
  readonly to: number;
  readonly outcome: Outcome;
  readonly micros: readonly Micro[];
}

/** A committed transaction that runs at the same time as all others, unless told `at` when. */
const ok = (...micros: Micro[]): Draft => ({ from: 0, to: 1000, outcome: 'ok', micros });
const unknown = (...micros: Micro[]): Draft => ({ ...ok(...micros), outcome: 'unknown' });
const refused = (...micros: Micro[]): Draft => ({ ...ok(...micros), outcome: 'refused' });
const at = (from: number, to: number, draft: Draft): Draft => ({ ...draft, from, to });

function known(
  name: string,
  anomalies: readonly AnomalyName[],
  ...drafts: readonly Draft[]
): KnownTransactions {
  const operations = drafts.map(({ from, to, outcome, micros }, id) => ({
    id,
    process: id,
    invokedAt: from,
    completedAt: outcome === 'unknown' ? undefined : to,
    kind: 'txn',
    keys: [...new Set(micros.map(([micro]) => String((micro as readonly Json[])[1])))],
    args: micros.map(([micro]) => micro),
    result: outcome === 'ok' ? micros.map(([, result]) => result) : undefined,
    outcome,
  }));
  return { name, anomalies, history: { model: 'list-append-txn', operations } };
}

export const BAD_TRANSACTIONS: readonly KnownTransactions[] = [
  known(
    'two writers in opposite orders on two keys',
    ['G0'],
    ok(append('x', 1), append('y', 1)),
    ok(append('x', 2), append('y', 2)),
    ok(read('x', 1, 2)),
    ok(read('y', 2, 1)),
  ),
  known(
    'a write between two writes of one transaction',
    ['G0'],
    ok(append('x', 1), append('x', 2)),
    ok(append('x', 3)),
    ok(read('x', 1, 3, 2)),
  ),
  known('a read of a refused append', ['G1a'], refused(append('x', 1)), ok(read('x', 1))),
  known(
    'a read of a refused append behind a good one',
    ['G1a'],
    ok(append('x', 1)),
    refused(append('x', 2)),
    ok(read('x', 1, 2)),
  ),
  known(
    'a read between two appends of one transaction',
    ['G1b'],
    ok(append('x', 1), append('x', 2)),
    ok(read('x', 1)),
    ok(read('x', 1, 2)),
  ),
  known(
    'a read between two appends, of which nobody saw the second',
    ['G1b'],
    ok(append('x', 1), append('x', 2)),
    ok(read('x', 1)),
  ),
  known(
    'two transactions that see each other',
    ['G1c'],
    ok(append('x', 1), read('y', 1)),
    ok(append('y', 1), read('x', 1)),
  ),
  known(
    'a circle of a write after a write and a read of a write',
    ['G1c'],
    ok(append('x', 1), read('y', 2)),
    ok(append('x', 2), append('y', 2)),
    ok(read('x', 1, 2)),
  ),
  known(
    'read skew: one of two writes seen',
    ['G-single'],
    ok(append('x', 1), append('y', 1)),
    ok(read('x'), read('y', 1)),
    ok(read('x', 1)),
  ),
  known(
    'read skew, where nobody saw the second write',
    ['G-single'],
    ok(append('x', 1), append('y', 1)),
    ok(read('x'), read('y', 1)),
  ),
  known(
    'lost update: two read the same list and append to it',
    ['G-single'],
    ok(read('x'), append('x', 1)),
    ok(read('x'), append('x', 2)),
    ok(read('x', 1, 2)),
  ),
  known(
    'lost update that nobody saw',
    ['G2'],
    ok(read('x'), append('x', 1)),
    ok(read('x'), append('x', 2)),
  ),
  known(
    'write skew',
    ['G2'],
    ok(read('x'), append('y', 1)),
    ok(read('y'), append('x', 1)),
    ok(read('x', 1), read('y', 1)),
  ),
  known(
    'write skew that nobody saw',
    ['G2'],
    ok(read('x'), append('y', 1)),
    ok(read('y'), append('x', 1)),
  ),
  known(
    'two readers that disagree about the order of two writers',
    ['G2'],
    ok(append('x', 1)),
    ok(append('y', 1)),
    ok(read('x', 1), read('y')),
    ok(read('x'), read('y', 1)),
  ),
  known(
    'a stale read',
    ['strict'],
    at(0, 10, ok(append('x', 1))),
    at(20, 30, ok(read('x'))),
    at(40, 50, ok(read('x', 1))),
  ),
  known(
    'a stale read, with a transaction between that touches the write in one instant',
    ['strict'],
    at(0, 10, ok(append('x', 1))),
    at(10, 20, ok(read('y'))),
    at(30, 40, ok(read('x'))),
    at(50, 60, ok(read('x', 1))),
  ),
  known(
    'a write before one that had ended when it began',
    ['strict'],
    at(0, 10, ok(append('x', 1))),
    at(20, 30, ok(append('x', 2))),
    at(40, 50, ok(read('x', 2, 1))),
  ),
  known(
    'a read of what was appended after it had ended',
    ['strict'],
    at(0, 10, ok(read('x', 1))),
    at(20, 30, ok(append('x', 1))),
  ),
  known(
    'a read of what an open transaction began to append after it had ended',
    ['strict'],
    at(0, 10, ok(read('x', 1))),
    at(20, 20, unknown(append('x', 1))),
  ),
  known(
    'two stale views across two keys, through real time',
    ['strict'],
    at(0, 10, ok(append('x', 1))),
    at(20, 30, ok(append('y', 1))),
    at(0, 50, ok(read('x'), read('y', 1))),
    at(0, 50, ok(read('x', 1))),
  ),
  known('an element twice', ['duplicate'], ok(append('x', 1)), ok(read('x', 1, 1))),
  known('an element out of nowhere', ['unknown-value'], ok(append('x', 1)), ok(read('x', 7))),
  known(
    'an acknowledged append that a later read does not show',
    ['lost-append'],
    at(0, 10, ok(append('x', 1))),
    at(20, 30, ok(read('x'))),
  ),
  known(
    'half of a transaction overwritten',
    ['lost-append'],
    ok(append('x', 1), append('x', 2)),
    ok(append('x', 3)),
    ok(read('x', 1, 3)),
  ),
  known(
    'the first half of a transaction missing',
    ['lost-append'],
    ok(append('x', 1), append('x', 2)),
    ok(read('x', 2)),
  ),
  known('a transaction blind to its own append', ['internal'], ok(append('x', 1), read('x'))),
  known(
    'a transaction that reads two states of a key',
    ['internal'],
    ok(read('x'), read('x', 1)),
    ok(append('x', 1)),
  ),
  known('a transaction that sees its own future', ['internal'], ok(read('x', 1), append('x', 1))),
  known(
    'two reads that cannot be of one list',
    ['incompatible-order'],
    ok(append('x', 1)),
    ok(append('x', 2)),
    ok(read('x', 1)),
    ok(read('x', 2)),
  ),
  known(
    'a list whose elements changed places',
    ['incompatible-order'],
    ok(append('x', 1)),
    ok(append('x', 2)),
    ok(append('x', 3)),
    ok(read('x', 1, 2)),
    ok(read('x', 2, 1, 3)),
  ),
  known(
    'appends of one transaction in the wrong order',
    ['incompatible-order'],
    ok(append('x', 1), append('x', 2)),
    ok(append('x', 3)),
    ok(read('x', 2, 1, 3)),
  ),
];

export const GOOD_TRANSACTIONS: readonly KnownTransactions[] = [
  known('nothing at all', []),
  known(
    'one after the other',
    [],
    at(0, 10, ok(append('x', 1), append('y', 1))),
    at(20, 30, ok(read('x', 1), append('x', 2), read('x', 1, 2))),
    at(40, 50, ok(read('y', 1), read('x', 1, 2))),
  ),
  known(
    'concurrent readers before and after a write',
    [],
    ok(append('x', 1)),
    ok(read('x')),
    ok(read('x', 1)),
  ),
  known(
    'a read that touches a write in one instant',
    [],
    at(0, 10, ok(append('x', 1))),
    at(10, 20, ok(read('x'))),
  ),
  known('an open append that was seen', [], unknown(append('x', 1)), ok(read('x', 1))),
  known(
    'an open append that took effect long after',
    [],
    at(0, 0, unknown(append('x', 1))),
    at(10, 20, ok(read('x'))),
    at(30, 40, ok(read('x', 1))),
  ),
  known(
    'an open append that never happened',
    [],
    at(0, 0, unknown(append('x', 1), append('y', 1))),
    at(10, 20, ok(read('x'), read('y'))),
    at(30, 40, ok(read('x'), append('x', 2))),
  ),
  known('a refused append that nobody saw', [], refused(append('x', 1)), ok(read('x'))),
  known(
    'a transaction that reads between its own appends',
    [],
    ok(append('x', 1), read('x', 1), append('x', 2)),
    ok(append('x', 3)),
  ),
  known(
    'read, then append what nobody saw, next to blind appends',
    [],
    ok(read('x', 1), append('x', 2)),
    ok(append('x', 1)),
    ok(append('x', 3)),
  ),
  known(
    'blind appends that nobody saw, on two keys',
    [],
    ok(append('x', 1), append('y', 1)),
    ok(append('y', 2), append('x', 2)),
    ok(read('x'), read('y')),
  ),
];
