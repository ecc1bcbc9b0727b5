/**
 * The shell of the coordinator alone, in virtual time: whom it answers what, and when, while its
 * neighbours are slow, full or gone. The neighbours are played by the test.
 */
import { describe, expect, test } from 'vitest';
import type {
  AccordMessage,
  BeginRead,
  Coordinate,
} from '../../../actors/accord/messages/messages.ts';
import { ClusterTime } from '../../../actors/accord/primitives/cluster-time.ts';
import { encodeDeps } from '../../../actors/accord/primitives/deps.ts';
import { HybridClock } from '../../../actors/accord/primitives/hybrid-clock.ts';
import { keyOf } from '../../../actors/accord/primitives/timestamp.ts';
import { Group, type GroupDescriptor } from '../../../actors/accord/topology/group.ts';
import { metaGroup } from '../../../actors/meta/topology.ts';
import type { ActorRef } from '../../../actors/runtime/actor-ref.ts';
import type { ActorContext } from '../../../actors/runtime/behavior.ts';
import { Outlet } from '../../../actors/runtime/cells/outlet.ts';
import type { BatchLimits } from '../../../actors/store/batcher.ts';
import { coordinatorActor } from '../../../actors/store/coordinator-actor.ts';
import type {
  CoordinatorActorMessage,
  ExecutorMessage,
  ReplicaActorMessage,
} from '../../../actors/store/messages.ts';
import { Outbox } from '../../../actors/store/outbox.ts';
import type { ProposalOutcome } from '../../../actors/store/topology-proposals.ts';
import { settingsOfBody } from '../../../storage/body-settings.ts';
import { NO_SETTINGS } from '../../../storage/cluster-settings.ts';
import { firstSlotOf, REDIS_SLOTS } from '../../../storage/keyspace/slots.ts';
import type { Part, PartAnswer, StoreNews } from '../../../transport/resp/connection/part.ts';
import { partOf } from '../../transport/resp/parts.ts';
import { firstGroup } from '../accord/first-group.ts';
import { groupOf } from '../accord/fixture.ts';
import { spec, virtualSystem } from '../runtime/fixture.ts';

const SELF = 1;
const GROUP = groupOf(3);
/** Two groups that have half of the slots each. */
const HALVES = [1, 2].map((range) => {
  const fromSlot = (range - 1) * 8_192;
  const slots = { fromSlot, toSlot: fromSlot + 8_192 };
  const descriptor = firstGroup([1, 2, 3], [1, 2, 3]);
  return new Group({ ...descriptor, ...slots, id: { range, generation: 1 } });
});
const META = new Group(metaGroup({ members: [1, 2, 3], electorate: [1, 2, 3] }));
const BOTH = HALVES.map(({ id }) => id);
/** Conflict slots of one key of each half. */
const TWO_KEYS = [1, 50_000];
const TICK_MS = 10;
const TIMEOUT_MS = 200;

interface BenchOptions {
  readonly batch?: Partial<BatchLimits>;
  /** Of the executor. */
  readonly mailboxMax?: number;
  readonly connected?: readonly number[];
  readonly groups?: readonly Group[];
  /** How far the clock of this node is ahead of both others. */
  readonly aheadUs?: number;
  /** The cluster's table has not been read. */
  readonly hasNoTable?: boolean;
}

class Bench {
  readonly world = virtualSystem();
  readonly executor: ExecutorMessage[] = [];
  readonly replica: ReplicaActorMessage[] = [];
  readonly sent: AccordMessage[] = [];
  readonly answers: PartAnswer[] = [];
  readonly latencies: string[] = [];
  readonly repeated: string[] = [];
  /** Versions of the cluster's table. */
  readonly versions: number[] = [];
  readonly proposed: ProposalOutcome[] = [];
  readonly phases: string[] = [];
  readonly coordinator: ActorRef<CoordinatorActorMessage>;
  #sequence = 0;

