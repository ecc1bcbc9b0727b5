/**
 * A cluster of real processes for tests: `holostore node` on free ports and in a temporary
 * directory; its nodes can be killed, paused, restarted and queried. No process outlives the one
 * that started it, however that one ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PARENT_VARIABLE } from '../../actors/process/node-command.ts';
import { NODE_FLAGS } from '../../actors/process/node-flags.ts';
import { type HttpAnswer, httpGet } from '../../transport/http/http-get.ts';
import { Client, type ClientOptions } from './client.ts';
import { freePorts } from './ports.ts';
import { findProgram, type Program } from './program.ts';
import { runTool, type ToolResult } from './redis-tools.ts';

export interface ClusterOptions {
  /** Default 3. */
  readonly nodes?: number;
  /** For every node. */
  readonly flags?: readonly string[];
  /** For `node` itself, by node id: what follows the path of the interpreter. */
  readonly nodeArguments?: (id: number) => readonly string[];
  /** A command that each node is run by, such as `sh -c '...; exec "$@"' sh`. */
  readonly through?: readonly string[];
  /** Where peers find a node, when that is not where it listens. By node id. */
  readonly advertise?: (id: number, peerPort: number) => Promise<number>;
  /** Below the temporary directory of the system by default. */
  readonly directory?: string;
}

export const HOST = '127.0.0.1';
const READY_MS_MAX = 30_000;
const READY_POLL_MS = 20;
const END_MS_MAX = 15_000;
const PORTS_PER_NODE = 3;

