/**
 * The thread in which the commits of engines are written: inserting a hundred thousand rows takes
 * most of a second, and the event loop must not wait for that. It writes one commit at a time, and
 * answers each when it is on disk.
 */
import { parentPort } from 'node:worker_threads';
import { type ChangesPiece, forEachChange, Table } from './lmdb-changes.ts';
import { type LmdbEnvironment, openEnvironment } from './lmdb-environment.ts';

export type CommitThreadMessage =
  | 'open'
  /** All pieces or none; `clear`: remove all keys and elements first. */
  | { readonly clear: boolean; readonly pieces: readonly ChangesPiece[] }
  /** Let go of the environment. */
  | 'close';

export interface ToCommitThread {
  /** Comes back in the answer. */
  readonly id: number;
  readonly directory: string;
  readonly message: CommitThreadMessage;
}

export interface FromCommitThread {
  readonly id: number;
  /** Why it was not done, and the number of the error. */
  readonly error?: { readonly message: string; readonly code: unknown };
}

const port = parentPort;
if (port === null) throw new Error('this file is the thread of engines');
/** By directory. */
const environments = new Map<string, LmdbEnvironment>();

port.on('message', ({ id, directory, message }: ToCommitThread) => {
  handle(directory, message).then(
    () => port.postMessage({ id } satisfies FromCommitThread),
    ({ message: text, code }: { message: string; code?: unknown }) => {
      const error = { message: text, code };
      port.postMessage({ id, error } satisfies FromCommitThread);
    },
  );
});

async function handle(directory: string, message: CommitThreadMessage): Promise<void> {
  const open = environments.get(directory);
  if (message === 'close') {
    environments.delete(directory);
    await open?.root.close();
    return;
  }
  const environment = open ?? openEnvironment(directory);
  environments.set(directory, environment);
  if (message === 'open') return;
  environment.root.transactionSync(() => write(environment, message.clear, message.pieces));
}

function write(
  { data, elements, info }: LmdbEnvironment,
  clear: boolean,
  pieces: readonly ChangesPiece[],
): void {
  if (clear) {
    data.clearSync();
    elements.clearSync();
  }
  const tables = { [Table.Data]: data, [Table.Elements]: elements, [Table.Info]: info };
  for (const piece of pieces) {
    forEachChange(piece, (table, key, record) => {
      if (record === undefined) tables[table].removeSync(key);
      else tables[table].putSync(key, record);
    });
  }
}
