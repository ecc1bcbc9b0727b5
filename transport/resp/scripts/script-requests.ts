/**
 * How requests for scripts travel: with their bodies. EVALSHA becomes EVAL, and FCALL a command
 * with the code of its library, so that no replica needs to know what this node knows.
 */

import { Arguments } from '../../../storage/arguments.ts';
import { ALL_PERMISSIONS } from '../../../storage/commands/access/permissions.ts';
import {
  CALL_COMMAND,
  CALL_READ_COMMAND,
  EVAL_AS,
  EVAL_READ_AS,
} from '../../../storage/commands/script/script-commands.ts';
import { storedScript } from '../../../storage/commands/script/stored-scripts.ts';
import { requestOf } from '../../../storage/request.ts';
import { FunctionIndex } from './function-index.ts';
import { ScriptCache } from './script-cache.ts';

/** A request that travels in the place of the client's. */
interface OtherRequest {
  readonly args: Arguments;
  readonly bytes: Buffer;
}

interface Table {
  clusterSettings(): ReadonlyMap<string, string>;
  /** Whether no later version of it can be in force elsewhere. */
  hasLease(): boolean;
}

export class ScriptRequests {
  readonly #table: Table;
  readonly #oneOff: ScriptCache;
  readonly #functions: FunctionIndex;

  constructor(table: Table) {
    const rows = (): ReadonlyMap<string, string> => table.clusterSettings();
    this.#table = table;
    this.#oneOff = new ScriptCache(rows);
    this.#functions = new FunctionIndex(rows);
  }

  /**
   * The request that travels in the place of this one; `undefined`: it does itself. `unknown`: this
   * node does not know the script or function. `isFresh`: the node has all that was changed before
   * the request. `permissions`: of the user.
   */
  travelling(
    args: Arguments,
    permissions: string,
    isFresh: boolean,
  ): OtherRequest | 'unknown' | undefined {
    switch (args.name) {
      case 'EVAL':
      case 'EVAL_RO':
        this.#oneOff.note(args.text(1));
        return permissions === ALL_PERMISSIONS
          ? undefined
          : script(args, args.text(1), permissions);
      case 'EVALSHA':
      case 'EVALSHA_RO':
        return this.#byHash(args, permissions);
      case 'FCALL':
      case 'FCALL_RO':
        return this.#call(args, permissions, isFresh);
    }
    return undefined;
  }

  /** A body is the same whenever it was loaded. */
  #byHash(args: Arguments, permissions: string): OtherRequest | 'unknown' {
    const hash = args.text(1).toLowerCase();
    const body = storedScript(this.#table.clusterSettings(), hash) ?? this.#oneOff.find(hash);
    return body === undefined ? 'unknown' : script(args, body, permissions);
  }

  #call(args: Arguments, permissions: string, isFresh: boolean): OtherRequest | 'unknown' {
    const isCurrent = isFresh || this.#table.hasLease();
    const library = isCurrent ? this.#functions.find(args.text(1)) : undefined;
    if (library === undefined) return 'unknown';
    const name = args.name === 'FCALL' ? CALL_COMMAND : CALL_READ_COMMAND;
    return other([name, ...wordsBehind(args, 1), library.code, permissions]);
  }
}

/** EVAL of this body. */
function script(args: Arguments, body: string, permissions: string): OtherRequest {
  const isReadOnly = args.name.endsWith('_RO');
  const words = [body, ...wordsBehind(args, 2)];
  if (permissions === ALL_PERMISSIONS) return other([isReadOnly ? 'EVAL_RO' : 'EVAL', ...words]);
  return other([isReadOnly ? EVAL_READ_AS : EVAL_AS, ...words, permissions]);
}

function wordsBehind(args: Arguments, first: number): string[] {
  return Array.from({ length: args.count - first }, (_, i) => args.text(first + i));
}

function other(words: readonly string[]): OtherRequest {
  const bytes = requestOf(words);
  const args = new Arguments();
  args.next(bytes, 0);
  return { args, bytes };
}
