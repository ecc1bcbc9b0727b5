/**
 * `holostore cluster`: a whole cluster on this machine. The parent spawns `holostore node`
 * processes, waits until they serve, restarts those that die and stops them in order. It takes no
 * part in what the nodes do; children end by themselves when the parent is gone.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import { fileErrorText } from '../../../transport/file-error.ts';
import { listenError } from '../../../transport/listen-error.ts';
import { NODE_FLAGS } from '../node-flags.ts';
import { makeSecretFile } from '../security/secret-file.ts';
import { sharedSettings } from '../settings/config.ts';
import { nodeSizes } from '../settings/node-limits.ts';
import {
  ConfigError,
  flagOf,
  integer,
  onOff,
  parseFlags,
  type Setting,
  settingValue,
  someText,
} from '../settings/settings.ts';
import { ChildNode, type ChildPlan } from './child-node.ts';

interface ClusterConfig {
  readonly nodes: number;
  readonly dataDir: string;
  readonly fresh: boolean;
  readonly redisPortBase: number;
  readonly peerPortBase: number;
  readonly adminPortBase: number;
  /** Flags for every node. */
  readonly handedOn: readonly string[];
  /** The file with a secret of the cluster's own; empty: it was given another one. */
  readonly secretFile: string;
  /** The file with the administrators' token for all nodes; empty: it was given another one. */
  readonly tokenFile: string;
  readonly adminTls: boolean;
}

type OwnSettings = Omit<ClusterConfig, 'handedOn' | 'secretFile' | 'tokenFile' | 'adminTls'>;

const portBase = integer(1, 65_000);

export const CLUSTER_SETTINGS: { readonly [K in keyof OwnSettings]: Setting<OwnSettings[K]> } = {
  nodes: { value: 'N', help: '1 to 9', standard: '3', parse: nodeCount },
  dataDir: {
    value: 'DIR',
    help: 'one directory per node, and their logs',
    standard: './.tmp/cluster',
    parse: someText,
  },
  fresh: { help: 'remove what an earlier cluster left there', standard: 'false', parse: onOff },
  redisPortBase: {
    value: 'PORT',
    help: 'first of the ports for Redis clients',
    standard: '16379',
    parse: portBase,
  },
  peerPortBase: {
    value: 'PORT',
    help: 'first of the ports between the nodes',
    standard: '15051',
    parse: portBase,
  },
  adminPortBase: {
    value: 'PORT',
    help: 'first of the admin ports',
    standard: '15080',
    parse: portBase,
  },
};

const HOST = '127.0.0.1';
const MARKER = 'cluster.json';
const SECRET_FILE = 'cluster-secret';
const TOKEN_FILE = 'admin-token';
/** Settings by which members prove themselves. */
const PROOFS: readonly string[] = ['clusterSecretFile'];
const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 100;
/** One Ctrl-C may arrive twice: from the terminal and from npm or timeout, which pass it on. */
const SAME_INTERRUPT_MS = 500;

/** @throws ConfigError with one line. */
export function parseClusterConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ClusterConfig {
  const shared = sharedSettings();
  const given = parseFlags(args, { ...CLUSTER_SETTINGS, ...shared }, 'cluster');
  const own = Object.fromEntries(
    Object.entries(CLUSTER_SETTINGS).map(([name, setting]) => [
      name,
      settingValue<unknown>(name, setting, given, environment),
    ]),
  ) as unknown as OwnSettings;
  const handedOn: string[] = [];
  const values = new Map<string, unknown>();
  for (const [name, setting] of Object.entries(shared)) {
    const value = settingValue(name, setting, given, environment);
    values.set(name, value);
    const text = given.get(name);
    if (text !== undefined) handedOn.push(`${flagOf(name)}=${text}`);
  }
  nodeSizes(Number(values.get('segmentBytes')), Number(values.get('batchBytesMax')));
  const dataDir = resolve(own.dataDir);
  const isOwnProof = PROOFS.every((name) => values.get(name) === '');
  const secretFile = isOwnProof ? join(dataDir, SECRET_FILE) : '';
  const tokenFile = values.get('adminTokenFile') === '' ? join(dataDir, TOKEN_FILE) : '';
  const adminTls = values.get('adminTls') === true;
  return Object.freeze({ ...own, dataDir, handedOn, secretFile, tokenFile, adminTls });
}

