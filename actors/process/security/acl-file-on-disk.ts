/**
 * The file of `--aclfile` on disk, replaced as a whole and for its owner alone: it holds hashes.
 */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AclFile } from '../../../transport/access/acl-file.ts';
import { fileErrorText } from '../../../transport/file-error.ts';

const BYTES_MAX = 8 * 1024 * 1024;
const OWNER_ALONE = 0o600;

/** `undefined`: no path was given. */
export function aclFileAt(path: string): AclFile | undefined {
  if (path === '') return undefined;
  return {
    read() {
      try {
        const { size } = statSync(path);
        if (size > BYTES_MAX) return { reason: `${path} is longer than ${BYTES_MAX} bytes` };
        return readFileSync(path, 'latin1');
      } catch (error) {
        return { reason: `${path}: ${fileErrorText(error)}` };
      }
    },
    write(text) {
      const draft = `${path}.${process.pid}.new`;
      try {
        writeFileSync(draft, text, { encoding: 'latin1', mode: OWNER_ALONE, flush: true });
        renameSync(draft, path);
        return undefined;
      } catch (error) {
        rmSync(draft, { force: true });
        return `${path}: ${fileErrorText(error)}`;
      }
    },
  };
}
