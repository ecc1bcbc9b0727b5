/**
 * The operations of the linearizability check's clients with their answers, as three histories:
 * single keys (registers with compare-and-set, counters), transactions over lists, and groups of
 * collections (`check-collections.ts`). Keys are used for a while and then left alone, so that no
 * search has to cover one key for a whole run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type History, HistoryRecorder, type Json } from '../verify/history.ts';
import { CollectionClients } from './check-collections.ts';
import { CheckTally } from './check-tally.ts';
import type { Client, Outcome, Words } from './client.ts';
import type { TestNode } from './harness.ts';

export interface CheckWorkloadOptions {
  /** Beside these, one client per node only reads. */
  readonly clientsPerNode: number;
  /** Between two operations of one client. */
  readonly thinkMsMax: number;
  /** After that the client gives the operation up; it stays open in the history. */
  readonly timeoutMs: number;
}

/** Keys of each sort that are in use at the same time. */
const KEYS = 4;
/** Operations on a sort of keys until its oldest key is left for a new one. */
const MOVE_AFTER = 60;
const MICRO_OPERATIONS_MAX = 4;
/** After a failure, so that a dead node does not fill the history with refusals. */
const PAUSE_MS = 50;

interface CheckHistories {
  readonly registers: History;
  readonly lists: History;
  readonly collections: History;
}

export class CheckWorkload {
  readonly #nodes: readonly TestNode[];
  readonly #options: CheckWorkloadOptions;
  readonly #registers: HistoryRecorder;
  readonly #lists: HistoryRecorder;
  readonly #loops: Promise<void>[] = [];
  /** Nodes that are part of a fault; replaced as a whole. */
  faulty: readonly TestNode[] = [];
  readonly #used = new Map<string, number>();
  #stopping = false;
  #process = 0;
  /** Makes every written value and every element a different one. */
  #element = 0;
  readonly tally = new CheckTally();
  readonly #collections: CollectionClients;

