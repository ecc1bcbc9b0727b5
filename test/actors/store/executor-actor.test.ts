/**
 * The shell of the executor alone, in virtual time: what it runs, whom it answers, and what it holds
 * back while its engine opens, its disk is full or its clients do not read.
 */
import { describe, expect, test } from 'vitest';
import { participantsOf } from '../../../actors/accord/primitives/participants.ts';
import { keyOf } from '../../../actors/accord/primitives/timestamp.ts';
import type { ActorRef } from '../../../actors/runtime/actor-ref.ts';
import type { ActorContext } from '../../../actors/runtime/behavior.ts';
import { Outlet } from '../../../actors/runtime/cells/outlet.ts';
import type { BigKeysReply } from '../../../actors/store/big-key-search.ts';
import { executorActor } from '../../../actors/store/executor-actor.ts';
import type {
  CoordinatorActorMessage,
  ExecutorMessage,
  ReadDone,
  ReplicaActorMessage,
} from '../../../actors/store/messages.ts';
import { NO_SETTINGS } from '../../../storage/cluster-settings.ts';
import { MemoryEngine, MemoryStore } from '../../../storage/engine/memory-engine.ts';
import { slotOfText } from '../../../storage/keyspace/slots.ts';
import { bodyOf } from '../../../storage/transaction-body.ts';
import type { Part, PartAnswer, StoreNews } from '../../../transport/resp/connection/part.ts';
import { array } from '../../transport/resp/harness.ts';
import { partOf } from '../../transport/resp/parts.ts';
import { at, groupOf } from '../accord/fixture.ts';
import { spec, virtualSystem } from '../runtime/fixture.ts';

const GROUP = groupOf(1);
const FLUSH_MS = 50;
const COMMIT_MS = 5;
/** Virtual time of the cluster, for deadlines. */
const START_US = 1_000_000_000;

interface BenchOptions {
  readonly replyBytesMax?: number;
  readonly heldReplyBytesMax?: number;
  readonly keptReplyBytesMax?: number;
  readonly unflushedBytesMax?: number;
  readonly sliceCommandsMax?: number;
  readonly stepElementsMax?: number;
  readonly mailboxMax?: number;
  readonly earlyMax?: number;
  /** The engine opens when the test says so. */
  readonly isOpen?: boolean;
  /** As another executor has left it. */
  readonly store?: MemoryStore;
  /** Rows come from the disk, which takes so long. */
  readonly readMs?: number;
}

class Bench {
  readonly world = virtualSystem();
  readonly store: MemoryStore;
  /** Keys of the rows that were read ahead. */
  readonly rows: string[][] = [];
  readonly replica: ReplicaActorMessage[] = [];
  readonly coordinator: CoordinatorActorMessage[] = [];
  readonly answers: PartAnswer[] = [];
  /** Of keys that clients wait for. */
  readonly news: StoreNews[] = [];
  /** All of it, with the answers, in its order. */
  readonly inOrder: StoreNews[] = [];
  readonly disk: boolean[] = [];
  readonly executor: ActorRef<ExecutorMessage>;
  isOpen: boolean;
  nowMs = START_US / 1_000;
  /** Of the executor that was ready last. */
  generation = 0;
  #sequence: number;
  #isHeld = false;

  constructor(options: BenchOptions = {}) {
    const { mailboxMax = 1_000, isOpen = true, earlyMax } = options;
    this.isOpen = isOpen;
    this.store = options.store ?? new MemoryStore([1, 2]);
    this.#sequence = this.store.groups.appliedTotal;
    const replica = this.#neighbour('replica', this.replica, mailboxMax);
    const coordinator = this.#neighbour('coordinator', this.coordinator, mailboxMax);
    const tell = (news: StoreNews): boolean => {
      this.inOrder.push(news);
      if ('unit' in news) this.answers.push(news);
      else if (news.type !== 'KeysWritten') this.news.push(news);
      return true;
    };
    const clients = new Outlet<StoreNews>({ path: 'clients', tell });
    const { scheduler } = this.world;
    const defer = (callback: () => void): void => void scheduler.after(COMMIT_MS, callback);
    const start = (context: ActorContext<ExecutorMessage>) =>
      executorActor(context, {
        self: 1,
        groups: [GROUP],
        openEngine: () => {
          const engine = new MemoryEngine({ store: this.store, defer });
          if (!this.isOpen) return undefined;
          return options.readMs === undefined ? engine : this.#onDisk(engine, options.readMs);
        },
        cacheBytesMax: 1e6,
        dirtyBytesMax: 1e6,
        unitWriteBytesMax: 1e6,
        spanningReadBytesMax: 1e6,
        unflushedBytesMax: options.unflushedBytesMax ?? 1e6,
        sliceCommandsMax: options.sliceCommandsMax,
        stepElementsMax: options.stepElementsMax,
        flushEveryMs: FLUSH_MS,
        replyBytesMax: options.replyBytesMax ?? 1e6,
        keptReplyBytesMax: options.keptReplyBytesMax ?? 1e6,
        heldReplyBytesMax: options.heldReplyBytesMax,
        tableHashKey: [1, 2],
        replica,
        coordinator,
        clients,
        table: () => NO_SETTINGS,
        nowMs: () => this.nowMs,
        observe: () => undefined,
        earlyMax,
        onDiskFull: (full) => this.disk.push(full),
      });
    this.executor = this.world.system.root.child(spec('executor', start, { mailboxMax: 1_000 }));
    this.run();
  }

