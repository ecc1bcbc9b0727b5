/** Every export of a file is imported by another one. */
import { describe, expect, test } from 'vitest';
import { exportsOf, importedNames, unusedExports } from './exports.ts';
import { pages, type SourceFile, sources, tests } from './sources.ts';

/** Imported by a program that a test writes and runs. */
const FOR_PROGRAMS = ['actors/process/cluster/cluster-parent.ts ClusterParent'];

function file(path: string, text: string): SourceFile {
  return { path, text, imports: [] };
}

describe('the reader of exports', () => {
  test('sees declarations of every kind', () => {
    const code = [
      'export const a = 1;\nexport async function b() {}\nexport abstract class C {}',
      'export interface D {}\nexport type E = 1;\nconst f = 2;\nexport function* g() {}',
    ].join('\n');
    expect(exportsOf(code)).toEqual(['a', 'b', 'C', 'D', 'E', 'g']);
  });

  test('sees imported names by the file that they come from', () => {
    const code = [
      "import { a, type B, c as d } from './x.ts';",
      "import type {\n  E,\n} from '../y.ts';",
      "import * as all from './z.ts';\nexport { f } from './x.ts';",
      "const g = await import('./w.ts');",
    ].join('\n');
    expect(importedNames('room/me.ts', code)).toEqual([
      ...['room/x.ts#a', 'room/x.ts#B', 'room/x.ts#c', 'y.ts#E', 'room/x.ts#f'],
      ...['room/z.ts#*', 'room/w.ts#*'],
    ]);
  });

  test('finds exports without an importer, and whether the file itself uses them', () => {
    const files = [
      file('a.ts', 'export const used = 1;\nexport const own = 2;\nexport const dead = own;'),
      file('b.ts', "import { used } from './a.ts';"),
    ];
    expect(unusedExports(files, files)).toEqual([
      { path: 'a.ts', name: 'own', usedInside: true },
      { path: 'a.ts', name: 'dead', usedInside: false },
    ]);
  });
});

describe('exports', () => {
  test('are imported by another file', () => {
    const found = unusedExports([...sources, ...pages], [...sources, ...pages, ...tests]);
    const names = found.map(({ path, name }) => `${path} ${name}`);
    expect(names.filter((name) => !FOR_PROGRAMS.includes(name))).toEqual([]);
  });

  test('are not there for tests alone', () => {
    const dead = unusedExports(sources, [...sources, ...pages]).filter(
      ({ usedInside }) => !usedInside,
    );
    const names = dead.map(({ path, name }) => `${path} ${name}`);
    expect(names).toEqual([]);
  });
});
