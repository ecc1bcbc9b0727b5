/**
 * The state machine of the topology against a model that knows slots one by one: random commands, in
 * good and in bad order, stale and damaged ones among them. The seed is fixed, and the test counts
 * what has been met, so that it cannot pass by luck.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ZERO } from '../../../actors/accord/primitives/timestamp.ts';
import { type Applied, apply } from '../../../actors/meta/apply.ts';
import { CLOSING_MAX } from '../../../actors/meta/changes.ts';
import {
  DOMAINS,
  type Domain,
  type Form,
  type LeaseClaim,
  type MetaCommand,
} from '../../../actors/meta/meta-command.ts';
import { JOBS_MAX, type MetaState } from '../../../actors/meta/meta-state.ts';
import {
  faultOf,
  ID_MAX,
  RANGES_MAX,
  type Topology,
  type TopologyRange,
} from '../../../actors/meta/topology.ts';
import { decodeTopology, encodeTopology } from '../../../actors/meta/topology-codec.ts';
import { REDIS_SLOTS } from '../../../storage/keyspace/slots.ts';

const SEED = 4711;
const RANGES = 6;

const FORM: Form = {
  type: 'Form',
  clusterId: '00112233445566778899aabbccddeeff',
  nodes: [3, 1, 2].map((id) => ({ id, host: `host-${id}`, port: 7000 + id, behaviourMax: id + 1 })),
  electorate: [2, 1],
  initialRanges: 2,
  replicationFactor: 9,
  rangesMax: RANGES,
  closingMax: CLOSING_MAX,
  behaviourLevel: 1,
};

function at(hlc: number) {
  return { hlc, flags: 2, node: 1, store: 0 };
}

/** Applied twice to a state that nothing may change in place. */
function run(state: MetaState | undefined, command: MetaCommand, hlc: number): Applied {
  const before = JSON.stringify(state);
  const first = apply(frozen(state), frozen(command), at(hlc));
  const second = apply(frozen(state), frozen(command), at(hlc));
  expect(JSON.stringify(second)).toBe(JSON.stringify(first));
  expect(JSON.stringify(state)).toBe(before);
  if (first.refused !== undefined) expect(first.state).toBe(state);
  return first;
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const each of Object.values(value)) frozen(each);
  }
  return value;
}

function mustDo(state: MetaState | undefined, command: MetaCommand, hlc = 1): MetaState {
  const { state: next, refused } = run(state, command, hlc);
  expect(refused).toBeUndefined();
  return next as MetaState;
}

/** Here all nodes are members, and have the data: see `moves.test.ts` and `absences.test.ts`. */
type Type = Exclude<MetaCommand['type'], 'Move' | 'HasData' | 'PassOver' | 'BringIn'>;

/** A random command is made of these; the state that it meets gives it its meaning. */
interface Dice {
  readonly type: Type;
  /** Which of the ranges, and where in it. */
  readonly range: number;
  readonly slot: number;
  /** 0: as it should be. Otherwise a field is stale or damaged. */
  readonly wrong: number;
  readonly node: number;
  readonly domain: Domain;
  readonly leased: boolean;
  readonly afterUs: number;
}

const TYPES: readonly Type[] = [
  ...(['Form', 'Split', 'Split', 'Split', 'Split', 'Split', 'Pause', 'Resume', 'Resume'] as const),
  ...(['Pause', 'Cancel', 'BeginClosing', 'Done'] as const),
  ...(['BeginClosing', 'BeginClosing', 'BeginClosing', 'Done', 'Done', 'Done'] as const),
  ...(['TakeLeases', 'TakeLeases', 'DropLeases', 'PauseController', 'ResumeController'] as const),
  ...(['NodeStarted', 'NodeStarted', 'RaiseBehaviour', 'Join', 'Join', 'Drain'] as const),
  ...(['Recommission', 'Decommission', 'Decommission', 'Remove', 'Remove', 'Replace'] as const),
  ...(['Split', 'BeginClosing', 'Done', 'Done'] as const),
  ...(['NodeMissed', 'NodeMissed', 'NodeBack', 'BeginClosing', 'SeveralDone'] as const),
];

