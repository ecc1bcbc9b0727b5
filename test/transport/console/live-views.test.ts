/** Views are gathered while somebody watches, and at no other time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { LiveViews } from '../../../transport/console/live-views.ts';

const EVERY_MS = 20;

class Bench {
  gathered = 0;
  shown = 0;
  readonly views = new LiveViews({
    gather: () => {
      this.gathered += 1;
      return Promise.resolve(this.gathered);
    },
    everyMs: EVERY_MS,
  });

  watch(node?: number): () => void {
    const show = (): void => {
      this.shown += 1;
    };
    const stop = this.views.watch('actors', node === undefined ? {} : { node }, { show });
    if (stop === undefined) throw new Error('too many views');
    return stop;
  }
}

test('nothing is gathered without a watcher', async () => {
  const bench = new Bench();
  const stop = bench.watch();
  await sleep(5 * EVERY_MS);
  stop();
  const { gathered } = bench;
  expect(gathered).toBeGreaterThan(1);
  await sleep(5 * EVERY_MS);
  expect(bench.gathered).toBe(gathered);
});

test('the map of slots comes with every fifth of the others', async () => {
  const seen = { actors: 0, heat: 0 };
  const { views } = new Bench();
  const stops = (['actors', 'heat'] as const).map((view) => {
    const show = (): void => {
      seen[view] += 1;
    };
    return views.watch(view, {}, { show });
  });
  await sleep(16 * EVERY_MS);
  for (const stop of stops) stop?.();
  expect(seen.heat).toBeGreaterThan(1);
  expect(seen.actors).toBeGreaterThan(2 * seen.heat);
});

test('a watcher that comes at any moment after the last one is shown what is new', async () => {
  for (let pauseMs = 0; pauseMs < 5 * EVERY_MS; pauseMs += EVERY_MS / 4) {
    const bench = new Bench();
    bench.watch()();
    await sleep(pauseMs);
    const stop = bench.watch();
    await sleep(EVERY_MS);
    const { shown } = bench;
    await sleep(4 * EVERY_MS);
    expect([pauseMs, bench.shown - shown]).not.toEqual([pauseMs, 0]);
    stop();
  }
});

test('so many different views are gathered, and others again once these are given up', async () => {
  const bench = new Bench();
  const stops = Array.from({ length: 64 }, (_, node) => bench.watch(node));
  expect(() => bench.watch(64)).toThrow('too many views');
  stops.push(bench.watch(63));
  for (const stop of stops) stop();
  await sleep(5 * EVERY_MS);
  bench.watch(64)();
});
