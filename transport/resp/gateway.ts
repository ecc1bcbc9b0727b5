/**
 * The gateway without its listener: owns all connections, their counters and limits, passes parts
 * of units to the coordinator, and their answers to the connections. The server attaches sockets.
 * It has no timer: its owner calls `onTick` periodically, `flush` at the end of a turn, and `retry`
 * when the coordinator may have room.
 */

import type { AclCommand } from '../../storage/commands/access/acl-commands.ts';
import type { Command } from '../../storage/commands/command.ts';
import { COMMANDS } from '../../storage/commands/command-table.ts';
import type { ScriptDenial } from '../../storage/keyspace/side-effects.ts';
import { AccessControl } from '../access/access-control.ts';
import { DENIED } from '../access/protected-mode.ts';
import { humanBytes } from '../human-bytes.ts';
import { ClientPause } from './client-pause.ts';
import { ReplyWriter } from './codec/encoder.ts';
import type { ClientSocket } from './connection/client-socket.ts';
import type { ClientDirectory, ClientView } from './connection/client-state.ts';
import { Connection, DRAINING } from './connection/connection.ts';
import type {
  Part,
  PartAnswer,
  ReplyCredit,
  ReplyFlow,
  StoreNews,
  UnitId,
} from './connection/part.ts';
import type { Placement } from './connection/placement.ts';
import { GatewayCounters } from './counters.ts';
import type { GatewayClient, GatewayCore } from './gateway-core.ts';
import type { GatewayServices } from './gateway-services.ts';
import { registerGatewaySettings } from './gateway-settings.ts';
import { type InfoSection, type InfoSections, mergeSections } from './info.ts';
import { CommandInsight } from './insight/insight.ts';
import { insightSettings } from './insight/insight-settings.ts';
import { Monitors } from './insight/monitors.ts';
import { defaultLimits, type GatewayLimits } from './limits.ts';
import { LOCAL_COMMANDS } from './local-commands.ts';
import { MemoryBudget } from './memory-budget.ts';
import { NO_PEERS, PubSub, type PubSubPeers } from './pubsub/pubsub.ts';
import { Routes } from './routes.ts';
import { ScriptRequests } from './scripts/script-requests.ts';
import { integerSetting, type Setting } from './settings-registry.ts';
import { TrackingTable } from './tracking/tracking-table.ts';
import { type WaitedFor, Waiters, type WaitingClient } from './waiting/waiters.ts';

const ACL_LOG_MAX = 100_000;
const TOO_MANY_CLIENTS = 'ERR max number of clients reached';
/** Clients that ask for nothing while a node drains are cut off after so long. */
const DISMISS_MS = 1_000;

interface GatewayOptions {
  readonly services: GatewayServices;
  readonly limits?: Partial<GatewayLimits>;
  /** The commands of the store; all of `COMMANDS` by default. */
  readonly commands?: Iterable<Command>;
  readonly placement: Placement;
  /** The number of the first connection, 1 by default; none is used twice in a process. */
  readonly firstConnection?: number;
  /** Passes a part to the coordinator; `false`: no room now. May answer within the call. */
  submit(part: Part): boolean;
  /** A connection's news about the replies that it still expects. */
  flow(message: ReplyFlow): void;
  /** `onDeadline` is to be called after so long; later calls replace earlier ones. */
  wakeIn?(ms: number): void;
  /** The gateways of the other nodes; none by default. */
  readonly peers?: PubSubPeers;
  /** `flush` is to be called at the end of this turn. */
  wake(): void;
}

