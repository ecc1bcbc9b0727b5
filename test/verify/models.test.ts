import { describe, expect, test } from 'vitest';
import type { Json, ModelName, Operation } from './history.ts';
import { describeOperation, type State } from './model.ts';
import { createModel } from './models.ts';

function operation(kind: string, args: readonly Json[], result?: Json): Operation {
  const outcome = result === undefined ? 'unknown' : 'ok';
  const completedAt = result === undefined ? undefined : 1;
  const keys = ['k'];
  return { id: 0, process: 0, invokedAt: 0, completedAt, kind, keys, args, result, outcome };
}

type Row = [before: State, kind: string, args: Json[], result: Json, after: State];

/** Each row must be admitted as it is, and with any other result it must not. */
function testRows(model: ModelName, rows: readonly Row[], others: readonly Json[]): void {
  test.each(rows)(
    `${model}: from %j, %s %j -> %j leaves %j`,
    (before, kind, args, result, after) => {
      const { step } = createModel(model, []);
      expect(step(before, operation(kind, args, result))).toBe(after);
      expect(step(before, operation(kind, args))).toBe(after);
      for (const other of others) {
        if (other !== result) expect(step(before, operation(kind, args, other))).toBeUndefined();
      }
    },
  );
}

testRows(
  'redis',
  [
    [null, 'GET', [], null, null],
    ['a', 'GET', [], 'a', 'a'],
    ['a', 'SET', ['b'], 'OK', 'b'],
    ['a', 'SET', ['b', 'NX'], null, 'a'],
    [null, 'SET', ['b', 'NX'], 'OK', 'b'],
    [null, 'SET', ['b', 'XX'], null, null],
    ['a', 'SET', ['b', 'XX', 'GET'], 'a', 'b'],
    ['a', 'SET', ['b', 'NX', 'GET'], 'a', 'a'],
    ['a', 'SET', ['b', 'IFEQ', 'a'], 'OK', 'b'],
    ['c', 'SET', ['b', 'IFEQ', 'a'], null, 'c'],
    [null, 'SET', ['b', 'IFEQ', 'a'], null, null],
    [null, 'SETNX', ['b'], 1, 'b'],
    ['a', 'SETNX', ['b'], 0, 'a'],
    ['a', 'GETDEL', [], 'a', null],
    ['a', 'DEL', [], 1, null],
    [null, 'DEL', [], 0, null],
    ['a', 'DELIFEQ', ['a'], 1, null],
    ['b', 'DELIFEQ', ['a'], 0, 'b'],
    ['a', 'EXISTS', [], 1, 'a'],
    ['abc', 'STRLEN', [], 3, 'abc'],
    [null, 'APPEND', ['a'], 1, 'a'],
    ['a', 'APPEND', ['b'], 2, 'ab'],
    [null, 'INCR', [], 1, '1'],
    ['-3', 'DECRBY', [4], -7, '-7'],
    ['1', 'INCRBY', [4], 5, '5'],
  ],
  [null, 0, 1, 'OK', 'a', 'zzz', { error: 'ERR' }],
);

testRows(
  'counter',
  [
    [null, 'GET', [], null, null],
    [null, 'INCR', [], 1, 1],
    [5, 'GET', [], '5', 5],
    [5, 'DECR', [], 4, 4],
    [5, 'DECRBY', [7], -2, -2],
  ],
  [null, 0, '0', 77],
);

test('redis: a number is only counted on when it is one', () => {
  const { step } = createModel('redis', []);
  const refused = operation('INCR', [], { error: 'ERR value is not an integer' });
  for (const text of ['x', '', '01', '1.5', ' 1', '-0']) expect(step(text, refused)).toBe(text);
  expect(step('1', refused)).toBeUndefined();
  expect(() => step('9007199254740991', operation('INCR', [], 1))).toThrow('2^53');
});

test('cas-register: a cas fails exactly when the value does not match', () => {
  const { step } = createModel('cas-register', []);
  expect(step(1, operation('cas', [1, 2], true))).toBe(2);
  expect(step(1, operation('cas', [1, 2], false))).toBeUndefined();
  expect(step(3, operation('cas', [1, 2], false))).toBe(3);
  expect(step(null, operation('cas', [1, 2], true))).toBeUndefined();
  expect(step(3, operation('write', [4], true))).toBe(4);
  expect(step(3, operation('read', [], 4))).toBeUndefined();
});

test('kv: unread values are one state, which only a put leaves', () => {
  const model = createModel('kv', [operation('get', [], 'abc')]);
  expect(model.step('', operation('append', ['ab'], true))).toBe('ab');
  expect(model.step('ab', operation('get', [], 'ab'))).toBe('ab');
  expect(model.step('ab', operation('append', ['x'], true))).toBeNull();
  expect(model.step(null, operation('append', ['c'], true))).toBeNull();
  expect(model.step(null, operation('get', [], ''))).toBeUndefined();
  expect(model.step(null, operation('put', ['a'], true))).toBe('a');
  expect(model.classOf(operation('put', ['x']))).toBe(model.classOf(operation('put', ['y'])));
  expect(model.classOf(operation('put', ['a']))).not.toBe(model.classOf(operation('put', ['ab'])));
});

