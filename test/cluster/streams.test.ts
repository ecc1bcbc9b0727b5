/**
 * A pipeline over a stream with consumer groups, on three nodes, while one of them is killed: each
 * entry is delivered to each group, and nothing that was acknowledged comes again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { expect, test, vi } from 'vitest';
import { runTool } from './redis-tools.ts';
import { SharedCluster } from './shared-cluster.ts';

const GROUPS = ['mail', 'audit'];
const ENTRIES = 600;
const AT_ONCE = 12;
/** A consumer that has not acknowledged an entry for so long has lost it. */
const IDLE_MS = 1_500;

const shared = new SharedCluster();

type Entry = [id: string, fields: string[] | null];

/** Work as it was done: entries by group, with how often each was acknowledged. */
class Ledger {
  readonly added = new Set<string>();
  readonly delivered = new Map(GROUPS.map((group) => [group, new Set<string>()]));
  readonly acknowledged = new Map(GROUPS.map((group) => [group, new Set<string>()]));
  /** Deliveries of entries whose acknowledgement had been answered before they were asked for. */
  readonly again: string[] = [];
  isOver = false;

  /** Entries that no consumer of the group has seen. */
  unseen(group: string): string[] {
    return [...this.added].filter((id) => this.delivered.get(group)?.has(id) !== true);
  }
}

/** Adds entries, some at a time; those whose answer is lost may stand or not. */
async function produce(ledger: Ledger): Promise<void> {
  const clients = [shared.redis(1), shared.redis(2)];
  for (let round = 0; round < ENTRIES / AT_ONCE; round += 1) {
    const client = clients[round % 2] as Redis;
    const added = Array.from({ length: AT_ONCE }, (_, n) =>
      client.xadd('jobs', 'MAXLEN', '~', 10_000, '*', 'n', `${round}-${n}`),
    );
    for (const answer of await Promise.allSettled(added)) {
      if (answer.status === 'rejected' || answer.value === null) continue;
      expect(ledger.added.has(answer.value)).toBe(false);
      ledger.added.add(answer.value);
    }
    await sleep(10);
  }
}

async function handle(client: Redis, group: string, entries: Entry[], ledger: Ledger) {
  for (const [id] of entries) ledger.delivered.get(group)?.add(id);
  const ids = entries.map(([id]) => id);
  if (ids.length === 0) return;
  await client.xack('jobs', group, ...ids);
  for (const id of ids) ledger.acknowledged.get(group)?.add(id);
}

/** Takes new entries, and now and then those that another consumer has lost. */
async function consume(node: number, group: string, name: string, ledger: Ledger): Promise<void> {
  while (!ledger.isOver) {
    const client = shared.redis(node);
    try {
      while (!ledger.isOver) {
        const known = new Set(ledger.acknowledged.get(group));
        const read = (await client.xreadgroup(
          ...(['GROUP', group, name, 'COUNT', 20, 'BLOCK', 300, 'STREAMS', 'jobs', '>'] as const),
        )) as [string, Entry[]][] | null;
        const fresh = read?.[0]?.[1] ?? [];
        const [, lost] = (await client.xautoclaim('jobs', group, name, IDLE_MS, '0')) as [
          string,
          Entry[],
        ];
        for (const [id] of [...fresh, ...lost]) if (known.has(id)) ledger.again.push(id);
        await handle(client, group, [...fresh, ...lost], ledger);
      }
    } catch {
      await sleep(100);
    }
    client.disconnect();
  }
}

test('a pipeline loses nothing and repeats nothing that was acknowledged', async () => {
  const ledger = new Ledger();
  const admin = shared.redis(1);
  for (const group of GROUPS) await admin.xgroup('CREATE', 'jobs', group, '0', 'MKSTREAM');
  const consumers = GROUPS.flatMap((group) =>
    [1, 2, 3].map((node) => consume(node, group, `${group}-${node}`, ledger)),
  );
  const producer = produce(ledger);
  await sleep(500);
  await shared.cluster.node(3).kill();
  await producer;
  shared.cluster.node(3).start();
  await shared.cluster.ready();
  // An acknowledgement whose answer was lost stands all the same.
  const isDone = async (): Promise<void> => {
    for (const group of GROUPS) {
      expect(ledger.unseen(group)).toEqual([]);
      const [pending] = (await admin.xpending('jobs', group)) as [number];
      expect(pending).toBe(0);
    }
  };
  await vi.waitFor(isDone, { timeout: 90_000, interval: 200 });
  ledger.isOver = true;
  await Promise.all(consumers);
  expect(ledger.again).toEqual([]);
  const kept = (await admin.xrange('jobs', '-', '+')).map(([id]) => id);
  // An addition whose answer was lost may stand.
  expect(kept.filter((id) => ledger.added.has(id))).toHaveLength(ledger.added.size);
  expect(kept).toEqual([...kept].sort(inOrder));
  const told = await Promise.all(
    [1, 2, 3].map((node) => shared.redis(node).xinfo('GROUPS', 'jobs') as Promise<unknown>),
  );
  expect(told[1]).toEqual(told[0]);
  expect(told[2]).toEqual(told[0]);
}, 240_000);

function inOrder(a: string, b: string): number {
  const [[ms = 0, n = 0], [otherMs = 0, otherN = 0]] = [a, b].map((id) =>
    id.split('-').map(Number),
  ) as [number[], number[]];
  return ms - otherMs || n - otherN;
}

test('redis-py reads a group that waits, claims and is told of it', async () => {
  const python = `
import redis, threading
a = redis.Redis(port=${shared.cluster.node(1).redisPort}, decode_responses=True)
b = redis.Redis(port=${shared.cluster.node(2).redisPort}, decode_responses=True)
a.xgroup_create('py', 'g', id='$', mkstream=True)
threading.Timer(0.3, lambda: b.xadd('py', {'k': 'v'}, id='5-1', maxlen=10)).start()
print(a.xreadgroup('g', 'c', {'py': '>'}, block=10000, count=1))
print(b.xpending('py', 'g')['pending'], b.xautoclaim('py', 'g', 'd', 0)[1])
print(a.xack('py', 'g', '5-1'), b.xinfo_groups('py')[0]['lag'], a.xlen('py'))
threading.Timer(0.3, lambda: b.xadd('py', {'k': 'w'}, id='6-1')).start()
print(a.xread({'py': '$'}, block=10000))
`;
  const { code, stdout } = await runTool('python3', ['-c', python]);
  if (code !== 0) return console.warn('redis-py is not installed');
  const lines = stdout.trim().split('\n');
  expect(lines.slice(1, 3)).toEqual(["1 [('5-1', {'k': 'v'})]", '1 0 1']);
  expect(lines[0]).toMatch(/'py'.*\('5-1', \{'k': 'v'\}\)/);
  expect(lines[3]).toMatch(/'py'.*\('6-1', \{'k': 'w'\}\)/);
}, 40_000);
