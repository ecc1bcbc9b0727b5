/** The door of the pure core: what may leave when, and that nothing leaves a broken store. */
import { describe, expect, test } from 'vitest';
import { CommandStore } from '../../../../actors/accord/local/command-store.ts';
import type { StoreEffect } from '../../../../actors/accord/local/effects.ts';
import type { ReplicaMessage } from '../../../../actors/accord/local/replica.ts';
import { HybridClock } from '../../../../actors/accord/primitives/hybrid-clock.ts';
import { at, groupOf, preAccept, touching } from '../fixture.ts';

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

  constructor(limits: Partial<ConstructorParameters<typeof CommandStore>[0]['limits']> = {}) {
    this.store = new CommandStore({
      self: SELF,
      groups: [groupOf(3)],
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
    this.store.restore(GROUP, []);
    this.store.restored(0, this.nowMs);
    this.store.executorReady(1, 0, this.nowMs);
    this.turn();
    this.store.clockLimit(this.clock.limitUs);
    this.store.takeEffects();
    return this;
  }

  turn(...messages: ReplicaMessage[]): readonly StoreEffect[] {
    for (const message of messages) this.store.handle(GROUP, 1, message, this.nowMs);
    this.store.closeTurn();
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

describe('what may leave when', () => {
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

  test('what is handed over does not wait for the log; Sync comes behind its record', () => {
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
    shell.store.executorReady(2, 1, shell.nowMs);
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

  test('who keeps peers out asks them nothing about what is undecided', () => {
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

  test('a message for another group is counted, and nothing else', () => {
    const shell = new Shell().begin();
    const other = { range: 1, generation: 2 };
    shell.store.handle(other, 1, preAccept(at(900)), shell.nowMs);
    expect(shell.turn()).toEqual([]);
    expect(shell.store.describe()).toMatchObject({ retained: 0, strays: 1 });
  });

  test('what is kept for members that are away is told again and again while it lasts', () => {
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
