/** Nodes that run short of disk space or of file descriptors. About half a minute. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { Client } from './client.ts';
import { HOST, TestCluster, type TestNode } from './harness.ts';

const FLAGS = ['--segment-bytes=1mb'];
const VALUE = 'v'.repeat(20_000);
const DISK_BYTES = 24 * 1024 * 1024;
const OPEN_FILES = 400;

let cluster: TestCluster | undefined;
let mounted: string | undefined;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all((cluster?.nodes ?? []).map((node) => node.terminate()));
  if (mounted !== undefined) execFileSync('umount', [mounted]);
  mounted = undefined;
  await cluster?.remove();
  cluster = undefined;
});

/** A file system of that size, where the machine lets us have one. */
function mountSmall(path: string): boolean {
  mkdirSync(path, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', path], {
      stdio: 'ignore',
    });
    mounted = path;
    return true;
  } catch {
    return false;
  }
}

/** Takes what is left, and returns how to give it back. */
function fill(folder: string): () => void {
  const path = join(folder, 'ballast');
  try {
    for (;;) writeFileSync(path, Buffer.alloc(256 * 1024), { flag: 'a' });
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  }
  return () => rmSync(path);
}

async function eventually(what: string, look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`);
    await sleep(100);
  }
}

function isRefused(client: Client): Promise<boolean> {
  return client.run('SET', 'probe', 'x').then((outcome) => {
    return outcome.type === 'refused' && outcome.why.startsWith('DISKFULL');
  });
}

function lines(node: TestNode, text: string): { msg: string; err?: unknown }[] {
  const found = node
    .log()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes(text));
  return found.map((line) => JSON.parse(line));
}

test('a full disk costs its node writes; reads go on, and all is well when there is room', async ({
  skip,
}) => {
  cluster = await TestCluster.prepare({ flags: FLAGS });
  const node = cluster.node(1);
  if (!mountSmall(node.dataDir)) skip('no tmpfs can be mounted');
  await cluster.startAll();
  const here = node.client();
  const elsewhere = cluster.node(2).client();
  const makeRoom = fill(node.dataDir);
  let count = 0;
  await eventually('the disk is full', async () => {
    for (let at = 0; at < 50; at += 1) {
      count += 1;
      await elsewhere.must('SET', `k${count % 100}`, `${count} ${VALUE}`);
    }
    return isRefused(here);
  });
  // Longer than any reservation of the clock.
  for (let round = 0; round < 6; round += 1) {
    count += 1;
    await elsewhere.must('SET', 'seen', String(count));
    expect(await here.must('GET', 'seen')).toBe(String(count));
    await sleep(1_000);
  }
  const ready = await node.http('/readyz');
  expect(ready).toMatchObject({ status: 200 });
  expect(ready.body).toMatch(/^ready\ndisk: .*log full/);
  const { body: metrics } = await node.http('/metrics');
  expect(metrics).toContain('holostore_disk_problem{part="log",problem="full"} 1');
  expect(lines(node, 'log: the disk is full')).toHaveLength(1);
  expect(lines(node, 'log: the disk is full')[0]?.err).toBeUndefined();
  makeRoom();
  await eventually('writes are taken again', async () => !(await isRefused(here)));
  await eventually('all is well', async () => (await node.http('/readyz')).body === 'ready\n');
  expect(await here.must('SET', 'after', '1')).toBe('OK');
  expect(node.isRunning).toBe(true);
  expect(lines(node, '"level":60')).toEqual([]);
});

describe('file descriptors', () => {
  async function open(node: TestNode, count: number): Promise<void> {
    for (let at = 0; at < count; at += 1) {
      const socket = connect(node.redisPort, HOST);
      socket.on('error', () => undefined);
      sockets.push(socket);
      await new Promise((settle) => socket.once('connect', settle).once('close', settle));
    }
  }

  /** Enough for several segments of the log. */
  async function write(client: Client): Promise<void> {
    for (let at = 0; at < 300; at += 1) {
      expect(await client.must('SET', `w${at}`, VALUE)).toBe('OK');
    }
  }

  test('--max-clients is bounded by ulimit -n, and clients above it do no harm', async () => {
    const through = ['sh', '-c', `ulimit -n ${OPEN_FILES}; exec "$@"`, 'sh'];
    cluster = await TestCluster.start({ nodes: 1, flags: FLAGS, through });
    const node = cluster.node(1);
    const client = node.client();
    const [, allowed] = (await client.must('CONFIG', 'GET', 'maxclients')) as string[];
    expect(Number(allowed)).toBeGreaterThan(10);
    expect(Number(allowed)).toBeLessThan(OPEN_FILES);
    // It is said once more when the node begins again, as a member of the cluster that it formed.
    expect(lines(node, '--max-clients 10000 is lowered to')).not.toHaveLength(0);
    expect(await client.run('CONFIG', 'SET', 'maxclients', '10000')).toMatchObject({
      type: 'error',
    });
    await open(node, OPEN_FILES);
    await write(client);
    expect(await client.must('INFO')).toContain('used_memory_rss');
    expect((await node.http('/readyz')).status).toBe(200);
    expect(node.isRunning).toBe(true);
  });

  test('too few for a node: it says so, and does not start', async () => {
    const through = ['sh', '-c', 'ulimit -n 200; exec "$@"', 'sh'];
    cluster = await TestCluster.prepare({ nodes: 1, through });
    cluster.node(1).start();
    expect(await cluster.node(1).ended).toBe(2);
    expect(cluster.node(1).log()).toContain('the limit of open files is 200, and a node needs');
  });

  test.skipIf(!existsSync('/usr/bin/prlimit'))('none left at all: the node goes on', async () => {
    cluster = await TestCluster.start({ nodes: 1, flags: FLAGS });
    const node = cluster.node(1);
    const client = node.client();
    await write(client);
    const inUse = (): number[] => readdirSync(`/proc/${node.pid}/fd`).map(Number);
    // The limit is one on numbers: none below it may be free.
    const highest = Math.max(...inUse());
    await open(node, highest + 1 - inUse().length);
    const limit = String(highest + 1);
    execFileSync('prlimit', ['--pid', String(node.pid), `--nofile=${limit}:${limit}`]);
    await open(node, 20);
    await write(client);
    expect(await client.must('INFO')).toContain('used_memory_rss');
    node.signal('SIGUSR2');
    await write(client);
    expect(node.isRunning).toBe(true);
    expect(lines(node, '"level":60')).toEqual([]);
  });
});
