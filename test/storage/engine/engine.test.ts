/** The contract of every engine, checked on both, and the extras of each. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { open } from 'lmdb';
import { afterEach, describe, expect, test } from 'vitest';
import { type Timestamp, ZERO } from '../../../actors/accord/primitives/timestamp.ts';
import { groupRowKey } from '../../../storage/engine/group-rows.ts';
import { PIECE_BYTES } from '../../../storage/engine/lmdb-changes.ts';
import { LmdbEngine } from '../../../storage/engine/lmdb-engine.ts';
import { MemoryEngine, MemoryStore } from '../../../storage/engine/memory-engine.ts';
import {
  type ChangedKey,
  type DatabaseBatch,
  type Engine,
  emptyMeta,
  type FlushBatch,
  type GroupMeta,
  PAGE_BYTES_MAX,
} from '../../../storage/engine.ts';
import type { EngineError } from '../../../storage/errors.ts';
import { type Deadline, Entry, NO_DEADLINE, UNREAD } from '../../../storage/keyspace/entry.ts';
import { BLOCK_SLOTS, type SlotBlock } from '../../../storage/keyspace/slot-counts.ts';
import { POSITIONS, positionOf, slotOfText } from '../../../storage/keyspace/slots.ts';
import { DATABASES, TABLE_DATABASE, VALUE_BYTES_MAX } from '../../../storage/limits.ts';
import { placeOfText } from '../../../storage/place.ts';
import { STRING } from '../../../storage/types/string.ts';
import { body, GROUP, Machine, START_MS, TABLE_HASH_KEY, Turns, versionAt } from '../harness.ts';

const cleanup: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const clean of cleanup.splice(0).toReversed()) await clean();
});

async function closed(engine: Engine): Promise<void> {
  await new Promise<void>((resolve) => engine.close(resolve));
}

/** Each call opens the same store again; the one before must be closed. */
function lmdb(): () => Engine {
  const directory = mkdtempSync(join(tmpdir(), 'holo-storage-'));
  cleanup.push(() => rmSync(directory, { recursive: true, force: true }));
  return () => {
    const engine = new LmdbEngine({ directory });
    cleanup.push(() => closed(engine));
    return engine;
  };
}

function memory(): () => Engine {
  const store = new MemoryStore(TABLE_HASH_KEY);
  return () => new MemoryEngine({ store, defer: (callback) => setImmediate(callback) });
}

function changedKey(key: string): ChangedKey {
  return { key, slot: slotOfText(key), place: placeOfText(key) };
}

function entry(value: string, deadline = 0): Entry {
  return new Entry(STRING, value, deadline, {
    hlc: 2 ** 50,
    flags: 2,
    node: 7,
    store: 3,
  });
}

/** All keys count as those of one slot: engines do not look. */
function blockOf(keys: number): SlotBlock {
  const counts = new Uint32Array(BLOCK_SLOTS);
  counts[5] = keys;
  return {
    database: 0,
    index: 3,
    keys: counts,
    volatileKeys: new Uint32Array(BLOCK_SLOTS),
    bytes: new Float64Array(BLOCK_SLOTS).fill(2 ** 40),
    removedAt: new Array<Timestamp>(BLOCK_SLOTS).fill(ZERO).with(7, versionAt(3)),
  };
}

function batch(
  changes: Record<string, string | undefined>,
  meta: Partial<GroupMeta & { keys: number }> = {},
  clear = false,
): FlushBatch {
  const all = Object.entries(changes);
  const { keys = all.filter(([, value]) => value !== undefined).length, ...rest } = meta;
  const first = { ...emptyMeta(GROUP), appliedSequence: 1, clearedAt: clearedAt(5) };
  const changed: DatabaseBatch = {
    database: 0,
    clear,
    blocks: [blockOf(keys)],
    count: all.length,
    dropped: [],
    takeRows: () => 0,
    take(limit, visit) {
      const next = all.splice(0, limit);
      for (const [key, value] of next) {
        visit(changedKey(key), value === undefined ? undefined : entry(value));
      }
      return next.length;
    },
  };
  return { meta: { ...first, ...rest }, databases: [changed] };
}

