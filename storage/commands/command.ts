/**
 * One entry of the command table. The gateway reads the description (COMMAND, arity, positions of
 * the keys), the state machine calls `run`.
 */

import type { Arguments } from '../arguments.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { ReplySink } from './reply.ts';

/** Positions among the arguments as Redis counts them: `last` is negative from the end. */
interface KeySpec {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

type CommandFlag = 'write' | 'readonly' | 'denyoom' | 'fast';
type CommandGroup = 'string' | 'generic' | 'server' | 'cluster';

export interface Command {
  /** In upper case; a subcommand as `OBJECT|ENCODING`. */
  readonly name: string;
  /** Number of arguments including the name; negative: a minimum. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  /** ACL categories as COMMAND shows them: `@read`. */
  readonly categories: readonly string[];
  readonly group: CommandGroup;
  readonly summary: string;
  /** The Redis (or HoloStore) version that introduced it. */
  readonly since: string;
  readonly complexity: string;
  /** `none`: touches no key; `whole-store`: conflicts with every transaction. */
  readonly keys: KeySpec | 'none' | 'whole-store';
  /** `read` with one key may be served by an ephemeral read. */
  readonly kind: 'read' | 'write';
  /**
   * Called with a number of arguments that fits `arity`. Answers bad input with an error, and
   * writes exactly one whole reply to `out`.
   */
  run(keyspace: Keyspace, args: Arguments, out: ReplySink): void;
}

export const ONE_KEY: KeySpec = { first: 1, last: 1, step: 1 };
export const TWO_KEYS: KeySpec = { first: 1, last: 2, step: 1 };
export const ALL_KEYS: KeySpec = { first: 1, last: -1, step: 1 };
export const KEYS_AND_VALUES: KeySpec = { first: 1, last: -1, step: 2 };

/** The last argument that is a key, in a command of `count` arguments. */
export function lastKeyOf(keys: KeySpec, count: number): number {
  return keys.last < 0 ? count + keys.last : keys.last;
}

export const SYNTAX_ERROR = 'ERR syntax error';
export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
export const NOT_A_FLOAT = 'ERR value is not a valid float';
export const TOO_LONG = 'ERR string exceeds maximum allowed size (proto-max-bulk-len)';

/** `arity` counts the command's name; below zero it is the least. */
export function fitsArity(arity: number, count: number): boolean {
  return arity < 0 ? count >= -arity : count === arity;
}

export function arityError(name: string): string {
  return `ERR wrong number of arguments for '${name.toLowerCase()}' command`;
}

export function expireTimeError(name: string): string {
  return `ERR invalid expire time in '${name.toLowerCase()}' command`;
}

/** Names and arguments are cut where Redis cuts them. */
export const SHOWN_CHARACTERS_MAX = 128;

/**
 * Client input for an error line: ends at a NUL byte, as in Redis, and line breaks become blanks.
 */
export function printable(text: string, max = SHOWN_CHARACTERS_MAX): string {
  return shown(text, max).replace(/[\r\n]/g, ' ');
}

/** The same for the end of the line, where Redis drops line breaks. */
export function printableEnd(text: string, max: number): string {
  return shown(text, max)
    .replace(/[\r\n]+$/, '')
    .replace(/[\r\n]/g, ' ');
}

function shown(text: string, max: number): string {
  const end = text.indexOf('\0');
  return text.slice(0, end === -1 ? max : Math.min(end, max));
}

/** The fields of a command that cannot be derived from the others. */
type CommandEntry = Omit<Command, 'flags' | 'categories' | 'kind'> & {
  readonly flags: string;
  readonly dangerous?: boolean;
  /** `false`: not in the category of commands on keys. */
  readonly ofKeyspace?: boolean;
};

/** Completes a table entry; `flags` is one string, as Redis prints it. */
export function command(entry: CommandEntry): Command {
  const flags = entry.flags.split(' ') as CommandFlag[];
  const kind = flags.includes('write') ? 'write' : 'read';
  return {
    name: entry.name,
    arity: entry.arity,
    flags,
    categories: [
      ...(entry.group === 'string' ? ['@string'] : []),
      ...(entry.group === 'string' || entry.ofKeyspace === false ? [] : ['@keyspace']),
      `@${kind}`,
      flags.includes('fast') ? '@fast' : '@slow',
      ...(entry.dangerous === true ? ['@dangerous'] : []),
    ],
    group: entry.group,
    summary: entry.summary,
    since: entry.since,
    complexity: entry.complexity,
    keys: entry.keys,
    kind,
    run: entry.run,
  };
}
