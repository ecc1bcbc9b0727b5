/**
 * The settings of a node: one table from which flags, environment variables, defaults, checks and
 * the help text come. Pure; `main.ts` reads the process, this file only reads what it is given.
 * The result is typed, complete and frozen; nothing else in a node looks at flags.
 */
import { HOLOFAST_MODES, type HoloFastMode } from '../../../bpf/path/holofast-mode.ts';
import { isLoopback } from '../../../transport/access/loopback.ts';
import {
  type Endpoint,
  formatEndpoint,
  isWildcard,
  parseEndpoint,
} from '../../../transport/endpoint.ts';
import { OPEN_LEVELS, type OpenLevel } from '../../../transport/http/admin-pages.ts';
import type { MemberEndpoint } from '../../../transport/peer/handshake.ts';
import { PIPELINE_ORDERS, type PipelineOrder } from '../../../transport/resp/limits.ts';
import type { ClientCertificates } from '../../../transport/tls-server.ts';
import { SYNC_POLICY_NAMES, type SyncPolicyName } from '../../../wal/sync-policy.ts';
import { MEMBERS_MAX, quorumSizes } from '../../accord/topology/group.ts';
import { CLOSING_MAX } from '../../meta/changes.ts';
import { DEPARTURE_LIMITS } from '../../meta/departures.ts';
import { RANGES_MAX } from '../../meta/topology.ts';
import { TRACE_SLOW_MS } from '../../runtime/trace/trace-recorder.ts';
import { TXN_EVENTS_MAX } from '../../runtime/trace/txn-ring.ts';
import { nodeSizes } from './node-limits.ts';
import { CLIENTS_MAX } from './open-files.ts';
import {
  ConfigError,
  type Environment,
  environmentOf,
  flagOf,
  GIB,
  integer,
  KIB,
  MIB,
  oneOf,
  onOff,
  parseFlags,
  type Setting,
  settingValue,
  size,
  someText,
  yesOrNo,
} from './settings.ts';

type EngineName = 'lmdb' | 'memory';
type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
type LogFormat = 'json' | 'pretty' | 'auto';