export class Gateway implements GatewayCore, ClientDirectory {
  readonly scripts: ScriptRequests;
  readonly limits: GatewayLimits;
  readonly services: GatewayServices;
  readonly routes: Routes;
  readonly counters = new GatewayCounters();
  readonly writer = new ReplyWriter(2, (code) => this.counters.errorReply(code));
  readonly clients: ClientDirectory = this;
  readonly placement: Placement;
  readonly memory: MemoryBudget;
  readonly insight: CommandInsight;
  readonly pubsub: PubSub;
  readonly access: AccessControl;
  readonly waiters: Waiters;
  readonly tracking: TrackingTable;
  readonly monitors: Monitors;
  readonly pause = new ClientPause();
  readonly #options: GatewayOptions;
  readonly #connections = new Map<number, Connection>();
  #nextId: number;
  #flushes: GatewayClient[] = [];
  /** Connections that ended while a command took something for them. */
  readonly #orphans = new Set<number>();
  /** Since when the node drains; undefined: it does not. */
  #drainedMs: number | undefined;
  /** The next wait that ends, as `wakeIn` knows it. */
  #deadlineMs = Number.POSITIVE_INFINITY;
  /** Connections whose unit was rejected, oldest first. */
  #refused: GatewayClient[] = [];

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#nextId = options.firstConnection ?? 1;
    this.placement = options.placement;
    this.limits = { ...defaultLimits(), ...options.limits };
    this.insight = new CommandInsight(options.services.clock);
    const nowMs = options.services.clock.monotonicMs();
    this.pubsub = new PubSub(options.peers ?? NO_PEERS, nowMs);
    this.waiters = new Waiters({
      share: (name, added, atUs) => this.pubsub.share(name, added, atUs),
      changed: (name, count) => this.pubsub.waitersChanged(name, count),
    });
    this.tracking = new TrackingTable({
      changed: (isOn) => options.flow({ type: 'TrackWrites', isOn }),
    });
    this.monitors = new Monitors(() => options.services.clock.wallUs());
    this.memory = new MemoryBudget(this.limits);
    this.routes = new Routes(options.commands ?? COMMANDS, LOCAL_COMMANDS);
    const { services } = options;
    this.services = {
      clock: services.clock,
      settings: services.settings,
      protectedMode: services.protectedMode,
      clusterSettings: () => services.clusterSettings(),
      hasLease: () => services.hasLease(),
      clusterVersion: () => services.clusterVersion(),
      passwordHash: services.passwordHash,
      aclFile: services.aclFile,
      settingsHeld: (version) => services.settingsHeld(version),
      info: () => mergeSections(this.#sections(), services.info()),
      holoStats: () => services.holoStats(),
      holoMetrics: () => services.holoMetrics(),
      cluster: () => services.cluster(),
      memory: () => services.memory(),
      storeBytes: () => services.storeBytes(),
      bytesOf: (database, key) => services.bytesOf(database, key),
      replicationOffset: () => services.replicationOffset(),
      lastSaveSeconds: () => services.lastSaveSeconds(),
      phase: (phase, ms) => services.phase(phase, ms),
      scriptLog: (level, text) => services.scriptLog(level, text),
      resetCounters: () => services.resetCounters(),
      replicasAcknowledged: () => services.replicasAcknowledged(),
    };
    this.scripts = new ScriptRequests(services);
    this.access = new AccessControl({
      commands: commandsOf(this.routes),
      passwordHash: services.passwordHash,
      table: () => services.clusterSettings(),
      hasLease: () => services.hasLease(),
    });
    const { log } = this.access;
    services.settings.register(
      ...insightSettings(this.insight, this.routes),
      integerSetting({
        name: 'acllog-max-len',
        min: 0,
        max: ACL_LOG_MAX,
        get: () => log.max,
        set: (max) => {
          log.max = max;
        },
      }),
    );
    registerGatewaySettings(services, this.limits);
    services.settings.register(trackingSetting(this.tracking));
  }

  get isDraining(): boolean {
    return this.#drainedMs !== undefined;
  }

  /**
   * Before the node is stopped: what is under way is answered, all other commands are refused, and
   * the connections end. Until it is taken back, no client comes.
   */
  drain(isOn: boolean): void {
    if (isOn === this.isDraining) return;
    this.#drainedMs = isOn ? this.services.clock.monotonicMs() : undefined;
  }

