/**
 * Shell of the coordinator: collects the parts of a turn, has the batcher close transactions and
 * read barriers, feeds the pure coordinator, and keeps the clients' deadlines. Answers the parts
 * that fail; the executor answers those that are executed.
 */

import { bodyOf } from '../../storage/transaction-body.ts';
import type { Part, PartAnswer } from '../../transport/resp/connection/part.ts';
import {
  Coordinator,
  type CoordinatorLimits,
  type Path,
} from '../accord/coordinate/coordinator.ts';
import { type BareOk, type BareOks, countedBefore } from '../accord/messages/bare-ok.ts';
import type { AccordMessage, BeginRead } from '../accord/messages/messages.ts';
import {
  type ClockVerdict,
  type ClusterTime,
  complaintOf,
} from '../accord/primitives/cluster-time.ts';
import type { HybridClock } from '../accord/primitives/hybrid-clock.ts';
import { encodeParticipants } from '../accord/primitives/participants.ts';
import { keyOf, type TxnId } from '../accord/primitives/timestamp.ts';
import type { Group } from '../accord/topology/group.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import type { Outlet } from '../runtime/cells/outlet.ts';
import { Batcher, type BatchLimits, type Pending } from './batcher.ts';
import { INDETERMINATE, REFUSED } from './client-errors.ts';
import {
  EXPIRE_EVERY_MS,
  EXPIRE_GRACE_MS,
  EXPIRE_PAUSE_MS,
  ExpiryRounds,
  OWN_CONNECTION,
} from './expiry.ts';
import type { CoordinatorActorMessage, ExecutorMessage, ReadDone } from './messages.ts';
import type { Outbox } from './outbox.ts';

interface CoordinatorOptions {
  readonly self: number;
  readonly group: Group;
  readonly clock: HybridClock;
  readonly time: ClusterTime;
  readonly limits: Partial<CoordinatorLimits>;
  readonly batch: Partial<BatchLimits>;
  readonly commandTimeoutMs: number;
  readonly tickMs: number;
  readonly outbox: Outbox;
  /** Peers whose links are up as this actor begins. */
  readonly connected: () => ReadonlySet<number>;
  readonly executor: ActorRef<ExecutorMessage>;
  /** Whom the parts come from. It outlives this actor, whose end is answered too. */
  readonly clients: Outlet<PartAnswer>;
  /** Replies that are counted elsewhere; absent where all replies come as messages. */
  readonly bareOks?: BareOks;
  readonly observe: CoordinatorObserver;
}

export interface CoordinatorObserver {
  /** A fresh incarnation, for observers that check its decisions. */
  coordinatorBegins?(coordinator: Coordinator): void;
  decided(path: Path): void;
  batch(kind: 'transaction' | 'read', commands: number, bytes: number): void;
  units(kind: 'transaction' | 'read', commands: number, latencyMs: number): void;
  /** Reads of several slots that their barrier did not cover, by what they become now. */
  readsRepeated(as: 'barrier' | 'transaction', units: number): void;
  /** What is said of this node's clock is something else than before. */
  clockJudged?(verdict: ClockVerdict): void;
}

type FromProtocol = Extract<
  CoordinatorActorMessage,
  { readonly type: 'Protocol' | 'Quorum' | 'Refused' | 'Recover' | 'PeerUp' | 'PeerDown' }
>;

type FromExecutor = Extract<CoordinatorActorMessage, { readonly type: 'Executed' | 'ReadsDone' }>;

type OfExpiry = Extract<
  CoordinatorActorMessage,
  { readonly type: 'LookForExpired' | 'Expired' | PartAnswer['type'] }
>;

interface Awaiting {
  readonly pendings: readonly Pending[];
  readonly deadlineMs: number;
}

export function coordinatorActor(
  context: ActorContext<CoordinatorActorMessage>,
  options: CoordinatorOptions,
): Behavior<CoordinatorActorMessage> {
  return new CoordinatorShell(context, options);
}