const dice: fc.Arbitrary<Dice> = fc.record({
  type: fc.constantFrom(...TYPES),
  range: fc.nat(RANGES - 1),
  slot: fc.integer({ min: 0, max: 1_000 }),
  wrong: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(4) }),
  node: fc.integer({ min: 1, max: 8 }),
  domain: fc.constantFrom(...DOMAINS),
  leased: fc.boolean(),
  afterUs: fc.constantFrom(1, 1_000, 400_000, 3_000_000),
});

function rangeBy(state: MetaState, { range }: Dice): TopologyRange {
  const { ranges } = state.topology;
  return ranges[range % ranges.length] as TopologyRange;
}

function claimOf(state: MetaState, { domain, leased, wrong }: Dice): { lease?: LeaseClaim } {
  const lease = state.leases.find((each) => each.domain === domain);
  if (!leased || lease === undefined) return {};
  return { lease: { domain, holder: lease.holder, term: lease.term - (wrong === 1 ? 1 : 0) } };
}

function commandOf(state: MetaState | undefined, roll: Dice, hlc: number): MetaCommand {
  const { type, wrong, node, domain } = roll;
  if (state === undefined || type === 'Form') {
    return wrong === 0
      ? FORM
      : { ...FORM, initialRanges: [0, RANGES + 1, 0.5, Number.NaN][wrong - 1] ?? 0 };
  }
  const range = rangeBy(state, roll);
  const id = { ...range.id, generation: range.id.generation - (wrong === 2 ? 1 : 0) };
  const change = (range.change?.number ?? 1) + (wrong === 3 ? 1 : 0);
  const lease = claimOf(state, roll);
  switch (type) {
    case 'Split': {
      const width = range.toSlot - range.fromSlot;
      const inside = range.fromSlot + 1 + Math.floor((roll.slot / 1_001) * (width - 1));
      const atSlot = [inside, inside, inside, range.fromSlot, inside + 0.5][wrong] ?? inside;
      return { type, range: id, atSlot, by: 'somebody', ...lease };
    }
    case 'Pause':
    case 'Resume':
    case 'Cancel':
    case 'BeginClosing':
      return { type, range: id, change, ...lease };
    case 'Done':
      return { type, range: id, change, closedAt: wrong === 4 ? ZERO : at(hlc - 1) };
    case 'SeveralDone': {
      const ends = state.topology.ranges.map(({ id: each, change: its }) => {
        const closedAt = wrong === 4 ? ZERO : at(hlc - 1);
        return { type: 'Done', range: each, change: its?.number ?? 0, closedAt } as const;
      });
      return { type, ends };
    }
    case 'TakeLeases':
      return { type, holder: node, leaseMs: wrong === 4 ? Number.NaN : 1_000 };
    case 'DropLeases':
      return { type, holder: node };
    case 'PauseController':
    case 'ResumeController':
      return { type, domain: wrong === 1 ? 'all' : domain };
    case 'NodeStarted':
      return {
        type,
        id: node,
        incarnation: roll.slot % 7,
        ...placesOf(roll),
      };
    case 'Join':
      return { type, joinId: `${roll.slot % 10}`.repeat(32), ...placesOf(roll) };
    case 'Drain':
    case 'Recommission':
    case 'Decommission':
    case 'Remove':
      return { type, id: node };
    case 'Replace':
      return { type, id: node, replacement: 1 + (roll.slot % 8) };
    case 'NodeMissed':
    case 'NodeBack':
      return { type, node, seenUs: wrong === 4 ? hlc - 6_000_000 : hlc };
    case 'RaiseBehaviour': {
      const from = state.topology.behaviourLevel;
      return { type, from: from - (wrong === 1 ? 1 : 0), to: from + 1 };
    }
    default:
      throw new Error(type satisfies never);
  }
}

function placesOf({ slot, wrong }: Dice) {
  const host = `host-${slot % 3}`;
  const port = wrong === 4 ? 65_536 : 1;
  return { host, port, redis: '', admin: 'a:1', version: '1.0', behaviourMax: 1 + (slot % 5) };
}

function domainsOf(name: Domain | 'all'): readonly Domain[] {
  return name === 'all' ? DOMAINS : [name];
}

interface ModelRange {
  readonly name: string;
  readonly generation: number;
  readonly electorate: string;
  /** Without a slot: a renewal. */
  change?: {
    number: number;
    atSlot?: number;
    phase: 'intended' | 'closing';
    isPaused: boolean;
    electorate: string;
  };
}

