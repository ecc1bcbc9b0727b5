/**
 * One node of production: assembles the parts of the operating system (files, sockets, clocks,
 * nact), builds the node of `node.ts` from them, and ends it in order.
 */

import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { SPANNING_READ_BYTES_MAX, UNIT_WRITE_BYTES_MAX } from '../../storage/limits.ts';
import { UNFLUSHED_BYTES_MAX_DEFAULT } from '../../storage/state-machine.ts';
import { isLoopback } from '../../transport/access/loopback.ts';
import { ProtectedMode } from '../../transport/access/protected-mode.ts';
import { AdminConsole } from '../../transport/console/admin-console.ts';
import { formatEndpoint } from '../../transport/endpoint.ts';
import { escapeUtf8 } from '../../transport/escape.ts';
import { AdminServer } from '../../transport/http/admin-server.ts';
import type { TopologyOutcome, TopologyRequest } from '../../transport/http/topology-report.ts';
import {
  type JoinAnswer,
  type JoinRequest,
  type MemberEndpoint,
  NOT_FORMED,
} from '../../transport/peer/handshake.ts';
import { TcpNetwork } from '../../transport/peer/tcp-network.ts';
import type { Gateway } from '../../transport/resp/gateway.ts';
import { KEPT_REPLY_BYTES_MAX, REPLY_BYTES_MAX } from '../../transport/resp/limits.ts';
import { RespServer } from '../../transport/resp/server.ts';
import type { Form } from '../meta/meta-command.ts';
import { nodeOfJoin } from '../meta/nodes.ts';
import { groupsOf, metaGroup, type Topology } from '../meta/topology.ts';
import { Node } from '../node/node.ts';
import type { NodeLimits, NodeParts } from '../node/node-parts.ts';
import { findBigKeys } from '../node/store-questions.ts';
import { commandFor } from '../node/topology-requests.ts';
import type { SystemFailure } from '../runtime/actor-system.ts';
import { NactScheduler } from '../runtime/nact-shim.ts';
import type { Rng } from '../runtime/ports/ports.ts';
import { SystemClock, systemRng } from '../runtime/ports/system-ports.ts';
import { TraceRecorder } from '../runtime/trace/trace-recorder.ts';
import { ClientServices } from './client-services.ts';
import { ConsoleAnswers } from './console/console-answers.ts';
import { KeptTable } from './disk/kept-table.ts';
import { type FormingOptions, formOf, formTopology, ignoredFlags } from './disk/kept-topology.ts';
import { NodeStorage } from './disk/node-storage.ts';
import { HoloFast } from './holofast.ts';
import { placesOf } from './joining.ts';
import { LogRing } from './log-ring.ts';
import { NodeReport, type ReportedNode } from './node-report.ts';
import { NodeTraces } from './node-traces.ts';
import { probePort } from './port-probe.ts';
import { derivedMemoryBytes } from './process-memory.ts';
import { EXIT_DATA_REFUSED, EXIT_FORMED, isDataRefused, type RunningNode } from './running-node.ts';
import { AdminProof } from './security/admin-proof.ts';
import { ClientTls } from './security/client-tls.ts';
import { PasswordAgreement } from './security/password-agreement.ts';
import { PeerProof } from './security/peer-proof.ts';
import type { NodeConfig } from './settings/config.ts';
import { logBytesMaxFor, type NodeSizes, nodeSizes } from './settings/node-limits.ts';
import { clientsWithin, openFilesMax, REJECTED_CLIENTS_MAX } from './settings/open-files.ts';
import { StatusBoard } from './status-board.ts';
import { VERSION } from './version.ts';

