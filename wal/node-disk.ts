/**
 * The disk of production: `Disk` over node:fs. It adds no policy and no buffering of its own.
 *
 * Files are opened with O_DSYNC where that is trusted (Linux), so that write and sync are one trip
 * through libuv's thread pool and one system call. Measured on ext4 (2-core VM, 512 B to 256 KiB,
 * preallocated file): latency as with writeSync + fdatasync or better, a quarter to a half of the
 * event loop's time, and 0.7 times the CPU of write + fdatasync; see test/bench/wal.ts.
 */
import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
  writev,
} from 'node:fs';
import { devNull } from 'node:os';
import { dirname, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Disk, DiskFile } from './disk.ts';

/** How data reach the disk: one O_DSYNC write, or a write and then fdatasync. */
export type SyncMethod = 'dsync' | 'fdatasync';

interface NodeDiskOptions {
  /**
   * Default `dsync` on Linux, else `fdatasync`: libuv makes that a real barrier on macOS, where
   * O_DSYNC leaves data in the drive's cache. Under `dsync` every `write` is synced, too.
   */
  readonly syncMethod?: SyncMethod;
}

type Done = (error: Error | undefined) => void;

/**
 * Zeroes are written in pieces, so that a commit finds the disk free in between. Measured while
 * 16 MiB were prepared: 90 % of small commits within 0.6 ms (2 MiB pieces and one piece: 2 to 11
 * ms), and 23 ms in all (128 KiB pieces: 60 ms). Blocking, the loop would stand for 12 to 43 ms.
 */
const ZERO_PIECE_BYTES = 512 * 1024;
/**
 * A small write after a pause is made by the loop's own thread: the way through the thread pool
 * costs two wake-ups, about half as long as the write itself. Under load, when one write follows
 * the other, the pool is used; and for a while after a write that the disk was slow to take.
 */
const BLOCKING_BYTES_MAX = 8 * 1024;
const BLOCKING_PAUSE_MS = 0.3;
const BLOCKING_SLOW_MS = 1;
const BLOCKING_REST_MS = 1_000;
/** A segment being prepared, the next segment, a directory, and one more. */
const RESERVED_FILES = 4;
/** IOV_MAX of Linux. */
const WRITE_PARTS_MAX = 1024;
/** Logs hold user data: other users must not read them. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

const ZEROES = Buffer.alloc(ZERO_PIECE_BYTES);

export class NodeDisk implements Disk {
  readonly #syncMethod: SyncMethod;
  readonly #reserve = new ReservedFiles();
  readonly #writes = new Map<string, WriteCount>();

  constructor(options: NodeDiskOptions = {}) {
    this.#syncMethod = options.syncMethod ?? (process.platform === 'linux' ? 'dsync' : 'fdatasync');
  }

  list(directory: string): string[] {
    this.#reserve.fill();
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    return readdirSync(directory).sort();
  }

  read(path: string): Uint8Array {
    return readFileSync(path);
  }

  open(path: string): DiskFile {
    const dsync = this.#syncMethod === 'dsync';
    const flags = constants.O_RDWR | constants.O_CREAT | (dsync ? constants.O_DSYNC : 0);
    const fd = this.#reserve.open(path, flags, FILE_MODE);
    const closed = (): void => this.#reserve.fill();
    return new NodeFile(fd, dsync, this.#writesIn(dirname(path)), closed);
  }

  replace(path: string, content: Uint8Array): void {
    const temporary = `${path}.tmp`;
    const fd = openSync(temporary, 'w', FILE_MODE);
    try {
      writeFully(fd, content, 0);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    this.syncDirectory(dirname(path));
  }

  rename(from: string, to: string): void {
    renameSync(from, to);
  }

  remove(path: string): void {
    rmSync(path, { force: true });
  }

  syncDirectory(directory: string): void {
    const fd = openSync(directory, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  syncDirectoryLater(directory: string, done: Done): void {
    // Opening a directory that is in use waits for no disk.
    let fd: number;
    try {
      fd = this.#reserve.open(directory, constants.O_RDONLY);
    } catch (error) {
      setImmediate(() => done(error instanceof Error ? error : new Error(String(error))));
      return;
    }
    fsync(fd, (error) => {
      closeSync(fd);
      this.#reserve.fill();
      done(error ?? undefined);
    });
  }

  isWriting(directory: string): boolean {
    return this.#writesIn(directory).underWay > 0;
  }

  freeBytes(directory: string): number {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  }

  /** A process writes in a handful of directories: none is ever forgotten. */
  #writesIn(name: string): WriteCount {
    const directory = resolve(name);
    let writes = this.#writes.get(directory);
    if (writes === undefined) {
      writes = { underWay: 0 };
      this.#writes.set(directory, writes);
    }
    return writes;
  }
}

/**
 * File descriptors kept in reserve: a log that must begin a segment must not fail because clients
 * have taken all descriptors of the process.
 */
class ReservedFiles {
  readonly #fds: number[] = [];

  fill(): void {
    try {
      while (this.#fds.length < RESERVED_FILES) this.#fds.push(openSync(devNull, 'r'));
    } catch {
      // No descriptor is free: the next close tries again.
    }
  }

  open(path: string, flags: number, mode?: number): number {
    try {
      return openSync(path, flags, mode);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const spare = code === 'EMFILE' || code === 'ENFILE' ? this.#fds.pop() : undefined;
      if (spare === undefined) throw error;
      closeSync(spare);
      return openSync(path, flags, mode);
    }
  }
}

/** How many writes are under way in one directory. */
interface WriteCount {
  underWay: number;
}

class NodeFile implements DiskFile {
  readonly #fd: number;
  readonly #dsync: boolean;
  readonly #writes: WriteCount;
  readonly #closed: () => void;
  #operations = 0;
  #closing = false;
  #lastWriteMs = Number.NEGATIVE_INFINITY;
  #slowUntilMs = Number.NEGATIVE_INFINITY;