export interface NodeConfig {
  /** u32, above 0; 0: the cluster that it joins gives it one. */
  readonly nodeId: number;
  readonly listenRedis: Endpoint;
  /** `undefined`: no TLS for clients. */
  readonly listenRedisTls: Endpoint | undefined;
  readonly listenPeer: Endpoint;
  readonly listenAdmin: Endpoint;
  readonly dataDir: string;
  /** Ascending by id; this node is among them. Empty: the cluster that it joins tells them. */
  readonly initialMembers: readonly MemberEndpoint[];
  /** As in `PeerHello`, of a node that has joined; the settings of the others make it. */
  readonly joinedCluster?: string;
  /** Exactly one of `bootstrap` and `join` is given. */
  readonly bootstrap: boolean;
  /** A store that is missing or damaged is begun anew; see docs/operations.md. */
  readonly healStore: boolean;
  readonly join: readonly Endpoint[];
  /** Where others reach it; undefined: where it listens, or as the members have it. */
  readonly announcePeer: Endpoint | undefined;
  readonly announceRedis: Endpoint | undefined;
  readonly syncPolicy: SyncPolicyName;
  readonly groupCommitMs: number;
  readonly engine: EngineName;
  readonly cacheBytes: number;
  /** 0: derived from the machine. */
  readonly maxmemory: number;
  /** Node ids, ascending; empty in the settings means all members, never empty here. */
  readonly electorate: readonly number[];
  /** Of a cluster that is being formed. */
  readonly initialRanges: number;
  /** The same; more than there are nodes: all of them. */
  readonly replicationFactor: number;
  readonly rangesMax: number;
  readonly closingMax: number;
  readonly controllerLeaseMs: number;
  readonly electorateAfterMs: number;
  readonly replaceAfterMs: number;
  readonly pipelineDepth: number;
  readonly pipelineOrder: PipelineOrder;
  readonly batchBytesMax: number;
  readonly batchCommandsMax: number;
  readonly transactionKeysMax: number;
  readonly commandTimeoutMs: number;
  readonly slowPathMs: number;
  readonly maxClients: number;
  /** Pages of the admin console that are open at the same time. */
  readonly consolesMax: number;
  readonly tlsCertFile: string;
  readonly tlsKeyFile: string;
  /** Empty: no certificate is asked for. */
  readonly tlsCaCertFile: string;
  readonly tlsAuthClients: ClientCertificates;
  /** Of the default user, until ACL SETUSER or CONFIG SET says otherwise; empty: none. */
  readonly requirepass: string;
  readonly aclLeaseMs: number;
  /** The file of ACL LOAD and ACL SAVE; empty: none. */
  readonly aclfile: string;
  /** Without passwords, only clients of this machine are taken. */
  readonly protectedMode: boolean;
  /** Pages of the admin port that need no login. */
  readonly adminOpen: OpenLevel;
  /** Empty: one in the data directory. */
  readonly adminTokenFile: string;
  /** TLS with `tlsCertFile`. */
  readonly adminTls: boolean;
  readonly segmentBytes: number;
  readonly retainedBytesMax: number;
  readonly holofast: HoloFastMode;
  /** Empty, and no certificate: peers prove nothing, and must all be on the loopback. */
  readonly clusterSecretFile: string;
  /** All three are given, or none. */
  readonly peerTlsCert: string;
  readonly peerTlsKey: string;
  readonly peerTlsCa: string;
  /** Empty: the node loads the kernel part itself. */
  readonly holofastPins: string;
  /** Events of transactions in memory, 40 bytes each; 0: none. */
  readonly traceEvents: number;
  /** A transaction that takes so long is remembered beyond those. */
  readonly traceSlowMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

type Settings = {
  readonly [K in Exclude<keyof NodeConfig, 'joinedCluster'>]: Setting<NodeConfig[K]>;
};

/** Order is that of the help text. */
export const SETTINGS: Settings = {
  nodeId: {
    value: 'N',
    help: 'id of this node: a number above 0, one of the members',
    standard: '',
    identity: true,
    parse: (text) => (text === '' ? 0 : integer(1, 2 ** 32 - 1)(text)),
  },
  listenRedis: {
    value: 'HOST:PORT',
    help: 'where Redis clients connect',
    identity: true,
    parse: endpoint,
  },
  listenRedisTls: {
    value: 'HOST:PORT',
    help: 'where Redis clients connect with TLS; needs --tls-cert-file and --tls-key-file',
    standard: '',
    identity: true,
    parse: optionalEndpoint,
  },
  listenPeer: {
    value: 'HOST:PORT',
    help: 'where the other nodes connect',
    identity: true,
    parse: endpoint,
  },
  listenAdmin: {
    value: 'HOST:PORT',
    help: 'HTTP: /healthz, /readyz, /metrics, /status, /actors, /trace',
    identity: true,
    parse: endpoint,
  },
  dataDir: {
    value: 'DIR',
    help: 'what this node keeps; made when it is absent',
    identity: true,
    parse: someText,
  },
  initialMembers: {
    value: 'LIST',
    help: 'all nodes as "1@HOST:PORT,2@HOST:PORT,3@HOST:PORT" (peer ports)',
    standard: '',
    identity: true,
    parse: (text) => (text === '' ? [] : members(text)),
  },
  bootstrap: {
    help: 'form the cluster of the initial members, or come back to it',
    standard: 'false',
    identity: true,
    parse: onOff,
  },
  join: {
    value: 'LIST',
    help: 'peer ports of a running cluster, as HOST:PORT,...: become a new node of it',
    standard: '',
    identity: true,
    parse: (text) => (text === '' ? [] : text.split(',').map((item) => endpoint(item.trim()))),
  },
  healStore: {
    help: 'begin a missing or damaged store anew, from the log and the data of the other members',
    standard: 'false',
    identity: true,
    parse: onOff,
  },
  announcePeer: {
    value: 'HOST:PORT',
    help: 'where the other nodes reach this one, if not where it listens',
    standard: '',
    identity: true,
    parse: optionalEndpoint,
  },
  announceRedis: {
    value: 'HOST:PORT',
    help: 'where clients reach this node, if not where it listens',
    standard: '',
    identity: true,
    parse: optionalEndpoint,
  },
  syncPolicy: {
    value: 'NAME',
    help: `when to sync the log: ${SYNC_POLICY_NAMES.join(', ')}`,
    standard: 'every_batch',
    parse: oneOf(SYNC_POLICY_NAMES),
  },
  groupCommitMs: {
    value: 'MS',
    help: 'longest wait for more records under group_commit',
    standard: '2',
    parse: integer(0, 1000),
  },
  engine: {
    value: 'NAME',
    help: 'where data rests: lmdb, or memory (for tests)',
    standard: 'lmdb',
    parse: oneOf(['lmdb', 'memory']),
  },
  cacheBytes: {
    value: 'SIZE',
    help: 'memory for values in front of the engine',
    standard: '256mb',
    parse: size(MIB, 1024 * GIB),
  },
  maxmemory: {
    value: 'SIZE',
    help: 'memory of the node, at which data may not grow; auto: half of the machine',
    standard: 'auto',
    parse: (text) => (text === 'auto' || text === '0' ? 0 : size(16 * MIB, 1024 * GIB)(text)),
  },
  electorate: {
    value: 'LIST',
    help: 'node ids whose votes make the fast path, as "1,2,3" (default: all members)',
    standard: '',
    parse: nodeIds,
  },
  initialRanges: {
    value: 'N',
    help: 'ranges that a new cluster begins with; the first node decides',
    standard: '1',
    parse: integer(1, RANGES_MAX),
  },
  replicationFactor: {
    value: 'N',
    help: 'members of each range of a new cluster, or "all" nodes; the same on all',
    standard: 'all',
    parse: (text) => (text === 'all' ? MEMBERS_MAX : integer(1, MEMBERS_MAX)(text)),
  },
  rangesMax: {
    value: 'N',
    help: 'ranges that a new cluster may ever have; the first node decides',
    standard: String(RANGES_MAX),
    parse: integer(1, RANGES_MAX),
  },
  closingMax: {
    value: 'N',
    help: 'ranges of a new cluster that may close at a time; the first node decides',
    standard: String(CLOSING_MAX),
    parse: integer(1, RANGES_MAX),
  },
  controllerLeaseMs: {
    value: 'MS',
    help: 'how long a node that works on the ranges does so alone',
    standard: '5000',
    parse: integer(500, 60_000),
  },
  electorateAfterMs: {
    value: 'MS',
    help: 'a node that is gone for so long is no more waited for on the fast path',
    standard: '2000',
    parse: integer(100, 600_000),
  },
  replaceAfterMs: {
    value: 'MS',
    help: 'a node that is gone for so long loses its ranges; 0: never by itself',
    standard: String(DEPARTURE_LIMITS.replaceAfterMs),
    parse: integer(0, 2_147_483_647),
  },
  pipelineDepth: {
    value: 'N',
    help: 'transactions of this node under way at the same time',
    standard: '8',
    parse: integer(1, 1024),
  },
  pipelineOrder: {
    value: 'ORDER',
    help: 'a pipeline has its effects in order in each "range", or in the "connection"',
    standard: 'range',
    parse: oneOf(PIPELINE_ORDERS),
  },
  batchBytesMax: {
    value: 'SIZE',
    help: 'command bytes in one transaction; auto: 1mb, or what fits the log segments',
    standard: 'auto',
    // 0 until the segment size is known too.
    parse: (text) => (text === 'auto' ? 0 : size(KIB, 32 * MIB)(text)),
  },
  batchCommandsMax: {
    value: 'N',
    help: 'commands in one transaction',
    standard: '4096',
    parse: integer(1, 1_000_000),
  },
  transactionKeysMax: {
    value: 'N',
    help: 'keys that one command or MULTI block may name; more are refused',
    standard: '16384',
    parse: integer(1, 1_048_576),
  },
  commandTimeoutMs: {
    value: 'MS',
    help: 'a command that is not decided by then is answered with an error',
    standard: '5000',
    parse: integer(50, 600_000),
  },
  slowPathMs: {
    value: 'MS',
    help: 'how long to wait for a fast quorum before the slow path is taken',
    standard: '20',
    parse: integer(1, 10_000),
  },
  maxClients: {
    value: 'N',
    help: 'Redis connections at the same time',
    standard: '10000',
    parse: integer(1, CLIENTS_MAX),
  },
  consolesMax: {
    value: 'N',
    help: 'pages of the admin console at the same time',
    standard: '64',
    parse: integer(0, 1024),
  },
  tlsCertFile: {
    value: 'FILE',
    help: 'certificate of the node for Redis clients, PEM',
    standard: '',
    parse: (text) => text,
  },
  tlsKeyFile: {
    value: 'FILE',
    help: 'its key, PEM',
    standard: '',
    parse: (text) => text,
  },
  tlsCaCertFile: {
    value: 'FILE',
    help: 'issuers of the certificates of clients, PEM',
    standard: '',
    parse: (text) => text,
  },
  tlsAuthClients: {
    value: 'NAME',
    help: 'certificates of clients, which log in users: no, optional, yes',
    standard: 'optional',
    parse: oneOf(['no', 'optional', 'yes']),
  },
  requirepass: {
    value: 'TEXT',
    help: 'password of the default user of a new cluster (better in the environment)',
    standard: '',
    parse: (text) => text,
  },
  aclLeaseMs: {
    value: 'MS',
    help: 'a node that has not heard from a majority for so long serves no users',
    standard: '2000',
    parse: integer(1_000, 60_000),
  },
  aclfile: {
    value: 'FILE',
    help: 'users of ACL LOAD and ACL SAVE',
    standard: '',
    identity: true,
    parse: (text) => text,
  },
  protectedMode: {
    value: 'yes|no',
    help: 'without passwords, take connections from this machine alone; no: from anywhere',
    standard: 'yes',
    parse: yesOrNo,
  },
  adminOpen: {
    value: 'NAME',
    help: `open pages of the admin port: ${OPEN_LEVELS.join(', ')}`,
    standard: 'overview',
    parse: oneOf(OPEN_LEVELS),
  },
  adminTokenFile: {
    value: 'FILE',
    help: 'token of administrators, made when absent; by default in the data directory',
    standard: '',
    parse: (text) => text,
  },
  adminTls: {
    value: 'yes|no',
    help: 'TLS at the admin port; needs --tls-cert-file and --tls-key-file',
    standard: 'no',
    parse: yesOrNo,
  },
  segmentBytes: {
    value: 'SIZE',
    help: 'size of a log segment; segments are preallocated',
    standard: '64mb',
    parse: size(64 * KIB, GIB),
  },
  retainedBytesMax: {
    value: 'SIZE',
    help: 'transactions kept for nodes that lag; beyond it their ranges do without',
    standard: '256mb',
    parse: size(MIB, 1024 * GIB),
  },
  holofast: {
    value: 'NAME',
    help: `small messages as UDP frames: ${HOLOFAST_MODES.join(', ')}`,
    standard: 'auto',
    parse: oneOf(HOLOFAST_MODES),
  },
  clusterSecretFile: {
    value: 'FILE',
    help: 'what members prove themselves by, from "holostore make-secret FILE"; the same on all',
    standard: '',
    parse: (text) => text,
  },
  peerTlsCert: {
    value: 'FILE',
    help: 'certificate of the node for peers, PEM, from "holostore certs"; not the secret',
    standard: '',
    identity: true,
    parse: (text) => text,
  },
  peerTlsKey: {
    value: 'FILE',
    help: 'its key, PEM',
    standard: '',
    identity: true,
    parse: (text) => text,
  },
  peerTlsCa: {
    value: 'FILE',
    help: 'issuers of the certificates of peers, PEM',
    standard: '',
    identity: true,
    parse: (text) => text,
  },
  holofastPins: {
    value: 'DIR',
    help: 'what "holostore holofast-load" has pinned for this node',
    standard: '',
    identity: true,
    parse: (text) => text,
  },
  traceEvents: {
    value: 'N',
    help: 'events of transactions kept for traces, 40 bytes each; 0: none',
    standard: String(TXN_EVENTS_MAX),
    parse: integer(0, 2 ** 26),
  },
  traceSlowMs: {
    value: 'MS',
    help: 'a transaction that takes so long is slow: its trace is kept, and tail shows it',
    standard: String(TRACE_SLOW_MS),
    parse: integer(1, 600_000),
  },
  logLevel: {
    value: 'NAME',
    help: 'trace, debug, info, warn, error, fatal or silent',
    standard: 'info',
    parse: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
  },
  logFormat: {
    value: 'NAME',
    help: 'json, pretty, or auto: pretty on a terminal',
    standard: 'auto',
    parse: oneOf(['json', 'pretty', 'auto']),
  },
};

const NAMES = Object.keys(SETTINGS) as (keyof Settings)[];

/**
 * Flags win over the environment, the environment over the defaults.
 *
 * @throws ConfigError with one line that names the flag.
 */
export function parseNodeConfig(args: readonly string[], environment: Environment): NodeConfig {
  const given = parseFlags(args, SETTINGS, 'node');
  const values: Partial<Record<keyof NodeConfig, unknown>> = {};
  for (const name of NAMES) {
    values[name] = settingValue<unknown>(name, SETTINGS[name], given, environment);
  }
  return checked(values as unknown as NodeConfig);
}

/** Settings that nodes of a cluster share, and that `holostore cluster` hands on. */
export function sharedSettings(): Readonly<Record<string, Setting<unknown>>> {
  return Object.fromEntries(
    Object.entries(SETTINGS).filter(([, setting]) => setting.identity === undefined),
  );
}

function checked(config: NodeConfig): NodeConfig {
  checkPeersAreSafe(config);
  if (isJoining(config)) checkJoining(config);
  else checkMembers(config);
  checkTls(config);
  const electorate = isJoining(config) ? [] : electorateOf(config);
  if (config.initialRanges > config.rangesMax) {
    throw new ConfigError(
      `--initial-ranges ${config.initialRanges} is above --ranges-max ${config.rangesMax}`,
    );
  }
  const { listenRedis, listenRedisTls, listenPeer, listenAdmin } = config;
  const ports = [listenRedis, listenRedisTls, listenPeer, listenAdmin].flatMap((each) =>
    each === undefined || each.port === 0 ? [] : [each.port],
  );
  if (new Set(ports).size !== ports.length) {
    throw new ConfigError('--listen-redis, --listen-peer and --listen-admin need different ports');
  }
  const { batchBytesMax } = nodeSizes(config.segmentBytes, config.batchBytesMax);
  return Object.freeze({ ...config, batchBytesMax, electorate: Object.freeze([...electorate]) });
}

/** The node is none of those of the beginning. */
export function isJoining({ join, initialMembers }: NodeConfig): boolean {
  return join.length > 0 && initialMembers.length === 0;
}

function checkMembers(config: NodeConfig): void {
  const { nodeId, initialMembers, bootstrap, join } = config;
  for (const [name, isGiven] of [
    ['nodeId', nodeId > 0],
    ['initialMembers', initialMembers.length > 0],
  ] as const) {
    if (isGiven) continue;
    const twin = `or ${environmentOf(name)} in the environment`;
    throw new ConfigError(`${flagOf(name)} is missing (${twin})`);
  }
  const ids = initialMembers.map((member) => member.id);
  if (!ids.includes(nodeId)) {
    throw new ConfigError(`--node-id ${nodeId} is not among --initial-members (${ids})`);
  }
  if (bootstrap === join.length > 0) {
    throw new ConfigError('exactly one of --bootstrap and --join HOST:PORT must be given');
  }
}

function checkJoining(config: NodeConfig): void {
  const { bootstrap, electorate, peerTlsCert, nodeId, announcePeer, listenPeer } = config;
  if (bootstrap || electorate.length > 0) {
    throw new ConfigError('--bootstrap and --electorate need --initial-members, and no --join');
  }
  if (peerTlsCert !== '' && nodeId === 0) {
    throw new ConfigError('--join with --peer-tls-cert needs the --node-id that it names');
  }
  const place = announcePeer ?? listenPeer;
  if (isWildcard(place.host)) {
    throw new ConfigError(
      '--join needs --announce-peer where --listen-peer is no address of its own',
    );
  }
}

function electorateOf({ initialMembers, electorate: given }: NodeConfig): readonly number[] {
  const ids = initialMembers.map((member) => member.id);
  const electorate = given.length === 0 ? ids : given;
  const stranger = electorate.find((id) => !ids.includes(id));
  if (stranger !== undefined) {
    throw new ConfigError(`--electorate: node ${stranger} is not among --initial-members`);
  }
  const { slow } = quorumSizes(ids.length, ids.length);
  if (electorate.length < slow) {
    throw new ConfigError(
      `--electorate must name ${slow} to ${ids.length} of the ${ids.length} members`,
    );
  }
  return electorate;
}

function checkTls(config: NodeConfig): void {
  const { listenRedisTls, adminTls, tlsCertFile, tlsKeyFile, tlsCaCertFile, tlsAuthClients } =
    config;
  if (listenRedisTls === undefined && !adminTls) return;
  if (tlsCertFile === '' || tlsKeyFile === '') {
    const flag = adminTls ? '--admin-tls' : '--listen-redis-tls';
    throw new ConfigError(`${flag} needs --tls-cert-file and --tls-key-file`);
  }
  if (listenRedisTls === undefined) return;
  if (tlsAuthClients === 'yes' && tlsCaCertFile === '') {
    throw new ConfigError('--tls-auth-clients yes needs --tls-ca-cert-file');
  }
}

/** Peers that prove nothing are taken on this machine alone. */
function checkPeersAreSafe(config: NodeConfig): void {
  const { initialMembers, listenPeer, clusterSecretFile, holofast, join } = config;
  const files = [config.peerTlsCert, config.peerTlsKey, config.peerTlsCa];
  const given = files.filter((path) => path !== '').length;
  if (given > 0 && given < files.length) {
    throw new ConfigError('--peer-tls-cert, --peer-tls-key and --peer-tls-ca go together');
  }
  if (given > 0 && clusterSecretFile === '' && holofast !== 'auto' && holofast !== 'off') {
    throw new ConfigError(
      `--holofast ${holofast} needs a --cluster-secret-file for the tags of its frames, too`,
    );
  }
  if (clusterSecretFile !== '' || given > 0 || initialMembers.length === 1) return;
  const outside = [listenPeer, ...initialMembers, ...join].find(({ host }) => !isLoopback(host));
  if (outside === undefined) return;
  throw new ConfigError(
    `peers that are not on the loopback (${formatEndpoint(outside)}) must prove who they are: make ` +
      'a secret with "holostore make-secret FILE", copy it to every node, and give ' +
      '--cluster-secret-file FILE, or make certificates with "holostore certs"',
  );
}

function endpoint(text: string): Endpoint {
  const value = parseEndpoint(text);
  if (value === undefined) {
    throw new ConfigError('must be HOST:PORT');
  }
  return Object.freeze(value);
}

function optionalEndpoint(text: string): Endpoint | undefined {
  return text === '' ? undefined : endpoint(text);
}

function members(text: string): readonly MemberEndpoint[] {
  const list = text.split(',').map((item) => {
    const match = /^(\d{1,10})@(.+)$/.exec(item.trim());
    const id = Number(match?.[1]);
    const place = parseEndpoint(match?.[2] ?? '');
    if (place === undefined || !(id >= 1 && id < 2 ** 32)) {
      throw new ConfigError('must be a list such as 1@HOST:PORT,2@HOST:PORT,3@HOST:PORT');
    }
    return Object.freeze({ id, ...place });
  });
  if (new Set(list.map((member) => member.id)).size !== list.length) {
    throw new ConfigError('must name every node once');
  }
  const places = list.filter((member) => member.port !== 0);
  if (new Set(places.map((each) => `${each.host}:${each.port}`)).size !== places.length) {
    throw new ConfigError('must give every node an address of its own');
  }
  if (list.length > MEMBERS_MAX) {
    throw new ConfigError(`must name at most ${MEMBERS_MAX} nodes`);
  }
  return Object.freeze(list.sort((a, b) => a.id - b.id));
}

function nodeIds(text: string): readonly number[] {
  if (text === '') {
    return [];
  }
  const ids = text.split(',').map((item) => Number(item.trim() || Number.NaN));
  const whole = ids.every((id) => Number.isInteger(id) && id > 0 && id < 2 ** 32);
  if (!whole || new Set(ids).size !== ids.length) {
    throw new ConfigError('must be a list of node ids such as 1,2,3');
  }
  return ids.sort((a, b) => a - b);
}
