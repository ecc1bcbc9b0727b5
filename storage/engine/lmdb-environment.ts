/** An environment of LMDB, which an engine opens to read and the thread of commits to write. */
import { type Database, open, type RootDatabase } from 'lmdb';

export type Rows = Database<Buffer, Uint8Array>;

/** The databases of an environment. Their order is that of `Table`. */
export interface LmdbEnvironment {
  readonly root: RootDatabase<Buffer, Uint8Array>;
  /** Keys, by row key. */
  readonly data: Rows;
  /** Rows of large collections. */
  readonly elements: Rows;
  /** Groups, their counts, and dropped collections. */
  readonly info: Rows;
}

/** Throws the library's error. Threads that open the same directory share one environment. */
export function openEnvironment(directory: string): LmdbEnvironment {
  // A commit ends when it is on disk, and the promises of the library are not used.
  const options = { noSubdir: false, maxDbs: 4, eventTurnBatching: false, overlappingSync: false };
  const root: RootDatabase<Buffer, Uint8Array> = open({ path: directory, ...options });
  const form = { encoding: 'binary', keyEncoding: 'binary' } as const;
  return {
    root,
    data: root.openDB('data', form),
    elements: root.openDB('elements', form),
    info: root.openDB('info', form),
  };
}
