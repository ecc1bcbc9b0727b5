/**
 * The supervision tree of one node: the one place that builds everything. What it needs of the
 * world comes in as parts; `start-node.ts` brings the operating system's, the simulator its own.
 *
 *   node            one_for_one
 *   ├─ wal          WalWriter
 *   ├─ store-0      rest_for_one: replica, executor, coordinator
 *   ├─ peer-<id>    PeerLink, one per peer
 *   ├─ quorum       single frames to all peers, and votes counted below the actors
 *   └─ gateway      clients
 */

import type { FramePathSource } from '../../bpf/path/frame-path.ts';
import { isCommandBody } from '../../storage/arguments.ts';
import type { Engine } from '../../storage/engine.ts';
import type { TableHashKey } from '../../storage/keyspace/table-hash.ts';
import type { StateMachine } from '../../storage/state-machine.ts';
import type { PeerNetwork } from '../../transport/peer/network.ts';
import type { PartAnswer } from '../../transport/resp/connection/part.ts';
import { type PlacedGroup, Placement } from '../../transport/resp/connection/placement.ts';
import type { CoordinatorLimits } from '../accord/coordinate/coordinator.ts';
import type { ReplicaLimits } from '../accord/local/replica-state.ts';
import type { ValidationLimits } from '../accord/messages/field-validation.ts';
import { MessageJudge, type RefusalObserver } from '../accord/messages/message-judge.ts';
import type { AccordMessage } from '../accord/messages/messages.ts';
import { MessageValidator } from '../accord/messages/validation.ts';
import { type ClockLimits, ClusterTime } from '../accord/primitives/cluster-time.ts';
import { HybridClock } from '../accord/primitives/hybrid-clock.ts';
import { Group, type GroupDescriptor } from '../accord/topology/group.ts';
import { type GroupId, isSameGroup } from '../accord/topology/group-id.ts';
import {
  mayTravelAsFrame,
  type QuorumActorMessage,
  type QuorumObserver,
  quorumActor,
} from '../frames/quorum-actor.ts';
import { VoteSlots } from '../frames/vote-slots.ts';
import type { DiskPart } from '../log/disk-health.ts';
import { type WalMessage, type WalOptions, type WalReply, walActor } from '../log/wal-actor.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import { ActorSystem, type SystemFailure } from '../runtime/actor-system.ts';
import type { ChildSpec } from '../runtime/behavior.ts';
import { Outlet } from '../runtime/cells/outlet.ts';
import type { RestartNotice } from '../runtime/host.ts';
import type { Clock, Rng, Scheduler } from '../runtime/ports/ports.ts';
import type { ShutdownReport } from '../runtime/supervision/coordinated-shutdown.ts';
import type { TraceRecorder } from '../runtime/trace/trace-recorder.ts';
import type { BatchLimits } from '../store/batcher.ts';
import { type CoordinatorObserver, coordinatorActor } from '../store/coordinator-actor.ts';
import { executorActor } from '../store/executor-actor.ts';
import type {
  CoordinatorActorMessage,
  ExecutorMessage,
  ReplicaActorMessage,
} from '../store/messages.ts';
import { Outbox } from '../store/outbox.ts';
import { type ReplicaObserver, replicaActor } from '../store/replica-actor.ts';
import { type GatewayActorOptions, type GatewayMessage, gatewayActor } from './gateway-actor.ts';
import { LateRef } from './late-ref.ts';
import { type PeerLinkMessage, peerLinkActor } from './peer-link-actor.ts';
import { Router, type Unrouted } from './router.ts';

export interface NodeParts {
  readonly nodeId: number;
  /** Those of which this node is a member; one so far. */
  readonly groups: readonly GroupDescriptor[];
  readonly clock: Clock;
  readonly rng: Rng;
  readonly scheduler: Scheduler;
  readonly recorder: TraceRecorder;
  readonly network: PeerNetwork;
  /** Absent where all messages travel over the links of `network`. */
  readonly frames?: FramePathSource;
  readonly wal: Omit<WalOptions, 'stores'>;
  /** undefined while the engine that was opened before is still closing. */
  readonly openEngine: () => Engine | undefined;
  readonly limits: NodeLimits;
  /** A secret of this process, for its tables. */
  readonly tableHashKey: TableHashKey;
  readonly observer: NodeObserver;
  readonly gateway?: Omit<GatewayActorOptions, 'coordinator' | 'executor' | 'placement'>;
  /** Is told the answers to parts where there is no gateway. */
  readonly clients?: ActorRef<PartAnswer>;
  readonly onFailed: (failure: SystemFailure) => void;
}

