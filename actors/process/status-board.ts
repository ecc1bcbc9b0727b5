/**
 * Collects the reports of a node's actors for INFO, HOLOSTATS, /status and the metrics. Only
 * listens; nothing in the node depends on it.
 */
import type { Logger } from 'pino';
import type { StoreReport } from '../../storage/state-machines.ts';
import { LatencyBoard, type LatencyPhase } from '../../transport/http/latency-report.ts';
import type { NodeMetrics } from '../../transport/http/metrics.ts';
import type { Path } from '../accord/coordinate/coordinator.ts';
import type { RefusalReason } from '../accord/messages/message-judge.ts';
import { complaintOf } from '../accord/primitives/cluster-time.ts';
import { DiskHealth } from '../log/disk-health.ts';
import type { NodeObserver } from '../node/node-parts.ts';
import { errorText } from '../runtime/inspection.ts';
import type { Clock } from '../runtime/ports/ports.ts';
import type { ReplicaWatermarks } from '../store/replica-actor.ts';

/** The refused messages of a peer are logged at most this often, with their number. */
const REFUSALS_EVERY_MS = 10_000;

export class StatusBoard {
  readonly paths: Record<Path, number> = { fast: 0, slow: 0, recovered: 0, invalidated: 0 };
  storeReady = false;
  watermarks: ReplicaWatermarks | undefined;
  executed: StoreReport | undefined;
  heldReplyBytes = 0;
  /** Of the log, on disk. */
  logBytes = 0;
  /** When the store was last seen to be written out: Unix time in milliseconds. */
  savedAtMs: number;
  batches = 0;
  batchedCommands = 0;
  readBatches = 0;
  readCommands = 0;
  quorums = 0;
  readonly disk: DiskHealth;
  readonly latency = new LatencyBoard();
  /** The counters of the quorum actor; empty while it has no path. */
  frameCounters: () => Readonly<Record<string, number>> = () => ({});
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #refusals = new Map<string, { atMs: number; unsaid: number }>();
  #flushedSequence: number | undefined;

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
    this.savedAtMs = clock.wallUs() / 1000;
    this.disk = new DiskHealth(logger);
  }

  /** Memory of the store. A flush holds its changes twice more: as records, and in LMDB. */
  get storeBytes(): number {
    const { cacheBytes = 0, unflushedBytes = 0 } = this.executed ?? {};
    const { retainedBytes = 0, unloggedBytes = 0 } = this.watermarks ?? {};
    return cacheBytes + 2 * unflushedBytes + retainedBytes + unloggedBytes + this.heldReplyBytes;
  }

  observer(metrics: NodeMetrics): NodeObserver {
    return {
      ready: (store) => {
        this.storeReady = true;
        this.#logger.info({ store }, 'the log is replayed; the store is serving');
      },
      watermarks: (watermarks) => {
        this.watermarks = watermarks;
      },
      decided: (path) => {
        this.paths[path] += 1;
        metrics.transactions(path);
      },
      batch: (kind, commands, bytes) => {
        if (kind === 'read') {
          this.readBatches += 1;
          this.readCommands += commands;
          return;
        }
        this.batches += 1;
        this.batchedCommands += commands;
        metrics.batch(commands, bytes);
      },
      units: (kind, commands, latencyMs) => {
        const family = kind === 'read' ? 'read' : 'write';
        metrics.commandLatency(family, latencyMs, commands);
        this.latency.record(family, latencyMs, commands);
      },
      phase: (phase, ms) => this.phase(metrics, phase, ms),
      roundTrip: (ms) => this.phase(metrics, 'network', ms),
      readsRepeated: (as, units) => metrics.readsRepeated(as, units),
      quorum: (elapsedMs) => {
        this.quorums += 1;
        metrics.quorum(elapsedMs);
      },
      frameCounters: (read) => {
        this.frameCounters = read;
      },
      clockJudged: (verdict) => {
        const complaint = complaintOf(verdict);
        if (complaint === undefined) return this.#logger.info('the clock of this node is right');
        const advice = 'set it right (chrony, NTP): writes here are refused until then';
        this.#logger.error({ ...verdict }, `${complaint}; ${advice}`);
      },
      executed: (report, _store, heldReplyBytes) => {
        this.executed = report;
        this.heldReplyBytes = heldReplyBytes;
        if (report.flushedSequence === this.#flushedSequence) return;
        this.#flushedSequence = report.flushedSequence;
        this.savedAtMs = this.#clock.wallUs() / 1000;
      },
      disk: this.disk.report,
      ...this.#ofPeersAndActors(),
      messageRefused: (peer, type, reason, detail) => {
        metrics.messageRefused(type, reason);
        this.#tellRefusal(peer, type, reason, detail);
      },
    };
  }

  #ofPeersAndActors(): Pick<
    NodeObserver,
    'dataLost' | 'peerUp' | 'peerDown' | 'peerRefused' | 'actorRestarts'
  > {
    return {
      dataLost: ({ range, generation }) => {
        const what = range === 0 ? "the cluster's table" : `range ${range}`;
        const text = `the data of ${what} went with the store: those of another member are fetched`;
        this.#logger.warn({ range, generation }, text);
      },
      peerUp: (peer) => this.#logger.info({ peer }, `peer ${peer} is connected`),
      peerDown: (peer, reason) => {
        const advice = 'it is dialled again; if it stays away, see its log';
        this.#logger.warn({ peer, reason }, `peer ${peer} is gone: ${reason}; ${advice}`);
      },
      peerRefused: (peer, reason) => {
        const advice = 'compare the flags and versions of both nodes; it is dialled again';
        this.#logger.error({ peer, reason }, `peer ${peer} is refused: ${reason}; ${advice}`);
      },
      actorRestarts: ({ path, reason, delayMs }) => {
        const why = 'error' in reason ? errorText(reason.error) : reason.kind;
        const stack = 'error' in reason && reason.error instanceof Error ? reason.error.stack : '';
        const advice = 'it comes back from the log; keep a trace (kill -USR2) and report it';
        this.#logger.warn({ path, delayMs, stack }, `${path} is restarted: ${why}; ${advice}`);
      },
    };
  }

  phase(metrics: NodeMetrics, phase: LatencyPhase, ms: number): void {
    this.latency.record(phase, ms);
    metrics.phase(phase, ms);
  }

  /**
   * Contradictions apart from nonsense, which may come at any rate: one of the two nodes holds
   * wrong data, and that must not go unsaid.
   */
  #tellRefusal(peer: number, type: string, reason: RefusalReason, detail?: string): void {
    const nowMs = this.#clock.monotonicMs();
    const key = `${peer} ${reason === 'contradiction'}`;
    const last = this.#refusals.get(key);
    const due = last === undefined || nowMs - last.atMs >= REFUSALS_EVERY_MS;
    if (!due) {
      last.unsaid += 1;
      return;
    }
    const fields = { peer, type, reason, detail, unsaid: last?.unsaid ?? 0 };
    this.#refusals.set(key, { atMs: nowMs, unsaid: 0 });
    const text = `a message of node ${peer} is refused (${type}: ${detail ?? reason})`;
    if (reason === 'contradiction') {
      const advice = 'one of the two is wrong: keep logs and traces of both before any restart';
      this.#logger.error(fields, `${text}; ${advice}`);
    } else {
      this.#logger.warn(fields, `${text}; compare the versions of both nodes`);
    }
  }
}
