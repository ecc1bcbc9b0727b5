/** Snapshots of every engine: one state, whatever is committed, and never for too long. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { LmdbEngine } from '../../../storage/engine/lmdb-engine.ts';
import { MemoryEngine, MemoryStore } from '../../../storage/engine/memory-engine.ts';
import { SNAPSHOT_COMMITS_MAX, SNAPSHOTS_MAX } from '../../../storage/engine/open-snapshots.ts';
import type { Engine, EngineSnapshot } from '../../../storage/engine.ts';
import { POSITIONS, positionOf } from '../../../storage/keyspace/slots.ts';
import { GROUP, Machine, TABLE_HASH_KEY } from '../harness.ts';

const cleanup: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const clean of cleanup.splice(0).toReversed()) await clean();
});

async function closed(engine: Engine): Promise<void> {
  await new Promise<void>((resolve) => engine.close(resolve));
}

function lmdb(): { engine: Engine; bytes: () => number } {
  const directory = mkdtempSync(join(tmpdir(), 'holo-snapshots-'));
  cleanup.push(() => rmSync(directory, { recursive: true, force: true }));
  const engine = new LmdbEngine({ directory });
  cleanup.push(() => closed(engine));
  return { engine, bytes: () => statSync(join(directory, 'data.mdb')).size };
}

function memory(): { engine: Engine; bytes: () => number } {
  const store = new MemoryStore(TABLE_HASH_KEY);
  const engine = new MemoryEngine({ store, defer: (callback) => setImmediate(callback) });
  return { engine, bytes: () => 0 };
}

async function flush(machine: Machine): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    machine.all.flush((error) => (error === undefined ? resolve() : reject(error)));
  });
}

/** All of it, in pages of three. */
function contentOf(snapshot: EngineSnapshot): Record<string, string> {
  const content: Record<string, string> = {};
  let from = 0;
  for (;;) {
    const page = snapshot.page(0, from, POSITIONS, 3);
    for (const { key, entry } of page) content[key] = entry.value as string;
    const last = page.at(-1);
    if (last === undefined) return content;
    from = positionOf(last.slot, last.place) + 1;
  }
}

const ENDED = expect.objectContaining({ code: 'HOLO_STORE_SNAPSHOT_ENDED' });

describe.each([
  ['memory', memory],
  ['lmdb', lmdb],
] as const)('a snapshot of the %s engine', (_, make) => {
  test('shows the last commit, and nothing of those that follow', async () => {
    const { engine } = make();
    const machine = new Machine({ engine });
    const before: Record<string, string> = {};
    for (let i = 0; i < 20; i += 1) {
      machine.run('SET', `key${i}`, 'old');
      before[`key${i}`] = 'old';
    }
    await flush(machine);
    machine.run('SET', 'unflushed', '1');
    const snapshot = engine.snapshot() as EngineSnapshot;
    machine.run('SET', 'key1', 'new');
    machine.run('DEL', 'key2');
    await flush(machine);
    expect(contentOf(snapshot)).toEqual(before);
    expect(snapshot.metaOf(GROUP.id)).toMatchObject({ appliedSequence: 20 });
    machine.run('FLUSHALL');
    await flush(machine);
    expect(contentOf(snapshot)).toEqual(before);
    const later = engine.snapshot() as EngineSnapshot;
    expect(contentOf(later)).toEqual({});
    expect(later.metaOf(GROUP.id)).toMatchObject({ appliedSequence: 24 });
    snapshot.close();
    later.close();
  });

  test('begins and ends a page where it is told', async () => {
    const { engine } = make();
    const machine = new Machine({ engine });
    for (let i = 0; i < 50; i += 1) machine.run('SET', `key${i}`, 'x');
    await flush(machine);
    const snapshot = engine.snapshot() as EngineSnapshot;
    const all = engine.page(0, 0, POSITIONS, 100);
    const [from, to] = [all[10], all[20]].map((item) =>
      positionOf(item?.slot ?? 0, item?.place ?? 0),
    );
    expect(snapshot.page(0, from ?? 0, to ?? 0, 100)).toEqual(all.slice(10, 20));
    expect(snapshot.page(0, from ?? 0, POSITIONS, 5)).toEqual(all.slice(10, 15));
    snapshot.close();
  });

  test('is refused while too many are open', () => {
    const { engine } = make();
    const open = Array.from({ length: SNAPSHOTS_MAX }, () => engine.snapshot());
    expect(open.every((snapshot) => snapshot !== undefined)).toBe(true);
    expect(engine.snapshot()).toBeUndefined();
    open[1]?.close();
    open[1]?.close();
    expect(engine.snapshot()).toBeDefined();
    expect(engine.snapshot()).toBeUndefined();
  });

  test('is told of its end: closed, outlived, or with the engine', async () => {
    const { engine } = make();
    const machine = new Machine({ engine });
    const one = engine.snapshot() as EngineSnapshot;
    one.close();
    expect(() => one.page(0, 0, POSITIONS, 1)).toThrow(ENDED);
    const old = engine.snapshot() as EngineSnapshot;
    for (let commit = 1; commit < SNAPSHOT_COMMITS_MAX; commit += 1) {
      machine.run('SET', 'a', `${commit}`);
      await flush(machine);
    }
    expect(old.page(0, 0, POSITIONS, 1)).toEqual([]);
    machine.run('SET', 'a', 'last');
    await flush(machine);
    expect(() => old.page(0, 0, POSITIONS, 1)).toThrow(ENDED);
    expect(() => old.metaOf(GROUP.id)).toThrow(ENDED);
    const last = engine.snapshot() as EngineSnapshot;
    await closed(engine);
    expect(() => last.page(0, 0, POSITIONS, 1)).toThrow(ENDED);
  });
});

test('a forgotten snapshot lets the file of LMDB grow up to its limit only', async () => {
  const { engine, bytes } = lmdb();
  const machine = new Machine({ engine });
  const rounds = async (count: number): Promise<number> => {
    for (let round = 0; round < count; round += 1) {
      for (let i = 0; i < 100; i += 1) machine.run('SET', `key${i}`, `${round}`.padEnd(400));
      await flush(machine);
    }
    return bytes();
  };
  const without = await rounds(SNAPSHOT_COMMITS_MAX);
  engine.snapshot();
  const atLimit = await rounds(SNAPSHOT_COMMITS_MAX);
  expect(atLimit).toBeGreaterThan(4 * without);
  expect(await rounds(SNAPSHOT_COMMITS_MAX)).toBeLessThan(1.1 * atLimit);
});
