/**
 * The actor of the log alone, in virtual time, with two stores that the test plays: each is handed
 * its groups' records, all hear of the clock's limits, and no cut takes what one of them needs.
 */
import { expect, test } from 'vitest';
import { encodeRecord } from '../../../actors/accord/local/journal.ts';
import type { GroupId } from '../../../actors/accord/topology/group-id.ts';
import { type WalAnswer, type WalMessage, walActor } from '../../../actors/log/wal-actor.ts';
import { ActorSystem } from '../../../actors/runtime/actor-system.ts';
import { SeededRng } from '../../../actors/runtime/ports/seeded-rng.ts';
import { WriteAheadLog } from '../../../wal/write-ahead-log.ts';
import { SimDisk } from '../../simulation/sim-disk.ts';
import { type PausableScheduler, VirtualScheduler } from '../../simulation/virtual-scheduler.ts';

const SEGMENT_BYTES = 4_096;
const GROUPS: readonly GroupId[] = [1, 2, 3].map((range) => ({ range, generation: 1 }));

interface Store {
  readonly said: WalAnswer[];
  readonly replyTo: { readonly path: string; tell(answer: WalAnswer): boolean };
}

class Bench {
  readonly scheduler = new VirtualScheduler({ seed: 1 });
  readonly stores: readonly Store[] = [0, 1].map((store) => {
    const said: WalAnswer[] = [];
    return { said, replyTo: { path: `store-${store}`, tell: (answer) => said.push(answer) > 0 } };
  });
  readonly #disk: SimDisk;
  #life!: PausableScheduler;
  #wal!: { tell(message: WalMessage): boolean };
  #log!: WriteAheadLog;
  opened = 0;
  /** Of turns: from their records to their place on disk. */
  readonly loggedMs: number[] = [];
  /** Of writes with their sync. */
  readonly syncMs: number[] = [];
  #token = 0;

  constructor() {
    const schedule = (delayMs: number, callback: () => void): void => {
      this.scheduler.after(delayMs, callback);
    };
    this.#disk = new SimDisk({ schedule, rng: new SeededRng(1) });
    this.start();
  }

  start(): void {
    const scheduler = this.scheduler.scope();
    const { clock } = this.scheduler;
    this.#life = scheduler;
    const onFailed = ({ error }: { readonly error: unknown }): void => {
      throw error;
    };
    const rng = new SeededRng(2);
    const system = new ActorSystem({ name: 'n', clock, rng, scheduler, onFailed });
    const options = { newLogId: new Uint8Array(16), segmentBytes: SEGMENT_BYTES };
    this.#wal = system.root.child<WalMessage>({
      name: 'wal',
      shutdownMs: 100,
      mailboxMax: 1_000,
      start: (context) =>
        walActor(context, {
          open: (onRecord) => {
            this.opened += 1;
            this.#log = WriteAheadLog.open(this.#disk, 'wal', options, onRecord);
            return this.#log;
          },
          policy: { name: 'every_batch' },
          observe: (ms) => this.syncMs.push(ms),
          logged: (ms) => this.loggedMs.push(ms),
          stores: [0, 1],
        }),
    });
  }

  /** The process ends, and another begins. */
  restart(): void {
    this.run();
    this.#life.close();
    this.#disk.crash('power');
    for (const { said } of this.stores) said.length = 0;
    this.start();
  }

  run(ms = 100): void {
    this.scheduler.run(this.scheduler.nowMs + ms);
  }

  replay(store: number): WalAnswer | undefined {
    const { said, replyTo } = this.#store(store);
    this.#wal.tell({ type: 'Replay', store, replyTo });
    this.run();
    return said.findLast(({ type }) => type === 'Replayed');
  }

  append(store: number, group: GroupId, hlc: number): void {
    this.#token += 1;
    const id = { hlc, flags: 2, node: 1, store };
    const records = [encodeRecord(group, { type: 'Invalidated', id })];
    const { replyTo } = this.#store(store);
    const token = this.#token;
    this.#wal.tell({ type: 'Append', store, records, urgent: true, token, replyTo });
  }

  reserve(store: number, limitUs: number): void {
    this.#wal.tell({ type: 'Reserve', store, limitUs });
  }

  needs(store: number, fromLsn: number): void {
    this.#wal.tell({ type: 'Truncate', store, fromLsn });
    this.run();
  }

  limits(store: number): number[] {
    return this.#store(store).said.flatMap((answer) =>
      answer.type === 'ClockLimit' ? answer.limitUs : [],
    );
  }

  pinned(store: number): number[] {
    return this.#store(store).said.flatMap((answer) =>
      answer.type === 'LogPinned' ? answer.belowLsn : [],
    );
  }

  get firstLsn(): number {
    return this.#log.firstLsn;
  }

  get lastLsn(): number {
    return this.#log.durableLsn;
  }

  #store(store: number): Store {
    return this.stores[store] as Store;
  }
}

