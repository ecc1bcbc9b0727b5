/** Commands that wait, on three nodes, as ordinary clients use them: about 20 seconds. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { createClient } from 'redis';
import { expect, test, vi } from 'vitest';
import { HOST } from './harness.ts';
import { runTool } from './redis-tools.ts';
import { SharedCluster } from './shared-cluster.ts';

const shared = new SharedCluster();

const soon = { timeout: 15_000 };

async function blocked(count: number): Promise<void> {
  await vi.waitFor(async () => {
    const all = await Promise.all(shared.cluster.nodes.map((node) => node.info('clients')));
    const sum = all.reduce((total, info) => total + Number(info['blocked_clients']), 0);
    expect(sum).toBe(count);
  }, soon);
}

test('ioredis: a client of one node is woken by a push through another', async () => {
  const [waiter, pusher] = [shared.redis(1), shared.redis(2)];
  const popped = waiter.blpop('a', 'b', 0);
  await blocked(1);
  await pusher.rpush('b', '1');
  expect(await popped).toEqual(['b', '1']);
  expect(await waiter.blpop('a', 0.1)).toBeNull();
  const moved = waiter.blmove('from', 'to', 'LEFT', 'RIGHT', 0);
  const lowest = shared.redis(3).bzpopmin('z', 0);
  await blocked(2);
  await pusher.multi().zadd('z', 2, 'b', 1, 'a').rpush('from', 'x').exec();
  expect(await moved).toBe('x');
  expect(await lowest).toEqual(['z', 'a', '1']);
  expect(await pusher.lrange('to', 0, -1)).toEqual(['x']);
});

test('node-redis and redis-py wait and are unblocked', async () => {
  const url = `redis://${HOST}:${shared.cluster.node(3).redisPort}`;
  const waiter = await createClient({ url }).connect();
  const id = await waiter.clientId();
  const popped = waiter.brPop('nothing', 0);
  await blocked(1);
  expect(await shared.redis(3).client('UNBLOCK', id)).toBe(1);
  expect(await popped).toBeNull();
  waiter.destroy();
  const python = `
import redis, threading
a = redis.Redis(port=${shared.cluster.node(1).redisPort})
b = redis.Redis(port=${shared.cluster.node(2).redisPort})
threading.Timer(0.3, lambda: b.rpush('py', 'x')).start()
print(a.blpop(['py'], timeout=10), a.blpop(['py'], timeout=0.1))
`;
  const { code, stdout } = await runTool('python3', ['-c', python]);
  if (code !== 0) return console.warn('redis-py is not installed');
  expect(stdout.trim()).toBe("(b'py', b'x') None");
});

test('30 clients on three nodes share 3,000 elements evenly, and try seldom in vain', async () => {
  const ELEMENTS = 3_000;
  const CLIENTS = 30;
  const shares = Array.from({ length: CLIENTS }, () => 0);
  const items = new Set<string>();
  const attempts = async (): Promise<number> => {
    const all = await Promise.all(shared.cluster.nodes.map((node) => node.info('stats')));
    return all.reduce((sum, info) => sum + Number(info['blocking_attempts']), 0);
  };
  const work = async (i: number): Promise<void> => {
    const client = shared.redis((i % 3) + 1);
    for (;;) {
      const [, item = 'end'] = (await client.blpop('queue', 0)) ?? [];
      if (item === 'end') return;
      expect(items.has(item)).toBe(false);
      items.add(item);
      shares[i] = (shares[i] ?? 0) + 1;
    }
  };
  const workers = Array.from({ length: CLIENTS }, (_, i) => work(i));
  for (const worker of workers) worker.catch(() => undefined);
  await blocked(CLIENTS);
  await sleep(300);
  const before = await attempts();
  const pushers = [1, 2, 3, 1, 2, 3].map((node) => shared.redis(node));
  const push = async (pusher: Redis, from: number): Promise<void> => {
    for (let n = from; n < ELEMENTS; n += pushers.length) await pusher.rpush('queue', String(n));
  };
  await Promise.all(pushers.map(push));
  await vi.waitFor(() => expect(items.size).toBe(ELEMENTS), { timeout: 60_000 });
  await blocked(CLIENTS);
  const pops = (await attempts()) - before;
  const [least, most] = [Math.min(...shares), Math.max(...shares)];
  console.log(`shares ${least} to ${most}, ${(pops / ELEMENTS).toFixed(3)} pops per element`);
  expect(most / least).toBeLessThanOrEqual(2);
  expect(pops / ELEMENTS).toBeLessThanOrEqual(1.5);
  await pushers[0]?.rpush('queue', ...workers.map(() => 'end'));
  await Promise.all(workers);
  shared.disconnect();
}, 120_000);

test('while nodes die, are paused, and ranges split: each element is taken once, none is left', async () => {
  const taken: string[] = [];
  let unknown = 0;
  let isOver = false;
  const work = async (node: number): Promise<void> => {
    const client = shared.cluster.node(node).client();
    while (!isOver) {
      const outcome = await client.run('BLPOP', 'faults', '1');
      if (outcome.type === 'ok') {
        const [, item = ''] = (outcome.reply ?? []) as string[];
        if (item !== '') taken.push(item);
        continue;
      }
      // It may have taken an element that nobody gets.
      if (outcome.type === 'unknown') unknown += 1;
      await sleep(50);
    }
    client.close();
  };
  const workers = [1, 2, 3, 1, 2, 3].map((node) => work(node));
  const pusher = shared.redis(1);
  const pushed = new Set<string>();
  const push = async (from: number): Promise<void> => {
    for (let n = from; n < from + 150; n += 1) {
      await pusher.rpush('faults', String(n)).then(
        () => pushed.add(String(n)),
        () => undefined,
      );
      await sleep(5);
    }
  };
  const first = push(0);
  await sleep(300);
  await shared.cluster.node(3).kill();
  await first;
  shared.cluster.node(3).start();
  await shared.cluster.ready();
  const second = push(150);
  await sleep(200);
  const split = await shared.cluster.node(1).holoctl('split', '--at-key', 'faults');
  expect(split.code, split.stderr).toBe(0);
  shared.cluster.node(2).pause();
  await sleep(1_500);
  shared.cluster.node(2).resume();
  await second;
  await vi.waitFor(async () => expect(await pusher.llen('faults')).toBe(0), { timeout: 30_000 });
  isOver = true;
  await Promise.all(workers);
  expect(new Set(taken).size).toBe(taken.length);
  const missing = [...pushed].filter((item) => !taken.includes(item));
  console.log(`${pushed.size} pushed, ${taken.length} taken, ${unknown} outcomes unknown`);
  expect(missing.length).toBeLessThanOrEqual(unknown);
}, 120_000);
