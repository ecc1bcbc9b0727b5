/** The door of the pure core: what may leave when, and that nothing leaves a broken store. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { CommandStore } from '../../../../actors/accord/local/command-store.ts';
import type { StoreEffect } from '../../../../actors/accord/local/effects.ts';
import {
  decodeRecord,
  encodeRecord,
  type JournalRecord,
} from '../../../../actors/accord/local/journal.ts';
import { Replica, type ReplicaMessage } from '../../../../actors/accord/local/replica.ts';
import { HybridClock } from '../../../../actors/accord/primitives/hybrid-clock.ts';
import { Status } from '../../../../actors/accord/primitives/status.ts';
import { ZERO } from '../../../../actors/accord/primitives/timestamp.ts';
import { Group } from '../../../../actors/accord/topology/group.ts';
import type { GroupId } from '../../../../actors/accord/topology/group-id.ts';
import { at, groupOf, preAccept, touching } from '../fixture.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const GROUP = { range: 1, generation: 1 };
const SELF = 3;

class Shell {
  nowMs = 1_000;
  readonly clock = new HybridClock({
    node: SELF,
    store: 0,
    nowUs: () => this.nowMs,
    reserveUs: 1_000_000,
  });
  readonly store: CommandStore;
  /** Replicas that were ticked, each time. */
  tickedGroups = 0;

  constructor(
    limits: Partial<ConstructorParameters<typeof CommandStore>[0]['limits']> = {},
    groups: readonly Group[] = [groupOf(3)],
  ) {
    const { tick } = Replica.prototype;
    const shell = this;
    vi.spyOn(Replica.prototype, 'tick').mockImplementation(function (this: Replica, ...args) {
      shell.tickedGroups += 1;
      return tick.apply(this, args);
    });
    this.store = new CommandStore({
      self: SELF,
      groups,
      clock: this.clock,
      random: () => 0.5,
      startedMs: 0,
      nowMs: this.nowMs,
      connected: new Set([1, 2]),
      limits: { retainedBytesMax: 1e9, unloggedBytesMax: 1e9, ...limits },
    });
  }

  /** Reads an empty log; confirms the reservation of the clock. */
  begin(): this {
    this.store.restore([], this.nowMs);
    this.store.restored(0, this.nowMs);
    this.store.executorReady(
      { generation: 1, flushed: [{ group: GROUP, sequence: 0 }], lost: [] },
      this.nowMs,
    );
    this.turn();
    this.store.clockLimit(this.clock.limitUs);
    this.store.takeEffects();
    return this;
  }

  turn(...messages: ReplicaMessage[]): readonly StoreEffect[] {
    for (const message of messages) this.store.handle(GROUP, 1, message, this.nowMs);
    this.store.closeTurn(this.nowMs);
    return this.store.takeEffects();
  }
}

const types = (effects: readonly StoreEffect[]): string[] => effects.map(({ type }) => type);
const sent = (effects: readonly StoreEffect[]): string[] =>
  effects.flatMap((effect) => (effect.type === 'Send' ? effect.message.type : []));

function stable(hlc: number): ReplicaMessage {
  const id = at(hlc);
  return { type: 'Stable', id, executeAt: id, deps: new Uint8Array(), ...touching(1) };
}

