/**
 * One store of a node: the supervisor of its replica, executor and coordinator, and the door
 * through which the rest of the node speaks to them. Owns its clock, its outbox, and what it knows
 * of links and of the cluster's time: nothing of that is shared with another store.
 */

import { type ClusterSettings, NO_SETTINGS } from '../../storage/cluster-settings.ts';
import type { Engine } from '../../storage/engine.ts';
import { TIME_UNKNOWN_MS } from '../../storage/keyspace/keyspace.ts';
import type { TableHashKey } from '../../storage/keyspace/table-hash.ts';
import type { Part, ReplyFlow, StoreNews } from '../../transport/resp/connection/part.ts';
import type { EndOfGroup, Laggard } from '../accord/local/effects.ts';
import type { GroupJoin } from '../accord/local/journal.ts';
import type { ReplicaMessage } from '../accord/local/replica.ts';
import type { BareOks } from '../accord/messages/bare-ok.ts';
import type { AccordMessage } from '../accord/messages/messages.ts';
import { type ClockComparison, ClusterTime } from '../accord/primitives/cluster-time.ts';
import { HybridClock } from '../accord/primitives/hybrid-clock.ts';
import type { Group, GroupDescriptor } from '../accord/topology/group.ts';
import type { GroupId } from '../accord/topology/group-id.ts';
import type { WalMessage } from '../log/wal-actor.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorSystem } from '../runtime/actor-system.ts';
import type { ChildSpec } from '../runtime/behavior.ts';
import { Outlet } from '../runtime/cells/outlet.ts';
import type { Clock } from '../runtime/ports/ports.ts';
import type { TraceRecorder } from '../runtime/trace/trace-recorder.ts';
import { coordinatorActor } from '../store/coordinator-actor.ts';
import { executorActor } from '../store/executor-actor.ts';
import type {
  CoordinatorActorMessage,
  ExecutorMessage,
  ReplicaActorMessage,
} from '../store/messages.ts';
import { Outbox } from '../store/outbox.ts';
import { replicaActor } from '../store/replica-actor.ts';
import type { ProposalOutcome } from '../store/topology-proposals.ts';
import { TxnTrace } from '../store/txn-trace.ts';
import { LateRef } from './late-ref.ts';
import type { NodeLimits, NodeObserver } from './node-parts.ts';

interface StoreParts {
  /** Its number among the stores of the node. */
  readonly store: number;
  readonly nodeId: number;
  readonly groups: readonly Group[];
  /** Of the whole cluster. */
  readonly allGroups: readonly Group[];
  readonly clock: Clock;
  readonly startedMs: number;
  /** Clocks that must be known, of all members of the node's groups. */
  readonly clockQuorum: number;
  readonly limits: NodeLimits;
  readonly trafficKeptMax: number;
  readonly tableHashKey: TableHashKey;
  /** undefined while the engine that was opened before is still closing. */
  readonly openEngine: () => Engine | undefined;
  readonly wal: ActorRef<WalMessage>;
  readonly clients: Outlet<StoreNews>;
  readonly toPeer: (group: GroupId, node: number, message: AccordMessage) => void;
  /** Of a transaction over several groups: to another store of this node, or its coordinator. */
  readonly toStore: (group: GroupId, message: ReplicaMessage) => void;
  /** The group is in that store. */
  readonly isIn: (group: GroupId, store: Store) => boolean;
  readonly bareOks: (group: GroupId) => BareOks | undefined;
  /** A group of the store has ended; told again at each beginning. */
  readonly ended: (store: Store, end: EndOfGroup) => void;
  /** Too much is kept for these members; repeated while it lasts. */
  readonly lagging: (members: readonly Laggard[]) => void;
  /** Its groups take part from now on: at each beginning. */
  readonly began: (store: Store) => void;
  /** Groups of the store of which this node became a member later. */
  readonly groupsJoined: (store: Store) => readonly GroupDescriptor[];
  /** The data of the group went with the store that was here before. */
  readonly lacks: (group: GroupId) => void;
  /** The group is here without its data. */
  readonly lacksData: (group: GroupId) => boolean;
  /** The log names such a group. */
  readonly joined: (store: Store, join: GroupJoin) => void;
  readonly handOn: (part: Part) => boolean;
  /** All that have ended so far, of the whole node. */
  readonly ends: () => Iterable<EndOfGroup>;
  /** One of them. */
  readonly endOf: (group: GroupId) => EndOfGroup | undefined;
  readonly contradicted: (from: number, type: AccordMessage['type'], reason: string) => void;
  readonly onDiskFull: (full: boolean) => void;
  /** The cluster's table, where its group is here. */
  readonly onTable: (table: ClusterSettings) => void;
  /** The table as the node knows it; see `CoordinatorOptions`. */
  readonly knownTable: () => ClusterSettings | undefined;
  /** The same, known to be new enough or not. */
  readonly table: () => ClusterSettings;
  readonly onTableRead: (version: number) => void;
  /** The meta group, where it is here, with its data. */
  readonly meta: () => GroupId | undefined;
  readonly onProposed: (outcome: ProposalOutcome) => void;
  readonly observer: NodeObserver;
  readonly recorder: TraceRecorder;
  readonly spec: <M>(name: string, start: ChildSpec<M>['start']) => ChildSpec<M>;
}

