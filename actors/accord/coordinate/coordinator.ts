/**
 * Decides transactions: this node's own at ballot 0, and abandoned ones at higher ballots
 * (accord.md §2.4, §2.11, §2.12). Volatile: after a restart nothing is resumed at ballot 0. Pure;
 * `coordinator-actor.ts` performs the effects.
 */

import { type BareOk, bareOkFrame } from '../messages/bare-ok.ts';
import type {
  AcceptInvalidateOk,
  AcceptOk,
  AccordMessage,
  CommandDefinition,
  CommitOk,
  Coordinate,
  LookAfter,
  Nack,
  PreAcceptOk,
  RecoverOk,
} from '../messages/messages.ts';
import { population } from '../primitives/bit-set.ts';
import { decodeDeps, encodeDeps, union } from '../primitives/deps.ts';
import type { HybridClock } from '../primitives/hybrid-clock.ts';
import { encodeParticipants, type Participants } from '../primitives/participants.ts';
import {
  compare,
  equal,
  Flags,
  isRejected,
  keyOf,
  mergeMax,
  type Timestamp,
  type TxnId,
  ZERO,
} from '../primitives/timestamp.ts';
import type { Group } from '../topology/group.ts';
import { type Conclusion, concludeRecovery } from './recovery.ts';
import { type Phase, TransactionRound } from './transaction-round.ts';

export interface CoordinatorLimits {
  /**
   * With a quorum of votes in hand, how long the rest of the electorate is waited for, at least.
   * Where fast decisions take longer of late, it is three times as long as they take.
   */
  readonly slowPathMs: number;
  /** Upper bound of that wait. */
  readonly slowPathMsMax: number;
  /** First repetition of a request that was not answered; doubles up to 16 times this. */
  readonly resendMs: number;
  /** Recoveries under way at once; the progress log asks again for those beyond it. */
  readonly recoveriesMax: number;
}

export const COORDINATOR_LIMITS: CoordinatorLimits = Object.freeze({
  slowPathMs: 20,
  slowPathMsMax: 250,
  resendMs: 250,
  recoveriesMax: 256,
});

export type Path = 'fast' | 'slow' | 'recovered' | 'invalidated';

export type CoordinatorEffect =
  | {
      readonly type: 'Send';
      readonly to: number;
      readonly message: AccordMessage | Coordinate | LookAfter;
    }
  | { readonly type: 'Decided'; readonly id: TxnId; readonly path: Path; readonly own: boolean }
  /** A recovery's conclusion from the replies of a quorum. */
  | { readonly type: 'Concluded'; readonly id: TxnId; readonly conclusion: Conclusion['type'] };

export class Coordinator {
  readonly group: Group;
  readonly self: number;
  readonly #clock: HybridClock;
  readonly #limits: CoordinatorLimits;
  readonly #rounds = new Map<string, TransactionRound>();
  #effects: CoordinatorEffect[] = [];
  /**
   * Members that cannot be expected to vote now (bit set). Only ever makes it choose the slow
   * path.
   */
  #unavailable = 0;
  /** Members that did not answer in time of late (bit set); the same holds. */
  #silent = 0;
  /** How long fast decisions take, as a moving mean. */
  #fastMs = 0;
  #underWay = 0;
  nowMs = 0;

  constructor(options: {
    readonly self: number;
    readonly group: Group;
    readonly clock: HybridClock;
    readonly limits?: Partial<CoordinatorLimits>;
  }) {
    this.self = options.self;
    this.group = options.group;
    this.#clock = options.clock;
    this.#limits = { ...COORDINATOR_LIMITS, ...options.limits };
  }

  /** Own transactions that are not decided yet. */
  get underWay(): number {
    return this.#underWay;
  }

  get recoveries(): number {
    return this.#rounds.size - this.#underWay;
  }

  /** Nothing is under way: no tick can change anything. */
  get isIdle(): boolean {
    return this.#rounds.size === 0;
  }

  takeEffects(): CoordinatorEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  peerUp(peer: number): void {
    this.#unavailable &= ~this.group.bit(peer);
  }

