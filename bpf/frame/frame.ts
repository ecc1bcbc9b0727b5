/**
 * The frame of the UDP path, the same in all tiers: an 80-byte header and, in requests, a body.
 * Pure: bytes in, bytes out. The C twin is `struct hf_frame` in holofast.h. A tag of SipHash-2-4
 * under the cluster's key covers header and body; it proves that a node of the cluster wrote the
 * frame and does not hide anything.
 *
 * Offsets: magic 0 u32, version 4 u8, kind 5 u8, flags 6 u8, sender 7 u8, slot 8 u32, group 12 u16,
 * need 14 u8, reserved 15 u8, generation 16 u64 (48 bits used), TxnId 24, ballot 40 (timestamps of
 * 16 bytes), group id 56 (range u32, generation u32), zero 64 u64, tag 72 (little endian; all else
 * big endian). `group` is a set of peers that frames are fanned out to; the group id names the
 * Accord group that the transaction belongs to.
 */
import {
  readTimestamp,
  STORE_MAX,
  TIMESTAMP_BYTES,
  type Timestamp,
  writeTimestamp,
} from '../../actors/accord/primitives/timestamp.ts';
import { type SipKey, sipHash24 } from './siphash.ts';

export const FRAME_HEADER_BYTES = 80;
/** The most that one IPv4 datagram carries; what a link can carry is less (see UdpLink). */
export const FRAME_BYTES_MAX = 65_507;
export const FRAME_MAGIC = 0x484f4c4f;
export const FRAME_VERSION = 2;
/** TxnId, ballot, group id and the zeros together: what "the same round" means. */
export const ROUND_OFFSET = 24;
export const ROUND_BYTES = 48;
/** A node's sender number is its bit in vote bitmaps, the same in all groups of the cluster. */
export const SENDERS_MAX = 16;
/** Generations use 48 bits. */
export const GENERATION_MAX = 2 ** 48 - 1;

const SLOT_OFFSET = 8;
const NEED_OFFSET = 14;
const GENERATION_OFFSET = 16;
const TAG_OFFSET = 72;
const BALLOT_OFFSET = ROUND_OFFSET + TIMESTAMP_BYTES;
const GROUP_ID_OFFSET = BALLOT_OFFSET + TIMESTAMP_BYTES;

export const FrameKind = {
  probe: 1,
  probeOk: 2,
  preAccept: 3,
  /** Vote = t0, deps same as the coordinator's. */
  preAcceptSame: 4,
  accept: 5,
  /** Accepted, and no deps that the proposal did not carry. */
  acceptOkEmpty: 6,
  commit: 7,
  commitOk: 8,
  apply: 9,
  applyOk: 10,
  /** Any other message between two nodes; the body says what it is. */
  body: 11,
  /** Several requests of one turn; see frame-bundle.ts. */
  bundle: 12,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];
export const FRAME_KIND_MAX = FrameKind.bundle;

export const FRAME_FLAG = {
  /** Set only between the sender's socket and its own kernel; never valid at a receiver. */
  fanOut: 1,
  /** The reply says nothing but yes: it may be counted and dropped. */
  plain: 2,
} as const;

/** The Accord group of a transaction; both are u32. */
interface FrameGroupId {
  readonly range: number;
  readonly generation: number;
}

/** The round of a frame without a transaction. */
export const NO_GROUP: FrameGroupId = Object.freeze({ range: 0, generation: 0 });

export interface FrameHeader {
  readonly kind: FrameKind;
  readonly flags: number;
  readonly sender: number;
  readonly slot: number;
  readonly group: number;
  /** Votes of peers that make the quorum; for the trace only. */
  readonly need: number;
  readonly generation: number;
  /** ZERO in frames without a transaction. */
  readonly txn: Timestamp;
  readonly ballot: Timestamp;
  readonly groupId: FrameGroupId;
}

export type FrameFault = 'short' | 'magic' | 'version' | 'kind' | 'flags' | 'sender' | 'tag';

const tagScratch = new Uint32Array(2);

function put16(to: Uint8Array, at: number, value: number): void {
  to[at] = value >>> 8;
  to[at + 1] = value;
}

function put32(to: Uint8Array, at: number, value: number): void {
  to[at] = value >>> 24;
  to[at + 1] = value >>> 16;
  to[at + 2] = value >>> 8;
  to[at + 3] = value;
}

function put64(to: Uint8Array, at: number, value: number): void {
  put32(to, at, Math.floor(value / 2 ** 32));
  put32(to, at + 4, value >>> 0);
}