/** Each database at another time. */
function clearedAt(hlc: number): Timestamp[] {
  return Array.from({ length: DATABASES }, (_, database) => versionAt(hlc + database));
}

async function commit(engine: Engine, flush: FlushBatch): Promise<EngineError | undefined> {
  return new Promise((resolve) => engine.commit([flush], resolve));
}

function get(engine: Engine, key: string): Entry | undefined {
  return engine.get(0, key, slotOfText(key), placeOfText(key));
}

function content(engine: Engine): Record<string, string> {
  const all: Record<string, string> = {};
  let position = 0;
  for (;;) {
    const page = engine.page(0, position, POSITIONS, 100_000);
    for (const item of page) all[item.key] = item.entry.value as string;
    const last = page.at(-1);
    if (last === undefined) return all;
    position = positionOf(last.slot, last.place) + 1;
  }
}

describe.each([
  ['memory', memory],
  ['lmdb', lmdb],
] as const)('the %s engine', (_, make) => {
  test('is empty at first', () => {
    const engine = make()();
    expect(engine.metaOf(GROUP.id)).toBeUndefined();
    expect(engine.countsOf(GROUP.id)).toEqual([]);
    expect(engine.appliedTotal).toBe(0);
    expect(get(engine, 'a')).toBeUndefined();
    expect(engine.page(0, 0, POSITIONS, 10)).toEqual([]);
  });

  test('gives back what was committed, after a restart too', async () => {
    const restart = make();
    const engine = restart();
    const databases = clearedAt(1).map((swappedAt, at) => ({ physical: 15 - at, swappedAt }));
    const applied = { appliedSequence: 42, appliedUnits: 7 };
    const marks = { clearedAt: clearedAt(99), databases, lastCollection: 2 ** 47 };
    const meta = { ...applied, ...marks, phase: 'open' as const };
    const value = '\x00\xff\x80 bytes';
    await commit(engine, batch({ a: value, '': 'empty key', b: '' }, meta));
    await closed(engine);
    const again = restart();
    expect(again.metaOf(GROUP.id)).toEqual({ ...GROUP, ...meta });
    expect(again.countsOf(GROUP.id)).toEqual([blockOf(3)]);
    expect(again.appliedTotal).toBe(42);
    expect(get(again, 'a')).toEqual(entry(value));
    expect(content(again)).toEqual({ a: value, '': 'empty key', b: '' });
  });

  test('reads rows ahead, of keys that it has and of others, in a later turn', async () => {
    const engine = make()();
    await commit(engine, batch({ a: '1', b: 'x'.repeat(100_000) }));
    const rows = ['a', 'b', 'none'].map((key) => ({ database: 0, ...changedKey(key) }));
    let isDone = false;
    await new Promise<void>((resolve) => {
      engine.readAhead(rows, () => {
        isDone = true;
        resolve();
      });
      expect(isDone).toBe(false);
    });
    expect(get(engine, 'a')).toEqual(entry('1'));
  });

  test('gives back deadlines of all of 64 bits', async () => {
    const restart = make();
    const engine = restart();
    const deadlines: Deadline[] = [NO_DEADLINE, 1, 2 ** 32 - 1, 2 ** 32, START_MS, 2 ** 53 - 1];
    deadlines.push(2n ** 53n, 9223372036854770000n, 2n ** 63n - 1n);
    const flush = batch(Object.fromEntries(deadlines.map((deadline) => [deadline, ''])));
    const databases = flush.databases.map(
      (changes): DatabaseBatch => ({
        ...changes,
        take: (limit, visit) =>
          changes.take(limit, (changed) => {
            const deadline = deadlines.find((one) => String(one) === changed.key) ?? NO_DEADLINE;
            visit(changed, new Entry(STRING, 'v', deadline, versionAt(1)));
          }),
      }),
    );
    await commit(engine, { ...flush, databases });
    await closed(engine);
    const again = restart();
    for (const deadline of deadlines) expect(get(again, String(deadline))?.deadline).toBe(deadline);
  });

  test('replaces, removes and clears', async () => {
    const engine = make()();
    await commit(engine, batch({ a: '1', b: '2', c: '3' }));
    await commit(engine, batch({ a: 'new', b: undefined, never: undefined }, { keys: 2 }));
    expect(content(engine)).toEqual({ a: 'new', c: '3' });
    await commit(engine, batch({ d: '4' }, { keys: 1 }, true));
    expect(content(engine)).toEqual({ d: '4' });
    expect(get(engine, 'a')).toBeUndefined();
    await commit(engine, batch({}, { keys: 0 }, true));
    expect(content(engine)).toEqual({});
  });

  test('clears the rows of a group, and none of a group that has other databases', async () => {
    const restart = make();
    const engine = restart();
    const table = batch({ user: '1' }, { id: { range: 0, generation: 1 } });
    const databases = table.databases.map((each) => {
      const blocks = each.blocks.map((block) => ({ ...block, database: TABLE_DATABASE }));
      return { ...each, database: TABLE_DATABASE, blocks };
    });
    await commit(engine, { ...table, databases });
    await commit(engine, batch({ a: '1' }));
    await commit(engine, batch({}, { keys: 0 }, true));
    await closed(engine);
    const again = restart();
    expect(content(again)).toEqual({});
    expect(again.page(TABLE_DATABASE, 0, POSITIONS, 10).map(({ key }) => key)).toEqual(['user']);
  });

  test('ends a page where its values fill it, and goes on behind them', async () => {
    const engine = make()();
    const large = 'x'.repeat(PAGE_BYTES_MAX / 2);
    const keys = Array.from({ length: 7 }, (_, i) => `key${i}`);
    await commit(engine, batch(Object.fromEntries(keys.map((key) => [key, large]))));
    expect(engine.page(0, 0, POSITIONS, 100).length).toBe(2);
    const machine = new Machine({ engine, cacheBytesMax: 0 });
    expect(machine.read('KEYS', '*')).toHaveLength(7);
    expect(machine.scan(['COUNT', '100']).toSorted()).toEqual(keys);
  });

  test('walks keys without their values', async () => {
    const engine = make()();
    const long = 'k'.repeat(5_000);
    const keys = [...Array.from({ length: 50 }, (_, i) => `key${i}`), `${long}1`, `${long}2`];
    await commit(engine, batch(Object.fromEntries(keys.map((key) => [key, `${key}!`]))));
    for (const limit of [1, 7, 100]) {
      const found: string[] = [];
      for (let position = 0; position < POSITIONS; ) {
        const page = engine.page(0, position, POSITIONS, limit, true);
        const whole = engine.page(0, position, POSITIONS, limit);
        expect(page.map(({ key }) => key)).toEqual(whole.map(({ key }) => key));
        for (const { key, slot, place, entry } of page) {
          found.push(key);
          expect(entry).toBe(UNREAD);
          expect([slot, place]).toEqual([slotOfText(key), placeOfText(key)]);
        }
        const last = page.at(-1);
        position = last === undefined ? POSITIONS : positionOf(last.slot, last.place) + 1;
      }
      expect(found.toSorted()).toEqual(keys.toSorted());
    }
  });

  test('draws a key, and lists keys, without reading large values', async () => {
    const engine = make()();
    const large = 'x'.repeat(PAGE_BYTES_MAX);
    const filled = new Machine({ engine });
    filled.run('MSET', 'a', large, 'b', large);
    await new Promise<unknown>((resolve) => filled.all.flush(resolve));
    const reads: boolean[] = [];
    const page = engine.page.bind(engine);
    engine.page = (database, from, to, limit, keysOnly) => {
      reads.push(keysOnly === true);
      return page(database, from, to, limit, keysOnly);
    };
    const machine = new Machine({ engine, cacheBytesMax: 0 });
    machine.nowUs = filled.nowUs;
    reads.length = 0;
    expect(['a', 'b']).toContain(machine.read('RANDOMKEY'));
    expect(reads.length).toBeGreaterThan(0);
    expect(reads).not.toContain(false);
    machine.run('PEXPIRE', 'a', '1000000');
    reads.length = 0;
    for (let draws = 0; draws < 20; draws += 1) machine.read('RANDOMKEY');
    expect(reads).toContain(false);
  });

  test('gives back a value of the largest size', async () => {
    const restart = make();
    const engine = restart();
    await commit(engine, batch({ big: 'x'.repeat(VALUE_BYTES_MAX), small: '1' }));
    await closed(engine);
    const again = restart();
    const big = get(again, 'big')?.value as string;
    expect(big.length).toBe(VALUE_BYTES_MAX);
    expect(get(again, 'small')?.value).toBe('1');
    expect(big.endsWith('x')).toBe(true);
  });

  test('pages in hash order', async () => {
    const engine = make()();
    const keys = Array.from({ length: 100 }, (_, i) => `key${i}`);
    await commit(engine, batch(Object.fromEntries(keys.map((key) => [key, 'x']))));
    const found: string[] = [];
    let position = 0;
    for (;;) {
      const page = engine.page(0, position, POSITIONS, 7);
      found.push(...page.map((item) => item.key));
      const last = page.at(-1);
      if (last === undefined || page.length < 7) break;
      expect(page.length).toBe(7);
      expect([last.slot, last.place]).toEqual([slotOfText(last.key), placeOfText(last.key)]);
      position = positionOf(last.slot, last.place) + 1;
    }
    const order = (key: string) => positionOf(slotOfText(key), placeOfText(key));
    expect(found).toEqual(keys.toSorted((a, b) => order(a) - order(b)));
  });

  test('takes keys and values of any size', async () => {
    const engine = make()();
    const sizes = [0, 1, 1_903, 1_904, 1_905, 1_978, 1_979, 65_536];
    const keys = sizes.map((size) => 'k'.repeat(size));
    const values = [0, 1, 100, 32_768, 300_000, 5_000_000].map((size) => 'v'.repeat(size));
    const all: Record<string, string> = {};
    keys.forEach((key, i) => {
      all[key] = values[i % values.length] as string;
    });
    // Long keys that agree in all that fits an LMDB key.
    all[`${'k'.repeat(5_000)}1`] = 'one';
    all[`${'k'.repeat(5_000)}2`] = 'two';
    await commit(engine, batch(all));
    for (const [key, value] of Object.entries(all)) {
      expect(get(engine, key)?.value === value, `key of ${key.length} bytes`).toBe(true);
    }
    const found = engine.page(0, 0, POSITIONS, 100).map((item) => item.key.length);
    expect(found.toSorted()).toEqual([...sizes, 5_001, 5_001].toSorted());
    await commit(
      engine,
      batch(Object.fromEntries(Object.keys(all).map((key) => [key, undefined]))),
    );
    expect(engine.page(0, 0, POSITIONS, 100)).toEqual([]);
  });

  test('reports a commit in a later turn, and refuses a second meanwhile', async () => {
    const engine = make()();
    let done = false;
    const first = new Promise((resolve) => {
      engine.commit([batch({ a: '1' })], (error) => {
        done = true;
        resolve(error);
      });
    });
    expect(done).toBe(false);
    expect(() => engine.commit([batch({ b: '1' })], () => undefined)).toThrow();
    expect(await first).toBeUndefined();
    expect(content(engine)).toEqual({ a: '1' });
  });

  test('refuses to be used after close', async () => {
    const engine = make()();
    await closed(engine);
    const error = expect.objectContaining({ code: 'HOLO_STORE_CLOSED' });
    expect(() => get(engine, 'a')).toThrow(error);
    expect(() => engine.page(0, 0, POSITIONS, 1)).toThrow(error);
    expect(() => engine.commit([batch({})], () => undefined)).toThrow(error);
  });

  test('carries a state machine through restarts', async () => {
    const restart = make();
    const operations = fc.array(fc.tuple(fc.nat(40), fc.nat(3)), { maxLength: 40 });
    const model = new Map<string, string>();
    let machine = new Machine({ engine: restart(), cacheBytesMax: 3_000 });
    for (const rounds of fc.sample(operations, { numRuns: 30, seed: 7 })) {
      for (const [n, what] of rounds) {
        const key = `key${n}`;
        if (what === 0) machine.run('DEL', key);
        else machine.run('SET', key, `${what}`);
        if (what === 0) model.delete(key);
        else model.set(key, `${what}`);
      }
      if (rounds.length === 20) {
        machine.run('FLUSHALL');
        model.clear();
      }
      const before = machine.machine.digest();
      await new Promise<void>((resolve, reject) => {
        machine.all.flush((error) => (error === undefined ? resolve() : reject(error)));
      });
      expect(machine.machine.digest()).toBe(before);
      await closed(machine.engine);
      const next = new Machine({
        engine: restart(),
        cacheBytesMax: 3_000,
        startMs: machine.nowMs + 1,
      });
      expect(next.machine.digest()).toBe(before);
      expect(next.machine.size).toBe(model.size);
      expect(next.machine.appliedSequence).toBe(machine.machine.appliedSequence);
      machine = next;
    }
    expect(machine.dump()).toEqual(Object.fromEntries(model));
    await closed(machine.engine);
  });
});