/** Slot by slot, and by the rules as a page would tell them. */
class Model {
  owners: ModelRange[] = [];
  readonly names = new Set<string>();
  readonly leases = new Map<Domain, { holder: number; term: number; untilUs: number }>();
  readonly paused = new Set<Domain>();
  nodes = new Set([1, 2, 3]);
  lastNode = 3;
  readonly out = new Set<number>();
  ended = 0;
  renewed = 0;

  /** Of three members, of whom the third is none unless it has to be. */
  get electorate(): string {
    const byPresence = [1, 2, 3].sort((a, b) => this.#isOut(a) - this.#isOut(b));
    return byPresence.slice(0, 2).sort().join('');
  }

  #isOut(node: number): number {
    return this.out.has(node) ? 1 : 0;
  }

  get open(): ModelRange[] {
    return [...new Set(this.owners)];
  }

  form(): void {
    const half = { name: '1.1', generation: 1, electorate: '12' };
    const rest = { name: '2.1', generation: 1, electorate: '12' };
    this.owners = Array.from({ length: REDIS_SLOTS }, (_, slot) => (slot < 8_192 ? half : rest));
    this.names.add(half.name).add(rest.name);
  }

  /** Whether the command must be done; undefined where the model has no opinion. */
  expects(command: MetaCommand, hlc: number): boolean | undefined {
    if ('lease' in command && command.lease !== undefined) {
      const { domain, holder, term } = command.lease;
      const held = this.leases.get(domain);
      const holds = held?.holder === holder && held.term === term && held.untilUs > hlc;
      if (!holds || this.paused.has(domain)) return false;
    }
    switch (command.type) {
      case 'Form':
        return this.owners.length === 0 && command.initialRanges === 2;
      case 'Split': {
        const range = this.named(command.range);
        if (range === undefined || range.change !== undefined) return false;
        const { open, owners } = this;
        const count = open.length + open.filter(({ change }) => change?.atSlot).length;
        const { atSlot } = command;
        return count < RANGES && owners[atSlot] === range && owners[atSlot - 1] === range;
      }
      case 'Pause':
      case 'Resume':
      case 'Cancel':
      case 'BeginClosing': {
        const change = this.named(command.range)?.change;
        if (change?.number !== command.change || change.phase === 'closing') return false;
        if (command.type === 'Cancel') return true;
        return change.isPaused === (command.type === 'Resume');
      }
      case 'Done': {
        const change = this.named(command.range)?.change;
        const isClosing = change?.number === command.change && change.phase === 'closing';
        return isClosing && command.closedAt.hlc > 0;
      }
      case 'SeveralDone':
        return command.ends.some((end) => this.expects(end, hlc));
      case 'TakeLeases': {
        if (!this.nodes.has(command.holder) || Number.isNaN(command.leaseMs)) return false;
        return DOMAINS.some((domain) => {
          const held = this.leases.get(domain);
          return held === undefined || held.untilUs <= hlc || held.holder === command.holder;
        });
      }
      case 'NodeMissed':
      case 'NodeBack': {
        if (!this.nodes.has(command.node) || command.seenUs < hlc) return false;
        return this.out.has(command.node) === (command.type === 'NodeBack');
      }
      case 'PauseController':
        return !domainsOf(command.domain).every((domain) => this.paused.has(domain));
      case 'ResumeController':
        return domainsOf(command.domain).some((domain) => this.paused.has(domain));
      case 'Remove':
        // All ranges, and the meta group, are those of the nodes that have formed the cluster.
        return this.nodes.has(command.id) && command.id > 3 ? undefined : false;
      case 'Replace':
        if (!this.nodes.has(command.replacement)) return false;
        return this.nodes.has(command.id) && command.id !== command.replacement ? undefined : false;
      case 'Drain':
      case 'Decommission':
      case 'Recommission':
      case 'NodeStarted':
        return this.nodes.has(command.id) ? undefined : false;
      default:
        return undefined;
    }
  }

  named({ range, generation }: { range: number; generation: number }): ModelRange | undefined {
    return this.open.find(({ name }) => name === `${range}.${generation}`);
  }

