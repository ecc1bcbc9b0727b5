/**
 * The write-behind cache against a plain Map: whatever is cached, flushed, in flight, evicted or
 * lost in a crash, the two must agree, and what is durable must be one of the states in between.
 */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { MemoryEngine } from '../../../storage/engine/memory-engine.ts';
import { ApplyOrderError } from '../../../storage/errors.ts';
import { body, Machine, versionAt } from '../harness.ts';

type Step =
  | { do: 'set'; key: string; value: string }
  | { do: 'transaction'; pairs: [string, string][] }
  | { do: 'delete'; key: string }
  | { do: 'get'; key: string }
  | { do: 'rename'; from: string; to: string }
  | { do: 'clear' }
  | { do: 'start flush' }
  | { do: 'end flush' }
  | { do: 'fail flush' }
  | { do: 'crash' };

const key = fc.integer({ min: 0, max: 30 }).map((n) => `key${n}`);
const value = fc.string({ maxLength: 20, unit: 'binary-ascii' });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('set' as const), key, value }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('transaction' as const),
      pairs: fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('get' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rename' as const), from: key, to: key }) },
  { weight: 1, arbitrary: fc.constant({ do: 'clear' as const }) },
  { weight: 4, arbitrary: fc.constant({ do: 'start flush' as const }) },
  { weight: 4, arbitrary: fc.constant({ do: 'end flush' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'fail flush' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'crash' as const }) },
);

/** The machine, a Map that tells what it should hold, and every state it has been through. */
class Twin {
  machine: Machine;
  model = new Map<string, string>();
  readonly states = new Map<number, Map<string, string>>([[0, new Map()]]);
  readonly #cacheBytesMax: number;

  constructor(cacheBytesMax: number) {
    this.#cacheBytesMax = cacheBytesMax;
    this.machine = new Machine({ cacheBytesMax });
  }

  apply(step: Step): void {
    const { machine, model } = this;
    switch (step.do) {
      case 'set':
        machine.run('SET', step.key, step.value);
        model.set(step.key, step.value);
        break;
      case 'transaction':
        machine.execute(body(...step.pairs.map(([k, v]) => ['SET', k, v])));
        for (const [k, v] of step.pairs) model.set(k, v);
        break;
      case 'delete':
        expect(machine.run('DEL', step.key)).toBe(Number(model.delete(step.key)));
        break;
      case 'get':
        expect(machine.read('GET', step.key)).toBe(model.get(step.key) ?? null);
        break;
      case 'rename': {
        const moved = model.get(step.from);
        const reply = machine.run('RENAME', step.from, step.to);
        expect(reply).toBe(moved === undefined ? '-ERR no such key' : '+OK');
        if (moved === undefined) break;
        model.delete(step.from);
        model.set(step.to, moved);
        break;
      }
      case 'clear':
        machine.run('FLUSHALL');
        model.clear();
        break;
      default:
        this.#flushOrCrash(step.do);
    }
    this.states.set(this.machine.machine.appliedSequence, new Map(this.model));
  }

  check(): void {
    const { machine, model } = this;
    expect(machine.machine.size).toBe(model.size);
    expect(machine.dump()).toEqual(Object.fromEntries(model));
    expect(machine.scan(['COUNT', '3']).toSorted()).toEqual([...model.keys()].toSorted());
    for (const [k, v] of model) expect(machine.read('GET', k)).toBe(v);
  }

