/**
 * Opens the store of a node: its executor gets the engine once every key in it has been found, so
 * that damage refuses the start instead of hiding keys. The check is made once in a process, a
 * slice in each call; the node does its other work in between.
 */
import type { LmdbEngine } from '../../../storage/engine/lmdb-engine.ts';
import { EngineError } from '../../../storage/errors.ts';
import { STORE_REMEDY } from '../../log/lineage.ts';

/** Time per call; the executor calls again at once. */
const SLICE_MS_MAX = 20;
/** Keys between two looks at the clock. */
const SLICE_KEYS = 32;

interface CheckedStoreOptions {
  readonly directory: string;
  readonly open: (onClosed: () => void) => LmdbEngine;
  readonly nowMs: () => number;
  /** The check has come to its end. */
  readonly onChecked: (keys: number, elapsedMs: number) => void;
}

export class CheckedStore {
  readonly #options: CheckedStoreOptions;
  /** The engine until it is closed, by whoever has it then. */
  #inUse: LmdbEngine | undefined;
  #checked = false;
  /** The engine while it is being checked. */
  #opened: LmdbEngine | undefined;
  #check: Generator<number, void, undefined> | undefined;
  #keys = 0;
  #startedMs = 0;

  constructor(options: CheckedStoreOptions) {
    this.#options = options;
  }

  /** The progress of the check, for people; undefined when none is running. */
  get progress(): string | undefined {
    if (this.#opened === undefined) return undefined;
    return `the store is being checked (${this.#keys} of ${this.#opened.keys} keys)`;
  }

  /**
   * undefined while the check goes on, and while the engine that was opened before still closes.
   *
   * @throws EngineError, LineageError
   */
  open(): LmdbEngine | undefined {
    if (this.#opened === undefined && this.#inUse !== undefined) return undefined;
    try {
      const engine = this.#opened ?? this.#begin();
      if (!this.#checked && !this.#goOn(engine)) return undefined;
      this.#opened = undefined;
      return engine;
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'HOLO_STORE_DAMAGED') throw error;
      const what = `${error.code}: ${this.#options.directory}: ${error.message}; ${STORE_REMEDY}`;
      throw new EngineError(error.code, what, { cause: error });
    }
  }

  /** Calls `closed`, in a later turn, once nothing of the store is open any more. */
  close(closed: () => void): void {
    if (this.#inUse === undefined) setImmediate(closed);
    else this.#inUse.close(closed);
  }

  #begin(): LmdbEngine {
    const engine = this.#options.open(() => {
      this.#inUse = undefined;
    });
    this.#inUse = engine;
    this.#opened = engine;
    this.#startedMs = this.#options.nowMs();
    return engine;
  }

  /** `true`: every key has been found. */
  #goOn(engine: LmdbEngine): boolean {
    const { nowMs, onChecked } = this.#options;
    const check = this.#check ?? engine.check();
    this.#check = check;
    const untilMs = nowMs() + SLICE_MS_MAX;
    do {
      for (let left = SLICE_KEYS; left > 0; left -= 1) {
        const next = check.next();
        if (next.done === true) {
          this.#checked = true;
          this.#check = undefined;
          onChecked(this.#keys, nowMs() - this.#startedMs);
          return true;
        }
        this.#keys = next.value;
      }
    } while (nowMs() < untilMs);
    return false;
  }
}
