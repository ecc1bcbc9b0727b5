/** `docs/errors.md` against the sources: every code and every first word of a reply, both ways. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const ROOMS = ['actors', 'transport', 'bpf', 'wal', 'storage'];

function sourcesOf(...rooms: readonly string[]): string[] {
  return rooms.flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(ROOT, room, name), 'utf8')),
  );
}

function found(texts: readonly string[], pattern: RegExp): string[] {
  const words = texts.flatMap((text) => [...text.matchAll(pattern)].map((match) => match[1] ?? ''));
  return [...new Set(words)].sort();
}

const page = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');

/** A code is a whole literal; `…_VARIABLE` names a variable of the environment. */
const CODE = /(?<!_VARIABLE = )'(HOLO_[A-Z_]+)'/g;
/** A reply of ours says what is known right behind its first word. */
const OURS = /['"`]([A-Z]{2,} (?:refused|indeterminate))\b/g;
/** An error in the words of Redis: its class, then a sentence. */
const CLASS = /['"`]([A-Z]{2,}) [\w'$]/g;
/** Begin a text that is not a reply by itself. */
const NO_CLASS = ['CLIENT', 'CONFIG', 'NUL', 'RESP', 'SCRIPT'];

test('every error code has a row, and every row a code', () => {
  const rows = found([page], /^\| `(HOLO_[A-Z_]+)` \|/gm);
  expect(rows).toEqual(found(sourcesOf(...ROOMS), CODE));
});

test('every reply that says refused or indeterminate has a row, and every row a reply', () => {
  const rows = found([page], /^\| `([A-Z]+ (?:refused|indeterminate))` \|/gm);
  expect(rows).toEqual(found(sourcesOf('actors', 'transport', 'storage'), OURS));
});

test('every class of errors has a row, and every row a class', () => {
  const rows = found([page], /^\| `([A-Z]+)(?: [^`]*)?` \| (?:refused|indeterminate|done)/gm);
  const replies = sourcesOf('transport/access', 'transport/resp', 'storage', 'actors/store');
  const classes = found(replies, CLASS).filter((word) => !NO_CLASS.includes(word));
  expect(rows).toEqual(classes);
});

test('every row of a code says how the process ends, or that it goes on', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('| `HOLO_'));
  expect(rows.filter((row) => !/\| ([123]? ?\|)$/.test(row))).toEqual([]);
});