  /** Follows a command that was done. */
  follow(command: MetaCommand, { topology, leases }: MetaState): void {
    if (command.type === 'Form') this.form();
    if (command.type === 'Join') {
      const made = topology.nodes.at(-1)?.id ?? 0;
      // An id is given once.
      expect(made).toBe(this.lastNode + 1);
      this.lastNode = made;
      this.nodes.add(made);
    }
    if (command.type === 'Remove') {
      this.nodes.delete(command.id);
      this.out.delete(command.id);
    }
    expect(topology.nodes.map(({ id }) => id)).toEqual([...this.nodes]);
    if (command.type === 'PauseController') {
      for (const domain of domainsOf(command.domain)) this.paused.add(domain);
    }
    if (command.type === 'ResumeController') {
      for (const domain of domainsOf(command.domain)) this.paused.delete(domain);
    }
    for (const { domain, ...lease } of leases) {
      const held = this.leases.get(domain);
      // A term has one holder for ever.
      expect(lease.term).toBeGreaterThanOrEqual(held?.term ?? 1);
      if (held?.term === lease.term) expect(lease.holder).toBe(held.holder);
      this.leases.set(domain, lease);
    }
    if (command.type === 'NodeMissed') this.out.add(command.node);
    if (command.type === 'NodeBack') this.out.delete(command.node);
    const ends = command.type === 'SeveralDone' ? command.ends : [];
    for (const end of ends) {
      const { change } = this.named(end.range) ?? {};
      if (change?.phase === 'closing') this.#followRange(end, topology);
    }
    if ('range' in command) this.#followRange(command, topology);
    this.#renew(topology);
  }

  #followRange(
    command: Extract<MetaCommand, { readonly range: unknown }>,
    topology: Topology,
  ): void {
    const range = this.named(command.range) as ModelRange;
    if (command.type === 'Split') {
      const number = topology.lastChange;
      const { electorate } = range;
      const { atSlot } = command;
      range.change = { number, atSlot, phase: 'intended', isPaused: false, electorate };
      this.#named(range, number, topology);
    } else if (range.change !== undefined) this.#advance(command.type, range, topology.ranges);
  }

  /** A name is given to one change alone. */
  #named({ generation: before }: ModelRange, number: number, { ranges }: Topology): void {
    const made = ranges.find(({ change }) => change?.number === number)?.change;
    for (const { id } of made?.successors ?? []) {
      expect(this.names.has(`${id.range}.${id.generation}`)).toBe(false);
      this.names.add(`${id.range}.${id.generation}`);
      expect(id.generation).toBeGreaterThan(before);
    }
  }

  /** All may close at once: there are never as many as may. */
  #renew(topology: Topology): void {
    if (this.paused.has('replicas')) return;
    for (const range of this.open) {
      if (range.change !== undefined || range.electorate === this.electorate) continue;
      const of = topology.ranges.find(({ id }) => `${id.range}.${id.generation}` === range.name);
      const number = of?.change?.number ?? 0;
      const { electorate } = this;
      range.change = { number, phase: 'closing', isPaused: false, electorate };
      this.#named(range, number, topology);
    }
  }

  #advance(type: MetaCommand['type'], range: ModelRange, ranges: readonly TopologyRange[]): void {
    const change = range.change as NonNullable<ModelRange['change']>;
    if (type === 'BeginClosing') {
      change.phase = 'closing';
      change.electorate = this.electorate;
    } else if (type === 'Pause' || type === 'Resume') change.isPaused = type === 'Pause';
    else {
      delete range.change;
      this.ended += 1;
      if (type !== 'Done') return;
      if (change.atSlot === undefined) this.renewed += 1;
      this.#divide(range, change, ranges);
    }
  }

  #divide(
    range: ModelRange,
    { atSlot = this.owners.indexOf(range), electorate }: NonNullable<ModelRange['change']>,
    ranges: readonly TopologyRange[],
  ): void {
    const upper = ranges.find(({ fromSlot }) => fromSlot === atSlot);
    const lower = ranges.find(({ toSlot }) => toSlot === atSlot);
    const [low, high] = [lower, upper].map((each) => {
      // The lower half of a renewal is another range, or none.
      if (each === lower && this.owners[atSlot - 1] !== range) return range;
      const { range: number, generation } = each?.id ?? { range: 0, generation: 0 };
      expect(each?.electorate.join('')).toBe(electorate);
      expect(generation).toBeGreaterThan(range.generation);
      expect(each?.origin.map((id) => `${id.range}.${id.generation}`)).toEqual([range.name]);
      return { name: `${number}.${generation}`, generation, electorate };
    }) as [ModelRange, ModelRange];
    this.owners = this.owners.map((owner, slot) =>
      owner === range ? (slot < atSlot ? low : high) : owner,
    );
  }

  /** Every slot in exactly one open range, and that the one of the model. */
  compare({ topology, jobs }: MetaState): void {
    expect(faultOf(topology)).toBeUndefined();
    const owned = new Uint8Array(REDIS_SLOTS);
    for (const { id, fromSlot, toSlot } of topology.ranges) {
      const name = `${id.range}.${id.generation}`;
      for (let slot = fromSlot; slot < toSlot; slot += 1) {
        owned[slot] = (owned[slot] as number) + 1;
        if (this.owners[slot]?.name !== name) expect.fail(`slot ${slot} is in ${name}`);
      }
    }
    expect(owned.every((times) => times === 1)).toBe(true);
    expect(jobs.length).toBe(this.ended);
    expect(decodeTopology(encodeTopology(topology))).toEqual(topology);
  }
}

