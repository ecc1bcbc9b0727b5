/** Operating system errors about a file or directory, and what an operator can do about each. */

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES:
    'permission denied: make the user of this process its owner (chown), or give another path',
  EPERM: 'the operating system does not permit it: check the owner and attributes of the path',
  EROFS: 'the file system is mounted read-only: give another path, or mount it for writing',
  ENOSPC: 'the disk is full: make room, or give a path on another disk',
  EDQUOT: "this user's share of the disk is used up: make room, or raise the quota",
  ENOTDIR: 'a part of the path is a file, not a directory: give another path',
  EEXIST: 'the file already exists: give another path',
  EISDIR: 'it is a directory: give the path of a file',
  ENOENT: 'a directory of the path does not exist: create it, or give another path',
  EMFILE: 'too many files are open: raise the limit (ulimit -n)',
  ENFILE: 'the system has too many files open: raise fs.file-max',
  EIO: 'the disk fails (see dmesg)',
  ENAMETOOLONG: 'the path is too long: give a shorter one',
};

/** The reason, with a remedy where one is known. */
export function fileErrorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  const remedy = code === undefined ? undefined : REMEDIES[code];
  return remedy === undefined ? error.message : `${remedy} (${code})`;
}
