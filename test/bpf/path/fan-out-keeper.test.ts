/** When the keeper acts, and when it must not; time, kernel and link are made up. */
import { beforeEach, expect, test } from 'vitest';
import {
  FanOutKeeper,
  REATTACH_WAIT_MS_MAX,
  REATTACH_WAIT_MS_MIN,
} from '../../../bpf/path/fan-out-keeper.ts';

let nowMs = 0;
let present = true;
let ready = 1;
let refusal: string | undefined;
let tries: number[] = [];
let triedKernel = 0;
let fannedOut = 0;
let said: string[] = [];
let keeper: FanOutKeeper;

beforeEach(() => {
  nowMs = 1_000;
  present = true;
  ready = 1;
  refusal = undefined;
  tries = [];
  triedKernel = 0;
  fannedOut = 0;
  said = [];
  keeper = new FanOutKeeper({
    kernel: {
      refreshNeighbours: () => ready,
      reattach: () => {
        tries.push(nowMs);
        if (refusal !== undefined) throw new Error(refusal);
      },
    },
    link: {
      get kernelPresent() {
        return present;
      },
      get counters() {
        return { fannedOut };
      },
      tryKernelAgain: () => {
        triedKernel += 1;
      },
    },
    monotonicMs: () => nowMs,
    onReattached: () => said.push('reattached'),
    onRefused: (reason) => said.push(reason),
  });
});

function refreshUntil(endMs: number): void {
  for (; nowMs <= endMs; nowMs += 250) keeper.refresh();
}

test('leaves a kernel alone that is there', () => {
  refreshUntil(100_000);
  expect([tries, triedKernel, said, keeper.reattached]).toEqual([[], 0, [], 0]);
});

test('attaches again at once, and lets the next round try it', () => {
  present = false;
  keeper.refresh();
  expect([tries, triedKernel, said]).toEqual([[1_000], 1, ['reattached']]);
  expect(keeper.reattached).toBe(1);
});

test('where that does not help, waits twice as long each time, up to its maximum', () => {
  present = false;
  refreshUntil(400_000);
  const waits = tries.slice(1).map((at, index) => at - (tries[index] ?? 0));
  expect(waits.slice(0, 6)).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, REATTACH_WAIT_MS_MAX]);
  expect(Math.max(...waits)).toBe(REATTACH_WAIT_MS_MAX);
});

test('waits short again after it has helped', () => {
  present = false;
  refreshUntil(20_000);
  present = true;
  fannedOut = 1;
  refreshUntil(60_000);
  present = false;
  tries = [];
  refreshUntil(60_000 + REATTACH_WAIT_MS_MIN + 500);
  expect(tries).toHaveLength(2);
});

test('a refusal is told, not thrown, and tried again later', () => {
  present = false;
  refusal = 'Operation not permitted';
  refreshUntil(3_500);
  expect([tries.length, triedKernel, keeper.reattached]).toEqual([2, 0, 0]);
  expect(said).toEqual(['Operation not permitted', 'Operation not permitted']);
});

test('an Ethernet address that is not known is no reason to attach; known, it is used at once', () => {
  present = false;
  ready = 0;
  refreshUntil(10_000);
  expect([tries, triedKernel]).toEqual([[], 0]);
  present = true;
  ready = 1;
  keeper.refresh();
  keeper.refresh();
  expect([tries, triedKernel]).toEqual([[], 1]);
});

test('a kernel that is only not known to be missing has not helped: the waits go on growing', () => {
  // After each try some rounds pass until the link knows that they still go out by hand.
  let roundsLeft = 0;
  for (; nowMs <= 400_000; nowMs += 250) {
    const before = triedKernel;
    present = roundsLeft-- > 0;
    keeper.refresh();
    if (triedKernel > before) roundsLeft = 13;
  }
  expect(tries.length).toBeLessThan(14);
});
