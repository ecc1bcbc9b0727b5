/**
 * The actor of the log on a disk that misbehaves, in virtual time: full, slow, failing; and early
 * messages while the log cannot be opened.
 */
import { expect, test } from 'vitest';
import { encodeRecord } from '../../../actors/accord/local/journal.ts';
import { type WalAnswer, type WalMessage, walActor } from '../../../actors/log/wal-actor.ts';
import { ActorSystem } from '../../../actors/runtime/actor-system.ts';
import { SeededRng } from '../../../actors/runtime/ports/seeded-rng.ts';
import { WalError } from '../../../wal/wal-error.ts';
import { WriteAheadLog } from '../../../wal/write-ahead-log.ts';
import { SimDisk } from '../../simulation/sim-disk.ts';
import { VirtualScheduler } from '../../simulation/virtual-scheduler.ts';

const SEGMENT_BYTES = 4_096;
const GROUP = { range: 1, generation: 1 };

class Bench {
  readonly scheduler = new VirtualScheduler({ seed: 1 });
  readonly disk: SimDisk;
  readonly told: string[] = [];
  readonly durable: number[] = [];
  failure: unknown;
  /** While set, opening the log throws this. */
  obstacle: WalError | undefined;
  /** The store's mailbox takes nothing. */
  isStoreFull = false;
  #token = 0;
  readonly #wal: { tell(message: WalMessage): boolean };
  readonly #replyTo = {
    path: 'store-0',
    tell: (answer: WalAnswer): boolean => {
      if (this.isStoreFull) return false;
      if (answer.type === 'Durable') this.durable.push(answer.token);
      else if (answer.type === 'Replayed') this.told.push('replayed');
      return true;
    },
  };

  constructor(obstacle?: WalError, earlyMax?: number) {
    this.obstacle = obstacle;
    const schedule = (delayMs: number, callback: () => void): void => {
      this.scheduler.after(delayMs, callback);
    };
    this.disk = new SimDisk({ schedule, rng: new SeededRng(1) });
    const { scheduler } = this;
    const system = new ActorSystem({
      name: 'n',
      clock: scheduler.clock,
      rng: new SeededRng(2),
      scheduler,
      onFailed: ({ error }) => {
        this.failure = error;
      },
    });
    this.#wal = system.root.child<WalMessage>({
      name: 'wal',
      shutdownMs: 100,
      mailboxMax: 1_000,
      start: (context) =>
        walActor(context, {
          open: (onRecord) => {
            if (this.obstacle !== undefined) throw this.obstacle;
            const options = { newLogId: new Uint8Array(16), segmentBytes: SEGMENT_BYTES };
            return WriteAheadLog.open(this.disk, 'wal', options, onRecord);
          },
          policy: { name: 'every_batch' },
          stores: [0],
          earlyMax,
          onDiskFull: (full) => this.told.push(full ? 'full' : 'room'),
          onStalled: (stalled) => this.told.push(stalled ? 'stalled' : 'moving'),
        }),
    });
  }

  replay(): void {
    const replyTo = this.#replyTo;
    this.#wal.tell({ type: 'Replay', store: 0, replyTo });
  }

  /** Appends `count` records of one turn. */
  append(count = 1): void {
    this.#token += 1;
    const token = this.#token;
    const records = Array.from({ length: count }, () => {
      const id = { hlc: token, flags: 2, node: 1, store: 0 };
      return encodeRecord(GROUP, { type: 'Invalidated', id });
    });
    const replyTo = this.#replyTo;
    this.#wal.tell({ type: 'Append', store: 0, records, urgent: true, token, replyTo });
  }

  run(ms = 100): void {
    this.scheduler.run(this.scheduler.nowMs + ms);
  }
}

function started(): Bench {
  const bench = new Bench();
  bench.replay();
  bench.run();
  bench.append();
  bench.run(1_000);
  expect(bench.durable).toEqual([1]);
  bench.told.length = 0;
  return bench;
}

test('on a full disk nothing is answered, it is reported while it lasts, and all is kept', () => {
  const bench = started();
  bench.disk.capacityBytes = SEGMENT_BYTES;
  for (let turn = 0; turn < 8; turn += 1) {
    bench.append(20);
    bench.run(300);
  }
  const answered = bench.durable.length;
  expect(answered).toBeLessThan(9);
  expect(bench.told.filter((word) => word === 'full').length).toBeGreaterThan(1);
  bench.run(1_000);
  expect(bench.durable).toHaveLength(answered);
  expect(bench.failure).toBeUndefined();

  bench.disk.capacityBytes = 1024 ** 2;
  bench.run(1_000);
  expect(bench.durable).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(bench.told.at(-1)).toBe('room');
});

test('a write that takes long is reported once, and its end', () => {
  const bench = started();
  bench.disk.stall();
  bench.append();
  bench.run(10_000);
  expect([bench.told.filter((word) => word === 'stalled'), bench.durable]).toEqual([
    ['stalled'],
    [1],
  ]);
  bench.disk.resume();
  bench.run(1_000);
  expect(bench.durable).toEqual([1, 2]);
  expect(bench.told.at(-1)).toBe('moving');
});

test('a failed sync ends the node, and no request is answered', () => {
  const bench = started();
  bench.disk.failSyncs(1);
  bench.append();
  bench.run(1_000);
  expect(bench.failure).toMatchObject({ code: 'HOLO_WAL_FAILED' });
  expect(bench.durable).toEqual([1]);
});

test('a store that takes no answer holds up no other turn', () => {
  const bench = started();
  bench.isStoreFull = true;
  bench.append();
  bench.run();
  bench.isStoreFull = false;
  bench.append();
  bench.run();
  expect([bench.durable, bench.failure]).toEqual([[1, 3], undefined]);
});

test('while the last life of the log still writes, messages wait and the log is tried again', () => {
  const bench = new Bench(new WalError('HOLO_WAL_BUSY', 'still written to'));
  bench.replay();
  bench.run();
  expect(bench.told).not.toContain('replayed');
  bench.obstacle = undefined;
  bench.run();
  expect([bench.told, bench.failure]).toEqual([expect.arrayContaining(['replayed']), undefined]);
  bench.append();
  bench.run();
  expect(bench.durable).toEqual([1]);
});

test('more early messages than fit begin the actor anew, and none is half kept', () => {
  const bench = new Bench(new WalError('HOLO_WAL_BUSY', 'still written to'), 2);
  for (let count = 0; count < 3; count += 1) bench.replay();
  bench.run();
  bench.obstacle = undefined;
  bench.run(2_000);
  expect([bench.told.includes('replayed'), bench.failure]).toEqual([false, undefined]);
  bench.replay();
  bench.run();
  expect(bench.told).toContain('replayed');
});

test('a damaged log ends the node at once', () => {
  const bench = new Bench(new WalError('HOLO_WAL_DAMAGED', 'damaged'));
  bench.run();
  expect(bench.failure).toMatchObject({ code: 'HOLO_WAL_DAMAGED' });
});
