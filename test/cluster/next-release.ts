/**
 * The program as a later release of it would be: another version, one behaviour level more, and
 * a field that this release does not know in every message, greeting and record of its log that
 * has named fields. Made from the compiled program, by changes of its text that must all apply.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { findProgram, type Program } from './program.ts';

export const NEXT_VERSION = '0.2.0';
export const NEXT_BEHAVIOUR_LEVEL = 2;

const ROOT = resolve(import.meta.dirname, '../..');

interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const EDITS: readonly Edit[] = [
  {
    file: 'storage/behaviour-level.js',
    from: 'BEHAVIOUR_LEVEL = 1',
    to: `BEHAVIOUR_LEVEL = ${NEXT_BEHAVIOUR_LEVEL}`,
  },
  {
    file: 'transport/peer/codec.js',
    from: 'plain.push(rest)',
    to: 'plain.push({...rest, later: 1})',
  },
  {
    file: 'transport/peer/codec.js',
    from: 'plain.push(message)',
    to: 'plain.push({...message, later: 1})',
  },
  {
    file: 'transport/peer/handshake.js',
    from: 'JSON.stringify(greeting.request)',
    to: 'JSON.stringify({...greeting.request, later: 1})',
  },
  {
    file: 'transport/peer/handshake.js',
    from: 'JSON.stringify(greeting.answer)',
    to: 'JSON.stringify({...greeting.answer, later: 1})',
  },
];

/** In a folder of its own below this directory. */
export function makeNextRelease(directory: string): Program {
  const folder = mkdtempSync(join(directory, 'next-release-'));
  const dist = join(folder, 'dist');
  cpSync(dirname(dirname(findProgram().main)), dist, { recursive: true });
  mkdirSync(join(folder, 'transport/console'), { recursive: true });
  for (const same of ['node_modules', 'transport/console/page']) {
    symlinkSync(join(ROOT, same), join(folder, same));
  }
  const described = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as object;
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ ...described, version: NEXT_VERSION }),
  );
  for (const { file, from, to } of EDITS) {
    const path = join(dist, file);
    const text = readFileSync(path, 'utf8');
    if (!text.includes(from)) throw new Error(`${file} has no ${from} any more`);
    writeFileSync(path, text.replace(from, to));
  }
  return {
    main: join(dist, 'actors/main.js'),
    holoctl: join(dist, 'transport/holoctl/main.js'),
  };
}
