/** Several databases of a group: kept apart, swapped, cleared, and the same after every restart. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHANGED_ROW, changedAtOf, encodeChangedAt } from '../../../storage/cluster-settings.ts';
import { LmdbEngine } from '../../../storage/engine/lmdb-engine.ts';
import { DATABASES } from '../../../storage/limits.ts';
import { bodyIn, Machine, META, type Reply, unitsBody } from '../harness.ts';

const ALL = Array.from({ length: DATABASES }, (_, database) => database);

function values(machine: Machine, key = 'k'): (Reply | undefined)[] {
  return ALL.map((database) => machine.readIn(database, 'GET', key));
}

describe('databases', () => {
  test('have the same keys with values of their own, flushed or not', () => {
    const machine = new Machine({ cacheBytesMax: 0 });
    for (const database of ALL) machine.runIn(database, 'SET', 'k', `in ${database}`);
    const expected: Reply[] = ALL.map((database) => `in ${database}`);
    expect(values(machine)).toEqual(expected);
    machine.flush();
    expect(values(machine)).toEqual(expected);
    expect(values(machine.restarted())).toEqual(expected);
    expect(machine.restarted().machine.digest()).toBe(machine.machine.digest());
    machine.runIn(3, 'DEL', 'k');
    expect(values(machine)).toEqual(expected.with(3, null));
    expect(machine.machine.report()).toHaveLength(DATABASES - 1);
  });

  test('change in the midst of a unit, and a unit begins with database 0', () => {
    const machine = new Machine();
    const [set, inFive] = [bodyIn(0, ['SET', 'a', '1']), bodyIn(5, ['SET', 'a', '5'])];
    const unit = Buffer.concat([set, inFive, bodyIn(7, ['SET', 'a', '7'], ['GET', 'a'])]);
    expect(machine.execute(unit)).toEqual(['+OK', '+OK', '+OK', '7']);
    expect(values(machine, 'a').filter(Boolean)).toEqual(['1', '5', '7']);
    // The body of two clients: the second one is in database 0, whatever the first one selected.
    expect(machine.execute(unitsBody([['GET', 'a']], [['GET', 'a']]))).toEqual(['1', '1']);
  });

  test('are counted, walked and drawn from one by one', () => {
    const machine = new Machine();
    for (let i = 0; i < 30; i += 1) machine.runIn(i % 3, 'SET', `key${i}`, 'x');
    expect(ALL.map((database) => machine.readIn(database, 'DBSIZE'))).toEqual(
      ALL.map((database) => (database < 3 ? 10 : 0)),
    );
    const keys = machine.readIn(2, 'KEYS', '*') as string[];
    expect(keys.every((key) => Number(key.slice(3)) % 3 === 2)).toBe(true);
    const [, page] = machine.readIn(1, 'SCAN', '0', 'COUNT', '100') as [string, string[]];
    expect(page).toHaveLength(10);
    expect(machine.runIn(4, 'RANDOMKEY')).toBeNull();
    expect(Number(String(machine.runIn(1, 'RANDOMKEY')).slice(3)) % 3).toBe(1);
    const report = machine.machine.report();
    expect(report[2]).toEqual({ database: 2, keys: 10, volatileKeys: 0, ttlMs: 0 });
    expect(machine.all.databases).toEqual(report);
  });

  test('are swapped for good', () => {
    const machine = new Machine();
    machine.runIn(1, 'SET', 'k', 'one');
    machine.runIn(2, 'SET', 'k', 'two');
    machine.flush();
    expect(machine.run('SWAPDB', '1', '2')).toBe('+OK');
    expect(values(machine).slice(0, 4)).toEqual([null, 'two', 'one', null]);
    machine.runIn(1, 'APPEND', 'k', '!');
    machine.flush();
    const again = machine.restarted();
    expect(values(again).slice(0, 4)).toEqual([null, 'two!', 'one', null]);
    expect(again.machine.digest()).toBe(machine.machine.digest());
    again.run('SWAPDB', '1', '3');
    expect(values(again).slice(0, 4)).toEqual([null, null, 'one', 'two!']);
    expect(again.machine.digest()).not.toBe(machine.machine.digest());
  });

  test('a swap that is not flushed is lost with the transaction, and comes back with it', () => {
    const machine = new Machine();
    machine.runIn(1, 'SET', 'k', 'one');
    machine.flush();
    machine.run('SWAPDB', '0', '1');
    const again = machine.restarted();
    expect(values(again).slice(0, 2)).toEqual([null, 'one']);
  });

  test('lose their keys one by one, or all at once', () => {
    const machine = new Machine();
    for (const database of ALL) machine.runIn(database, 'SET', 'k', 'x');
    machine.flush();
    machine.runIn(3, 'FLUSHDB');
    expect(values(machine).filter((value) => value === 'x')).toHaveLength(DATABASES - 1);
    machine.flush();
    expect(values(machine.restarted())[3]).toBeNull();
    expect(values(machine.restarted()).filter((value) => value === 'x')).toHaveLength(15);
    machine.runIn(5, 'FLUSHALL');
    expect(values(machine).every((value) => value === null)).toBe(true);
    machine.flush();
    expect(machine.restarted().machine.size).toBe(0);
    expect(machine.restarted().machine.digest()).toBe(machine.machine.digest());
  });

  test('share their memory: the largest gives way', () => {
    const machine = new Machine({ cacheBytesMax: 20_000 });
    for (let i = 0; i < 200; i += 1) machine.runIn(1, 'SET', `key${i}`, 'x'.repeat(50));
    machine.flush();
    for (let i = 0; i < 200; i += 1) {
      machine.readIn(1, 'GET', `key${i}`);
      machine.runIn(2, 'SET', `key${i % 10}`, 'x'.repeat(50));
      machine.flush();
      expect(machine.machine.cacheBytes).toBeLessThan(25_000);
    }
    for (let i = 0; i < 200; i += 1) {
      expect(machine.readIn(1, 'GET', `key${i}`)).toBe('x'.repeat(50));
    }
  });

  test('count together for what one unit may write', () => {
    const machine = new Machine({ unitWriteBytesMax: 100 });
    const half = 'x'.repeat(60);
    const unit = Buffer.concat([bodyIn(1, ['SET', 'a', half]), bodyIn(2, ['SET', 'a', half])]);
    expect(machine.execute(unit)).toEqual(['+OK', expect.stringMatching(/^-OOM /)]);
    expect(machine.runIn(1, 'COPY', 'a', 'b', 'DB', '2')).toBe(1);
    const twice = bodyIn(1, ['COPY', 'a', 'b', 'DB', '3'], ['MOVE', 'a', '4']);
    expect(machine.execute(twice)).toEqual([1, expect.stringMatching(/^-OOM /)]);
    expect(machine.readIn(1, 'GET', 'a')).toBe(half);
  });

  test('lose what is past its deadline, each in its turn', () => {
    const machine = new Machine();
    for (const database of [0, 3, 9]) machine.runIn(database, 'SET', 'k', 'x', 'PX', '10');
    machine.advance(100);
    const found = new Set<number>();
    for (let look = 0; look < 8 && machine.machine.size > 0; look += 1) {
      const { database, keys } = machine.machine.expired(10, machine.nowMs);
      if (keys.length > 0) found.add(database);
      for (const key of keys) machine.runIn(database, 'HOLO.EXPIRE', key);
    }
    expect(found).toEqual(new Set([0, 3, 9]));
    expect(machine.machine.size).toBe(0);
  });
});

describe('the table of the cluster', () => {
  test('outlasts restarts, and replicas agree on it', () => {
    const machine = new Machine({ groups: [META] });
    expect(machine.run('HOLO.SETTING', 'version', 'x', '1')).toBe(1);
    const before = machine.machine.digest();
    expect(machine.run('HOLO.SETTING', 'version', 'x', '2', 'y', '3')).toBe(2);
    expect(machine.machine.digest()).not.toBe(before);
    machine.flush();
    const groups = [META];
    const { settings } = machine.restarted({ groups }).machine;
    const changed = changedAtOf(settings);
    expect(changed.hlc).toBeGreaterThan(0);
    const values = { x: '2', y: '3', [CHANGED_ROW]: encodeChangedAt(changed) };
    expect(settings).toEqual({ version: 2, values: new Map(Object.entries(values)) });
    expect(machine.restarted({ groups }).machine.size).toBe(0);
    expect(Object.keys(machine.dump())).toEqual([]);
  });

  test('changes whole or not at all', () => {
    const machine = new Machine({ groups: [META], unitWriteBytesMax: 80 });
    const long = 'x'.repeat(90);
    expect(machine.run('HOLO.SETTING', 'version', 'a', '1', 'b', long)).toMatch(/^-OOM /);
    expect(machine.machine.settings.version).toBe(0);
    expect(machine.run('HOLO.SETTING', 'version', 'a', '1')).toBe(1);
  });

  test('is in a group of its own: no keys there, and no table where the keys are', () => {
    const meta = new Machine({ groups: [META] });
    for (const words of [['SET', 'a', '1'], ['FLUSHALL'], ['DBSIZE']]) {
      expect(meta.run(...words)).toMatch(/^-ERR unknown command/);
    }
    expect(meta.read('HOLO.TABLEVERSION', 'version')).toBe(0);
    const keys = new Machine();
    expect(keys.run('HOLO.SETTING', 'version', 'a', '1')).toMatch(/^-ERR unknown command/);
    expect(keys.read('HOLO.TABLEVERSION', 'version')).toMatch(/^-ERR unknown command/);
  });
});

describe('the engine on disk', () => {
  test('keeps them apart, clears one of them, and finds itself whole', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holo-databases-'));
    const flushed = (machine: Machine): Promise<unknown> =>
      new Promise((resolve) => machine.all.flush(resolve));
    const opened = (): Machine => new Machine({ engine: new LmdbEngine({ directory }) });
    const closed = (machine: Machine): Promise<void> =>
      new Promise((resolve) => machine.engine.close(resolve));
    let machine = opened();
    for (const database of ALL) machine.runIn(database, 'SET', 'k', `in ${database}`);
    machine.run('SWAPDB', '4', '5');
    await flushed(machine);
    machine.runIn(2, 'FLUSHDB');
    await flushed(machine);
    const expected = values(machine);
    const digest = machine.machine.digest();
    await closed(machine);
    const { nowUs } = machine;
    machine = opened();
    machine.nowUs = nowUs;
    for (const _ of (machine.engine as LmdbEngine).check());
    expect(values(machine)).toEqual(expected);
    expect(expected.slice(1, 6)).toEqual(['in 1', null, 'in 3', 'in 5', 'in 4']);
    expect(machine.machine.digest()).toBe(digest);
    machine.run('FLUSHALL');
    await flushed(machine);
    expect((machine.engine as LmdbEngine).keys).toBe(0);
    await closed(machine);
    rmSync(directory, { recursive: true });
  });
});

type Step =
  | { readonly type: 'command'; readonly database: number; readonly words: readonly string[] }
  | { readonly type: 'flush' | 'restart' };

const database = fc.integer({ min: 0, max: 3 });
const key = fc.constantFrom('a', 'b', 'c', 'd');
const words = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constant('SET'), key, fc.constantFrom('1', '2', '3')) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('DEL'), key) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('MOVE'), key, database.map(String)) },
  {
    weight: 3,
    arbitrary: fc.tuple(
      ...([fc.constant('COPY'), key, key, fc.constant('DB'), database.map(String)] as const),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constant('SWAPDB'), database.map(String), database.map(String)),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('FLUSHDB', 'FLUSHALL')) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ type: fc.constant('command' as const), database, words }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constantFrom('flush' as const, 'restart' as const) }),
  },
);

/** Databases as plain maps. */
class Model {
  databases: Map<string, string>[] = ALL.map(() => new Map());

