/**
 * The counters of a node, for /metrics. Hot paths call the methods once per batch with counts;
 * gauges (queues, links, clients) are read at a scrape. Label values are fixed sets and names of
 * actors and peers: never keys or clients.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { CountedHistogram } from './counted-histogram.ts';
import { type LatencyPhase, PHASES } from './latency-report.ts';
import type { HoloFastStatus } from './node-status.ts';

/** `local` commands are answered by the connection itself: PING, CLIENT, INFO. */
const FAMILIES = ['read', 'write', 'transaction', 'local'] as const;
type CommandFamily = (typeof FAMILIES)[number];

/**
 * `fast`: decided in one round trip. `slow`: with an Accept round. `recovered`: finished by a node
 * that did not begin it. `invalidated`: can never execute.
 */
const OUTCOMES = ['fast', 'slow', 'recovered', 'invalidated'] as const;
type TransactionOutcome = (typeof OUTCOMES)[number];

/** Ways to repeat a read of several slots that its barrier did not cover. */
const REPEATED_READS = ['barrier', 'transaction'] as const;
type RepeatedRead = (typeof REPEATED_READS)[number];

interface ActorSample {
  readonly path: string;
  readonly depth: number;
  readonly restarts: number;
}

interface LinkSample {
  readonly peer: number;
  readonly up: boolean;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly sendsRefused: number;
  readonly reconnects: number;
  readonly queuedBytes: number;
}

interface RangeSample {
  readonly range: number;
  readonly keys: number;
  readonly bytes: number;
  /** Transactions applied. */
  readonly appliedSequence: number;
  /** As the topology has it: stable, intended or closing. */
  readonly phase: string;
}

/** Read at a scrape; an absent source is not exported. */
interface MetricSources {
  readonly actors?: () => Iterable<ActorSample>;
  /** Since the start, by reason. */
  readonly deadLetters?: () => Iterable<readonly [reason: string, count: number]>;
  readonly links?: () => Iterable<LinkSample>;
  readonly clients?: () => number;
  readonly keys?: () => number;
  readonly retainedTransactions?: () => number;
  /** Transactions applied and not yet in the engine. */
  readonly flushLag?: () => number;
  /** Memory against its limit, `max`. */
  readonly memory?: () => Iterable<readonly [part: string, bytes: number]>;
  /** Bytes of log records that wait for the disk. */
  readonly unloggedBytes?: () => number;
  /** The wall clock of this node minus the cluster's time. */
  readonly clockOffsetSeconds?: () => number;
  /** Keys removed since their deadline had passed. */
  readonly expiredKeys?: () => number;
  /** Elements that were taken for clients which were gone by then. */
  readonly orphanedPops?: () => number;
  /** Errors that clients were answered, by their first word: a bounded set. */
  readonly errorReplies?: () => Iterable<readonly [code: string, count: number]>;
  readonly diskProblems?: () => Iterable<
    readonly [part: string, problem: string, present: boolean]
  >;
  /** Of the peer port, by class. */
  readonly refusedCallers?: () => Iterable<readonly [kind: string, count: number]>;
  /** Of the admin port. */
  readonly refusedLogins?: () => number;
  readonly holofast?: () => HoloFastStatus;
  /** Of the ranges that are here, by slot. */
  readonly ranges?: () => readonly RangeSample[];
  /** Of peers, for channels and groups that are not served here. */
  readonly unrouted?: () => Iterable<
    readonly [peer: number, counts: { readonly channel: number; readonly group: number }]
  >;
}

const PREFIX = 'holostore_';
/** Ranges with values of their own; the others are summed up as `others`. */
const RANGES_SHOWN = 128;
/** Seconds: 50 us to 10 s. */
const LATENCY_BOUNDS = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
  5, 10,
];
const BATCH_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192];
const BYTES_BOUNDS = [
  64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
];

