/**
 * Coordinates transactions over several groups: this store's own at ballot 0, and abandoned ones at
 * higher ballots (accord.md §2.4, §2.10, §2.11). One time for all groups: fast needs the fast
 * quorum of every group, slow and commit a quorum of each, an invalidation that of one. When it is
 * decided, one replica of each group tells what the transaction reads there, and all are told that:
 * so each knows the effect. Volatile, pure.
 */
import type {
  AcceptInvalidateOk,
  AcceptOk,
  AccordMessage,
  ApplyOk,
  CommandDefinition,
  CommitOk,
  LookAfter,
  Nack,
  PreAcceptOk,
  ReadOk,
  RecoverOk,
} from '../messages/messages.ts';
import { population } from '../primitives/bit-set.ts';
import { decodeDeps, encodeDeps, union } from '../primitives/deps.ts';
import type { HybridClock } from '../primitives/hybrid-clock.ts';
import { encodeParticipants } from '../primitives/participants.ts';
import {
  countedBytes,
  decodeSpanningBody,
  encodeReads,
  encodeSpanningBody,
  type SpanningPart,
} from '../primitives/spanning-body.ts';
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
import { type GroupId, GroupMap } from '../topology/group-id.ts';
import type { CoordinatorLimits, Path } from './coordinator.ts';
import { concludeSpanning, type SpanningConclusion } from './spanning-recovery.ts';
import { RoundPart, type SpanningPhase, SpanningRound } from './spanning-round.ts';

export type SpanningEffect =
  | {
      readonly type: 'Send';
      readonly group: GroupId;
      readonly to: number;
      readonly message: AccordMessage | LookAfter;
    }
  | { readonly type: 'Decided'; readonly id: TxnId; readonly path: Path; readonly own: boolean }
  | {
      readonly type: 'Concluded';
      readonly id: TxnId;
      readonly conclusion: SpanningConclusion['type'];
    };

/** Repetitions of Apply; then the replicas that hold it see to the rest. */
const APPLY_RESENDS_MAX = 4;
const NOTHING_GONE: ReadonlySet<number> = new Set();

export class SpanningCoordinator {
  readonly self: number;
  readonly #clock: HybridClock;
  readonly #limits: CoordinatorLimits;
  readonly #readBytesMax: number;
  /** All groups of the cluster that are known here. */
  readonly #groups: GroupMap<Group>;
  readonly #rounds = new Map<string, SpanningRound>();
  #effects: SpanningEffect[] = [];
  /** Nodes that cannot be expected to vote now. Only ever makes it choose the slow path. */
  readonly #down = new Set<number>();
  #fastMs = 0;
  #underWay = 0;
  #nowMs = 0;

  constructor(options: {
    readonly self: number;
    readonly groups: readonly Group[];
    readonly clock: HybridClock;
    readonly limits: CoordinatorLimits;
    /** Of the entries that a transaction reads in all groups; the same on every node. */
    readonly readBytesMax: number;
  }) {
    this.self = options.self;
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#readBytesMax = options.readBytesMax;
    this.#groups = new GroupMap(options.groups.map((group) => [group.id, group]));
  }

  /** A group that is known from now on. */
  add(group: Group): void {
    this.#groups.set(group.id, group);
  }

  /** Own transactions that are not decided yet. */
  get underWay(): number {
    return this.#underWay;
  }

