/** The patience of a console's session, by a clock that the test sets. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { decodeCbor, encodeCbor } from '../../../transport/cbor.ts';
import { ConsoleSession, type SessionOptions } from '../../../transport/console/console-session.ts';
import { LiveViews } from '../../../transport/console/live-views.ts';

class Bench {
  nowMs = 0;
  bufferedAmount = 0;
  readonly told: string[] = [];
  readonly session: ConsoleSession;

  constructor(changes: Partial<SessionOptions> = {}) {
    this.session = new ConsoleSession(this, {
      self: 1,
      clusterId: 'c0ffee',
      views: new LiveViews({ gather: () => Promise.resolve({}) }),
      nodes: () => [],
      identify: () => Promise.resolve({ refused: 'no users here', afterMs: 0 }),
      isOpen: true,
      ask: () => new Promise(() => undefined),
      nowMs: () => this.nowMs,
      ...changes,
    });
  }

  send(bytes: Uint8Array): void {
    const { type, reason } = decodeCbor(bytes) as { type: string; reason?: string };
    this.told.push(reason ?? type);
  }

  ping(): void {
    this.told.push('ping');
  }

  close(code: number, reason: string): void {
    this.told.push(`close ${code} ${reason}`);
  }

  terminate(): void {
    this.told.push('terminate');
  }

  receive(message: object): void {
    this.session.received(encodeCbor(message));
  }

  hello(): this {
    this.receive({ type: 'hello', version: 1 });
    return this;
  }

  /** Second by second; `each` after each of them. */
  wait(seconds: number, each: () => void = () => undefined): this {
    for (let second = 0; second < seconds; second += 1) {
      this.nowMs += 1_000;
      this.session.onTick();
      each();
    }
    return this;
  }
}

function welcomed(): Promise<void> {
  return sleep(0);
}

describe('a session ends', () => {
  test('where nobody says who it is within 5 s', () => {
    expect(new Bench().wait(5).told).toEqual([]);
    expect(new Bench().wait(6).told).toEqual(['terminate']);
  });

  test('where the page answers no ping for 30 s', async () => {
    const bench = new Bench().hello();
    await welcomed();
    const { told } = bench.wait(31);
    expect(told).toEqual(['welcome', 'ping', 'ping', 'ping', 'terminate']);
  });

  test('where the page takes nothing for 30 s, though it answers', () => {
    const bench = new Bench().hello();
    bench.bufferedAmount = 10;
    bench.wait(31, () => bench.session.heard());
    expect(bench.told.at(-1)).toBe('terminate');
  });

  test('not while the page answers and takes what it is told', async () => {
    const bench = new Bench().hello();
    await welcomed();
    bench.wait(300, () => bench.session.heard());
    expect(bench.told.filter((each) => each !== 'ping')).toEqual(['welcome']);
  });
});

test('four questions may be under way, and none while too much waits', async () => {
  const bench = new Bench().hello();
  await welcomed();
  for (let id = 0; id < 5; id += 1) bench.receive({ type: 'ask', id, what: 'x', args: {} });
  expect(bench.told.slice(1)).toEqual(['the answers before this one have not been taken yet']);
  const full = new Bench().hello();
  await welcomed();
  full.bufferedAmount = 1024 * 1024;
  full.receive({ type: 'ask', id: 1, what: 'x', args: {} });
  expect(full.told.slice(1)).toEqual(['the answers before this one have not been taken yet']);
});

test('views are not told while too much waits, and then the next one is', async () => {
  const views = new LiveViews({ gather: () => Promise.resolve({}), everyMs: 20 });
  const bench = new Bench({ views }).hello();
  await welcomed();
  bench.bufferedAmount = 1024 * 1024;
  bench.receive({ type: 'subscribe', id: 1, view: 'holofast', args: {} });
  await sleep(50);
  expect(bench.told).toEqual(['welcome']);
  bench.bufferedAmount = 0;
  await sleep(50);
  expect(bench.told).toContain('view');
  bench.session.closed();
});
