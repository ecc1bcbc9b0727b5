/**
 * One node of production: brings the operating system's parts (files, sockets, clocks, nact) to
 * the tree of `node.ts`, and ties the admin port to it.
 */

import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { reasonAgainst } from '../../bpf/path/holofast-mode.ts';
import { clusterKey, UdpFramePathSource } from '../../bpf/path/udp-frame-path.ts';
import { LmdbEngine } from '../../storage/engine/lmdb-engine.ts';
import { MemoryEngine, MemoryStore } from '../../storage/engine/memory-engine.ts';
import type { Engine } from '../../storage/engine.ts';
import type { TableHashKey } from '../../storage/keyspace/table-hash.ts';
import { UNIT_WRITE_BYTES_MAX } from '../../storage/limits.ts';
import { UNFLUSHED_BYTES_MAX_DEFAULT } from '../../storage/state-machine.ts';
import { formatEndpoint } from '../../transport/endpoint.ts';
import {
  type AdminProviders,
  AdminServer,
  type TraceFormat,
} from '../../transport/http/admin-server.ts';
import { NodeMetrics } from '../../transport/http/metrics.ts';
import type { HoloFastStatus, NodeStatus } from '../../transport/http/node-status.ts';
import { TcpNetwork } from '../../transport/peer/tcp-network.ts';
import type { Gateway } from '../../transport/resp/gateway.ts';
import type { GatewayServices } from '../../transport/resp/gateway-services.ts';
import type { InfoSection, InfoSections } from '../../transport/resp/info.ts';
import { REPLY_BYTES_MAX } from '../../transport/resp/limits.ts';
import { RespServer } from '../../transport/resp/server.ts';
import { SettingsRegistry } from '../../transport/resp/settings-registry.ts';
import { NodeDisk } from '../../wal/node-disk.ts';
import type { WriteAheadLog } from '../../wal/write-ahead-log.ts';
import { complaintOf } from '../accord/primitives/cluster-time.ts';
import { firstGroup } from '../accord/topology/group.ts';
import { DISK_PARTS, DISK_PROBLEMS } from '../log/disk-health.ts';
import { Lineage } from '../log/lineage.ts';
import { Node, type NodeParts } from '../node/node.ts';
import type { SystemFailure } from '../runtime/actor-system.ts';
import { DEAD_LETTER_REASONS } from '../runtime/cells/dead-letters.ts';
import type { ActorInspection, Inspection } from '../runtime/inspection.ts';
import { NactScheduler } from '../runtime/nact-shim.ts';
import { SystemClock, systemRng } from '../runtime/ports/system-ports.ts';
import { toPerfetto } from '../runtime/trace/export-perfetto.ts';
import { toShiviz } from '../runtime/trace/export-shiviz.ts';
import { toJsonl } from '../runtime/trace/trace-event.ts';
import { TraceRecorder } from '../runtime/trace/trace-recorder.ts';
import { CheckedStore } from './disk/checked-store.ts';
import { DataDirectory } from './disk/data-directory.ts';
import { findStore, LineageFile, markStore } from './disk/lineage-file.ts';
import { humanBytes, ProcessMemory } from './process-memory.ts';
import { EXIT_DATA_REFUSED, isDataRefused, type RunningNode } from './running-node.ts';
import type { NodeConfig } from './settings/config.ts';
import { type NodeSizes, nodeSizes } from './settings/node-limits.ts';
import { clientsWithin, openFilesMax, REJECTED_CLIENTS_MAX } from './settings/open-files.ts';
import { StatusBoard } from './status-board.ts';
import { VERSION } from './version.ts';

const LOG_DIRECTORY = 'wal';
const STORE_DIRECTORY = 'store';
const TICK_MS = 20;
const FLUSH_EVERY_MS = 5_000;
/** A stop that hangs is ended by force. */
const STOP_MS_MAX = 10_000;
const EXIT_FAILED = 1;
/** How far log and store have come is written down this often. */
const MARK_EVERY_MS = 5_000;

export function startNode(config: NodeConfig, logger: Logger): RunningNode {
  return new ProductionNode(config, logger);
}

