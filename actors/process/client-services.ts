/**
 * Facts about one node for Redis commands: INFO, HOLOSTATS, HOLOMETRICS, CLUSTER, memory, and the
 * settings of CONFIG. Reads the parts of the running node; nothing in the node depends on it.
 */
import { randomBytes } from 'node:crypto';
import type { DatabaseReport } from '../../storage/keyspace/databases.ts';
import { hashOf } from '../../transport/access/passwords.ts';
import type { HoloFastStatus } from '../../transport/http/node-status.ts';
import type { GatewayServices } from '../../transport/resp/gateway-services.ts';
import type { InfoSection, InfoSections } from '../../transport/resp/info.ts';
import { SettingsRegistry } from '../../transport/resp/settings-registry.ts';
import { clusterOf } from './cluster-nodes.ts';
import { placesOf } from './joining.ts';
import type { ReportedNode } from './node-report.ts';
import { ProcessMemory } from './process-memory.ts';
import { peerBytes, redisSections } from './redis-sections.ts';
import { aclFileAt } from './security/acl-file-on-disk.ts';

export class ClientServices {
  readonly #source: ReportedNode;
  readonly #memory = new ProcessMemory();
  /** The store's counters at the last CONFIG RESETSTAT. */
  #countsBefore = { hits: 0, misses: 0, expiredKeys: 0 };
  readonly #runId = randomBytes(20).toString('hex');

  constructor(reported: ReportedNode) {
    this.#source = reported;
  }