export interface NodeLimits {
  readonly clock?: Partial<ClockLimits>;
  readonly replica: Partial<ReplicaLimits>;
  readonly coordinator: Partial<CoordinatorLimits>;
  readonly batch: Partial<BatchLimits>;
  readonly messages?: Partial<ValidationLimits>;
  /** Messages that make no sense, of one peer, that close the link to it. */
  readonly refusedMax?: number;
  /** A command that has no result by then is answered with an error. */
  readonly commandTimeoutMs: number;
  readonly cacheBytesMax: number;
  readonly dirtyBytesMax: number;
  readonly flushEveryMs: number;
  readonly replyBytesMax: number;
  readonly unitWriteBytesMax: number;
  readonly unflushedBytesMax: number;
  /** Command bytes kept for members that are away. */
  readonly retainedBytesMax: number;
  /** Records that wait for the disk before a store takes no more from its peers. */
  readonly unloggedBytesMax?: number;
  /** Pace of timeouts, progress log and settlement. */
  readonly tickMs: number;
  /** Messages that wait for one actor; `MAILBOX_MAX` by default. */
  readonly mailboxMax?: number;
  /** Executions and reads that the executor has not taken yet; `HAND_OVER_MAX` by default. */
  readonly handOverMax?: number;
  /** Turns of the replica whose records are not on disk yet; `TURNS_MAX` by default. */
  readonly turnsMax?: number;
  /** Messages to peers that wait for a reservation of the clock; `HELD_MAX` by default. */
  readonly outboxHeldMax?: number;
  /** Replies that wait until their connections take them; see `running-executor.ts`. */
  readonly heldReplyBytesMax?: number;
  /** Messages that wait while the log, or the engine, is opened; 65,536 by default. */
  readonly earlyMax?: number;
  /** Messages of peers, and for them, beside a full mailbox; `TRAFFIC_KEPT_MAX` by default. */
  readonly trafficKeptMax?: number;
}

export interface NodeObserver
  extends ReplicaObserver,
    CoordinatorObserver,
    QuorumObserver,
    RefusalObserver {
  machine(machine: StateMachine): void;
  peerUp(peer: number): void;
  peerDown(peer: number, reason: string): void;
  peerRefused(peer: number, reason: string): void;
  /** An actor has ended on its own and is started again. */
  actorRestarts?(restart: RestartNotice): void;
}

const STORE = 0;
/** Messages that wait for one actor. */
const MAILBOX_MAX = 65_536;
const REFUSED_MAX = 16;
const UNLOGGED_BYTES_MAX = 32 * 1024 * 1024;
/** Answers that wait for the gateway, or its replies to them: one per part of a connection. */
const ANSWERS_KEPT_MAX = 4 * 1024 * 1024;
/** Messages of peers, and for them, that wait beside a full mailbox. */
const TRAFFIC_KEPT_MAX = 1_024;
const HELD_BYTES_MIN = 64 * 1024 * 1024;
/** Until the cluster's time is known, no timestamp before the year 2112 can be called too late. */
const TIME_UNKNOWN_US = 2 ** 52;
const SHUTDOWN_MS = 2_000;
/** Commands under way get so long to be answered before a node stops. */
const DRAIN_MS = 1_000;

/** The ways to the actor of one peer. */
interface PeerLink {
  /** That the link comes and goes. */
  readonly news: Outlet<PeerLinkMessage>;
  readonly traffic: Outlet<PeerLinkMessage>;
}

