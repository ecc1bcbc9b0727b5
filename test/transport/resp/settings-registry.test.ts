import { describe, expect, test } from 'vitest';
import {
  bytesSetting,
  fixedSetting,
  integerSetting,
  type Setting,
  SettingsRegistry,
} from '../../../transport/resp/settings-registry.ts';

function example() {
  const values = { count: 1, bytes: 1024, factor: 3 };
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
    integerSetting({
      name: 'factor',
      min: 1,
      max: 5,
      get: () => values.factor,
      set: (value) => {
        values.factor = value;
      },
    }),
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
  ])('%s = %j', (name, text, reason, value) => {
    const { registry, values } = example();
    const key = name.toLowerCase();
    expect(registry.setAll([[name, text]], 'client')).toBe(
      reason === undefined
        ? undefined
        : `CONFIG SET failed (possibly related to argument '${key}') - ${reason}`,
    );
    expect(values[key as keyof typeof values]).toBe(value);
  });

  test('sets all or none', () => {
    const { registry, values } = example();
    expect(
      registry.setAll(
        [
          ['count', '5'],
          ['bytes', '2mb'],
          ['factor', 'x'],
        ],
        'client',
      ),
    ).toMatch(/'factor'/);
    expect(values).toEqual({ count: 1, bytes: 1024, factor: 3 });
    expect(
      registry.setAll(
        [
          ['count', '5'],
          ['fixed', 'y'],
        ],
        'client',
      ),
    ).toMatch(/immutable/);
    expect(values.count).toBe(1);
  });

  test('leaves a value alone that it would not take itself', () => {
    const { registry, values } = example();
    values.count = 0;
    const pairs = [
      ['count', '5'],
      ['factor', 'maybe'],
    ] as const;
    expect(registry.setAll(pairs, 'client')).toMatch(/'factor'/);
    expect(values.count).toBe(0);
  });

  test('finds names by globs, each once', () => {
    const { registry } = example();
    const names = (...globs: string[]): string[] =>
      registry.matching(globs).map((setting) => setting.name);
    expect(names('*')).toEqual(['count', 'bytes', 'factor', 'fixed']);
    expect(names('F*', 'factor', 'nothing')).toEqual(['factor', 'fixed']);
    expect(registry.matching(['bytes'])[0]?.get()).toBe('1024');
  });

  test('takes a name once, and only so many', () => {
    const { registry } = example();
    expect(() => registry.register(fixedSetting('COUNT', ''))).toThrow('count already exists');
    const many: Setting[] = Array.from({ length: 1024 }, (_, i) => fixedSetting(`s${i}`, ''));
    expect(() => registry.register(...many)).toThrow('too many settings');
  });
});
