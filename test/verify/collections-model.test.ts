import { expect, test } from 'vitest';
import { startOracles } from '../storage/differential/oracle.ts';
import type { Value } from '../storage/differential/replies.ts';
import { orderedReply } from './collection-commands.ts';
import { CollectionsModel } from './collections-model.ts';
import { pickFrom } from './generate.ts';
import type { Json, Operation } from './history.ts';
import { checkLinearizability } from './linearizability.ts';
import type { State } from './model.ts';

const NOT_SO: Json = 'something else';

function operation(kind: string, args: readonly Json[], result?: Json): Operation {
  const outcome = result === undefined ? 'unknown' : 'ok';
  const completedAt = result === undefined ? undefined : 1;
  const keys = ['group'];
  return { id: 0, process: 0, invokedAt: 0, completedAt, kind, keys, args, result, outcome };
}

/** Runs operations whose results are known, each in the state that the one before has left. */
function stateAfter(model: CollectionsModel, ...operations: Operation[]): State {
  let state: State = model.initial;
  for (const each of operations) {
    const next = model.step(state, each);
    if (next === undefined) throw new Error(`${each.kind} does not answer ${each.result}`);
    state = next;
  }
  return state;
}

test('a block answers all of its commands, and a key without elements is none', () => {
  const model = new CollectionsModel();
  const block = [
    ['RPUSH', 'l', 'a', 'b'],
    ['LMOVE', 'l', 'm', 'LEFT', 'RIGHT'],
    ['LRANGE', 'l', '0', '-1'],
  ];
  const after = stateAfter(model, operation('MULTI', block, [2, 'a', ['b']]));
  expect(model.describeState(after)).toBe('[["l",["b"]],["m",["a"]]]');
  expect(model.step(0, operation('MULTI', block, [2, 'a', ['a']]))).toBeUndefined();
  const pops = [operation('LPOP', ['l'], 'b'), operation('RPOP', ['m'], 'a')];
  const all = stateAfter(model, operation('MULTI', block), ...pops);
  expect(all).toBe(model.initial);
});

test('a block behind WATCH runs in no state but that which was read', () => {
  const model = new CollectionsModel();
  const args = (told: Json): Json[] => [['SMEMBERS', 's'], told, ['SADD', 's', 'x']];
  const full = stateAfter(model, operation('SADD', ['s', 'a'], 1));
  expect(model.step(full, operation('EXEC', args(['a']), [1]))).not.toBe(full);
  expect(model.step(full, operation('EXEC', args([]), [1]))).toBeUndefined();
  // The outcome is open: it may have run, but not in this state.
  expect(model.step(full, operation('EXEC', args([])))).toBe(full);
  expect(model.isReadOnly(operation('EXEC', args([])))).toBe(false);
});

test('a job that two workers take is found out', () => {
  const take = (process: number, worker: string): Operation => ({
    ...operation('LMOVE', ['jobs', worker, 'LEFT', 'RIGHT'], 'one'),
    id: process,
    process,
    completedAt: 20,
  });
  const push = operation('RPUSH', ['jobs', 'one'], 1);
  const operations = [push, take(1, 'first'), take(2, 'second')];
  const found = checkLinearizability({ model: 'collections', operations });
  expect(found.verdict).toBe('violation');
  expect(found.text).toContain('LMOVE "group" "jobs" "second" "LEFT" "RIGHT" -> "one"');
});

test('words of other commands are refused', () => {
  const model = new CollectionsModel();
  expect(() => model.step(0, operation('SPOP', ['s'], 'a'))).toThrow('the model has no SPOP');
  expect(() => model.step(0, operation('MULTI', ['RPUSH']))).toThrow('not a list of words');
});

const oracles = await startOracles();

/** Commands on keys of few members, so that most of them find something. */
function drawCommands(count: number): [string, ...string[]][] {
  const pick = pickFrom(14);
  const small = (): string => String(pick(4));
  const end = (): string => (pick(2) === 0 ? 'LEFT' : 'RIGHT');
  const list = (): string => `l${pick(2)}`;
  const set = (): string => `s${pick(2)}`;
  const makers: (() => [string, ...string[]])[] = [
    () => ['RPUSH', list(), small(), small()],
    () => ['LPUSH', list(), small(), small()],
    () => ['LPOP', list()],
    () => ['RPOP', list()],
    () => ['LMOVE', list(), list(), end(), end()],
    () => ['LREM', list(), '1', small()],
    () => ['LRANGE', list(), '0', '-1'],
    () => ['LLEN', list()],
    () => ['SADD', set(), small()],
    () => ['SREM', set(), small()],
    () => ['SMOVE', set(), set(), small()],
    () => ['SMEMBERS', set()],
    () => ['SISMEMBER', set(), small()],
    () => ['SCARD', set()],
    () => ['HSET', 'h', small(), small()],
    () => ['HSETNX', 'h', small(), small()],
    () => ['HDEL', 'h', small()],
    () => ['HINCRBY', 'h', small(), small()],
    () => ['HGET', 'h', small()],
    () => ['HGETALL', 'h'],
    () => ['HLEN', 'h'],
    () => ['ZADD', 'z', small(), small()],
    () => ['ZINCRBY', 'z', small(), small()],
    () => ['ZREM', 'z', small()],
    () => ['ZSCORE', 'z', small()],
    () => ['ZPOPMIN', 'z'],
    () => ['ZRANGE', 'z', '0', '-1', 'WITHSCORES'],
    () => ['ZCARD', 'z'],
  ];
  return Array.from({ length: count }, () => (makers[pick(makers.length)] ?? (() => ['PING']))());
}

test.skipIf(oracles.length === 0)('the model answers as servers of reference do', async () => {
  const commands = drawCommands(3_000);
  for (const oracle of oracles) {
    const model = new CollectionsModel();
    const replies: Value[] = await oracle.run(commands);
    oracle.close();
    let state: State = model.initial;
    for (const [at, words] of commands.entries()) {
      const [kind, ...args] = words;
      const reply = orderedReply(words, replies[at] as Json);
      const next = model.step(state, operation(kind, args, reply));
      if (next === undefined) throw new Error(`${words.join(' ')} does not answer ${reply}`);
      expect(model.step(state, operation(kind, args, NOT_SO))).toBeUndefined();
      if (model.isReadOnly(operation(kind, args, reply))) expect(next).toBe(state);
      state = next;
    }
  }
});