  constructor(fd: number, dsync: boolean, writes: WriteCount, closed: () => void) {
    this.#fd = fd;
    this.#dsync = dsync;
    this.#writes = writes;
    this.#closed = closed;
  }

  size(): number {
    return fstatSync(this.#fd).size;
  }

  allocate(bytes: number): void {
    for (let at = this.size(); at < bytes; at += ZERO_PIECE_BYTES) {
      writeFully(this.#fd, zeroes(bytes - at), at);
    }
    if (!this.#dsync) fsyncSync(this.#fd);
  }

  allocateLater(bytes: number, done: Done): void {
    const next = (at: number): void => {
      if (at >= bytes || this.#closing) {
        const error =
          at < bytes ? new Error('the file was closed before it had its size') : undefined;
        // In the callback of the last piece, unless there was nothing to write at all.
        if (at > start) end(error);
        else setImmediate(() => end(error));
        return;
      }
      const piece = zeroes(bytes - at);
      this.#write([piece], at, !this.#dsync, (error) => {
        if (error === undefined) next(at + piece.length);
        else end(error);
      });
    };
    const end = (error: Error | undefined): void => {
      this.#writes.underWay -= 1;
      this.#end(done, error);
    };
    this.#operations += 1;
    // The active segment may grow too: its zeroes must not overwrite records of a later life.
    this.#writes.underWay += 1;
    const start = this.size();
    next(start);
  }

  truncate(bytes: number): void {
    ftruncateSync(this.#fd, bytes);
  }

  write(parts: readonly Uint8Array[], offset: number, done: Done): void {
    this.#begin(parts, offset, false, done);
  }

  writeAndSync(parts: readonly Uint8Array[], offset: number, done: Done): void {
    if (this.#mayBlock(parts)) {
      this.#operations += 1;
      this.#writes.underWay += 1;
      // Behind the frames that this turn has sent: the peers' disks need not wait for this one.
      process.nextTick(() => {
        const error = this.#writeBlocking(parts, offset);
        setImmediate(() => {
          this.#writes.underWay -= 1;
          this.#end(done, error);
        });
      });
      return;
    }
    this.#begin(parts, offset, !this.#dsync, done);
  }

  #begin(parts: readonly Uint8Array[], offset: number, syncs: boolean, done: Done): void {
    this.#operations += 1;
    this.#writes.underWay += 1;
    this.#write(parts, offset, syncs, (error) => {
      this.#writes.underWay -= 1;
      this.#end(done, error);
    });
  }

  /** Whether this write may block the event loop, because nothing else seems to wait for it. */
  #mayBlock(parts: readonly Uint8Array[]): boolean {
    const [only] = parts;
    if (parts.length !== 1 || only === undefined || only.length > BLOCKING_BYTES_MAX) return false;
    const nowMs = performance.now();
    return nowMs >= this.#slowUntilMs && nowMs - this.#lastWriteMs >= BLOCKING_PAUSE_MS;
  }

  #writeBlocking(parts: readonly Uint8Array[], offset: number): Error | undefined {
    const startMs = performance.now();
    let failure: Error | undefined;
    try {
      this.writeAndSyncNow(parts, offset);
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
    this.#lastWriteMs = performance.now();
    if (this.#lastWriteMs - startMs > BLOCKING_SLOW_MS) {
      this.#slowUntilMs = this.#lastWriteMs + BLOCKING_REST_MS;
    }
    return failure;
  }

  writeAndSyncNow(parts: readonly Uint8Array[], offset: number): void {
    let at = offset;
    for (const part of parts) {
      writeFully(this.#fd, part, at);
      at += part.length;
    }
    if (!this.#dsync) fdatasyncSync(this.#fd);
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#operations === 0) this.#close();
  }

  #close(): void {
    closeSync(this.#fd);
    this.#closed();
  }

  #end(done: Done, error: Error | undefined): void {
    this.#operations -= 1;
    this.#lastWriteMs = performance.now();
    // Before `done`, which may close the file itself.
    if (this.#closing && this.#operations === 0) this.#close();
    done(error);
  }

  #write(parts: readonly Uint8Array[], offset: number, syncs: boolean, done: Done): void {
    let bytes = 0;
    for (const part of parts) bytes += part.length;
    writev(this.#fd, parts.slice(0, WRITE_PARTS_MAX), offset, (error, written) => {
      if (error !== null) done(error);
      else if (written < bytes) this.#continue(parts, written, offset, syncs, done);
      else if (!syncs) done(undefined);
      else fdatasync(this.#fd, (syncError) => done(syncError ?? undefined));
    });
  }

  /** A short write is no error yet: writing the rest either succeeds or reports the error. */
  #continue(
    parts: readonly Uint8Array[],
    written: number,
    offset: number,
    syncs: boolean,
    done: Done,
  ): void {
    if (written === 0) {
      done(new Error('the operating system wrote nothing'));
      return;
    }
    const rest: Uint8Array[] = [];
    let skip = written;
    for (const part of parts) {
      if (skip < part.length) rest.push(part.subarray(skip));
      skip = Math.max(0, skip - part.length);
    }
    this.#write(rest, offset + written, syncs, done);
  }
}

function zeroes(bytesMax: number): Buffer {
  return bytesMax < ZERO_PIECE_BYTES ? ZEROES.subarray(0, bytesMax) : ZEROES;
}

function writeFully(fd: number, bytes: Uint8Array, offset: number): void {
  let at = 0;
  while (at < bytes.length) at += writeSync(fd, bytes, at, bytes.length - at, offset + at);
}
