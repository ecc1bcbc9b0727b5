/**
 * WATCH in two commands that only nodes send. `HOLO.VERSION` tells the state of a key, as replicas
 * agree on it, and `HOLO.UNCHANGED` at the beginning of a unit lets the rest of it run only if the
 * keys are in the states that were told.
 *
 * A state is made of replicated facts alone, never of what a cache or a flush happens to hold: the
 * version of a key that is there, the last removal in its slot or its database for one that is not,
 * and the last SWAPDB of its database. A key past its deadline is removed before its state is told,
 * so that a later removal of it is no change.
 */
import { compare, keyOf, max, type Timestamp } from '../../actors/accord/primitives/timestamp.ts';
import type { Arguments } from '../arguments.ts';
import { type Keyspace, UNIT_ENDS } from '../keyspace/keyspace.ts';
import { type Command, command, ONE_KEY } from './command.ts';
import { databaseNumber } from './database-number.ts';

export const VERSION_COMMAND = 'HOLO.VERSION';
export const UNCHANGED_COMMAND = 'HOLO.UNCHANGED';
/**
 * In the place of a state: a transaction has changed the key that may change it again, under the
 * same version. Ask again.
 */
export const STATE_OPEN = '?';
/** Words of `HOLO.UNCHANGED` for each key: its database, itself, its state. */
const WORDS_PER_KEY = 3;

const INTERNAL = {
  group: 'generic',
  flags: 'readonly',
  since: '0.1.0',
} as const;

interface KeyState {
  readonly text: string;
  /** The newest of the facts in it. */
  readonly changedAt: Timestamp;
}

/** The state of the key in argument `i`, in the database that clients select by this number. */
function stateOf(keyspace: Keyspace, database: number, args: Arguments, i: number): KeyState {
  const found = keyspace.find(args, i);
  const version = found?.entry.version ?? keyspace.lastRemoval(args, i);
  const swappedAt = keyspace.swappedAt(database);
  const text = `${found === undefined ? '-' : '='}${keyOf(version)}/${keyOf(swappedAt)}`;
  return { text, changedAt: max(version, swappedAt) };
}

const version = command({
  ...INTERNAL,
  name: VERSION_COMMAND,
  arity: 2,
  keys: ONE_KEY,
  summary: 'Tell the state of a key for WATCH',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const { text, changedAt } = stateOf(keyspace, args.database, args, 1);
    // A read comes between two transactions, and knows the last one whole.
    const isOpen = !keyspace.reading && compare(changedAt, keyspace.version) === 0;
    out.simple(isOpen ? STATE_OPEN : text);
  },
});

const unchanged = command({
  ...INTERNAL,
  name: UNCHANGED_COMMAND,
  arity: -(1 + WORDS_PER_KEY),
  ignoresValues: true,
  keys: { first: 2, last: -1, step: WORDS_PER_KEY },
  summary: 'Let the rest of the unit run if no watched key has changed',
  complexity: 'O(N) where N is the number of keys.',
  run(keyspace, args, out) {
    for (let i = 1; i < args.count; i += WORDS_PER_KEY) {
      const database = databaseNumber(args.text(i));
      if (typeof database === 'string') throw UNIT_ENDS;
      const { text } = stateOf(keyspace.in(database), database, args, i + 1);
      if (!args.equals(i + 2, text)) throw UNIT_ENDS;
    }
    out.simple('OK');
  },
});

export const WATCH_COMMANDS: readonly Command[] = [version, unchanged];
