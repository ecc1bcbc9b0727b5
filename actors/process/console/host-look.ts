/**
 * Free space of the disk and open files of this process, for consoles. The system is asked rarely,
 * and never in the way of a turn: a process may have a hundred thousand files open.
 */
import { readdir, statfs } from 'node:fs/promises';

interface HostFacts {
  readonly freeBytes: number;
  readonly bytes: number;
  /** NaN where the system does not tell. */
  readonly openFiles: number;
}

type Read = (dataDir: string, before: HostFacts) => Promise<HostFacts>;

const LOOK_EVERY_MS = 5_000;

export class HostLook {
  readonly #dataDir: string;
  readonly #read: Read;
  #facts: HostFacts = { freeBytes: 0, bytes: 0, openFiles: Number.NaN };
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(dataDir: string, read: Read = readHost) {
    this.#dataDir = dataDir;
    this.#read = read;
  }

  /** As of the last look, which is at most 5 s old, or still under way for another one. */
  async facts(nowMs: number): Promise<HostFacts> {
    if (nowMs - this.#lookedAtMs >= LOOK_EVERY_MS) {
      this.#lookedAtMs = nowMs;
      this.#facts = await this.#read(this.#dataDir, this.#facts);
    }
    return this.#facts;
  }
}

/** A value that the system does not tell stays as it was. */
async function readHost(dataDir: string, before: HostFacts): Promise<HostFacts> {
  const [disk, files] = await Promise.allSettled([statfs(dataDir), readdir('/proc/self/fd')]);
  const space =
    disk.status === 'rejected'
      ? before
      : {
          freeBytes: disk.value.bavail * disk.value.bsize,
          bytes: disk.value.blocks * disk.value.bsize,
        };
  const openFiles = files.status === 'rejected' ? before.openFiles : files.value.length;
  return { ...space, openFiles };
}