/** All groups of a node are in one store, until stores run on threads of their own. */
const STORES = 1;
const TICK_MS = 20;
const FLUSH_EVERY_MS = 5_000;
const DIRTY_BYTES_MIN = 8 * 1024 * 1024;
/** A stop that takes longer is forced. */
const STOP_MS_MAX = 10_000;
/** Until this node has applied what the meta group has decided. */
const JOINED_MS_MAX = 5_000;
const JOINED_EVERY_MS = 20;
const EXIT_FAILED = 1;
const EXIT_CALLED_WRONGLY = 2;
const ADVICE: Readonly<Record<number, string>> = {
  [EXIT_CALLED_WRONGLY]: 'correct the flag, and start it again',
  [EXIT_DATA_REFUSED]:
    'its data are refused: see exit code 3 in docs/errors.md, and do not start it without them',
};

/** `ownsProcess`: nothing else runs in it, so that it may give up capabilities of the process. */
export function startNode(
  config: NodeConfig,
  logger: Logger,
  log = new LogRing(),
  ownsProcess = false,
): RunningNode {
  return new ProductionNode(config, logger, log, ownsProcess);
}

class ProductionNode implements RunningNode {
  readonly stopped: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #config: NodeConfig;
  readonly #logger: Logger;
  readonly #log: LogRing;
  readonly #clock = new SystemClock();
  readonly #protectedMode: ProtectedMode;
  readonly #sizes: NodeSizes;
  /** Redis connections allowed at start, and the most that CONFIG SET may allow. */
  readonly #clients: { readonly at: number; readonly max: number };
  readonly #recorder: TraceRecorder;
  readonly #traces: NodeTraces;
  readonly #board: StatusBoard;
  readonly #storage: NodeStorage;
  /** Of a node that has joined. */
  readonly #keptTable: KeptTable;
  readonly #isJoined: boolean;
  readonly #clientTls: ClientTls | undefined;
  readonly #peerProof: PeerProof;
  readonly #adminProof: AdminProof;
  readonly #network: TcpNetwork;
  readonly #holofast: HoloFast;
  readonly #report: NodeReport;
  readonly #services: ClientServices;
  readonly #node: Node;
  readonly #console: AdminConsole;
  readonly #admin: AdminServer;
  #gateway: Gateway | undefined;
  #isListening = false;
  /** In the topology, as it was last. */
  #ownState = '';
  #settle: (end: { code: number; reason: string }) => void = () => undefined;
  #stopping: Promise<void> | undefined;

