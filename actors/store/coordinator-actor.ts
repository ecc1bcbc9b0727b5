/**
 * Shell of a store's coordinators: collects the parts of a turn, has the batcher of each group
 * close transactions and read barriers, feeds the pure coordinators, and keeps the clients'
 * deadlines. Answers the parts that fail; the executor answers those that are executed.
 */

import { NO_HEAD, settingsHead } from '../../storage/body-settings.ts';
import { bodySettingsOf, type ClusterSettings } from '../../storage/cluster-settings.ts';
import type { ExpiredKeys } from '../../storage/state-machine.ts';
import { bodyOf } from '../../storage/transaction-body.ts';
import type { Part, PartAnswer, StoreNews } from '../../transport/resp/connection/part.ts';
import type {
  Coordinator,
  CoordinatorEffect,
  CoordinatorLimits,
  Path,
} from '../accord/coordinate/coordinator.ts';
import { Coordinators } from '../accord/coordinate/coordinators.ts';
import type {
  SpanningCoordinator,
  SpanningEffect,
} from '../accord/coordinate/spanning-coordinator.ts';
import type { EndOfGroup } from '../accord/local/effects.ts';
import { type BareOk, type BareOks, countedBefore } from '../accord/messages/bare-ok.ts';
import type { AccordMessage, BeginRead } from '../accord/messages/messages.ts';
import {
  type ClockVerdict,
  type ClusterTime,
  complaintOf,
} from '../accord/primitives/cluster-time.ts';
import type { HybridClock } from '../accord/primitives/hybrid-clock.ts';
import { encodeParticipants } from '../accord/primitives/participants.ts';
import type { SpanningPart } from '../accord/primitives/spanning-body.ts';
import { equal, keyOf, type TxnId } from '../accord/primitives/timestamp.ts';
import { whyNotSuccessors } from '../accord/topology/close-body.ts';
import { Group, type GroupDescriptor, goesOnIn } from '../accord/topology/group.ts';
import { type GroupId, GroupMap, NO_GROUP } from '../accord/topology/group-id.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import type { Outlet } from '../runtime/cells/outlet.ts';
import { BATCH_LIMITS, type BatchLimits, type Pending } from './batcher.ts';
import { INDETERMINATE, REFUSED } from './client-errors.ts';
import { EXPIRE_EVERY_MS, EXPIRE_GRACE_MS, EXPIRE_PAUSE_MS, OWN_CONNECTION } from './expiry.ts';
import { GroupWork } from './group-work.ts';
import type { CoordinatorActorMessage, ExecutorMessage, OutsideRun, ReadDone } from './messages.ts';
import type { Outbox } from './outbox.ts';
import { SpanningWork, toldByOthers } from './spanning-work.ts';
import { TableQuestion } from './table-question.ts';
import { type ProposalOutcome, TopologyProposals } from './topology-proposals.ts';
import { commandsOf, TxnTrace } from './txn-trace.ts';

interface CoordinatorOptions {
  readonly self: number;
  readonly groups: readonly Group[];
  /** Of the whole cluster: a transaction may span groups of other stores and nodes. */
  readonly allGroups: readonly Group[];
  /** Groups of this store of which this node became a member later. */
  readonly joined: () => readonly GroupDescriptor[];
  /** The group is here without its data: its clients are to be handed on. */
  readonly lacksData: (group: GroupId) => boolean;
  /** To a member of its groups, which are no more here; `false`: it may not, or there is none. */
  readonly handOn: (part: Part) => boolean;
  /** Those of them, and of their successors, that have ended so far, parents first. */
  readonly ends: () => Iterable<EndOfGroup>;
  readonly clock: HybridClock;
  readonly time: ClusterTime;
  readonly limits: Partial<CoordinatorLimits>;
  readonly batch: Partial<BatchLimits>;
  readonly spanningReadBytesMax: number;
  readonly commandTimeoutMs: number;
  readonly tickMs: number;
  readonly outbox: Outbox;
  /** Peers whose links are up as this actor begins. */
  readonly connected: () => ReadonlySet<number>;
  readonly executor: ActorRef<ExecutorMessage>;
  /** The sender of the parts. It outlives this actor, and is answered when this actor ends. */
  readonly clients: Outlet<StoreNews>;
  /** Replies that are counted elsewhere; undefined where all replies come as messages. */
  readonly bareOks: (group: GroupId) => BareOks | undefined;
  /** The cluster's table as this actor begins; undefined: it has not been read yet. */
  readonly table: () => ClusterSettings | undefined;
  /** The table had this version, or a later one, when it was asked for. */
  readonly onTableRead: (version: number) => void;
  /** The meta group, where it is here, with its data. */
  readonly meta: () => GroupId | undefined;
  /** A change of the topology was done, or not. */
  readonly onProposed: (outcome: ProposalOutcome) => void;
  readonly observe: CoordinatorObserver;
}

