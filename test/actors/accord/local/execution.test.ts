/** The order of execution: whom to wait for, whom not, and who is released by what. */
import { describe, expect, test } from 'vitest';
import type { Effect } from '../../../../actors/accord/local/effects.ts';
import type { AccordMessage } from '../../../../actors/accord/messages/messages.ts';
import { type Deps, encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import {
  keyOf,
  type Timestamp,
  type TxnId,
} from '../../../../actors/accord/primitives/timestamp.ts';
import { at, ballot, LoneReplica, touching } from '../fixture.ts';

function stable(id: TxnId, executeAt: Timestamp, deps: Deps): AccordMessage {
  return { type: 'Stable', id, executeAt, deps: encodeDeps(deps), ...touching(1) };
}

function executed(effects: readonly Effect[]): string[] {
  return effects.flatMap((e) => (e.type === 'Execute' ? [keyOf(e.execution.id)] : []));
}

const a = at(100);
const b = at(200);
const c = at(300);

describe('a stable transaction', () => {
  test('waits for its deps that execute earlier, then runs, and its waiters behind it', () => {
    const lone = new LoneReplica();
    expect(executed(lone.take(stable(c, c, [a, b])))).toEqual([]);
    expect(executed(lone.take(stable(b, b, [a])))).toEqual([]);
    expect(executed(lone.take(stable(a, a, [])))).toEqual([a, b, c].map(keyOf));
  });

  test('does not wait for a dep that executes later, known before or after', () => {
    const known = new LoneReplica();
    known.take(stable(a, at(500), [b]));
    expect(executed(known.take(stable(b, b, [a])))).toEqual([b, a].map(keyOf));
    const learned = new LoneReplica();
    expect(executed(learned.take(stable(b, b, [a])))).toEqual([]);
    expect(executed(learned.take(stable(a, at(500), [b])))).toEqual([b, a].map(keyOf));
  });

  test('two that name each other both run, in the order of executeAt', () => {
    for (const first of [a, b]) {
      const lone = new LoneReplica();
      const messages = [stable(a, at(500), [b]), stable(b, at(400), [a])];
      const order = first === a ? messages : messages.reverse();
      expect(order.flatMap((message) => executed(lone.take(message)))).toEqual([b, a].map(keyOf));
    }
  });

  test('a dep that is merely committed for later need not be waited for', () => {
    const lone = new LoneReplica();
    const executeAt = at(500);
    const deps = encodeDeps([]);
    const value = { id: a, ballot: ballot(1), executeAt, deps, ...touching(1) };
    lone.take({ type: 'Commit', ...value });
    expect(executed(lone.take(stable(b, b, [a])))).toEqual([keyOf(b)]);
  });

  test('is released by the invalidation of a dep, and by nothing less', () => {
    const lone = new LoneReplica();
    lone.take(stable(b, b, [a]));
    lone.take({ type: 'AcceptInvalidate', id: a, ballot: ballot(1) });
    expect(executed(lone.tick(1))).toEqual([]);
    expect(executed(lone.take({ type: 'CommitInvalidate', id: a }))).toEqual([keyOf(b)]);
  });

  test('an unknown dep gets a record, so that it is looked up', () => {
    const lone = new LoneReplica();
    lone.take(stable(b, b, [a]));
    expect(lone.replica.view.find(a)).toBeDefined();
    expect(lone.replica.view.unapplied.size).toBe(2);
  });

  test('nothing below what is settled is waited for', () => {
    const lone = new LoneReplica();
    const list = { base: at(0, 0), before: at(150, 0), ids: encodeDeps([]) };
    lone.take({ type: 'AppliedList', ...list, base: { hlc: 0, flags: 0, node: 0, store: 0 } });
    expect(executed(lone.take(stable(b, b, [a])))).toEqual([keyOf(b)]);
  });
});

test('a chain of ten thousand is released without recursion, with consecutive places', () => {
  const lone = new LoneReplica();
  const length = 10_000;
  for (let i = length; i > 1; i -= 1) lone.take(stable(at(i), at(i), [at(i - 1)]));
  const effects = lone.take(stable(at(1), at(1), []));
  const sequences = effects.flatMap((e) => (e.type === 'Execute' ? [e.execution.sequence] : []));
  expect(sequences).toEqual(Array.from({ length }, (_, index) => index + 1));
});