  constructor(options: BenchOptions = {}) {
    const { batch = {}, mailboxMax = 1_000, connected = [2, 3], aheadUs } = options;
    const { groups = [GROUP] } = options;
    const { scheduler, system } = this.world;
    const { clock: time } = scheduler;
    const quorum = aheadUs === undefined ? 1 : 2;
    const clusterTime = new ClusterTime({
      quorum,
      wallUs: () => time.wallUs() + (aheadUs ?? 0),
      monotonicMs: () => time.monotonicMs(),
      limits: {},
    });
    if (aheadUs !== undefined) {
      for (const peer of [2, 3]) clusterTime.heard(peer, time.wallUs(), time.monotonicMs());
    }
    const clock = new HybridClock({
      node: SELF,
      store: 0,
      nowUs: () => time.wallUs(),
      reserveUs: 1e9,
    });
    clock.restore(0);
    clock.begin();
    clock.reservationDurable(clock.nextReservation() ?? 0);
    const executor = this.#neighbour<ExecutorMessage>('executor', this.executor, mailboxMax);
    const replica = this.#neighbour<ReplicaActorMessage>('replica', this.replica);
    let self: ActorRef<CoordinatorActorMessage> | undefined;
    const toSelf: ActorRef<CoordinatorActorMessage> = {
      path: 'node/coordinator',
      tell: (message) => self?.tell(message) ?? false,
    };
    const outbox = new Outbox(SELF, clock, {
      toPeer: (_group, _to, message) => this.sent.push(message),
      toStore: () => undefined,
      isHere: () => true,
      replica: new Outlet(replica),
      coordinator: new Outlet(toSelf),
    });
    const tell = (answer: PartAnswer): boolean => this.answers.push(answer) > 0;
    const clients = new Outlet<StoreNews>({ path: 'clients', tell });
    const start = (context: ActorContext<CoordinatorActorMessage>) =>
      coordinatorActor(context, {
        self: SELF,
        groups,
        allGroups: groups,
        ends: () => [],
        joined: () => [],
        handOn: () => false,
        meta: () => groups.find(({ machine }) => machine === 'meta')?.id,
        lacksData: () => false,
        spanningReadBytesMax: 1_024,
        clock,
        time: clusterTime,
        limits: {},
        batch,
        commandTimeoutMs: TIMEOUT_MS,
        tickMs: TICK_MS,
        outbox,
        connected: () => new Set(connected),
        executor,
        clients,
        table: () => (options.hasNoTable === true ? undefined : NO_SETTINGS),
        onTableRead: (version) => this.versions.push(version),
        onProposed: (outcome) => this.proposed.push(outcome),
        bareOks: () => undefined,
        observe: {
          decided: () => undefined,
          batch: () => undefined,
          phase: (phase, ms) => this.phases.push(`${phase} ${Math.floor(ms)}`),
          units: (kind, commands, latencyMs) =>
            this.latencies.push(`${kind} of ${commands} after ${Math.floor(latencyMs)}`),
          readsRepeated: (as, units) => {
            if (units > 0) this.repeated.push(`${units} as ${as}`);
          },
        },
      });
    this.coordinator = system.root.child(spec('coordinator', start, { mailboxMax: 1_000 }));
    self = this.coordinator;
    this.run();
  }

  #neighbour<M>(name: string, messages: M[], mailboxMax = 1_000): ActorRef<M> {
    const receive = (message: M): void => void messages.push(message);
    return this.world.system.root.child(spec<M>(name, () => ({ receive }), { mailboxMax }));
  }

  run(ms = 1): this {
    this.world.scheduler.run(this.world.scheduler.nowMs + ms);
    return this;
  }

  tell(message: CoordinatorActorMessage): this {
    expect(this.coordinator.tell(message)).toBe(true);
    return this.run();
  }

  /** A part of a connection of its own number, from 1. */
  part(special: Partial<Part> = {}): this {
    this.#sequence += 1;
    const bytes = Buffer.from('*1\r\n$4\r\nPING\r\n');
    const unit = { connection: this.#sequence, sequence: 1 };
    return this.tell({
      type: 'Part',
      part: partOf({ unit, bytes, participants: [1], ...special }),
    });
  }

  read(participants: readonly number[] = [1]): this {
    return this.part({ readOnly: true, participants });
  }

  /** Transactions that it has begun. */
  get begun(): Coordinate[] {
    return this.replica.flatMap((each) =>
      each.type === 'Protocol' && each.message.type === 'Coordinate' ? each.message : [],
    );
  }

  /** Groups of the transactions over several that this node's replicas were told of. */
  get spanning(): number[] {
    return this.replica.flatMap((each) =>
      each.type === 'Protocol' && each.message.type === 'PreAccept' ? each.group.range : [],
    );
  }

  get barriers(): BeginRead[] {
    return this.replica.flatMap((each) =>
      each.type === 'Protocol' && each.message.type === 'BeginRead' ? each.message : [],
    );
  }

  /** All members vote for the transaction as it was proposed. */
  decide({ id }: Coordinate): this {
    for (const from of [1, 2, 3]) {
      const deps = from === SELF ? encodeDeps([]) : null;
      const message = { type: 'PreAcceptOk', id, vote: id, deps } as const;
      this.tell({ type: 'Protocol', from, group: GROUP.id, message });
    }
    return this;
  }

  of(type: ExecutorMessage['type']): ExecutorMessage[] {
    return this.executor.filter((message) => message.type === type);
  }

  /** `connection: FIRST WORDS` of each failure, in the order of the connections. */
  get told(): string[] {
    return this.answers
      .map((answer) => {
        const words = answer.type === 'PartFailed' ? answer.line.split(/[ ,]/).slice(0, 2) : [];
        return `${answer.unit.connection}: ${words.join(' ')}`;
      })
      .sort();
  }

  description(): Record<string, unknown> {
    const inspection = this.world.system.inspect('node/coordinator');
    return (inspection?.kind === 'actor' ? inspection.description : {}) as Record<string, unknown>;
  }
}

