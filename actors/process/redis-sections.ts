/**
 * The sections of INFO that Redis has, as far as the node knows them; the gateway adds its own
 * fields, and those of features that are not there. See docs/compatibility.md, "Introspection".
 */
import { arch, release, totalmem, type } from 'node:os';
import { humanBytes } from '../../transport/human-bytes.ts';
import type { InfoSection, InfoSections } from '../../transport/resp/info.ts';
import { flushLagOf, type ReportedNode } from './node-report.ts';
import type { ProcessMemory } from './process-memory.ts';
import { VERSION } from './version.ts';

type Memory = ReturnType<ProcessMemory['sample']>;

/** Redis' clock of 24 bits, in seconds. */
const LRU_CLOCK_MAX = 2 ** 24;

/** `runId`: 40 hexadecimal digits, drawn by the process. */
export function redisSections(
  source: ReportedNode,
  memory: Memory,
  runId: string,
): Readonly<Record<'server' | 'memory' | 'persistence' | 'replication', InfoSection>> {
  return {
    server: serverSection(source, runId),
    memory: memorySection(source, memory),
    persistence: persistenceSection(source),
    replication: replicationSection(source),
  } satisfies InfoSections;
}

/** Of all links to peers, both ways. */
export function peerBytes({ network }: ReportedNode): InfoSection {
  let bytesIn = 0;
  let bytesOut = 0;
  for (const link of network.counters()) {
    bytesIn += link.bytesIn;
    bytesOut += link.bytesOut;
  }
  return { total_net_repl_input_bytes: bytesIn, total_net_repl_output_bytes: bytesOut };
}

function serverSection({ config, clock, startedMs }: ReportedNode, runId: string): InfoSection {
  const uptimeMs = clock.monotonicMs() - startedMs;
  return {
    holostore_version: VERSION,
    os: `${type()} ${release()} ${arch()}`,
    arch_bits: /64|s390x/.test(arch()) ? 64 : 32,
    multiplexing_api: 'libuv',
    process_id: process.pid,
    run_id: runId,
    tcp_port: config.listenRedis.port,
    uptime_in_seconds: Math.floor(uptimeMs / 1_000),
    uptime_in_days: Math.floor(uptimeMs / 86_400_000),
    lru_clock: Math.floor(clock.wallUs() / 1e6) % LRU_CLOCK_MAX,
    executable: process.argv[1] ?? '',
  };
}

/** The data are the cache of values; all else that is allocated is overhead. */
function memorySection({ board }: ReportedNode, memory: Memory): InfoSection {
  const { allocatedBytes, residentBytes, reservedBytes, peakBytes, startupBytes } = memory;
  const datasetBytes = Math.min(board.executed?.cacheBytes ?? 0, allocatedBytes);
  const { retainedBytes = 0, unloggedBytes = 0 } = board.watermarks ?? {};
  const ratio = (a: number, b: number): string => (a / Math.max(1, b)).toFixed(2);
  const percent = (a: number, b: number): string => `${((100 * a) / Math.max(1, b)).toFixed(2)}%`;
  return {
    used_memory: allocatedBytes,
    used_memory_human: humanBytes(allocatedBytes),
    used_memory_rss: residentBytes,
    used_memory_rss_human: humanBytes(residentBytes),
    used_memory_peak: peakBytes,
    used_memory_peak_human: humanBytes(peakBytes),
    used_memory_peak_perc: percent(allocatedBytes, peakBytes),
    used_memory_overhead: allocatedBytes - datasetBytes,
    used_memory_startup: startupBytes,
    used_memory_dataset: datasetBytes,
    used_memory_dataset_perc: percent(datasetBytes, allocatedBytes - startupBytes),
    total_system_memory: totalmem(),
    total_system_memory_human: humanBytes(totalmem()),
    allocator_allocated: allocatedBytes,
    allocator_active: reservedBytes,
    allocator_resident: residentBytes,
    allocator_frag_ratio: ratio(reservedBytes, allocatedBytes),
    allocator_frag_bytes: reservedBytes - allocatedBytes,
    allocator_rss_ratio: ratio(residentBytes, reservedBytes),
    allocator_rss_bytes: residentBytes - reservedBytes,
    rss_overhead_ratio: '1.00',
    rss_overhead_bytes: 0,
    mem_fragmentation_ratio: ratio(residentBytes, allocatedBytes),
    mem_fragmentation_bytes: residentBytes - allocatedBytes,
    mem_replication_backlog: retainedBytes,
    mem_total_replication_buffers: retainedBytes,
    mem_aof_buffer: unloggedBytes,
    mem_allocator: 'v8',
  };
}

/** The log is shown as the append-only file, a flush of the store as a snapshot. */
function persistenceSection({ board }: ReportedNode): InfoSection {
  const state = (part: 'log' | 'store'): string => (board.disk.has(part, 'full') ? 'err' : 'ok');
  return {
    rdb_changes_since_last_save: flushLagOf(board),
    rdb_last_save_time: Math.floor(board.savedAtMs / 1000),
    rdb_last_bgsave_status: state('store'),
    aof_last_write_status: state('log'),
    aof_current_size: board.logBytes,
    aof_buffer_length: board.watermarks?.unloggedBytes ?? 0,
  };
}

/**
 * Offsets count transactions. Peers are no replicas that a client could read from instead, so none
 * is listed by its address. The backlog is what is kept for peers that lag.
 */
function replicationSection({ board, hello, node, config }: ReportedNode): InfoSection {
  const { retained = 0, retainedBytes = 0 } = board.watermarks ?? {};
  const offset = board.executed?.appliedSequence ?? 0;
  return {
    connected_slaves: node.connected.size,
    master_replid: hello.clusterId.padEnd(40, '0'),
    master_repl_offset: offset,
    repl_backlog_active: config.initialMembers.length > 1 ? 1 : 0,
    repl_backlog_size: config.retainedBytesMax,
    repl_backlog_first_byte_offset: Math.max(0, offset - retained),
    repl_backlog_histlen: retainedBytes,
  };
}