  constructor(config: NodeConfig, logger: Logger, log: LogRing, ownsProcess: boolean) {
    this.#config = config;
    this.#isJoined = config.joinedCluster !== undefined;
    this.#logger = logger;
    this.#log = log;
    this.#sizes = nodeSizes(config.segmentBytes, config.batchBytesMax);
    this.#protectedMode = new ProtectedMode(config.protectedMode);
    this.#clients = this.#clientLimit();
    this.#clientTls = ClientTls.ofConfig(config, logger);
    this.stopped = new Promise((resolve) => {
      this.#settle = resolve;
    });
    const clock = this.#clock;
    const rng = systemRng();
    const tableHashKey = [randomBytes(4).readInt32LE(), randomBytes(4).readInt32LE()] as const;
    this.#board = new StatusBoard(logger, clock);
    this.#storage = this.#openStorage(tableHashKey);
    this.#keptTable = new KeptTable(this.#storage.directory.path, logger);
    this.#recorder = new TraceRecorder({
      clock,
      node: config.nodeId,
      txnEventsMax: config.traceEvents,
      ...(config.traceEvents === 0 ? { sampleEvery: 0 } : {}),
      slowMs: config.traceSlowMs,
    });
    this.#traces = this.#createTraces();
    const { hello } = this.#storage.directory;
    this.#peerProof = new PeerProof(config, hello.clusterId, logger);
    this.#network = this.#createNetwork(rng);
    this.#holofast = new HoloFast({
      config,
      keys: this.#peerProof.frameKeys,
      wallUs: () => clock.wallUs(),
      onFailed: (reason) => this.#fail(reason),
      // A node that forms its cluster begins again in this process, and loads once more.
      ownsProcess: ownsProcess && this.#storage.directory.topology !== undefined,
      logger,
    });
    this.#peerProof.follow(() => {
      this.#network.checkProofs();
      this.#holofast.useKeys(this.#peerProof.frameKeys);
    });
    const reported = this.#reported();
    this.#report = new NodeReport(reported);
    this.#services = new ClientServices(reported);
    this.#console = this.#createConsole(reported);
    this.#node = new Node(this.#parts(rng, tableHashKey));
    this.#adminProof = new AdminProof({
      tokenFile: config.adminTokenFile,
      dataDir: this.#storage.directory.path,
      users: () => this.#gateway?.access,
      ...{ clock, logger },
    });
    this.#admin = this.#createAdmin();
    this.#listen().catch((error: unknown) => this.#fail(messageOf(error)));
  }

  async #listen(): Promise<void> {
    const { nodeId, listenRedis, listenPeer, listenAdmin } = this.#config;
    // Clients come once the cluster is formed; a port that is in use is told at once.
    const isFormed = this.#storage.directory.topology !== undefined;
    const redisPort = isFormed
      ? undefined
      : probePort('Redis clients', listenRedis, '--listen-redis');
    await Promise.all([this.#network.listening(), this.#admin.listen(), redisPort]);
    const redis = formatEndpoint(listenRedis);
    const peer = formatEndpoint(listenPeer);
    const admin = formatEndpoint(listenAdmin);
    this.#logger.info({ redis, peer, admin, version: VERSION }, `node ${nodeId} is up`);
    this.#warnOfOpenDoors();
    this.#warnOfIgnoredFlags();
  }

  #warnOfOpenDoors(): void {
    const { listenRedis, listenAdmin, protectedMode, requirepass } = this.#config;
    if (protectedMode || requirepass !== '') return;
    const doors = [listenRedis, listenAdmin].filter(({ host }) => !isLoopback(host));
    const where = doors.map(formatEndpoint).join(' and ') || 'no port but those of the loopback';
    this.#logger.warn(
      { doors: doors.map(formatEndpoint) },
      `SECURITY: --protected-mode no: whoever reaches ${where} may do everything`,
    );
  }

  // ---- the parts --------------------------------------------------------------------------

  #openStorage(tableHashKey: NodeParts['tableHashKey']): NodeStorage {
    const config = this.#config;
    const { segmentBytes, recordBytesMax, logBufferBytesMax } = this.#sizes;
    return new NodeStorage({
      directory: {
        path: config.dataDir,
        nodeId: config.nodeId,
        joinedCluster: config.joinedCluster,
        ...this.#formingOptions(),
      },
      engine: config.engine,
      healsStore: config.healStore,
      groups: () => this.#groups().groups,
      segmentBytes,
      recordBytesMax,
      logBufferBytesMax,
      logBytesMax: logBytesMaxFor(config.retainedBytesMax),
      syncMethod: config.syncPolicy === 'on_flush' ? 'fdatasync' : undefined,
      tableHashKey,
      flushedSequence: () => this.#board.executed?.flushedSequence ?? 0,
      clock: this.#clock,
      logger: this.#logger,
    });
  }

  /** A cluster has the id that the node drew whose Form came first. */
  #ownForm(): Form {
    return formOf(this.#formingOptions(), randomBytes(16).toString('hex'));
  }

  #behavesAt(level: number): void {
    try {
      this.#storage.directory.behavesAt(level);
    } catch (error) {
      // Deferred, as all failures.
      setImmediate(() => this.#fail(messageOf(error)));
    }
  }

  /** The node begins again with the groups of the cluster that has been formed. */
  #formed(formed: Topology): void {
    const { directory } = this.#storage;
    if (directory.topology !== undefined) return;
    const { clusterId, ranges } = formed;
    try {
      directory.formed(formed);
    } catch (error) {
      return this.#fail(messageOf(error));
    }
    this.#logger.info({ clusterId, ranges: ranges.length }, `cluster ${clusterId} is formed`);
    // Deferred: an actor is telling it.
    setImmediate(() => void this.#end(EXIT_FORMED, 'the cluster is formed'));
  }

  #warnOfIgnoredFlags(): void {
    const { topology } = this.#storage.directory;
    if (topology === undefined || this.#isJoined) return;
    const flags = ignoredFlags(this.#formingOptions(), topology);
    if (flags.length === 0) return;
    const line = `${flags.join(', ')}: the cluster was formed with other values, which stay`;
    this.#logger.warn({ flags }, line);
  }

  #formingOptions(): FormingOptions {
    const { initialMembers: members, electorate, initialRanges } = this.#config;
    const { replicationFactor, rangesMax, closingMax } = this.#config;
    return { members, electorate, initialRanges, replicationFactor, rangesMax, closingMax };
  }

  #createNetwork(rng: Rng): TcpNetwork {
    const { listenPeer, requirepass } = this.#config;
    const { directory } = this.#storage;
    const members = this.#dialled();
    const { hello } = directory;
    const passwords = new PasswordAgreement({
      ...{ requirepass, clusterId: hello.clusterId, members: members.length },
      outvoted: (reason) => this.#fail(reason, false, EXIT_CALLED_WRONGLY),
    });
    return new TcpNetwork({
      self: { ...hello, passwordProof: passwords.proof },
      listen: listenPeer,
      members,
      join: (request, done) => this.#join(request, done),
      verifyPeer: (peer) => passwords.objection(peer) ?? directory.verifyPeer(peer),
      otherDisk: (peer) => directory.otherDisk(peer),
      incarnations: directory.peerIncarnations,
      log: this.#logger,
      security: this.#peerProof.security,
      frameBytesMax: this.#sizes.frameBytesMax,
      queueBytesMax: this.#sizes.frameBytesMax,
      jitter: () => rng.next(),
    });
  }

  #parts(rng: Rng, tableHashKey: NodeParts['tableHashKey']): NodeParts {
    const config = this.#config;
    const frames = this.#holofast.source;
    const { topology } = this.#storage.directory;
    const { incarnation } = this.#storage.directory.hello;
    return {
      nodeId: config.nodeId,
      ...this.#groups(),
      announcement: { ...placesOf(config), incarnation },
      ...this.#tableParts(),
      clock: this.#clock,
      rng,
      scheduler: new NactScheduler(),
      recorder: this.#recorder,
      network: this.#network,
      ...(frames === undefined ? {} : { frames }),
      wal: this.#walParts(),
      stores: STORES,
      topology: {
        form: topology === undefined && !this.#isJoined ? this.#ownForm() : undefined,
        leaseMs: config.controllerLeaseMs,
        watch: { missedMs: config.electorateAfterMs },
        replicas: { replaceAfterMs: config.replaceAfterMs },
        onFormed: (formed) => this.#formed(formed),
        onState: ({ topology: its }) => {
          this.#behavesAt(its.behaviourLevel);
          this.#followOwnState(its);
        },
      },
      aclLeaseMs: config.aclLeaseMs,
      openEngine: this.#storage.openEngine,
      tableHashKey,
      limits: limitsOf(config, this.#sizes),
      observer: this.#board.observer(this.#report.metrics),
      // Without ranges there is nothing to serve.
      ...(topology === undefined ? {} : { gateway: this.#gatewayParts() }),
      inquired: (question, _from, done) => this.#console.questions.answerPeer(question, done),
      // Deferred: a failure during the constructor would meet a half-built node.
      onFailed: (failure) => setImmediate(() => this.#failed(failure)),
    };
  }

  /** A node that has left says so: stopping it loses nothing. */
  #followOwnState({ nodes }: Topology): void {
    const { state = '' } = nodes.find(({ id }) => id === this.#config.nodeId) ?? {};
    if (state === this.#ownState) return;
    this.#ownState = state;
    const text = 'this node has no data any more: it can be stopped (holoctl remove-node)';
    if (state === 'decommissioned') this.#logger.warn(text);
  }

  /** Those of the last topology that this node knows come before those of the flags. */
  #dialled(): readonly MemberEndpoint[] {
    const { nodeId, initialMembers } = this.#config;
    const known = this.#keptTable.topology?.nodes ?? [];
    const others = initialMembers.filter(({ id }) => known.every((node) => node.id !== id));
    return [...known.filter(({ id }) => id !== nodeId), ...others];
  }

  /** A node that has joined knows the groups of the last table, the others begin with the first. */
  #groups(): Pick<NodeParts, 'groups' | 'allGroups'> {
    const { nodeId, initialMembers, electorate } = this.#config;
    const formed = this.#storage.directory.topology;
    const kept = this.#isJoined ? this.#keptTable.topology : undefined;
    const topology = formed && (kept ?? formed);
    if (topology !== undefined) {
      // Its own log says what it has joined, and at which floor.
      const groups = this.#isJoined ? [] : groupsOf(topology, nodeId);
      return { groups, allGroups: groupsOf(topology) };
    }
    const ids = initialMembers.map(({ id }) => id).sort((a, b) => a - b);
    const members = this.#isJoined ? ids.filter((id) => id !== nodeId) : ids;
    const meta = metaGroup({ members, electorate: electorate.toSorted((a, b) => a - b) });
    return { groups: this.#isJoined ? [] : [meta], allGroups: [meta] };
  }

  #tableParts(): Pick<NodeParts, 'table' | 'onTable'> {
    const kept = this.#keptTable;
    const { table } = kept;
    return { ...(table === undefined ? {} : { table }), onTable: (newer) => kept.keep(newer) };
  }

  /** A new node asks: the meta group decides, and this node answers when it knows. */
  #join(request: JoinRequest, done: (answer: JoinAnswer | string) => void): void {
    const { nodeId, ...places } = request;
    const { clusterId } = this.#storage.directory.hello;
    const command = { type: 'Join', ...places, ...(nodeId === 0 ? {} : { id: nodeId }) } as const;
    const untilMs = this.#clock.monotonicMs() + JOINED_MS_MAX;
    const answer = (why: string): void => {
      const { topology } = this.#node.topology.state ?? {};
      const node = topology && nodeOfJoin(topology, request.joinId);
      const members = topology?.nodes.filter(({ id }) => topology.meta.members.includes(id)) ?? [];
      if (node !== undefined) {
        const endpoints = members.map(({ id, host, port }) => ({ id, host, port }));
        done({ nodeId: node.id, clusterId, members: endpoints });
      } else if (why !== '' || this.#clock.monotonicMs() > untilMs) {
        done(why || 'no answer in time');
      } else setTimeout(() => answer(''), JOINED_EVERY_MS);
    };
    this.#node.changeTopology(command, (outcome) => {
      answer(outcome.type === 'done' ? '' : outcome.why);
    });
  }

  #walParts(): NodeParts['wal'] {
    const { syncPolicy, groupCommitMs } = this.#config;
    let loggedBytes = 0;
    return {
      open: (onRecord) => {
        loggedBytes = 0;
        const log = this.#storage.openLog(onRecord);
        this.#board.logBytes = log.bytes;
        return log;
      },
      policy: { name: syncPolicy, groupCommitMsMax: groupCommitMs },
      observe: (syncMs, log) => {
        this.#board.phase(this.#report.metrics, 'sync', syncMs);
        this.#board.logBytes = log.bytes;
        this.#report.metrics.logSync(syncMs, log.counters.bytes - loggedBytes);
        this.#storage.markAtIntervals();
        loggedBytes = log.counters.bytes;
      },
      logged: (ms) => this.#board.phase(this.#report.metrics, 'log', ms),
    };
  }

  #gatewayParts(): NonNullable<NodeParts['gateway']> {
    const { transactionBytesMax, argumentBytesMax, batchBytesMax } = this.#sizes;
    return {
      services: () => this.#services.create(),
      limits: {
        maxClients: this.#clients.at,
        memoryBytesMax: this.#config.maxmemory,
        derivedMemoryBytes: derivedMemoryBytes(),
        clientsMax: this.#clients.max,
        transactionBytesMax,
        requestBytesMax: transactionBytesMax,
        multiBytesMax: transactionBytesMax,
        requestBulkBytesMax: argumentBytesMax,
        unitBytesMax: batchBytesMax,
        pipelineOrder: this.#config.pipelineOrder,
        transactionKeysMax: this.#config.transactionKeysMax,
      },
      listen: (gateway, done) => {
        const { host, port } = this.#config.listenRedis;
        const connectionsMax = this.#clients.max + REJECTED_CLIENTS_MAX;
        const server = new RespServer({ gateway, host, port, connectionsMax });
        const both = [server, ...this.#tlsServer(gateway, connectionsMax)];
        listenAll(both, done);
        return {
          stopAccepting: () => {
            for (const each of both) each.close(() => undefined);
          },
        };
      },
      onGateway: (gateway, isListening) => {
        this.#gateway = gateway;
        this.#isListening = isListening;
      },
    };
  }

  #tlsServer(gateway: Gateway, connectionsMax: number): RespServer[] {
    const { listenRedisTls } = this.#config;
    if (listenRedisTls === undefined || this.#clientTls === undefined) return [];
    const { listener: sockets } = this.#clientTls;
    const flag = '--listen-redis-tls';
    return [new RespServer({ gateway, ...listenRedisTls, connectionsMax, sockets, flag })];
  }

  #createTraces(): NodeTraces {
    const clock = this.#clock;
    return new NodeTraces({
      nodeId: this.#config.nodeId,
      recorder: this.#recorder,
      clock,
      offsets: () => this.#node.offsets.all(clock.wallUs(), clock.monotonicMs()),
      dataDir: this.#storage.directory.path,
      logger: this.#logger,
    });
  }

  #clientLimit(): { readonly at: number; readonly max: number } {
    const { maxClients: wanted, initialMembers, consolesMax } = this.#config;
    const openFiles = openFilesMax();
    const max = clientsWithin(openFiles, initialMembers.length, consolesMax);
    if (max < wanted) {
      const line = `--max-clients ${wanted} is lowered to ${max}: ${openFiles} files may be open`;
      this.#logger.warn({ wanted, max, openFiles }, line);
    }
    return { at: Math.min(wanted, max), max };
  }

  #createAdmin(): AdminServer {
    const report = this.#report;
    const adminTls = this.#config.adminTls ? this.#clientTls?.listener : undefined;
    return new AdminServer({
      listen: this.#config.listenAdmin,
      providers: {
        notReady: () => report.notReady(),
        disk: () => this.#board.disk.summary ?? 'ok',
        memory: () => report.memory,
        configure: (name, value, user) => this.#configure(name, value, user),
        changeTopology: (request, user) => this.#changeTopology(request, user),
        status: () => report.status(),
        topology: () => report.topology(),
        actors: () => this.#node.system.inspect(),
        trace: (format, txn) => this.#traces.pieces(format, txn),
        latency: () => this.#board.latency.report(),
        logs: (after) => this.#log.since(after),
        hotKeys: (count) => this.#gateway?.insight.hotKeys.top(count) ?? [],
        slowLog: (count) => this.#gateway?.insight.slowLog.newest(count) ?? [],
        bigKeys: (count) => findBigKeys(this.#node.system, this.#node.stores, count),
        slow: (after) => this.#recorder.kept.slowAfter(after),
        metrics: () => report.scrape(),
      },
      door: this.#adminProof.door,
      tokenFile: this.#adminProof.tokenFile,
      open: this.#config.adminOpen,
      ...(adminTls === undefined ? {} : { sockets: adminTls, isTls: true }),
      protectedMode: this.#protectedMode,
      hostNames: this.#config.initialMembers.map(({ host }) => host),
      console: this.#console,
    });
  }

  #createConsole(reported: ReportedNode): AdminConsole {
    const { nodeId, initialMembers, consolesMax } = this.#config;
    return new AdminConsole({
      self: nodeId,
      clusterId: this.#storage.directory.hello.clusterId,
      members: initialMembers,
      consolesMax,
      answerHere: new ConsoleAnswers({
        node: reported,
        report: this.#report,
        recorder: this.#recorder,
        traces: this.#traces,
        log: this.#log,
        changeTopology: (request, user) => this.#changeTopology(request, user),
        audit: (user, what) => this.#logger.warn({ user, what }, `audit: ${user}: ${what}`),
      }).answer,
      askPeer: (peer, question, done) => this.#node.inquiries.ask(peer, question, done),
      isOpen: this.#config.adminOpen === 'overview',
    });
  }

  /** Of the operator; a restarted gateway begins with the flags again. */
  #configure(name: string, value: string, user: string): string | undefined {
    const gateway = this.#gateway;
    if (gateway === undefined) return 'the node does not serve clients yet';
    const outcome = gateway.services.settings.setAll([[name, value]], 'operator');
    if (typeof outcome === 'object') return `${name} is the cluster's: CONFIG SET changes it`;
    if (outcome === undefined) {
      this.#logger.info({ name, value, user }, `${name} is set to ${value} by ${user}`);
    }
    return outcome;
  }

  #changeTopology(request: TopologyRequest, user: string): Promise<TopologyOutcome> {
    const { state } = this.#node.topology;
    const notFormed = 'the cluster has not been formed yet, or this node does not know it';
    const command = state === undefined ? notFormed : commandFor(state.topology, request, user);
    if (typeof command === 'string') {
      return Promise.resolve({ code: state === undefined ? 503 : 400, text: command });
    }
    this.#logger.info({ command, user }, `${user} asks for a change of the topology`);
    return new Promise((resolve) => {
      this.#node.changeTopology(command, (answer) => {
        if (answer.type === 'done') resolve({ code: 200, text: `change ${answer.change}` });
        else resolve({ code: answer.type === 'refused' ? 409 : 503, text: answer.why });
      });
    });
  }

  /** For reports before this node has applied any state of it; its epoch is 0 before Form. */
  #kept(): Topology {
    const { topology } = this.#storage.directory;
    return topology ?? { ...formTopology(this.#formingOptions(), NOT_FORMED), epoch: 0 };
  }

  /** Getters, since reports are built before the node and outlive its gateways. */
  #reported(): ReportedNode {
    const self = this;
    return {
      config: this.#config,
      clock: this.#clock,
      startedMs: this.#clock.monotonicMs(),
      protectedMode: this.#protectedMode,
      peerProof: this.#peerProof.security.kind,
      hello: this.#storage.directory.hello,
      get topology() {
        return self.#node.topology.state?.topology ?? self.#kept();
      },
      board: this.#board,
      network: this.#network,
      get node() {
        return self.#node;
      },
      get holofast() {
        return self.#holofast.status(self.#board);
      },
      get gateway() {
        return self.#gateway;
      },
      get isListening() {
        return self.#isListening;
      },
      get refusedLogins() {
        return self.#adminProof.door.refused;
      },
      get checkProgress() {
        return self.#storage.checkProgress;
      },
      phase: (phase, ms) => self.#board.phase(self.#report.metrics, phase, ms),
      scriptLog: (level, text) => {
        const [debug, info, warn] = ['debug', 'info', 'warn'] as const;
        const name = [debug, debug, info, warn][level] ?? info;
        self.#logger[name]({ script: true }, `script: ${escapeUtf8(text)}`);
      },
    };
  }

  // ---- traces and the end -----------------------------------------------------------------

  dumpTrace(): void {
    this.#traces.dump();
  }

  #failed(failure: SystemFailure): void {
    const { path, error } = failure;
    const code = isDataRefused(error) ? EXIT_DATA_REFUSED : EXIT_FAILED;
    const isDamaged = (error as { code?: unknown } | undefined)?.code === 'HOLO_STORE_DAMAGED';
    if (isDamaged) this.#storage.noteDamage(messageOf(error));
    this.#fail(`${path}: ${messageOf(error)}`, true, code);
  }

  #fail(reason: string, dump = false, code = EXIT_FAILED): void {
    const advice = ADVICE[code] ?? 'start it again; what was acknowledged is in the log';
    this.#logger.fatal({ reason, code }, `fatal: ${reason}; the node stops; ${advice}`);
    if (dump) this.dumpTrace();
    this.#end(code, reason).catch(() => this.#settle({ code, reason }));
  }

  reload(): void {
    this.#peerProof.reload();
    this.#adminProof.reload();
    this.#clientTls?.reload();
  }

  stop(reason: string): Promise<void> {
    return this.#end(0, reason);
  }

  #end(code: number, reason: string): Promise<void> {
    this.#stopping ??= this.#shutDown().finally(async () => {
      this.#keptTable.write();
      const isRefused = code === EXIT_DATA_REFUSED;
      await within(STOP_MS_MAX, (closed) => this.#storage.close(isRefused, closed));
      this.#settle({ code, reason });
    });
    return this.#stopping;
  }

  async #shutDown(): Promise<void> {
    await within(STOP_MS_MAX, (stopped) => {
      this.#node.stop((report) => {
        if (!report.isClean) {
          const line =
            'not a clean stop: a phase took too long; the next start reads the log again';
          this.#logger.warn({ phases: report.phases }, line);
        }
        stopped();
      });
    });
    this.#peerProof.close();
    this.#adminProof.close();
    this.#clientTls?.close();
    await this.#admin.close();
  }
}