class CoordinatorShell implements Behavior<CoordinatorActorMessage> {
  readonly #context: ActorContext<CoordinatorActorMessage>;
  readonly #options: CoordinatorOptions;
  readonly #executor: Outlet<ExecutorMessage>;
  readonly #coordinator: Coordinator;
  readonly #batcher: Batcher;
  /** By transaction key and by read token: clients that wait for an execution. */
  readonly #transactions = new Map<string, Awaiting>();
  readonly #reads = new Map<number, Awaiting>();
  /**
   * Never a token of an earlier incarnation, whose barriers may still be answered. Drawn, since no
   * read may have to wait for the disk that a timestamp waits for.
   */
  #lastToken: number;
  /** Nodes whose plain replies are counted below the actors. */
  #expected: number;
  #judged: ClockVerdict['type'] = 'unknown';
  #barriers = 0;
  #begins: BeginRead[] = [];
  #diskFull = false;
  #backlog = false;
  #draining = false;
  readonly #expiry: ExpiryRounds;
  #drained: ActorRef<{ readonly type: 'Drained' }> | undefined;

  constructor(context: ActorContext<CoordinatorActorMessage>, options: CoordinatorOptions) {
    const { self, group, clock, limits, bareOks, observe } = options;
    this.#context = context;
    this.#options = options;
    this.#executor = context.outlet(options.executor);
    this.#coordinator = new Coordinator({ self, group, clock, limits });
    this.#expected = this.#coordinator.expected;
    this.#batcher = new Batcher(options.batch);
    this.#lastToken = Math.floor(context.rng.next() * 2 ** 52);
    this.#expiry = new ExpiryRounds(group.id, 2 * options.commandTimeoutMs);
    observe.coordinatorBegins?.(this.#coordinator);
    bareOks?.expect(this.#expected);
    // Every peer is down until its link says otherwise.
    for (const node of group.members) {
      const reachable = node === self || options.connected().has(node);
      if (!reachable) this.#coordinator.peerDown(node, this.#nowMs);
    }
    this.#executor.send({ type: 'ForgetAll' });
    context.timers.startPeriodic('tick', options.tickMs, { type: 'Tick' });
    context.timers.startPeriodic('expiry', EXPIRE_EVERY_MS, { type: 'LookForExpired' });
  }

  receive(message: CoordinatorActorMessage): void {
    switch (message.type) {
      case 'Part':
        return this.#receivePart(message.part);
      case 'Protocol':
      case 'Quorum':
      case 'Refused':
      case 'Recover':
      case 'PeerUp':
      case 'PeerDown':
        return this.#receiveProtocol(message);
      case 'Executed':
      case 'ReadsDone':
        return this.#receiveExecuted(message);
      case 'LookForExpired':
      case 'Expired':
      case 'PartReplies':
      case 'PartFailed':
      case 'RepliesLost':
        return this.#receiveExpiry(message);
      case 'Drain':
        this.#draining = true;
        this.#drained = message.replyTo;
        return;
      case 'Backlog':
        this.#backlog = message.full;
        return;
      case 'DiskFull':
        this.#diskFull = message.full;
        return;
      case 'Tick':
        this.#tick();
        return this.#perform();
    }
  }

  turnEnd(): void {
    this.#expect();
    this.#closeBatches();
    const idle = this.#batcher.waiting + this.#transactions.size + this.#reads.size === 0;
    if (!idle || this.#drained === undefined) return;
    // The asker has given up if this is refused.
    tellOrDrop(this.#drained, { type: 'Drained' });
    this.#drained = undefined;
  }

  stopped(): void {
    // The supervisor also stops this actor in order when one before it is restarted.
    if (this.#draining) this.#failAll(REFUSED.stopping, INDETERMINATE.stopping);
    else this.#failAll(REFUSED.restarted, INDETERMINATE.restarted);
  }

  describe(): unknown {
    return {
      underWay: this.#coordinator.underWay,
      recoveries: this.#coordinator.recoveries,
      waiting: this.#batcher.waiting,
      transactions: this.#transactions.size,
      reads: this.#reads.size,
      quorumReachable: this.#coordinator.quorumReachable,
      kept: this.#executor.kept,
    };
  }

  get #nowMs(): number {
    return this.#context.clock.monotonicMs();
  }

  #receiveProtocol(message: FromProtocol): void {
    const coordinator = this.#coordinator;
    switch (message.type) {
      case 'Protocol':
        this.#counted(message.from, message.message);
        coordinator.handle(message.from, message.message, this.#nowMs);
        return this.#perform();
      case 'Quorum':
        this.#quorum(message.answers);
        return this.#perform();
      case 'Refused':
        return this.#refused(message.id);
      case 'Recover':
        coordinator.recover(message.id, message.definition, this.#nowMs);
        return this.#perform();
      case 'PeerUp':
        return coordinator.peerUp(message.peer);
      case 'PeerDown':
        // A count for a quorum that this peer was part of may never be reached.
        this.#answered(this.#options.bareOks?.leaveAll() ?? []);
        coordinator.peerDown(message.peer, this.#nowMs);
        return this.#perform();
    }
  }

  #receiveExecuted(message: FromExecutor): void {
    switch (message.type) {
      case 'Executed':
        return this.#executed(message.keys);
      case 'ReadsDone':
        return this.#readsDone(message.reads);
    }
  }

  #receiveExpiry(message: OfExpiry): void {
    switch (message.type) {
      case 'LookForExpired':
        return this.#lookForExpired();
      case 'Expired':
        return this.#expired(message.keys, message.backlog);
      case 'PartReplies':
      case 'PartFailed':
      case 'RepliesLost':
        return this.#expiryEnded(message);
    }
  }

  #receivePart(part: Part): void {
    const nowMs = this.#nowMs;
    const deadlineMs = nowMs + this.#options.commandTimeoutMs;
    const pending = { part, receivedMs: nowMs, deadlineMs, tries: 0 };
    const refusal = this.#refusalOf(part);
    if (refusal !== undefined) return this.#fail(pending, refusal);
    if (!this.#batcher.add(pending)) this.#fail(pending, REFUSED.busy);
  }

  #refusalOf(part: Part): string | undefined {
    if (this.#draining) return REFUSED.stopping;
    if (this.#backlog && !part.readOnly) return REFUSED.backlog;
    if (this.#diskFull && !part.readOnly) return REFUSED.diskFull;
    if (!this.#batcher.fits(part)) return REFUSED.tooLarge;
    return part.readOnly ? undefined : this.#wrongClock();
  }

  /** The first answer counts: the executor may have given one meanwhile. */
  #fail({ part: { unit, part } }: Pending, line: string): void {
    const answer: PartAnswer = { type: 'PartFailed', unit, part, line };
    // This incarnation needs no answer when it ends.
    if (unit.connection === OWN_CONNECTION) tellOrDrop(this.#context.thisIncarnation, answer);
    else this.#options.clients.send(answer);
  }

  /** Why this node begins no transaction: its clock is known to be wrong. */
  #wrongClock(): string | undefined {
    const { verdict } = this.#options.time;
    if (verdict.type !== 'wrong') return undefined;
    return REFUSED.clock(complaintOf(verdict) ?? '');
  }

  /** The leader of the members that may write removes keys; doing it twice does no harm. */
  #lookForExpired(): void {
    if (this.#diskFull || this.#backlog || this.#draining) return;
    if (this.#expiry.isUnderWay(this.#nowMs)) return;
    const mayWrite = (node: number): boolean =>
      this.#options.connected().has(node) && !this.#options.time.isWrong(node);
    const pastMs =
      this.#options.group.leadRank(this.#options.self, mayWrite) === 0 ? 0 : EXPIRE_GRACE_MS;
    // The next look comes anyway.
    tellOrDrop(this.#options.executor, { type: 'FindExpired', pastMs });
  }

  #expired(keys: readonly string[], more: boolean): void {
    const nowMs = this.#nowMs;
    if (this.#expiry.isUnderWay(nowMs)) return;
    this.#receivePart(this.#expiry.begin(keys, more, nowMs));
  }

  #expiryEnded(answer: PartAnswer): void {
    if (!this.#expiry.ended(answer, this.#nowMs)) return;
    this.#context.timers.start('expiry soon', EXPIRE_PAUSE_MS, { type: 'LookForExpired' });
  }

  /**
   * Neighbours that lag: what is begun now would only wait in memory, while in the batcher it can
   * still be refused for certain. A later turn, at the latest that of the tick, looks again.
   */
  #congested(): boolean {
    return this.#executor.kept + this.#options.outbox.kept > 0;
  }

  /** One transaction, and one barrier, for all that waits. */
  #closeBatches(): void {
    // Without a majority nothing is begun: what waits can still be refused for certain.
    if (this.#coordinator.quorumReachable && this.#options.clock.begun) {
      if (this.#options.time.verdict.type === 'right') this.#beginTransactions();
      this.#beginReads();
    }
    this.#perform();
  }

  #beginTransactions(): void {
    const nowMs = this.#nowMs;
    while (!this.#congested()) {
      const batch = this.#batcher.nextTransaction(this.#coordinator.underWay);
      if (batch === undefined) break;
      const parts = batch.pendings.map((pending) => pending.part);
      const body = bodyOf(parts.map((part) => part.bytes));
      const id = this.#coordinator.coordinate(batch.participants, body, nowMs);
      const key = keyOf(id);
      this.#transactions.set(key, {
        pendings: batch.pendings,
        deadlineMs: earliest(batch.pendings),
      });
      this.#executor.send({ type: 'Expect', key, parts });
      this.#options.observe.batch('transaction', batch.commands, body.length);
    }
  }

  #beginReads(): void {
    while (!this.#congested()) {
      const batch = this.#batcher.nextRead(this.#barriers);
      if (batch === undefined) break;
      const parts = batch.pendings.map((pending) => pending.part);
      this.#lastToken += 1;
      this.#barriers += 1;
      this.#reads.set(this.#lastToken, {
        pendings: batch.pendings,
        deadlineMs: earliest(batch.pendings),
      });
      this.#executor.send({ type: 'ExpectRead', token: this.#lastToken, parts });
      const slots = encodeParticipants(batch.participants);
      this.#begins.push({ type: 'BeginRead', token: this.#lastToken, slots });
      this.#options.observe.batch('read', batch.commands, 0);
    }
  }

  #answered(answers: readonly BareOk[]): void {
    for (const answer of answers) this.#coordinator.answeredBarely(answer, this.#nowMs);
  }

