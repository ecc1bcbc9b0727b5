/** Four nodes, two ranges of three members each: a range moves to the node that is none of it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RangeReport } from '../../transport/http/topology-report.ts';
import { TestCluster } from './harness.ts';

const KEYS = 200;
const FIELDS = 2_000;

let cluster: TestCluster;

beforeAll(async () => {
  const flags = ['--initial-ranges=2', '--replication-factor=3'];
  cluster = await TestCluster.start({ nodes: 4, flags });
}, 60_000);

afterAll(() => cluster?.remove());

async function rangesOf(id: number): Promise<RangeReport[]> {
  const { stdout } = await cluster.node(id).holoctl('ranges', '--json');
  return JSON.parse(stdout) as RangeReport[];
}

test('a range moves under writes, and its new member has all of it, also after a restart', async () => {
  const writer = cluster.node(1).client();
  const keys = Array.from({ length: KEYS }, (_, key) => `key-${key}`);
  await writer.must('MSET', ...keys.flatMap((key) => [key, `of ${key}`]));
  const fields = Array.from({ length: FIELDS }, (_, field) => [`f${field}`, `${field}`]);
  await writer.must('HSET', 'hash', ...fields.flat());
  const [range] = await rangesOf(1);
  const members = range?.members ?? [];
  const to = [1, 2, 3, 4].find((node) => !members.includes(node)) as number;
  const from = members.at(-1) as number;
  let written = 0;
  let isMoving = true;
  const writes = (async () => {
    while (isMoving) {
      written += 1;
      await writer.must('SET', `during-${written}`, `${written}`);
    }
  })();
  const args = [`--range=${range?.range}`, `--from=${from}`, `--to=${to}`];
  const { stdout, code } = await cluster.node(2).holoctl('move', ...args, '--json');
  isMoving = false;
  await writes;
  expect(code).toBe(0);
  const expected = [...members.filter((node) => node !== from), to].sort((a, b) => a - b);
  expect(JSON.parse(stdout)).toMatchObject({ members: expected, owed: [] });
  await cluster.node(to).kill();
  cluster.node(to).start();
  await cluster.node(to).ready();
  const reader = cluster.node(to).client();
  expect(await reader.must('MGET', ...keys)).toEqual(keys.map((key) => `of ${key}`));
  const during = Array.from({ length: written }, (_, at) => at + 1);
  const found = await reader.must('MGET', ...during.map((number) => `during-${number}`));
  expect(found).toEqual(during.map(String));
  expect(await reader.must('HLEN', 'hash')).toBe(FIELDS);
  expect(await reader.must('DBSIZE')).toBe(KEYS + written + 1);
  // Members apply what others have decided a moment later.
  const keysHeld = async (): Promise<number> => {
    const told = await Promise.all(expected.map((node) => rangesOf(node)));
    const counts = told.map((its) => its.find((each) => each.range === range?.range)?.keys);
    return new Set(counts).size;
  };
  await expect.poll(keysHeld, { timeout: 10_000 }).toBe(1);
  reader.close();
  writer.close();
}, 60_000);
