/** A node joins three others that prove themselves by a secret: it serves, dies, and moves. */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TopologyReport } from '../../transport/http/topology-report.ts';
import { HOST, TestCluster, type TestNode } from './harness.ts';
import { freePorts } from './ports.ts';

const SECRET = join(tmpdir(), `holo-joining-${process.pid}`);

let cluster: TestCluster;
let fourth: TestNode;

beforeAll(async () => {
  writeFileSync(SECRET, `${'5a'.repeat(32)}\n`, { mode: 0o600 });
  cluster = await TestCluster.start({ flags: [`--cluster-secret-file=${SECRET}`] });
  fourth = await cluster.joiner(4);
}, 60_000);

afterAll(() => cluster?.remove());

async function fourthAt(id: number): Promise<TopologyReport['nodes'][number] | undefined> {
  const node = id === 4 ? fourth : cluster.node(id);
  const { stdout } = await node.holoctl('topology', '--json');
  return (JSON.parse(stdout) as TopologyReport).nodes.find((each) => each.id === 4);
}

async function ask(node: TestNode, ...words: [string, ...string[]]): Promise<unknown> {
  const client = node.client();
  try {
    return await client.must(...words);
  } finally {
    client.close();
  }
}

test('a node joins by itself, serves all keys, and comes back elsewhere', async () => {
  fourth.start();
  await fourth.ready();
  expect(await ask(fourth, 'SET', 'here', '1')).toBe('OK');
  expect(await ask(cluster.node(1), 'INCR', 'here')).toBe(2);
  expect(await ask(fourth, 'GET', 'here')).toBe('2');
  expect(await ask(fourth, 'KEYS', '*')).toEqual(['here']);
  expect(await fourth.info()).toMatchObject({ node_id: '4', ranges_here: '0' });
  await expect.poll(() => fourthAt(2), { timeout: 10_000 }).toMatchObject({ state: 'active' });

  await fourth.kill();
  const [peerPort = 0] = await freePorts(1);
  // Its directory knows the others.
  fourth.start([`--listen-peer=${HOST}:${peerPort}`, `--join=${HOST}:1`]);
  await fourth.ready();
  expect(await ask(fourth, 'GET', 'here')).toBe('2');
  const moved = { port: peerPort, alive: true, redis: `${HOST}:${fourth.redisPort}` };
  for (const id of [1, 3, 4]) {
    await expect.poll(() => fourthAt(id), { timeout: 10_000 }).toMatchObject(moved);
  }
}, 60_000);

test('it becomes a member of a range, and is one when it comes back', async () => {
  const { code } = await cluster.node(1).holoctl('move', '--range=1', '--from=3', '--to=4');
  expect(code).toBe(0);
  expect(await ask(fourth, 'SET', 'as a member', '1')).toBe('OK');
  expect(await ask(fourth, 'DBSIZE')).toBe(2);
  expect(await ask(cluster.node(3), 'INCR', 'as a member')).toBe(2);
  await fourth.kill();
  fourth.start();
  await fourth.ready();
  expect(await ask(fourth, 'INCR', 'as a member')).toBe(3);
  expect(await ask(fourth, 'MGET', 'here', 'as a member')).toEqual(['2', '3']);
  expect(await fourth.info()).toMatchObject({ ranges_here: '1' });
}, 60_000);

test('it drains: clients are told, and may come again when that is taken back', async () => {
  const before = fourth.client();
  expect(await before.must('GET', 'here')).toBe('2');
  expect((await cluster.node(1).holoctl('drain', '4')).code).toBe(0);
  const ready = async () => (await fourth.http('/readyz')).body;
  await expect.poll(ready, { timeout: 5_000 }).toContain('the node is draining');
  const told = async () => JSON.stringify(await before.run('GET', 'here'));
  await expect.poll(told, { timeout: 5_000 }).toContain('SHUTDOWN refused');
  // The library tells of the closed connection alone.
  await expect(ask(fourth, 'GET', 'here')).rejects.toThrow('refused');
  expect((await fourth.holoctl('recommission', '4')).code).toBe(0);
  await fourth.ready();
  await expect.poll(() => ask(fourth, 'GET', 'here').catch(() => ''), { timeout: 5_000 }).toBe('2');
}, 60_000);

test('it leaves: its range moves to another node, it is told so, and is taken out', async () => {
  const early = await cluster.node(1).holoctl('remove-node', '4');
  expect([early.code, early.stderr]).toEqual([
    1,
    expect.stringContaining('is a member of 1 range'),
  ]);
  const { code, stdout } = await cluster.node(2).holoctl('decommission', '4');
  expect([code, stdout]).toEqual([0, expect.stringContaining('node 4 has no data any more')]);
  expect(await ask(cluster.node(3), 'MGET', 'here', 'as a member')).toEqual(['2', '3']);
  const unready = async () => (await fourth.http('/readyz')).body;
  await expect.poll(unready, { timeout: 5_000 }).toContain('it can be stopped');
  expect(await ask(fourth, 'INCR', 'here')).toBe(3);
  await fourth.kill();
  expect((await cluster.node(1).holoctl('check')).stdout).toBe('ok\n');
  expect((await cluster.node(1).holoctl('remove-node', '4')).code).toBe(0);
  await expect.poll(() => fourthAt(3), { timeout: 5_000 }).toBeUndefined();
}, 60_000);
