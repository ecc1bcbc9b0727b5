/**
 * Reads the sources and tests of the repository as text, for the rules beside this file. Runs none
 * of them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
export const ROOMS = ['actors', 'transport', 'bpf', 'wal', 'storage'];
/** Node modules that compute and do not reach out. */
export const PURE_MODULES = ['node:zlib', 'node:util', 'node:path', 'node:buffer', 'node:assert'];

/**
 * The files of actors/ that every room may import: references to actors, timestamps (an entry's
 * version and the ids in a frame are the protocol's), and counts of votes. None of them imports
 * anything.
 */
export const SHARED_WORDS = [
  'actors/accord/primitives/bit-set.ts',
  'actors/accord/primitives/timestamp.ts',
  'actors/accord/topology/group-id.ts',
  'actors/runtime/actor-ref.ts',
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
export function strip(source: string, quotesToo: boolean): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(?<=[(,=:[!&|?{};\n]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//g;
  return source.replace(token, (text) => {
    const isComment = text.startsWith('//') || text.startsWith('/*');
    const isTemplate = text.startsWith('`');
    if (!isComment && (!quotesToo || isTemplate)) return text;
    return text.replace(/[^\n]/g, ' ');
  });
}

export function importsOf(source: string): string[] {
  const code = strip(source, false);
  const found = code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"\n]+)['"]/g);
  return [...found].map((match) => match[1] ?? '');
}

export interface SourceFile {
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

export const sources = ROOMS.flatMap((room) => filesBelow(room, /\.ts$/)).map(load);
/** The console's page: checked JavaScript; the types that it names in comments are imports too. */
export const pages = filesBelow('transport/console/page', /\.js$/)
  .map(load)
  .map((file) => {
    const types = [...file.text.matchAll(/@import (\{[^}]*\} from '[^']+')/g)];
    return { ...file, text: [file.text, ...types.map(([, what]) => `import ${what};`)].join('\n') };
  });
export const tests = filesBelow('test', /\.ts$/).map(load);
/** The C sources: the kernel part and its addon. */
export const nativeSources = filesBelow('bpf', /\.[ch]$/).map(load);

/** `a -> b` for every import of `files` that `isForbidden`. */
export function violations(
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
export function linesWith(files: readonly SourceFile[], pattern: RegExp, code: boolean): string[] {
  return files.flatMap((file) =>
    (code ? strip(file.text, true) : file.text)
      .split('\n')
      .flatMap((line, index) =>
        pattern.test(line) ? [`${file.path}:${index + 1} ${line.trim().slice(0, 80)}`] : [],
      ),
  );
}
