import { describe, expect, test } from 'vitest';
import {
  parseNodeConfig,
  SETTINGS,
  sharedSettings,
} from '../../../../actors/process/settings/config.ts';
import {
  ConfigError,
  environmentOf,
  flagOf,
  helpLines,
} from '../../../../actors/process/settings/settings.ts';

const IDENTITY = [
  ...['--node-id', '2', '--listen-redis', '127.0.0.1:16380', '--listen-peer', '[::1]:15052'],
  ...['--listen-admin', '0.0.0.0:15081', '--data-dir', '/d'],
  ...['--initial-members', '3@c:3, 1@a:1,2@[::1]:15052'],
  ...['--cluster-secret-file', '/s'],
];
const REQUIRED = [...IDENTITY, '--bootstrap'];

function messageOf(args: readonly string[], environment: Record<string, string> = {}): string {
  try {
    parseNodeConfig(args, environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const { message } = error as ConfigError;
    expect(message).not.toContain('\n');
    return message;
  }
  return 'accepted';
}

describe('a complete command line', () => {
  test('gives typed values and the defaults', () => {
    expect(parseNodeConfig(REQUIRED, {})).toEqual({
      nodeId: 2,
      listenRedis: { host: '127.0.0.1', port: 16_380 },
      listenPeer: { host: '::1', port: 15_052 },
      listenAdmin: { host: '0.0.0.0', port: 15_081 },
      dataDir: '/d',
      initialMembers: [
        { id: 1, host: 'a', port: 1 },
        { id: 2, host: '::1', port: 15_052 },
        { id: 3, host: 'c', port: 3 },
      ],
      bootstrap: true,
      healStore: false,
      join: [],
      announcePeer: undefined,
      announceRedis: undefined,
      syncPolicy: 'every_batch',
      groupCommitMs: 2,
      engine: 'lmdb',
      cacheBytes: 256 * 1024 * 1024,
      maxmemory: 0,
      electorate: [1, 2, 3],
      initialRanges: 1,
      replicationFactor: 9,
      rangesMax: 1024,
      closingMax: 16,
      controllerLeaseMs: 5000,
      electorateAfterMs: 2000,
      replaceAfterMs: 300_000,
      pipelineDepth: 8,
      pipelineOrder: 'range',
      batchBytesMax: 1024 * 1024,
      batchCommandsMax: 4096,
      transactionKeysMax: 16_384,
      commandTimeoutMs: 5000,
      slowPathMs: 20,
      maxClients: 10_000,
      consolesMax: 64,
      listenRedisTls: undefined,
      tlsCertFile: '',
      tlsKeyFile: '',
      tlsCaCertFile: '',
      tlsAuthClients: 'optional',
      requirepass: '',
      aclfile: '',
      aclLeaseMs: 2000,
      protectedMode: true,
      adminOpen: 'overview',
      adminTokenFile: '',
      adminTls: false,
      peerTlsCert: '',
      peerTlsKey: '',
      peerTlsCa: '',
      segmentBytes: 64 * 1024 * 1024,
      holofast: 'auto',
      clusterSecretFile: '/s',
      holofastPins: '',
      traceEvents: 524_288,
      traceSlowMs: 10,
      retainedBytesMax: 256 * 1024 * 1024,
      logLevel: 'info',
      logFormat: 'auto',
    });
  });

  test('is frozen, lists too', () => {
    const config = parseNodeConfig(REQUIRED, {});
    for (const part of [config, config.initialMembers, config.electorate, config.listenRedis]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  test('sizes and lists are read', () => {
    const flags = ['--cache-bytes', '64MB', '--segment-bytes=131072', '--electorate', '3,1'];
    expect(parseNodeConfig([...REQUIRED, ...flags], {})).toMatchObject({
      cacheBytes: 64 * 1024 * 1024,
      maxmemory: 0,
      segmentBytes: 131_072,
      electorate: [1, 3],
    });
  });

  test('joining instead of bootstrapping', () => {
    expect(parseNodeConfig([...IDENTITY, '--join', 'h:1'], {})).toMatchObject({
      bootstrap: false,
      join: [{ host: 'h', port: 1 }],
    });
  });
});

describe('without a secret', () => {
  const open = (peer: string, members: string): readonly string[] => [
    ...REQUIRED,
    ...['--cluster-secret-file', '', '--listen-peer', peer, '--initial-members', members],
  ];

  test.each([
    ['all on the loopback', '127.0.0.1:1', '1@127.0.0.9:1,2@localhost:1,3@[::1]:1', 'accepted'],
    ['a node of its own', '0.0.0.0:1', '2@10.0.0.1:1', 'accepted'],
    ['a member elsewhere', '127.0.0.1:1', '1@10.0.0.1:1,2@127.0.0.1:1', '(10.0.0.1:1)'],
    ['a port for all', '0.0.0.0:1', '1@127.0.0.9:1,2@127.0.0.1:1', '(0.0.0.0:1)'],
  ])('%s', (_name, peer, members, outcome) => {
    expect(messageOf(open(peer, members))).toContain(outcome);
  });
});

describe('the environment', () => {
  test('every flag has a twin', () => {
    const environment: Record<string, string> = { HOLO_BOOTSTRAP: '1' };
    for (let i = 0; i < IDENTITY.length; i += 2) {
      const twin = `HOLO_${(IDENTITY[i] ?? '').slice(2).toUpperCase().replaceAll('-', '_')}`;
      environment[twin] = IDENTITY[i + 1] ?? '';
    }
    expect(parseNodeConfig([], environment)).toEqual(parseNodeConfig(REQUIRED, {}));
  });

  test('the flag wins, and the one that is wrong is named', () => {
    const environment = { HOLO_PIPELINE_DEPTH: '3' };
    expect(parseNodeConfig(REQUIRED, environment).pipelineDepth).toBe(3);
    const flag = [...REQUIRED, '--pipeline-depth', '4'];
    expect(parseNodeConfig(flag, environment).pipelineDepth).toBe(4);
    expect(messageOf(REQUIRED, { HOLO_PIPELINE_DEPTH: 'x' })).toMatch(/^HOLO_PIPELINE_DEPTH must/);
  });
});

describe('one clear line for what is wrong', () => {
  test.each([
    [['--wal-engine', 'x'], /^unknown option '--wal-engine' \(see "holostore help node"\)$/],
    [['stray'], /^unexpected argument 'stray'/],
    [['--cache-bytes'], /^option '--cache-bytes <value>' argument missing/],
    [['--node-id', '0'], '--node-id must be a whole number from 1 to 4294967295, not "0"'],
    [['--node-id', '1e3'], /^--node-id must be a whole number/],
    [['--node-id', '9'], '--node-id 9 is not among --initial-members (1,2,3)'],
    [['--listen-redis', 'x'], '--listen-redis must be HOST:PORT, not "x"'],
    [['--listen-admin', '127.0.0.1:16380'], /need different ports$/],
    [['--data-dir', ''], '--data-dir must not be empty, not ""'],
    [
      ['--cluster-secret-file', ''],
      /^peers that are not on the loopback \(a:1\) must prove .* "holostore make-secret FILE"/,
    ],
    [['--initial-members', '1@a:1,2'], /^--initial-members must be a list such as/],
    [['--initial-members', '2@a:1,2@b:1'], /^--initial-members must name every node once/],
    [['--initial-members', '2@a:1,3@a:1'], /must give every node an address of its own/],
    [
      ['--initial-members', Array.from({ length: 10 }, (_, i) => `${i + 1}@h:${i}`).join()],
      /at most 9/,
    ],
    [['--listen-redis-tls', 'h:7'], '--listen-redis-tls needs --tls-cert-file and --tls-key-file'],
    [
      ['--listen-redis-tls=h:7', '--tls-cert-file=c', '--tls-key-file=k', '--tls-auth-clients=yes'],
      '--tls-auth-clients yes needs --tls-ca-cert-file',
    ],
    [['--join', 'h:1'], 'exactly one of --bootstrap and --join HOST:PORT must be given'],
    [['--sync-policy', 'never'], /^--sync-policy must be one of every_record, every_batch/],
    [
      ['--cache-bytes', '64zb'],
      /^--cache-bytes must be a size such as 64mb .*, from 1mb to 1024gb/,
    ],
    [['--cache-bytes', '1kb'], /^--cache-bytes must be a size/],
    [['--batch-bytes-max', '9999999999999999gb'], /^--batch-bytes-max must be a size/],
    [['--electorate', '1,x'], /^--electorate must be a list of node ids/],
    [['--electorate', '1,1,2'], /^--electorate must be a list of node ids/],
    [['--electorate', '1,7'], '--electorate: node 7 is not among --initial-members'],
    [['--electorate', '1'], '--electorate must name 2 to 3 of the 3 members'],
    [['--initial-ranges', '1025'], /^--initial-ranges must be a whole number from 1 to 1024/],
    [['--ranges-max', '0'], /^--ranges-max must be a whole number/],
    [['--initial-ranges', '5', '--ranges-max', '4'], '--initial-ranges 5 is above --ranges-max 4'],
    [['--log-format', 'xml'], /^--log-format must be one of json, pretty, auto/],
  ])('%j', (args, expected) => {
    const message = messageOf([...REQUIRED, ...args]);
    if (typeof expected === 'string') {
      expect(message).toBe(expected);
    } else {
      expect(message).toMatch(expected);
    }
  });

  test('a missing flag, and neither way of starting', () => {
    expect(messageOf(['--bootstrap'])).toBe(
      '--listen-redis is missing (or HOLO_LISTEN_REDIS in the environment)',
    );
    const without = (flag: string): string[] => {
      const at = IDENTITY.indexOf(flag);
      return ['--bootstrap', ...IDENTITY.slice(0, at), ...IDENTITY.slice(at + 2)];
    };
    expect(messageOf(without('--node-id'))).toMatch(/^--node-id is missing/);
    expect(messageOf(without('--initial-members'))).toMatch(/^--initial-members is missing/);
    expect(messageOf(IDENTITY)).toMatch(/^exactly one of --bootstrap and --join/);
    expect(messageOf(IDENTITY, { HOLO_BOOTSTRAP: 'maybe' })).toMatch(
      /^HOLO_BOOTSTRAP must be true/,
    );
  });
});

describe('a new node of a running cluster', () => {
  const PLACES = ['--listen-redis', '127.0.0.1:1', '--listen-peer', '127.0.0.1:2'];
  const NEW = [...PLACES, '--listen-admin', '127.0.0.1:3', '--data-dir', 'd', '--join'];

  test('needs no id, and asks one after the other', () => {
    const { nodeId, initialMembers, join } = parseNodeConfig([...NEW, '127.0.0.1:4,[::1]:5'], {});
    expect([nodeId, initialMembers]).toEqual([0, []]);
    expect(join).toEqual([
      { host: '127.0.0.1', port: 4 },
      { host: '::1', port: 5 },
    ]);
  });

  test.each([
    [['127.0.0.1:4', '--bootstrap'], '--bootstrap and --electorate need --initial-members'],
    [['127.0.0.1:4,x'], '--join must be HOST:PORT'],
    [['far:4'], 'peers that are not on the loopback (far:4) must prove who they are'],
    [
      ['127.0.0.1:4', '--cluster-secret-file', 's', '--listen-peer', '0.0.0.0:2'],
      '--join needs --announce-peer',
    ],
    [
      ['127.0.0.1:4', '--peer-tls-cert', 'c', '--peer-tls-key', 'k', '--peer-tls-ca', 'a'],
      '--join with --peer-tls-cert needs the --node-id',
    ],
  ])('%s', (flags, why) => {
    expect(messageOf([...NEW, ...flags])).toContain(why);
  });
});

describe('the table', () => {
  test('every default passes its own check', () => {
    for (const [name, setting] of Object.entries(SETTINGS)) {
      if (setting.standard !== undefined) {
        expect(() => setting.parse(setting.standard ?? ''), name).not.toThrow();
      }
    }
  });

  test('the help text names every flag with its default', () => {
    const lines = helpLines(SETTINGS);
    expect(lines).toHaveLength(Object.keys(SETTINGS).length);
    expect(lines.find((line) => line.includes('--cache-bytes SIZE'))).toMatch(/\[256mb\]$/);
    for (const line of lines) {
      expect(line.length).toBeLessThanOrEqual(117);
    }
  });

  test('names of flags and variables', () => {
    expect(flagOf('retainedBytesMax')).toBe('--retained-bytes-max');
    expect(environmentOf('retainedBytesMax')).toBe('HOLO_RETAINED_BYTES_MAX');
  });

  test('settings that differ between nodes are not passed on by the cluster command', () => {
    const shared = Object.keys(sharedSettings());
    expect(shared).toContain('syncPolicy');
    for (const name of ['nodeId', 'dataDir', 'join', 'bootstrap', 'initialMembers']) {
      expect(shared).not.toContain(name);
    }
  });
});
