/**
 * Real nodes as processes, on `lo` or each on a host of its own (a network namespace): for the
 * end-to-end tests and the bench of whole transactions. Ends only what it started.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HoloFastMode } from '../../bpf/path/holofast-mode.ts';
import { newSecret } from '../../transport/peer/security/cluster-secret.ts';
import { findProgram } from '../cluster/program.ts';
import { stopChild } from './native-helpers.ts';

const root = join(import.meta.dirname, '../..');
const readyMsMax = 30_000;
const reachableMsMax = 10_000;
const endMsMax = 20_000;

export interface Host {
  readonly address: string;
  /** A command to run things on that host by; empty for this one. */
  readonly enter: readonly string[];
}

export interface ClusterPlan {
  readonly hosts: readonly Host[];
  readonly portBase: number;
  /** By node, from the first; the last one counts for the rest. */
  readonly modes: readonly HoloFastMode[];
  readonly flags?: readonly string[];
  /** By node, from the first, after the flags for all. */
  readonly nodeFlags?: readonly (readonly string[])[];
  /** The user and group that the hosts' commands run the nodes as, where not this process's. */
  readonly owner?: number;
  /** Another one than that of `findProgram`. */
  readonly program?: string;
}

export interface RealNode {
  readonly id: number;
  readonly host: Host;
  readonly redisPort: number;
  readonly adminPort: number;
  child: ChildProcess;
  /** Its output: JSON lines. */
  output: string;
}

function ports(base: number, index: number): { redis: number; peer: number; admin: number } {
  return { redis: base + index, peer: base + 20 + index, admin: base + 40 + index };
}

function nodeArguments(
  hosts: readonly Host[],
  portBase: number,
  index: number,
  directory: string,
): string[] {
  const host = hosts[index];
  if (host === undefined) throw new Error(`no host ${index}`);
  const members = hosts
    .map(({ address }, at) => `${at + 1}@${address}:${ports(portBase, at).peer}`)
    .join(',');
  const { redis, peer, admin } = ports(portBase, index);
  return [
    'node',
    `--node-id=${index + 1}`,
    `--listen-redis=${host.address}:${redis}`,
    `--listen-peer=${host.address}:${peer}`,
    `--listen-admin=${host.address}:${admin}`,
    `--data-dir=${join(directory, `node-${index + 1}`)}`,
    `--initial-members=${members}`,
    '--bootstrap',
    // Hosts of their own are reached by their addresses, not by the loopback.
    '--protected-mode=no',
    '--log-format=json',
  ];
}

/** The program, to its end. */
export function holostore(
  enter: readonly string[],
  ...args: readonly string[]
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const [command = '', ...rest] = [...enter, process.execPath, findProgram().main, ...args];
  return spawnSync(command, rest, { encoding: 'utf8', timeout: endMsMax });
}

