import { expect, test } from 'vitest';
import { LoggedCommands } from '../../../../actors/accord/durability/logged-commands.ts';
import { Command } from '../../../../actors/accord/local/command.ts';

/** Counts how often a command is looked up. */
class Held extends Map<string, Command> {
  lookups = 0;

  override get(key: string): Command | undefined {
    this.lookups += 1;
    return super.get(key);
  }
}

function commandAt(hlc: number): Command {
  return new Command({ hlc, flags: 0, node: 1, store: 0 });
}

function logged(count: number): { held: Held; commands: LoggedCommands; all: Command[] } {
  const held = new Held();
  const commands = new LoggedCommands(held);
  const all = Array.from({ length: count }, (_, at) => commandAt(at + 1));
  for (const [at, command] of all.entries()) {
    held.set(command.key, command);
    commands.add(command, 10 + Math.floor(at / 2));
  }
  return { held, commands, all };
}

test('the oldest LSN of what is held, in whatever order commands are forgotten', () => {
  const { held, commands, all } = logged(6);
  expect(commands.oldestLsn()).toBe(10);
  held.delete((all[2] as Command).key);
  held.delete((all[0] as Command).key);
  expect(commands.oldestLsn()).toBe(10);
  held.delete((all[1] as Command).key);
  expect(commands.oldestLsn()).toBe(11);
  held.clear();
  expect(commands.oldestLsn()).toBe(undefined);
  const next = commandAt(100);
  held.set(next.key, next);
  expect(commands.oldestLsn()).toBe(undefined);
  commands.add(next, 50);
  commands.add(next, 60);
  expect(commands.oldestLsn()).toBe(50);
  expect(next.firstLsn).toBe(50);
});

test('a command that was forgotten and is held anew counts from its new record', () => {
  const { held, commands, all } = logged(1);
  const [{ key, id }] = all as [Command];
  const anew = new Command(id);
  held.set(key, anew);
  expect(commands.oldestLsn()).toBe(undefined);
  commands.add(anew, 70);
  expect(commands.oldestLsn()).toBe(70);
});

test('asking again and again costs a look each, whatever is retained, and memory is let go', () => {
  const count = 20_000;
  const { held, commands, all } = logged(count);
  for (const { key } of all.slice(0, count - 10)) {
    held.delete(key);
    expect(commands.oldestLsn()).toBeGreaterThan(0);
  }
  // One for the command that is gone, one for the oldest that is there.
  expect(held.lookups).toBeLessThanOrEqual(2 * count);
  expect(commands.size).toBeLessThanOrEqual(2 * 1_024);
});
