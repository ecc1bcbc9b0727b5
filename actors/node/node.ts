/**
 * The supervision tree of one node: the one place that builds everything. What it needs of the
 * world comes in as parts; `start-node.ts` brings the operating system's, the simulator its own.
 *
 *   node            one_for_one
 *   ├─ wal          WalWriter
 *   ├─ store-k      rest_for_one: replica, executor, coordinator
 *   ├─ peer-<id>    PeerLink, one per peer
 *   ├─ topology     controllers
 *   ├─ snapshots    data of groups, to and from nodes that change their members
 *   ├─ quorum       single frames to all peers, and votes counted below the actors
 *   ├─ forwarding   parts of clients between nodes, where some are no members of some groups
 *   └─ gateway      clients
 */

import type { FramePathSource } from '../../bpf/path/frame-path.ts';
import { isCommandBody } from '../../storage/arguments.ts';
import type { ClusterSettings } from '../../storage/cluster-settings.ts';
import type { Part, ReplyFlow, StoreNews } from '../../transport/resp/connection/part.ts';
import { type PlacedGroup, Placement } from '../../transport/resp/connection/placement.ts';
import type { EndOfGroup, Laggard } from '../accord/local/effects.ts';
import type { GroupJoin } from '../accord/local/journal.ts';
import type { ReplicaMessage } from '../accord/local/replica.ts';
import { MessageJudge } from '../accord/messages/message-judge.ts';
import { type AccordMessage, isForCoordinator, ownerOf } from '../accord/messages/messages.ts';
import { MessageValidator } from '../accord/messages/validation.ts';
import { ClusterTime } from '../accord/primitives/cluster-time.ts';
import { fetchingIn, Group, type GroupDescriptor, goesOnIn } from '../accord/topology/group.ts';
import {
  type GroupId,
  GroupMap,
  isMetaGroup,
  isSameGroup,
  shareSlots,
} from '../accord/topology/group-id.ts';
import {
  type FramedGroup,
  mayTravelAsFrame,
  type QuorumActorMessage,
  quorumActor,
} from '../frames/quorum-actor.ts';
import { VoteSlots } from '../frames/vote-slots.ts';
import type { DiskPart } from '../log/disk-health.ts';
import { NODE_STREAM, type WalMessage, type WalReply, walActor } from '../log/wal-actor.ts';
import { DEPARTURE_LIMITS } from '../meta/departures.ts';
import type { MetaCommand } from '../meta/meta-command.ts';
import { formedTopologyOf, metaStateOf } from '../meta/meta-rows.ts';
import type { MetaState } from '../meta/meta-state.ts';
import { NODE_WATCH_LIMITS } from '../meta/node-watch.ts';
import { endIn, metaViewOf, type Topology, withMeta } from '../meta/topology.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import { ActorSystem } from '../runtime/actor-system.ts';
import type { ChildSpec } from '../runtime/behavior.ts';
import { Outlet } from '../runtime/cells/outlet.ts';
import type { ShutdownReport } from '../runtime/supervision/coordinated-shutdown.ts';
import { type DataReport, DataReports } from '../snapshots/data-reports.ts';
import {
  type GroupEndedHere,
  type JoinedGroup,
  SNAPSHOT_LIMITS,
  type SnapshotActorMessage,
  snapshotActor,
} from '../snapshots/snapshot-actor.ts';
import {
  FORWARDING_LIMITS,
  type ForwardingActorMessage,
  forwardingActor,
} from './forwarding/forwarding-actor.ts';
import { type ForwardingCounts, noForwards } from './forwarding/forwarding-counts.ts';
import { NewsFork } from './forwarding/news-fork.ts';
import { isTaken } from './forwarding/taken-parts.ts';
import { type GatewayMessage, gatewayActor } from './gateway-actor.ts';
import { HandedChanges } from './handed-changes.ts';
import { HeldGroups } from './held-groups.ts';
import { Inquiries } from './inquiries.ts';
import { Joins } from './joins.ts';
import { LateRef } from './late-ref.ts';
import { Membership } from './membership.ts';
import type { NodeMessage } from './node-messages.ts';
import type { NodeParts } from './node-parts.ts';
import { type PeerLinkMessage, peerLinkActor } from './peer-link-actor.ts';
import { PeerOffsets } from './peer-offsets.ts';
import { Router, type Unrouted } from './router.ts';
import { type Orderers, SettingsWatch } from './settings-watch.ts';
import { Store } from './store.ts';
import { storeOf } from './store-placement.ts';
import { type TopologyActorMessage, type TopologyAnswer, topologyActor } from './topology-actor.ts';
import { TopologyWatch } from './topology-watch.ts';

const MAILBOX_MAX = 65_536;
const REFUSED_MAX = 16;
/** Answers that wait for the gateway, or its replies to them: one per part of a connection. */
const ANSWERS_KEPT_MAX = 4 * 1024 * 1024;
/** Messages of peers, and for them, that wait beside a full mailbox. */
const TRAFFIC_KEPT_MAX = 1_024;
/** Until the cluster's time is known, no timestamp before the year 2112 can be called too late. */
const TIME_UNKNOWN_US = 2 ** 52;
const SHUTDOWN_MS = 2_000;
const ACL_LEASE_MS = 2_000;
/** So long all members are waited for before some of them form a cluster. */
const FORM_WITHOUT_MS = 3_000;
/** Time for commands in flight to be answered before a node stops. */
const DRAIN_MS = 1_000;

interface DrainRequest {
  readonly type: 'Drain';
  readonly replyTo: ActorRef<{ readonly type: 'Drained' }>;
}

/** The ways to the actor of one peer. */
interface PeerLink {
  /** That the link comes and goes. */
  readonly news: Outlet<PeerLinkMessage>;
  readonly traffic: Outlet<PeerLinkMessage>;
}

