/** An engine's end of the thread of commits, which all engines of the process share. */
import { constants } from 'node:os';
import { Worker } from 'node:worker_threads';
import { EngineError } from '../errors.ts';
import type { ChangesPiece } from './lmdb-changes.ts';
import type {
  CommitThreadMessage,
  FromCommitThread,
  ToCommitThread,
} from './lmdb-commit-thread.ts';

/** The library reports the system's error numbers. */
const { ENOSPC, EDQUOT } = constants.errno;

type Done = (error: EngineError | undefined) => void;

export class LmdbCommitter {
  readonly #directory: string;
  readonly #thread = CommitThread.shared();

  constructor(directory: string) {
    this.#directory = directory;
    // At once, while there are files to open. A commit tries again.
    this.#thread.send(directory, 'open', [], () => undefined);
  }

  /** `done` is called once, in a later turn, when the commit is on disk or has failed. */
  commit(clear: boolean, pieces: readonly ChangesPiece[], done: Done): void {
    const memory = pieces.map((piece) => piece.memory);
    this.#thread.send(this.#directory, { clear, pieces }, memory, done);
  }

  /** Resolves behind a commit in progress, when the thread has let go of the environment. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#thread.send(this.#directory, 'close', [], () => resolve());
    });
  }
}

class CommitThread {
  static #shared: CommitThread | undefined;
  readonly #worker = startWorker();
  /** Of messages without an answer. */
  readonly #waiting = new Map<number, Done>();
  #lastId = 0;
  #failure: EngineError | undefined;

  /** It is started with the first engine; one that has failed stays so. */
  static shared(): CommitThread {
    CommitThread.#shared ??= new CommitThread();
    return CommitThread.#shared;
  }

  private constructor() {
    // Without work, it keeps no process alive.
    this.#worker.unref();
    this.#worker.on('message', ({ id, error }: FromCommitThread) => {
      this.#answer(
        id,
        error === undefined ? undefined : failureOf(error.message, error.code, error),
      );
    });
    this.#worker.on('error', (error) => {
      this.#failure = failureOf(error.message, undefined, error);
      for (const id of [...this.#waiting.keys()]) this.#answer(id, this.#failure);
    });
  }

  send(
    directory: string,
    message: CommitThreadMessage,
    memory: readonly ArrayBuffer[],
    done: Done,
  ): void {
    const failure = this.#failure;
    if (failure !== undefined) {
      setImmediate(() => done(failure));
      return;
    }
    this.#lastId += 1;
    const id = this.#lastId;
    this.#waiting.set(id, done);
    this.#worker.ref();
    this.#worker.postMessage({ id, directory, message } satisfies ToCommitThread, [...memory]);
  }

  #answer(id: number, error: EngineError | undefined): void {
    const done = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
    done?.(error);
  }
}

function startWorker(): Worker {
  if (import.meta.url.endsWith('.js')) {
    return new Worker(new URL('./lmdb-commit-thread.js', import.meta.url));
  }
  // From the sources: a thread must load TypeScript by itself.
  const file = JSON.stringify(new URL('./lmdb-commit-thread.ts', import.meta.url).href);
  const script = `import('tsx/esm/api').then(({ register }) => (register(), import(${file})))`;
  return new Worker(script, { eval: true });
}

function failureOf(message: string, code: unknown, cause: unknown): EngineError {
  const isFull = code === ENOSPC || code === EDQUOT;
  const kind = isFull ? 'HOLO_STORE_DISK_FULL' : 'HOLO_STORE_WRITE_FAILED';
  return new EngineError(kind, `a flush was not written: ${message}`, { cause });
}