describe('the end of a group', () => {
  const { members } = GROUP;
  const halves = [
    [0, 9_000],
    [9_000, REDIS_SLOTS],
  ].map(([fromSlot = 0, toSlot = 0], at): GroupDescriptor => {
    const id = { range: 10 + at, generation: 2 };
    return { id, fromSlot, toSlot, members, electorate: members, machine: 'keyspace' };
  });
  const close = { type: 'Close', group: GROUP.id, successors: halves } as const;
  const end = { type: 'Ended', group: GROUP.id, successors: halves } as const;
  const executeAt = { hlc: 1, flags: 2, node: 1, store: 0 };
  /** Of both halves. */
  const slots = [firstSlotOf(100), firstSlotOf(10_000)];

  test('is proposed once at a time, and again when it was refused or is late', () => {
    const bench = new Bench().run(20).tell(close).tell(close);
    // Each is repeated while nobody answers.
    const proposals = (): number => new Set(bench.begun.map(({ id }) => keyOf(id))).size;
    const [first] = bench.begun;
    expect(proposals()).toBe(1);
    if (first === undefined) throw new Error('nothing begun');
    bench.tell({ type: 'Refused', group: GROUP.id, id: first.id }).tell(close);
    expect(proposals()).toBe(2);
    bench.run(60_000).tell(close);
    expect(proposals()).toBe(3);
    // Undecided ones do not pile up.
    for (let second = 0; second < 600; second += 1) bench.run(1_000).tell(close);
    expect(proposals()).toBeLessThan(20);
    const most = proposals();
    bench
      .tell({ ...end, executeAt })
      .run(60_000)
      .tell(close);
    expect(proposals()).toBe(most);
  });

  test('begins again what had no effect, in the groups that follow, and nothing else', () => {
    const bench = new Bench().run(20);
    bench.part({ participants: slots.slice(0, 1) });
    const [first] = bench.begun;
    if (first === undefined) throw new Error('nothing begun');
    bench.tell({ ...end, executeAt });
    expect([bench.begun.length, bench.told]).toEqual([1, []]);
    bench.tell({ type: 'Moved', group: GROUP.id, id: first.id }).run(20);
    expect(bench.of('Forget')).toEqual([{ type: 'Forget', key: keyOf(first.id) }]);
    expect(bench.begun).toHaveLength(2);
    // It is told in each group of the transaction.
    bench.tell({ type: 'Moved', group: GROUP.id, id: first.id }).run(20);
    expect(bench.begun).toHaveLength(2);
    bench.part({ participants: slots }).run(20);
    expect([...bench.spanning].sort()).toEqual([10, 11]);
  });

  test('that was known before this node knew of the group brings what follows it here', () => {
    const bench = new Bench().run(20);
    const [half] = halves;
    if (half === undefined) throw new Error('no group');
    const first = { ...half, id: { range: 20, generation: 2 } };
    const follower = { ...first, id: { range: 20, generation: 3 } };
    const told = { ...end, group: first.id, successors: [follower], executeAt };
    bench.tell(told).tell({ type: 'Joined', group: first }).tell(told);
    const id = { hlc: 5, flags: 2, node: 2, store: 0 };
    bench.tell({ type: 'Recover', group: follower.id, id, definition: undefined }).run(20);
    expect(bench.sent.map(({ type }) => type)).toContain('BeginRecovery');
  });

  test('hands on what would begin in groups that this node has left', () => {
    const elsewhere = { members: [4, 5, 6], electorate: [4, 5, 6] };
    const left = (group: Group['id'], followers: readonly GroupDescriptor[]) => {
      const successors = followers.map((each) => ({ ...each, ...elsewhere }));
      return { type: 'Ended', group, executeAt, successors } as const;
    };
    const bench = new Bench().run(20);
    bench.part({ participants: slots.slice(0, 1) });
    const [first] = bench.begun;
    if (first === undefined) throw new Error('nothing begun');
    const [half] = halves;
    if (half === undefined) throw new Error('no half');
    bench.tell(left(GROUP.id, [{ ...half, fromSlot: 0, toSlot: REDIS_SLOTS }]));
    // Its run has met a key outside of its footprint.
    const run = { key: keyOf(first.id), part: 0, slots };
    bench.tell({ type: 'Outside', runs: [run] }).run(20);
    expect([bench.spanning, bench.told]).toEqual([[], ['1: TRYAGAIN refused']]);

    const both = new Bench({ groups: HALVES, connected: [] }).run(20);
    both.part({ groups: BOTH, participants: TWO_KEYS });
    for (const [at, { id }] of HALVES.entries()) both.tell(left(id, halves.slice(at, at + 1)));
    expect(both.run(TICK_MS).told).toEqual(['1: TRYAGAIN refused']);
  });

  test('sends a read to the groups that follow', () => {
    const bench = new Bench().run(20).read(slots.slice(1));
    const [first] = bench.barriers;
    if (first === undefined) throw new Error('no barrier');
    bench.tell({ ...end, executeAt });
    bench.tell({ type: 'ReadMoved', group: GROUP.id, token: first.token }).run(20);
    expect(bench.of('ForgetRead')).toEqual([{ type: 'ForgetRead', token: first.token }]);
    expect(bench.barriers).toHaveLength(2);
  });
});

