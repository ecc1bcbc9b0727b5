/**
 * One entry of the command table. The gateway reads the description (COMMAND, arity, positions of
 * the keys), the state machine calls `run`.
 */

import type { Arguments } from '../arguments.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../limits.ts';
import type { Steps } from '../steps.ts';
import type { ReplySink } from './reply.ts';

/** Positions among the arguments as Redis counts them: `last` is negative from the end. */
interface KeyRange {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

/** The arguments of a command, its name included: of a request, or of COMMAND GETKEYS. */
export interface Words {
  readonly count: number;
  text(i: number): string;
}

/**
 * For a command whose arguments tell where its keys are, such as a number of keys (EVAL, LMPOP):
 * returns their indices, ascending. None if the arguments make no sense; the command then refuses
 * them.
 */
type KeyFunction = (args: Words) => readonly number[];

type KeySpec = KeyRange | KeyFunction;

type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'fast'
  | 'movablekeys'
  | 'blocking'
  | 'noscript'
  | 'allow_busy'
  | 'stale'
  | 'skip_monitor'
  | 'no_mandatory_keys';
type CommandGroup =
  | 'string'
  | 'hash'
  | 'list'
  | 'sorted-set'
  | 'set'
  | 'stream'
  | 'generic'
  | 'server'
  | 'scripting'
  | 'cluster';

/** A command that calls `Keyspace.nothingYet`. Inside a MULTI block it never waits. */
export interface Waits {
  /**
   * How long its client waits: milliseconds, 0 for ever. undefined: not at all, or the arguments
   * make no sense, and the command refuses them.
   */
  timeoutMs(args: Words): number | undefined;
  /** Indices of the keys that it waits for. */
  keysOf(args: Words): readonly number[];
  /** Of their values, as TYPE tells it. */
  readonly type: string;
  /** The index of the consumer group for which it waits. */
  readonly groupAt?: (args: Words) => number | undefined;
  /** Elements go to one of those that wait for them, not to each. */
  readonly takes: boolean;
  /** An element that it has taken is gone if its client is. */
  readonly loses: boolean;
}

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
  /** Those of a function that have a fixed place: clients see them in COMMAND. */
  readonly fixedKeys?: KeyRange | undefined;
  /** Whether the command needs keys that only show while it runs (`Keyspace.findNamed`). */
  readonly findsKeys?: ((args: Words) => boolean) | undefined;
  /**
   * Of one that looks at all keys, though outside of MULTI blocks and scripts only at those behind
   * each other from this conflict slot on, in the group of that slot.
   */
  readonly walksFrom?: ((args: Words) => number) | undefined;
  /** Whether it looks at the names of all keys, over several groups in the transaction itself. */
  readonly listsKeys?: ((args: Arguments) => boolean) | undefined;
  /** It is for the cluster's table, which the meta group has; all others are for keys. */
  readonly ofTable?: true;
  /** It does not look at the values of its keys, only whether they are there. */
  readonly ignoresValues?: true;
  /** `read` with one key may be served by an ephemeral read. */
  readonly kind: 'read' | 'write';
  /** Where its client waits if it finds nothing. */
  readonly waits?: Waits | undefined;
  /**
   * Bytes that it may add to the data beyond those of its arguments; `bytesOf`: of the value that
   * the key in argument `i` has now.
   */
  readonly growth?: (args: Words, bytesOf: (i: number) => number) => number;
  /** The argument with the key that grows, if it is not the first of the keys. */
  readonly growsAt?: number | undefined;
  /**
   * Called with a number of arguments that fits `arity`. Answers bad input with an error, and
   * writes exactly one whole reply to `out`. Where it goes through more than
   * `Keyspace.stepElements`, it returns its `Steps`, and is done when they are. Reads of other keys
   * run between two of them: of what was found, only collections stay good.
   */
  run(keyspace: Keyspace, args: Arguments, out: ReplySink): unknown;
}

/** Takes what `run` has returned: the steps that are to be done, if there are any. */
export function stepsOf(returned: unknown): Steps | undefined {
  return typeof returned === 'object' && returned !== null ? (returned as Steps) : undefined;
}

export const ONE_KEY: KeyRange = { first: 1, last: 1, step: 1 };
export const TWO_KEYS: KeyRange = { first: 1, last: 2, step: 1 };
export const ALL_KEYS: KeyRange = { first: 1, last: -1, step: 1 };
export const KEYS_AND_VALUES: KeyRange = { first: 1, last: -1, step: 2 };

