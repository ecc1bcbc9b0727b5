/**
 * Documents and sources name each other: every document, section, invariant and file that is named
 * in one of them must exist.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { MUTANTS } from '../mutants/mutants.ts';

const ROOT = join(import.meta.dirname, '../..');
const ROOMS = ['actors', 'transport', 'bpf', 'wal', 'storage', 'test'];
/** This file names what does not exist. */
const IGNORED = /node_modules|^test\/tidy\/documents\.test\.ts$/;
const PROTOCOL = 'docs/accord.md';

interface Text {
  readonly path: string;
  readonly text: string;
}

function read(path: string): Text {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') };
}

const paths = ['docs', 'examples', ...ROOMS]
  .flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' }).map((name) =>
      join(room, name),
    ),
  )
  .filter((path) => !IGNORED.test(path));
const top = readdirSync(ROOT);
const all = [...paths, ...top];
const known = new Set(all);
const folders = new Set(all.map((path) => dirname(path)));

const documents = all
  .filter((path) => /^(docs\/[^/]+|(examples\/)?README|CHANGELOG)\.md$/.test(path))
  .map(read);
/** Files that cite the documents: the program, its tests, and the stories. */
const sources = paths.filter((path) => /\.(ts|c|h)$|^test\/stories\/.*\.txt$/.test(path)).map(read);

function protocolText(): string {
  return read(PROTOCOL).text;
}

/** `2.5` for the heading `§2.5`, and `3.12` for row 12 of the table in `§3`. */
function sectionsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#{2,3} §([\d.]+)/gm)].map((match) => match[1] ?? '');
  return new Set([...headings, ...bugsOf(text).map((bug) => `3.${bug}`)]);
}

function rowsOf(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

/** Numbers of the classic bugs, and letters of our own. */
function bugsOf(text: string): string[] {
  const from = text.indexOf('## §3');
  return rowsOf(text.slice(from, text.indexOf('## §4')), /^\| (\d+|[A-Z]) \|/gm);
}

function invariantsOf(text: string): string[] {
  return rowsOf(text, /^\| (I\d+) \|/gm);
}

/** `path:line what` for every match that is not sound. */
function dangling(
  texts: readonly Text[],
  pattern: RegExp,
  isSound: (cited: string, path: string) => boolean,
): string[] {
  return texts.flatMap(({ path, text }) =>
    [...text.matchAll(pattern)]
      .filter((match) => !isSound(match[1] ?? '', path))
      .map((match) => {
        const line = text.slice(0, match.index).split('\n').length;
        return `${path}:${line} ${match[1]}`;
      }),
  );
}

const DOCUMENT = /(?<![\w/.*-])((?:\.{1,2}\/)*[\w-]+(?:\/[\w-]+)*\.md)\b/g;
const SECTION = /§(\d+(?:\.\d+)?)/g;
const QUOTED = /\b([\w-]+\.md, "[^"\n]+")/g;
const INVARIANT = /\b(I\d{1,2})\b/g;
const FILE = /(?<![\w/.*-])((?:actors|transport|storage|wal|bpf|test|docs)\/[\w./*-]*[\w*/])/g;
const NAME = /`([\w./*-]+\.(?:ts|c|h|txt|md))`/g;
const FOLDER = /`([\w-]+(?:\/[\w-]+)*\/)`/g;

function documentExists(cited: string, from: string): boolean {
  const places = [cited, join('docs', cited), normalize(join(dirname(from), cited))];
  return places.some((place) => known.has(place));
}

function headingExists(cited: string): boolean {
  const [name = '', title = ''] = cited.split(', ');
  const wanted = title.slice(1, -1);
  const document = documents.find(({ path }) => basename(path) === name);
  const headings = rowsOf(document?.text ?? '', /^#{1,3} (.*)$/gm);
  return headings.some((heading) => heading.startsWith(wanted));
}

/** A path from the root; `*` stands for any part of a name. */
function fileExists(cited: string): boolean {
  if (!cited.includes('*')) return known.has(normalize(cited).replace(/\/$/, ''));
  const pattern = cited.replaceAll('.', '\\.').replace(/\*+/g, '[^/]*');
  return paths.some((path) => new RegExp(`^${pattern}`).test(path));
}

/** A name, perhaps with its last folders. */
function nameExists(cited: string): boolean {
  if (cited.includes('*')) return fileExists(cited);
  return all.some((path) => path === cited || path.endsWith(`/${cited}`));
}

/** Folders that only exist where a node runs. */
const OF_A_NODE = new Set(['wal/', 'store/', 'traces/']);

function folderExists(cited: string): boolean {
  const name = cited.slice(0, -1);
  const isFolder = (path: string): boolean => path === name || path.endsWith(`/${name}`);
  return OF_A_NODE.has(cited) || [...folders].some(isFolder);
}

test('every document that a source names exists', () => {
  expect(dangling(sources, DOCUMENT, documentExists)).toEqual([]);
});

test('every section of the protocol that is cited exists', () => {
  const sections = sectionsOf(protocolText());
  const inProtocol = documents.filter(({ path }) => path === PROTOCOL);
  const isSection = (cited: string): boolean => sections.has(cited);
  expect(dangling([...sources, ...inProtocol], SECTION, isSection)).toEqual([]);
});

test('every section that is cited by its title exists', () => {
  expect(dangling(sources, QUOTED, headingExists)).toEqual([]);
});

test('every invariant that is cited exists', () => {
  const invariants = invariantsOf(protocolText());
  expect(dangling(sources, INVARIANT, (cited) => invariants.includes(cited))).toEqual([]);
  expect(new Set(invariants).size).toBe(invariants.length);
});

test('every mutant names a bug of the list, or says where its rule is from', () => {
  const bugs = bugsOf(protocolText());
  const unknown = MUTANTS.filter(({ accordItem }) => {
    const bug = /^(\d+|[A-Z])\b/.exec(accordItem)?.[1];
    return bug !== undefined && !bugs.includes(bug);
  });
  expect(unknown.map(({ name, accordItem }) => `${name}: ${accordItem}`)).toEqual([]);
});

test('every file and folder that a document names exists', () => {
  expect(dangling(documents, FILE, fileExists)).toEqual([]);
  expect(dangling(documents, NAME, nameExists)).toEqual([]);
  expect(dangling(documents, FOLDER, folderExists)).toEqual([]);
});

test('every link from document to document leads somewhere', () => {
  const link = /\]\(([^)#:\s]+)\)/g;
  const leads = (cited: string, path: string): boolean =>
    known.has(normalize(join(dirname(path), cited)));
  expect(dangling(documents, link, leads)).toEqual([]);
});

test('missing targets are found', () => {
  const text = 'see nowhere.md §9.9 and I99, docs/protocol.md, "Nothing"; wal/nowhere.ts `nil.ts`';
  const texts = [{ path: 'docs/example.md', text }];
  const sections = sectionsOf(protocolText());
  expect(dangling(texts, DOCUMENT, documentExists)).toEqual(['docs/example.md:1 nowhere.md']);
  expect(dangling(texts, SECTION, (cited) => sections.has(cited))).toHaveLength(1);
  const invariants = invariantsOf(protocolText());
  expect(dangling(texts, INVARIANT, (cited) => invariants.includes(cited))).toHaveLength(1);
  expect(dangling(texts, QUOTED, headingExists)).toHaveLength(1);
  expect(dangling(texts, FILE, fileExists)).toEqual(['docs/example.md:1 wal/nowhere.ts']);
  expect(dangling(texts, NAME, nameExists)).toEqual(['docs/example.md:1 nil.ts']);
});
