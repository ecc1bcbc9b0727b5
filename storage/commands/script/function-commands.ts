/**
 * FUNCTION: libraries are rows of the cluster's table. Their changes are judged here, where all
 * changes of the table have their order, and every node loads the same code to the same end.
 */
import type { Arguments } from '../../arguments.ts';
import type { RowChange } from '../../cluster-settings.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { type Command, command, printable } from '../command.ts';
import { Glob } from '../glob.ts';
import type { ReplySink } from '../reply.ts';
import { changeCounted } from '../table-rows.ts';
import { dumpOf, librariesInDump } from './function-payload.ts';
import {
  ENGINE_SHOWN,
  functionKey,
  type Library,
  librariesOf,
  libraryName,
  libraryRow,
  rowOf,
} from './library.ts';
import { scriptEngine } from './script-engine.ts';
import { hasRoomFor, NO_ROOM, OF_SCRIPTS } from './stored-script-commands.ts';

const SINCE = '7.0.0';
const WRITES = ['@write', '@slow', '@scripting'];
const POLICIES = 'ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.';
const BAD_PAYLOAD = 'ERR DUMP payload version or checksum are wrong';

/** The library of this code, or the error line. */
function libraryIn(code: string): Library | string {
  const named = libraryName(code);
  if ('problem' in named) return named.problem;
  const functions = scriptEngine().functionsOf(code);
  return typeof functions === 'string' ? functions : { name: named.name, functions, code };
}

/** Libraries by name, as a change is to leave them. */
class Libraries {
  readonly #all: Map<string, Library>;

  constructor(libraries: readonly Library[]) {
    this.#all = new Map(libraries.map((library) => [library.name, library]));
  }