export interface CoordinatorObserver {
  /** A fresh incarnation, for observers that check its decisions. */
  coordinatorBegins?(coordinator: Coordinator): void;
  spanningBegins?(coordinator: SpanningCoordinator): void;
  decided(path: Path): void;
  batch(kind: 'transaction' | 'read', commands: number, bytes: number): void;
  units(kind: 'transaction' | 'read', commands: number, latencyMs: number): void;
  /** Reads of several slots that their barrier did not cover, by what they become now. */
  readsRepeated(as: 'barrier' | 'transaction', units: number): void;
  /** A part of the sample, a transaction or a barrier has been through a phase. */
  phase?(phase: 'queue' | 'batch' | 'votes' | 'execute' | 'barrier', ms: number): void;
  /** The verdict on this node's clock has changed. */
  clockJudged?(verdict: ClockVerdict): void;
}

type FromProtocol = Extract<
  CoordinatorActorMessage,
  { readonly type: 'Protocol' | 'Quorum' | 'Refused' | 'Recover' | 'PeerUp' | 'PeerDown' }
>;

type OfEnds = Extract<
  CoordinatorActorMessage,
  { readonly type: 'Close' | 'Joined' | 'Lacks' | 'Ended' | 'Moved' | 'ReadMoved' }
>;

type FromExecutor = Extract<
  CoordinatorActorMessage,
  { readonly type: 'Executed' | 'Outside' | 'ReadsDone' }
>;

type OfExpiry = Extract<
  CoordinatorActorMessage,
  { readonly type: 'Volatile' | 'LookForExpired' | 'Expired' | PartAnswer['type'] }
>;

interface Awaiting {
  readonly work: GroupWork;
  readonly pendings: readonly Pending[];
  readonly deadlineMs: number;
  readonly begunMs: number;
}

interface AwaitingTransaction extends Awaiting {
  readonly id: TxnId;
  /** 0 while it is not decided. */
  decidedMs: number;
}

