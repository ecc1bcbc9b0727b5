/** A node is lost with its disk: another one joins, and takes its place in the range. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestCluster } from './harness.ts';

const KEYS = 200;

let cluster: TestCluster;

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
  const fourth = await cluster.joiner(4);
  fourth.start();
  await fourth.ready();
  const { code, stdout } = await cluster.node(1).holoctl('replace', '3', '4');
  expect([code, stdout]).toEqual([0, expect.stringContaining('node 3 has no ')]);
  // Whichever other node is away now, the range has a majority.
  await cluster.node(2).kill();
  const reader = fourth.client();
  expect(await reader.must('MGET', ...keys)).toEqual(keys.map((key) => `of ${key}`));
  expect(await reader.must('INCR', 'n')).toBe(1);
  expect(await client.must('INCR', 'n')).toBe(2);
  for (const each of [reader, client]) each.close();
}, 90_000);
