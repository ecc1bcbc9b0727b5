/** Plain language, as far as a pattern can tell. */
import { expect, test } from 'vitest';
import { nativeSources, pages, type SourceFile, sources, tests } from './sources.ts';

/** The first line of a comment, whether it stands alone or behind code. */
const BEGINNING = /(?<=^|\s)(\/\*+ *(\n\s*\* *)?|(?<!^\s*\/\/.*\n\s*)\/\/ *)/gm;
/** A reader has to search for the subject of a sentence that begins so. */
const NO_SUBJECT = /^(what|who|whom|whose|whoever|nobody|somebody)\b/i;

/** `path:line text` for every comment that begins without a subject. */
function withoutSubject(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(BEGINNING)].flatMap(({ 0: { length }, index }) => {
      const comment = text.slice(index + length, index + length + 80);
      if (!NO_SUBJECT.test(comment)) return [];
      const line = text.slice(0, index + length).split('\n').length;
      return [`${path}:${line} ${comment.split('\n')[0]}`];
    }),
  );
}

test('the reader of comments finds each form, and no second line', () => {
  const found = (text: string) => withoutSubject([{ path: 'a.ts', text, imports: [] }]);
  expect(found('/** What it is. */')).toEqual(['a.ts:1 What it is. */']);
  expect(found('a();\n/**\n * Whoever asks.\n */')).toEqual(['a.ts:3 Whoever asks.']);
  expect(found('/* Nobody. */')).toHaveLength(1);
  expect(found('  // who asks\n  // is up')).toHaveLength(1);
  expect(found('a(); // Somebody')).toHaveLength(1);
  expect(found('// The node knows\n// what it is.')).toEqual([]);
  expect(found('/**\n * The node knows\n * what it is.\n */')).toEqual([]);
  expect(found("const url = 'http://who';\n// Whole.")).toEqual([]);
});

test('every comment begins with a subject', () => {
  const others = tests.filter(({ path }) => path !== 'test/tidy/language.test.ts');
  expect(nativeSources.length).toBeGreaterThan(5);
  expect(withoutSubject([...sources, ...pages, ...nativeSources, ...others])).toEqual([]);
});