  /** Returns the error line of one that may not be added. */
  add(library: Library, replaces: boolean, existing: (name: string) => string): string | undefined {
    if (this.#all.has(library.name) && !replaces) return existing(library.name);
    const taken = new Set<string>();
    for (const { name, functions } of this.#all.values()) {
      if (name === library.name) continue;
      for (const { name: its } of functions) taken.add(functionKey(its));
    }
    for (const { name } of library.functions) {
      if (taken.has(functionKey(name))) return `ERR Function ${name} already exists`;
    }
    this.#all.set(library.name, library);
    return undefined;
  }

  /** The changes that make the table so; an error line where it has no room. */
  changesFrom(keyspace: Keyspace, before: readonly Library[]): RowChange[] | string {
    const old = new Map(before.map((library) => [libraryRow(library.name), rowOf(library)]));
    const changes: RowChange[] = [];
    let bytes = 0;
    for (const library of this.#all.values()) {
      const row = libraryRow(library.name);
      const value = rowOf(library);
      bytes += value.length - (old.get(row)?.length ?? 0);
      if (old.get(row) !== value) changes.push([row, value]);
      old.delete(row);
    }
    for (const [row, value] of old) {
      bytes -= value.length;
      changes.push([row, undefined]);
    }
    return bytes > 0 && !hasRoomFor(keyspace, bytes) ? NO_ROOM : changes;
  }
}

function load(keyspace: Keyspace, args: Arguments, out: ReplySink): void {
  const last = args.count - 1;
  for (let i = 2; i < last; i += 1) {
    if (!args.is(i, 'REPLACE')) {
      return out.error(`ERR Unknown option given: ${printable(args.text(i))}`);
    }
  }
  const library = libraryIn(args.text(last));
  if (typeof library === 'string') return out.error(library);
  const before = librariesOf(keyspace.settings.values);
  const libraries = new Libraries(before);
  const refusal = libraries.add(
    library,
    last > 2,
    (name) => `ERR Library '${name}' already exists`,
  );
  if (refusal !== undefined) return out.error(refusal);
  const changes = libraries.changesFrom(keyspace, before);
  if (typeof changes === 'string') return out.error(changes);
  changeCounted(keyspace, changes, out, (reply) => reply.bulk(library.name));
}

function remove(keyspace: Keyspace, args: Arguments, out: ReplySink): void {
  const row = libraryRow(args.text(2));
  if (!keyspace.settings.values.has(row)) return out.error('ERR Library not found');
  changeCounted(keyspace, [[row, undefined]], out, (reply) => reply.simple('OK'));
}

function flush(keyspace: Keyspace, args: Arguments, out: ReplySink): void {
  if (args.count > 3) {
    const wrong = `unknown subcommand or wrong number of arguments for '${printable(args.text(1))}'`;
    return out.error(`ERR ${wrong}. Try FUNCTION HELP.`);
  }
  if (args.count === 3 && !args.is(2, 'SYNC') && !args.is(2, 'ASYNC')) {
    return out.error('ERR FUNCTION FLUSH only supports SYNC|ASYNC option');
  }
  const all = librariesOf(keyspace.settings.values);
  const changes = all.map(({ name }) => [libraryRow(name), undefined] as const);
  changeCounted(keyspace, changes, out, (reply) => reply.simple('OK'));
}

function restore(keyspace: Keyspace, args: Arguments, out: ReplySink): void {
  if (args.count > 4) {
    const wrong = `unknown subcommand or wrong number of arguments for '${printable(args.text(1))}'`;
    return out.error(`ERR ${wrong}. Try FUNCTION HELP.`);
  }
  const policy = args.count === 4 ? args.text(3).toUpperCase() : 'APPEND';
  if (!['FLUSH', 'APPEND', 'REPLACE'].includes(policy)) return out.error(POLICIES);
  const codes = librariesInDump(args.text(2));
  if (codes === undefined) return out.error(BAD_PAYLOAD);
  const before = librariesOf(keyspace.settings.values);
  const libraries = new Libraries(policy === 'FLUSH' ? [] : before);
  for (const code of codes) {
    const library = libraryIn(code);
    if (typeof library === 'string') return out.error(library);
    const refusal = libraries.add(
      library,
      policy === 'REPLACE',
      (name) => `ERR Library ${name} already exists`,
    );
    if (refusal !== undefined) return out.error(refusal);
  }
  const changes = libraries.changesFrom(keyspace, before);
  if (typeof changes === 'string') return out.error(changes);
  changeCounted(keyspace, changes, out, (reply) => reply.simple('OK'));
}

function list({ settings }: Keyspace, args: Arguments, out: ReplySink): void {
  let withCode = false;
  let pattern: Glob | undefined;
  for (let i = 2; i < args.count; i += 1) {
    if (!withCode && args.is(i, 'WITHCODE')) {
      withCode = true;
    } else if (pattern === undefined && args.is(i, 'LIBRARYNAME')) {
      i += 1;
      if (i === args.count) return out.error('ERR library name argument was not given');
      pattern = new Glob(args.text(i).toLowerCase());
    } else {
      return out.error(`ERR Unknown argument ${printable(args.text(i))}`);
    }
  }
  const all = librariesOf(settings.values);
  const shown = all.filter(({ name }) => pattern?.matches(name.toLowerCase()) ?? true);
  out.array(shown.length);
  for (const library of shown) describe(library, withCode, out);
}

function describe({ name, functions, code }: Library, withCode: boolean, out: ReplySink): void {
  out.map(withCode ? 4 : 3);
  out.bulk('library_name');
  out.bulk(name);
  out.bulk('engine');
  out.bulk(ENGINE_SHOWN);
  out.bulk('functions');
  out.array(functions.length);
  for (const { name: its, description, flags } of functions) {
    out.map(3);
    out.bulk('name');
    out.bulk(its);
    out.bulk('description');
    if (description === null) out.nil();
    else out.bulk(description);
    out.bulk('flags');
    out.set(flags.length);
    for (const flag of flags) out.simple(flag);
  }
  if (!withCode) return;
  out.bulk('library_code');
  out.bulk(code);
}

/** No function runs while this one does. */
function stats({ settings }: Keyspace, _: Arguments, out: ReplySink): void {
  const all = librariesOf(settings.values);
  out.map(2);
  out.bulk('running_script');
  out.nil();
  out.bulk('engines');
  out.map(1);
  out.bulk(ENGINE_SHOWN);
  out.map(2);
  out.bulk('libraries_count');
  out.integer(all.length);
  out.bulk('functions_count');
  out.integer(all.reduce((sum, { functions }) => sum + functions.length, 0));
}

const OF_FUNCTIONS = { ...OF_SCRIPTS, since: SINCE } as const;
const OF_CHANGES = { ...OF_FUNCTIONS, categories: WRITES };

export const FUNCTION_COMMANDS: readonly Command[] = [
  command({
    ...OF_CHANGES,
    flags: 'write denyoom noscript',
    name: 'FUNCTION|LOAD',
    arity: -3,
    summary: 'Load a library of functions',
    complexity: 'O(1) (considering compilation time is redundant)',
    growth: () => 0,
    growsAt: 0,
    run: load,
  }),
  command({
    ...OF_CHANGES,
    flags: 'write noscript',
    name: 'FUNCTION|DELETE',
    arity: 3,
    summary: 'Remove a library and its functions',
    complexity: 'O(1)',
    run: remove,
  }),
  command({
    ...OF_CHANGES,
    flags: 'write noscript',
    name: 'FUNCTION|FLUSH',
    arity: -2,
    summary: 'Remove all libraries and functions',
    complexity: 'O(N) where N is the number of functions deleted',
    run: flush,
  }),
  command({
    ...OF_CHANGES,
    flags: 'write denyoom noscript',
    name: 'FUNCTION|RESTORE',
    arity: -3,
    summary: 'Restore libraries from what FUNCTION DUMP has given',
    complexity: 'O(N) where N is the number of functions on the payload',
    growth: () => 0,
    growsAt: 0,
    run: restore,
  }),
  command({
    ...OF_FUNCTIONS,
    flags: 'noscript',
    name: 'FUNCTION|LIST',
    arity: -2,
    summary: 'Tell of all libraries',
    complexity: 'O(N) where N is the number of functions',
    run: list,
  }),
  command({
    ...OF_FUNCTIONS,
    flags: 'noscript',
    name: 'FUNCTION|DUMP',
    arity: 2,
    summary: 'Give all libraries as a payload for FUNCTION RESTORE',
    complexity: 'O(N) where N is the number of functions',
    run({ settings }, _, out) {
      out.bulk(dumpOf(librariesOf(settings.values).map(({ code }) => code)));
    },
  }),
  command({
    ...OF_FUNCTIONS,
    flags: 'noscript allow_busy',
    name: 'FUNCTION|STATS',
    arity: 2,
    summary: 'Tell of the function that runs, and of the engine',
    complexity: 'O(1)',
    run: stats,
  }),
];