const [ONE, TWO, THREE] = GROUPS as [GroupId, GroupId, GroupId];

function lsns(answer: WalAnswer | undefined): unknown {
  if (answer?.type !== 'Replayed') return answer;
  return answer.groups.map(({ group, records }) => [group.range, records.map(({ lsn }) => lsn)]);
}

test('each store is handed its records, group by group, and the log is read once', () => {
  const bench = new Bench();
  bench.replay(0);
  bench.replay(1);
  for (let round = 0; round < 3; round += 1) {
    bench.append(0, ONE, 10 + round);
    bench.append(1, round < 2 ? THREE : TWO, 20 + round);
  }
  bench.run();
  bench.opened = 0;
  bench.restart();
  expect(lsns(bench.replay(0))).toEqual([[1, [1, 3, 5]]]);
  bench.append(0, ONE, 99);
  bench.run();
  expect(lsns(bench.replay(1))).toEqual([
    [3, [2, 4]],
    [2, [6]],
  ]);
  expect(bench.opened).toBe(1);
  // One that asks again has lost its memory, and the log must be read for it.
  expect(lsns(bench.replay(0))).toEqual([[1, [1, 3, 5, 7]]]);
  expect(bench.opened).toBe(2);
});

test('a turn waits for the write before its own; a write is measured by itself', () => {
  const bench = new Bench();
  bench.replay(0);
  bench.append(0, ONE, 1_000);
  bench.run(0.01);
  bench.append(0, ONE, 1_001);
  bench.run();
  const [first = 0, second = 0] = bench.syncMs.slice(-2);
  expect(first).toBeGreaterThan(0);
  expect(bench.loggedMs).toHaveLength(2);
  expect(bench.loggedMs[0]).toBeGreaterThanOrEqual(first);
  expect(bench.loggedMs[1]).toBeGreaterThan(second);
});

test('a limit of the clock is told to every store once it is durable, and found at the next start', () => {
  const bench = new Bench();
  bench.replay(0);
  bench.replay(1);
  bench.reserve(0, 5_000);
  bench.reserve(1, 4_000);
  expect([bench.limits(0), bench.limits(1)]).toEqual([[], []]);
  bench.run();
  // One record sufficed for both.
  expect([bench.limits(0).at(-1), bench.limits(1).at(-1), bench.lastLsn]).toEqual([
    5_000, 5_000, 1,
  ]);
  bench.reserve(1, 4_500);
  bench.run();
  expect([bench.limits(1).at(-1), bench.lastLsn]).toEqual([5_000, 1]);
  bench.restart();
  expect(bench.replay(0)).toMatchObject({ clockLimitUs: 5_000 });
  expect(bench.replay(1)).toMatchObject({ clockLimitUs: 5_000 });
});

test('no store can have the log cut before another that has not told what it needs', () => {
  const bench = new Bench();
  bench.replay(0);
  bench.replay(1);
  for (let hlc = 1; hlc <= 400; hlc += 1) {
    bench.append(0, ONE, hlc);
    if (hlc % 50 === 0) bench.run();
  }
  bench.needs(0, 300);
  expect(bench.firstLsn).toBe(1);
  bench.needs(1, 200);
  expect(bench.firstLsn).toBeGreaterThan(1);
  expect(bench.firstLsn).toBeLessThanOrEqual(200);
});

test('a store that holds back the log of the others is told so, once per segment', () => {
  const bench = new Bench();
  bench.replay(0);
  bench.replay(1);
  bench.append(1, TWO, 1);
  bench.needs(1, 1);
  for (let hlc = 1; hlc <= 400; hlc += 1) {
    bench.append(0, ONE, hlc);
    if (hlc % 50 !== 0) continue;
    bench.run();
    bench.needs(0, bench.lastLsn);
  }
  expect(bench.pinned(0)).toEqual([]);
  const told = bench.pinned(1);
  expect(told.length).toBeGreaterThan(1);
  expect(told).toEqual([...new Set(told)].sort((a, b) => a - b));
  expect(bench.firstLsn).toBe(1);
  bench.needs(1, bench.lastLsn);
  expect(bench.firstLsn).toBeGreaterThan(300);
});

test('the newest limit of the clock outlives every cut', () => {
  const bench = new Bench();
  bench.replay(0);
  bench.replay(1);
  bench.reserve(0, 7_000);
  for (let round = 1; round <= 5; round += 1) {
    for (let hlc = 1; hlc <= 200; hlc += 1) {
      bench.append(0, ONE, round * 1_000 + hlc);
      if (hlc % 50 === 0) bench.run();
    }
    bench.needs(0, bench.lastLsn);
    bench.needs(1, bench.lastLsn);
    bench.append(1, TWO, round * 1_000);
    bench.run();
  }
  expect(bench.firstLsn).toBeGreaterThan(800);
  bench.restart();
  expect(bench.replay(0)).toMatchObject({ clockLimitUs: 7_000 });
});
