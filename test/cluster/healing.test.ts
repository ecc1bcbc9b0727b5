/** A node whose store is gone, or damaged, while its log is there. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RangeReport } from '../../transport/http/topology-report.ts';
import { TestCluster, type TestNode } from './harness.ts';

const KEYS = 200;
const DATA_REFUSED = 3;

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.start({});
}, 60_000);

afterAll(() => cluster?.remove());

const keys = Array.from({ length: KEYS }, (_, key) => `key-${key}`);

/** Until the logs do not hold all of it any more. */
async function forgets(node: TestNode): Promise<void> {
  const retained = async (): Promise<string | undefined> =>
    (await node.info())['retained_transactions'];
  await expect.poll(retained, { timeout: 20_000 }).toBe('0');
}

async function isWhole(node: TestNode): Promise<boolean> {
  const { stdout } = await node.holoctl('ranges', '--json');
  const ranges = JSON.parse(stdout) as RangeReport[];
  return ranges.every(({ owed, keys: count }) => owed.length === 0 && count === KEYS);
}

/** One bit of each copy of a value. */
function damage(path: string): void {
  const bytes = readFileSync(path);
  for (let at = bytes.indexOf('of key-7'); at !== -1; at = bytes.indexOf('of key-7', at + 1)) {
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  }
  writeFileSync(path, bytes);
}

test('a store that is gone or damaged is begun anew, with the data of the others', async () => {
  const [first, second, third] = [cluster.node(1), cluster.node(2), cluster.node(3)];
  const client = first.client();
  await client.must('MSET', ...keys.flatMap((key) => [key, `of ${key}`]));
  await forgets(third);
  await third.kill();
  rmSync(join(third.dataDir, 'store'), { recursive: true });
  third.start();
  expect(await third.ended).toBe(DATA_REFUSED);
  expect(third.lastWords()).toContain('--heal-store');
  third.start(['--heal-store']);
  await third.ready();
  await expect.poll(() => isWhole(third), { timeout: 20_000 }).toBe(true);
  await client.must('SET', 'key-0', 'later');
  await second.kill();
  damage(join(second.dataDir, 'store', 'data.mdb'));
  // The damage shows as it is read; the next start drops it.
  second.start(['--heal-store']);
  expect(await second.ended).toBe(DATA_REFUSED);
  second.start(['--heal-store']);
  await second.ready();
  await expect.poll(() => isWhole(second), { timeout: 20_000 }).toBe(true);
  // The two have all data without the third one.
  await first.kill();
  for (const node of [second, third]) {
    const reader = node.client();
    const expected = keys.map((key) => (key === 'key-0' ? 'later' : `of ${key}`));
    expect(await reader.must('MGET', ...keys)).toEqual(expected);
    reader.close();
  }
  client.close();
}, 120_000);