export class Node {
  readonly system: ActorSystem;
  /** Those of the beginning of which this node is a member. */
  readonly #first: readonly Group[];
  /** Of the whole cluster, at the beginning. */
  readonly #allGroups: readonly Group[];
  /** Those of them that have not ended, and what follows the others. */
  #open: readonly Group[];
  /** All that ever were, as far as this node knows. */
  readonly #known: GroupMap<Group>;
  readonly stores: readonly Store[];
  /** The comparison of the members' clocks. */
  readonly time: ClusterTime;
  /** How the peers' clocks differ from this node's. */
  readonly offsets = new PeerOffsets();
  /** Between the consoles of the nodes. */
  readonly inquiries: Inquiries;
  readonly #parts: NodeParts;
  readonly #storeOf: GroupMap<Store>;
  /** All other nodes of the cluster, as far as this node knows. */
  readonly #peers: Set<number>;
  /** The same, with this one. */
  readonly #nodeIds: Set<number>;
  /** Peers whose network says that the link is up. */
  readonly #linked = new Set<number>();
  readonly #membership: Membership;
  /** Where this node is no member of the meta group, and for those that are none. */
  readonly #handedChanges: HandedChanges;
  readonly #lateGateway = new LateRef<GatewayMessage>('gateway');
  /** From the stores. */
  readonly #toClients: Outlet<StoreNews>;
  /** From other nodes. */
  readonly #toGateway: Outlet<StoreNews>;
  /** Absent where all nodes are members of all groups, with their data, for ever. */
  #forwarding: Outlet<ForwardingActorMessage> | undefined;
  readonly #lateForwarding = new LateRef<ForwardingActorMessage>('forwarding');
  readonly forwards: ForwardingCounts = noForwards();
  /** Whether clients of this node, and of those that are no members, keep what they read. */
  readonly #tracking = { own: true, peers: false };
  readonly #trafficKeptMax: number;
  readonly #links = new Map<number, PeerLink>();
  /** Of the groups whose members are those of the fan-out set. */
  readonly #slots = new GroupMap<VoteSlots>();
  readonly #judge: MessageJudge;
  readonly #router: Router;
  #toQuorum: Outlet<QuorumActorMessage> | undefined;
  #trafficToQuorum: Outlet<QuorumActorMessage> | undefined;
  readonly #up = new Set<number>();
  /** Peers with which there is no link since one side has refused it. */
  readonly #refusing = new Set<number>();
  /** The settings of the cluster, here and elsewhere. */
  readonly settings: SettingsWatch;
  /** The decisions of the meta group, as this node has applied them. */
  readonly topology = new TopologyWatch();
  #toTopology: Outlet<TopologyActorMessage> | undefined;
  readonly #fullParts = new Set<string>();
  readonly #held: HeldGroups;
  /** Groups of which this node became a member later. */
  readonly #joins: Joins<Store>;
  #toSnapshots: Outlet<SnapshotActorMessage> | undefined;
  /** Of data that come to this node. */
  readonly #fetchedBytes = new GroupMap<number>();
  /** About the data of groups, from this node and others. */
  readonly #reports = new DataReports();
  #placement: Placement | undefined;
  readonly #wal: ActorRef<WalMessage>;
  #gateway: ActorRef<GatewayMessage> | undefined;
  #newsForGateway: Outlet<GatewayMessage> | undefined;
  #trafficToGateway: Outlet<GatewayMessage> | undefined;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    const { nodeId, clock, rng, scheduler, recorder, onFailed, observer, limits } = parts;
    this.settings = new SettingsWatch({
      connected: this.#up,
      self: nodeId,
      nodes: () => this.#peers.size + 1,
      orderers: () => this.#orderers(),
      leaseMs: parts.aclLeaseMs ?? ACL_LEASE_MS,
      onKnown: () => this.#tellTable(),
      nowMs: () => clock.monotonicMs(),
    });
    this.#joins = new Joins(nodeId);
    this.#trafficKeptMax = limits.trafficKeptMax ?? TRAFFIC_KEPT_MAX;
    this.#first = groupsOf(parts);
    this.#held = new HeldGroups(nodeId, this.#first);
    this.#allGroups = allGroupsOf(parts, this.#first);
    if (!this.#allGroups.some(isMeta)) this.settings.read(0);
    this.#open = this.#allGroups;
    this.#known = new GroupMap(this.#allGroups.map((group) => [group.id, group]));
    const members = new Set(this.#allGroups.flatMap((group) => group.members));
    this.#peers = new Set([...members].filter((id) => id !== nodeId).sort((a, b) => a - b));
    this.#nodeIds = new Set([nodeId, ...this.#peers]);
    this.#membership = this.#createMembership();
    this.#handedChanges = this.#createHandedChanges();
    const mayChange = parts.announcement !== undefined || parts.topology !== undefined;
    if (mayChange || this.openGroups.some((group) => group.members.length < members.size)) {
      this.#forwarding = new Outlet(this.#lateForwarding, ANSWERS_KEPT_MAX);
    }
    this.#toGateway = new Outlet(parts.clients ?? this.#lateGateway, ANSWERS_KEPT_MAX);
    this.#toClients = this.#createClients();
    this.time = new ClusterTime({
      quorum: this.#clockQuorum(),
      wallUs: () => clock.wallUs(),
      monotonicMs: () => clock.monotonicMs(),
      limits: limits.clock ?? {},
    });
    for (const group of this.groups) this.#count(group);
    this.#judge = this.#createJudge();
    this.inquiries = this.#createInquiries();
    this.system = new ActorSystem({
      name: `node-${nodeId}`,
      clock,
      rng,
      scheduler,
      recorder,
      onFailed,
      onRestart: (restart) => observer.actorRestarts?.(restart),
    });
    this.#wal = this.#startWal();
    this.stores = this.#createStores();
    this.#storeOf = new GroupMap(
      this.stores.flatMap((store) => store.groups.map(({ id }) => [id, store] as const)),
    );
    this.#router = this.#createRouter();
    // A log that must not be used has been reported; there is no tree to build any more.
    for (const store of this.stores) {
      if (this.system.failure === undefined) store.start(this.system);
    }
    if (this.system.failure !== undefined) return;
    // Some are known since the stores have begun.
    for (const peer of this.#peers) if (!this.#links.has(peer)) this.#startLink(peer);
    if (parts.table !== undefined) this.#tableChanged(parts.table);
    if (parts.frames !== undefined) this.#startQuorum(parts.frames);
    this.#startSnapshots();
    if (this.#forwarding !== undefined) this.#startForwarding();
    this.#startNetwork();
    if (parts.topology !== undefined) this.#startTopology(parts.topology);
    if (parts.gateway !== undefined) this.#startGateway(parts.gateway);
  }

  /** Those of which this node is a member, and which have not ended. */
  get groups(): readonly Group[] {
    return this.#held.open.filter((group) => !isMeta(group));
  }

  /** The same of the whole cluster, as far as this node knows. */
  get openGroups(): readonly Group[] {
    return this.#open.filter((group) => !isMeta(group));
  }

  /** A majority of this node and its peers. */
  #clockQuorum(): number {
    return Math.floor((this.#peers.size + 1) / 2) + 1;
  }

  // ---- the clients' side ------------------------------------------------------------------

  /**
   * A part of a client's unit, for the store of its first group that is here, or for a member of
   * its groups; `false`: too much waits.
   */
  submit(part: Part): boolean {
    const store = this.#isToBeNoted(part) ? undefined : this.#storeFor(part);
    if (store !== undefined) return store.submit(part);
    return this.#forwarding?.tell({ type: 'Part', part }) ?? false;
  }

  /** A part that was taken for another node goes back to it. `false`: nobody takes it. */
  #handOn(part: Part): boolean {
    if (isTaken(part.unit)) return false;
    return this.#forwarding?.tell({ type: 'Part', part }) ?? false;
  }

  /** Its client waits for keys of groups that are not here, too. */
  #isToBeNoted({ waits, groups }: Part): boolean {
    const isElsewhere = this.#isElsewhere;
    return waits && groups.length > 1 && this.#forwarding !== undefined && groups.some(isElsewhere);
  }

  readonly #isElsewhere = (id: GroupId): boolean =>
    (this.#known.has(id) && !this.#storeOf.has(id)) || this.#joins.lacksData(id);

  #storeFor({ groups }: Part): Store | undefined {
    for (const group of groups) {
      const store = this.#joins.lacksData(group) ? undefined : this.#storeOf.get(group);
      if (store !== undefined) return store;
    }
    return undefined;
  }

  /** Of replies that did not fit the window of their part; the store that holds them knows. */
  flow(message: ReplyFlow): void {
    this.#forwarding?.send(message);
    if (message.type === 'TrackWrites') this.#track({ ...this.#tracking, own: message.isOn });
    else this.#flowHere(message);
  }

  readonly #flowHere = (message: ReplyFlow): void => {
    for (const store of this.stores) store.flow(message);
  };

