/** The wait of one client for a key: until when, and how it is answered then. */
import type { WaitedFor } from '../waiting/waiters.ts';

export class CommandWait {
  readonly waitedFor: WaitedFor;
  /** An element that it takes is gone if the client is. */
  readonly loses: boolean;
  /** Monotonic milliseconds; Infinity: for ever. */
  readonly deadlineMs: number;
  /** The command has found nothing, or waits for its turn. */
  isBlocked = false;
  /** The reply of a command that has found nothing. */
  nothing: Uint8Array = new Uint8Array(0);
  /** CLIENT UNBLOCK: an error line, or '' for a time that is over. */
  unblockedBy: string | undefined;

  /** `timeoutMs` 0: for ever. */
  constructor(loses: boolean, waitedFor: WaitedFor, timeoutMs: number, nowMs: number) {
    this.waitedFor = waitedFor;
    this.loses = loses;
    this.deadlineMs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : nowMs + timeoutMs;
  }
}
