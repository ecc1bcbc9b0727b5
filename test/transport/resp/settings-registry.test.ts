import { describe, expect, test } from 'vitest';
import {
  booleanSetting,
  bytesSetting,
  choiceSetting,
  fixedSetting,
  integerSetting,
  type Setting,
  SettingsRegistry,
} from '../../../transport/resp/settings-registry.ts';

function example() {
  const values = { count: 1, bytes: 1024, flag: false, mode: 'fast' };
  const registry = new SettingsRegistry();
  registry.register(
    integerSetting({
      name: 'count',
      min: 1,
      max: 10,
      get: () => values.count,
      set: (value) => {
        values.count = value;
      },
    }),
    bytesSetting({
      name: 'bytes',
      min: 0,
      max: 2 ** 40,
      get: () => values.bytes,
      set: (value) => {
        values.bytes = value;
      },
    }),
    booleanSetting(
      'flag',
      () => values.flag,
      (value) => {
        values.flag = value;
      },
    ),
    choiceSetting(
      'mode',
      ['fast', 'slow'],
      () => values.mode,
      (value) => {
        values.mode = value;
      },
    ),
    fixedSetting('fixed', 'x'),
  );
  return { registry, values };
}

describe('SettingsRegistry', () => {
  test.each<[string, string, string | undefined, unknown]>([
    ['count', '10', undefined, 10],
    ['COUNT', '2', undefined, 2],
    ['count', '11', 'argument must be between 1 and 10 inclusive', 1],
    ['count', '1.5', "argument couldn't be parsed into an integer", 1],
    ['count', '', "argument couldn't be parsed into an integer", 1],
    ['bytes', '2mb', undefined, 2 * 1024 * 1024],
    ['bytes', '3K', undefined, 3000],
    ['bytes', '5', undefined, 5],
    ['bytes', '5x', 'argument must be a memory value', 1024],
    ['bytes', '-1', 'argument must be a memory value', 1024],
    ['flag', 'YES', undefined, true],
    ['flag', 'maybe', "argument must be 'yes' or 'no'", false],
    ['mode', 'Slow', undefined, 'slow'],
    ['mode', 'x', 'argument(s) must be one of the following: fast, slow', 'fast'],
  ])('%s = %j', (name, text, reason, value) => {
    const { registry, values } = example();
    const key = name.toLowerCase();
    expect(registry.setAll([[name, text]])).toBe(
      reason === undefined
        ? undefined
        : `CONFIG SET failed (possibly related to argument '${key}') - ${reason}`,
    );
    expect(values[key as keyof typeof values]).toBe(value);
  });

  test('sets all or none', () => {
    const { registry, values } = example();
    expect(
      registry.setAll([
        ['count', '5'],
        ['flag', 'yes'],
        ['mode', 'x'],
      ]),
    ).toMatch(/'mode'/);
    expect(values).toEqual({ count: 1, bytes: 1024, flag: false, mode: 'fast' });
    expect(
      registry.setAll([
        ['count', '5'],
        ['fixed', 'y'],
      ]),
    ).toMatch(/immutable/);
    expect(values.count).toBe(1);
  });

  test('leaves a value alone that it would not take itself', () => {
    const { registry, values } = example();
    values.count = 0;
    const pairs = [
      ['count', '5'],
      ['flag', 'maybe'],
    ] as const;
    expect(registry.setAll(pairs)).toMatch(/'flag'/);
    expect(values.count).toBe(0);
  });

  test('finds names by globs, each once', () => {
    const { registry } = example();
    const names = (...globs: string[]): string[] =>
      registry.matching(globs).map((setting) => setting.name);
    expect(names('*')).toEqual(['count', 'bytes', 'flag', 'mode', 'fixed']);
    expect(names('F*', 'flag', 'nothing')).toEqual(['flag', 'fixed']);
    expect(registry.matching(['bytes'])[0]?.get()).toBe('1024');
  });

  test('takes a name once, and only so many', () => {
    const { registry } = example();
    expect(() => registry.register(fixedSetting('COUNT', ''))).toThrow('count exists already');
    const many: Setting[] = Array.from({ length: 1024 }, (_, i) => fixedSetting(`s${i}`, ''));
    expect(() => registry.register(...many)).toThrow('too many settings');
  });
});