const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export class TestCluster {
  readonly directory: string;
  readonly nodes: readonly TestNode[];
  readonly #options: ClusterOptions;
  readonly #joined: TestNode[] = [];

  private constructor(directory: string, nodes: readonly TestNode[], options: ClusterOptions) {
    this.directory = directory;
    this.nodes = nodes;
    this.#options = options;
  }

  /** Makes ports, directories and flags; starts nothing. */
  static async prepare(options: ClusterOptions = {}): Promise<TestCluster> {
    const count = options.nodes ?? 3;
    const program = findProgram();
    const directory = mkdtempSync(join(options.directory ?? tmpdir(), 'holo-test-cluster-'));
    const ports = await freePorts(PORTS_PER_NODE * count);
    const ids = Array.from({ length: count }, (_, index) => index + 1);
    const places = ids.map((id) => {
      const [redisPort = 0, peerPort = 0, adminPort = 0] = ports.splice(0, PORTS_PER_NODE);
      return { id, redisPort, peerPort, adminPort };
    });
    const members: string[] = [];
    for (const { id, peerPort } of places) {
      const port = (await options.advertise?.(id, peerPort)) ?? peerPort;
      members.push(`${id}@${HOST}:${port}`);
    }
    const nodes = places.map((place) => new TestNode(place, members, program, directory, options));
    return new TestCluster(directory, nodes, options);
  }

  /** All nodes up and ready. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = await TestCluster.prepare(options);
    try {
      await cluster.startAll();
    } catch (error) {
      await cluster.remove();
      throw error;
    }
    return cluster;
  }

  /** A node that is none of the beginning; `id`: the one that it is going to have. */
  async joiner(id: number): Promise<TestNode> {
    const [redisPort = 0, peerPort = 0, adminPort = 0] = await freePorts(PORTS_PER_NODE);
    const place = { id, redisPort, peerPort, adminPort };
    const seeds = this.nodes.map((node) => `${HOST}:${node.peerPort}`);
    const joining = { ...this.#options, join: seeds.join(',') };
    const node = new TestNode(place, [], findProgram(), this.directory, joining);
    this.#joined.push(node);
    return node;
  }

  get ids(): number[] {
    return this.nodes.map(({ id }) => id);
  }

  node(id: number): TestNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new RangeError(`there is no node ${id}`);
    return node;
  }

  async startAll(): Promise<void> {
    for (const node of this.nodes) node.start();
    await this.ready();
  }

  async ready(timeoutMs = READY_MS_MAX): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.ready(timeoutMs)));
    // Those of a new cluster begin again as its members, and the others lose them meanwhile.
    await Promise.all(this.nodes.map((node) => node.ready(timeoutMs)));
  }

  async killAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  /**
   * Ends all nodes in order (SIGTERM), by force where that does not help, and removes all files.
   */
  async remove(): Promise<void> {
    await Promise.all([...this.nodes, ...this.#joined].map((node) => node.terminate()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

interface NodeOptions extends ClusterOptions {
  /** Instead of members. */
  readonly join?: string;
}

interface Place {
  readonly id: number;
  readonly redisPort: number;
  readonly peerPort: number;
  readonly adminPort: number;
}

export class TestNode {
  readonly id: number;
  readonly redisPort: number;
  readonly peerPort: number;
  readonly adminPort: number;
  readonly dataDir: string;
  readonly logPath: string;
  /** Of the next life, too: another release. */
  program: Program;
  readonly members: readonly string[];
  readonly #options: NodeOptions;
  #process: ChildProcess | undefined;
  #ended: Promise<number | NodeJS.Signals> = Promise.resolve(0);
  #paused = false;

  constructor(
    place: Place,
    members: readonly string[],
    program: Program,
    directory: string,
    options: NodeOptions,
  ) {
    const { id, redisPort, peerPort, adminPort } = place;
    this.id = id;
    this.redisPort = redisPort;
    this.peerPort = peerPort;
    this.adminPort = adminPort;
    this.members = members;
    this.program = program;
    this.dataDir = join(directory, `node-${id}`);
    this.logPath = join(directory, `node-${id}.log`);
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error(`node ${this.id} does not run`);
    return pid;
  }

  /** Exit code or signal of the last life; settles when that life is over. */
  get ended(): Promise<number | NodeJS.Signals> {
    return this.#ended;
  }

  /** The flags of `holostore node`, without those given by a test. */
  get flags(): string[] {
    const { join: seeds } = this.#options;
    return [
      `--listen-redis=${HOST}:${this.redisPort}`,
      `--listen-peer=${HOST}:${this.peerPort}`,
      `--listen-admin=${HOST}:${this.adminPort}`,
      `--data-dir=${this.dataDir}`,
      ...(seeds === undefined
        ? [`--node-id=${this.id}`, `--initial-members=${this.members.join(',')}`, '--bootstrap']
        : [`--join=${seeds}`]),
      '--log-format=json',
      ...(this.#options.flags ?? []),
    ];
  }

  /** `flags`: of this life, behind all others. */
  start(flags: readonly string[] = []): void {
    if (this.#process !== undefined) throw new Error(`node ${this.id} runs already`);
    const log = openSync(this.logPath, 'a');
    const before = this.#options.nodeArguments?.(this.id) ?? [];
    const args = [...NODE_FLAGS, ...before, this.program.main, 'node', ...this.flags, ...flags];
    // Standard input is a pipe from us: a node under a parent ends when it is closed.
    const [program = '', ...words] = [...(this.#options.through ?? []), process.execPath, ...args];
    const child = spawn(program, words, {
      stdio: ['pipe', log, log],
      env: { ...process.env, [PARENT_VARIABLE]: '1', NODE_OPTIONS: '' },
    });
    closeSync(log);
    child.stdin?.on('error', () => undefined);
    this.#process = child;
    this.#paused = false;
    living.add(child);
    this.#ended = new Promise((settle) => {
      child.once('exit', (code, signal) => {
        living.delete(child);
        if (this.#process === child) this.#process = undefined;
        settle(code ?? signal ?? -1);
      });
    });
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#ended;
  }

  /** SIGTERM, and kill -9 when that does not help. Returns the exit code or the signal. */
  async terminate(): Promise<number | NodeJS.Signals> {
    if (this.#paused) this.resume();
    const child = this.#process;
    child?.kill('SIGTERM');
    const timer = setTimeout(() => child?.kill('SIGKILL'), END_MS_MAX);
    const how = await this.#ended;
    clearTimeout(timer);
    return how;
  }

  /** The process stands still; its sockets stay open. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
    this.#paused = true;
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
    this.#paused = false;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Waits until /readyz says yes. */
  async ready(timeoutMs = READY_MS_MAX): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    let why = 'it does not answer';
    while (performance.now() < deadline) {
      if (this.#process === undefined) {
        throw new Error(`node ${this.id} has ended (${await this.#ended}): ${this.lastWords()}`);
      }
      try {
        const { status, body } = await this.http('/readyz', 1_000);
        if (status === 200) return;
        why = body.trim();
      } catch {
        // It has not come that far.
      }
      await sleep(READY_POLL_MS);
    }
    throw new Error(`node ${this.id} was not ready in ${timeoutMs} ms: ${why}`);
  }

  /** Its own `holoctl`, about this node. */
  holoctl(...args: string[]): Promise<ToolResult> {
    const node = ['--node', `${HOST}:${this.adminPort}`];
    return runTool(process.execPath, [this.program.holoctl, ...args, ...node]);
  }

  http(path: string, timeoutMs = 5_000): Promise<HttpAnswer> {
    return httpGet({ host: HOST, port: this.adminPort }, path, timeoutMs);
  }

  client(options: Partial<ClientOptions> = {}): Client {
    return new Client({ port: this.redisPort, ...options });
  }

  /** One section of INFO. */
  async info(section = 'holostore'): Promise<Readonly<Record<string, string>>> {
    const client = this.client();
    try {
      const text = String(await client.must('INFO', section));
      const rows = text.split('\r\n').flatMap((line) => {
        const at = line.indexOf(':');
        return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
      });
      return Object.fromEntries(rows);
    } finally {
      client.close();
    }
  }

  log(): string {
    return readFileSync(this.logPath, 'utf8');
  }

  lastWords(): string {
    return this.log().trim().split('\n').slice(-3).join(' | ');
  }
}
