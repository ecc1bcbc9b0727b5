/** The result of `startNode`: the handle by which a command stops its node. */
export interface RunningNode {
  /** Stops in order: clients first, the log last. Resolves when all is closed. */
  stop(reason: string): Promise<void>;
  /** Settles once, for any kind of end; `code` is the exit code of the process. */
  readonly stopped: Promise<{ readonly code: number; readonly reason: string }>;
  /** Reads anew what may change while the node runs: secrets. */
  reload?(): void;
  /** Writes the events of the flight recorder into the data directory. */
  dumpTrace?(): void;
}

/** The cluster has been formed, and the node is to begin again; no exit code of a process. */
export const EXIT_FORMED = -1;

/** The data directory must not be used: starting the node again changes nothing. */
export const EXIT_DATA_REFUSED = 3;

const REFUSED =
  /^HOLO_(DATA_(LOG|STORE)_|DATA_SET_BACK|DATA_DAMAGED|STORE_DAMAGED|WAL_(DAMAGED|MISSING|FOREIGN|UNSUPP))/;

export function isDataRefused(error: unknown): boolean {
  return REFUSED.test(String((error as { code?: unknown } | undefined)?.code));
}
