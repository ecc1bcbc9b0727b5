/** Keys that only show while a command runs, within the footprint of its transaction and outside. */
import { describe, expect, test } from 'vitest';
import { participantsOf } from '../../actors/accord/primitives/participants.ts';
import { Arguments } from '../../storage/arguments.ts';
import { MemoryStore } from '../../storage/engine/memory-engine.ts';
import type { GroupSlots } from '../../storage/engine.ts';
import { REDIS_SLOTS, redisSlotOf, slotOfText } from '../../storage/keyspace/slots.ts';
import { body, Machine, Replies, type Reply, TABLE_HASH_KEY, versionAt } from './harness.ts';

const OUTSIDE = '-CROSSSLOT refused, nothing was done: its keys belong to several ranges';
const SORT = ['SORT', 'l', 'BY', 'w*', 'GET', 'g*', 'STORE', 'd'];

function filled(): Machine {
  const machine = new Machine();
  machine.run('RPUSH', 'l', '1', '2');
  machine.run('MSET', 'w1', '9', 'w2', '3', 'g1', 'one', 'g2', 'two');
  return machine;
}

/** One command in a transaction with a footprint of these keys. */
function runWithin(
  { machine, nowUs }: Machine,
  keys: readonly string[] | undefined,
  words: readonly string[],
): { reply: Reply | undefined; outside: readonly number[] | 'all' } {
  const slots = keys?.map((key) => slotOfText(key));
  const replies = new Replies();
  const args = new Arguments();
  args.next(body(words), 0);
  machine.begin(versionAt(nowUs + 1), slots && (participantsOf(slots) as Uint16Array));
  machine.run(args, replies);
  const outside = machine.outside(args);
  machine.commit(machine.appliedSequence + 1);
  return { reply: replies.take(), outside };
}

describe('SORT with patterns', () => {
  test('ends at a key outside the footprint, does nothing, and tells all that it needs', () => {
    const machine = filled();
    const before = machine.machine.digest();
    const { reply, outside } = runWithin(machine, ['l', 'd', 'w1'], SORT);
    expect(reply).toBe(OUTSIDE);
    const needed = ['w1', 'w2', 'g1', 'g2'].map((key) => slotOfText(key));
    expect([...outside].toSorted()).toEqual(needed.toSorted());
    expect(machine.machine.digest()).toBe(before);
    const again = runWithin(machine, ['l', 'd', 'w1', 'w2', 'g1', 'g2'], SORT);
    expect(again).toEqual({ reply: 2, outside: [] });
    expect(machine.run('LRANGE', 'd', '0', '-1')).toEqual(['two', 'one']);
  });

  test('leaves a key past its deadline alone while it only learns', () => {
    const machine = filled();
    machine.run('PEXPIRE', 'g1', '10');
    machine.advance(20);
    const { outside } = runWithin(machine, ['l', 'd'], SORT);
    expect(outside).toContain(slotOfText('g1'));
    expect(runWithin(machine, ['l', 'd', ...'w1 w2 g1 g2'.split(' ')], SORT).reply).toBe(2);
    expect(machine.run('LRANGE', 'd', '0', '-1')).toEqual(['two', '']);
  });

  test('finds nothing that FLUSHALL has removed, also while the engine still holds it', () => {
    const machine = new Machine();
    machine.run('MSET', 'w1', '9', 'w2', '3', 'g1', 'one', 'g2', 'two');
    machine.flush();
    machine.run('FLUSHALL');
    machine.run('RPUSH', 'l', '1', '2');
    expect(machine.run('SORT', 'l', 'BY', 'w*', 'GET', 'g*')).toEqual([null, null]);
    machine.run('SET', 'g1', 'new');
    expect(machine.run('SORT', 'l', 'BY', 'w*', 'GET', 'g*')).toEqual(['new', null]);
  });

  test('that nobody asked about leaves nothing for the next command', () => {
    const machine = filled();
    machine.machine.begin(versionAt(++machine.nowUs), participantsOf([]) as Uint16Array);
    const args = new Arguments();
    args.next(body(SORT), 0);
    machine.machine.run(args, new Replies());
    args.next(body(['SWAPDB', '0', '1']), 0);
    machine.machine.run(args, new Replies());
    const swapped = machine.machine.digest();
    expect(machine.machine.outside(args)).toEqual([]);
    expect(machine.machine.digest()).toBe(swapped);
  });

  test('may look at all keys of the group where the footprint is the whole store', () => {
    expect(runWithin(filled(), undefined, SORT)).toEqual({ reply: 2, outside: [] });
  });

  test('whose other keys are of another group is refused', () => {
    const [low, high] = [
      { fromSlot: 0, toSlot: 8_192 },
      { fromSlot: 8_192, toSlot: 16_384 },
    ];
    const isLow = (key: string): boolean => slotOfText(key) < 8_192 * 4;
    const list = ['a', 'b', 'c', 'd', 'e'].find(isLow) ?? expect.fail();
    const element = ['1', '2', '3', '4', '5'].find((each) => !isLow(`w${each}`)) ?? expect.fail();
    const groups = [low, high].map((slots, i) => ({
      id: { range: i + 1, generation: 1 },
      ...slots,
    }));
    const machine = new Machine({ groups });
    machine.run('RPUSH', list, element);
    const words = ['SORT', list, 'BY', 'w*'];
    const { reply, outside } = runWithin(machine, undefined, words);
    expect(reply).toBe(OUTSIDE);
    expect(outside).toEqual([slotOfText(`w${element}`)]);
  });
});

test('a script that counts all keys needs more than those of one group of several', () => {
  const groups = [0, 8_192].map((fromSlot, i) => ({
    id: { range: i + 1, generation: 1 },
    fromSlot,
    toSlot: fromSlot + 8_192,
  }));
  const script = ['EVAL', "return redis.call('DBSIZE')", '0'];
  const ended = { reply: OUTSIDE, outside: 'all' };
  expect(runWithin(new Machine({ groups }), undefined, script)).toEqual(ended);
  expect(runWithin(new Machine(), undefined, script)).toEqual({ reply: 0, outside: [] });
});

test('a script that only learns which keys it needs loads none of another group', () => {
  const bound = redisSlotOf(slotOfText('here'));
  const groups = [bound, REDIS_SLOTS].map((toSlot, i) => ({
    id: { range: i + 1, generation: 1 },
    fromSlot: i === 0 ? 0 : bound,
    toSlot,
  }));
  const [there, here] = [groups[0] as GroupSlots, groups[1] as GroupSlots];
  const elsewhere = Array.from({ length: 100 }, (_, i) => `x${i}`).find(
    (key) => redisSlotOf(slotOfText(key)) < bound,
  ) as string;
  const store = new MemoryStore(TABLE_HASH_KEY);
  for (const [group, key] of [
    [there, elsewhere],
    [here, 'here'],
  ] as const) {
    const machine = new Machine({ groups: [group] }, store);
    machine.run('SET', key, 'kept');
    machine.flush();
  }
  const machine = new Machine({ groups: [here, there] }, store);
  const script = ['EVAL', "return redis.call('GET', ARGV[1])", '0', elsewhere];
  const { outside } = runWithin(machine, [], script);
  expect(outside).toEqual([slotOfText(elsewhere)]);
  expect(machine.run('GET', 'here')).toBe('kept');
});
