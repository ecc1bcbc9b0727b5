/** What `startNode` hands to the command that started it. */
export interface RunningNode {
  /** Stops in order: clients first, the log last. Resolves when all is closed. */
  stop(reason: string): Promise<void>;
  /** Settles once, however the node ended; `code` is the exit code of the process. */
  readonly stopped: Promise<{ readonly code: number; readonly reason: string }>;
  /** Writes what the flight recorder holds into the data directory. */
  dumpTrace?(): void;
}
