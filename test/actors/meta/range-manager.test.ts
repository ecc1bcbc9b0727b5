/**
 * Nodes and the changes of ranges: three managers over one state machine, as fast as
 * nothing is lost. Time is moved by hand.
 */
import { expect, test } from 'vitest';
import type { Laggard } from '../../../actors/accord/local/effects.ts';
import type { Timestamp } from '../../../actors/accord/primitives/timestamp.ts';
import { type GroupId, groupKey } from '../../../actors/accord/topology/group-id.ts';
import { apply } from '../../../actors/meta/apply.ts';
import type { MetaCommand } from '../../../actors/meta/meta-command.ts';
import type { MetaState } from '../../../actors/meta/meta-state.ts';
import { type Act, RangeManager } from '../../../actors/meta/range-manager.ts';
import { FORM } from './form-sample.ts';

const LEASE_MS = 1_000;

class Bench {
  state: MetaState | undefined;
  nowMs = 10_000;
  readonly down = new Set<number>();
  readonly draining = new Set<number>();
  readonly ends = new Map<string, Timestamp>();
  lagging: readonly Laggard[] = [];
  lacking: readonly Laggard[] = [];
  readonly #managers = [1, 2, 3].map(
    (self) => new RangeManager({ self, form: () => FORM, leaseMs: LEASE_MS, random: () => 0.5 }),
  );

  manager(node: number): RangeManager {
    return this.#managers[node - 1] as RangeManager;
  }

  at(): Timestamp {
    return { hlc: this.nowMs * 1_000, flags: 2, node: 1, store: 0 };
  }

  acts(node: number, isProposing = false): readonly Act[] {
    return this.manager(node).acts({
      state: this.state,
      hasData: () => false,
      ...{ lagging: this.lagging, lacking: this.lacking },
      endOf: (group: GroupId) => this.ends.get(groupKey(group)),
      nowMs: this.nowMs,
      presentUs: this.nowMs * 1_000,
      isUp: (node) => !this.down.has(node),
      mayLead: !this.draining.has(node),
      isProposing,
    });
  }

  /** By name; what is proposed is decided at once. */
  step(node: number): string[] {
    return this.acts(node).map((act) => {
      if (act.type === 'Close') return `Close ${groupKey(act.group)}`;
      this.decide(act.command);
      return act.command.type;
    });
  }

  decide(command: MetaCommand): number {
    const { state, refused } = apply(this.state, command, this.at());
    expect([command.type, refused]).toEqual([command.type, undefined]);
    this.state = state;
    return state?.topology.lastChange ?? 0;
  }

  split(node: number): void {
    const range = this.state?.topology.ranges[0]?.id as GroupId;
    const atSlot = (this.state?.topology.ranges[0]?.toSlot as number) / 2;
    this.manager(node).begun(this.decide({ type: 'Split', range, atSlot, by: 'a' }));
  }

  end(group: string): void {
    this.ends.set(group, this.at());
  }
}

function formed(): Bench {
  const bench = new Bench();
  expect(bench.step(2)).toEqual(['Form']);
  return bench;
}

test('one forms the cluster; an idle one costs nothing', () => {
  const bench = formed();
  for (const node of [1, 2, 3]) expect(bench.step(node)).toEqual([]);
});

test('the node that was asked leads a split to its end; the others look on', () => {
  const bench = formed();
  bench.split(3);
  expect(bench.step(1)).toEqual([]);
  expect(bench.step(3)).toEqual(['TakeLeases']);
  expect(bench.step(3)).toEqual(['BeginClosing']);
  expect(bench.step(1)).toEqual([]);
  expect(bench.step(3)).toEqual(['Close 1.1']);
  bench.end('1.1');
  expect(bench.step(3)).toEqual(['Done']);
  expect(bench.state?.topology.ranges.map(({ id }) => groupKey(id))).toEqual(['1.2', '2.2']);
  for (const node of [1, 2, 3]) expect(bench.step(node)).toEqual([]);
});

test('any node goes on at every step where another one has stopped', () => {
  const bench = formed();
  bench.split(1);
  for (const [node, act] of [
    [2, 'TakeLeases'],
    [2, 'BeginClosing'],
  ] as const) {
    bench.nowMs += 100;
    expect(bench.step(node)).toEqual(act === 'TakeLeases' ? [] : [act]);
    if (act !== 'TakeLeases') continue;
    bench.nowMs += 1_500;
    expect(bench.step(node)).toEqual([act]);
  }
  expect(bench.step(3)).toEqual([]);
  bench.nowMs += 1_500;
  expect(bench.step(3)).toEqual(['Close 1.1']);
  bench.end('1.1');
  expect(bench.step(3)).toEqual(['Done']);
});