describe('the state machine', () => {
  test('agrees with a model, whatever comes in whatever order', () => {
    const met = new Map<string, number>();
    let mostRanges = 0;
    let renewed = 0;
    const property = fc.property(fc.array(dice, { minLength: 110, maxLength: 180 }), (rolls) => {
      const model = new Model();
      let state: MetaState | undefined;
      let hlc = 1;
      for (const roll of rolls) {
        hlc += roll.afterUs;
        const command = commandOf(state, roll, hlc);
        const expected = model.expects(command, hlc);
        const before = state;
        const { state: next, refused } = run(state, command, hlc);
        const isDone = refused === undefined;
        const name = `${command.type} ${isDone ? 'done' : 'refused'}`;
        met.set(name, (met.get(name) ?? 0) + 1);
        if (expected !== undefined && expected !== isDone) expect.fail(`${name}: ${refused}`);
        state = next;
        if (!isDone || state === undefined) continue;
        const grown = state.topology.epoch - (before?.topology.epoch ?? 0);
        const isSame = JSON.stringify(state.topology) === JSON.stringify(before?.topology);
        expect(grown).toBe(isSame ? 0 : 1);
        model.follow(command, state);
        model.compare(state);
        mostRanges = Math.max(mostRanges, state.topology.ranges.length);
      }
      renewed += model.renewed;
    });
    fc.assert(property, { seed: SEED, numRuns: 60 });
    const kinds = [...new Set(TYPES)].flatMap((type) => [`${type} done`, `${type} refused`]);
    expect(kinds.filter((kind) => (met.get(kind) ?? 0) < 10)).toEqual([]);
    expect(mostRanges).toBe(RANGES);
    expect(renewed).toBeGreaterThan(50);
  }, 120_000);
});

const PLACES = { host: 'h', port: 1, redis: 'r:1', admin: '', version: '1', behaviourMax: 1 };