describe('phases', () => {
  test('of a transaction: queue only of a part of the sample, then batch, votes and execute', () => {
    const bench = new Bench({ batch: { pipelineDepth: 1 } }).run(20);
    const sampledMs = bench.world.scheduler.clock.monotonicMs() - 3;
    bench.part({ sampledMs }).part();
    const [first] = bench.begun;
    if (first === undefined) throw new Error('nothing begun');
    bench.run(7).decide(first);
    bench.run(5).tell({ type: 'Executed', keys: [keyOf(first.id)] });
    const names = bench.phases.map((phase) => phase.split(' ')[0]);
    expect(names).toEqual(['queue', 'batch', 'votes', 'batch', 'execute']);
    const msOf = (at: number): number => Number(bench.phases[at]?.split(' ')[1]);
    expect(msOf(0)).toBeGreaterThanOrEqual(3);
    expect(msOf(2)).toBeGreaterThanOrEqual(7);
    // The second waited for the decision on the first.
    expect(msOf(3)).toBeGreaterThanOrEqual(7);
    expect(msOf(4)).toBeGreaterThanOrEqual(5);
  });

  test('of a read: batch, and the barrier until it is served', () => {
    const bench = new Bench().read();
    const [barrier] = bench.barriers;
    if (barrier === undefined) throw new Error('nothing begun');
    bench.run(6);
    const reads = [{ token: barrier.token, expired: [], uncovered: [] }];
    bench.tell({ type: 'ReadsDone', reads });
    expect(bench.phases[0]).toBe('batch 0');
    expect(bench.phases[1]).toMatch(/^barrier [6-9]$/);
    expect(bench.phases).toHaveLength(2);
  });
});

describe('the table of the cluster', () => {
  const SMALL = { version: 3, values: new Map([['hash-max-listpack-entries', '4']]) };
  const entriesOf = ({ body }: Coordinate): number => settingsOfBody(body).hashMaxListpackEntries;

  test('is asked for behind a barrier, and no transaction over keys begins before it is known', () => {
    const bench = new Bench({ groups: [GROUP, META], hasNoTable: true });
    bench.part().read().run(TICK_MS);
    // The read of a client waits for no table.
    expect(bench.barriers).toHaveLength(2);
    expect(bench.begun).toEqual([]);
    const [question] = bench.of('ExpectRead') as { readonly parts: readonly Part[] }[];
    const { unit } = question?.parts[0] ?? partOf({});
    const answer = (replies: string): PartAnswer => answerOf(unit, replies);
    bench.tell(answer('-ERR\r\n')).run(TIMEOUT_MS / 2);
    expect(bench.versions).toEqual([]);
    const again = (bench.of('ExpectRead') as { readonly parts: readonly Part[] }[]).at(-1);
    bench.tell(answerOf(again?.parts[0]?.unit ?? unit, ':3\r\n'));
    expect(bench.versions).toEqual([3]);
    expect(bench.begun).toEqual([]);
    bench.tell({ type: 'Table', table: SMALL });
    expect(bench.begun.map(entriesOf)).toEqual([4]);
  });

  test('is named by what begins behind a change, and not by changes of it', () => {
    const bench = new Bench({ groups: [GROUP, META] }).part().tell({ type: 'Table', table: SMALL });
    bench.part().part({ groups: [META.id], wholeStore: true });
    expect(bench.begun.map(entriesOf)).toEqual([512, 4, 512]);
  });
});

