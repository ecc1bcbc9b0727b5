/** Messages that full mailboxes refuse, and the outlets that keep them. */
import { describe, expect, test } from 'vitest';
import type { ActorContext } from '../../../../actors/runtime/behavior.ts';
import { Outlet, OutletError } from '../../../../actors/runtime/cells/outlet.ts';
import { recording, spec, virtualSystem } from '../fixture.ts';

/** An actor with little room, suspended, and what it has received once it runs. */
function narrow(mailboxMax: number, more: Parameters<typeof recording>[2] = {}) {
  const { scheduler, system, letters } = virtualSystem();
  const log: string[] = [];
  const ref = system.root.child(spec('a', recording('a', log, more), { mailboxMax }));
  system.suspend('node/a');
  const run = (): string[] => {
    system.resume('node/a');
    scheduler.runUntilIdle();
    return log.filter((line) => !line.includes('start')).map((line) => line.slice(2));
  };
  return { scheduler, system, letters, ref, run };
}

describe('an outlet', () => {
  test.each([1, 2, 7, 100])('keeps what a mailbox of %i refuses, in order', (mailboxMax) => {
    const { ref, run, letters } = narrow(mailboxMax);
    const outlet = new Outlet(ref);
    const all = Array.from({ length: 5_000 }, (_, at) => String(at));
    for (const message of all) outlet.send(message);
    expect(outlet.kept).toBe(5_000 - mailboxMax);
    expect(run()).toEqual(all);
    expect(outlet.kept).toBe(0);
    expect(letters).toEqual([]);
  });

  test('lets nothing overtake what it keeps', () => {
    const { scheduler, system, ref, run } = narrow(2);
    const outlet = new Outlet(ref);
    for (const message of ['1', '2', '3', '4', '5']) outlet.send(message);
    system.resume('node/a');
    scheduler.step();
    outlet.send('6');
    expect(run()).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  test('shares the room with the others that wait, each in its turn', () => {
    const { ref, run } = narrow(1);
    const [left, right] = [new Outlet(ref), new Outlet(ref)];
    for (const message of ['l1', 'l2', 'l3', 'l4']) left.send(message);
    for (const message of ['r1', 'r2']) right.send(message);
    expect(run()).toEqual(['l1', 'l2', 'r1', 'l3', 'r2', 'l4']);
  });

  test('refuses at its bound: `tell` says so, `send` throws', () => {
    const { ref, run } = narrow(1);
    const outlet = new Outlet(ref, 2);
    const told = ['1', '2', '3', '4'].map((message) => outlet.tell(message));
    expect(told).toEqual([true, true, true, false]);
    expect(() => outlet.send('5')).toThrow(OutletError);
    expect(run()).toEqual(['1', '2', '3']);
    expect(() => new Outlet(ref, 0)).toThrow(RangeError);
  });

  test('gives to the next incarnation what a crash has left', () => {
    const { ref, run, letters } = narrow(1);
    const outlet = new Outlet(ref);
    for (const message of ['1', 'boom', '2', 'boom', '3']) outlet.send(message);
    expect(run()).toEqual(['1', 'crash', '2', 'crash', '3']);
    expect(letters).toEqual(['node/a boom crashed', 'node/a boom crashed']);
  });

  test('makes dead letters of what an actor that has ended for good can never take', () => {
    const { scheduler, system, ref, letters } = narrow(1);
    const outlet = new Outlet(ref);
    for (const message of ['1', '2', '3']) outlet.send(message);
    system.root.remove('a');
    scheduler.runUntilIdle();
    outlet.send('4');
    expect(outlet.tell('5')).toBe(false);
    expect(outlet.kept).toBe(0);
    const stopped = ['1', '2', '3', '4', '5'].map((message) => `node/a ${message} stopped`);
    expect(letters).toEqual(stopped);
  });

  test('takes the word of a ref that cannot call back for final', () => {
    const told: string[] = [];
    const outlet = new Outlet({ path: 'x', tell: (message: string) => told.push(message) < 2 });
    expect([outlet.tell('1'), outlet.tell('2')]).toEqual([true, false]);
    expect(outlet.kept).toBe(0);
  });

  test('of an incarnation ends with it', () => {
    const { scheduler, system, ref, letters } = narrow(1);
    const contexts: ActorContext<string>[] = [];
    const sender = system.root.child(spec('s', recording('s', [], {}, contexts)));
    const outlet = contexts[0]?.outlet(ref);
    for (const message of ['1', '2']) outlet?.send(message);
    sender.tell('boom');
    scheduler.runUntilIdle();
    outlet?.send('3');
    expect(letters).toEqual(['node/s boom crashed', 'node/a 2 stale']);
  });
});

describe('completions of its own work', () => {
  test('reach an actor whose mailbox others have filled, up to a bound', () => {
    const { scheduler, system, letters } = virtualSystem();
    const log: string[] = [];
    const contexts: ActorContext<string>[] = [];
    const more = { mailboxMax: 1, ownMax: 2 };
    const ref = system.root.child(spec('a', recording('a', log, {}, contexts), more));
    expect([ref.tell('1'), ref.tell('2')]).toEqual([true, false]);
    const own = ['3', '4', '5'].map((message) => contexts[0]?.thisIncarnation.tell(message));
    expect(own).toEqual([true, true, false]);
    scheduler.runUntilIdle();
    expect(log).toEqual(['a:start1', 'a:1', 'a:3', 'a:4']);
    expect(letters).toEqual(['node/a 2 full', 'node/a 5 full']);
  });
});
