/**
 * `npm run bench -- <name> [options]`: runs one benchmark. Every other file in this folder is one,
 * and exports `run(args)`; without a name, all names are listed. Nothing here is a test: speed is
 * measured and printed, never asserted.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';

interface Bench {
  readonly run: (args: string[]) => Promise<void> | void;
}

const OWN_NAME = basename(import.meta.filename);

/** A file without `run` belongs to a benchmark and is none. */
function names(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.ts') && name !== OWN_NAME)
    .filter((name) => /^export (async )?function run\b/m.test(source(name)))
    .map((name) => basename(name, '.ts'))
    .sort();
}

function source(name: string): string {
  return readFileSync(join(import.meta.dirname, name), 'utf8');
}

/** The first sentence of the comment at the head of a file. */
function summary(name: string): string {
  const [, comment = ''] = /\/\*\*([\s\S]*?)\*\//.exec(source(`${name}.ts`)) ?? [];
  const text = comment
    .replace(/^\s*\* ?/gm, '')
    .replace(/\s+/g, ' ')
    .trim();
  return text.replace(/[.:](\s.*)?$/, '').slice(0, 80);
}

const [name, ...args] = process.argv.slice(2);
if (name === undefined || !names().includes(name)) {
  if (name !== undefined) process.stderr.write(`there is no benchmark "${name}"\n\n`);
  process.stdout.write('npm run bench -- <name> [options]\n\n');
  for (const each of names()) process.stdout.write(`  ${each.padEnd(12)} ${summary(each)}\n`);
  process.exitCode = name === undefined ? 0 : 1;
} else {
  const path = pathToFileURL(join(import.meta.dirname, `${name}.ts`)).href;
  const { run } = (await import(path)) as Bench;
  await run(args);
}
