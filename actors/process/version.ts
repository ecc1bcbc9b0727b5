/** The version of the package that this file belongs to, from source or from dist/. */
import { readFileSync } from 'node:fs';

function readVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      return String(JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version);
    } catch {
      // The other place has it.
    }
  }
  return 'unknown';
}

export const VERSION = readVersion();
