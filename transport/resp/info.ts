/**
 * The text of INFO. The services supply the sections; this file selects, orders and prints them.
 * Fields that clients depend on always have a value: ioredis waits for `loading:0`, redis-cli
 * --stat and RedisInsight read numbers out of most sections.
 */

export type InfoSection = Readonly<Record<string, string | number>>;
/** By section name in lower case; within a section, fields in the order in which they print. */
export type InfoSections = Readonly<Record<string, InfoSection>>;

/** Printed by INFO without arguments, in Redis' order; our section comes last. */
const DEFAULT_SECTIONS = [
  'server',
  'clients',
  'memory',
  'persistence',
  'stats',
  'replication',
  'cpu',
  'modules',
  'errorstats',
  'cluster',
  'keyspace',
  'holostore',
  'holofast',
];
/** Printed only when asked for by name, or with `all` and `everything`. */
const EXTRA_SECTIONS = ['commandstats', 'latencystats'];

/** Commands, replies and error texts follow Redis 7.2. */
export const REDIS_COMPATIBLE_VERSION = '7.2.0';

/** Also of features that are not there: no fork, eviction, script, subscription or replica. */
const REQUIRED: InfoSections = {
  server: {
    redis_version: REDIS_COMPATIBLE_VERSION,
    redis_git_sha1: '00000000',
    redis_git_dirty: 0,
    redis_build_id: '0',
    redis_mode: 'standalone',
    process_supervised: 'no',
    hz: 10,
    configured_hz: 10,
    config_file: '',
    io_threads_active: 0,
  },
  clients: {
    connected_clients: 0,
    blocked_clients: 0,
    clients_in_timeout_table: 0,
    cluster_connections: 0,
  },
  memory: {
    used_memory: 0,
    used_memory_human: '0B',
    maxmemory: 0,
    used_memory_lua: 0,
    used_memory_lua_human: '0B',
    used_memory_vm_eval: 0,
    used_memory_scripts_eval: 0,
    number_of_cached_scripts: 0,
    number_of_functions: 0,
    number_of_libraries: 0,
    used_memory_vm_functions: 0,
    used_memory_vm_total: 0,
    used_memory_vm_total_human: '0B',
    used_memory_functions: 0,
    used_memory_scripts: 0,
    used_memory_scripts_human: '0B',
    mem_not_counted_for_evict: 0,
    mem_clients_slaves: 0,
    mem_cluster_links: 0,
    active_defrag_running: 0,
    lazyfree_pending_objects: 0,
    lazyfreed_objects: 0,
  },
  persistence: {
    loading: 0,
    async_loading: 0,
    current_cow_peak: 0,
    current_cow_size: 0,
    current_cow_size_age: 0,
    current_fork_perc: '0.00',
    current_save_keys_processed: 0,
    current_save_keys_total: 0,
    rdb_changes_since_last_save: 0,
    rdb_bgsave_in_progress: 0,
    rdb_last_save_time: 0,
    rdb_last_bgsave_status: 'ok',
    aof_enabled: 1,
    aof_rewrite_in_progress: 0,
    aof_rewrite_scheduled: 0,
    aof_rewrites: 0,
    aof_rewrites_consecutive_failures: 0,
    aof_last_bgrewrite_status: 'ok',
    aof_last_write_status: 'ok',
    rdb_last_bgsave_time_sec: -1,
    rdb_current_bgsave_time_sec: -1,
    rdb_saves: 0,
    rdb_last_cow_size: 0,
    rdb_last_load_keys_expired: 0,
    rdb_last_load_keys_loaded: 0,
    aof_last_rewrite_time_sec: -1,
    aof_current_rewrite_time_sec: -1,
    aof_last_cow_size: 0,
    module_fork_in_progress: 0,
    module_fork_last_cow_size: 0,
  },
  stats: {
    total_connections_received: 0,
    total_commands_processed: 0,
    expired_keys: 0,
    expired_stale_perc: '0.00',
    expired_time_cap_reached_count: 0,
    evicted_keys: 0,
    total_eviction_exceeded_time: 0,
    current_eviction_exceeded_time: 0,
    keyspace_hits: 0,
    keyspace_misses: 0,
    pubsub_channels: 0,
    pubsub_patterns: 0,
    latest_fork_usec: 0,
    total_forks: 0,
    migrate_cached_sockets: 0,
    sync_full: 0,
    sync_partial_ok: 0,
    sync_partial_err: 0,
    slave_expires_tracked_keys: 0,
    active_defrag_hits: 0,
    active_defrag_misses: 0,
    active_defrag_key_hits: 0,
    active_defrag_key_misses: 0,
    total_active_defrag_time: 0,
    current_active_defrag_time: 0,
    unexpected_error_replies: 0,
    reply_buffer_shrinks: 0,
    reply_buffer_expands: 0,
    tracking_total_keys: 0,
    tracking_total_items: 0,
    tracking_total_prefixes: 0,
    io_threaded_reads_processed: 0,
    io_threaded_writes_processed: 0,
    dump_payload_sanitizations: 0,
  },
  replication: {
    role: 'master',
    connected_slaves: 0,
    master_failover_state: 'no-failover',
    master_replid: '0'.repeat(40),
    master_replid2: '0'.repeat(40),
    master_repl_offset: 0,
    second_repl_offset: -1,
    repl_backlog_active: 0,
    repl_backlog_size: 0,
    repl_backlog_first_byte_offset: 0,
    repl_backlog_histlen: 0,
  },
  cpu: { used_cpu_sys: 0, used_cpu_user: 0, used_cpu_sys_children: 0, used_cpu_user_children: 0 },
  modules: {},
  errorstats: {},
  cluster: { cluster_enabled: 0 },
  keyspace: {},
};

/** Later sources override earlier ones, field by field. */
export function mergeSections(...sources: readonly InfoSections[]): InfoSections {
  const merged: Record<string, InfoSection> = {};
  for (const source of [REQUIRED, ...sources]) {
    for (const [name, fields] of Object.entries(source)) {
      merged[name] = { ...merged[name], ...fields };
    }
  }
  return merged;
}

/** `wanted` are INFO's arguments, in any case; unknown names print nothing. */
export function renderInfo(sections: InfoSections, wanted: readonly string[]): string {
  const names = wanted.map((name) => name.toLowerCase());
  const everything = names.some((name) => name === 'all' || name === 'everything');
  const chosen = new Set<string>(names);
  if (names.length === 0 || everything || chosen.has('default')) {
    for (const name of DEFAULT_SECTIONS) chosen.add(name);
  }
  const others = Object.keys(sections).filter(
    (name) => !DEFAULT_SECTIONS.includes(name) && !EXTRA_SECTIONS.includes(name),
  );
  if (everything) for (const name of [...EXTRA_SECTIONS, ...others]) chosen.add(name);
  const ordered = [...DEFAULT_SECTIONS, ...EXTRA_SECTIONS, ...others];
  return ordered
    .filter((name) => chosen.has(name) && sections[name] !== undefined)
    .map((name) => renderSection(name, sections[name] ?? {}))
    .join('\r\n');
}

function renderSection(name: string, fields: InfoSection): string {
  const title = name === 'cpu' ? 'CPU' : `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const lines = Object.entries(fields).map(([field, value]) => `${field}:${oneLine(value)}\r\n`);
  return `# ${title}\r\n${lines.join('')}`;
}

function oneLine(value: string | number): string {
  return String(value).replace(/[\r\n]+/g, ' ');
}
