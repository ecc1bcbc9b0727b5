import { describe, expect, test } from 'vitest';
import { checkConvergence, type ReplicaContents } from './convergence.ts';

const replica = (name: string, entries: Record<string, string>): ReplicaContents => ({
  replica: name,
  entries: new Map(Object.entries(entries)),
});

describe('checkConvergence', () => {
  test('is content with equal replicas, in whatever order they hold their keys', () => {
    const found = checkConvergence([
      replica('n1', { a: '1', b: '2' }),
      replica('n2', { b: '2', a: '1' }),
    ]);
    expect(found).toMatchObject({ verdict: 'ok', keys: 2, differing: 0, differences: [] });
  });

  test('names the keys that differ, and who holds what', () => {
    const found = checkConvergence([
      replica('n1', { a: '1', b: '2', c: '3' }),
      replica('n2', { a: '1', b: 'x', c: '3' }),
      replica('n3', { a: '1', b: '2' }),
    ]);
    expect(found.verdict).toBe('violation');
    expect(found.differences.map(({ key }) => key)).toEqual(['b', 'c']);
    expect(found.text.split('\n').slice(1)).toEqual([
      'key "b": n1 holds "2", n2 holds "x", n3 holds "2"',
      'key "c": n1 holds "3", n2 holds "3", n3 holds nothing',
    ]);
  });

  test('sees a key that the first replica lacks', () => {
    const found = checkConvergence([replica('n1', {}), replica('n2', { a: '1' })]);
    expect(found.differences.map(({ key }) => key)).toEqual(['a']);
  });

  test('asks only the owners of a key, and finds it where it should not be', () => {
    const owns = (key: string): boolean => key < 'm';
    const low = { ...replica('low', { a: '1' }), owns };
    const all = replica('all', { a: '1', z: '9' });
    expect(checkConvergence([low, all]).verdict).toBe('ok');
    const stray = { ...replica('low', { a: '1', z: '9' }), owns };
    const found = checkConvergence([stray, all]);
    expect(found.differences[0]?.strays).toEqual(['low']);
    expect(found.text).toContain('low holds "9" and should not');
  });

  test('describes differencesMax keys and counts all', () => {
    const many = Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`k${at}`, 'v']));
    const replicas = [replica('n1', many), replica('n2', {})];
    const found = checkConvergence(replicas, { differencesMax: 2 });
    expect(found.differing).toBe(9);
    expect(found.differences).toHaveLength(2);
    expect(found.text).toContain('and 7 more keys');
  });
});
