/**
 * EVAL and its like. A script may look at keys that it does not declare, so its run may end at
 * one that its transaction lacks, and begin anew (`findsKeys`). A limit ends it without effect;
 * after an error that it raises its earlier writes stand, as in Redis.
 */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { parseInteger } from '../../types/integers.ts';
import { type Command, command, NOT_AN_INTEGER } from '../command.ts';
import { keysBehind } from '../numkeys.ts';
import type { ReplySink } from '../reply.ts';
import { scriptEngine } from './script-engine.ts';
import { answer } from './script-reply.ts';
import { type FindCommand, ScriptRun } from './script-run.ts';
import { sha1Of } from './sha1.ts';
import { parseShebang } from './shebang.ts';
import { storedScript } from './stored-scripts.ts';

const NEGATIVE = "ERR Number of keys can't be negative";
const TOO_MANY = "ERR Number of keys can't be greater than number of args";
const NO_SCRIPT = 'NOSCRIPT No matching script. Please use EVAL.';
const NUMKEYS = 2;

/** Number of keys, or the error line. */
function keyCount(args: Arguments): number | string {
  const count = parseInteger(args.text(NUMKEYS));
  if (count === undefined) return NOT_AN_INTEGER;
  if (count < 0) return NEGATIVE;
  return count > args.count - NUMKEYS - 1 ? TOO_MANY : Number(count);
}

interface Body {
  readonly text: string;
  /** As errors name it. */
  hash(): string;
}

function bodyIn(_: Keyspace, args: Arguments): Body {
  const text = args.text(1);
  return { text, hash: () => sha1Of(text) };
}

function bodyByHash(keyspace: Keyspace, args: Arguments): Body | undefined {
  const hash = args.text(1).toLowerCase();
  const text = storedScript(keyspace.settings, hash);
  return text === undefined ? undefined : { text, hash: () => hash };
}

type FindBody = (keyspace: Keyspace, args: Arguments) => Body | undefined;

function run(findBody: FindBody, isReadOnly: boolean, find: FindCommand) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): void => {
    const keys = keyCount(args);
    if (typeof keys === 'string') return out.error(keys);
    const body = findBody(keyspace, args);
    if (body === undefined) return out.error(NO_SCRIPT);
    const script = parseShebang(body.text);
    if (typeof script === 'string') return out.error(script);
    const { database } = args;
    const words = (from: number, to: number): string[] =>
      Array.from({ length: to - from }, (_, i) => args.text(from + i));
    const first = NUMKEYS + 1;
    const { scriptStepsMax, scriptMemoryBytesMax } = keyspace.scriptLimits;
    const reply = scriptEngine().run(
      {
        source: script.source,
        name: body.hash,
        keys: words(first, first + keys),
        args: words(first + keys, args.count),
      },
      new ScriptRun(keyspace, database, isReadOnly || script.isReadOnly, find),
      { stepsMax: scriptStepsMax, memoryBytesMax: scriptMemoryBytesMax },
    );
    answer(reply, out);
  };
}

const FLAGS = 'noscript stale skip_monitor no_mandatory_keys';
const COMPLEXITY = 'Depends on the script that is executed.';

/** `find`: of the commands that scripts call. */
export function scriptCommands(find: FindCommand): readonly Command[] {
  const entry = (name: string, findBody: FindBody, isReadOnly: boolean, summary: string): Command =>
    command({
      group: 'scripting',
      keys: (args) => keysBehind(args, NUMKEYS),
      findsKeys: () => true,
      flags: isReadOnly ? `readonly ${FLAGS}` : FLAGS,
      mayWrite: !isReadOnly,
      categories: ['@slow', '@scripting'],
      name,
      arity: -3,
      summary,
      since: isReadOnly ? '7.0.0' : '2.6.0',
      complexity: COMPLEXITY,
      growth: () => 0,
      growsAt: 0,
      run: run(findBody, isReadOnly, find),
    });
  return [
    entry('EVAL', bodyIn, false, 'Execute a Lua script server side'),
    entry('EVAL_RO', bodyIn, true, 'Execute a read-only Lua script server side'),
    entry('EVALSHA', bodyByHash, false, 'Execute a Lua script server side by its hash'),
    entry('EVALSHA_RO', bodyByHash, true, 'Execute a read-only Lua script by its hash'),
  ];
}
