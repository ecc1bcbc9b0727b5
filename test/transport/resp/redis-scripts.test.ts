/**
 * Pipelines of one connection, and what Redis 7.0.15 answered to them, byte for byte. Where a
 * redis-server is installed it is asked again.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Harness, request } from './harness.ts';
import { REDIS_PRESENT, RealRedis } from './real-redis.ts';
import { StoreCoordinator } from './store-coordinator.ts';

const OK = '+OK\r\n';
const QUEUED = '+QUEUED\r\n';
const SYNTAX = '-ERR syntax error\r\n';
const DISCARDED = '-EXECABORT Transaction discarded because of previous errors.\r\n';
const ABORTED =
  '-EXECABORT Transaction discarded because of: ' +
  "wrong number of arguments for 'exec' command\r\n";
const END = '$3\r\nend\r\n';

const NAMES_BY_TYPE = ['hash', 'zset'].flatMap((type) =>
  ['entries', 'value'].map((what) => [
    `${type}-max-ziplist-${what}`,
    `${type}-max-listpack-${what}`,
  ]),
);

const CONFIG_SCRIPTS: readonly string[] = [
  ...NAMES_BY_TYPE.map(
    ([old, name]) => `CONFIG SET ${old} 77; CONFIG GET ${name}; CONFIG SET ${old} 78 ${name} 79`,
  ),
  'CONFIG SET list-max-ziplist-size -3; CONFIG GET list-max-listpack-size',
  'CONFIG SET list-max-listpack-size -9999999999; CONFIG SET list-compress-depth -1',
  'CONFIG SET set-max-intset-entries 600; CONFIG GET set-max-intset-entries',
  'CONFIG SET set-max-intset-entries -1; CONFIG SET set-max-intset-entries 1.5',
  'CONFIG SET zset-max-listpack-value 1k; CONFIG GET zset-max-listpack-value',
  'CONFIG SET zset-max-listpack-value x',
  'CONFIG SET lua-time-limit 123; CONFIG GET busy-reply-threshold; CONFIG GET lua-time-limit',
  'CONFIG SET busy-reply-threshold -1; CONFIG SET busy-reply-threshold 9223372036854775807',
  'CONFIG SET slowlog-log-slower-than -1; CONFIG GET slowlog-log-slower-than',
  'CONFIG SET slowlog-log-slower-than -2; CONFIG SET slowlog-max-len -1',
  'CONFIG SET slowlog-max-len 77; CONFIG GET slowlog-max-len',
  'CONFIG SET latency-monitor-threshold 5; CONFIG GET latency-monitor-threshold',
  'CONFIG SET latency-tracking no; CONFIG GET latency-tracking; CONFIG SET latency-tracking x',
  'CONFIG SET latency-tracking-info-percentiles 50; CONFIG GET latency-tracking-info-percentiles',
  'CONFIG SET latency-tracking-info-percentiles 101',
  'CONFIG SET maxmemory 0; CONFIG GET maxmemory; CONFIG SET maxmemory x',
  'CONFIG SET maxmemory-policy noeviction; CONFIG SET maxmemory-policy foo',
  'CONFIG SET appendfsync always; CONFIG GET appendfsync; CONFIG SET appendfsync foo',
  'CONFIG SET appendonly maybe; CONFIG SET save 900; CONFIG SET save a',
  'CONFIG SET hz 0; CONFIG GET hz; CONFIG SET hz 9999; CONFIG GET hz; CONFIG SET hz x',
  'CONFIG SET active-expire-effort 11; CONFIG SET maxmemory-samples 0',
  'CONFIG SET loglevel foo; CONFIG SET sanitize-dump-payload clients',
  'CONFIG SET timeout 5 hz 20 appendonly maybe; CONFIG GET timeout',
  'CONFIG SET hz 5 nosuch 7; CONFIG SET hz 5 hz 6; CONFIG SET databases 3; CONFIG SET hz 5 timeout',
  'CONFIG SET hz 5 databases 3 hz 6 nosuch 7; CONFIG SET nosuch 7 databases 3',
];

/** Without replies here, they are only compared. */
const SCRIPTS: readonly (readonly [script: string, replies: string | null])[] = [
  ['CLIENT REPLY SKIP; CLIENT REPLY ON', OK],
  ['CLIENT REPLY SKIP; CLIENT REPLY ON; PING', `${OK}+PONG\r\n`],
  ['CLIENT REPLY SKIP; CLIENT REPLY SKIP; PING; ECHO a', '$1\r\na\r\n'],
  ['CLIENT REPLY SKIP; CLIENT REPLY OFF; PING; CLIENT REPLY ON; PING', `${OK}+PONG\r\n`],
  ['CLIENT REPLY OFF; CLIENT REPLY SKIP; PING; CLIENT REPLY ON; ECHO z', `${OK}$1\r\nz\r\n`],
  ['CLIENT REPLY OFF; CLIENT REPLY ON; CLIENT REPLY SKIP; PING; ECHO z', `${OK}$1\r\nz\r\n`],
  ['CLIENT REPLY OFF; SET a 1; GET a; CLIENT REPLY ON; GET a', `${OK}$1\r\n1\r\n`],
  ['SET a 1; CLIENT REPLY SKIP; SET a 2; GET a', `${OK}$1\r\n2\r\n`],
  ['CLIENT REPLY SKIP; NOSUCH', ''],
  ['CLIENT REPLY SKIP; CLIENT REPLY foo', ''],
  ['CLIENT REPLY SKIP; CLIENT REPLY', ''],
  ['CLIENT REPLY SKIP; CLIENT KILL ID 9999999', ''],
  ['CLIENT REPLY SKIP; RESET', ''],
  ['CLIENT REPLY OFF; RESET', '+RESET\r\n'],
  ['CLIENT REPLY SKIP; MULTI; SET a 1; GET a; EXEC', `${QUEUED}${QUEUED}*2\r\n${OK}$1\r\n1\r\n`],
  [
    'MULTI; SET a 1; CLIENT REPLY ON; GET a; EXEC',
    `${OK}${QUEUED.repeat(3)}*3\r\n${OK}${OK}$1\r\n1\r\n`,
  ],
  ['CLIENT REPLY OFF; MULTI; SET a 1; EXEC; CLIENT REPLY ON; GET a', `${OK}$1\r\n1\r\n`],
  ['MULTI; CLIENT REPLY FOO; EXEC', `${OK}${QUEUED}*1\r\n${SYNTAX}`],
  ['MULTI; EXEC now; SET a 1; EXEC', `${OK}${ABORTED}${OK}-ERR EXEC without MULTI\r\n`],
  ['MULTI; SET a 1; EXEC now; GET a', `${OK}${QUEUED}${ABORTED}$-1\r\n`],
  ['EXEC now', ABORTED],
  [
    'MULTI; DISCARD now; EXEC',
    `${OK}-ERR wrong number of arguments for 'discard' command\r\n${DISCARDED}`,
  ],
  [
    'MULTI; MULTI now; EXEC',
    `${OK}-ERR wrong number of arguments for 'multi' command\r\n${DISCARDED}`,
  ],
  ['COMMAND INFO nosuch', '*1\r\n$-1\r\n'],
  ['WAIT 0 0', ':0\r\n'],
  [
    'MULTI; CLIENT FOO; EXEC',
    `${OK}-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n${DISCARDED}`,
  ],
  [
    'MULTI; CLIENT ID x; EXEC',
    `${OK}-ERR wrong number of arguments for 'client|id' command\r\n${DISCARDED}`,
  ],
  ['OBJECT HELP', null],
  ['MEMORY HELP', null],
  ['SET a 1; OBJECT ENCODING a; OBJECT REFCOUNT a', `${OK}$3\r\nint\r\n:2147483647\r\n`],
  ['SET a 10000; OBJECT ENCODING a; OBJECT REFCOUNT a', `${OK}$3\r\nint\r\n:1\r\n`],
  ['SET a -0; OBJECT ENCODING a; OBJECT REFCOUNT a', `${OK}$6\r\nembstr\r\n:1\r\n`],
  [`SET a ${'x'.repeat(44)}; OBJECT ENCODING a`, `${OK}$6\r\nembstr\r\n`],
  [`SET a ${'x'.repeat(45)}; OBJECT ENCODING a`, `${OK}$3\r\nraw\r\n`],
  ['SET a 1; OBJECT FREQ a', null],
  ['OBJECT ENCODING a; OBJECT FREQ a; OBJECT IDLETIME a', '$-1\r\n'.repeat(3)],
  ['MULTI; OBJECT ENCODING a; EXEC', `${OK}${QUEUED}*1\r\n$-1\r\n`],
  ['MEMORY USAGE nosuch; MEMORY USAGE a SAMPLES -1', `$-1\r\n${SYNTAX}`],
  ['CLUSTER MEET 1 2; CLUSTER FAILOVER; ASKING', null],
  ['COMMAND GETKEYS object encoding k; COMMAND GETKEYS memory usage k', null],
  ...CONFIG_SCRIPTS.map((script) => [script, null] as const),
  ['ROLE x; LASTSAVE x; MEMORY FOO; OBJECT; OBJECT ENCODING; MEMORY USAGE', null],
];

const linesOf = (script: string): string[] => [...script.split('; '), 'ECHO end'];

function ours(script: string): string {
  const store = new StoreCoordinator();
  const harness = new Harness({}, store);
  harness.clusterValues = () =>
    new Map([...store.table.settings.values, ...store.machine.settings.values]);
  harness.heldVersion = Number.POSITIVE_INFINITY;
  return harness.client().ask(request(...linesOf(script)));
}

describe('a pipeline is answered as by Redis', () => {
  test.each(SCRIPTS.filter(([, replies]) => replies !== null))('%s', (script, replies) => {
    expect(ours(script)).toBe(`${replies}${END}`);
  });
});

describe.skipIf(!REDIS_PRESENT)('and Redis itself answers so', () => {
  let redis: RealRedis;
  beforeAll(async () => {
    redis = await RealRedis.start();
  });
  afterAll(() => redis?.stop());

  test.each(SCRIPTS)('%s', async (script) => {
    await redis.ask(request('FLUSHALL'), OK);
    expect(await redis.ask(request(...linesOf(script)), END)).toBe(ours(script));
  });
});
