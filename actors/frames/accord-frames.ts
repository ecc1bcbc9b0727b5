/**
 * Requests of the protocol as single frames of the UDP path, and what their plain replies mean.
 * Pure: bytes in, messages out. The header carries TxnId, ballot and group id; the body carries
 * the rest. A frame that cannot be read is as good as lost.
 *
 * Bodies, big endian. PreAccept: slots length u32 (all ones: the whole store), deps length u32,
 * slots, deps, command bytes. Accept, Commit: executeAt, deps. Stable: u8 1, executeAt, deps.
 */

import type { QuorumSlot } from '../../bpf/count/quorum-notifier.ts';
import {
  encodeFrame,
  FRAME_HEADER_BYTES,
  FrameKind,
  frameBody,
  NO_GROUP,
  readHeader,
  writeHeader,
} from '../../bpf/frame/frame.ts';
import type { SipKey } from '../../bpf/frame/siphash.ts';
import { type BareOkFrame, type BareOkRound, bareOkFrame } from '../accord/messages/bare-ok.ts';
import type {
  Accept,
  AccordMessage,
  Commit,
  PreAccept,
  Stable,
} from '../accord/messages/messages.ts';
import {
  type Ballot,
  keyOf,
  readTimestamp,
  TIMESTAMP_BYTES,
  type TxnId,
  writeTimestamp,
  ZERO,
} from '../accord/primitives/timestamp.ts';
import type { GroupId } from '../accord/topology/group-id.ts';

export type FramedRequest = PreAccept | Accept | Commit | Stable;

/** The slot of an uncounted frame: beyond every slot, so that its replies reach user space. */
export const NO_SLOT: QuorumSlot = Object.freeze({ slot: 0xffffffff, generation: 1 });

const STABLE = 1;
const WHOLE_STORE = 0xffffffff;
const PRE_ACCEPT_HEAD_BYTES = 8;

export function isFramedRequest(message: AccordMessage): message is FramedRequest {
  const { type } = message;
  return type === 'PreAccept' || type === 'Accept' || type === 'Commit' || type === 'Stable';
}

const REQUEST_KINDS = {
  PreAccept: FrameKind.preAccept,
  Accept: FrameKind.accept,
  Commit: FrameKind.commit,
  Stable: FrameKind.body,
} as const satisfies Record<FramedRequest['type'], FrameKind>;

const REPLY_KINDS = {
  PreAccept: FrameKind.preAcceptSame,
  Accept: FrameKind.acceptOkEmpty,
  Commit: FrameKind.commitOk,
} as const satisfies Record<BareOkRound, FrameKind>;

export function replyKindOf(round: BareOkRound): FrameKind {
  return REPLY_KINDS[round];
}

/** Bytes of the frame; only PreAccept carries command bytes. */
export function requestFrameBytes(message: FramedRequest): number {
  if (message.type === 'PreAccept') {
    const { slots, deps, body } = message;
    const fields = PRE_ACCEPT_HEAD_BYTES + (slots?.length ?? 0) + deps.length + body.length;
    return FRAME_HEADER_BYTES + fields;
  }
  const tag = message.type === 'Stable' ? 1 : 0;
  return FRAME_HEADER_BYTES + tag + TIMESTAMP_BYTES + message.deps.length;
}

/**
 * An unsealed frame that no slot waits for yet. The definition of an Accept, Commit or Stable is
 * left out: the receiver has it from the PreAccept, or asks.
 */
export function requestFrame(
  message: FramedRequest,
  sender: number,
  group: number,
  groupId: GroupId,
): Buffer {
  const frame = Buffer.allocUnsafe(requestFrameBytes(message));
  writeHeader(frame, {
    kind: REQUEST_KINDS[message.type],
    flags: 0,
    sender,
    ...NO_SLOT,
    group,
    need: 0,
    txn: message.id,
    ballot: ballotOf(message),
    groupId,
  });
  let at = FRAME_HEADER_BYTES;
  if (message.type === 'PreAccept') {
    const { slots, deps, body } = message;
    at = frame.writeUInt32BE(slots === null ? WHOLE_STORE : slots.length, at);
    at = frame.writeUInt32BE(deps.length, at);
    if (slots !== null) {
      frame.set(slots, at);
      at += slots.length;
    }
    frame.set(deps, at);
    frame.set(body, at + deps.length);
    return frame;
  }
  if (message.type === 'Stable') at = frame.writeUInt8(STABLE, at);
  frame.set(message.deps, writeTimestamp(frame, at, message.executeAt));
  return frame;
}

