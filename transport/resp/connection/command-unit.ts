/**
 * A unit: the commands of one socket read of one connection that need the store. It travels as a
 * whole: one message to the coordinator, one place in one transaction (or one ephemeral read), one
 * write of replies. A connection has at most one unit in progress; that keeps the order of its
 * commands, whatever order the protocol gives to transactions.
 */
export interface CommandUnit {
  /** RESP2 request arrays, one after the other; never written to again, so they may be kept. */
  readonly bytes: Uint8Array;
  /** Number of commands in `bytes`, >= 1. */
  readonly count: number;
  /** Every command reads one key only: an ephemeral read may serve the unit. */
  readonly readOnly: boolean;
  /** Some command touches keys that are not among its arguments (KEYS, FLUSHALL, DBSIZE). */
  readonly wholeStore: boolean;
  /** Conflict slots of all keys (`storage/keyspace/slots.ts`), as they appear, repeats allowed. */
  readonly slots: readonly number[];
  /** 2 or 3. */
  readonly protocol: 2 | 3;
  /**
   * The layout of the replies: a number n stands for n commands, `exec` for a MULTI block of that
   * many commands whose replies form one array, `local` for bytes that the connection already has.
   * `UnitReplies` walks it.
   */
  readonly plan: readonly PlanItem[];
  /** Indices, ascending, of the commands that failed; called before `complete`. */
  errorsAt?(indices: readonly number[]): void;
  /** All replies of the unit, in order; called at most once, in any turn. */
  complete(replies: Uint8Array): void;
  /** Answers every command with this error line (a MULTI block with one); local bytes stay. */
  fail(line: string): void;
}

export type PlanItem = number | ExecItem | { readonly local: Uint8Array };

/**
 * A MULTI block of `exec` (>= 1) commands of `bytes`. `locals` are replies of commands that the
 * gateway ran itself inside the block (PING, ECHO): they are elements of the same array, so its
 * length is `exec + locals.length`.
 */
export interface ExecItem {
  readonly exec: number;
  readonly locals?: readonly ExecLocal[];
}

export interface ExecLocal {
  /** The reply stands before that of the block's command with this index (`exec`: at the end). */
  readonly before: number;
  readonly reply: Uint8Array;
}
