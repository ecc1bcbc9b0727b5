/**
 * What must hold for the source as a whole: who may import whom, where the outside world begins,
 * and that nothing was left lying about. Reads the files; runs none of them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const ROOMS = ['actors', 'transport', 'bpf', 'wal', 'storage'];
const COLUMNS_MAX = 100;

/** Programs and what is reached by a computed import. */
const ENTRY_POINTS = ['actors/main.ts', 'transport/holoctl/main.ts'];

/** One file may import each of these; nobody else needs to know that they exist. */
const OWNED_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  nact: ['actors/runtime/nact-shim.ts'],
  'cbor-x': ['transport/peer/codec.ts'],
  lmdb: ['storage/engine/lmdb-engine.ts'],
  'prom-client': ['transport/http/metrics.ts', 'transport/http/counted-histogram.ts'],
};

/** Node modules that compute and do not reach out. */
const PURE_MODULES = ['node:zlib', 'node:util', 'node:path', 'node:buffer', 'node:assert'];

/** Where the outside world begins: sockets, files, processes, clocks and dice. */
const ADAPTERS = [
  /^actors\/main\.ts$/,
  /^actors\/process\//,
  /^actors\/runtime\/(ports\/system-ports|nact-shim)\.ts$/,
  /^bpf\//,
  /^storage\/engine\//,
  /^storage\/keyspace\/digest\.ts$/,
  /^transport\/http\//,
  /^transport\/holoctl\//,
  /^transport\/peer\/(tcp-network|dialled-link|accepted-link)\.ts$/,
  /^transport\/resp\/server\.ts$/,
  /^wal\/node-disk\.ts$/,
];

const WORLD_WORDS = [
  /\bDate\.now\b/,
  /\bnew Date\(\)/,
  /\bMath\.random\b/,
  /\bperformance\.(now|timeOrigin)\b/,
  /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/,
  /\bprocess\.(env|argv|on|exit|nextTick|hrtime|stdout|stderr|stdin)\b/,
  /\brandom(Bytes|UUID|Int)\b/,
];

function filesBelow(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => pattern.test(name) && !name.includes('node_modules'))
    .sort();
}

/**
 * Blanks out comments and, if asked, what is inside of quotes; lines stay where they are. Knows
 * strings, templates (as one string) and regular expressions well enough for this code base.
 */
function strip(source: string, quotesToo: boolean): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(?<=[(,=:[!&|?{};\n]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//g;
  return source.replace(token, (text) => {
    const isComment = text.startsWith('//') || text.startsWith('/*');
    const isTemplate = text.startsWith('`');
    if (!isComment && (!quotesToo || isTemplate)) return text;
    return text.replace(/[^\n]/g, ' ');
  });
}

function importsOf(source: string): string[] {
  const code = strip(source, false);
  const found = code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"\n]+)['"]/g);
  return [...found].map((match) => match[1] ?? '');
}

interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Of relative imports, from the root; of packages, as written. */
  readonly imports: readonly string[];
}

function load(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const imports = importsOf(text).map((target) =>
    target.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(path), target)) : target,
  );
  return { path, text, imports };
}

const sources = ROOMS.flatMap((room) => filesBelow(room, /\.ts$/)).map(load);
const tests = filesBelow('test', /\.ts$/).map(load);

function isAdapter(path: string): boolean {
  return ADAPTERS.some((pattern) => pattern.test(path));
}

/** `a -> b` for every import of `files` that `isForbidden`. */
function violations(
  files: readonly SourceFile[],
  isForbidden: (file: SourceFile, target: string) => boolean,
): string[] {
  return files.flatMap((file) =>
    file.imports
      .filter((target) => isForbidden(file, target))
      .map((target) => `${file.path} -> ${target}`),
  );
}

/** `path:line text` for every line that matches. */
function linesWith(files: readonly SourceFile[], pattern: RegExp, code: boolean): string[] {
  return files.flatMap((file) =>
    (code ? strip(file.text, true) : file.text)
      .split('\n')
      .flatMap((line, index) =>
        pattern.test(line) ? [`${file.path}:${index + 1} ${line.trim().slice(0, 80)}`] : [],
      ),
  );
}

/**
 * Lines on which a `tell` is not looked at. Looked at is what is returned, assigned, or stands in
 * the parentheses of an `if` or a call; an arrow function must say that it gives on a boolean.
 */