/** Reused: most commands with a list of keys are short. */
const indices: number[] = [];

/** Indices of the keys among the arguments, ascending. Good until the next call. */
export function keysAmong(keys: KeySpec, args: Words): readonly number[] {
  if (typeof keys === 'function') return keys(args);
  indices.length = 0;
  const last = keys.last < 0 ? args.count + keys.last : keys.last;
  for (let i = keys.first; i <= last; i += keys.step) indices.push(i);
  return indices;
}

/** The growth of a result that holds at most all that these arguments have. */
export function sumOf(keys: readonly number[], bytesOf: (i: number) => number): number {
  return keys.reduce((bytes, i) => bytes + bytesOf(i), 0);
}

/** The command has one key, always in the same place. */
export function hasOneKey(keys: Command['keys']): keys is KeyRange {
  return typeof keys === 'object' && keys.first === keys.last;
}

export const SYNTAX_ERROR = 'ERR syntax error';
export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
export const NOT_A_FLOAT = 'ERR value is not a valid float';
export const TOO_LONG = 'ERR string exceeds maximum allowed size (proto-max-bulk-len)';

/** `arity` counts the command's name; below zero it is the least. */
export function fitsArity(arity: number, count: number): boolean {
  return arity < 0 ? count >= -arity : count === arity;
}

export const WRONG_TYPE_ERROR = 'WRONGTYPE Operation against a key holding the wrong kind of value';
const KEY_TOO_LONG = `ERR key exceeds maximum allowed size (${KEY_BYTES_MAX} bytes)`;

/** The error line of arguments that are too long. */
export function argumentRefusal(command: Command, args: Arguments): string | undefined {
  if (args.longest <= KEY_BYTES_MAX) return undefined;
  if (args.longest > VALUE_BYTES_MAX) return TOO_LONG;
  if (typeof command.keys === 'string') return undefined;
  const tooLong = keysAmong(command.keys, args).some((i) => args.bytes(i) > KEY_BYTES_MAX);
  return tooLong ? KEY_TOO_LONG : undefined;
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
  /** In place of those that its flags give. */
  readonly categories?: readonly string[];
  /** A write, although its flags do not say so: what it runs decides. */
  readonly mayWrite?: boolean;
  /** Where it takes values of several types: their groups. */
  readonly ofGroups?: readonly CommandGroup[];
};

/** Of the groups whose commands take values of one type. */
const TYPE_CATEGORIES = new Map<CommandGroup, string>([
  ['string', '@string'],
  ['hash', '@hash'],
  ['list', '@list'],
  ['sorted-set', '@sortedset'],
  ['set', '@set'],
  ['stream', '@stream'],
]);

/** Completes a table entry; `flags` is one string, as Redis prints it. */
export function command(entry: CommandEntry): Command {
  const flags = entry.flags.split(' ') as CommandFlag[];
  if (typeof entry.keys === 'function') flags.push('movablekeys');
  const kind = flags.includes('write') || entry.mayWrite === true ? 'write' : 'read';
  const groups = entry.ofGroups ?? [entry.group];
  const ofTypes = groups.flatMap((group) => TYPE_CATEGORIES.get(group) ?? []);
  return {
    name: entry.name,
    arity: entry.arity,
    flags,
    categories: entry.categories ?? [
      ...ofTypes,
      ...(ofTypes.length > 0 || entry.ofKeyspace === false ? [] : ['@keyspace']),
      `@${kind}`,
      flags.includes('fast') ? '@fast' : '@slow',
      ...(flags.includes('blocking') ? ['@blocking'] : []),
      ...(entry.dangerous === true ? ['@dangerous'] : []),
    ],
    group: entry.group,
    summary: entry.summary,
    since: entry.since,
    complexity: entry.complexity,
    keys: entry.keys,
    fixedKeys: entry.fixedKeys,
    findsKeys: entry.findsKeys,
    walksFrom: entry.walksFrom,
    listsKeys: entry.listsKeys,
    waits: entry.waits,
    kind,
    ...(entry.growth === undefined ? {} : { growth: entry.growth }),
    growsAt: entry.growsAt,
    ...(entry.ofTable === undefined ? {} : { ofTable: true }),
    ...(entry.ignoresValues === undefined ? {} : { ignoresValues: true }),
    run: entry.run,
  };
}