  peerDown(peer: number, nowMs: number): void {
    this.nowMs = nowMs;
    this.#unavailable |= this.group.bit(peer);
    for (const round of [...this.#rounds.values()]) {
      if (round.phase === 'PreAccept') this.#decideVotes(round);
    }
  }

  /** Members (bit set) whose answers are waited for. */
  get expected(): number {
    return (2 ** this.group.members.length - 1) & ~(this.#unavailable | this.#silent);
  }

  /** With a quorum in hand, how long the rest of the electorate is waited for now. */
  get patienceMs(): number {
    const { slowPathMs, slowPathMsMax } = this.#limits;
    return Math.min(slowPathMsMax, Math.max(slowPathMs, 3 * this.#fastMs));
  }

  /** A quorum, ourselves included, is connected. */
  get quorumReachable(): boolean {
    const down = population(this.#unavailable);
    return this.group.members.length - down >= this.group.quorums.slow;
  }

  /** Begins a transaction of this node; `kind`: beside WRITE. */
  coordinate(participants: Participants, body: Uint8Array, nowMs: number, kind = 0): TxnId {
    this.nowMs = nowMs;
    const id = this.#clock.uniqueNow(undefined, Flags.WRITE | kind);
    const definition = { slots: encodeParticipants(participants), body };
    const round = this.#begin(id, ZERO, 'PreAccept', definition);
    round.defined = this.group.bit(this.self);
    this.#underWay += 1;
    this.#send(this.self, { type: 'Coordinate', id, ...definition });
    return id;
  }

  /** Finds out what became of a transaction, and brings it to an end. */
  recover(id: TxnId, definition: CommandDefinition | undefined, nowMs: number): void {
    this.nowMs = nowMs;
    const key = keyOf(id);
    const round = this.#rounds.get(key);
    if (round === undefined && this.recoveries >= this.#limits.recoveriesMax) return;
    if (round !== undefined) this.#end(round);
    this.#begin(id, this.#clock.uniqueNow(), 'Recover', definition ?? round?.definition);
    this.#ask(key);
  }

  handle(from: number, message: AccordMessage, nowMs: number): void {
    this.nowMs = nowMs;
    this.#silent &= ~this.group.bit(from);
    if (!('id' in message)) return;
    const round = this.#rounds.get(keyOf(message.id));
    if (round === undefined) return;
    const bit = this.group.bit(from);
    switch (message.type) {
      case 'PreAcceptOk':
        return this.#preAcceptOk(round, bit, message);
      case 'AcceptOk':
        return this.#acceptOk(round, bit, message);
      case 'AcceptInvalidateOk':
        return this.#acceptInvalidateOk(round, bit, message);
      case 'CommitOk':
        return this.#commitOk(round, bit, message);
      case 'RecoverOk':
        return this.#recoverOk(round, bit, message);
      case 'Nack':
        return this.#nack(round, from, message);
      default:
        throw new TypeError(`coordinator: ${message.type} is not for a coordinator`);
    }
  }

  /**
   * These members have answered plainly: the same as their replies one by one, in order. `true`:
   * the round still waits for more answers.
   */
  answeredBarely(answer: BareOk, nowMs: number): boolean {
    const key = keyOf(answer.id);
    const round = this.#rounds.get(key);
    // A reply to PreAccept names no ballot; it is always the original coordinator's.
    if (round === undefined || !equal(round.ballot, answer.ballot)) return false;
    const reply = bareOkFrame(answer);
    // Known of all of them before the first one decides, as if the last had answered first.
    if (round.phase === answer.round) round.defined |= answer.members;
    for (const from of this.group.members) {
      if ((answer.members & this.group.bit(from)) !== 0) this.handle(from, reply, nowMs);
    }
    return this.#rounds.get(key) === round && round.phase === answer.round;
  }

  tick(nowMs: number): void {
    this.nowMs = nowMs;
    for (const round of [...this.#rounds.values()]) {
      if (round.phase === 'PreAccept') this.#decideVotes(round);
      if (this.#rounds.has(round.key) && nowMs >= round.resendAtMs) {
        round.resends += 1;
        round.resendAtMs = nowMs + this.#limits.resendMs * 2 ** Math.min(round.resends, 4);
        // Clocks may have been set right meanwhile.
        round.replied &= ~round.skewed;
        round.skewed = 0;
        this.#ask(round.key);
      }
    }
  }

  // ---- PreAccept --------------------------------------------------------------------------

  #preAcceptOk(round: TransactionRound, bit: number, message: PreAcceptOk): void {
    if (round.phase !== 'PreAccept' || !round.count(bit)) return;
    const { vote } = message;
    round.defined |= bit;
    if (!isRejected(vote) && this.#clock.isTooFar(vote)) round.skewed |= bit;
    else round.vote = round.vote === undefined ? vote : mergeMax(round.vote, vote);
    if (equal(vote, round.id) && !isRejected(vote)) round.fast |= bit;
    if (message.deps === null) round.sameSeen = true;
    else {
      const deps = decodeDeps(message.deps);
      round.deps = union(round.deps, deps);
      if (bit === this.group.bit(this.self)) round.ownDeps = deps;
    }
    this.#decideVotes(round);
  }

  /** Decides once: fast with a fast quorum, else slow as soon as fast is out of reach or late. */
  #decideVotes(round: TransactionRound): void {
    const { quorums, members } = this.group;
    if (members.length - population(round.skewed) < quorums.slow) return this.#invalidate(round);
    // "Same" stands for our own deps; until we have them, the union is not complete.
    if (round.sameSeen && round.ownDeps === undefined) return;
    if (this.group.electors(round.fast) >= quorums.fast) {
      this.#fastMs += (this.nowMs - round.startedMs - this.#fastMs) / 16;
      return this.#stabilised(round, round.id, 'fast');
    }
    const voted = population(round.replied & ~round.skewed);
    if (round.vote === undefined || voted < quorums.slow) return;
    const lost = (round.replied | this.#unavailable | this.#silent) & ~round.fast;
    const rejected = this.group.electors(lost) > quorums.fastRejectsMax;
    if (!rejected && this.nowMs < round.startedMs + this.patienceMs) return;
    // A member that a round has waited for in vain is not waited for again until it answers.
    if (!rejected) this.#silent |= this.group.electorate & ~round.replied;
    if (isRejected(round.vote)) return this.#invalidate(round);
    this.#accept(round, round.vote);
  }

  // ---- Accept, Commit, Stable -------------------------------------------------------------

  #accept(round: TransactionRound, executeAt: Timestamp): void {
    round.executeAt = executeAt;
    this.#clock.heed(executeAt);
    this.#enter(round, 'Accept');
  }

  #acceptOk(round: TransactionRound, bit: number, message: AcceptOk): void {
    if (round.phase !== 'Accept' || !equal(message.ballot, round.ballot)) return;
    const fresh = decodeDeps(message.deps);
    const last = fresh.at(-1);
    // Only here the time is known. With deps that are not below it, no peer would take the Commit.
    if (last !== undefined && compare(last, round.executeAt ?? ZERO) >= 0) return;
    if (!round.count(bit)) return;
    round.defined |= bit;
    round.deps = union(round.deps, fresh);
    if (population(round.replied) >= this.group.quorums.slow) this.#enter(round, 'Commit');
  }

  #commitOk(round: TransactionRound, bit: number, message: CommitOk): void {
    if (round.phase !== 'Commit' || !equal(message.ballot, round.ballot)) return;
    if (!round.count(bit) || round.executeAt === undefined) return;
    round.defined |= bit;
    if (population(round.replied) < this.group.quorums.slow) return;
    this.#stabilised(round, round.executeAt, equal(round.ballot, ZERO) ? 'slow' : 'recovered');
  }

  /** Decided, and what must be durable is: everybody may execute. */
  #stabilised(round: TransactionRound, executeAt: Timestamp, path: Path): void {
    const { id } = round;
    const deps = encodeDeps(round.deps);
    for (const to of this.group.members) {
      this.#send(to, { type: 'Stable', id, executeAt, deps, ...this.#definitionFor(round, to) });
    }
    this.#decided(round, path);
  }

  #decided(round: TransactionRound, path: Path): void {
    const { id } = round;
    this.#end(round);
    this.#effects.push({ type: 'Decided', id, path, own: id.node === this.self });
  }

  // ---- Invalidation -----------------------------------------------------------------------

  #invalidate(round: TransactionRound): void {
    this.#enter(round, 'Invalidate');
  }

  #acceptInvalidateOk(round: TransactionRound, bit: number, message: AcceptInvalidateOk): void {
    if (round.phase !== 'Invalidate' || !equal(message.ballot, round.ballot)) return;
    if (!round.count(bit)) return;
    if (population(round.replied) >= this.group.quorums.slow) this.#invalidated(round);
  }