export class Node {
  readonly system: ActorSystem;
  readonly group: Group;
  /** What the members' clocks say. */
  readonly time: ClusterTime;
  readonly clock: HybridClock;
  readonly #startedMs: number;
  readonly coordinator: ActorRef<CoordinatorActorMessage>;
  readonly #parts: NodeParts;
  readonly #replica = new LateRef<ReplicaActorMessage>('replica');
  readonly #executor = new LateRef<ExecutorMessage>('executor');
  readonly #coordinator = new LateRef<CoordinatorActorMessage>('coordinator');
  /** What one actor of this node says to another is never lost. */
  readonly #toReplica = new Outlet(this.#replica);
  readonly #toCoordinator = new Outlet(this.#coordinator);
  /** From the clients' side. */
  readonly toExecutor = new Outlet<ExecutorMessage>(this.#executor, ANSWERS_KEPT_MAX);
  readonly #lateGateway = new LateRef<GatewayMessage>('gateway');
  readonly #toClients: Outlet<PartAnswer>;
  /** What comes from the network or goes there may be. */
  readonly #trafficToReplica: Outlet<ReplicaActorMessage>;
  readonly #trafficToCoordinator: Outlet<CoordinatorActorMessage>;
  readonly #trafficKeptMax: number;
  readonly #links = new Map<number, PeerLink>();
  readonly #slots: VoteSlots;
  readonly #judge: MessageJudge;
  readonly #router: Router;
  #toQuorum: Outlet<QuorumActorMessage> | undefined;
  #trafficToQuorum: Outlet<QuorumActorMessage> | undefined;
  readonly #up = new Set<number>();
  readonly #fullParts = new Set<DiskPart>();
  readonly #wal: ActorRef<WalMessage>;
  #gateway: ActorRef<GatewayMessage> | undefined;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    const { nodeId, clock, rng, scheduler, recorder, onFailed, observer } = parts;
    this.#toClients = new Outlet(parts.clients ?? this.#lateGateway, ANSWERS_KEPT_MAX);
    this.#trafficKeptMax = parts.limits.trafficKeptMax ?? TRAFFIC_KEPT_MAX;
    this.#trafficToReplica = new Outlet(this.#replica, this.#trafficKeptMax);
    this.#trafficToCoordinator = new Outlet(this.#coordinator, this.#trafficKeptMax);
    this.group = soleGroup(parts);
    this.#startedMs = clock.monotonicMs();
    this.time = new ClusterTime({
      quorum: this.group.quorums.slow,
      wallUs: () => clock.wallUs(),
      monotonicMs: () => clock.monotonicMs(),
      limits: parts.limits.clock ?? {},
    });
    const { reserveUs, skewUsMax } = this.time.limits;
    const nowUs = (): number => this.time.nowUs();
    this.clock = new HybridClock({ node: nodeId, store: STORE, nowUs, reserveUs, skewUsMax });
    this.coordinator = this.#coordinator;
    this.#slots = new VoteSlots(this.group, nodeId);
    this.#judge = this.#createJudge();
    this.#router = this.#createRouter();
    const name = `node-${nodeId}`;
    this.system = new ActorSystem({
      name,
      clock,
      rng,
      scheduler,
      recorder,
      onFailed,
      onRestart: (restart) => observer.actorRestarts?.(restart),
    });
    const { root } = this.system;
    const { disk } = parts.observer;
    const { earlyMax } = parts.limits;
    const onStalled = (stalled: boolean): void => disk('log', 'stalled', stalled);
    const onDiskFull = (full: boolean): void => this.#diskFull('log', full);
    const wal = root.child<WalMessage>(
      this.#spec('wal', (context) =>
        walActor(context, { ...parts.wal, stores: [STORE], earlyMax, onDiskFull, onStalled }),
      ),
    );
    this.#wal = wal;
    // A log that must not be used has been reported; there is no tree to build any more.
    if (this.system.failure !== undefined) return;
    this.#startStore(wal);
    if (this.system.failure !== undefined) return;
    for (const peer of this.group.members) if (peer !== nodeId) this.#startLink(peer);
    if (parts.frames !== undefined) this.#startQuorum(parts.frames);
    this.#startNetwork();
    const { gateway } = parts;
    if (gateway === undefined) return;
    const { coordinator, toExecutor: executor } = this;
    const placement = new Placement([this.group].map(placed));
    this.#gateway = root.child<GatewayMessage>(
      this.#spec('gateway', (context) =>
        gatewayActor(context, { ...gateway, coordinator, executor, placement }),
      ),
    );
    this.#lateGateway.bind(this.#gateway);
  }

  /** Stops in order: no new clients, what is under way is finished, the log is written, the end. */
  stop(done: (report: ShutdownReport) => void): void {
    const { network } = this.#parts;
    this.system.shutdown(
      [
        {
          name: 'stop-accepting',
          deadlineMs: 500,
          run: (next) => {
            if (this.#gateway !== undefined) {
              new Outlet(this.#gateway).send({ type: 'StopAccepting' });
            }
            next();
          },
        },
        { name: 'drain-clients', deadlineMs: DRAIN_MS, run: (next) => this.#drain(next) },
        { name: 'flush-wal', deadlineMs: 2_000, run: (next) => this.#flushWal(next) },
        this.system.stopActorsPhase(2 * SHUTDOWN_MS),
        {
          name: 'close',
          deadlineMs: 1_000,
          run: (next) => {
            network.close();
            next();
          },
        },
      ],
      done,
    );
  }

  #drain(done: () => void): void {
    const asked = this.system.ask<CoordinatorActorMessage, { readonly type: 'Drained' }>(
      this.#toCoordinator,
      (replyTo) => ({ type: 'Drain', replyTo }),
      DRAIN_MS,
      () => done(),
      () => done(),
    );
    if (!asked) done();
  }

  #flushWal(done: () => void): void {
    const asked = this.system.ask<WalMessage, WalReply>(
      new Outlet(this.#wal),
      (replyTo) => ({ type: 'Sync', token: 0, replyTo }),
      2_000,
      () => done(),
      () => done(),
    );
    if (!asked) done();
  }

  #createJudge(): MessageJudge {
    const { limits, network, observer } = this.#parts;
    return new MessageJudge({
      refusedMax: limits.refusedMax ?? REFUSED_MAX,
      disconnect: (peer, reason) => network.disconnect(peer, reason),
      observe: observer,
    });
  }

  #createRouter(): Router {
    const { nodeId: self, limits } = this.#parts;
    const { group } = this;
    const validator = new MessageValidator({
      self,
      group,
      nowUs: () => this.time.nowUs() || TIME_UNKNOWN_US,
      isBody: isCommandBody,
      ...(limits.messages === undefined ? {} : { limits: limits.messages }),
    });
    const replica = this.#trafficToReplica;
    const coordinator = this.#trafficToCoordinator;
    return new Router(this.#judge, [{ id: group.id, validator, replica, coordinator }]);
  }

  /** What peers have sent for groups and on channels that this node does not serve. */
  get unrouted(): ReadonlyMap<number, Unrouted> {
    return this.#router.unrouted;
  }

  /** Peers whose links are up. */
  get connected(): ReadonlySet<number> {
    return this.#up;
  }

  /** Without room for either, no write may be begun. */
  #diskFull(part: DiskPart, full: boolean): void {
    if (full) this.#fullParts.add(part);
    else this.#fullParts.delete(part);
    this.#parts.observer.disk(part, 'full', full);
    this.#toCoordinator.send({ type: 'DiskFull', full: this.#fullParts.size > 0 });
  }

  #startStore(wal: ActorRef<WalMessage>): void {
    const { nodeId: self, limits, observer } = this.#parts;
    const { group, clock, time } = this;
    const targets = {
      toPeer: (its: GroupId, node: number, message: AccordMessage) => {
        const quorum = this.#trafficToQuorum;
        const framed = this.#slots.isAttached && isSameGroup(its, group.id);
        if (quorum !== undefined && framed && mayTravelAsFrame(message)) {
          // Lost on the way to a peer, if anything: the protocol repeats it.
          tellOrDrop(quorum, { type: 'Send', to: node, message });
        } else this.#toLink(node, its, message);
      },
      replica: this.#toReplica,
      coordinator: this.#toCoordinator,
    };
    const outbox = new Outbox(self, clock, targets, limits.outboxHeldMax);
    const store = this.system.root.supervisor({
      name: `store-${STORE}`,
      strategy: 'rest_for_one',
      restartsMax: 5,
      periodMs: 30_000,
    });
    const replica = this.#replica;
    const executor = this.#executor;
    const coordinator = this.#coordinator;
    const { tickMs } = limits;
    replica.bind(
      store.child<ReplicaActorMessage>(
        this.#spec('replica', (context) =>
          replicaActor(context, {
            store: STORE,
            self,
            groups: [group],
            clock,
            startedMs: this.#startedMs,
            limits: {
              replica: { heldBytesMax: heldBytesMax(limits), ...limits.replica },
              retainedBytesMax: limits.retainedBytesMax,
              unloggedBytesMax: limits.unloggedBytesMax ?? UNLOGGED_BYTES_MAX,
              turnsMax: limits.turnsMax,
              handOverMax: limits.handOverMax,
            },
            outbox,
            connected: () => this.#up,
            wal,
            executor,
            coordinator,
            tickMs,
            contradicted: (from, type, reason) =>
              this.#judge.refuse(from, type, 'contradiction', reason),
            observe: observer,
          }),
        ),
      ),
    );
    executor.bind(
      store.child<ExecutorMessage>(
        this.#spec('executor', (context) =>
          executorActor(context, {
            openEngine: this.#parts.openEngine,
            cacheBytesMax: limits.cacheBytesMax,
            dirtyBytesMax: limits.dirtyBytesMax,
            flushEveryMs: limits.flushEveryMs,
            replyBytesMax: limits.replyBytesMax,
            unitWriteBytesMax: limits.unitWriteBytesMax,
            tableHashKey: this.#parts.tableHashKey,
            unflushedBytesMax: limits.unflushedBytesMax,
            heldReplyBytesMax: limits.heldReplyBytesMax,
            replica,
            coordinator,
            clients: this.#toClients,
            nowMs: () => clock.presentUs / 1_000,
            observe: (machine) => observer.machine(machine),
            earlyMax: limits.earlyMax,
            onDiskFull: (full) => this.#diskFull('store', full),
          }),
        ),
      ),
    );
    // The same of a store that must not be used.
    if (this.system.failure !== undefined) return;
    coordinator.bind(
      store.child<CoordinatorActorMessage>(
        this.#spec('coordinator', (context) =>
          coordinatorActor(context, {
            self,
            group,
            clock,
            time,
            limits: limits.coordinator,
            batch: limits.batch,
            commandTimeoutMs: limits.commandTimeoutMs,
            tickMs,
            outbox,
            connected: () => this.#up,
            executor,
            clients: this.#toClients,
            ...(this.#parts.frames === undefined ? {} : { bareOks: this.#slots }),
            observe: observer,
          }),
        ),
      ),
    );
  }

  #toLink(node: number, group: GroupId, message: AccordMessage): void {
    const link = this.#links.get(node);
    // Lost on the way to the peer, if anything: the protocol repeats it.
    if (link !== undefined) tellOrDrop(link.traffic, { type: 'Send', group, message });
  }

  #startQuorum(source: FramePathSource): void {
    const { nodeId: self, observer: observe } = this.#parts;
    const quorum = this.system.root.child<QuorumActorMessage>(
      this.#spec('quorum', (context) =>
        quorumActor(context, {
          self,
          group: this.group,
          source,
          slots: this.#slots,
          connected: () => this.#up,
          toLink: (peer, its, message) => this.#toLink(peer, its, message),
          deliver: (from, its, message) => this.#router.receive(from, its, message),
          coordinator: this.#coordinator,
          observe,
        }),
      ),
    );
    this.#toQuorum = new Outlet(quorum);
    this.#trafficToQuorum = new Outlet(quorum, this.#trafficKeptMax);
  }

  #startLink(peer: number): void {
    const { network, observer } = this.#parts;
    const ref = this.system.root.child<PeerLinkMessage>(
      this.#spec(`peer-${peer}`, (context) =>
        peerLinkActor(context, {
          peer,
          network,
          judge: this.#judge,
          router: this.#router,
          time: this.time,
          onUp: () => {
            this.#up.add(peer);
            this.#tellStore({ type: 'PeerUp', peer });
            observer.peerUp(peer);
          },
          onDown: (_peer, reason) => {
            this.#up.delete(peer);
            this.#tellStore({ type: 'PeerDown', peer });
            observer.peerDown(peer, reason);
          },
          onRefused: (_peer, reason) => observer.peerRefused(peer, reason),
        }),
      ),
    );
    const traffic = new Outlet(ref, this.#trafficKeptMax);
    this.#links.set(peer, { news: new Outlet(ref), traffic });
  }

  #tellStore(message: { readonly type: 'PeerUp' | 'PeerDown'; readonly peer: number }): void {
    this.#toCoordinator.send(message);
    this.#toReplica.send(message);
    this.#toQuorum?.send(message);
  }

  #startNetwork(): void {
    const links = this.#links;
    this.#parts.network.start({
      onFrame: (peer, frame) => {
        const link = links.get(peer);
        // Lost on the way from the peer, if anything: the protocol repeats it.
        if (link !== undefined) tellOrDrop(link.traffic, { type: 'Frame', frame });
      },
      onUp: (peer) => links.get(peer)?.news.send({ type: 'Up' }),
      onDown: (peer, reason) => links.get(peer)?.news.send({ type: 'Down', reason }),
      onRefused: (peer, reason) => links.get(peer)?.news.send({ type: 'Refused', reason }),
    });
  }

  #spec<M>(name: string, start: ChildSpec<M>['start']): ChildSpec<M> {
    const { mailboxMax = MAILBOX_MAX } = this.#parts.limits;
    return { name, restart: 'permanent', shutdownMs: SHUTDOWN_MS, mailboxMax, start };
  }
}

function placed({ id, fromConflictSlot, toConflictSlot }: Group): PlacedGroup {
  return { id, fromSlot: fromConflictSlot, toSlot: toConflictSlot };
}

function soleGroup({ groups, nodeId }: NodeParts): Group {
  const [first, ...others] = groups;
  if (first === undefined || others.length > 0) {
    throw new RangeError(`node ${nodeId}: ${groups.length} groups, it carries one`);
  }
  const group = new Group(first);
  if (group.bit(nodeId) === 0) throw new RangeError(`node ${nodeId} is no member of its group`);
  return group;
}

/** Peers stop at their own limit of retained bytes: room for settings that differ from ours. */
function heldBytesMax({ retainedBytesMax }: NodeLimits): number {
  return 2 * retainedBytesMax + HELD_BYTES_MIN;
}
