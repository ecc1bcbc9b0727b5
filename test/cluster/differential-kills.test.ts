/**
 * A stream of commands on all types, sent to three nodes in turn while others of them are killed and
 * started again, and all of them now and then: every reply is that of one server of reference, and
 * in the end so are the data that each node has. `HOLO_DIFFERENTIAL_KILLS` makes it run longer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Words } from '../storage/differential/generators.ts';
import { Judge } from '../storage/differential/judge.ts';
import { type Oracle, startOracles } from '../storage/differential/oracle.ts';
import { connectTo, type RedisConnection } from '../storage/differential/redis-server.ts';
import { normalised, type Value } from '../storage/differential/replies.ts';
import { STREAMS } from '../storage/differential/streams.ts';
import { TestCluster, type TestNode } from './harness.ts';

/** Of single nodes; all nodes are killed once in so many. */
const KILLS = Number(process.env['HOLO_DIFFERENTIAL_KILLS'] ?? 4);
const ALL_EVERY = 3;
const TIMEOUT_MS = 60_000 + 10_000 * KILLS;
const COMMANDS_MAX = 3_000;
const CHUNK_MAX = 12;
/** Between two kills, and between a kill and the start behind it. */
const PAUSE_MS_MAX = 400;

type Ask = (commands: readonly Words[]) => Promise<Value[]>;

const READS: Readonly<Record<string, (key: string) => Words>> = {
  string: (key) => ['GET', key],
  list: (key) => ['LRANGE', key, '0', '-1'],
  set: (key) => ['SMEMBERS', key],
  hash: (key) => ['HGETALL', key],
  zset: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
};

/** The contents of a server, in the form of replies: each key with its type and value. */
async function contentsOf(ask: Ask): Promise<readonly Value[]> {
  const [found] = await ask([['KEYS', '*']]);
  const keys = [...(found as string[])].sort();
  if (keys.length === 0) return [];
  const types = await ask(keys.map((key) => ['TYPE', key]));
  const reads = keys.map((key, at) => {
    const { simple = '' } = types[at] as { simple?: string };
    return READS[simple]?.(key) ?? ['GET', key];
  });
  const deadlines = await ask(keys.map((key) => ['PTTL', key]));
  const values = await ask(reads);
  return keys.map((key, at) => [
    key,
    types[at] ?? null,
    normalised(reads[at] ?? [], values[at] ?? null),
    Number(deadlines[at]) > 0,
  ]);
}

/** Sends parts of a stream to nodes that are up, each after the replies to the one before. */
class Sender {
  readonly #nodes: readonly TestNode[];
  readonly #protocol: 2 | 3;
  readonly #connections = new Map<number, RedisConnection>();
  /** About to be killed, or not ready yet. */
  readonly #down = new Set<number>();
  /** The node that has a part, if any; it is not to be killed. */
  #busy: number | undefined;

  constructor(nodes: readonly TestNode[], protocol: 2 | 3) {
    this.#nodes = nodes;
    this.#protocol = protocol;
  }

  async run(commands: readonly Words[], ...among: TestNode[]): Promise<Value[]> {
    const nodes = among.length > 0 ? among : this.#nodes;
    const up = nodes.filter(({ id }) => !this.#down.has(id));
    const node = up[Math.floor(Math.random() * up.length)] as TestNode;
    this.#busy = node.id;
    const known = this.#connections.get(node.id);
    const connection = known ?? (await connectTo(node.redisPort, this.#protocol));
    this.#connections.set(node.id, connection);
    const replies = await connection.run(commands);
    this.#busy = undefined;
    return replies;
  }

  /** Kills a node that has nothing of ours; it comes back in a while. */
  async killOne(): Promise<void> {
    const idle = this.#nodes.filter(({ id }) => id !== this.#busy);
    const node = idle[Math.floor(Math.random() * idle.length)] as TestNode;
    this.#forget(node);
    await node.kill();
    await sleep(Math.random() * PAUSE_MS_MAX);
    node.start();
    await node.ready();
    this.#down.delete(node.id);
  }

  async killAll(): Promise<void> {
    for (const node of this.#nodes) this.#forget(node);
    await Promise.all(this.#nodes.map((node) => node.kill()));
    for (const node of this.#nodes) node.start();
    await Promise.all(this.#nodes.map((node) => node.ready()));
    this.#down.clear();
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
  }

  #forget(node: TestNode): void {
    this.#down.add(node.id);
    this.#connections.get(node.id)?.close();
    this.#connections.delete(node.id);
  }
}

const oracles: Oracle[] = await startOracles();
const { command } = STREAMS.find(({ name }) => name === 'all types') ?? (STREAMS[0] as never);

describe.skipIf(oracles.length === 0)('three nodes that are killed within a stream', () => {
  const judge = new Judge(oracles);
  let cluster: TestCluster;

  beforeAll(async () => {
    // Short segments: what a node finds again is partly in the log, partly in the store.
    cluster = await TestCluster.start({ flags: ['--segment-bytes=1mb'] });
  });

  afterAll(async () => {
    console.info(`${judge.compared} replies compared`);
    for (const oracle of oracles) oracle.close();
    await cluster?.remove();
  });

  /** The replies to as much of a stream as there is time for, and what was sent. */
  async function runAmidKills(
    sender: Sender,
    stream: readonly Words[],
  ): Promise<{ sent: Words[]; replies: Value[]; kills: number }> {
    const sent: Words[] = [];
    const replies: Value[] = [];
    let kills = 0;
    let killing: Promise<void> | undefined;
    let since = 0;
    await sender.run([['FLUSHALL']]);
    while (kills < KILLS || killing !== undefined) {
      const from = sent.length % stream.length;
      const part = stream.slice(from, from + 1 + Math.floor(Math.random() * CHUNK_MAX));
      replies.push(...(await sender.run(part)));
      sent.push(...part);
      since += 1;
      if (killing !== undefined || since < 10 || kills === KILLS) continue;
      since = 0;
      kills += 1;
      if (kills % ALL_EVERY === 0) {
        await sender.killAll();
        continue;
      }
      killing = sender.killOne().finally(() => {
        killing = undefined;
      });
    }
    return { sent, replies, kills };
  }

  test.each([2, 3] as const)(
    'answer and hold what one server does, in RESP%i',
    async (protocol) => {
      const seed = Math.floor(Math.random() * 2 ** 31);
      // Nothing is cleared, so that there is something to compare in the end.
      const drawn = fc.sample(command, { seed, numRuns: COMMANDS_MAX });
      const stream = judge.comparable(drawn.filter(([name = '']) => !name.startsWith('FLUSH')));
      const sender = new Sender(cluster.nodes, protocol);
      const { sent, replies, kills } = await runAmidKills(sender, stream);
      const error = await judge.errorIn(sent, protocol, () => replies);
      expect([error, seed]).toEqual([undefined, seed]);
      expect(kills).toBe(KILLS);
      const theirs = await Promise.all(
        oracles.map((oracle) => contentsOf((commands) => oracle.run(commands, protocol))),
      );
      expect(theirs[0]?.length).toBeGreaterThan(0);
      for (const node of cluster.nodes) {
        const ours = await contentsOf((commands) => sender.run(commands, node));
        expect(theirs.map((each) => JSON.stringify(each))).toContain(JSON.stringify(ours));
      }
      sender.close();
      console.info(`${sent.length} commands, ${kills} kills, seed ${seed}`);
    },
    TIMEOUT_MS,
  );
});
