/** A group of which a node became a member later: it votes at once, and executes with its data. */
import { expect, test } from 'vitest';
import { CommandStore } from '../../../../actors/accord/local/command-store.ts';
import type { EndOfGroup, StoreEffect } from '../../../../actors/accord/local/effects.ts';
import { groupOfRecord } from '../../../../actors/accord/local/journal.ts';
import type { ReplicaMessage } from '../../../../actors/accord/local/replica.ts';
import { encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import { HybridClock } from '../../../../actors/accord/primitives/hybrid-clock.ts';
import { Flags } from '../../../../actors/accord/primitives/timestamp.ts';
import { encodeSuccessors } from '../../../../actors/accord/topology/close-body.ts';
import { Group } from '../../../../actors/accord/topology/group.ts';
import {
  type GroupId,
  groupKey,
  isSameGroup,
} from '../../../../actors/accord/topology/group-id.ts';
import { firstGroup } from '../first-group.ts';
import { at, preAccept } from '../fixture.ts';

const PARENT = { range: 1, generation: 1 };
const GROUP = { ...firstGroup([1, 2, 4], [1, 2, 4]), id: { range: 1, generation: 2 } };

/** Records of the log, as they are read again. */
type Stored = Parameters<CommandStore['restore']>[0][number]['records'][number];

class Node {
  readonly log: Stored[] = [];
  readonly #groups: readonly Group[];
  /** As the topology tells of them. */
  readonly ends: EndOfGroup[] = [];
  store: CommandStore;

  constructor(groups: readonly Group[] = []) {
    this.#groups = groups;
    this.store = this.#begun();
  }

  #begun(): CommandStore {
    const clock = new HybridClock({ node: 4, store: 0, nowUs: () => 1_000, reserveUs: 1_000_000 });
    const store = new CommandStore({
      ...{ self: 4, groups: this.#groups, clock, random: () => 0.5, startedMs: 0, nowMs: 1 },
      connected: new Set([1, 2]),
      limits: { retainedBytesMax: 1e9, unloggedBytesMax: 1e9 },
      endOf: (group) => this.ends.find((end) => isSameGroup(end.group, group)),
    });
    const groups = this.log.map(({ payload }) => groupOfRecord(payload));
    const names = [...new Set(groups.map(groupKey))];
    const recordsOf = (name: string) =>
      this.log.filter((_, at) => groupKey(groups[at] as GroupId) === name);
    const idOf = (name: string) => groups.find((group) => groupKey(group) === name) as GroupId;
    store.restore(
      names.map((name) => ({ group: idOf(name), records: recordsOf(name) })),
      1,
    );
    store.restored(0, 1);
    store.executorReady({ generation: 1, flushed: [], lost: [] }, 1);
    store.closeTurn(1);
    store.clockLimit(clock.limitUs);
    return store;
  }

  /** Ends a turn; what it leads to. */
  turn(): readonly StoreEffect[] {
    this.store.closeTurn(1);
    const effects = this.store.takeEffects();
    for (const effect of effects) {
      if (effect.type !== 'Append') continue;
      for (const { type, parts } of effect.records) {
        this.log.push({ lsn: this.log.length + 1, type, payload: Buffer.concat(parts) });
      }
      this.store.durable(effect.token, this.log.length);
    }
    return [...effects, ...this.store.takeEffects()];
  }

  join(): readonly StoreEffect[] {
    this.store.join({ group: GROUP, parent: PARENT, floor: at(100) }, 1);
    return this.turn();
  }

  take(message: ReplicaMessage, group: GroupId = GROUP.id, from = 1): readonly StoreEffect[] {
    this.store.handle(group, from, message, 1);
    return this.turn();
  }

  restart(): readonly StoreEffect[] {
    this.store = this.#begun();
    return this.turn();
  }
}

function executed(effects: readonly StoreEffect[]): number[] {
  return effects.flatMap((effect) =>
    effect.type === 'Execute' ? [effect.execution.executeAt.hlc] : [],
  );
}

function stable(hlc: number): ReplicaMessage {
  const { type: _, deps: __, ...definition } = preAccept(at(hlc));
  return { ...definition, type: 'Stable', executeAt: at(hlc), deps: encodeDeps([]) };
}

function votes(effects: readonly StoreEffect[]): unknown[] {
  return effects.flatMap((effect) => (effect.type === 'Send' ? [effect.message] : []));
}

test('votes above its floor, and after a restart as before', () => {
  const node = new Node();
  expect(votes(node.take(preAccept(at(800))))).toEqual([]);
  node.join();
  expect(votes(node.take(preAccept(at(50))))).toMatchObject([{ type: 'Nack' }]);
  expect(votes(node.take(preAccept(at(800))))).toMatchObject([{ vote: { hlc: 800 } }]);
  expect(node.restart()).toContainEqual({
    ...{ type: 'Joined', parent: PARENT, floor: at(100) },
    group: GROUP,
  });
  // A transaction that it has voted for is ahead of earlier ones that come later.
  const [late] = votes(node.take(preAccept(at(700))));
  expect(late).not.toMatchObject({ vote: { hlc: 700 } });
  // Joining again changes nothing.
  node.join();
  expect(votes(node.take(preAccept(at(800))))).toMatchObject([{ vote: { hlc: 800 } }]);
});

test('executes when it has its data, in order, and after a restart too', () => {
  const node = new Node();
  node.join();
  expect(executed(node.take(stable(300)))).toEqual([]);
  expect(executed(node.restart())).toEqual([]);
  expect(executed(node.take(stable(400)))).toEqual([]);
  node.store.executorFlushed([{ group: GROUP.id, sequence: 0 }]);
  expect(executed(node.turn())).toEqual([300, 400]);
  expect(executed(node.take(stable(500)))).toEqual([500]);
});

test('an older group of its slots has no part in anything, also after a restart', () => {
  const older = new Group({ ...firstGroup([1, 2, 4], [1, 2, 4]), id: PARENT });
  const node = new Node([older]);
  expect(votes(node.take(preAccept(at(50)), PARENT))).toMatchObject([{ type: 'PreAcceptOk' }]);
  node.join();
  expect(votes(node.take(preAccept(at(60)), PARENT))).toEqual([]);
  node.restart();
  expect(votes(node.take(preAccept(at(70)), PARENT))).toEqual([]);
  // A topology that is behind has it still.
  const again = { ...firstGroup([1, 2, 4], [1, 2, 4]), id: PARENT };
  node.store.join({ group: again, parent: PARENT, floor: at(10) }, 1);
  expect(votes(node.take(preAccept(at(80)), PARENT))).toEqual([]);
  expect(votes(node.take(preAccept(at(800))))).toMatchObject([{ vote: { hlc: 800 } }]);
});

const NEXT = { ...firstGroup([1, 2, 3], [1, 2, 3]), id: { range: 1, generation: 3 } };

/** Of the group, which goes on without this node. */
function leave(hlc: number): ReplicaMessage {
  const id = { ...at(hlc), flags: Flags.WRITE | Flags.CLOSE };
  const body = encodeSuccessors([NEXT]);
  return { type: 'Stable', id, executeAt: id, deps: encodeDeps([]), slots: null, body };
}

function kept({ store }: Node): unknown {
  const { groups } = store.describe() as { groups: readonly Record<string, unknown>[] };
  return groups.map(({ commands }) => commands);
}

test('a group that it leaves before its data come is given up, and forgotten', () => {
  const node = new Node();
  node.join();
  node.take(stable(300));
  const gone = expect.objectContaining({ type: 'GiveUp' });
  expect(node.take(leave(900))).toContainEqual(gone);
  const effects = node.restart();
  expect(effects).toContainEqual(gone);
  expect(executed(effects)).toEqual([]);
  const ids = encodeDeps([]);
  const mark = at(5_000_000);
  const hint = { type: 'AppliedHint', redundantBefore: mark, retains: false, asks: false } as const;
  for (const from of [1, 2]) node.take({ ...hint, ids }, GROUP.id, from);
  node.take({ type: 'AppliedList', base: mark, before: mark, ids });
  const tick = (): void => {
    node.store.tick(10_000_000);
    node.turn();
  };
  tick();
  expect(kept(node)).toEqual([2]);
  node.store.executorGaveUp(GROUP.id);
  tick();
  expect(kept(node)).toEqual([0]);
});

test('data that come as it leaves are not given up', () => {
  const node = new Node();
  node.join();
  node.store.executorFlushed([{ group: GROUP.id, sequence: 0 }]);
  const effects = node.take(leave(900));
  expect(executed(effects)).toEqual([900]);
  expect(effects).not.toContainEqual(expect.objectContaining({ type: 'GiveUp' }));
});

test('a group that it has left is forgotten without members that were passed over later', () => {
  const node = new Node();
  node.join();
  node.store.executorFlushed([{ group: GROUP.id, sequence: 0 }]);
  node.take(leave(900));
  node.store.executorFlushed([{ group: GROUP.id, sequence: 1 }]);
  const [mark, ids] = [at(5_000_000), encodeDeps([])];
  node.take({ type: 'AppliedList', base: mark, before: mark, ids });
  let nowMs = 0;
  const later = (): unknown => {
    nowMs += 10_000_000;
    node.store.tick(nowMs);
    node.turn();
    return kept(node);
  };
  expect(later()).toEqual([1]);
  const after = { ...NEXT, id: { range: 1, generation: 4 }, owed: [1, 2] };
  node.ends.push({ type: 'Ended', group: NEXT.id, executeAt: at(950), successors: [after] });
  expect(later()).toEqual([0]);
});

test('with the data lost that it had it does not begin with those of the beginning', () => {
  const node = new Node();
  node.join();
  node.store.executorFlushed([{ group: GROUP.id, sequence: 0 }]);
  node.take(stable(300));
  const lacks = { type: 'Lacks', group: GROUP.id };
  expect(node.restart()).not.toContainEqual(lacks);
  node.store.executorFlushed([{ group: GROUP.id, sequence: 1 }]);
  const mark = at(5_000_000);
  const nothing = { ids: encodeDeps([]), retains: false, asks: false };
  node.take({ type: 'AppliedList', base: at(100), before: mark, ids: encodeDeps([at(300)]) });
  const hint = { type: 'AppliedHint', redundantBefore: mark, ...nothing } as const;
  for (const from of [1, 2]) node.take(hint, GROUP.id, from);
  node.store.tick(10_000_000);
  node.turn();
  expect(kept(node)).toEqual([0]);
  expect(node.restart()).toContainEqual(lacks);
});
