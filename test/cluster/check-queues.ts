/**
 * The clients of the linearizability check that wait for elements of queues, and those that push
 * them: lists and sorted sets of several ranges, each used for a while. `test/verify/queues.ts`
 * judges what they were told.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pop, Push, QueueHistory } from '../verify/queues.ts';
import type { CheckTally } from './check-tally.ts';
import type { Client, Outcome, Words } from './client.ts';
import type { TestNode } from './harness.ts';

/** How a queue is used, by the first letter of its keys. */
const KINDS = ['ordered', 'list', 'zset'] as const;

type Kind = (typeof KINDS)[number];

/** Of each kind, in use at the same time. */
const QUEUES = 2;
/** Pushes to a kind until its oldest queue is left for a new one. */
const MOVE_AFTER = 100;
const WAIT_MS = [200, 1_200] as const;
/** Waiting clients of a node. */
const WAITERS = 2;
const PAUSE_MS = 50;

export class QueueClients {
  readonly #nodes: readonly TestNode[];
  readonly #tally: CheckTally;
  readonly #timeoutMs: number;
  readonly #thinkMsMax: number;
  readonly #loops: Promise<void>[] = [];
  readonly #pushes: Push[] = [];
  readonly #pops: Pop[] = [];
  readonly #pushed = new Map<Kind, number>();
  /** Every key that was used, and whether it is a sorted set. */
  readonly #used = new Map<string, boolean>();
  readonly #left = new Map<string, readonly string[]>();
  #stopping = false;
  #element = 0;

  /** `timeoutMs`: of a command that does not wait. */
  constructor(
    nodes: readonly TestNode[],
    options: {
      readonly tally: CheckTally;
      readonly timeoutMs: number;
      readonly thinkMsMax: number;
    },
  ) {
    this.#nodes = nodes;
    this.#tally = options.tally;
    this.#timeoutMs = options.timeoutMs;
    this.#thinkMsMax = options.thinkMsMax;
  }

  begin(): void {
    for (const node of this.#nodes) {
      this.#loops.push(this.#loop(node, this.#timeoutMs, (client) => this.#push(client)));
      for (let waiter = 0; waiter < WAITERS; waiter += 1) {
        const timeoutMs = this.#timeoutMs + WAIT_MS[1];
        this.#loops.push(this.#loop(node, timeoutMs, (client) => this.#pop(client)));
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#loops);
  }

  /** Reads what is left in all queues, when nothing is under way any more. */
  async readAll(): Promise<void> {
    const client = this.#nodes[0]?.client();
    for (const [key, isRanked] of this.#used) {
      const words = [isRanked ? 'ZRANGE' : 'LRANGE', key, '0', '-1'] as const;
      this.#left.set(key, (await client?.must(...words)) as string[]);
    }
    client?.close();
  }

  history(): QueueHistory {
    return {
      pushes: this.#pushes,
      pops: this.#pops,
      left: this.#left,
      isInOrder: (key) => key.startsWith('ordered'),
    };
  }

  async #loop(
    node: TestNode,
    timeoutMs: number,
    act: (client: Client) => Promise<Outcome['type']>,
  ): Promise<void> {
    const client = node.client({ timeoutMs });
    while (!this.#stopping) {
      const type = await act(client);
      await sleep(type === 'ok' ? Math.random() * this.#thinkMsMax : PAUSE_MS);
    }
    client.close();
  }

  async #push(client: Client): Promise<Outcome['type']> {
    const kind = pick(KINDS);
    this.#pushed.set(kind, (this.#pushed.get(kind) ?? 0) + 1);
    const key = this.#keyOf(kind);
    this.#element += 1;
    const element = String(this.#element);
    const words: Record<Kind, Words> = {
      ordered: ['RPUSH', key, element],
      list: [pick(['RPUSH', 'LPUSH'] as const), key, element],
      zset: ['ZADD', key, element, element],
    };
    return this.#send(client, words[kind], this.#pushes, (times) => ({ key, element, ...times }));
  }

  async #pop(client: Client): Promise<Outcome['type']> {
    const kind = pick(KINDS);
    // Often of two ranges.
    const keys = [...new Set([this.#keyOf(kind), this.#keyOf(kind)])];
    const seconds = String(between(WAIT_MS) / 1_000);
    if (kind !== 'list' || Math.random() < 0.5) {
      const name = { ordered: 'BLPOP', list: 'BRPOP', zset: 'BZPOPMIN' }[kind];
      return this.#send(client, [name, ...keys, seconds], this.#pops, (times, reply) => {
        const [key = '', element = ''] = (reply ?? []) as string[];
        return {
          keys,
          taken: reply ? { key, element } : undefined,
          destination: undefined,
          ...times,
        };
      });
    }
    const [key = ''] = keys;
    const destination = `done-${key}`;
    this.#used.set(destination, false);
    const words: Words = ['BLMOVE', key, destination, 'LEFT', 'RIGHT', seconds];
    return this.#send(client, words, this.#pops, (times, reply) => {
      const taken = typeof reply === 'string' ? { key, element: reply } : undefined;
      return { keys: [key], taken, destination, ...times };
    });
  }

  async #send<T>(
    client: Client,
    words: Words,
    told: T[],
    operation: (times: Pick<Push, 'invokedAt' | 'completedAt'>, reply?: unknown) => T,
  ): Promise<Outcome['type']> {
    const invokedAt = performance.now();
    const outcome = await client.run(...words);
    const isOk = outcome.type === 'ok';
    const completedAt = isOk ? performance.now() : undefined;
    if (outcome.type === 'error') this.#tally.surprises.push(outcome.why);
    const reply = isOk ? outcome.reply : undefined;
    if (outcome.type !== 'refused') told.push(operation({ invokedAt, completedAt }, reply));
    return outcome.type;
  }

  /** One of the queues that are in use now. */
  #keyOf(kind: Kind): string {
    const oldest = Math.floor((this.#pushed.get(kind) ?? 0) / MOVE_AFTER);
    const key = `${kind}-${oldest + Math.floor(Math.random() * QUEUES)}`;
    this.#used.set(key, kind === 'zset');
    return key;
  }
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] as T;
}

function between([min, max]: readonly [number, number]): number {
  return min + Math.random() * (max - min);
}
