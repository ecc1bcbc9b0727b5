/** Three nodes: one is away while more is written than is kept for it, and gets the data later. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RangeReport } from '../../transport/http/topology-report.ts';
import { TestCluster } from './harness.ts';

const WRITES = 200;
const KEYS = 100;
const VALUE = 'v'.repeat(16_384);

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.start({ flags: ['--retained-bytes-max=1mb'] });
}, 60_000);

afterAll(() => cluster?.remove());

async function rangeAt(id: number): Promise<RangeReport> {
  const { stdout } = await cluster.node(id).holoctl('ranges', '--json');
  return (JSON.parse(stdout) as RangeReport[])[0] as RangeReport;
}

test('nothing is refused, and a node that comes back is given the data', async () => {
  const writer = cluster.node(1).client();
  await cluster.node(3).kill();
  const write = async (from: number): Promise<void> => {
    for (let at = from; at < WRITES; at += 4) {
      expect(await writer.must('SET', `k${at % KEYS}`, `${at}${VALUE}`)).toBe('OK');
    }
  };
  await Promise.all([0, 1, 2, 3].map(write));
  await expect.poll(async () => (await rangeAt(1)).owed, { timeout: 10_000 }).toEqual([3]);
  const { generation } = await rangeAt(1);
  await Promise.all([0, 1, 2, 3].map(write));
  expect(await rangeAt(1)).toMatchObject({ generation, owed: [3] });
  const { stdout } = await cluster.node(1).holoctl('ranges');
  expect(stdout).toContain('lacks its data');
  cluster.node(3).start();
  await cluster.node(3).ready();
  const isWhole = async (): Promise<boolean> => {
    const { owed, keys } = await rangeAt(3);
    return owed.length === 0 && keys === KEYS;
  };
  await expect.poll(isWhole, { timeout: 30_000 }).toBe(true);
  const reader = cluster.node(3).client();
  expect(await reader.must('GET', 'k99')).toBe(`${WRITES - 1}${VALUE}`);
  reader.close();
  writer.close();
}, 90_000);
