import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  parseClusterConfig,
  planNodes,
} from '../../../../actors/process/cluster/cluster-parent.ts';
import { ConfigError } from '../../../../actors/process/settings/settings.ts';

/** Stands in for `holostore node`: serves /readyz, logs, and ends like one. */
const FAKE_NODE = `
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
const flags = Object.fromEntries(process.argv.slice(3).map((f) => f.slice(2).split('=')));
if (process.env.FAKE_EXIT) process.exit(Number(process.env.FAKE_EXIT));
const [, port] = flags['listen-admin'].split(':');
writeFileSync(flags['data-dir'] + '.pid', String(process.pid));
const end = (why) => { console.log(JSON.stringify({ level: 40, msg: 'ended: ' + why })); process.exit(0); };
process.on('SIGTERM', () => process.env.FAKE_STUBBORN || end('SIGTERM'));
process.on('SIGINT', () => undefined);
process.stdin.on('end', () => end('no parent')).resume();
console.log(JSON.stringify({ level: 30, msg: 'quiet' }));
if (process.env.FAKE_END && flags['node-id'] === '2') {
  const [how, ms] = process.env.FAKE_END.split(',');
  const code = Number(how);
  setTimeout(() => (code ? process.exit(code) : process.kill(process.pid, how)), Number(ms));
}
createServer((_, response) => response.end('ok')).listen(Number(port), '127.0.0.1');
`;

/** Runs the parent as a process of its own, so that signals can be sent to it. */
const PARENT = `
import { ClusterParent, parseClusterConfig, planNodes } from ${JSON.stringify(resolve('actors/process/cluster/cluster-parent.ts'))};
const config = parseClusterConfig(process.argv.slice(2), {});
const program = [process.execPath, process.env.FAKE_NODE];
const parent = new ClusterParent(config, planNodes(config, program), (line) => console.log(line));
try {
  process.exit(await parent.run());
} catch (error) {
  console.log('refused: ' + error.message);
  process.exit(1);
}
`;

let root: string;
let data: string;
const parents: ChildProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holo-cluster-'));
  data = join(root, 'data');
  writeFileSync(join(root, 'fake-node.mjs'), FAKE_NODE);
  writeFileSync(join(root, 'parent.mts'), PARENT);
});

afterEach(async () => {
  for (const parent of parents.splice(0)) {
    parent.kill('SIGKILL');
  }
  await vi.waitFor(() => expect(livingNodes()).toEqual([]), { timeout: 5000 });
  rmSync(root, { recursive: true, force: true });
});

interface Started {
  readonly process: ChildProcess;
  output(): string;
  readonly code: Promise<number | null>;
}

function start(flags: readonly string[], environment: Record<string, string> = {}): Started {
  const args = ['--import', 'tsx', join(root, 'parent.mts'), `--data-dir=${data}`, ...flags];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, FAKE_NODE: join(root, 'fake-node.mjs'), ...environment },
  });
  parents.push(child);
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += String(chunk);
  });
  const code = new Promise<number | null>((settle) => child.on('close', settle));
  return { process: child, output: () => output, code };
}

async function freePorts(): Promise<string[]> {
  const ports: number[] = [];
  // Bases far apart and below the range that the system hands out for connections.
  for (const low of [20_000, 23_000, 26_000]) {
    let port = low + (process.pid % 2_000);
    while (!(await Promise.all([0, 1, 2].map((i) => isFree(port + i)))).every(Boolean)) {
      port += 3;
    }
    ports.push(port);
  }
  const [redis, peers, admin] = ports;
  return [`--redis-port-base=${redis}`, `--peer-port-base=${peers}`, `--admin-port-base=${admin}`];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const server = createServer();
    server.on('error', () => settle(false));
    server.listen(port, '127.0.0.1', () => server.close(() => settle(true)));
  });
}

