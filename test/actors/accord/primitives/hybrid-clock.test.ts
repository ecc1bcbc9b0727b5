/** Timestamps are unique and ascend, over clock steps and restarts, as far as the log knows. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeDeps, depsOf, encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import { HybridClock } from '../../../../actors/accord/primitives/hybrid-clock.ts';
import { compare, Flags, keyOf } from '../../../../actors/accord/primitives/timestamp.ts';
import { at } from '../fixture.ts';

function clockAt(time: { us: number }, store = 0): HybridClock {
  return new HybridClock({ node: 7, store, nowUs: () => time.us, reserveUs: 1_000 });
}

describe('one life', () => {
  test('timestamps ascend, whatever the wall clock does and peers have used', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ us: fc.nat(5_000), floor: fc.nat(8_000), observe: fc.boolean() })),
        (steps) => {
          const time = { us: 0 };
          const clock = clockAt(time);
          let last = clock.uniqueNow();
          for (const { us, floor, observe } of steps) {
            time.us = us;
            if (observe) clock.observe(at(floor));
            const next = observe ? clock.uniqueNow() : clock.uniqueNow(at(floor));
            expect(compare(next, last)).toBeGreaterThan(0);
            expect(next.hlc).toBeGreaterThan(floor);
            last = next;
          }
        },
      ),
    );
  });

  test('it follows the wall clock when that is ahead', () => {
    const clock = clockAt({ us: 42 });
    expect(clock.uniqueNow()).toEqual({ hlc: 42, flags: 0, node: 7, store: 0 });
    expect(clock.uniqueNow().hlc).toBe(43);
    expect([clock.lastUs, clock.presentUs]).toEqual([43, 43]);
  });

  test('it takes the kind asked for, never a refusal', () => {
    const later = clockAt({ us: 1 }).uniqueNow(at(9), Flags.WRITE | Flags.REJECTED);
    expect(later).toEqual({ hlc: 10, flags: Flags.WRITE, node: 7, store: 0 });
  });
});

test('two stores of a node in one microsecond never mint the same, and all agree on the order', () => {
  const time = { us: 1_000 };
  const stores = [0, 1, 2].map((store) => clockAt(time, store));
  const minted = [1, 2].flatMap(() => stores.map((clock) => clock.uniqueNow()));
  expect(minted.map(({ hlc }) => hlc)).toEqual([1_000, 1_000, 1_000, 1_001, 1_001, 1_001]);
  expect(new Set(minted.map(keyOf)).size).toBe(minted.length);
  expect([...minted].reverse().sort(compare)).toEqual(minted);
  // The fields that distinguish them survive the wire.
  const bytes = encodeDeps(depsOf([...minted]));
  expect(decodeDeps(bytes)).toEqual(minted);
});

describe('bounds', () => {
  test('a proposal too far ahead is not heeded, a fact is observed', () => {
    const clock = clockAt({ us: 1_000 });
    const far = at(60_001_001);
    clock.heed(at(60_001_000));
    expect(clock.lastUs).toBe(60_001_000);
    const other = clockAt({ us: 1_000 });
    other.heed(far);
    expect([other.isTooFar(far), other.lastUs]).toEqual([true, 0]);
    other.observe(far);
    expect([other.isTooFar(far), other.lastUs]).toEqual([false, far.hlc]);
  });
});

describe('the reservation', () => {
  test('nothing is covered before a limit is durable', () => {
    const clock = clockAt({ us: 100 });
    const limitUs = clock.nextReservation() ?? 0;
    expect(clock.covered).toBe(false);
    expect(limitUs).toBe(1_100);
    clock.reservationDurable(limitUs);
    expect(clock.covered).toBe(true);
    clock.uniqueNow(at(limitUs - 1));
    expect(clock.covered).toBe(false);
  });

  test('it is renewed when less than half of it is left, and not before', () => {
    const time = { us: 100 };
    const clock = clockAt(time);
    clock.nextReservation();
    time.us = 599;
    expect(clock.nextReservation()).toBeUndefined();
    time.us = 600;
    expect(clock.nextReservation()).toBe(1_600);
    expect(clock.limitUs).toBe(1_600);
  });

  test('observed timestamps need none, issued ones do', () => {
    const clock = clockAt({ us: 100 });
    clock.reservationDurable(clock.nextReservation() ?? 0);
    clock.observe(at(5_000));
    expect(clock.covered).toBe(true);
    clock.uniqueNow();
    expect([clock.covered, clock.covers(1_099), clock.covers(1_100)]).toEqual([false, true, false]);
  });

  test('none is needed while nothing is given out', () => {
    const time = { us: 100 };
    const clock = clockAt(time);
    expect(clock.isIdle).toBe(false);
    clock.uniqueNow();
    clock.reservationDurable(clock.nextReservation() ?? 0);
    expect(clock.isIdle).toBe(false);
    time.us += 10_000_001;
    expect(clock.isIdle).toBe(true);
    clock.uniqueNow();
    expect(clock.isIdle).toBe(false);
  });

  test('a new life begins when the limit has passed, or after one reservation', () => {
    const time = { us: 100 };
    const clock = clockAt(time);
    clock.restore(900);
    expect([clock.mayBegin(0), clock.mayBegin(999), clock.mayBegin(1_000)]).toEqual([
      false,
      false,
      true,
    ]);
    time.us = 900;
    expect(clock.mayBegin(0)).toBe(true);
    expect(clock.uniqueNow().hlc).toBeGreaterThan(900);
  });

  test('a log that is read again in the midst of a life does not move the clock', () => {
    const time = { us: 100 };
    const clock = clockAt(time);
    clock.begin();
    clock.uniqueNow();
    clock.restore(1_000);
    expect([clock.mayBegin(0), clock.lastUs, clock.uniqueNow().hlc]).toEqual([true, 100, 101]);
    // Reservations beyond that limit were lost.
    expect([clock.limitUs, clock.covered]).toEqual([1_000, true]);
  });

  test('no covered timestamp is given out again by a later life, whatever the wall clock does', () => {
    const lives = fc.array(
      fc.record({
        us: fc.nat(4_000),
        mints: fc.nat(40),
        durable: fc.boolean(),
        stepUs: fc.nat(400),
      }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(lives, (all) => {
        const seen = new Set<string>();
        let durableUs = 0;
        for (const { us, mints, durable, stepUs } of all) {
          const time = { us };
          const clock = clockAt(time);
          if (durableUs > 0) clock.restore(durableUs);
          for (let count = 0; count < mints; count += 1) {
            const limitUs = clock.nextReservation();
            if (limitUs !== undefined && durable) {
              durableUs = limitUs;
              clock.reservationDurable(limitUs);
            }
            time.us += stepUs;
            const key = keyOf(clock.uniqueNow());
            // A timestamp that is not covered does not leave the node.
            if (!clock.covered) continue;
            expect(seen.has(key)).toBe(false);
            seen.add(key);
          }
        }
      }),
    );
  });
});
