/**
 * The messages to the three actors of a store, from each other and from the rest of the node.
 */
import type { ClusterSettings } from '../../storage/cluster-settings.ts';
import type { GroupSlots } from '../../storage/engine.ts';
import type { EngineError, EngineErrorCode } from '../../storage/errors.ts';
import type { ChunkCursor } from '../../storage/snapshots/chunk.ts';
import type { EndedChunk, FlushedGroup, InstalledChunk } from '../../storage/state-machines.ts';
import type { Part, PartAnswer, ReplyFlow } from '../../transport/resp/connection/part.ts';
import type { EndOfGroup, Execution } from '../accord/local/effects.ts';
import type { GroupJoin } from '../accord/local/journal.ts';
import type { ReplicaMessage } from '../accord/local/replica.ts';
import type { FoundTxn } from '../accord/local/slot-search.ts';
import type { BareOk } from '../accord/messages/bare-ok.ts';
import type { AccordMessage, CommandDefinition } from '../accord/messages/messages.ts';
import type { ClockComparison } from '../accord/primitives/cluster-time.ts';
import type { Timestamp, TxnId } from '../accord/primitives/timestamp.ts';
import type { GroupDescriptor } from '../accord/topology/group.ts';
import type { GroupId } from '../accord/topology/group-id.ts';
import type { WalAnswer, WalReply, WalSync } from '../log/wal-actor.ts';
import type { ActorRef } from '../runtime/actor-ref.ts';
import type { ActorExit } from '../runtime/behavior.ts';
import type { BigKeysReply } from './big-key-search.ts';
import type { TopologyProposal } from './topology-proposals.ts';

export type ReplicaActorMessage =
  | {
      readonly type: 'Protocol';
      readonly from: number;
      readonly group: GroupId;
      readonly message: ReplicaMessage;
    }
  | WalAnswer
  /** A fresh executor holds what the engine has flushed and needs everything after it. */
  | {
      readonly type: 'ExecutorReady';
      readonly flushed: readonly FlushedGroup[];
      /** Groups whose data went with the store that was here before. */
      readonly lost: readonly GroupId[];
      readonly generation: number;
    }
  /** The data of the group have not come, and are not taken any more. */
  | { readonly type: 'GaveUp'; readonly group: GroupId }
  /** Data of a group as of then have come in: where do they stand in its order? `PlaceFound`. */
  | { readonly type: 'FindPlace'; readonly group: GroupId; readonly at: Timestamp }
  /** For the executor, if it has all that is applied here. */
  | ReadEnded
  /** Executions and reads that this executor has taken so far: credit for as many more. */
  | { readonly type: 'Taken'; readonly generation: number; readonly count: number }
  /** The entries that a transaction over several groups reads in this one. */
  | {
      readonly type: 'Fetched';
      readonly group: GroupId;
      readonly id: TxnId;
      readonly entries: Uint8Array;
    }
  | { readonly type: 'Flushed'; readonly flushed: readonly FlushedGroup[] }
  /**
   * The executor asks when the log holds its executions. The request goes to the WalWriter behind
   * their records, which may still wait here or on the way.
   */
  | WalSync
  | { readonly type: 'PeerUp' | 'PeerDown'; readonly peer: number }
  /** Looks for the latest transactions on a conflict slot, so many. */
  | {
      readonly type: 'FindTxns';
      readonly slot: number;
      readonly count: number;
      readonly replyTo: ActorRef<readonly FoundTxn[]>;
    }
  /** This node is a new member of a group that has begun at `floor`. */
  | ({ readonly type: 'Join' } & Omit<GroupJoin, 'type'>)
  | { readonly type: 'WalGone'; readonly exit: ActorExit }
  | { readonly type: 'Tick' };

/** Of a node that lacks the data of a group that this one has left; or of one that goes on. */
export interface ReadEnded {
  readonly type: 'ReadEnded';
  readonly group: GroupId;
  /** Comes back with the answer. */
  readonly token: number;
  /** Absent: from the beginning. */
  readonly from?: ChunkCursor | undefined;
  readonly bytesMax: number;
  readonly replyTo: ActorRef<EndedRead>;
}

