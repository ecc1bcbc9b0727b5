/**
 * The reports of one node to operators: /readyz, /status and /metrics. Reads the parts of the
 * running node; nothing in the node depends on it.
 */
import type { ProtectedMode } from '../../transport/access/protected-mode.ts';
import { formatEndpoint } from '../../transport/endpoint.ts';
import type { LatencyPhase } from '../../transport/http/latency-report.ts';
import { NodeMetrics } from '../../transport/http/metrics.ts';
import type { HoloFastStatus, NodeStatus } from '../../transport/http/node-status.ts';
import type { RangeReport, TopologyReport } from '../../transport/http/topology-report.ts';
import type { PeerHello } from '../../transport/peer/handshake.ts';
import type { PeerSecurity } from '../../transport/peer/security/peer-security.ts';
import type { TcpNetwork } from '../../transport/peer/tcp-network.ts';
import type { Gateway } from '../../transport/resp/gateway.ts';
import { complaintOf } from '../accord/primitives/cluster-time.ts';
import type { Group } from '../accord/topology/group.ts';
import { type GroupId, isSameGroup } from '../accord/topology/group-id.ts';
import { DISK_PARTS, DISK_PROBLEMS } from '../log/disk-health.ts';
import { DEPARTURE_LIMITS, departuresOf } from '../meta/departures.ts';
import { DOMAINS } from '../meta/meta-command.ts';
import { rangeOf, type Topology, type TopologyRange } from '../meta/topology.ts';
import type { Node } from '../node/node.ts';
import { DEAD_LETTER_REASONS } from '../runtime/cells/dead-letters.ts';
import type { ActorInspection, Inspection } from '../runtime/inspection.ts';
import type { Clock } from '../runtime/ports/ports.ts';
import { digestOf } from './disk/kept-topology.ts';
import type { NodeConfig } from './settings/config.ts';
import type { StatusBoard } from './status-board.ts';
import { VERSION } from './version.ts';

/** The parts of a running node that reports read. */
export interface ReportedNode {
  readonly config: NodeConfig;
  readonly clock: Clock;
  readonly startedMs: number;
  readonly protectedMode: ProtectedMode;
  readonly peerProof: PeerSecurity['kind'];
  readonly hello: Omit<PeerHello, 'passwordProof'>;
  readonly topology: Topology;
  readonly board: StatusBoard;
  readonly node: Node;
  readonly network: TcpNetwork;
  readonly holofast: HoloFastStatus;
  readonly gateway: Gateway | undefined;
  readonly isListening: boolean;
  /** Logins at the admin port. */
  readonly refusedLogins: number;
  /** The progress of the store's check; undefined when none is running. */
  readonly checkProgress: string | undefined;
  phase(phase: LatencyPhase, ms: number): void;
  /** A line of `redis.log`, with the number of its level. */
  scriptLog(level: number, text: string): void;
}

/** Of the changes that have ended. */
const JOBS_SHOWN = 50;

export class NodeReport {
  readonly metrics: NodeMetrics;
  readonly #source: ReportedNode;
  readonly #counted = { read: 0, write: 0, transaction: 0, local: 0 };

  constructor(reported: ReportedNode) {
    this.#source = reported;
    this.metrics = this.#createMetrics();
  }

  /** The reason why the node does not serve yet; undefined when it does. */
  notReady(): string | undefined {
    if (!this.#source.board.storeReady) {
      return this.#source.checkProgress ?? 'the log is being read';
    }
    if (!this.#source.board.disk.servesReads) return `disk: ${this.#source.board.disk.summary}`;
    if (this.#source.topology.epoch === 0) {
      return this.#source.node.unreachable ?? 'the cluster is being formed';
    }
    if (!this.#source.isListening) return 'the Redis port is not open yet';
    const leaving = this.#leaving();
    if (leaving !== undefined) return leaving;
    const { node } = this.#source;
    return node.unreachable ?? complaintOf(node.time.verdict) ?? this.#usersNotServed();
  }

  /** Load balancers send no new clients to it. */
  #leaving(): string | undefined {
    const { config, topology } = this.#source;
    const own = topology.nodes.find(({ id }) => id === config.nodeId);
    if (own === undefined) return 'the node was taken out of the cluster';
    if (own.state === 'decommissioned') return 'the node is decommissioned: it can be stopped';
    const { isDraining } = this.#source.node;
    return isDraining ? 'the node is draining (holoctl drain)' : undefined;
  }

  /** Why users of the table are refused, or the first one would be; undefined: they are served. */
  #usersNotServed(): string | undefined {
    const { node, gateway } = this.#source;
    if (node.settings.known === undefined) return 'the users of the cluster are not known yet';
    gateway?.access.refresh();
    const { hasLease, hadLease } = node.settings;
    if (gateway?.access.users.hasRows === true ? hasLease : hadLease) return undefined;
    return 'whether the users have changed is not known: no majority has told (--acl-lease-ms)';
  }