/** A frame that asks a member whether frames of this size arrive; its answer is plain. */
export function probeFrame(
  sender: number,
  group: number,
  count: number,
  bytes: number,
  key: SipKey,
): Uint8Array {
  const header = { kind: FrameKind.probe, flags: 0, sender, slot: NO_SLOT.slot, group, need: 0 };
  const round = { generation: count, txn: ZERO, ballot: ZERO, groupId: NO_GROUP };
  return encodeFrame({ ...header, ...round }, key, new Uint8Array(bytes - FRAME_HEADER_BYTES));
}

function ballotOf(message: FramedRequest): Ballot {
  return message.type === 'Accept' || message.type === 'Commit' ? message.ballot : ZERO;
}

/** The content of a checked frame; byte strings are views of it. */
type FrameContent =
  | {
      readonly type: 'request';
      readonly group: GroupId;
      readonly message: FramedRequest;
      readonly replyKey: string;
    }
  | { readonly type: 'reply'; readonly group: GroupId; readonly message: BareOkFrame }
  | { readonly type: 'probe' }
  | { readonly type: 'probeOk'; readonly count: number };

/** Undefined when the frame makes no sense here. */
export function readFrame(frame: Uint8Array): FrameContent | undefined {
  const { kind, txn: id, ballot, groupId: group, generation } = readHeader(frame);
  if (kind === FrameKind.probe) return { type: 'probe' };
  if (kind === FrameKind.probeOk) return { type: 'probeOk', count: generation };
  const round = roundOfReply(kind);
  if (round !== undefined) {
    return { type: 'reply', group, message: bareOkFrame({ round, id, ballot }) };
  }
  const body = frameBody(frame);
  const message = readRequest(kind, body, id, ballot);
  if (message === undefined) return undefined;
  const replyKey = message.type === 'Stable' ? '' : requestKey(message.type, id, ballot);
  return { type: 'request', group, message, replyKey };
}

function roundOfReply(kind: FrameKind): BareOkRound | undefined {
  switch (kind) {
    case FrameKind.preAcceptSame:
      return 'PreAccept';
    case FrameKind.acceptOkEmpty:
      return 'Accept';
    case FrameKind.commitOk:
      return 'Commit';
    default:
      return undefined;
  }
}

function readRequest(
  kind: FrameKind,
  body: Uint8Array,
  id: TxnId,
  ballot: Ballot,
): FramedRequest | undefined {
  switch (kind) {
    case FrameKind.preAccept:
      return readPreAccept(body, id);
    case FrameKind.accept: {
      const value = readValue(body, 0);
      return value && { type: 'Accept', id, ballot, ...value };
    }
    case FrameKind.commit: {
      const value = readValue(body, 0);
      return value && { type: 'Commit', id, ballot, ...value };
    }
    case FrameKind.body: {
      const value = body[0] === STABLE ? readValue(body, 1) : undefined;
      return value && { type: 'Stable', id, ...value };
    }
    default:
      return undefined;
  }
}

function readPreAccept(bytes: Uint8Array, id: TxnId): PreAccept | undefined {
  if (bytes.length < PRE_ACCEPT_HEAD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const slotsBytes = view.getUint32(0);
  const depsBytes = view.getUint32(4);
  const depsAt = PRE_ACCEPT_HEAD_BYTES + (slotsBytes === WHOLE_STORE ? 0 : slotsBytes);
  const bodyAt = depsAt + depsBytes;
  if (bodyAt > bytes.length) return undefined;
  const slots = slotsBytes === WHOLE_STORE ? null : bytes.subarray(PRE_ACCEPT_HEAD_BYTES, depsAt);
  const deps = bytes.subarray(depsAt, bodyAt);
  return { type: 'PreAccept', id, slots, deps, body: bytes.subarray(bodyAt) };
}

function readValue(
  bytes: Uint8Array,
  at: number,
): { readonly executeAt: TxnId; readonly deps: Uint8Array } | undefined {
  if (bytes.length < at + TIMESTAMP_BYTES) return undefined;
  return { executeAt: readTimestamp(bytes, at), deps: bytes.subarray(at + TIMESTAMP_BYTES) };
}

/** Names the request that a reply answers. */
function requestKey(round: BareOkRound, id: TxnId, ballot: Ballot): string {
  // Two requests of one round differ by the ballot, and PreAccept has but one.
  const name = `${round}.${keyOf(id)}`;
  return round === 'PreAccept' ? name : `${name}.${keyOf(ballot)}`;
}

export function requestKeyOf(reply: BareOkFrame): string {
  switch (reply.type) {
    case 'PreAcceptOk':
      return requestKey('PreAccept', reply.id, ZERO);
    case 'AcceptOk':
      return requestKey('Accept', reply.id, reply.ballot);
    case 'CommitOk':
      return requestKey('Commit', reply.id, reply.ballot);
  }
}