function unheededTells(source: string): number[] {
  const code = strip(source, true);
  const lines: number[] = [];
  for (const match of code.matchAll(/\??\.\s*(?:tell|tellControl)\(/g)) {
    const before = code.slice(0, match.index);
    const statement = before.slice(
      Math.max(...[...';{}'].map((end) => before.lastIndexOf(end))) + 1,
    );
    const ref = /(?:[\w$.#?!\s]|\([^()]*\)|\[[^[\]]*\])*$/.exec(statement)?.[0] ?? '';
    const opened = statement.split('(').length - statement.split(')').length;
    const isInside = opened > 0 || /(^|[^=!<>])=(?![=>])|^\s*return\b/.test(statement);
    const isArrow = /=>\s*$/.test(statement.slice(0, statement.length - ref.length));
    const isGivenOn = /:\s*boolean\s*=>\s*$/.test(statement.slice(0, -ref.length));
    if (isArrow ? !isGivenOn : !isInside) lines.push(before.split('\n').length);
  }
  return lines;
}

/** Lines on which a loss is accepted and no comment in the three lines before says why. */
function unexplainedDrops(source: string): number[] {
  const lines = source.split('\n');
  return lines.flatMap((line, index) => {
    const isCall = /\btellOrDrop\(/.test(line) && !/\bfunction tellOrDrop\b/.test(line);
    const isExplained = lines.slice(Math.max(0, index - 3), index).some((l) => /^\s*\/\//.test(l));
    return isCall && !isExplained ? [index + 1] : [];
  });
}

describe('the reader of sources', () => {
  test.each([
    ['ref.tell(m);', false],
    ['this.#ref?.tell(m);', false],
    ['links.get(peer)?.tell(m);', false],
    ['if (all) ref.tell(m);', false],
    ['for (const m of all) ref.tell(m);', false],
    ['void ref.tell(m);', false],
    ['run((error) => ref.tell(m));', false],
    ['run((error) => {\n  ref.tell(m);\n});', false],
    ['const f = (m: M) => ref.tell(m);', false],
    ['a();\n\nref\n  .tell(m);', false],
    ['const taken = ref.tell(m);', true],
    ['taken = all && ref.tell(m);', true],
    ['return ref.tell(m);', true],
    ['if (!ref.tell(m)) throw new Error();', true],
    ['if (full && links.get(peer)?.tell(m)) told = full;', true],
    ['const f = (m: M): boolean => ref.tell(m);', true],
    ['expect(ref.tellControl(m));', true],
    ['// ref.tell(m);', true],
  ])('sees whether a tell is looked at: %s', (source, heeded) => {
    expect(unheededTells(source).length === 0).toBe(heeded);
  });

  test('sees whether somebody says why a message may be lost', () => {
    expect(unexplainedDrops('a();\ntellOrDrop(ref, m);')).toEqual([2]);
    expect(unexplainedDrops('// It is told again.\nif (a) tellOrDrop(ref, m);')).toEqual([]);
  });

  test('sees imports of every form, and none in comments', () => {
    const source = [
      "import { a } from './a.ts';",
      'import type {\n  B,\n} from "../b.ts";',
      "import './side-effect.ts';",
      "export { c } from './c.ts';",
      "const d = await import('./d.ts');",
      "// import { x } from './x.ts';",
      "/* import y from './y.ts' */ const url = 'http://host'; const re = /['\"]/;",
      "import { e } from 'package'; // from './z.ts'",
    ].join('\n');
    expect(importsOf(source)).toEqual([
      './a.ts',
      '../b.ts',
      './side-effect.ts',
      './c.ts',
      './d.ts',
      'package',
    ]);
  });

  test('finds the sources', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(sources.find((file) => file.path === 'transport/peer/codec.ts')?.imports).toContain(
      'transport/peer/frame-error.ts',
    );
  });
});

describe('who may import whom', () => {
  test('a package with one owner is imported by it alone', () => {
    const foreign = violations(sources, (file, target) => {
      const owners = OWNED_PACKAGES[target];
      return owners !== undefined && !owners.includes(file.path);
    });
    expect(foreign).toEqual([]);
  });

  test('transport, wal, storage and bpf know no actors', () => {
    const rooms = sources.filter((file) => !file.path.startsWith('actors/'));
    const upwards = violations(
      rooms,
      (_file, target) => target.startsWith('actors/') && target !== 'actors/runtime/actor-ref.ts',
    );
    expect(upwards).toEqual([]);
  });

  test('the protocol knows itself alone, and types', () => {
    const pure = sources.filter((file) => /^actors\/(accord|meta)\//.test(file.path));
    const outwards = violations(
      pure,
      (_file, target) =>
        !/^actors\/(accord|meta)\//.test(target) &&
        !/^(storage|transport\/resp)\//.test(target) &&
        !PURE_MODULES.includes(target),
    );
    expect(outwards).toEqual([]);
  });

  test('the storage engine and the log know nothing of each other or of sockets', () => {
    const low = sources.filter((file) => /^(storage|wal)\//.test(file.path));
    const sideways = violations(low, (file, target) => {
      const room = file.path.slice(0, file.path.indexOf('/') + 1);
      const other = ROOMS.some((each) => target.startsWith(`${each}/`)) && !target.startsWith(room);
      return other && target !== 'transport/resp/connection/command-unit.ts';
    });
    expect(
      sideways.filter((line) => /-> (wal|bpf|transport\/peer|transport\/http)/.test(line)),
    ).toEqual([]);
  });

  test('nothing imports tests', () => {
    expect(violations(sources, (_file, target) => target.startsWith('test/'))).toEqual([]);
  });
});

describe('the outside world', () => {
  const inner = sources.filter((file) => !isAdapter(file.path));

  test('modules that reach it are imported by adapters only', () => {
    const reaching = violations(
      inner,
      (file, target) =>
        target.startsWith('node:') &&
        !PURE_MODULES.includes(target) &&
        !new RegExp(`import type [^;]*from '${target}'`).test(file.text),
    );
    expect(reaching).toEqual([]);
  });

  test.each(WORLD_WORDS)('%s is said by adapters only', (word) => {
    expect(linesWith(inner, word, true)).toEqual([]);
  });
});

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
    const words = new RegExp(`\\b(${['TODO', 'FIX', 'XXX'].join('|')}(ME)?)\\b`);
    const others = all.filter((file) => file.path !== 'test/tidy.test.ts');
    expect(linesWith(others, words, false)).toEqual([]);
  });

  test('nobody overlooks that a message was refused', () => {
    const own = 'actors/runtime/actor-ref.ts';
    const found = sources
      .filter(({ path }) => path !== own)
      .flatMap(({ path, text }) =>
        [...unheededTells(text), ...unexplainedDrops(text)].map((line) => `${path}:${line}`),
      );
    expect(found).toEqual([]);
  });

  test("no path of somebody's machine", () => {
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
