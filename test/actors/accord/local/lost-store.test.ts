/** A log whose store is gone: its groups go on, and execute nothing until they have data again. */
import { expect, test } from 'vitest';
import { CommandStore } from '../../../../actors/accord/local/command-store.ts';
import type { StoreEffect } from '../../../../actors/accord/local/effects.ts';
import { encodeRecord, type JournalRecord } from '../../../../actors/accord/local/journal.ts';
import { encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import { HybridClock } from '../../../../actors/accord/primitives/hybrid-clock.ts';
import { WHOLE_STORE } from '../../../../actors/accord/primitives/participants.ts';
import { Flags } from '../../../../actors/accord/primitives/timestamp.ts';
import { encodeSuccessors } from '../../../../actors/accord/topology/close-body.ts';
import { Group, type GroupDescriptor } from '../../../../actors/accord/topology/group.ts';
import { Forgotten } from '../../../../actors/log/forgotten.ts';
import { firstGroup } from '../first-group.ts';
import { at, preAccept } from '../fixture.ts';

const GROUP = firstGroup([1, 2, 3], [1, 2, 3]);
const TABLE: GroupDescriptor = {
  ...{ ...GROUP, id: { range: 0, generation: 1 } },
  machine: 'meta',
};

function stored(records: readonly JournalRecord[], { id }: GroupDescriptor = GROUP) {
  return records.map((record, index) => {
    const { type, parts } = encodeRecord(id, record);
    return { lsn: index + 1, type, payload: Buffer.concat(parts) };
  });
}

/** Applied at these times, one after the other, from this place on. */
function applied(times: readonly number[], first: number): JournalRecord[] {
  return times.flatMap((hlc, index): JournalRecord[] => {
    const { id, slots: _slots, body } = preAccept(at(hlc));
    const participants = Uint16Array.of(7);
    return [
      { type: 'Defined', id, participants, body: body as Uint8Array },
      { type: 'Stable', id, executeAt: at(hlc), deps: [] },
      { type: 'Applied', id, sequence: first + index },
    ];
  });
}

const LOST = { flushed: [], lost: [GROUP.id] };

type Found = Parameters<CommandStore['restore']>[0];

function begun(
  found: Found,
  engine: Omit<Parameters<CommandStore['executorReady']>[0], 'generation'> = LOST,
): CommandStore {
  const clock = new HybridClock({ node: 3, store: 0, nowUs: () => 9_000, reserveUs: 1_000_000 });
  const store = new CommandStore({
    ...{ self: 3, groups: [new Group(GROUP)], clock, random: () => 0.5, startedMs: 0, nowMs: 1 },
    connected: new Set([1, 2]),
    limits: { retainedBytesMax: 1e9, unloggedBytesMax: 1e9 },
  });
  store.restore(found, 1);
  store.restored(0, 1);
  store.executorReady({ generation: 1, ...engine }, 1);
  return store;
}

function lostWith(records: readonly JournalRecord[]): CommandStore {
  return begun([{ group: GROUP.id, records: stored(records) }]);
}

function turn(store: CommandStore): readonly StoreEffect[] {
  store.closeTurn(1);
  return store.takeEffects();
}

function executed(effects: readonly StoreEffect[]): number[] {
  return effects.flatMap((effect) =>
    effect.type === 'Execute' ? [effect.execution.sequence] : [],
  );
}

const SETTLED: JournalRecord = { type: 'RedundantBefore', before: at(500) };

test('it is told of, before it takes part, and executes nothing', () => {
  const store = lostWith(applied([300, 400], 7));
  const effects = turn(store);
  const types = effects.map(({ type }) => type);
  expect(effects).toContainEqual({ type: 'Lacks', group: GROUP.id });
  expect(types.indexOf('Lacks')).toBeLessThan(types.indexOf('Began'));
  expect(executed(effects)).toEqual([]);
  expect(store.isFlushed(GROUP.id)).toBe(false);
});

test('it votes all the same', () => {
  const store = lostWith([]);
  turn(store);
  store.handle(GROUP.id, 1, preAccept(at(800)), 1);
  expect(turn(store).some(({ type }) => type === 'Append')).toBe(true);
});

test('data that came in are followed by what was applied later alone', () => {
  const store = lostWith([...applied([300, 400, 450], 7), SETTLED]);
  turn(store);
  store.findPlace(GROUP.id, at(400));
  expect(turn(store)).toContainEqual({ type: 'Place', group: GROUP.id, sequence: 8 });
  store.executorFlushed([{ group: GROUP.id, sequence: 8 }]);
  expect(executed(turn(store))).toEqual([9]);
});

test('a place is told when all that is as old is settled here', () => {
  const store = lostWith([...applied([300, 400], 7), SETTLED]);
  turn(store);
  store.findPlace(GROUP.id, at(600));
  expect(turn(store).some(({ type }) => type === 'Place')).toBe(false);
  const list = { base: at(500), before: at(700), ids: encodeDeps([]) };
  store.handle(GROUP.id, 1, { type: 'AppliedList', ...list }, 1);
  store.tick(2);
  expect(turn(store)).toContainEqual({ type: 'Place', group: GROUP.id, sequence: 8 });
});

test('what lies before something that was forgotten is part of the data', () => {
  const store = lostWith([...applied([410], 7), ...applied([440, 450], 9), SETTLED]);
  turn(store);
  store.findPlace(GROUP.id, at(400));
  expect(turn(store)).toContainEqual({ type: 'Place', group: GROUP.id, sequence: 8 });
});

test('a log that has forgotten nothing brings all of it back', () => {
  const forgotten = new Forgotten();
  for (const record of stored([...applied([300], 1), SETTLED])) forgotten.note(record);
  expect(forgotten.among([GROUP, TABLE])).toEqual([]);
  const [mark] = stored([{ type: 'DurableBefore', before: at(200) }]);
  if (mark !== undefined) forgotten.note(mark);
  expect(forgotten.among([GROUP, TABLE])).toEqual([GROUP]);
});

/** The generation has ended with its only transaction. */
function closed(generation: number, hlc: number) {
  const group = { ...GROUP, id: { range: 1, generation } };
  const successors = [{ ...GROUP, id: { range: 1, generation: generation + 1 } }];
  const id = { ...at(hlc), flags: Flags.WRITE | Flags.CLOSE };
  const body = encodeSuccessors(successors);
  const records = stored(
    [
      { type: 'Defined', id, participants: WHOLE_STORE, body },
      { type: 'Stable', id, executeAt: id, deps: [] },
      { type: 'Applied', id, sequence: 1 },
      { type: 'Ended', close: id, executeAt: id, successors },
    ],
    group,
  );
  return { group: group.id, records };
}

test('an engine that does not know the ends of several generations is told of all of them', () => {
  const flushed = [{ group: GROUP.id, sequence: 0 }];
  const store = begun([closed(1, 400), closed(2, 500)], { flushed, lost: [] });
  const closes = turn(store).flatMap((effect) =>
    effect.type === 'Execute' ? [effect.group.generation] : [],
  );
  expect(closes).toEqual([1, 2]);
  expect(store.isFlushed(GROUP.id)).toBe(false);
  store.executorFlushed([{ group: GROUP.id, sequence: 1 }]);
  expect(store.isFlushed(GROUP.id)).toBe(true);
});
