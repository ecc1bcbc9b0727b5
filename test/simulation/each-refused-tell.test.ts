/**
 * Each message between the actors of a node whose loss would be felt, refused once, alone. In the
 * second run of a case it is lost instead, to show that the case would notice.
 */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Cell } from '../../actors/runtime/cells/cell.ts';
import type { ReadDone } from '../../actors/store/messages.ts';
import type { Profile } from './profile.ts';
import { type Refusal, refuseFirst } from './refusal.ts';
import { Scenario } from './scenario.ts';

interface Case extends Refusal {
  readonly nodes?: number;
  readonly profile?: Partial<Profile>;
  /** Before the refusal. */
  readonly prepare?: (scenario: Scenario) => void;
  /** Whether all is as it should be afterwards. */
  readonly isFine: (scenario: Scenario) => boolean;
}

/** Nothing is repeated or given up by itself while a case lasts. */
const PATIENT: Partial<Profile> = {
  commandTimeoutMs: 60_000,
  progressDelayMs: 50_000,
  ownProgressDelayMs: 50_000,
  progressDelayMsMax: 60_000,
  slowPathMs: 20,
  resendMs: 50_000,
  barrierResendMs: 50_000,
  barrierMsMax: 60_000,
};
const NO_HINTS = { hintEveryMs: 50_000, durabilityEveryMs: 50_000, durabilityLagMs: 100 };
const SHORTLY_MS = 400;
/** The events of a write wait for the log, too: here no other one does. */
const QUICK_FLUSH = { flushEveryMs: 20, tellsEvents: false };
const NO_FLUSH = { flushEveryMs: 1_000_000 };

afterEach(() => {
  vi.restoreAllMocks();
});

interface Description {
  readonly retained?: number;
  readonly transactions?: number;
  readonly reads?: number;
  readonly quorumReachable?: boolean;
}

function described(scenario: Scenario, actor: string): Description {
  const at = scenario.node(1).node?.system.inspect(`node-1/${actor}`);
  return at?.kind === 'actor' ? (at.description as Description) : {};
}

function isAnswered(scenario: Scenario, ...words: readonly string[]): boolean {
  const asked = scenario.ask(1, ...words);
  scenario.run(SHORTLY_MS);
  return asked.answer?.type === 'replies';
}

function isFlushed(scenario: Scenario): boolean {
  const { appliedSequence, flushedSequence } = scenario.node(1).watermarks ?? {};
  return appliedSequence !== undefined && appliedSequence === flushedSequence;
}

const write = (scenario: Scenario): boolean => isAnswered(scenario, 'INCR', 'k');
const read = (scenario: Scenario): boolean => isAnswered(scenario, 'GET', 'k');
const writeAndFlush = (scenario: Scenario): boolean => write(scenario) && isFlushed(scenario);

function crash(scenario: Scenario, actor: string): void {
  scenario.node(1).node?.system.crash(`node-1/${actor}`, new Error('injected'));
}

/** Two of three decide on the slow path, where both must answer. */
const WITHOUT_THIRD = {
  nodes: 3,
  prepare: (scenario: Scenario): void => {
    scenario.node(3).crash();
    scenario.run(SHORTLY_MS);
  },
  isFine: write,
};
const SLOW_PATH = ['Accept', 'Commit'];
const SLOW_PATH_OK = ['AcceptOk', 'CommitOk'];

const executor: readonly Case[] = [
  { actor: 'store-0/executor', type: 'Expect', isFine: write },
  { actor: 'store-0/executor', type: 'ExpectRead', isFine: read },
  { actor: 'store-0/executor', type: 'Execute', isFine: write },
  { actor: 'store-0/executor', type: 'Read', isFine: read },
];

