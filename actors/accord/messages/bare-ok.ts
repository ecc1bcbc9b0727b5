/**
 * Bare oks: replies that say nothing but yes, so that they can be counted below the coordinator and
 * reported once for several members (accord.md §6.2). Pure. The meaning of a bare ok is defined
 * here alone: it is exactly those replies, one for each member.
 */

import { type Ballot, equal, keyOf, type TxnId } from '../primitives/timestamp.ts';
import type { AcceptOk, AccordMessage, CommitOk, PreAcceptOk } from './messages.ts';

/** The rounds that can be answered plainly. */
export type BareOkRound = 'PreAccept' | 'Accept' | 'Commit';
export type BareOkFrame = PreAcceptOk | AcceptOk | CommitOk;

export interface BareOk {
  readonly round: BareOkRound;
  readonly id: TxnId;
  readonly ballot: Ballot;
  /** Bit set of the members of the transaction's group. */
  readonly members: number;
}

/** Plain answers that have been counted elsewhere; the coordinator asks before it decides. */
export interface BareOks {
  /** To this transaction's present request, if there are any that were not told yet. */
  take(key: string): BareOk | undefined;
  /**
   * The same of all transactions. Those that have been counted since `overdueMs` or longer are
   * left: with time up, a smaller quorum than the one that is waited for may decide.
   */
  takeAll(overdueMs: number): BareOk[];
  /**
   * The count may not suffice any more: tells what was counted until now, and lets all further
   * answers come as messages.
   */
  leave(key: string): BareOk | undefined;
  leaveAll(): BareOk[];
  /** The members (bit set) whose answers are expected from now on. */
  expect(members: number): void;
  /** Whether an answer of this member counts for the quorum that is waited for. */
  awaits(key: string, from: number): boolean;
}

const NO_IDS = new Uint8Array(0);

/** The bare ok of each of the members. */
export function bareOkFrame(answer: Omit<BareOk, 'members'>): BareOkFrame {
  const { id, ballot } = answer;
  switch (answer.round) {
    case 'PreAccept':
      return { type: 'PreAcceptOk', id, vote: id, deps: null };
    case 'Accept':
      return { type: 'AcceptOk', id, ballot, deps: NO_IDS };
    case 'Commit':
      return { type: 'CommitOk', id, ballot };
  }
}

/** Whether a reply is what `bareOkFrame` makes, bit for bit: t0 itself, nothing to merge. */
export function isBareOk(message: AccordMessage): message is BareOkFrame {
  switch (message.type) {
    case 'PreAcceptOk': {
      const { vote, id, deps } = message;
      return deps === null && equal(vote, id) && vote.flags === id.flags;
    }
    case 'AcceptOk':
      return message.deps.length === 0;
    case 'CommitOk':
      return true;
    default:
      return false;
  }
}

/**
 * The counted votes that must be known before this message of `from` is judged. The count continues
 * while it can still reach the awaited quorum: all its members may yet answer with bare oks, and
 * this node itself voted for t0. Otherwise it ends, and further answers arrive as messages.
 */
export function countedBefore(
  answers: BareOks,
  self: number,
  from: number,
  message: AccordMessage,
): BareOk | undefined {
  if (!('id' in message)) return undefined;
  const key = keyOf(message.id);
  const suffices =
    from === self
      ? message.type !== 'PreAcceptOk' || equal(message.vote, message.id)
      : isBareOk(message) && !answers.awaits(key, from);
  return suffices ? answers.take(key) : answers.leave(key);
}
