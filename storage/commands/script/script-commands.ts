/**
 * EVAL, FCALL and their like. A script may look at keys that it does not declare, so its run may
 * end at one that its transaction lacks, and begin anew (`findsKeys`). A limit ends it without
 * effect; after an error that it raises its earlier writes stand, as in Redis.
 *
 * A script travels with all that it needs: EVALSHA becomes EVAL, and FCALL becomes a command with
 * the code of the library, at the node that was asked.
 */

import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { parseInteger } from '../../types/integers.ts';
import { ALL_PERMISSIONS } from '../access/permissions.ts';
import { type Command, command, NOT_AN_INTEGER, type Words } from '../command.ts';
import { keysBehind } from '../numkeys.ts';
import type { ReplySink } from '../reply.ts';
import { functionKey, writesNothing } from './library.ts';
import type { LuaLimits } from './lua/lua-machine.ts';
import { scriptEngine } from './script-engine.ts';
import { answer } from './script-reply.ts';
import { type ScriptCommands, ScriptRun } from './script-run.ts';
import { sha1Of } from './sha1.ts';
import { parseShebang } from './shebang.ts';

/** EVAL of a user without all permissions, as it travels: these are behind its arguments. */
export const EVAL_AS = 'HOLO.EVAL';
export const EVAL_READ_AS = 'HOLO.EVAL_RO';
/** FCALL as it travels, with the code of the library and the permissions behind its arguments. */
export const CALL_COMMAND = 'HOLO.FCALL';
export const CALL_READ_COMMAND = 'HOLO.FCALL_RO';

const BAD_NUMBER = 'ERR Bad number of keys provided';
const NEGATIVE = "ERR Number of keys can't be negative";
const TOO_MANY = "ERR Number of keys can't be greater than number of args";
const NO_SCRIPT = 'NOSCRIPT No matching script. Please use EVAL.';
const NO_FUNCTION = 'ERR Function not found';
const MAY_WRITE = 'ERR Can not execute a script with write flag using *_ro command.';
const NUMKEYS = 2;
const FIRST_KEY = NUMKEYS + 1;

/** Behind the arguments of the client. */
const PERMISSIONS_ARGUMENTS = 1;
const CALL_ARGUMENTS = 2;

type Run = (keyspace: Keyspace, args: Arguments, out: ReplySink) => void;

/** Number of keys, or the error line; arguments end at `end`. */
function keyCount(args: Words, end: number, notANumber: string): number | string {
  const count = parseInteger(args.text(NUMKEYS));
  if (count === undefined) return notANumber;
  if (count > end - FIRST_KEY) return TOO_MANY;
  return count < 0 ? NEGATIVE : Number(count);
}