describe('the order in which effects leave', () => {
  test('an answer leaves when the records of its turn are durable', () => {
    const shell = new Shell().begin();
    expect(types(shell.turn(preAccept(at(900))))).toEqual(['Append']);
    shell.store.durable(1, 1);
    expect(sent(shell.store.takeEffects())).toEqual(['PreAcceptOk']);
  });

  test('an answer without records waits for the turns before it', () => {
    const shell = new Shell().begin();
    const status = { type: 'CheckStatus', id: at(900) } as const;
    expect(sent(shell.turn(status))).toEqual(['StatusReply']);
    shell.turn(preAccept(at(900)));
    expect(sent(shell.turn(status))).toEqual([]);
    shell.store.durable(1, 1);
    expect(sent(shell.store.takeEffects())).toEqual(['PreAcceptOk', 'StatusReply']);
  });

  test('executions do not wait for the log; Sync follows its record', () => {
    const shell = new Shell({ turnsMax: 1 }).begin();
    expect(types(shell.turn(stable(900)))).toEqual(['Execute', 'Append']);
    shell.store.sync();
    expect(types(shell.turn(stable(901)))).toEqual(['Execute']);
    shell.store.durable(1, 1);
    expect(types(shell.turn())).toEqual(['Append', 'Sync']);
  });

  test('the executor is handed as many as it has room for', () => {
    const shell = new Shell({ handOverMax: 1 }).begin();
    const effects = shell.turn(stable(900), stable(901));
    expect(types(effects)).toEqual(['Execute', 'Append']);
    shell.store.executorTaken(1, 1);
    expect(shell.store.takeEffects()).toMatchObject([
      { type: 'Execute', group: GROUP, generation: 1, execution: { sequence: 2 } },
    ]);
  });

  test('a fresh executor gets what its engine does not hold, and the one before nothing', () => {
    const shell = new Shell().begin();
    shell.turn(stable(900), stable(901));
    shell.store.executorReady(
      { generation: 2, flushed: [{ group: GROUP, sequence: 1 }], lost: [] },
      shell.nowMs,
    );
    expect(shell.store.takeEffects()).toMatchObject([
      { type: 'Execute', generation: 2, execution: { sequence: 2 } },
    ]);
  });

  test('records that wait for the log keep peers out, reads go on', () => {
    const shell = new Shell({ unloggedBytesMax: 1 }).begin();
    shell.turn(preAccept(at(900)));
    const barrier = {
      type: 'ReadBarrier',
      token: 1,
      redundantBefore: at(1),
      after: at(1),
    } as const;
    expect(types(shell.turn(preAccept(at(901))))).toEqual([]);
    expect(sent(shell.turn(barrier))).toEqual(['ReadBarrierOk']);
    shell.store.tick(shell.nowMs);
    expect(shell.store.takeEffects()).toContainEqual({ type: 'Shedding', shedding: true });
    shell.store.durable(1, 1);
    expect(types(shell.turn(preAccept(at(901))))).toContain('Append');
  });

  test('what one turn has led to counts before it is closed', () => {
    const shell = new Shell({ turnRecordBytesMax: 1 }).begin();
    const records = (effects: readonly StoreEffect[]): number =>
      effects.flatMap((effect) => (effect.type === 'Append' ? effect.records : [])).length;
    const alone = new Shell().begin();
    const first = records(alone.turn(preAccept(at(900))));
    expect(first).toBeGreaterThan(0);
    expect(records(shell.turn(preAccept(at(900)), preAccept(at(901))))).toBe(first);
  });

  test('a store that refuses peers asks them nothing about undecided transactions', () => {
    const shell = new Shell({ unloggedBytesMax: 1 }).begin();
    shell.turn(preAccept(at(900)));
    const asked = (): string[] => {
      shell.nowMs += 10_000;
      shell.store.tick(shell.nowMs);
      return sent(shell.turn());
    };
    expect(asked()).not.toContain('CheckStatus');
    shell.store.durable(1, 1);
    expect(asked()).toContain('CheckStatus');
  });

  // Rivals that ask while answers wait for the disk end each other's recoveries, again and again.
  test.each([
    { what: 'the log is late', limits: {}, turns: 1, waitMs: 600 },
    { what: 'turns find no place', limits: { turnsMax: 1 }, turns: 2, waitMs: 100 },
  ])('nothing is recovered while $what', ({ limits, turns, waitMs }) => {
    const shell = new Shell(limits).begin();
    const undecided = at(900);
    shell.turn(preAccept(undecided));
    shell.store.durable(1, 1);
    shell.nowMs += 10_000;
    for (let turn = 0; turn < turns; turn += 1) shell.turn(preAccept(at(901 + turn)));
    shell.nowMs += waitMs;
    shell.store.tick(shell.nowMs);
    expect(sent(shell.turn())).not.toContain('CheckStatus');
    shell.store.durable(2, 2);
    shell.turn();
    if (turns > 1) shell.store.durable(3, 3);
    shell.store.tick(shell.nowMs);
    expect(sent(shell.turn())).toContain('CheckStatus');
  });

  // Seeds 904 and 529 (three groups): rivals whose pauses are shorter than answers take.
  test('whoever is answered late looks after it at longer intervals', () => {
    const shell = new Shell({ replica: { progressDelayMs: 20, progressDelayMsMax: 80 } }).begin();
    const id = at(900);
    shell.turn(preAccept(id));
    shell.store.durable(1, 1);
    const looksWithin = (ms: number): number => {
      let looks = 0;
      for (const endMs = shell.nowMs + ms; shell.nowMs < endMs; shell.nowMs += 10) {
        shell.store.tick(shell.nowMs);
        const effects = shell.turn();
        looks +=
          sent(effects).includes('CheckStatus') || types(effects).includes('Recover') ? 1 : 0;
      }
      return looks;
    };
    expect(looksWithin(4_000)).toBeGreaterThan(40);
    const unknown = { promised: ZERO, accepted: ZERO, executeAt: null, deps: null, reads: null };
    const late = { type: 'StatusReply', id, status: Status.NotDefined, ...unknown } as const;
    // Each is an answer to the latest question, as far as can be seen: the pause grows by steps.
    for (let answers = 0; answers < 12; answers += 1) {
      looksWithin(4_000);
      shell.turn(late);
    }
    expect(looksWithin(4_000)).toBeLessThan(4);
  });

  test('a message for another group is counted, and nothing else', () => {
    const shell = new Shell().begin();
    const other = { range: 1, generation: 2 };
    shell.store.handle(other, 1, preAccept(at(900)), shell.nowMs);
    expect(shell.turn()).toEqual([]);
    expect(shell.store.describe()).toMatchObject({ retained: 0, strays: 1 });
  });

  test('a backlog for members that are away is reported again while it lasts', () => {
    const shell = new Shell({ retainedBytesMax: 1 }).begin();
    const told = (): StoreEffect[] => {
      shell.store.tick(shell.nowMs);
      return shell.store.takeEffects().filter(({ type }) => type === 'Backlog');
    };
    expect(told()).toEqual([]);
    shell.turn(stable(900));
    expect([told(), told()].flat()).toEqual([
      { type: 'Backlog', full: true },
      { type: 'Backlog', full: true },
    ]);
  });
});

