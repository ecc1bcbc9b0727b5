/**
 * A disk in memory for the simulator and for tests, with two images of every file: what a process
 * sees (the page cache) and what a power cut leaves. All chance comes from `rng` and all time from
 * `schedule`. Files and names survive `crash`; handles, and callbacks still owed, do not.
 *
 * It is as unkind as POSIX allows: of a write under way any sectors may have arrived, in any order;
 * of renames, creations and removals before the next directory sync any may be undone; after a
 * failed sync the page cache keeps showing what never reached the disk.
 */
import type { Rng } from '../../actors/runtime/ports/ports.ts';
import type { Disk, DiskFile } from '../../wal/disk.ts';

export const SECTOR_BYTES = 512;

export interface SimDiskOptions {
  readonly schedule: (delayMs: number, callback: () => void) => void;
  readonly rng: Rng;
  /** Sum of all file sizes. Default 1 GiB; `capacityBytes` may be changed later. */
  readonly capacityBytes?: number;
  /** How long an asynchronous operation takes, in ms. Default 0.1; `latencyMs` may be changed. */
  readonly latencyMs?: () => number;
}

/** `power`: only what is durable survives. `process`: the page cache survives too. */
export type CrashKind = 'power' | 'process';

type Done = (error: Error | undefined) => void;

interface FileImage {
  /** The content that a read returns. */
  cache: Buffer;
  durable: Buffer;
  /** Sectors in which the two differ, or may. */
  readonly dirty: Set<number>;
}

interface NameChange {
  readonly kind: 'create' | 'rename' | 'remove';
  readonly path: string;
  readonly to: string;
  readonly image: FileImage;
}

/** A write under way; its bytes are read when it completes, as a kernel does. */
interface Flight {
  readonly image: FileImage;
  readonly parts: readonly Uint8Array[];
  readonly offset: number;
}

export class SimDisk implements Disk {
  capacityBytes: number;
  /** Told before each write that is asked for. */
  onWrite: () => void = () => undefined;
  latencyMs: () => number;
  /** Operations since the start, for tests and statistics. */
  readonly counters = { syncs: 0, directorySyncs: 0, bytesWritten: 0, crashes: 0 };
  readonly #schedule: SimDiskOptions['schedule'];
  readonly #rng: Rng;
  #names = new Map<string, FileImage>();
  /** The names as of the process's last step, until its crash. */
  #frozen: { names: Map<string, FileImage>; changes: NameChange[] } | undefined;
  #durableNames = new Map<string, FileImage>();
  #nameChanges: NameChange[] = [];
  readonly #flights = new Set<Flight>();
  readonly #unreadable = new Set<string>();
  #incarnation = 0;
  #syncFailures = 0;
  #stalled: (() => void)[] | undefined;

  constructor(options: SimDiskOptions) {
    this.#schedule = options.schedule;
    this.#rng = options.rng;
    this.capacityBytes = options.capacityBytes ?? 1024 ** 3;
    this.latencyMs = options.latencyMs ?? (() => 0.1);
  }

  // The port.

  list(directory: string): string[] {
    const prefix = `${directory}/`;
    const names: string[] = [];
    for (const path of this.#names.keys()) {
      const name = path.slice(prefix.length);
      if (path.startsWith(prefix) && !name.includes('/')) names.push(name);
    }
    return names.sort();
  }

