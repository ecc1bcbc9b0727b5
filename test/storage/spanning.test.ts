/**
 * Commands over several groups: three machines that send each other what the commands name come to
 * the replies and the data of one machine that has all keys.
 */
import { describe, expect, test } from 'vitest';
import { participantsOf } from '../../actors/accord/primitives/participants.ts';
import { ZERO } from '../../actors/accord/primitives/timestamp.ts';
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { Arguments } from '../../storage/arguments.ts';
import { KeyspaceDigest } from '../../storage/keyspace/digest.ts';
import { Entry, NO_DEADLINE } from '../../storage/keyspace/entry.ts';
import { firstSlotOf, REDIS_SLOTS, slotOfText } from '../../storage/keyspace/slots.ts';
import { KEYS_IN_UNIT_MAX } from '../../storage/limits.ts';
import { decodeFetched, encodeFetched } from '../../storage/spanning/fetched-entries.ts';
import { namedKeys } from '../../storage/spanning/named-keys.ts';
import { STREAM, Stream } from '../../storage/types/stream/stream.ts';
import { streamId } from '../../storage/types/stream/stream-id.ts';
import type { ValueType } from '../../storage/types/value-type.ts';
import { mixedUnit, type RandomUnitOptions } from '../simulation/random-units.ts';
import {
  body,
  bodyIn,
  type MachineOptions,
  Machine as OneMachine,
  Replies,
  type Reply,
  START_MS,
  versionAt,
} from './harness.ts';

const CUTS = [0, 5_000, 11_000, REDIS_SLOTS];
const BYTES_MAX = 1e6;
const AT_ANY_TIME = { executeAt: versionAt(1), footprint: undefined, bytesMax: BYTES_MAX };

interface Member {
  readonly id: { readonly range: number };
  readonly fromSlot: number;
  readonly toSlot: number;
  readonly machine: OneMachine['machine'];
}

class Machines {
  readonly groups: readonly Member[];
  readonly bytesMax: number;
  nowUs = START_MS * 1_000;
  readonly #args = new Arguments();

  constructor(options: MachineOptions = {}, bytesMax = BYTES_MAX) {
    this.bytesMax = bytesMax;
    this.groups = [1, 2, 3].map((range) => {
      const fromSlot = CUTS[range - 1] as number;
      const toSlot = CUTS[range] as number;
      const group = { id: { range, generation: 1 }, fromSlot, toSlot };
      return { ...group, machine: new OneMachine({ ...options, groups: [group] }).machine };
    });
  }

