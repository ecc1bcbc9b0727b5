/**
 * The effects of the pure core, and when each may leave. This page is the contract between a
 * store's `CommandStore` and its shell (`actors/store/replica-actor.ts`). The shell's whole loop:
 *
 *   receive(message)   one method of the CommandStore; then every effect of takeEffects()
 *   turnEnd()          closeTurn(nowMs); then every effect of takeEffects()
 *
 * Effects are performed in their order. The shell decides nothing, drops only effects marked as
 * repeated, and looks at nothing inside the CommandStore.
 *
 *   Send        may leave at once. A message that claims something durable (a vote, a promise, a
 *               fact) becomes a Send only when its records are on disk; until then the CommandStore
 *               holds it. A Send may still wait for the clock's reservation, see below.
 *   Append      all records of one turn, for the log; the log answers with `durable(token, lsn)`
 *               in the order of the tokens. Nothing of a turn overtakes the turn before it.
 *   Reserve     asks the node's log for a limit of the clock; it answers `clockLimit(limitUs)`,
 *               also with limits that other stores have requested.
 *   Sync        comes behind the Append of every execution handed to the executor: its requester
 *               may now ask the log when they are durable.
 *   Truncate    comes at the beginning, and when the records that make the older ones needless are
 *               durable.
 *   Execute,    for the executor, in this order, without gaps, each once per incarnation of it. The
 *   Read,       CommandStore keeps them back until the executor has room.
 *   ReadAt
 *   Covered     a reservation of the clock is durable: messages that were held for it may leave.
 *   Lacks       of a group, for all who send clients to it; comes again at each beginning.
 *   Ended       of a group, for all who send something to it; comes again at each beginning.
 *   Place       for the executor; must not be lost.
 *   Refused,    for the coordinator; must not be lost.
 *   Moved,
 *   ReadMoved
 *   Recover     for the coordinator; repeated by the progress log, so it may be lost.
 *   Backlog     for the coordinator; `full: true` is repeated every tick while it lasts and may be
 *               lost, `full: false` comes once and must not be.
 *   Halt        the core contradicts itself: stop the node, nothing else may leave. It comes alone,
 *               and the CommandStore does nothing more.
 *   the rest    observation; changes nothing.
 */

import type { AccordMessage, CommandDefinition } from '../messages/messages.ts';
import type { Participants } from '../primitives/participants.ts';
import type { Timestamp, TxnId } from '../primitives/timestamp.ts';
import type { Group, GroupDescriptor } from '../topology/group.ts';
import type { GroupId } from '../topology/group-id.ts';
import type { EncodedRecord, GroupJoin, JournalRecord } from './journal.ts';

/**
 * The effects of one replica. A `Reply` claims something: it leaves only when every record before
 * it in the stream of effects is on disk. A `Send` claims nothing.
 */
export type Effect =
  | { readonly type: 'Send'; readonly to: number; readonly message: AccordMessage }
  | { readonly type: 'Reply'; readonly to: number; readonly message: AccordMessage }
  /** `urgent`: a reply waits for it; else it may ride with a later sync. */
  | { readonly type: 'Persist'; readonly record: JournalRecord; readonly urgent: boolean }
  | { readonly type: 'Execute'; readonly execution: Execution }
  /**
   * All that the read must see has been handed to the executor. `barrierSequence`: the last
   * execution that had been handed over when the barrier began.
   */
  | { readonly type: 'Read'; readonly token: number; readonly barrierSequence: number }
  /**
   * A stable transaction over several groups has reached its place: all that executes before it
   * has been handed to the executor, and nothing that conflicts with it and executes later.
   */
  | {
      readonly type: 'ReadAt';
      readonly id: TxnId;
      readonly executeAt: Timestamp;
      readonly body: Uint8Array;
    }
  /** The group has ended: its Close was executed, and the successors begin. */
  | {
      readonly type: 'Ended';
      readonly executeAt: Timestamp;
      readonly successors: readonly GroupDescriptor[];
    }
  /**
   * A transaction of this node's coordinator has come to its place, and has no effect there: one of
   * its groups has ended before it.
   */
  | { readonly type: 'Moved'; readonly id: TxnId }
  /** The same of a read: the group has ended. */
  | { readonly type: 'ReadMoved'; readonly token: number }
  /** A transaction of this node's coordinator can never execute. */
  | { readonly type: 'Refused'; readonly id: TxnId }
  /** Its outcome must be found out. */
  | {
      readonly type: 'Recover';
      readonly id: TxnId;
      readonly definition: CommandDefinition | undefined;
    }
  /**
   * The log need not keep anything below this LSN for the protocol's sake, once every record that
   * came before this effect is on disk; nor anything below those of this turn, if it is above.
   */
  | { readonly type: 'LogNeeded'; readonly fromLsn: number }
  /** `on`: the transaction that `id` waits for. */
  | {
      readonly type: 'Trace';
      readonly event: 'durability round' | 'no room' | 'recover' | 'waits';
      readonly id: TxnId | undefined;
      readonly on: TxnId | undefined;
    }
  /**
   * A message denies a fact that is known here: it had no effect. Either this node is wrong or the
   * sender is; which one, a human must find out. `from` may be this node itself.
   */
  | {
      readonly type: 'Contradicted';
      readonly from: number;
      readonly message: AccordMessage['type'];
      readonly reason: string;
    };

