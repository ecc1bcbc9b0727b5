/** A small file that is replaced as a whole: a crash leaves the one before it, or this one. */
import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';

/** The text is on the disk; that the name is, too, needs a sync of the folder. */
export function replaceFile(path: string, text: string): void {
  const draft = `${path}.new`;
  const file = openSync(draft, 'w');
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
}
