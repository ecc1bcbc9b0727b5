/**
 * The record that one replica holds about one transaction. Only the pure core changes it:
 * replica, execution, progress log, durability and conflict index.
 */
import type { Deps } from '../primitives/deps.ts';
import type { Participants } from '../primitives/participants.ts';
import { Status } from '../primitives/status.ts';
import { type Ballot, keyOf, type Timestamp, type TxnId, ZERO } from '../primitives/timestamp.ts';

export interface Definition {
  readonly participants: Participants;
  readonly body: Uint8Array;
}

/** A coordinator that has asked for a transaction's read. */
interface Reader {
  readonly node: number;
  readonly ballot: Ballot;
}

/** Waits for a transaction to be applied here (or to be known never to be). */
export interface Waiter {
  /** A transaction that executes at this time need not wait for one that executes later. */
  readonly executeAt: Timestamp | undefined;
  /** Dependencies that are still awaited. */
  waitingOn: number;
}

/** A command as its last log record left it. */
export interface Checked {
  readonly promised: Ballot;
  readonly accepted: Ballot;
  readonly status: Status;
  readonly executeAt: Timestamp | undefined;
}

export class Command implements Waiter {
  readonly id: TxnId;
  readonly key: string;
  definition: Definition | undefined;
  status: Status = Status.NotDefined;
  /** Nothing below this ballot is taken any more. Never touched by acceptance of a value. */
  promised: Ballot = ZERO;
  /** The ballot at which the present value was accepted or committed. Not a promise. */
  accepted: Ballot = ZERO;
  /** PreAccepted: our vote. Accepted: proposed. From Committed on: decided. */
  executeAt: Timestamp | undefined;
  /** Proposed, committed or stable deps, by status. */
  deps: Deps | undefined;
  /** Our PreAccept vote was t0: evidence that the fast path may have been taken. */
  votedFast = false;
  /** Over several groups, from PreApplied on: what it has read in all of them. */
  reads: Uint8Array | undefined;
  /** Over several groups: a quorum of each of them has it PreApplied. Volatile. */
  durable = false;
  /** Over several groups, while it is Stable: coordinators that wait for what it reads here. */
  readers: readonly Reader[] = [];

  waitingOn = 0;
  waiters: Waiter[] = [];
  /** Place in the order of execution on this replica; 0 while it has none. */
  sequence = 0;

  /** Members known to have settled it (bit set). */
  appliedBy = 0;
  /** When it became settled here; 0 when that was before the start. */
  settledAtMs = 0;
  /** Slot lists of the conflict index that still hold it. */
  indexed = 0;
  /** Its number there, while `indexed` is above 0. */
  indexNumber = 0;
  /** LSN of its first log record; the log must keep it from there. 0 until that is durable. */
  firstLsn = 0;

  /** Progress log: when to look after it next, and how often that was in vain. */
  checkAtMs = 0;
  attempts = 0;
  /** When the peers were asked last what they know of it; 0: never. */
  askedMs = 0;

  /** For `Invariants` alone; undefined before the first record. */
  checked: Checked | undefined;

  constructor(id: TxnId, key = keyOf(id)) {
    this.id = id;
    this.key = key;
  }
}