  /** A count that has not sufficed (our own vote is missing, say) ends: all that follows counts. */
  #quorum(answers: readonly BareOk[]): void {
    for (const answer of answers) {
      if (!this.#coordinator.answeredBarely(answer, this.#nowMs)) continue;
      const more = this.#options.bareOks?.leave(keyOf(answer.id));
      if (more !== undefined) this.#coordinator.answeredBarely(more, this.#nowMs);
    }
  }

  /** Stops counting below the actors when a smaller quorum may now decide. */
  #expect(): void {
    const { bareOks } = this.#options;
    if (bareOks === undefined || this.#coordinator.expected === this.#expected) return;
    const fewer = (this.#expected & ~this.#coordinator.expected) !== 0;
    this.#expected = this.#coordinator.expected;
    bareOks.expect(this.#expected);
    if (!fewer) return;
    this.#answered(bareOks.leaveAll());
    this.#perform();
  }

  /** What was counted comes before what is decided by this reply. */
  #counted(from: number, message: AccordMessage): void {
    const { bareOks } = this.#options;
    if (bareOks === undefined) return;
    const answer = countedBefore(bareOks, this.#options.self, from, message);
    if (answer !== undefined) this.#coordinator.answeredBarely(answer, this.#nowMs);
  }

  /** Waits until the executor knows the clients: it could not answer what is executed before. */
  #perform(): void {
    if (this.#executor.kept > 0) return;
    const { group, outbox, self } = this.#options;
    for (const begin of this.#begins) outbox.send(group.id, self, begin);
    this.#begins = [];
    for (const effect of this.#coordinator.takeEffects()) {
      switch (effect.type) {
        case 'Send':
          outbox.send(group.id, effect.to, effect.message);
          break;
        case 'Decided':
          this.#options.observe.decided(effect.path);
          this.#context.trace(keyOf(effect.id), effect.path);
          break;
        case 'Concluded':
          this.#context.trace(keyOf(effect.id), `recovery: ${effect.conclusion}`);
          break;
      }
    }
  }

  #executed(keys: readonly string[]): void {
    const nowMs = this.#nowMs;
    for (const key of keys) {
      const done = this.#transactions.get(key)?.pendings ?? [];
      for (const pending of done) this.#report('transaction', pending, nowMs);
      this.#transactions.delete(key);
    }
  }

  #readsDone(done: readonly ReadDone[]): void {
    const uncovered: Pending[] = [];
    for (const read of done) {
      const awaiting = this.#reads.get(read.token);
      if (awaiting === undefined) continue;
      this.#reads.delete(read.token);
      this.#barriers -= 1;
      this.#readDone(awaiting.pendings, read, uncovered);
    }
    if (uncovered.length > 0) this.#readAgain(uncovered);
  }

  #readDone(pendings: readonly Pending[], read: ReadDone, uncovered: Pending[]): void {
    const nowMs = this.#nowMs;
    // Both lists ascend.
    let nextExpired = 0;
    let nextUncovered = 0;
    for (const [index, pending] of pendings.entries()) {
      // It goes on as another read or as a transaction, and is counted there.
      if (read.expired[nextExpired] === index) {
        nextExpired += 1;
        this.#batcher.addToTransactions(pending);
      } else if (read.uncovered[nextUncovered] === index) {
        nextUncovered += 1;
        uncovered.push(pending);
      } else {
        this.#report('read', pending, nowMs);
      }
    }
  }