const UNLOGGED_BYTES_MAX = 32 * 1024 * 1024;
/** Messages of the gateway that wait for the executor: one per part of a connection. */
const FLOW_KEPT_MAX = 4 * 1024 * 1024;
const HELD_BYTES_MIN = 64 * 1024 * 1024;
const BACKLOG_BYTES_MIN = 256 * 1024 * 1024;
const RESTARTS_MAX = 5;
const RESTARTS_PERIOD_MS = 30_000;

export class Store {
  readonly groups: readonly Group[];
  readonly clock: HybridClock;
  /** Where parts of clients go. */
  readonly coordinator: ActorRef<CoordinatorActorMessage>;
  /** For questions of operators. */
  readonly executor: ActorRef<ExecutorMessage>;
  readonly replica: ActorRef<ReplicaActorMessage>;
  /** Messages from the network may be lost. */
  readonly trafficToReplica: Outlet<ReplicaActorMessage>;
  readonly trafficToCoordinator: Outlet<CoordinatorActorMessage>;
  /** Messages between actors of this node are never lost. */
  readonly toCoordinator: Outlet<CoordinatorActorMessage>;
  readonly #parts: StoreParts;
  readonly #time: ClusterTime;
  readonly #outbox: Outbox;
  readonly #up = new Set<number>();
  #table = NO_SETTINGS;
  readonly #replica = new LateRef<ReplicaActorMessage>('replica');
  readonly #executor = new LateRef<ExecutorMessage>('executor');
  readonly #coordinator = new LateRef<CoordinatorActorMessage>('coordinator');
  readonly #toReplica = new Outlet(this.#replica);
  readonly #toExecutor = new Outlet<ExecutorMessage>(this.#executor, FLOW_KEPT_MAX);

