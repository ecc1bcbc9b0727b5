/** The cluster's table where the members of the meta group change. */
import { expect, test } from 'vitest';
import { Arguments } from '../../storage/arguments.ts';
import type { GroupSlots } from '../../storage/engine.ts';
import { POSITIONS } from '../../storage/keyspace/slots.ts';
import { TABLE_DATABASE } from '../../storage/limits.ts';
import type { StateMachine } from '../../storage/state-machine.ts';
import {
  body,
  GROUP,
  Machine,
  META,
  Replies,
  type Reply,
  unitsBody,
  versionAt,
} from './harness.ts';

const NEXT: GroupSlots = { ...META, id: { range: 0, generation: 2 } };

/** One transaction with a change per unit; as an executor does it. */
function execute(machine: StateMachine, hlc: number, ...changes: string[][]): Reply | undefined {
  const args = new Arguments();
  const replies = new Replies();
  const hadEffect = machine.hadEffect(versionAt(hlc));
  machine.begin(versionAt(hlc));
  for (const change of hadEffect ? [] : changes) {
    args.next(body(['HOLO.SETTING', 'version', ...change]), 0);
    machine.run(args, replies);
  }
  machine.commit(machine.appliedSequence + 1);
  return replies.take();
}

function member(): Machine {
  const machine = new Machine({ groups: [META, GROUP] });
  execute(machine.machine, 10, ['a', '1']);
  machine.flush();
  return machine;
}

function divide(machine: Machine, successors: readonly GroupSlots[]): void {
  const { appliedSequence } = machine.machine;
  const division = { group: META.id, sequence: appliedSequence + 1, successors };
  machine.all.divide([division], (error) => expect(error).toBeUndefined());
  machine.turns.run();
}

function opened(machine: Machine): StateMachine {
  return machine.all.of(NEXT.id) as StateMachine;
}

test('those that stay go on with it', () => {
  const machine = member();
  divide(machine, [NEXT]);
  expect(machine.all.settings.values.get('a')).toBe('1');
  expect(execute(opened(machine), 20, ['b', '2'])).toBe(2);
  expect(machine.all.settings).toMatchObject({ version: 2 });
  expect(machine.all.open.map(({ id }) => id)).toEqual([GROUP.id, NEXT.id]);
});

test('one that leaves keeps nothing of it, and all of its keys', () => {
  const machine = member();
  divide(machine, []);
  expect(machine.engine.page(TABLE_DATABASE, 0, POSITIONS, 10)).toEqual([]);
  expect(machine.all.open.map(({ id }) => id)).toEqual([GROUP.id]);
  expect([machine.all.left, machine.all.settings.version]).toEqual([[], 0]);
  expect(machine.all.hasEnded(META.id)).toBe(true);
});

test('a new member begins with that of others, and what it holds has no effect again', () => {
  const donor = member();
  divide(donor, [NEXT]);
  execute(opened(donor), 20, ['b', '2']);
  execute(opened(donor), 30, ['c', '3']);
  const table = donor.all.settings;
  execute(opened(donor), 40, ['d', '4']);

  const joined = new Machine({ groups: [GROUP] });
  joined.all.installTable(NEXT, table, (error) => expect(error).toBeUndefined());
  joined.turns.run();
  const machine = opened(joined);
  expect(machine.settings).toEqual(table);
  for (const [hlc, name] of [
    [20, 'b'],
    [30, 'c'],
  ] as const) {
    expect(execute(machine, hlc, [name, 'again'])).toBeUndefined();
  }
  expect(execute(machine, 40, ['d', '4'])).toBe(4);
  expect(machine.digest()).toBe(opened(donor).digest());
  // The rest comes again from the log.
  const later = new Machine({ groups: [GROUP] }, joined.store);
  expect([opened(later).appliedSequence, opened(later).settings]).toEqual([0, table]);
});

test('a table that comes anew replaces the one that was left', () => {
  const machine = member();
  divide(machine, []);
  const table = { version: 7, values: new Map([['x', '9']]) };
  machine.all.installTable(NEXT, table, () => undefined);
  machine.turns.run();
  expect(machine.all.settings).toEqual(table);
  expect(opened(new Machine({ groups: [GROUP, META] }, machine.store)).settings).toEqual(table);
});

test('of a transaction that the engine has in part the rest is executed', () => {
  const machine = member();
  const { machine: table } = machine;
  const setting = (...words: string[]): string[] => ['HOLO.SETTING', 'version', ...words];
  const both = unitsBody([setting('b', '2')], [setting('c', '3')]);
  const args = new Arguments();
  table.begin(versionAt(20));
  const end = args.next(both, 0);
  table.run(args, new Replies());
  machine.flush();
  // It is told whole, or not at all.
  expect(table.settings.values.has('b')).toBe(false);
  const again = machine.restarted({ groups: [META, GROUP] }).machine;
  expect(again.settings.version).toBe(0);
  expect(again.hadEffect(versionAt(20))).toBe(false);
  again.begin(versionAt(20));
  for (const at of [0, end]) {
    args.next(both, at);
    again.run(args, new Replies());
  }
  again.commit(2);
  const { version, values } = again.settings;
  expect([version, values.get('b'), values.get('c')]).toEqual([3, '2', '3']);
});
