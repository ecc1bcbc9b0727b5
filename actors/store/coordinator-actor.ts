/**
 * Shell of the coordinator: collects the units of a turn, has the batcher close transactions and
 * read barriers, feeds the pure coordinator, and keeps the clients' deadlines.
 */

import { bodyOf } from '../../storage/transaction-body.ts';
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
  /** A fresh incarnation: whoever checks what it decides looks at it here. */
  coordinatorBegins?(coordinator: Coordinator): void;
  decided(path: Path): void;
  batch(kind: 'transaction' | 'read', commands: number, bytes: number): void;
  units(kind: 'transaction' | 'read', commands: number, latencyMs: number): void;
  /** Reads of several slots that their barrier did not cover, by what they become now. */
  readsRepeated(as: 'barrier' | 'transaction', units: number): void;
  /** What is said of this node's clock is something else than before. */
  clockJudged?(verdict: ClockVerdict): void;
}

interface Awaiting {
  readonly units: readonly PendingUnit[];
  readonly deadlineMs: number;
}

export function coordinatorActor(
  context: ActorContext<CoordinatorActorMessage>,
  options: CoordinatorOptions,
): Behavior<CoordinatorActorMessage> {
  const { clock: time } = context;
  const { self, group, clock, outbox, commandTimeoutMs, observe } = options;
  const executor = context.outlet(options.executor);
  const coordinator = new Coordinator({ self, group, clock, limits: options.limits });
  let expected = coordinator.expected;
  const batcher = new Batcher<PendingUnit>(options.batch);
  /** By transaction key and by read token: clients that wait for an execution. */
  const transactions = new Map<string, Awaiting>();
  const reads = new Map<number, Awaiting>();
  /**
   * Never a token of an earlier incarnation, whose barriers may still be answered. Drawn, since no
   * read may have to wait for the disk that a timestamp waits for.
   */
  let lastToken = Math.floor(context.rng.next() * 2 ** 52);
  let judged: ClockVerdict['type'] = 'unknown';
  let barriers = 0;
  let begins: BeginRead[] = [];
  let diskFull = false;
  let backlog = false;
  let draining = false;
  /** A removal of expired keys is under way, and over by then at the latest; 0: none is. */
  let expiringUntilMs = 0;
  let expiryFailures = 0;
  let drained: ActorRef<{ readonly type: 'Drained' }> | undefined;

  observe.coordinatorBegins?.(coordinator);
  options.bareOks?.expect(expected);
  // Every peer is down until its link says otherwise.
  for (const node of group.members) {
    const reachable = node === self || options.connected().has(node);
    if (!reachable) coordinator.peerDown(node, time.monotonicMs());
  }
  context.timers.startPeriodic('tick', options.tickMs, { type: 'Tick' });
  context.timers.startPeriodic('expiry', EXPIRE_EVERY_MS, { type: 'LookForExpired' });

  function unit(message: Extract<CoordinatorActorMessage, { type: 'Unit' }>): void {
    const nowMs = time.monotonicMs();
    const pending = new PendingUnit(message.unit, nowMs, nowMs + commandTimeoutMs);
    if (draining) return pending.fail(REFUSED.stopping);
    if (backlog && !pending.readOnly) return pending.fail(REFUSED.backlog);
    if (diskFull && !pending.readOnly) return pending.fail(REFUSED.diskFull);
    if (!batcher.fits(pending)) return pending.fail(REFUSED.tooLarge);
    const refusal = pending.readOnly ? undefined : wrongClock();
    if (refusal !== undefined) return pending.fail(refusal);
    if (!batcher.add(pending)) pending.fail(REFUSED.busy);
  }

  /** Why this node begins no transaction: its clock is known to be wrong. */
  function wrongClock(): string | undefined {
    const { verdict } = options.time;
    if (verdict.type !== 'wrong') return undefined;
    return REFUSED.clock(complaintOf(verdict) ?? '');
  }

  /** Whoever leads among those that may write removes keys; twice would do no harm. */
  function lookForExpired(): void {
    if (expiringUntilMs > time.monotonicMs() || diskFull || backlog || draining) return;
    const mayWrite = (node: number): boolean =>
      options.connected().has(node) && !options.time.isWrong(node);
    const pastMs = group.leadRank(self, mayWrite) === 0 ? 0 : EXPIRE_GRACE_MS;
    // The next look comes anyway.
    tellOrDrop(options.executor, { type: 'FindExpired', pastMs });
  }

  /** One removal at a time: the pace is what the cluster can bear, with a pause for its clients. */
  function expired(keys: readonly string[], more: boolean): void {
    const nowMs = time.monotonicMs();
    if (expiringUntilMs > nowMs) return;
    expiringUntilMs = nowMs + 2 * commandTimeoutMs;
    const ended = (outcome: ExpiryOutcome): void => {
      // Were it lost, the removal would count as over a little later.
      tellOrDrop(context.thisIncarnation, { type: 'ExpiryEnded', outcome, more });
    };
    unit({ type: 'Unit', unit: expiryUnit(keys, ended) });
  }

  function expiryEnded(outcome: ExpiryOutcome, more: boolean): void {
    if (outcome === 'failed') {
      const pauseMs = Math.min(EXPIRE_RETRY_MS_MAX, EXPIRE_RETRY_MS * 2 ** expiryFailures);
      expiryFailures += 1;
      expiringUntilMs = time.monotonicMs() + pauseMs;
      return;
    }
    expiryFailures = 0;
    expiringUntilMs = 0;
    if (outcome === 'removed' && more)
      context.timers.start('expiry soon', EXPIRE_PAUSE_MS, { type: 'LookForExpired' });
  }

  /**
   * Neighbours that lag: what is begun now would only wait in memory, while in the batcher it can
   * still be refused for certain. A later turn, at the latest that of the tick, looks again.
   */
  function congested(): boolean {
    return executor.kept + outbox.kept > 0;
  }

  /** One transaction, and one barrier, for all that waits. */
  function closeBatches(): void {
    // Without a majority nothing is begun: what waits can still be refused for certain.
    if (coordinator.quorumReachable && clock.begun) {
      if (options.time.verdict.type === 'right') beginTransactions();
      beginReads();
    }
    perform();
  }

  function beginTransactions(): void {
    const nowMs = time.monotonicMs();
    while (!congested()) {
      const batch = batcher.nextTransaction(coordinator.underWay);
      if (batch === undefined) break;
      const body = bodyOf(batch.works.map((pending) => pending.bytes));
      const id = coordinator.coordinate(batch.participants, body, nowMs);
      const key = keyOf(id);
      transactions.set(key, { units: batch.works, deadlineMs: earliest(batch.works) });
      executor.send({ type: 'Expect', key, units: batch.works });
      observe.batch('transaction', batch.commands, body.length);
    }
  }

  function beginReads(): void {
    while (!congested()) {
      const batch = batcher.nextRead(barriers);
      if (batch === undefined) break;
      lastToken += 1;
      barriers += 1;
      reads.set(lastToken, { units: batch.works, deadlineMs: earliest(batch.works) });
      executor.send({ type: 'ExpectRead', token: lastToken, units: batch.works });
      const slots = encodeParticipants(batch.participants);
      begins.push({ type: 'BeginRead', token: lastToken, slots });
      observe.batch('read', batch.commands, 0);
    }
  }

  function answered(answers: readonly BareOk[]): void {
    for (const answer of answers) coordinator.answeredBarely(answer, time.monotonicMs());
  }

  /** A count that has not sufficed (our own vote is missing, say) ends: all that follows counts. */
  function quorum(answers: readonly BareOk[]): void {
    for (const answer of answers) {
      if (!coordinator.answeredBarely(answer, time.monotonicMs())) continue;
      const more = options.bareOks?.leave(keyOf(answer.id));
      if (more !== undefined) coordinator.answeredBarely(more, time.monotonicMs());
    }
  }

  /** Counts for quorums that less than was expected may decide end. */
  function expect(): void {
    const { bareOks } = options;
    if (bareOks === undefined || coordinator.expected === expected) return;
    const fewer = (expected & ~coordinator.expected) !== 0;
    expected = coordinator.expected;
    bareOks.expect(expected);
    if (!fewer) return;
    answered(bareOks.leaveAll());
    perform();
  }

  /** What was counted comes before what is decided by this reply. */
  function counted(from: number, message: AccordMessage): void {
    const { bareOks } = options;
    if (bareOks === undefined) return;
    const answer = countedBefore(bareOks, self, from, message);
    if (answer !== undefined) coordinator.answeredBarely(answer, time.monotonicMs());
  }

  /** Not before the executor knows who waits: it could not answer any more what comes first. */
  function perform(): void {
    if (executor.kept > 0) return;
    for (const begin of begins) outbox.send(self, begin);
    begins = [];
    for (const effect of coordinator.takeEffects()) {
      switch (effect.type) {
        case 'Send':
          outbox.send(effect.to, effect.message);
          break;
        case 'Decided':
          observe.decided(effect.path);
          context.trace(keyOf(effect.id), effect.path);
          break;
        case 'Concluded':
          context.trace(keyOf(effect.id), `recovery: ${effect.conclusion}`);
          break;
      }
    }
  }

  function executed(keys: readonly string[]): void {
    const nowMs = time.monotonicMs();
    for (const key of keys) {
      report('transaction', transactions.get(key), nowMs);
      transactions.delete(key);
    }
  }

  function readsDone(tokens: readonly number[]): void {
    const nowMs = time.monotonicMs();
    for (const token of tokens) {
      if (!reads.has(token)) continue;
      report('read', reads.get(token), nowMs);
      reads.delete(token);
      barriers -= 1;
    }
  }

  function readAgain(units: readonly PendingUnit[]): void {
    const mayWrite = !diskFull && !backlog && wrongClock() === undefined;
    const transactions = batcher.readAgain(units, mayWrite);
    observe.readsRepeated('barrier', units.length - transactions);
    observe.readsRepeated('transaction', transactions);
  }

  function report(kind: 'transaction' | 'read', done: Awaiting | undefined, nowMs: number): void {
    for (const pending of done?.units ?? []) {
      // It goes on as another read or as a transaction, and is counted there.
      if (pending.open) continue;
      observe.units(kind, pending.count, nowMs - pending.receivedMs);
    }
  }

  function refused(id: TxnId): void {
    const key = keyOf(id);
    for (const pending of transactions.get(key)?.units ?? []) pending.fail(REFUSED.invalidated);
    if (transactions.delete(key)) executor.send({ type: 'Forget', key });
  }

  function tick(): void {
    const nowMs = time.monotonicMs();
    answered(options.bareOks?.takeAll(nowMs - coordinator.patienceMs) ?? []);
    coordinator.tick(nowMs);
    judgeClock();
    const late = batcher.drop((pending) => pending.deadlineMs > nowMs);
    for (const pending of late) pending.fail(whyLate());
    for (const [key, { units, deadlineMs }] of transactions) {
      if (deadlineMs > nowMs) continue;
      for (const pending of units) pending.fail(INDETERMINATE.timeout);
      transactions.delete(key);
      executor.send({ type: 'Forget', key });
    }
    for (const [token, { units, deadlineMs }] of reads) {
      if (deadlineMs > nowMs) continue;
      for (const pending of units) pending.fail(REFUSED.read);
      reads.delete(token);
      barriers -= 1;
      executor.send({ type: 'ForgetRead', token });
    }
  }

  function whyLate(): string {
    if (!coordinator.quorumReachable) return REFUSED.quorum;
    const complaint = complaintOf(options.time.verdict);
    return complaint === undefined ? REFUSED.timeout : REFUSED.clock(complaint);
  }

  /** What waits for its turn, reads that have become transactions too, will not get it. */
  function judgeClock(): void {
    const { verdict } = options.time;
    if (verdict.type !== judged) observe.clockJudged?.(verdict);
    judged = verdict.type;
    const refusal = wrongClock();
    if (refusal === undefined) return;
    for (const pending of batcher.dropTransactions()) pending.fail(refusal);
  }

  function failAll(waiting: string, underWay: string): void {
    for (const pending of batcher.drop(() => false)) pending.fail(waiting);
    for (const { units } of transactions.values()) {
      for (const pending of units) pending.fail(underWay);
    }
    for (const { units } of reads.values()) for (const pending of units) pending.fail(waiting);
  }

  return {
    receive(message) {
      switch (message.type) {
        case 'Unit':
          return unit(message);
        case 'Protocol':
          counted(message.from, message.message);
          coordinator.handle(message.from, message.message, time.monotonicMs());
          return perform();
        case 'Quorum':
          quorum(message.answers);
          return perform();
        case 'Executed':
          return executed(message.keys);
        case 'ReadsDone':
          return readsDone(message.tokens);
        case 'Retry':
          for (const pending of message.units) batcher.addToTransactions(pending);
          return;
        case 'ReadAgain':
          return readAgain(message.units);
        case 'Refused':
          return refused(message.id);
        case 'Recover':
          coordinator.recover(message.id, message.definition, time.monotonicMs());
          return perform();
        case 'PeerUp':
          return coordinator.peerUp(message.peer);
        case 'PeerDown':
          // A count for a quorum that this peer was part of may never be reached.
          answered(options.bareOks?.leaveAll() ?? []);
          coordinator.peerDown(message.peer, time.monotonicMs());
          return perform();
        case 'Drain':
          draining = true;
          drained = message.replyTo;
          return;
        case 'LookForExpired':
          return lookForExpired();
        case 'Expired':
          return expired(message.keys, message.backlog);
        case 'ExpiryEnded':
          return expiryEnded(message.outcome, message.more);
        case 'Backlog':
          backlog = message.full;
          return;
        case 'DiskFull':
          diskFull = message.full;
          return;
        case 'Tick':
          tick();
          return perform();
      }
    },
    turnEnd() {
      expect();
      closeBatches();
      const idle = batcher.waiting + transactions.size + reads.size === 0;
      if (!idle || drained === undefined) return;
      // Whoever asked has given up, if it is refused.
      tellOrDrop(drained, { type: 'Drained' });
      drained = undefined;
    },
    stopped() {
      // The supervisor also stops this actor in order when one before it is restarted.
      if (draining) failAll(REFUSED.stopping, INDETERMINATE.stopping);
      else failAll(REFUSED.restarted, INDETERMINATE.restarted);
    },
    describe: () => ({
      underWay: coordinator.underWay,
      recoveries: coordinator.recoveries,
      waiting: batcher.waiting,
      transactions: transactions.size,
      reads: reads.size,
      quorumReachable: coordinator.quorumReachable,
      kept: executor.kept,
    }),
  };
}

function earliest(units: readonly PendingUnit[]): number {
  return units.reduce((least, { deadlineMs }) => Math.min(least, deadlineMs), Infinity);
}
