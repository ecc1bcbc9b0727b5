/**
 * Shell of the coordinator: collects the units of a turn, has the batcher close transactions and
 * read barriers, feeds the pure coordinator, and keeps the clients' deadlines.
 */

import { bodyOf } from '../../storage/transaction-body.ts';
import type { CommandUnit } from '../../transport/resp/connection/command-unit.ts';
import { Batcher, type BatchLimits } from '../accord/coordinate/batcher.ts';
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
import {
  EXPIRE_EVERY_MS,
  EXPIRE_GRACE_MS,
  EXPIRE_PAUSE_MS,
  EXPIRE_RETRY_MS,
  EXPIRE_RETRY_MS_MAX,
  type ExpiryOutcome,
  expiryUnit,
} from './expiry.ts';
import type { CoordinatorActorMessage, ExecutorMessage } from './messages.ts';
import type { Outbox } from './outbox.ts';
import { INDETERMINATE, PendingUnit, REFUSED } from './pending-unit.ts';

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

type FromExecutor = Extract<
  CoordinatorActorMessage,
  { readonly type: 'Executed' | 'ReadsDone' | 'Retry' | 'ReadAgain' }
>;

type OfExpiry = Extract<
  CoordinatorActorMessage,
  { readonly type: 'LookForExpired' | 'Expired' | 'ExpiryEnded' }
>;

interface Awaiting {
  readonly units: readonly PendingUnit[];
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
  readonly #batcher: Batcher<PendingUnit>;
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
  /** A removal of expired keys is under way, and over by then at the latest; 0: none is. */
  #expiringUntilMs = 0;
  #expiryFailures = 0;
  #drained: ActorRef<{ readonly type: 'Drained' }> | undefined;

