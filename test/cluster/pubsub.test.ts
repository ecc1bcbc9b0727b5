/** Pub/sub on three nodes, as ordinary clients use it: about ten seconds. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { createClient } from 'redis';
import { expect, test, vi } from 'vitest';
import { HOST } from './harness.ts';
import { runTool } from './redis-tools.ts';
import { SharedCluster } from './shared-cluster.ts';

const shared = new SharedCluster();

const soon = { timeout: 10_000 };

/** Counts are what the other nodes have told last: a node may hear of a subscription later. */
async function counted(client: Redis, channel: string, subscribers: number): Promise<void> {
  const expected = [channel, subscribers];
  await vi.waitFor(async () => {
    expect(await client.pubsub('NUMSUB', channel)).toEqual(expected);
  }, soon);
}

test('ioredis: subscribers of every node get each message once, in order', async () => {
  const heard = new Map<number, string[]>();
  for (const { id } of shared.cluster.nodes) {
    const client = shared.redis(id);
    const messages: string[] = [];
    heard.set(id, messages);
    client.on('message', (channel, message) => messages.push(`${channel} ${message}`));
    client.on('pmessage', (pattern, channel, message) => {
      messages.push(`${pattern} ${channel} ${message}`);
    });
    await client.subscribe('news');
    await client.psubscribe('other.*');
  }
  const publisher = shared.redis(2);
  const expected: string[] = [];
  for (let n = 0; n < 300; n += 1) {
    const channel = n % 3 === 0 ? 'other.x' : 'news';
    void publisher.publish(channel, String(n));
    expected.push(n % 3 === 0 ? `other.* ${channel} ${n}` : `${channel} ${n}`);
  }
  for (const messages of heard.values()) {
    await vi.waitFor(() => expect(messages.length).toBe(expected.length), soon);
    expect(messages).toEqual(expected);
  }
  await counted(publisher, 'news', 3);
  expect(await publisher.publish('news', 'x')).toBe(3);
  expect(await publisher.pubsub('NUMPAT')).toBe(1);
});

test('node-redis: shard channels, and a message behind a write that it is about', async () => {
  const connect = async (node: number) => {
    const url = `redis://${HOST}:${shared.cluster.node(node).redisPort}`;
    return createClient({ url }).connect();
  };
  const [subscriber, reader, publisher] = await Promise.all([connect(1), connect(1), connect(3)]);
  const values: (string | null)[] = [];
  await subscriber.sSubscribe('changed', (key) => {
    void reader.get(key).then((value) => values.push(value));
  });
  for (let n = 0; n < 50; n += 1) {
    await publisher.multi().set('key', String(n)).sPublish('changed', 'key').exec();
    await vi.waitFor(() => expect(values.length).toBe(n + 1), soon);
  }
  expect(values.map(Number)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  for (const client of [subscriber, reader, publisher]) client.destroy();
});

test('redis-py (skipped where it is not installed)', async () => {
  const { code, stdout } = await runTool('python3', [
    '-c',
    `
import redis
a = redis.Redis(port=${shared.cluster.node(1).redisPort})
b = redis.Redis(port=${shared.cluster.node(3).redisPort})
p = a.pubsub()
p.subscribe('py')
p.psubscribe('p?')
while p.get_message(timeout=0.2): pass
print(b.publish('py', b'\\xff\\x00'))
print([p.get_message(timeout=5)['data'] for _ in range(2)])
`,
  ]);
  if (code !== 0) return console.warn('redis-py is not installed');
  expect(stdout.trim().split('\n')[1]).toBe("[b'\\xff\\x00', b'\\xff\\x00']");
});

test('a subscriber goes on when another node dies, and gets its messages when it is back', async () => {
  const client = shared.redis(1);
  const messages: string[] = [];
  client.on('message', (_channel, message) => messages.push(message));
  await client.subscribe('death');
  await shared.cluster.node(3).kill();
  const publisher = shared.redis(2);
  await counted(publisher, 'death', 1);
  expect(await publisher.publish('death', 'a')).toBe(1);
  await vi.waitFor(() => expect(messages).toEqual(['a']), soon);
  shared.cluster.node(3).start();
  await shared.cluster.ready();
  const back = shared.redis(3);
  await vi.waitFor(async () => expect(await back.publish('death', 'b')).toBe(1), soon);
  await sleep(100);
  expect(messages.filter((message) => message === 'b').length).toBeGreaterThan(0);
});
