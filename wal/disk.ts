/**
 * The disk as the log sees it: a port, so that the simulator can lose, tear and rot what was
 * written. Opening and reading are synchronous (they happen at start); writing is not.
 */
export interface Disk {
  /** Names in a directory, sorted; an absent directory is made. */
  list(directory: string): string[];
  /** The whole file. Throws when it is absent or unreadable. */
  read(path: string): Uint8Array;
  exists(path: string): boolean;
  /** Opens for writing; makes the file when it is absent. */
  open(path: string): DiskFile;
  /** Writes a small file whole and makes it durable under its name before it returns. */
  replace(path: string, content: Uint8Array): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Makes names (create, rename, remove) in the directory durable. */
  syncDirectory(directory: string): void;
  /** Bytes that may still be written before the disk is full. */
  freeBytes(directory: string): number;
}

export interface DiskFile {
  /** Bytes in the file. */
  size(): number;
  /** Synchronous; used at start only. Zeroes are written for real, so that blocks are allocated. */
  allocate(bytes: number): void;
  truncate(bytes: number): void;
  /**
   * Writes the parts one after the other from `offset`, then makes the data durable (fdatasync).
   * `done` is called once, in a later turn; after an error the file's content is unknown.
   */
  writeAndSync(
    parts: readonly Uint8Array[],
    offset: number,
    done: (error: Error | undefined) => void,
  ): void;
  close(): void;
}
