/** Types of values: their bytes, and what a command answers that meets another one than it takes. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../storage/commands/command-table.ts';
import { Entry, NO_DEADLINE } from '../../../storage/keyspace/entry.ts';
import { STRING } from '../../../storage/types/string.ts';
import type { ValueType } from '../../../storage/types/value-type.ts';
import { valueTypeOf } from '../../../storage/types/value-types.ts';
import { Machine, type Reply, versionAt } from '../harness.ts';

/** A type that no command takes. */
const OTHER: ValueType = { ...STRING, code: 99, name: 'other' };
const WRONG_TYPE = '-WRONGTYPE Operation against a key holding the wrong kind of value';

/** The key `other` holds a value of it. */
function machineWithOther(): Machine {
  const machine = new Machine({ cacheBytesMax: 0 });
  machine.run('MSET', 'a', '1', 'other', 'x');
  machine.flush();
  const { engine } = machine;
  const get = engine.get.bind(engine);
  engine.get = (database, key, ...where) => {
    const entry = get(database, key, ...where);
    if (key !== 'other' || entry === undefined) return entry;
    return new Entry(OTHER, 'x', NO_DEADLINE, versionAt(1));
  };
  return machine;
}

describe('strings', () => {
  test('are written and read back as they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 40 }), (value) => {
        const record = Buffer.alloc(3 + STRING.bytesOf(value), 0xee);
        STRING.write(record, 3, value, true);
        expect(STRING.read(record, 3, record.length)).toBe(value);
        expect(record.toString('hex', 0, 3)).toBe('eeeeee');
      }),
    );
  });

  test('are found by their code, and no other code is known', () => {
    expect(valueTypeOf(STRING.code)).toBe(STRING);
    for (const code of [0, 2, 255]) expect(valueTypeOf(code)).toBeUndefined();
  });

  test('add their content to a digest', () => {
    const digests = ['a', 'b', ''].map((value) => {
      const hash = createHash('sha256');
      STRING.digest(hash, value);
      return hash.digest('hex');
    });
    expect(new Set(digests).size).toBe(3);
  });
});

describe('a value of another type', () => {
  const words: Record<string, readonly string[]> = {
    SETEX: ['10', 'v'],
    PSETEX: ['10', 'v'],
    GETRANGE: ['0', '1'],
    SUBSTR: ['0', '1'],
    SETRANGE: ['0', 'v'],
    INCRBY: ['1'],
    DECRBY: ['1'],
    INCRBYFLOAT: ['1'],
    APPEND: ['v'],
    GETSET: ['v'],
  };
  // LCS has an error text of its own.
  const any = ['SET', 'SETNX', 'SETEX', 'PSETEX', 'MGET', 'MSET', 'MSETNX', 'LCS'];
  const typed = COMMANDS.filter(({ group, name }) => group === 'string' && !any.includes(name));

  test.each(typed.map(({ name }) => name))('%s refuses it and changes nothing', (name) => {
    const machine = machineWithOther();
    machine.run('TYPE', 'other');
    const digest = machine.machine.digest();
    expect(machine.run(name, 'other', ...(words[name] ?? []))).toBe(WRONG_TYPE);
    expect(machine.machine.digest()).toBe(digest);
  });

  test('is refused by SET where it compares or answers the old value', () => {
    const machine = machineWithOther();
    expect(machine.run('SET', 'other', 'v', 'GET')).toBe(WRONG_TYPE);
    expect(machine.run('SET', 'other', 'v', 'IFEQ', 'x')).toBe(WRONG_TYPE);
    expect(machine.run('SET', 'other', 'v', 'NX')).toBe(null);
  });

  test('is refused by an ephemeral read too', () => {
    const machine = machineWithOther();
    expect(machine.read('GET', 'other')).toBe(WRONG_TYPE);
    expect(machine.read('GET', 'a')).toBe('1');
  });

  const answers: readonly (readonly [string, Reply])[] = [
    ['MGET a other', ['1', null]],
    ['TYPE other', '+other'],
    ['TYPE a', '+string'],
    ['TYPE none', '+none'],
    ['EXISTS other', 1],
    ['TTL other', -1],
    ['EXPIRE other 100', 1],
    ['RENAME other new', '+OK'],
    ['COPY other new', 1],
    ['DEL other', 1],
    ['SET other v', '+OK'],
    ['OBJECT REFCOUNT other', 1],
  ];
  test.each(answers)('does not matter to %s', (line, reply) => {
    expect(machineWithOther().run(...line.split(' '))).toEqual(reply);
  });

  test('keeps its type when it is renamed', () => {
    const machine = machineWithOther();
    machine.run('RENAME', 'other', 'new');
    expect(machine.run('TYPE', 'new')).toBe('+other');
    expect(machine.run('GET', 'new')).toBe(WRONG_TYPE);
  });
});
