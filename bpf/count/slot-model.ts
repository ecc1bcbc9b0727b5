/**
 * The slot logic of the kernel's fan-in, in TypeScript: arm a round, judge a frame. Pure and
 * deterministic. It is the userspace twin's engine, and the reference that the kernel program is
 * compared with (the same vectors run through both). It counts; it never decides a quorum's size.
 */
import { population } from '../../actors/accord/primitives/bit-set.ts';
import {
  FRAME_FLAG,
  FRAME_HEADER_BYTES,
  FRAME_KIND_MAX,
  FrameKind,
  frameFlags,
  frameGeneration,
  frameKind,
  frameSender,
  frameSlot,
  GENERATION_MAX,
  isAuthentic,
  isFrame,
  ROUND_BYTES,
  ROUND_OFFSET,
  SENDERS_MAX,
} from '../frame/frame.ts';
import { type GroupMember, SLOTS_MAX } from '../frame/layout.ts';
import type { SipKey } from '../frame/siphash.ts';

/**
 * quorum: this vote completed it. counted: a new vote, before or after that. duplicate: the sender
 * has voted. stale: no such round here (any more). foreign: not of the electorate, or not from the
 * member's address. tampered: the tag is wrong. passed: not a plain reply.
 */
export type Verdict =
  | 'quorum'
  | 'counted'
  | 'duplicate'
  | 'stale'
  | 'foreign'
  | 'tampered'
  | 'passed';

/** A round to be counted, as it is given when a slot is armed; frozen until the slot's release. */
export interface CountedRound {
  readonly group: number;
  /** Bits of the senders that may vote. */
  readonly electorate: number;
  /** Votes that make the quorum; a coordinator's own vote is not among them. */
  readonly need: number;
  readonly replyKind: FrameKind;
  /** TxnId, ballot and group id as they stand in the frame (`frameRound`). */
  readonly round: Uint8Array;
}

export interface FrameSource {
  readonly address: string;
  readonly port: number;
}

export interface SlotModelOptions {
  readonly slots?: number;
  /** Without a key tags are not checked: the caller has verified them. */
  readonly key?: SipKey;
}

interface Slot {
  generation: number;
  votes: number;
  round: CountedRound | undefined;
}

/** Whether the kernel keeps the frame to itself; all others go up. */
export function consumes(verdict: Verdict): boolean {
  return verdict === 'quorum' || verdict === 'counted' || verdict === 'duplicate';
}

/** Throws RangeError for a round that could never be counted right. */
export function assertCountable(round: CountedRound): void {
  if (round.round.length !== ROUND_BYTES) throw new RangeError(`a round has ${ROUND_BYTES} bytes`);
  if (round.electorate < 0 || round.electorate >= 2 ** SENDERS_MAX) {
    throw new RangeError(`an electorate is a bitmap of ${SENDERS_MAX} bits`);
  }
  if (round.need < 1 || round.need > population(round.electorate)) {
    throw new RangeError(`need ${round.need} is not within the electorate`);
  }
  if (round.replyKind < FrameKind.probe || round.replyKind > FRAME_KIND_MAX) {
    throw new RangeError(`no such reply kind: ${round.replyKind}`);
  }
}

/** Whether a frame speaks of exactly this round. */
export function isSameRound(round: CountedRound, frame: Uint8Array): boolean {
  if (frameKind(frame) !== round.replyKind) return false;
  for (let i = 0; i < ROUND_BYTES; i += 1) {
    if (frame[ROUND_OFFSET + i] !== round.round[i]) return false;
  }
  return true;
}

export class SlotModel {
  readonly #slots: Slot[];
  readonly #groups = new Map<number, readonly GroupMember[]>();
  readonly #key: SipKey | undefined;

  constructor(options: SlotModelOptions = {}) {
    const count = options.slots ?? SLOTS_MAX;
    if (count < 1 || count > SLOTS_MAX) throw new RangeError(`slots must be in 1..${SLOTS_MAX}`);
    this.#slots = Array.from({ length: count }, () => ({
      generation: 0,
      votes: 0,
      round: undefined,
    }));
    this.#key = options.key;
  }

  /** Frames of a known group must come from its members' addresses; others may come from any. */
  setGroup(id: number, members: readonly GroupMember[]): void {
    this.#groups.set(id, members);
  }

  arm(index: number, generation: number, round: CountedRound): void {
    assertCountable(round);
    if (generation < 1 || generation > GENERATION_MAX) throw new RangeError('bad generation');
    const slot = this.#slots[index];
    if (slot === undefined) throw new RangeError(`no slot ${index}`);
    slot.generation = generation;
    slot.votes = 0;
    slot.round = round;
  }

  disarm(index: number): void {
    const slot = this.#slots[index];
    if (slot === undefined) return;
    slot.generation = 0;
    slot.votes = 0;
    slot.round = undefined;
  }

  votes(index: number): number {
    return this.#slots[index]?.votes ?? 0;
  }

  /** Whether the armed round has its quorum. */
  isComplete(index: number): boolean {
    const slot = this.#slots[index];
    return slot?.round !== undefined && population(slot.votes) >= slot.round.need;
  }

  generation(index: number): number {
    return this.#slots[index]?.generation ?? 0;
  }

  /** Judges one datagram; the order of the questions is the kernel program's. */
  judge(frame: Uint8Array, source?: FrameSource): Verdict {
    if (frame.length !== FRAME_HEADER_BYTES || !isFrame(frame)) return 'passed';
    if (frameFlags(frame) !== FRAME_FLAG.plain) return 'passed';
    const slot = this.#slots[frameSlot(frame)];
    if (slot?.round === undefined || slot.generation !== frameGeneration(frame)) return 'stale';
    if (!isSameRound(slot.round, frame)) return 'stale';
    const sender = frameSender(frame);
    if (sender >= SENDERS_MAX || ((slot.round.electorate >>> sender) & 1) === 0) return 'foreign';
    if (source !== undefined && !this.#isMember(slot.round.group, sender, source)) return 'foreign';
    if (this.#key !== undefined && !isAuthentic(frame, this.#key)) return 'tampered';
    return vote(slot, sender, slot.round.need);
  }

  #isMember(group: number, sender: number, source: FrameSource): boolean {
    const members = this.#groups.get(group);
    if (members === undefined) return true;
    return members.some(
      (member) =>
        member.sender === sender &&
        member.address === source.address &&
        member.port === source.port,
    );
  }
}

function vote(slot: Slot, sender: number, need: number): Verdict {
  const bit = 1 << sender;
  if ((slot.votes & bit) !== 0) return 'duplicate';
  slot.votes |= bit;
  return population(slot.votes) === need ? 'quorum' : 'counted';
}
