/**
 * A whole cluster in one process, in virtual time, under faults that one seed decides: the real
 * nodes on simulated disks, clocks and links. Runs a load, then heals everything, waits for quiet,
 * and checks all histories, the convergence of the replicas, and that nothing is kept for ever.
 */
import type { Execution } from '../../actors/accord/local/effects.ts';
import type { GroupDescriptor } from '../../actors/accord/topology/group.ts';
import { isMetaGroup } from '../../actors/accord/topology/group-id.ts';
import type { Form } from '../../actors/meta/meta-command.ts';
import { metaGroup } from '../../actors/meta/topology.ts';
import type { SystemFailure } from '../../actors/runtime/actor-system.ts';
import type { Inspection } from '../../actors/runtime/inspection.ts';
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { EngineError } from '../../storage/errors.ts';
import type { TraceEvent } from '../../transport/trace/trace-event.ts';
import { firstGroup } from '../actors/accord/first-group.ts';
import type { SimFrames } from '../bpf/sim-frames.ts';
import type { Answer } from './client.ts';
import { EventHash } from './event-hash.ts';
import { explainsCrash, FaultInjector } from './faults.ts';
import type { FilmCamera } from './film-camera.ts';
import { Joins } from './joins.ts';
import { drawnNames } from './limits.ts';
import { limitsOf, logLimits, nodeLimits, syncPolicyOf } from './node-limits.ts';
import { digestsOf } from './oracle.ts';
import { drawProfile, type Profile } from './profile.ts';
import { SimGroup, SimSpan } from './sim-group.ts';
import { CALM, SimNetwork } from './sim-network.ts';
import { SimNode } from './sim-node.ts';
import { Splits } from './splits.ts';
import { TableWatch } from './table-watch.ts';
import { VirtualScheduler } from './virtual-scheduler.ts';
import { Workload, type WorkloadOptions } from './workload.ts';

export interface RunOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Virtual time under load and faults. */
  readonly timeMs: number;
  readonly profile?: Partial<Profile>;
  /** Is shown all that happens. */
  readonly camera?: FilmCamera;
  /** Record every message, for a dump. */
  readonly trace?: boolean;
  /** By default one group of all nodes with all keys. */
  readonly groups?: readonly GroupDescriptor[];
  /** Nodes are asked for keys of groups of which they are no members, too. */
  readonly forwards?: boolean;
  /** Nodes that join while the others run; then there is a form. */
  readonly joiners?: number;
  /** Of each node; 1 by default. */
  readonly stores?: number;
  /** How the topology begins, where it changes. */
  readonly form?: Form;
  /** Groups are split, with at most so long a pause between two attempts; then all are members. */
  readonly splitEveryMs?: number;
  /** Groups change their members, too, at that pace. */
  readonly moves?: boolean;
  /** Nodes have the real gateway, to which sockets can be attached, and no load. */
  readonly hasGateways?: boolean;
  /** On by default. */
  readonly invariants?: boolean;
  /** Instead of what the profile says. */
  readonly frames?: SimFrames;
  /** Steps of the checker per key. */
  readonly checkStepsMax?: number;
}

export interface RunResult {
  readonly seed: number;
  readonly profile: Profile;
  /** Empty when all is well. */
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  readonly operations: number;
  readonly virtualMs: number;
  /** Equal for equal seeds: a digest of every delivery, execution and reply. */
  readonly eventHash: string;
  /** Of all nodes, in the order of time. */
  readonly trace: () => TraceEvent[];
}

/** While something is left to forget, some of it is forgotten within this time; */
const FORGET_MS_MAX = 30_000;
/** with such short lists, many rounds come before what they have settled is forgotten. */
const LIST_IDS_FEW = 8;
const SETTLE_MS = 30_000;
const WRITE_BYTES_FEW = 256;
const DISK_MS_SLOW = 5;
/** Violations of one run that are kept: the first ones count. */
const VIOLATIONS_MAX = 10;
const LOG_SEGMENTS_MAX = 4;
/** Marks of a group that stand in the log once more, about: in small segments they fill some. */
const MARKS_BYTES = 512;
/** Ticks and the like are under way at any time, and rounds of each group. */
const IDLE_MAX = 8;
const IDLE_OF_GROUP_MAX = 2;
const TRACE_STANDARD = { eventsMax: 64, sampleEvery: 0, txnEventsMax: 0 };
const TRACE_FULL = { eventsMax: 200_000, sampleEvery: 1, txnEventsMax: 200_000 };

