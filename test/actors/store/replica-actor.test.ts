/**
 * The shell of a store's replicas alone, in virtual time: what it does with each effect while its
 * neighbours are slow, full or gone. The neighbours are played by the test.
 */
import { expect, test } from 'vitest';
import type { ReplicaMessage } from '../../../actors/accord/local/replica.ts';
import type { FoundTxn } from '../../../actors/accord/local/slot-search.ts';
import type { AccordMessage } from '../../../actors/accord/messages/messages.ts';
import { HybridClock } from '../../../actors/accord/primitives/hybrid-clock.ts';
import { Status } from '../../../actors/accord/primitives/status.ts';
import type { WalMessage } from '../../../actors/log/wal-actor.ts';
import type { ActorRef } from '../../../actors/runtime/actor-ref.ts';
import type { ActorContext } from '../../../actors/runtime/behavior.ts';
import { Outlet } from '../../../actors/runtime/cells/outlet.ts';
import type {
  CoordinatorActorMessage,
  ExecutorMessage,
  ReplicaActorMessage,
} from '../../../actors/store/messages.ts';
import { Outbox } from '../../../actors/store/outbox.ts';
import { type ReplicaWatermarks, replicaActor } from '../../../actors/store/replica-actor.ts';
import { at, groupOf, preAccept, touching } from '../accord/fixture.ts';
import { spec, virtualSystem } from '../runtime/fixture.ts';

const SELF = 1;
const GROUP = groupOf(3);
const TICK_MS = 10;
const LIMITS = { retainedBytesMax: 1e9, unloggedBytesMax: 1e9 };

type Append = Extract<WalMessage, { readonly type: 'Append' }>;

class Bench {
  readonly world = virtualSystem();
  readonly log: WalMessage[] = [];
  readonly executed: ExecutorMessage[] = [];
  readonly coordinated: CoordinatorActorMessage[] = [];
  readonly sent: Array<{ readonly to: number; readonly message: AccordMessage }> = [];
  readonly disk: string[] = [];
  watermarks: ReplicaWatermarks | undefined;
  ready = 0;
  /** The log's records, for the next incarnation. */
  stored: Array<{ lsn: number; type: number; payload: Uint8Array }> = [];
  lsn = 0;
  clockLimitUs = 0;
  readonly replica: ActorRef<ReplicaActorMessage>;

  constructor(
    limits: Partial<Parameters<typeof replicaActor>[1]['limits']> = {},
    mailboxMax = 100,
  ) {
    const { root } = this.world.system;
    const { clock: time } = this.world.scheduler;
    const startedMs = time.monotonicMs();
    const wal = this.#neighbour<WalMessage>('wal', this.log);
    const executor = this.#neighbour<ExecutorMessage>('executor', this.executed, mailboxMax);
    const coordinator = this.#neighbour<CoordinatorActorMessage>(
      'coordinator',
      this.coordinated,
      mailboxMax,
    );
    const clock = new HybridClock({
      node: SELF,
      store: 0,
      nowUs: () => time.wallUs(),
      reserveUs: 1_000_000,
    });
    let replica: ActorRef<ReplicaActorMessage> | undefined;
    const toReplica: ActorRef<ReplicaActorMessage> = {
      path: 'node/replica',
      tell: (message) => replica?.tell(message) ?? false,
    };
    const outbox = new Outbox(SELF, clock, {
      toPeer: (_group, to, message) => this.sent.push({ to, message }),
      toStore: () => undefined,
      isHere: () => true,
      replica: new Outlet(toReplica),
      coordinator: new Outlet(coordinator),
    });
    const start = (context: ActorContext<ReplicaActorMessage>) =>
      replicaActor(context, {
        store: 0,
        self: SELF,
        groups: [GROUP],
        began: () => undefined,
        joined: () => undefined,
        lacks: () => undefined,
        ended: () => undefined,
        endOf: () => undefined,
        lagging: () => undefined,
        clock,
        startedMs,
        limits: { ...LIMITS, ...limits },
        outbox,
        connected: () => new Set([2, 3]),
        wal,
        executor,
        coordinator,
        tickMs: TICK_MS,
        contradicted: () => undefined,
        observe: {
          ready: () => {
            this.ready += 1;
          },
          watermarks: (watermarks) => {
            this.watermarks = watermarks;
          },
          disk: (part, problem, present) => this.disk.push(`${part} ${problem} ${present}`),
        },
      });
    this.replica = root.child(spec('replica', start, { mailboxMax: 1_000 }));
    replica = this.replica;
  }

  #neighbour<M>(name: string, messages: M[], mailboxMax = 1_000): ActorRef<M> {
    const receive = (message: M): void => {
      messages.push(message);
    };
    return this.world.system.root.child(spec<M>(name, () => ({ receive }), { mailboxMax }));
  }

  run(ms = 1): this {
    this.world.scheduler.run(this.world.scheduler.nowMs + ms);
    return this;
  }

  /** The log answers the last replay, the executor reports, and the reservation is confirmed. */
  begin(flushedSequence = 0, generation = 1): this {
    this.run();
    const replay = this.log.findLast((message) => message.type === 'Replay');
    if (replay?.type !== 'Replay') throw new Error('the log was not asked for');
    const groups = [{ group: GROUP.id, records: this.stored }];
    const { clockLimitUs } = this;
    expect(replay.replyTo.tell({ type: 'Replayed', groups, clockLimitUs })).toBe(true);
    const flushed = [{ group: GROUP.id, sequence: flushedSequence }];
    this.tell({ type: 'ExecutorReady', flushed, lost: [], generation });
    return this.run().sync();
  }

  tell(message: ReplicaActorMessage): this {
    expect(this.replica.tell(message)).toBe(true);
    return this;
  }

  take(...messages: ReplicaMessage[]): this {
    for (const message of messages) {
      this.tell({ type: 'Protocol', from: 2, group: GROUP.id, message });
    }
    return this.run();
  }

  /** The log writes all that was appended. */
  sync(): this {
    const limits = this.log.flatMap((each) => (each.type === 'Reserve' ? each.limitUs : []));
    this.clockLimitUs = Math.max(this.clockLimitUs, ...limits);
    if (limits.length > 0) this.tell({ type: 'ClockLimit', limitUs: this.clockLimitUs });
    const appended = this.log.filter((message): message is Append => message.type === 'Append');
    this.log.length = 0;
    for (const { records, token, replyTo } of appended) {
      const firstLsn = this.lsn + 1;
      for (const { type, parts } of records) {
        this.lsn += 1;
        this.stored.push({ lsn: this.lsn, type, payload: Buffer.concat(parts) });
      }
      expect(replyTo.tell({ type: 'Durable', token, firstLsn })).toBe(true);
    }
    return this.run();
  }

  get answers(): string[] {
    return this.sent.map(({ message }) => message.type);
  }

  get sequences(): number[] {
    return this.executed.flatMap((message) =>
      message.type === 'Execute' ? message.execution.sequence : [],
    );
  }
}