const replica: readonly Case[] = [
  { actor: 'store-0/replica', type: 'Coordinate', isFine: write },
  { actor: 'store-0/replica', type: 'Stable', isFine: write },
  { actor: 'store-0/replica', type: 'BeginRead', isFine: read },
  ...SLOW_PATH.map((type) => ({ ...WITHOUT_THIRD, actor: 'store-0/replica', type })),
  {
    actor: 'store-0/replica',
    type: 'Flushed',
    profile: QUICK_FLUSH,
    isFine: writeAndFlush,
  },
  { actor: 'store-0/replica', type: 'Sync', profile: QUICK_FLUSH, isFine: writeAndFlush },
  {
    actor: 'store-0/replica',
    type: 'Taken',
    profile: { handOverMax: 1, ...NO_FLUSH },
    isFine: (scenario) => write(scenario) && write(scenario),
  },
  {
    actor: 'store-0/replica',
    type: 'ExecutorReady',
    profile: NO_FLUSH,
    prepare: write,
    isFine: (scenario) => {
      crash(scenario, 'store-0/executor');
      scenario.run(SHORTLY_MS);
      return scenario.answerTo(1, 'GET', 'k') === '1';
    },
  },
  {
    // Its coordinator is gone, and node 3 knows what it has decided.
    actor: 'store-0/replica',
    type: 'PeerDown',
    nodes: 3,
    profile: NO_HINTS,
    isFine: (scenario) => {
      scenario.ask(2, 'INCR', 'k');
      while (described(scenario, 'store-0/replica').retained === 0) scenario.run(0.05);
      scenario.cluster.network.clog(2, 1);
      scenario.run(SHORTLY_MS);
      scenario.node(2).crash();
      scenario.run(SHORTLY_MS);
      return scenario.node(1).watermarks?.appliedSequence === 1;
    },
  },
  {
    // The member is asked at once about the transactions that it has missed meanwhile.
    actor: 'store-0/replica',
    type: 'PeerUp',
    nodes: 3,
    profile: NO_HINTS,
    prepare: (scenario) => {
      scenario.isolate(2);
      scenario.answerTo(1, 'INCR', 'k');
      scenario.run(SHORTLY_MS);
      scenario.node(3).crash();
      scenario.run(SHORTLY_MS);
    },
    isFine: (scenario) => {
      scenario.cluster.network.mend();
      scenario.run(SHORTLY_MS);
      return scenario.node(2).watermarks?.appliedSequence === 1;
    },
  },
];

const coordinator: readonly Case[] = [
  { actor: 'store-0/coordinator', type: 'PreAcceptOk', isFine: write },
  ...SLOW_PATH_OK.map((type) => ({ ...WITHOUT_THIRD, actor: 'store-0/coordinator', type })),
  {
    actor: 'store-0/coordinator',
    type: 'Executed',
    isFine: (scenario) =>
      write(scenario) && described(scenario, 'store-0/coordinator').transactions === 0,
  },
  {
    actor: 'store-0/coordinator',
    type: 'ReadsDone',
    isFine: (scenario) => read(scenario) && described(scenario, 'store-0/coordinator').reads === 0,
  },
  {
    actor: 'store-0/coordinator',
    type: 'ReadsDone',
    where: ({ reads }) => (reads as readonly ReadDone[]).some(({ expired }) => expired.length > 0),
    prepare: (scenario) => {
      scenario.answerTo(1, 'SET', 'k', 'x', 'PX', '1');
      scenario.run(5);
    },
    isFine: read,
  },
  {
    // The others know of it by what follows it alone, and invalidate it while node 1 is away.
    actor: 'store-0/coordinator',
    type: 'Refused',
    nodes: 3,
    profile: { progressDelayMs: 50, progressDelayMsMax: 100, ownProgressDelayMs: 500 },
    isFine: (scenario) => {
      const { network } = scenario.cluster;
      for (const peer of [2, 3]) network.cut(1, peer);
      const asked = scenario.ask(1, 'INCR', 'k');
      scenario.run(10);
      network.mend();
      scenario.ask(1, 'INCR', 'k');
      scenario.run(5);
      scenario.isolate(1);
      scenario.run(1_000);
      network.mend();
      scenario.run(2_000);
      return asked.answer?.type === 'refused' && asked.answer.why === 'TRYAGAIN';
    },
  },
  {
    actor: 'store-0/coordinator',
    type: 'PeerDown',
    nodes: 3,
    isFine: (scenario) => {
      for (const id of [2, 3]) scenario.node(id).crash();
      scenario.run(SHORTLY_MS);
      return described(scenario, 'store-0/coordinator').quorumReachable === false;
    },
  },
  {
    actor: 'store-0/coordinator',
    type: 'PeerUp',
    nodes: 3,
    prepare: (scenario) => {
      for (const id of [2, 3]) scenario.node(id).crash();
      scenario.run(SHORTLY_MS);
    },
    isFine: (scenario) => {
      scenario.node(2).start();
      scenario.run(3_000);
      return write(scenario);
    },
  },
  {
    actor: 'store-0/coordinator',
    type: 'DiskFull',
    where: ({ full }) => full === false,
    profile: NO_FLUSH,
    prepare: (scenario) => {
      const { disk } = scenario.node(1);
      disk.capacityBytes = 0;
      for (let count = 0; count < 20; count += 1) scenario.ask(1, 'SET', 'big', 'x'.repeat(4_000));
      scenario.run(SHORTLY_MS);
      scenario.ask(1, 'SET', 'k', '0');
      scenario.run(SHORTLY_MS);
      disk.capacityBytes = 1024 ** 3;
    },
    isFine: (scenario) => {
      scenario.run(2_000);
      return write(scenario);
    },
  },
  {
    actor: 'store-0/coordinator',
    type: 'Backlog',
    where: ({ full }) => full === false,
    nodes: 3,
    profile: { backlogBytesMax: 2_000, durabilityLagMs: 100 },
    prepare: (scenario) => {
      scenario.node(3).crash();
      scenario.run(SHORTLY_MS);
      for (let count = 0; count < 20; count += 1) scenario.ask(1, 'SET', 'k', 'x'.repeat(200));
      scenario.run(SHORTLY_MS);
      for (let count = 0; count < 20; count += 1) scenario.ask(1, 'SET', 'k', 'x'.repeat(200));
      scenario.run(SHORTLY_MS);
    },
    isFine: (scenario) => {
      scenario.node(3).start();
      scenario.run(8_000);
      return write(scenario);
    },
  },
];

