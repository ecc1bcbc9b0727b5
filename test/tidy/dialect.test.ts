/** One dialect, as far as Biome has no rule for it. */
import { expect, test } from 'vitest';
import { linesWith, type SourceFile, sources } from './sources.ts';

/** A constant of a file: a number or a text, or what is computed of such. */
const LOWER_CASE_CONSTANT =
  /^(export )?const [a-z]\w*(: (number|string))? = (['"`\d(-]|[A-Z][A-Z\d_]*( [*+/-]|;))(?!.*=>)/;

function judged(text: string): number {
  const file: SourceFile = { path: 'a.ts', text, imports: [] };
  return linesWith([file], LOWER_CASE_CONSTANT, false).length;
}

test('the reader of constants tells them from functions and objects', () => {
  expect(judged('const waitMs = 5;\nexport const name: string = `x`;')).toBe(2);
  expect(judged('const halfMax = WHOLE_MAX / 2;\nconst same = OTHER;')).toBe(2);
  expect(judged('const WAIT_MS = 5;\nconst table = new Map();\nconst f = (a) => 1;')).toBe(0);
  expect(judged('  const inside = 5;')).toBe(0);
});

test('constants are in UPPER_CASE', () => {
  expect(linesWith(sources, LOWER_CASE_CONSTANT, false)).toEqual([]);
});