/** Starts the first of three nodes, which must end at once: its exit code and its fatal lines. */
export function endsAtOnce(
  portBase: number,
  enter: readonly string[],
  flags: readonly string[],
  owner?: number,
): { readonly status: number | null; readonly fatal: readonly string[] } {
  const directory = mkdtempSync(join(tmpdir(), 'holofast-refused-'));
  if (owner !== undefined) chownSync(directory, owner, owner);
  try {
    const args = nodeArguments(localHosts(3), portBase, 0, directory);
    const { status, stdout } = holostore(enter, ...args, ...flags);
    return { status, fatal: stdout.split('\n').filter((line) => line.includes('"level":60')) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export class RealCluster {
  readonly nodes: RealNode[] = [];
  readonly directory = mkdtempSync(join(tmpdir(), 'holofast-cluster-'));
  readonly #plan: ClusterPlan;

  constructor(plan: ClusterPlan) {
    this.#plan = plan;
    const { owner } = plan;
    writeFileSync(this.#secretFile(), newSecret(), { mode: 0o600 });
    if (owner === undefined) return;
    for (const path of [this.directory, this.#secretFile()]) chownSync(path, owner, owner);
  }

  /** Hosts of their own prove to each other who they are. */
  #secretFile(): string {
    return join(this.directory, 'cluster-secret');
  }

  /** Resolves when all nodes serve and hear each other's frames as far as their modes go. */
  static async start(plan: ClusterPlan): Promise<RealCluster> {
    const cluster = new RealCluster(plan);
    try {
      plan.hosts.forEach((_host, index) => {
        cluster.nodes.push(cluster.#spawn(index));
      });
      await cluster.ready();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get first(): RealNode {
    const [node] = this.nodes;
    if (node === undefined) throw new Error('no node');
    return node;
  }

  #spawn(index: number): RealNode {
    const { hosts, portBase, modes, flags = [], nodeFlags = [], program } = this.#plan;
    const host = hosts[index];
    if (host === undefined) throw new Error(`no host ${index}`);
    const { redis, admin } = ports(portBase, index);
    const args = [
      ...nodeArguments(hosts, portBase, index, this.directory),
      `--cluster-secret-file=${this.#secretFile()}`,
      `--holofast=${modes[index] ?? modes.at(-1) ?? 'auto'}`,
      ...flags,
      ...(nodeFlags[index] ?? []),
    ];
    const main = program ?? findProgram().main;
    const [command = '', ...rest] = [...host.enter, process.execPath, main, ...args];
    const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'], cwd: root });
    const node: RealNode = {
      id: index + 1,
      host,
      redisPort: redis,
      adminPort: admin,
      child,
      output: '',
    };
    const read = (chunk: Buffer): void => {
      node.output += chunk.toString('latin1');
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    return node;
  }

  async ready(): Promise<void> {
    await this.#until(readyMsMax, 'the cluster does not serve', () => {
      for (const { child, id, output } of this.nodes) {
        if (child.exitCode !== null) throw new Error(`node ${id} has ended: ${output}`);
      }
      return this.nodes.every((node) => this.command(node, 'set', 'ready', '1') === 'OK');
    });
    const { modes } = this.#plan;
    const framed = this.nodes.filter((_node, at) => (modes[at] ?? modes.at(-1)) !== 'off');
    await this.#until(reachableMsMax, 'frames do not arrive', () =>
      framed.every((node) => {
        const { tier, reachable } = this.holofast(node);
        return tier === 'off' || Number(reachable) === framed.length - 1;
      }),
    );
  }

  async #until(msMax: number, otherwise: string, holds: () => boolean): Promise<void> {
    const endMs = performance.now() + msMax;
    while (!holds()) {
      if (performance.now() > endMs) {
        throw new Error(`${otherwise}: ${this.nodes.map((node) => node.output).join('\n')}`);
      }
      await sleep(100);
    }
  }

  /** One command by redis-cli; its output without the line's end. */
  command(node: RealNode, ...words: readonly string[]): string {
    const cli = ['redis-cli', '-h', node.host.address, '-p', String(node.redisPort), ...words];
    const [command = '', ...rest] = [...node.host.enter, ...cli];
    const result = spawnSync(command, rest, { encoding: 'latin1', timeout: 10_000 });
    return `${result.stdout}`.trim();
  }

  /** The section of INFO, without the prefix of its fields. */
  holofast(node: RealNode): Record<string, string> {
    return infoFields(this.command(node, 'info', 'holofast'), 'holofast_');
  }

  info(node: RealNode, section: string): Record<string, string> {
    return infoFields(this.command(node, 'info', section), '');
  }

  /** User and system time of the process so far, in microseconds. */
  cpuUs(node: RealNode): number {
    const stat = readFileSync(`/proc/${node.child.pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  }

  /** redis-benchmark's CSV line for a test: requests per second and latencies in ms. */
  async benchmark(
    node: RealNode,
    args: readonly string[],
  ): Promise<{ rps: number; p50: number; p99: number }> {
    const { address, enter } = node.host;
    const tool = ['redis-benchmark', '-h', address, '-p', String(node.redisPort), '--csv'];
    const [command = '', ...rest] = [...enter, ...tool, ...args];
    const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
    await new Promise((resolve) => child.once('close', resolve));
    clearTimeout(timer);
    const line = text.split('\n').find((each) => each.startsWith('"SET"'));
    const [, rps, , , p50, , p99] = (line ?? '').replaceAll('"', '').split(',').map(Number);
    if (rps === undefined || p50 === undefined || p99 === undefined) {
      throw new Error(`redis-benchmark said: ${text}`);
    }
    return { rps, p50, p99 };
  }

  async kill(node: RealNode): Promise<void> {
    await stopChild(node.child, 'SIGKILL');
  }

  restart(node: RealNode): void {
    const fresh = this.#spawn(node.id - 1);
    this.nodes[node.id - 1] = fresh;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(({ child }) => stopChild(child, 'SIGKILL')));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function infoFields(text: string, prefix: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0 || !line.startsWith(prefix)) continue;
    fields[line.slice(prefix.length, colon)] = line.slice(colon + 1).trim();
  }
  return fields;
}

/** The hosts of a cluster on this machine. */
export function localHosts(count: number): Host[] {
  return Array.from({ length: count }, () => ({ address: '127.0.0.1', enter: [] }));
}

export function hasTool(name: string): boolean {
  return ['/usr/bin', '/usr/local/bin', '/bin', '/usr/sbin', '/sbin'].some((directory) =>
    existsSync(join(directory, name)),
  );
}

/** Network namespaces on one bridge, each a host with one address. */
export class BridgedHosts {
  readonly hosts: readonly Host[];
  readonly #prefix: string;

  constructor(count: number, prefix = `hc${process.pid}`) {
    this.#prefix = prefix;
    this.hosts = Array.from({ length: count }, (_, index) => ({
      address: `10.78.0.${index + 1}`,
      // `ip netns exec` would hide the file systems below /sys.
      enter: ['nsenter', `--net=/run/netns/${prefix}-${index + 1}`],
    }));
  }

  /** False when this machine refuses; nothing is left then. */
  make(): boolean {
    const sw = `${this.#prefix}-sw`;
    let ok = ip('netns', 'add', sw);
    ok &&= ip('-n', sw, 'link', 'add', 'br0', 'type', 'bridge', 'stp_state', '0');
    ok &&= ip('-n', sw, 'link', 'set', 'br0', 'up');
    this.hosts.forEach(({ address }, index) => {
      const name = `${this.#prefix}-${index + 1}`;
      const peer = ['peer', 'name', 'eth0', 'netns', name];
      ok &&= ip('netns', 'add', name);
      ok &&= ip('-n', sw, 'link', 'add', `p${index + 1}`, 'type', 'veth', ...peer);
      ok &&= ip('-n', sw, 'link', 'set', `p${index + 1}`, 'master', 'br0', 'up');
      ok &&= ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
      ok &&= ip('-n', name, 'link', 'set', 'eth0', 'up');
      ok &&= ip('-n', name, 'link', 'set', 'lo', 'up');
    });
    if (!ok) this.remove();
    return ok;
  }

  /** `ip` on a host, counted from 1. */
  ip(host: number, ...args: readonly string[]): boolean {
    return ip('-n', `${this.#prefix}-${host}`, ...args);
  }

  remove(): void {
    this.hosts.forEach((_host, index) => {
      ip('netns', 'del', `${this.#prefix}-${index + 1}`);
    });
    ip('netns', 'del', `${this.#prefix}-sw`);
  }
}

/** `lo`, or namespaces of its own that are gone afterwards; says so where there can be none. */
export async function atPlace(
  place: string,
  count: number,
  action: (hosts: readonly Host[]) => Promise<void>,
): Promise<void> {
  const bridged = place === 'lo' ? undefined : new BridgedHosts(count);
  if (bridged?.make() === false) {
    console.log('no network namespaces here (ip, and root, are needed)');
    return;
  }
  try {
    await action(bridged?.hosts ?? localHosts(count));
  } finally {
    bridged?.remove();
  }
}

function ip(...args: string[]): boolean {
  return spawnSync('ip', args, { stdio: 'ignore' }).status === 0;
}