  #onDisk(engine: MemoryEngine, readMs: number): MemoryEngine {
    Object.defineProperty(engine, 'isSlow', { value: true });
    engine.readAhead = (rows, done) => {
      this.rows.push(rows.map(({ key }) => key));
      this.world.scheduler.after(readMs, done);
    };
    return engine;
  }

  #neighbour<M>(name: string, messages: M[], mailboxMax: number): ActorRef<M> {
    const receive = (message: M): void => {
      messages.push(message);
      const { type, generation } = message as {
        readonly type: string;
        readonly generation: number;
      };
      if (type === 'ExecutorReady') this.generation = generation;
    };
    return this.world.system.root.child(spec<M>(name, () => ({ receive }), { mailboxMax }));
  }

  /** All that `tell` tells is in the mailbox before the executor has a turn. */
  atOnce(tell: (bench: this) => void): this {
    this.#isHeld = true;
    tell(this);
    this.#isHeld = false;
    return this.run();
  }

  run(ms = 1): this {
    if (this.#isHeld) return this;
    this.world.scheduler.run(this.world.scheduler.nowMs + ms);
    return this;
  }

  tell(message: ExecutorMessage): this {
    expect(this.executor.tell(message)).toBe(true);
    return this.run();
  }

  /** A transaction of these parts; `clients`: of this node. */
  execute(parts: readonly Part[], clients = true, generation = this.generation): this {
    this.#sequence += 1;
    return this.executeAgain(parts, this.#sequence, clients, generation);
  }

  executeAgain(
    parts: readonly Part[],
    sequence: number,
    clients: boolean,
    generation: number,
    us = START_US + sequence,
  ): this {
    const id = at(us);
    if (clients) this.tell({ type: 'Expect', key: keyOf(id), parts });
    const body = bodyOf(parts.map(({ bytes }) => bytes));
    const participants = participantsOf(parts.flatMap((part) => part.participants));
    const execution = { id, executeAt: id, participants, body, sequence, isRepeated: false };
    return this.tell({ type: 'Execute', group: GROUP.id, generation, execution });
  }

  read(token: number, parts: readonly Part[], barrierSequence = this.#sequence): this {
    this.tell({ type: 'ExpectRead', token, parts });
    const { generation } = this;
    return this.tell({ type: 'Read', group: GROUP.id, generation, token, barrierSequence });
  }

  /** The log is durable up to what the executor has asked for. */
  logged(): this {
    for (const message of this.replica.splice(0)) {
      if (message.type !== 'Sync') continue;
      expect(message.replyTo.tell({ type: 'Durable', token: message.token, firstLsn: 1 })).toBe(
        true,
      );
    }
    return this.run(2 * COMMIT_MS);
  }

  /** `connection: replies`, or the first words of the error. */
  get told(): string[] {
    return this.answers.map((answer) => {
      const { connection } = answer.unit;
      if (answer.type === 'PartFailed') return `${connection}: ${answer.line.slice(0, 22)}`;
      if (answer.type === 'RepliesLost') return `${connection}: lost`;
      const text = Buffer.from(answer.replies).toString('latin1').replaceAll('\r\n', ' ').trim();
      return `${connection}: ${text}`;
    });
  }

  get reads(): ReadDone[] {
    return this.coordinator.flatMap((each) => (each.type === 'ReadsDone' ? each.reads : []));
  }

  counts(type: ReplicaActorMessage['type']): number {
    return this.replica.filter((message) => message.type === type).length;
  }
}

/** A part of this connection, of commands that each name a key. */
function part(connection: number, ...commands: string[]): Part {
  const words = commands.map((command) => command.split(' '));
  return partOf({
    unit: { connection, sequence: 1 },
    bytes: Buffer.from(words.map((each) => array(...each)).join('')),
    count: commands.length,
    layout: [commands.length],
    participants: words.map(([, key = '']) => slotOfText(key)),
  });
}

describe('keys that clients may keep', () => {
  test('are told before the answer that may show them, and by whom they were written', () => {
    const bench = new Bench();
    bench.execute([part(7, 'SET a 1'), part(8, 'GET a'), part(9, 'INCR b')]);
    expect(bench.inOrder.slice(1)).toMatchObject([
      { type: 'KeysWritten', keys: ['a'], by: 7 },
      { type: 'PartReplies', unit: { connection: 7 } },
      { type: 'PartReplies', unit: { connection: 8 } },
      { type: 'KeysWritten', keys: ['b'], by: 9 },
      { type: 'PartReplies', unit: { connection: 9 } },
    ]);
  });

  test('are told of writes of other nodes, and all at once where a database is emptied', () => {
    const bench = new Bench().execute([part(1, 'SET a 1')], false);
    bench.execute([part(1, 'FLUSHDB')], false);
    const told = bench.inOrder.filter(({ type }) => type === 'KeysWritten');
    expect(told).toMatchObject([{ keys: ['a'] }, { keys: 'all' }]);
  });

  test('are not told once no client of the node keeps any', () => {
    const bench = new Bench().tell({ type: 'TrackWrites', isOn: false });
    bench.execute([part(1, 'SET a 1')], false);
    expect(bench.inOrder.some(({ type }) => type === 'KeysWritten')).toBe(false);
  });
});

describe('a command that waits', () => {
  const wait = (connection: number, command: string): Part => ({
    ...part(connection, command),
    waits: true,
  });
  const ready = (key: string, added: number, left: number) => ({
    type: 'KeysReady',
    keys: [{ database: 0, key, type: 'list', added, left }],
  });

  test('is told from its place on what comes to its keys, until it is answered', () => {
    const bench = new Bench().execute([part(1, 'RPUSH a x', 'LPOP a')]);
    bench.execute([wait(1, 'BLPOP a 0')]);
    expect(bench.answers.at(-1)).toMatchObject({ waiting: { keys: ['a'], type: 'list' } });
    bench.execute([part(2, 'RPUSH a 1 2', 'RPUSH b 1')]);
    bench.execute([part(2, 'RPUSH a 3')]).execute([part(2, 'LPOP a 2')]);
    expect(bench.news.slice(1)).toMatchObject([
      ready('a', 2, 2),
      ready('a', 1, 3),
      ready('a', 0, 1),
    ]);
    bench.execute([wait(1, 'BLPOP a 0')]);
    expect(bench.answers.at(-1)?.type).toBe('PartReplies');
    expect(bench.answers.at(-1)).not.toHaveProperty('waiting');
    // Until the client says that it has its answer, or that another one waits in its place.
    bench.execute([part(2, 'RPUSH a 4', 'LPOP a')]);
    const [unit, to] = [1, 9].map((connection) => ({ connection, sequence: 1 }));
    bench.tell({ type: 'PassWait', unit: unit ?? expect.fail(), to: to ?? expect.fail() });
    bench.tell({ type: 'StopWaiting', unit: unit ?? expect.fail() });
    bench.execute([part(2, 'RPUSH a 5')]);
    expect(bench.news).toHaveLength(7);
    bench.tell({ type: 'StopWaiting', unit: to ?? expect.fail() });
    bench.execute([part(2, 'RPUSH a 6')]);
    expect(bench.news).toHaveLength(7);
  });

  test('is not told any more when its client is gone, or in a block', () => {
    const bench = new Bench().execute([wait(1, 'BLPOP a 0')]);
    bench.tell({ type: 'StopWaiting', unit: { connection: 1, sequence: 1 } });
    bench.execute([part(3, 'BLPOP a 0')]).execute([part(2, 'RPUSH a 1')]);
    expect(bench.news).toEqual([{ type: 'WaitsLost' }]);
  });

  test('is noted before an attempt that another node begins, as it is', () => {
    const bench = new Bench().execute([part(1, 'RPUSH a x')]);
    const noted = { ...wait(1, 'BLPOP a b 0'), onlyNotes: true };
    bench.tell({ type: 'NoteKeys', part: noted });
    expect(bench.answers.at(-1)).toMatchObject({ waiting: { keys: ['a', 'b'], type: 'list' } });
    bench.execute([part(2, 'RPUSH b 1', 'RPUSH c 1')]);
    expect(bench.news.slice(1)).toMatchObject([ready('b', 1, 1)]);
    bench.tell({ type: 'StopWaiting', unit: noted.unit });
    bench.tell({ type: 'NoteKeys', part: { ...noted, bytes: Buffer.from(array('GET', 'a')) } });
    expect(bench.told.at(-1)).toContain('TRYAGAIN refused');
    expect(bench.execute([part(2, 'RPUSH b 1')]).news).toHaveLength(2);
  });

  test('is to try again when all keys were removed', () => {
    const bench = new Bench().execute([wait(1, 'BLPOP a 0')]);
    bench.execute([{ ...part(2, 'FLUSHALL'), wholeStore: true }]);
    expect(bench.news).toEqual([{ type: 'WaitsLost' }, { type: 'WaitsLost' }]);
  });
});

describe('a transaction', () => {
  test('answers each part of this node with its own replies, and reports once per turn', () => {
    const bench = new Bench().execute([part(1, 'SET a 1', 'INCR a'), part(2, 'GET a', 'INCR b')]);
    expect(bench.told).toEqual(['1: +OK :2', '2: $1 2 :1']);
    expect(bench.coordinator).toMatchObject([
      { type: 'Executed', keys: [keyOf(at(START_US + 1))] },
    ]);
    expect(bench.replica.at(-1)).toMatchObject({ type: 'Taken', count: 1 });
  });

  test('of another node is executed alike, and answers no client', () => {
    const bench = new Bench().execute([part(1, 'SET a 1')], false);
    expect(bench.answers).toEqual([]);
    expect(bench.coordinator).toEqual([]);
    expect(bench.read(1, [part(2, 'GET a')]).told).toEqual(['2: $1 1']);
  });

  test('tells where runs end and which commands failed', () => {
    const bench = new Bench().execute([
      { ...part(1, 'SET a x', 'INCR a', 'GET a'), layout: [1, 2] },
    ]);
    expect(bench.answers).toMatchObject([{ ends: [5], errors: [1], from: 0, last: true }]);
  });

  test('with long replies answers its writes, and leaves the reads behind them', () => {
    const bench = new Bench({ replyBytesMax: 20 });
    const long = 'x'.repeat(30);
    bench.execute([part(1, `SET a ${long}`)]);
    const words = ['GET a', 'SET b 1', 'GET a', 'GET b'] as const;
    bench.execute([{ ...part(2, ...words), layout: [1, 3], readsFrom: 2 }]);
    bench.execute([part(3, 'GET b', 'GET b')]);
    expect(bench.told).toEqual(['1: +OK', `2: $30 ${long} +OK`, '3: $1 1 $1 1']);
    expect(bench.answers[1]).toMatchObject({ answered: 2, ends: [37], last: true });
    expect(bench.answers[2]).toMatchObject({ answered: 2 });
  });

  test('with a command that lacks a key leaves it, and all behind it, to be begun anew', () => {
    const bench = new Bench().execute([part(1, 'RPUSH l 1', 'SET w1 5')]);
    const sort = 'SORT l BY w* STORE d';
    const pipeline = part(2, 'INCR a', 'INCR a', sort, 'INCR a');
    const beginning = { ...part(3, sort, 'INCR b'), participants: [slotOfText('l')] };
    bench.execute([{ ...pipeline, layout: [2, 2] }, beginning, part(4, 'GET a')]);
    expect(bench.told.slice(1)).toEqual(['2: :1 :2', '4: $1 2']);
    expect(bench.answers[1]).toMatchObject({ answered: 2, ends: [], errors: [], last: true });
    const outside = bench.coordinator.find(({ type }) => type === 'Outside');
    expect(outside).toMatchObject({ runs: [{ part: 1, slots: [slotOfText('w1')] }] });
    expect(bench.read(1, [part(5, 'GET b', 'EXISTS d')]).told.at(-1)).toBe('5: $-1 :0');
  });

  test('does the side effects of scripts where its client waits, once', () => {
    const bench = new Bench();
    const code = "redis.call('publish','c','m');redis.log(2,'l')";
    const script = partOf({
      bytes: Buffer.from(array('EVAL', code, '0')),
      participants: [0],
    });
    const told = (): string[] => bench.news.splice(0).map(({ type }) => type);
    told();
    expect(bench.execute([script]) && told()).toEqual(['KeysChanged', 'ScriptsLogged']);
    expect(bench.execute([script], false) && told()).toEqual([]);
  });

  test('runs the reads that it leaves: they may end a key', () => {
    const bench = new Bench({ replyBytesMax: 20 });
    bench.execute([part(1, `SET a ${'x'.repeat(30)}`), part(1, 'SET b 1 PX 10')], false);
    const late = { ...part(2, 'SET c 1', 'GET a', 'GET b'), readsFrom: 1 };
    bench.executeAgain([late], 2, true, bench.generation, START_US + 20_000);
    expect(bench.answers[0]).toMatchObject({ answered: 2 });
    // Before its deadline, by the clock that reads go by: only the transaction has ended it.
    expect(bench.read(1, [part(3, 'GET b')], 2).told.at(-1)).toBe('3: $-1');
  });

  test('that comes twice, or for an executor that has ended, is executed once', () => {
    const bench = new Bench().execute([part(1, 'INCR a')]);
    bench.executeAgain([part(1, 'INCR a')], 1, true, bench.generation);
    bench.executeAgain([part(1, 'INCR a')], 2, true, bench.generation - 1);
    expect(bench.read(1, [part(2, 'GET a')], 1).told).toEqual(['1: :1', '2: $1 1']);
  });

  test.each([
    ['its client has been answered otherwise', { type: 'Forget', key: keyOf(at(START_US + 1)) }],
    ['the coordinator has ended', { type: 'ForgetAll' }],
  ] as const)('answers nobody when %s', (_name, forget) => {
    const bench = new Bench();
    const id = at(START_US + 1);
    bench.tell({ type: 'Expect', key: keyOf(id), parts: [part(1, 'SET a 1')] }).tell(forget);
    expect(bench.execute([part(1, 'SET a 1')], false).answers).toEqual([]);
  });

  test('of the coordinator itself is answered there', () => {
    const bench = new Bench().execute([part(0, 'SET a 1')]);
    expect(bench.answers).toEqual([]);
    expect(bench.coordinator[0]).toMatchObject({ type: 'PartReplies', unit: { connection: 0 } });
  });
});

describe('reads', () => {
  test('are answered, or named by index: past a deadline, or written since the barrier', () => {
    const bench = new Bench().execute([part(1, 'SET a 1'), part(1, 'SET b 1 PX 10')]);
    bench.execute([part(1, 'SET c 1')]);
    bench.nowMs += 1_000;
    bench.answers.length = 0;
    const many = part(4, 'GET a', 'GET c');
    bench.read(7, [part(2, 'GET a'), part(3, 'GET b'), many, part(5, 'GET c')], 1);
    expect(bench.told).toEqual(['2: $1 1', '5: $1 1']);
    expect(bench.reads).toEqual([{ token: 7, expired: [1], uncovered: [2] }]);
  });

  test('that no client waits for any more are not done', () => {
    const bench = new Bench();
    bench.tell({ type: 'ExpectRead', token: 1, parts: [part(1, 'GET a')] });
    bench.tell({ type: 'ForgetRead', token: 1 });
    const { generation } = bench;
    bench.tell({ type: 'Read', group: GROUP.id, generation, token: 1, barrierSequence: 0 });
    expect([bench.answers, bench.reads]).toEqual([[], []]);
  });
});

describe('reads that wait for the disk', () => {
  const READ_MS = 20;
  const begun = (): Bench => {
    const before = new Bench().execute([part(1, 'SET a 1'), part(1, 'SET b 2')]);
    const { store } = before.run(2 * FLUSH_MS).logged();
    expect(store.groups.appliedTotal).toBe(1);
    return new Bench({ store, readMs: READ_MS });
  };

  test('have their rows brought first, while others are served', () => {
    const bench = begun().read(1, [part(2, 'GET a'), part(3, 'MGET b none')]);
    bench.execute([part(4, 'SET c 3')]).read(2, [part(5, 'GET c')]);
    expect(bench.told).toEqual(['4: +OK', '5: $1 3']);
    bench.run(READ_MS);
    expect(bench.told.slice(2)).toEqual(['2: $1 1', '3: *2 $1 2 $-1']);
    expect(bench.rows).toEqual([['a', 'b', 'none']]);
    expect(bench.reads.map(({ token }) => token)).toEqual([2, 1]);
    // They are in memory now; commands that name no key, or not the right ones, need none.
    bench.read(3, [part(6, 'GET a', 'GET', 'NOCOMMAND b', 'SET c')]);
    expect(bench.rows).toHaveLength(1);
    expect(bench.told).toHaveLength(5);
  });

  test('see what is written meanwhile; of several slots, they take another barrier', () => {
    const bench = begun().read(1, [part(2, 'GET a'), part(3, 'GET a', 'GET b')]);
    bench.execute([part(4, 'SET a 3')]).run(READ_MS);
    expect(bench.told).toEqual(['4: +OK', '2: $1 3']);
    expect(bench.reads).toEqual([{ token: 1, expired: [], uncovered: [1] }]);
  });

  test('run at once where the barrier has taken longer', () => {
    const bench = begun();
    bench.tell({ type: 'ExpectRead', token: 1, parts: [part(2, 'GET a')] }).run(READ_MS);
    const { generation } = bench;
    bench.tell({ type: 'Read', group: GROUP.id, generation, token: 1, barrierSequence: 1 });
    expect([bench.rows, bench.told]).toEqual([[['a']], ['2: $1 1']]);
  });

  test('take another barrier when their group has ended', () => {
    const group = { range: 9, generation: 1 };
    const bench = new Bench();
    bench.tell({ type: 'ExpectRead', token: 7, parts: [part(2, 'GET a'), part(3, 'GET b')] });
    const { generation } = bench;
    bench.tell({ type: 'Read', group, generation, token: 7, barrierSequence: 0 });
    expect(bench.told).toEqual([]);
    expect(bench.reads).toEqual([{ token: 7, expired: [], uncovered: [0, 1] }]);
  });

  test('have so many rows brought at once', () => {
    const gets = Array.from({ length: 1_500 }, (_, at) => `GET key${at}`);
    const bench = begun().read(1, [part(2, ...gets), part(3, 'GET a')]);
    expect(bench.rows.map(({ length }) => length)).toEqual([1_024]);
    bench.run(READ_MS);
    expect(bench.reads).toEqual([{ token: 1, expired: [], uncovered: [] }]);
  });
});

describe('while the engine is opened', () => {
  test('clients are kept, executions of the incarnation before are not', () => {
    const bench = new Bench({ isOpen: false, earlyMax: 2 });
    expect(bench.counts('ExecutorReady')).toBe(0);
    bench.tell({ type: 'ExpectRead', token: 1, parts: [part(1, 'GET a')] });
    bench.tell({ type: 'ExpectRead', token: 2, parts: [part(2, 'GET a')] });
    bench.tell({ type: 'ExpectRead', token: 3, parts: [part(3, 'GET a')] });
    bench.tell({ type: 'ForgetRead', token: 2 });
    bench.isOpen = true;
    bench.run(20);
    expect(bench.counts('ExecutorReady')).toBe(1);
    for (const token of [1, 2, 3]) {
      const { generation } = bench;
      bench.tell({ type: 'Read', group: GROUP.id, generation, token, barrierSequence: 0 });
    }
    // The third found no place: its client times out.
    expect(bench.told).toEqual(['1: $-1']);
  });

  test('a fresh coordinator has them forgotten', () => {
    const bench = new Bench({ isOpen: false });
    bench.tell({ type: 'ExpectRead', token: 1, parts: [part(1, 'GET a')] });
    bench.tell({ type: 'ForgetAll' });
    bench.isOpen = true;
    bench.run(20);
    const { generation } = bench;
    bench.tell({ type: 'Read', group: GROUP.id, generation, token: 1, barrierSequence: 0 });
    expect(bench.answers).toEqual([]);
  });
});

describe('the flush', () => {
  test('waits until the log holds what it stores', () => {
    const bench = new Bench().execute([part(1, 'SET a 1')]).run(2 * FLUSH_MS);
    expect(bench.counts('Sync')).toBe(1);
    expect(bench.counts('Flushed')).toBe(0);
    expect(bench.store.get(0, 'a')).toBeUndefined();
    bench.logged();
    expect(bench.counts('Flushed')).toBe(1);
    expect(bench.store.get(0, 'a')).toBeDefined();
  });

  test('finds the disk full: it is said, nothing is lost, and it is tried again', () => {
    const bench = new Bench();
    bench.store.full = true;
    bench
      .execute([part(1, 'SET a 1')])
      .run(2 * FLUSH_MS)
      .logged();
    expect(bench.disk).toEqual([true]);
    bench.run(4_000);
    expect(bench.counts('Sync')).toBe(0);
    expect(bench.read(1, [part(2, 'GET a')]).told).toEqual(['1: +OK', '2: $1 1']);
    bench.store.full = false;
    bench.run(2_000).logged();
    expect(bench.disk).toEqual([true, false]);
    expect(bench.store.get(0, 'a')).toBeDefined();
  });

  test('goes first when too much waits for it, also between two parts of a transaction', () => {
    const bench = new Bench({ unflushedBytesMax: 1 });
    bench.execute([part(1, 'SET a 1'), part(2, 'SET b 1')]);
    bench.execute([part(3, 'GET a')]);
    expect(bench.told).toEqual(['1: +OK']);
    for (let flushes = 0; flushes < 5; flushes += 1) bench.run(2 * FLUSH_MS).logged();
    expect(bench.told).toEqual(['1: +OK', '2: +OK', '3: $1 1']);
  });

  test('is waited for by the reads of what waits, and by no others', () => {
    const bench = new Bench({ unflushedBytesMax: 1 });
    bench.execute([part(1, 'SET a 1')]).execute([part(2, 'SET b 1')]);
    expect(bench.told).toEqual(['1: +OK']);
    bench.read(1, [part(3, 'GET a'), part(4, 'GET b')]).read(2, [part(5, 'GET a')]);
    bench.read(3, [part(6, 'GET b')]).read(4, [part(7, 'GET c', 'GET a')]);
    expect(bench.told).toEqual(['1: +OK', '5: $1 1', '7: $-1 $1 1']);
    expect(bench.reads.map(({ token }) => token)).toEqual([2, 4]);
    for (let flushes = 0; flushes < 5; flushes += 1) bench.run(2 * FLUSH_MS).logged();
    expect(bench.told.slice(3)).toEqual(['2: +OK', '3: $1 1', '4: $1 1', '6: $1 1']);
  });
});

describe('a slice', () => {
  const commands = ['SET a 1', 'INCR a', 'GET a', 'NOCOMMAND a', 'INCR a'];

  test.each([1, 2, 3, 5])('of %d commands ends anywhere, and changes no reply', (size) => {
    const bench = new Bench({ sliceCommandsMax: size });
    bench.execute([part(1, ...commands), part(2, 'INCR a')]).execute([part(3, 'GET a')]);
    bench.execute([part(4, ...commands)], false).read(1, [part(5, 'GET a')]);
    const error = "-ERR unknown command 'NOCOMMAND', with args beginning with: 'a'";
    expect(bench.told).toEqual([`1: +OK :2 $1 2 ${error}  :3`, '2: :4', '3: $1 4', '5: $1 3']);
    expect(bench.answers[0]).toMatchObject({ errors: [3] });
  });
});

describe('a long command', () => {
  const begun = (): Bench =>
    new Bench({ sliceCommandsMax: 1, stepElementsMax: 2 })
      .execute([part(1, 'SET a 1')])
      .execute([part(2, 'SADD s 1 2 3 4 5')]);

  test('is passed by short reads of other keys, and by no others', () => {
    const bench = begun().atOnce((all) => {
      all.execute([part(3, 'SREM s 1 2 3 4 x')]).read(1, [part(4, 'GET a')]);
      all.read(2, [part(5, 'SCARD s')]).read(3, [part(6, 'GET a', 'GET s')]);
    });
    const error = '-WRONGTYPE Operation against a key holding the wrong kind of value';
    const told = ['4: $1 1', '3: :4', '5: :1', `6: $1 1 ${error}`];
    expect(bench.told.slice(2)).toEqual(told);
  });

  test('that reads is passed by short reads, and by no writes', () => {
    const bench = begun().atOnce((all) => {
      all.read(1, [part(3, 'SMEMBERS s', 'SCARD s')]).execute([part(4, 'SREM s 1')]);
      all.read(2, [part(5, 'GET a')]).read(3, [part(6, 'SMEMBERS s', 'GET a')]);
    });
    const members = '$1 1 $1 2 $1 3 $1 4 $1 5';
    expect(bench.told.slice(2, 4)).toEqual(['5: $1 1', `3: *5 ${members} :5`]);
    expect(bench.told.slice(4)).toEqual(['4: :1', `6: *4 ${members.slice(5)} $1 1`]);
  });
});

describe('replies that would keep too much memory', () => {
  const LONG = 'x'.repeat(70_000);

  function begun(...commands: string[]): Bench {
    const bench = new Bench({ keptReplyBytesMax: 100_000, replyBytesMax: 1_000 });
    const set = ['a', 'b', 'c', 'd'].map((key, at) => `SET ${key} ${at}${LONG}`);
    bench.execute([part(1, ...set)]);
    bench.answers.length = 0;
    return bench.execute([{ ...part(2, ...commands), readsFrom: commands.length }]);
  }

  const text = (bench: Bench): string => bench.told.join().replaceAll('x', '');

  test('are an error for a read; the other commands keep their replies', () => {
    const bench = begun('INCR n', 'GET a', 'GET b', 'INCR n', 'GET c');
    const error = '-ERR the reply needs more than 100000 bytes: ask for less';
    expect(text(bench)).toBe(`2: :1 $70001 0 ${error} :2 ${error}`);
    expect(bench.answers).toMatchObject([{ errors: [2, 4], answered: 5 }]);
  });

  test('are kept once for a text that is sent many times', () => {
    expect(begun('MGET a a a a a a').told[0]).toHaveLength(
      '2: *6'.length + 6 * ' $70001 0'.length + 6 * LONG.length,
    );
    expect(begun('MGET a b a').told[0]).toMatch(/-ERR the reply needs/);
  });

  test('are lost with the connection when writes answer them', () => {
    const bench = begun('GETDEL a', 'GETDEL b', 'GETDEL c', 'SET e 1', 'GETDEL d');
    expect(bench.told).toEqual(['2: lost']);
    bench.execute([part(3, 'EXISTS a b c d e')]);
    expect(bench.told.at(-1)).toBe('3: :1');
  });
});

describe('long replies', () => {
  const LONG = 'x'.repeat(100);

  function begun(options: BenchOptions = {}): Bench {
    const bench = new Bench(options).execute([part(1, `SET a ${LONG}`)]);
    bench.answers.length = 0;
    return bench.execute([{ ...part(1, 'GET a'), window: 50 }]);
  }

  const id = { unit: { connection: 1, sequence: 1 }, part: 0 };

  test('follow as credit comes', () => {
    const bench = begun();
    expect(bench.answers).toMatchObject([{ from: 0, last: false }]);
    bench.tell({ type: 'ReplyCredit', ...id, upTo: 100 });
    bench.tell({ type: 'ReplyCredit', ...id, upTo: 200 });
    bench.tell({ type: 'ReplyCredit', ...id, upTo: 300 });
    expect(bench.answers).toMatchObject([
      { from: 0, last: false },
      { from: 50, last: false },
      { from: 100, last: true },
    ]);
    const text = bench.answers.flatMap((each) => ('replies' in each ? [each.replies] : []));
    expect(Buffer.concat(text).toString()).toBe(`$100\r\n${LONG}\r\n`);
  });

  test('are dropped when they are abandoned, and lost when too many wait', () => {
    const bench = begun({ heldReplyBytesMax: 60 });
    bench.tell({ type: 'RepliesAbandoned', ...id });
    bench.tell({ type: 'ReplyCredit', ...id, upTo: 100 });
    expect(bench.answers).toHaveLength(1);
    bench.execute([
      { ...part(2, 'GET a'), window: 50 },
      { ...part(3, 'GET a'), window: 50 },
    ]);
    expect(bench.told.slice(1).map((line) => line.slice(0, 7))).toEqual([
      '2: $100',
      '3: $100',
      '2: lost',
    ]);
  });

  test('are lost with the executor: its clients are told', () => {
    const bench = begun();
    bench.world.system.crash('node/executor', new Error('injected'));
    bench.run(50);
    expect(bench.told.at(-1)).toBe('1: lost');
    expect(bench.counts('ExecutorReady')).toBe(2);
  });
});

test('messages that full neighbours refuse are sent when they have room, in order', () => {
  const bench = new Bench({ mailboxMax: 1 });
  const { system } = bench.world;
  for (const name of ['replica', 'coordinator']) system.suspend(`node/${name}`);
  const generation = 1;
  for (let index = 1; index <= 4; index += 1) {
    bench.execute([part(index, 'INCR a')], true, generation);
  }
  expect(bench.told).toEqual(['1: :1', '2: :2', '3: :3', '4: :4']);
  expect(bench.coordinator).toEqual([]);
  for (const name of ['replica', 'coordinator']) system.resume(`node/${name}`);
  bench.run(20);
  const keys = bench.coordinator.flatMap((each) => (each.type === 'Executed' ? each.keys : []));
  expect(keys).toEqual([1, 2, 3, 4].map((index) => keyOf(at(START_US + index))));
  expect(bench.replica.at(-1)).toMatchObject({ type: 'Taken', count: 4 });
});

test('the coordinator is told whether there are keys with a deadline, once per change', () => {
  const bench = new Bench().execute([part(1, 'SET a 1 PX 10'), part(1, 'SET b 1 PX 10')]);
  bench.execute([part(2, 'DEL a')]).execute([part(3, 'DEL b')]);
  const told = (): boolean[] =>
    bench.coordinator.flatMap((each) => (each.type === 'Volatile' ? each.hasDeadlines : []));
  expect(told()).toEqual([true, false]);
  bench.execute([part(4, 'SET c 1 PX 10')]).tell({ type: 'ForgetAll' });
  // A fresh coordinator knows of none.
  expect(told()).toEqual([true, false, true, true]);
});

test('keys past their deadline are named to the coordinator; more than a few are a backlog', () => {
  const bench = new Bench().execute([part(1, 'SET a 1 PX 10'), part(1, 'SET b 1')]);
  bench.nowMs += 1_000;
  bench.tell({ type: 'FindExpired', group: GROUP.id, pastMs: 5_000 });
  bench.tell({ type: 'FindExpired', group: GROUP.id, pastMs: 0 });
  const found = bench.coordinator.filter(({ type }) => type === 'Expired');
  expect(found).toEqual([
    { type: 'Expired', group: GROUP.id, database: 0, keys: ['a'], backlog: true },
  ]);
});

test('big keys are searched in slices, while others are served; a second search is refused', () => {
  const bench = new Bench({ unflushedBytesMax: 1e8 });
  for (let i = 0; i < 5_000; i += 250) {
    const sets = Array.from({ length: 250 }, (_, j) => part(1, `SET key:${i + j} value`));
    bench.execute(sets);
  }
  const told: BigKeysReply[] = [];
  const replyTo = { path: 'asker', tell: (reply: BigKeysReply) => told.push(reply) > 0 };
  bench.tell({ type: 'FindBig', count: 2, replyTo });
  expect(told).toEqual([]);
  bench.tell({ type: 'FindBig', count: 2, replyTo });
  expect(told).toEqual([undefined]);
  const before = bench.answers.length;
  bench.execute([part(2, 'SET other 1')]);
  expect(bench.answers.length).toBe(before + 1);
  expect(told).toHaveLength(1);
  bench.run(10_000);
  expect(told).toHaveLength(2);
  expect(told[1]).toMatchObject({ looked: expect.any(Number), types: [{ type: 'string' }] });
  expect(told[1]?.looked).toBeGreaterThanOrEqual(5_000);
  // There is room for another one.
  bench.tell({ type: 'FindBig', count: 1, replyTo }).run(10_000);
  expect(told[2]?.largest).toHaveLength(1);
});
