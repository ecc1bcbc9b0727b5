/** The version of the package that this file belongs to, from source or built, wherever that is. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const NAME = 'holostore';

function readVersion(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      if (name === NAME) return String(version);
    } catch {
      // A folder further up has it.
    }
  }
  return 'unknown';
}

export const VERSION = readVersion();
