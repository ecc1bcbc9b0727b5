/** Commands by id: the order, and what work on a range of it costs. */
import { describe, expect, test } from 'vitest';
import { Command } from '../../../../actors/accord/local/command.ts';
import { CommandOrder } from '../../../../actors/accord/local/command-order.ts';
import { decodeDeps, encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import {
  compare,
  type Timestamp,
  type TxnId,
  ZERO,
} from '../../../../actors/accord/primitives/timestamp.ts';
import { SeededRng } from '../../../../actors/runtime/ports/seeded-rng.ts';
import { at, groupOf, LoneReplica, touching } from '../fixture.ts';

function idsOf(commands: Iterable<Command>): number[] {
  return [...commands].map(({ id }) => id.hlc);
}

describe('the order', () => {
  test('is that of the ids, however they come and go', () => {
    const rng = new SeededRng(1);
    const order = new CommandOrder();
    let model: Command[] = [];
    for (let step = 0; step < 3_000; step += 1) {
      const hlc = step * 2 - (rng.next() < 0.2 ? Math.floor(rng.next() * 1_500) * 2 + 1 : 0);
      const command = new Command(at(Math.max(1, hlc), 1 + (step % 3)));
      if (model.some(({ id }) => compare(id, command.id) === 0)) continue;
      order.add(command);
      model.push(command);
      const gone = model[Math.floor(rng.next() * model.length)];
      if (gone === undefined || rng.next() < 0.7) continue;
      expect(order.delete(gone)).toBe(true);
      expect(order.delete(gone)).toBe(false);
      model = model.filter((each) => each !== gone);
    }
    model.sort((a, b) => compare(a.id, b.id));
    expect([...order]).toEqual(model);
    expect(order.size).toBe(model.length);
    const middle = model[Math.floor(model.length / 2)] as Command;
    const start = model.indexOf(middle);
    expect([...order.from(middle.id)]).toEqual(model.slice(start));
    expect(order.takeBelow(middle.id)).toEqual(model.slice(0, start));
    expect([...order]).toEqual(model.slice(start));
    expect(order.size).toBe(model.length - start);
  });

  test('of nothing holds nothing', () => {
    const order = new CommandOrder();
    expect(idsOf(order)).toEqual([]);
    expect(idsOf(order.from(at(5)))).toEqual([]);
    expect(order.takeBelow(at(5))).toEqual([]);
    expect(order.delete(new Command(at(5)))).toBe(false);
    order.add(new Command(at(7)));
    expect(idsOf(order.from(at(8)))).toEqual([]);
    expect(idsOf(order.takeBelow(at(8)))).toEqual([7]);
    expect(order.size).toBe(0);
  });
});

describe('with much that is retained', () => {
  const RETAINED = 20_000;
  const LIST = 16;
  let looks = 0;

  /** Counts how often its time is looked at: once or twice for each comparison. */
  function counted(hlc: number): TxnId {
    return {
      ...at(1),
      get hlc() {
        looks += 1;
        return hlc;
      },
    };
  }

  function laden(): LoneReplica {
    const limits = { listIdsMax: LIST, barrierIdsMax: LIST, progressDelayMs: 1e9 };
    const lone = new LoneReplica(groupOf(3), 3, limits);
    for (let hlc = 1; hlc <= RETAINED; hlc += 1) {
      const id = counted(hlc);
      lone.take({ type: 'Stable', id, executeAt: id, deps: encodeDeps([]), ...touching(hlc) });
    }
    lone.replica.restore({ type: 'RedundantBefore', before: at(RETAINED + 1) }, 1);
    looks = 0;
    return lone;
  }

  /** A binary search over all of it, and what is named. */
  const LOOKS_MAX = 2 * (Math.ceil(Math.log2(RETAINED)) + 3 * LIST) + 50;

  test('a list costs what it names', () => {
    const lone = laden();
    const from: Timestamp = at(RETAINED / 2);
    const { ids } = lone.ask({ type: 'CatchUp', from }, 'AppliedList');
    expect(looks).toBeGreaterThan(LIST);
    expect(looks).toBeLessThan(LOOKS_MAX);
    expect(decodeDeps(ids)).toHaveLength(LIST);
  });

  test('a promise of a rejectBefore costs what it names', () => {
    const lone = laden();
    const before = at(RETAINED + 1);
    lone.take({ type: 'RejectBefore', before, base: at(RETAINED / 2) });
    expect(looks).toBeLessThan(LOOKS_MAX);
  });

  test('an answer to a barrier costs what it names', () => {
    const lone = laden();
    const after = at(RETAINED / 2);
    lone.take({ type: 'ReadBarrier', token: 1, redundantBefore: ZERO, after });
    expect(looks).toBeLessThan(LOOKS_MAX);
  });
});