  run(database: number, [name = '', first = '', second = '', , other]: readonly string[]): void {
    const own = this.databases[database] as Map<string, string>;
    const value = own.get(first);
    if (name === 'SET') own.set(first, second);
    else if (name === 'DEL') own.delete(first);
    else if (name === 'FLUSHDB') own.clear();
    else if (name === 'FLUSHALL') for (const each of this.databases) each.clear();
    else if (name === 'SWAPDB') this.#swap(Number(first), Number(second));
    else if (value !== undefined) {
      const target = this.databases[Number(other ?? second)] as Map<string, string>;
      const to = name === 'MOVE' ? first : second;
      if (target.has(to)) return;
      target.set(to, value);
      if (name === 'MOVE') own.delete(first);
    }
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.databases[a], this.databases[b]];
    this.databases = this.databases.with(a, second as never).with(b, first as never);
  }
}

test('any commands in any databases, flushes and restarts: the model and the machine agree', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let machine = new Machine({ cacheBytesMax: 600 });
      const model = new Model();
      for (const each of steps) {
        if (each.type === 'command') {
          machine.runIn(each.database, ...each.words);
          model.run(each.database, each.words);
        } else {
          machine.flush();
          if (each.type === 'restart') machine = machine.restarted({ cacheBytesMax: 600 });
        }
        for (const database of [0, 1, 2, 3]) {
          const own = model.databases[database] as Map<string, string>;
          expect(machine.readIn(database, 'DBSIZE')).toBe(own.size);
          for (const name of ['a', 'b', 'c', 'd']) {
            expect(machine.readIn(database, 'GET', name)).toBe(own.get(name) ?? null);
          }
        }
      }
    }),
    { numRuns: 150 },
  );
});
