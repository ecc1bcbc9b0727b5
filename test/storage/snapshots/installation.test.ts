/** The data of a group that a node has left, in chunks of any size, in the engine of another one. */
import { expect, test } from 'vitest';
import { Arguments } from '../../../storage/arguments.ts';
import { VERSION_COMMAND } from '../../../storage/commands/watched.ts';
import { MemoryEngine, MemoryStore } from '../../../storage/engine/memory-engine.ts';
import { SNAPSHOT_COMMITS_MAX } from '../../../storage/engine/open-snapshots.ts';
import type { GroupSlots } from '../../../storage/engine.ts';
import type { StateMachine } from '../../../storage/state-machine.ts';
import { type EndedChunk, StateMachines } from '../../../storage/state-machines.ts';
import { body, Replies, START_MS, TABLE_HASH_KEY, Turns, versionAt } from '../harness.ts';

const PARENT: GroupSlots = { id: { range: 1, generation: 1 }, fromSlot: 0, toSlot: 16_384 };
const CHILD: GroupSlots = { ...PARENT, id: { range: 1, generation: 2 } };

class Node {
  readonly turns = new Turns();
  readonly store = new MemoryStore(TABLE_HASH_KEY);
  all: StateMachines;
  readonly #groups: readonly GroupSlots[];
  #sequence = 0;

  constructor(groups: readonly GroupSlots[]) {
    this.#groups = groups;
    this.all = this.#machines();
  }