/** The command of each node; `program` is the path of `holostore`. */
export function planNodes(config: ClusterConfig, program: readonly string[]): ChildPlan[] {
  const ids = Array.from({ length: config.nodes }, (_, index) => index + 1);
  const members = ids.map((id) => `${id}@${HOST}:${config.peerPortBase + id - 1}`).join(',');
  return ids.map((id) => {
    const redisPort = config.redisPortBase + id - 1;
    const peerPort = config.peerPortBase + id - 1;
    const adminPort = config.adminPortBase + id - 1;
    const flags = [
      `--node-id=${id}`,
      `--listen-redis=${HOST}:${redisPort}`,
      `--listen-peer=${HOST}:${peerPort}`,
      `--listen-admin=${HOST}:${adminPort}`,
      `--data-dir=${join(config.dataDir, `node-${id}`)}`,
      `--initial-members=${members}`,
      '--bootstrap',
      ...(config.secretFile === '' ? [] : [`--cluster-secret-file=${config.secretFile}`]),
      ...(config.tokenFile === '' ? [] : [`--admin-token-file=${config.tokenFile}`]),
      ...config.handedOn.filter((flag) => !flag.startsWith('--log-format')),
      '--log-format=json',
    ];
    return {
      name: `node-${id}`,
      command: [...program, 'node', ...flags],
      logPath: join(config.dataDir, `node-${id}.log`),
      host: HOST,
      redisPort,
      peerPort,
      adminPort,
      adminTls: config.adminTls,
    };
  });
}

/**
 * Runs a cluster until a signal ends it.
 *
 * @throws ConfigError, ListenError or Error with one line when it cannot be started.
 */
export async function runCluster(
  args: readonly string[],
  mainPath: string,
  write: (line: string) => void,
): Promise<number> {
  const config = parseClusterConfig(args, process.env);
  const program = [process.execPath, ...NODE_FLAGS, ...process.execArgv, mainPath];
  return new ClusterParent(config, planNodes(config, program), write).run();
}

export class ClusterParent {
  readonly #config: ClusterConfig;
  readonly #plans: readonly ChildPlan[];
  readonly #write: (line: string) => void;
  readonly #children: ChildNode[] = [];
  #interrupts = 0;
  #interruptedAtMs = 0;
  #ended: (code: number) => void = () => undefined;

  constructor(config: ClusterConfig, plans: readonly ChildPlan[], write: (line: string) => void) {
    this.#config = config;
    this.#plans = plans;
    this.#write = write;
  }

  async run(): Promise<number> {
    await this.#checkPorts();
    prepareDirectory(this.#config);
    const ended = new Promise<number>((settle) => {
      this.#ended = settle;
    });
    const onSignal = (signal: NodeJS.Signals): void => this.#interrupt(signal);
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    try {
      for (const plan of this.#plans) {
        this.#children.push(
          new ChildNode(plan, this.#write, (reason) => this.#giveUp(plan.name, reason)),
        );
      }
      void this.#announceWhenReady();
      return await ended;
    } finally {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    }
  }

  async #announceWhenReady(): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    for (const child of this.#children) {
      while (!(await child.isReady())) {
        if (this.#interrupts > 0) return;
        if (performance.now() > deadline) {
          this.#write(`${child.plan.name} does not answer yet; see ${child.plan.logPath}`);
          break;
        }
        await sleep(READY_POLL_MS);
      }
    }
    if (this.#interrupts === 0) this.#write(welcome(this.#children));
  }

  #giveUp(name: string, reason: string): void {
    this.#write(`${name} cannot be started: ${reason}`);
    void this.#stop(1);
  }

