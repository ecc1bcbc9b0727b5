/**
 * The rounds whose bare oks are counted below the actors, by the kernel or by its userspace twin.
 * Owned by the quorum actor, which begins the rounds; the coordinator takes votes from here before
 * each decision, so that it overlooks none. Decides nothing; when a slot's count may not suffice,
 * the slot is given up and all replies arrive as messages.
 */

import type { QuorumEvent, QuorumNotifier, QuorumSlot } from '../../bpf/count/quorum-notifier.ts';
import type { FrameKind } from '../../bpf/frame/frame.ts';
import { PEER_GROUP } from '../../bpf/path/frame-path.ts';
import type { BareOk, BareOkRound, BareOks } from '../accord/messages/bare-ok.ts';
import { population } from '../accord/primitives/bit-set.ts';
import { type Ballot, equal, keyOf, type TxnId } from '../accord/primitives/timestamp.ts';
import type { Group } from '../accord/topology/group.ts';

/** Rounds that are remembered; those beyond them travel over TCP. */
const ROUNDS_MAX = 16_384;

interface CountedRequest {
  readonly round: BareOkRound;
  readonly id: TxnId;
  readonly ballot: Ballot;
  readonly replyKind: FrameKind;
  /** TxnId, ballot and group id as they stand in the frame. */
  readonly frameRound: Uint8Array;
}

interface CountedRound {
  readonly key: string;
  readonly round: BareOkRound;
  readonly id: TxnId;
  readonly ballot: Ballot;
  /** Members whose votes make the quorum that is waited for. */
  readonly electorate: number;
  readonly beganMs: number;
  /** Present while replies are counted. */
  slot: QuorumSlot | undefined;
  /** Members that the coordinator has been told of. */
  told: number;
}

interface ArmedRound {
  readonly slot: QuorumSlot;
  readonly need: number;
}

export class VoteSlots implements BareOks {
  readonly #group: Group;
  readonly #self: number;
  readonly #rounds = new Map<string, CountedRound>();
  readonly #bySlot = new Map<number, CountedRound>();
  #notifier: QuorumNotifier | undefined;
  #expected: number;

  constructor(group: Group, self: number) {
    this.#group = group;
    this.#self = group.bit(self);
    this.#expected = 2 ** group.members.length - 1;
  }

  /** Rounds that are counted now. */
  get armed(): number {
    return this.#bySlot.size;
  }

  /** Whether there is a path for frames now. */
  get isAttached(): boolean {
    return this.#notifier !== undefined;
  }

  attach(notifier: QuorumNotifier): void {
    this.#notifier = notifier;
  }

  /** The notifier is about to go; what it has counted is told. */
  detach(): BareOk[] {
    const answers = this.leaveAll();
    this.#notifier = undefined;
    this.#rounds.clear();
    return answers;
  }

  /** Whether this very request has been sent before, as far as is remembered. */
  isRepeated(round: BareOkRound, id: TxnId, ballot: Ballot): boolean {
    const known = this.#rounds.get(keyOf(id));
    return known !== undefined && known.round === round && equal(known.ballot, ballot);
  }

  /** Whether a request of this transaction went out from here before. */
  knows(id: TxnId): boolean {
    return this.#rounds.has(keyOf(id));
  }