  read(path: string): Uint8Array {
    if (this.#unreadable.has(path)) throw systemError('EIO', `read ${path}`);
    return Buffer.from(this.#image(path).cache);
  }

  exists(path: string): boolean {
    return this.#names.has(path);
  }

  open(path: string): DiskFile {
    let image = this.#names.get(path);
    if (image === undefined) {
      image = { cache: Buffer.alloc(0), durable: Buffer.alloc(0), dirty: new Set() };
      this.#names.set(path, image);
      this.#nameChanges.push({ kind: 'create', path, to: '', image });
    }
    return new SimFile(this, image, this.#incarnation);
  }

  replace(path: string, content: Uint8Array): void {
    const temporary = `${path}.tmp`;
    const file = this.open(temporary);
    file.truncate(0);
    file.writeAndSyncNow([content], 0);
    file.close();
    this.rename(temporary, path);
    this.syncDirectory(directoryOf(path));
  }

  rename(from: string, to: string): void {
    const image = this.#image(from);
    this.#names.delete(from);
    this.#names.set(to, image);
    this.#nameChanges.push({ kind: 'rename', path: from, to, image });
  }

  remove(path: string): void {
    const image = this.#names.get(path);
    if (image === undefined) return;
    this.#names.delete(path);
    this.#nameChanges.push({ kind: 'remove', path, to: '', image });
  }

  syncDirectory(directory: string): void {
    if (this.frozen) return;
    this.counters.directorySyncs += 1;
    if (this.#takeSyncFailure()) throw systemError('EIO', `fsync ${directory}`);
    this.#nameChanges = this.#nameChanges.filter((change) => {
      if (directoryOf(change.path) !== directory) return true;
      applyChange(this.#durableNames, change);
      return false;
    });
  }

  syncDirectoryLater(directory: string, done: Done): void {
    this.later(() => {
      try {
        this.syncDirectory(directory);
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      done(undefined);
    });
  }

  isWriting(directory: string): boolean {
    for (const { image } of this.#flights) {
      for (const [path, each] of this.#names) {
        if (each === image && directoryOf(path) === directory) return true;
      }
    }
    return false;
  }

  freeBytes(_directory: string): number {
    let used = 0;
    for (const image of this.#names.values()) used += image.cache.length;
    return Math.max(0, this.capacityBytes - used);
  }

  // For tests and simulations.

  get frozen(): boolean {
    return this.#frozen !== undefined;
  }

  /** The process takes no further step: nothing that it does until its crash will have happened. */
  freeze(): void {
    this.#frozen ??= { names: new Map(this.#names), changes: [...this.#nameChanges] };
  }

  /** Ends the process or cuts the power; the next incarnation finds what is left. */
  crash(kind: CrashKind = 'power'): void {
    this.#incarnation += 1;
    if (this.#frozen !== undefined) {
      this.#names = this.#frozen.names;
      this.#nameChanges = this.#frozen.changes;
      this.#frozen = undefined;
    }
    this.counters.crashes += 1;
    this.#stalled = undefined;
    for (const flight of this.#flights) this.#interrupt(flight, kind);
    this.#flights.clear();
    if (kind === 'process') return;
    for (const change of this.#nameChanges) {
      if (this.#rng.next() < 0.5) applyChange(this.#durableNames, change);
    }
    this.#nameChanges = [];
    this.#names.clear();
    for (const [path, image] of this.#durableNames) this.#names.set(path, image);
    for (const image of this.#names.values()) {
      // The kernel writes back when it likes: what was never synced may have arrived all the same.
      for (const sector of [...image.dirty]) if (this.#rng.next() < 0.5) flushSector(image, sector);
      image.cache = Buffer.from(image.durable);
      image.dirty.clear();
    }
  }

  /** The next `count` syncs (of data or names) fail, after some of the data have arrived. */
  failSyncs(count: number): void {
    this.#syncFailures = count;
  }

  /** Nothing asynchronous completes until `resume`. */
  stall(): void {
    this.#stalled ??= [];
  }

  resume(): void {
    const held = this.#stalled ?? [];
    this.#stalled = undefined;
    for (const callback of held) callback();
  }

  /** Bit rot: on the medium, so a reader sees it and no sync repairs it. */
  flipBit(path: string, offset: number, bit = 0): void {
    const image = this.#image(path);
    for (const bytes of [image.cache, image.durable]) {
      if (offset < bytes.length) bytes.writeUInt8(bytes.readUInt8(offset) ^ (1 << bit), offset);
    }
  }

  /** Puts bytes where they do not belong, or old ones back, behind everybody's back. */
  plant(path: string, offset: number, bytes: Uint8Array): void {
    const image = this.#image(path);
    for (const target of [image.cache, image.durable]) target.set(bytes, offset);
  }

  /** Cuts the end off a file, as a broken file system does. */
  shorten(path: string, bytes: number): void {
    const image = this.#image(path);
    image.cache = Buffer.from(image.cache.subarray(0, bytes));
    image.durable = Buffer.from(image.durable.subarray(0, bytes));
  }

  /** Removes a directory, as an operator might. Returns a function that puts it back. */
  lose(directory: string): () => void {
    const lost: Array<[Map<string, FileImage>, string, FileImage]> = [];
    for (const names of [this.#names, this.#durableNames]) {
      for (const [path, image] of names) {
        if (directoryOf(path) === directory) lost.push([names, path, image]);
      }
    }
    for (const [names, path] of lost) names.delete(path);
    this.#nameChanges = [];
    return () => {
      for (const [, path, image] of lost) {
        this.#names.set(path, image);
        this.#durableNames.set(path, image);
      }
    };
  }

  /** A latent sector error: reading the file fails from now on. */
  makeUnreadable(path: string): void {
    this.#unreadable.add(path);
  }

  // For the files of this disk.

  isCurrent(incarnation: number): boolean {
    return incarnation === this.#incarnation;
  }

  /** Runs the callback after the disk's latency, unless the disk crashes before. */
  later(callback: () => void): void {
    const incarnation = this.#incarnation;
    const arrive = (): void => {
      if (!this.isCurrent(incarnation) || this.frozen) return;
      if (this.#stalled === undefined) callback();
      else this.#stalled.push(arrive);
    };
    this.#schedule(this.latencyMs(), arrive);
  }

  /** Grows the cached image as far as the disk has room. */
  grow(image: FileImage, bytes: number): void {
    const room = this.freeBytes('') + image.cache.length;
    const size = Math.min(bytes, room);
    if (size > image.cache.length) image.cache = grown(image.cache, size);
    if (bytes > room) throw systemError('ENOSPC', 'write');
  }

  write(image: FileImage, parts: readonly Uint8Array[], offset: number): void {
    const bytes = Buffer.concat(parts);
    this.grow(image, offset + bytes.length);
    this.counters.bytesWritten += bytes.length;
    image.cache.set(bytes, offset);
    const end = offset + bytes.length;
    for (let at = offset - (offset % SECTOR_BYTES); at < end; at += SECTOR_BYTES) {
      image.dirty.add(at / SECTOR_BYTES);
    }
  }

  sync(image: FileImage): void {
    this.counters.syncs += 1;
    if (this.#takeSyncFailure()) {
      // The cache keeps the data and calls them clean: a second sync would succeed, and lie.
      for (const sector of image.dirty) if (this.#rng.next() < 0.5) flushSector(image, sector);
      image.dirty.clear();
      throw systemError('EIO', 'fdatasync');
    }
    const size = image.cache.length;
    if (image.durable.length > size) image.durable = Buffer.from(image.durable.subarray(0, size));
    if (image.durable.length < size) image.durable = grown(image.durable, size);
    for (const sector of image.dirty) flushSector(image, sector);
    image.dirty.clear();
  }

  beginFlight(flight: Flight): void {
    this.#flights.add(flight);
  }

  endFlight(flight: Flight): void {
    this.#flights.delete(flight);
  }

  /** Applies the part of a write under way that a crash leaves. */
  #interrupt(flight: Flight, kind: CrashKind): void {
    const { image } = flight;
    const before = new Set(image.dirty);
    // One in four had not reached the kernel at all.
    if (this.#rng.next() < 0.25) return;
    const room = image.cache.length - flight.offset;
    let bytes = Buffer.concat(flight.parts).subarray(0, Math.max(0, room));
    if (kind === 'process' && this.#rng.next() < 0.5) {
      // Killed inside the system call: a front part is in the page cache.
      bytes = bytes.subarray(0, Math.floor(this.#rng.next() * bytes.length));
    }
    this.write(image, [bytes], flight.offset);
    if (kind === 'process') return;
    const share = this.#rng.next();
    for (const sector of image.dirty) {
      if (before.has(sector)) continue;
      if (this.#rng.next() < share) flushSector(image, sector);
      image.dirty.delete(sector);
    }
  }

  #takeSyncFailure(): boolean {
    if (this.#syncFailures === 0) return false;
    this.#syncFailures -= 1;
    return true;
  }

  #image(path: string): FileImage {
    const image = this.#names.get(path);
    if (image === undefined) throw systemError('ENOENT', path);
    return image;
  }
}

class SimFile implements DiskFile {
  readonly #disk: SimDisk;
  readonly #image: FileImage;
  readonly #incarnation: number;
  #closed = false;

  constructor(disk: SimDisk, image: FileImage, incarnation: number) {
    this.#disk = disk;
    this.#image = image;
    this.#incarnation = incarnation;
  }

  size(): number {
    return this.#image.cache.length;
  }

  allocate(bytes: number): void {
    this.#check();
    this.#disk.grow(this.#image, bytes);
    this.#disk.sync(this.#image);
  }

  allocateLater(bytes: number, done: Done): void {
    this.#check();
    this.#disk.later(() => done(attempt(() => this.#growAndSync(bytes))));
  }

  truncate(bytes: number): void {
    this.#check();
    this.#image.cache = Buffer.from(this.#image.cache.subarray(0, bytes));
  }

  write(parts: readonly Uint8Array[], offset: number, done: Done): void {
    this.#begin(parts, offset, (held) => this.#disk.write(this.#image, held, offset), done);
  }

  writeAndSync(parts: readonly Uint8Array[], offset: number, done: Done): void {
    this.#begin(parts, offset, (held) => this.#writeAndSync(held, offset), done);
  }

  #begin(
    parts: readonly Uint8Array[],
    offset: number,
    run: (held: readonly Uint8Array[]) => void,
    done: Done,
  ): void {
    this.#check();
    this.#disk.onWrite();
    if (this.#disk.frozen) return;
    const flight = { image: this.#image, parts: [...parts], offset };
    this.#disk.beginFlight(flight);
    this.#disk.later(() => {
      this.#disk.endFlight(flight);
      done(attempt(() => run(flight.parts)));
    });
  }

  writeAndSyncNow(parts: readonly Uint8Array[], offset: number): void {
    this.#check();
    this.#writeAndSync(parts, offset);
  }

  close(): void {
    this.#closed = true;
  }

  #growAndSync(bytes: number): void {
    this.#disk.grow(this.#image, bytes);
    this.#disk.sync(this.#image);
  }

  #writeAndSync(parts: readonly Uint8Array[], offset: number): void {
    this.#disk.write(this.#image, parts, offset);
    this.#disk.sync(this.#image);
  }

  #check(): void {
    if (this.#closed) throw systemError('EBADF', 'the file is closed');
    if (!this.#disk.isCurrent(this.#incarnation)) {
      throw systemError('EBADF', 'a file handle was used after the crash of its process');
    }
  }
}

function applyChange(names: Map<string, FileImage>, change: NameChange): void {
  if (change.kind === 'create') {
    names.set(change.path, change.image);
  } else if (names.get(change.path) === change.image) {
    names.delete(change.path);
    if (change.kind === 'rename') names.set(change.to, change.image);
  }
}

function flushSector(image: FileImage, sector: number): void {
  const start = sector * SECTOR_BYTES;
  const end = Math.min(start + SECTOR_BYTES, image.cache.length);
  if (end > image.durable.length) image.durable = grown(image.durable, end);
  image.cache.copy(image.durable, start, start, end);
}

function grown(bytes: Buffer, size: number): Buffer {
  const larger = Buffer.alloc(size);
  larger.set(bytes);
  return larger;
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function attempt(action: () => void): Error | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