  #machines(): StateMachines {
    const defer = (callback: () => void): void => this.turns.defer(callback);
    return new StateMachines({
      engine: new MemoryEngine({ store: this.store, defer }),
      groups: this.#groups,
      cacheBytesMax: 10_000,
      dirtyBytesMax: 1e6,
      tableHashKey: TABLE_HASH_KEY,
    });
  }

  restart(): void {
    this.all = this.#machines();
  }

  run(...words: string[]): string | undefined {
    const machine = (this.all.of(PARENT.id) ?? this.all.of(CHILD.id)) as StateMachine;
    const args = new Arguments();
    this.#sequence += 1;
    machine.begin(versionAt(START_MS * 1_000 + this.#sequence));
    args.next(body(words), 0);
    const replies = new Replies();
    machine.run(args, replies);
    machine.commit(machine.appliedSequence + 1);
    return replies.take()?.toString();
  }

  flush(): void {
    this.all.flush(() => undefined);
    this.turns.run();
  }

  end(successors: readonly GroupSlots[]): void {
    this.flush();
    const division = { group: PARENT.id, sequence: this.#sequence, successors };
    this.all.divide([division], () => undefined);
    this.turns.run();
  }

  chunks(bytesMax: number): EndedChunk[] {
    const chunks: EndedChunk[] = [];
    for (let from = undefined as Parameters<StateMachines['readEnded']>[1]; ; ) {
      const chunk = this.all.readEnded(PARENT.id, from, bytesMax) as EndedChunk;
      chunks.push(chunk);
      if (!('next' in chunk)) return chunks;
      from = chunk.next;
    }
  }

  install(chunk: EndedChunk, isFirst: boolean): string | undefined {
    let text: string | undefined;
    const { bytes } = chunk;
    const description = 'description' in chunk ? chunk.description : undefined;
    this.all.install(CHILD, { isFirst, bytes, description }, (error) => {
      text = error?.message;
    });
    this.turns.run();
    return text;
  }
}

function donor(successors: readonly GroupSlots[] = []): Node {
  const node = new Node([PARENT]);
  for (let key = 0; key < 60; key += 1) node.run('SET', `key-${key}`, 'x'.repeat(key));
  for (let key = 0; key < 20; key += 1) node.run('DEL', `key-${3 * key}`);
  node.run('SET', 'volatile', '1', 'PXAT', `${START_MS * 2}`);
  for (let field = 0; field < 600; field += 1) node.run('HSET', 'hash', `f${field}`, `${field}`);
  for (let item = 0; item < 400; item += 1) node.run('RPUSH', 'list', `item ${item}`);
  node.run('XADD', 'stream', '1-1', 'a', 'b');
  node.end(successors);
  return node;
}

function digestOf(node: Node): string | undefined {
  return node.all.of(CHILD.id)?.digest();
}

/** The digest at the members that stay: their rows are those of the successor. */
function staying(): string | undefined {
  const node = donor();
  const other = new Node([]);
  for (const [at, chunk] of node.chunks(1e9).entries()) other.install(chunk, at === 0);
  return digestOf(other);
}

test('is whole, whatever the size of the chunks, and after a restart', () => {
  const from = donor();
  const expected = staying();
  expect(expected).toBeDefined();
  for (const bytesMax of [1, 300, 5_000, 1e9]) {
    const chunks = from.chunks(bytesMax);
    const to = new Node([]);
    for (const [at, chunk] of chunks.entries()) {
      expect(to.all.of(CHILD.id)).toBeUndefined();
      expect(to.install(chunk, at === 0)).toBeUndefined();
    }
    expect(digestOf(to)).toBe(expected);
    expect(to.all.of(CHILD.id)).toMatchObject({ size: 44, volatileSize: 1, appliedSequence: 0 });
    to.restart();
    expect(digestOf(to)).toBe(expected);
  }
});

test('what WATCH was told of keys, and of those that were removed, holds at the new member', () => {
  const from = new Node([PARENT]);
  from.run('SET', 'kept', '1');
  from.run('SET', 'removed', '2');
  from.run('DEL', 'removed');
  const told = (node: Node): (string | undefined)[] =>
    ['kept', 'removed', 'never there'].map((key) => node.run(VERSION_COMMAND, key));
  const before = told(from);
  expect(new Set(before).size).toBe(3);
  from.end([]);
  const to = new Node([]);
  for (const [at, chunk] of from.chunks(1e9).entries()) to.install(chunk, at === 0);
  // Later than all that it has installed.
  for (let i = 0; i < 10; i += 1) to.run('EXISTS', 'kept');
  expect(told(to)).toEqual(before);
  to.flush();
  to.restart();
  expect(told(to)).toEqual(before);
});

test('a member that stays hands it out as it was at the end, for a while', () => {
  const from = donor([CHILD]);
  from.all.pin(PARENT.id, CHILD);
  const digest = digestOf(from);
  from.run('DEL', 'hash');
  from.run('SET', 'key-1', 'later');
  from.flush();
  const to = new Node([]);
  for (const [at, chunk] of from.chunks(700).entries()) to.install(chunk, at === 0);
  expect(digestOf(to)).toBe(digest);
  for (let commit = 0; commit < SNAPSHOT_COMMITS_MAX; commit += 1) {
    from.run('SET', 'key-1', `${commit}`);
    from.flush();
  }
  expect(from.all.readEnded(PARENT.id, undefined, 1)).toBeUndefined();
  from.all.dropEnded(PARENT.id, () => undefined);
});

test('half of it is no group, and begins anew', () => {
  const from = donor();
  const chunks = from.chunks(300);
  const to = new Node([]);
  for (const [at, chunk] of chunks.slice(0, 9).entries()) to.install(chunk, at === 0);
  to.restart();
  expect(to.all.of(CHILD.id)).toBeUndefined();
  // As if the first ones had never been there.
  expect(to.install(chunks.at(-1) as EndedChunk, false)).toContain('is not whole');
  for (const [at, chunk] of chunks.entries()) to.install(chunk, at === 0);
  expect(digestOf(to)).toBe(staying());
});

test('a chunk that is missing, or damaged, is found', () => {
  const chunks = donor().chunks(300);
  const without = new Node([]);
  const outcomes = chunks.flatMap((chunk, at) => {
    return at === 5 ? [] : [without.install(chunk, at === 0)];
  });
  expect(outcomes.at(-1)).toContain('is not whole');
  expect(without.all.of(CHILD.id)).toBeUndefined();
  const [first] = chunks as [EndedChunk];
  for (let at = 0; at < first.bytes.length; at += 61) {
    const bytes = Uint8Array.from(first.bytes);
    bytes[at] = (bytes[at] as number) ^ 1;
    const isFound = new Node([]).install({ ...first, bytes }, true) !== undefined;
    // Of rows of a collection the checksum of the row is made at the donor, and here again.
    if (!isFound) expect(first.bytes[0]).toBe(1);
  }
});

test('the node that has left keeps it until it is dropped, or comes back', () => {
  const from = donor();
  from.restart();
  expect(from.all.left).toMatchObject([{ id: PARENT.id }]);
  expect(from.all.of(PARENT.id)).toBeUndefined();
  expect(from.chunks(1e9)).toHaveLength(1);
  const chunks = from.chunks(1_000);
  for (const [at, chunk] of chunks.entries()) from.install(chunk, at === 0);
  expect(from.all.left).toEqual([]);
  expect(digestOf(from)).toBe(staying());

  const other = donor();
  other.all.dropEnded(PARENT.id, () => undefined);
  other.turns.run();
  expect(other.all.readEnded(PARENT.id, undefined, 1)).toBeUndefined();
  expect(other.store.page(0, 0, 2 ** 48, 10)).toEqual([]);
});
