/** Ranges that are split under load, as three processes that are killed meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RangeReport } from '../../transport/http/topology-report.ts';
import { TestCluster } from './harness.ts';
import { Load } from './load.ts';

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.start();
}, 60_000);

afterAll(async () => {
  await cluster?.remove();
});

async function rangesAt(id: number): Promise<RangeReport[]> {
  const { stdout } = await cluster.node(id).holoctl('ranges', '--json');
  return JSON.parse(stdout) as RangeReport[];
}

/** A range that was renewed, since a node was missed, has another generation. */
function bounds(ranges: readonly RangeReport[]): string[] {
  return ranges.map(({ range, from, to }) => `${range}: ${from}-${to}`);
}

test('under load, with a kill of each node: nothing is lost, nothing done twice', async () => {
  const load = new Load(cluster, { clientsPerNode: 2 });
  let slot = 8_000;
  for (const node of cluster.nodes) {
    await sleep(300);
    const other = cluster.node(1 + (node.id % 3));
    const split = other.holoctl('split', '--at-slot', `${slot}`);
    await sleep(20 * node.id);
    await node.kill();
    expect(await split).toMatchObject({ code: 0 });
    node.start();
    await node.ready();
    slot = Math.floor(slot / 2);
  }
  await cluster.killAll();
  await load.stop();
  await cluster.startAll();
  expect(await load.problems()).toEqual([]);
  console.log(load.describe());
  const expected = ['1: 0-2000', '4: 2000-4000', '3: 4000-8000', '2: 8000-16384'];
  for (const { id } of cluster.nodes) {
    await expect
      .poll(async () => bounds(await rangesAt(id)), { timeout: 20_000 })
      .toEqual(expected);
  }
}, 120_000);

test('what a client sees is the same behind a split', async () => {
  const client = cluster.node(1).client();
  const names = Array.from({ length: 100 }, (_, key) => `seen-${key}`);
  await client.must('MSET', ...names.flatMap((name, at) => [name, `${at}`]));
  await client.must('RPUSH', 'list', ...names);
  const before = await client.must('DBSIZE');
  const split = await cluster.node(2).holoctl('split', '--at-key', 'seen-50', '--json');
  expect(JSON.parse(split.stdout)).toHaveLength(2);
  expect(await client.must('MGET', ...names)).toEqual(names.map((_, at) => `${at}`));
  expect(await client.must('LRANGE', 'list', '0', '-1')).toEqual(names);
  expect(await client.must('DBSIZE')).toBe(before);
  expect(((await client.must('CLUSTER', 'SLOTS')) as unknown[]).length).toBe(5);
  client.close();
}, 60_000);

test('until it closes a split can be paused, resumed and cancelled, at any node', async () => {
  const call = async (id: number, ...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cluster.node(id).holoctl(...words);
    return `${code} ${(stdout + stderr).trim()}`;
  };
  const at = ['--at-slot', '12000'];
  expect(await call(1, 'pause', 'ranges')).toBe('0 ok');
  const decided = await call(2, 'split', ...at, '--no-wait');
  expect(decided).toMatch(/^0 change \d+$/);
  const seen = (id: number, what: string) =>
    expect.poll(() => call(id, 'state'), { timeout: 10_000 }).toContain(what);
  await seen(3, 'at slot 12000: intended, asked');
  expect(await call(3, 'split', '--pause', ...at)).toBe(decided);
  await seen(1, 'at slot 12000: intended, paused');
  expect(await call(1, 'resume', 'ranges')).toBe('0 ok');
  expect(await call(1, 'split', '--cancel', ...at)).toBe(decided);
  await seen(2, 'split cancelled');
  expect(await call(2, 'split', ...at)).toMatch(/^0 range 2, generation \d+: slots 8000-11999/);
  expect(await call(1, 'split', '--cancel', ...at)).toMatch(/^1 .*no range there is being changed/);
  expect(await call(1, 'check', '--change-s-max', '0')).toBe('0 ok');
}, 60_000);

test('what cannot be split is refused by name', async () => {
  const node = cluster.node(3);
  const refused = async (...words: string[]): Promise<string> => {
    const { code, stderr } = await node.holoctl('split', ...words);
    return `${code}: ${stderr.trim()}`;
  };
  expect(await refused('--at-slot', '8000')).toMatch(/^1: .*range 2 begins at slot 8000/);
  expect(await refused('--at-slot', '16384')).toMatch(/^1: .*there is no slot 16384/);
  expect(await refused('--at-slot', '9000', '--range', '7')).toMatch(/^1: .*not in 7/);
  expect(await refused('--at-slot', 'x')).toMatch(/^2: /);
  expect(await refused()).toMatch(/^2: /);
}, 60_000);