  #track({ own, peers }: { readonly own: boolean; readonly peers: boolean }): void {
    Object.assign(this.#tracking, { own, peers });
    this.#flowHere({ type: 'TrackWrites', isOn: own || peers });
  }

  /** Peers whose links are up. */
  get connected(): ReadonlySet<number> {
    return this.#up;
  }

  /** Why some group has no quorum of its members, for people; undefined: all have. */
  get unreachable(): string | undefined {
    const isUp = (member: number): boolean => member === this.#parts.nodeId || this.#up.has(member);
    for (const group of this.#held.open) {
      // One that has been replaced follows the others.
      if (isMeta(group) && !this.#isOfMeta()) continue;
      const { members, quorums } = group;
      const reachable = members.filter(isUp).length;
      if (reachable >= quorums.slow) continue;
      const whose = this.#nameOf(group);
      const connected = `${reachable} of ${members.length} members${whose} are connected`;
      return `only ${connected}, ${quorums.slow} are needed`;
    }
    // Commands for other groups are handed on to a member.
    const elsewhere = this.openGroups.find(
      ({ id, members }) => !this.#storeOf.has(id) && !members.some(isUp),
    );
    if (elsewhere === undefined) return undefined;
    const { range, generation } = elsewhere.id;
    return `no member of group ${range}.${generation} is connected`;
  }

  /** In a sentence about its members; nothing where they are those of all groups. */
  #nameOf({ id, members }: Group): string {
    if (this.#held.open.every((other) => isSameSet(other.members, members))) return '';
    return ` of group ${id.range}.${id.generation}`;
  }

  /** Dropped messages and frames of peers for groups and channels that this node does not serve. */
  get unrouted(): ReadonlyMap<number, Unrouted> {
    return this.#router.unrouted;
  }

  // ---- the end ----------------------------------------------------------------------------

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
    const forwarding = this.#forwarding === undefined ? [] : [this.#forwarding];
    let left = this.stores.length + forwarding.length;
    const drained = (): void => {
      left -= 1;
      if (left === 0) done();
    };
    for (const { toCoordinator } of this.stores) this.#askToDrain(toCoordinator, drained);
    for (const outlet of forwarding) this.#askToDrain(outlet, drained);
  }

  #askToDrain<M>(outlet: Outlet<M | DrainRequest>, drained: () => void): void {
    const asked = this.system.ask<M | DrainRequest, { readonly type: 'Drained' }>(
      outlet,
      (replyTo) => ({ type: 'Drain', replyTo }),
      DRAIN_MS,
      drained,
      drained,
    );
    if (!asked) drained();
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

  // ---- how it is built --------------------------------------------------------------------