  #invalidated(round: TransactionRound): void {
    const { id } = round;
    for (const to of this.group.members) this.#send(to, { type: 'CommitInvalidate', id });
    this.#decided(round, 'invalidated');
  }

  // ---- Recovery ---------------------------------------------------------------------------

  #recoverOk(round: TransactionRound, bit: number, message: RecoverOk): void {
    if (round.phase !== 'Recover' || !equal(message.ballot, round.ballot)) return;
    if (!round.count(bit)) return;
    const { slots, body } = message;
    if (slots !== undefined && body !== undefined) {
      round.definition ??= { slots, body };
      round.defined |= bit;
    }
    if (message.votedFast) round.fast |= bit;
    round.recoverReplies.push(message);
    if (population(round.replied) < this.group.quorums.slow) return;
    const conclusion = concludeRecovery(this.group, round);
    this.#effects.push({ type: 'Concluded', id: round.id, conclusion: conclusion.type });
    switch (conclusion.type) {
      case 'invalidated':
        return this.#invalidated(round);
      case 'invalidate':
        return this.#invalidate(round);
      case 'stable':
        round.deps = conclusion.deps;
        return this.#stabilised(round, conclusion.executeAt, 'recovered');
      case 'commit':
        round.deps = conclusion.deps;
        round.executeAt = conclusion.executeAt;
        return this.#enter(round, 'Commit');
      case 'coordinate':
        round.deps = conclusion.deps;
        return this.#accept(round, conclusion.executeAt);
      case 'again':
        return this.recover(round.id, round.definition, this.nowMs);
      case 'wait':
        // A later attempt uses a new ballot; what it waits for must not stay undecided.
        this.#end(round);
        return this.#send(this.self, {
          type: 'LookAfter',
          ids: encodeDeps(union(conclusion.ids, [round.id])),
        });
    }
  }

  #nack(round: TransactionRound, from: number, message: Nack): void {
    if (!equal(message.ballot, round.ballot) || message.round !== REQUEST[round.phase]) return;
    if (message.reason === 'insufficient') {
      round.defined &= ~this.group.bit(from);
      return this.#askOne(round, from);
    }
    if (message.reason === 'skewed') return this.#skewed(round, from);
    // Another coordinator is at work, or it is decided. Never continue at this ballot; ask.
    this.#end(round);
    if (message.reason === 'promised') return;
    this.#send(from, { type: 'CheckStatus', id: round.id });
  }

  /** It is as if it had not answered, but it need not be waited for. */
  #skewed(round: TransactionRound, from: number): void {
    const bit = this.group.bit(from);
    const counts = round.phase === 'PreAccept' && round.count(bit);
    if (!counts) return;
    // Our own replica has not told any other node of it.
    if (from === this.self) return this.#invalidate(round);
    round.skewed |= bit;
    this.#decideVotes(round);
  }

  // ---- Rounds -----------------------------------------------------------------------------

  #begin(
    id: TxnId,
    ballot: Timestamp,
    phase: Phase,
    definition: CommandDefinition | undefined,
  ): TransactionRound {
    const { nowMs } = this;
    const { resendMs } = this.#limits;
    const round = new TransactionRound({ id, ballot, phase, definition, nowMs, resendMs });
    this.#rounds.set(round.key, round);
    return round;
  }

  #end(round: TransactionRound): void {
    if (!this.#rounds.delete(round.key)) return;
    if (equal(round.ballot, ZERO)) this.#underWay -= 1;
  }

  #enter(round: TransactionRound, phase: Phase): void {
    round.enter(phase, this.nowMs, this.#limits.resendMs);
    this.#ask(round.key);
  }

  /** Sends the request of the current phase to all members that have not answered it. */
  #ask(key: string): void {
    const round = this.#rounds.get(key);
    if (round === undefined) return;
    for (const to of this.group.members) {
      if ((round.replied & this.group.bit(to)) === 0) this.#askOne(round, to);
    }
  }

  #askOne(round: TransactionRound, to: number): void {
    const { id, ballot, executeAt } = round;
    const definition = this.#definitionFor(round, to);
    switch (round.phase) {
      case 'PreAccept': {
        if (round.definition === undefined) return;
        if (to === this.self) {
          return this.#send(to, { type: 'Coordinate', id, ...round.definition });
        }
        const deps = encodeDeps(round.ownDeps ?? []);
        return this.#send(to, { type: 'PreAccept', id, deps, ...round.definition });
      }
      case 'Recover':
        return this.#send(to, { type: 'BeginRecovery', id, ballot, ...definition });
      case 'Invalidate':
        return this.#send(to, { type: 'AcceptInvalidate', id, ballot });
      case 'Accept':
      case 'Commit': {
        if (executeAt === undefined) return;
        const { phase: type } = round;
        const deps = encodeDeps(round.deps);
        return this.#send(to, { type, id, ballot, executeAt, deps, ...definition });
      }
    }
  }

  /** The definition goes only to members that may lack it. */
  #definitionFor(round: TransactionRound, to: number): CommandDefinition | Record<string, never> {
    const has = (round.defined & this.group.bit(to)) !== 0;
    return has ? {} : (round.definition ?? {});
  }

  #send(to: number, message: AccordMessage | Coordinate | LookAfter): void {
    this.#effects.push({ type: 'Send', to, message });
  }
}

/** The request that is sent in each phase. */
const REQUEST = {
  PreAccept: 'PreAccept',
  Recover: 'BeginRecovery',
  Accept: 'Accept',
  Invalidate: 'AcceptInvalidate',
  Commit: 'Commit',
} as const satisfies Record<Phase, string>;