function answerOf(unit: PartAnswer['unit'], replies: string): PartAnswer {
  const bytes = Buffer.from(replies, 'latin1');
  const one = { from: 0, replies: bytes, ends: [], errors: [], answered: 1, last: true };
  return { type: 'PartReplies', unit, part: 0, ...one };
}

describe('a transaction', () => {
  test('holds what came in one turn; the executor learns its clients before it is proposed', () => {
    const bench = new Bench();
    for (const connection of [1, 2]) {
      const unit = { connection, sequence: 1 };
      expect(bench.coordinator.tell({ type: 'Part', part: partOf({ unit }) })).toBe(true);
    }
    bench.run();
    const [begun] = bench.begun;
    expect(bench.begun).toHaveLength(1);
    const [expected] = bench.of('Expect');
    if (expected?.type !== 'Expect' || begun === undefined) throw new Error('nothing begun');
    expect(expected.key).toBe(keyOf(begun.id));
    expect(expected.parts.map(({ unit }) => unit.connection)).toEqual([1, 2]);
  });

  test('is proposed when a full executor has room for its clients, and others wait meanwhile', () => {
    const bench = new Bench({ mailboxMax: 1 });
    bench.world.system.suspend('node/executor');
    // One message fills the mailbox, the next one waits.
    bench.part().part().part();
    expect(bench.begun).toHaveLength(1);
    expect(bench.description()).toMatchObject({ kept: 1, waiting: 1 });
    bench.world.system.resume('node/executor');
    bench.run(2 * TICK_MS);
    expect(bench.begun).toHaveLength(3);
    expect(bench.answers).toEqual([]);
  });

  test('that is executed is reported once, and answered by the executor alone', () => {
    const bench = new Bench().part({ count: 3, layout: [3] }).run(5);
    const [begun] = bench.begun;
    if (begun === undefined) throw new Error('nothing begun');
    bench.decide(begun);
    const keys = [keyOf(begun.id)];
    bench.tell({ type: 'Executed', keys }).tell({ type: 'Executed', keys });
    expect(bench.latencies).toHaveLength(1);
    expect(bench.latencies[0]).toMatch(/^transaction of 3 after \d+$/);
    bench.run(2 * TIMEOUT_MS);
    expect(bench.answers).toEqual([]);
    expect(bench.of('Forget')).toEqual([]);
  });

  test('without a result in time is indeterminate, and forgotten by the executor', () => {
    const bench = new Bench().part().run(TIMEOUT_MS - 3 * TICK_MS);
    expect(bench.told).toEqual([]);
    bench.run(5 * TICK_MS);
    expect(bench.told).toEqual(['1: TIMEOUT indeterminate']);
    const key = keyOf(bench.begun[0]?.id ?? expect.fail());
    expect(bench.of('Forget')).toEqual([{ type: 'Forget', key }]);
    bench.tell({ type: 'Executed', keys: [key] });
    expect(bench.latencies).toEqual([]);
  });

  test('that was invalidated is refused', () => {
    const bench = new Bench().part();
    const id = bench.begun[0]?.id ?? expect.fail();
    bench
      .tell({ type: 'Refused', group: GROUP.id, id })
      .tell({ type: 'Refused', group: GROUP.id, id });
    expect(bench.told).toEqual(['1: TRYAGAIN refused']);
    expect(bench.of('Forget')).toHaveLength(1);
  });

  test('waits for a place in the pipeline, and is refused for certain when none comes', () => {
    const bench = new Bench({ batch: { pipelineDepth: 1 } }).part();
    bench.run(2 * TICK_MS).part();
    expect(bench.begun).toHaveLength(1);
    bench.run(TIMEOUT_MS + 3 * TICK_MS);
    expect(bench.told).toEqual(['1: TIMEOUT indeterminate', '2: TIMEOUT refused']);
  });
});

