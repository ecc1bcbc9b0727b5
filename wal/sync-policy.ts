/**
 * Decides when to make the log durable. Pure: takes the appended records and the time, and returns
 * when to commit; the WAL actor owns the timer and calls `WriteAheadLog.commit`.
 *
 * A record is *urgent* when a reply waits for it, and *lazy* when it may be lost in a crash without
 * breaking a promise: it rides with the next urgent commit, or goes alone after `lazySyncMsMax`.
 */

export const SYNC_POLICY_NAMES = [
  'every_record',
  'every_batch',
  'group_commit',
  'on_flush',
] as const;

/**
 * `every_record`: each record is committed as it is appended, lazy or not.
 * `every_batch`: once per turn, for all records of the turn.
 * `group_commit`: waits up to `groupCommitMsMax` for more records to share the sync.
 * `on_flush`: only when `flush` is called; for tests. Replies wait until the operating system has
 * the records, not for the disk: a crash of the process loses nothing, a power cut does.
 */
export type SyncPolicyName = (typeof SYNC_POLICY_NAMES)[number];

export interface SyncPolicyOptions {
  /** Default `every_batch`. */
  readonly name?: SyncPolicyName;
  /** Longest wait of an urgent record under `group_commit`, in ms. Default 2. */
  readonly groupCommitMsMax?: number;
  /** Longest wait of a lazy record, in ms. Default 20. */
  readonly lazySyncMsMax?: number;
  /** Nothing waits once that many bytes are pending (except under `on_flush`). Default 1 MiB. */
  readonly waitBytesMax?: number;
}

/** `record`: one was just appended. `turn`: the turn or a sync ends, or a timer fired. */
type SyncMoment = 'record' | 'turn';

/** The answer "nothing to do": neither now nor at a known time. */
export const NEVER = Number.POSITIVE_INFINITY;

export class SyncPolicy {
  readonly name: SyncPolicyName;
  readonly #groupCommitMsMax: number;
  readonly #lazySyncMsMax: number;
  readonly #waitBytesMax: number;
  /** When the oldest uncommitted record of each kind was appended; NEVER when there is none. */
  #urgentSinceMs = NEVER;
  #lazySinceMs = NEVER;
  #flushing = false;

  constructor(options: SyncPolicyOptions = {}) {
    this.name = options.name ?? 'every_batch';
    this.#groupCommitMsMax = options.groupCommitMsMax ?? 2;
    this.#lazySyncMsMax = options.lazySyncMsMax ?? 20;
    this.#waitBytesMax = options.waitBytesMax ?? 1024 * 1024;
  }

  /** Records count as kept once they are written, before they are synced. */
  get syncsLater(): boolean {
    return this.name === 'on_flush';
  }

  /** Counts appended records; one call may stand for many. */
  appended(urgent: number, lazy: number, nowMs: number): void {
    if (urgent > 0 && this.#urgentSinceMs === NEVER) this.#urgentSinceMs = nowMs;
    if (lazy > 0 && this.#lazySinceMs === NEVER) this.#lazySinceMs = nowMs;
  }

  /** Requests a commit of all records appended so far, under every policy. */
  flush(): void {
    if (this.#waiting()) this.#flushing = true;
  }

  /** All records appended so far have been handed to a commit. */
  committed(): void {
    this.#urgentSinceMs = NEVER;
    this.#lazySinceMs = NEVER;
    this.#flushing = false;
  }

  /**
   * When to commit, in ms: at most `nowMs` means now, more means at that time, `NEVER` means not at
   * all. While a sync is in flight the answer is `NEVER`: a commit could not start before its end,
   * so ask again then.
   */
  commitAt(moment: SyncMoment, nowMs: number, inFlight: boolean, pendingBytes: number): number {
    if (inFlight || !this.#waiting()) return NEVER;
    if (this.#flushing) return nowMs;
    if (this.name === 'on_flush') return NEVER;
    if (this.name === 'every_record') return nowMs;
    if (moment === 'record') return NEVER;
    if (pendingBytes >= this.#waitBytesMax) return nowMs;
    const urgentWaitMs = this.name === 'group_commit' ? this.#groupCommitMsMax : 0;
    return Math.min(this.#urgentSinceMs + urgentWaitMs, this.#lazySinceMs + this.#lazySyncMsMax);
  }

  #waiting(): boolean {
    return this.#urgentSinceMs !== NEVER || this.#lazySinceMs !== NEVER;
  }
}
