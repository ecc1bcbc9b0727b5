/** Nodes that lose their ranges: five nodes, ranges of three members, moves that end at once. */
import { describe, expect, test } from 'vitest';
import { apply } from '../../../actors/meta/apply.ts';
import {
  DEPARTURE_LIMITS,
  type Departure,
  type DepartureLimits,
  departuresOf,
  nextMove,
} from '../../../actors/meta/departures.ts';
import type { MetaCommand } from '../../../actors/meta/meta-command.ts';
import type { MetaState } from '../../../actors/meta/meta-state.ts';
import { ReplicaManager } from '../../../actors/meta/replica-manager.ts';
import {
  faultOf,
  firstMeta,
  type Topology,
  type TopologyRange,
  withMeta,
} from '../../../actors/meta/topology.ts';
import { FORM } from './form-sample.ts';
import { NODES } from './judged-meta.ts';

const LEASE_MS = 1_000;
/** Where all five nodes are its members. */
const META_STAYS = {
  range: 0,
  why: 'no other node can take its place, and 4 members would stay: an odd number, 3 at least, is needed',
};

class Bench {
  state: MetaState | undefined;
  nowMs = 1_000;
  readonly down = new Set<number>();
  readonly limits: DepartureLimits;
  readonly #managers = new Map<number, ReplicaManager>();

  constructor(initialRanges = 1, limits: Partial<DepartureLimits> = {}, replicationFactor = 3) {
    this.limits = { ...DEPARTURE_LIMITS, ...limits };
    const sizes = { initialRanges, rangesMax: 16, replicationFactor };
    this.run({ ...FORM, nodes: NODES, electorate: [1, 2, 3, 4, 5], ...sizes });
  }

  get topology(): Topology {
    return (this.state as MetaState).topology;
  }

  /** By range: its members. */
  get members(): readonly string[] {
    return this.topology.ranges.map(({ members }) => members.join(''));
  }

  stateOf(node: number): string | undefined {
    return this.topology.nodes.find(({ id }) => id === node)?.state;
  }

  get presence() {
    const isUp = (node: number): boolean => !this.down.has(node);
    return { isUp, presentUs: this.nowMs * 1_000 };
  }

  run(command: MetaCommand): string | undefined {
    this.nowMs += 1;
    const at = { hlc: this.nowMs * 1_000, flags: 2, node: 1, store: 0 };
    const { state, refused } = apply(this.state, command, at);
    this.state = state;
    expect(faultOf(this.topology)).toBeUndefined();
    return refused;
  }

  must(...commands: readonly MetaCommand[]): void {
    for (const command of commands) expect(this.run(command)).toBeUndefined();
  }

  next(): MetaCommand | undefined {
    return nextMove(this.topology, this.presence, this.limits);
  }

  /** Begins what is next; as range from-to. */
  step(): string | undefined {
    const move = nextMove(this.topology, this.presence, this.limits);
    if (move === undefined) return undefined;
    this.must(move);
    return `${move.range.range} ${move.from}-${move.to}`;
  }

  /** The cluster has been formed by these. */
  withMeta(...members: number[]): this {
    const meta = firstMeta({ members, electorate: members });
    this.state = { ...(this.state as MetaState), topology: { ...this.topology, meta } };
    return this;
  }

  close({ id: range, change }: TopologyRange): void {
    const name = { range, change: change?.number ?? 0 };
    const closedAt = { hlc: this.nowMs * 1_000, flags: 2, node: 1, store: 0 };
    this.must({ type: 'BeginClosing', ...name }, { type: 'Done', ...name, closedAt });
  }

  /** All that is open ends, with all data. */
  settle(): void {
    for (const range of withMeta(this.topology)) if (range.change) this.close(range);
    for (const { id: range, owed } of withMeta(this.topology)) {
      for (const node of owed) this.must({ type: 'HasData', range, node });
    }
  }

  departure(node: number): Departure | undefined {
    const all = departuresOf(this.topology, this.presence, this.limits);
    return all.find((each) => each.node === node);
  }

  acts(self: number, mayLead = true): MetaCommand | undefined {
    const manager = this.#managers.get(self) ?? new ReplicaManager(self, LEASE_MS, this.limits);
    this.#managers.set(self, manager);
    const { state, nowMs, presence } = this;
    return manager.acts({ state: state as MetaState, nowMs, mayLead, ...presence });
  }
}