describe('a part is refused at once', () => {
  const write = {};
  const read = { readOnly: true };

  test.each([
    ['BACKLOG', { type: 'Backlog', full: true }],
    ['DISKFULL', { type: 'DiskFull', full: true }],
  ] as const)('%s: writes, not reads, until it is over', (word, message) => {
    const bench = new Bench().tell(message).part(write).part(read);
    expect(bench.told).toEqual([`1: ${word} refused`]);
    expect(bench.barriers).toHaveLength(1);
    bench.tell({ ...message, full: false }).part(write);
    expect(bench.begun).toHaveLength(1);
  });

  test('TOOLARGE, BUSY: by size and by number', () => {
    const bench = new Bench({
      batch: { transactionBytesMax: 20, waitingMax: 1, pipelineDepth: 0, readPipelineDepth: 0 },
    });
    bench
      .part({ bytes: new Uint8Array(21) })
      .part()
      .part()
      .part(read);
    expect(bench.told).toEqual(['1: TOOLARGE refused', '3: BUSY refused', '4: BUSY refused']);
  });

  test('TRYAGAIN: what is of no group that any node in reach has', () => {
    const bench = new Bench({ groups: HALVES })
      .part({ groups: [{ range: 9, generation: 1 }] })
      .part({ groups: BOTH, participants: TWO_KEYS });
    expect(bench.told).toEqual(['1: TRYAGAIN refused']);
    expect(bench.spanning).toEqual([1, 2]);
  });

  test('a part that waits names the groups that its transaction has in the end', () => {
    const bench = new Bench({ groups: HALVES });
    const bytes = Buffer.from('*1\r\n$6\r\nDBSIZE\r\n');
    bench.part({ groups: [...BOTH, { range: 9, generation: 1 }], wholeStore: true, bytes });
    const [expected] = bench.of('Expect') as { readonly parts: readonly Part[] }[];
    expect(expected?.parts.map(({ groups }) => groups)).toEqual([BOTH]);
  });

  test('BUSY: no more parts over several groups wait than may', () => {
    const limits = { spanningDepth: 1, waitingMax: 1 };
    const bench = new Bench({ groups: HALVES, batch: limits });
    for (let parts = 3; parts > 0; parts -= 1) {
      bench.part({ groups: BOTH, participants: TWO_KEYS });
    }
    expect(bench.told).toEqual(['3: BUSY refused']);
    expect(bench.spanning).toEqual([1, 2]);
  });

  test('CLOCK: a node whose clock is wrong begins no transaction, and reads go on', () => {
    const bench = new Bench({ aheadUs: 3_600e6 }).part(write).part(read);
    expect(bench.told).toEqual(['1: CLOCK refused']);
    expect(bench.barriers).toHaveLength(1);
  });
});

test('without a majority nothing is begun, and what waits is refused for certain', () => {
  const bench = new Bench({ connected: [] }).part().read();
  bench.run(TIMEOUT_MS + 3 * TICK_MS);
  expect([bench.begun, bench.barriers]).toEqual([[], []]);
  expect(bench.told).toEqual(['1: NOQUORUM refused', '2: NOQUORUM refused']);
  bench.part().tell({ type: 'PeerUp', peer: 2 });
  expect(bench.begun).toHaveLength(1);
  bench.tell({ type: 'PeerDown', peer: 2 }).part();
  expect(bench.begun).toHaveLength(1);
});

