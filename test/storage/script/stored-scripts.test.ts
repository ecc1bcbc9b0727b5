/** Loaded scripts, however many there are and however long: every replica has the same ones. */
import { describe, expect, test } from 'vitest';
import { sha1Of } from '../../../storage/commands/script/sha1.ts';
import { SCRIPT_LIMITS } from '../../../storage/script-limits.ts';
import { Machine, META, type Reply } from '../harness.ts';

const NO_ROOM =
  '-OOM command not allowed: the loaded scripts and functions would be larger than ' +
  'scripts-bytes-max, see SCRIPT FLUSH and FUNCTION DELETE';

function bodiesOf(count: number, bytes: number): string[] {
  return Array.from({ length: count }, (_, n) => `return ${n} -- ${'x'.repeat(bytes)}`);
}

/** Without the version of the table. */
function told(reply: Reply | undefined): Reply | undefined {
  return Array.isArray(reply) ? reply[1] : reply;
}

function machineWith(bodies: readonly string[]): Machine {
  const machine = new Machine({ groups: [META], dirtyBytesMax: 64_000_000 });
  for (const body of bodies) expect(told(machine.run('SCRIPT', 'LOAD', body))).toBe(sha1Of(body));
  return machine;
}

function known(machine: Machine, bodies: readonly string[]): number {
  const found = machine.run('SCRIPT', 'EXISTS', ...bodies.map(sha1Of)) as number[];
  return found.reduce((sum, each) => sum + each, 0);
}

function restarted(machine: Machine): Machine {
  return machine.restarted({ groups: [META] });
}

describe('loaded scripts', () => {
  test.each([
    ['more than a page of rows', bodiesOf(1_200, 0)],
    ['more than a page of bytes', bodiesOf(12, 1_000_000)],
  ])('%s are found, before and behind a flush and a restart', (_, bodies) => {
    const machine = machineWith(bodies);
    expect(known(machine, bodies)).toBe(bodies.length);
    machine.flush();
    machine.run('SCRIPT', 'LOAD', 'return "one more"');
    expect(known(machine, bodies)).toBe(bodies.length);
    expect(known(restarted(machine), bodies)).toBe(bodies.length);
  });

  test('are all forgotten with SCRIPT FLUSH', () => {
    const bodies = bodiesOf(1_200, 0);
    const machine = machineWith(bodies);
    machine.flush();
    expect(told(machine.run('SCRIPT', 'FLUSH'))).toBe('+OK');
    expect(known(machine, bodies)).toBe(0);
    machine.flush();
    expect(known(restarted(machine), bodies)).toBe(0);
  });

  test('have a size together, and with the functions', () => {
    const [first = '', second = ''] = bodiesOf(2, SCRIPT_LIMITS.scriptsBytesMax / 2);
    const machine = machineWith([first]);
    expect(machine.run('SCRIPT', 'LOAD', second)).toBe(NO_ROOM);
    expect(known(machine, [first, second])).toBe(1);
    const library = "#!lua name=lib\nredis.register_function('f', function() end)";
    machine.run('HOLO.SETTING', 'version', 'scripts-bytes-max', String(first.length + 10));
    expect(machine.run('FUNCTION', 'LOAD', library)).toBe(NO_ROOM);
    expect(told(machine.run('SCRIPT', 'FLUSH'))).toBe('+OK');
    expect(told(machine.run('FUNCTION', 'LOAD', library))).toBe('lib');
    expect(machine.run('SCRIPT', 'LOAD', first)).toBe(NO_ROOM);
    machine.run('HOLO.SETTING', 'version', 'scripts-bytes-max', '1');
    expect(told(machine.run('FUNCTION', 'LOAD', 'REPLACE', library))).toBe('lib');
    expect(machine.run('FUNCTION', 'LOAD', 'REPLACE', `${library} -- longer`)).toBe(NO_ROOM);
  });
});

test('rows of the table are told to no subscriber, and to no client that keeps keys', () => {
  const meta = new Machine({ groups: [META] });
  meta.all.eventFlags = 'AnKEm';
  meta.machine.tracksWrites = true;
  meta.run('SCRIPT', 'LOAD', 'return 1');
  expect(meta.read('HOLO.TABLEVERSION', 'version')).toBe(1);
  meta.run('HOLO.SETTING', 'version', 'hash-max-listpack-entries', '7');
  expect(meta.machine.takeEvents()).toEqual([]);
  expect(meta.machine.takeWritten()).toBeUndefined();
  expect([meta.all.hits, meta.all.misses]).toEqual([0, 0]);
});