  get recoveries(): number {
    let recoveries = 0;
    for (const { ballot } of this.#rounds.values()) if (!equal(ballot, ZERO)) recoveries += 1;
    return recoveries;
  }

  get isIdle(): boolean {
    return this.#rounds.size === 0;
  }

  takeEffects(): SpanningEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** A quorum of each of these groups is connected. */
  isReachable(groups: readonly GroupId[]): boolean {
    return groups.every((id) => {
      const group = this.#groups.get(id);
      if (group === undefined) return false;
      const up = group.members.filter((member) => !this.#down.has(member));
      return up.length >= group.quorums.slow;
    });
  }

  peerUp(peer: number): void {
    this.#down.delete(peer);
  }

  peerDown(peer: number, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#down.add(peer);
    for (const round of [...this.#rounds.values()]) {
      if (round.phase === 'PreAccept') this.#decideVotes(round);
    }
  }

  /** Begins a transaction of this node. */
  coordinate(parts: readonly SpanningPart[], commands: Uint8Array, nowMs: number): TxnId {
    this.#nowMs = nowMs;
    const id = this.#clock.uniqueNow(undefined, Flags.WRITE | Flags.SPANNING);
    const body = encodeSpanningBody(parts, commands);
    const its = this.#partsOf(parts);
    if (its === undefined) throw new TypeError('coordinator: a group that is not known');
    const round = this.#begin(id, ZERO, 'PreAccept', its, body, NOTHING_GONE);
    this.#underWay += 1;
    this.#ask(round);
    return id;
  }

  /** Finds out what became of a transaction that this group knows, and brings it to an end. */
  recover(
    group: GroupId,
    id: TxnId,
    definition: Partial<CommandDefinition> | undefined,
    nowMs: number,
  ): void {
    this.#nowMs = nowMs;
    const round = this.#rounds.get(keyOf(id));
    // Another of its groups has asked for the same just now.
    const isFresh = round !== undefined && nowMs - round.startedMs < this.#limits.resendMs;
    if (isFresh && !equal(round.ballot, ZERO)) return;
    const isFull = this.recoveries >= this.#limits.recoveriesMax;
    if (round === undefined && isFull && !this.#givesWay(id)) return;
    const body = definition?.body ?? round?.body;
    this.#recover(group, id, body, NOTHING_GONE);
  }

  /**
   * A recovery that waits until its transaction is read waits for all before it: the last of them
   * is given up for one of these, and asked for again. `false`: there is none.
   */
  #givesWay(id: TxnId): boolean {
    let last: SpanningRound | undefined;
    for (const round of this.#rounds.values()) {
      const { phase, ballot, executeAt = ZERO } = round;
      if (phase !== 'Read' || equal(ballot, ZERO)) continue;
      if (compare(executeAt, last?.executeAt ?? id) > 0) last = round;
    }
    if (last !== undefined) this.#end(last);
    return last !== undefined;
  }

  #recover(
    group: GroupId,
    id: TxnId,
    body: Uint8Array | undefined,
    gone: ReadonlySet<number>,
  ): void {
    const before = this.#rounds.get(keyOf(id));
    if (before !== undefined) this.#end(before);
    const known = this.#groups.get(group);
    if (known === undefined) return;
    const parts =
      body === undefined
        ? [new RoundPart(known, undefined)]
        : this.#partsOf(decodeSpanningBody(body).parts);
    if (parts === undefined) return;
    const round = this.#begin(id, this.#clock.uniqueNow(), 'Recover', parts, body, gone);
    for (const part of round.parts) part.isAsked = !gone.has(part.group.id.range);
    this.#ask(round);
  }

  handle(group: GroupId, from: number, message: AccordMessage, nowMs: number): void {
    this.#nowMs = nowMs;
    if (!('id' in message)) return;
    const round = this.#rounds.get(keyOf(message.id));
    const part = round?.partOf(group);
    if (round === undefined || part === undefined) return;
    const bit = part.group.bit(from);
    switch (message.type) {
      case 'PreAcceptOk':
        return this.#preAcceptOk(round, part, bit, message);
      case 'AcceptOk':
        return this.#acceptOk(round, part, bit, message);
      case 'AcceptInvalidateOk':
        return this.#acceptInvalidateOk(round, part, bit, message);
      case 'CommitOk':
        return this.#commitOk(round, part, bit, message);
      case 'ReadOk':
        return this.#readOk(round, part, message);
      case 'ApplyOk':
        return this.#applyOk(round, part, bit, message);
      case 'RecoverOk':
        return this.#recoverOk(round, part, bit, message);
      case 'Nack':
        return this.#nack(round, part, from, message);
      default:
        throw new TypeError(`coordinator: ${message.type} is not for a coordinator`);
    }
  }

  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const round of [...this.#rounds.values()]) {
      if (round.phase === 'PreAccept') this.#decideVotes(round);
      if (this.#rounds.get(round.key) !== round || nowMs < round.resendAtMs) continue;
      round.resends += 1;
      if (round.phase === 'Apply' && round.resends > APPLY_RESENDS_MAX) {
        this.#end(round);
        continue;
      }
      round.resendAtMs = nowMs + this.#limits.resendMs * 2 ** Math.min(round.resends, 4);
      for (const part of round.parts) {
        // Clocks may have been set right meanwhile.
        part.replied &= ~part.skewed;
        part.skewed = 0;
      }
      this.#ask(round);
    }
  }

  // ---- PreAccept --------------------------------------------------------------------------

  #preAcceptOk(round: SpanningRound, part: RoundPart, bit: number, message: PreAcceptOk): void {
    if (round.phase !== 'PreAccept' || !part.count(bit)) return;
    const { vote } = message;
    part.defined |= bit;
    if (!isRejected(vote) && this.#clock.isTooFar(vote)) part.skewed |= bit;
    else round.vote = round.vote === undefined ? vote : mergeMax(round.vote, vote);
    if (equal(vote, round.id) && !isRejected(vote)) part.fast |= bit;
    // PreAccept came without deps: null stands for none.
    if (message.deps !== null) part.deps = union(part.deps, decodeDeps(message.deps));
    this.#decideVotes(round);
  }

  /** Decides once: fast with a fast quorum of each group, else slow when that is out of reach. */
  #decideVotes(round: SpanningRound): void {
    const { parts } = round;
    const isTooSkewed = parts.some(
      ({ group, skewed }) => group.members.length - population(skewed) < group.quorums.slow,
    );
    if (isTooSkewed) return this.#invalidate(round);
    if (parts.every(({ group, fast }) => group.electors(fast) >= group.quorums.fast)) {
      this.#fastMs += (this.#nowMs - round.startedMs - this.#fastMs) / 16;
      return this.#stabilised(round, round.id, 'fast');
    }
    if (round.vote === undefined || !round.isAnswered) return;
    const rejected = parts.some(({ group, replied, fast }) => {
      const lost = (replied | this.#downIn(group)) & ~fast;
      return group.electors(lost) > group.quorums.fastRejectsMax;
    });
    if (!rejected && this.#nowMs < round.startedMs + this.#patienceMs()) return;
    if (isRejected(round.vote)) return this.#invalidate(round);
    this.#accept(round, round.vote, round.parts, round.parts);
  }

  /** With a quorum of each group in hand, how long the rest of the electorates is waited for. */
  #patienceMs(): number {
    const { slowPathMs, slowPathMsMax } = this.#limits;
    return Math.min(slowPathMsMax, Math.max(slowPathMs, 3 * this.#fastMs));
  }

  #downIn(group: Group): number {
    let down = 0;
    for (const node of this.#down) down |= group.bit(node);
    return down;
  }

  // ---- Accept, Commit, Stable -------------------------------------------------------------

  /** `short`: the groups that commit after that. */
  #accept(
    round: SpanningRound,
    executeAt: Timestamp,
    missing: readonly RoundPart[],
    short: readonly RoundPart[],
  ): void {
    round.executeAt = executeAt;
    round.short = short;
    this.#clock.heed(executeAt);
    if (missing.length === 0) return this.#commit(round);
    this.#enter(round, 'Accept', missing);
  }

  #acceptOk(round: SpanningRound, part: RoundPart, bit: number, message: AcceptOk): void {
    if (round.phase !== 'Accept' || !equal(message.ballot, round.ballot)) return;
    const fresh = decodeDeps(message.deps);
    const last = fresh.at(-1);
    // Only here the time is known. With deps that are not below it, no peer would take the Commit.
    if (last !== undefined && compare(last, round.executeAt ?? ZERO) >= 0) return;
    if (!part.isAsked || !part.count(bit)) return;
    part.defined |= bit;
    part.deps = union(part.deps, fresh);
    if (round.isAnswered) this.#commit(round);
  }

  #commit(round: SpanningRound): void {
    if (round.short.length > 0) return this.#enter(round, 'Commit', round.short);
    if (round.executeAt !== undefined) this.#stabilised(round, round.executeAt, 'recovered');
  }

  #commitOk(round: SpanningRound, part: RoundPart, bit: number, message: CommitOk): void {
    if (round.phase !== 'Commit' || !equal(message.ballot, round.ballot)) return;
    if (!part.isAsked || !part.count(bit) || round.executeAt === undefined) return;
    part.defined |= bit;
    if (!round.isAnswered) return;
    this.#stabilised(round, round.executeAt, equal(round.ballot, ZERO) ? 'slow' : 'recovered');
  }