  /** `ok`, or that data may not grow. */
  get memory(): string {
    const memory = this.#source.gateway?.memory;
    if (memory?.isFull !== true) return 'ok';
    return `full: ${memory.usedBytes} bytes are used, ${memory.bytesMax} are allowed (maxmemory)`;
  }

  status(): NodeStatus {
    const config = this.#source.config;
    const notReady = this.notReady();
    const { clusterId, formedId, incarnation } = this.#source.hello;
    return {
      node: config.nodeId,
      version: VERSION,
      clusterId,
      formedId,
      incarnation,
      ...(notReady === undefined ? {} : { notReady }),
      disk: this.#source.board.disk.summary ?? 'ok',
      memory: this.memory,
      uptimeMs: Math.round(this.#source.clock.monotonicMs() - this.#source.startedMs),
      redis: formatEndpoint(config.listenRedis),
      admin: formatEndpoint(config.listenAdmin),
      protectedMode: this.#source.protectedMode.isOn,
      passwords: this.#source.gateway?.access.isOpen === false,
      peers: this.#source.peerProof,
      members: config.initialMembers.map(({ id, host, port }) => ({
        id,
        host,
        port,
        alive: this.#isAlive(id),
      })),
      appliedWatermarkUs: this.#source.board.watermarks?.redundantBeforeUs ?? 0,
      appliedSequence: this.#source.board.executed?.appliedSequence ?? 0,
      paths: this.#source.board.paths,
      holofast: this.#source.holofast,
      keys: this.#source.board.executed?.size ?? 0,
      clients: this.#source.gateway?.size ?? 0,
      commandsTotal: this.#source.gateway?.counters.commands ?? 0,
    };
  }

  topology(): TopologyReport {
    const { topology, node } = this.#source;
    const { epoch, behaviourLevel, rangesMax, closingMax, meta } = topology;
    const { appliedSequence = 0 } = this.#rangeHere(meta.id);
    return {
      ...{ clusterId: topology.clusterId, epoch, digest: digestOf(topology) },
      ...{ behaviourLevel, rangesMax, closingMax },
      nodes: this.#nodes(),
      meta: {
        ...{ members: meta.members, electorate: meta.electorate, appliedSequence },
        ...{ generation: meta.id.generation, ...statedOf(meta) },
      },
      controllers: this.#controllers(),
      jobs: (node.topology.state?.jobs ?? []).slice(-JOBS_SHOWN),
      ranges: bySlot(node.openGroups).map((group) => ({
        ...{ range: group.id.range, generation: group.id.generation },
        ...{ from: group.fromSlot, to: group.toSlot, members: group.members },
        electorate: group.members.filter((member) => group.electors(group.bit(member)) > 0),
        ...statedOf(rangeOf(topology, group.id)),
        ...this.#rangeHere(group.id),
        ...this.#fetchedHere(group.id),
        ...this.#lostHere(group.id),
      })),
    };
  }

  #nodes(): TopologyReport['nodes'] {
    const { topology, node, config } = this.#source;
    const { replaceAfterMs } = config;
    const isUp = (id: number): boolean => this.#isAlive(id);
    const presence = { isUp, presentUs: node.presentUs };
    const departures = departuresOf(topology, presence, { ...DEPARTURE_LIMITS, replaceAfterMs });
    const byNode = new Map(departures.map(({ node: id, ...departure }) => [id, departure]));
    return topology.nodes.map(({ joinId: _name, ...each }) => {
      const departure = byNode.get(each.id);
      return { ...each, ...(departure && { departure }), alive: isUp(each.id) };
    });
  }