  #readAgain(pendings: readonly Pending[]): void {
    const mayWrite = !this.#diskFull && !this.#backlog && this.#wrongClock() === undefined;
    const transactions = this.#batcher.readAgain(pendings, mayWrite);
    this.#options.observe.readsRepeated('barrier', pendings.length - transactions);
    this.#options.observe.readsRepeated('transaction', transactions);
  }

  #report(kind: 'transaction' | 'read', { part, receivedMs }: Pending, nowMs: number): void {
    this.#options.observe.units(kind, part.count, nowMs - receivedMs);
  }

  #refused(id: TxnId): void {
    const key = keyOf(id);
    for (const pending of this.#transactions.get(key)?.pendings ?? [])
      this.#fail(pending, REFUSED.invalidated);
    if (this.#transactions.delete(key)) this.#executor.send({ type: 'Forget', key });
  }

  #tick(): void {
    const nowMs = this.#nowMs;
    this.#answered(this.#options.bareOks?.takeAll(nowMs - this.#coordinator.patienceMs) ?? []);
    this.#coordinator.tick(nowMs);
    this.#judgeClock();
    const late = this.#batcher.drop((pending) => pending.deadlineMs > nowMs);
    for (const pending of late) this.#fail(pending, this.#whyLate());
    for (const [key, { pendings, deadlineMs }] of this.#transactions) {
      if (deadlineMs > nowMs) continue;
      for (const pending of pendings) this.#fail(pending, INDETERMINATE.timeout);
      this.#transactions.delete(key);
      this.#executor.send({ type: 'Forget', key });
    }
    for (const [token, { pendings, deadlineMs }] of this.#reads) {
      if (deadlineMs > nowMs) continue;
      for (const pending of pendings) this.#fail(pending, REFUSED.read);
      this.#reads.delete(token);
      this.#barriers -= 1;
      this.#executor.send({ type: 'ForgetRead', token });
    }
  }

  #whyLate(): string {
    if (!this.#coordinator.quorumReachable) return REFUSED.quorum;
    const complaint = complaintOf(this.#options.time.verdict);
    return complaint === undefined ? REFUSED.timeout : REFUSED.clock(complaint);
  }

  /** Transactions that wait for their turn, also former reads, are refused by a wrong clock. */
  #judgeClock(): void {
    const { verdict } = this.#options.time;
    if (verdict.type !== this.#judged) this.#options.observe.clockJudged?.(verdict);
    this.#judged = verdict.type;
    const refusal = this.#wrongClock();
    if (refusal === undefined) return;
    for (const pending of this.#batcher.dropTransactions()) this.#fail(pending, refusal);
  }

  #failAll(waiting: string, underWay: string): void {
    for (const pending of this.#batcher.drop(() => false)) this.#fail(pending, waiting);
    for (const { pendings } of this.#transactions.values()) {
      for (const pending of pendings) this.#fail(pending, underWay);
    }
    for (const { pendings } of this.#reads.values())
      for (const pending of pendings) this.#fail(pending, waiting);
  }
}

function earliest(pendings: readonly Pending[]): number {
  return pendings.reduce((least, { deadlineMs }) => Math.min(least, deadlineMs), Infinity);
}
