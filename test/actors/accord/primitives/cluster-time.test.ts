/** The time of the cluster: the median of a majority's clocks, and what is said of our own. */
import { describe, expect, test } from 'vitest';
import { ClusterTime, complaintOf } from '../../../../actors/accord/primitives/cluster-time.ts';

const TRUE_US = 1_700_000_000_000_000;
const S = 1_000_000;

/** True time and the monotonic clock are the same, but for where they began. */
class Bench {
  nowMs = 1_000;
  /** Of our own clock. */
  errorUs = 0;
  readonly time: ClusterTime;

  constructor(quorum = 2) {
    const wallUs = (): number => this.trueUs + this.errorUs;
    this.time = new ClusterTime({ quorum, wallUs, monotonicMs: () => this.nowMs });
  }

  get trueUs(): number {
    return TRUE_US + this.nowMs * 1_000;
  }

  /** How far off the node's idea of the time is. */
  get offUs(): number {
    return this.time.nowUs() - this.trueUs;
  }

  hear(peer: number, errorUs: number, roundTripMs = 0): void {
    const sentMs = this.nowMs;
    this.nowMs += roundTripMs / 2;
    const wallUs = this.trueUs + errorUs;
    this.nowMs += roundTripMs / 2;
    this.time.heard(peer, wallUs, sentMs);
  }
}

describe('before a majority is known', () => {
  test('there is no time, and nothing is said of the clock', () => {
    const bench = new Bench(3);
    bench.hear(2, 0);
    expect([bench.time.nowUs(), bench.time.verdict.type]).toEqual([0, 'unknown']);
    expect(complaintOf(bench.time.verdict)).toMatch(/cannot be compared/);
    bench.hear(3, 0);
    expect([bench.offUs, bench.time.verdict.type]).toEqual([0, 'right']);
  });

  test('two clocks that disagree leave it open, a third decides', () => {
    const bench = new Bench();
    bench.errorUs = 600 * S;
    bench.hear(2, 0);
    expect(bench.time.verdict.type).toBe('unknown');
    bench.hear(3, 0);
    expect([bench.offUs, bench.time.verdict.type]).toEqual([0, 'wrong']);
  });

  test('two that are wrong in different ways do not move it', () => {
    const bench = new Bench();
    bench.hear(2, 0);
    bench.hear(3, 0);
    bench.hear(2, 7_200 * S);
    expect(bench.offUs).toBe(0);
    // The clock of 2 may be right again by now. Ours is the median.
    bench.errorUs = 600 * S;
    bench.hear(3, 0);
    expect([bench.offUs, bench.time.verdict.type]).toEqual([0, 'wrong']);
  });

  test('a lone member has no peer to ask', () => {
    const bench = new Bench(1);
    bench.errorUs = 5 * S;
    expect([bench.offUs, bench.time.verdict.type]).toEqual([5 * S, 'right']);
  });
});

describe('with a majority', () => {
  function three(): Bench {
    const bench = new Bench();
    bench.hear(2, 0);
    bench.hear(3, 0);
    return bench;
  }

  test('a clock that is nearly right is used as it is', () => {
    const bench = three();
    bench.errorUs = 200_000;
    expect([bench.offUs, bench.time.verdict]).toEqual([
      200_000,
      { type: 'right', aheadUs: 200_000 },
    ]);
  });

  test('one that is not so right is corrected, at once', () => {
    const bench = three();
    bench.errorUs = -12 * S;
    expect([bench.offUs, bench.time.verdict]).toEqual([0, { type: 'right', aheadUs: -12 * S }]);
  });

  test.each([
    [600 * S, /600 s ahead of its peers/],
    [-3_600 * S, /3600 s behind its peers/],
  ])('%i us: it is wrong, corrected, and that is said', (errorUs, text) => {
    const bench = three();
    bench.errorUs = errorUs;
    expect([bench.offUs, bench.time.verdict.type]).toEqual([0, 'wrong']);
    expect(complaintOf(bench.time.verdict)).toMatch(text);
    bench.errorUs = 0;
    expect(complaintOf(bench.time.verdict)).toBeUndefined();
  });

  test('one peer that is wrong changes nothing, and is known', () => {
    const bench = three();
    bench.hear(3, 400 * 86_400 * S);
    expect([bench.offUs, bench.time.verdict.type]).toEqual([0, 'right']);
    expect([bench.time.isWrong(2), bench.time.isWrong(3)]).toEqual([false, true]);
  });

  test('all clocks that are set together are followed', () => {
    const bench = three();
    bench.errorUs = 600 * S;
    for (const peer of [2, 3]) bench.hear(peer, 600 * S);
    expect([bench.offUs, bench.time.verdict.type]).toEqual([600 * S, 'right']);
  });

  test('when the others fall silent, time goes on as it went', () => {
    const bench = three();
    bench.nowMs += 60_000;
    bench.time.refresh();
    bench.errorUs = 600 * S;
    expect([bench.offUs, bench.time.verdict.type]).toEqual([0, 'wrong']);
    // One clock against one: neither is believed.
    bench.hear(2, 0);
    expect([bench.offUs, bench.time.verdict.type]).toEqual([0, 'wrong']);
    bench.hear(2, 600 * S);
    expect([bench.offUs, bench.time.verdict.type]).toEqual([600 * S, 'right']);
  });
});

describe('the way to a peer', () => {
  test('is counted by half', () => {
    const bench = new Bench();
    bench.errorUs = 600 * S;
    bench.hear(2, 0, 80);
    bench.hear(3, 0, 80);
    expect(Math.abs(bench.offUs)).toBeLessThan(1);
  });

  test('is not believed when it was long, unless there is nothing better', () => {
    const slow = new Bench();
    slow.hear(2, 0, 2_000);
    expect(slow.time.verdict.type).toBe('right');
    slow.hear(2, 900 * S, 2_000);
    expect(slow.time.isWrong(2)).toBe(false);
    slow.hear(2, 900 * S, 10);
    expect(slow.time.isWrong(2)).toBe(true);
  });

  test('an answer to what was not asked yet is dropped', () => {
    const bench = new Bench();
    bench.time.heard(2, bench.trueUs, bench.nowMs + 1);
    expect(bench.time.verdict.type).toBe('unknown');
  });
});