describe('reads', () => {
  test('share a barrier; what met a deadline becomes a transaction, what changed reads again', () => {
    const bench = new Bench({ batch: { readTriesMax: 2 } });
    for (const connection of [1, 2, 3]) {
      const unit = { connection, sequence: 1 };
      const part = partOf({ unit, readOnly: true, participants: [1, 2] });
      expect(bench.coordinator.tell({ type: 'Part', part })).toBe(true);
    }
    bench.run();
    const [first] = bench.of('ExpectRead');
    if (first?.type !== 'ExpectRead') throw new Error('no read');
    expect(first.parts).toHaveLength(3);
    const { token } = first;
    bench.tell({ type: 'ReadsDone', reads: [{ token, expired: [0], uncovered: [2] }] });
    expect(bench.latencies).toHaveLength(1);
    expect(bench.repeated).toEqual(['1 as barrier']);
    expect(bench.begun).toHaveLength(1);
    const again = bench.of('ExpectRead').at(-1);
    if (again?.type !== 'ExpectRead') throw new Error('no read');
    expect(again.parts.map(({ unit }) => unit.connection)).toEqual([3]);
    // It has had all its tries.
    const reads = [{ token: again.token, expired: [], uncovered: [0] }];
    bench.tell({ type: 'ReadsDone', reads });
    expect(bench.repeated).toEqual(['1 as barrier', '1 as transaction']);
    expect(bench.begun).toHaveLength(2);
    expect(bench.answers).toEqual([]);
  });

  test('that no majority answers are refused, and later news of them is ignored', () => {
    const bench = new Bench().read().run(TIMEOUT_MS + 3 * TICK_MS);
    expect(bench.told).toEqual(['1: TIMEOUT refused']);
    const token = bench.barriers[0]?.token ?? expect.fail();
    expect(bench.of('ForgetRead')).toEqual([{ type: 'ForgetRead', token }]);
    bench.tell({ type: 'ReadsDone', reads: [{ token, expired: [0], uncovered: [] }] });
    expect(bench.begun).toEqual([]);
    expect(bench.description()).toMatchObject({ reads: 0, waiting: 0 });
  });

  test('that became a transaction is refused, too, when it has no result in time', () => {
    const bench = new Bench().read();
    const token = bench.barriers[0]?.token ?? expect.fail();
    bench.tell({ type: 'ReadsDone', reads: [{ token, expired: [0], uncovered: [] }] });
    expect(bench.begun).toHaveLength(1);
    bench.run(TIMEOUT_MS + 3 * TICK_MS);
    expect(bench.told).toEqual(['1: TIMEOUT refused']);
  });

  test('a barrier beyond the pipeline waits, also after one that timed out', () => {
    const bench = new Bench({ batch: { readPipelineDepth: 1 } }).read();
    bench.run(TIMEOUT_MS / 2).read();
    expect(bench.barriers).toHaveLength(1);
    bench.run(TIMEOUT_MS / 2 + 3 * TICK_MS);
    expect(bench.told).toEqual(['1: TIMEOUT refused']);
    expect(bench.barriers).toHaveLength(2);
  });
});

describe('the end', () => {
  test('drains: nothing new begins, and it is told when all is answered', () => {
    const bench = new Bench().part();
    const drained: string[] = [];
    const replyTo = { path: 'asker', tell: () => drained.push('drained') > 0 };
    bench.tell({ type: 'Drain', replyTo }).part().read();
    expect(bench.told).toEqual(['2: SHUTDOWN refused', '3: SHUTDOWN refused']);
    expect(drained).toEqual([]);
    bench.tell({ type: 'Executed', keys: [keyOf(bench.begun[0]?.id ?? expect.fail())] });
    expect(drained).toEqual(['drained']);
    bench.run(5 * TICK_MS);
    expect(drained).toHaveLength(1);
  });

  test.each([true, false])(
    'answers a part whatever step of its way fails, readOnly: %s',
    (readOnly) => {
      let failed = true;
      for (let step = 1; failed; step += 1) {
        failed = false;
        let looks = 0;
        const part = partOf({ unit: { connection: 1, sequence: 1 }, participants: [1], readOnly });
        const fragile = new Proxy(part, {
          get(target, name) {
            looks += 1;
            if (looks === step) {
              failed = true;
              throw new Error(`injected at look ${looks}`);
            }
            return Reflect.get(target, name);
          },
        });
        const bench = new Bench().tell({ type: 'Part', part: fragile }).run(50);
        const answers = failed ? [expect.stringMatching(/^1: INTERRUPTED/)] : [];
        expect(bench.told, `step ${step}`).toEqual(answers);
        if (!failed) expect(step).toBeGreaterThan(5);
      }
    },
  );

  test('answers each client once: refused what waits, indeterminate what is under way', () => {
    const bench = new Bench({ batch: { pipelineDepth: 1 } }).part().part().read();
    bench.world.system.crash('node/coordinator', new Error('injected'));
    bench.run(50);
    expect(bench.told).toEqual([
      '1: INTERRUPTED indeterminate',
      '2: INTERRUPTED refused',
      '3: INTERRUPTED refused',
    ]);
    // The next incarnation knows nothing of them, and has the executor forget them.
    expect(bench.of('ForgetAll')).toHaveLength(2);
    bench.part();
    expect(bench.begun).toHaveLength(2);
  });
});