function get16(from: Uint8Array, at: number): number {
  return ((from[at] as number) << 8) | (from[at + 1] as number);
}

function get32(from: Uint8Array, at: number): number {
  return ((get16(from, at) << 16) | get16(from, at + 2)) >>> 0;
}

function get64(from: Uint8Array, at: number): number {
  return get32(from, at) * 2 ** 32 + get32(from, at + 4);
}

function assertInteger(name: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`frame ${name} must be an integer in 0..${max}, not ${value}`);
  }
}

function assertTimestamp({ hlc, flags, node, store }: Timestamp): void {
  assertInteger('hlc', hlc, Number.MAX_SAFE_INTEGER);
  assertInteger('timestamp flags', flags, 0xffff);
  assertInteger('node', node, 0xffffffff);
  assertInteger('store', store, STORE_MAX);
}

/**
 * Writes all but the tag, which is zero until the frame is sealed. Throws RangeError for a field
 * that does not fit.
 */
export function writeHeader(to: Uint8Array, header: FrameHeader): void {
  assertInteger('kind', header.kind, FRAME_KIND_MAX);
  assertInteger('flags', header.flags, 0xff);
  assertInteger('sender', header.sender, SENDERS_MAX - 1);
  assertInteger('slot', header.slot, 0xffffffff);
  assertInteger('group', header.group, 0xffff);
  assertInteger('need', header.need, SENDERS_MAX);
  assertInteger('generation', header.generation, GENERATION_MAX);
  assertTimestamp(header.txn);
  assertTimestamp(header.ballot);
  const { range, generation } = header.groupId;
  assertInteger('range', range, 0xffffffff);
  assertInteger('range generation', generation, 0xffffffff);
  put32(to, 0, FRAME_MAGIC);
  to[4] = FRAME_VERSION;
  to[5] = header.kind;
  to[6] = header.flags;
  to[7] = header.sender;
  put32(to, SLOT_OFFSET, header.slot);
  put16(to, 12, header.group);
  to[NEED_OFFSET] = header.need;
  to[15] = 0;
  put64(to, GENERATION_OFFSET, header.generation);
  writeTimestamp(to, ROUND_OFFSET, header.txn);
  writeTimestamp(to, BALLOT_OFFSET, header.ballot);
  put32(to, GROUP_ID_OFFSET, range);
  put32(to, GROUP_ID_OFFSET + 4, generation);
  // The reserved bytes, and the tag; within a bundle it stays zero.
  to.fill(0, GROUP_ID_OFFSET + 8, FRAME_HEADER_BYTES);
}

/** Writes which slot counts the replies; the frame is not sealed yet. */
export function writeSlot(
  frame: Uint8Array,
  slot: { readonly slot: number; readonly generation: number },
  need = 0,
): void {
  put32(frame, SLOT_OFFSET, slot.slot);
  frame[NEED_OFFSET] = need;
  put64(frame, GENERATION_OFFSET, slot.generation);
}

/** Computes the tag of `frame[0, length)`; the fan-out flag must not be set yet. */
export function sealFrame(frame: Uint8Array, key: SipKey, length: number = frame.length): void {
  sipHash24(key, frame, tagScratch, length, TAG_OFFSET, FRAME_HEADER_BYTES);
  for (let half = 0; half < 2; half += 1) {
    const value = tagScratch[half] as number;
    for (let i = 0; i < 4; i += 1) frame[TAG_OFFSET + half * 4 + i] = value >>> (8 * i);
  }
}

/** A sealed frame of its own memory. Throws RangeError when it would pass `FRAME_BYTES_MAX`. */
export function encodeFrame(header: FrameHeader, key: SipKey, body?: Uint8Array): Uint8Array {
  const length = FRAME_HEADER_BYTES + (body?.length ?? 0);
  if (length > FRAME_BYTES_MAX) {
    throw new RangeError(`a frame has at most ${FRAME_BYTES_MAX} bytes, not ${length}`);
  }
  const frame = Buffer.allocUnsafe(length);
  writeHeader(frame, header);
  if (body !== undefined) frame.set(body, FRAME_HEADER_BYTES);
  sealFrame(frame, key);
  return frame;
}