/** The cluster's table, as the node has it now. */
interface TableNews {
  readonly type: 'Table';
  readonly table: ClusterSettings;
}

export type ExecutorMessage =
  /** Clients of this node that wait for the transaction. */
  | { readonly type: 'Expect'; readonly key: string; readonly parts: readonly Part[] }
  | { readonly type: 'ExpectRead'; readonly token: number; readonly parts: readonly Part[] }
  | { readonly type: 'Forget'; readonly key: string }
  /** A fresh coordinator: the clients of the one before have been answered. */
  | { readonly type: 'ForgetAll' }
  | { readonly type: 'ForgetRead'; readonly token: number }
  /** `generation`: the executor incarnation that it is meant for. */
  | {
      readonly type: 'Execute';
      readonly group: GroupId;
      readonly generation: number;
      readonly execution: Execution;
    }
  | {
      readonly type: 'Read';
      readonly group: GroupId;
      readonly generation: number;
      readonly token: number;
      readonly barrierSequence: number;
    }
  /** In the same order: what the commands of a transaction over several groups read in this one. */
  | {
      readonly type: 'ReadAt';
      readonly group: GroupId;
      readonly generation: number;
      readonly id: TxnId;
      readonly executeAt: Timestamp;
      readonly body: Uint8Array;
    }
  /** From the gateway, of replies that did not fit the window of their part. */
  | ReplyFlow
  /** Of a part that runs nothing. */
  | { readonly type: 'NoteKeys'; readonly part: Part }
  | WalReply
  /** The cluster's table has changed. */
  | TableNews
  | {
      readonly type: 'FlushDone';
      readonly failure: FlushFailure | undefined;
      /** A group has been divided by it. */
      readonly divides: boolean;
    }
  /** The rows that a read looks up are in memory. */
  | { readonly type: 'ReadAheadDone'; readonly token: number }
  | { readonly type: 'Open' }
  /** It is time for the next slice of a listing. */
  | { readonly type: 'ListKeys' }
  /** It is time for the next slice of what is applied. */
  | { readonly type: 'ApplyMore' }
  /** Looks for the largest keys of each type, so many of each. */
  | {
      readonly type: 'FindBig';
      readonly count: number;
      readonly replyTo: ActorRef<BigKeysReply>;
    }
  /** It is time for the next slice of that search. */
  | { readonly type: 'FindMore' }
  | ReadEnded
  /** A chunk of the data of a group that this node has joined. */
  | ({
      readonly type: 'Install';
      readonly group: GroupSlots;
      readonly replyTo: ActorRef<ChunkInstalled>;
    } & InstalledChunk)
  /** The table of the meta group, of which this node is a new member. */
  | {
      readonly type: 'InstallTable';
      readonly group: GroupSlots;
      readonly table: ClusterSettings;
      readonly replyTo: ActorRef<ChunkInstalled>;
    }
  | {
      readonly type: 'InstallDone';
      readonly group: GroupSlots;
      readonly failure: FlushFailure | undefined;
      readonly isLast: boolean;
      readonly replyTo: ActorRef<ChunkInstalled>;
    }
  /** Data of the group that have come in go up to this place in its order. */
  | { readonly type: 'PlaceFound'; readonly group: GroupId; readonly sequence: number }
  /** Whether a group that this node has joined has its data. */
  | {
      readonly type: 'FindGroup';
      readonly group: GroupId;
      readonly replyTo: ActorRef<ChunkInstalled>;
    }
  /** The data of a group that this node has left are not needed any more. */
  | { readonly type: 'DropEnded'; readonly group: GroupId }
  /** It was left before its data came; answered with `GaveUp`, unless they are here by now. */
  | { readonly type: 'GiveUp'; readonly group: GroupSlots }
  /** Looks for keys that are past their deadline by so much. */
  | { readonly type: 'FindExpired'; readonly group: GroupId; readonly pastMs: number }
  | { readonly type: 'Tick' };

