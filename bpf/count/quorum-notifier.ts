/**
 * Counts identical plain replies per round and tells when enough have come: by the kernel, and by
 * its userspace twin with the same interface and the same outcome. The coordinator arms a round,
 * gets one event per quorum, and releases the slot. Nothing is decided here: electorate and need
 * come with the round. No I/O: the kernel's memory and events are handed in by holofast.ts.
 */
import { population } from '../../actors/accord/primitives/bit-set.ts';
import {
  FRAME_FLAG,
  FRAME_HEADER_BYTES,
  frameFlags,
  frameGeneration,
  frameSender,
  frameSlot,
  isFrame,
  SENDERS_MAX,
} from '../frame/frame.ts';
import { EVENT_LAYOUT, SLOT_LAYOUT, SLOTS_MAX } from '../frame/layout.ts';
import { SlotAllocator } from './slot-allocator.ts';
import {
  assertCountable,
  type CountedRound,
  type FrameSource,
  isSameRound,
  SlotModel,
  type SlotModelOptions,
  type Verdict,
} from './slot-model.ts';

/** A slot in use: what goes into the header of the round's frames. */
export interface QuorumSlot {
  readonly slot: number;
  readonly generation: number;
}

export interface QuorumEvent extends QuorumSlot {
  /** Bits of the senders that had voted when the quorum was complete; more may follow. */
  readonly votes: number;
}

export interface QuorumNotifier {
  /** Called with the quorums of one wake or flush; exactly once per armed round at most. */
  onQuorum: (batch: readonly QuorumEvent[]) => void;
  /** Slots that are free. */
  readonly free: number;
  /** Undefined when all slots are taken: the caller counts that round's replies itself. */
  arm(round: CountedRound): QuorumSlot | undefined;
  /**
   * A frame that came up to user space and whose tag was verified. Quorum, counted and duplicate
   * mean that it has been dealt with; all others are the coordinator's.
   */
  receive(frame: Uint8Array, source?: FrameSource): Verdict;
  /** Whether the slot is still this generation's: neither released nor given up. */
  isHeld(slot: QuorumSlot): boolean;
  /** The votes so far; 0 for a slot that is no longer this generation's. */
  votes(slot: QuorumSlot): number;
  /**
   * Idempotent. Late replies to a round with its quorum are dropped until the slot serves another
   * round: they are not needed, and waking for each would cost what the quorum saved. A round
   * without its quorum ends here, and its replies are stale: they go up to user space. Returns the
   * votes at the end of the round; 0 for a slot that is no longer this generation's.
   */
  release(slot: QuorumSlot): number;
  /** Like `release`, but replies come up from now on, also those to a round with its quorum. */
  abandon(slot: QuorumSlot): number;
  /** Hands over the quorums that `receive` found. */
  flush(): void;
}

function ignore(): void {}

interface UserspaceNotifierOptions extends SlotModelOptions {
  readonly firstGeneration: number;
}

/** The twin: deterministic, for tiers 0 and 1, for the simulator, and as the reference. */
export class UserspaceQuorumNotifier implements QuorumNotifier {
  onQuorum: (batch: readonly QuorumEvent[]) => void = ignore;
  readonly #model: SlotModel;
  readonly #allocator: SlotAllocator;
  #pending: QuorumEvent[] = [];

  constructor(options: UserspaceNotifierOptions) {
    this.#model = new SlotModel(options);
    this.#allocator = new SlotAllocator(options.slots ?? SLOTS_MAX, options.firstGeneration);
  }

  get free(): number {
    return this.#allocator.free;
  }

  arm(round: CountedRound): QuorumSlot | undefined {
    assertCountable(round);
    const slot = this.#allocator.take();
    if (slot < 0) return undefined;
    const generation = this.#allocator.generation(slot);
    this.#model.arm(slot, generation, round);
    return { slot, generation };
  }

  receive(frame: Uint8Array, source?: FrameSource): Verdict {
    const verdict = this.#model.judge(frame, source);
    if (verdict === 'quorum') {
      const slot = frameSlot(frame);
      const generation = this.#model.generation(slot);
      this.#pending.push({ slot, generation, votes: this.#model.votes(slot) });
    }
    return verdict;
  }

