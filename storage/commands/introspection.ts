/** OBJECT and MEMORY USAGE: information about a key besides its value. */
import { CELL_BYTES } from '../keyspace/cell-cache.ts';
import type { Entry } from '../keyspace/entry.ts';
import { type Keyspace, PAST_DEADLINE, TIME_UNKNOWN_MS } from '../keyspace/keyspace.ts';
import { parseInteger } from '../types/integers.ts';
import { isShared, STRING } from '../types/string.ts';
import { type Command, command, NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';
import type { ReplySink } from './reply.ts';

const SHARED_REFERENCES = 2_147_483_647;
const NO_FREQUENCIES =
  'ERR An LFU maxmemory policy is not selected, access frequency not tracked. ' +
  'Please note that when switching between policies at runtime LRU and LFU data will take some ' +
  'time to adjust.';

const KEY = { first: 2, last: 2, step: 1 } as const;

/** Reads are not recorded: a key is idle since its last write. */
function idleSeconds(keyspace: Keyspace, entry: Entry): number {
  // Only a transaction has a time then.
  if (keyspace.nowMs === TIME_UNKNOWN_MS) throw PAST_DEADLINE;
  return Math.max(0, Math.floor((keyspace.nowMs - entry.version.hlc / 1000) / 1000));
}

function object(
  name: string,
  summary: string,
  answer: (entry: Entry, out: ReplySink, keyspace: Keyspace) => void,
): Command {
  return command({
    name: `OBJECT|${name}`,
    arity: 3,
    group: 'generic',
    keys: KEY,
    flags: 'readonly',
    summary,
    since: name === 'FREQ' ? '4.0.0' : '2.2.3',
    complexity: 'O(1)',
    run(keyspace, args, out) {
      const entry = keyspace.find(args, 2)?.entry;
      if (entry === undefined) out.nil();
      else answer(entry, out, keyspace);
    },
  });
}

/** Approximate memory of a key and its value, the same on every replica, loaded or not. */
const memoryUsage = command({
  name: 'MEMORY|USAGE',
  arity: -3,
  group: 'server',
  ofKeyspace: false,
  keys: KEY,
  flags: 'readonly',
  summary: 'Estimate the memory usage of a key',
  since: '4.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    for (let i = 3; i < args.count; i += 2) {
      if (!args.is(i, 'SAMPLES') || i + 1 === args.count) return out.error(SYNTAX_ERROR);
      const samples = parseInteger(args.text(i + 1));
      if (samples === undefined) return out.error(NOT_AN_INTEGER);
      if (samples < 0) return out.error(SYNTAX_ERROR);
    }
    const entry = keyspace.find(args, 2)?.entry;
    if (entry === undefined) out.nil();
    else out.integer(CELL_BYTES + args.bytes(2) + entry.bytes);
  },
});

export const INTROSPECTION_COMMANDS: readonly Command[] = [
  object('ENCODING', 'Inspect the internal encoding of a value', ({ type, value }, out) =>
    out.bulk(type.encodingOf(value)),
  ),
  object('REFCOUNT', 'Get the number of references to a value', ({ type, value }, out) =>
    out.integer(type === STRING && isShared(value as string) ? SHARED_REFERENCES : 1),
  ),
  object('FREQ', 'Get the access frequency of a key: it is not tracked', (_entry, out) =>
    out.error(NO_FREQUENCIES),
  ),
  object('IDLETIME', 'Get the seconds since a key was written', (entry, out, keyspace) =>
    out.integer(idleSeconds(keyspace, entry)),
  ),
  memoryUsage,
];