describe('what moves', () => {
  test('all ranges of a node, each to the node that has the fewest; then it has left', () => {
    const bench = new Bench(5);
    expect(bench.members).toEqual(['123', '234', '345', '145', '125']);
    expect(bench.step()).toBeUndefined();
    bench.must({ type: 'Decommission', id: 3 });
    expect([bench.step(), bench.step(), bench.step()]).toEqual(['1 3-4', '2 3-1', '3 3-2']);
    expect(bench.departure(3)).toEqual({
      ...{ node: 3, left: 3, stuck: [META_STAYS] },
      moving: [
        { range: 1, to: 4 },
        { range: 2, to: 1 },
        { range: 3, to: 2 },
      ],
    });
    bench.settle();
    expect(bench.members).toEqual(['124', '124', '245', '145', '125']);
    expect(bench.departure(3)).toMatchObject({ left: 0, moving: [], stuck: [META_STAYS] });
    // It is of the meta group still.
    expect(bench.run({ type: 'Remove', id: 3 })).toBe('node 3 is a member of the meta group');
  });

  test('its place in the meta group too, behind its ranges; then it can be removed', () => {
    const bench = new Bench().withMeta(1, 2, 3);
    bench.must({ type: 'Decommission', id: 2 });
    expect([bench.step(), bench.step(), bench.step()]).toEqual(['1 2-4', '0 2-5', undefined]);
    expect(bench.departure(2)).toMatchObject({ moving: [{ range: 1 }, { range: 0, to: 5 }] });
    expect(bench.run({ type: 'Remove', id: 2 })).toBe('node 2 is a member of 1 range');
    bench.close(bench.topology.ranges[0] as TopologyRange);
    bench.close(bench.topology.meta);
    const { meta } = bench.topology;
    expect(meta).toMatchObject({ members: [1, 3, 5], electorate: [1, 3, 5], owed: [5] });
    expect(meta.origin).toEqual([{ range: 0, generation: 1 }]);
    expect(bench.state?.ended.map(({ group }) => group.range)).toEqual([1, 0]);
    expect(bench.stateOf(2)).toBe('decommissioning');
    bench.settle();
    expect([bench.topology.meta.owed, bench.stateOf(2)]).toEqual([[], 'decommissioned']);
    bench.must({ type: 'Remove', id: 2 });
  });

  test('a lost member of the meta group, and the next one when that has its table', () => {
    const bench = new Bench().withMeta(1, 2, 3);
    bench.down.add(3);
    bench.must({ type: 'Replace', id: 3, replacement: 5 }, { type: 'Decommission', id: 2 });
    expect([bench.step(), bench.step(), bench.step()]).toEqual(['1 3-5', '0 3-5', undefined]);
    for (const range of withMeta(bench.topology)) if (range.change) bench.close(range);
    expect(bench.step()).toBeUndefined();
    bench.settle();
    expect([bench.step(), bench.step(), bench.step()]).toEqual(['1 2-4', '0 2-4', undefined]);
    bench.settle();
    expect(bench.topology.meta.members).toEqual([1, 4, 5]);
  });

  test('the meta group shrinks where no other node is there, to an odd number alone', () => {
    const bench = new Bench().withMeta(1, 2, 3, 4);
    bench.must({ type: 'Decommission', id: 5 });
    bench.step();
    bench.settle();
    bench.must({ type: 'Decommission', id: 4 });
    const shrinks = bench.next();
    expect(shrinks).toMatchObject({ type: 'Move', range: { range: 0 }, from: 4 });
    bench.must(shrinks as MetaCommand);
    expect(bench.departure(4)?.moving.filter(({ range }) => range === 0)).toEqual([{ range: 0 }]);
    bench.settle();
    expect(bench.topology.meta.members).toEqual([1, 2, 3]);
    const range = bench.topology.meta.id;
    const leave = { type: 'Move', range, from: 3, by: 'x' } as const;
    expect(bench.run(leave)).toMatch(/^2 members would stay/);
    expect(bench.run({ type: 'Split', range, atSlot: 9, by: 'x' })).toMatch(/not split/);
    const seenUs = bench.nowMs * 1_000;
    expect(bench.run({ type: 'BringIn', range, node: 2, seenUs })).toMatch(/no open range/);
  });

  test('so many at a time, and one at a time to each node', () => {
    const bench = new Bench(5, { movesMax: 2 });
    bench.must({ type: 'Decommission', id: 3 });
    expect([bench.step(), bench.step(), bench.step()]).toEqual(['1 3-4', '2 3-1', undefined]);
    bench.settle();
    expect([bench.step(), bench.step()]).toEqual(['3 3-2', undefined]);
    const one = new Bench(5);
    one.must({ type: 'Replace', id: 3, replacement: 5 });
    expect([one.step(), one.step()]).toEqual(['1 3-5', '3 3-1']);
    one.close(one.topology.ranges[0] as TopologyRange);
    // Its data are not there yet.
    expect(one.step()).toBeUndefined();
    one.settle();
    expect(one.step()).toBe('2 3-5');
  });

  test('what has lost a member comes before what has all of them', () => {
    const bench = new Bench(5, { movesMax: 1 });
    bench.down.add(5);
    bench.must({ type: 'Decommission', id: 3 }, { type: 'Decommission', id: 5 });
    expect(bench.step()).toBe('3 5-1');
  });

  test('nothing moves to a node that leaves, drains, joins or is gone', () => {
    const bench = new Bench();
    const places = {
      ...{ host: 'h', port: 6, redis: '', admin: '' },
      version: '',
      behaviourMax: 1,
    };
    bench.must(
      { type: 'Join', joinId: 'a'.repeat(32), ...places },
      ...([2, 3, 4] as const).map((id) => ({ type: 'Decommission', id }) as const),
    );
    bench.must({ type: 'Drain', id: 5 });
    expect(bench.step()).toBeUndefined();
    const why = 'no other node can take it';
    expect(bench.departure(2)).toMatchObject({
      left: 1,
      stuck: [
        { range: 1, why },
        { range: 0, why },
      ],
    });
    bench.must({ type: 'Recommission', id: 5 });
    bench.down.add(5);
    expect(bench.step()).toBeUndefined();
    bench.down.clear();
    bench.must({ type: 'NodeMissed', node: 5, seenUs: bench.nowMs * 1_000 });
    expect(bench.step()).toBeUndefined();
    bench.must({ type: 'NodeBack', node: 5, seenUs: bench.nowMs * 1_000 });
    expect(bench.step()).toBe('1 2-5');
    expect(
      bench.run({ type: 'Move', range: { range: 1, generation: 1 }, from: 3, to: 4, by: 'x' }),
    ).toBe('the range is being changed');
  });

  test('why something is stuck', () => {
    const bench = new Bench(1, {}, 1);
    bench.must({ type: 'Decommission', id: 1 });
    const whyOf = (one: Bench) => one.departure(1)?.stuck[0]?.why;
    expect(whyOf(bench)).toBe('no other member has its data');
    const three = new Bench();
    three.must({ type: 'Replace', id: 1, replacement: 4 });
    three.down.add(4);
    expect(whyOf(three)).toBe('node 4 is not there');
    three.down.clear();
    three.step();
    three.close(three.topology.ranges[0] as TopologyRange);
    three.must({ type: 'Recommission', id: 1 }, { type: 'Decommission', id: 2 });
    three.down.add(4);
    expect(three.departure(2)?.stuck[0]?.why).toBe(
      'node 4 is gone, and does not have its data yet',
    );
    three.down.add(3);
    expect(three.departure(2)?.stuck[0]?.why).toBe('it has no quorum');
  });
});