class ProductionNode implements RunningNode {
  readonly stopped: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #config: NodeConfig;
  readonly #logger: Logger;
  readonly #lineageFile: LineageFile;
  readonly #lineage: Lineage;
  #log: WriteAheadLog | undefined;
  readonly #directory: DataDirectory;
  readonly #clock = new SystemClock();
  readonly #tableHashKey: TableHashKey = [
    randomBytes(4).readInt32LE(),
    randomBytes(4).readInt32LE(),
  ];
  readonly #recorder: TraceRecorder;
  readonly #board: StatusBoard;
  readonly #metrics: NodeMetrics;
  #checkProgress: () => string | undefined = () => undefined;
  readonly #network: TcpNetwork;
  readonly #frames: UdpFramePathSource | undefined;
  /** Why there are none. */
  #framesOff: string | undefined;
  readonly #admin: AdminServer;
  readonly #node: Node;
  readonly #startedMs: number;
  #nextMarkMs = 0;
  readonly #sizes: NodeSizes;
  /** Redis connections at first, and as many as CONFIG SET may allow. */
  readonly #clients: { readonly at: number; readonly max: number };
  #gateway: Gateway | undefined;
  #listening = false;
  readonly #memory = new ProcessMemory();
  /** Hits and misses of the store when CONFIG RESETSTAT was last said. */
  #lookupsBefore = { hits: 0, misses: 0 };
  readonly #counted = { read: 0, write: 0, transaction: 0, local: 0 };
  #settle: (end: { code: number; reason: string }) => void = () => undefined;
  #stopping: Promise<void> | undefined;

  constructor(config: NodeConfig, logger: Logger) {
    this.#config = config;
    this.#sizes = nodeSizes(config.segmentBytes, config.batchBytesMax);
    this.#logger = logger;
    this.#clients = this.#clientLimit();
    this.stopped = new Promise((resolve) => {
      this.#settle = resolve;
    });
    const file = new LineageFile(config.dataDir);
    this.#lineageFile = file;
    this.#lineage = new Lineage(file.state, (state) => file.save(state));
    this.#directory = DataDirectory.open({
      lineage: {
        existed: file.existed,
        revision: file.state.identityRevision,
        begin: () => file.save(this.#lineage.state),
        onRevision: (identityRevision) => this.#lineage.update({ identityRevision }),
      },
      path: config.dataDir,
      nodeId: config.nodeId,
      members: config.initialMembers,
      electorate: config.electorate,
    });
    const clock = this.#clock;
    this.#startedMs = clock.monotonicMs();
    const rng = systemRng();
    this.#recorder = new TraceRecorder({ clock, node: config.nodeId });
    this.#board = new StatusBoard(logger, clock);
    this.#metrics = this.#createMetrics();
    this.#network = new TcpNetwork({
      self: this.#directory.hello,
      listen: config.listenPeer,
      members: config.initialMembers,
      verifyPeer: (hello) => this.#directory.verifyPeer(hello),
      incarnations: this.#directory.peerIncarnations,
      log: logger,
      frameBytesMax: this.#sizes.frameBytesMax,
      queueBytesMax: this.#sizes.frameBytesMax,
      jitter: () => rng.next(),
    });
    this.#frames = this.#framePath();
    this.#node = new Node(this.#parts(rng));
    this.#admin = new AdminServer({
      listen: config.listenAdmin,
      providers: this.#providers(),
      hostNames: config.initialMembers.map(({ host }) => host),
    });
    this.#listen().catch((error: unknown) => this.#fail(messageOf(error)));
  }

  async #listen(): Promise<void> {
    await Promise.all([this.#network.listening(), this.#admin.listen()]);
    const { nodeId, listenRedis, listenPeer, listenAdmin } = this.#config;
    const redis = formatEndpoint(listenRedis);
    const peer = formatEndpoint(listenPeer);
    const admin = formatEndpoint(listenAdmin);
    this.#logger.info({ redis, peer, admin, version: VERSION }, `node ${nodeId} is up`);
  }

  #parts(rng: NodeParts['rng']): NodeParts {
    const config = this.#config;
    const sizes = this.#sizes;
    const metrics = this.#metrics;
    const disk = new NodeDisk(config.syncPolicy === 'on_flush' ? { syncMethod: 'fdatasync' } : {});
    const directory = join(this.#directory.path, LOG_DIRECTORY);
    let loggedBytes = 0;
    return {
      nodeId: config.nodeId,
      groups: [
        firstGroup(
          config.initialMembers.map(({ id }) => id),
          config.electorate,
        ),
      ],
      clock: this.#clock,
      rng,
      scheduler: new NactScheduler(),
      recorder: this.#recorder,
      network: this.#network,
      ...(this.#frames === undefined ? {} : { frames: this.#frames }),
      wal: {
        open: (onRecord) => {
          const options = {
            newLogId: randomBytes(16),
            segmentBytes: sizes.segmentBytes,
            recordBytesMax: sizes.recordBytesMax,
            pendingBytesMax: sizes.logBufferBytesMax,
          };
          const flushed = (): number => this.#board.machine?.flushedSequence ?? 0;
          const log = this.#lineage.openLog(disk, directory, options, flushed, onRecord);
          this.#log = log;
          loggedBytes = 0;
          const { records, tornTails, cutBytes } = log.replayed;
          this.#logger.info({ records, tornTails, cutBytes }, 'the log is open');
          return log;
        },
        policy: { name: config.syncPolicy, groupCommitMsMax: config.groupCommitMs },
        observe: (syncMs, log) => {
          metrics.logSync(syncMs, log.counters.bytes - loggedBytes);
          this.#markNowAndThen();
          loggedBytes = log.counters.bytes;
        },
      },
      openEngine: this.#engineOpener(),
      tableHashKey: this.#tableHashKey,
      limits: {
        replica: {},
        coordinator: { slowPathMs: config.slowPathMs },
        batch: {
          batchBytesMax: sizes.batchBytesMax,
          transactionBytesMax: sizes.transactionBytesMax,
          batchCommandsMax: config.batchCommandsMax,
          pipelineDepth: config.pipelineDepth,
        },
        commandTimeoutMs: config.commandTimeoutMs,
        cacheBytesMax: config.cacheBytes,
        dirtyBytesMax: Math.max(8 * 1024 * 1024, config.cacheBytes / 4),
        flushEveryMs: FLUSH_EVERY_MS,
        replyBytesMax: REPLY_BYTES_MAX,
        unitWriteBytesMax: UNIT_WRITE_BYTES_MAX,
        unflushedBytesMax: UNFLUSHED_BYTES_MAX_DEFAULT,
        retainedBytesMax: config.retainedBytesMax,
        unloggedBytesMax: sizes.logBufferBytesMax / 2,
        tickMs: TICK_MS,
      },
      observer: this.#board.observer(metrics),
      gateway: {
        services: () => this.#services(),
        limits: this.#clientLimits(),
        listen: (gateway, done) => {
          const { host, port } = config.listenRedis;
          const connectionsMax = this.#clients.max + REJECTED_CLIENTS_MAX;
          const server = new RespServer({ gateway, host, port, connectionsMax });
          server.listen(done);
          return { stopAccepting: () => server.close(() => undefined) };
        },
        onGateway: (gateway, listening) => {
          this.#gateway = gateway;
          this.#listening = listening;
        },
      },
      // Not within the constructor, which a failure at start interrupts.
      onFailed: (failure) => setImmediate(() => this.#failed(failure)),
    };
  }

  /** Frames go from and to the peer port's number, as UDP. */
  #framePath(): UdpFramePathSource | undefined {
    const { nodeId, holofast: mode, initialMembers, listenPeer, holofastPins } = this.#config;
    const self = initialMembers.find(({ id }) => id === nodeId);
    const hosts = initialMembers.map(({ host }) => host);
    this.#framesOff = reasonAgainst(mode, hosts);
    if (this.#framesOff !== undefined || self === undefined) {
      this.#logger.info({ tier: 'off' }, `holofast: off (${this.#framesOff})`);
      return undefined;
    }
    const peers = initialMembers.map(({ host, port }, sender) => ({ sender, host, port }));
    // Members know each other's frames by the address in the list of members.
    return new UdpFramePathSource({
      mode,
      self: { host: self.host, port: listenPeer.port },
      peers: peers.filter((_member, sender) => initialMembers[sender] !== self),
      key: clusterKey(this.#directory.hello.clusterId, this.#config.clusterKey),
      ...(holofastPins === '' ? {} : { pins: holofastPins }),
      wallUs: () => this.#clock.wallUs(),
      onFailed: (reason) => this.#fail(reason),
      onTier: (tier, reason) =>
        this.#logger.info({ tier, reason }, `holofast: ${tier} (${reason})`),
    });
  }

  #holofast(): HoloFastStatus {
    const { holofast: mode } = this.#config;
    const frames = this.#frames;
    const { quorums } = this.#board;
    if (frames === undefined) {
      const reason = this.#framesOff ?? '';
      return { mode, tier: 'off', reason, quorums, counters: {} };
    }
    const { tier, reason } = frames;
    const counters = { ...this.#board.frameCounters(), ...frames.counters() };
    return { mode, tier, reason, quorums, counters };
  }

  #clientLimits(): NonNullable<NodeParts['gateway']>['limits'] {
    const { transactionBytesMax, argumentBytesMax, batchBytesMax } = this.#sizes;
    return {
      maxClients: this.#clients.at,
      clientsMax: this.#clients.max,
      transactionBytesMax,
      requestBytesMax: transactionBytesMax,
      multiBytesMax: transactionBytesMax,
      requestBulkBytesMax: argumentBytesMax,
      unitBytesMax: batchBytesMax,
    };
  }

  #clientLimit(): { readonly at: number; readonly max: number } {
    const { maxClients: wanted, initialMembers } = this.#config;
    const openFiles = openFilesMax();
    const max = clientsWithin(openFiles, initialMembers.length);
    if (max < wanted) {
      const line = `--max-clients ${wanted} is lowered to ${max}: ${openFiles} files may be open`;
      this.#logger.warn({ wanted, max, openFiles }, line);
    }
    return { at: Math.min(wanted, max), max };
  }

  #engineOpener(): () => Engine | undefined {
    if (this.#config.engine === 'memory') {
      const store = new MemoryStore(this.#tableHashKey);
      return () => new MemoryEngine({ store, defer: (callback) => setImmediate(callback) });
    }
    const directory = join(this.#directory.path, STORE_DIRECTORY);
    const store = new CheckedStore({
      directory,
      open: (onClosed) => this.#openStore(directory, onClosed),
      nowMs: () => this.#clock.monotonicMs(),
      onChecked: (keys, elapsedMs) => {
        this.#logger.info({ keys, elapsedMs: Math.round(elapsedMs) }, 'the store has been checked');
      },
    });
    this.#checkProgress = () => store.progress;
    return () => store.open();
  }

  #openStore(directory: string, onClosed: () => void): LmdbEngine {
    const found = findStore(directory);
    this.#lineage.checkStore(directory, found);
    const storeId = found?.storeId ?? randomBytes(16).toString('hex');
    if (found?.storeId === undefined) markStore(directory, storeId);
    const engine = new LmdbEngine({ directory, onClosed });
    this.#lineage.storeOpened(directory, storeId, engine.meta.appliedSequence);
    return engine;
  }

  #markNowAndThen(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#nextMarkMs) return;
    this.#nextMarkMs = nowMs + MARK_EVERY_MS;
    this.#mark();
  }

  /** What is lost behind the node's back from here on is noticed at its next start. */
  #mark(): void {
    this.#lineage.update({
      durableLsn: this.#log?.durableLsn ?? 0,
      storeSequence: this.#board.machine?.flushedSequence ?? 0,
      storeBytes: findStore(join(this.#directory.path, STORE_DIRECTORY))?.bytes ?? 0,
    });
  }

  // ---- what is shown ----------------------------------------------------------------------

  #createMetrics(): NodeMetrics {
    return new NodeMetrics({
      actors: () => actorsOf(this.#node.system.inspect()),
      deadLetters: () => {
        const { deadLetters } = this.#node.system;
        return DEAD_LETTER_REASONS.map((reason) => [reason, deadLetters.count(reason)] as const);
      },
      links: () => this.#network.counters(),
      clients: () => this.#gateway?.size ?? 0,
      keys: () => this.#board.machine?.size ?? 0,
      retainedTransactions: () => this.#board.watermarks?.retained ?? 0,
      flushLag: () => this.#flushLag(),
      unloggedBytes: () => this.#board.watermarks?.unloggedBytes ?? 0,
      clockOffsetSeconds: () => {
        const { verdict } = this.#node.time;
        return verdict.type === 'unknown' ? Number.NaN : verdict.aheadUs / 1_000_000;
      },
      diskProblems: () => this.#diskProblems(),
      holofast: () => this.#holofast(),
      unrouted: () => this.#node.unrouted,
    });
  }

  #flushLag(): number {
    const machine = this.#board.machine;
    return machine === undefined ? 0 : machine.appliedSequence - machine.flushedSequence;
  }

  *#diskProblems(): Generator<readonly [part: string, problem: string, present: boolean]> {
    const { disk } = this.#board;
    for (const part of DISK_PARTS) {
      for (const problem of DISK_PROBLEMS) yield [part, problem, disk.has(part, problem)];
    }
  }

  #notReady(): string | undefined {
    if (!this.#board.storeReady) return this.#checkProgress() ?? 'the log is being read';
    if (!this.#board.disk.servesReads) return `disk: ${this.#board.disk.summary}`;
    if (!this.#listening) return 'the Redis port is not open yet';
    const { quorums, members } = this.#node.group;
    const reachable = 1 + this.#node.connected.size;
    if (reachable >= quorums.slow) return complaintOf(this.#node.time.verdict);
    return `only ${reachable} of ${members.length} members are connected, ${quorums.slow} are needed`;
  }

  #providers(): AdminProviders {
    return {
      notReady: () => this.#notReady(),
      disk: () => this.#board.disk.summary ?? 'ok',
      status: () => this.#status(),
      actors: () => this.#node.system.inspect(),
      trace: (format) => this.#trace(format),
      metrics: async () => {
        this.#countCommands();
        return {
          contentType: this.#metrics.registry.contentType,
          text: await this.#metrics.text(),
        };
      },
    };
  }

  /** The gateway counts by command; the metrics take over what came since the last scrape. */
  #countCommands(): void {
    if (this.#gateway === undefined) return;
    const { reads: read, writes: write, local } = this.#gateway.commandsByFamily();
    const transaction = this.#gateway.routes.named('EXEC')?.calls ?? 0;
    const counts = { read, write, transaction, local: local - transaction };
    for (const family of ['read', 'write', 'transaction', 'local'] as const) {
      // CONFIG RESETSTAT, or a gateway that began anew, counts from zero again.
      const known = Math.min(this.#counted[family], counts[family]);
      this.#metrics.commands(family, counts[family] - known);
      this.#counted[family] = counts[family];
    }
  }

  #status(): NodeStatus {
    const config = this.#config;
    const notReady = this.#notReady();
    const { clusterId, incarnation } = this.#directory.hello;
    return {
      node: config.nodeId,
      version: VERSION,
      clusterId,
      incarnation,
      ...(notReady === undefined ? {} : { notReady }),
      disk: this.#board.disk.summary ?? 'ok',
      uptimeMs: Math.round(this.#clock.monotonicMs() - this.#startedMs),
      redis: formatEndpoint(config.listenRedis),
      admin: formatEndpoint(config.listenAdmin),
      members: config.initialMembers.map(({ id, host, port }) => ({
        id,
        host,
        port,
        alive: id === config.nodeId || this.#node.connected.has(id),
      })),
      appliedWatermarkUs: this.#board.watermarks?.redundantBeforeUs ?? 0,
      appliedSequence: this.#board.machine?.appliedSequence ?? 0,
      paths: this.#board.paths,
      holofast: this.#holofast(),
      keys: this.#board.machine?.size ?? 0,
      clients: this.#gateway?.size ?? 0,
      commandsTotal: this.#gateway?.counters.commands ?? 0,
    };
  }

  #services(): GatewayServices {
    const settings = new SettingsRegistry();
    return {
      clock: this.#clock,
      settings,
      info: () => this.#info(),
      holoStats: () => this.#holoStats(),
      holoMetrics: () => this.#holoMetrics(),
      cluster: () => this.#clusterNodes(),
      memory: () => ({
        ...this.#memory.sample(),
        retainedBytes: this.#board.watermarks?.retainedBytes ?? 0,
        datasetBytes: this.#board.machine?.cacheBytes ?? 0,
        keys: this.#board.machine?.size ?? 0,
      }),
      replicationOffset: () => this.#board.machine?.appliedSequence ?? 0,
      lastSaveSeconds: () => Math.floor(this.#board.savedAtMs / 1000),
      resetCounters: () => {
        const { hits = 0, misses = 0 } = this.#board.machine ?? {};
        this.#lookupsBefore = { hits, misses };
      },
      replicasAcknowledged: () => this.#node.group.quorums.slow - 1,
    };
  }

  #clusterNodes(): ReturnType<GatewayServices['cluster']> {
    const { host, port } = this.#config.listenRedis;
    // Not the disk id itself: peers are believed by it, and any client may ask for this.
    const id = createHash('sha1').update(this.#directory.hello.diskId).digest('hex');
    return [{ id, host, port, self: true, online: true }];
  }

  #info(): InfoSections {
    const config = this.#config;
    const { machine, watermarks, paths } = this.#board;
    const memory = this.#memory.sample();
    const uptimeMs = this.#clock.monotonicMs() - this.#startedMs;
    const { user, system } = process.cpuUsage();
    const keys = machine?.size ?? 0;
    const { verdict } = this.#node.time;
    return {
      server: {
        holostore_version: VERSION,
        process_id: process.pid,
        tcp_port: config.listenRedis.port,
        uptime_in_seconds: Math.floor(uptimeMs / 1_000),
        uptime_in_days: Math.floor(uptimeMs / 86_400_000),
      },
      memory: {
        used_memory: memory.allocatedBytes,
        used_memory_human: humanBytes(memory.allocatedBytes),
        used_memory_rss: memory.residentBytes,
        used_memory_rss_human: humanBytes(memory.residentBytes),
        used_memory_peak: memory.peakBytes,
        used_memory_peak_human: humanBytes(memory.peakBytes),
        used_memory_startup: memory.startupBytes,
        used_memory_dataset: machine?.cacheBytes ?? 0,
        mem_fragmentation_ratio: (memory.residentBytes / memory.allocatedBytes).toFixed(2),
        mem_allocator: 'v8',
      },
      persistence: {
        rdb_changes_since_last_save: this.#flushLag(),
        rdb_last_save_time: Math.floor(this.#board.savedAtMs / 1000),
      },
      stats: this.#lookups(),
      replication: {
        master_replid: this.#directory.hello.clusterId.padEnd(40, '0'),
        master_repl_offset: machine?.appliedSequence ?? 0,
      },
      cpu: { used_cpu_user: user / 1e6, used_cpu_sys: system / 1e6 },
      holofast: holofastSection(this.#holofast()),
      keyspace: keys === 0 ? {} : { db0: `keys=${keys},expires=${machine?.volatileSize ?? 0}` },
      holostore: {
        node_id: config.nodeId,
        cluster_id: this.#directory.hello.clusterId,
        members: config.initialMembers.length,
        connected_members: 1 + this.#node.connected.size,
        transactions_fast: paths.fast,
        transactions_slow: paths.slow,
        transactions_recovered: paths.recovered,
        transactions_invalidated: paths.invalidated,
        batches: this.#board.batches,
        batched_commands: this.#board.batchedCommands,
        read_barriers: this.#board.readBatches,
        barrier_reads: this.#board.readCommands,
        applied_sequence: machine?.appliedSequence ?? 0,
        flushed_sequence: machine?.flushedSequence ?? 0,
        retained_transactions: watermarks?.retained ?? 0,
        retained_bytes: watermarks?.retainedBytes ?? 0,
        undecided_transactions: watermarks?.unapplied ?? 0,
        clock: verdict.type,
        clock_ahead_ms: verdict.type === 'unknown' ? 0 : Math.round(verdict.aheadUs / 1_000),
      },
    };
  }

  /** An executor that began anew counts from zero. */
  #lookups(): InfoSection {
    const { hits = 0, misses = 0 } = this.#board.machine ?? {};
    const before = this.#lookupsBefore;
    return {
      keyspace_hits: hits < before.hits ? hits : hits - before.hits,
      keyspace_misses: misses < before.misses ? misses : misses - before.misses,
    };
  }

  #holoStats(): string {
    const fields = Object.entries(this.#info()['holostore'] ?? {});
    return fields.map(([name, value]) => `${name}=${value}`).join(' ');
  }

  /** The same in Prometheus' text form; /metrics has the rest. */
  #holoMetrics(): string {
    const fields = Object.entries(this.#info()['holostore'] ?? {});
    const numbers = fields.filter(([, value]) => typeof value === 'number');
    return numbers.map(([name, value]) => `holostore_${name} ${value}\n`).join('');
  }

  // ---- traces and the end -----------------------------------------------------------------

  #trace(format: TraceFormat): string {
    const events = this.#recorder.events();
    if (format === 'perfetto') return toPerfetto(events);
    return format === 'shiviz' ? toShiviz(events) : toJsonl(events);
  }

  /** A full disk, or no file descriptor left, costs the trace alone. */
  dumpTrace(): void {
    try {
      this.#dumpTrace();
    } catch (error) {
      const reason = messageOf(error);
      this.#logger.error({ reason }, `the trace could not be dumped: ${reason}`);
    }
  }

  #dumpTrace(): void {
    const directory = join(this.#directory.path, 'traces');
    mkdirSync(directory, { recursive: true });
    const stamp = new Date(this.#clock.wallUs() / 1_000).toISOString().replaceAll(':', '-');
    const path = join(directory, `holo-${this.#config.nodeId}-${stamp}.trace.jsonl`);
    writeFileSync(path, this.#trace('jsonl'));
    this.#logger.info({ path }, `the trace of the last events is in ${path}`);
  }

  #failed(failure: SystemFailure): void {
    const { path, error } = failure;
    const code = isDataRefused(error) ? EXIT_DATA_REFUSED : EXIT_FAILED;
    this.#fail(`${path}: ${messageOf(error)}`, true, code);
  }

  #fail(reason: string, dump = false, code = EXIT_FAILED): void {
    this.#logger.fatal({ reason }, `the node cannot go on: ${reason}`);
    if (dump) this.dumpTrace();
    this.#end(code, reason).catch(() => this.#settle({ code, reason }));
  }

  stop(reason: string): Promise<void> {
    return this.#end(0, reason);
  }

  #end(code: number, reason: string): Promise<void> {
    this.#stopping ??= this.#shutDown().finally(() => {
      if (code !== EXIT_DATA_REFUSED) this.#mark();
      this.#lineageFile.close();
      this.#directory.close();
      this.#settle({ code, reason });
    });
    return this.#stopping;
  }

  async #shutDown(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, STOP_MS_MAX);
      this.#node.stop((report) => {
        clearTimeout(timer);
        if (!report.isClean) this.#logger.warn({ phases: report.phases }, 'not a clean stop');
        resolve();
      });
    });
    await this.#admin.close();
  }
}

function* actorsOf(inspection: Inspection | undefined): Generator<ActorInspection> {
  if (inspection === undefined) return;
  if (inspection.kind === 'actor') yield inspection;
  else for (const child of inspection.children) yield* actorsOf(child);
}

/** INFO's section: what runs, why not more, and what it has counted. */
function holofastSection({ tier, reason, quorums, counters }: HoloFastStatus): InfoSection {
  const section: Record<string, string | number> = {
    holofast_tier: tier,
    holofast_reason: reason,
    holofast_quorums: quorums,
  };
  for (const [name, count] of Object.entries(counters)) section[`holofast_${name}`] = count;
  return section;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
