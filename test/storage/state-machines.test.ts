/**
 * Several groups over disjoint intervals of slots on one engine, against a Map for each: whatever
 * is written, flushed, cleared or lost in a crash, none may see anything of the others.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { Arguments } from '../../storage/arguments.ts';
import { LmdbEngine } from '../../storage/engine/lmdb-engine.ts';
import { MemoryEngine, MemoryStore } from '../../storage/engine/memory-engine.ts';
import type { Engine, GroupSlots } from '../../storage/engine.ts';
import { ApplyOrderError } from '../../storage/errors.ts';
import { REDIS_SLOTS, redisSlotOf, slotOfText } from '../../storage/keyspace/slots.ts';
import type { StateMachine } from '../../storage/state-machine.ts';
import { StateMachines } from '../../storage/state-machines.ts';
import {
  body,
  Replies,
  type Reply,
  START_MS,
  TABLE_HASH_KEY,
  Turns,
  versionAt,
} from './harness.ts';

const cleanup: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const clean of cleanup.splice(0).toReversed()) await clean();
});

/** Neighbours with the given bounds between them; the outermost slots belong to no group. */
function groupsBetween(bounds: readonly number[]): GroupSlots[] {
  const sorted = [...new Set(bounds)].sort((a, b) => a - b);
  return sorted.slice(1).map((toSlot, i) => ({
    id: { range: 7, generation: i + 1 },
    fromSlot: sorted[i] as number,
    toSlot,
  }));
}

/** One node's groups, and what each should hold. */
class Store {
  readonly turns = new Turns();
  readonly groups: readonly GroupSlots[];
  readonly #open: () => Engine;
  engine: Engine;
  all: StateMachines;
  readonly models: Map<string, string>[];
  /** Of each group, by sequence. */
  readonly #states: Map<number, Map<string, string>>[];
  readonly #args = new Arguments();
  #hlc = START_MS * 1000;

  constructor(groups: readonly GroupSlots[], open: (turns: Turns) => Engine) {
    this.groups = groups;
    this.#open = () => open(this.turns);
    this.engine = this.#open();
    this.all = this.#machines();
    this.models = groups.map(() => new Map());
    this.#states = groups.map(() => new Map([[0, new Map()]]));
  }

  #machines(): StateMachines {
    return new StateMachines({
      engine: this.engine,
      groups: this.groups,
      cacheBytesMax: 3_000,
      dirtyBytesMax: 1e6,
      tableHashKey: TABLE_HASH_KEY,
    });
  }

  machine(group: number): StateMachine {
    return this.all.of((this.groups[group] as GroupSlots).id) as StateMachine;
  }

  groupOf(key: string): number {
    const slot = redisSlotOf(slotOfText(key));
    return this.groups.findIndex(({ fromSlot, toSlot }) => fromSlot <= slot && slot < toSlot);
  }

  run(group: number, ...words: string[]): Reply | undefined {
    const machine = this.machine(group);
    const replies = new Replies();
    machine.begin(versionAt(++this.#hlc));
    this.#args.next(body(words), 0);
    machine.run(this.#args, replies);
    const sequence = machine.appliedSequence + 1;
    machine.commit(sequence);
    return replies.take();
  }

  set(key: string, value: string): void {
    const group = this.groupOf(key);
    if (group === -1) return;
    this.run(group, 'SET', key, value);
    this.models[group]?.set(key, value);
    this.#remember(group);
  }

  remove(key: string): void {
    const group = this.groupOf(key);
    if (group === -1) return;
    expect(this.run(group, 'DEL', key)).toBe(Number(this.models[group]?.delete(key)));
    this.#remember(group);
  }

  clear(group: number): void {
    this.run(group, 'FLUSHALL');
    this.models[group]?.clear();
    this.#remember(group);
  }

  #remember(group: number): void {
    const sequence = this.machine(group).appliedSequence;
    this.#states[group]?.set(sequence, new Map(this.models[group]));
  }

  crash(): void {
    this.engine.close();
    this.turns.run();
    this.engine = this.#open();
    this.all = this.#machines();
    this.groups.forEach((_, group) => {
      const machine = this.machine(group) as StateMachine | undefined;
      const state = this.#states[group]?.get(machine?.appliedSequence ?? 0);
      this.models[group] = new Map(state);
    });
  }

  check(): void {
    this.groups.forEach(({ fromSlot, toSlot }, group) => {
      const machine = this.machine(group);
      const model = this.models[group] as Map<string, string>;
      const entries = [...machine.entries()];
      expect(Object.fromEntries(entries.map(({ key, entry }) => [key, entry.value]))).toEqual(
        Object.fromEntries(model),
      );
      expect(machine.size).toBe(model.size);
      const slots = new Map<number, number>();
      for (const key of model.keys()) {
        const slot = redisSlotOf(slotOfText(key));
        expect(slot >= fromSlot && slot < toSlot).toBe(true);
        slots.set(slot, (slots.get(slot) ?? 0) + 1);
      }
      for (const [slot, count] of slots) {
        const words = ['CLUSTER', 'COUNTKEYSINSLOT', `${slot}`];
        this.#args.next(body(words), 0);
        const replies = new Replies();
        machine.read(this.#args, 0, replies);
        expect(replies.take()).toBe(count);
      }
    });
    expect(this.all.size).toBe(this.models.reduce((sum, model) => sum + model.size, 0));
  }
}

function memory(): (turns: Turns) => Engine {
  const store = new MemoryStore(TABLE_HASH_KEY);
  return (turns) => new MemoryEngine({ store, defer: turns.defer });
}

const key = fc.integer({ min: 0, max: 40 }).map((n) => `key${n}`);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constant('set' as const), key) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('remove' as const), key) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('clear' as const), fc.nat(3)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('flush' as const), fc.constant('')) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('end' as const), fc.boolean()) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('crash' as const), fc.constant('')) },
);
const bounds = fc.array(fc.integer({ min: 0, max: REDIS_SLOTS }), { minLength: 2, maxLength: 5 });