  /** One transaction in these groups; the replies of each. */
  execute(commands: Buffer, ranges: readonly number[], slots?: Uint16Array): Reply[][] {
    const version = versionAt(++this.nowUs);
    const its = this.groups.filter(({ id }) => ranges.includes(id.range));
    const fetched = its.map(({ machine, fromSlot, toSlot }) => {
      const isOwn = (slot: number): boolean =>
        slot >= firstSlotOf(fromSlot) && slot < firstSlotOf(toSlot);
      const footprint = slots?.filter(isOwn);
      return machine.fetch(commands, { executeAt: version, footprint, bytesMax: this.bytesMax });
    });
    return its.map(({ machine }) => {
      const replies = new Replies();
      machine.begin(version, slots, its.length === 1 ? undefined : fetched);
      for (let at = 0; at < commands.length; ) {
        at = this.#args.next(commands, at);
        machine.run(this.#args, replies);
      }
      machine.commit(machine.appliedSequence + 1);
      return replies.all;
    });
  }

  /** By the keys that the commands name. */
  run(...words: readonly string[][]): Reply[] {
    const commands = Buffer.concat(words.map((each) => body(each)));
    const named = namedKeys(commands).keys.map(({ slot }) => slot);
    const ranges = this.groups
      .filter(({ fromSlot, toSlot }) =>
        named.some((slot) => slot >= firstSlotOf(fromSlot) && slot < firstSlotOf(toSlot)),
      )
      .map(({ id }) => id.range);
    const all = this.execute(commands, ranges, participantsOf(named) as Uint16Array);
    for (const replies of all) expect(replies).toEqual(all[0]);
    return all[0] ?? [];
  }
}

/** Digests of single keys, of all databases. */
function contents(machines: readonly OneMachine['machine'][]): string[] {
  return machines
    .flatMap((machine) => [...machine.entries()])
    .map(({ key, entry }) => {
      const digest = new KeyspaceDigest();
      digest.add(0, key, entry);
      return `${key} ${digest}`;
    })
    .sort();
}

function commandsOf(unit: ReturnType<typeof mixedUnit>): Buffer {
  let head = true;
  const parts = unit.commands.map((words, at) => {
    const bytes = bodyIn(unit.databases?.[at] ?? 0, [...words]);
    // Only the first command begins the unit.
    if (!head) bytes[0] = (bytes[0] as number) & ~0x40;
    head = false;
    return bytes;
  });
  return Buffer.concat(parts);
}

/** Some commands that look at all keys, among others. */
function withLists(unit: ReturnType<typeof mixedUnit>, rng: SeededRng): typeof unit {
  if (unit.commands.length < 2) return unit;
  const slot = String(slotOfText('x1') >> 2);
  const lists: readonly string[][] = [
    ...[['KEYS', '*'], ['SCAN', '0', 'TYPE', 'hash', 'COUNT', '10000'], ['SCAN', 'x'], ['DBSIZE']],
    ...[
      ['CLUSTER', 'COUNTKEYSINSLOT', slot],
      ['CLUSTER', 'GETKEYSINSLOT', slot, '10'],
    ],
    ['EVAL', "redis.call('del', 'x0') return redis.call('keys', 'x*')", '0'],
    ['EVAL', "redis.call('set', 'x1', 'new') return redis.call('scan', 0, 'COUNT', 9999)", '0'],
  ];
  const commands = unit.commands.map((words) => {
    const list = lists[Math.floor(rng.next() * lists.length)] ?? words;
    return rng.next() < 0.15 ? list : words;
  });
  return { ...unit, commands };
}

describe('random units', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('in three groups as in one, seed %i', (seed) => {
    const rng = new SeededRng(seed);
    const options = { cacheBytesMax: seed % 2 === 0 ? 2_000 : 1e6, unitWriteBytesMax: 4_000 };
    const one = new OneMachine(options);
    const machines = new Machines(options);
    let value = 0;
    const unitOptions: RandomUnitOptions = {
      ...{ rng, keys: 4, databases: 3, settings: false, sameSlot: false, flushes: false },
      ...{ ttlMsMax: 40, bigBytesMax: 1_000 },
      value: () => `${++value}`,
    };
    let spanning = 0;
    for (let round = 0; round < 600; round += 1) {
      const unit = withLists(mixedUnit(unitOptions), rng);
      const commands = commandsOf(unit);
      const { keys, findsKeys, wholeStore } = namedKeys(commands);
      const ranges = machines.groups
        .filter(({ fromSlot, toSlot }) =>
          keys.some(({ slot }) => slot >= firstSlotOf(fromSlot) && slot < firstSlotOf(toSlot)),
        )
        .map(({ id }) => id.range);
      const isWhole = findsKeys || wholeStore;
      const its = isWhole ? [1, 2, 3] : ranges;
      if (its.length > 1) spanning += 1;
      const footprint = isWhole ? undefined : participantsOf(keys.map(({ slot }) => slot));
      const told = machines.execute(commands, its, footprint as Uint16Array | undefined);
      one.nowUs = machines.nowUs - 1;
      const expected = one.execute(commands);
      for (const replies of told) {
        expect([unit.commands, replies]).toEqual([unit.commands, expected]);
      }
      if (rng.next() < 0.02) machines.nowUs += 20_000;
    }
    expect(spanning).toBeGreaterThan(200);
    expect(contents(machines.groups.map(({ machine }) => machine))).toEqual(
      contents([one.machine]),
    );
  });
});

const A = '{a}';
const B = '{b}';

test('the keys of these tests are in two groups', () => {
  const groupOf = (key: string): number =>
    CUTS.findLastIndex((cut) => firstSlotOf(cut) <= slotOfText(key));
  expect(groupOf(A)).not.toBe(groupOf(B));
});

test('a large collection is moved whole, and lives on', () => {
  const machines = new Machines();
  const members = Array.from({ length: 600 }, (_, at) => `member-${at}`);
  machines.run(['SADD', `${A}set`, ...members]);
  expect(machines.run(['RENAME', `${A}set`, `${B}set`])).toEqual(['+OK']);
  expect(machines.run(['SCARD', `${B}set`])).toEqual([600]);
  machines.run(['SREM', `${B}set`, 'member-7']);
  expect(machines.run(['SMOVE', `${B}set`, `${A}other`, 'member-8'])).toEqual([1]);
  expect(machines.run(['SCARD', `${B}set`])).toEqual([598]);
  expect(machines.run(['EXISTS', `${A}set`, `${B}set`, `${A}other`])).toEqual([2]);
});

test('what names more bytes than may be sent does nothing anywhere', () => {
  const machines = new Machines({}, 200);
  machines.run(['SET', `${A}x`, 'a'.repeat(300)]);
  const [reply] = machines.run(['RENAME', `${A}x`, `${B}x`]);
  expect(reply).toMatch('-TOOLARGE refused, nothing was done');
  expect(machines.run(['EXISTS', `${A}x`])).toEqual([1]);
  expect(machines.run(['EXISTS', `${B}x`])).toEqual([0]);
});

