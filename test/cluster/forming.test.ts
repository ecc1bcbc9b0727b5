/** How a cluster is formed: by the first Form, whatever the flags, and only once. */
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { TopologyReport } from '../../transport/http/topology-report.ts';
import { TestCluster } from './harness.ts';

let cluster: TestCluster | undefined;

afterEach(async () => {
  await cluster?.remove();
});

async function topologies(all: TestCluster): Promise<readonly TopologyReport[]> {
  const told = all.nodes.map(async (node) => JSON.parse((await node.http('/topology')).body));
  return Promise.all(told);
}

function startAll(all: TestCluster): void {
  for (const node of all.nodes) node.start([`--initial-ranges=${node.id}`]);
}

test('the first Form counts, also where nodes have other flags and die meanwhile', async () => {
  const all = await TestCluster.prepare();
  cluster = all;
  // Before it is decided, while it is, and behind it.
  for (const ms of [500, 1_500]) {
    startAll(all);
    await sleep(ms);
    await all.killAll();
  }
  startAll(all);
  await all.ready();
  const [first] = await topologies(all);
  const { clusterId = '', ranges = [] } = first ?? {};
  expect(clusterId).toMatch(/^[0-9a-f]{32}$/);
  // They may just be told that all are there again.
  const told = async () => {
    const them = await topologies(all);
    return new Set(them.map((each) => `${each.clusterId} ${each.digest}`));
  };
  await expect.poll(told, { timeout: 10_000 }).toHaveProperty('size', 1);
  const warned = all.nodes.filter((node) => node.log().includes('--initial-ranges: the cluster'));
  expect(warned.map(({ id }) => id)).toEqual(all.ids.filter((id) => id !== ranges.length));
  const client = all.node(1).client();
  await client.must('SET', 'key', 'value');
  client.close();
  // Two of three lose their disks: they form no cluster of their own beside the one that is.
  for (const id of [2, 3]) {
    await all.node(id).kill();
    rmSync(all.node(id).dataDir, { recursive: true });
    all.node(id).start();
  }
  for (const id of [2, 3]) {
    await expect.poll(() => all.node(id).log(), { timeout: 20_000 }).toContain('peer 1 is refused');
  }
  await sleep(4_000);
  for (const { epoch } of (await topologies(all)).slice(1)) expect(epoch).toBe(0);
  expect((await all.node(2).http('/readyz')).status).toBe(503);
  expect((await topologies(all))[0]).toMatchObject({ clusterId });
}, 90_000);
