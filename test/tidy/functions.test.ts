/** A function fits on a screen. */
import { describe, expect, test } from 'vitest';
import { longFunctions } from './functions.ts';
import { pages, sources, strip } from './sources.ts';

const LINES_MAX = 70;

describe('the finder of long functions', () => {
  const body = '    a();\n'.repeat(5);
  test.each([
    ['a function', `function f(): void {\n${body}}`, 1],
    ['an exported one with arguments on lines', `export function f(\n  a: A,\n): B {\n${body}}`, 1],
    ['a method', `class A {\n  #run(x: A): void {\n${body}  }\n}`, 1],
    ['an arrow function', `const f = (a: A): void => {\n${body}};`, 1],
    ['a property', `  readonly f = async (a: A) => {\n${body}  };`, 1],
    ['a function type', `type F = (\n  a: A,\n) => void;\nconst x = {\n${body}};`, 0],
    ['a statement', `  if (a) {\n${body}  }`, 0],
    ['a call', `run(() => a);\nconst x = {\n${body}};`, 0],
    ['a short one', 'function f(): void {\n  a();\n}', 0],
  ])('judges %s', (_what, code, found) => {
    expect(longFunctions(code, 5)).toHaveLength(found);
  });

  test('says where it begins and how long it is', () => {
    expect(longFunctions(`\n${'function f(): void {'}\n${body}}`, 5)).toEqual([
      { line: 2, lines: 7, head: 'function f(): void {' },
    ]);
  });
});

test(`no function is longer than ${LINES_MAX} lines`, () => {
  const found = [...sources, ...pages].flatMap(({ path, text }) =>
    longFunctions(strip(text, false), LINES_MAX).map(({ head }) => `${path} ${head}`),
  );
  expect(found).toEqual([]);
});
