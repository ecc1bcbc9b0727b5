/** The coordinator of transactions over several groups: how many it recovers at a time. */
import { expect, test } from 'vitest';
import { COORDINATOR_LIMITS } from '../../../../actors/accord/coordinate/coordinator.ts';
import { SpanningCoordinator } from '../../../../actors/accord/coordinate/spanning-coordinator.ts';
import type { RecoverOk } from '../../../../actors/accord/messages/messages.ts';
import { encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import { HybridClock } from '../../../../actors/accord/primitives/hybrid-clock.ts';
import { participantsOf } from '../../../../actors/accord/primitives/participants.ts';
import { encodeSpanningBody } from '../../../../actors/accord/primitives/spanning-body.ts';
import { Status } from '../../../../actors/accord/primitives/status.ts';
import { type TxnId, ZERO } from '../../../../actors/accord/primitives/timestamp.ts';
import { Group } from '../../../../actors/accord/topology/group.ts';
import { at, groupOf, touching } from '../fixture.ts';

const NOW_MS = 1_000;
const GROUPS = [1, 2].map((range) => {
  const slots = { fromSlot: range, toSlot: range + 1 };
  return new Group({
    ...groupOf(3),
    electorate: [1, 2, 3],
    id: { range, generation: 1 },
    ...slots,
  });
});
const [FIRST] = GROUPS as [Group, Group];
const PARTS = GROUPS.map(({ id: group }) => ({ group, participants: participantsOf([4]) }));
const DEFINITION = { ...touching(4), body: encodeSpanningBody(PARTS, new Uint8Array(1)) };

function spanning(hlc: number): TxnId {
  return { ...at(hlc), flags: 6 };
}

class Bench {
  readonly coordinator: SpanningCoordinator;

  constructor(recoveriesMax: number) {
    const clock = new HybridClock({ node: 1, store: 0, nowUs: () => 1e6, reserveUs: 1_000 });
    const limits = { ...COORDINATOR_LIMITS, recoveriesMax };
    const options = { self: 1, groups: GROUPS, clock, limits, readBytesMax: 1_024 };
    this.coordinator = new SpanningCoordinator(options);
  }

  /** The ballot with which it asks what became of it; undefined: it does not. */
  recover(id: TxnId): TxnId | undefined {
    this.coordinator.recover(FIRST.id, id, DEFINITION, NOW_MS);
    const ballots = this.coordinator.takeEffects().flatMap((effect) => {
      if (effect.type !== 'Send' || effect.message.type !== 'BeginRecovery') return [];
      expect(effect.message.id).toEqual(id);
      return effect.message.ballot;
    });
    return ballots[0];
  }

  /** All members say that it is stable: it waits until it is read. */
  stable(id: TxnId, executeAt: TxnId, ballot: TxnId): void {
    const reply: RecoverOk = {
      ...{ type: 'RecoverOk', id, ballot, status: Status.Stable, accepted: ZERO, executeAt },
      ...{ coordinated: encodeDeps([]), local: encodeDeps([]), reads: null },
      ...{ votedFast: false, rejectsFastPath: false },
      ...{ wait: encodeDeps([]), noWait: encodeDeps([]) },
      ...DEFINITION,
    };
    for (const { id: group } of GROUPS) {
      for (const from of [1, 2]) this.coordinator.handle(group, from, reply, NOW_MS);
    }
    const reads = this.coordinator
      .takeEffects()
      .filter((effect) => effect.type === 'Send' && effect.message.type === 'Read');
    expect(reads).toHaveLength(2);
  }
}

test('a recovery that waits for others gives way to those that it may wait for', () => {
  const bench = new Bench(1);
  const waiting = spanning(20);
  const ballot = bench.recover(waiting);
  if (ballot === undefined) throw new Error('it is not recovered');
  expect(bench.recover(spanning(10))).toBeUndefined();
  bench.stable(waiting, spanning(30), ballot);
  // One that comes later in the order can wait.
  expect(bench.recover(spanning(40))).toBeUndefined();
  // Its own time was proposed before, but not its place.
  expect(bench.recover(spanning(25))).toBeDefined();
  expect([bench.coordinator.recoveries, bench.recover(waiting)]).toEqual([1, undefined]);
});

test('of several that wait the last gives way', () => {
  const bench = new Bench(2);
  for (const hlc of [30, 20]) {
    const ballot = bench.recover(spanning(hlc));
    if (ballot === undefined) throw new Error('it is not recovered');
    bench.stable(spanning(hlc), spanning(hlc), ballot);
  }
  // Not that at 20, which could not begin anew.
  expect(bench.recover(spanning(10))).toBeDefined();
  expect(bench.recover(spanning(21))).toBeUndefined();
  expect(bench.coordinator.recoveries).toBe(2);
});
