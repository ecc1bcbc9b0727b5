/**
 * Prometheus' exporter for Redis, where it is installed (Debian: prometheus-redis-exporter): the
 * number of lines that it reads from a node, and that no question of it is refused.
 */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { httpGet } from '../../transport/http/http-get.ts';
import { HOST, TestCluster } from './harness.ts';
import { freePorts } from './ports.ts';
import { hasTool } from './redis-tools.ts';

const EXPORTER = 'prometheus-redis-exporter';

test.skipIf(!hasTool(EXPORTER))(`${EXPORTER} reads a node (skipped where it is not)`, async () => {
  const cluster = await TestCluster.start();
  const [port = 0] = await freePorts(1);
  const { redisPort } = cluster.node(1);
  const address = `redis://${HOST}:${redisPort}`;
  const flags = ['-redis.addr', address, '-web.listen-address', `${HOST}:${port}`];
  const exporter = spawn(EXPORTER, flags, { stdio: 'ignore' });
  const redis = new Redis({ host: HOST, port: redisPort });
  try {
    await redis.mset('a', '1', 'b', '2');
    await redis.multi().get('a').lpush('list', 'x').expire('b', 100).exec();
    const text = await scraped(port);
    const lines = text.split('\n').filter((line) => /^redis_/.test(line));
    const all = text.trim().split('\n').length;
    console.log(`${all} lines with their help and type, ${lines.length} samples of redis_`);
    expect(all).toBeGreaterThanOrEqual(450);
    expect(text).toContain('redis_exporter_last_scrape_error{err=""} 0');
    expect(text).toMatch(/^redis_db_keys\{db="db0"\} 3$/m);
    expect(text).toMatch(/^redis_slowlog_length \d+$/m);
    expect(text).toMatch(/^redis_latency_percentiles_usec_count\{cmd="mset"\} 1$/m);
  } finally {
    redis.disconnect();
    exporter.kill();
    await cluster.remove();
  }
});

async function scraped(port: number): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    try {
      return (await httpGet({ host: HOST, port }, '/metrics', 10_000)).body;
    } catch (error) {
      if (tries > 50) throw error;
      await sleep(100);
    }
  }
}