export type CoordinatorActorMessage =
  | { readonly type: 'Part'; readonly part: Part }
  /** To a part of the coordinator's own. */
  | PartAnswer
  | {
      readonly type: 'Protocol';
      readonly from: number;
      readonly group: GroupId;
      readonly message: AccordMessage;
    }
  /** Quorums of plain replies that were counted below the actors. */
  | { readonly type: 'Quorum'; readonly group: GroupId; readonly answers: readonly BareOk[] }
  | { readonly type: 'Refused'; readonly group: GroupId; readonly id: TxnId }
  | { readonly type: 'Moved'; readonly group: GroupId; readonly id: TxnId }
  | { readonly type: 'ReadMoved'; readonly group: GroupId; readonly token: number }
  /** This store holds a group of which this node is a new member. */
  | { readonly type: 'Joined'; readonly group: GroupDescriptor }
  /** The data of a group went with the store that was here before: its clients are handed on. */
  | { readonly type: 'Lacks'; readonly group: GroupId }
  /** A group of this node has ended; `successors` are those that the store holds, too. */
  | EndOfGroup
  /** Proposes a change of the topology, as JSON. */
  | ({ readonly type: 'ProposeTopology' } & TopologyProposal)
  /** Proposes to end a group of this store. */
  | {
      readonly type: 'Close';
      readonly group: GroupId;
      readonly successors: readonly GroupDescriptor[];
    }
  | {
      readonly type: 'Recover';
      readonly group: GroupId;
      readonly id: TxnId;
      readonly definition: CommandDefinition | undefined;
    }
  /** Transactions whose clients have been answered. */
  | { readonly type: 'Executed'; readonly keys: readonly string[] }
  /** Runs that had no effect and whose clients wait; `Executed` names their transactions next. */
  | { readonly type: 'Outside'; readonly runs: readonly OutsideRun[] }
  | { readonly type: 'ReadsDone'; readonly reads: readonly ReadDone[] }
  /** Whether the group has keys with a deadline: told of those that do, and of each change. */
  | { readonly type: 'Volatile'; readonly group: GroupId; readonly hasDeadlines: boolean }
  /** It is time to look for keys past their deadline. */
  | { readonly type: 'LookForExpired' }
  /** Keys of a database past their deadline; `backlog`: there are many more. */
  | {
      readonly type: 'Expired';
      readonly group: GroupId;
      readonly database: number;
      readonly keys: readonly string[];
      readonly backlog: boolean;
    }
  | { readonly type: 'PeerUp' | 'PeerDown'; readonly peer: number }
  /** A comparison of a peer's clock with this node's. */
  | { readonly type: 'ClockCompared'; readonly peer: number; readonly reading: ClockComparison }
  /** It has been read, or has changed. */
  | TableNews
  | { readonly type: 'DiskFull' | 'Backlog'; readonly full: boolean }
  /** The node stops: no work begins any more; answers when all work in flight is answered. */
  | { readonly type: 'Drain'; readonly replyTo: ActorRef<{ readonly type: 'Drained' }> }
  | { readonly type: 'Tick' };

/** A part of a transaction whose command needs keys that are not in the footprint. */
export interface OutsideRun {
  /** Of the transaction. */
  readonly key: string;
  /** Its number in the transaction. */
  readonly part: number;
  /** Conflict slots of the keys; it may need those of all. */
  readonly slots: readonly number[] | 'all';
}

/** A read whose clients have been answered, but for some of its parts: their indices, ascending. */
export interface ReadDone {
  readonly token: number;
  /** They met a key past its deadline, and become transactions. */
  readonly expired: readonly number[];
  /** Some of their slots have changed since the barrier began: they need another one. */
  readonly uncovered: readonly number[];
}

/** A piece of a group that was left; without bytes it is not here. */
export interface EndedRead {
  readonly type: 'EndedRead';
  readonly token: number;
  readonly chunk: EndedChunk | undefined;
}

/** `open`: the group has its data; `failed`: all that came so far, if anything, is void. */
export interface ChunkInstalled {
  readonly type: 'ChunkInstalled';
  readonly group: GroupId;
  readonly outcome: 'stored' | 'open' | 'failed';
}

interface FlushFailure {
  readonly code: EngineErrorCode;
  readonly text: string;
}

export function failureOf(error: EngineError | undefined): FlushFailure | undefined {
  return error && { code: error.code, text: error.message };
}