  isHeld(slot: QuorumSlot): boolean {
    return this.#allocator.isHeld(slot.slot, slot.generation);
  }

  votes(slot: QuorumSlot): number {
    if (!this.isHeld(slot)) return 0;
    return this.#model.votes(slot.slot);
  }

  release(slot: QuorumSlot): number {
    if (!this.#allocator.release(slot.slot, slot.generation)) return 0;
    const votes = this.#model.votes(slot.slot);
    if (!this.#model.isComplete(slot.slot)) this.#model.disarm(slot.slot);
    return votes;
  }

  abandon(slot: QuorumSlot): number {
    if (!this.#allocator.release(slot.slot, slot.generation)) return 0;
    const votes = this.#model.votes(slot.slot);
    this.#model.disarm(slot.slot);
    return votes;
  }

  flush(): void {
    if (this.#pending.length === 0) return;
    const batch = this.#pending.filter((event) => this.isHeld(event));
    this.#pending = [];
    if (batch.length > 0) this.onQuorum(batch);
  }
}

const WORDS_PER_SLOT = SLOT_LAYOUT.bytes / 4;
const ELECTORATE_WORD = SLOT_LAYOUT.electorate / 4;
const GROUP_WORD = SLOT_LAYOUT.group / 4;
const FANNED_WORD = SLOT_LAYOUT.fanned / 4;

/**
 * The kernel's slots, armed and read through shared memory without a system call. All accesses
 * to the vote word are 32-bit atomics: while its low half is zero the word names no round, so the
 * halves may change one after the other.
 */
export class KernelQuorumNotifier implements QuorumNotifier {
  onQuorum: (batch: readonly QuorumEvent[]) => void = ignore;
  #words: Uint32Array;
  #bytes: Uint8Array;
  readonly #allocator: SlotAllocator;
  readonly #rounds: (CountedRound | undefined)[] = new Array(SLOTS_MAX).fill(undefined);
  /** The round armed in each slot; kept after the release of a round with its quorum. */
  readonly #armed = new Float64Array(SLOTS_MAX);
  /** One per slot: its quorum was handed over (by the ring, or by a frame that came up). */
  readonly #delivered = new Uint8Array(SLOTS_MAX);
  #pending: QuorumEvent[] = [];

  /** `memory`: the mapped array of slots. */
  constructor(memory: ArrayBuffer, firstGeneration: number) {
    if (memory.byteLength !== SLOTS_MAX * SLOT_LAYOUT.bytes) {
      throw new RangeError(`${SLOTS_MAX} slots of ${SLOT_LAYOUT.bytes} bytes expected`);
    }
    this.#words = new Uint32Array(memory);
    this.#bytes = new Uint8Array(memory);
    this.#allocator = new SlotAllocator(SLOTS_MAX, firstGeneration);
    // A pinned map may hold the rounds of an earlier process: none of them is ours.
    for (let slot = 0; slot < SLOTS_MAX; slot += 1) {
      Atomics.store(this.#words, slot * WORDS_PER_SLOT, 0);
    }
  }

  get free(): number {
    return this.#allocator.free;
  }

  arm(round: CountedRound): QuorumSlot | undefined {
    assertCountable(round);
    const slot = this.#allocator.take();
    if (slot < 0) return undefined;
    const generation = this.#allocator.generation(slot);
    const at = slot * WORDS_PER_SLOT;
    // Exchange, not store: what follows must not become visible before the slot is disarmed.
    Atomics.exchange(this.#words, at, 0);
    this.#bytes.set(round.round, slot * SLOT_LAYOUT.bytes + SLOT_LAYOUT.round);
    this.#words[at + GROUP_WORD] = round.group;
    this.#words[at + ELECTORATE_WORD] =
      round.electorate | (round.need << 16) | (round.replyKind << 24);
    this.#rounds[slot] = round;
    this.#armed[slot] = generation;
    this.#delivered[slot] = 0;
    Atomics.store(this.#words, at + 1, Math.floor(generation / 2 ** 16));
    Atomics.store(this.#words, at, (generation % 2 ** 16) * 2 ** 16);
    return { slot, generation };
  }

  /**
   * The kernel's memory is about to go, and nothing votes in it any more: tells the quorums that
   * are complete there, and goes on in a copy with the frames that come up.
   */
  leaveKernel(): void {
    const copy = this.#bytes.slice().buffer;
    this.#words = new Uint32Array(copy);
    this.#bytes = new Uint8Array(copy);
    this.#rounds.forEach((round, slot) => {
      const votes = (this.#words[slot * WORDS_PER_SLOT] as number) & 0xffff;
      if (round === undefined || population(votes) < round.need) return;
      this.#deliver(slot, this.#allocator.generation(slot), votes);
    });
    this.flush();
  }

  /** Whether the kernel has fanned a frame of this round out: it looks at once, after sending. */
  wasFannedOut(slot: QuorumSlot): boolean {
    const at = slot.slot * WORDS_PER_SLOT + FANNED_WORD;
    const low = Atomics.load(this.#words, at);
    return Atomics.load(this.#words, at + 1) * 2 ** 32 + low === slot.generation;
  }

  /** Events as the ring delivered them: `count` times `struct hf_event`. */
  takeEvents(events: DataView, count: number): void {
    for (let i = 0; i < count; i += 1) {
      const at = i * EVENT_LAYOUT.bytes;
      const low = events.getUint32(at + EVENT_LAYOUT.generation, true);
      const high = events.getUint32(at + EVENT_LAYOUT.generation + 4, true);
      const slot = events.getUint32(at + EVENT_LAYOUT.slot, true);
      const votes = events.getUint16(at + EVENT_LAYOUT.votes, true);
      this.#deliver(slot, high * 2 ** 32 + low, votes);
    }
    this.flush();
  }

  /**
   * A plain frame that the kernel let through: the ring was full, it lost too many races, or it
   * is gone. The vote is set here in the same word; it may be there already.
   */
  receive(frame: Uint8Array): Verdict {
    if (frame.length !== FRAME_HEADER_BYTES || !isFrame(frame)) return 'passed';
    if (frameFlags(frame) !== FRAME_FLAG.plain) return 'passed';
    const slot = frameSlot(frame);
    const generation = frameGeneration(frame);
    const round = this.#rounds[slot];
    if (round === undefined || this.#armed[slot] !== generation) return 'stale';
    if (!isSameRound(round, frame)) return 'stale';
    const sender = frameSender(frame);
    if (sender >= SENDERS_MAX || ((round.electorate >>> sender) & 1) === 0) return 'foreign';
    const bit = 1 << sender;
    const before = Atomics.or(this.#words, slot * WORDS_PER_SLOT, bit) & 0xffff;
    const after = before | bit;
    if (population(after) >= round.need && this.#deliver(slot, generation, after)) return 'quorum';
    return (before & bit) !== 0 ? 'duplicate' : 'counted';
  }

  isHeld(slot: QuorumSlot): boolean {
    return this.#allocator.isHeld(slot.slot, slot.generation);
  }

  votes(slot: QuorumSlot): number {
    if (!this.isHeld(slot)) return 0;
    return Atomics.load(this.#words, slot.slot * WORDS_PER_SLOT) & 0xffff;
  }

  release(slot: QuorumSlot): number {
    if (this.#delivered[slot.slot] !== 1) return this.abandon(slot);
    if (!this.#allocator.release(slot.slot, slot.generation)) return 0;
    return Atomics.load(this.#words, slot.slot * WORDS_PER_SLOT) & 0xffff;
  }

  abandon(slot: QuorumSlot): number {
    if (!this.#allocator.release(slot.slot, slot.generation)) return 0;
    this.#rounds[slot.slot] = undefined;
    this.#armed[slot.slot] = 0;
    // One step: a vote is either in the answer, or finds no round and comes up as a frame.
    return Atomics.exchange(this.#words, slot.slot * WORDS_PER_SLOT, 0) & 0xffff;
  }

  flush(): void {
    if (this.#pending.length === 0) return;
    const batch = this.#pending.filter((event) => this.isHeld(event));
    this.#pending = [];
    if (batch.length > 0) this.onQuorum(batch);
  }

  /** The round's quorum, unless the round is over or its quorum is known. */
  #deliver(slot: number, generation: number, votes: number): boolean {
    if (!this.#allocator.isHeld(slot, generation) || this.#delivered[slot] === 1) return false;
    this.#delivered[slot] = 1;
    this.#pending.push({ slot, generation, votes });
    return true;
  }
}