  /** The first signal stops in order, a second one, later, at once. */
  #interrupt(signal: NodeJS.Signals): void {
    const nowMs = performance.now();
    if (this.#interrupts > 0 && nowMs - this.#interruptedAtMs < SAME_INTERRUPT_MS) return;
    this.#interruptedAtMs = nowMs;
    this.#interrupts += 1;
    if (this.#interrupts === 1) {
      this.#write(`${signal}: stopping ${this.#children.length} nodes`);
      void this.#stop(0);
    } else {
      for (const child of this.#children) child.kill();
      this.#ended(130);
    }
  }

  async #stop(code: number): Promise<void> {
    this.#interrupts = Math.max(1, this.#interrupts);
    for (const child of this.#children) await child.stop();
    this.#write('all nodes have stopped');
    this.#ended(code);
  }

  async #checkPorts(): Promise<void> {
    for (const plan of this.#plans) {
      const { host, name, redisPort, peerPort, adminPort } = plan;
      await checkPort(host, redisPort, `Redis clients of ${name}`, '--redis-port-base');
      await checkPort(host, peerPort, `peers of ${name}`, '--peer-port-base');
      await checkPort(host, adminPort, `admin of ${name}`, '--admin-port-base');
    }
  }
}

/** Fails with a ListenError when a port cannot be opened. */
function checkPort(host: string, port: number, purpose: string, flag: string): Promise<void> {
  return new Promise((settle, reject) => {
    const server = createServer();
    server.once('error', (error) => reject(listenError(error, purpose, { host, port }, flag)));
    server.listen({ host, port, exclusive: true }, () => server.close(() => settle()));
  });
}

/** A directory is only ever emptied when an earlier cluster has marked it as its own. */
function prepareDirectory(config: ClusterConfig): void {
  const { dataDir, nodes, secretFile } = config;
  const marker = join(dataDir, MARKER);
  const used = existsSync(dataDir) && readdirSync(dataDir).length > 0;
  if (used && !existsSync(marker)) {
    throw new ConfigError(
      `--data-dir ${dataDir} is not empty and not the directory of a cluster: ` +
        'give an empty or a new one',
    );
  }
  if (used && config.fresh) {
    rmSync(dataDir, { recursive: true, force: true });
  } else if (used) {
    const before = nodesBefore(marker);
    if (before !== nodes) {
      throw new ConfigError(
        `${dataDir} holds a cluster of ${before} nodes, not of ${nodes}; ` +
          'give --fresh to delete its data and start empty',
      );
    }
  }
  try {
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(marker, `${JSON.stringify({ nodes })}\n`);
  } catch (error) {
    throw new Error(`--data-dir ${dataDir} cannot be used: ${fileErrorText(error)}`);
  }
  if (secretFile !== '' && !existsSync(secretFile)) makeSecretFile(secretFile);
}

function nodesBefore(marker: string): number {
  try {
    return Number(JSON.parse(readFileSync(marker, 'utf8')).nodes);
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'it is damaged' : fileErrorText(error);
    throw new Error(`${marker}: ${reason}; give --fresh to delete its data and start empty`);
  }
}

function welcome(children: readonly ChildNode[]): string {
  const scheme = children[0]?.plan.adminTls === true ? 'https' : 'http';
  const table = new Table({ head: ['node', 'redis', 'admin', 'peers', 'log'], style: plain });
  for (const { plan } of children) {
    const { host, redisPort, adminPort, peerPort } = plan;
    table.push([
      plan.name,
      `${host}:${redisPort}`,
      `${scheme}://${host}:${adminPort}`,
      `${host}:${peerPort}`,
      plan.logPath,
    ]);
  }
  const first = children[0]?.plan;
  const last = children.at(-1)?.plan;
  return [
    table.toString(),
    'All nodes are ready; any of them takes any command:',
    `  redis-cli -p ${first?.redisPort} set greeting hello`,
    `  redis-cli -p ${last?.redisPort} get greeting`,
    `  curl ${scheme}://${first?.host}:${first?.adminPort}/status`,
    'Ctrl-C stops the cluster; its data stays.',
  ].join('\n');
}

const plain = { head: [], border: [] };

function nodeCount(text: string): number {
  const count = Number(text);
  if (!/^[1-9]$/.test(text)) throw new ConfigError('must be a number from 1 to 9');
  return count;
}
