/**
 * The messages between the replicas of a group. Plain objects: the peer codec carries them as they
 * are, with `body` (the raw command bytes) beside the encoded part, never re-encoded.
 *
 * `deps` and `ids` are `encodeDeps` bytes, `slots` are `encodeParticipants` bytes (null = the whole
 * store). `CommandDefinition` travels wherever a receiver may lack the transaction.
 */
import type { Status } from '../primitives/status.ts';
import type { Ballot, Timestamp, TxnId } from '../primitives/timestamp.ts';

export interface CommandDefinition {
  readonly slots: Uint8Array | null;
  readonly body: Uint8Array;
}

/** Only inside a node: the coordinator hands a fresh transaction to its own replica. */
export interface Coordinate extends CommandDefinition {
  readonly type: 'Coordinate';
  readonly id: TxnId;
}

/** Only inside a node: reads of these slots wait for a barrier. */
export interface BeginRead {
  readonly type: 'BeginRead';
  readonly token: number;
  readonly slots: Uint8Array | null;
}

/** Only inside a node: others wait for these transactions, so they should be decided soon. */
export interface LookAfter {
  readonly type: 'LookAfter';
  readonly ids: Uint8Array;
}

export interface PreAccept extends CommandDefinition {
  readonly type: 'PreAccept';
  readonly id: TxnId;
  /** The coordinator's own deps: a replica that finds no others answers `deps: null`. */
  readonly deps: Uint8Array;
}

export interface PreAcceptOk {
  readonly type: 'PreAcceptOk';
  readonly id: TxnId;
  /** t0, or a higher timestamp; with the REJECTED flag the voter refuses. */
  readonly vote: Timestamp;
  /** null: none beyond the deps that came with the PreAccept. */
  readonly deps: Uint8Array | null;
}

export interface Accept extends Partial<CommandDefinition> {
  readonly type: 'Accept';
  readonly id: TxnId;
  readonly ballot: Ballot;
  readonly executeAt: Timestamp;
  readonly deps: Uint8Array;
}

export interface AcceptOk {
  readonly type: 'AcceptOk';
  readonly id: TxnId;
  readonly ballot: Ballot;
  /** Conflicts below executeAt beyond the proposed deps. */
  readonly deps: Uint8Array;
}

export interface AcceptInvalidate {
  readonly type: 'AcceptInvalidate';
  readonly id: TxnId;
  readonly ballot: Ballot;
}

export interface AcceptInvalidateOk {
  readonly type: 'AcceptInvalidateOk';
  readonly id: TxnId;
  readonly ballot: Ballot;
}

export interface Commit extends Partial<CommandDefinition> {
  readonly type: 'Commit';
  readonly id: TxnId;
  readonly ballot: Ballot;
  readonly executeAt: Timestamp;
  readonly deps: Uint8Array;
}

export interface CommitOk {
  readonly type: 'CommitOk';
  readonly id: TxnId;
  readonly ballot: Ballot;
}

/** A fact, not a request: it carries no ballot and is never refused. */
export interface Stable extends Partial<CommandDefinition> {
  readonly type: 'Stable';
  readonly id: TxnId;
  readonly executeAt: Timestamp;
  readonly deps: Uint8Array;
}

/**
 * Asks for what a stable transaction over several groups reads in the group. Answered when all that
 * executes before it has been applied.
 */
export interface Read {
  readonly type: 'Read';
  readonly id: TxnId;
  /** Of the coordinator that asks, as in the next three. */
  readonly ballot: Ballot;
}

export interface ReadOk {
  readonly type: 'ReadOk';
  readonly id: TxnId;
  readonly ballot: Ballot;
  /** The entries of the group (`storage/spanning/fetched-entries.ts`), as of executeAt. */
  readonly entries: Uint8Array | null;
  /** It has been applied already: what was read in all groups. Exactly one of both is there. */
  readonly reads: Uint8Array | null;
}

/** A fact: what a transaction over several groups has read; so all know its effect. */
export interface Apply extends Partial<CommandDefinition> {
  readonly type: 'Apply';
  readonly id: TxnId;
  readonly ballot: Ballot;
  readonly executeAt: Timestamp;
  /** Of the receiver's group. */
  readonly deps: Uint8Array;
  readonly reads: Uint8Array;
}

/** The facts of `Apply` are durable here. */
export interface ApplyOk {
  readonly type: 'ApplyOk';
  readonly id: TxnId;
  readonly ballot: Ballot;
}

/** A quorum of each of its groups has said `ApplyOk`: it may be forgotten once it is settled. */
interface InformDurable {
  readonly type: 'InformDurable';
  readonly id: TxnId;
}

/** A fact: the transaction can never execute. */
export interface CommitInvalidate {
  readonly type: 'CommitInvalidate';
  readonly id: TxnId;
}

export type Round =
  | 'PreAccept'
  | 'Accept'
  | 'AcceptInvalidate'
  | 'Commit'
  | 'BeginRecovery'
  | 'Read'
  | 'Apply';

export interface Nack {
  readonly type: 'Nack';
  readonly id: TxnId;
  /** The request that is refused. */
  readonly round: Round;
  readonly ballot: Ballot;
  /**
   * `promised`: to a higher ballot. `decided`: executeAt or the invalidation is known already.
   * `insufficient`: the definition is missing, send it. `truncated`: settled and forgotten.
   * `skewed`: too far ahead of the replier's clock. It has kept nothing; ask again later.
   */
  readonly reason: 'promised' | 'decided' | 'insufficient' | 'truncated' | 'skewed';
  readonly promised: Ballot;
}

