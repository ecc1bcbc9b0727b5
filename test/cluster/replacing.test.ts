/** A node is lost with its disk: another one joins, and takes its place in all groups. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TopologyReport } from '../../transport/http/topology-report.ts';
import { TestCluster, type TestNode } from './harness.ts';

const KEYS = 200;

let cluster: TestCluster;
let fourth: TestNode;

beforeAll(async () => {
  cluster = await TestCluster.start({});
}, 60_000);

afterAll(() => cluster?.remove());

test('two commands make a cluster whole that has lost a node and its disk', async () => {
  const client = cluster.node(1).client();
  const keys = Array.from({ length: KEYS }, (_, key) => `key-${key}`);
  await client.must('MSET', ...keys.flatMap((key) => [key, `of ${key}`]));
  await cluster.node(3).kill();
  rmSync(cluster.node(3).dataDir, { recursive: true });
  fourth = await cluster.joiner(4);
  fourth.start();
  await fourth.ready();
  const { code, stdout } = await cluster.node(1).holoctl('replace', '3', '4');
  expect([code, stdout]).toEqual([0, expect.stringContaining('node 3 has no data any more')]);
  // Whichever other node is away now, the range has a majority.
  await cluster.node(2).kill();
  const reader = fourth.client();
  expect(await reader.must('MGET', ...keys)).toEqual(keys.map((key) => `of ${key}`));
  expect(await reader.must('INCR', 'n')).toBe(1);
  expect(await client.must('INCR', 'n')).toBe(2);
  for (const each of [reader, client]) each.close();
}, 90_000);

async function metaAt(node: TestNode): Promise<unknown> {
  const { stdout } = await node.holoctl('topology', '--json');
  const { meta, nodes } = JSON.parse(stdout) as TopologyReport;
  return { members: meta.members, owed: meta.owed, nodes: nodes.map(({ id }) => id) };
}

test('it orders the changes of the cluster in the place of the lost one, for good', async () => {
  const meta = { members: [1, 2, 4], owed: [] };
  const knows = (node: TestNode, nodes: readonly number[]): Promise<unknown> =>
    expect.poll(() => metaAt(node), { timeout: 10_000 }).toEqual({ ...meta, nodes });
  await knows(fourth, [1, 2, 3, 4]);
  expect(await cluster.node(1).holoctl('remove-node', '3')).toMatchObject({ code: 0 });
  for (const node of [cluster.node(1), fourth]) await node.kill();
  const all = [cluster.node(1), cluster.node(2), fourth];
  for (const node of all) node.start();
  for (const node of all) await node.ready();
  for (const node of all) await knows(node, [1, 2, 4]);
  const client = fourth.client();
  expect(await client.must('CONFIG', 'SET', 'hash-max-listpack-entries', '7')).toBe('OK');
  await cluster.node(1).kill();
  expect((await fourth.holoctl('split', '--at-slot=8192')).code).toBe(0);
  expect(await client.must('INCR', 'n')).toBe(3);
  client.close();
}, 90_000);