test('one command at a time; Close waits for none', () => {
  const bench = formed();
  bench.split(1);
  expect(bench.acts(1, true)).toEqual([]);
  bench.step(1);
  bench.step(1);
  expect(bench.acts(1, true)).toMatchObject([{ type: 'Close' }]);
});

test('what is paused, and what a paused controller has, waits; what closes goes on', () => {
  const bench = formed();
  bench.split(1);
  const name = { range: { range: 1, generation: 1 }, change: 1 };
  bench.decide({ type: 'Pause', ...name });
  expect(bench.step(1)).toEqual([]);
  bench.decide({ type: 'Resume', ...name });
  bench.decide({ type: 'PauseController', domain: 'all' });
  expect(bench.step(1)).toEqual([]);
  bench.decide({ type: 'ResumeController', domain: 'ranges' });
  expect(bench.step(1)).toEqual(['TakeLeases']);
  expect(bench.step(1)).toEqual(['BeginClosing']);
  bench.decide({ type: 'PauseController', domain: 'ranges' });
  expect(bench.step(1)).toEqual(['Close 1.1']);
});

test('the lowest member that is up renews a group, and the next ones stand in for it', () => {
  const bench = formed();
  bench.down.add(1);
  bench.decide({ type: 'NodeMissed', node: 1, seenUs: bench.nowMs * 1_000 });
  expect(bench.step(3)).toEqual([]);
  expect(bench.step(2)).toEqual(['Close 1.1']);
  bench.nowMs += 1_500;
  expect(bench.step(3)).toEqual(['Close 1.1']);
  bench.end('1.1');
  expect(bench.step(2)).toEqual(['Done']);
  expect(bench.state?.topology.ranges[0]).toMatchObject({ electorate: [2, 3], members: [1, 2, 3] });
  expect(bench.step(2)).toEqual([]);
});

test('several that have ended are told with one command', () => {
  const bench = new Bench();
  bench.decide({ ...FORM, initialRanges: 3, closingMax: 3 });
  bench.decide({ type: 'NodeMissed', node: 3, seenUs: bench.nowMs * 1_000 });
  expect(bench.step(1)).toEqual(['Close 1.1', 'Close 2.1', 'Close 3.1']);
  for (const group of ['1.1', '2.1']) bench.end(group);
  const { epoch = 0 } = bench.state?.topology ?? {};
  expect(bench.step(1)).toEqual(['Close 3.1', 'SeveralDone']);
  expect(bench.state?.topology.epoch).toBe(epoch + 1);
  bench.end('3.1');
  expect(bench.step(1)).toEqual(['Done']);
});

test('a lease that runs out is renewed, as long as there is something to begin', () => {
  const bench = formed();
  bench.split(1);
  bench.step(1);
  bench.nowMs += 0.8 * LEASE_MS;
  expect(bench.step(1)).toEqual(['TakeLeases']);
  expect(bench.state?.leases[0]).toMatchObject({ holder: 1, term: 1 });
  expect(bench.step(1)).toEqual(['BeginClosing']);
});

test('a node that drains begins nothing, and ends what closes', () => {
  const bench = formed();
  bench.split(1);
  bench.draining.add(1);
  for (const node of [1, 2]) expect(bench.step(node)).toEqual([]);
  bench.nowMs += 1_500;
  expect(bench.step(1)).toEqual([]);
  expect(bench.step(2)).toEqual(['TakeLeases']);
  expect(bench.step(2)).toEqual(['BeginClosing']);
  expect(bench.step(1)).toEqual(['Close 1.1']);
});

test('a member that has to wait for another one does not hold that up', () => {
  const bench = formed();
  const rangeOf = (): GroupId => bench.state?.topology.ranges[0]?.id as GroupId;
  const seenUs = bench.nowMs * 1_000;
  bench.decide({ type: 'PassOver', ranges: [rangeOf()], node: 1, seenUs });
  bench.end('1.1');
  bench.nowMs += 5_000;
  expect(bench.step(1)).toEqual(['Done']);
  const group = rangeOf();
  // Node 2 has lost its store: with node 1 it would be two of three that fetch.
  bench.lacking = [2, 1].map((node) => ({ group, node }));
  bench.nowMs += 5_000;
  expect(bench.acts(2)).toMatchObject([{ command: { type: 'BringIn', node: 1 } }]);
  bench.lacking = [{ group, node: 2 }];
  expect(bench.acts(3)).toEqual([]);
});
