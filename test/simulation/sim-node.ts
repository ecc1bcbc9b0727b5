/**
 * One simulated machine: a disk and an engine that survive crashes, a clock of its own, and the
 * real node (`actors/node/node.ts`) as long as it is up. Everything that can happen to a machine is a
 * method here; `faults.ts` chooses.
 */
import type { StoreWatch } from '../../actors/accord/local/command-store.ts';
import type { Effect, EndOfGroup } from '../../actors/accord/local/effects.ts';
import { encodeRecord } from '../../actors/accord/local/journal.ts';
import { isMoved } from '../../actors/accord/primitives/spanning-body.ts';
import { keyOf, type Timestamp, ZERO } from '../../actors/accord/primitives/timestamp.ts';
import type { GroupDescriptor } from '../../actors/accord/topology/group.ts';
import {
  type GroupId,
  GroupMap,
  groupKey,
  isSameGroup,
} from '../../actors/accord/topology/group-id.ts';
import { Forgotten } from '../../actors/log/forgotten.ts';
import { Lineage, type LineageState, NEW_LINEAGE } from '../../actors/log/lineage.ts';
import type { DepartureLimits } from '../../actors/meta/departures.ts';
import type { Form } from '../../actors/meta/meta-command.ts';
import type { MetaState } from '../../actors/meta/meta-state.ts';
import type { NodeWatchLimits } from '../../actors/meta/node-watch.ts';
import type { Act } from '../../actors/meta/range-manager.ts';
import type { NodePlaces } from '../../actors/meta/topology.ts';
import {
  type ForwardingCounts,
  noForwards,
} from '../../actors/node/forwarding/forwarding-counts.ts';
import { Node } from '../../actors/node/node.ts';
import type { NodeLimits, NodeObserver, NodeParts } from '../../actors/node/node-parts.ts';
import { storeOf } from '../../actors/node/store-placement.ts';
import type { ActorRef } from '../../actors/runtime/actor-ref.ts';
import type { SystemFailure } from '../../actors/runtime/actor-system.ts';
import type { Clock } from '../../actors/runtime/ports/ports.ts';
import type { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { TraceRecorder } from '../../actors/runtime/trace/trace-recorder.ts';
import type { ReplicaWatermarks } from '../../actors/store/replica-actor.ts';
import type { ClusterSettings } from '../../storage/cluster-settings.ts';
import { MemoryStore } from '../../storage/engine/memory-engine.ts';
import type { Engine } from '../../storage/engine.ts';
import { lostGroup } from '../../storage/engine.ts';
import type { Notification } from '../../storage/keyspace/key-events.ts';
import type { ReadOutcome, StateMachine } from '../../storage/state-machine.ts';
import type { StateMachines } from '../../storage/state-machines.ts';

import type { StoreNews } from '../../transport/resp/connection/part.ts';
import type { Gateway } from '../../transport/resp/gateway.ts';
import type { SyncPolicyOptions } from '../../wal/sync-policy.ts';
import type { WalOptions } from '../../wal/wal-options.ts';
import type { WriteAheadLog } from '../../wal/write-ahead-log.ts';
import { framesOver, type SimFrames } from '../bpf/sim-frames.ts';
import { idleServices } from '../transport/resp/harness.ts';
import { type ClientUnit, isOfTable } from './client.ts';
import { type SimClient, SimClients } from './sim-clients.ts';
import { type CrashKind, SimDisk } from './sim-disk.ts';
import { type CommitFault, SimEngine, type SimEngineOptions } from './sim-engine.ts';
import type { KeyPlace, SimGroup } from './sim-group.ts';
import type { Identity, SimNetwork } from './sim-network.ts';
import { watchSpanning } from './spanning-watch.ts';
import type { PausableScheduler } from './virtual-scheduler.ts';

export interface SimNodeOptions {
  readonly nodeId: number;
  /** All nodes of the cluster: what frames are fanned out to. */
  readonly members: readonly number[];
  /** Those that this node is a member of. */
  readonly groups: readonly SimGroup[];
  /** Of the whole cluster. */
  readonly allGroups: readonly SimGroup[];
  /** Absent where no unit is for the cluster's table. */
  readonly meta?: SimGroup;
  /** The real gateway instead of simulated clients. */
  readonly hasGateway?: boolean;
  readonly stores: number;
  readonly rng: SeededRng;
  readonly network: SimNetwork;
  /** Small messages travel as frames of their own, and votes are counted below the actors. */
  readonly frames?: SimFrames | undefined;
  /** A scheduler that dies with the incarnation. */
  readonly scope: () => PausableScheduler;
  readonly clock: Clock;
  /** Without error. */
  readonly trueClock: Clock;
  readonly limits: NodeLimits;
  /** Where the topology changes. */
  readonly form?: Form | undefined;
  readonly watch?: NodeWatchLimits;
  readonly replicas?: DepartureLimits;
  /** Nodes come and go: it tells the others where it is. */
  readonly announces?: boolean;
  readonly onState?: (state: MetaState) => void;
  readonly onAct?: (node: SimNode, act: Act) => void;
  /** Replies that a connection takes before it gives credit for more. */
  readonly replyWindowBytes?: number;
  /** All keyspace events, whatever the table says. */
  readonly tellsEvents?: boolean;
  readonly logLimits: Omit<WalOptions, 'newLogId'>;
  readonly syncPolicy: SyncPolicyOptions;
  readonly diskLatencyMs: () => number;
  /** As in `SimEngineOptions`. */
  readonly readMsMax?: number;
  readonly trace: {
    readonly eventsMax: number;
    readonly sampleEvery: number;
    readonly txnEventsMax?: number;
  };
  readonly onFailed: (node: SimNode, failure: SystemFailure) => void;
  /** Of any actor, also when the node lives on. */
  readonly onCrash: (node: SimNode, error: string) => void;
  /** A message of a peer was judged unsound: all nodes here are sound. */
  readonly onRefused: (node: SimNode, what: string) => void;
  /** It has executed the end of a group. */
  readonly onEnded?: (node: SimNode, end: EndOfGroup) => void;
  /** Its log has been cut; on the disk it will be in a moment. */
  readonly onCut: (node: SimNode) => void;
  readonly count: (what: string) => void;
  readonly violation: (what: string) => void;
}

export const SIM_DIRECTORY = 'wal';
/** Leases come with the probes of the clocks, two in a second. */
const ACL_LEASE_MS = 550;
const WINDOW_BYTES = 1024 ** 2;
/** Of controllers: short, so that it changes hands. */
const LEASE_MS = 1_000;
/** With so little kept for others, a round of forgetting comes between any two commands. */
const LEASE_MS_LONG = 6_000;
const KEPT_FEW = 64 * 1_024;
/** The record that says what has been forgotten, behind which the log is cut. */
const MARKS_TYPE = encodeRecord(
  { range: 1, generation: 1 },
  { type: 'DurableBefore', before: ZERO },
).type;
/** Flight recorders of past incarnations that are kept for a dump. */
const RECORDERS_MAX = 4;

/** The durable state of a store; it survives crashes. */
interface SimStore {
  readonly memory: MemoryStore;
  /** Undefined: there is no store. */
  storeId: string | undefined;
  lineage: LineageState;
  /** Transactions whose events subscribers were told, in any life, by group and time. */
  readonly told: Set<string>;
}

/** A store of the incarnation that is up. */
interface StoreLife {
  /** As of its last report. */
  machines: StateMachines | undefined;
  watermarks: ReplicaWatermarks | undefined;
  ready: boolean;
  engine: Engine | undefined;
}

const NO_LIFE: StoreLife = {
  machines: undefined,
  watermarks: undefined,
  ready: false,
  engine: undefined,
};

function add(a: ReplicaWatermarks, b: ReplicaWatermarks): ReplicaWatermarks {
  return {
    store: a.store,
    appliedSequence: a.appliedSequence + b.appliedSequence,
    flushedSequence: a.flushedSequence + b.flushedSequence,
    redundantBeforeUs: Math.min(a.redundantBeforeUs, b.redundantBeforeUs),
    retained: a.retained + b.retained,
    retainedBytes: a.retainedBytes + b.retainedBytes,
    unapplied: a.unapplied + b.unapplied,
    unloggedBytes: a.unloggedBytes + b.unloggedBytes,
  };
}

/** A disk with what was stored on it, and the name that its peers know it by. */
interface Drive {
  readonly diskId: string;
  readonly disk: SimDisk;
  readonly rng: SeededRng;
  /** By number, those that hold a group. */
  stores: Map<number, SimStore>;
  lineage: LineageState;
  /** Disk ids of peers by node id: durable, as in identity.json. */
  readonly knownDisks: Map<number, string>;
  /** Of a node that is no member of the meta group: as it had it last. */
  table: ClusterSettings | undefined;
  incarnation: number;
  /** Its node begins a store anew that is missing. */
  heals: boolean;
  /** So often it has. */
  replaced: number;
}

export class SimNode {
  readonly id: number;
  readonly recorders: TraceRecorder[] = [];
  /** Of the present incarnation, by store. */
  readonly #lives = new Map<number, StoreLife>();
  /** The transaction that a group's state machine executes. */
  readonly #executing = new GroupMap<Timestamp>();
  /** The one of which a command has run last, of any group. */
  #running: Timestamp | undefined;
  /** Machines that tell what they execute. */
  readonly #seen = new WeakSet<StateMachine>();
  /** The transaction of the listing of keys that ended last. */
  readonly #listed = new GroupMap<Timestamp>();
  /** The same of all groups together. */
  #lastListed: Timestamp | undefined;
  /** Transactions whose events were taken, and their stores. */
  readonly #eventsOf = new WeakMap<object, { readonly store: number; readonly name: string }>();
  paused = false;
  /** Of the incarnation that is up, where it has one. */
  gateway: Gateway | undefined;
  /** The failure that was injected and must stop this node; anything else is a violation. */
  expected: 'sync error' | 'full disk' | 'log rot' | 'store rot' | 'missing' | undefined;
  /** Injected into this incarnation. */
  actorCrashes = 0;
  /** A value in its store is damaged, found or not. */
  rotten = false;
  /** It has stopped within a turn and is about to crash. */
  frozen = false;
  /** The fault of its engine's next commit. */
  commitFault: CommitFault | undefined;
  /** It can never come back: its disk is damaged. */
  lost = false;
  /** A stranger's disk is in it. */
  swapped = false;
  #drive: Drive;
  #ownDrive: Drive | undefined;
  #jumpUs = 0;
  #lagMsMax = 0;
  readonly #options: SimNodeOptions;
  /** Those of the beginning, and all that may follow them. */
  readonly #groups: SimGroup[];
  readonly #clock: Clock;
  readonly #life: PausableScheduler;
  #node: Node | undefined;
  #forwardsBefore: ForwardingCounts = noForwards();
  #effectsLeft = 0;
  #onStopped: () => void = () => undefined;
  readonly #clients: SimClients;
  #scope: PausableScheduler | undefined;

  constructor(options: SimNodeOptions) {
    this.#options = options;
    this.id = options.nodeId;
    this.#life = options.scope();
    this.#groups = [...options.groups];
    this.#forget();
    this.#drive = this.#newDrive();
    this.#clients = new SimClients({
      window: options.replyWindowBytes ?? WINDOW_BYTES,
      executing: (client) => {
        const [group, another] = this.#groupsNow(client);
        if (another === undefined) return group && this.#executing.get(group);
        // Of several groups, the one whose command has run last answers; a read may be no command.
        return client.unit.part.readOnly ? undefined : this.#running;
      },
      listed: (client) => {
        const [group, another] = this.#groupsNow(client);
        return another === undefined ? group && this.#listed.get(group) : this.#lastListed;
      },
      frozen: () => this.frozen,
      answered: ({ unit, judge, order, floor, at }, replies, silent = 0) => {
        if (at === undefined || !this.#servesItself(unit)) return;
        judge.answered({ node: this.id, unit, order, silent }, floor, at, replies);
      },
      flow: (message) => this.#node?.flow(message),
    });
    const { clock } = options;
    this.#clock = {
      wallUs: () => clock.wallUs() + this.#jumpUs,
      monotonicMs: () => clock.monotonicMs(),
    };
  }

  /** The groups that have the slots of a client's unit by now. */
  #groupsNow({ unit, groups }: Pick<SimClient, 'unit' | 'groups'>): readonly GroupId[] {
    if (groups.every((group) => this.machineOf(group) !== undefined)) return groups;
    const { participants: slots, wholeStore } = unit.part;
    const roots = groups.map((group) => this.#groupOf(group)?.root);
    const open = this.#groups.filter(({ descriptor, root }) => {
      return roots.includes(root) && this.machineOf(descriptor.id) !== undefined;
    });
    const its = open.filter(({ group }) => {
      const { fromConflictSlot, toConflictSlot } = group;
      return wholeStore || slots.some((slot) => slot >= fromConflictSlot && slot < toConflictSlot);
    });
    return its.map(({ descriptor }) => descriptor.id);
  }

  /** Not handed to other nodes, since this one lacks the data: what has run here says nothing then. */
  #servesItself({ part: { participants: slots, wholeStore } }: ClientUnit): boolean {
    const open = this.#node?.openGroups ?? [];
    return open.every(({ id, fromConflictSlot, toConflictSlot }) => {
      const isMet = (slot: number): boolean => slot >= fromConflictSlot && slot < toConflictSlot;
      return this.machineOf(id) !== undefined || !(wholeStore || slots.some(isMet));
    });
  }

  #groupOf(id: GroupId): SimGroup | undefined {
    return this.#groups.find(({ descriptor }) => isSameGroup(descriptor.id, id));
  }

  /** Successors are in the store of their parents. */
  #storeOf(id: GroupId): number {
    const { id: first } = this.#groupOf(id)?.root.descriptor ?? { id };
    return storeOf(first, this.#options.stores);
  }

  /** A group of which this node may become a member. */
  add(group: SimGroup): void {
    this.#groups.push(group);
  }

  /** Those that hold a group. */
  #storeNumbers(): readonly number[] {
    const { groups } = this.#options;
    const stores = new Set(groups.map(({ descriptor }) => this.#storeOf(descriptor.id)));
    return stores.size === 0 ? [0] : [...stores].sort();
  }

  /** In all its lives. */
  get forwards(): ForwardingCounts {
    const { sent = 0, taken = 0, retried = 0, indeterminate = 0 } = this.#node?.forwards ?? {};
    const before = this.#forwardsBefore;
    return {
      sent: before.sent + sent,
      taken: before.taken + taken,
      retried: before.retried + retried,
      indeterminate: before.indeterminate + indeterminate,
    };
  }

  /** Nothing is left of an incarnation. */
  #forget(): void {
    this.#executing.clear();
    this.#listed.clear();
    for (const store of this.#storeNumbers()) this.#lives.set(store, { ...NO_LIFE });
  }

  #liveOf(store: number): StoreLife {
    return this.#lives.get(store) as StoreLife;
  }

  /** Of their supervisors. */
  get storeNames(): readonly string[] {
    return this.#storeNumbers().map((store) => `store-${store}`);
  }

  /** The state machine of a group in the present incarnation, as of its last report. */
  machineOf(group: GroupId): StateMachine | undefined {
    for (const { machines } of this.#lives.values()) {
      const machine = machines?.of(group);
      if (machine !== undefined) return machine;
    }
    return undefined;
  }

  /** Of its first store. */
  get machines(): StateMachines | undefined {
    return this.#liveOf(this.#storeNumbers()[0] as number).machines;
  }

  /** All of its stores take part. */
  get ready(): boolean {
    return [...this.#lives.values()].every((life) => life.ready);
  }

  set ready(ready: boolean) {
    for (const life of this.#lives.values()) life.ready = ready;
  }

  /** Of all stores together; undefined until each has told its own. */
  get watermarks(): ReplicaWatermarks | undefined {
    return [...this.#lives.values()]
      .map(({ watermarks }) => watermarks)
      .reduce((sum, each) =>
        sum === undefined || each === undefined ? undefined : add(sum, each),
      );
  }

  #newDrive(): Drive {
    const { rng, diskLatencyMs } = this.#options;
    const disk = new SimDisk({
      schedule: (delayMs, callback) => {
        this.#life.after(delayMs, callback);
      },
      rng: rng.fork(),
      latencyMs: diskLatencyMs,
    });
    const diskId = `${this.id}:${rng.next()}`;
    const lineage = NEW_LINEAGE;
    const stores = this.#newStores();
    const kept = { knownDisks: new Map(), table: undefined, incarnation: 0 };
    const healing = { heals: false, replaced: 0 };
    return { diskId, disk, rng: rng.fork(), stores, lineage, ...kept, ...healing };
  }

  #newStores(): Map<number, SimStore> {
    return new Map(
      this.#storeNumbers().map((store) => {
        const memory = new MemoryStore([this.id, 1]);
        return [store, { memory, storeId: undefined, lineage: NEW_LINEAGE, told: new Set() }];
      }),
    );
  }

  get disk(): SimDisk {
    return this.#drive.disk;
  }

  /** Its first one. */
  get store(): MemoryStore {
    return (this.#drive.stores.get(this.#storeNumbers()[0] as number) as SimStore).memory;
  }

  get node(): Node | undefined {
    return this.#node;
  }

  /** So often its disk was started. */
  get incarnation(): number {
    return this.#drive.incarnation;
  }

  get up(): boolean {
    return this.#node !== undefined;
  }

  /** Its wall clock has been behind true time by so much. */
  get lagMsMax(): number {
    this.#noteLag();
    return this.#lagMsMax;
  }

  #noteLag(): void {
    const lagUs = this.#options.trueClock.wallUs() - this.#clock.wallUs();
    this.#lagMsMax = Math.max(this.#lagMsMax, lagUs / 1_000);
  }

  /** How far its timestamps may run ahead of true time, and its wall clock behind, in ms. */
  errorMs(trueUs: number): { readonly lead: number; readonly lag: number } {
    const wall = this.#clock.wallUs();
    const presents = this.#node?.stores.map((store) => store.clock.presentUs) ?? [];
    const present = Math.max(wall, ...presents);
    return {
      lead: Math.max(0, present - trueUs) / 1_000,
      lag: Math.max(0, trueUs - wall) / 1_000,
    };
  }

  /** Nothing happens when it is up: two faults may both be about to bring a node back. */
  start(): void {
    if (this.up) return;
    const options = this.#options;
    const { nodeId, groups, stores, limits, count } = options;
    const clock = this.#clock;
    const scope = options.scope();
    this.#scope = scope;
    const rng = options.rng.fork();
    const recorder = new TraceRecorder({ clock, node: nodeId, ...options.trace });
    const crash = recorder.crash.bind(recorder);
    recorder.crash = (actor, atMs, error) => {
      crash(actor, atMs, error);
      options.onCrash(this, error);
    };
    this.recorders.push(recorder);
    if (this.recorders.length > RECORDERS_MAX) this.recorders.shift();
    const newLogId = Uint8Array.from({ length: 16 }, () => Math.floor(rng.next() * 256));
    const drive = this.#drive;
    const { disk } = drive;
    const lineage = new Lineage(drive.lineage, (state) => {
      if (!this.frozen) drive.lineage = state;
    });
    const forgotten = new Forgotten();
    this.#node = new Node({
      nodeId,
      groups: groups.map(({ descriptor }) => descriptor),
      allGroups: options.allGroups.flatMap((group) =>
        group.root === group ? group.descriptor : [],
      ),
      stores,
      clock,
      rng,
      scheduler: scope,
      recorder,
      ...this.#links(),
      wal: {
        open: (onRecord) => {
          const sizes = { newLogId, ...options.logLimits };
          const flushed = (): number => this.store.groups.appliedTotal;
          const log = lineage.openLog(disk, SIM_DIRECTORY, sizes, flushed, (record) => {
            forgotten.note(record);
            onRecord(record);
          });
          if (log.replayed.tornTails > 0) count('torn tail cut');
          this.#seesCuts(log);
          return log;
        },
        policy: options.syncPolicy,
        observe: (_syncMs, log) => {
          const storeSequence = this.store.groups.appliedTotal;
          lineage.update({ durableLsn: log.durableLsn, storeSequence });
        },
      },
      tableHashKey: [nodeId, 2],
      aclLeaseMs: ACL_LEASE_MS,
      ...(options.announces === true ? this.#announcement() : {}),
      openEngine: (store) => {
        const isFirst = store === this.#storeNumbers()[0];
        const lost = (): readonly GroupDescriptor[] => {
          const its = groups.filter(({ descriptor }) => storeOf(descriptor.id, stores) === store);
          return forgotten.among(its.map(({ descriptor }) => descriptor));
        };
        const engine = openStore(drive, store, isFirst ? lineage : undefined, lost, {
          rng: drive.rng,
          after: (delayMs, callback) => {
            scope.after(delayMs, callback);
          },
          nextFault: () => this.#takeCommitFault(),
          count,
          readMsMax: options.readMsMax ?? 0,
        });
        this.#liveOf(store).engine = engine;
        return engine;
      },
      ...(options.hasGateway === true ? { gateway: this.#gatewayParts() } : {}),
      ...(options.hasGateway === true ? {} : { clients: this.#news() }),
      limits,
      ...(options.form === undefined
        ? {}
        : {
            topology: {
              form: options.form,
              leaseMs: (limits.backlogBytesMax ?? KEPT_FEW) < KEPT_FEW ? LEASE_MS_LONG : LEASE_MS,
              ...(options.watch === undefined ? {} : { watch: options.watch }),
              ...(options.replicas === undefined ? {} : { replicas: options.replicas }),
              onState: (state) => options.onState?.(state),
              onAct: (act) => options.onAct?.(this, act),
            },
          }),
      observer: this.#observer(),
      onFailed: (failure) => options.onFailed(this, failure),
    });
  }

  /** Each start is at another address. */
  #announcement(): Pick<NodeParts, 'announcement' | 'table' | 'onTable'> {
    const drive = this.#drive;
    drive.incarnation += 1;
    const { incarnation, table } = drive;
    return {
      announcement: { ...placeOf(this.id), port: incarnation, incarnation },
      ...(table === undefined ? {} : { table }),
      onTable: (newer) => {
        if (!this.frozen) drive.table = newer;
      },
    };
  }

  /** Sockets are attached by the test. */
  #gatewayParts(): NonNullable<NodeParts['gateway']> {
    return {
      services: () => idleServices(this.#clock),
      limits: {},
      listen: (_gateway, done) => {
        done(undefined);
        return { stopAccepting: () => undefined };
      },
      onGateway: (gateway) => {
        this.gateway = gateway;
      },
    };
  }

  /** Before an effect: `false` when the node has stopped before it. */
  #effect(): boolean {
    if (this.#effectsLeft > 0) {
      this.#effectsLeft -= 1;
      if (this.#effectsLeft === 0) {
        this.frozen = true;
        this.disk.freeze();
        this.#onStopped();
      }
    }
    return !this.frozen;
  }

  /** At its n-th effect from now the node does nothing more; then it is to be crashed. */
  stopAtEffect(effects: number, stopped: () => void): void {
    this.#effectsLeft = effects;
    this.#onStopped = stopped;
    this.disk.onWrite = () => {
      this.#effect();
    };
  }

  #takeCommitFault(): CommitFault | undefined {
    if (!this.#effect()) return 'slow';
    const fault = this.commitFault;
    this.commitFault = undefined;
    // Its executor begins again.
    if (fault === 'failed' || fault === 'failed and landed') this.actorCrashes += 1;
    return fault;
  }

  #links(): Pick<NodeParts, 'network' | 'frames'> {
    const { nodeId, members, frames } = this.#options;
    const links = this.#options.network.attach(nodeId, this.#identity());
    const send = links.send.bind(links);
    links.send = (peer, parts) => this.#effect() && send(peer, parts);
    const network = links;
    if (frames === undefined || !members.includes(nodeId)) return { network };
    return framesOver(network, nodeId, members, frames);
  }

  #identity(): Identity {
    const { diskId, knownDisks } = this.#drive;
    return {
      diskId,
      verify: (peer, disk) => {
        const known = knownDisks.get(peer);
        if (known === undefined) knownDisks.set(peer, disk);
        return known === undefined || known === disk ? undefined : 'it comes with another disk';
      },
    };
  }

  /** Each group of a store has its own checks. */
  #watch(): StoreWatch {
    const watches = new GroupMap<StoreWatch>();
    return {
      began: (group, ...told) => {
        const watch = this.#groupOf(group)?.invariants?.watchStore(this.id);
        if (watch === undefined) return;
        watches.set(group, watch);
        watch.began(group, ...told);
      },
      restored: (group, ...told) => watches.get(group)?.restored(group, ...told),
      handling: (group, ...told) => watches.get(group)?.handling(group, ...told),
      handled: (group, ...told) => watches.get(group)?.handled(group, ...told),
      turned: (group, view, effects) => {
        watches.get(group)?.turned(group, view, effects);
        for (const effect of effects) {
          if (effect.type === 'Ended') this.#options.onEnded?.(this, { ...effect, group });
          this.#countMoved(effect);
        }
      },
      abandoned: (group) => {
        watches.get(group)?.abandoned(group);
        watches.delete(group);
        this.#options.count('group abandoned');
      },
    };
  }

  #countMoved(effect: Effect): void {
    const { count } = this.#options;
    if (effect.type === 'Moved') count('transaction moved');
    if (effect.type === 'ReadMoved') count('read moved');
    if (effect.type === 'Execute' && isMoved(effect.execution.reads)) count('moved by another');
  }

  #observer(): NodeObserver {
    const { count } = this.#options;
    return {
      watchStore: () => (this.swapped ? undefined : this.#watch()),
      coordinatorBegins: (coordinator) => {
        if (this.swapped) return;
        this.#groupOf(coordinator.group.id)?.invariants?.watchCoordinator(this.id, coordinator);
      },
      spanningBegins: (coordinator) => {
        if (this.swapped) return;
        const { allGroups: groups, violation } = this.#options;
        watchSpanning(coordinator, { node: this.id, groups, count, violation });
      },
      ready: (store) => {
        this.#liveOf(store).ready = true;
      },
      watermarks: (watermarks) => {
        this.#liveOf(watermarks.store).watermarks = watermarks;
      },
      decided: (path) => count(path),
      batch: (kind) => count(`${kind} batch`),
      units: () => undefined,
      readsRepeated: (as, units) => {
        if (units > 0) count(`read repeated as ${as}`);
      },
      executed: () => undefined,
      watchMachines: (machines, store) => this.#sees(machines, store),
      disk: (part, problem, present) => {
        if (present) count(`${part} ${problem}`);
      },
      peerUp: () => undefined,
      peerDown: () => undefined,
      peerRefused: () => count('peer refused'),
      messageRefused: (peer, type, reason, detail = '') =>
        this.#options.onRefused(this, `${type} of node ${peer}: ${reason} ${detail}`),
    };
  }

  /**
   * Reads that met a key past its deadline are counted: no other trace is left of them. Who is
   * answered while a transaction executes was part of it.
   */
  #sees(machines: StateMachines, store: number): void {
    this.#liveOf(store).machines = machines;
    for (const { descriptor } of this.#groups) {
      const machine = machines.of(descriptor.id);
      if (machine === undefined || this.#seen.has(machine)) continue;
      this.#seen.add(machine);
      this.#seesReads(machine, descriptor.id, store);
    }
  }

  #seesReads(machine: StateMachine, group: GroupId, store: number): void {
    const { count } = this.#options;
    const counted = (outcome: ReadOutcome): ReadOutcome => {
      if (outcome === 'transaction') count('read became a transaction');
      return outcome;
    };
    const startRead = machine.startRead.bind(machine);
    const moreOfRead = machine.moreOfRead.bind(machine);
    machine.startRead = (args, nowMs, out) => counted(startRead(args, nowMs, out));
    machine.moreOfRead = () => counted(moreOfRead());
    const readBetween = machine.readBetween.bind(machine);
    machine.readBetween = (args, nowMs, out) => {
      // Its answer is no part of the transaction.
      this.#executing.delete(group);
      count('read between two steps');
      return counted(readBetween(args, nowMs, out));
    };
    this.#seesTransactions(machine, group);
    this.#seesRepeated(machine, group, store);
  }

  /** Keyspace events are told once, whatever is executed again after a restart. */
  #seesRepeated(machine: StateMachine, group: GroupId, store: number): void {
    const { count, tellsEvents } = this.#options;
    let name = '';
    let committed = '';
    if (tellsEvents === true) {
      machine.eventFlags = 'KEA';
      Object.defineProperty(machine, 'eventFlags', { set: () => undefined });
    }
    const begin = machine.begin.bind(machine);
    const commit = machine.commit.bind(machine);
    const takeEvents = machine.takeEvents.bind(machine);
    machine.begin = (executeAt, footprint, fetched, isRepeated, thresholds) => {
      name = `${groupKey(group)}/${keyOf(executeAt)}`;
      begin(executeAt, footprint, fetched, isRepeated, thresholds);
      if (isRepeated === true) count('executed again after a restart');
    };
    machine.commit = (sequence) => {
      commit(sequence);
      committed = name;
    };
    machine.takeEvents = (from) => {
      const events = takeEvents(from);
      // Those of reads may come twice.
      if (committed !== '') this.#eventsOf.set(events, { store, name: committed });
      committed = '';
      return events;
    };
  }

  /** Takes what the stores tell clients. */
  #news(): ActorRef<StoreNews> {
    const { path, tell } = this.#clients.ref;
    return {
      path,
      tell: (news) => {
        if (news.type === 'KeysChanged' && !this.frozen) this.#tellsEvents(news.events);
        return tell(news);
      },
    };
  }

  #tellsEvents(events: readonly Notification[]): void {
    const of = this.#eventsOf.get(events);
    const told = of && this.#drive.stores.get(of.store)?.told;
    if (of === undefined || told === undefined) return;
    this.#options.count('events told');
    if (told.has(of.name)) {
      this.#options.violation(`node ${this.id} tells the events of ${of.name} again`);
    }
    told.add(of.name);
  }

  #seesTransactions(machine: StateMachine, group: GroupId): void {
    const begin = machine.begin.bind(machine);
    const start = machine.start.bind(machine);
    const more = machine.more.bind(machine);
    const commit = machine.commit.bind(machine);
    let at: Timestamp | undefined;
    const goesOn = (): void => {
      if (at !== undefined) this.#executing.set(group, at);
      this.#running = at;
    };
    machine.begin = (executeAt, ...how) => {
      at = executeAt;
      goesOn();
      begin(executeAt, ...how);
    };
    machine.start = (args, out) => {
      goesOn();
      return start(args, out);
    };
    machine.more = () => {
      goesOn();
      return more();
    };
    machine.commit = (sequence) => {
      this.#executing.delete(group);
      at = undefined;
      commit(sequence);
    };
    const pinKeys = machine.pinKeys.bind(machine);
    machine.pinKeys = (args, changesMax) => {
      goesOn();
      const pinnedAt = at;
      const view = pinKeys(args, changesMax);
      if (view === undefined || pinnedAt === undefined) return view;
      const close = view.close.bind(view);
      view.close = () => {
        close();
        this.#listed.set(group, pinnedAt);
        this.#lastListed = pinnedAt;
      };
      return view;
    };
  }

  /** The log may be cut when marks are in it; a segment of its own may begin in between. */
  #seesCuts(log: WriteAheadLog): void {
    const { count, onCut } = this.#options;
    const append = log.append.bind(log);
    let marksLsn = Number.POSITIVE_INFINITY;
    log.append = (store, type, parts) => {
      const lsn = append(store, type, parts);
      if (type === MARKS_TYPE) marksLsn = lsn;
      return lsn;
    };
    const truncateBefore = log.truncateBefore.bind(log);
    log.truncateBefore = (lsn) => {
      const { firstLsn } = log;
      const newest = [...log.segments()].at(-1);
      truncateBefore(lsn);
      if (log.firstLsn === firstLsn) return;
      count('log truncated');
      if ((newest?.firstLsn ?? 0) > marksLsn) count('log rolled between marks and cut');
      onCut(this);
    };
  }

  /** Of one group, by default the first, or of several; of the table: of the meta group. */
  submit(unit: ClientUnit, place: KeyPlace = this.#options.groups[0] as SimGroup): boolean {
    const ordering = (isOfTable(unit) && this.#options.meta) || place;
    const { judge } = ordering;
    const groups = ordering.groupsOf(unit);
    const floor = judge.begin(unit);
    return this.#clients.submit(unit, { groups, judge }, floor, (part) => {
      return this.#node?.submit(part) ?? false;
    });
  }

  // ---- what can happen to it --------------------------------------------------------------

  /** Power loss: nothing more runs, what was not synced is lost or torn. */
  crash(kind: CrashKind = 'power'): void {
    const restarts = this.#node?.system.counters.restarts ?? 0;
    for (let count = 0; count < restarts; count += 1) this.#options.count('actor restart');
    this.resume();
    for (const { engine } of this.#lives.values()) engine?.close();
    this.#forget();
    this.commitFault = undefined;
    this.frozen = false;
    this.#effectsLeft = 0;
    this.#scope?.close();
    this.#scope = undefined;
    this.#forwardsBefore = this.forwards;
    this.#node = undefined;
    this.gateway = undefined;
    this.#clients.clear();
    this.expected = undefined;
    this.actorCrashes = 0;
    this.#options.network.detach(this.id);
    if (!this.swapped) {
      for (const { invariants } of this.#groups) invariants?.crashed(this.id);
    }
    this.disk.failSyncs(0);
    this.disk.crash(kind);
  }

  /** The process is stopped in its tracks; links stay up, and what arrives waits. */
  pause(): void {
    this.paused = true;
    this.#scope?.pause();
    this.#life.pause();
  }

  resume(): void {
    this.paused = false;
    this.#life.resume();
    this.#scope?.resume();
  }

  /** The wall clock is set forwards or back. */
  jumpClock(ms: number): void {
    this.#noteLag();
    this.#jumpUs += Math.round(ms * 1_000);
    this.#noteLag();
  }

  /** The stores of a node that is down are gone, as after `rm -rf`. Returns how to put them back. */
  loseStore(): () => void {
    const drive = this.#drive;
    const { stores } = drive;
    drive.stores = new Map(
      [...this.#newStores()].map(([store, fresh]) => {
        const { lineage = NEW_LINEAGE, told = fresh.told } = stores.get(store) ?? {};
        return [store, { ...fresh, lineage, told }];
      }),
    );
    return () => {
      drive.stores = stores;
    };
  }

  /** The same for good: the node begins its stores anew from its log and from the others. */
  healStore(): void {
    this.loseStore();
    this.#drive.heals = true;
  }

  /** Its data are not whole since. */
  get healing(): boolean {
    if (!this.#drive.heals) return false;
    const { lacking = [], topology } = this.#node ?? {};
    const { ranges } = topology?.state?.topology ?? {};
    const isOwed = ranges?.some(({ owed }) => owed.includes(this.id)) ?? true;
    return lacking.length > 0 || isOwed || !this.ready;
  }

  /** The same of its log. */
  loseLog(): () => void {
    return this.disk.lose(SIM_DIRECTORY);
  }

  /** Someone has put an empty disk into a node that is down. */
  swapDisk(): void {
    this.#ownDrive ??= this.#drive;
    this.#drive = this.#newDrive();
    this.swapped = true;
  }

  /** The disk that the peers know is back. */
  restoreDisk(): void {
    if (this.#ownDrive !== undefined) this.#drive = this.#ownDrive;
    this.#ownDrive = undefined;
    this.swapped = false;
  }
}

/** Of a node, in a topology. */
export function placeOf(id: number): NodePlaces {
  const places = { redis: `node-${id}:6379`, admin: '', version: '1' };
  return { host: `node-${id}`, port: 0, ...places, behaviourMax: 1 };
}

/** The node's lineage speaks of its first store; each other one has its own. */
function openStore(
  drive: Drive,
  number: number,
  ofNode: Lineage | undefined,
  lost: () => readonly GroupDescriptor[],
  options: Omit<SimEngineOptions, 'store'>,
): Engine {
  const store = drive.stores.get(number) as SimStore;
  const ofStore = new Lineage(store.lineage, (state) => {
    store.lineage = state;
  });
  const lineage = ofNode ?? ofStore;
  const { storeId } = store;
  try {
    lineage.checkStore('store', storeId === undefined ? undefined : { storeId, bytes: 0 });
  } catch (error) {
    if (!drive.heals) throw error;
    options.count('store begun anew');
    const groups = lost();
    for (const { machine } of groups) options.count(`data lost: ${machine}`);
    store.memory.apply(groups.map(lostGroup));
    drive.replaced += 1;
    lineage.storeReplaced(`store ${number} of ${drive.diskId}, ${drive.replaced}`);
    store.storeId = lineage.state.storeId ?? undefined;
  }
  store.storeId ??= `store ${number} of ${drive.diskId}`;
  const engine = new SimEngine({ ...options, store: store.memory });
  lineage.storeOpened('store', store.storeId, engine.appliedTotal);
  return engine;
}
