/**
 * Log records of the protocol: what a replica must find again after a crash (accord.md §2.17).
 * Fixed binary layouts, written once and read at start; bodies are carried raw. Each payload begins
 * with the name of its group.
 */
import { type Deps, decodeDeps, encodeDeps } from '../primitives/deps.ts';
import {
  decodeParticipants,
  encodeParticipants,
  type Participants,
  WHOLE_STORE,
} from '../primitives/participants.ts';
import {
  type Ballot,
  readTimestamp,
  TIMESTAMP_BYTES,
  type Timestamp,
  type TxnId,
  writeTimestamp,
} from '../primitives/timestamp.ts';
import { decodeSuccessors, encodeSuccessors } from '../topology/close-body.ts';
import type { GroupDescriptor } from '../topology/group.ts';
import type { GroupId } from '../topology/group-id.ts';

export type JournalRecord = Transition | Mark | GroupEnd | GroupJoin;

/** A step of one transaction. */
export type Transition =
  | {
      /** The definition, as first witnessed. */
      readonly type: 'Defined';
      readonly id: TxnId;
      readonly participants: Participants;
      readonly body: Uint8Array;
    }
  | {
      readonly type: 'PreAccepted';
      readonly id: TxnId;
      readonly vote: Timestamp;
      readonly votedFast: boolean;
    }
  | { readonly type: 'Promised'; readonly id: TxnId; readonly ballot: Ballot }
  | {
      readonly type: 'Accepted' | 'Committed';
      readonly id: TxnId;
      readonly ballot: Ballot;
      readonly executeAt: Timestamp;
      readonly deps: Deps;
    }
  | { readonly type: 'AcceptedInvalidate'; readonly id: TxnId; readonly ballot: Ballot }
  | {
      readonly type: 'Stable';
      readonly id: TxnId;
      readonly executeAt: Timestamp;
      readonly deps: Deps;
    }
  | { readonly type: 'PreApplied'; readonly id: TxnId; readonly reads: Uint8Array }
  | { readonly type: 'Applied'; readonly id: TxnId; readonly sequence: number }
  | { readonly type: 'Invalidated'; readonly id: TxnId };

/** A watermark of the replica. */
export type Mark =
  /** No unknown transaction below `before` is witnessed any more. */
  | { readonly type: 'RejectBefore'; readonly before: Timestamp }
  /** Everything below `before` that ever executes is applied here. */
  | { readonly type: 'RedundantBefore'; readonly before: Timestamp }
  /** Everything below `before` is applied everywhere; flushed and forgotten here. */
  | { readonly type: 'DurableBefore'; readonly before: Timestamp };

/** The group's Close was executed; written once more with the marks. */
export interface GroupEnd {
  readonly type: 'Ended';
  /** The Close, and when it was executed. */
  readonly close: TxnId;
  readonly executeAt: Timestamp;
  readonly successors: readonly GroupDescriptor[];
}

/** This node is a new member of the group; written once more with the marks. */
export interface GroupJoin {
  readonly type: 'Joined';
  /** Nothing of the group is at or below it. */
  readonly floor: Timestamp;
  /** The group that has ended with it: the data at its end are what this one begins with. */
  readonly parent: GroupId;
  readonly group: GroupDescriptor;
}

const CODES = {
  Defined: 1,
  PreAccepted: 2,
  Promised: 3,
  Accepted: 4,
  Committed: 5,
  AcceptedInvalidate: 6,
  Stable: 7,
  Applied: 8,
  Invalidated: 9,
  RejectBefore: 10,
  RedundantBefore: 11,
  DurableBefore: 12,
  PreApplied: 13,
  Ended: 14,
  Joined: 15,
} as const satisfies Record<JournalRecord['type'], number>;

/** The log's number of a type of records. */
export function typeOfRecord(type: JournalRecord['type']): number {
  return CODES[type];
}

const NAMES = new Map<number, JournalRecord['type']>(
  Object.entries(CODES).map(([name, code]) => [code, name as JournalRecord['type']]),
);

export interface EncodedRecord {
  /** The log's record type, u8. */
  readonly type: number;
  /** The payload. */
  readonly parts: readonly Uint8Array[];
}

/** Of the group's name, at the head of each payload. */
const HEAD_BYTES = 8;

const PARENT_BYTES = 8;

/** The group that a payload belongs to. Throws RangeError when it names none. */
export function groupOfRecord(payload: Uint8Array): GroupId {
  if (payload.length < HEAD_BYTES) throw new RangeError('journal: a record names no group');
  const view = new DataView(payload.buffer, payload.byteOffset, HEAD_BYTES);
  return { range: view.getUint32(0), generation: view.getUint32(4) };
}

