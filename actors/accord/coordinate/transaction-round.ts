/**
 * The work of one coordinator or recoverer on one transaction at one ballot: the phase, the members
 * that have answered, and the sum of their answers. Phases only move forwards; that is the latch
 * between the fast and the slow path.
 */

import type { CommandDefinition, RecoverOk } from '../messages/messages.ts';
import { type Deps, NO_DEPS } from '../primitives/deps.ts';
import { type Ballot, keyOf, type Timestamp, type TxnId } from '../primitives/timestamp.ts';

export type Phase = 'PreAccept' | 'Recover' | 'Accept' | 'Invalidate' | 'Commit';

export class TransactionRound {
  readonly id: TxnId;
  readonly key: string;
  readonly ballot: Ballot;
  readonly startedMs: number;
  phase: Phase;
  definition: CommandDefinition | undefined;
  /** Members (bit set) that are known to hold the definition. */
  defined = 0;

  /** Members that have answered in this phase. */
  replied = 0;
  /** PreAccept: voted t0. Recover: say that their PreAccept vote was t0. */
  fast = 0;
  /** Own deps of this node, which a "same" answer stands for; undefined until our replica voted. */
  ownDeps: Deps | undefined;
  /** PreAccept: have answered, but count as if they had not: their clock differs too far. */
  skewed = 0;
  sameSeen = false;
  vote: Timestamp | undefined;
  executeAt: Timestamp | undefined;
  deps: Deps = NO_DEPS;
  readonly recoverReplies: RecoverOk[] = [];

  resendAtMs: number;
  resends = 0;

  constructor(options: {
    readonly id: TxnId;
    readonly ballot: Ballot;
    readonly phase: Phase;
    readonly definition: CommandDefinition | undefined;
    readonly nowMs: number;
    readonly resendMs: number;
  }) {
    this.id = options.id;
    this.key = keyOf(options.id);
    this.ballot = options.ballot;
    this.phase = options.phase;
    this.definition = options.definition;
    this.startedMs = options.nowMs;
    this.resendAtMs = options.nowMs + options.resendMs;
  }

  enter(phase: Phase, nowMs: number, resendMs: number): void {
    this.phase = phase;
    this.replied = 0;
    this.skewed = 0;
    this.resends = 0;
    this.resendAtMs = nowMs + resendMs;
  }

  /** `false` when this member has been counted in this phase already. */
  count(bit: number): boolean {
    if (bit === 0 || (this.replied & bit) !== 0) return false;
    this.replied |= bit;
    return true;
  }
}
