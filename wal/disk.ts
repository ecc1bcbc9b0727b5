/**
 * The disk as the log sees it: a port, so that the simulator can lose, tear and rot written bytes.
 * Methods used at start are synchronous; those used while the node serves take `done`, which is
 * called once, in a later turn.
 */
export interface Disk {
  /** Names in a directory, sorted; an absent directory is made. */
  list(directory: string): string[];
  /** The whole file. Throws when it is absent or unreadable. */
  read(path: string): Uint8Array;
  /** Opens for reading and writing; makes the file when it is absent. */
  open(path: string): DiskFile;
  /** Writes a small file whole and makes it durable under its name before it returns. */
  replace(path: string, content: Uint8Array): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Makes names (create, rename, remove) in the directory durable. Synchronous: start only. */
  syncDirectory(directory: string): void;
  /** The same without holding up the caller. */
  syncDirectoryLater(directory: string, done: (error: Error | undefined) => void): void;
  /**
   * Whether a `writeAndSync` or `allocateLater` that this process began is under way on a file of
   * the directory. Its bytes may arrive at any time: until then the file's content is unreliable.
   */
  isWriting(directory: string): boolean;
  /** Bytes that may still be written before the disk is full. */
  freeBytes(directory: string): number;
}

export interface DiskFile {
  /** Bytes in the file. */
  size(): number;
  /**
   * Grows the file to `bytes` with zeroes written for real, so that blocks are allocated and a
   * later write changes no metadata; durable when it returns. Synchronous: start only.
   */
  allocate(bytes: number): void;
  /** The same without holding up the caller. After an error the file's size is unknown. */
  allocateLater(bytes: number, done: (error: Error | undefined) => void): void;
  truncate(bytes: number): void;
  /**
   * Writes the parts one after the other from `offset`, then makes the file's data durable
   * (fdatasync), those of every `write` before it too. The parts belong to the disk until `done`;
   * after an error the file's content is unknown.
   */
  writeAndSync(
    parts: readonly Uint8Array[],
    offset: number,
    done: (error: Error | undefined) => void,
  ): void;
  /** The same without the sync: what was written survives the process, not a power cut. */
  write(
    parts: readonly Uint8Array[],
    offset: number,
    done: (error: Error | undefined) => void,
  ): void;
  /** `writeAndSync` before it returns; throws. Synchronous: start only. */
  writeAndSyncNow(parts: readonly Uint8Array[], offset: number): void;
  /** Every `done` still owed is called before the file goes away. */
  close(): void;
}
