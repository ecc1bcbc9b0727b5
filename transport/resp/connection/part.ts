/**
 * The messages between a connection and the stores: plain data that could cross to another thread
 * or node. The commands of one socket read that need a store are a unit; a unit is cut into parts
 * (`unit-builder.ts`), one for each group that its commands name. A connection has one unit in
 * progress; that keeps the order of its commands, whatever order the protocol gives to
 * transactions.
 */
import type { GroupId } from '../../../actors/accord/topology/group-id.ts';
import type { Notification } from '../../../storage/keyspace/key-events.ts';
import type { LogLine, ScriptDenial } from '../../../storage/keyspace/side-effects.ts';
import type { ReadyKey, Waiting } from '../../../storage/keyspace/waited-keys.ts';
import type { Written } from '../../../storage/keyspace/written-keys.ts';

/** Never used again in the life of a process. */
export interface UnitId {
  readonly connection: number;
  /** Of the connection's units. */
  readonly sequence: number;
}

/** Has one place in one transaction, or is one ephemeral read. */
export interface Part {
  readonly unit: UnitId;
  /** Its number in the unit, from 0. */
  readonly part: number;
  /** More than one only for a command or a MULTI block that spans them. */
  readonly groups: readonly GroupId[];
  /** RESP2 request arrays, one after the other; never written to again, so they may be kept. */
  readonly bytes: Uint8Array;
  /** Number of commands in `bytes`, >= 1. */
  readonly count: number;
  /**
   * Lengths of the runs of commands whose replies follow one another at the client; their sum is
   * `count`. Between two runs the connection places replies of its own or of other parts.
   */
  readonly layout: readonly number[];
  readonly protocol: 2 | 3;
  /** Every command reads one key only: an ephemeral read may serve the part. */
  readonly readOnly: boolean;
  /**
   * The commands from this one on only read, and are in no MULTI block. Behind any of them the
   * replies may end, as before any whose keys only show while it runs: the connection then asks for
   * the others anew.
   */
  readonly readsFrom: number;
  /** Some command touches keys that are not among its arguments (KEYS, FLUSHALL, DBSIZE). */
  readonly wholeStore: boolean;
  /** Its only command is one whose client waits where it finds nothing. */
  readonly waits: boolean;
  /** Nothing is run: the keys that are here are noted as those that its client waits for. */
  readonly onlyNotes?: boolean;
  /** Of a part that waits: members of those of its groups that are not here have noted its keys. */
  readonly isNoted?: boolean;
  /** Conflict slots of all keys (`storage/keyspace/slots.ts`), as they appear, repeats allowed. */
  readonly participants: readonly number[];
  /** Reply bytes that the connection takes before it gives credit for more. */
  readonly window: number;
  /** When it was submitted, by the node's monotonic clock, of a sample; 0 for the others. */
  readonly sampledMs?: number;
  /** The time that another node has left for it; by default what this one gives to a command. */
  readonly leftMs?: number;
}

/** Replies of a part, or a piece of them. */
export interface PartReplies {
  /** Of a part that waits: these are the replies if it waits no longer. */
  readonly waiting?: Waiting;
  readonly type: 'PartReplies';
  readonly unit: UnitId;
  readonly part: number;
  /** Bytes of the part's replies that were told before. */
  readonly from: number;
  readonly replies: Uint8Array;
  /** Where each run of the layout but the last one ends; in the first piece. */
  readonly ends: readonly number[];
  /** Indices, ascending, of the commands that answer an error; in the first piece. */
  readonly errors: readonly number[];
  /** Of each of them the first word, such as `ERR`. */
  readonly codes?: readonly string[];
  /** Commands of the part that all its pieces answer; see `Part.readsFrom`. */
  readonly answered: number;
  readonly last: boolean;
  /** When they were rendered, where the part is of the sample; 0 for the others. */
  readonly renderedMs?: number;
}

/** Every command of the part is answered with this error line, a MULTI block with one. */
interface PartFailed {
  readonly type: 'PartFailed';
  readonly unit: UnitId;
  readonly part: number;
  readonly line: string;
}

/** The rest of the replies will not come: the connection can only close. */
interface RepliesLost {
  readonly type: 'RepliesLost';
  readonly unit: UnitId;
  readonly part: number;
}

/** A part is answered once; the connection ignores what comes after the first answer. */
export type PartAnswer = PartReplies | PartFailed | RepliesLost;

/** The connection takes the part's replies up to this byte. */
export interface ReplyCredit {
  readonly type: 'ReplyCredit';
  readonly unit: UnitId;
  readonly part: number;
  readonly upTo: number;
}

/** The rest of the replies is not needed: the connection is gone, or has another answer. */
interface RepliesAbandoned {
  readonly type: 'RepliesAbandoned';
  readonly unit: UnitId;
  readonly part: number;
}

/** The client of this unit, or of one before it, waits no longer. */
interface StopWaiting {
  readonly type: 'StopWaiting';
  readonly unit: UnitId;
}

/**
 * The same; another client, which its unit names, waits for the same keys, and has not made an
 * attempt: what the store knows of the one is of the other from now on.
 */
interface PassWait {
  readonly type: 'PassWait';
  readonly unit: UnitId;
  readonly to: UnitId;
}

/** Whether clients of this node keep what they read. A store takes it for so until it is told. */
interface TrackWrites {
  readonly type: 'TrackWrites';
  readonly isOn: boolean;
}

export type ReplyFlow = ReplyCredit | RepliesAbandoned | StopWaiting | PassWait | TrackWrites;

/** Keys that clients wait for, and that were written by one transaction. */
interface KeysReady {
  readonly type: 'KeysReady';
  readonly group: GroupId;
  /** The transaction's time, the same on all nodes. */
  readonly atUs: number;
  readonly keys: readonly ReadyKey[];
}

/** A store no longer knows who waits: all must try again. */
interface WaitsLost {
  readonly type: 'WaitsLost';
}

/** Keyspace events of one transaction, or of one part that has read. */
interface KeysChanged {
  readonly type: 'KeysChanged';
  readonly group: GroupId;
  readonly events: readonly Notification[];
}

/** Lines that scripts of this node's clients have for its log. */
interface ScriptsLogged {
  readonly type: 'ScriptsLogged';
  readonly lines: readonly LogLine[];
}

/** For ACL LOG: what scripts of this node's clients were denied. */
interface ScriptsDenied {
  readonly type: 'ScriptsDenied';
  readonly denials: readonly ScriptDenial[];
}

/** Keys that were written: told before any answer that may show it. */
interface KeysWritten {
  readonly type: 'KeysWritten';
  readonly group: GroupId;
  readonly keys: Written;
  /** The connection of this node whose command has written them. */
  readonly by: number | undefined;
}

/** Messages of a store to the clients' side. */
export type StoreNews =
  | PartAnswer
  | KeysReady
  | WaitsLost
  | KeysChanged
  | ScriptsLogged
  | ScriptsDenied
  | KeysWritten;