  #dismissIdle(nowMs: number): void {
    if (this.#drainedMs === undefined || nowMs < this.#drainedMs + DISMISS_MS) return;
    for (const connection of [...this.#connections.values()]) connection.dismiss();
  }

  /**
   * Accepts a new client. `undefined`: there are `maxClients` already, or protected mode keeps it
   * out, or the node drains; the error reply is written, and the caller closes the socket when it
   * has left.
   */
  attach(socket: ClientSocket): Connection | undefined {
    if (this.#connections.size >= this.limits.maxClients) {
      return this.#turnAway(socket, TOO_MANY_CLIENTS);
    }
    if (this.isDraining) return this.#turnAway(socket, DRAINING);
    this.access.refresh();
    const isStranger = socket.certifiedName === undefined && this.access.isOpen;
    if (isStranger && this.services.protectedMode.refuses(socket.remoteAddress)) {
      return this.#turnAway(socket, DENIED);
    }
    this.counters.connectionsReceived += 1;
    const connection = new Connection(this.#nextId++, socket, this);
    this.#connections.set(connection.client.id, connection);
    return connection;
  }

  #turnAway(socket: ClientSocket, line: string): undefined {
    this.counters.connectionsRejected += 1;
    this.writer.protocol = 2;
    this.writer.error(line);
    socket.write(this.writer.take());
    socket.end();
  }

  /** An answer to a part; or keys that clients wait for. */
  answered(news: StoreNews): void {
    switch (news.type) {
      case 'KeysReady': {
        const nowMs = this.services.clock.monotonicMs();
        for (const key of news.keys) this.waiters.ready(key, news.atUs, nowMs);
        return;
      }
      case 'WaitsLost':
        this.tracking.lost();
        return this.waiters.lost();
      case 'KeysWritten':
        return this.tracking.written(news.keys, news.by);
      case 'KeysChanged':
        for (const event of news.events) this.pubsub.notify(event);
        return;
      case 'ScriptsLogged':
        for (const { level, text } of news.lines) this.services.scriptLog(level, text);
        return;
      case 'ScriptsDenied':
        return this.#scriptsDenied(news.denials);
      default:
        return this.#partAnswered(news);
    }
  }

  #scriptsDenied(denials: readonly ScriptDenial[]): void {
    const { access, services } = this;
    for (const denial of denials) {
      const entry = { ...denial, context: 'lua', client: '' } as const;
      access.log.add(entry, services.clock.wallUs() / 1_000);
    }
  }

  /** An answer whose connection is gone is dropped. */
  #partAnswered(answer: PartAnswer): void {
    const connection = this.#connections.get(answer.unit.connection);
    if (connection !== undefined) return connection.answered(answer);
    if (answer.type === 'PartReplies' && !answer.last) this.abandon(answer);
    this.#orphanAnswered(answer);
  }