export class SimulatedCluster {
  readonly profile: Profile;
  readonly scheduler: VirtualScheduler;
  readonly network: SimNetwork;
  readonly nodes: SimNode[] = [];
  readonly counts: Record<string, number> = {};
  readonly violations: string[] = [];
  /** Those of keys: of the beginning first; they grow where groups are split. */
  readonly groups: SimGroup[];
  readonly meta: SimGroup;
  readonly #allGroups: SimGroup[];
  readonly #splits: Splits | undefined;
  readonly #joins: Joins | undefined;
  readonly #tableWatch: TableWatch;
  /** One per group of keys, and one over all of them where there are several. */
  readonly workloads: readonly Workload[];
  /** Present where there are several groups. */
  readonly span: SimSpan | undefined;
  readonly faults: FaultInjector;
  /** How far a timestamp ran ahead of true time as its transaction executed, at the most. */
  #leadMs = 0;
  readonly #options: RunOptions;
  readonly #rng: SeededRng;
  readonly #hash = new EventHash();

  constructor(options: RunOptions) {
    const { seed, nodes } = options;
    this.#options = options;
    this.#rng = new SeededRng(seed);
    this.profile = { ...drawProfile(this.#rng.fork(), nodes), ...options.profile };
    this.scheduler = new VirtualScheduler({
      seed: Math.floor(this.#rng.next() * 2 ** 32),
      wakeJitterMs: this.profile.turnDelayMsMax,
    });
    const { profile, scheduler } = this;
    const now = (): number => scheduler.nowMs;
    this.network = new SimNetwork(scheduler, now, this.#rng.fork());
    const count = (what: string): void => this.#count(what);
    const violation = (what: string): void => this.#violation(what);
    const members = Array.from({ length: profile.nodes }, (_, index) => index + 1);
    const electorate = members.slice(0, profile.electorate);
    const descriptors = options.groups ?? [firstGroup(members, electorate)];
    this.groups = descriptors.map((descriptor) => this.#group(descriptor));
    this.meta = this.#group(metaGroup({ members, electorate }));
    this.#allGroups = [...this.groups, this.meta];
    for (const nodeId of members) this.nodes.push(this.#machine(nodeId, members));
    const { joiners = 0 } = options;
    for (let joiner = 1; joiner <= joiners; joiner += 1) {
      this.nodes.push(this.#machine(members.length + joiner, members));
    }
    this.#tableWatch = new TableWatch(this.nodes, count);
    const common = {
      ...{ profile, scheduler, count, violation, checkStepsMax: options.checkStepsMax },
      answered: (node: number, commands: string, answer: Answer) =>
        this.#answered(node, commands, answer),
    };
    const workloads = this.groups.map((group) => {
      const nodes = this.nodes.filter(({ id }) => options.forwards === true || group.has(id));
      return new Workload({ ...common, nodes, group });
    });
    const { spans = true, spansOnly = false, flushes } = profile;
    // FLUSHALL of one group would remove keys of which the others know nothing.
    const isSpanned = this.groups.length > 1 && spans && (spansOnly || !flushes);
    this.span = isSpanned
      ? new SimSpan(this.groups, violation, options.splitEveryMs !== undefined)
      : undefined;
    const spanning =
      this.span === undefined
        ? []
        : [new Workload({ ...common, ...spanningOf(profile, this.span, this.nodes) })];
    this.workloads = spansOnly ? spanning : [...workloads, ...spanning];
    const { network } = this;
    const rng = this.#rng.fork();
    const note = (what: string): void => this.#note(what);
    const { splitEveryMs } = options;
    this.#splits =
      splitEveryMs === undefined
        ? undefined
        : new Splits({
            ...{ scheduler, count, note, violation, groups: () => this.#allGroups },
            nodes: options.moves === true ? this.nodes : this.#members(),
            movesMeta: options.moves === true && options.joiners !== undefined,
            crash: (node) => this.faults.crashAtAct(node),
            rng: this.#rng.fork(),
            everyMsMax: splitEveryMs,
            moves: options.moves === true,
            add: (descriptor, parent) => {
              const group = this.#group(descriptor, parent);
              if (!isMetaGroup(descriptor.id)) this.groups.push(group);
              this.#allGroups.push(group);
              for (const node of this.nodes) if (group.has(node.id)) node.add(group);
            },
          });
    const { joiners: joining } = options;
    this.#joins =
      joining === undefined
        ? undefined
        : new Joins({
            ...{ scheduler, nodes: this.nodes, joiners: joining, count },
            mayLeave: options.moves === true,
            rng: this.#rng.fork(),
          });
    this.faults = new FaultInjector({
      profile,
      scheduler,
      network,
      nodes: this.nodes,
      rng,
      count,
      note,
    });
    network.onSent = (from) => this.faults.afterSend(from);
    const { camera } = options;
    if (camera !== undefined) {
      network.onEnded = (from, to, frame, sentMs, isLost) =>
        camera.frame(from, to, frame, sentMs, scheduler.nowMs, isLost);
    }
    network.onDelivered = (from, to, frame) => {
      this.#hash.number(scheduler.nowMs);
      this.#hash.number(from * 16 + to);
      this.#hash.bytes(frame);
      this.#watchTable();
    };
  }

  #group(descriptor: GroupDescriptor, parent?: SimGroup): SimGroup {
    const { range } = descriptor.id;
    const isSole = (this.#options.groups?.length ?? 1) === 1 && parent === undefined;
    const observer = {
      violation: (what: string) => this.#violation(isSole ? what : `range ${range}: ${what}`),
      count: (what: string) => this.#count(what),
      executed: (node: number, execution: Execution) => {
        if (!isSole) this.#count(`executed in range ${range}`);
        this.#options.camera?.executed(node, execution.id, this.scheduler.nowMs);
        this.#hash.number(node + execution.sequence * 16);
        this.#hash.number(execution.id.hlc);
        const leadUs = execution.executeAt.hlc - this.scheduler.clock.wallUs();
        this.#leadMs = Math.max(this.#leadMs, leadUs / 1_000);
      },
    };
    const splits = this.#options.splitEveryMs !== undefined;
    return new SimGroup(descriptor, observer, { checks: this.#options.invariants, parent, splits });
  }

  /** All but those that join later. */
  #members(): readonly SimNode[] {
    return this.nodes.slice(0, this.profile.nodes);
  }

  #machine(nodeId: number, members: readonly number[]): SimNode {
    const { profile, scheduler } = this;
    const rng = this.#rng.fork();
    const offsetUs = Math.round((rng.next() - 0.5) * 2_000 * profile.skewMs);
    const driftPpm = (rng.next() - 0.5) * 2 * profile.driftPpm;
    const diskRng = rng.fork();
    return new SimNode({
      nodeId,
      members,
      groups: this.#allGroups.filter((group) => group.has(nodeId)),
      allGroups: this.#allGroups,
      meta: this.meta,
      stores: this.#options.stores ?? 1,
      hasGateway: this.#options.hasGateways === true,
      rng,
      network: this.network,
      frames: this.#options.frames ?? profile.frames,
      scope: () => scheduler.scope(),
      clock: scheduler.clockWith({ offsetUs, driftPpm }),
      trueClock: scheduler.clock,
      limits: nodeLimits(profile),
      form: this.#options.form,
      watch: limitsOf(profile),
      replicas: limitsOf(profile),
      announces: this.#options.joiners !== undefined,
      onState: (state) => {
        this.#splits?.seen(state);
        this.#joins?.seen(state);
      },
      onAct: (node, act) => this.#splits?.acts(node, act),
      replyWindowBytes: limitsOf(profile).replyWindowBytes,
      tellsEvents: profile.tellsEvents,
      logLimits: logLimits(profile),
      syncPolicy: syncPolicyOf(profile),
      diskLatencyMs: () => 0.05 + profile.diskMsMax * diskRng.next() ** 2,
      readMsMax: profile.readMsMax,
      trace: this.#options.trace === true ? TRACE_FULL : TRACE_STANDARD,
      onFailed: (node, failure) => this.#failed(node, failure),
      onCrash: (node, error) => {
        if (!explainsCrash(error)) this.#violation(`an actor of node ${node.id} crashes: ${error}`);
      },
      onEnded: (node, end) => this.#splits?.executed(node.id, end),
      onCut: (node) => this.faults.afterCut(node),
      onRefused: (node, what) => this.#violation(`node ${node.id} refuses ${what}`),
      count: (what) => this.#count(what),
      violation: (what) => this.#violation(what),
    });
  }

  #watchTable(): void {
    const violation = this.#tableWatch.look(this.scheduler.nowMs);
    if (violation !== undefined) this.#violation(violation);
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #note(what: string): void {
    this.#options.camera?.note(what, this.scheduler.nowMs);
    this.#hash.number(this.scheduler.nowMs);
    this.#hash.text(what);
  }

  #answered(node: number, commands: string, answer: Answer): void {
    const reply = answer.type === 'replies' ? answer.bytes.toString('latin1') : answer.type;
    this.#note(`${node} ${commands} ${reply}`);
  }

  #violation(what: string): void {
    if (this.violations.length >= VIOLATIONS_MAX) return;
    this.violations.push(`at ${this.scheduler.nowMs.toFixed(3)} ms: ${what}`);
  }

  #failed(node: SimNode, failure: SystemFailure): void {
    this.#note(`node ${node.id} has failed`);
    if (this.faults.explains(node, failure)) return;
    const { error } = failure;
    const text = error instanceof Error ? `${error.message}\n${error.stack}` : String(error);
    this.#violation(`node ${node.id} has failed at ${failure.path}: ${text}`);
  }

  run(timeMs: number): RunResult {
    for (const name of drawnNames(limitsOf(this.profile))) this.#count(name);
    this.#count(`sync policy ${this.profile.syncPolicy}`);
    if (this.profile.databases > 1) this.#count('several databases');
    this.#count(`frames ${this.#options.frames ?? this.profile.frames ?? 'off'}`);
    for (const node of this.#members()) node.start();
    this.#joins?.begin();
    this.scheduler.run(500);
    this.network.weather = this.profile.weather;
    for (const workload of this.workloads) {
      for (let client = 0; client < this.profile.clients; client += 1) {
        workload.begin(this.#rng.fork());
      }
    }
    this.#splits?.begin();
    this.faults.begin();
    this.faults.takeAway();
    this.#runFor(timeMs);
    for (const workload of this.workloads) workload.stop();
    this.#splits?.stop();
    this.network.weather = CALM;
    this.#runFor(Math.max(0, (this.profile.away?.ms ?? 0) - timeMs));
    this.faults.heal();
    this.#settle();
    this.#checkEnd();
    return this.result();
  }

  /** A run under nothing at all: how fast virtual time can go. */
  runQuiet(timeMs: number): RunResult {
    for (const node of this.nodes) node.start();
    this.#runFor(timeMs);
    return this.result();
  }

  result(): RunResult {
    const { repeated, refused } = this.network.counters;
    this.counts['frame repeated'] = repeated;
    for (const node of this.nodes) {
      for (const [what, times] of Object.entries(node.forwards)) {
        this.counts[`forward ${what}`] = (this.counts[`forward ${what}`] ?? 0) + times;
      }
    }
    this.counts['handshake refused'] = refused;
    return {
      seed: this.#options.seed,
      profile: this.profile,
      violations: this.violations,
      counts: this.counts,
      operations: this.workloads.reduce((sum, { operations }) => sum + operations, 0),
      virtualMs: this.scheduler.nowMs,
      eventHash: this.#hash.digest(),
      trace: () => this.#trace(),
    };
  }

  #trace(): TraceEvent[] {
    const events: TraceEvent[] = [];
    for (const node of this.nodes) {
      for (const recorder of node.recorders) {
        for (const event of recorder.events()) events.push(event);
      }
    }
    return events.sort((a, b) => a.t - b.t);
  }

  #runFor(timeMs: number): void {
    const until = this.scheduler.nowMs + timeMs;
    while (this.scheduler.nowMs < until && this.violations.length === 0) {
      this.scheduler.run(Math.min(until, this.scheduler.nowMs + 200));
    }
  }

  // ---- end and verdict --------------------------------------------------------------------

  #living(): SimNode[] {
    return this.nodes.filter(({ lost }) => !lost);
  }

  /** After the faults have stopped everything must decide, in bounded time (liveness, I18). */
  #settle(): void {
    if (this.violations.length > 0) return;
    const until = this.scheduler.nowMs + SETTLE_MS * (this.#logsSlowly() ? 3 : 1);
    let why = this.converged();
    while (why !== undefined && this.scheduler.nowMs < until && this.violations.length === 0) {
      this.#runFor(500);
      why = this.converged();
    }
    if (why !== undefined) this.#violation(why);
  }

  /** Why the living nodes have not come to one state, with nothing left to do; else undefined. */
  converged(): string | undefined {
    for (const node of this.#living()) {
      if (!node.ready) return `node ${node.id} is not ready`;
      if (node.node?.settings.known === undefined) return `node ${node.id} does not know the table`;
      const unknown = this.#allGroups.some((group) => group.has(node.id)) ? 1 : 0;
      const { unapplied } = node.watermarks ?? { unapplied: unknown };
      if (unapplied > 0) return `node ${node.id} still has ${unapplied} undecided transactions`;
    }
    const open = this.#splits?.open ?? this.#joins?.open;
    if (open !== undefined) return open;
    for (const group of this.#allGroups) {
      const digests = this.#livingOf(group).flatMap((node) => this.#digest(node, group) ?? []);
      const [first] = digests;
      if (digests.some((digest) => digest !== first)) {
        return `replicas differ: ${digests.join(' ')}`;
      }
    }
    return undefined;
  }

  #livingOf(group: SimGroup): SimNode[] {
    return this.#living().filter(({ id }) => group.has(id));
  }

  /** A digest of what cannot be read would be none; damage that was injected is found here, too. */
  #digest(node: SimNode, { descriptor }: SimGroup): string | undefined {
    try {
      return node.machineOf(descriptor.id)?.digest() ?? 'down';
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      // Its executor is about to begin again: what was last seen of it is closed.
      if (error.code === 'HOLO_STORE_CLOSED') return 'closed';
      if (node.rotten) return undefined;
      throw error;
    }
  }

  /** Each record takes a sync of its own, on a slow disk. */
  #logsSlowly(): boolean {
    const { diskMsMax } = this.profile;
    return diskMsMax > DISK_MS_SLOW && limitsOf(this.profile).writeBytesMax < WRITE_BYTES_FEW;
  }

