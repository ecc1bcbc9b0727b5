/** A node that sees others come and go. */
import { expect, test } from 'vitest';
import { ZERO } from '../../../actors/accord/primitives/timestamp.ts';
import { apply } from '../../../actors/meta/apply.ts';
import type { MetaState } from '../../../actors/meta/meta-state.ts';
import { NODE_WATCH_LIMITS, NodeWatch } from '../../../actors/meta/node-watch.ts';
import { FORM } from './form-sample.ts';

class Bench {
  state = apply(undefined, FORM, ZERO).state as MetaState;
  nowMs = 1_000;
  readonly down = new Set<number>();
  readonly #watch: NodeWatch;

  constructor(self = 1) {
    this.#watch = new NodeWatch(self, NODE_WATCH_LIMITS);
    this.after(0);
  }

  /** So many milliseconds later. */
  after(ms: number): string | undefined {
    this.nowMs += ms;
    const { state, nowMs, down } = this;
    const presentUs = nowMs * 1_000;
    const seen = this.#watch.acts({
      ...{ state, nowMs, presentUs },
      isUp: (node) => !down.has(node),
    });
    if (seen === undefined) return undefined;
    const at = { hlc: presentUs, flags: 2, node: 1, store: 0 };
    this.state = apply(state, seen, at).state as MetaState;
    return `${seen.type} ${seen.node}`;
  }
}

test('a node that is gone for two seconds is missed; one that flickers is not', () => {
  const bench = new Bench();
  bench.down.add(2);
  expect(bench.after(100)).toBeUndefined();
  bench.down.clear();
  expect(bench.after(1_900)).toBeUndefined();
  bench.down.add(2);
  expect([0, 1_900, 200].map((ms) => bench.after(ms))).toEqual([
    undefined,
    undefined,
    'NodeMissed 2',
  ]);
  expect(bench.after(60_000)).toBeUndefined();
});

test('each time in a row it must have been back for twice as long', () => {
  const bench = new Bench();
  for (const backMs of [10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000]) {
    bench.down.add(3);
    bench.after(0);
    expect(bench.after(2_000)).toBe('NodeMissed 3');
    bench.down.delete(3);
    bench.after(0);
    expect([backMs, bench.after(backMs - 1)]).toEqual([backMs, undefined]);
    expect(bench.after(1)).toBe('NodeBack 3');
  }
});

test('the lowest that is up tells; the next one stands in for it', () => {
  const [first, second] = [new Bench(2), new Bench(3)];
  for (const bench of [first, second]) {
    bench.down.add(1);
    bench.after(0);
  }
  expect(first.after(2_000)).toBe('NodeMissed 1');
  expect(second.after(2_000)).toBeUndefined();
  expect(second.after(1_000)).toBe('NodeMissed 1');
});

test('a node that begins has patience with those that begin as well', () => {
  const bench = new Bench();
  const watch = new NodeWatch(1, NODE_WATCH_LIMITS);
  const { state } = bench;
  const acts = (nowMs: number) =>
    watch.acts({ state, nowMs, presentUs: nowMs * 1_000, isUp: () => false })?.type;
  expect([0, 11_999, 12_000].map(acts)).toEqual([undefined, undefined, 'NodeMissed']);
});

test('a paused controller tells nothing', () => {
  const bench = new Bench();
  bench.state = { ...bench.state, pausedControllers: ['replicas'] };
  bench.down.add(2);
  bench.after(0);
  expect(bench.after(60_000)).toBeUndefined();
});