  /** The client of a command that waits is gone. */
  #orphanAnswered(answer: PartAnswer): void {
    const { unit } = answer;
    const isOrphan = this.#orphans.delete(unit.connection);
    if (answer.type !== 'PartReplies') return;
    if (answer.waiting !== undefined) this.forgetWait(unit);
    else if (isOrphan && answer.errors.length === 0) this.counters.orphanedPops += 1;
  }

  /** Ends waits whose time is over. */
  onDeadline(): void {
    const nowMs = this.services.clock.monotonicMs();
    const { pause } = this;
    if (pause.isOn() && nowMs >= pause.untilMs) pause.end();
    const pauseMs = pause.isOn() ? pause.untilMs : Number.POSITIVE_INFINITY;
    this.#deadlineMs = Math.min(this.waiters.expire(nowMs), pauseMs);
    if (this.#deadlineMs < Number.POSITIVE_INFINITY) {
      this.#options.wakeIn?.(Math.max(1, this.#deadlineMs - nowMs));
    }
  }

  /** Writes what the turn has left. */
  flush(): void {
    this.pubsub.announce();
    const flushes = this.#flushes;
    if (flushes.length === 0) return;
    this.#flushes = [];
    for (const connection of flushes) connection.flush();
  }

  /** Offers rejected units again, oldest first, until one is rejected. */
  retry(): void {
    const waiting = this.#refused;
    this.#refused = [];
    const stuck = waiting.findIndex((connection) => !connection.retry());
    // Units rejected during this call are newer.
    if (stuck >= 0) this.#refused = [...waiting.slice(stuck), ...this.#refused];
  }

  /** Units of which a part waits for room at the coordinator. */
  get refusedUnits(): number {
    return this.#refused.length;
  }

  /** To be called about every 100 ms to 1 s: deadlines, rates, and refused units. */
  onTick(): void {
    const nowMs = this.services.clock.monotonicMs();
    this.counters.sample(nowMs);
    this.access.refresh();
    this.insight.onTick(nowMs);
    this.pubsub.onTick(nowMs);
    this.waiters.onTick(nowMs);
    this.onDeadline();
    // An overloaded node may be woken too late: flush here, so that no reply is stuck.
    this.flush();
    for (const connection of [...this.#connections.values()]) connection.onTick(nowMs);
    this.#dismissIdle(nowMs);
    this.#checkMemory();
    this.retry();
  }

  /** Clients that hold much and are paused since the last tick are closed, the greediest first. */
  #checkMemory(): void {
    const { memory } = this;
    memory.storeBytes = this.services.storeBytes();
    const greedy = [...this.#connections.values()].filter((connection) => connection.checkGreed());
    if (!memory.isCrowded) return;
    greedy.sort((a, b) => b.heldBytes - a.heldBytes);
    for (const connection of greedy) {
      if (!memory.isCrowded) return;
      this.counters.memoryDisconnects += 1;
      connection.kill();
    }
  }

  /** Closes all connections at once. */
  close(): void {
    for (const connection of [...this.#connections.values()]) connection.kill();
    this.#refused = [];
  }

  /** Calls since the last CONFIG RESETSTAT, in families that never grow: labels for metrics. */
  commandsByFamily(): { reads: number; writes: number; local: number } {
    const families = { reads: 0, writes: 0, local: 0 };
    for (const route of this.routes.withSubcommands()) {
      if (route.local !== undefined) families.local += route.calls;
      else if (route.writes) families.writes += route.calls;
      else families.reads += route.calls;
    }
    return families;
  }

  // ClientDirectory.

  get size(): number {
    return this.#connections.size;
  }

  all(): Iterable<ClientView> {
    return this.#connections.values();
  }

  byId(id: number): ClientView | undefined {
    return this.#connections.get(id);
  }

  // GatewayCore.

  submit(part: Part): boolean {
    return this.#options.submit(part);
  }

  giveCredit(credit: ReplyCredit): void {
    this.#options.flow(credit);
  }

  waitFor(client: WaitingClient, waitedFor: WaitedFor, deadlineMs: number, isNew: boolean): void {
    this.waiters.add(client, waitedFor, deadlineMs, isNew);
    if (deadlineMs >= this.#deadlineMs) return;
    this.#deadlineMs = deadlineMs;
    this.#options.wakeIn?.(Math.max(1, deadlineMs - this.services.clock.monotonicMs()));
  }

  pauseClients(ms: number, isForAll: boolean): void {
    this.pause.begin(this.services.clock.monotonicMs() + ms, isForAll);
    this.onDeadline();
  }

  stopWaiting(client: WaitingClient, unit: UnitId): void {
    const to = this.waiters.remove(client)?.unit;
    this.#options.flow(
      to === undefined ? { type: 'StopWaiting', unit } : { type: 'PassWait', unit, to },
    );
  }

  forgetWait(unit: UnitId): void {
    this.#options.flow({ type: 'StopWaiting', unit });
  }

  orphaned({ connection }: UnitId): void {
    this.#orphans.add(connection);
  }

  abandon({ unit, part }: Pick<Part, 'unit' | 'part'>): void {
    this.#options.flow({ type: 'RepliesAbandoned', unit, part });
  }

  requestFlush(connection: GatewayClient): void {
    this.#flushes.push(connection);
    if (this.#flushes.length === 1) this.#options.wake();
  }

  refused(connection: GatewayClient): void {
    this.#refused.push(connection);
  }

  removed(connection: GatewayClient): void {
    this.#connections.delete(connection.client.id);
    this.pubsub.unsubscribeAll(connection);
  }

  /** The gateway's part of INFO; the services' sections override it. */
  #sections(): InfoSections {
    const { counters, limits, memory } = this;
    const perSecond = (bytes: number): string => (bytes / 1024).toFixed(2);
    return {
      server: { server_time_usec: this.services.clock.wallUs() },
      clients: {
        connected_clients: this.#connections.size,
        maxclients: limits.maxClients,
        blocked_clients: this.waiters.size + this.pause.size(),
        total_blocking_keys: this.waiters.keys,
        tracking_clients: this.tracking.clients,
      },
      memory: {
        maxmemory: memory.bytesMax,
        maxmemory_human: humanBytes(memory.bytesMax),
        maxmemory_policy: 'noeviction',
        mem_budget_used: memory.usedBytes,
        mem_budget_full: memory.isFull ? 1 : 0,
        mem_clients_normal: memory.clientBytes,
        mem_clients_max: memory.clientBytesMax,
      },
      stats: {
        total_connections_received: counters.connectionsReceived,
        total_commands_processed: counters.commands,
        instantaneous_ops_per_sec: Math.round(counters.opsPerSecond.perSecond),
        total_net_input_bytes: counters.bytesIn,
        total_net_output_bytes: counters.bytesOut,
        instantaneous_input_kbps: perSecond(counters.bytesInPerSecond.perSecond),
        instantaneous_output_kbps: perSecond(counters.bytesOutPerSecond.perSecond),
        rejected_connections: counters.connectionsRejected,
        total_reads_processed: counters.reads,
        total_writes_processed: counters.writes,
        total_error_replies: counters.errorReplies,
        protocol_errors: counters.protocolErrors,
        security_attacks: counters.securityAttacks,
        output_limit_disconnections: counters.outputLimitDisconnects,
        pubsub_channels: this.pubsub.names('channel').length,
        pubsub_patterns: this.pubsub.names('pattern').length,
        pubsubshard_channels: this.pubsub.names('shard').length,
        tracking_total_keys: this.tracking.keys,
        tracking_total_items: this.tracking.items,
        tracking_total_prefixes: this.tracking.prefixes,
        idle_disconnections: counters.idleDisconnects,
        partial_request_disconnections: counters.partialDisconnects,
        evicted_clients: counters.memoryDisconnects,
        oom_refused_commands: counters.memoryRefusals,
        blocking_attempts: counters.waitAttempts,
        blocking_pops_orphaned: counters.orphanedPops,
        units_submitted: counters.unitsSubmitted,
        units_refused: counters.unitsRefused,
        units_failed: counters.unitsFailed,
      },
      errorstats: Object.fromEntries(
        [...counters.errorCodes].map(([code, count]) => [`errorstat_${code}`, `count=${count}`]),
      ),
      commandstats: this.#commandStats(),
      latencystats: this.#latencyStats(),
    };
  }

  /** As Redis prints them: microseconds by percentile. */
  #latencyStats(): InfoSection {
    const wanted = this.insight.percentiles.split(' ').filter((each) => each !== '');
    const stats: Record<string, string> = {};
    for (const { label, latency } of this.routes.withSubcommands()) {
      if (latency === undefined) continue;
      const texts = wanted.map((each) => {
        const us = latency.quantileUs(Math.max(Number(each) / 100, Number.MIN_VALUE));
        return `p${each}=${us.toFixed(3)}`;
      });
      stats[`latency_percentiles_usec_${label}`] = texts.join(',');
    }
    return stats;
  }

  #commandStats(): InfoSection {
    const stats: Record<string, string> = {};
    for (const { label, calls, usec, rejected, failed } of this.routes.withSubcommands()) {
      if (calls === 0 && rejected === 0 && failed === 0) continue;
      const perCall = (calls === 0 ? 0 : usec / calls).toFixed(2);
      stats[`cmdstat_${label}`] =
        `calls=${calls},usec=${Math.round(usec)},usec_per_call=${perCall},` +
        `rejected_calls=${rejected},failed_calls=${failed}`;
    }
    return stats;
  }
}

function trackingSetting(table: TrackingTable): Setting {
  return integerSetting({
    name: 'tracking-table-max-keys',
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    get: () => table.keysMax,
    set: (keys) => {
      table.keysMax = keys;
    },
  });
}

function* commandsOf(routes: Routes): Generator<AclCommand> {
  for (const { label, command, local } of routes.withSubcommands()) {
    yield { label, categories: (command ?? local).categories };
  }
}
