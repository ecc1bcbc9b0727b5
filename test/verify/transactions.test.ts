import { describe, expect, test } from 'vitest';
import type { Json, Operation } from './history.ts';
import { describeList, describeTransaction, readTransactions } from './transactions.ts';
import { findVersionOrders } from './version-order.ts';

function txn(args: readonly Json[], result?: Json, id = 0): Operation {
  const outcome = result === undefined ? 'unknown' : 'ok';
  const completedAt = result === undefined ? undefined : 9;
  return {
    id,
    process: 3,
    invokedAt: 1,
    completedAt,
    kind: 'txn',
    keys: [],
    args,
    result,
    outcome,
  };
}

describe('readTransactions', () => {
  test('separates what was seen from what was appended', () => {
    const [one] = readTransactions([
      txn(
        [
          ['read', 'x'],
          ['append', 'x', 3],
          ['append', 'y', 1],
          ['read', 'x'],
        ],
        [[1, 2], null, null, [1, 2, 3]],
      ),
    ]);
    expect(one?.reads).toEqual([{ key: 'x', list: [1, 2, 3], version: 2 }]);
    expect([...(one?.appends ?? [])]).toEqual([
      ['x', [3]],
      ['y', [1]],
    ]);
    expect(one?.broken).toEqual([]);
  });

  test('takes nothing for an empty list', () => {
    const [one] = readTransactions([txn([['read', 'x']], [null])]);
    expect(one?.reads).toEqual([{ key: 'x', list: [], version: 0 }]);
  });

  test('reads nothing out of an open transaction', () => {
    const [one] = readTransactions([
      txn([
        ['append', 'x', 1],
        ['read', 'x'],
      ]),
    ]);
    expect(one?.reads).toEqual([]);
    expect(one?.appends.get('x')).toEqual([1]);
  });

  test.each<[string, Operation]>([
    ['another kind', { ...txn([], []), kind: 'GET' }],
    ['another micro-operation', txn([['pop', 'x']], [null])],
    ['an append without a value', txn([['append', 'x']], [null])],
    ['a value that is none', txn([['append', 'x', true]], [null])],
    ['a result of another length', txn([['read', 'x']], [])],
    ['a read of no list', txn([['read', 'x']], ['text'])],
  ])('refuses %s', (_, operation) => {
    expect(() => readTransactions([operation])).toThrow('operation 0: ');
  });
});

test('transactions are written for people, long lists from their end', () => {
  const [one] = readTransactions([
    txn(
      [
        ['append', 'x', 1],
        ['read', 'y'],
      ],
      [null, [4, 'five']],
    ),
  ]);
  if (one === undefined) throw new Error('one transaction');
  expect(describeTransaction(one)).toBe('process 3 [1, 9] append "x" 1, read "y" -> [4,"five"]');
  const long = Array.from({ length: 15 }, (_, at) => at);
  expect(describeList(long)).toBe('[3 more, 3,4,5,6,7,8,9,10,11,12,13,14]');
});

describe('findVersionOrders', () => {
  test('takes the order from the longest read and knows who was seen', () => {
    const transactions = readTransactions([
      txn([['append', 'x', 1]], [null], 0),
      txn([['append', 'x', 2]], undefined, 1),
      txn([['append', 'x', 3]], undefined, 2),
      txn([['read', 'x']], [[1]], 3),
      txn([['read', 'x']], [[1, 2]], 4),
    ]);
    const { keys, anomalies, observed } = findVersionOrders(transactions);
    expect(anomalies).toEqual([]);
    expect(keys[0]?.order).toEqual([1, 2]);
    expect(keys[0]?.writers.map((append) => append?.writer.index)).toEqual([0, 1]);
    expect(keys[0]?.reads.map(({ version }) => version)).toEqual([1, 2]);
    expect([...observed]).toEqual([1, 1, 0, 0, 0]);
  });

  test('needs values that are unique per key, not over all keys', () => {
    const twice = [txn([['append', 'x', 1]], [null], 0), txn([['append', 'x', 1]], undefined, 1)];
    expect(() => findVersionOrders(readTransactions(twice))).toThrow('more than once');
    const apart = [txn([['append', 'x', 1]], [null], 0), txn([['append', 'y', 1]], [null], 1)];
    expect(findVersionOrders(readTransactions(apart)).anomalies).toEqual([]);
  });
});
