/**
 * Shared by storage tests: replies as plain values, RESP bodies from words, and a machine that runs
 * one command per transaction by default.
 */
import type { Timestamp } from '../../actors/accord/primitives/timestamp.ts';
import { META_GROUP } from '../../actors/accord/topology/group-id.ts';
import { Arguments } from '../../storage/arguments.ts';
import { settingsOfBody } from '../../storage/body-settings.ts';
import type { ReplySink } from '../../storage/commands/reply.ts';
import { MemoryEngine, MemoryStore } from '../../storage/engine/memory-engine.ts';
import type { Engine, GroupSlots, MachineGroup } from '../../storage/engine.ts';
import { REDIS_SLOTS } from '../../storage/keyspace/slots.ts';
import type { TableHashKey } from '../../storage/keyspace/table-hash.ts';
import { UNIT_WRITE_BYTES_MAX } from '../../storage/limits.ts';
import type { StateMachine } from '../../storage/state-machine.ts';
import { StateMachines, type StateMachinesOptions } from '../../storage/state-machines.ts';
import { bodyOf, headIn } from '../../storage/transaction-body.ts';
import { scoreText } from '../../storage/types/scores.ts';

/** Simple strings begin with `+`, errors with `-`; bulk strings and integers are as they are. */
export type Reply = string | number | bigint | null | Reply[];

/** Collects replies as values. */
export class Replies implements ReplySink {
  readonly all: Reply[] = [];
  #open: { items: Reply[]; left: number }[] = [];

  take(): Reply | undefined {
    if (this.#open.length > 0) throw new Error('an aggregate was not completed');
    return this.all.shift();
  }

  simple(text: string): void {
    this.#put(`+${text}`);
  }
  error(line: string): void {
    this.#put(`-${line}`);
  }
  integer(value: number | bigint): void {
    this.#put(value);
  }
  bulk(text: string): void {
    this.#put(text);
  }
  nil(): void {
    this.#put(null);
  }
  nilArray(): void {
    this.#put(null);
  }
  array(length: number): void {
    const items: Reply[] = [];
    this.#put(items);
    if (length > 0) this.#open.push({ items, left: length });
  }
  map(pairs: number): void {
    this.array(pairs * 2);
  }
  set(length: number): void {
    this.array(length);
  }
  pairs(count: number): void {
    this.array(count * 2);
  }
  pair(): void {
    // As in RESP2: the pairs are not told apart.
  }
  keyedMap(entries: number): void {
    this.array(entries);
  }
  keyed(): void {
    this.array(2);
  }
  double(value: number): void {
    this.#put(scoreText(value));
  }
  boolean(value: boolean): void {
    this.#put(value ? 1 : 0);
  }
  verbatim(text: string): void {
    this.#put(text);
  }

  #put(reply: Reply): void {
    const top = this.#open.at(-1);
    if (top === undefined) {
      this.all.push(reply);
      return;
    }
    top.items.push(reply);
    if (--top.left === 0) this.#open.pop();
  }
}