  constructor(context: ActorContext<CoordinatorActorMessage>, options: CoordinatorOptions) {
    const { self, group, clock, limits, bareOks, observe } = options;
    this.#context = context;
    this.#options = options;
    this.#executor = context.outlet(options.executor);
    this.#coordinator = new Coordinator({ self, group, clock, limits });
    this.#expected = this.#coordinator.expected;
    this.#batcher = new Batcher<PendingUnit>(options.batch);
    this.#lastToken = Math.floor(context.rng.next() * 2 ** 52);
    observe.coordinatorBegins?.(this.#coordinator);
    bareOks?.expect(this.#expected);
    // Every peer is down until its link says otherwise.
    for (const node of group.members) {
      const reachable = node === self || options.connected().has(node);
      if (!reachable) this.#coordinator.peerDown(node, this.#nowMs);
    }
    context.timers.startPeriodic('tick', options.tickMs, { type: 'Tick' });
    context.timers.startPeriodic('expiry', EXPIRE_EVERY_MS, { type: 'LookForExpired' });
  }

  receive(message: CoordinatorActorMessage): void {
    switch (message.type) {
      case 'Unit':
        return this.#unit(message.unit);
      case 'Protocol':
      case 'Quorum':
      case 'Refused':
      case 'Recover':
      case 'PeerUp':
      case 'PeerDown':
        return this.#receiveProtocol(message);
      case 'Executed':
      case 'ReadsDone':
      case 'Retry':
      case 'ReadAgain':
        return this.#receiveExecuted(message);
      case 'LookForExpired':
      case 'Expired':
      case 'ExpiryEnded':
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
        return this.#readsDone(message.tokens);
      case 'Retry':
        for (const pending of message.units) this.#batcher.addToTransactions(pending);
        return;
      case 'ReadAgain':
        return this.#readAgain(message.units);
    }
  }

  #receiveExpiry(message: OfExpiry): void {
    switch (message.type) {
      case 'LookForExpired':
        return this.#lookForExpired();
      case 'Expired':
        return this.#expired(message.keys, message.backlog);
      case 'ExpiryEnded':
        return this.#expiryEnded(message.outcome, message.more);
    }
  }

  #unit(unit: CommandUnit): void {
    const nowMs = this.#nowMs;
    const pending = new PendingUnit(unit, nowMs, nowMs + this.#options.commandTimeoutMs);
    if (this.#draining) return pending.fail(REFUSED.stopping);
    if (this.#backlog && !pending.readOnly) return pending.fail(REFUSED.backlog);
    if (this.#diskFull && !pending.readOnly) return pending.fail(REFUSED.diskFull);
    if (!this.#batcher.fits(pending)) return pending.fail(REFUSED.tooLarge);
    const refusal = pending.readOnly ? undefined : this.#wrongClock();
    if (refusal !== undefined) return pending.fail(refusal);
    if (!this.#batcher.add(pending)) pending.fail(REFUSED.busy);
  }

  /** Why this node begins no transaction: its clock is known to be wrong. */
  #wrongClock(): string | undefined {
    const { verdict } = this.#options.time;
    if (verdict.type !== 'wrong') return undefined;
    return REFUSED.clock(complaintOf(verdict) ?? '');
  }

  /** The leader of the members that may write removes keys; doing it twice does no harm. */
  #lookForExpired(): void {
    if (this.#expiringUntilMs > this.#nowMs || this.#diskFull || this.#backlog || this.#draining)
      return;
    const mayWrite = (node: number): boolean =>
      this.#options.connected().has(node) && !this.#options.time.isWrong(node);
    const pastMs =
      this.#options.group.leadRank(this.#options.self, mayWrite) === 0 ? 0 : EXPIRE_GRACE_MS;
    // The next look comes anyway.
    tellOrDrop(this.#options.executor, { type: 'FindExpired', pastMs });
  }

  /** One removal at a time: the pace is what the cluster can bear, with a pause for its clients. */
  #expired(keys: readonly string[], more: boolean): void {
    const nowMs = this.#nowMs;
    if (this.#expiringUntilMs > nowMs) return;
    this.#expiringUntilMs = nowMs + 2 * this.#options.commandTimeoutMs;
    const ended = (outcome: ExpiryOutcome): void => {
      // Were it lost, the removal would count as over a little later.
      tellOrDrop(this.#context.thisIncarnation, { type: 'ExpiryEnded', outcome, more });
    };
    this.#unit(expiryUnit(keys, ended));
  }

  #expiryEnded(outcome: ExpiryOutcome, more: boolean): void {
    if (outcome === 'failed') {
      const pauseMs = Math.min(EXPIRE_RETRY_MS_MAX, EXPIRE_RETRY_MS * 2 ** this.#expiryFailures);
      this.#expiryFailures += 1;
      this.#expiringUntilMs = this.#nowMs + pauseMs;
      return;
    }
    this.#expiryFailures = 0;
    this.#expiringUntilMs = 0;
    if (outcome === 'removed' && more)
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
      const body = bodyOf(batch.works.map((pending) => pending.bytes));
      const id = this.#coordinator.coordinate(batch.participants, body, nowMs);
      const key = keyOf(id);
      this.#transactions.set(key, { units: batch.works, deadlineMs: earliest(batch.works) });
      this.#executor.send({ type: 'Expect', key, units: batch.works });
      this.#options.observe.batch('transaction', batch.commands, body.length);
    }
  }

  #beginReads(): void {
    while (!this.#congested()) {
      const batch = this.#batcher.nextRead(this.#barriers);
      if (batch === undefined) break;
      this.#lastToken += 1;
      this.#barriers += 1;
      this.#reads.set(this.#lastToken, { units: batch.works, deadlineMs: earliest(batch.works) });
      this.#executor.send({ type: 'ExpectRead', token: this.#lastToken, units: batch.works });
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
      this.#report('transaction', this.#transactions.get(key), nowMs);
      this.#transactions.delete(key);
    }
  }

  #readsDone(tokens: readonly number[]): void {
    const nowMs = this.#nowMs;
    for (const token of tokens) {
      if (!this.#reads.has(token)) continue;
      this.#report('read', this.#reads.get(token), nowMs);
      this.#reads.delete(token);
      this.#barriers -= 1;
    }
  }

  #readAgain(units: readonly PendingUnit[]): void {
    const mayWrite = !this.#diskFull && !this.#backlog && this.#wrongClock() === undefined;
    const transactions = this.#batcher.readAgain(units, mayWrite);
    this.#options.observe.readsRepeated('barrier', units.length - transactions);
    this.#options.observe.readsRepeated('transaction', transactions);
  }

  #report(kind: 'transaction' | 'read', done: Awaiting | undefined, nowMs: number): void {
    for (const pending of done?.units ?? []) {
      // It goes on as another read or as a transaction, and is counted there.
      if (pending.open) continue;
      this.#options.observe.units(kind, pending.count, nowMs - pending.receivedMs);
    }
  }

  #refused(id: TxnId): void {
    const key = keyOf(id);
    for (const pending of this.#transactions.get(key)?.units ?? [])
      pending.fail(REFUSED.invalidated);
    if (this.#transactions.delete(key)) this.#executor.send({ type: 'Forget', key });
  }

  #tick(): void {
    const nowMs = this.#nowMs;
    this.#answered(this.#options.bareOks?.takeAll(nowMs - this.#coordinator.patienceMs) ?? []);
    this.#coordinator.tick(nowMs);
    this.#judgeClock();
    const late = this.#batcher.drop((pending) => pending.deadlineMs > nowMs);
    for (const pending of late) pending.fail(this.#whyLate());
    for (const [key, { units, deadlineMs }] of this.#transactions) {
      if (deadlineMs > nowMs) continue;
      for (const pending of units) pending.fail(INDETERMINATE.timeout);
      this.#transactions.delete(key);
      this.#executor.send({ type: 'Forget', key });
    }
    for (const [token, { units, deadlineMs }] of this.#reads) {
      if (deadlineMs > nowMs) continue;
      for (const pending of units) pending.fail(REFUSED.read);
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
    for (const pending of this.#batcher.dropTransactions()) pending.fail(refusal);
  }

  #failAll(waiting: string, underWay: string): void {
    for (const pending of this.#batcher.drop(() => false)) pending.fail(waiting);
    for (const { units } of this.#transactions.values()) {
      for (const pending of units) pending.fail(underWay);
    }
    for (const { units } of this.#reads.values())
      for (const pending of units) pending.fail(waiting);
  }
}

function earliest(units: readonly PendingUnit[]): number {
  return units.reduce((least, { deadlineMs }) => Math.min(least, deadlineMs), Infinity);
}
