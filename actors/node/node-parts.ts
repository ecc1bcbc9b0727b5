/**
 * The parts of a node that come from outside, and its limits: `start-node.ts` brings the operating
 * system's, the simulator its own.
 */

import type { FramePathSource } from '../../bpf/path/frame-path.ts';
import type { ClusterSettings } from '../../storage/cluster-settings.ts';
import type { Engine } from '../../storage/engine.ts';
import type { TableHashKey } from '../../storage/keyspace/table-hash.ts';
import type { StateMachines, StoreReport } from '../../storage/state-machines.ts';
import type { PeerNetwork } from '../../transport/peer/network.ts';
import type { StoreNews } from '../../transport/resp/connection/part.ts';
import type { CoordinatorLimits } from '../accord/coordinate/coordinator.ts';
import type { ReplicaLimits } from '../accord/local/replica-state.ts';
import type { ValidationLimits } from '../accord/messages/field-validation.ts';
import type { RefusalObserver } from '../accord/messages/message-judge.ts';
import type { ClockLimits } from '../accord/primitives/cluster-time.ts';
import type { GroupDescriptor } from '../accord/topology/group.ts';
import type { GroupId } from '../accord/topology/group-id.ts';
import type { QuorumObserver } from '../frames/quorum-actor.ts';
import type { WalOptions } from '../log/wal-actor.ts';
import type { DepartureLimits } from '../meta/departures.ts';
import type { Form } from '../meta/meta-command.ts';
import type { MetaState } from '../meta/meta-state.ts';
import type { NodeWatchLimits } from '../meta/node-watch.ts';
import type { Act } from '../meta/range-manager.ts';
import type { Topology } from '../meta/topology.ts';
import type { ActorRef } from '../runtime/actor-ref.ts';
import type { SystemFailure } from '../runtime/actor-system.ts';
import type { RestartNotice } from '../runtime/host.ts';
import type { Clock, Rng, Scheduler } from '../runtime/ports/ports.ts';
import type { TraceRecorder } from '../runtime/trace/trace-recorder.ts';
import type { SnapshotLimits } from '../snapshots/snapshot-actor.ts';
import type { BatchLimits } from '../store/batcher.ts';
import type { CoordinatorObserver } from '../store/coordinator-actor.ts';
import type { ReplicaObserver } from '../store/replica-actor.ts';
import type { ForwardingLimits } from './forwarding/forwarding-actor.ts';
import type { GatewayActorOptions } from './gateway-actor.ts';
import type { InquiryHandler } from './inquiries.ts';
import type { Announcement } from './node-messages.ts';

export interface NodeParts {
  readonly nodeId: number;
  /** Those of which this node is a member; none, where it only hands on to others. */
  readonly groups: readonly GroupDescriptor[];
  /** Of the whole cluster; by default those of which this node is a member. */
  readonly allGroups?: readonly GroupDescriptor[];
  /** Groups are placed on so many stores (`store-placement.ts`): 1 to `NODE_STREAM`. */
  readonly stores: number;
  /** Absent where nobody changes the topology. */
  readonly topology?: TopologyParts;
  /** Told to the others; absent where no nodes come and go. */
  readonly announcement?: Announcement;
  /** As this node had it last, where it is no member of the meta group. */
  readonly table?: ClusterSettings;
  /** Is told each newer one there. */
  readonly onTable?: (table: ClusterSettings) => void;
  /** Of a node on the cluster's table, see `SettingsWatch`; default 2000. */
  readonly aclLeaseMs?: number;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly scheduler: Scheduler;
  readonly recorder: TraceRecorder;
  readonly network: PeerNetwork;
  /** Absent where all messages travel over the links of `network`. */
  readonly frames?: FramePathSource;
  readonly wal: Omit<WalOptions, 'stores'>;
  /** Of a store; undefined while the engine that was opened before is still closing. */
  readonly openEngine: (store: number) => Engine | undefined;
  readonly limits: NodeLimits;
  /** A secret of this process, for its tables. */
  readonly tableHashKey: TableHashKey;
  readonly observer: NodeObserver;
  readonly gateway?: Omit<GatewayActorOptions, GatewayWiring>;
  /** Is told the answers to parts where there is no gateway. */
  readonly clients?: ActorRef<StoreNews>;
  /** Answers the consoles of other nodes. */
  readonly inquired?: InquiryHandler;
  readonly onFailed: (failure: SystemFailure) => void;
}

