/**
 * The work of one coordinator or recoverer on a transaction over several groups, at one ballot: the
 * phase, and in each group the members that have answered and the sum of their answers. Evidence of
 * one group never counts for another.
 */
import type { CommandDefinition, RecoverOk } from '../messages/messages.ts';
import { population } from '../primitives/bit-set.ts';
import { type Deps, NO_DEPS } from '../primitives/deps.ts';
import { type Ballot, keyOf, type Timestamp, type TxnId } from '../primitives/timestamp.ts';
import type { Group } from '../topology/group.ts';

export type SpanningPhase =
  | 'PreAccept'
  | 'Recover'
  | 'Accept'
  | 'Invalidate'
  | 'Commit'
  | 'Read'
  | 'Apply';

/** The sets of members are bit sets of the group. */
export class RoundPart {
  readonly group: Group;
  /** The slots that it touches in the group; undefined while they are not known. */
  readonly slots: Uint8Array | null | undefined;
  /** The group is asked in this phase. */
  isAsked = true;
  /** Members that are known to hold the definition. */
  defined = 0;
  /** Members that have answered in this phase. */
  replied = 0;
  /** PreAccept: voted t0. Recover: say that their PreAccept vote was t0. */
  fast = 0;
  /** PreAccept: have answered, but count as if they had not: their clock differs too far. */
  skewed = 0;
  deps: Deps = NO_DEPS;
  readonly recoverReplies: RecoverOk[] = [];
  /** The entries that it reads in the group. */
  entries: Uint8Array | undefined;
  /** Members that were asked for it. */
  reads = 0;

  constructor(group: Group, slots: Uint8Array | null | undefined) {
    this.group = group;
    this.slots = slots;
  }

  /** `false` when this member has been counted in this phase already. */
  count(bit: number): boolean {
    if (bit === 0 || (this.replied & bit) !== 0) return false;
    this.replied |= bit;
    return true;
  }

  /** A quorum has answered, or the group is not asked. */
  get hasQuorum(): boolean {
    const counted = population(this.replied & ~this.skewed);
    return !this.isAsked || counted >= this.group.quorums.slow;
  }
}

export class SpanningRound {
  readonly id: TxnId;
  readonly key: string;
  readonly ballot: Ballot;
  readonly startedMs: number;
  phase: SpanningPhase;
  /** Ascending by range. One alone while the definition is not known. */
  readonly parts: readonly RoundPart[];
  readonly body: Uint8Array | undefined;
  /** Ranges whose group has forgotten it: their part is over. */
  readonly gone: ReadonlySet<number>;
  vote: Timestamp | undefined;
  executeAt: Timestamp | undefined;
  /** The entries of all groups together. */
  reads: Uint8Array | undefined;
  /** The groups in which the deps must be committed. */
  short: readonly RoundPart[] = [];
  resendAtMs: number;
  resends = 0;

  constructor(options: {
    readonly id: TxnId;
    readonly ballot: Ballot;
    readonly phase: SpanningPhase;
    readonly parts: readonly RoundPart[];
    readonly body: Uint8Array | undefined;
    readonly gone: ReadonlySet<number>;
    readonly nowMs: number;
    readonly resendMs: number;
  }) {
    this.id = options.id;
    this.key = keyOf(options.id);
    this.ballot = options.ballot;
    this.phase = options.phase;
    this.parts = options.parts;
    this.body = options.body;
    this.gone = options.gone;
    this.startedMs = options.nowMs;
    this.resendAtMs = options.nowMs + options.resendMs;
  }

  /** Begins a phase in these of its groups. */
  enter(phase: SpanningPhase, asked: readonly RoundPart[], nowMs: number, resendMs: number): void {
    this.phase = phase;
    this.resends = 0;
    this.resendAtMs = nowMs + resendMs;
    for (const part of this.parts) {
      part.isAsked = asked.includes(part);
      part.replied = 0;
      part.skewed = 0;
    }
  }

  partOf({ range, generation }: Group['id']): RoundPart | undefined {
    return this.parts.find(
      ({ group }) => group.id.range === range && group.id.generation === generation,
    );
  }

  /** Those that have not forgotten it. */
  get live(): readonly RoundPart[] {
    return this.parts.filter(({ group }) => !this.gone.has(group.id.range));
  }

  /** Every group that is asked has answered with a quorum. */
  get isAnswered(): boolean {
    return this.parts.every((part) => part.hasQuorum);
  }

  /** The definition goes only to members that may lack it. */
  definitionFor(part: RoundPart, to: number): CommandDefinition | Record<string, never> {
    const { body } = this;
    const has = (part.defined & part.group.bit(to)) !== 0;
    if (has || body === undefined || part.slots === undefined) return {};
    return { slots: part.slots, body };
  }
}
