/** Dead files, unfinished work and bad habits. */
import { describe, expect, test } from 'vitest';
import { linesWith, sources, tests } from './sources.ts';

const COLUMNS_MAX = 100;

/** Programs and what is reached by a computed import. */
const ENTRY_POINTS = ['actors/main.ts', 'transport/holoctl/main.ts'];

describe('nothing lies about', () => {
  const all = [...sources, ...tests];

  test('every file is used by another one', () => {
    const used = new Set([...sources, ...tests].flatMap((file) => file.imports));
    const dead = sources
      .map((file) => file.path)
      .filter((path) => !ENTRY_POINTS.includes(path) && !used.has(path));
    expect(dead).toEqual([]);
  });

  test(`no line is longer than ${COLUMNS_MAX} columns`, () => {
    const long = new RegExp(`^.{${COLUMNS_MAX + 1},}$`);
    // A long text or pattern cannot be broken without hurting its reader.
    const literal = /(['"`])[^\n]{60,}\1|^\s*\/[^/*][^\n]{60,}\/[a-z]*[;,]?$/gm;
    const broken = sources.map((file) => ({ ...file, text: file.text.replace(literal, "''") }));
    expect(linesWith(broken, long, false)).toEqual([]);
  });

  test('nothing is left to do', () => {
    expect(linesWith(all, /\b(TO[D]O|FI[X]|X[X]X)(ME)?\b/, false)).toEqual([]);
  });

  test('no path of a private machine', () => {
    const places = /["'`](\/home\/|\/Users\/|\/work\/|\/root\/|[A-Z]:\\)/;
    expect(linesWith(all, places, false)).toEqual([]);
  });

  test('no default exports, no `any`, no barrels', () => {
    expect(linesWith(sources, /^export default\b|:\s*any\b|\bas any\b|<any>/, true)).toEqual([]);
    expect(linesWith(sources, /^export \* from/, true)).toEqual([]);
  });

  test('every source says at its head what it owns', () => {
    const silent = sources
      .filter((file) => !/^(#![^\n]*\n)?\s*(\/\*\*|\/\/)/.test(file.text))
      .map((file) => file.path);
    expect(silent).toEqual([]);
  });
});