type OfReplica<Type extends Effect['type']> = Extract<Effect, { readonly type: Type }>;
type InGroup<T> = T & { readonly group: GroupId };

/** A member that is away, or lags far behind in a group. */
export interface Laggard {
  readonly group: GroupId;
  readonly node: number;
}

/** A group of a store has ended. */
export type EndOfGroup = InGroup<OfReplica<'Ended'>>;

/** The effects of a store: those of a group name it. */
export type StoreEffect =
  | InGroup<OfReplica<'Send' | 'Refused' | 'Recover' | 'Trace' | 'Contradicted'>>
  | InGroup<OfReplica<'Moved' | 'ReadMoved'>>
  | EndOfGroup
  /** Of a group that the log names: for all who send something to it; before `Began`. */
  | GroupJoin
  /** The data of the group went with the store that was here before; before `Began`, and later. */
  | { readonly type: 'Lacks'; readonly group: GroupId }
  /** For the executor: data that have come in go up to this place in the order of the group. */
  | { readonly type: 'Place'; readonly group: GroupId; readonly sequence: number }
  | InGroup<OfReplica<'Execute' | 'Read' | 'ReadAt'> & { readonly generation: number }>
  | {
      readonly type: 'Append';
      readonly token: number;
      readonly records: readonly EncodedRecord[];
      readonly urgent: boolean;
    }
  | { readonly type: 'Sync' }
  | { readonly type: 'Truncate'; readonly fromLsn: number }
  | { readonly type: 'Reserve'; readonly limitUs: number }
  | { readonly type: 'Covered' }
  | { readonly type: 'Backlog'; readonly full: boolean }
  /**
   * This node has left the group, and what follows it, before it had the data: it needs none of
   * them, unless they have come meanwhile.
   */
  | { readonly type: 'GiveUp'; readonly group: Group }
  /** Too much is kept for the sake of these members; repeated while it lasts, and may be lost. */
  | { readonly type: 'Lagging'; readonly members: readonly Laggard[] }
  /** The log has been read and the executor is there: the store takes part from now on. */
  | { readonly type: 'Began' }
  | { readonly type: 'Watermarks'; readonly watermarks: Watermarks }
  /** More waits for the log than may: messages of peers are dropped. */
  | { readonly type: 'Shedding'; readonly shedding: boolean }
  | { readonly type: 'Halt'; readonly reason: string };

/** One transaction whose turn has come. Sequences are consecutive. */
export interface Execution {
  readonly id: TxnId;
  readonly executeAt: Timestamp;
  readonly participants: Participants;
  readonly body: Uint8Array;
  /** Over several groups: what it has read in all of them. */
  readonly reads?: Uint8Array | undefined;
  readonly sequence: number;
  /** It was executed here before a restart: nothing but the state follows from it. */
  readonly isRepeated: boolean;
}

/** How far one store has come: data for metrics and the status page. */
export interface Watermarks {
  readonly appliedSequence: number;
  readonly flushedSequence: number;
  readonly redundantBeforeUs: number;
  readonly retained: number;
  readonly retainedBytes: number;
  readonly unapplied: number;
  readonly unloggedBytes: number;
}