/** Ids in the recent past of the virtual clock. */
function ids(bench: Bench): (index: number) => ReturnType<typeof at> {
  const nowUs = bench.world.scheduler.clock.wallUs();
  return (index) => at(nowUs - 1_000 + index, 2);
}

function stable(id: ReturnType<typeof at>): ReplicaMessage {
  return { type: 'Stable', id, executeAt: id, deps: new Uint8Array(), ...touching(1) };
}

test('nothing is answered before the log has been read, nor before its own records are durable', () => {
  const bench = new Bench();
  const id = ids(bench);
  bench.take(preAccept(id(1)));
  expect([bench.ready, bench.sent]).toEqual([0, []]);
  bench.begin();
  bench.take(preAccept(id(2)));
  expect([bench.ready, bench.answers]).toEqual([1, []]);
  expect(bench.sync().answers).toEqual(['PreAcceptOk']);
});

test('the latest transactions on a slot are found, in their states', () => {
  const bench = new Bench().begin();
  const id = ids(bench);
  const told: (readonly FoundTxn[])[] = [];
  const replyTo = { path: 'asker', tell: (found: readonly FoundTxn[]) => told.push(found) > 0 };
  bench.take(preAccept(id(1)), preAccept(id(2), [], 2), stable(id(3)), preAccept(id(4), [], 1, 2));
  for (const [slot, count] of [[1, 9] as const, [2, 1] as const, [3, 9] as const]) {
    bench.tell({ type: 'FindTxns', slot, count, replyTo }).run();
  }
  expect(told.map((found) => found.map(({ atUs, state }) => [atUs, state]))).toEqual([
    [
      [id(4).hlc, 'PreAccepted'],
      [id(3).hlc, 'Applied'],
      [id(1).hlc, 'PreAccepted'],
    ],
    [[id(4).hlc, 'PreAccepted']],
    [],
  ]);
  expect(told[0]?.[0]?.txn).toBe(`1.1/${id(4).hlc}.2.2.0`);
});

test('messages that a full executor refuses are sent again, in order, when it has room', () => {
  const bench = new Bench({}, 1).begin();
  const id = ids(bench);
  const { system } = bench.world;
  system.suspend('node/executor');
  for (let index = 1; index <= 5; index += 1) bench.take(stable(id(index)));
  bench.run(50);
  expect(bench.sequences).toEqual([]);
  system.resume('node/executor');
  bench.run(50);
  expect(bench.sequences).toEqual([1, 2, 3, 4, 5]);
});

test('the executor is handed no more than it has taken makes room for', () => {
  const bench = new Bench({ handOverMax: 2 }).begin();
  const id = ids(bench);
  bench.take(...[1, 2, 3, 4].map((index) => stable(id(index))));
  expect(bench.sequences).toEqual([1, 2]);
  bench.tell({ type: 'Taken', generation: 1, count: 1 }).run();
  expect(bench.sequences).toEqual([1, 2, 3]);
  // Credit of an executor that has ended is void.
  bench.tell({ type: 'Taken', generation: 0, count: 4 }).run();
  expect(bench.sequences).toEqual([1, 2, 3]);
});