export function encodeRecord(group: GroupId, record: JournalRecord): EncodedRecord {
  const type = CODES[record.type];
  switch (record.type) {
    case 'Defined': {
      const slots = encodeParticipants(record.participants);
      const head = stamps(group, 4, record.id);
      const at = HEAD_BYTES + TIMESTAMP_BYTES;
      new DataView(head.buffer).setInt32(at, slots === null ? -1 : slots.length);
      return { type, parts: slots === null ? [head, record.body] : [head, slots, record.body] };
    }
    case 'PreAccepted': {
      const payload = stamps(group, 1, record.id, record.vote);
      payload[payload.length - 1] = record.votedFast ? 1 : 0;
      return { type, parts: [payload] };
    }
    case 'Promised':
    case 'AcceptedInvalidate':
      return { type, parts: [stamps(group, 0, record.id, record.ballot)] };
    case 'Accepted':
    case 'Committed': {
      const head = stamps(group, 0, record.id, record.ballot, record.executeAt);
      return { type, parts: [head, encodeDeps(record.deps)] };
    }
    case 'Stable':
      return {
        type,
        parts: [stamps(group, 0, record.id, record.executeAt), encodeDeps(record.deps)],
      };
    case 'PreApplied':
      return { type, parts: [stamps(group, 0, record.id), record.reads] };
    case 'Applied':
      return { type, parts: [withNumber(group, record.sequence, record.id)] };
    case 'Invalidated':
      return { type, parts: [stamps(group, 0, record.id)] };
    case 'RejectBefore':
    case 'RedundantBefore':
    case 'DurableBefore':
      return { type, parts: [stamps(group, 0, record.before)] };
    case 'Ended': {
      const successors = encodeSuccessors(record.successors);
      return { type, parts: [stamps(group, 0, record.executeAt, record.close), successors] };
    }
    case 'Joined': {
      const head = stamps(group, PARENT_BYTES, record.floor);
      const view = new DataView(head.buffer, head.length - PARENT_BYTES);
      view.setUint32(0, record.parent.range);
      view.setUint32(4, record.parent.generation);
      return { type, parts: [head, encodeSuccessors([record.group])] };
    }
  }
}

/** Of a record without what may be long in it, about. */
const SHORT_RECORD_BYTES = 80;

/** About so many bytes does the record take in the log; never much less. */
export function bytesOfRecord(record: JournalRecord): number {
  if (record.type === 'Defined') {
    const { participants, body } = record;
    const slots = participants === WHOLE_STORE ? 0 : participants.byteLength;
    return SHORT_RECORD_BYTES + slots + body.length;
  }
  const reads = 'reads' in record ? record.reads.length : 0;
  const deps = 'deps' in record ? record.deps.length : 0;
  const groups = groupsOf(record);
  const successors = groups.length > 0 ? encodeSuccessors(groups).length : 0;
  return SHORT_RECORD_BYTES + reads + successors + TIMESTAMP_BYTES * deps;
}

function groupsOf(record: JournalRecord): readonly GroupDescriptor[] {
  if (record.type === 'Ended') return record.successors;
  return record.type === 'Joined' ? [record.group] : [];
}

/** Throws RangeError on a payload that is not of its type's layout. */
export function decodeRecord(type: number, wholePayload: Uint8Array): JournalRecord {
  const payload = wholePayload.subarray(HEAD_BYTES);
  const name = NAMES.get(type);
  if (name === undefined) throw new RangeError(`journal: unknown record type ${type}`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const stamp = (index: number): Timestamp => readTimestamp(payload, index * TIMESTAMP_BYTES);
  const rest = (from: number): Uint8Array => payload.subarray(from);
  switch (name) {
    case 'Defined': {
      const slotBytes = view.getInt32(TIMESTAMP_BYTES);
      const start = TIMESTAMP_BYTES + 4;
      const end = start + Math.max(0, slotBytes);
      if (end > payload.length) throw new RangeError('journal: a definition is cut short');
      const slots = slotBytes < 0 ? null : payload.subarray(start, end);
      return { type: name, id: stamp(0), participants: decodeParticipants(slots), body: rest(end) };
    }
    case 'PreAccepted': {
      const votedFast = view.getUint8(2 * TIMESTAMP_BYTES) === 1;
      return { type: name, id: stamp(0), vote: stamp(1), votedFast };
    }
    case 'Promised':
    case 'AcceptedInvalidate':
      return { type: name, id: stamp(0), ballot: stamp(1) };
    case 'Accepted':
    case 'Committed': {
      const deps = decodeDeps(rest(3 * TIMESTAMP_BYTES));
      return { type: name, id: stamp(0), ballot: stamp(1), executeAt: stamp(2), deps };
    }
    case 'Stable': {
      const deps = decodeDeps(rest(2 * TIMESTAMP_BYTES));
      return { type: name, id: stamp(0), executeAt: stamp(1), deps };
    }
    case 'PreApplied':
      return { type: name, id: stamp(0), reads: rest(TIMESTAMP_BYTES) };
    case 'Applied':
      return { type: name, id: stamp(0), sequence: view.getFloat64(TIMESTAMP_BYTES) };
    case 'Invalidated':
      return { type: name, id: stamp(0) };
    case 'RejectBefore':
    case 'RedundantBefore':
    case 'DurableBefore':
      return { type: name, before: stamp(0) };
    case 'Ended':
      return {
        ...{ type: name, executeAt: stamp(0), close: stamp(1) },
        successors: decodeSuccessors(rest(2 * TIMESTAMP_BYTES)),
      };
    case 'Joined': {
      const range = view.getUint32(TIMESTAMP_BYTES);
      const parent = { range, generation: view.getUint32(TIMESTAMP_BYTES + 4) };
      const [group] = decodeSuccessors(rest(TIMESTAMP_BYTES + PARENT_BYTES));
      if (group === undefined) throw new RangeError('journal: no group was joined');
      return { type: name, floor: stamp(0), parent, group };
    }
  }
}

/** The head, these timestamps, and room for as many bytes more. */
function stamps(group: GroupId, more: number, ...of: readonly Timestamp[]): Uint8Array {
  const payload = new Uint8Array(HEAD_BYTES + of.length * TIMESTAMP_BYTES + more);
  const view = new DataView(payload.buffer);
  view.setUint32(0, group.range);
  view.setUint32(4, group.generation);
  let at = HEAD_BYTES;
  for (const stamp of of) at = writeTimestamp(payload, at, stamp);
  return payload;
}

function withNumber(group: GroupId, value: number, ...of: readonly Timestamp[]): Uint8Array {
  const payload = stamps(group, 8, ...of);
  new DataView(payload.buffer).setFloat64(payload.length - 8, value);
  return payload;
}
