/** That every planted bug still finds its place in the source, and stands for a rule. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { mutatedFiles } from './mutant-tree.ts';
import { MUTANTS } from './mutants.ts';

describe('the table of mutants', () => {
  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))('%s applies', (_, mutant) => {
    expect(() => mutatedFiles(mutant)).not.toThrow();
    expect(mutant.replace).not.toBe(mutant.find);
  });

  test('names are unique', () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  });

  test('every story that a mutant needs is told', () => {
    const stories = MUTANTS.flatMap(({ config }) => (config.type === 'story' ? config.file : []));
    const missing = stories.filter(
      (file) => !existsSync(join(import.meta.dirname, '../stories', file)),
    );
    expect(missing).toEqual([]);
  });

  test('every unit test that a mutant needs is there', () => {
    const files = MUTANTS.flatMap(({ config }) => (config.type === 'unit' ? config.file : []));
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  });

  test('the rules that must be held have a mutant each', () => {
    const items = new Set(MUTANTS.flatMap(({ accordItem }) => accordItem.split(/[ ,(]/)));
    const must = [
      1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 22, 23, 24, 32, 34, 38,
    ];
    expect([...must.map(String), 'A', 'B', 'C', 'D'].filter((item) => !items.has(item))).toEqual(
      [],
    );
  });
});