  /** Called by each incarnation of the gateway: CONFIG SET lasts as long as it does. */
  create(): GatewayServices {
    const settings = new SettingsRegistry();
    return {
      clock: this.#source.clock,
      settings,
      protectedMode: this.#source.protectedMode,
      clusterSettings: () => this.#source.node.settings.values,
      hasLease: () => this.#source.node.settings.hasLease,
      clusterVersion: () => this.#source.node.settings.version,
      passwordHash:
        this.#source.config.requirepass === '' ? '' : hashOf(this.#source.config.requirepass),
      aclFile: aclFileAt(this.#source.config.aclfile),
      settingsHeld: (version) => this.#source.node.settings.isHeld(version),
      info: () => this.#info(),
      holoStats: () => this.#holoStats(),
      holoMetrics: () => this.#holoMetrics(),
      cluster: () => this.#cluster(),
      memory: () => ({
        ...this.#memory.sample(),
        retainedBytes: this.#source.board.watermarks?.retainedBytes ?? 0,
        datasetBytes: this.#source.board.executed?.cacheBytes ?? 0,
        keys: this.#source.board.executed?.size ?? 0,
      }),
      storeBytes: () => this.#source.board.storeBytes,
      bytesOf: (database, key) => this.#source.board.executed?.bytesOf(database, key) ?? 0,
      replicationOffset: () => this.#source.board.executed?.appliedSequence ?? 0,
      lastSaveSeconds: () => Math.floor(this.#source.board.savedAtMs / 1000),
      phase: (phase, ms) => this.#source.phase(phase, ms),
      scriptLog: (level, text) => this.#source.scriptLog(level, text),
      resetCounters: () => {
        const { hits = 0, misses = 0, expiredKeys = 0 } = this.#source.board.executed ?? {};
        this.#countsBefore = { hits, misses, expiredKeys };
      },
      // The smallest quorum of all groups, without this node.
      replicasAcknowledged: () =>
        Math.min(...this.#source.node.openGroups.map(({ quorums }) => quorums.slow)) - 1,
    };
  }

  #cluster(): ReturnType<GatewayServices['cluster']> {
    const { config, node, topology } = this.#source;
    return clusterOf(topology, {
      self: config.nodeId,
      redis: placesOf(config).redis,
      groups: node.openGroups,
      connected: node.connected,
    });
  }

  #info(): InfoSections {
    const config = this.#source.config;
    const { executed, watermarks, paths } = this.#source.board;
    const { user, system } = process.cpuUsage();
    const { verdict } = this.#source.node.time;
    return {
      ...redisSections(this.#source, this.#memory.sample(), this.#runId),
      stats: { ...this.#storeCounts(), ...peerBytes(this.#source) },
      latency: this.#latency(),
      cpu: { used_cpu_user: user / 1e6, used_cpu_sys: system / 1e6 },
      holofast: holofastSection(this.#source.holofast),
      keyspace: keyspaceSection(executed?.databases ?? []),
      holostore: {
        node_id: config.nodeId,
        cluster_id: this.#source.topology.clusterId,
        topology_epoch: this.#source.topology.epoch,
        behaviour_level: this.#source.topology.behaviourLevel,
        ranges: this.#source.node.openGroups.length,
        ranges_here: this.#source.node.groups.length,
        members: config.initialMembers.length,
        connected_members: 1 + this.#source.node.connected.size,
        transactions_fast: paths.fast,
        transactions_slow: paths.slow,
        transactions_recovered: paths.recovered,
        transactions_invalidated: paths.invalidated,
        batches: this.#source.board.batches,
        batched_commands: this.#source.board.batchedCommands,
        read_barriers: this.#source.board.readBatches,
        barrier_reads: this.#source.board.readCommands,
        applied_sequence: executed?.appliedSequence ?? 0,
        flushed_sequence: executed?.flushedSequence ?? 0,
        retained_transactions: watermarks?.retained ?? 0,
        retained_bytes: watermarks?.retainedBytes ?? 0,
        undecided_transactions: watermarks?.unapplied ?? 0,
        forwards_sent: this.#source.node.forwards.sent,
        forwards_taken: this.#source.node.forwards.taken,
        forwards_retried: this.#source.node.forwards.retried,
        forwards_indeterminate: this.#source.node.forwards.indeterminate,
        clock: verdict.type,
        clock_ahead_ms: verdict.type === 'unknown' ? 0 : Math.round(verdict.aheadUs / 1_000),
      },
    };
  }

  /** Microseconds, since the start. */
  #latency(): InfoSection {
    const fields = this.#source.board.latency.report().flatMap((report) => {
      const { phase, count, p50Us, p99Us, p999Us, maxUs } = report;
      const text = `count=${count},p50=${p50Us},p99=${p99Us},p99.9=${p999Us},max=${maxUs}`;
      return [[`latency_us_${phase}`, text]];
    });
    return Object.fromEntries(fields);
  }

  /** A restarted executor counts from zero. */
  #storeCounts(): InfoSection {
    const { hits = 0, misses = 0, expiredKeys = 0 } = this.#source.board.executed ?? {};
    const before = this.#countsBefore;
    const since = (now: number, then: number): number => (now < then ? now : now - then);
    return {
      expired_keys: since(expiredKeys, before.expiredKeys),
      keyspace_hits: since(hits, before.hits),
      keyspace_misses: since(misses, before.misses),
    };
  }

  #holoStats(): string {
    const fields = Object.entries(this.#info()['holostore'] ?? {});
    return fields.map(([name, value]) => `${name}=${value}`).join(' ');
  }

  /** The numbers of HOLOSTATS as Prometheus text; /metrics has the others. */
  #holoMetrics(): string {
    const fields = Object.entries(this.#info()['holostore'] ?? {});
    const numbers = fields.filter(([, value]) => typeof value === 'number');
    return numbers.map(([name, value]) => `holostore_${name} ${value}\n`).join('');
  }
}

/** The tier that runs, why no higher one does, and the counters. */
function holofastSection({ tier, reason, quorums, counters }: HoloFastStatus): InfoSection {
  const section: Record<string, string | number> = {
    holofast_tier: tier,
    holofast_reason: reason,
    holofast_quorums: quorums,
  };
  for (const [name, count] of Object.entries(counters)) section[`holofast_${name}`] = count;
  return section;
}

function keyspaceSection(databases: readonly DatabaseReport[]): InfoSection {
  return Object.fromEntries(
    databases.map(({ database, keys, volatileKeys, ttlMs }) => [
      `db${database}`,
      `keys=${keys},expires=${volatileKeys},avg_ttl=${Math.round(ttlMs)}`,
    ]),
  );
}
