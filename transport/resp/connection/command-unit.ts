/**
 * A unit: all commands that one connection had waiting in one socket read and that need the
 * store. It travels as a whole: one message to the coordinator, one place in one transaction (or
 * one ephemeral read), one reply write. A connection has at most one unit under way; that keeps
 * the order of its commands whatever the protocol does with transactions.
 */
export interface CommandUnit {
  /** RESP2 request arrays, one after the other; never written to again, so they may be kept. */
  readonly bytes: Uint8Array;
  /** Number of commands in `bytes`, >= 1. */
  readonly count: number;
  /** Every command reads one key only: the unit may be served by an ephemeral read. */
  readonly readOnly: boolean;
  /** Some command touches keys that cannot be named beforehand (KEYS, FLUSHALL, DBSIZE). */
  readonly wholeStore: boolean;
  /** Conflict slots of all keys (`storage/keyspace/slots.ts`), as they appear, repeats allowed. */
  readonly slots: readonly number[];
  /** 2 or 3. */
  readonly protocol: 2 | 3;
  /**
   * How replies are laid out: a number is so many commands, `exec` a MULTI block of so many
   * commands whose replies become one array, `local` bytes that the connection already knows.
   * `UnitReplies` walks it.
   */
  readonly plan: readonly PlanItem[];
  /** The commands with these indices, ascending, have answered an error; before `complete`. */
  errorsAt?(indices: readonly number[]): void;
  /** All replies of the unit, in order; called at most once, in any turn. */
  complete(replies: Uint8Array): void;
  /** Every command is answered with this error line (a MULTI block with one); local bytes stay. */
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