/** Resolves when `action` calls back, or after `msMax`. */
function within(msMax: number, action: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, msMax);
    action(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** `done` is called once: when all listen, or with the first error. */
function listenAll(servers: readonly RespServer[], done: (error: Error | undefined) => void): void {
  let left = servers.length;
  for (const server of servers) {
    server.listen((error) => {
      if (left <= 0) return;
      left = error === undefined ? left - 1 : 0;
      if (left === 0) done(error);
    });
  }
}

function limitsOf(config: NodeConfig, sizes: NodeSizes): NodeLimits {
  return {
    replica: {},
    coordinator: { slowPathMs: config.slowPathMs },
    batch: {
      batchBytesMax: sizes.batchBytesMax,
      transactionBytesMax: sizes.transactionBytesMax,
      batchCommandsMax: config.batchCommandsMax,
      batchKeysMax: config.transactionKeysMax,
      pipelineDepth: config.pipelineDepth,
    },
    commandTimeoutMs: config.commandTimeoutMs,
    cacheBytesMax: config.cacheBytes,
    dirtyBytesMax: Math.max(DIRTY_BYTES_MIN, config.cacheBytes / 4),
    flushEveryMs: FLUSH_EVERY_MS,
    replyBytesMax: REPLY_BYTES_MAX,
    keptReplyBytesMax: KEPT_REPLY_BYTES_MAX,
    unitWriteBytesMax: UNIT_WRITE_BYTES_MAX,
    spanningReadBytesMax: SPANNING_READ_BYTES_MAX,
    unflushedBytesMax: UNFLUSHED_BYTES_MAX_DEFAULT,
    retainedBytesMax: config.retainedBytesMax,
    // With one more message that a frame brings, all of it fits the log's buffer.
    unloggedBytesMax: sizes.logBufferBytesMax / 2,
    turnRecordBytesMax: sizes.logBufferBytesMax / 4,
    tickMs: TICK_MS,
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