describe('the memory engine', () => {
  test('loses a commit whole when it is closed before the end', () => {
    const turns = new Turns();
    const store = new MemoryStore(TABLE_HASH_KEY);
    const engine = new MemoryEngine({ store, defer: turns.defer });
    let told = false;
    engine.commit([batch({ a: '1' })], () => {
      told = true;
    });
    engine.close();
    turns.run();
    expect(told).toBe(false);
    expect(content(new MemoryEngine({ store, defer: turns.defer }))).toEqual({});
  });

  test('finds every flipped bit', () => {
    const machine = new Machine({ cacheBytesMax: 0 });
    machine.run('SET', 'a', 'value');
    machine.flush();
    const damaged = expect.objectContaining({ code: 'HOLO_STORE_DAMAGED' });
    for (let bit = 0; bit < 41 * 8; bit += 1) {
      expect(machine.store.flipBit(0, 'a', bit)).toBe(true);
      expect(() => machine.restarted().run('GET', 'a'), `bit ${bit}`).toThrow(damaged);
      expect(() => machine.restarted().read('GET', 'a')).toThrow(damaged);
      expect(() => machine.restarted().scan()).toThrow(damaged);
      machine.store.flipBit(0, 'a', bit);
    }
    expect(machine.restarted().run('GET', 'a')).toBe('value');
    expect(machine.store.flipBit(0, 'absent', 0)).toBe(false);
  });
});

