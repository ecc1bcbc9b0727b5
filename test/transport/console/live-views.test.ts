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

  watch(): () => void {
    return this.views.watch(
      'overview',
      {},
      {
        show: () => {
          this.shown += 1;
        },
      },
    );
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
