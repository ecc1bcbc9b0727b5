/**
 * Shared by the tests of the log: virtual time, dice, a simulated disk with a log on it, and
 * payloads whose bytes name the record they belong to. Used by test/wal only.
 */
import type { Rng } from '../../actors/runtime/ports/ports.ts';
import type { ReplayedRecord } from '../../wal/replay.ts';
import type { WalOptions } from '../../wal/wal-options.ts';
import { WriteAheadLog } from '../../wal/write-ahead-log.ts';
import { SimDisk } from '../simulation/sim-disk.ts';

export const DIRECTORY = '/data/wal';
export const LOG_ID = Uint8Array.from({ length: 16 }, (_, index) => index + 1);
export const SMALL: WalOptions = {
  newLogId: LOG_ID,
  segmentBytes: 8192,
  batchBytesMax: 4096,
  pendingBytesMax: 64 * 1024,
};

const STEPS_MAX = 100_000;

/** Mulberry32: small, and good enough to roll dice with. */
export function dice(seed: number): Rng {
  let state = seed >>> 0;
  return {
    next(): number {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

export class VirtualTime {
  nowMs = 0;
  readonly #timers: Timer[] = [];
  readonly schedule = (delayMs: number, callback: () => void): void => {
    const atMs = this.nowMs + delayMs;
    const index = this.#timers.findIndex((timer) => timer.atMs > atMs);
    this.#timers.splice(index === -1 ? this.#timers.length : index, 0, { atMs, callback });
  };

  /** Runs the next callback; false when there is none. */
  step(): boolean {
    const timer = this.#timers.shift();
    if (timer === undefined) return false;
    this.nowMs = timer.atMs;
    timer.callback();
    return true;
  }

  drain(): void {
    for (let steps = 0; this.step(); steps += 1) {
      if (steps > STEPS_MAX) throw new Error('virtual time does not come to rest');
    }
  }
}

export interface LogOnDisk {
  readonly log: WriteAheadLog;
  readonly records: readonly ReplayedRecord[];
}

export class LogHarness {
  readonly time = new VirtualTime();
  readonly disk: SimDisk;
  readonly options: WalOptions;

  constructor(options: Partial<WalOptions> = {}, seed = 1) {
    this.options = { ...SMALL, ...options };
    this.disk = new SimDisk({ schedule: this.time.schedule, rng: dice(seed) });
  }

  open(options: Partial<WalOptions> = {}): LogOnDisk {
    const records: ReplayedRecord[] = [];
    const all = { ...this.options, ...options };
    const log = WriteAheadLog.open(this.disk, DIRECTORY, all, (record) => records.push(record));
    return { log, records };
  }

  /** Appends one batch and waits until it is durable. */
  write(log: WriteAheadLog, ...payloads: readonly Uint8Array[]): void {
    for (const payload of payloads) log.append(1, 2, [payload]);
    this.sync(log);
  }

  sync(log: WriteAheadLog): void {
    let answer = 'none';
    log.commit((error) => {
      answer = error?.message ?? 'durable';
    });
    this.time.drain();
    if (answer !== 'durable') throw new Error(`commit: ${answer}`);
  }

  segmentPath(log: WriteAheadLog, index: number): string {
    const segment = log.segments().at(index);
    if (segment === undefined) throw new Error(`no segment ${index}`);
    return segment.path;
  }
}

/** `bytes` bytes that are different for every `mark`. */
export function payload(mark: number, bytes: number): Buffer {
  const content = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) content[at] = (mark * 31 + at * 7 + (at >> 8)) & 0xff;
  if (bytes >= 4) content.writeUInt32LE(mark, 0);
  return content;
}

export function texts(records: readonly ReplayedRecord[]): string[] {
  return records.map(
    ({ lsn, payload: bytes }) => `${lsn}:${Buffer.from(bytes).toString('latin1')}`,
  );
}