export interface BeginRecovery extends Partial<CommandDefinition> {
  readonly type: 'BeginRecovery';
  readonly id: TxnId;
  readonly ballot: Ballot;
}

export interface RecoverOk extends Partial<CommandDefinition> {
  readonly type: 'RecoverOk';
  readonly id: TxnId;
  readonly ballot: Ballot;
  readonly status: Status;
  readonly accepted: Ballot;
  /** The decided or proposed time, or the vote. */
  readonly executeAt: Timestamp | null;
  /** Proposed, committed or stable deps; null below Accepted. */
  readonly coordinated: Uint8Array | null;
  /** calcDeps(t0) of the replier; null from Committed on. */
  readonly local: Uint8Array | null;
  /** The replier's own PreAccept vote was t0. */
  readonly votedFast: boolean;
  readonly rejectsFastPath: boolean;
  /** Earlier transactions that may yet turn out not to have witnessed this one. */
  readonly wait: Uint8Array;
  /** Earlier stable transactions that have witnessed it. */
  readonly noWait: Uint8Array;
  /** Over several groups, from PreApplied on: what it has read in all of them. */
  readonly reads: Uint8Array | null;
}

interface CheckStatus {
  readonly type: 'CheckStatus';
  readonly id: TxnId;
}

/** The facts that the replier knows, and a token that moves when any node makes progress. */
export interface StatusReply extends Partial<CommandDefinition> {
  readonly type: 'StatusReply';
  readonly id: TxnId;
  readonly status: Status;
  readonly promised: Ballot;
  readonly accepted: Ballot;
  /** Present from Stable on. */
  readonly executeAt: Timestamp | null;
  readonly deps: Uint8Array | null;
  /** As in `RecoverOk`. */
  readonly reads: Uint8Array | null;
}

/** Ephemeral read, first half: which transactions must be applied before a read may look? */
export interface ReadBarrier {
  readonly type: 'ReadBarrier';
  readonly token: number;
  /** The reader has settled everything below this. */
  readonly redundantBefore: Timestamp;
  /** The reader knows the ids up to here from earlier answers; ZERO at first. */
  readonly after: Timestamp;
}

export interface ReadBarrierOk {
  readonly type: 'ReadBarrierOk';
  readonly token: number;
  /** Ascending, above `after` of the question. */
  readonly ids: Uint8Array;
  /** There is more than one answer names: the reader asks on from the last of these. */
  readonly behind: boolean;
}

/** Transactions that the sender has applied or seen invalidated: a hint, it may be lost. */
export interface AppliedHint {
  readonly type: 'AppliedHint';
  readonly ids: Uint8Array;
  readonly redundantBefore: Timestamp;
  /** The sender still holds transactions: rounds must go on. */
  readonly retains: boolean;
  /** The receiver has not told that it has settled these, too: which of them has it? */
  readonly asks: boolean;
}

/** Durability round: promise not to witness any unknown transaction below `before` any more. */
export interface RejectBefore {
  readonly type: 'RejectBefore';
  readonly before: Timestamp;
  /** Ids from here on are asked for. */
  readonly base: Timestamp;
}

export interface RejectBeforeOk {
  readonly type: 'RejectBeforeOk';
  readonly before: Timestamp;
  readonly base: Timestamp;
  /** All known ids in [base, end). */
  readonly ids: Uint8Array;
  /** `before`, or less when not all of them fit one message. */
  readonly end: Timestamp;
}

/** Everything that was or will ever be executed with t0 in [base, before). */
export interface AppliedList {
  readonly type: 'AppliedList';
  readonly base: Timestamp;
  readonly before: Timestamp;
  readonly ids: Uint8Array;
}

/** Asks for the facts of these transactions; answered by `StatusReply` messages. */
interface Fetch {
  readonly type: 'Fetch';
  readonly ids: Uint8Array;
}

/** A replica that lags asks for the list of what was settled from `from` on. */
export interface CatchUp {
  readonly type: 'CatchUp';
  readonly from: Timestamp;
}

export type AccordMessage =
  | PreAccept
  | PreAcceptOk
  | Accept
  | AcceptOk
  | AcceptInvalidate
  | AcceptInvalidateOk
  | Commit
  | CommitOk
  | Stable
  | Read
  | ReadOk
  | Apply
  | ApplyOk
  | InformDurable
  | CommitInvalidate
  | Nack
  | BeginRecovery
  | RecoverOk
  | CheckStatus
  | StatusReply
  | ReadBarrier
  | ReadBarrierOk
  | AppliedHint
  | RejectBefore
  | RejectBeforeOk
  | AppliedList
  | Fetch
  | CatchUp;

const FOR_COORDINATOR: ReadonlySet<string> = new Set<AccordMessage['type']>([
  'PreAcceptOk',
  'AcceptOk',
  'AcceptInvalidateOk',
  'CommitOk',
  'ReadOk',
  'ApplyOk',
  'Nack',
  'RecoverOk',
]);

/** Inside a node, answers go to the coordinator, everything else to the replica. */
export function isForCoordinator(message: {
  readonly type: string;
}): message is
  | PreAcceptOk
  | AcceptOk
  | AcceptInvalidateOk
  | CommitOk
  | ReadOk
  | ApplyOk
  | Nack
  | RecoverOk {
  return FOR_COORDINATOR.has(message.type);
}

/** Of a request or its answer: the timestamp that names the node and the store that coordinate. */
export function ownerOf(message: { readonly id: TxnId; readonly ballot?: Ballot }): Timestamp {
  const { id, ballot } = message;
  return ballot === undefined || ballot.node === 0 ? id : ballot;
}