interface KeysAndArguments {
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

/** The arguments of a script, which end at `end`. */
function given(args: Arguments, keys: number, end: number): KeysAndArguments {
  const first = FIRST_KEY + keys;
  return { keys: wordsOf(args, FIRST_KEY, first), args: wordsOf(args, first, end) };
}

function wordsOf(args: Arguments, from: number, to: number): string[] {
  const words: string[] = [];
  for (let i = from; i < to; i += 1) words.push(args.text(i));
  return words;
}

function limitsOf({ scriptLimits }: Keyspace): LuaLimits {
  const { scriptStepsMax, scriptMemoryBytesMax } = scriptLimits;
  return { stepsMax: scriptStepsMax, memoryBytesMax: scriptMemoryBytesMax };
}

function runScript(isReadOnly: boolean, commands: ScriptCommands, behind = 0): Run {
  return (keyspace, args, out) => {
    const end = args.count - behind;
    const keys = keyCount(args, end, NOT_AN_INTEGER);
    if (typeof keys === 'string') return out.error(keys);
    const body = args.text(1);
    const script = parseShebang(body);
    if (typeof script === 'string') return out.error(script);
    if (isReadOnly && script.mayWrite) return out.error(MAY_WRITE);
    const { source } = script;
    const host = new ScriptRun(keyspace, args.database, {
      isReadOnly: isReadOnly || script.isReadOnly,
      commands,
      permissions: behind === 0 ? ALL_PERMISSIONS : args.text(end),
    });
    const its = { source, name: () => sha1Of(body), ...given(args, keys, end) };
    answer(scriptEngine().run(its, host, limitsOf(keyspace)), out);
  };
}

function runFunction(isReadOnly: boolean, commands: ScriptCommands): Run {
  return (keyspace, args, out) => {
    const end = args.count - CALL_ARGUMENTS;
    const keys = keyCount(args, end, BAD_NUMBER);
    if (typeof keys === 'string') return out.error(keys);
    const code = args.text(end);
    const functions = scriptEngine().functionsOf(code);
    if (typeof functions === 'string') return out.error(functions);
    const key = functionKey(args.text(1));
    const called = functions.find(({ name }) => functionKey(name) === key);
    if (called === undefined) return out.error(NO_FUNCTION);
    const doesNotWrite = writesNothing(called);
    if (isReadOnly && !doesNotWrite) return out.error(MAY_WRITE);
    const host = new ScriptRun(keyspace, args.database, {
      isReadOnly: doesNotWrite,
      commands,
      permissions: args.text(end + 1),
    });
    const its = { code, name: called.name, ...given(args, keys, end) };
    answer(scriptEngine().call(its, host, limitsOf(keyspace)), out);
  };
}

// Of names that the node which was asked does not know.

function noScript(_: Keyspace, args: Arguments, out: ReplySink): void {
  const keys = keyCount(args, args.count, NOT_AN_INTEGER);
  out.error(typeof keys === 'string' ? keys : NO_SCRIPT);
}

function noFunction(_keyspace: Keyspace, _args: Arguments, out: ReplySink): void {
  out.error(NO_FUNCTION);
}

const FLAGS = 'noscript stale skip_monitor no_mandatory_keys';
const COMPLEXITY = 'Depends on the script that is executed.';

interface Described {
  readonly name: string;
  readonly summary: string;
  readonly since: string;
  readonly isReadOnly: boolean;
  readonly run: Run;
  /** Arguments behind those of the client. */
  readonly behind?: number;
}

function scriptCommand({ isReadOnly, behind = 0, ...described }: Described): Command {
  const keysOf = (args: Words): number[] =>
    keysBehind({ count: args.count - behind, text: (i) => args.text(i) }, NUMKEYS);
  return command({
    group: 'scripting',
    keys: behind === 0 ? (args) => keysBehind(args, NUMKEYS) : keysOf,
    findsKeys: () => true,
    flags: isReadOnly ? `readonly ${FLAGS}` : FLAGS,
    mayWrite: !isReadOnly,
    categories: ['@slow', '@scripting'],
    arity: -3 - behind,
    complexity: COMPLEXITY,
    growth: () => 0,
    growsAt: 0,
    ...described,
  });
}

export function scriptCommands(commands: ScriptCommands): readonly Command[] {
  const entry = (name: string, since: string, summary: string, run: Run): Command =>
    scriptCommand({ name, since, summary, isReadOnly: name.endsWith('_RO'), run });
  return [
    entry('EVAL', '2.6.0', 'Execute a Lua script server side', runScript(false, commands)),
    entry('EVAL_RO', '7.0.0', 'Execute a read-only Lua script', runScript(true, commands)),
    entry('EVALSHA', '2.6.0', 'Execute a Lua script by its hash', noScript),
    entry('EVALSHA_RO', '7.0.0', 'Execute a read-only Lua script by its hash', noScript),
    entry('FCALL', '7.0.0', 'Call a function', noFunction),
    entry('FCALL_RO', '7.0.0', 'Call a function that only reads', noFunction),
  ];
}

/** Those that only nodes send. */
export function travellingScripts(commands: ScriptCommands): readonly Command[] {
  const since = '0.1.0';
  return [false, true].flatMap((isReadOnly) => [
    scriptCommand({
      name: isReadOnly ? EVAL_READ_AS : EVAL_AS,
      summary: 'Execute a Lua script with these permissions',
      ...{ since, isReadOnly, behind: PERMISSIONS_ARGUMENTS },
      run: runScript(isReadOnly, commands, PERMISSIONS_ARGUMENTS),
    }),
    scriptCommand({
      name: isReadOnly ? CALL_READ_COMMAND : CALL_COMMAND,
      summary: 'Call a function of this code with these permissions',
      ...{ since, isReadOnly, behind: CALL_ARGUMENTS },
      run: runFunction(isReadOnly, commands),
    }),
  ]);
}
