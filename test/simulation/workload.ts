/**
 * The operations of simulated clients with their answers, as histories for the checkers in
 * `test/verify`. Single keys of several sorts go through one recorder, transactions over lists
 * through another. A timeout or a restart leaves an operation open for ever.
 */
import type { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { STATE_OPEN, UNCHANGED_COMMAND, VERSION_COMMAND } from '../../storage/commands/watched.ts';
import { UNIT_WRITE_BYTES_MAX } from '../../storage/limits.ts';
import { type History, HistoryRecorder, type Json } from '../verify/history.ts';
import { checkLinearizability, STEPS_MAX } from '../verify/linearizability.ts';
import { checkStrictSerializability } from '../verify/strict-serializability.ts';
import { type Answer, parseReplies, type Reply, type UnitItem, unitOf } from './client.ts';
import { FLUSHALL, withExpiries, withFlushes } from './expiries.ts';
import { limitsOf } from './node-limits.ts';
import { KINDS, type Kind, type Profile } from './profile.ts';
import {
  bigUnit,
  mixedUnit,
  type RandomUnit,
  type RandomUnitOptions,
  settingUnit,
  type Words,
  wholeStoreUnit,
} from './random-units.ts';
import { type KeyPlace, plainKey } from './sim-group.ts';
import type { SimNode } from './sim-node.ts';
import type { VirtualScheduler } from './virtual-scheduler.ts';

export interface WorkloadOptions {
  readonly profile: Profile;
  readonly scheduler: VirtualScheduler;
  /** Those that take commands: members of the group whose keys these are, and others. */
  readonly nodes: readonly SimNode[];
  readonly group: KeyPlace;
  /** Several commands are always one MULTI block. */
  readonly blocksOnly?: boolean;
  readonly count: (what: string) => void;
  /** Every answer that a client gets. */
  readonly answered: (node: number, commands: string, answer: Answer) => void;
  readonly violation: (what: string) => void;
  /** Steps of the search per key; without a verdict by then the run has failed. */
  readonly checkStepsMax?: number | undefined;
}

/** A key to read at another node at once: it was written and acknowledged, or found gone. */
type Touched = { readonly key: string; readonly list: boolean };
type Done = (isOpen: boolean, touched?: Touched) => void;

/** Words of a command that name keys; others begin with a digit, a sign or a capital. */
const KEY = /^[a-z]+\d*$/;
/** All of them are set at once, so that every look at them must find them equal. */
const GROUP: Words = ['m1', 'm2', 'm3'];
const WHOLE_STORE = new Set([
  ...['DBSIZE', 'KEYS', 'SCAN', 'RANDOMKEY'],
  ...['FLUSHALL', 'FLUSHDB', 'SWAPDB', 'HOLO.SETTING'],
]);
/** Kinds of keys of which the model is in database 1, where there are several. */
const IN_ANOTHER_DATABASE = /^[lt]\d+$/;
/** Questions for the state of a key. */
const STATE_TRIES_MAX = 8;

export class Workload {
  readonly #options: WorkloadOptions;
  readonly #registers: HistoryRecorder;
  readonly #lists: HistoryRecorder;
  /** By operation on a key with a deadline, in ms: how long its value lives, or lives on. */
  readonly #lives = new Map<number, number>();
  readonly #prolongs = new Map<number, number>();
  /** Lists that are there for good: an element of each was acknowledged. */
  readonly #listed = new Set<string>();
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
          const done: Done = (isOpen, touched) => {
            if (over) return;
            over = true;
            if (isOpen) {
              this.#process += 1;
              process = this.#process;
            }
            after(isOpen, touched);
          };
          // The node may die with the unit: the client gives up by itself.
          scheduler.after(2 * profile.commandTimeoutMs, () => done(true));
          return done;
        };
        const done = once((isOpen, touched) => {
          if (isOpen || touched === undefined || !profile.readBack) return next();
          this.#readBack(node, process, touched, rng, once(next));
        });
        this.#act(node, process, rng, done);
      });
    };
    next();
  }

  /** Reads an acknowledged write at another node at once. */
  #readBack(writer: SimNode, process: number, touched: Touched, rng: SeededRng, done: Done): void {
    const others = this.#options.nodes.filter((node) => node !== writer);
    const node = others[Math.floor(rng.next() * others.length)] ?? writer;
    const { key } = touched;
    this.#options.count('read after a write');
    if (touched.list) return this.#readList(node, process, key, done);
    if (key === 'm') return this.#readGroup(node, process, done);
    this.#single(node, process, ['GET', key], { kind: 'GET', key, args: [] }, done);
  }

  #act(node: SimNode, process: number, rng: SeededRng, done: Done): void {
    const { mix, readPipelineRate } = this.#options.profile;
    if (readPipelineRate > 0 && rng.next() < readPipelineRate) {
      return this.#pipeline(node, process, rng, done);
    }
    let at = rng.next() * Object.values(mix).reduce((sum, weight) => sum + weight, 0);
    for (const kind of KINDS) {
      at -= mix[kind];
      if (at < 0) return this.#begin(kind, node, process, rng, done);
    }
    this.#begin('register', node, process, rng, done);
  }

  #begin(kind: Kind, node: SimNode, process: number, rng: SeededRng, done: Done): void {
    this.#options.count(`workload ${kind}`);
    switch (kind) {
      case 'register':
        return this.#register(node, process, rng, done);
      case 'volatile':
        return this.#volatile(node, process, rng, done);
      case 'group':
        return this.#group(node, process, rng, done);
      case 'readMany':
        return this.#readMany(node, process, rng, done);
      case 'transaction':
        return this.#transaction(node, process, rng, done);
      case 'mixed':
        return this.#random(node, process, mixedUnit(this.#unitOptions(rng)), done);
      case 'wholeStore':
        return this.#random(node, process, wholeStoreUnit(this.#unitOptions(rng)), done);
      case 'walk':
        return this.#walk(node, rng, done);
      case 'big':
        return this.#random(node, process, bigUnit(this.#unitOptions(rng)), done);
      case 'settings':
        return this.#random(node, process, settingUnit(this.#unitOptions(rng)), done);
      case 'watch':
        return this.#watch(node, process, rng, done);
    }
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

  /** Keys with deadlines (see `expiries.ts`); all commands but SET and removal only prolong. */
  #volatile(node: SimNode, process: number, rng: SeededRng, done: Done): void {
    const { ttlMsMax } = this.#options.profile;
    const key = this.#key('t', rng);
    const ttl = String(1 + Math.floor(rng.next() * ttlMsMax));
    const longest = String(Math.ceil(ttlMsMax));
    const value = this.#value();
    const kind = rng.next();
    const id = this.#registers.size;
    if (kind < 0.35) this.#lives.set(id, Number(ttl));
    else if (kind >= 0.75 && kind < 0.95) this.#prolongs.set(id, Number(longest));
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
      let isGone = false;
      this.#finish(this.#registers, id, answer, ([reply]) => {
        isGone = as.key.startsWith('t') && reply === null;
        return result(reply);
      });
      const touched = (isWrite || isGone) && answer.type === 'replies';
      done(answer.type === 'unknown', touched ? { key: as.key, list: false } : undefined);
    });
  }

  // ---- watched keys -------------------------------------------------------------------------

  /**
   * WATCH, GET, MULTI, SET, EXEC: to the model, a SET that depends on the value that was read
   * behind WATCH.
   */
  #watch(node: SimNode, process: number, rng: SeededRng, done: Done): void {
    const key = this.#key(rng.next() < 0.7 ? 'r' : 't', rng);
    this.#askState(node, key, STATE_TRIES_MAX, (state) => {
      if (state === undefined) return done(false);
      const id = this.#registers.invoke(process, 'GET', [key], []);
      this.#submit(node, [['GET', key]], false, (answer) => {
        let value: Json = null;
        this.#finish(this.#registers, id, answer, ([reply]) => {
          value = reply as Json;
          return value;
        });
        if (answer.type !== 'replies') return done(answer.type === 'unknown');
        this.#setIfUnchanged(node, process, { key, state, value }, rng, done);
      });
    });
  }

  #askState(
    node: SimNode,
    key: string,
    tries: number,
    told: (state: string | undefined) => void,
  ): void {
    this.#submit(node, [[VERSION_COMMAND, key]], false, (answer) => {
      const [state] = answer.type === 'replies' ? parseReplies(answer.bytes) : [];
      if (typeof state !== 'string') return told(undefined);
      if (state !== STATE_OPEN) return told(state);
      this.#options.count('watch asked again');
      if (tries > 1) this.#askState(node, key, tries - 1, told);
      else told(undefined);
    });
  }

  #setIfUnchanged(
    node: SimNode,
    process: number,
    watched: { readonly key: string; readonly state: string; readonly value: Json },
    rng: SeededRng,
    done: Done,
  ): void {
    const { key, state, value } = watched;
    const fresh = this.#value();
    const ttl = String(1 + Math.floor(rng.next() * this.#options.profile.ttlMsMax));
    const life = key.startsWith('t') ? ['PX', ttl] : [];
    const guard = [UNCHANGED_COMMAND, String(this.#databaseOf(key)), key, state];
    if (life.length > 0) this.#lives.set(this.#registers.size, Number(ttl));
    const met = value === null ? ['NX'] : ['IFEQ', value];
    const id = this.#registers.invoke(process, 'SET', [key], [fresh, ...met]);
    this.#submit(node, [guard, ['SET', key, fresh, ...life]], false, (answer) => {
      const replies = answer.type === 'replies' ? parseReplies(answer.bytes) : [];
      const [kept, set] = replies;
      const what = kept === null ? 'watch nil' : 'watch kept';
      if (answer.type === 'replies') this.#options.count(what);
      if (kept === null || isOutOfMemory(set)) this.#registers.refuse(id);
      else this.#finish(this.#registers, id, answer, () => set as Json);
      done(answer.type === 'unknown');
    });
  }

  #databaseOf(key: string): number {
    return this.#options.profile.databases > 1 && IN_ANOTHER_DATABASE.test(key) ? 1 : 0;
  }

  // ---- transactions -----------------------------------------------------------------------

  #transaction(node: SimNode, process: number, rng: SeededRng, done: Done): void {
    const count = 1 + Math.floor(rng.next() * 4);
    const micros: Json[][] = [];
    const commands: Words[] = [];
    // Without an answer, it is unknown which of the unit's appends would have written too much.
    const { unitWriteBytesMax } = limitsOf(this.#options.profile);
    let appendsLeft = unitWriteBytesMax < UNIT_WRITE_BYTES_MAX ? 1 : count;
    for (let at = 0; at < count; at += 1) {
      const key = this.#key('l', rng);
      if (rng.next() < 0.5 || appendsLeft === 0) {
        micros.push(['read', key]);
        commands.push(['GET', key]);
      } else {
        appendsLeft -= 1;
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
        for (const [at, micro] of micros.entries()) {
          if (!isOutOfMemory(results[at])) continue;
          this.#options.count('command told OOM');
          // It counts as a read whose answer is unknown.
          micros[at] = ['read', `nothing ${micro[1]}`];
        }
        return micros.map(([type], at) => (type === 'read' ? listOf(results[at]) : null));
      });
      const wrote = answer.type === 'replies' && typeof appended === 'string';
      for (const [type, key] of micros) {
        if (wrote && type === 'append') this.#listed.add(String(key));
      }
      done(answer.type === 'unknown', wrote ? { key: appended, list: true } : undefined);
    });
  }

  /**
   * GETs in one pipeline: an ephemeral read of several slots, which promises as much as a
   * transaction. Or a write of one key, for two of them to see in opposite orders.
   */
  #pipeline(node: SimNode, process: number, rng: SeededRng, done: Done): void {
    this.#options.count('workload pipeline');
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

  // ---- all commands -----------------------------------------------------------------------

  #unitOptions(rng: SeededRng): RandomUnitOptions {
    const { keys, databases, sameSlot, flushes, ttlMsMax, bigBytesMax } = this.#options.profile;
    const value = (): string => this.#value();
    return { rng, keys, databases, sameSlot, flushes, ttlMsMax, bigBytesMax, value };
  }

  #random(node: SimNode, process: number, unit: RandomUnit, done: Done): void {
    const { commands, databases, flushes } = unit;
    const block = commands.length === 1 ? [1] : [{ exec: commands.length }];
    const plan = this.#options.blocksOnly === true ? block : unit.plan;
    const id = flushes ? this.#registers.invoke(process, FLUSHALL, ['*'], []) : undefined;
    const answered = (answer: Answer): void => {
      // The first reply is that of another command, which may have been refused alone: but with
      // too much in its groups none of them has run.
      const [first] = answer.type === 'replies' ? parseReplies(answer.bytes) : [];
      if (id !== undefined && isTooLarge(first)) this.#registers.refuse(id);
      else if (id !== undefined && answer.type === 'replies') this.#registers.complete(id, 'OK');
      else if (id !== undefined) this.#finish(this.#registers, id, answer, () => 'OK');
      for (const [name = ''] of commands) {
        if (answer.type === 'replies' && WHOLE_STORE.has(name)) {
          this.#options.count(`answered ${name}`);
          if (commands.length > 1) this.#options.count(`answered ${name} among others`);
        }
      }
      done(answer.type === 'unknown');
    };
    this.#submit(node, commands, plan, answered, databases);
  }

  /** SCAN from end to end, each page at any node: it finds what is there all the while, once. */
  #walk(first: SimNode, rng: SeededRng, done: Done): void {
    const there = [...this.#listed];
    const found: Json[] = [];
    const page = (node: SimNode, cursor: string): void => {
      const words = [
        'SCAN',
        cursor,
        'MATCH',
        'l*',
        'COUNT',
        String(1 + Math.floor(rng.next() * 3)),
      ];
      const answered = (answer: Answer): void => {
        if (answer.type !== 'replies') return done(answer.type === 'unknown');
        const [reply] = parseReplies(answer.bytes);
        const [next, keys] = reply as readonly [string, readonly string[]];
        found.push(...keys.map(plainKey));
        const { nodes } = this.#options;
        if (next !== '0') return page(nodes[Math.floor(rng.next() * nodes.length)] ?? node, next);
        this.#options.count('walk ended');
        const missed = there.filter((key) => !found.includes(key));
        if (missed.length > 0) this.#options.violation(`SCAN does not find ${missed.join(' ')}`);
        if (new Set(found).size < found.length) {
          this.#options.violation(`SCAN finds a key twice: ${found.join(' ')}`);
        }
        done(false);
      };
      this.#submit(node, [words], false, answered, [this.#databaseOf('l0')]);
    };
    page(first, '0');
  }

  // ---- all of them -------------------------------------------------------------------------------

  #submit(
    node: SimNode,
    commands: readonly Words[],
    exec: boolean | readonly UnitItem[],
    answered: (answer: Answer) => void,
    databases = this.#databasesOf(commands),
  ): void {
    let over = false;
    const once = (answer: Answer): void => {
      if (over) return;
      over = true;
      this.#options.count(`client ${answer.type}`);
      if (answer.type !== 'replies') this.#options.count(`client told ${answer.why}`);
      else if (answer.isCut) this.#options.count('unit cut behind a long reply');
      this.#options.answered(node.id, commands.map((words) => words.join(' ')).join(';'), answer);
      answered(answer);
    };
    const { group } = this.#options;
    const named = commands.map((words) =>
      words.map((word) => (KEY.test(word) ? group.keyFor(word) : word)),
    );
    if (!node.submit(unitOf(named, exec, once, databases), group)) {
      once({ type: 'refused', why: 'nobody there' });
    }
  }

  #databasesOf(commands: readonly Words[]): readonly number[] {
    return commands.map((words) => this.#databaseOf(words.find((word) => KEY.test(word)) ?? ''));
  }

  #finish(
    recorder: HistoryRecorder,
    id: number,
    answer: Answer,
    result: (replies: Reply[]) => Json,
  ): void {
    const replies = answer.type === 'replies' ? parseReplies(answer.bytes) : undefined;
    // Nothing was done by a command that would have written too much. Reads that were cut in two
    // are two reads, and say nothing as one.
    const isCut = answer.type === 'replies' && answer.isCut;
    const isRefused = isOutOfMemory(replies?.[0]) || isTooLarge(replies?.[0]);
    const isNothing = isCut || answer.type === 'refused' || isRefused;
    if (isNothing) recorder.refuse(id);
    else if (replies !== undefined) recorder.complete(id, result(replies));
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

  /** I20. `clockErrorMs`: by how much deadlines may strike too early or too late. */
  check(clockErrorMs: number): void {
    const { registers, lists } = this.histories();
    const deadlines = { lives: this.#lives, prolongs: this.#prolongs, clockErrorMs };
    const whole = withFlushes(withExpiries(registers, deadlines));
    const { checkStepsMax: stepsMax = STEPS_MAX } = this.#options;
    const perKey = checkLinearizability(whole, { stepsMax });
    for (const key of perKey.exhaustedKeys) {
      this.#options.violation(`I20: no verdict on key ${key}: the checker has given up`);
    }
    for (const { text } of perKey.violations) this.#options.violation(`I20: ${text}`);
    const strict = checkStrictSerializability(lists);
    for (const { name, text } of strict.anomalies) this.#options.violation(`I20: ${name}: ${text}`);
  }
}

function isOutOfMemory(reply: Reply | undefined): boolean {
  if (typeof reply !== 'object' || reply === null || !('error' in reply)) return false;
  return reply.error.startsWith('OOM ');
}

/** Its keys in several groups hold more than may be sent: no command of the unit did anything. */
function isTooLarge(reply: Reply | undefined): boolean {
  if (Array.isArray(reply)) return reply.some((each: Reply) => isTooLarge(each));
  if (typeof reply !== 'object' || reply === null || !('error' in reply)) return false;
  return reply.error.startsWith('TOOLARGE ');
}

/** `1,2,3,` as a list of numbers. */
function listOf(reply: Reply | undefined): Json {
  if (typeof reply !== 'string') return [];
  return reply.split(',').filter(Boolean).map(Number);
}
