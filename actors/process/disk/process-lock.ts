/**
 * A lock file that dies with its process, also after `kill -9`: it names the process and when that
 * process began, so that a number used again by the operating system is not taken for the owner.
 *
 * Across process-id namespaces (two containers on one volume) the owner cannot be looked up and the
 * lock is taken over; the incarnation in the identity file fences the older node off then.
 */
import { linkSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';

const ATTEMPTS_MAX = 5;

interface Owner {
  readonly pid: number;
  /** Clock ticks since boot, or empty where the operating system does not say. */
  readonly started: string;
  readonly boot: string;
}

export class ProcessLock {
  readonly #path: string;
  readonly #content: string;

  private constructor(path: string, content: string) {
    this.#path = path;
    this.#content = content;
  }

  /** The lock, or the id of the living process that has it. */
  static take(path: string): ProcessLock | number {
    const me = { pid: process.pid, started: startOf(process.pid) ?? '', boot: bootId() };
    const content = `${JSON.stringify(me)}\n`;
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, content);
    try {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
        try {
          // A link appears with its whole content, or not at all.
          linkSync(draft, path);
          return new ProcessLock(path, content);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        }
        const found = readOrEmpty(path);
        const owner = parseOwner(found);
        if (owner !== undefined && isAlive(owner)) return owner.pid;
        removeStale(path, found);
      }
      return parseOwner(readOrEmpty(path))?.pid ?? 0;
    } finally {
      rmSync(draft, { force: true });
    }
  }

  release(): void {
    if (readOrEmpty(this.#path) === this.#content) rmSync(this.#path, { force: true });
  }
}

/**
 * Two starting processes may find the same stale lock. Each moves the lock aside and looks again: a
 * process that has moved the other's fresh lock puts it back.
 */
function removeStale(path: string, content: string): void {
  const aside = `${path}.stale-${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (readOrEmpty(aside) !== content) {
    try {
      linkSync(aside, path);
    } catch {
      // A third process has the lock by now; the next attempt sees it.
    }
  }
  unlinkSync(aside);
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function parseOwner(content: string): Owner | undefined {
  try {
    const { pid, started, boot } = JSON.parse(content) as Partial<Owner>;
    if (Number.isInteger(pid) && typeof started === 'string' && typeof boot === 'string') {
      return { pid: Number(pid), started, boot };
    }
  } catch {
    // Foreign, or cut short by a crash: the lock is free.
  }
  return undefined;
}

function isAlive(owner: Owner): boolean {
  if (owner.boot !== bootId()) return false;
  if (owner.started !== '') return startOf(owner.pid) === owner.started;
  try {
    process.kill(owner.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** proc_pid_stat(5), field 22; `undefined` for no such process, and for one that has ended. */
function startOf(pid: number): string | undefined {
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  // The name in parentheses may itself contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

function bootId(): string {
  return readOrEmpty('/proc/sys/kernel/random/boot_id').trim();
}
