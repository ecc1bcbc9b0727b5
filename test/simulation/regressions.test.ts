/**
 * Bugs of the node that whole clusters have found: each with the smallest run that shows it.
 */
import { expect, test } from 'vitest';
import { encodeRecord } from '../../actors/accord/local/journal.ts';
import { type WalAnswer, type WalMessage, walActor } from '../../actors/log/wal-actor.ts';
import { ActorSystem } from '../../actors/runtime/actor-system.ts';
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { WriteAheadLog } from '../../wal/write-ahead-log.ts';
import { simulate } from './cluster.ts';
import { USUAL_LIMITS } from './limits.ts';
import { PLAIN_MIX, type Profile } from './profile.ts';
import { Scenario } from './scenario.ts';
import { SimDisk } from './sim-disk.ts';
import { VirtualScheduler } from './virtual-scheduler.ts';

/** The workload in which the seeds below were found: with another they are other runs. */
const FORMER: Partial<Profile> = {
  readBack: false,
  readPipelineRate: 0,
  mix: PLAIN_MIX,
  databases: 1,
  limits: USUAL_LIMITS,
  syncPolicy: 'every_batch',
  frames: undefined,
  away: undefined,
};

// Records that the log's last incarnation had lost were followed by later ones from its mailbox.
test('a WalWriter that begins again takes no records of before, since there may be a gap', () => {
  const scheduler = new VirtualScheduler({ seed: 1 });
  const rng = new SeededRng(1);
  const schedule = (delayMs: number, callback: () => void): void => {
    scheduler.after(delayMs, callback);
  };
  const disk = new SimDisk({ schedule, rng });
  const onFailed = (): void => undefined;
  const system = new ActorSystem({ name: 'n', clock: scheduler.clock, rng, scheduler, onFailed });
  const options = { newLogId: new Uint8Array(16), segmentBytes: 32 * 1024 };
  const wal = system.root.child<WalMessage>({
    name: 'wal',
    shutdownMs: 100,
    mailboxMax: 100,
    start: (context) =>
      walActor(context, {
        open: (onRecord) => WriteAheadLog.open(disk, 'wal', options, onRecord),
        policy: { name: 'every_batch' },
        stores: [0],
      }),
  });
  const said: WalAnswer[] = [];
  const replyTo = { path: 'test', tell: (reply: WalAnswer) => said.push(reply) > 0 };
  const group = { range: 1, generation: 1 };
  const id = { hlc: 1, flags: 2, node: 1, store: 0 };
  const records = [encodeRecord(group, { type: 'Invalidated', id })];
  const append = (token: number): void => {
    wal.tell({ type: 'Append', store: 0, records, urgent: true, token, replyTo });
  };
  const replay = (): void => {
    wal.tell({ type: 'Replay', store: 0, replyTo });
    scheduler.run(scheduler.nowMs + 100);
  };
  replay();
  append(1);
  scheduler.run(scheduler.nowMs + 100);
  system.crash('n/wal', new Error('injected'));
  append(2);
  replay();
  append(3);
  scheduler.run(scheduler.nowMs + 100);
  expect(said).toMatchObject([
    { type: 'Replayed', groups: [] },
    { type: 'Durable', token: 1 },
    { type: 'Replayed', groups: [{ group, records: [{ lsn: 1 }] }] },
    { type: 'Durable', token: 3, firstLsn: 2 },
  ]);
});

// A replica whose log lay still waited for the answer to its request for ever.
test('a replica that crashes alone, without traffic, is back at once', () => {
  const scenario = new Scenario(3);
  scenario.answerTo(1, 'SET', 'k', '1');
  scenario.run(8_000);
  const node = scenario.node(1);
  node.node?.system.crash('node-1/store-0/replica', new Error('injected'));
  node.ready = false;
  scenario.run(1_000);
  expect(node.ready).toBe(true);
  expect(scenario.answerTo(1, 'GET', 'k')).toBe('1');
});

// Tokens began at 1 again: an answer to a barrier of before counted for a read of now.
test('a read after a crash of the coordinator takes no answer to a read before it', () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const scenario = new Scenario(3, {}, seed);
    const { network } = scenario.cluster;
    expect(scenario.answerTo(2, 'SET', 'k', 'old')).toBe('OK');
    scenario.run(100);
    for (const peer of [2, 3]) network.clog(peer, 1);
    const before = scenario.ask(1, 'GET', 'k');
    scenario.run(20);
    scenario.node(1).node?.system.crash('node-1/store-0/coordinator', new Error('injected'));
    expect(scenario.answerTo(2, 'SET', 'k', 'new')).toBe('OK');
    scenario.run(100);
    const after = scenario.ask(1, 'GET', 'k');
    scenario.run(20);
    for (const peer of [2, 3]) network.unclog(peer, 1);
    scenario.run(1_000);
    expect(before.answer?.type).not.toBe('replies');
    expect(after.reply).toBe('new');
  }
});

// The log was cut before the marks that the cut relied on were on disk; votes that were replaced
// since did not count as conflicts after a restart; a damaged log or store did not end the node.
test.each([
  [4, 5],
  [6, 5],
  [9, 3],
  [21, 3],
  [52, 5],
  [56, 5],
])('seed %i with %i nodes', (seed, nodes) => {
  const profile = { ...FORMER, turnDelayMsMax: 0 };
  expect(simulate({ seed, nodes, timeMs: 10_000, profile }).violations).toEqual([]);
});

// Messages to a crashed incarnation of the replica were still in its mailbox: the next incarnation
// replayed the earlier log as its own, and later, in the middle of its work, its own log.
test('a replica that crashes twice in short order reads its log once', () => {
  const hasty = { ...FORMER, faultEveryMsMax: 250, thinkMsMax: 2, clients: 10, damage: false };
  const profile = { ...hasty, turnDelayMsMax: 20 };
  expect(simulate({ seed: 94, nodes: 3, timeMs: 1_000, profile }).violations).toEqual([]);
});

// One elector of two was lost for good, so no round closed; a hint was lost with the actor that was
// to take it, and nobody ever told that member again what it had missed.
test('a member that has missed a hint converges without rounds', () => {
  const hasty = { ...FORMER, faultEveryMsMax: 300, thinkMsMax: 3, clients: 12, turnDelayMsMax: 8 };
  expect(simulate({ seed: 2006, nodes: 3, timeMs: 8_000, profile: hasty }).violations).toEqual([]);
});