  #rangeSamples() {
    const { topology, node } = this.#source;
    return node.groups.map(({ id }) => {
      const { keys = 0, bytes = 0, appliedSequence = 0 } = this.#rangeHere(id);
      const phase = rangeOf(topology, id)?.change?.phase ?? 'stable';
      return { range: id.range, keys, bytes, appliedSequence, phase };
    });
  }

  #controllers(): TopologyReport['controllers'] {
    const { node } = this.#source;
    const { leases = [], pausedControllers = [] } = node.topology.state ?? {};
    return DOMAINS.map((domain) => {
      const lease = leases.find((each) => each.domain === domain);
      const leftUs = (lease?.untilUs ?? 0) - node.presentUs;
      const remainingMs = Math.max(0, Math.round(leftUs / 1_000));
      const holder = remainingMs === 0 ? 0 : (lease?.holder ?? 0);
      const isPaused = pausedControllers.includes(domain);
      return { domain, isPaused, holder, term: lease?.term ?? 0, remainingMs };
    });
  }

  #fetchedHere(id: GroupId): Pick<RangeReport, 'fetchedBytes'> {
    const fetchedBytes = this.#source.node.fetchedBytes(id);
    return fetchedBytes === undefined ? {} : { fetchedBytes };
  }

  #lostHere(id: GroupId): Pick<RangeReport, 'lostBy'> {
    const { node, config } = this.#source;
    const isLost = node.lacking.some((group) => isSameGroup(group, id));
    return isLost ? { lostBy: config.nodeId } : {};
  }

  #rangeHere(id: GroupId): Pick<RangeReport, 'appliedSequence' | 'keys' | 'bytes'> {
    const all = this.#source.board.executed?.groups ?? [];
    const found = all.find(({ group }) => isSameGroup(group, id));
    if (found === undefined) return {};
    const { appliedSequence, keys, bytes } = found;
    return { appliedSequence, keys, bytes };
  }

  #isAlive(node: number): boolean {
    const { config, node: self } = this.#source;
    return node === config.nodeId || self.connected.has(node);
  }

  async scrape(): Promise<{ readonly contentType: string; readonly text: string }> {
    this.#countCommands();
    const { contentType } = this.metrics.registry;
    return { contentType, text: await this.metrics.text() };
  }

  /** Adds to the metrics what the gateway has counted since the last scrape. */
  #countCommands(): void {
    if (this.#source.gateway === undefined) return;
    const { reads: read, writes: write, local } = this.#source.gateway.commandsByFamily();
    const transaction = this.#source.gateway.routes.named('EXEC')?.calls ?? 0;
    const counts = { read, write, transaction, local: local - transaction };
    for (const family of ['read', 'write', 'transaction', 'local'] as const) {
      // CONFIG RESETSTAT and a restarted gateway begin at zero.
      const known = Math.min(this.#counted[family], counts[family]);
      this.metrics.commands(family, counts[family] - known);
      this.#counted[family] = counts[family];
    }
  }

  #createMetrics(): NodeMetrics {
    return new NodeMetrics({
      actors: () => actorsOf(this.#source.node.system.outline),
      deadLetters: () => {
        const { deadLetters } = this.#source.node.system;
        return DEAD_LETTER_REASONS.map((reason) => [reason, deadLetters.count(reason)] as const);
      },
      links: () => this.#source.network.counters(),
      refusedCallers: () => this.#source.network.refusedCallers(),
      refusedLogins: () => this.#source.refusedLogins,
      clients: () => this.#source.gateway?.size ?? 0,
      expiredKeys: () => this.#source.board.executed?.expiredKeys ?? 0,
      orphanedPops: () => this.#source.gateway?.counters.orphanedPops ?? 0,
      errorReplies: () => this.#source.gateway?.counters.errorCodes ?? [],
      keys: () => this.#source.board.executed?.size ?? 0,
      retainedTransactions: () => this.#source.board.watermarks?.retained ?? 0,
      flushLag: () => flushLagOf(this.#source.board),
      memory: () => {
        const memory = this.#source.gateway?.memory;
        if (memory === undefined) return [];
        const { clientBytes, storeBytes, growingBytes, bytesMax } = memory;
        const parts = { clients: clientBytes, store: storeBytes, growing: growingBytes };
        return Object.entries({ ...parts, max: bytesMax });
      },
      unloggedBytes: () => this.#source.board.watermarks?.unloggedBytes ?? 0,
      clockOffsetSeconds: () => {
        const { verdict } = this.#source.node.time;
        return verdict.type === 'unknown' ? Number.NaN : verdict.aheadUs / 1_000_000;
      },
      diskProblems: () => this.#diskProblems(),
      holofast: () => this.#source.holofast,
      ranges: () => this.#rangeSamples(),
      unrouted: () => this.#source.node.unrouted,
    });
  }

  *#diskProblems(): Generator<readonly [part: string, problem: string, present: boolean]> {
    const { disk } = this.#source.board;
    for (const part of DISK_PARTS) {
      for (const problem of DISK_PROBLEMS) yield [part, problem, disk.has(part, problem)];
    }
  }
}

/** A node comes to know groups in any order. */
function bySlot(groups: readonly Group[]): readonly Group[] {
  return groups.toSorted((a, b) => a.fromSlot - b.fromSlot);
}

/** The change of an open group, as the topology has it. */
/** As the topology has it; undefined: not yet, or no more. */
function statedOf(
  range: TopologyRange | undefined,
): Pick<RangeReport, 'owed' | 'sinceUs' | 'phase' | 'change'> {
  const stated = { owed: range?.owed ?? [], sinceUs: range?.floor.hlc ?? 0 };
  if (range?.change === undefined) return { ...stated, phase: 'stable' };
  const { change } = range;
  const { number, kind, successors, isPaused, by, startedUs, phase } = change;
  const atSlot = successors[1]?.fromSlot;
  const members = kind === 'move' ? { members: successors[0]?.members ?? [] } : {};
  const place = atSlot === undefined ? members : { atSlot };
  return { ...stated, phase, change: { number, kind, ...place, isPaused, by, startedUs } };
}

/** Transactions applied and not yet written to the engine. */
export function flushLagOf({ executed }: StatusBoard): number {
  return executed === undefined ? 0 : executed.appliedSequence - executed.flushedSequence;
}

function* actorsOf(inspection: Inspection | undefined): Generator<ActorInspection> {
  if (inspection === undefined) return;
  if (inspection.kind === 'actor') yield inspection;
  else for (const child of inspection.children) yield* actorsOf(child);
}
