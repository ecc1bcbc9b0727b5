/** A view of the keys as of one moment, walked while everything changes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arguments } from '../../../storage/arguments.ts';
import type { KeysView } from '../../../storage/keyspace/keys-view.ts';
import { bodyOf } from '../../../storage/transaction-body.ts';
import { body, Machine, versionAt } from '../harness.ts';

const KEYS = Array.from({ length: 12 }, (_, i) => `k${i}`);

/** KEYS as a unit by itself, at its place in the order: the view instead of the reply. */
function pinned(all: Machine, changesMax?: number): KeysView {
  const args = new Arguments();
  all.nowUs += 1;
  all.machine.begin(versionAt(all.nowUs));
  args.next(Buffer.from(bodyOf([body(['KEYS', '*'])])), 0);
  const view = all.machine.pinKeys(args, changesMax);
  all.machine.commit(all.machine.appliedSequence + 1);
  if (view === undefined) throw new Error('no view');
  return view;
}

function alive(all: Machine): string[] {
  const keys: string[] = [];
  for (const { key, entry } of all.machine.entries()) {
    if (!entry.expired(all.nowMs)) keys.push(key);
  }
  return keys.sort();
}

function walked(view: KeysView, limit: number, between: () => void): string[] {
  const keys: string[] = [];
  while (!view.isDone && !view.isLost) {
    keys.push(...view.next(limit).map(({ key }) => key));
    between();
  }
  return keys.sort();
}

describe('a view of the keys', () => {
  const key = fc.constantFrom(...KEYS);
  const act = fc.oneof(
    fc.tuple(fc.constant('SET'), key, fc.constant('v')),
    fc.tuple(fc.constant('DEL'), key),
    fc.tuple(fc.constant('PEXPIRE'), key, fc.constantFrom('1', '3', '1000')),
    fc.tuple(fc.constant('RENAME'), key, key),
    fc.constant(['flush']),
    fc.constant(['wait']),
  );

  test('holds the keys of its moment, whatever is written, removed, flushed or evicted', () => {
    const acts = fc.array(act, { maxLength: 40 });
    const cache = fc.constantFrom(0, 1_000, 1_000_000);
    fc.assert(
      fc.property(
        acts,
        acts,
        fc.integer({ min: 1, max: 5 }),
        cache,
        (before, after, limit, most) => {
          const all = new Machine({ cacheBytesMax: most });
          const run = (words: readonly string[]): void => {
            if (words[0] === 'flush') all.flush();
            else if (words[0] === 'wait') all.advance(1);
            else all.run(...words);
          };
          for (const words of before) run(words);
          all.advance(1);
          const view = pinned(all);
          const expected = alive(all);
          const rest = [...after];
          const found = walked(view, limit, () => {
            for (const words of rest.splice(0, 3)) run(words);
          });
          view.close();
          expect(found).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('removes nothing', () => {
    const all = new Machine();
    all.run('SET', 'a', '1', 'PX', '1');
    all.advance(5);
    expect(walked(pinned(all), 10, () => undefined)).toEqual([]);
    expect(all.machine.size).toBe(1);
  });

  test('is lost when more changes ahead of it than it may note, or all at once', () => {
    for (const words of [['MSET', 'a', '1', 'b', '1', 'c', '1'], ['FLUSHALL']]) {
      const all = new Machine();
      const view = pinned(all, 2);
      expect(view.isLost).toBe(false);
      all.run(...words);
      expect(view.isLost).toBe(true);
      view.close();
    }
  });

  test('needs nothing of what lies behind it', () => {
    const all = new Machine();
    for (const each of KEYS) all.run('SET', each, 'v');
    const view = pinned(all, 2);
    const first = view.next(6).map(({ key: each }) => each);
    for (const each of first) all.run('DEL', each);
    expect(view.isLost).toBe(false);
    view.close();
    all.run('MSET', 'x', '1', 'y', '1', 'z', '1');
    expect(view.isLost).toBe(false);
  });
});