test('what is only written, removed or looked for may be of any size', () => {
  const machines = new Machines({}, 200);
  for (const key of [`${A}x`, `${B}x`]) machines.run(['SET', key, 'a'.repeat(300)]);
  expect(machines.run(['EXISTS', `${A}x`, `${B}x`])).toEqual([2]);
  expect(machines.run(['MSETNX', `${A}x`, '1', `${B}y`, '2'])).toEqual([0]);
  expect(machines.run(['MSET', `${A}x`, '1', `${B}y`, '2'])).toEqual(['+OK']);
  expect(machines.run(['DEL', `${A}x`, `${B}x`, `${B}y`])).toEqual([3]);
  // Another command of the block looks at it.
  machines.run(['SET', `${A}x`, 'a'.repeat(300)]);
  const [first] = machines.run(['EXISTS', `${A}x`, `${B}x`], ['STRLEN', `${A}x`]);
  expect(first).toMatch('-TOOLARGE');
});

describe('commands over all keys', () => {
  const run = (machines: Machines, ...words: readonly string[][]): Reply[] => {
    const commands = Buffer.concat(words.map((each) => body(each)));
    const all = machines.execute(commands, [1, 2, 3]);
    for (const replies of all) expect(replies).toEqual(all[0]);
    return all[0] ?? [];
  };

  test('count, remove and write within one block, over all groups', () => {
    const machines = new Machines();
    machines.run(['MSET', `${A}x`, '1', `${B}x`, '2']);
    const replies = run(
      machines,
      ['SET', `${A}y`, '3'],
      ['DBSIZE'],
      ['DEL', `${B}x`, `${B}none`],
      ['DBSIZE'],
      ['FLUSHDB'],
      ['DBSIZE'],
      ['MSET', `${A}z`, '4', `${B}z`, '5'],
      ['DBSIZE'],
      ['FLUSHALL'],
      ['DBSIZE'],
      ['EXISTS', `${A}z`, `${B}z`],
    );
    expect(replies).toEqual(['+OK', 3, 1, 2, '+OK', 0, '+OK', 2, '+OK', 0, 0]);
    expect(run(machines, ['DBSIZE'])).toEqual([0]);
  });

  test('SWAPDB swaps the databases of all groups, also for what follows in the block', () => {
    const machines = new Machines();
    machines.run(['MSET', `${A}x`, '1', `${B}x`, '2']);
    const swapped = [
      ['SWAPDB', '0', '1'],
      ['DBSIZE'],
      ['EXISTS', `${A}x`, `${B}x`],
      ['SWAPDB', '1', '0'],
    ];
    expect(run(machines, ...swapped, ['MGET', `${A}x`, `${B}x`])).toEqual([
      ...['+OK', 0, 0, '+OK'],
      ['1', '2'],
    ]);
  });

  test('RANDOMKEY finds living keys of every group', () => {
    const machines = new Machines();
    machines.run(['MSET', `${A}x`, '1', `${B}x`, '2']);
    machines.run(['SET', `${A}gone`, '1', 'PX', '1']);
    machines.nowUs += 10_000;
    const found = new Set(Array.from({ length: 60 }, () => run(machines, ['RANDOMKEY'])[0]));
    expect(found).toEqual(new Set([`${A}x`, `${B}x`]));
    expect(run(machines, ['FLUSHALL'])).toEqual(['+OK']);
    expect(run(machines, ['RANDOMKEY'])).toEqual([null]);
  });

  test('a list in a block has what the commands before it have left, of every type', () => {
    const machines = new Machines();
    machines.run(['SADD', `${A}set`, 'm']);
    machines.run(['XADD', `${B}stream`, '1-1', 'f', 'v']);
    machines.run([
      'ZADD',
      `${B}ranked`,
      ...Array.from({ length: 600 }, (_, at) => [`${at}`, `m${at}`]).flat(),
    ]);
    machines.run(['MSET', `${A}x`, '1', `${B}x`, '2']);
    machines.run(['SET', `${B}gone`, '1', 'PX', '1']);
    machines.nowUs += 10_000;
    const block = [
      ['DEL', `${A}x`],
      ['SET', `${B}new`, '1'],
      ['KEYS', '*'],
      ['SCAN', '0', 'COUNT', '10000', 'TYPE', 'zset'],
      ['DBSIZE'],
    ];
    const [, , keys, ranked, size] = run(machines, ...block);
    const left = [`${A}set`, `${B}new`, `${B}ranked`, `${B}stream`, `${B}x`];
    expect((keys as string[]).sort()).toEqual(left);
    expect(ranked).toEqual(['0', [`${B}ranked`]]);
    expect(size).toBe(5);
    const drawn = run(machines, ['DEL', ...left.slice(1)], ['RANDOMKEY']);
    expect(drawn).toEqual([4, `${A}set`]);
    expect(run(machines, ['FLUSHALL'], ['RANDOMKEY'], ['KEYS', '*'])).toEqual(['+OK', null, []]);
  });

  test('SCAN in blocks walks through all groups, and finds each key once', () => {
    const machines = new Machines();
    const names = Array.from({ length: 300 }, (_, at) => `key-${at}`);
    machines.run(['MSET', ...names.flatMap((name) => [name, '1'])]);
    const found: string[] = [];
    let cursor = '0';
    do {
      const [, page] = run(machines, ['GET', 'x'], ['SCAN', cursor, 'COUNT', '7']);
      const [next, keys] = page as [string, string[]];
      found.push(...keys);
      cursor = next;
    } while (cursor !== '0');
    expect(found.sort()).toEqual(names.sort());
  });

  test('more keys than a block may list are refused by name, until they are removed', () => {
    const machines = new Machines();
    const names = Array.from({ length: KEYS_IN_UNIT_MAX + 1 }, (_, at) => `${A}${at}`);
    machines.run(['MSET', ...names.flatMap((name) => [name, '1'])]);
    const lists = [['KEYS', '*'], ['SCAN', '0'], ['RANDOMKEY']];
    const slot = String(slotOfText(B) >> 2);
    for (const words of [...lists, ['CLUSTER', 'GETKEYSINSLOT', slot, '1'], ['HOLO.KEYS', '*']]) {
      const [, reply] = run(machines, ['GET', 'x'], words);
      expect(reply).toMatch(new RegExp(`^-ERR (?=.*${KEYS_IN_UNIT_MAX} keys)`));
      // One of them less is no list yet: the group of the keys has told none.
      const [, less] = run(machines, ['DEL', `${A}0`], words, ['SET', `${A}0`, '1']);
      expect(less).toBe(reply);
    }
    const [, , ...empty] = run(machines, ['FLUSHDB'], ['SET', `${B}x`, '1'], ...lists);
    expect(empty).toEqual([[`${B}x`], ['0', [`${B}x`]], `${B}x`]);
  });

  test('a key that a script may not have named is outside until all groups are in it', () => {
    const machines = new Machines();
    machines.run(['MSET', `${A}x`, '1', `${B}x`, '2']);
    const script = body(['EVAL', "return #redis.call('keys', '*')", '0']);
    const slots = participantsOf([slotOfText(A), slotOfText(B)]) as Uint16Array;
    const [narrow] = machines.execute(script, [1, 2, 3], slots);
    expect(narrow).toEqual([expect.stringMatching('^-CROSSSLOT')]);
    const [wide] = machines.execute(script, [1, 2, 3]);
    expect(wide).toEqual([2]);
  });
});