describe('the lmdb engine', () => {
  test('encodes one long value per turn, and many short ones', async () => {
    const engine = lmdb()();
    let turn = 0;
    let committing = true;
    const count = (): void => {
      turn += 1;
      if (committing) setImmediate(count);
    };
    count();
    for (const [bytes, perTurn] of [
      [PIECE_BYTES, 1],
      [10, 100],
    ] as const) {
      const keys = Array.from({ length: 100 }, (_, at) => `${bytes}:${at}`);
      const flush = batch(Object.fromEntries(keys.map((key) => [key, 'x'.repeat(bytes)])));
      const [changed] = flush.databases as [DatabaseBatch];
      const turns: number[] = [];
      const take: DatabaseBatch['take'] = (limit, visit) => {
        return changed.take(limit, (key, stored) => {
          turns.push(turn);
          visit(key, stored);
        });
      };
      const meta = { ...flush.meta, appliedSequence: bytes };
      await commit(engine, { meta, databases: [{ ...changed, take, blocks: [] }] });
      const most = Math.max(...turns.map((one) => turns.filter((each) => each === one).length));
      expect(most, `values of ${bytes} bytes`).toBe(perTurn);
    }
    committing = false;
  });

  async function tamper(
    change: (raw: {
      data: ReturnType<ReturnType<typeof open>['openDB']>;
      info: ReturnType<ReturnType<typeof open>['openDB']>;
    }) => Promise<unknown>,
  ): Promise<string> {
    const directory = mkdtempSync(join(tmpdir(), 'holo-storage-'));
    cleanup.push(() => rmSync(directory, { recursive: true, force: true }));
    const engine = new LmdbEngine({ directory });
    await commit(engine, batch({ a: 'value' }));
    await closed(engine);
    const root = open({ path: directory, noSubdir: false, maxDbs: 4 });
    const form = { encoding: 'binary', keyEncoding: 'binary' } as const;
    await change({ data: root.openDB('data', form), info: root.openDB('info', form) });
    await root.close();
    return directory;
  }
  const damaged = expect.objectContaining({ code: 'HOLO_STORE_DAMAGED' });

  test('finds a value that was damaged on disk', async () => {
    const directory = await tamper(async ({ data }) => {
      for (const { key, value } of data.getRange({})) {
        const bytes = Buffer.from(value as Uint8Array);
        bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
        await data.put(Buffer.from(key as Uint8Array), bytes);
      }
    });
    const engine = new LmdbEngine({ directory });
    cleanup.push(() => closed(engine));
    expect(() => get(engine, 'a')).toThrow(damaged);
    expect(() => engine.page(0, 0, POSITIONS, 1)).toThrow(damaged);
  });

  test('refuses a store whose meta record is damaged, missing or wrong', async () => {
    const meta = groupRowKey(GROUP.id);
    const flipped = await tamper(async ({ info }) => {
      const bytes = Buffer.from(info.get(meta) as Uint8Array);
      bytes[3] = (bytes[3] as number) ^ 1;
      await info.put(meta, bytes);
    });
    const missing = await tamper(async ({ info }) => info.remove(meta));
    const wrong = await tamper(async ({ data }) =>
      data.put(Buffer.from('another key'), Buffer.alloc(40)),
    );
    for (const directory of [flipped, missing, wrong]) {
      expect(() => new LmdbEngine({ directory })).toThrow(damaged);
    }
  });

  test('says why it cannot be opened', () => {
    const error = expect.objectContaining({ code: 'HOLO_STORE_OPEN_FAILED' });
    expect(() => new LmdbEngine({ directory: '/dev/null/store' })).toThrow(error);
  });

  test('holds more than the cache does', async () => {
    const engine = lmdb()();
    const machine = new Machine({ engine, cacheBytesMax: 20_000 });
    const keys = Array.from({ length: 2_000 }, (_, i) => `key${i}`);
    for (let at = 0; at < keys.length; at += 200) {
      machine.execute(body(...keys.slice(at, at + 200).map((key) => ['SET', key, `of ${key}`])));
      await new Promise<void>((resolve, reject) => {
        machine.all.flush((error) => (error === undefined ? resolve() : reject(error)));
      });
    }
    expect(machine.machine.cachedKeys).toBeLessThan(200);
    for (const key of keys) expect(machine.read('GET', key)).toBe(`of ${key}`);
    expect(machine.scan(['COUNT', '100']).length).toBe(2_000);
    expect(machine.machine.size).toBe(2_000);
  });
});
