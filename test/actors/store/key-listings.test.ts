/** KEYS in slices: their limits, their turns, and that only the asked node does the work. */
import { describe, expect, test } from 'vitest';
import { KeyListings } from '../../../actors/store/key-listings.ts';
import { Arguments } from '../../../storage/arguments.ts';
import { NO_REPLY } from '../../../storage/commands/reply.ts';
import { KEYS_IN_UNIT_MAX } from '../../../storage/limits.ts';
import { bodyOf } from '../../../storage/transaction-body.ts';
import type { Part } from '../../../transport/resp/connection/part.ts';
import { body, GROUP, Machine, versionAt } from '../../storage/harness.ts';

interface Told {
  readonly part: number;
  readonly outcome: readonly string[] | string;
}

class Bench {
  readonly all = new Machine();
  readonly told: Told[] = [];
  readonly listings: KeyListings;
  #parts = 0;

  constructor(options: { max?: number; bytesMax?: number; changesMax?: number } = {}) {
    this.listings = new KeyListings({
      max: options.max ?? 16,
      changesMax: options.changesMax,
      bytesMax: options.bytesMax ?? 1_000_000,
      // Every look at the clock is a millisecond later.
      nowMs: () => this.#nowMs++,
      done: ({ part }, outcome) => this.told.push({ part, outcome }),
    });
  }

  #nowMs = 0;

  keys(pattern: string): ReturnType<KeyListings['begin']> {
    const { machine } = this.all;
    const args = new Arguments();
    args.next(Buffer.from(bodyOf([body(['KEYS', pattern])])), 0);
    this.all.nowUs += 1;
    machine.begin(versionAt(this.all.nowUs));
    this.#parts += 1;
    const part = { part: this.#parts, groups: [GROUP.id] } as unknown as Part;
    const begun = this.listings.begin(part, machine, args);
    machine.commit(machine.appliedSequence + 1);
    return begun;
  }

  fill(count: number): void {
    const words = Array.from({ length: count }, (_, i) => [`key${i}`, 'v']).flat();
    this.all.run('MSET', ...words);
  }

  /** Returns the number of slices. */
  finish(): number {
    let slices = 0;
    for (; this.listings.size > 0; slices += 1) this.listings.slice();
    return slices;
  }
}

test('a listing takes slices, in which the keys that it has to find may change', () => {
  const bench = new Bench();
  bench.fill(3_000);
  bench.keys('key*');
  bench.listings.slice();
  for (let i = 0; i < 3_000; i += 1) bench.all.run('DEL', `key${i}`);
  bench.all.run('SET', 'key-new', 'v');
  expect(bench.finish()).toBeGreaterThan(3);
  expect(bench.told[0]?.outcome).toHaveLength(3_000);
  expect(bench.told[0]?.outcome).not.toContain('key-new');
});

test('several listings take turns, and one over the limit is refused', () => {
  const bench = new Bench({ max: 2 });
  bench.fill(3_000);
  expect([bench.keys('*'), bench.keys('key7'), bench.keys('*')]).toEqual([
    'begun',
    'begun',
    'busy',
  ]);
  bench.finish();
  expect(bench.told.map(({ outcome }) => outcome.length).sort()).toEqual([1, 3_000]);
});

test('a listing ends at its bytes, and where too much has changed', () => {
  const bytes = new Bench({ bytesMax: 100 });
  bytes.fill(1_000);
  bytes.keys('*');
  bytes.finish();
  expect(bytes.told).toEqual([{ part: 1, outcome: 'too long' }]);
  const changes = new Bench({ changesMax: 1 });
  changes.keys('*');
  changes.fill(2);
  changes.finish();
  expect(changes.told).toEqual([{ part: 1, outcome: 'lost' }]);
});

test('a node whose client does not wait does nothing for it', () => {
  const bench = new Bench();
  bench.all.run('SET', 'a', 'v', 'PX', '1');
  bench.all.advance(5);
  const { machine } = bench.all;
  const args = new Arguments();
  args.next(Buffer.from(bodyOf([body(['KEYS', '*'])])), 0);
  const before = machine.digest();
  machine.begin(versionAt(bench.all.nowUs + 1));
  machine.run(args, NO_REPLY);
  machine.commit(machine.appliedSequence + 1);
  expect(machine.digest()).toBe(before);
});

test('among other commands KEYS is refused beyond a number of keys, on every node alike', () => {
  const bench = new Bench();
  bench.fill(KEYS_IN_UNIT_MAX);
  const replies = (): unknown[] => bench.all.execute(body(['PING?'], ['KEYS', 'key1']));
  expect(replies()[1]).toEqual(['key1']);
  bench.all.run('SET', 'one-more', 'v');
  expect(replies()[1]).toMatch(/^-ERR KEYS in a MULTI block or script takes at most 10000 keys/);
});

describe('over several groups', () => {
  const other = { range: 2, generation: 1 };
  const part = { part: 7, groups: [GROUP.id, other] } as unknown as Part;

  /** Begins in one of the groups; both are the same machine here. */
  function begin(bench: Bench): ReturnType<KeyListings['begin']> {
    const { machine } = bench.all;
    const args = new Arguments();
    args.next(Buffer.from(bodyOf([body(['KEYS', '*'])])), 0);
    bench.all.nowUs += 1;
    machine.begin(versionAt(bench.all.nowUs));
    const begun = bench.listings.begin(part, machine, args);
    machine.commit(machine.appliedSequence + 1);
    return begun;
  }

  test('a listing ends when the last group is listed, with the keys of all', () => {
    const bench = new Bench();
    bench.fill(3);
    expect(begin(bench)).toBe('begun');
    expect(bench.listings.awaitsGroups(part)).toBe(true);
    bench.finish();
    expect(bench.told).toEqual([]);
    expect(begin(bench)).toBe('begun');
    expect(bench.listings.awaitsGroups(part)).toBe(false);
    bench.finish();
    expect(bench.told).toHaveLength(1);
    expect(bench.told[0]?.outcome).toHaveLength(6);
  });

  test('a client with another answer gets none of it, and one group that fails ends it', () => {
    const bench = new Bench({ bytesMax: 5 });
    bench.fill(3);
    begin(bench);
    bench.listings.forget(part);
    bench.finish();
    expect(bench.told).toEqual([]);
    begin(bench);
    begin(bench);
    bench.finish();
    expect(bench.told.map(({ outcome }) => outcome)).toEqual(['too long']);
    expect(bench.listings.size).toBe(0);
  });
});
