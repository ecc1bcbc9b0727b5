/**
 * What simulated clients do, and what they were told, as histories for the checkers in
 * `test/verify`. Single keys of several sorts go through one recorder, transactions over lists
 * through another. A time-out or a restart leaves an operation open for ever.
 */
import type { SeededRng } from '../../actors/runtime/seeded-rng.ts';
import { type History, HistoryRecorder, type Json, type Operation } from '../verify/history.ts';
import { checkLinearizability, STEPS_MAX } from '../verify/linearizability.ts';
import { checkStrictSerializability } from '../verify/strict-serializability.ts';
import { type Answer, parseReplies, type Reply, unitOf } from './client.ts';
import type { Profile } from './profile.ts';
import type { SimNode } from './sim-node.ts';
import type { VirtualScheduler } from './virtual-scheduler.ts';

export interface WorkloadOptions {
  readonly profile: Profile;
  readonly scheduler: VirtualScheduler;
  readonly nodes: readonly SimNode[];
  readonly count: (what: string) => void;
  /** Every answer that a client gets. */
  readonly answered: (node: number, commands: string, answer: Answer) => void;
  readonly violation: (what: string) => void;
  /** Steps of the search per key; without a verdict by then the run has failed. */
  readonly checkStepsMax?: number | undefined;
}

type Words = readonly string[];
/** What an acknowledged write has changed. */
type Wrote = { readonly key: string; readonly list: boolean };
type Done = (isOpen: boolean, wrote?: Wrote) => void;

/** All of them are set at once, so that every look at them must find them equal. */
const GROUP: Words = ['m1', 'm2', 'm3'];

