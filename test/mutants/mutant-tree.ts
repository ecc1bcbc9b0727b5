/**
 * A copy of the tree in the temporary folder that a mutant may be planted into. Nothing of the
 * repository itself is ever changed. The caller removes the copy.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Mutant } from './mutants.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const ROOMS = ['actors', 'bpf', 'storage', 'transport', 'wal', 'test'];

export class MutantTree {
  readonly path: string;

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), 'holo-mutants-'));
    for (const room of [...ROOMS, 'package.json', 'tsconfig.json']) {
      cpSync(join(ROOT, room), join(this.path, room), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(this.path, 'node_modules'));
  }

  /** Plants the mutant, runs the action, and takes it out again. */
  async with<T>(mutant: Mutant, action: () => Promise<T>): Promise<T> {
    const files = new Set([mutant.file, ...(mutant.also ?? []).map(({ file }) => file)]);
    for (const [file, text] of mutatedFiles(mutant)) writeFileSync(join(this.path, file), text);
    try {
      return await action();
    } finally {
      for (const file of files) cpSync(join(ROOT, file), join(this.path, file));
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** The changed text by file. Throws when an edit does not match exactly once. */
export function mutatedFiles(mutant: Mutant): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { file, find, replace } of [mutant, ...(mutant.also ?? [])]) {
    const text = texts.get(file) ?? readFileSync(join(ROOT, file), 'utf8');
    const places = text.split(find).length - 1;
    if (places !== 1) {
      throw new Error(`${mutant.name}: the edit of ${file} matches ${places} times, not once`);
    }
    texts.set(
      file,
      text.replace(find, () => replace),
    );
  }
  return texts;
}