function hasValidTag(frame: Uint8Array, key: SipKey): boolean {
  sipHash24(key, frame, tagScratch, frame.length, TAG_OFFSET, FRAME_HEADER_BYTES);
  let difference = 0;
  for (let half = 0; half < 2; half += 1) {
    const value = tagScratch[half] as number;
    for (let i = 0; i < 4; i += 1) {
      difference |= (frame[TAG_OFFSET + half * 4 + i] as number) ^ ((value >>> (8 * i)) & 0xff);
    }
  }
  return difference === 0;
}

/** Whether these bytes claim to be a frame of ours; says nothing about the tag. */
export function isFrame(frame: Uint8Array): boolean {
  return (
    frame.length >= FRAME_HEADER_BYTES &&
    get32(frame, 0) === FRAME_MAGIC &&
    frame[4] === FRAME_VERSION
  );
}

/** The defect of received bytes; undefined when they are sound. */
export function checkFrame(frame: Uint8Array, key: SipKey): FrameFault | undefined {
  if (frame.length < FRAME_HEADER_BYTES) return 'short';
  if (get32(frame, 0) !== FRAME_MAGIC) return 'magic';
  if (frame[4] !== FRAME_VERSION) return 'version';
  const kind = frame[5] as number;
  if (kind === 0 || kind > FRAME_KIND_MAX) return 'kind';
  const flags = frame[6] as number;
  if ((flags & ~FRAME_FLAG.plain) !== 0) return 'flags';
  if ((frame[7] as number) >= SENDERS_MAX) return 'sender';
  return hasValidTag(frame, key) ? undefined : 'tag';
}

/** For a kernel's verdict the tag alone matters; the other faults have verdicts of their own. */
export function isAuthentic(frame: Uint8Array, key: SipKey): boolean {
  return hasValidTag(frame, key);
}

/** Reads a header that `checkFrame` accepted. */
export function readHeader(frame: Uint8Array): FrameHeader {
  return {
    kind: frameKind(frame) as FrameKind,
    flags: frameFlags(frame),
    sender: frameSender(frame),
    slot: frameSlot(frame),
    group: get16(frame, 12),
    need: frame[NEED_OFFSET] as number,
    generation: frameGeneration(frame),
    txn: readTimestamp(frame, ROUND_OFFSET),
    ballot: readTimestamp(frame, BALLOT_OFFSET),
    groupId: {
      range: get32(frame, GROUP_ID_OFFSET),
      generation: get32(frame, GROUP_ID_OFFSET + 4),
    },
  };
}

export function frameKind(frame: Uint8Array): number {
  return frame[5] as number;
}

export function frameFlags(frame: Uint8Array): number {
  return frame[6] as number;
}

export function frameSender(frame: Uint8Array): number {
  return frame[7] as number;
}

export function frameSlot(frame: Uint8Array): number {
  return get32(frame, SLOT_OFFSET);
}

export function frameGeneration(frame: Uint8Array): number {
  return get64(frame, GENERATION_OFFSET);
}

/** A copy of TxnId, ballot and group id as they stand in the frame. */
export function frameRound(frame: Uint8Array): Uint8Array {
  // Not slice(): of a Buffer that is a view, and the round outlives the frame.
  return Uint8Array.from(frame.subarray(ROUND_OFFSET, ROUND_OFFSET + ROUND_BYTES));
}

export function frameBody(frame: Uint8Array): Uint8Array {
  return frame.subarray(FRAME_HEADER_BYTES);
}

/** The only kind that may answer a request plainly; undefined for kinds without one. */
export function bareOkKind(kind: number): FrameKind | undefined {
  switch (kind) {
    case FrameKind.probe:
      return FrameKind.probeOk;
    case FrameKind.preAccept:
      return FrameKind.preAcceptSame;
    case FrameKind.accept:
      return FrameKind.acceptOkEmpty;
    case FrameKind.commit:
      return FrameKind.commitOk;
    case FrameKind.apply:
      return FrameKind.applyOk;
    default:
      return undefined;
  }
}

/**
 * The plain reply to a request: its header with this node's bit and a tag of its own. Throws when
 * the request's kind has no plain reply.
 */
export function encodeBareOk(request: Uint8Array, sender: number, key: SipKey): Uint8Array {
  const kind = bareOkKind(frameKind(request));
  if (kind === undefined) throw new RangeError(`kind ${frameKind(request)} has no plain reply`);
  assertInteger('sender', sender, SENDERS_MAX - 1);
  const reply = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  reply.set(request.subarray(0, TAG_OFFSET));
  reply[5] = kind;
  reply[6] = FRAME_FLAG.plain;
  reply[7] = sender;
  sealFrame(reply, key);
  return reply;
}
