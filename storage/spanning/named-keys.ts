/** The keys that the commands of a transaction name, database by database. Pure. */
import { Arguments } from '../arguments.ts';
import { fitsArity, keysAmong } from '../commands/command.ts';
import { commandFor } from '../commands/command-table.ts';
import { databaseNumber } from '../commands/database-number.ts';
import { UNCHANGED_COMMAND } from '../commands/watched.ts';

export interface NamedKey {
  readonly database: number;
  readonly key: string;
  readonly slot: number;
  /** Some command looks at its value. */
  readonly needsValue: boolean;
}

/**
 * Each once, in the order in which they are named. `findsKeys`: some command needs others, which
 * only show while it runs. `wholeStore`: some command looks at all keys, and with `listsKeys` at
 * their names.
 */
export function namedKeys(commands: Uint8Array): {
  readonly keys: readonly NamedKey[];
  readonly findsKeys: boolean;
  readonly wholeStore: boolean;
  readonly listsKeys: boolean;
} {
  let findsKeys = false;
  let wholeStore = false;
  let listsKeys = false;
  const args = new Arguments();
  const named = new Map<string, NamedKey>();
  for (let at = 0; at < commands.length; ) {
    at = args.next(commands, at);
    const command = commandFor(args);
    wholeStore ||= command?.keys === 'whole-store';
    listsKeys ||= command?.listsKeys?.(args) === true;
    if (command === undefined || typeof command.keys === 'string') continue;
    if (!fitsArity(command.arity, args.count)) continue;
    findsKeys ||= command.findsKeys?.(args) === true;
    for (const i of keysAmong(command.keys, args)) {
      const database = databaseOf(command.name, args, i);
      const key = args.text(i);
      const name = `${database} ${key}`;
      const needsValue = command.ignoresValues !== true || named.get(name)?.needsValue === true;
      named.set(name, { database, key, slot: args.slot(i), needsValue });
    }
  }
  return { keys: [...named.values()], findsKeys, wholeStore, listsKeys };
}

/** Watched keys are named with their databases. */
function databaseOf(name: string, args: Arguments, key: number): number {
  const named = name === UNCHANGED_COMMAND ? databaseNumber(args.text(key - 1)) : args.database;
  return typeof named === 'number' ? named : args.database;
}