test('a store that contradicts itself halts: nothing of that turn leaves, nor later', () => {
  const shell = new Shell().begin();
  shell.clock.uniqueNow = () => at(1, SELF);
  shell.store.handle(GROUP, 1, { type: 'CheckStatus', id: at(900) }, shell.nowMs);
  shell.turn(preAccept(at(2_000)));
  // Its time is taken: the vote would be a new timestamp.
  const effects = shell.turn(preAccept(at(1_999)));
  expect(effects).toMatchObject([{ type: 'Halt' }]);
  expect(String((effects[0] as { reason: string }).reason)).toContain('a vote below t0');
  shell.store.durable(1, 1);
  shell.store.tick(shell.nowMs);
  expect(types(shell.turn(preAccept(at(3_000))))).toEqual(['Halt']);
});

describe('idle groups', () => {
  const COUNT = 1_000;
  const SLOTS = 16;
  const groups = Array.from({ length: COUNT }, (_, index) => {
    const id = { range: index + 1, generation: 1 };
    const fromSlot = index * SLOTS;
    return new Group({
      ...groupOf(3),
      id,
      electorate: [1, 2, 3],
      fromSlot,
      toSlot: fromSlot + SLOTS,
    });
  });
  const idOf = (index: number): GroupId => (groups[index] as Group).id;
  const slotOf = (index: number): number => (groups[index] as Group).fromConflictSlot;

  /** A store of all of them, with an empty log. */
  function idle(): Shell {
    const shell = new Shell({}, groups);
    shell.store.restore([], shell.nowMs);
    shell.store.restored(0, shell.nowMs);
    shell.store.executorReady({ generation: 1, flushed: [], lost: [] }, shell.nowMs);
    shell.turn();
    shell.store.clockLimit(shell.clock.limitUs);
    shell.store.takeEffects();
    return shell;
  }

  function tick(shell: Shell): readonly StoreEffect[] {
    shell.nowMs += 20;
    shell.store.tick(shell.nowMs);
    return shell.turn();
  }

  test('lead to no effect, whatever time passes and whichever link comes and goes', () => {
    const shell = idle();
    const effects = [...tick(shell), ...tick(shell)];
    expect(types(effects)).toEqual(['Shedding', 'Watermarks']);
    shell.store.peerDown(1, shell.nowMs);
    shell.store.peerUp(1);
    shell.store.executorFlushed([]);
    for (let ticks = 0; ticks < 500; ticks += 1) expect(tick(shell)).toEqual([]);
    expect(shell.tickedGroups).toBe(COUNT);
  });

  test('are not looked at by a tick: those that have work are, until they have none', () => {
    const shell = idle();
    for (let ticks = 0; ticks < 10; ticks += 1) tick(shell);
    shell.tickedGroups = 0;
    const vote = { ...preAccept(at(900)), ...touching(slotOf(7)) };
    shell.store.handle(idOf(7), 1, vote, shell.nowMs);
    shell.turn();
    for (let ticks = 0; ticks < 50; ticks += 1) tick(shell);
    expect(shell.tickedGroups).toBe(50);
    shell.store.handle(idOf(7), 1, { type: 'CommitInvalidate', id: at(900) }, shell.nowMs);
    for (let ticks = 0; ticks < 400; ticks += 1) tick(shell);
    // It is still to be forgotten, and waits for the other members: that has a slower pace.
    expect(shell.tickedGroups).toBeLessThan(150);
    expect(shell.store.describe()).toMatchObject({ retained: 1, unapplied: 0 });
  });
});

