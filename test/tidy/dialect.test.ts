/** One dialect, as far as Biome has no rule for it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { linesWith, type SourceFile, sources, tests } from './sources.ts';

/** A constant of a file: a number or a text, or what is computed of such. */
const LOWER_CASE_CONSTANT =
  /^(export )?const [a-z]\w*(: (number|string))? = (['"`\d(-]|[A-Z][A-Z\d_]*( [*+/-]|;))(?!.*=>)/;

/** Where the value of `++` and `--` is not used: a statement of its own, or the step of a loop. */
const NAME = '(this\\.)?#?[\\w$]+(\\.#?[\\w$]+|\\[[\\w$.]+\\])*';
const UNUSED_INCREMENT = new RegExp(
  `(^|[;{)]|else)\\s*(${NAME}(\\+\\+|--)|(\\+\\+|--)${NAME})(;|\\)( |$))`,
);

function judged(text: string, pattern = LOWER_CASE_CONSTANT): number {
  const file: SourceFile = { path: 'a.ts', text, imports: [] };
  return linesWith([file], pattern, false).length;
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

test('the reader of increments tells steps from values', () => {
  const steps = 'i++;\nfor (let i = 0; i < n; i++) a();\nif (a) this.#n--;\n--left;\nelse a.b++;';
  expect(judged(steps, UNUSED_INCREMENT)).toBe(5);
  expect(judged('i += 1;\nbytes[at++] = 1;\nreturn this.#next++;', UNUSED_INCREMENT)).toBe(0);
  expect(judged('if (--left === 0) done();\nf(++n);', UNUSED_INCREMENT)).toBe(0);
});

test('a step is `+= 1`; `++` is for where its value is used', () => {
  const others = tests.filter(({ path }) => path !== 'test/tidy/dialect.test.ts');
  expect(linesWith([...sources, ...others], UNUSED_INCREMENT, false)).toEqual([]);
});

/** A head with nothing behind it: what follows has a line of its own. */
const BARE_HEAD = /^\s*(\} )?((else )?(if|for|while) \(.*\)|else)$/;

test('the reader of heads tells a body on the same line, and one in braces', () => {
  expect(judged('if (a)\n  b();\n} else if (a)\n  b();\nelse\n  c();', BARE_HEAD)).toBe(3);
  expect(judged('if (a) b();\nelse c();\nfor (;;) {\n}\nif (\n  a\n) {', BARE_HEAD)).toBe(0);
});

test('a body on a line of its own has braces', () => {
  expect(linesWith([...sources, ...tests], BARE_HEAD, false)).toEqual([]);
});

/** V8 looks up a private accessor by a call of its runtime, each time. */
const PRIVATE_ACCESSOR = /^\s*(static )?[gs]et #/;

test('the reader of private accessors tells them from public ones and methods', () => {
  expect(judged('  get #size(): number {\n  set #size(n) {', PRIVATE_ACCESSOR)).toBe(2);
  expect(judged('  get size(): number {\n  #size(): number {\n  get(key)', PRIVATE_ACCESSOR)).toBe(
    0,
  );
});

test('what only the class itself asks for is a method, not a private accessor', () => {
  const others = tests.filter(({ path }) => path !== 'test/tidy/dialect.test.ts');
  expect(linesWith([...sources, ...others], PRIVATE_ACCESSOR, false)).toEqual([]);
});

const BIOME = join(import.meta.dirname, '../../node_modules/@biomejs/biome/bin/biome');
const directory = mkdtempSync(join(tmpdir(), 'holo-tidy-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Whether Biome passes a file with this text, by the rules of biome.json. */
function passesLint(text: string): boolean {
  const config = readFileSync(join(import.meta.dirname, '../../biome.json'), 'utf8');
  const rules = { ...JSON.parse(config), $schema: undefined, vcs: undefined };
  writeFileSync(join(directory, 'biome.json'), JSON.stringify(rules));
  writeFileSync(join(directory, 'a.ts'), text);
  return spawnSync(process.execPath, [BIOME, 'lint', 'a.ts'], { cwd: directory }).status === 0;
}

test('a switch over a union names every member, or says `default`', () => {
  const union = "type M = { type: 'A' } | { type: 'B' };\nexport function f(m: M): void {\n";
  const a = "  switch (m.type) {\n    case 'A':\n      return;\n";
  expect(passesLint(`${union}${a}  }\n}\n`)).toBe(false);
  expect(passesLint(`${union}${a}    case 'B':\n      return;\n  }\n}\n`)).toBe(true);
  expect(passesLint(`${union}${a}    default:\n      return;\n  }\n}\n`)).toBe(true);
});

test('tests are named by `test`', () => {
  const named = (by: string) => `import { ${by} } from 'vitest';\n${by}('a', () => undefined);\n`;
  expect(passesLint(named('it'))).toBe(false);
  expect(passesLint(named('test'))).toBe(true);
});
