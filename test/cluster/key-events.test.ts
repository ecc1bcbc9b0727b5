/** Keyspace events on three nodes, as ordinary clients hear them: about ten seconds. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { SharedCluster } from './shared-cluster.ts';

const shared = new SharedCluster();

const soon = { timeout: 10_000 };

/** Hears all events at a node. */
async function listener(node: number): Promise<string[]> {
  const client = shared.redis(node);
  const heard: string[] = [];
  client.on('pmessage', (_pattern, channel, payload) => heard.push(`${channel} ${payload}`));
  await client.psubscribe('__key*__:*');
  return heard;
}

test('clients of every node hear each event once, in the order of its key', async () => {
  const [one, two, three] = [shared.redis(1), shared.redis(2), shared.redis(3)];
  const heard = await Promise.all([listener(1), listener(2), listener(3)]);
  await one.set('silent', '1');
  await two.config('SET', 'notify-keyspace-events', 'EA');
  const [, flags] = (await three.config('GET', 'notify-keyspace-events')) as string[];
  expect(flags).toBe('AE');
  const expected: string[] = [];
  for (let n = 0; n < 60; n += 1) {
    await [one, two, three][n % 3]?.incr('counter');
    expected.push('__keyevent@0__:incrby counter');
  }
  await two.select(4);
  await two.multi().rpush('list', 'x').lpop('list').exec();
  for (const event of ['rpush', 'lpop', 'del']) expected.push(`__keyevent@4__:${event} list`);
  await two.select(0);
  await three.set('short', '1', 'PX', 50);
  expected.push('__keyevent@0__:set short', '__keyevent@0__:expire short');
  expected.push('__keyevent@0__:expired short');
  for (const events of heard) {
    await vi.waitFor(() => expect(events.length).toBe(expected.length), soon);
    expect(events).toEqual(expected);
  }
});

test('a read that misses is heard of at all nodes, once', async () => {
  const reader = shared.redis(1);
  const heard = await Promise.all([listener(1), listener(2), listener(3)]);
  await reader.config('SET', 'notify-keyspace-events', 'Em');
  await reader.mget('none', 'nothing');
  const expected = ['__keyevent@0__:keymiss none', '__keyevent@0__:keymiss nothing'];
  for (const events of heard) await vi.waitFor(() => expect(events).toEqual(expected), soon);
});

test('what a node executes again after its restart is not heard again', async () => {
  const writer = shared.redis(1);
  await writer.config('SET', 'notify-keyspace-events', 'E$');
  for (let n = 0; n < 200; n += 1) void writer.set(`before:${n}`, 'x');
  await writer.set('before', 'x');
  // It has executed them all by then, and soon its log says so: what it has not, it hears of later.
  const keys = Array.from({ length: 200 }, (_, n) => `before:${n}`);
  expect(await shared.redis(3).mget(keys)).not.toContain(null);
  await sleep(300);
  await shared.cluster.node(3).kill();
  shared.cluster.node(3).start();
  await shared.cluster.ready();
  const heard = await listener(3);
  await writer.set('after', 'x');
  await vi.waitFor(() => expect(heard).toContain('__keyevent@0__:set after'), soon);
  await sleep(200);
  expect(heard).toEqual(['__keyevent@0__:set after']);
});

test('a wrong flag is refused, and off is off', async () => {
  const client = shared.redis(2);
  await expect(client.config('SET', 'notify-keyspace-events', 'Kq')).rejects.toThrow(
    /Invalid event class character/,
  );
  await client.config('SET', 'notify-keyspace-events', '');
  const heard = await listener(1);
  await client.set('k', 'v');
  await sleep(300);
  expect(heard).toEqual([]);
});