describe('who is to leave', () => {
  test('a node is taken back: what is not closing stays', () => {
    const bench = new Bench(5);
    bench.must({ type: 'Decommission', id: 3 });
    bench.step();
    bench.step();
    const [first, second] = bench.topology.ranges;
    const move = (range: TopologyRange | undefined) =>
      ({ range: (range as TopologyRange).id, change: range?.change?.number ?? 0 }) as const;
    bench.must({ type: 'BeginClosing', ...move(first) });
    const { epoch } = bench.topology;
    bench.must({ type: 'Recommission', id: 3 });
    expect(bench.topology.epoch).toBe(epoch + 1);
    expect(bench.topology.ranges.map(({ change }) => change?.phase)).toEqual([
      ...['closing', undefined, undefined, undefined, undefined],
    ]);
    expect(bench.run({ type: 'Cancel', ...move(second) })).toBe('no such change of the range');
    expect(bench.step()).toBeUndefined();
    expect(bench.state?.jobs).toMatchObject([{ kind: 'move', outcome: 'cancelled' }]);
  });

  test('a node has not left while a new member has its data from nobody else', () => {
    const bench = new Bench();
    bench.withMeta(1, 2, 4, 5);
    bench.must({ type: 'Decommission', id: 3 });
    bench.step();
    expect(bench.stateOf(3)).toBe('decommissioning');
    bench.close(bench.topology.ranges[0] as TopologyRange);
    expect([bench.members, bench.stateOf(3)]).toEqual([['124'], 'decommissioning']);
    bench.settle();
    expect(bench.stateOf(3)).toBe('decommissioned');
    bench.must({ type: 'Remove', id: 3 });
    expect(bench.stateOf(3)).toBeUndefined();
  });

  test('one that is gone for long, unless another one is gone too', () => {
    const bench = new Bench(1, { replaceAfterMs: 5_000 });
    bench.must({ type: 'PauseController', domain: 'replicas' });
    const missed = (node: number) =>
      bench.must({ type: 'NodeMissed', node, seenUs: bench.nowMs * 1_000 });
    missed(2);
    bench.down.add(2);
    bench.nowMs += 4_990;
    expect(bench.next()).toBeUndefined();
    bench.nowMs += 20;
    expect(bench.next()).toMatchObject({ from: 2, to: 4 });
    expect(nextMove(bench.topology, bench.presence, { movesMax: 1, replaceAfterMs: 0 })).toBe(
      undefined,
    );
    missed(5);
    bench.down.add(5);
    expect(bench.next()).toBeUndefined();
    // Of that one it is known that it does not come back.
    bench.must({ type: 'Decommission', id: 5 });
    expect(bench.next()).toMatchObject({ from: 2, to: 4 });
    bench.step();
    expect(bench.departure(2)).toMatchObject({ left: 1, moving: [{ range: 1, to: 4 }] });
    bench.settle();
    expect(bench.departure(2)).toBeUndefined();
    bench.down.delete(2);
    expect(bench.next()).toBeUndefined();
  });
});