function pidOf(node: number): number {
  return Number(readFileSync(join(data, `node-${node}.pid`), 'utf8'));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function livingNodes(): number[] {
  return [1, 2, 3].filter((n) => existsSync(join(data, `node-${n}.pid`)) && isAlive(pidOf(n)));
}

function said(started: Started, text: string): Promise<void> {
  return vi.waitFor(() => expect(started.output()).toContain(text), {
    timeout: 15_000,
    interval: 20,
  });
}

describe('a running cluster', () => {
  test('is announced, restarts what dies, and stops in order', async () => {
    const cluster = start(await freePorts());
    await said(cluster, 'All nodes are ready');
    expect(cluster.output()).toContain('redis-cli -p');
    expect(cluster.output()).not.toContain('quiet');
    const first = pidOf(2);
    process.kill(first, 'SIGKILL');
    await said(cluster, 'node-2 ended (signal SIGKILL); it is started again in 500 ms');
    await vi.waitFor(() => expect(pidOf(2)).not.toBe(first), { timeout: 5000 });
    await vi.waitFor(() => expect(livingNodes()).toEqual([1, 2, 3]));
    // Twice at once is one word, as when npm passes on what the terminal has sent already.
    cluster.process.kill('SIGTERM');
    cluster.process.kill('SIGINT');
    expect(await cluster.code).toBe(0);
    expect(livingNodes()).toEqual([]);
    expect(cluster.output()).toMatch(/node-1 \| WARN ended: SIGTERM[\s\S]*node-3 \| WARN ended/);
    expect(cluster.output()).toContain('all nodes have stopped');
    expect(readFileSync(join(data, 'node-1.log'), 'utf8')).toContain('quiet');
  });

  test('its nodes do not outlive it, also after kill -9', async () => {
    const cluster = start(await freePorts());
    await said(cluster, 'All nodes are ready');
    expect(livingNodes()).toEqual([1, 2, 3]);
    cluster.process.kill('SIGKILL');
    await cluster.code;
    await vi.waitFor(() => expect(livingNodes()).toEqual([]), { timeout: 5000 });
    expect(readFileSync(join(data, 'node-3.log'), 'utf8')).toContain('ended: no parent');
  });

  test('a second signal, later, ends at once what does not stop', async () => {
    const cluster = start(await freePorts(), { FAKE_STUBBORN: '1' });
    await said(cluster, 'All nodes are ready');
    cluster.process.kill('SIGINT');
    await said(cluster, 'SIGINT: stopping 3 nodes');
    await new Promise((resolve) => setTimeout(resolve, 600));
    cluster.process.kill('SIGINT');
    expect(await cluster.code).toBe(130);
    await vi.waitFor(() => expect(livingNodes()).toEqual([]), { timeout: 5000 });
  });

  test('nodes that were called wrongly end it, with the reason', async () => {
    const cluster = start(await freePorts(), { FAKE_EXIT: '2' });
    expect(await cluster.code).toBe(1);
    expect(cluster.output()).toMatch(/node-\d cannot be started: it ended with exit code 2/);
  });
});

describe('a node that was ready and cannot start again ends it, with the reason', () => {
  test('killed by what it reads, again and again', async () => {
    const cluster = start(await freePorts(), { FAKE_END: 'SIGSEGV,800' });
    await said(cluster, 'All nodes are ready');
    expect(await cluster.code).toBe(1);
    expect(cluster.output()).toMatch(
      /node-2 cannot be started: it ended with signal SIGSEGV \(5 times .*data may be damaged/,
    );
  });

  test('refusing its data directory', async () => {
    const cluster = start(await freePorts(), { FAKE_END: '3,800' });
    await said(cluster, 'All nodes are ready');
    expect(await cluster.code).toBe(1);
    expect(cluster.output()).toContain('node-2 cannot be started: it ended with exit code 3; see');
  });
});

describe('before anything starts', () => {
  test('a port in use is named', async () => {
    const ports = await freePorts();
    const taken = Number(ports[1]?.split('=')[1]) + 1;
    const server = createServer();
    await new Promise<void>((settle) => server.listen(taken, '127.0.0.1', settle));
    const cluster = start(ports);
    expect(await cluster.code).toBe(1);
    server.close();
    expect(cluster.output()).toContain(
      `refused: cannot listen on 127.0.0.1:${taken} (peers of node-2): the port is in use`,
    );
    expect(existsSync(data)).toBe(false);
  });

  test("a directory with another owner's files is never emptied", async () => {
    mkdirSync(data);
    writeFileSync(join(data, 'thesis.tex'), 'x');
    const cluster = start([...(await freePorts()), '--fresh']);
    expect(await cluster.code).toBe(1);
    expect(cluster.output()).toContain('is not empty and not the directory of a cluster');
    expect(existsSync(join(data, 'thesis.tex'))).toBe(true);
  });

  test('--fresh removes an earlier cluster; another size needs it', async () => {
    mkdirSync(join(data, 'node-1'), { recursive: true });
    writeFileSync(join(data, 'cluster.json'), '{"nodes":5}');
    const ports = await freePorts();
    const refused = start(ports);
    expect(await refused.code).toBe(1);
    expect(refused.output()).toContain('holds a cluster of 5 nodes, not of 3');
    const cluster = start([...ports, '--fresh']);
    await said(cluster, 'All nodes are ready');
    expect(existsSync(join(data, 'node-1'))).toBe(false);
    cluster.process.kill('SIGTERM');
    await cluster.code;
  });
});

describe('settings', () => {
  test('have defaults, and those of nodes are checked and handed on', () => {
    const config = parseClusterConfig(['--nodes', '5', '--sync-policy', 'group_commit'], {});
    expect(config).toMatchObject({
      nodes: 5,
      dataDir: resolve('.tmp/cluster'),
      fresh: false,
      handedOn: ['--sync-policy=group_commit'],
    });
    const plans = planNodes(config, ['holostore']);
    expect(plans).toHaveLength(5);
    expect(plans[4]?.command).toEqual([
      'holostore',
      'node',
      '--node-id=5',
      '--listen-redis=127.0.0.1:16383',
      '--listen-peer=127.0.0.1:15055',
      '--listen-admin=127.0.0.1:15084',
      `--data-dir=${resolve('.tmp/cluster/node-5')}`,
      `--initial-members=${[1, 2, 3, 4, 5].map((n) => `${n}@127.0.0.1:${15_050 + n}`).join()}`,
      '--bootstrap',
      `--cluster-secret-file=${resolve('.tmp/cluster/cluster-secret')}`,
      `--admin-token-file=${resolve('.tmp/cluster/admin-token')}`,
      '--sync-policy=group_commit',
      '--log-format=json',
    ]);
  });

  test.each([
    [['--nodes', '10'], '--nodes must be a number from 1 to 9, not "10"'],
    [['--node-id', '1'], 'unknown option \'--node-id\' (see "holostore help cluster")'],
    [['--engine', 'tape'], '--engine must be one of lmdb, memory, not "tape"'],
  ])('%j', (args, message) => {
    expect(() => parseClusterConfig(args, {})).toThrow(new ConfigError(message));
  });
});
