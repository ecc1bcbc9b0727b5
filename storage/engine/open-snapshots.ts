/**
 * The snapshots of an engine that are open: how many there may be, and how old they may become. An
 * old one keeps the engine from using the space again that was freed since: LMDB's file grows with
 * every commit, the memory of the other engine too.
 */
import { EngineError } from '../errors.ts';

/** More are refused. */
export const SNAPSHOTS_MAX = 4;
/** Commits that a snapshot may outlive; then it is closed, and its next reader is told. */
export const SNAPSHOT_COMMITS_MAX = 64;

export class OpenSnapshots {
  /** For each, the function that closes it and the commits since it was opened. */
  readonly #open = new Map<() => void, number>();

  get full(): boolean {
    return this.#open.size >= SNAPSHOTS_MAX;
  }

  /** `end` is called once: at its limit, with the engine, or by `close`. */
  add(end: () => void): SnapshotLife {
    this.#open.set(end, 0);
    const isOpen = (): boolean => this.#open.has(end);
    return {
      assertOpen() {
        if (isOpen()) return;
        throw new EngineError('HOLO_STORE_SNAPSHOT_ENDED', 'a snapshot was read after its end');
      },
      close: () => this.#close(end),
    };
  }

  /** A commit has landed. */
  committed(): void {
    for (const [end, commits] of this.#open) {
      if (commits + 1 < SNAPSHOT_COMMITS_MAX) this.#open.set(end, commits + 1);
      else this.#close(end);
    }
  }

  closeAll(): void {
    for (const end of this.#open.keys()) this.#close(end);
  }

  #close(end: () => void): void {
    if (this.#open.delete(end)) end();
  }
}

interface SnapshotLife {
  /** @throws EngineError HOLO_STORE_SNAPSHOT_ENDED */
  assertOpen(): void;
  close(): void;
}
