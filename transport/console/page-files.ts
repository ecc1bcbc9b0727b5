/**
 * The files of the page: its own modules as they are in the source, and those of the libraries it
 * uses. All are read at the first request and served from memory; nothing else of the disk can be
 * asked for.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { PageFile } from '../http/console-door.ts';

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

const MODULES = '/console/page/';
const LIBRARIES = '/console/lib/';
/** Package, and the file of it that a browser takes. */
const PACKAGES: Readonly<Record<string, readonly [name: string, file: string]>> = {
  'preact.mjs': ['preact', 'dist/preact.mjs'],
  'hooks.mjs': ['preact', 'hooks/dist/hooks.mjs'],
  'htm.mjs': ['htm', 'dist/htm.mjs'],
  // Without `eval`, which the page's policy forbids.
  'cbor.js': ['cbor-x', 'dist/index-no-eval.min.js'],
  'uplot.mjs': ['uplot', 'dist/uPlot.esm.js'],
  'uplot.css': ['uplot', 'dist/uPlot.min.css'],
};
/** The pages at `/`: `page.html` is the frame of both, each has a module and a style sheet. */
const PAGES = {
  console: { TITLE: 'HoloStore', MODULE: 'main.js', STYLE: 'lib/uplot.css' },
  film: { TITLE: 'HoloStore film', MODULE: 'film.js', STYLE: 'page/film.css' },
} as const;
const FRAME = 'page.html';

export class PageFiles {
  readonly #page: keyof typeof PAGES;
  #files: ReadonlyMap<string, PageFile> | undefined;

  constructor(page: keyof typeof PAGES) {
    this.#page = page;
  }

  /** `connect`: `host:port` of the admin ports that the page may open a socket to. */
  policy(connect: readonly string[]): string {
    const text = this.file('/')?.body.toString('utf8') ?? '';
    const [, imports = ''] = /<script type="importmap">([\s\S]*?)<\/script>/.exec(text) ?? [];
    const hash = createHash('sha256').update(imports).digest('base64');
    const sockets = connect.flatMap((address) => [`ws://${address}`, `wss://${address}`]);
    return [
      "default-src 'none'",
      `script-src 'self' 'sha256-${hash}'`,
      "style-src 'self'",
      "img-src 'self'",
      `connect-src ${["'self'", ...sockets].join(' ')}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; ');
  }

  /** `path` without a query; undefined: there is no such file. */
  file(path: string): PageFile | undefined {
    this.#files ??= readFiles(this.#page);
    return this.#files.get(path);
  }
}

function readFiles(page: keyof typeof PAGES): ReadonlyMap<string, PageFile> {
  const folder = pageFolder();
  const frame = readFileSync(join(folder, FRAME), 'utf8');
  const parts: Readonly<Record<string, string>> = PAGES[page];
  const html = frame.replace(/\b(TITLE|MODULE|STYLE)\b/g, (part) => parts[part] ?? part);
  const files = new Map([['/', fileOf('text/html; charset=utf-8', html)]]);
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const type = TYPES[name.slice(name.lastIndexOf('.') + 1)];
    if (type === undefined) continue;
    const path = `${MODULES}${name.replaceAll('\\', '/')}`;
    const text = readFileSync(join(folder, name), 'utf8');
    files.set(path, fileOf(type, text));
  }
  const require = createRequire(import.meta.url);
  for (const [name, [library, file]] of Object.entries(PACKAGES)) {
    const type = TYPES[name.slice(name.lastIndexOf('.') + 1)] as string;
    const text = readFileSync(join(rootOf(require.resolve(library), library), file), 'utf8');
    // Source maps are not served.
    files.set(
      LIBRARIES + name,
      fileOf(type, text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n')),
    );
  }
  return files;
}

function fileOf(type: string, text: string): PageFile {
  const body = Buffer.from(text, 'utf8');
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return { type, body, etag };
}

/** Compiled or not, this file is somewhere below the folder that has the page's source. */
function pageFolder(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const page = join(folder, 'transport/console/page');
    if (existsSync(join(page, FRAME))) return page;
    if (folder === dirname(folder)) throw new Error('the files of the console are not installed');
  }
}

/** The folder of a package, from a file in it. */
function rootOf(file: string, name: string): string {
  const mark = join('node_modules', name);
  return file.slice(0, file.lastIndexOf(mark) + mark.length);
}
