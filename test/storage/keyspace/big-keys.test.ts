/** The search for large keys over real machines, in memory and in a flushed engine. */
import { expect, test } from 'vitest';
import { BigKeysSearch, mergeBigKeys } from '../../../storage/keyspace/big-keys.ts';
import { REDIS_SLOTS } from '../../../storage/keyspace/slots.ts';
import { Machine } from '../harness.ts';

function searched(machine: Machine, count: number, keysMax = 1e6) {
  const search = machine.all.searchBigKeys(count, keysMax);
  let pages = 0;
  while (search.next()) pages += 1;
  return { ...search.found(), pages };
}

function filled(options = {}): Machine {
  const machine = new Machine(options);
  for (let i = 0; i < 500; i += 1) machine.run('SET', `small:${i}`, 'v'.repeat(i % 50));
  for (const size of [4_000, 9_000, 6_000]) machine.run('SET', `big:${size}`, 'v'.repeat(size));
  for (const size of [10, 700, 300]) {
    const items = Array.from({ length: size }, (_, i) => `item-${i}`);
    machine.run('RPUSH', `list:${size}`, ...items);
    machine.runIn(3, 'SADD', `set:${size}`, ...items);
  }
  return machine;
}

test.each([
  ['in memory', false],
  ['flushed', true],
])('%s: the largest of each type', (_, flushes) => {
  const machine = filled({ cacheBytesMax: flushes ? 1 : 1e6 });
  if (flushes) {
    machine.all.flush(() => undefined);
    machine.turns.run();
  }
  const { largest, types, looked, keys } = searched(machine, 2);
  expect(largest.map(({ type, database, key }) => `${type} ${database} ${key}`)).toEqual([
    'list 0 list:700',
    'list 0 list:300',
    'set 3 set:700',
    'set 3 set:300',
    'string 0 big:9000',
    'string 0 big:6000',
  ]);
  expect([looked, keys]).toEqual([509, 509]);
  expect(types.map(({ type, keys: each }) => [type, each])).toEqual([
    ['list', 3],
    ['set', 3],
    ['string', 503],
  ]);
  expect(largest[4]?.bytes).toBeGreaterThanOrEqual(9_000);
});

test('of many keys it looks at some, those of the fullest slots first', () => {
  const machine = new Machine();
  for (let i = 0; i < 3_000; i += 1) machine.run('SET', `k${i}`, 'v');
  machine.run('SET', 'huge', 'v'.repeat(100_000));
  const { largest, looked, keys } = searched(machine, 1, 100);
  expect(largest.map(({ key }) => key)).toEqual(['huge']);
  expect(looked).toBeGreaterThanOrEqual(100);
  expect(looked).toBeLessThan(200);
  expect(keys).toBe(3_001);
});

test('commands between two pages change what is found, and end nothing', () => {
  const machine = filled();
  const search = machine.all.searchBigKeys(1, 1e6);
  expect([search.next(), search.next()]).toEqual([true, true]);
  machine.run('FLUSHALL');
  machine.run('SET', 'after', 'v');
  while (search.next()) expect(machine.machine.size).toBe(1);
  expect(search.found().looked).toBeLessThan(509);
});

test('all groups of a store are searched, and several stores merged', () => {
  const half = REDIS_SLOTS / 2;
  const groups = [
    { id: { range: 1, generation: 1 }, fromSlot: 0, toSlot: half },
    { id: { range: 2, generation: 1 }, fromSlot: half, toSlot: REDIS_SLOTS },
  ];
  const machine = new Machine({ groups });
  machine.run('SET', 'b', 'v');
  const one = searched(machine, 2);
  const found = (type: string, key: string, bytes: number) => ({ type, database: 0, key, bytes });
  const other = {
    largest: [found('hash', 'h', 9), found('string', 'x', 8), found('string', 'y', 7)],
    types: [
      { type: 'hash', keys: 1, bytes: 9 },
      { type: 'string', keys: 2, bytes: 15 },
    ],
    ...{ looked: 3, keys: 30 },
  };
  const merged = mergeBigKeys([one, other], 1);
  expect(merged.largest.map(({ key }) => key)).toEqual(['h', 'x']);
  expect([merged.looked, merged.keys]).toEqual([4, 31]);
  expect(merged.types[1]).toMatchObject({ type: 'string', keys: 3 });
});

test('nothing is found where there is nothing', () => {
  const search = new BigKeysSearch([], 3, 100);
  expect(search.next()).toBe(false);
  expect(search.found()).toEqual({ largest: [], types: [], looked: 0, keys: 0 });
});
