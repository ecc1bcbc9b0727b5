/** Looking after what is undecided: when, how often, and what makes it wait. */
import { describe, expect, test } from 'vitest';
import type { Effect } from '../../../../actors/accord/local/effects.ts';
import { encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import { Status } from '../../../../actors/accord/primitives/status.ts';
import { ZERO } from '../../../../actors/accord/primitives/timestamp.ts';
import { at, ballot, groupOf, LoneReplica, preAccept, touching } from '../fixture.ts';

const LIMITS = {
  progressDelayMs: 100,
  ownProgressDelayMs: 1_000,
  progressDelayMsMax: 400,
  durabilityEveryMs: 1e9,
};
const id = at(1_000, 1);

function having(self = 3): LoneReplica {
  const lone = new LoneReplica(groupOf(3), self, LIMITS);
  lone.take(preAccept(id));
  return lone;
}

function what(effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.type === 'Recover') return ['recover'];
    return effect.type === 'Send' ? [`${effect.message.type}>${effect.to}`] : [];
  });
}

describe('an undecided transaction', () => {
  test('is asked about first, then recovered, in turns', () => {
    const lone = having();
    expect(what(lone.tick(100))).toEqual([]);
    expect(what(lone.tick(100))).toEqual(['CheckStatus>1', 'CheckStatus>2']);
    expect(what(lone.tick(50))).toEqual(['recover']);
    expect(what(lone.tick(100))).toEqual(['CheckStatus>1', 'CheckStatus>2']);
  });

  test('is looked after ever more rarely, up to a limit', () => {
    const lone = having();
    const gaps: number[] = [];
    let since = 0;
    for (let ms = 0; ms < 8_000; ms += 10) {
      since += 10;
      if (what(lone.tick(10)).length === 0) continue;
      gaps.push(since);
      since = 0;
    }
    expect(Math.max(...gaps)).toBeLessThanOrEqual(410);
    expect(gaps.at(-1)).toBeGreaterThan(gaps[1] ?? 0);
  });

  test('is looked after more rarely too when the limit lies below the first pause', () => {
    const lone = new LoneReplica(groupOf(3), 3, { ...LIMITS, progressDelayMsMax: 20 });
    lone.take(preAccept(id));
    let looks = 0;
    for (let ms = 0; ms < 4_000; ms += 10) if (what(lone.tick(10)).length > 0) looks += 1;
    // Pauses of 20 ms would make it more than a hundred; recoverers with slow disks never end.
    expect(looks).toBeLessThan(25);
  });

  test('is not recovered while the log lags', () => {
    const lone = having();
    for (let ms = 0; ms < 4_000; ms += 10) {
      lone.nowMs += 10;
      lone.replica.tick(lone.nowMs, true);
    }
    expect(what(lone.replica.effects)).toEqual([]);
    expect(what(lone.tick(10))).toEqual(['CheckStatus>1', 'CheckStatus>2']);
  });

  test('is first left to its own node', () => {
    const own = having(1);
    expect(what(own.tick(900))).toEqual([]);
    expect(what(own.tick(300))).not.toEqual([]);
  });

  test('is looked after by one replica before the other', () => {
    const first = [2, 3].map((self) => {
      const lone = having(self);
      let ms = 0;
      while (what(lone.tick(5)).length === 0) ms += 5;
      return ms;
    });
    expect(first[0]).toBeLessThan(first[1] ?? 0);
  });

  test('is left alone when it only waits for its deps; they are not', () => {
    const lone = new LoneReplica(groupOf(3), 3, LIMITS);
    const deps = encodeDeps([at(900)]);
    lone.take({ type: 'Stable', id, executeAt: id, deps, ...touching(1) });
    const effects = lone.tick(1_000);
    const asked = effects.flatMap((e) =>
      e.type === 'Send' && 'id' in e.message ? e.message.id : [],
    );
    expect(asked).toEqual([at(900), at(900)]);
  });

  test('goes on waiting when another replica is further, or recovers it', () => {
    const lone = having();
    const nothing = { executeAt: null, deps: null, reads: null, accepted: ZERO };
    const reply = { type: 'StatusReply', id, status: Status.NotDefined, ...nothing } as const;
    lone.tick(190);
    lone.take({ ...reply, promised: ballot(5_000) });
    expect(what(lone.tick(60))).toEqual([]);
    const idle = having();
    idle.tick(190);
    idle.take({ ...reply, promised: ZERO });
    expect(what(idle.tick(60))).not.toEqual([]);
  });

  test('is looked after soon when its coordinator is gone, or a recovery waits for it', () => {
    const gone = having();
    gone.replica.peerDown(1, gone.nowMs);
    expect(what(gone.tick(110))).not.toEqual([]);
    const awaited = having();
    awaited.take({ type: 'LookAfter', ids: encodeDeps([at(700), id]) });
    expect(what(awaited.tick(80))).toHaveLength(4);
  });
});
