/** Imports, also of types, form no cycle: neither between files nor between sibling rooms. */
import { describe, expect, test } from 'vitest';
import { cycles, type Graph, roomsOf } from './cycles.ts';
import { SHARED_WORDS, sources } from './sources.ts';

/** The replica owns its durability rounds, and both work on its state. */
const ALLOWED_ROOM_CYCLES = ['actors/accord/durability actors/accord/local'];

function graph(edges: Record<string, string[]>): Graph {
  return new Map(Object.entries(edges));
}

describe('the finder of cycles', () => {
  test('finds every cycle once, and no other node', () => {
    expect(cycles(graph({ a: ['b'], b: ['c'], c: ['a', 'd'], d: ['e'], e: [] }))).toEqual([
      ['a', 'b', 'c'],
    ]);
    expect(cycles(graph({ a: ['b', 'c'], b: ['d'], c: ['d'], d: [] }))).toEqual([]);
    expect(cycles(graph({ x: ['a'], a: ['b'], b: ['a'], c: ['d'], d: ['c'] }))).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
  });

  test('sees rooms with all that is below them', () => {
    const files = graph({ 'a/x/1.ts': ['b/2.ts'], 'b/3.ts': ['a/y/4.ts'] });
    expect(cycles(roomsOf(files))).toEqual([['a', 'b']]);
  });

  test('lets the own files of a folder stand above and below its rooms', () => {
    const files = graph({ 'a/door.ts': ['a/x/1.ts'], 'a/x/1.ts': ['a/words.ts', 'a/y/2.ts'] });
    expect([...roomsOf(files)]).toEqual([
      ['a/y', new Set()],
      ['a/x', new Set(['a/y'])],
    ]);
  });
});

describe('imports', () => {
  const files: Graph = new Map(sources.map((file) => [file.path, file.imports]));

  test('form no cycle of files', () => {
    expect(cycles(files)).toEqual([]);
  });

  test('form no cycle of sibling rooms', () => {
    // A word that every room may import ends every path: it imports nothing.
    const own = sources.map(({ path, imports }): [string, string[]] => [
      path,
      imports.filter((target) => !SHARED_WORDS.includes(target)),
    ]);
    const found = cycles(roomsOf(new Map(own))).map((rooms) => rooms.join(' '));
    expect(found).toEqual(ALLOWED_ROOM_CYCLES);
  });
});