describe('who moves it', () => {
  test('the holder of the lease; the lowest member claims it, the others stand in for it', () => {
    const bench = new Bench(5);
    expect(bench.acts(1)).toBeUndefined();
    bench.must({ type: 'Decommission', id: 3 });
    expect(bench.acts(2)).toBeUndefined();
    bench.down.add(1);
    expect(bench.acts(2)).toMatchObject({ type: 'TakeLeases', holder: 2 });
    bench.down.clear();
    bench.nowMs += 999;
    expect(bench.acts(2)).toBeUndefined();
    bench.nowMs += 1;
    const claim = bench.acts(2) as MetaCommand;
    bench.must(claim);
    expect(bench.acts(1)).toBeUndefined();
    const move = bench.acts(2) as MetaCommand;
    expect(move).toMatchObject({ type: 'Move', lease: { holder: 2, term: 1 } });
    bench.nowMs += LEASE_MS;
    expect(bench.run(move)).toBe('the lease is stale');
    bench.must(bench.acts(1) as MetaCommand, bench.acts(1) as MetaCommand);
    bench.nowMs += 0.8 * LEASE_MS;
    expect(bench.acts(1)).toMatchObject({ type: 'TakeLeases' });
  });

  test('a manager that begins has patience with a node that was gone before', () => {
    const bench = new Bench(1, { replaceAfterMs: 60_000 });
    bench.down.add(3);
    bench.must({ type: 'PauseController', domain: 'replicas' });
    bench.must({ type: 'NodeMissed', node: 3, seenUs: bench.nowMs * 1_000 });
    bench.nowMs += 100_000;
    // Its range is renewed only with the next command.
    bench.state = { ...(bench.state as MetaState), pausedControllers: [] };
    expect(bench.next()).toMatchObject({ from: 3 });
    expect(bench.acts(1)).toBeUndefined();
    bench.nowMs += 29_990;
    expect(bench.acts(1)).toBeUndefined();
    bench.nowMs += 10;
    expect(bench.acts(1)).toMatchObject({ type: 'TakeLeases' });
  });

  test('nobody, while the controller is paused', () => {
    const bench = new Bench();
    bench.must({ type: 'Decommission', id: 3 }, { type: 'PauseController', domain: 'replicas' });
    expect(bench.acts(1)).toBeUndefined();
    bench.must({ type: 'ResumeController', domain: 'replicas' });
    expect(bench.acts(1, false)).toBeUndefined();
    expect(bench.acts(1)).toMatchObject({ type: 'TakeLeases' });
  });
});
