/**
 * The whole default list of redis-benchmark on each node of a cluster, beside one Redis that syncs.
 *
 *     npm run bench -- default-list [--requests 5000] [--directory PATH]
 *
 * Redis runs with `--appendonly yes --appendfsync always`. As by default, 50 clients work on the same
 * few keys, without pipelines.
 */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { HOST, TestCluster } from '../cluster/harness.ts';
import { hasTool, runTool } from '../cluster/redis-tools.ts';
import { describeMachine, startSyncedRedis } from './beside-redis.ts';

const TIMEOUT_MS = 600_000;

/** Requests per second by the name of the test. */
async function measure(port: number, requests: string): Promise<Map<string, number>> {
  const args = ['-h', HOST, '-p', String(port), '-n', requests, '--csv'];
  const { code, stdout, stderr } = await runTool('redis-benchmark', args, TIMEOUT_MS);
  const rows = [...stdout.matchAll(/^"([^"]+)","([\d.]+)"/gm)];
  if (code !== 0 || rows.length === 0 || stderr !== '') {
    throw new Error(`redis-benchmark: ${code}; ${stdout.slice(-300)} ${stderr}`);
  }
  return new Map(rows.map(([, name = '', perSecond]) => [name, Number(perSecond)]));
}

async function measureCluster(requests: string, directory: string): Promise<Map<string, number>[]> {
  const cluster = await TestCluster.start({ directory });
  try {
    const results: Map<string, number>[] = [];
    for (const { redisPort } of cluster.nodes) results.push(await measure(redisPort, requests));
    return results;
  } finally {
    await cluster.remove();
  }
}

export async function run(args: string[]): Promise<void> {
  const options = {
    requests: { type: 'string', default: '5000' },
    directory: { type: 'string', default: tmpdir() },
  } as const;
  const { requests, directory } = parseArgs({ args, options }).values;
  if (!hasTool('redis-benchmark') || !hasTool('redis-server')) {
    console.log('redis-benchmark or redis-server is not installed; nothing was measured');
    return;
  }
  await describeMachine(directory);
  const redis = await startSyncedRedis(directory);
  const theirs = await measure(redis.port, requests).finally(() => redis.stop());
  const nodes = await measureCluster(requests, directory);
  const heads = nodes.map((_, at) => `node ${at + 1}`);
  const table = new Table({ head: ['requests/s', 'Redis', ...heads, 'ratio'] });
  for (const [name, other] of theirs) {
    const each = nodes.map((results) => results.get(name) ?? 0);
    const mean = each.reduce((total, value) => total + value, 0) / each.length;
    table.push([name, ...[other, ...each].map((n) => n.toFixed()), (mean / other).toFixed(2)]);
  }
  console.log(table.toString());
}