interface TopologyParts {
  /** Proposed where the cluster has not been formed, as far as this node knows. */
  readonly form: Form | undefined;
  /** Of a controller; see `RangeManager`. */
  readonly leaseMs: number;
  /** Of nodes that are missed; `NODE_WATCH_LIMITS` by default. */
  readonly watch?: Partial<NodeWatchLimits>;
  /** Of nodes that leave; `DEPARTURE_LIMITS` by default. */
  readonly replicas?: Partial<DepartureLimits>;
  /** Look on: each state that the node comes to, and each act of its controllers before it. */
  readonly onState?: (state: MetaState) => void;
  /** Is told the topology that the cluster was formed with, again with each of its states. */
  readonly onFormed?: (topology: Topology) => void;
  readonly onAct?: (act: Act) => void;
}

/** Parts of the gateway that the node itself brings. */
type GatewayWiring =
  | 'self'
  | 'submit'
  | 'flow'
  | 'placement'
  | 'toPeer'
  | 'connected'
  | 'isDraining';

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
  readonly keptReplyBytesMax: number;
  readonly unitWriteBytesMax: number;
  /** Of the entries that a transaction over several groups reads; the same on every node. */
  readonly spanningReadBytesMax: number;
  readonly unflushedBytesMax: number;
  /** Command bytes kept for members that are away: with more, their groups go on without them. */
  readonly retainedBytesMax: number;
  /** The same where that comes to nothing: with more, no write is begun. Derived by default. */
  readonly backlogBytesMax?: number;
  /** Records that wait for the disk before a store takes no more from its peers. */
  readonly unloggedBytesMax?: number;
  /** Records of one turn before it takes no more of that kind; half of these by default. */
  readonly turnRecordBytesMax?: number;
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
  readonly heldEventsMax?: number;
  /** Keys that KEYS and the like may look at in a block or a script over several ranges. */
  readonly keysInUnitMax?: number;
  /** KEYS that are listed at a time, and keys that may change ahead of each. */
  readonly listingsMax?: number;
  readonly viewChangesMax?: number;
  /** Commands that an executor applies without a pause; see `running-executor.ts`. */
  readonly sliceCommandsMax?: number;
  /** Elements that a long command goes through without a pause; see `storage/steps.ts`. */
  readonly stepElementsMax?: number;
  /** Messages that wait while the log, or the engine, is opened; 65,536 by default. */
  readonly earlyMax?: number;
  /** Parts of clients under way between nodes; `FORWARDING_LIMITS` by default. */
  readonly forwarding?: ForwardingLimits;
  /** Data of groups that change their members; `SNAPSHOT_LIMITS` by default. */
  readonly snapshots?: SnapshotLimits;
  /** Messages of peers, and for them, beside a full mailbox; `TRAFFIC_KEPT_MAX` by default. */
  readonly trafficKeptMax?: number;
}

export interface NodeObserver
  extends ReplicaObserver,
    CoordinatorObserver,
    QuorumObserver,
    RefusalObserver {
  /** The contents of a store, after each turn of its executor. */
  executed(report: StoreReport, store: number, heldReplyBytes: number): void;
  /** For checks that run beside a store: a fresh incarnation of its state machines. */
  watchMachines?(machines: StateMachines, store: number): void;
  /** The data of a group went with the store that was here before. */
  dataLost?(group: GroupId): void;
  peerUp(peer: number): void;
  /** A round trip on the link to a peer. */
  roundTrip?(ms: number): void;
  peerDown(peer: number, reason: string): void;
  peerRefused(peer: number, reason: string): void;
  /** An actor has ended on its own and is started again. */
  actorRestarts?(restart: RestartNotice): void;
}

/** Messages that wait for one actor. */