describe('groups on one engine', () => {
  test('agree with a Map each, over random intervals of slots', () => {
    fc.assert(
      fc.property(bounds, fc.array(step, { minLength: 1, maxLength: 80 }), (cuts, steps) => {
        const groups = groupsBetween(cuts);
        fc.pre(groups.length > 0);
        const store = new Store(groups, memory());
        for (const [value, [what, of]] of steps.entries()) {
          if (what === 'set') store.set(of, `${value}`);
          else if (what === 'remove') store.remove(of);
          else if (what === 'clear') store.clear(of % groups.length);
          else if (what === 'flush') store.all.flush(() => undefined);
          else if (what === 'crash') store.crash();
          else {
            if (of && store.turns.pending > 0) (store.engine as MemoryEngine).failNextCommit();
            store.turns.run();
          }
        }
        store.check();
        store.turns.run();
        store.all.flush(() => undefined);
        store.turns.run();
        const digest = store.all.digest();
        store.crash();
        store.check();
        expect(store.all.digest()).toBe(digest);
      }),
      { numRuns: 200 },
    );
  });

  test('become durable together, or not at all', () => {
    const store = new Store(groupsBetween([0, 8_000, REDIS_SLOTS]), memory());
    for (let i = 0; i < 40; i += 1) store.set(`key${i}`, 'x');
    (store.engine as MemoryEngine).failNextCommit();
    store.all.flush(() => undefined);
    store.turns.run();
    store.crash();
    expect([0, 1].map((group) => store.machine(group).flushedSequence)).toEqual([0, 0]);
    for (let i = 0; i < 40; i += 1) store.set(`key${i}`, 'y');
    store.all.flush(() => undefined);
    store.turns.run();
    store.crash();
    const sequences = [0, 1].map((group) => store.machine(group).flushedSequence);
    expect(sequences.every((sequence) => sequence > 10)).toBe(true);
    expect(store.all.flushed.map(({ sequence }) => sequence)).toEqual(sequences);
    expect(store.engine.appliedTotal).toBe(40);
  });

  test('a group that ends leaves its keys to those that follow, also after a crash', () => {
    const store = new Store(groupsBetween([0, REDIS_SLOTS]), memory());
    const parent = store.groups[0] as GroupSlots;
    for (let i = 0; i < 60; i += 1) store.set(`key${i}`, `${i}`);
    for (let i = 0; i < 20; i += 1) store.remove(`key${i}`);
    expect(store.all.mayDivide(parent.id)).toBe(false);
    store.all.flush(() => undefined);
    expect(store.all.mayDivide(parent.id)).toBe(false);
    store.turns.run();
    expect(store.all.mayDivide(parent.id)).toBe(true);
    // In the middle of a block of slots.
    const halves = [
      { id: { range: 7, generation: 2 }, fromSlot: 0, toSlot: 8_017 },
      { id: { range: 8, generation: 2 }, fromSlot: 8_017, toSlot: REDIS_SLOTS },
    ];
    const hits = store.all.hits;
    (store.engine as MemoryEngine).failNextCommit();
    const outcomes: boolean[] = [];
    const divide = (): void => {
      const division = { group: parent.id, sequence: 81, successors: halves };
      store.all.divide([division], (error) => outcomes.push(error === undefined));
      store.turns.run();
    };
    divide();
    expect(store.all.open).toEqual([{ ...parent, machine: 'keyspace' }]);
    divide();
    expect(outcomes).toEqual([false, true]);
    expect(store.all.hits).toBe(hits);
    const look = (): unknown =>
      halves.map(({ id }) => {
        const machine = store.all.of(id) as StateMachine;
        return [machine.size, machine.appliedSequence, machine.digest()];
      });
    const seen = look();
    expect(store.all.size).toBe(40);
    store.crash();
    expect(look()).toEqual(seen);
    expect(store.all.of(parent.id)).toBeUndefined();
    expect(store.all.ended).toEqual([{ group: parent.id, sequence: 81 }]);
    expect(store.engine.countsOf(parent.id)).toEqual([]);
    for (const { id, fromSlot, toSlot } of halves) {
      const keys = [...(store.all.of(id) as StateMachine).entries()].map(({ key: name }) => name);
      const slots = keys.map((name) => redisSlotOf(slotOfText(name)));
      expect(slots.every((slot) => slot >= fromSlot && slot < toSlot)).toBe(true);
    }
  });

  test('with nothing to write are left out of a flush', () => {
    const store = new Store(groupsBetween([0, 8_000, REDIS_SLOTS]), memory());
    const key0 = ['a', 'b', 'c', 'd', 'e'].find((name) => store.groupOf(name) === 0) as string;
    store.set(key0, '1');
    store.all.flush(() => undefined);
    store.turns.run();
    expect(store.engine.metaOf(store.groups[0]?.id as never)?.appliedSequence).toBe(1);
    expect(store.engine.metaOf(store.groups[1]?.id as never)).toBeUndefined();
    expect(store.all.hasUnflushed).toBe(false);
  });

  test('expire their own keys alone', () => {
    const store = new Store(groupsBetween([0, 8_000, REDIS_SLOTS]), memory());
    const keys = Array.from({ length: 40 }, (_, i) => `key${i}`);
    for (const name of keys) {
      store.run(store.groupOf(name), 'SET', name, 'x', 'PXAT', `${START_MS + 1_000}`);
    }
    const expired = [0, 1].map((group) => store.machine(group).expired(100, START_MS + 2_000).keys);
    expect(expired.every((names) => names.length > 0)).toBe(true);
    for (const group of [0, 1]) {
      for (const name of expired[group] ?? []) expect(store.groupOf(name)).toBe(group);
    }
    expect(expired.flat().toSorted()).toEqual(keys.toSorted());
  });

  test('tell their keys and bytes, each its own', () => {
    const store = new Store(groupsBetween([0, 8_192, REDIS_SLOTS]), memory());
    const own = store.groupOf('key');
    const told = () => store.all.groups.map(({ keys, bytes }) => ({ keys, bytes }));
    const nothing = { keys: 0, bytes: 0 };
    store.run(own, 'SET', 'key', 'x'.repeat(5_000));
    expect(told()[1 - own]).toEqual(nothing);
    expect(told()[own]?.keys).toBe(1);
    expect(told()[own]?.bytes).toBeGreaterThan(5_000);
    expect(told()[own]?.bytes).toBeLessThan(5_300);
    store.run(own, 'DEL', 'key');
    expect(told()).toEqual([nothing, nothing]);
    store.engine.close();
  });

  test('refuse keys of other slots', () => {
    const store = new Store(groupsBetween([0, 8_000, REDIS_SLOTS]), memory());
    const key1 = ['a', 'b', 'c', 'd', 'e'].find((name) => store.groupOf(name) === 1) as string;
    expect(() => store.run(0, 'SET', key1, 'x')).toThrow(ApplyOrderError);
  });

  test('have the slots that the engine has them with', () => {
    const open = memory();
    const store = new Store(groupsBetween([0, 8_000]), open);
    store.set(['a', 'b', 'c', 'd', 'e'].find((name) => store.groupOf(name) === 0) as string, 'x');
    store.all.flush(() => undefined);
    store.turns.run();
    expect(() => new Store(groupsBetween([0, 8_001]), open)).toThrow(
      expect.objectContaining({ code: 'HOLO_STORE_DAMAGED' }),
    );
  });

  test('are removed one by one from a file, whatever their size', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holo-groups-'));
    cleanup.push(() => rmSync(directory, { recursive: true, force: true }));
    const open = (): Engine => {
      const engine = new LmdbEngine({ directory });
      cleanup.push(() => new Promise<void>((resolve) => engine.close(resolve)));
      return engine;
    };
    const store = new Store(groupsBetween([0, 5_000, 9_000, REDIS_SLOTS]), open);
    const flush = () =>
      new Promise<void>((resolve, reject) => {
        store.all.flush((error) => (error === undefined ? resolve() : reject(error)));
      });
    for (let i = 0; i < 6_000; i += 1) store.set(`key${i}`, 'x');
    await flush();
    store.clear(1);
    for (let i = 0; i < 40; i += 1) store.set(`key${i}`, 'y');
    await flush();
    store.check();
    await new Promise<void>((resolve) => store.engine.close(resolve));
    store.crash();
    store.check();
    expect([...(store.engine as LmdbEngine).check()].length).toBe(store.all.size);
  });
});
