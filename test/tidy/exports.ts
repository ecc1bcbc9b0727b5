/** Finds what files export and who imports it. */
import { dirname, join } from 'node:path';
import { type SourceFile, strip } from './sources.ts';

const DECLARED =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:const|let|function\*?|class|interface|type) ([\w$]+)/gm;
const NAMED = /\b(?:import|export)\s+(?:type\s+)?\{([^}]*)\}\s*from\s*['"](\.[^'"]+)['"]/g;
const WHOLE = /(?:\*\s+as\s+[\w$]+\s+from|\bimport\()\s*['"](\.[^'"]+)['"]/g;

export interface Unused {
  readonly path: string;
  readonly name: string;
  /** The file itself names it apart from the declaration. */
  readonly usedInside: boolean;
}

export function exportsOf(code: string): string[] {
  return [...code.matchAll(DECLARED)].map((match) => match[1] ?? '');
}

/** `path#name` for every name that the file imports, `path#*` where it takes all of a file. */
export function importedNames(path: string, code: string): string[] {
  const resolved = (target: string) => join(dirname(path), target);
  const named = [...code.matchAll(NAMED)].flatMap(([, names = '', target = '']) =>
    names
      .split(',')
      .map((name) => name.trim().replace(/^type\s+/, ''))
      .filter((name) => name !== '')
      .map((name) => `${resolved(target)}#${name.split(/\s+as\s+/)[0]}`),
  );
  const whole = [...code.matchAll(WHOLE)].map((match) => `${resolved(match[1] ?? '')}#*`);
  return [...named, ...whole];
}

/** Exports of `files` that none of `users` imports. */
export function unusedExports(files: readonly SourceFile[], users: readonly SourceFile[]) {
  const taken = new Set(users.flatMap(({ path, text }) => importedNames(path, strip(text, false))));
  return files.flatMap(({ path, text }): Unused[] => {
    if (taken.has(`${path}#*`)) return [];
    const code = strip(text, true);
    return exportsOf(code)
      .filter((name) => !taken.has(`${path}#${name}`))
      .map((name) => {
        const uses = code.match(
          new RegExp(`(?<![\\w$])${name.replace('$', '\\$')}(?![\\w$])`, 'g'),
        );
        return { path, name, usedInside: (uses?.length ?? 0) > 1 };
      });
  });
}