describe('rules', () => {
  const formed = mustDo(undefined, FORM);
  const split = mustDo(formed, splitOf(1, 1, 100), 5);

  function splitOf(range: number, generation: number, atSlot: number): MetaCommand {
    return { type: 'Split', range: { range, generation }, atSlot, by: 'somebody' };
  }

  function of(type: 'Pause' | 'Resume' | 'Cancel' | 'BeginClosing', lease?: LeaseClaim) {
    const range = { range: 1, generation: 1 };
    return { type, range, change: 1, ...(lease === undefined ? {} : { lease }) } as const;
  }

  test('ranges are as large as each other; all nodes are members', () => {
    expect(formed.topology.ranges).toMatchObject([
      { fromSlot: 0, toSlot: 8_192, members: [1, 2, 3], electorate: [1, 2] },
      { fromSlot: 8_192, toSlot: REDIS_SLOTS, members: [1, 2, 3], electorate: [1, 2] },
    ]);
  });

  const idsOf = (count: number): number[] => Array.from({ length: count }, (_, id) => id + 1);

  test.each([
    [5, 3, ['123', '234', '345', '145', '125', '123']],
    [5, 4, ['123', '234', '345', '145', '125', '123']],
    [4, 9, ['1234', '1234', '1234', '1234', '1234', '1234']],
    [4, 2, ['12', '23', '34', '14', '12', '23']],
    [3, 1, ['1', '2', '3', '1', '2', '3']],
  ])('on %i nodes, %i members of each range go round', (count, replicationFactor, expected) => {
    const nodes = idsOf(count).map((id) => ({ id, host: 'h', port: id, behaviourMax: 1 }));
    const sizes = { replicationFactor, initialRanges: 6, electorate: idsOf(count) };
    const { topology } = mustDo(undefined, { ...FORM, ...sizes, nodes });
    expect(topology.ranges.map(({ members }) => members.join(''))).toEqual(expected);
    expect(topology.ranges.map(({ electorate }) => electorate.join(''))).toEqual(expected);
    expect(topology.meta.members).toEqual(idsOf(count));
  });

  test('a range with too few electors among its members takes all of them', () => {
    const nodes = idsOf(5).map((id) => ({ id, host: 'h', port: id, behaviourMax: 1 }));
    const sizes = { replicationFactor: 3, initialRanges: 3, electorate: [1, 2, 3] };
    const { topology } = mustDo(undefined, { ...FORM, ...sizes, nodes });
    const electorates = topology.ranges.map(({ electorate }) => electorate.join(''));
    expect(electorates).toEqual(['123', '23', '345']);
  });

  test.each([
    ['no member of a range', { replicationFactor: 0 }],
    ['more members than any group has', { replicationFactor: 10 }],
    ['no ranges', { initialRanges: 0 }],
    ['more ranges than may be', { initialRanges: RANGES + 1 }],
    ['no nodes', { nodes: [], electorate: [] }],
    ['too few electors', { electorate: [1] }],
    ['a stranger as elector', { electorate: [1, 9] }],
    ['a behaviour level that some release does not know', { behaviourLevel: 3 }],
    ['no cluster id', { clusterId: 'x' }],
    ['more ranges than any cluster may have', { rangesMax: RANGES_MAX + 1 }],
  ])('no cluster is formed with %s', (_what, changes) => {
    expect(run(undefined, { ...FORM, ...changes }, 1)).toMatchObject({ state: undefined });
  });

  test('the first Form wins, and nothing comes before it', () => {
    const other = { ...FORM, clusterId: 'f'.repeat(32) };
    expect(run(formed, other, 2).refused).toBe('the cluster has been formed');
    expect(run(undefined, splitOf(1, 1, 5), 1).refused).toBe('the cluster has not been formed');
  });

  test('a change may be paused, resumed and cancelled until it is closing', () => {
    const paused = mustDo(split, of('Pause'));
    expect(run(paused, of('BeginClosing'), 6).refused).toBe('the change is paused');
    const closing = mustDo(mustDo(paused, of('Resume')), of('BeginClosing'));
    for (const type of ['Pause', 'Cancel', 'BeginClosing'] as const) {
      expect(run(closing, of(type), 7).refused).toBe('the range is closing');
    }
    expect(mustDo(split, of('Cancel'), 8).jobs).toEqual([
      { number: 1, kind: 'split', outcome: 'cancelled', by: 'somebody', startedUs: 5, endedUs: 8 },
    ]);
  });

  test('what has not been closing is not done, and the second report of its end is stale', () => {
    const end = {
      type: 'Done',
      range: { range: 1, generation: 1 },
      change: 1,
      closedAt: at(9),
    } as const;
    expect(run(split, end, 10).refused).toBe('the range is not closing');
    const ended = mustDo(mustDo(split, of('BeginClosing')), end, 10);
    expect(ended.topology.ranges[0]).toMatchObject({ toSlot: 100, floor: at(9) });
    expect(run(ended, end, 11).refused).toBe('no open range of this generation');
  });

  test('a cancelled change gives its names to no other', () => {
    const again = mustDo(mustDo(split, of('Cancel')), splitOf(1, 1, 200));
    const [first, second] = [split, again].map(({ topology }) => topology.ranges[0]?.change);
    expect(first?.successors.map(({ id }) => id)).toEqual([
      { range: 1, generation: 2 },
      { range: 3, generation: 2 },
    ]);
    expect(second?.successors.map(({ id }) => id)).toEqual([
      { range: 1, generation: 3 },
      { range: 4, generation: 3 },
    ]);
    expect(run(again, of('BeginClosing'), 9).refused).toBe('no such change of the range');
  });

  test('a lease ends by executeAt alone, and its term by the next', () => {
    const held = mustDo(split, { type: 'TakeLeases', holder: 1, leaseMs: 5 }, 1_000);
    const lease = { domain: 'ranges', holder: 1, term: 1 } as const;
    expect(run(held, of('BeginClosing', lease), 5_999).refused).toBeUndefined();
    expect(run(held, of('BeginClosing', lease), 6_000).refused).toBe('the lease is stale');
    const other = { type: 'TakeLeases', holder: 2, leaseMs: 5 } as const;
    expect(run(held, other, 5_999).refused).toBe('all leases are held by others');
    const taken = mustDo(held, other, 6_000);
    expect(run(taken, of('BeginClosing', lease), 6_001).refused).toBe('the lease is stale');
    const renewed = mustDo(taken, other, 10_000);
    expect(renewed.leases[0]).toEqual({ domain: 'ranges', holder: 2, term: 2, untilUs: 15_000 });
    const dropped = mustDo(renewed, { type: 'DropLeases', holder: 2 }, 10_001);
    const back = mustDo(dropped, { type: 'TakeLeases', holder: 1, leaseMs: 5 }, 10_002);
    expect(back.leases[0]).toMatchObject({ holder: 1, term: 3 });
  });

  test('a paused controller does nothing; people may', () => {
    const held = mustDo(split, { type: 'TakeLeases', holder: 1, leaseMs: 5 }, 0);
    const paused = mustDo(held, { type: 'PauseController', domain: 'ranges' });
    const lease = { domain: 'ranges', holder: 1, term: 1 } as const;
    expect(run(paused, of('Cancel', lease), 1).refused).toBe('the controller is paused');
    expect(run(paused, of('Cancel'), 1).refused).toBeUndefined();
  });

  test('the behaviour level is raised when all nodes know it', () => {
    const raise = (from: number, to: number) => ({ type: 'RaiseBehaviour', from, to }) as const;
    expect(run(formed, raise(1, 3), 1).refused).toBe('node 1 knows levels up to 2');
    const raised = mustDo(formed, raise(1, 2));
    expect(run(raised, raise(1, 2), 2).refused).toBe('the behaviour level is 2');
    const back = { type: 'NodeStarted', id: 3, incarnation: 9, ...PLACES } as const;
    expect(run(raised, back, 3).refused).toMatch('which its release does not know');
  });

  test('names end at the last number', () => {
    const last = { ...formed, topology: { ...formed.topology, lastRange: ID_MAX } };
    expect(run(last, splitOf(1, 1, 5), 1).refused).toBe('no names are left');
  });

  test('limits: ranges, ranges that close, ended changes', () => {
    const count = CLOSING_MAX + 1;
    const many = { ...FORM, initialRanges: count, rangesMax: 2 * count - 1 };
    let state = mustDo(undefined, many);
    for (const { id, fromSlot } of state.topology.ranges) {
      const command = splitOf(id.range, 1, fromSlot + 1);
      const isLast = id.range === count;
      if (isLast) expect(run(state, command, 1).refused).toMatch('at most');
      else state = mustDo(state, command);
    }
    const roomy = { ...state, topology: { ...state.topology, rangesMax: 2 * count } };
    state = mustDo(roomy, splitOf(count, 1, REDIS_SLOTS - 1));
    for (const { id, change } of state.topology.ranges) {
      const command = { type: 'BeginClosing', range: id, change: change?.number ?? 0 } as const;
      if (id.range === count) expect(run(state, command, 1).refused).toBe('16 ranges are closing');
      else state = mustDo(state, command);
    }
    const job = {
      number: 9,
      kind: 'split',
      outcome: 'done',
      by: 'x',
      startedUs: 1,
      endedUs: 2,
    } as const;
    const full = { ...split, jobs: Array.from({ length: JOBS_MAX }, () => job) };
    const { jobs } = mustDo(full, of('Cancel'));
    expect([jobs.length, jobs.at(-1)?.number]).toEqual([JOBS_MAX, 1]);
  });
});
