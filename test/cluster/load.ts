/**
 * A load whose result needs no checker: keys that are written once, counters that are only
 * incremented, and one register per client that only grows. Afterwards every node is read: all
 * acknowledged writes must be there, and no write that no client sent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Outcome } from './client.ts';
import type { TestCluster, TestNode } from './harness.ts';

export interface LoadOptions {
  readonly clientsPerNode?: number;
  /** Tells the keys of several loads on one cluster apart. */
  readonly prefix?: string;
}

const COUNTERS = 4;
const READ_KEYS_MAX = 500;
/** After a failure, so that a dead node does not keep its clients spinning. */
const PAUSE_MS = 20;

interface Counter {
  acknowledged: number;
  indeterminate: number;
}

interface Register {
  acknowledged: number;
  tried: number;
}

export class Load {
  readonly #cluster: TestCluster;
  readonly #prefix: string;
  readonly #written = new Map<string, 'acknowledged' | 'indeterminate' | 'refused'>();
  readonly #counters: readonly Counter[];
  readonly #registers: Register[] = [];
  readonly #loops: Promise<void>[] = [];
  readonly failures = new Map<string, number>();
  #stopping = false;
  acknowledged = 0;
  indeterminate = 0;
  refused = 0;

  constructor(cluster: TestCluster, options: LoadOptions = {}) {
    this.#cluster = cluster;
    this.#prefix = options.prefix ?? '';
    this.#counters = Array.from({ length: COUNTERS }, () => ({
      acknowledged: 0,
      indeterminate: 0,
    }));
    for (const node of cluster.nodes) {
      for (let each = 0; each < (options.clientsPerNode ?? 1); each += 1) {
        this.#loops.push(this.#loop(node, this.#registers.length));
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#loops);
  }

  async #loop(node: TestNode, number: number): Promise<void> {
    const register: Register = { acknowledged: 0, tried: 0 };
    this.#registers.push(register);
    const client = node.client();
    for (let round = 1; !this.#stopping; round += 1) {
      const type = await this.#act(client, number, round, register);
      if (type === 'acknowledged') continue;
      await sleep(PAUSE_MS);
    }
    client.close();
  }

  async #act(client: Client, number: number, round: number, register: Register) {
    const prefix = this.#prefix;
    switch (round % 5) {
      case 0: {
        const at = Math.floor(Math.random() * COUNTERS);
        const counter = this.#counters[at] as Counter;
        const type = this.#count(await client.run('INCR', `${prefix}n${at}`));
        if (type !== 'refused') counter[type] += 1;
        return type;
      }
      case 1: {
        register.tried = round;
        const outcome = await client.run('SET', `${prefix}last${number}`, String(round));
        const type = this.#count(outcome);
        if (type === 'acknowledged') register.acknowledged = round;
        return type;
      }
      default: {
        const key = `${prefix}w${number}.${round}`;
        const type = this.#count(await client.run('SET', key, key));
        this.#written.set(key, type);
        return type;
      }
    }
  }

  #count(outcome: Outcome): 'acknowledged' | 'indeterminate' | 'refused' {
    if (outcome.type === 'ok') {
      this.acknowledged += 1;
      return 'acknowledged';
    }
    const why = `${outcome.type}: ${outcome.why}`;
    this.failures.set(why, (this.failures.get(why) ?? 0) + 1);
    if (outcome.type === 'error') throw new Error(`a command of the load failed: ${outcome.why}`);
    if (outcome.type === 'refused') {
      this.refused += 1;
      return 'refused';
    }
    this.indeterminate += 1;
    return 'indeterminate';
  }

  /** Everything that is wrong, asked of these nodes. Call it after `stop`. */
  async problems(
    nodes: readonly TestNode[] = this.#cluster.nodes.filter(({ isRunning }) => isRunning),
  ): Promise<string[]> {
    const problems: string[] = [];
    for (const node of nodes) {
      const client = node.client();
      const say = (what: string): void => {
        problems.push(`node ${node.id}: ${what}`);
      };
      await this.#checkWritten(client, say);
      await this.#checkCounters(client, say);
      await this.#checkRegisters(client, say);
      client.close();
    }
    return problems;
  }

  async #checkWritten(client: Client, say: (what: string) => void): Promise<void> {
    const keys = [...this.#written.keys()];
    for (let at = 0; at < keys.length; at += READ_KEYS_MAX) {
      const some = keys.slice(at, at + READ_KEYS_MAX);
      const values = (await client.must('MGET', ...some)) as (string | null)[];
      some.forEach((key, index) => {
        const value = values[index];
        const type = this.#written.get(key);
        if (value !== null && value !== key) say(`${key} is ${value}`);
        if (value === null && type === 'acknowledged') say(`${key} was acknowledged and is lost`);
        if (value !== null && type === 'refused') say(`${key} was refused and is there`);
      });
    }
  }

  async #checkCounters(client: Client, say: (what: string) => void): Promise<void> {
    for (const [at, { acknowledged, indeterminate }] of this.#counters.entries()) {
      const value = Number(await client.must('GET', `${this.#prefix}n${at}`));
      if (value < acknowledged || value > acknowledged + indeterminate) {
        say(`counter ${at} is ${value}: ${acknowledged} acknowledged, ${indeterminate} open`);
      }
    }
  }

  async #checkRegisters(client: Client, say: (what: string) => void): Promise<void> {
    for (const [number, { acknowledged, tried }] of this.#registers.entries()) {
      const value = Number(await client.must('GET', `${this.#prefix}last${number}`));
      if (value < acknowledged || value > tried) {
        say(`register ${number} is ${value}: ${acknowledged} acknowledged, ${tried} tried last`);
      }
    }
  }

  describe(): string {
    const failures = [...this.failures].map(([why, times]) => `${times} x ${why.slice(0, 90)}`);
    const counts = `${this.acknowledged} acknowledged, ${this.indeterminate} indeterminate`;
    return `${counts}, ${this.refused} refused; ${failures.join('; ')}`;
  }
}