const wal: readonly Case[] = [
  { actor: 'wal', type: 'Append', isFine: write },
  {
    // Nothing leaves for a peer before there is one again.
    actor: 'wal',
    type: 'Reserve',
    nodes: 3,
    profile: { reserveMs: 4_000 },
    prepare: (scenario) => scenario.run(6_000),
    isFine: write,
  },
  { actor: 'wal', type: 'Sync', profile: QUICK_FLUSH, isFine: writeAndFlush },
  {
    actor: 'wal',
    type: 'Replay',
    profile: NO_FLUSH,
    prepare: write,
    isFine: (scenario) => {
      crash(scenario, 'store-0/replica');
      scenario.run(SHORTLY_MS);
      return read(scenario);
    },
  },
  {
    actor: 'wal',
    type: 'Truncate',
    profile: { ...QUICK_FLUSH, durabilityEveryMs: 3_000, durabilityLagMs: 100 },
    prepare: (scenario) => {
      for (let count = 0; count < 400; count += 1) {
        scenario.ask(1, 'SET', 'k', 'x'.repeat(400));
        scenario.run(3);
      }
    },
    isFine: (scenario) => {
      scenario.run(5_000);
      const segments = scenario.node(1).disk.list('wal');
      return segments.filter((name) => name.startsWith('wal-')).length === 1;
    },
  },
];

describe.each([
  ['executor', executor],
  ['replica', replica],
  ['coordinator', coordinator],
  ['WalWriter', wal],
])('told to the %s', (_actor, cases) => {
  const run = (each: Case, as: 'refused' | 'lost'): { fine: boolean; hits: number } => {
    const { nodes = 1, profile, prepare, isFine } = each;
    const scenario = new Scenario(nodes, { ...PATIENT, ...profile });
    prepare?.(scenario);
    const hits = refuseFirst(scenario, each, as);
    let fine = false;
    try {
      fine = isFine(scenario) && scenario.cluster.violations.length === 0;
    } catch {
      // No answer, ever.
    }
    return { fine, hits: hits() };
  };

  test.each(cases.map((each) => [each.type, each] as const))('%s', (_type, each) => {
    expect(run(each, 'refused')).toEqual({ fine: true, hits: 1 });
    vi.restoreAllMocks();
    expect(run(each, 'lost')).toEqual({ fine: false, hits: 1 });
  });
});

describe('an answer that an actor has asked for finds a place in its full mailbox', () => {
  test.each([
    ['store-0/replica', 'Durable', NO_FLUSH],
    ['store-0/executor', 'Durable', QUICK_FLUSH],
    ['store-0/executor', 'FlushDone', QUICK_FLUSH],
    ['wal', 'Written', NO_FLUSH],
  ] as const)('%s: %s', (actor, type, profile) => {
    const scenario = new Scenario(1, { ...PATIENT, ...profile, mailboxMax: 1 });
    const path = `node-1/${actor}`;
    let depth = 0;
    const { tellOwn } = Cell.prototype;
    vi.spyOn(Cell.prototype, 'tellOwn').mockImplementation(function (
      this: Cell<unknown>,
      message: unknown,
    ): boolean {
      const isIt = this.path === path && (message as { type: string }).type === type;
      if (!isIt || depth > 0) return tellOwn.call(this, message);
      scenario.node(1).node?.system.suspend(path);
      while (this.tell({ type: actor === 'wal' ? 'Watch' : 'Tick' })) depth += 1;
      const isTaken = tellOwn.call(this, message);
      scenario.cluster.scheduler.after(2, () => scenario.node(1).node?.system.resume(path));
      return isTaken;
    });
    expect(writeAndFlush(scenario) || profile === NO_FLUSH).toBe(true);
    expect(write(scenario)).toBe(true);
    expect(depth).toBe(1);
    expect(scenario.cluster.violations).toEqual([]);
  });
});