test('a recovery that is refused is asked for again', () => {
  const bench = new Bench({ replica: { progressDelayMs: 20, progressDelayMsMax: 20 } }, 1).begin();
  const id = ids(bench);
  const { system } = bench.world;
  system.suspend('node/coordinator');
  bench.take(preAccept(id(1)), preAccept(id(2)), preAccept(id(3))).sync();
  bench.run(2_000);
  expect(bench.coordinated).toEqual([]);
  system.resume('node/coordinator');
  bench.run(2_000);
  const recovered = new Set(
    bench.coordinated.flatMap((message) => (message.type === 'Recover' ? message.id.hlc : [])),
  );
  expect(recovered).toEqual(new Set([id(1).hlc, id(2).hlc, id(3).hlc]));
});

test('a crash of the replica loses nothing that it has said: the log tells it', () => {
  const bench = new Bench().begin();
  const id = ids(bench);
  bench.take(preAccept(id(1)), stable(id(2))).sync();
  bench.sent.length = 0;
  bench.world.system.crash('node/replica', new Error('injected'));
  bench.run(200).begin(1, 2);
  expect(bench.ready).toBe(2);
  bench.take({ type: 'CheckStatus', id: id(2) }).sync();
  const answer = bench.sent.find(({ message }) => message.type === 'StatusReply')?.message;
  expect(answer).toMatchObject({ id: id(2), status: Status.Applied });
  expect(bench.sequences).toEqual([1]);
});

test('while the log does not write, peers are dropped, reads are answered, and it is reported', () => {
  const bench = new Bench({ unloggedBytesMax: 50 }).begin();
  const id = ids(bench);
  bench.take(preAccept(id(1)), preAccept(id(2))).run(TICK_MS);
  expect(bench.disk.at(-1)).toBe('log backlogged true');
  const appended = bench.log.length;
  bench.take(preAccept(id(3)));
  expect(bench.log.length).toBe(appended);
  bench.sent.length = 0;
  const barrier = { type: 'ReadBarrier', token: 1, redundantBefore: at(1), after: at(1) } as const;
  bench.take(barrier);
  expect(bench.answers).toEqual(['ReadBarrierOk']);
  bench.sync().run(TICK_MS);
  expect(bench.disk.at(-1)).toBe('log backlogged false');
  expect(
    bench
      .take(preAccept(id(3)))
      .sync()
      .answers.slice(1),
  ).toContain('PreAcceptOk');
});

test('too much that is kept for others is told every tick, also to a coordinator that was full', () => {
  const bench = new Bench({ retainedBytesMax: 1 }, 1).begin();
  const id = ids(bench);
  const { system } = bench.world;
  system.suspend('node/coordinator');
  bench
    .take(stable(id(1)))
    .sync()
    .run(10 * TICK_MS);
  system.resume('node/coordinator');
  bench.run(3 * TICK_MS);
  const told = bench.coordinated.filter(({ type }) => type === 'Backlog');
  expect(told.length).toBeGreaterThanOrEqual(3);
  expect(told).toEqual(told.map(() => ({ type: 'Backlog', full: true })));
});

test('what every member has settled is erased once it is flushed, and the log is cut after that', () => {
  const bench = new Bench({ replica: { durabilityLagMs: 10, durabilityEveryMs: 20 } }).begin();
  const id = ids(bench);
  bench.take(stable(id(1))).sync();
  const settle = (): void => {
    for (let round = 0; round < 300; round += 1) {
      bench.run(TICK_MS).sync();
      const fence = bench.sent.findLast(({ message }) => message.type === 'RejectBefore')?.message;
      if (fence?.type !== 'RejectBefore') continue;
      const { before, base } = fence;
      const nothing = { ids: new Uint8Array(), end: before };
      for (const from of [2, 3]) {
        bench.tell({
          type: 'Protocol',
          from,
          group: GROUP.id,
          message: { type: 'RejectBeforeOk', before, base, ...nothing },
        });
        bench.tell({
          type: 'Protocol',
          from,
          group: GROUP.id,
          message: {
            type: 'AppliedHint',
            ids: new Uint8Array(),
            redundantBefore: before,
            retains: false,
            asks: false,
          },
        });
      }
    }
  };
  settle();
  expect(bench.watermarks).toMatchObject({ retained: 1, flushedSequence: 0 });
  const isCut = (): boolean => bench.log.some(({ type }) => type === 'Truncate');
  bench.tell({ type: 'Flushed', flushed: [{ group: GROUP.id, sequence: 1 }] });
  for (let round = 0; round < 100 && bench.watermarks?.retained !== 0; round += 1) {
    bench.run(TICK_MS);
    if (bench.watermarks?.retained !== 0) bench.sync();
  }
  expect(bench.watermarks).toMatchObject({ retained: 0, flushedSequence: 1 });
  expect(isCut()).toBe(false);
  expect(bench.log.some(({ type }) => type === 'Append')).toBe(true);
  bench.sync();
  expect(isCut()).toBe(true);
});