  /**
   * Begins to count what the members will answer; an earlier phase of the same transaction is
   * over. Undefined: no slot is free, or too few answers are expected; they come as messages.
   */
  begin(request: CountedRequest, nowMs: number): ArmedRound | undefined {
    const { round, id, ballot, replyKind, frameRound } = request;
    const key = keyOf(id);
    this.#release(this.#rounds.get(key));
    this.#rounds.delete(key);
    if (this.#rounds.size >= ROUNDS_MAX || this.#notifier === undefined) return undefined;
    const { electorate, need } = this.#quorum(round);
    // An unexpected answer is not counted here: it arrives as a message at once.
    const voters = electorate & this.#expected;
    const counted = { group: PEER_GROUP, electorate: voters, need, replyKind, round: frameRound };
    const slot = population(voters) < need ? undefined : this.#notifier.arm(counted);
    const entry = { key, round, id, ballot, electorate, beganMs: nowMs, slot, told: 0 };
    this.#rounds.set(key, entry);
    if (slot === undefined) return undefined;
    this.#bySlot.set(slot.slot, entry);
    return { slot, need };
  }

  /**
   * The quorum that user space would wait for, less its own vote: a fast quorum of the electorate
   * while enough electors are expected, otherwise a slow quorum of all members.
   */
  #quorum(round: BareOkRound): { readonly electorate: number; readonly need: number } {
    const { quorums, members } = this.#group;
    const peers = (2 ** members.length - 1) & ~this.#self;
    const electors = this.#group.electorate & peers;
    if (
      round === 'PreAccept' &&
      this.#group.electors(this.#expected | this.#self) >= quorums.fast
    ) {
      return { electorate: electors, need: quorums.fast - this.#group.electors(this.#self) };
    }
    return { electorate: peers, need: quorums.slow - 1 };
  }

  /** The transaction is decided: late replies are dropped. */
  end(id: TxnId): void {
    const key = keyOf(id);
    this.#release(this.#rounds.get(key));
    this.#rounds.delete(key);
  }

  /** Quorums as the notifier found them. `quorum` hears how long each has taken. */
  quorums(
    events: readonly QuorumEvent[],
    nowMs: number,
    quorum: (elapsedMs: number) => void,
  ): BareOk[] {
    const answers: BareOk[] = [];
    for (const event of events) {
      const entry = this.#bySlot.get(event.slot);
      if (entry?.slot?.generation !== event.generation) continue;
      quorum(nowMs - entry.beganMs);
      // Also when all of them were told: the coordinator sees whether the quorum has sufficed.
      const members = event.votes | this.#votes(entry);
      entry.told |= members;
      const { round, id, ballot } = entry;
      answers.push({ round, id, ballot, members });
    }
    return answers;
  }

  /**
   * Gives up rounds that began before `beforeMs`, with their votes; forgets those that began
   * before `forgetMs`.
   */
  sweep(beforeMs: number, forgetMs: number): BareOk[] {
    const answers: BareOk[] = [];
    for (const entry of this.#rounds.values()) {
      // Rounds begin in order, and a map keeps it.
      if (entry.beganMs >= beforeMs) break;
      const answer = this.#leave(entry);
      if (answer !== undefined) answers.push(answer);
      if (entry.beganMs < forgetMs) this.#rounds.delete(entry.key);
    }
    return answers;
  }

  take(key: string): BareOk | undefined {
    const entry = this.#rounds.get(key);
    return entry === undefined ? undefined : this.#tell(entry, this.#votes(entry));
  }

  takeAll(overdueMs: number): BareOk[] {
    if (this.#bySlot.size === 0) return [];
    return [...this.#bySlot.values()].flatMap((entry) => {
      if (entry.beganMs <= overdueMs) return this.#leave(entry) ?? [];
      return this.#tell(entry, this.#votes(entry)) ?? [];
    });
  }

  leave(key: string): BareOk | undefined {
    const entry = this.#rounds.get(key);
    return entry === undefined ? undefined : this.#leave(entry);
  }

  leaveAll(): BareOk[] {
    if (this.#bySlot.size === 0) return [];
    return [...this.#bySlot.values()].flatMap((entry) => this.#leave(entry) ?? []);
  }

  expect(members: number): void {
    this.#expected = members;
  }

  awaits(key: string, from: number): boolean {
    const entry = this.#rounds.get(key);
    return entry?.slot !== undefined && (entry.electorate & this.#group.bit(from)) !== 0;
  }

  #votes(entry: CountedRound): number {
    return entry.slot === undefined ? 0 : (this.#notifier?.votes(entry.slot) ?? 0);
  }

  #leave(entry: CountedRound): BareOk | undefined {
    return this.#tell(entry, this.#release(entry, true));
  }

  /** `open`: replies that are still to come are wanted as messages. */
  #release(entry: CountedRound | undefined, open = false): number {
    if (entry?.slot === undefined) return 0;
    const { slot } = entry;
    const votes = (open ? this.#notifier?.abandon(slot) : this.#notifier?.release(slot)) ?? 0;
    this.#bySlot.delete(slot.slot);
    entry.slot = undefined;
    return votes;
  }

  #tell(entry: CountedRound, votes: number): BareOk | undefined {
    const members = votes & ~entry.told;
    if (members === 0) return undefined;
    entry.told |= members;
    const { round, id, ballot } = entry;
    return { round, id, ballot, members };
  }
}