test('a unit that would write too much over all groups is undone in each of them', () => {
  const machines = new Machines({ unitWriteBytesMax: 100 });
  const half = 'h'.repeat(60);
  const [reply] = machines.run(['MSET', `${A}x`, half, `${B}x`, half]);
  expect(reply).toMatch('-OOM');
  expect(machines.run(['EXISTS', `${A}x`, `${B}x`])).toEqual([0]);
});

test('fetched bytes that are cut short are found out', () => {
  const machines = new Machines();
  machines.run(['RPUSH', `${A}list`, ...Array.from({ length: 400 }, () => 'item'.repeat(9))]);
  const commands = body(['LLEN', `${A}list`]);
  const fetched = machines.groups
    .map(({ machine }) => machine.fetch(commands, AT_ANY_TIME))
    .find(({ length }) => length > 100) as Uint8Array;
  expect(decodeFetched(fetched)?.entries).toHaveLength(1);
  for (let end = 1; end < fetched.length; end += 97) {
    expect(() => decodeFetched(fetched.subarray(0, end))).toThrow();
  }
});

test('a collection that changes while it is stored is fetched as it is now', () => {
  const stream = STREAM.empty(0);
  stream.append(streamId(1, 0), ['f', 'v']);
  stream.capture(1);
  stream.append(streamId(2, 0), ['f', 'another']);
  const entry = new Entry(STREAM as ValueType, stream, NO_DEADLINE, versionAt(1));
  const entries = [{ database: 0, key: A, removedAt: ZERO, entry }];
  const bytes = encodeFetched({ fromSlot: 0, databases: [], entries }, BYTES_MAX);
  const [fetched] = decodeFetched(bytes)?.entries ?? [];
  const value = fetched?.entry?.value;
  expect(value instanceof Stream && value.count).toBe(2);
});
