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

const REQUIRED: InfoSections = {
  server: { redis_version: REDIS_COMPATIBLE_VERSION, redis_mode: 'standalone' },
  clients: { connected_clients: 0, blocked_clients: 0 },
  memory: { used_memory: 0, used_memory_human: '0B', maxmemory: 0 },
  persistence: {
    loading: 0,
    async_loading: 0,
    rdb_changes_since_last_save: 0,
    rdb_bgsave_in_progress: 0,
    rdb_last_save_time: 0,
    rdb_last_bgsave_status: 'ok',
    aof_enabled: 1,
    aof_rewrite_in_progress: 0,
    aof_rewrite_scheduled: 0,
    aof_last_bgrewrite_status: 'ok',
    aof_last_write_status: 'ok',
  },
  stats: {
    total_connections_received: 0,
    total_commands_processed: 0,
    keyspace_hits: 0,
    keyspace_misses: 0,
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
  },
  cpu: { used_cpu_sys: 0, used_cpu_user: 0 },
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