export class Workload {
  readonly #options: WorkloadOptions;
  readonly #registers: HistoryRecorder;
  readonly #lists: HistoryRecorder;
  #quiet = false;
  /** Makes every written value a different one. */
  #element = 0;
  #process = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    const nowUs = (): number => Math.round(options.scheduler.nowMs * 1_000);
    this.#registers = new HistoryRecorder('redis', nowUs);
    this.#lists = new HistoryRecorder('list-append-txn', nowUs);
  }

  get operations(): number {
    return this.#registers.size + this.#lists.size;
  }

  histories(): { registers: History; lists: History } {
    return { registers: this.#registers.history(), lists: this.#lists.history() };
  }

  stop(): void {
    this.#quiet = true;
  }

  /** One client: one operation at a time, against any node. */
  begin(rng: SeededRng): void {
    const { profile, scheduler, nodes } = this.#options;
    this.#process += 1;
    // A process whose operation stays open never acts again; a new one takes its place.
    let process = this.#process;
    const next = (): void => {
      if (this.#quiet) return;
      scheduler.after(rng.next() * profile.thinkMsMax, () => {
        const node = nodes[Math.floor(rng.next() * nodes.length)];
        if (this.#quiet || node === undefined) return;
        const once = (after: Done): Done => {
          let over = false;
          const done: Done = (isOpen, wrote) => {
            if (over) return;
            over = true;
            if (isOpen) {
              this.#process += 1;
              process = this.#process;
            }
            after(isOpen, wrote);
          };
          // The node may die with the unit: the client gives up by itself.
          scheduler.after(2 * profile.commandTimeoutMs, () => done(true));
          return done;
        };
        const done = once((isOpen, wrote) => {
          if (isOpen || wrote === undefined || !profile.readBack) return next();
          this.#readBack(node, process, wrote, rng, once(next));
        });
        this.#act(node, process, rng, done);
      });
    };
    next();
  }

  /** What was acknowledged at one node is read at another at once. */
  #readBack(writer: SimNode, process: number, wrote: Wrote, rng: SeededRng, done: Done): void {
    const others = this.#options.nodes.filter((node) => node !== writer);
    const node = others[Math.floor(rng.next() * others.length)] ?? writer;
    const { key } = wrote;
    this.#options.count('read after a write');
    if (wrote.list) return this.#readList(node, process, key, done);
    if (key === 'm') return this.#readGroup(node, process, done);
    this.#single(node, process, ['GET', key], { kind: 'GET', key, args: [] }, done);
  }

  #act(node: SimNode, process: number, rng: SeededRng, done: Done): void {
    const { readPipelineRate } = this.#options.profile;
    if (readPipelineRate > 0 && rng.next() < readPipelineRate) {
      return this.#pipeline(node, process, rng, done);
    }
    const kind = rng.next();
    if (kind < 0.35) this.#register(node, process, rng, done);
    else if (kind < 0.5) this.#volatile(node, process, rng, done);
    else if (kind < 0.6) this.#group(node, process, rng, done);
    else if (kind < 0.7) this.#readMany(node, process, rng, done);
    else this.#transaction(node, process, rng, done);
  }

  #key(kind: string, rng: SeededRng): string {
    return `${kind}${Math.floor(rng.next() * this.#options.profile.keys)}`;
  }

  #value(): string {
    this.#element += 1;
    return String(this.#element);
  }

  // ---- single keys ------------------------------------------------------------------------

  #register(node: SimNode, process: number, rng: SeededRng, done: Done): void {
    const key = this.#key('r', rng);
    const value = this.#value();
    const choices: readonly Words[] = [
      ['SET', key, value],
      ['GET', key],
      ['GET', key],
      ['INCR', key],
      ['SETNX', key, value],
      ['GETDEL', key],
      ['SET', key, value, 'XX', 'GET'],
    ];
    const words = choices[Math.floor(rng.next() * choices.length)] ?? ['GET', key];
    const [kind = '', , ...args] = words;
    this.#single(node, process, words, { kind, key, args }, done);
  }

  /**
   * Keys with deadlines. The model has none: that a value may be gone from its SET on is said by an
   * open operation that removes it (see `#volatileHistory`), and all other commands only prolong.
   */
  #volatile(node: SimNode, process: number, rng: SeededRng, done: Done): void {
    const { ttlMsMax } = this.#options.profile;
    const key = this.#key('t', rng);
    const ttl = String(1 + Math.floor(rng.next() * ttlMsMax));
    const longest = String(Math.ceil(ttlMsMax));
    const value = this.#value();
    const kind = rng.next();
    if (kind < 0.35) {
      const as = { kind: 'SET', key, args: [value] };
      this.#single(node, process, ['SET', key, value, 'PX', ttl], as, done);
    } else if (kind < 0.75) {
      this.#single(node, process, ['GET', key], { kind: 'GET', key, args: [] }, done);
    } else if (kind < 0.85) {
      const as = { kind: 'GET', key, args: [] };
      this.#single(node, process, ['GETEX', key, 'PX', longest], as, done);
    } else if (kind < 0.95) {
      const as = { kind: 'EXISTS', key, args: [] };
      this.#single(node, process, ['PEXPIRE', key, longest], as, done);
    } else {
      const as = { kind: 'DEL', key, args: [] };
      this.#single(node, process, ['PEXPIRE', key, '0'], as, done);
    }
  }

  /** Keys that are always set together: to the model, one register. */
  #group(node: SimNode, process: number, rng: SeededRng, done: Done): void {
    if (rng.next() < 0.5) {
      const value = this.#value();
      const words = ['MSET', ...GROUP.flatMap((key) => [key, value])];
      this.#single(node, process, words, { kind: 'SET', key: 'm', args: [value] }, done);
      return;
    }
    this.#readGroup(node, process, done);
  }

  #readGroup(node: SimNode, process: number, done: Done): void {
    const words = ['MGET', ...GROUP];
    this.#single(node, process, words, { kind: 'GET', key: 'm', args: [] }, done, (reply) => {
      const values = reply as readonly Reply[];
      const [first] = values;
      if (values.some((value) => value !== first)) {
        this.#options.violation(`MGET finds half an MSET: ${JSON.stringify(values)}`);
      }
      return first as Json;
    });
  }

  #single(
    node: SimNode,
    process: number,
    words: Words,
    as: { readonly kind: string; readonly key: string; readonly args: readonly Json[] },
    done: Done,
    result: (reply: Reply | undefined) => Json = (reply) => reply as Json,
  ): void {
    const id = this.#registers.invoke(process, as.kind, [as.key], as.args);
    const isWrite = as.kind !== 'GET' && as.kind !== 'EXISTS';
    this.#submit(node, [words], false, (answer) => {
      this.#finish(this.#registers, id, answer, (replies) => result(replies[0]));
      const wrote = isWrite && answer.type === 'replies';
      done(answer.type === 'unknown', wrote ? { key: as.key, list: false } : undefined);
    });
  }

  // ---- transactions -----------------------------------------------------------------------

  #transaction(node: SimNode, process: number, rng: SeededRng, done: Done): void {
    const count = 1 + Math.floor(rng.next() * 4);
    const micros: Json[][] = [];
    const commands: Words[] = [];
    for (let at = 0; at < count; at += 1) {
      const key = this.#key('l', rng);
      if (rng.next() < 0.5) {
        micros.push(['read', key]);
        commands.push(['GET', key]);
      } else {
        this.#element += 1;
        micros.push(['append', key, this.#element]);
        commands.push(['APPEND', key, `${this.#element},`]);
      }
    }
    const appended = micros.find(([type]) => type === 'append')?.[1];
    const id = this.#lists.invoke(process, 'txn', [], micros);
    this.#submit(node, commands, true, (answer) => {
      this.#finish(this.#lists, id, answer, (replies) => {
        const results = replies[0] as readonly Reply[];
        return micros.map(([type], at) => (type === 'read' ? listOf(results[at]) : null));
      });
      const wrote = answer.type === 'replies' && typeof appended === 'string';
      done(answer.type === 'unknown', wrote ? { key: appended, list: true } : undefined);
    });
  }

  /** One list, by a read that is not logged. */
  #readList(node: SimNode, process: number, key: string, done: Done): void {
    const id = this.#lists.invoke(process, 'txn', [], [['read', key]]);
    this.#submit(node, [['GET', key]], false, (answer) => {
      this.#finish(this.#lists, id, answer, ([reply]) => [listOf(reply)]);
      done(answer.type === 'unknown');
    });
  }

  /** MGET: a transaction that only reads, in one command. */
  #readMany(node: SimNode, process: number, rng: SeededRng, done: Done): void {
    const keys = [...new Set([this.#key('l', rng), this.#key('l', rng), this.#key('l', rng)])];
    const micros = keys.map((key) => ['read', key]);
    const id = this.#lists.invoke(process, 'txn', [], micros);
    this.#submit(node, [['MGET', ...keys]], false, (answer) => {
      this.#finish(this.#lists, id, answer, (replies) =>
        (replies[0] as readonly Reply[]).map((reply) => listOf(reply)),
      );
      done(answer.type === 'unknown');
    });
  }

  /**
   * GETs in one pipeline: an ephemeral read of several slots, which promises as much as a
   * transaction. Or a write of one key, for two of them to see in opposite orders.
   */
  #pipeline(node: SimNode, process: number, rng: SeededRng, done: Done): void {
    const keys = [...new Set([this.#key('l', rng), this.#key('l', rng), this.#key('l', rng)])];
    const [key = ''] = keys;
    this.#element += 1;
    const writes = rng.next() < 0.4;
    const micros = writes ? [['append', key, this.#element]] : keys.map((each) => ['read', each]);
    const commands = writes
      ? [['APPEND', key, `${this.#element},`]]
      : keys.map((each) => ['GET', each]);
    const id = this.#lists.invoke(process, 'txn', [], micros);
    this.#submit(node, commands, false, (answer) => {
      this.#finish(this.#lists, id, answer, (replies) =>
        writes ? [null] : replies.map((reply) => listOf(reply)),
      );
      done(answer.type === 'unknown');
    });
  }

  // ---- both -------------------------------------------------------------------------------

  #submit(
    node: SimNode,
    commands: readonly Words[],
    exec: boolean,
    answered: (answer: Answer) => void,
  ): void {
    let over = false;
    const once = (answer: Answer): void => {
      if (over) return;
      over = true;
      this.#options.count(`client ${answer.type}`);
      if (answer.type !== 'replies') this.#options.count(`client told ${answer.why}`);
      this.#options.answered(node.id, commands.map((words) => words.join(' ')).join(';'), answer);
      answered(answer);
    };
    if (!node.submit(unitOf(commands, exec, once))) once({ type: 'refused', why: 'nobody there' });
  }

  #finish(
    recorder: HistoryRecorder,
    id: number,
    answer: Answer,
    result: (replies: Reply[]) => Json,
  ): void {
    if (answer.type === 'replies') recorder.complete(id, result(parseReplies(answer.bytes)));
    else if (answer.type === 'refused') recorder.refuse(id);
    else recorder.unknown(id);
  }

  // ---- the end ----------------------------------------------------------------------------

  /** Each key once more, from every node: what was acknowledged must be there. */
  readAll(): void {
    const { nodes, profile } = this.#options;
    const ignore = (): void => undefined;
    for (const node of nodes.filter(({ lost }) => !lost)) {
      for (let at = 0; at < profile.keys; at += 1) {
        for (const key of [`r${at}`, `t${at}`]) {
          this.#process += 1;
          const as = { kind: 'GET', key, args: [] };
          this.#single(node, this.#process, ['GET', key], as, ignore, (reply) => {
            if (key.startsWith('t') && reply !== null) {
              this.#options.violation(`${key} is past its deadline, but node ${node.id} has it`);
            }
            return reply as Json;
          });
        }
        this.#process += 1;
        const micros = [['read', `l${at}`]];
        const id = this.#lists.invoke(this.#process, 'txn', [], micros);
        this.#submit(node, [['GET', `l${at}`]], true, (answer) =>
          this.#finish(this.#lists, id, answer, (replies) => [
            listOf((replies[0] as readonly Reply[])[0]),
          ]),
        );
      }
    }
  }

  /** I20. */
  check(): void {
    const { registers, lists } = this.histories();
    const { checkStepsMax: stepsMax = STEPS_MAX } = this.#options;
    const perKey = checkLinearizability(withExpiries(registers), { stepsMax });
    for (const key of perKey.exhaustedKeys) {
      this.#options.violation(`I20: no verdict on key ${key}: the checker has given up`);
    }
    for (const { text } of perKey.violations) this.#options.violation(`I20: ${text}`);
    const strict = checkStrictSerializability(lists);
    for (const { name, text } of strict.anomalies) this.#options.violation(`I20: ${name}: ${text}`);
  }
}

/** Each value with a deadline may go at any time after its SET began, or never. */
function withExpiries(history: History): History {
  const operations: Operation[] = [...history.operations];
  for (const { keys, kind, args, invokedAt, outcome } of history.operations) {
    if (kind !== 'SET' || keys[0]?.startsWith('t') !== true || outcome === 'refused') continue;
    const id = operations.length;
    const open = { completedAt: undefined, result: undefined, outcome: 'unknown' } as const;
    operations.push({ id, process: -id, invokedAt, kind: 'DELIFEQ', keys, args, ...open });
  }
  return { ...history, operations };
}

/** `1,2,3,` as a list of numbers. */
function listOf(reply: Reply | undefined): Json {
  if (typeof reply !== 'string') return [];
  return reply.split(',').filter(Boolean).map(Number);
}