  constructor(parts: StoreParts) {
    const { store, nodeId, groups, clock, clockQuorum, limits, toPeer, trafficKeptMax } = parts;
    this.#parts = parts;
    this.groups = groups;
    this.#time = new ClusterTime({
      quorum: clockQuorum,
      wallUs: () => clock.wallUs(),
      monotonicMs: () => clock.monotonicMs(),
      limits: limits.clock ?? {},
    });
    const { reserveUs, skewUsMax } = this.#time.limits;
    const nowUs = (): number => this.#time.nowUs();
    this.clock = new HybridClock({ node: nodeId, store, nowUs, reserveUs, skewUsMax });
    this.coordinator = this.#coordinator;
    this.executor = this.#executor;
    this.replica = this.#replica;
    this.toCoordinator = new Outlet(this.#coordinator);
    this.trafficToReplica = new Outlet(this.#replica, trafficKeptMax);
    this.trafficToCoordinator = new Outlet(this.#coordinator, trafficKeptMax);
    const trace = new TxnTrace(parts.recorder);
    const { toStore } = parts;
    const targets = {
      ...{ toPeer, toStore, replica: this.#toReplica, coordinator: this.toCoordinator, trace },
      isHere: (group: GroupId) => parts.isIn(group, this),
    };
    this.#outbox = new Outbox(nodeId, this.clock, targets, limits.outboxHeldMax);
  }

  start(system: ActorSystem): void {
    const supervisor = system.root.supervisor({
      name: `store-${this.#parts.store}`,
      strategy: 'rest_for_one',
      restartsMax: RESTARTS_MAX,
      periodMs: RESTARTS_PERIOD_MS,
    });
    this.#replica.bind(supervisor.child<ReplicaActorMessage>(this.#replicaSpec()));
    this.#executor.bind(supervisor.child<ExecutorMessage>(this.#executorSpec()));
    // A store that must not be used has been reported.
    if (system.failure !== undefined) return;
    this.#coordinator.bind(supervisor.child<CoordinatorActorMessage>(this.#coordinatorSpec()));
  }

  #replicaSpec(): ChildSpec<ReplicaActorMessage> {
    const { store, nodeId, groups, startedMs, limits, wal, contradicted, observer } = this.#parts;
    return this.#parts.spec('replica', (context) =>
      replicaActor(context, {
        store,
        self: nodeId,
        groups,
        clock: this.clock,
        startedMs,
        limits: {
          replica: { heldBytesMax: heldBytesMax(limits), ...limits.replica },
          retainedBytesMax: limits.retainedBytesMax,
          backlogBytesMax: backlogBytesMax(limits),
          unloggedBytesMax: limits.unloggedBytesMax ?? UNLOGGED_BYTES_MAX,
          turnRecordBytesMax: limits.turnRecordBytesMax,
          turnsMax: limits.turnsMax,
          handOverMax: limits.handOverMax,
        },
        outbox: this.#outbox,
        connected: () => this.#up,
        wal,
        executor: this.#executor,
        coordinator: this.#coordinator,
        tickMs: limits.tickMs,
        began: () => this.#parts.began(this),
        joined: (join) => this.#parts.joined(this, join),
        lacks: (group) => {
          this.#parts.lacks(group);
          this.toCoordinator.send({ type: 'Lacks', group });
        },
        ended: (end) => this.#parts.ended(this, end),
        endOf: this.#parts.endOf,
        lagging: this.#parts.lagging,
        contradicted,
        observe: observer,
      }),
    );
  }

  #executorSpec(): ChildSpec<ExecutorMessage> {
    const { nodeId, groups, limits, observer, clients, onDiskFull } = this.#parts;
    const { openEngine, tableHashKey } = this.#parts;
    return this.#parts.spec('executor', (context) =>
      executorActor(context, {
        self: nodeId,
        groups,
        openEngine,
        cacheBytesMax: limits.cacheBytesMax,
        dirtyBytesMax: limits.dirtyBytesMax,
        flushEveryMs: limits.flushEveryMs,
        replyBytesMax: limits.replyBytesMax,
        keptReplyBytesMax: limits.keptReplyBytesMax,
        unitWriteBytesMax: limits.unitWriteBytesMax,
        spanningReadBytesMax: limits.spanningReadBytesMax,
        tableHashKey,
        unflushedBytesMax: limits.unflushedBytesMax,
        heldReplyBytesMax: limits.heldReplyBytesMax,
        heldEventsMax: limits.heldEventsMax,
        keysInUnitMax: limits.keysInUnitMax,
        listingsMax: limits.listingsMax,
        viewChangesMax: limits.viewChangesMax,
        sliceCommandsMax: limits.sliceCommandsMax,
        stepElementsMax: limits.stepElementsMax,
        replica: this.#replica,
        coordinator: this.#coordinator,
        clients,
        nowMs: () => (this.#time.isKnown ? this.clock.presentUs / 1_000 : TIME_UNKNOWN_MS),
        observe: (report, held) => {
          observer.executed(report, this.#parts.store, held);
          this.#observeTable(report.settings);
        },
        table: this.#parts.table,
        watch: (machines) => observer.watchMachines?.(machines, this.#parts.store),
        earlyMax: limits.earlyMax,
        onDiskFull,
      }),
    );
  }

  /** Called after each turn of the executor. */
  #observeTable(table: ClusterSettings): void {
    if (table === this.#table) return;
    this.#table = table;
    this.#parts.onTable(table);
  }

  #coordinatorSpec(): ChildSpec<CoordinatorActorMessage> {
    const { nodeId, groups, allGroups, limits, bareOks, clients, observer } = this.#parts;
    const { knownTable: table, onTableRead, meta, onProposed } = this.#parts;
    return this.#parts.spec('coordinator', (context) =>
      coordinatorActor(context, {
        self: nodeId,
        groups,
        allGroups,
        joined: () => this.#parts.groupsJoined(this),
        lacksData: this.#parts.lacksData,
        handOn: this.#parts.handOn,
        ends: this.#parts.ends,
        spanningReadBytesMax: limits.spanningReadBytesMax,
        clock: this.clock,
        time: this.#time,
        limits: limits.coordinator,
        batch: limits.batch,
        commandTimeoutMs: limits.commandTimeoutMs,
        tickMs: limits.tickMs,
        outbox: this.#outbox,
        connected: () => this.#up,
        executor: this.#executor,
        clients,
        bareOks,
        table,
        onTableRead,
        meta,
        onProposed,
        observe: observer,
      }),
    );
  }

  /** A message of another store of this node. */
  deliver(group: GroupId, message: ReplicaMessage): void {
    this.#outbox.deliver(group, message);
  }

  /** This node is a new member of a group that this store holds from now on. */
  join({ group, floor, parent }: Omit<GroupJoin, 'type'>): void {
    this.toCoordinator.send({ type: 'Joined', group });
    this.#toReplica.send({ type: 'Join', group, floor, parent });
  }

  get number(): number {
    return this.#parts.store;
  }

  // ---- what the node tells it -------------------------------------------------------------

  /** `false`: too much waits already. */
  submit(part: Part): boolean {
    if (part.onlyNotes === true) this.#toExecutor.send({ type: 'NoteKeys', part });
    return part.onlyNotes === true || this.#coordinator.tell({ type: 'Part', part });
  }

  /** Of replies that did not fit the window of their part. */
  flow(message: ReplyFlow): void {
    this.#toExecutor.send(message);
  }

  peerUp(peer: number): void {
    this.#up.add(peer);
    this.toCoordinator.send({ type: 'PeerUp', peer });
    this.#toReplica.send({ type: 'PeerUp', peer });
  }

  peerDown(peer: number): void {
    this.#up.delete(peer);
    this.toCoordinator.send({ type: 'PeerDown', peer });
    this.#toReplica.send({ type: 'PeerDown', peer });
  }

  /** Which keyspace events are told follows it at once. */
  tableChanged(table: ClusterSettings): void {
    this.#toExecutor.send({ type: 'Table', table });
  }

  /** Transactions that begin from now on name it. */
  tableKnown(table: ClusterSettings): void {
    this.toCoordinator.send({ type: 'Table', table });
  }

  /** No write may be begun, or may be again. */
  diskFull(full: boolean): void {
    this.toCoordinator.send({ type: 'DiskFull', full });
  }

  clockCompared(peer: number, reading: ClockComparison): void {
    // The next comparison follows soon.
    tellOrDrop(this.#coordinator, { type: 'ClockCompared', peer, reading });
  }
}

/** Far above: what is kept falls when the groups go on without the members that are away. */
function backlogBytesMax({ retainedBytesMax, backlogBytesMax: given }: NodeLimits): number {
  return given ?? 2 * retainedBytesMax + BACKLOG_BYTES_MIN;
}

/** Peers stop at their own limit of retained bytes: room for settings that differ from ours. */
function heldBytesMax(limits: NodeLimits): number {
  return 2 * backlogBytesMax(limits) + HELD_BYTES_MIN;
}
