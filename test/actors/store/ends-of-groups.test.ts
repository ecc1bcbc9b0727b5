/**
 * Ends of groups at the shell of the executor, in virtual time: what waits for them, and how many
 * steps of the engine they take.
 */
import { expect, test } from 'vitest';
import { participantsOf, WHOLE_STORE } from '../../../actors/accord/primitives/participants.ts';
import { Flags } from '../../../actors/accord/primitives/timestamp.ts';
import { encodeSuccessors } from '../../../actors/accord/topology/close-body.ts';
import { Group, type GroupDescriptor } from '../../../actors/accord/topology/group.ts';
import { groupKey } from '../../../actors/accord/topology/group-id.ts';
import type { ActorRef } from '../../../actors/runtime/actor-ref.ts';
import type { ActorContext } from '../../../actors/runtime/behavior.ts';
import { Outlet } from '../../../actors/runtime/cells/outlet.ts';
import { executorActor } from '../../../actors/store/executor-actor.ts';
import type { ExecutorMessage, ReplicaActorMessage } from '../../../actors/store/messages.ts';
import { NO_SETTINGS } from '../../../storage/cluster-settings.ts';
import { MemoryEngine, MemoryStore } from '../../../storage/engine/memory-engine.ts';
import type { FlushBatch } from '../../../storage/engine.ts';
import { firstSlotOf } from '../../../storage/keyspace/slots.ts';
import type { StateMachines } from '../../../storage/state-machines.ts';
import { bodyOf } from '../../../storage/transaction-body.ts';
import { array } from '../../transport/resp/harness.ts';
import { at } from '../accord/fixture.ts';
import { spec, virtualSystem } from '../runtime/fixture.ts';

const COMMIT_MS = 5;
const MEMBERS = [1, 2, 3];

function descriptor(range: number, generation: number, electorate = MEMBERS): GroupDescriptor {
  const slots = { fromSlot: (range - 1) * 100, toSlot: range * 100 };
  const id = { range, generation };
  return { id, ...slots, members: MEMBERS, electorate, machine: 'keyspace' };
}

class Bench {
  readonly world = virtualSystem();
  readonly executor: ActorRef<ExecutorMessage>;
  machines: StateMachines | undefined;
  /** Of each commit, the groups that end with it. */
  readonly commits: string[][] = [];
  #generation = 0;
  readonly #sequences = new Map<string, number>();

  constructor() {
    const { scheduler } = this.world;
    const receive = (message: ReplicaActorMessage): void => {
      if (message.type === 'ExecutorReady') this.#generation = message.generation;
      if (message.type !== 'Sync') return;
      message.replyTo.tell({ type: 'Durable', token: message.token, firstLsn: 1 });
    };
    const replica = this.world.system.root.child(spec('replica', () => ({ receive })));
    const coordinator = this.world.system.root.child(
      spec('coordinator', () => ({ receive: () => undefined })),
    );
    const defer = (callback: () => void): void => void scheduler.after(COMMIT_MS, callback);
    const engine = new MemoryEngine({ store: new MemoryStore([1, 2]), defer });
    const commit = engine.commit.bind(engine);
    engine.commit = (batches: readonly FlushBatch[], done) => {
      const ended = batches.filter(({ meta }) => meta.phase === 'ended');
      this.commits.push(ended.map(({ meta }) => groupKey(meta.id)));
      commit(batches, done);
    };
    const start = (context: ActorContext<ExecutorMessage>) =>
      executorActor(context, {
        self: 1,
        groups: [1, 2, 3].map((range) => new Group(descriptor(range, 1))),
        openEngine: () => engine,
        ...{ cacheBytesMax: 1e6, dirtyBytesMax: 1e6, unitWriteBytesMax: 1e6 },
        ...{ spanningReadBytesMax: 1e6, unflushedBytesMax: 1e6, flushEveryMs: 1e6 },
        ...{ replyBytesMax: 1e6, keptReplyBytesMax: 1e6, tableHashKey: [1, 2] },
        ...{ replica, coordinator, table: () => NO_SETTINGS, nowMs: () => 1e6 },
        clients: new Outlet({ path: 'clients', tell: () => true }),
        observe: () => undefined,
        onDiskFull: () => undefined,
        watch: (machines) => {
          this.machines = machines;
        },
      });
    this.executor = this.world.system.root.child(spec('executor', start));
    this.run(1);
  }

  run(ms: number): void {
    this.world.scheduler.run(this.world.scheduler.nowMs + ms);
  }

  write(range: number, generation = 1): void {
    const participants = participantsOf([firstSlotOf((range - 1) * 100)]);
    const body = bodyOf([Buffer.from(array('PING'))]);
    this.#execute({ range, generation }, participants, body, 0);
  }

  close(range: number): void {
    const body = encodeSuccessors([descriptor(range, 2, [1, 2])]);
    this.#execute({ range, generation: 1 }, WHOLE_STORE, body, Flags.CLOSE);
  }

  #execute(
    group: GroupDescriptor['id'],
    participants: typeof WHOLE_STORE | ReturnType<typeof participantsOf>,
    body: Uint8Array,
    kind: number,
  ): void {
    const key = groupKey(group);
    const sequence = (this.#sequences.get(key) ?? 0) + 1;
    this.#sequences.set(key, sequence);
    const moment = at(1_000_000 + 10 * sequence + group.range);
    const id = { ...moment, flags: moment.flags | kind };
    const execution = { id, executeAt: id, participants, body, sequence, isRepeated: false };
    const generation = this.#generation;
    expect(this.executor.tell({ type: 'Execute', group, generation, execution })).toBe(true);
  }

  /** Transactions that each group has applied. */
  get applied(): string[] {
    return (this.machines?.groups ?? []).map(
      ({ group, appliedSequence }) => `${groupKey(group)}: ${appliedSequence}`,
    );
  }
}

test('groups that come to their ends at the same time end with one step of the engine', () => {
  const bench = new Bench();
  for (const range of [1, 2, 3]) bench.write(range);
  bench.close(1);
  bench.write(2);
  bench.close(2);
  bench.close(3);
  bench.write(1, 2);
  bench.run(100);
  expect(bench.applied).toEqual(['1.2: 1', '2.2: 0', '3.2: 0']);
  expect(bench.commits).toEqual([[], ['1.1', '2.1', '3.1']]);
});

test('what is ordered in other groups does not wait for an end', () => {
  const bench = new Bench();
  bench.write(1);
  bench.close(1);
  bench.write(1, 2);
  bench.write(2);
  bench.run(1);
  bench.write(3);
  bench.run(1);
  // The engine is still at work.
  expect(bench.applied).toEqual(['1.1: 1', '2.1: 1', '3.1: 1']);
  bench.run(100);
  expect(bench.applied).toEqual(['2.1: 1', '3.1: 1', '1.2: 1']);
  expect(bench.commits).toEqual([[], ['1.1']]);
});
