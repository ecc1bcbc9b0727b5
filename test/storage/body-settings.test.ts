/** The settings at the head of a body: every replica runs it with these, and no others. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Arguments, isCommandBody } from '../../storage/arguments.ts';
import {
  type BodySettings,
  headBytes,
  STANDARD_SETTINGS,
  settingsHead,
  settingsOfBody,
} from '../../storage/body-settings.ts';
import { namedKeys } from '../../storage/spanning/named-keys.ts';
import { bodyOf } from '../../storage/transaction-body.ts';
import { body, Machine } from './harness.ts';

const UNITS = [body(['HSET', 'h', 'a', '1', 'b', '2']), body(['OBJECT', 'ENCODING', 'h'])];
const SMALL = settingsHead({ ...STANDARD_SETTINGS, hashMaxListpackEntries: 1 });

test('no standard setting needs a head', () => {
  expect(settingsHead({ ...STANDARD_SETTINGS })).toHaveLength(0);
  expect(settingsOfBody(bodyOf(UNITS))).toBe(STANDARD_SETTINGS);
});

test('any settings come back, and the commands behind them are the same', () => {
  const value = fc.oneof(fc.integer(), fc.maxSafeInteger());
  const shape = Object.fromEntries(Object.keys(STANDARD_SETTINGS).map((name) => [name, value]));
  fc.assert(
    fc.property(fc.record(shape, { requiredKeys: [] }), (changes) => {
      const settings: BodySettings = { ...STANDARD_SETTINGS, ...changes };
      const bytes = bodyOf(UNITS, settingsHead(settings));
      expect(settingsOfBody(bytes)).toEqual(settings);
      expect(isCommandBody(bytes)).toBe(true);
      const plain = bodyOf(UNITS);
      expect(Buffer.from(bytes.subarray(headBytes(bytes))).equals(plain)).toBe(true);
      expect(namedKeys(bytes)).toEqual(namedKeys(plain));
    }),
  );
});

test('a head that is damaged makes no body', () => {
  const whole = bodyOf(UNITS, SMALL);
  for (let bytes = 1; bytes <= SMALL.length; bytes += 1) {
    expect(isCommandBody(whole.subarray(0, bytes))).toBe(false);
  }
  for (const [at, byte] of [
    [1, 0],
    [1, 255],
    [2, Object.keys(STANDARD_SETTINGS).length],
  ] as const) {
    const damaged = Buffer.from(whole);
    damaged[at] = byte;
    expect(isCommandBody(damaged)).toBe(false);
  }
});

test('the first command behind a head begins its unit in database 0', () => {
  const args = new Arguments();
  const bytes = bodyOf(UNITS, SMALL);
  args.database = 7;
  const end = args.next(bytes, 0);
  expect([args.startsUnit, args.database, args.text(0)]).toEqual([true, 0, 'HSET']);
  expect(args.next(bytes, end)).toBe(bytes.length);
});

test('a machine runs a body with its settings, and the next one with its own', () => {
  const machine = new Machine();
  expect(machine.execute(Buffer.from(bodyOf(UNITS, SMALL)))).toEqual([2, 'hashtable']);
  machine.run('DEL', 'h');
  expect(machine.execute(Buffer.from(bodyOf(UNITS)))).toEqual([2, 'listpack']);
});