describe('how far the log may be cut', () => {
  const groups = [1, 2].map((range) => {
    const id = { range, generation: 1 };
    const fromSlot = (range - 1) * 100;
    return new Group({
      ...groupOf(3),
      id,
      electorate: [1, 2, 3],
      fromSlot,
      toSlot: fromSlot + 100,
    });
  });
  const [one, two] = groups.map(({ id }) => id) as [GroupId, GroupId];

  test('no marks are repeated before the log is read: they would replace those in it', () => {
    const shell = new Shell({}, groups);
    shell.store.logPinned(90);
    expect(shell.turn()).toEqual([]);
    const record = stored(40, one, { type: 'RejectBefore', before: at(5, 0) });
    shell.store.restore([{ group: one, records: [record] }], shell.nowMs);
    shell.store.restored(0, shell.nowMs);
    shell.store.executorReady({ generation: 1, flushed: [], lost: [] }, shell.nowMs);
    const append = shell.turn().find(({ type }) => type === 'Append');
    if (append?.type !== 'Append') throw new Error('nothing is repeated');
    const repeated = append.records.map(({ type, parts }) =>
      decodeRecord(type, Buffer.concat(parts)),
    );
    expect(repeated).toContainEqual({ type: 'RejectBefore', before: at(5, 0) });
  });

  test('a group that has nothing in the log needs none of it; one that writes, what it writes', () => {
    const shell = new Shell({}, groups);
    const record = stored(40, two, { type: 'RejectBefore', before: at(5, 0) });
    shell.store.restore([{ group: two, records: [record] }], shell.nowMs);
    shell.store.restored(0, shell.nowMs);
    shell.store.executorReady({ generation: 1, flushed: [], lost: [] }, shell.nowMs);
    expect(shell.turn()).toContainEqual({ type: 'Truncate', fromLsn: 40 });
    // Its marks hold back the log: it writes them once more.
    shell.store.logPinned(90);
    expect(types(shell.turn())).toEqual(['Append']);
    shell.store.durable(1, 100);
    expect(shell.store.takeEffects()).toContainEqual({ type: 'Truncate', fromLsn: 100 });
    // A record of the first group, which had none; then both repeat their marks.
    shell.store.handle(one, 1, preAccept(at(900)), shell.nowMs);
    shell.turn();
    shell.store.durable(2, 110);
    shell.store.logPinned(200);
    shell.turn();
    shell.store.durable(3, 210);
    expect(shell.store.takeEffects()).toContainEqual({ type: 'Truncate', fromLsn: 110 });
  });

  test('transactions that are held are needed, and repeating marks does not help', () => {
    const shell = new Shell({}, groups);
    const id = at(900);
    const record = stored(7, one, { type: 'Promised', id, ballot: at(1_000, 2) });
    shell.store.restore([{ group: one, records: [record] }], shell.nowMs);
    shell.store.restored(0, shell.nowMs);
    shell.store.executorReady({ generation: 1, flushed: [], lost: [] }, shell.nowMs);
    expect(shell.turn()).toContainEqual({ type: 'Truncate', fromLsn: 7 });
    shell.store.logPinned(100);
    expect(types(shell.turn())).not.toContain('Append');
  });
});

function stored(lsn: number, group: GroupId, record: JournalRecord) {
  const { type, parts } = encodeRecord(group, record);
  return { lsn, type, payload: Buffer.concat(parts) };
}