  constructor(nodes: readonly TestNode[], options: CheckWorkloadOptions) {
    this.#nodes = nodes;
    this.#options = options;
    const nowUs = (): number => Math.round(performance.now() * 1_000);
    this.#registers = new HistoryRecorder('redis', nowUs);
    this.#lists = new HistoryRecorder('list-append-txn', nowUs);
    this.#collections = new CollectionClients(nowUs, this.tally, {
      next: () => this.#next(),
      recent: () => this.#guess(),
    });
  }

  begin(): void {
    for (const node of this.#nodes) {
      // A client that writes is soon stuck at a node that is cut off. One that only reads is not:
      // it would see what the node should no longer say.
      this.#loops.push(this.#loop(node, true));
      for (let each = 0; each < this.#options.clientsPerNode; each += 1) {
        this.#loops.push(this.#loop(node, false));
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#loops);
  }

  histories(): CheckHistories {
    return {
      registers: this.#registers.history(),
      lists: this.#lists.history(),
      collections: this.#collections.history(),
    };
  }

  async #loop(node: TestNode, readsOnly: boolean): Promise<void> {
    const { thinkMsMax, timeoutMs } = this.#options;
    const client = node.client({ timeoutMs });
    this.#process += 1;
    // A process whose operation stays open never acts again; a new one takes its place.
    let process = this.#process;
    while (!this.#stopping) {
      const { faulty } = this;
      const type = await (readsOnly ? this.#read(client, process) : this.#act(client, process));
      if (faulty === this.faulty && !faulty.includes(node)) {
        this.tally.healthy.tried += 1;
        if (type === 'ok') this.tally.healthy.ok += 1;
      }
      if (type === 'unknown') {
        this.#process += 1;
        process = this.#process;
      }
      await sleep(type === 'ok' ? Math.random() * thinkMsMax : PAUSE_MS);
    }
    client.close();
  }

  #act(client: Client, process: number): Promise<Outcome['type']> {
    const dice = Math.random();
    if (dice < 0.2) return this.#register(client, process);
    if (dice < 0.25) return this.#watched(client, process);
    if (dice < 0.35) return this.#counter(client, process);
    if (dice < 0.4) {
      return this.#readMany(client, process, [this.#key('l'), this.#key('l'), this.#key('l')]);
    }
    if (dice < 0.45) return this.#lengthened(client, process);
    if (dice < 0.65) return this.#transaction(client, process);
    return this.#collections.act(client, process, (group) => this.#key(group));
  }

  #read(client: Client, process: number): Promise<Outcome['type']> {
    const dice = Math.random();
    if (dice < 0.25) return this.#single(client, process, ['GET', this.#recent('r')]);
    if (dice < 0.4) return this.#single(client, process, ['GET', this.#recent('c')]);
    if (dice < 0.5) return this.#readMany(client, process, [this.#recent('l'), this.#recent('l')]);
    if (dice < 0.65) {
      return this.#readLists(client, process, [this.#recent('e'), this.#recent('l')]);
    }
    return this.#collections.read(client, process, (group) => this.#recent(group));
  }

  /** One of the keys of a sort that are in use now. */
  #key(sort: string): string {
    this.#used.set(sort, (this.#used.get(sort) ?? 0) + 1);
    return this.#recent(sort);
  }

  #recent(sort: string): string {
    const used = this.#used.get(sort) ?? 0;
    return `${sort}${Math.floor(used / MOVE_AFTER) + Math.floor(Math.random() * KEYS)}`;
  }

  #next(): string {
    this.#element += 1;
    return String(this.#element);
  }

  /** Right now and then: values count up, and few keys are in use. */
  #guess(): string {
    return String(Math.max(1, this.#element - Math.ceil(Math.random() * 30)));
  }

  // ---- single keys ------------------------------------------------------------------------

  #register(client: Client, process: number): Promise<Outcome['type']> {
    const key = this.#key('r');
    const value = this.#next();
    const guess = this.#guess();
    const choices: readonly Words[] = [
      ['SET', key, value],
      ['GET', key],
      ['GET', key],
      ['SETNX', key, value],
      ['SET', key, value, 'IFEQ', guess],
      ['GETDEL', key],
      ['SET', key, value, 'XX', 'GET'],
    ];
    const words = choices[Math.floor(Math.random() * choices.length)] ?? ['GET', key];
    return this.#single(client, process, words);
  }

  #counter(client: Client, process: number): Promise<Outcome['type']> {
    const key = this.#key('c');
    return this.#single(client, process, [Math.random() < 0.6 ? 'INCR' : 'GET', key]);
  }

  async #single(client: Client, process: number, words: Words): Promise<Outcome['type']> {
    const [kind, key = '', ...args] = words;
    const id = this.#registers.invoke(process, kind, [key], args);
    const outcome = await client.run(...words);
    return this.tally.finish(this.#registers, id, outcome, (reply) => reply as Json);
  }

  /** WATCH, GET, MULTI, SET, EXEC: a SET that depends on the value that was read behind WATCH. */
  async #watched(client: Client, process: number): Promise<Outcome['type']> {
    const key = this.#key('r');
    const value = this.#next();
    let open: Outcome['type'] | undefined;
    let id: number | undefined;
    const outcome = await client.watching(key, async () => {
      const read = this.#registers.invoke(process, 'GET', [key], []);
      const found = await client.run('GET', key);
      const type = this.tally.finish(this.#registers, read, found, (reply) => reply as Json);
      if (found.type !== 'ok') {
        open = type;
        return undefined;
      }
      const met = found.reply === null ? ['NX'] : ['IFEQ', String(found.reply)];
      id = this.#registers.invoke(process, 'SET', [key], [value, ...met]);
      return [['SET', key, value]];
    });
    if (id === undefined) return open ?? 'refused';
    return this.tally.finishWatched(
      this.#registers,
      id,
      outcome,
      (reply) => (reply as Json[])[0] ?? null,
    );
  }

  // ---- transactions -----------------------------------------------------------------------

  async #transaction(client: Client, process: number): Promise<Outcome['type']> {
    const count = 1 + Math.floor(Math.random() * MICRO_OPERATIONS_MAX);
    const micros: Json[][] = [];
    const commands: Words[] = [];
    for (let at = 0; at < count; at += 1) {
      const key = this.#key(Math.random() < 0.5 ? 'l' : 'e');
      if (Math.random() < 0.5) {
        micros.push(['read', key]);
        commands.push(readOf(key));
      } else {
        const element = this.#next();
        micros.push(['append', key, Number(element)]);
        commands.push(appendOf(key, element));
      }
    }
    const id = this.#lists.invoke(process, 'txn', [], micros);
    const outcome = await client.transaction(commands);
    return this.tally.finish(this.#lists, id, outcome, (reply) =>
      micros.map(([type], at) => (type === 'read' ? listOf((reply as unknown[])[at]) : null)),
    );
  }

  /** WATCH, LRANGE, MULTI, RPUSH, EXEC: the read and the append are one transaction. */
  async #lengthened(client: Client, process: number): Promise<Outcome['type']> {
    const key = this.#key('e');
    const element = this.#next();
    let open: Outcome['type'] | undefined;
    let id: number | undefined;
    let list: Json = [];
    const outcome = await client.watching(key, async () => {
      const read = this.#lists.invoke(process, 'txn', [], [['read', key]]);
      const found = await client.run(...readOf(key));
      const type = this.tally.finish(this.#lists, read, found, (reply) => [listOf(reply)]);
      if (found.type !== 'ok') {
        open = type;
        return undefined;
      }
      list = listOf(found.reply);
      id = this.#lists.invoke(
        process,
        'txn',
        [],
        [
          ['read', key],
          ['append', key, Number(element)],
        ],
      );
      return [appendOf(key, element)];
    });
    if (id === undefined) return open ?? 'refused';
    return this.tally.finishWatched(this.#lists, id, outcome, () => [list, null]);
  }

  /** A transaction that only reads, of both forms of lists. */
  async #readLists(client: Client, process: number, some: string[]): Promise<Outcome['type']> {
    const keys = [...new Set(some)];
    const micros = keys.map((key) => ['read', key]);
    const id = this.#lists.invoke(process, 'txn', [], micros);
    const outcome = await client.transaction(keys.map(readOf));
    return this.tally.finish(this.#lists, id, outcome, (reply) => (reply as unknown[]).map(listOf));
  }

  /** MGET: a transaction that only reads, in one command. */
  async #readMany(client: Client, process: number, some: string[]): Promise<Outcome['type']> {
    const keys = [...new Set(some)];
    const micros = keys.map((key) => ['read', key]);
    const id = this.#lists.invoke(process, 'txn', [], micros);
    const outcome = await client.run('MGET', ...keys);
    return this.tally.finish(this.#lists, id, outcome, (reply) => (reply as unknown[]).map(listOf));
  }

  /** Each key once more, from every node: what was acknowledged must be there. */
  async readAll(): Promise<void> {
    const { registers, lists } = this.histories();
    const keysOf = (history: History): string[] => [
      ...new Set(
        history.operations.flatMap(({ keys, args }) =>
          keys.length > 0 ? keys : (args as string[][]).map(([, key = '']) => key),
        ),
      ),
    ];
    await Promise.all(
      this.#nodes.map(async (node) => {
        const client = node.client();
        this.#process += 1;
        const process = this.#process;
        for (const key of keysOf(registers)) await this.#single(client, process, ['GET', key]);
        for (const key of keysOf(lists)) {
          const id = this.#lists.invoke(process, 'txn', [], [['read', key]]);
          const outcome = await client.run(...readOf(key));
          this.tally.finish(this.#lists, id, outcome, (reply) => [listOf(reply)]);
        }
        await this.#collections.readAll(client, process);
        client.close();
      }),
    );
  }
}

/** Keys with an `e` are lists, the others strings that are appended to. */
function readOf(key: string): Words {
  return key.startsWith('e') ? ['LRANGE', key, '0', '-1'] : ['GET', key];
}

function appendOf(key: string, element: string): Words {
  return key.startsWith('e') ? ['RPUSH', key, element] : ['APPEND', key, `${element},`];
}

/** `1,2,3,`, or the elements of a list, as a list of numbers. */
function listOf(reply: unknown): Json {
  if (Array.isArray(reply)) return reply.map(Number);
  if (typeof reply !== 'string') return [];
  return reply.split(',').filter(Boolean).map(Number);
}