  #createJudge(): MessageJudge {
    const { limits, network, observer } = this.#parts;
    return new MessageJudge({
      refusedMax: limits.refusedMax ?? REFUSED_MAX,
      disconnect: (peer, reason) => network.disconnect(peer, reason),
      observe: observer,
    });
  }

  #createInquiries(): Inquiries {
    const { clock, inquired } = this.#parts;
    return new Inquiries({
      send: (peer, message) => {
        const link = this.#up.has(peer) ? this.#links.get(peer) : undefined;
        return link?.traffic.tell({ type: 'SendInquiry', message }) ?? false;
      },
      nowMs: () => clock.monotonicMs(),
      answer: inquired,
    });
  }

  #createRouter(): Router {
    return new Router(
      this.#judge,
      this.#allGroups.map((group) => this.#routeOf(group)),
      (store) => this.#storeByNumber(store)?.trafficToCoordinator,
    );
  }

  #routeOf(group: Group): Parameters<Router['add']>[0] {
    const { nodeId: self, limits } = this.#parts;
    const store = this.#storeOf.get(group.id);
    return {
      id: group.id,
      validator: new MessageValidator({
        self,
        group,
        nodes: this.#nodeIds,
        nowUs: () => this.time.nowUs() || TIME_UNKNOWN_US,
        isBody: isCommandBody,
        ...(limits.messages === undefined ? {} : { limits: limits.messages }),
      }),
      replica: store?.trafficToReplica,
      coordinator: store?.trafficToCoordinator,
    };
  }

  // ---- the topology -----------------------------------------------------------------------

  #startTopology(parts: NonNullable<NodeParts['topology']>): void {
    const { form, leaseMs, watch, replicas, onAct } = parts;
    const { nodeId: self, limits, clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    const topology = this.system.root.child<TopologyActorMessage>(
      this.#spec('topology', (context) =>
        topologyActor(context, {
          ...{ self, leaseMs, watch: { ...NODE_WATCH_LIMITS, ...watch }, observe: onAct },
          replicas: { ...DEPARTURE_LIMITS, ...replicas },
          connected: () => this.#up,
          form: () => (this.#mayForm(startedMs) ? form : undefined),
          state: () => this.topology.state,
          isMember: () => this.#isOfMeta(),
          endOf: (group) => this.#held.endOf(group)?.executeAt,
          hasData: (group, node) => this.#joins.hasData(group, node),
          lagging: () => this.#reports.current('lagging', clock.monotonicMs()),
          lacking: () => this.#reports.current('lacking', clock.monotonicMs()),
          presentUs: () => this.presentUs,
          propose: (token, command) => this.#propose(token, command),
          close: (group, successors) => this.#close(group, successors),
          told: () => this.#membership.due,
          isDraining: () => this.isDraining,
          answerMsMax: 2 * limits.commandTimeoutMs,
        }),
      ),
    );
    this.#toTopology = new Outlet(topology);
  }

  /**
   * A member that is not connected, or refuses this node, may know a cluster that has been formed
   * already: one that is only slow to start is waited for.
   */
  #mayForm(startedMs: number): boolean {
    if (this.#refusing.size > 0 || this.#lostTable() !== undefined) return false;
    const waitedMs = this.#parts.clock.monotonicMs() - startedMs;
    return this.#up.size === this.#peers.size || waitedMs >= FORM_WITHOUT_MS;
  }

  /** It is to take no new work. A later start than that which was told then is not meant. */
  get isDraining(): boolean {
    const { nodeId, announcement } = this.#parts;
    const { nodes = [] } = this.topology.state?.topology ?? {};
    const own = nodes.find(({ id }) => id === nodeId);
    return own?.state === 'draining' && own.incarnation >= (announcement?.incarnation ?? 0);
  }

  /** The cluster's time, as far as this node knows it. */
  get presentUs(): number {
    return this.stores[0]?.clock.presentUs ?? 0;
  }

  /** `done` is called once. */
  changeTopology(command: MetaCommand, done: (answer: TopologyAnswer) => void): void {
    if (this.#isOfMeta()) this.#decideHere(command, done);
    else this.#handedChanges.ask(command, done);
  }

  /** One that is lost here ends in time. */
  #propose(token: number, command: string): void {
    const group = this.#held.meta?.id;
    if (group === undefined) return;
    const store = this.#storeOf.get(group);
    store?.toCoordinator.send({ type: 'ProposeTopology', group, token, command });
  }

  /**
   * This node takes part in the decisions of the meta group. One that has its data to come does
   * not, nor one that learns of a later generation than its own: it may have been replaced.
   */
  #isOfMeta(): boolean {
    const meta = this.#held.meta?.id;
    if (meta === undefined || this.#joins.lacksData(meta)) return false;
    const { id } = this.topology.state?.topology.meta ?? {};
    return id === undefined || id.generation <= meta.generation;
  }

  #orderers(): Orderers {
    const { nodeId } = this.#parts;
    const { meta } = this.topology.state?.topology ?? {};
    const isMember = this.#isOfMeta();
    if (meta === undefined) {
      const members = tableMembersOf(this.#parts);
      const { generation = 0 } = this.#open.find(isMeta)?.id ?? {};
      // Without a meta group, as in tests, all order the changes together.
      const orders = isMember || (generation === 0 && members.has(nodeId));
      return { view: generation, members: [members], isMember: orders };
    }
    const [next] = meta.change?.phase === 'closing' ? meta.change.successors : [];
    const groups = next === undefined ? [meta] : [meta, next];
    const members = groups.map((group) => new Set(group.members));
    return { view: metaViewOf(meta), members, isMember };
  }

  /** Those that can decide. */
  #deciders(): Iterable<number> {
    const { members, owed } = this.topology.state?.topology.meta ?? {};
    return members?.filter((node) => owed?.includes(node) !== true) ?? tableMembersOf(this.#parts);
  }

  #decideHere(command: MetaCommand, done: (answer: TopologyAnswer) => void): void {
    const unknown = (): void => done({ type: 'unknown', why: 'no answer in time' });
    const topology = this.#toTopology;
    const isAsked =
      topology !== undefined &&
      this.#isOfMeta() &&
      this.system.ask<TopologyActorMessage, TopologyAnswer>(
        topology,
        (replyTo) => ({ type: 'Change', command, replyTo }),
        2 * this.#parts.limits.commandTimeoutMs,
        done,
        unknown,
      );
    if (!isAsked) done({ type: 'refused', why: 'this node is no member of the meta group' });
  }

  /** `false`: it is no other one, or an older one. */
  #followTopology(table: ClusterSettings): boolean {
    if (!this.topology.changed(table)) return false;
    const { state } = this.topology;
    const { onState, onFormed } = this.#parts.topology ?? {};
    if (state !== undefined) onState?.(state);
    if (state !== undefined) this.#followElsewhere(state);
    if (state !== undefined) this.#followNodes(state.topology);
    this.#joinGroups();
    const formed = formedTopologyOf((name) => table.values.get(name));
    if (formed !== undefined) onFormed?.(formed);
    this.#toTopology?.send({ type: 'Changed' });
    return true;
  }

  // ---- groups that end --------------------------------------------------------------------

  /** Proposes to end a group; whoever wants it repeats it until the group has ended. */
  #close(group: GroupId, successors: readonly GroupDescriptor[]): void {
    if (isMetaGroup(group) && !this.settings.mayEnd) return;
    this.#storeOf.get(group)?.toCoordinator.send({ type: 'Close', group, successors });
  }

  /** Groups of which this node is no member have ended where the topology says so. */
  #followElsewhere({ topology, ended }: MetaState): void {
    // Transactions over several groups name them.
    for (const end of this.#joins.missed(ended, this.#ownGroups())) {
      this.#ended(undefined, { type: 'Ended', ...end });
    }
    for (const { id, fromSlot, toSlot } of this.#open) {
      if (this.#storeOf.has(id)) continue;
      const end = endIn(topology, { id, fromSlot, toSlot });
      if (end !== undefined) this.#ended(undefined, { type: 'Ended', group: id, ...end });
    }
  }

  /**
   * The successors are in the store of their parent, if it is here: no row moves. A group that this
   * node has joined may end before the node hears of the end of the one before it.
   */
  #ended(store: Store | undefined, end: EndOfGroup): void {
    const isBegun = (group: GroupId): boolean => this.#storeOf.has(group);
    const followed = this.#held.ended(end, store !== undefined, isBegun);
    if (followed === undefined) return;
    const { successors, begun } = followed;
    const { follow } = this.#held;
    const isOpen = this.#open.some(({ id }) => isSameGroup(id, end.group));
    this.#open = this.#open.flatMap(follow);
    for (const { id } of begun) if (store !== undefined) this.#storeOf.set(id, store);
    for (const group of successors) {
      this.#known.set(group.id, group);
      this.#count(group);
      this.#router.add(this.#routeOf(group));
    }
    if (this.#hasEndedHere(end)) this.#toSnapshots?.send(this.#endedHere(end));
    this.#abandonLeft();
    for (const group of this.#framedOf(successors)) this.#toQuorum?.send({ type: 'Begin', group });
    if (isOpen) this.#placement?.ended(end.group, successors.flatMap(follow).map(placed));
    for (const { toCoordinator } of this.stores) toCoordinator.send(end);
    if (isMetaGroup(end.group)) this.#keepTable();
    this.#toTopology?.send({ type: 'Changed' });
    this.#joinGroups();
  }

  /** One that takes no part any more begins with it, and follows the others. */
  #keepTable(): void {
    const { table } = this.#membership;
    if (this.#held.meta === undefined && table.values.size > 0) this.#parts.onTable?.(table);
  }

  readonly #hasEndedHere = ({ group }: EndOfGroup): boolean =>
    this.#storeOf.has(group) && !this.#held.isOpen(group);

  #endedHere({ group, successors }: EndOfGroup): GroupEndedHere {
    const { nodeId } = this.#parts;
    const isLeft = !successors.some((its) => goesOnIn(its, nodeId));
    return { type: 'EndedHere', group, isLeft };
  }

  // ---- groups that this node joins --------------------------------------------------------

  #began(store: Store): void {
    const isFirst = this.#joins.began(store, this.stores.length);
    this.#abandonOlder();
    if (!isFirst) for (const join of this.#joins.of(store)) store.join(join);
    const { state } = this.topology;
    if (state !== undefined) this.#followElsewhere(state);
    this.#joinGroups();
  }

  /** This node is a member of these by the topology, and by nothing that has happened here. */
  #joinGroups(): void {
    const { state } = this.topology;
    if (state === undefined) return;
    const wanted = this.#joins.wanted(state.topology, this.#ownGroups());
    for (const join of wanted) {
      const number = storeOf(join.group.id, this.#parts.stores);
      const store = this.#storeOfSlots(join.group) ?? this.#storeByNumber(number) ?? this.stores[0];
      if (store === undefined) return;
      this.#joined(store, join);
      store.join(join);
    }
    if (wanted.length === 0) return;
    this.#abandonOlder();
    this.#followElsewhere(state);
  }

  /** Older data of these slots are there, and go as others come in. */
  #storeOfSlots(slots: GroupDescriptor): Store | undefined {
    let last: Group | undefined;
    for (const group of this.#known.values()) {
      if (!shareSlots(group, slots) || !this.#storeOf.has(group.id)) continue;
      if (group.id.generation > (last?.id.generation ?? 0)) last = group;
    }
    return last && this.#storeOf.get(last.id);
  }

  #ownGroups() {
    return {
      isHere: (group: GroupId) => this.#storeOf.has(group),
      open: this.#held.open,
    };
  }

  /**
   * This node has joined groups that follow these, and has no part in them any more. Other members
   * know what follows until the topology says so.
   */
  #abandonOlder(): void {
    for (const group of this.#joins.superseded(this.#held.open)) {
      this.#storeOf.delete(group.id);
      this.#held.left(group);
      this.#router.add(this.#routeOf(group));
      this.#joins.abandoned(group.id);
      this.#fetchNoMore(group.id);
    }
  }

  /** This node has left them, and all that follows them, before their data came. */
  #abandonLeft(): void {
    for (const { group } of this.#joins.lacking()) {
      if (this.#held.isFollowed(group.id)) continue;
      this.#joins.gaveUp(group.id);
      this.#fetchNoMore(group.id);
    }
  }

  #fetchNoMore(group: GroupId): void {
    this.#fetchedBytes.delete(group);
    this.#toSnapshots?.send({ type: 'Abandon', group });
  }

  /** By the store's log. */
  #joinedBefore(store: Store, join: GroupJoin): void {
    this.#joined(store, join);
    store.toCoordinator.send({ type: 'Joined', group: join.group });
  }

  /** `join` may be told again. */
  #joined(store: Store, { group: descriptor, floor, parent }: Omit<GroupJoin, 'type'>): void {
    if (this.#storeOf.has(descriptor.id)) return;
    const group = new Group(descriptor);
    const needless = this.#joins.joined(store, { group: descriptor, floor, parent });
    for (const id of needless) this.#fetchNoMore(id);
    this.#storeOf.set(group.id, store);
    this.#known.set(group.id, group);
    this.#held.joined(group);
    this.#router.add(this.#routeOf(group));
    if (!this.#joins.lacksData(descriptor.id)) return;
    this.#toSnapshots?.send({ type: 'Fetch', ...this.#fetched({ group: descriptor, parent }) });
  }

  /**
   * Its data went with the store that was here before. Those of the table are fetched as they are
   * now; those of a range as they are at its end, which the meta group is asked for.
   */
  #lacks(group: GroupId): void {
    this.#joins.loses(group);
    // The data of its beginning do not suffice where it was joined.
    this.#toSnapshots?.send({ type: 'Abandon', group });
    const table = this.#lostTable();
    if (table !== undefined) this.#toSnapshots?.send({ type: 'Fetch', ...table });
    this.#parts.observer.dataLost?.(group);
  }

  #lostTable(): JoinedGroup | undefined {
    const [table] = this.#joins.gone(this.#held.open.filter(isMeta));
    const group = table && this.#known.get(table);
    return group && { group, parent: group.id, isAbsent: false };
  }

  /** Groups of this node whose data went with the store that was here before. */
  get lacking(): readonly GroupId[] {
    return this.#joins.gone(this.#held.open);
  }

  #fetched({ group, parent }: Pick<GroupJoin, 'group' | 'parent'>): JoinedGroup {
    return { group, parent, isAbsent: group.absent?.includes(this.#parts.nodeId) === true };
  }

  /** Of a group that has ended here. */
  #isNeedless(group: GroupId): boolean {
    const { state } = this.topology;
    const known = this.#known.get(group);
    if (state === undefined || known === undefined) return false;
    return withMeta(state.topology).every((range) => {
      if (!shareSlots(range, known)) return true;
      return range.id.generation > group.generation && fetchingIn(range).length === 0;
    });
  }

  /** A member of the meta group says so itself. */
  #unreported(): readonly GroupId[] {
    const { state } = this.topology;
    if (state === undefined || this.#isOfMeta()) return [];
    return this.#joins.unreported(state.topology);
  }

  #startSnapshots(): void {
    const { limits } = this.#parts;
    const snapshots = this.system.root.child<SnapshotActorMessage>(
      this.#spec('snapshots', (context) =>
        snapshotActor(context, {
          self: this.#parts.nodeId,
          limits: limits.snapshots ?? SNAPSHOT_LIMITS,
          begun: () => [
            ...this.#joins.lacking().map((join) => this.#fetched(join)),
            ...[this.#lostTable()].flatMap((table) => table ?? []),
          ],
          ended: () =>
            [...this.#held.ends].filter(this.#hasEndedHere).map((end) => this.#endedHere(end)),
          donors: (group) => this.#donorsOf(group),
          tableOf: (group) => this.#tableOf(group),
          connected: () => this.#up,
          executorOf: (group) => this.#storeOf.get(group)?.executor,
          replicaOf: (group) => this.#storeOf.get(group)?.replica,
          toPeer: (peer, message) => {
            const link = this.#up.has(peer) ? this.#links.get(peer) : undefined;
            // Asked for again.
            if (link !== undefined) tellOrDrop(link.traffic, { type: 'SendSnapshot', message });
          },
          progressed: (group, bytes) => this.#fetchedBytes.set(group, bytes),
          fetched: (group) => {
            this.#joins.done(group);
            this.#fetchedBytes.delete(group);
            this.#toTopology?.send({ type: 'Changed' });
          },
          held: (peer, group) => {
            this.#joins.held(peer, group);
            this.#toTopology?.send({ type: 'Changed' });
          },
          unreported: () => this.#unreported(),
          lost: () => this.#lost(),
          reported: (report, laggard) => this.#reported(report, laggard),
          reportTo: () => this.topology.state?.topology.meta.members ?? [],
          isNeedless: (group) => this.#isNeedless(group),
        }),
      ),
    );
    this.#toSnapshots = new Outlet(snapshots);
  }

  /** Bytes of the data of a group that have come here; undefined: they do not, or none have. */
  fetchedBytes(group: GroupId): number | undefined {
    return this.#fetchedBytes.get(group);
  }

  /** See `Joins.lost`. */
  #lost(): readonly GroupId[] {
    const { state } = this.topology;
    if (state === undefined) return [];
    const gone = this.#joins.gone(this.groups);
    return [...gone, ...this.#joins.lost(state.topology, this.#ownGroups())];
  }

  /** By this node, or by another one. */
  #reported(report: DataReport, laggard: Laggard): void {
    this.#reports.note(report, laggard, this.#parts.clock.monotonicMs());
  }

  /** The table of the members of this generation of the meta group, where this node has it. */
  #tableOf(group: GroupId): ClusterSettings | undefined {
    const { table } = this.#membership;
    const meta = metaStateOf((name) => table.values.get(name))?.topology.meta;
    return meta !== undefined && isSameGroup(meta.id, group) ? table : undefined;
  }

  /** Those first that have left: their data stay as they were at the end of the group. */
  #donorsOf(group: GroupId): readonly number[] {
    const members = this.#known.get(group)?.members ?? [];
    return [...this.#peers].sort(
      (a, b) => Number(members.includes(a)) - Number(members.includes(b)),
    );
  }

  /** Votes of a group whose members are those of the fan-out set are counted below the actors. */
  #count(group: Group): void {
    const { frames, nodeId } = this.#parts;
    if (!isSameSet(group.members, frames?.members ?? [])) return;
    this.#slots.set(group.id, new VoteSlots(group, nodeId));
  }

  /** Also those that have ended: they decide what is left. */
  #everKnown(): readonly Group[] {
    const ended = [...this.#held.ends].flatMap(({ successors }) =>
      successors.map((its) => new Group(its)),
    );
    return [...this.#first, ...ended];
  }

  #framedOf(groups: readonly Group[]): readonly FramedGroup[] {
    return groups.flatMap(({ id }) => {
      const slots = this.#slots.get(id);
      const store = this.#storeOf.get(id);
      if (slots === undefined || store === undefined) return [];
      return { id, slots, coordinator: store.coordinator };
    });
  }

  #storeByNumber(store: number): Store | undefined {
    return this.stores.find(({ number }) => number === store);
  }

  /** Between the stores of this node. */
  readonly #toStore = (group: GroupId, message: ReplicaMessage): void => {
    const store = isForCoordinator(message)
      ? this.#storeByNumber(ownerOf(message).store)
      : this.#storeOf.get(group);
    store?.deliver(group, message);
  };

  #startWal(): ActorRef<WalMessage> {
    const { wal, limits, observer } = this.#parts;
    const { earlyMax } = limits;
    const stores = this.#placed().map(({ store }) => store);
    const onStalled = (stalled: boolean): void => observer.disk('log', 'stalled', stalled);
    const onDiskFull = (full: boolean): void => this.#diskFull('log', 'log', full);
    return this.system.root.child<WalMessage>(
      this.#spec('wal', (context) =>
        walActor(context, { ...wal, stores, earlyMax, onDiskFull, onStalled }),
      ),
    );
  }

  /** The stores that hold a group, with their groups. */
  #placed(): readonly { readonly store: number; readonly groups: readonly Group[] }[] {
    const { stores } = this.#parts;
    const all = Array.from({ length: stores }, (_, store) => ({
      store,
      groups: this.#first.filter(({ id }) => storeOf(id, stores) === store),
    }));
    const used = all.filter(({ groups }) => groups.length > 0);
    // A node without groups may become a member of some.
    return used.length > 0 ? used : all.slice(0, 1);
  }

  #createStores(): readonly Store[] {
    const { nodeId, clock, limits, tableHashKey, observer, recorder, openEngine } = this.#parts;
    const startedMs = clock.monotonicMs();
    return this.#placed().map(
      ({ store, groups }) =>
        new Store({
          store,
          nodeId,
          groups,
          allGroups: this.#allGroups,
          clock,
          startedMs,
          clockQuorum: this.#clockQuorum(),
          limits,
          trafficKeptMax: this.#trafficKeptMax,
          tableHashKey,
          openEngine: () => openEngine(store),
          wal: this.#wal,
          clients: this.#toClients,
          toPeer: this.#toPeer,
          toStore: this.#toStore,
          isIn: (group, store) => this.#storeOf.get(group) === store,
          began: (store) => this.#began(store),
          groupsJoined: (store) => this.#joins.of(store).map(({ group }) => group),
          joined: (store, join) => this.#joinedBefore(store, join),
          lacks: (group) => this.#lacks(group),
          lacksData: (group) => this.#joins.lacksData(group),
          handOn: (part) => this.#handOn(part),
          ended: (store, end) => this.#ended(store, end),
          lagging: (members) => this.#toSnapshots?.send({ type: 'Lagging', members }),
          ends: () => this.#held.ends,
          endOf: (group) => this.#held.endOf(group),
          bareOks: (group) => this.#slots.get(group),
          contradicted: (from, type, reason) =>
            this.#judge.refuse(from, type, 'contradiction', reason),
          onDiskFull: (full) => this.#diskFull('store', `store-${store}`, full),
          knownTable: () => this.settings.known,
          table: () => this.settings.own,
          onTable: (table) => this.#tableChanged(table),
          meta: () => (this.#isOfMeta() ? this.#held.meta?.id : undefined),
          onTableRead: (version) => {
            this.settings.read(version);
            this.#tellTable();
            this.#tellPeers();
          },
          onProposed: (outcome) => this.#toTopology?.send({ type: 'Proposed', ...outcome }),
          observer,
          recorder,
          spec: (name, start) => this.#spec(name, start),
        }),
    );
  }

  #startGateway(options: NonNullable<NodeParts['gateway']>): void {
    const placement = new Placement(this.openGroups.map(placed), this.#open.find(isMeta)?.id);
    this.#placement = placement;
    this.#gateway = this.system.root.child<GatewayMessage>(
      this.#spec('gateway', (context) =>
        gatewayActor(context, {
          ...options,
          self: this.#parts.nodeId,
          placement,
          submit: (part) => this.submit(part),
          flow: (message) => this.flow(message),
          connected: () => this.#up,
          isDraining: () => this.isDraining,
          toPeer: (peer, message) => {
            const link = this.#links.get(peer);
            // Published messages reach a peer at most once; gaps in the tables are asked for.
            if (link !== undefined) tellOrDrop(link.traffic, { type: 'SendPubSub', message });
          },
        }),
      ),
    );
    this.#lateGateway.bind(this.#gateway);
    this.#newsForGateway = new Outlet(this.#gateway);
    this.#trafficToGateway = new Outlet(this.#gateway, this.#trafficKeptMax);
  }

  /** Without room for any of them, no write may be begun. */
  #diskFull(part: DiskPart, whose: string, full: boolean): void {
    if (full) this.#fullParts.add(whose);
    else this.#fullParts.delete(whose);
    const isFull = part === 'log' ? full : [...this.#fullParts].some((name) => name !== 'log');
    this.#parts.observer.disk(part, 'full', isFull);
    for (const store of this.stores) store.diskFull(this.#fullParts.size > 0);
  }

  #tableChanged(table: ClusterSettings): void {
    const { epoch } = this.#membership.age;
    const isOther = this.#followTopology(table);
    const isLater = this.settings.changed(table);
    if (isOther || isLater) this.#membership.has(table);
    if ((isOther || isLater) && this.#held.wasOutOfMeta) this.#parts.onTable?.(table);
    if (isLater) {
      for (const store of this.stores) store.tableChanged(table);
      this.#tellTable();
    }
    if (isLater || this.#membership.age.epoch > epoch) this.#tellPeers();
  }

  #tellPeers(): void {
    for (const { news } of this.#links.values()) news.send({ type: 'SettingsChanged' });
  }

  #tellTable(): void {
    const { known } = this.settings;
    if (known === undefined) return;
    for (const store of this.stores) store.tableKnown(known);
  }

  // ---- parts of other nodes ---------------------------------------------------------------

  #createClients(): Outlet<StoreNews> {
    const clients = this.#parts.clients ?? this.#lateGateway;
    const forwarding = this.#forwarding;
    const fork = forwarding === undefined ? clients : new NewsFork(clients, forwarding);
    return new Outlet(fork, ANSWERS_KEPT_MAX);
  }

  #startForwarding(): void {
    const { limits } = this.#parts;
    const forwarding = this.system.root.child<ForwardingActorMessage>(
      this.#spec('forwarding', (context) =>
        forwardingActor(context, {
          connected: () => this.#up,
          limits: limits.forwarding ?? FORWARDING_LIMITS,
          timeoutMs: limits.commandTimeoutMs,
          elsewhere: () => this.openGroups.map(({ id }) => id).filter(this.#isElsewhere),
          isElsewhere: this.#isElsewhere,
          membersOf: (group) => this.#groupOf(group)?.members ?? [],
          areIn: (groups, slots) => this.#areIn(groups, slots),
          roundTripMs: (peer) => this.offsets.roundTripMs(peer),
          submit: (part) => this.#storeFor(part)?.submit(part) ?? false,
          flow: this.#flowHere,
          tracks: (peers) => this.#track({ ...this.#tracking, peers }),
          toClients: (news) => this.#toGateway.send(news),
          toPeer: (peer, message) => {
            const link = this.#up.has(peer) ? this.#links.get(peer) : undefined;
            return link?.traffic.tell({ type: 'SendForwarding', message }) ?? false;
          },
          counts: this.forwards,
        }),
      ),
    );
    this.#lateForwarding.bind(forwarding);
  }

  /** Also one that has ended. */
  #groupOf(id: GroupId): Group | undefined {
    return this.#known.get(id);
  }

  #areIn(groups: readonly GroupId[], slots: readonly number[]): boolean {
    const its = groups.flatMap((group) => this.#groupOf(group) ?? []);
    const isIn = (slot: number): boolean =>
      its.some(({ fromConflictSlot: from, toConflictSlot: to }) => slot >= from && slot < to);
    return slots.every(isIn);
  }

  // ---- peers ------------------------------------------------------------------------------

  /** Single frames where the group has them, the peer's link otherwise. */
  readonly #toPeer = (group: GroupId, node: number, message: AccordMessage): void => {
    const quorum = this.#trafficToQuorum;
    if (quorum !== undefined && mayTravelAsFrame(message) && this.#slots.get(group)?.isAttached) {
      // Lost on the way to a peer, if anything: the protocol repeats it.
      tellOrDrop(quorum, { type: 'Send', group, to: node, message });
    } else this.#toLink(node, group, message);
  };

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
          groups: () => this.#framedOf(this.#everKnown()),
          source,
          connected: () => this.#up,
          toLink: (peer, group, message) => this.#toLink(peer, group, message),
          deliver: (from, group, message) => this.#router.receive(from, group, message),
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
          settings: this.settings,
          inquiries: this.inquiries,
          onNode: (_peer, message) => this.#aboutNodes(peer, message),
          age: () => this.#membership.age,
          onAgeTold: (_peer, age) => this.#membership.ageTold(peer, age),
          onTick: () => {
            this.#membership.onTick();
            this.#handedChanges.onTick();
          },
          onPubSub: (_peer, message) => {
            const gateway = this.#trafficToGateway;
            // Lost on the way from the peer, if anything: at most once is all that is promised.
            if (gateway !== undefined) tellOrDrop(gateway, { type: 'PubSub', peer, message });
          },
          onSnapshot: (_peer, message) => {
            const snapshots = this.#toSnapshots;
            // Asked for again.
            if (snapshots !== undefined) tellOrDrop(snapshots, { type: 'FromPeer', peer, message });
          },
          onForwarding: (_peer, message) =>
            this.#forwarding?.send({ type: 'FromPeer', peer, message }),
          onNotForwarded: (_peer, messages) =>
            this.#forwarding?.send({ type: 'NotSent', peer, messages }),
          onClockCompared: (_peer, reading, roundTripMs) => {
            this.offsets.heard(peer, reading, roundTripMs);
            observer.roundTrip?.(roundTripMs);
            for (const store of this.stores) store.clockCompared(peer, reading);
          },
          onUp: () => {
            this.#up.add(peer);
            this.#refusing.delete(peer);
            this.#membership.peerUp(peer);
            for (const store of this.stores) store.peerUp(peer);
            this.#newsForGateway?.send({ type: 'PeerUp', peer });
            this.#forwarding?.send({ type: 'PeerUp', peer });
            this.#toQuorum?.send({ type: 'PeerUp', peer });
            observer.peerUp(peer);
          },
          onDown: (_peer, reason) => {
            this.#up.delete(peer);
            this.inquiries.peerDown(peer);
            this.#handedChanges.peerDown(peer);
            for (const store of this.stores) store.peerDown(peer);
            this.#newsForGateway?.send({ type: 'PeerDown', peer });
            this.#forwarding?.send({ type: 'PeerDown', peer });
            this.#toQuorum?.send({ type: 'PeerDown', peer });
            observer.peerDown(peer, reason);
          },
          onRefused: (_peer, reason) => {
            this.#refusing.add(peer);
            observer.peerRefused(peer, reason);
          },
        }),
      ),
    );
    const traffic = new Outlet(ref, this.#trafficKeptMax);
    const news = new Outlet<PeerLinkMessage>(ref);
    this.#links.set(peer, { news, traffic });
    if (this.#linked.has(peer)) news.send({ type: 'Up' });
  }

  // ---- nodes that come and go -------------------------------------------------------------

  #createMembership(): Membership {
    const { nodeId: self, announcement, network, clock } = this.#parts;
    return new Membership({
      ...{ self, announcement, connected: this.#up, members: () => this.#deciders() },
      isMember: () => this.#isOfMeta(),
      state: () => this.topology.state,
      send: (peer, message) => this.#tellNode(peer, message),
      onTable: (table) => this.#tableChanged(table),
      onPlace: (peer, { host, port }) => {
        if (this.#peers.has(peer)) network.setPeer?.({ id: peer, host, port });
      },
      nowMs: () => clock.monotonicMs(),
    });
  }

  #createHandedChanges(): HandedChanges {
    const { limits, clock } = this.#parts;
    return new HandedChanges({
      members: () => this.#deciders(),
      connected: this.#up,
      send: (peer, message) => this.#tellNode(peer, message),
      decide: (command, done) => this.#decideHere(command, done),
      firstToken: Math.floor(clock.wallUs()),
      answerMsMax: 3 * limits.commandTimeoutMs,
      nowMs: () => clock.monotonicMs(),
    });
  }

  #aboutNodes(peer: number, message: NodeMessage): void {
    if (message.type === 'ChangeAsked' || message.type === 'ChangeAnswered') {
      this.#handedChanges.received(peer, message);
    } else this.#membership.received(peer, message);
  }

  #tellNode(peer: number, message: NodeMessage): void {
    const link = this.#links.get(peer);
    // It is told, or asked for, again.
    if (link !== undefined) tellOrDrop(link.traffic, { type: 'SendNode', message });
  }

  /** Also those that this node has never heard of; those that are gone have no links. */
  #followNodes({ nodes }: Topology): void {
    const { nodeId: self, network } = this.#parts;
    for (const { id, host, port, incarnation } of nodes) {
      if (id === self) continue;
      const isNew = !this.#peers.has(id);
      // Until a node has told where it is, the flags say it.
      if (isNew || incarnation > 0) network.setPeer?.({ id, host, port });
      if (!isNew) continue;
      this.#peers.add(id);
      this.#nodeIds.add(id);
      if (!this.#links.has(id)) this.#startLink(id);
    }
    for (const id of this.#peers) {
      if (nodes.some((node) => node.id === id)) continue;
      this.#peers.delete(id);
      this.#nodeIds.delete(id);
      network.removePeer?.(id);
    }
  }

  #startNetwork(): void {
    const links = this.#links;
    this.#parts.network.start({
      onFrame: (peer, frame) => {
        const link = links.get(peer);
        // Lost on the way from the peer, if anything: the protocol repeats it.
        if (link !== undefined) tellOrDrop(link.traffic, { type: 'Frame', frame });
      },
      onUp: (peer) => {
        this.#linked.add(peer);
        links.get(peer)?.news.send({ type: 'Up' });
      },
      onDown: (peer, reason) => {
        this.#linked.delete(peer);
        links.get(peer)?.news.send({ type: 'Down', reason });
      },
      onRefused: (peer, reason) => links.get(peer)?.news.send({ type: 'Refused', reason }),
    });
  }

  #spec<M>(name: string, start: ChildSpec<M>['start']): ChildSpec<M> {
    const { mailboxMax = MAILBOX_MAX } = this.#parts.limits;
    return { name, shutdownMs: SHUTDOWN_MS, mailboxMax, start };
  }
}