/** The longest wait between two proposals of this node to end the same group. */
const CLOSE_MS_MAX = 60_000;

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
  readonly #coordinators: Coordinators;
  readonly #groups = new GroupMap<GroupWork>();
  readonly #spanning: SpanningWork;
  readonly #batch: BatchLimits;
  readonly #trace: TxnTrace;
  /** Groups whose parts wait for a batch. */
  readonly #waiting = new Set<GroupWork>();
  /** Groups that have keys with a deadline; the executor tells. */
  readonly #volatile = new Set<GroupWork>();
  /** By transaction key and by read token: clients that wait for an execution. */
  readonly #transactions = new Map<string, AwaitingTransaction>();
  readonly #reads = new Map<number, Awaiting>();
  /**
   * Never a token of an earlier incarnation, whose barriers may still be answered. Drawn, since no
   * read may have to wait for the disk that a timestamp waits for.
   */
  #lastToken: number;
  #judged: ClockVerdict['type'] = 'unknown';
  #begins: Array<{ readonly group: GroupId; readonly begin: BeginRead }> = [];
  /** In front of the bodies of transactions; undefined: the table has not been read yet. */
  #head: Uint8Array | undefined;
  readonly #question: TableQuestion | undefined;
  readonly #proposals = new TopologyProposals();
  #diskFull = false;
  #backlog = false;
  #draining = false;
  /** Parts that are in no table for a moment: a crash then must not leave them unanswered. */
  #received: Part | undefined;
  #taken: readonly Pending[] = [];
  /** Units of this actor's own. */
  #ownUnits = 0;
  #drained: ActorRef<{ readonly type: 'Drained' }> | undefined;

  constructor(context: ActorContext<CoordinatorActorMessage>, options: CoordinatorOptions) {
    const { self, groups, clock, limits, observe } = options;
    this.#context = context;
    this.#options = options;
    this.#trace = new TxnTrace(context.recorder);
    this.#executor = context.outlet(options.executor);
    const watch = (coordinator: Coordinator): void => observe.coordinatorBegins?.(coordinator);
    const { allGroups, spanningReadBytesMax } = options;
    this.#coordinators = new Coordinators({
      ...{ self, groups, allGroups, clock, limits, watch, spanningReadBytesMax },
      watchSpanning: (coordinator) => observe.spanningBegins?.(coordinator),
    });
    this.#batch = { ...BATCH_LIMITS, ...options.batch };
    this.#spanning = new SpanningWork(allGroups, this.#batch.waitingMax);
    const table = options.table();
    this.#head = table && settingsHead(bodySettingsOf(table));
    this.#question = table === undefined ? new TableQuestion(options.commandTimeoutMs) : undefined;
    this.#lastToken = Math.floor(context.rng.next() * 2 ** 52);
    for (const group of groups) this.#begin(group);
    // Every peer is down until its link says otherwise.
    for (const node of new Set(allGroups.flatMap(({ members }) => members))) {
      const reachable = node === self || options.connected().has(node);
      if (!reachable) this.#coordinators.peerDown(node, this.#nowMs());
    }
    for (const group of options.joined()) this.#joined(group);
    for (const end of options.ends()) this.#ended(end);
    this.#executor.send({ type: 'ForgetAll' });
    context.timers.startPeriodic('tick', options.tickMs, { type: 'Tick' });
    context.timers.startPeriodic('expiry', EXPIRE_EVERY_MS, { type: 'LookForExpired' });
  }

  receive(message: CoordinatorActorMessage): void {
    switch (message.type) {
      case 'Part':
        this.#received = message.part;
        this.#receivePart(message.part);
        this.#received = undefined;
        return;
      case 'Protocol':
      case 'Quorum':
      case 'Refused':
      case 'Recover':
      case 'PeerUp':
      case 'PeerDown':
        return this.#receiveProtocol(message);
      case 'ProposeTopology':
        this.#ownUnits += 1;
        return this.#receivePart(this.#proposals.begin(message, this.#ownUnits));
      case 'Close':
      case 'Joined':
      case 'Ended':
      case 'Moved':
      case 'ReadMoved':
        return this.#receiveEnd(message);
      case 'Executed':
      case 'Outside':
      case 'ReadsDone':
        return this.#receiveExecuted(message);
      case 'Volatile':
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
      case 'Table':
        this.#head = settingsHead(bodySettingsOf(message.table));
        return;
      case 'ClockCompared':
        return this.#options.time.compared(message.peer, message.reading);
      case 'Tick':
        this.#askForTable();
        this.#tick();
        return this.#perform();
    }
  }

  turnEnd(): void {
    this.#expect();
    this.#closeBatches();
    const waiting = this.#waiting.size + this.#spanning.waiting;
    const idle = waiting + this.#transactions.size + this.#reads.size === 0;
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
    const groups = [...this.#groups.values()].map(({ group: { id }, batcher, barriers }) => {
      const { underWay, quorumReachable } = this.#coordinators.state(id);
      return { ...id, underWay, waiting: batcher.waiting, barriers, quorumReachable };
    });
    return {
      ...this.#coordinators.describe(),
      waiting: groups.reduce((sum, { waiting }) => sum + waiting, this.#spanning.waiting),
      transactions: this.#transactions.size,
      reads: this.#reads.size,
      quorumReachable: groups.every(({ quorumReachable }) => quorumReachable),
      groups,
      kept: this.#executor.kept,
      tracesPassedOver: this.#context.recorder.kept.passedOver,
    };
  }

  #nowMs(): number {
    return this.#context.clock.monotonicMs();
  }

  #receiveProtocol(message: FromProtocol): void {
    const coordinators = this.#coordinators;
    switch (message.type) {
      case 'Protocol': {
        const nowMs = this.#trace.at(this.#nowMs());
        this.#counted(message.group, message.from, message.message);
        this.#trace.received(message.group, message.from, message.message);
        coordinators.handle(message.group, message.from, message.message, nowMs);
        return this.#perform();
      }
      case 'Quorum':
        this.#quorum(message.group, message.answers);
        return this.#perform();
      case 'Refused':
        return this.#refused(message.group, message.id);
      case 'Recover':
        coordinators.recover(message.group, message.id, message.definition, this.#nowMs());
        return this.#perform();
      case 'PeerUp':
        return coordinators.peerUp(message.peer);
      case 'PeerDown':
        // A count for a quorum that this peer was part of may never be reached.
        for (const { group, bareOks } of this.#groups.values()) {
          if (bareOks !== undefined) this.#answered(group.id, bareOks.leaveAll());
        }
        coordinators.peerDown(message.peer, this.#nowMs());
        return this.#perform();
    }
  }

  #receiveEnd(message: OfEnds): void {
    switch (message.type) {
      case 'Close':
        this.#close(message.group, message.successors);
        return this.#perform();
      case 'Joined':
        return this.#joined(message.group);
      case 'Lacks':
        return this.#resubmit(this.#groups.get(message.group)?.batcher.drop(() => false) ?? []);
      case 'Ended':
        return this.#ended(message);
      case 'Moved':
        return this.#moved(message.id);
      case 'ReadMoved':
        return this.#readMoved(message.token);
    }
  }

  #receiveExecuted(message: FromExecutor): void {
    switch (message.type) {
      case 'Executed':
        return this.#executed(message.keys);
      case 'Outside':
        for (const run of message.runs) this.#beginAnew(run);
        return;
      case 'ReadsDone':
        return this.#readsDone(message.reads);
    }
  }

  #receiveExpiry(message: OfExpiry): void {
    switch (message.type) {
      case 'Volatile': {
        const work = this.#groups.get(message.group);
        if (work === undefined) return;
        if (message.hasDeadlines) this.#volatile.add(work);
        else this.#volatile.delete(work);
        return;
      }
      case 'LookForExpired':
        return this.#lookForExpired();
      case 'Expired':
        return this.#expired(message.group, message, message.backlog);
      case 'PartReplies':
      case 'PartFailed':
      case 'RepliesLost':
        return this.#ownEnded(message);
    }
  }

  #receivePart(part: Part): void {
    const nowMs = this.#nowMs();
    const { commandTimeoutMs, observe } = this.#options;
    const { sampledMs = 0, leftMs = commandTimeoutMs } = part;
    if (sampledMs > 0) observe.phase?.('queue', nowMs - sampledMs);
    const deadlineMs = nowMs + Math.min(leftMs, commandTimeoutMs);
    this.#place({ part, receivedMs: nowMs, deadlineMs, tries: 0 });
  }

  /** It waits for a batch of the groups that have its slots now. */
  #place(received: Pending): void {
    const current = this.#spanning.current(received.part);
    const work = this.#workOf(current);
    const isElsewhere = current.groups.some((group) => this.#groups.get(group) === undefined);
    const part = work !== undefined && isElsewhere ? toldByOthers(current) : current;
    const pending = part === received.part ? received : { ...received, part };
    const isHere = work !== undefined && this.#hasDataFor(part);
    const isOwn = part.unit.connection === OWN_CONNECTION;
    if (!isHere && !isOwn && this.#handOn(pending)) return;
    // Of a command that waits, the others must have noted it.
    if (work === undefined || (isElsewhere && part.waits && part.isNoted !== true)) {
      return this.#fail(pending, REFUSED.moved);
    }
    const refusal = this.#refusalOf(part, work);
    if (refusal !== undefined) return this.#fail(pending, refusal);
    if (part.groups.length > 1) {
      if (!this.#spanning.add(pending)) this.#fail(pending, REFUSED.busy);
      return;
    }
    if (!work.batcher.add(pending)) return this.#fail(pending, REFUSED.busy);
    this.#waiting.add(work);
  }

  /** Of one of its groups; the node's own questions wait for it. */
  #hasDataFor({ unit, groups }: Part): boolean {
    const { lacksData } = this.#options;
    return unit.connection === OWN_CONNECTION || groups.some((group) => !lacksData(group));
  }

  /** This node has left its groups meanwhile. `false`: nobody takes it. */
  #handOn({ part, deadlineMs }: Pending): boolean {
    const leftMs = Math.max(0, deadlineMs - this.#nowMs());
    return this.#options.handOn({ ...part, leftMs });
  }

  #begin(group: Group): void {
    const { batch, bareOks, commandTimeoutMs } = this.#options;
    const { expected } = this.#coordinators.state(group.id);
    const counts = bareOks(group.id);
    const work = new GroupWork(group, batch, 2 * commandTimeoutMs, counts, expected);
    this.#groups.set(group.id, work);
  }

  // ---- groups that end --------------------------------------------------------------------

  /** The proposer repeats it until the group has ended. */
  #close(group: GroupId, successors: readonly GroupDescriptor[]): void {
    const { clock, time } = this.#options;
    const work = this.#groups.get(group);
    if (work === undefined || this.#spanning.hasEnded(group) || this.#draining) return;
    if (!clock.begun || time.verdict.type !== 'right' || this.#congested()) return;
    if (!this.#coordinators.state(group).quorumReachable) return;
    if (whyNotSuccessors(work.group, successors) !== undefined) return;
    const nowMs = this.#nowMs();
    const { closing } = work;
    // Each conflicts with all that is under way: repeated faster than it is decided, it would stop
    // the group. So each waits twice as long as the one before.
    if (closing !== undefined && nowMs < closing.begunMs + closing.waitMs) return;
    const { commandTimeoutMs } = this.#options;
    const waitMs = Math.min(CLOSE_MS_MAX, 2 * (closing?.waitMs ?? commandTimeoutMs / 2));
    const id = this.#coordinators.close(group, successors, nowMs);
    work.closing = { id, begunMs: nowMs, waitMs };
  }

  /** This node recovers its transactions as other members do, with or without its data. */
  #joined(descriptor: GroupDescriptor): void {
    if (this.#groups.get(descriptor.id) !== undefined) return;
    const group = new Group(descriptor);
    this.#coordinators.begin(group, true);
    this.#begin(group);
  }

  /**
   * Parts that wait go to the successors; those under way show whether they have an effect. It may
   * have been told by the topology first, before this node knew that it was a member.
   */
  #ended({ group, executeAt, successors }: EndOfGroup): void {
    const work = this.#groups.get(group);
    if (work === undefined && this.#spanning.hasEnded(group)) return;
    this.#options.clock.observe(executeAt);
    const its = successors.map((descriptor) => {
      const successor = new Group(descriptor);
      const isNew = work !== undefined && this.#groups.get(successor.id) === undefined;
      // Without data this node joins it, when the topology has it.
      const isHere = isNew && goesOnIn(descriptor, this.#options.self);
      this.#coordinators.begin(successor, isHere);
      if (isHere) this.#begin(successor);
      return successor;
    });
    this.#spanning.ended(group, its);
    if (work === undefined) return;
    this.#waiting.delete(work);
    this.#volatile.delete(work);
    this.#resubmit(work.batcher.drop(() => false));
  }

  /** It had no effect, and never will: its parts are begun again, within their time. */
  #moved(id: TxnId): void {
    const key = keyOf(id);
    const moved = this.#transactions.get(key);
    if (moved === undefined) return;
    this.#transactions.delete(key);
    this.#executor.send({ type: 'Forget', key });
    this.#resubmit(moved.pendings);
  }

  #readMoved(token: number): void {
    const moved = this.#reads.get(token);
    if (moved === undefined) return;
    this.#reads.delete(token);
    moved.work.barriers -= 1;
    this.#executor.send({ type: 'ForgetRead', token });
    this.#resubmit(moved.pendings);
  }

  #resubmit(pendings: readonly Pending[]): void {
    for (const pending of pendings) {
      const { connection, sequence } = pending.part.unit;
      // The next look at what has expired finds the keys again, and the table is asked for again.
      const isOwn = connection === OWN_CONNECTION && !this.#proposals.has(sequence);
      if (isOwn) this.#fail(pending, REFUSED.moved);
      else this.#place(pending);
    }
  }

  /** Of the first group of the part that is in this store. */
  #workOf({ groups }: Part): GroupWork | undefined {
    for (const group of groups) {
      const work = this.#groups.get(group);
      if (work !== undefined) return work;
    }
    return undefined;
  }

  #refusalOf(part: Part, { batcher }: GroupWork): string | undefined {
    if (this.#draining) return REFUSED.stopping;
    // Changes of the topology are the way out of it.
    const isOwn = part.unit.connection === OWN_CONNECTION;
    if (this.#backlog && !part.readOnly && !isOwn) return REFUSED.backlog;
    if (this.#diskFull && !part.readOnly) return REFUSED.diskFull;
    if (!batcher.fits(part)) return REFUSED.tooLarge;
    return part.readOnly ? undefined : this.#wrongClock();
  }

  /** The first answer counts: the executor may have given one meanwhile. */
  #fail({ part }: Pending, line: string): void {
    this.#failPart(part, line);
  }

  #failPart({ unit, part }: Part, line: string): void {
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
    const { self, time, connected } = this.#options;
    time.refresh();
    if (!time.isKnown || this.#diskFull || this.#backlog || this.#draining) return;
    const mayWrite = (node: number): boolean => connected().has(node) && !time.isWrong(node);
    for (const { group, expiry } of this.#volatile) {
      if (expiry.isUnderWay(this.#nowMs())) continue;
      const pastMs = group.leadRank(self, mayWrite) === 0 ? 0 : EXPIRE_GRACE_MS;
      // The next look comes anyway.
      tellOrDrop(this.#options.executor, { type: 'FindExpired', group: group.id, pastMs });
    }
  }

  #expired(group: GroupId, keys: ExpiredKeys, more: boolean): void {
    const nowMs = this.#nowMs();
    const expiry = this.#groups.get(group)?.expiry;
    if (expiry === undefined || expiry.isUnderWay(nowMs)) return;
    this.#ownUnits += 1;
    this.#receivePart(expiry.begin(keys, more, this.#ownUnits, nowMs));
  }

  /** Not without a majority: a node that stops would wait for the answer. */
  #askForTable(): void {
    if (this.#draining || this.#question?.isDue(this.#nowMs()) !== true) return;
    const meta = this.#options.meta();
    if (meta === undefined || this.#groups.get(meta) === undefined) return;
    if (this.#options.lacksData(meta)) return;
    if (!this.#coordinators.state(meta).quorumReachable) return;
    this.#ownUnits += 1;
    this.#receivePart(this.#question.ask(meta, this.#ownUnits, this.#nowMs()));
  }

  #ownEnded(answer: PartAnswer): void {
    const version = this.#question?.ended(answer, this.#nowMs());
    if (version !== undefined) this.#options.onTableRead(version);
    const proposed = this.#proposals.ended(answer);
    if (proposed !== undefined) this.#options.onProposed(proposed);
    let isSoon = false;
    for (const { expiry } of this.#groups.values()) {
      if (expiry.ended(answer, this.#nowMs())) isSoon = true;
    }
    if (!isSoon) return;
    this.#context.timers.start('expiry soon', EXPIRE_PAUSE_MS, { type: 'LookForExpired' });
  }

  /**
   * Neighbours that lag: what is begun now would only wait in memory, while in the batcher it can
   * still be refused for certain. A later turn, at the latest that of the tick, looks again.
   */
  #congested(): boolean {
    return this.#executor.kept + this.#options.outbox.kept > 0;
  }

  /** Per group one transaction and one barrier for everything that waits. */
  #closeBatches(): void {
    if (this.#waiting.size > 0 && this.#options.clock.begun) {
      const mayWrite = this.#options.time.verdict.type === 'right';
      for (const work of this.#waiting) {
        // Without a majority nothing is begun: what waits can still be refused for certain.
        if (!this.#coordinators.state(work.group.id).quorumReachable) continue;
        if (mayWrite && this.#knowsTableFor(work)) this.#beginTransactions(work);
        this.#beginReads(work);
        if (work.batcher.waiting === 0) this.#waiting.delete(work);
      }
    }
    if (this.#spanning.waiting > 0) this.#beginSpanning();
    this.#perform();
  }

  /** Transactions over keys name the settings with which they run. */
  #knowsTableFor({ group }: GroupWork): boolean {
    return this.#head !== undefined || group.machine === 'meta';
  }

  /** Each part over several groups is a transaction of its own. */
  #beginSpanning(): void {
    const { clock, time } = this.#options;
    if (!clock.begun || time.verdict.type !== 'right' || this.#head === undefined) return;
    const mayBegin = (parts: readonly SpanningPart[]): boolean =>
      this.#coordinators.isReachable(parts.map(({ group }) => group));
    while (!this.#congested()) {
      if (this.#coordinators.spanningUnderWay >= this.#batch.spanningDepth) return;
      const waiting = this.#spanning.next(mayBegin);
      if (waiting === undefined) return;
      const part = this.#spanning.current(waiting.part);
      const parts = this.#spanning.partsOf(part);
      // The executor answers when it has met each of them.
      const groups = parts.map(({ group }) => group);
      const pending = { ...waiting, part: { ...part, groups } };
      const work = this.#workOf(pending.part);
      this.#spanning.begun(waiting);
      if (work === undefined) {
        // This node has left all of them meanwhile.
        this.#place(waiting);
        continue;
      }
      const commands = bodyOf([pending.part.bytes], this.#head);
      const id = this.#coordinators.coordinateSpanning(parts, commands, this.#nowMs());
      this.#begun(work, id, [pending], commands.length);
    }
  }

  /** The executor answers these parts as it executes the transaction. */
  #begun(work: GroupWork, id: TxnId, pendings: readonly Pending[], bytes: number): void {
    const nowMs = this.#nowMs();
    const key = keyOf(id);
    const commands = commandsOf(pendings);
    const receivedMs = pendings[0]?.receivedMs ?? nowMs;
    this.#trace.begun(work.group.id, id, commands, nowMs - receivedMs);
    this.#options.observe.phase?.('batch', nowMs - receivedMs);
    this.#transactions.set(key, {
      ...{ id, work, pendings },
      begunMs: nowMs,
      decidedMs: 0,
      deadlineMs: earliest(pendings),
    });
    this.#taken = [];
    this.#executor.send({ type: 'Expect', key, parts: pendings.map(({ part }) => part) });
    this.#options.observe.batch('transaction', commands, bytes);
  }

  #beginTransactions(work: GroupWork): void {
    const nowMs = this.#nowMs();
    const group = work.group.id;
    while (!this.#congested()) {
      const batch = work.batcher.nextTransaction(this.#coordinators.state(group).underWay);
      if (batch === undefined) break;
      this.#taken = batch.pendings;
      const units = batch.pendings.map(({ part }) => part.bytes);
      const body = bodyOf(units, work.group.machine === 'meta' ? NO_HEAD : this.#head);
      const id = this.#coordinators.coordinate(group, batch.participants, body, nowMs);
      this.#begun(work, id, batch.pendings, body.length);
    }
  }

  #beginReads(work: GroupWork): void {
    const nowMs = this.#nowMs();
    while (!this.#congested()) {
      const batch = work.batcher.nextRead(work.barriers);
      if (batch === undefined) break;
      this.#taken = batch.pendings;
      const parts = batch.pendings.map((pending) => pending.part);
      this.#lastToken += 1;
      work.barriers += 1;
      const receivedMs = batch.pendings[0]?.receivedMs ?? nowMs;
      this.#options.observe.phase?.('batch', nowMs - receivedMs);
      this.#reads.set(this.#lastToken, {
        begunMs: nowMs,
        work,
        pendings: batch.pendings,
        deadlineMs: earliest(batch.pendings),
      });
      this.#taken = [];
      this.#executor.send({ type: 'ExpectRead', token: this.#lastToken, parts });
      const slots = encodeParticipants(batch.participants);
      const begin: BeginRead = { type: 'BeginRead', token: this.#lastToken, slots };
      this.#begins.push({ group: work.group.id, begin });
      this.#options.observe.batch('read', batch.commands, 0);
    }
  }

  #answered(group: GroupId, answers: readonly BareOk[]): void {
    for (const answer of answers) this.#answeredBarely(group, answer);
  }

  #answeredBarely(group: GroupId, answer: BareOk): boolean {
    const nowMs = this.#trace.at(this.#nowMs());
    const work = this.#groups.get(group);
    if (work !== undefined) this.#trace.counted(work.group, answer);
    return this.#coordinators.answeredBarely(group, answer, nowMs);
  }

  /** A count that did not suffice (our own vote is missing, say) ends: later replies all count. */
  #quorum(group: GroupId, answers: readonly BareOk[]): void {
    for (const answer of answers) {
      if (!this.#answeredBarely(group, answer)) continue;
      const more = this.#groups.get(group)?.bareOks?.leave(keyOf(answer.id));
      if (more !== undefined) this.#answered(group, [more]);
    }
  }

  /** Stops counting below the actors when a smaller quorum may now decide. */
  #expect(): void {
    for (const group of this.#coordinators.takeStirred()) {
      const work = this.#groups.get(group);
      if (work?.bareOks === undefined) continue;
      const { bareOks } = work;
      const { expected } = this.#coordinators.state(group);
      if (expected === work.expected) continue;
      const fewer = (work.expected & ~expected) !== 0;
      work.expected = expected;
      bareOks.expect(expected);
      if (!fewer) continue;
      this.#answered(group, bareOks.leaveAll());
      this.#perform();
    }
  }

  /** Counted votes are taken in before the decision on this reply. */
  #counted(group: GroupId, from: number, message: AccordMessage): void {
    const bareOks = this.#groups.get(group)?.bareOks;
    if (bareOks === undefined) return;
    const answer = countedBefore(bareOks, this.#options.self, from, message);
    if (answer !== undefined) this.#answered(group, [answer]);
  }

  /** Waits until the executor knows the clients: it could not answer what is executed before. */
  #perform(): void {
    if (this.#executor.kept > 0) return;
    const { outbox, self } = this.#options;
    for (const { group, begin } of this.#begins) outbox.send(group, self, begin);
    this.#begins = [];
    this.#coordinators.takeEffects(this.#performOne);
  }

  readonly #performOne = (
    its: GroupId | undefined,
    effect: CoordinatorEffect | SpanningEffect,
  ): void => {
    const group = its ?? this.#groupOf(effect);
    switch (effect.type) {
      case 'Send': {
        const { to, message } = effect;
        const isDecision = message.type === 'Stable' && to === this.#options.self;
        if (isDecision) this.#trace.deps(group, message.id, message.deps);
        return this.#options.outbox.send(group, to, message);
      }
      case 'Decided':
        this.#options.observe.decided(effect.path);
        if (effect.own) this.#noteDecision(effect.id);
        return this.#trace.decided(group, effect.id, effect.path);
      case 'Concluded':
        return this.#trace.concluded(group, effect.id, effect.conclusion);
    }
  };

  /** By which traces name a transaction over several groups. */
  #groupOf(effect: CoordinatorEffect | SpanningEffect): GroupId {
    if (effect.type === 'Send') return NO_GROUP;
    return this.#transactions.get(keyOf(effect.id))?.work.group.id ?? NO_GROUP;
  }

  /** A run has shown keys that the footprint lacks: begins it anew with them, or with all. */
  #beginAnew({ key, part: index, slots }: OutsideRun): void {
    const transaction = this.#transactions.get(key);
    const pending = transaction?.pendings[index];
    if (transaction === undefined || pending === undefined) return;
    const wider = transaction.work.batcher.withSlots(pending, slots);
    const groups = this.#spanning.partsOf(wider.part).map(({ group }) => group);
    const begun = { ...wider, part: { ...wider.part, groups } };
    if (groups.length > 1) {
      if (!this.#spanning.add(begun)) this.#fail(pending, REFUSED.busy);
      return;
    }
    const only = groups[0] && this.#groups.get(groups[0]);
    // This node has left it meanwhile.
    if (only === undefined) return this.#place(begun);
    only.batcher.addToTransactions(wider);
    this.#waiting.add(only);
  }

  #noteDecision(id: TxnId): void {
    const awaiting = this.#transactions.get(keyOf(id));
    if (awaiting === undefined) return;
    awaiting.decidedMs = this.#nowMs();
    this.#options.observe.phase?.('votes', awaiting.decidedMs - awaiting.begunMs);
  }

  #executed(keys: readonly string[]): void {
    const nowMs = this.#nowMs();
    for (const key of keys) {
      const done = this.#transactions.get(key);
      if (done === undefined) continue;
      const { work, id, pendings } = done;
      const tookMs = nowMs - (pendings[0]?.receivedMs ?? nowMs);
      this.#trace.answered(work.group.id, id, tookMs, pendings);
      const { decidedMs } = done;
      if (decidedMs > 0) this.#options.observe.phase?.('execute', nowMs - decidedMs);
      for (const pending of pendings) this.#report('transaction', pending, nowMs);
      this.#transactions.delete(key);
    }
  }

  #readsDone(done: readonly ReadDone[]): void {
    // Those of one group become one call of its batcher, whatever barriers they come from.
    const uncovered = new Map<GroupWork, Pending[]>();
    for (const read of done) {
      const awaiting = this.#reads.get(read.token);
      if (awaiting === undefined) continue;
      const { work } = awaiting;
      this.#reads.delete(read.token);
      work.barriers -= 1;
      this.#options.observe.phase?.('barrier', this.#nowMs() - awaiting.begunMs);
      const again = uncovered.get(work) ?? [];
      this.#readDone(awaiting, read, again);
      if (again.length > 0) uncovered.set(work, again);
    }
    for (const [work, pendings] of uncovered) this.#readAgain(work, pendings);
  }

  #readDone({ work, pendings }: Awaiting, read: ReadDone, uncovered: Pending[]): void {
    const nowMs = this.#nowMs();
    // Both lists ascend.
    let nextExpired = 0;
    let nextUncovered = 0;
    for (const [index, pending] of pendings.entries()) {
      // It goes on as another read or as a transaction, and is counted there.
      if (read.expired[nextExpired] === index) {
        nextExpired += 1;
        work.batcher.addToTransactions(pending);
        this.#waiting.add(work);
      } else if (read.uncovered[nextUncovered] === index) {
        nextUncovered += 1;
        uncovered.push(pending);
      } else {
        this.#report('read', pending, nowMs);
      }
    }
  }

  #readAgain(work: GroupWork, pendings: readonly Pending[]): void {
    const mayWrite = !this.#diskFull && !this.#backlog && this.#wrongClock() === undefined;
    const transactions = work.batcher.readAgain(pendings, mayWrite);
    this.#waiting.add(work);
    this.#options.observe.readsRepeated('barrier', pendings.length - transactions);
    this.#options.observe.readsRepeated('transaction', transactions);
  }

  #report(kind: 'transaction' | 'read', { part, receivedMs }: Pending, nowMs: number): void {
    this.#options.observe.units(kind, part.count, nowMs - receivedMs);
  }

  #refused(group: GroupId, id: TxnId): void {
    const key = keyOf(id);
    const work = this.#groups.get(group);
    const { closing } = work ?? {};
    if (work !== undefined && closing?.id !== undefined && equal(closing.id, id)) {
      // The first one is repeated at once.
      const begunMs = closing.begunMs - this.#options.commandTimeoutMs;
      work.closing = { id: undefined, waitMs: closing.waitMs, begunMs };
    }
    for (const pending of this.#transactions.get(key)?.pendings ?? []) {
      this.#fail(pending, REFUSED.invalidated);
    }
    if (this.#transactions.delete(key)) this.#executor.send({ type: 'Forget', key });
  }

  #tick(): void {
    const nowMs = this.#nowMs();
    this.#trace.collect(nowMs);
    for (const group of this.#coordinators.busy()) {
      const { patienceMs } = this.#coordinators.state(group);
      const counted = this.#groups.get(group)?.bareOks?.takeAll(nowMs - patienceMs);
      if (counted !== undefined) this.#answered(group, counted);
    }
    this.#coordinators.tick(nowMs);
    this.#judgeClock();
    for (const work of this.#waiting) {
      const late = work.batcher.drop((pending) => pending.deadlineMs > nowMs);
      if (late.length > 0) {
        const why = this.#whyLate(this.#coordinators.state(work.group.id).quorumReachable);
        for (const pending of late) this.#fail(pending, why);
      }
      if (work.batcher.waiting === 0) this.#waiting.delete(work);
    }
    for (const pending of this.#spanning.drop(({ deadlineMs }) => deadlineMs > nowMs)) {
      this.#fail(pending, this.#whySpanningLate(pending.part));
    }
    for (const [key, { pendings, deadlineMs }] of this.#transactions) {
      if (deadlineMs > nowMs) continue;
      for (const pending of pendings) {
        // A read that became a transaction has changed nothing, whatever became of it.
        this.#fail(pending, pending.part.readOnly ? REFUSED.read : INDETERMINATE.timeout);
      }
      this.#transactions.delete(key);
      this.#executor.send({ type: 'Forget', key });
    }
    for (const [token, { work, pendings, deadlineMs }] of this.#reads) {
      if (deadlineMs > nowMs) continue;
      for (const pending of pendings) this.#fail(pending, REFUSED.read);
      this.#reads.delete(token);
      work.barriers -= 1;
      this.#executor.send({ type: 'ForgetRead', token });
    }
  }

  #whySpanningLate(part: Part): string {
    const groups = this.#spanning.partsOf(part).map(({ group }) => group);
    return this.#whyLate(this.#coordinators.isReachable(groups));
  }

  #whyLate(isReachable: boolean): string {
    if (!isReachable) return REFUSED.quorum;
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
    for (const { batcher } of this.#waiting) {
      for (const pending of batcher.dropTransactions()) this.#fail(pending, refusal);
    }
    for (const pending of this.#spanning.drop(() => false)) this.#fail(pending, refusal);
  }

  #failAll(waiting: string, underWay: string): void {
    // Of what was taken nothing has left yet.
    for (const { part } of this.#taken) this.#failPart(part, waiting);
    if (this.#received !== undefined) this.#failPart(this.#received, waiting);
    for (const { batcher } of this.#waiting) {
      for (const pending of batcher.drop(() => false)) this.#fail(pending, waiting);
    }
    for (const pending of this.#spanning.drop(() => false)) this.#fail(pending, waiting);
    for (const { pendings } of this.#transactions.values()) {
      for (const pending of pendings) {
        this.#fail(pending, pending.part.readOnly ? waiting : underWay);
      }
    }
    for (const { pendings } of this.#reads.values()) {
      for (const pending of pendings) this.#fail(pending, waiting);
    }
  }
}

function earliest(pendings: readonly Pending[]): number {
  return pendings.reduce((least, { deadlineMs }) => Math.min(least, deadlineMs), Infinity);
}
