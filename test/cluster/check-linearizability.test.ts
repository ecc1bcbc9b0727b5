/**
 * Shows that the check runs and can fail: about half a minute. Checking the product itself is the
 * job of `npm run check:linearizability`.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readHistory } from '../verify/history-file.ts';
import { checkLinearizability } from '../verify/linearizability.ts';
import { checkStrictSerializability } from '../verify/strict-serializability.ts';
import { CheckWorkload } from './check-workload.ts';
import { TestCluster } from './harness.ts';
import { runTool } from './redis-tools.ts';

let out: string;
const clusters: TestCluster[] = [];

beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'holo-check-'));
});

afterEach(async () => {
  rmSync(out, { recursive: true, force: true });
  await Promise.all(clusters.splice(0).map((cluster) => cluster.remove()));
});

test('three stores that pass for one are found out by both checkers', async () => {
  for (let each = 0; each < 3; each += 1) clusters.push(await TestCluster.start({ nodes: 1 }));
  const nodes = clusters.flatMap((cluster) => cluster.nodes);
  const workload = new CheckWorkload(nodes, { clientsPerNode: 1, thinkMsMax: 5, timeoutMs: 5_000 });
  workload.begin();
  await sleep(1_500);
  await workload.stop();
  await workload.readAll();
  expect(workload.tally.surprises).toEqual([]);
  const { registers, lists, collections } = workload.histories();
  expect(checkLinearizability(registers).verdict).toBe('violation');
  expect(checkLinearizability(collections).verdict).toBe('violation');
  expect(checkStrictSerializability(lists).verdict).toBe('violation');
});

describe('npm run check:linearizability', () => {
  async function check(...args: string[]) {
    const script = join(import.meta.dirname, 'check-linearizability.ts');
    return runTool(process.execPath, ['--import', 'tsx', script, ...args, '--out', out], 100_000);
  }

  test('a short run: faults are done, histories written, all is well', async () => {
    const { code, stdout, stderr } = await check(
      '--time',
      '18',
      '--faults',
      'kill,pause,partition',
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('all is well');
    expect(stdout).toMatch(/queues: \d+ pushed, [1-9]\d* taken by clients that wait/);
    for (const name of ['registers', 'lists', 'collections']) {
      const history = readHistory(join(out, `${name}.jsonl`));
      expect(history.operations.length).toBeGreaterThan(100);
    }
  });

  test('a run without a fault that it was to have proves nothing', async () => {
    const { code, stdout } = await check('--time', '2', '--faults', 'pause,clock,slow-disk');
    expect(code).toBe(2);
    expect(stdout).toMatch(/proves nothing: (pause|clock|slow-disk) was never really done/);
  });

  test.each([
    [['--faults', 'rain'], 'unknown fault "rain": kill, pause'],
    [['--nodes', '4'], '--nodes 4?'],
    [['--changes', 'rain'], 'unknown change "rain": split, move'],
    [['--speed', '9'], "Unknown option '--speed'"],
  ])('%j is told in one line', async (args, message) => {
    const { code, stderr } = await check(...args);
    expect(code).toBe(64);
    expect(stderr).toContain(message);
    expect(existsSync(join(out, 'registers.jsonl'))).toBe(false);
  });
});