describe('keys past their deadline', () => {
  const keys = ['a', 'b'];
  const hasDeadlines = { type: 'Volatile', group: GROUP.id, hasDeadlines: true } as const;

  test('are looked for where there are keys with a deadline, and nowhere else', () => {
    const bench = new Bench().run(1_000);
    const looks = (): number => bench.of('FindExpired').length;
    expect(looks()).toBe(0);
    bench.tell(hasDeadlines).run(1_000);
    const found = looks();
    expect(found).toBeGreaterThan(5);
    bench.tell({ ...hasDeadlines, hasDeadlines: false }).run(1_000);
    expect(looks()).toBe(found);
  });

  test('are removed by a part of its own, one at a time', () => {
    const bench = new Bench().tell(hasDeadlines);
    bench.tell({ type: 'Expired', database: 0, group: GROUP.id, keys, backlog: true });
    bench.tell({ type: 'Expired', database: 0, group: GROUP.id, keys, backlog: true });
    expect(bench.begun).toHaveLength(1);
    const [expected] = bench.of('Expect');
    if (expected?.type !== 'Expect') throw new Error('nothing begun');
    const [part] = expected.parts;
    expect(part?.unit.connection).toBe(0);
    expect(Buffer.from(part?.bytes ?? []).toString()).toContain('HOLO.EXPIRE');
    const looks = (): number => bench.of('FindExpired').length;
    const before = looks();
    const id = { unit: part?.unit ?? expect.fail(), part: 0 };
    const replies = Buffer.from(':2\r\n');
    const whole = { from: 0, replies, ends: [], errors: [], answered: 1, last: true };
    bench.tell({ type: 'PartReplies', ...id, ...whole }).run(15);
    // There is a backlog: the next look comes soon.
    expect(looks()).toBe(before + 1);
    bench.tell({ type: 'Expired', database: 0, group: GROUP.id, keys, backlog: false });
    expect(bench.begun).toHaveLength(2);
    expect(bench.answers).toEqual([]);
  });

  test('are looked for ever later while removals fail', () => {
    const bench = new Bench().tell(hasDeadlines);
    const pauses = [0, 1].map(() => {
      bench
        .tell({ type: 'DiskFull', full: true })
        .tell({ type: 'Expired', database: 0, group: GROUP.id, keys, backlog: false });
      bench.tell({ type: 'DiskFull', full: false });
      const before = bench.of('FindExpired').length;
      let waitedMs = 0;
      for (; waitedMs < 5_000 && bench.of('FindExpired').length === before; waitedMs += 10) {
        bench.run(10);
      }
      return waitedMs;
    });
    expect(pauses[0]).toBeGreaterThanOrEqual(200);
    expect(pauses[1]).toBeGreaterThanOrEqual(400);
    expect(bench.begun).toEqual([]);
  });
});

test('a change of the topology is a transaction of the meta group, and its end is told once', () => {
  const bench = new Bench({ groups: [GROUP, META] });
  const ask = (token: number): Part => {
    bench.tell({ type: 'ProposeTopology', group: META.id, token, command: '{}' });
    const expected = bench.of('Expect') as { readonly parts: readonly Part[] }[];
    return expected.at(-1)?.parts[0] ?? partOf({});
  };
  const first = ask(7);
  expect(first.groups).toEqual([META.id]);
  expect(Buffer.from(first.bytes).toString()).toContain('HOLO.TOPOLOGY');
  bench.tell(answerOf(first.unit, ':3\r\n')).tell(answerOf(first.unit, ':3\r\n'));
  bench.tell(answerOf(ask(8).unit, '-ERR topology: the change is paused\r\n'));
  bench.tell(answerOf(ask(9).unit, '-OOM no room\r\n'));
  bench.tell({ type: 'PartFailed', unit: ask(10).unit, part: 0, line: 'BUSY refused' });
  expect(bench.proposed).toEqual([
    { token: 7, outcome: { type: 'done', change: 3 } },
    { token: 8, outcome: { type: 'refused', why: 'the change is paused' } },
    { token: 9, outcome: { type: 'unknown', why: 'OOM no room' } },
    { token: 10, outcome: { type: 'unknown', why: 'BUSY refused' } },
  ]);
});

test('a change of the topology is taken where clients are told BACKLOG: it is the way out', () => {
  const bench = new Bench({ groups: [GROUP, META] }).tell({ type: 'Backlog', full: true });
  bench.tell({ type: 'ProposeTopology', group: META.id, token: 7, command: '{}' });
  expect(bench.proposed).toEqual([]);
  expect(bench.of('Expect')).toHaveLength(1);
});