  #flushOrCrash(what: 'start flush' | 'end flush' | 'fail flush' | 'crash'): void {
    const { machine } = this;
    if (what === 'start flush') {
      machine.all.flush(() => undefined);
    } else if (what === 'end flush') {
      machine.turns.run();
    } else if (what === 'fail flush') {
      if (machine.turns.pending > 0) (machine.engine as MemoryEngine).failNextCommit();
      machine.turns.run();
    } else {
      machine.engine.close();
      machine.turns.run();
      this.machine = machine.restarted({ cacheBytesMax: this.#cacheBytesMax });
      const sequence = this.machine.machine.appliedSequence;
      this.model = new Map(this.states.get(sequence));
      this.check();
    }
  }
}

describe('keyspace', () => {
  test.each([0, 2_000, 1_000_000])(
    'agrees with a Map, with a cache of %i bytes',
    (cacheBytesMax) => {
      fc.assert(
        fc.property(fc.array(step, { minLength: 1, maxLength: 120 }), (steps) => {
          const twin = new Twin(cacheBytesMax);
          for (const each of steps) twin.apply(each);
          twin.check();
          twin.machine.turns.run();
          twin.machine.flush();
          twin.check();
        }),
        { numRuns: 150 },
      );
    },
  );

  test('never asks an engine whose keys it all has in memory', () => {
    const machine = new Machine();
    let asked = 0;
    const get = machine.engine.get.bind(machine.engine);
    machine.engine.get = (...args) => {
      asked += 1;
      return get(...args);
    };
    machine.run('SET', 'a', '1');
    machine.run('GET', 'nothing');
    machine.flush();
    machine.run('SET', 'b', '2');
    expect(machine.run('GET', 'nothing')).toBe(null);
    expect(asked).toBe(0);
    machine.run('FLUSHALL');
    machine.run('GET', 'a');
    expect(asked).toBe(0);
  });

  test('asks the engine for what the cache has let go', () => {
    const machine = new Machine({ cacheBytesMax: 3_000 });
    for (let i = 0; i < 100; i += 1) machine.run('SET', `key${i}`, `value${i}`);
    machine.flush();
    for (let i = 0; i < 100; i += 1) machine.run('GET', `key${i}`);
    expect(machine.machine.cachedKeys).toBeLessThan(20);
    expect(machine.machine.cacheBytes).toBeLessThanOrEqual(3_500);
    for (let i = 0; i < 100; i += 1) expect(machine.read('GET', `key${i}`)).toBe(`value${i}`);
  });

  test('keeps what is used and lets go of what is not', () => {
    const machine = new Machine({ cacheBytesMax: 5_000 });
    for (let i = 0; i < 100; i += 1) machine.run('SET', `key${i}`, 'x');
    machine.flush();
    const asked: string[] = [];
    const get = machine.engine.get.bind(machine.engine);
    machine.engine.get = (database, key, ...rest) => {
      asked.push(key);
      return get(database, key, ...rest);
    };
    for (let i = 0; i < 100; i += 1) {
      machine.read('GET', 'key0');
      machine.read('GET', `key${i}`);
    }
    expect(asked.length).toBeGreaterThan(50);
    expect(asked.filter((key) => key === 'key0').length).toBeLessThanOrEqual(1);
  });

  test('keeps nothing of keys that are gone', () => {
    const machine = new Machine();
    for (let i = 0; i < 100; i += 1) machine.run('SET', `key${i}`, 'x');
    machine.flush();
    for (let i = 0; i < 100; i += 1) machine.run('DEL', `key${i}`);
    machine.flush();
    expect(machine.machine.cachedKeys).toBe(0);
    expect(machine.machine.cacheBytes).toBe(0);
  });

  test('still knows its misses after a repeated transaction that it skipped', () => {
    const machine = new Machine({ cacheBytesMax: 0 });
    machine.execute(body(['FLUSHALL']), versionAt(30));
    for (let i = 0; i < 20; i += 1) machine.execute(body(['SET', `old${i}`, 'x']), versionAt(30));
    expect(machine.machine.size).toBe(0);
    machine.engine.get = () => {
      throw new Error('asked');
    };
    expect(machine.run('GET', 'nothing')).toBe(null);
  });

  test('counts what a failed flush leaves behind once', () => {
    const machine = new Machine();
    machine.run('SET', 'a', '1');
    const once = machine.machine.dirtyBytes;
    machine.all.flush(() => undefined);
    machine.run('SET', 'a', '2');
    (machine.engine as MemoryEngine).failNextCommit();
    machine.turns.run();
    expect(machine.machine.dirtyBytes).toBe(once);
  });

  test('keeps what is not flushed, whatever the cache may hold', () => {
    const machine = new Machine({ cacheBytesMax: 0 });
    for (let i = 0; i < 100; i += 1) machine.run('SET', `key${i}`, 'x');
    expect(machine.machine.cachedKeys).toBe(100);
    for (let i = 0; i < 100; i += 1) expect(machine.run('GET', `key${i}`)).toBe('x');
  });

  test('asks for a flush when enough has changed', () => {
    const machine = new Machine({ dirtyBytesMax: 1_000 });
    machine.run('SET', 'a', 'x');
    expect(machine.all.needsFlush).toBe(false);
    machine.run('SET', 'a', 'x'.repeat(2_000));
    expect(machine.all.needsFlush).toBe(true);
    machine.flush();
    expect(machine.all.needsFlush).toBe(false);
  });

  test('flushes what was there at the capture, not what came while it ran', () => {
    const machine = new Machine();
    machine.run('MSET', 'a', 'old', 'b', 'old', 'gone', 'old');
    machine.all.flush(() => undefined);
    machine.run('SET', 'a', 'new');
    machine.run('SET', 'a', 'newer');
    machine.run('DEL', 'gone');
    machine.run('SET', 'later', '1');
    machine.turns.run();
    expect(machine.machine.flushedSequence).toBe(1);
    expect(machine.restarted().dump()).toEqual({ a: 'old', b: 'old', gone: 'old' });
    machine.flush();
    expect(machine.restarted().dump()).toEqual({ a: 'newer', b: 'old', later: '1' });
  });

  test('takes one flush at a time', () => {
    const machine = new Machine();
    expect(machine.all.flush(() => undefined)).toBe(true);
    expect(machine.all.flush(() => undefined)).toBe(false);
    expect(machine.all.flushing).toBe(true);
    machine.turns.run();
    expect(machine.all.flush(() => undefined)).toBe(true);
  });

  test('has everything to flush again after a flush that failed', () => {
    const machine = new Machine();
    machine.run('SET', 'a', '1');
    machine.run('FLUSHALL');
    machine.run('SET', 'b', '1');
    (machine.engine as MemoryEngine).failNextCommit();
    expect(() => machine.flush()).toThrow(
      expect.objectContaining({ code: 'HOLO_STORE_WRITE_FAILED' }),
    );
    expect(machine.machine.flushedSequence).toBe(0);
    machine.run('SET', 'c', '1');
    machine.flush();
    expect(machine.restarted().dump()).toEqual({ b: '1', c: '1' });
  });
});

describe('FLUSHALL', () => {
  test('hides what the engine still holds, until the next flush removes it', () => {
    const machine = new Machine({ cacheBytesMax: 0 });
    machine.run('MSET', 'a', '1', 'b', '2');
    machine.flush();
    machine.run('FLUSHALL');
    expect(machine.run('DBSIZE')).toBe(0);
    expect(machine.run('EXISTS', 'a', 'b')).toBe(0);
    expect(machine.scan()).toEqual([]);
    expect(machine.run('SETNX', 'a', '3')).toBe(1);
    expect(machine.restarted().dump()).toEqual({ a: '1', b: '2' });
    machine.flush();
    expect(machine.restarted().dump()).toEqual({ a: '3' });
  });

  test('wins over a flush under way', () => {
    const machine = new Machine();
    machine.run('MSET', 'a', '1', 'b', '2');
    machine.all.flush(() => undefined);
    machine.run('FLUSHALL');
    machine.run('SET', 'c', '3');
    machine.turns.run();
    expect(machine.dump()).toEqual({ c: '3' });
    expect(machine.run('GET', 'a')).toBe(null);
    machine.flush();
    expect(machine.restarted().dump()).toEqual({ c: '3' });
  });

  test('is not undone by the failure of a flush that was under way', () => {
    const machine = new Machine();
    machine.run('SET', 'a', '1');
    machine.all.flush(() => undefined);
    machine.run('FLUSHALL');
    (machine.engine as MemoryEngine).failNextCommit();
    machine.turns.run();
    expect(machine.dump()).toEqual({});
    machine.flush();
    expect(machine.restarted().dump()).toEqual({});
  });
});

describe('order of application', () => {
  const set = (value: string) => body(['SET', 'a', value]);

  test('refuses a transaction that is older than what it would change', () => {
    const machine = new Machine();
    machine.execute(set('new'), versionAt(20));
    expect(() => machine.execute(set('old'), versionAt(10))).toThrow(ApplyOrderError);
  });

  test('applies a transaction once', () => {
    const machine = new Machine();
    const twice = body(['INCR', 'a'], ['INCR', 'a'], ['APPEND', 'b', 'x']);
    machine.execute(twice, versionAt(20));
    machine.execute(twice, versionAt(20));
    expect(machine.dump()).toEqual({ a: '2', b: 'x' });
    machine.flush();
    const restarted = machine.restarted({ cacheBytesMax: 0 });
    restarted.execute(twice, versionAt(20));
    expect(restarted.dump()).toEqual({ a: '2', b: 'x' });
  });

  test('knows what FLUSHALL and DEL have removed', () => {
    const machine = new Machine();
    machine.execute(body(['SET', 'a', '1'], ['SET', 'b', '1']), versionAt(10));
    machine.execute(body(['DEL', 'b']), versionAt(30));
    expect(() => machine.execute(body(['SET', 'b', 'old']), versionAt(20))).toThrow(
      ApplyOrderError,
    );
    const other = new Machine();
    other.execute(body(['FLUSHALL']), versionAt(30));
    other.flush();
    const restarted = other.restarted();
    expect(() => restarted.execute(set('old'), versionAt(20))).toThrow(ApplyOrderError);
  });

  test('lets one transaction remove all keys and write on', () => {
    const machine = new Machine();
    machine.run('SET', 'a', '1');
    machine.execute(body(['SET', 'b', '1'], ['FLUSHALL'], ['SET', 'c', '1'], ['INCR', 'c']));
    expect(machine.dump()).toEqual({ c: '2' });
  });

  test('does not care about the order of transactions that share no key', () => {
    const machine = new Machine();
    machine.execute(set('1'), versionAt(20));
    machine.execute(body(['SET', 'b', '1']), versionAt(10));
    expect(machine.dump()).toEqual({ a: '1', b: '1' });
  });
});

test('a page of fresh keys reads no row of the engine behind them', () => {
  const machine = new Machine();
  for (let at = 0; at < 50; at += 1) machine.run('SET', `stored${at}`, 'v');
  machine.flush();
  for (let at = 0; at < 500; at += 1) machine.run('SET', `fresh${at}`, 'v');
  const page = vi.spyOn(machine.engine, 'page');
  for (let times = 0; times < 20; times += 1) machine.run('RANDOMKEY');
  let rows = 0;
  for (const { value } of page.mock.results) rows += (value as unknown[]).length;
  // Each call may find one between its position and the first fresh key.
  expect(rows).toBeLessThan(page.mock.results.length / 2);
  expect(page.mock.results.length).toBeGreaterThanOrEqual(20);
});