  #checkEnd(): void {
    if (this.violations.length > 0) return;
    // Deadlines and rounds are in the nodes' time: after restarts and jumps it may run ahead of
    // ours, and stand still until a clock that was set back has caught up.
    const trueUs = this.scheduler.clock.wallUs();
    const errors = this.#living().map((node) => node.errorMs(trueUs));
    const leadMs = Math.max(...errors.map(({ lead }) => lead));
    const lagMs = Math.max(...errors.map(({ lag }) => lag));
    this.#runFor(leadMs + lagMs + this.profile.ttlMsMax + 6_000);
    this.#awaitForgotten();
    this.#checkKept();
    for (const workload of this.workloads) workload.readAll();
    this.#runFor(2_000);
    // A node that is there for long by now comes back into the electorates, at any time.
    this.#settle();
    if (this.violations.length > 0) return;
    for (const node of this.nodes) {
      const restarts = node.node?.system.counters.restarts ?? 0;
      if (restarts > 0) {
        this.counts['actor restart'] = (this.counts['actor restart'] ?? 0) + restarts;
      }
    }
    const clockErrorMs = this.#leadMs + Math.max(...this.nodes.map(({ lagMsMax }) => lagMsMax));
    for (const workload of this.workloads) workload.check(clockErrorMs);
    this.#checkOracle();
  }

  /**
   * A key that expired late has just begun a transaction, and a round forgets no more than a list
   * names: it takes as long as it takes, but never stands still.
   */
  #awaitForgotten(): void {
    const { listIdsMax } = limitsOf(this.profile);
    const standsMsMax = FORGET_MS_MAX * (listIdsMax < LIST_IDS_FEW ? 4 : 1);
    let least = Infinity;
    let untilMs = 0;
    for (let left = this.#retained(); left > 0; left = this.#retained()) {
      if (left < least) untilMs = this.scheduler.nowMs + standsMsMax;
      least = Math.min(least, left);
      if (this.scheduler.nowMs >= untilMs) return;
      this.#runFor(1_000);
    }
  }

  /** Transactions that could be forgotten: none while a node is lost. */
  #retained(): number {
    const living = this.#living();
    if (living.length < this.nodes.length) return 0;
    return living.reduce((sum, node) => sum + (node.watermarks?.retained ?? 1), 0);
  }

  #checkOracle(): void {
    if (this.#options.invariants === false || this.violations.length > 0) return;
    const { unitWriteBytesMax, spanningReadBytesMax, keysInUnitMax } = limitsOf(this.profile);
    const groups = this.#allGroups;
    const expectedDigests = digestsOf(groups, {
      ...{ unitWriteBytesMax, spanningReadBytesMax, keysInUnitMax, spanJudge: this.span?.judge },
      violation: (what) => this.#violation(what),
    });
    for (const [at, group] of groups.entries()) {
      const expected = expectedDigests[at] ?? 'down';
      for (const node of this.#livingOf(group)) {
        const digest = this.#digest(node, group);
        if (digest === undefined || digest === expected) continue;
        this.#violation(`I12: node ${node.id} holds ${digest}, the executions lead to ${expected}`);
      }
    }
  }

  /** No actor has mail that it does not read, nor anything under way that does not end. */
  #checkIdle(id: number, inspection: Inspection | undefined): void {
    if (inspection?.kind === 'supervisor') {
      for (const child of inspection.children) this.#checkIdle(id, child);
    }
    if (inspection?.kind !== 'actor') return;
    const { path, depth, description } = inspection;
    const open: Record<string, unknown> = { depth, ...(description as object | undefined) };
    const idleMax = IDLE_MAX + IDLE_OF_GROUP_MAX * (this.#allGroups.length - 1);
    for (const what of ['depth', 'underWay', 'recoveries', 'transactions', 'waiting', 'reads']) {
      const count = Number(open[what] ?? 0);
      if (count > idleMax) this.#violation(`liveness: ${path} still has ${count} (${what})`);
    }
  }

  /** With all members up, nothing is kept of what has been applied everywhere. */
  #checkKept(): void {
    const living = this.#living();
    for (const { id, node } of living) this.#checkIdle(id, node?.system.inspect());
    if (living.length < this.nodes.length) return;
    for (const group of this.#allGroups) {
      group.invariants?.atEnd(this.#livingOf(group).map(({ id }) => id));
    }
    const marksBytes = MARKS_BYTES * this.#allGroups.length;
    const segmentsMax = LOG_SEGMENTS_MAX + Math.ceil(marksBytes / this.profile.segmentBytes);
    for (const { id, disk } of living) {
      const segments = disk.list('wal').filter((name) => name.startsWith('wal-')).length;
      if (segments > segmentsMax) {
        this.#violation(`liveness: node ${id} keeps ${segments} segments`);
      }
    }
  }
}

/** Single commands and MULTI blocks on keys of all groups, from any node. */
function spanningOf(
  profile: Profile,
  group: SimSpan,
  nodes: readonly SimNode[],
): Pick<WorkloadOptions, 'profile' | 'group' | 'nodes' | 'blocksOnly'> {
  const { spansOnly = false, flushes, databases } = profile;
  const lists = flushes ? 0 : 1;
  const mix = {
    ...profile.mix,
    ...{ group: 1, readMany: 0.7 * lists, transaction: 1.5 * lists, mixed: 1, watch: 0.3 },
    ...{ wholeStore: spansOnly ? 1 : 0, walk: 0, big: 0 },
  };
  const common = { sameSlot: false, readPipelineRate: 0, mix };
  return {
    profile: { ...profile, ...common, databases: spansOnly ? databases : 1 },
    ...{ group, nodes, blocksOnly: true },
  };
}

/** One whole run. An exception that escapes the actors is a violation too. */
export function simulate(options: RunOptions): RunResult {
  const cluster = new SimulatedCluster(options);
  try {
    return cluster.run(options.timeMs);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const result = cluster.result();
    return { ...result, violations: [...result.violations, `exception: ${text}`] };
  }
}