export function resp(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((w) => `$${w.length}\r\n${w}\r\n`).join('')}`;
}

/** A transaction body of these commands. */
export function body(...commands: readonly (readonly string[])[]): Buffer {
  return Buffer.from(commands.map(resp).join(''), 'latin1');
}

/** A transaction body of these commands in a database. */
export function bodyIn(database: number, ...commands: readonly (readonly string[])[]): Buffer {
  const bytes = body(...commands);
  bytes[0] = headIn(database);
  return bytes;
}

/** A transaction body of several clients' units. */
export function unitsBody(...units: readonly (readonly (readonly string[])[])[]): Buffer {
  return Buffer.from(bodyOf(units.map((commands) => body(...commands))));
}

/** Calls that were deferred, to be run when the test says so. */
export class Turns {
  readonly #waiting: (() => void)[] = [];

  readonly defer = (callback: () => void): void => {
    this.#waiting.push(callback);
  };

  get pending(): number {
    return this.#waiting.length;
  }

  run(): void {
    for (const callback of this.#waiting.splice(0)) callback();
  }
}

export const TABLE_HASH_KEY: TableHashKey = [0x5ec2e7, 0x0b5e55ed];
/** Few, so that most commands on collections have steps. */
const STEP_ELEMENTS = 3;
/** The group of all slots. */
export const GROUP: GroupSlots = {
  id: { range: 1, generation: 1 },
  fromSlot: 0,
  toSlot: REDIS_SLOTS,
};
/** The group of the cluster's table. */
export const META: MachineGroup = { ...GROUP, id: META_GROUP, machine: 'meta' };
export const START_MS = 1_700_000_000_000;

export function versionAt(hlc: number, node = 1): Timestamp {
  return { hlc, flags: 2, node, store: 0 };
}

export interface MachineOptions extends Partial<StateMachinesOptions> {
  readonly startMs?: number;
}

/** A state machine with a clock that moves one microsecond per transaction. */
export class Machine {
  readonly turns = new Turns();
  readonly store: MemoryStore;
  readonly engine: Engine;
  readonly all: StateMachines;
  readonly machine: StateMachine;
  readonly #args = new Arguments();
  nowUs: number;
  /** Called between two steps of a command. */
  between: () => void = () => undefined;

  constructor(options: MachineOptions = {}, store = new MemoryStore(TABLE_HASH_KEY)) {
    this.store = store;
    this.engine = options.engine ?? new MemoryEngine({ store, defer: this.turns.defer });
    const groups = options.groups ?? [GROUP];
    this.all = new StateMachines({
      engine: this.engine,
      groups,
      cacheBytesMax: options.cacheBytesMax ?? 1_000_000,
      dirtyBytesMax: options.dirtyBytesMax ?? 1_000_000,
      unitWriteBytesMax: options.unitWriteBytesMax ?? UNIT_WRITE_BYTES_MAX,
      stepElementsMax: options.stepElementsMax ?? STEP_ELEMENTS,
      tableHashKey: options.tableHashKey ?? TABLE_HASH_KEY,
    });
    const first = this.all.of((groups[0] as GroupSlots).id);
    if (first === undefined) throw new Error('a machine without a group');
    this.machine = first;
    this.nowUs = (options.startMs ?? START_MS) * 1000;
  }

  get nowMs(): number {
    return Math.floor(this.nowUs / 1000);
  }

  advance(ms: number): void {
    this.nowUs += ms * 1000;
  }

  /** One transaction of one command. */
  run(...words: string[]): Reply | undefined {
    return this.execute(body(words))[0];
  }

  /** The same in another database. */
  runIn(database: number, ...words: string[]): Reply | undefined {
    return this.execute(bodyIn(database, words))[0];
  }

  /** One transaction of a whole body. */
  execute(bytes: Buffer, version = versionAt(++this.nowUs), isRepeated = false): Reply[] {
    const replies = new Replies();
    this.machine.begin(version, undefined, undefined, isRepeated, settingsOfBody(bytes));
    for (let at = 0; at < bytes.length; ) {
      at = this.#args.next(bytes, at);
      for (let done = this.machine.start(this.#args, replies); !done; ) {
        this.between();
        done = this.machine.more();
      }
    }
    this.machine.commit(this.machine.appliedSequence + 1);
    return replies.all;
  }

  /** An ephemeral read: its reply, or `undefined` where it has to go through a transaction. */
  read(...words: string[]): Reply | undefined {
    return this.readIn(0, ...words);
  }

  readIn(database: number, ...words: string[]): Reply | undefined {
    const replies = new Replies();
    this.#args.next(bodyIn(database, words), 0);
    const served = this.machine.read(this.#args, this.nowMs, replies);
    if (served !== replies.all.length > 0) throw new Error('a refused read has written');
    return replies.take();
  }

  /** A read of other keys between two steps of a command; `undefined`: it would take long. */
  readBetween(...words: string[]): Reply | undefined {
    const replies = new Replies();
    const args = new Arguments();
    args.next(body(words), 0);
    const outcome = this.machine.readBetween(args, this.nowMs, replies);
    if (outcome === 'transaction') throw new Error('a read of no key with a deadline was refused');
    return outcome === 'done' ? replies.take() : undefined;
  }

  /** Starts a flush and completes it. */
  flush(): void {
    let ended: unknown = 'not yet';
    this.all.flush((error) => {
      ended = error;
    });
    this.turns.run();
    if (ended !== undefined) throw ended;
  }

  /** The machine after a crash: a new one over the durable data. */
  restarted(options: MachineOptions = {}): Machine {
    const machine = new Machine(options, this.store);
    machine.nowUs = this.nowUs;
    return machine;
  }

  dump(): Record<string, string> {
    const keys: Record<string, string> = {};
    for (const { key, entry } of this.machine.entries()) keys[key] = entry.value as string;
    return keys;
  }

  /** All keys of a whole SCAN, in the order of their coming; `between` runs before each page. */
  scan(options: string[] = [], between: () => void = () => undefined): string[] {
    const keys: string[] = [];
    let cursor = '0';
    do {
      between();
      const words = ['SCAN', cursor, ...options];
      const [next, page] = (this.read(...words) ?? this.run(...words)) as [string, string[]];
      keys.push(...page);
      cursor = next;
    } while (cursor !== '0');
    return keys;
  }
}