export class NodeMetrics {
  readonly registry = new Registry();
  readonly #commands: Record<CommandFamily, number> = {
    read: 0,
    write: 0,
    transaction: 0,
    local: 0,
  };
  readonly #outcomes: Record<TransactionOutcome, number> = {
    fast: 0,
    slow: 0,
    recovered: 0,
    invalidated: 0,
  };
  readonly #readsRepeated: Record<RepeatedRead, number> = { barrier: 0, transaction: 0 };
  readonly #latency: CountedHistogram<CommandFamily>;
  readonly #batchCommands: CountedHistogram<''>;
  readonly #batchBytes: CountedHistogram<''>;
  readonly #syncLatency: CountedHistogram<''>;
  readonly #quorumLatency: CountedHistogram<''>;
  readonly #phaseLatency: CountedHistogram<LatencyPhase>;
  readonly #refused = new Map<string, { type: string; reason: string; count: number }>();
  #logBytes = 0;

  /** `processMetrics` (default true): memory, CPU, garbage collection, event-loop delay. */
  constructor(sources: MetricSources, processMetrics = true) {
    const { registry } = this;
    if (processMetrics) {
      collectDefaultMetrics({ register: registry });
    }
    this.#totals();
    this.#latency = new CountedHistogram(
      registry,
      `${PREFIX}command_seconds`,
      'From reading a batch of commands to its replies',
      LATENCY_BOUNDS,
      'family',
      FAMILIES,
    );
    const plain = (name: string, help: string, bounds: readonly number[]): CountedHistogram<''> =>
      new CountedHistogram(registry, PREFIX + name, help, bounds, '', ['']);
    this.#phaseLatency = new CountedHistogram(
      registry,
      `${PREFIX}phase_seconds`,
      'Parts of the time of a command',
      LATENCY_BOUNDS,
      'phase',
      PHASES,
    );
    this.#batchCommands = plain('batch_commands', 'Commands in a transaction', BATCH_BOUNDS);
    this.#batchBytes = plain('batch_bytes', 'Command bytes in a transaction', BYTES_BOUNDS);
    this.#syncLatency = plain('log_sync_seconds', 'Write and sync of the log', LATENCY_BOUNDS);
    this.#quorumLatency = plain(
      'holofast_quorum_seconds',
      'From arming a vote slot to its quorum',
      LATENCY_BOUNDS,
    );
    this.#sources(sources);
  }

  commands(family: CommandFamily, count: number): void {
    this.#commands[family] += count;
  }

  /** `count` commands of a batch took `ms` each, from reading to replying. */
  commandLatency(family: CommandFamily, ms: number, count: number): void {
    this.#latency.observe(family, ms / 1000, count);
  }

  /** A message of a peer was dropped. Types and reasons are fixed sets. */
  messageRefused(type: string, reason: string): void {
    const key = `${type} ${reason}`;
    const known = this.#refused.get(key);
    if (known === undefined) this.#refused.set(key, { type, reason, count: 1 });
    else known.count += 1;
  }

  transactions(outcome: TransactionOutcome, count = 1): void {
    this.#outcomes[outcome] += count;
  }

  batch(commands: number, bytes: number): void {
    this.#batchCommands.observe('', commands);
    this.#batchBytes.observe('', bytes);
  }

  readsRepeated(as: RepeatedRead, units: number): void {
    this.#readsRepeated[as] += units;
  }

  logSync(ms: number, bytes: number): void {
    this.#syncLatency.observe('', ms / 1000);
    this.#logBytes += bytes;
  }

  /** A quorum was counted below the actors, `ms` after its slot was armed. */
  quorum(ms: number): void {
    this.#quorumLatency.observe('', ms / 1000);
  }

  phase(phase: LatencyPhase, ms: number): void {
    this.#phaseLatency.observe(phase, ms / 1000);
  }

  /** The text of /metrics. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  #totals(): void {
    this.#counter('commands_total', 'Commands answered', ['family'], (counter) => {
      for (const family of FAMILIES) counter.inc({ family }, this.#commands[family]);
    });
    this.#counter('transactions_total', 'Transactions by outcome', ['outcome'], (counter) => {
      for (const outcome of OUTCOMES) counter.inc({ outcome }, this.#outcomes[outcome]);
    });
    const repeated = 'Reading pipelines that their barrier did not prune, by outcome';
    this.#counter('reads_repeated_total', repeated, ['as'], (counter) => {
      for (const as of REPEATED_READS) counter.inc({ as }, this.#readsRepeated[as]);
    });
    const refused = 'Messages of peers that were dropped because they were invalid';
    this.#counter('peer_messages_refused_total', refused, ['type', 'reason'], (counter) => {
      for (const { type, reason, count } of this.#refused.values()) {
        counter.inc({ type, reason }, count);
      }
    });
    this.#counter('log_bytes_total', 'Bytes written to the log', [], (counter) => {
      counter.inc(this.#logBytes);
    });
  }

  #clientCounters({ errorReplies, orphanedPops }: MetricSources): void {
    if (orphanedPops !== undefined) {
      const help = 'Elements taken for clients that were gone when they came';
      this.#counter('blocking_pops_orphaned_total', help, [], (counter) => {
        counter.inc(orphanedPops());
      });
    }
    if (errorReplies !== undefined) {
      const help = 'Errors answered to clients, by their first word';
      this.#counter('error_replies_total', help, ['code'], (counter) => {
        for (const [code, count] of errorReplies()) counter.inc({ code }, count);
      });
    }
  }

  #ranges(read: () => readonly RangeSample[]): void {
    const perRange = (name: string, help: string, of: (sample: RangeSample) => number): void => {
      this.#gauge(name, help, ['range'], (gauge) => {
        for (const [at, sample] of read().entries()) {
          const range = at < RANGES_SHOWN ? String(sample.range) : 'others';
          gauge.inc({ range }, of(sample));
        }
      });
    };
    perRange('range_keys', 'Keys of a range', ({ keys }) => keys);
    perRange('range_bytes', 'Bytes of keys and values of a range', ({ bytes }) => bytes);
    const applied = 'Transactions of a range that are applied';
    perRange('range_applied_transactions', applied, ({ appliedSequence }) => appliedSequence);
    this.#gauge('ranges', 'Ranges, by what is done to them', ['phase'], (gauge) => {
      for (const { phase } of read()) gauge.inc({ phase }, 1);
    });
  }

  #sources(sources: MetricSources): void {
    const { actors, deadLetters, links } = sources;
    if (actors !== undefined) {
      this.#gauge('mailbox_depth', 'Messages waiting', ['actor'], (gauge) => {
        for (const each of actors()) gauge.set({ actor: each.path }, each.depth);
      });
      this.#counter('actor_restarts_total', 'Restarts', ['actor'], (counter) => {
        for (const each of actors()) counter.inc({ actor: each.path }, each.restarts);
      });
    }
    if (deadLetters !== undefined) {
      this.#counter(
        'dead_letters_total',
        'Messages that no actor received',
        ['reason'],
        (counter) => {
          for (const [reason, count] of deadLetters()) counter.inc({ reason }, count);
        },
      );
    }
    if (links !== undefined) this.#links(links);
    if (sources.holofast !== undefined) this.#holofast(sources.holofast);
    if (sources.ranges !== undefined) this.#ranges(sources.ranges);
    this.#strangers(sources);
    const { diskProblems } = sources;
    const { expiredKeys } = sources;
    if (expiredKeys !== undefined) {
      const help = 'Keys removed since their deadline had passed';
      this.#counter('expired_keys_total', help, [], (counter) => counter.inc(expiredKeys()));
    }
    this.#clientCounters(sources);
    const { memory } = sources;
    if (memory !== undefined) {
      this.#gauge('memory_bytes', 'Memory against its limit, max', ['part'], (gauge) => {
        for (const [part, bytes] of memory()) gauge.set({ part }, bytes);
      });
    }
    if (diskProblems !== undefined) {
      const help = 'Whether the disk is full, stalled or behind: 1';
      this.#gauge('disk_problem', help, ['part', 'problem'], (gauge) => {
        for (const [part, problem, present] of diskProblems()) {
          gauge.set({ part, problem }, present ? 1 : 0);
        }
      });
    }
    this.#present('unlogged_bytes', 'Bytes waiting for the log', sources.unloggedBytes);
    this.#present(
      'clock_offset_seconds',
      "This node's wall clock minus the cluster's time; NaN while that is not known",
      sources.clockOffsetSeconds,
    );
    this.#present('clients', 'Redis connections', sources.clients);
    this.#present('keys', 'Keys', sources.keys);
    this.#present(
      'retained_transactions',
      'Decided transactions kept for peers that lag',
      sources.retainedTransactions,
    );
    this.#present(
      'flush_lag_transactions',
      'Transactions applied and not yet in the engine',
      sources.flushLag,
    );
  }

  /** Callers and messages that have no place here. */
  #strangers(sources: MetricSources): void {
    const { unrouted, refusedCallers, refusedLogins } = sources;
    if (refusedLogins !== undefined) {
      const help = 'Logins and tokens at the admin port that were refused';
      this.#counter('admin_logins_refused_total', help, [], (counter) => {
        counter.inc(refusedLogins());
      });
    }
    if (refusedCallers !== undefined) {
      const help = 'Connections to the peer port that were refused';
      this.#counter('peer_connections_refused_total', help, ['reason'], (counter) => {
        for (const [reason, count] of refusedCallers()) counter.inc({ reason }, count);
      });
    }
    if (unrouted !== undefined) {
      const help = 'Frames on unknown channels and messages for unknown groups, dropped';
      this.#counter('peer_unrouted_total', help, ['peer', 'unknown'], (counter) => {
        for (const [peer, { channel, group }] of unrouted()) {
          counter.inc({ peer, unknown: 'channel' }, channel);
          counter.inc({ peer, unknown: 'group' }, group);
        }
      });
    }
  }

  #holofast(read: () => HoloFastStatus): void {
    const help = 'Frames, votes and rounds by outcome';
    this.#counter('holofast_events_total', help, ['event'], (counter) => {
      const { quorums, counters } = read();
      for (const [event, count] of Object.entries({ quorums, ...counters })) {
        counter.inc({ event }, count);
      }
    });
    this.#gauge('holofast_tier', 'Which tier runs: 1', ['tier'], (gauge) => {
      gauge.set({ tier: read().tier }, 1);
    });
  }

  #links(links: () => Iterable<LinkSample>): void {
    const peers = ['peer'];
    this.#gauge('peer_up', 'Whether the link to the peer is up', peers, (gauge) => {
      for (const link of links()) gauge.set({ peer: link.peer }, link.up ? 1 : 0);
    });
    this.#gauge('peer_queued_bytes', 'Bytes waiting to be sent', peers, (gauge) => {
      for (const link of links()) gauge.set({ peer: link.peer }, link.queuedBytes);
    });
    const totals = [
      ['peer_received_bytes_total', 'Bytes received', 'bytesIn'],
      ['peer_sent_bytes_total', 'Bytes sent', 'bytesOut'],
      ['peer_sends_refused_total', 'Frames that the link did not take', 'sendsRefused'],
      ['peer_reconnects_total', 'Times that the link came back', 'reconnects'],
    ] as const;
    for (const [name, help, field] of totals) {
      this.#counter(name, help, peers, (counter) => {
        for (const link of links()) counter.inc({ peer: link.peer }, link[field]);
      });
    }
  }

  #present(name: string, help: string, source: (() => number) | undefined): void {
    if (source !== undefined) this.#gauge(name, help, [], (gauge) => gauge.set(source()));
  }

  #gauge(name: string, help: string, labelNames: string[], fill: (gauge: Gauge) => void): void {
    const registers = [this.registry];
    // prom-client calls `collect` at a scrape, with the instrument as `this`.
    const gauge: Gauge = new Gauge({
      name: PREFIX + name,
      help,
      labelNames,
      registers,
      collect: () => {
        gauge.reset();
        fill(gauge);
      },
    });
  }

  #counter(
    name: string,
    help: string,
    labelNames: string[],
    fill: (counter: Counter) => void,
  ): void {
    const registers = [this.registry];
    const counter: Counter = new Counter({
      name: PREFIX + name,
      help,
      labelNames,
      registers,
      collect: () => {
        counter.reset();
        fill(counter);
      },
    });
  }
}