describe('list', () => {
  const longest = operation('LRANGE', [0, -1], ['a', 'b', 'c']);

  function run(operations: readonly Operation[], reads: readonly Operation[]): State | undefined {
    const model = createModel('list', reads);
    let state: State | undefined = model.initial;
    for (const one of operations) {
      if (state !== undefined) state = model.step(state, one);
    }
    return state;
  }

  test('grows by what is pushed, and answers its length', () => {
    const pushes = [operation('RPUSH', ['a'], 1), operation('RPUSH', ['b', 'c'], 3)];
    expect(run([...pushes, longest, operation('LLEN', [], 3)], [longest])).toBeDefined();
    expect(run([operation('RPUSH', ['a'], 2)], [longest])).toBeUndefined();
    expect(run([...pushes, operation('LLEN', [], 2)], [longest])).toBeUndefined();
    expect(run([operation('RPUSH', ['a'], 1), longest], [longest])).toBeUndefined();
  });

  test('takes no push that no read agrees with, until all reads are behind', () => {
    expect(run([operation('RPUSH', ['b'], 1)], [longest])).toBeUndefined();
    const all = operation('RPUSH', ['a', 'b', 'c'], 3);
    expect(run([all, operation('RPUSH', ['z'], 4)], [longest])).toBeDefined();
  });

  test('does not tell apart what lies behind all reads', () => {
    const model = createModel('list', [operation('LRANGE', [0, -1], ['a'])]);
    const start = model.step(model.initial, operation('RPUSH', ['a'], 1)) ?? null;
    const one = model.step(start, operation('RPUSH', ['x'], 2));
    expect(one).toBeDefined();
    expect(model.step(start, operation('RPUSH', ['y'], 2))).toBe(one);
    expect(model.classOf(operation('RPUSH', ['x']))).toBe(model.classOf(operation('RPUSH', ['y'])));
    expect(model.classOf(operation('RPUSH', ['x']))).not.toBe(
      model.classOf(operation('RPUSH', ['a'])),
    );
  });

  test('believes the earlier of two reads that contradict each other', () => {
    const early = { ...operation('LRANGE', [0, -1], ['a']), completedAt: 1 };
    const late = { ...operation('LRANGE', [0, -1], ['b', 'c']), completedAt: 2 };
    expect(run([operation('RPUSH', ['a'], 1), early], [late, early])).toBeDefined();
    expect(run([operation('RPUSH', ['b', 'c'], 2), late], [late, early])).toBeUndefined();
  });
});

test('an operation unknown to the model is an error, not a verdict', () => {
  expect(() => createModel('redis', []).step(null, operation('LPOP', [], null))).toThrow('LPOP');
  expect(() => createModel('kv', []).step('', operation('GET', [], ''))).toThrow('GET');
  expect(() => createModel('list', []).step(0, operation('LPOP', [], ''))).toThrow('LPOP');
  expect(() => createModel('list', [operation('LRANGE', [0, 3], [])])).toThrow('LRANGE 0 -1');
  expect(() => createModel('list-append-txn', [])).toThrow('key by key');
  const badOption = operation('SET', ['a', 'EX'], 'OK');
  expect(() => createModel('redis', []).step(null, badOption)).toThrow('SET option EX');
});

test('read-only is what changes nothing in any state, given its answer', () => {
  const model = createModel('redis', []);
  expect(model.isReadOnly(operation('GET', [], 'a'))).toBe(true);
  expect(model.isReadOnly(operation('SET', ['a', 'NX'], null))).toBe(true);
  expect(model.isReadOnly(operation('SET', ['a', 'GET'], null))).toBe(false);
  expect(model.isReadOnly(operation('SET', ['a'], 'OK'))).toBe(false);
  expect(model.isReadOnly(operation('DEL', [], 0))).toBe(true);
  expect(model.isReadOnly(operation('DEL', []))).toBe(false);
  expect(model.isReadOnly(operation('INCR', [], { error: 'ERR' }))).toBe(true);
  const register = createModel('cas-register', []);
  expect(register.isReadOnly(operation('cas', [1, 2], false))).toBe(true);
  expect(register.isReadOnly(operation('cas', [1, 2], true))).toBe(false);
});

test('operations are written for people', () => {
  expect(describeOperation(operation('SET', ['v'], 'OK'))).toBe(
    'process 0 [0, 1] SET "k" "v" -> "OK"',
  );
  expect(describeOperation(operation('GET', []))).toBe('process 0 [0, open] GET "k" -> unknown');
});