function isMeta({ machine }: Group): boolean {
  return machine === 'meta';
}

function placed({ id, fromConflictSlot, toConflictSlot }: Group): PlacedGroup {
  return { id, fromSlot: fromConflictSlot, toSlot: toConflictSlot };
}

/** Members of the meta group, or where there is none, all nodes. */
function tableMembersOf({ groups, allGroups = groups }: NodeParts): ReadonlySet<number> {
  const meta = allGroups.find(({ machine }) => machine === 'meta');
  return new Set(meta?.members ?? groups.flatMap(({ members }) => members));
}

function allGroupsOf({ allGroups = [] }: NodeParts, own: readonly Group[]): readonly Group[] {
  const others = allGroups.filter(({ id }) => !own.some((group) => isSameGroup(group.id, id)));
  return [...own, ...others.map((descriptor) => new Group(descriptor))];
}

function groupsOf({ groups, allGroups = groups, nodeId, stores }: NodeParts): readonly Group[] {
  if (allGroups.length === 0 || stores < 1) {
    throw new RangeError(`node ${nodeId}: ${allGroups.length} groups on ${stores} stores`);
  }
  if (stores > NODE_STREAM) {
    throw new RangeError(`node ${nodeId}: ${stores} stores (at most ${NODE_STREAM})`);
  }
  return groups.map((descriptor) => {
    const group = new Group(descriptor);
    const { range, generation } = group.id;
    if (group.bit(nodeId) !== 0) return group;
    throw new RangeError(`node ${nodeId} is no member of its group ${range}.${generation}`);
  });
}

/** Both ascend. */
function isSameSet(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((member, index) => member === b[index]);
}
