/** Clients that keep what they read, on three nodes, as ordinary clients do it: about ten seconds. */
import { BasicClientSideCache, createClient } from 'redis';
import { expect, test, vi } from 'vitest';
import { HOST } from './harness.ts';
import { SharedCluster } from './shared-cluster.ts';

const shared = new SharedCluster();

const soon = { timeout: 10_000 };

test('the cache of node-redis follows writes through other nodes, expiry and FLUSHALL', async () => {
  const clientSideCache = new BasicClientSideCache({ maxEntries: 100 });
  const url = `redis://${HOST}:${shared.cluster.node(1).redisPort}`;
  const client = createClient({ url, RESP: 3, clientSideCache });
  await client.connect();
  const writer = shared.redis(2, 2);
  for (let n = 0; n < 20; n += 1) {
    await writer.set('k', String(n));
    await vi.waitFor(async () => expect(await client.get('k')).toBe(String(n)), soon);
    expect(await client.get('k')).toBe(String(n));
  }
  expect(clientSideCache.stats().hitCount).toBeGreaterThan(10);
  await writer.set('short', 'x', 'PX', 300);
  await vi.waitFor(async () => expect(await client.get('short')).toBe('x'), soon);
  await vi.waitFor(async () => expect(await client.get('short')).toBeNull(), soon);
  await writer.flushall();
  await vi.waitFor(async () => expect(await client.get('k')).toBeNull(), soon);
  client.destroy();
});

test('ioredis with RESP2 is told by another connection', async () => {
  const [hears, reads, writer] = [shared.redis(3, 2), shared.redis(3, 2), shared.redis(1, 2)];
  const id = await hears.client('ID');
  const messages: unknown[] = [];
  hears.on('message', (channel, keys) => messages.push([channel, keys]));
  await hears.subscribe('__redis__:invalidate');
  await reads.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id));
  await reads.mget('a', 'b');
  await writer.mset('a', '1', 'c', '1');
  await vi.waitFor(() => expect(messages.length).toBe(1), soon);
  expect(String(messages[0])).toContain('__redis__:invalidate');
  const info = await shared.cluster.node(3).info('clients');
  expect(info['tracking_clients']).toBe('1');
});