  /** Decided, and what must be durable is: everybody may know, and it is read in each group. */
  #stabilised(round: SpanningRound, executeAt: Timestamp, path: Path): void {
    round.executeAt = executeAt;
    for (const part of round.live) {
      for (const to of part.group.members) this.#sendStable(round, part, to);
    }
    this.#decided(round, path);
    if (round.reads !== undefined) this.#enter(round, 'Apply', round.live);
    else this.#enter(round, 'Read', round.live);
  }

  #sendStable(round: SpanningRound, part: RoundPart, to: number): void {
    const { id, executeAt } = round;
    if (executeAt === undefined) return;
    const deps = encodeDeps(part.deps);
    const definition = round.definitionFor(part, to);
    this.#send(part, to, { type: 'Stable', id, executeAt, deps, ...definition });
  }

  #decided({ id, ballot }: SpanningRound, path: Path): void {
    if (equal(ballot, ZERO)) this.#underWay -= 1;
    this.#effects.push({ type: 'Decided', id, path, own: id.node === this.self });
  }

  // ---- Read, Apply ------------------------------------------------------------------------

  #readOk(round: SpanningRound, part: RoundPart, message: ReadOk): void {
    if (round.phase !== 'Read' || !equal(message.ballot, round.ballot)) return;
    if (message.reads !== null) round.reads = message.reads;
    else part.entries ??= message.entries ?? undefined;
    const entries = round.parts.flatMap((each) => each.entries ?? []);
    if (entries.length === round.parts.length) round.reads ??= this.#readsOf(entries);
    if (round.reads !== undefined) this.#enter(round, 'Apply', round.live);
  }

  /**
   * With too much in all, nothing is sent of any group. All coordinators must agree on that, so it
   * is not the bytes as they are sent that count.
   */
  #readsOf(entries: readonly Uint8Array[]): Uint8Array {
    const bytes = entries.reduce((sum, each) => sum + countedBytes(each), 0);
    return encodeReads(bytes > this.#readBytesMax ? entries.map(() => NO_BYTES) : entries);
  }

  #applyOk(round: SpanningRound, part: RoundPart, bit: number, message: ApplyOk): void {
    if (round.phase !== 'Apply' || !equal(message.ballot, round.ballot) || !part.count(bit)) return;
    if (round.isAnswered) this.#durable(round);
  }

  #durable(round: SpanningRound): void {
    const { id } = round;
    for (const each of round.parts) {
      for (const to of each.group.members) this.#send(each, to, { type: 'InformDurable', id });
    }
    this.#end(round);
  }

  // ---- Invalidation -----------------------------------------------------------------------

  /** A quorum of one group is enough: no quorum there can accept any more. */
  #invalidate(round: SpanningRound): void {
    const reachable = round.live.find(({ group }) => this.isReachable([group.id]));
    const part = reachable ?? round.live[0];
    if (part !== undefined) this.#enter(round, 'Invalidate', [part]);
  }

  #acceptInvalidateOk(
    round: SpanningRound,
    part: RoundPart,
    bit: number,
    message: AcceptInvalidateOk,
  ): void {
    if (round.phase !== 'Invalidate' || !equal(message.ballot, round.ballot)) return;
    if (!part.isAsked || !part.count(bit)) return;
    if (round.isAnswered) this.#invalidated(round);
  }

  #invalidated(round: SpanningRound): void {
    const { id } = round;
    for (const part of round.parts) {
      for (const to of part.group.members) this.#send(part, to, { type: 'CommitInvalidate', id });
    }
    this.#end(round);
    this.#effects.push({ type: 'Decided', id, path: 'invalidated', own: id.node === this.self });
  }

  // ---- Recovery ---------------------------------------------------------------------------

  #recoverOk(round: SpanningRound, part: RoundPart, bit: number, message: RecoverOk): void {
    if (round.phase !== 'Recover' || !equal(message.ballot, round.ballot)) return;
    if (!part.isAsked || !part.count(bit)) return;
    const { body } = message;
    // Now its other groups are known.
    if (round.body === undefined && body !== undefined) {
      return this.#recover(part.group.id, round.id, body, NOTHING_GONE);
    }
    if (body !== undefined) part.defined |= bit;
    if (message.votedFast) part.fast |= bit;
    part.recoverReplies.push(message);
    if (round.isAnswered) this.#conclude(round);
  }

  #conclude(round: SpanningRound): void {
    const conclusion = concludeSpanning(round);
    this.#effects.push({ type: 'Concluded', id: round.id, conclusion: conclusion.type });
    switch (conclusion.type) {
      case 'invalidated':
        return this.#invalidated(round);
      case 'invalidate':
        return this.#invalidate(round);
      case 'coordinate':
        return this.#accept(round, conclusion.executeAt, round.live, round.live);
      case 'commit':
      case 'stable':
        round.reads = conclusion.reads;
        return this.#accept(round, conclusion.executeAt, conclusion.missing, conclusion.short);
      case 'again': {
        const [first] = round.parts;
        if (first !== undefined) this.#recover(first.group.id, round.id, round.body, round.gone);
        return;
      }
      case 'wait':
        this.#end(round);
        for (const { group, ids } of conclusion.ids) this.#lookAfter(round, group, ids);
        return;
      case 'later':
        return this.#end(round);
    }
  }

  /** A later attempt uses a new ballot; what it waits for must not stay undecided. */
  #lookAfter({ id }: SpanningRound, group: GroupId, ids: readonly TxnId[]): void {
    const known = this.#groups.get(group);
    if (known === undefined || known.bit(this.self) === 0) return;
    const message = { type: 'LookAfter', ids: encodeDeps(union([...ids], [id])) } as const;
    this.#effects.push({ type: 'Send', group, to: this.self, message });
  }

  #nack(round: SpanningRound, part: RoundPart, from: number, message: Nack): void {
    if (!equal(message.ballot, round.ballot) || message.round !== REQUEST[round.phase]) return;
    switch (message.reason) {
      case 'insufficient':
        part.defined &= ~part.group.bit(from);
        return this.#askOne(round, part, from);
      case 'skewed':
        return this.#skewed(round, part, from);
      case 'truncated':
        return this.#truncated(round, part);
      case 'promised':
        return this.#end(round);
      case 'decided': {
        // Never continue at this ballot; ask, where the answer is for a replica of this node.
        this.#end(round);
        const isMember = part.group.bit(this.self) !== 0;
        if (isMember) this.#send(part, from, { type: 'CheckStatus', id: round.id });
        return;
      }
    }
  }

  /** It is as if it had not answered, but it need not be waited for. */
  #skewed(round: SpanningRound, part: RoundPart, from: number): void {
    const bit = part.group.bit(from);
    if (round.phase !== 'PreAccept' || !part.count(bit)) return;
    part.skewed |= bit;
    this.#decideVotes(round);
  }

  /** The group has settled it and forgotten: the others are asked anew, with that in mind. */
  #truncated(round: SpanningRound, part: RoundPart): void {
    if (round.phase !== 'Recover' || round.body === undefined) return this.#end(round);
    const gone = new Set([...round.gone, part.group.id.range]);
    const [first] = round.parts;
    if (first === undefined) return;
    // Each has forgotten it, so where it is still held it need not be, either.
    if (gone.size === round.parts.length) return this.#durable(round);
    this.#recover(first.group.id, round.id, round.body, gone);
  }

  // ---- Rounds -----------------------------------------------------------------------------

  /** Undefined where one of the groups is not known here. */
  #partsOf(parts: readonly SpanningPart[]): RoundPart[] | undefined {
    const its: RoundPart[] = [];
    for (const { group: id, participants } of parts) {
      const group = this.#groups.get(id);
      if (group === undefined) return undefined;
      its.push(new RoundPart(group, encodeParticipants(participants)));
    }
    return its;
  }

  #begin(
    id: TxnId,
    ballot: Timestamp,
    phase: SpanningPhase,
    parts: readonly RoundPart[],
    body: Uint8Array | undefined,
    gone: ReadonlySet<number>,
  ): SpanningRound {
    const { resendMs } = this.#limits;
    const nowMs = this.#nowMs;
    const round = new SpanningRound({ id, ballot, phase, parts, body, gone, nowMs, resendMs });
    this.#rounds.set(round.key, round);
    return round;
  }

  #end(round: SpanningRound): void {
    if (!this.#rounds.delete(round.key)) return;
    const isDecided = round.phase === 'Read' || round.phase === 'Apply';
    if (equal(round.ballot, ZERO) && !isDecided) this.#underWay -= 1;
  }

  #enter(round: SpanningRound, phase: SpanningPhase, asked: readonly RoundPart[]): void {
    round.enter(phase, asked, this.#nowMs, this.#limits.resendMs);
    this.#ask(round);
  }

  /** Sends the request of the present phase to all members that have not answered it. */
  #ask(round: SpanningRound): void {
    for (const part of round.parts) {
      if (!part.isAsked) continue;
      if (round.phase === 'Read') {
        this.#askRead(round, part);
        continue;
      }
      for (const to of part.group.members) {
        if ((part.replied & part.group.bit(to)) === 0) this.#askOne(round, part, to);
      }
    }
  }

  /** One member at a time, this node's own replica first. */
  #askRead(round: SpanningRound, part: RoundPart): void {
    if (part.entries !== undefined) return;
    const { members } = part.group;
    const first = Math.max(0, members.indexOf(this.self));
    const to = members[(first + part.reads) % members.length] as number;
    // The first Stable to it may be lost.
    if (part.reads > 0) this.#sendStable(round, part, to);
    part.reads += 1;
    this.#send(part, to, { type: 'Read', id: round.id, ballot: round.ballot });
  }

  #askOne(round: SpanningRound, part: RoundPart, to: number): void {
    const { id, ballot, executeAt, reads } = round;
    const definition = round.definitionFor(part, to);
    switch (round.phase) {
      case 'PreAccept': {
        if (round.body === undefined || part.slots === undefined) return;
        const { slots } = part;
        const message = { type: 'PreAccept', id, deps: NO_BYTES, slots, body: round.body } as const;
        return this.#send(part, to, message);
      }
      case 'Recover':
        return this.#send(part, to, { type: 'BeginRecovery', id, ballot, ...definition });
      case 'Invalidate':
        return this.#send(part, to, { type: 'AcceptInvalidate', id, ballot });
      case 'Accept':
      case 'Commit': {
        if (executeAt === undefined) return;
        const { phase: type } = round;
        const deps = encodeDeps(part.deps);
        return this.#send(part, to, { type, id, ballot, executeAt, deps, ...definition });
      }
      case 'Apply': {
        if (executeAt === undefined || reads === undefined) return;
        const deps = encodeDeps(part.deps);
        const fact = { type: 'Apply', id, ballot, executeAt, deps, reads } as const;
        return this.#send(part, to, { ...fact, ...definition });
      }
      case 'Read':
        return;
    }
  }

  #send({ group }: RoundPart, to: number, message: AccordMessage): void {
    this.#effects.push({ type: 'Send', group: group.id, to, message });
  }
}

const NO_BYTES = new Uint8Array(0);

/** The request that is sent in each phase. */
const REQUEST = {
  PreAccept: 'PreAccept',
  Recover: 'BeginRecovery',
  Accept: 'Accept',
  Invalidate: 'AcceptInvalidate',
  Commit: 'Commit',
  Read: 'Read',
  Apply: 'Apply',
} as const satisfies Record<SpanningPhase, string>;
