/** Loaded scripts, however many there are and however long: every replica has the same ones. */
import { describe, expect, test } from 'vitest';
import { sha1Of } from '../../../storage/commands/script/sha1.ts';
import { SCRIPT_LIMITS } from '../../../storage/script-limits.ts';
import { Machine, META } from '../harness.ts';

const NO_ROOM =
  '-OOM command not allowed: the loaded scripts would be larger than scripts-bytes-max, ' +
  'see SCRIPT FLUSH';

function bodiesOf(count: number, bytes: number): string[] {
  return Array.from({ length: count }, (_, n) => `return ${n} -- ${'x'.repeat(bytes)}`);
}

function machineWith(bodies: readonly string[]): Machine {
  const machine = new Machine({ cacheBytesMax: 64_000_000, dirtyBytesMax: 64_000_000 });
  for (const body of bodies) expect(machine.run('SCRIPT', 'LOAD', body)).toBe(sha1Of(body));
  return machine;
}

function known(machine: Machine, bodies: readonly string[]): number {
  const found = machine.run('SCRIPT', 'EXISTS', ...bodies.map(sha1Of)) as number[];
  return found.reduce((sum, each) => sum + each, 0);
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
    const restarted = machine.restarted();
    expect(known(restarted, bodies)).toBe(bodies.length);
    expect(restarted.run('EVALSHA', sha1Of(bodies.at(-1) ?? ''), '0')).toBe(bodies.length - 1);
  });

  test('are all forgotten with SCRIPT FLUSH', () => {
    const bodies = bodiesOf(1_200, 0);
    const machine = machineWith(bodies);
    machine.flush();
    expect(machine.run('SCRIPT', 'FLUSH')).toBe('+OK');
    expect(known(machine, bodies)).toBe(0);
    machine.flush();
    expect(known(machine.restarted(), bodies)).toBe(0);
  });

  test('have a size together', () => {
    const [first = '', second = ''] = bodiesOf(2, SCRIPT_LIMITS.scriptsBytesMax / 2);
    const machine = machineWith([first]);
    expect(machine.run('SCRIPT', 'LOAD', second)).toBe(NO_ROOM);
    expect(known(machine, [first, second])).toBe(1);
    expect(machine.run('SCRIPT', 'FLUSH')).toBe('+OK');
    expect(machine.run('SCRIPT', 'LOAD', second)).toBe(sha1Of(second));
  });
});

test('rows beside the keys are told to no subscriber, and to no client that keeps keys', () => {
  const machine = new Machine();
  const meta = new Machine({ groups: [META] });
  for (const each of [machine, meta]) {
    each.all.eventFlags = 'AnKEm';
    each.machine.tracksWrites = true;
  }
  machine.run('SCRIPT', 'LOAD', 'return 1');
  expect(meta.read('HOLO.TABLEVERSION', 'version')).toBe(0);
  expect(meta.run('HOLO.TABLEVERSION', 'version')).toBe(0);
  meta.run('HOLO.SETTING', 'version', 'hash-max-listpack-entries', '7');
  for (const each of [machine, meta]) {
    expect(each.machine.takeEvents()).toEqual([]);
    expect(each.machine.takeWritten()).toBeUndefined();
    expect([each.all.hits, each.all.misses]).toEqual([0, 0]);
  }
});
