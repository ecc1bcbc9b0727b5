/**
 * Commands that a script calls run one by one against its keyspace, as those of a client do. Keys
 * that the script has not declared must be in the footprint of its transaction (`Keyspace.need`).
 */

import type { Arguments } from '../../arguments.ts';
import { type Keyspace, WRONG_TYPE } from '../../keyspace/keyspace.ts';
import { KEY_BYTES_MAX } from '../../limits.ts';
import { allSteps } from '../../steps.ts';
import { AclCommands } from '../access/acl-commands.ts';
import type { Denial } from '../access/judge.ts';
import { ALL_PERMISSIONS, Permissions } from '../access/permissions.ts';
import {
  argumentRefusal,
  type Command,
  fitsArity,
  keysAmong,
  stepsOf,
  WRONG_TYPE_ERROR,
} from '../command.ts';
import { databaseNumber } from '../database-number.ts';
import type { ReplySink } from '../reply.ts';
import type { ScriptHost } from './lua/redis-library.ts';

/** The commands that scripts call, and who may call them. */
export class ScriptCommands {
  /** The command of these arguments. */
  readonly find: (args: Arguments) => Command | undefined;
  readonly #all: () => readonly Command[];
  #named: AclCommands | undefined;
  /** Those that were asked for last. */
  #text = ALL_PERMISSIONS;
  #permissions: Permissions | undefined;

  constructor(find: (args: Arguments) => Command | undefined, all: () => readonly Command[]) {
    this.find = find;
    this.#all = all;
  }

  permissionsOf(text: string): Permissions | undefined {
    if (text === this.#text) return this.#permissions;
    this.#named ??= new AclCommands([
      ...this.#all().map(({ name, categories }) => ({ label: name.toLowerCase(), categories })),
      ...[...OWN_COMMANDS].map(([name, { categories }]) => ({
        label: name.toLowerCase(),
        categories,
      })),
    ]);
    this.#text = text;
    this.#permissions = text === ALL_PERMISSIONS ? undefined : new Permissions(text, this.#named);
    return this.#permissions;
  }
}

const UNKNOWN = 'ERR Unknown Redis command called from script';
const WRONG_ARITY = 'ERR Wrong number of args calling Redis command from script';
const NOT_ALLOWED = 'ERR This Redis command is not allowed from script';
const CHANNEL_TOO_LONG = `ERR the name of a channel has at most ${KEY_BYTES_MAX} bytes`;
/** As Redis cuts lines of its log. */
const LOG_BYTES_MAX = 1_024;
const READ_ONLY = 'ERR Write commands are not allowed from read-only scripts.';
/** Commands that this system alone has, for itself. */
const OWN_PREFIX = 'HOLO.';
/** Their effect cannot be undone where the script ends by a limit. */
const LASTING: ReadonlySet<string> = new Set(['FLUSHALL', 'FLUSHDB', 'SWAPDB']);

/**
 * Commands of connections and servers. Their answers differ from node to node, or they belong to
 * the client.
 */
const NOT_IN_SCRIPTS: ReadonlySet<string> = new Set([
  ...['ACL', 'ASKING', 'AUTH', 'BGREWRITEAOF', 'BGSAVE', 'CLIENT', 'CLUSTER', 'COMMAND', 'CONFIG'],
  ...['DEBUG', 'DISCARD', 'EXEC', 'FUNCTION', 'HELLO', 'HOLOMETRICS', 'HOLOSTATS', 'INFO'],
  ...['LASTSAVE', 'LATENCY', 'LOLWUT', 'MEMORY', 'MODULE', 'MONITOR', 'MULTI', 'PSUBSCRIBE'],
  ...['PUBSUB', 'PUNSUBSCRIBE', 'QUIT', 'READONLY', 'READWRITE', 'RESET', 'ROLE'],
  ...['SAVE', 'SCRIPT', 'SHUTDOWN', 'SLOWLOG', 'SSUBSCRIBE', 'SUBSCRIBE'],
  ...['SUNSUBSCRIBE', 'UNSUBSCRIBE', 'UNWATCH', 'WAIT', 'WAITAOF', 'WATCH'],
]);

/** Of those, what the keys alone decide. */
const IN_SCRIPTS: ReadonlySet<string> = new Set(['MEMORY|USAGE']);

/** Of the connection in Redis; here the answer follows from the script and its transaction. */
interface OwnCommand {
  readonly arity: number;
  readonly categories: readonly string[];
  /** Its first argument is a channel. */
  readonly publishes?: true;
  run(run: ScriptRun, args: Arguments, out: ReplySink): void;
}

const NOT_NOTED = (): undefined => undefined;
const CONNECTION = ['@fast', '@connection'];
const PUBLISHES = { arity: 3, categories: ['@pubsub', '@fast'], publishes: true } as const;
/** As permissions see the channel. */
const ONE_CHANNEL = { from: 1, isPattern: false, one: true };

const OWN_COMMANDS: ReadonlyMap<string, OwnCommand> = new Map([
  [
    'PING',
    {
      arity: -1,
      categories: CONNECTION,
      run: (_, args, out) => (args.count === 1 ? out.simple('PONG') : out.bulk(args.text(1))),
    },
  ],
  ['ECHO', { arity: 2, categories: CONNECTION, run: (_, args, out) => out.bulk(args.text(1)) }],
  [
    'SELECT',
    { arity: 2, categories: CONNECTION, run: (run, args, out) => run.select(args.text(1), out) },
  ],
  ['PUBLISH', { ...PUBLISHES, run: (run, args, out) => run.publish(args, false, out) }],
  ['SPUBLISH', { ...PUBLISHES, run: (run, args, out) => run.publish(args, true, out) }],
  [
    'TIME',
    {
      arity: 1,
      categories: ['@fast'],
      run: (run, _, out) => {
        const us = run.nowUs;
        out.array(2);
        out.bulk(String(Math.floor(us / 1_000_000)));
        out.bulk(String(us % 1_000_000));
      },
    },
  ],
] satisfies [string, OwnCommand][]);

export class ScriptRun implements ScriptHost {
  #keyspace: Keyspace;
  #database: number;
  readonly #isReadOnly: boolean;
  readonly #commands: ScriptCommands;
  /** `undefined`: all. */
  readonly #permissions: Permissions | undefined;

  constructor(
    keyspace: Keyspace,
    database: number,
    options: {
      readonly isReadOnly: boolean;
      readonly commands: ScriptCommands;
      readonly permissions: string;
    },
  ) {
    this.#keyspace = keyspace;
    this.#database = database;
    this.#isReadOnly = options.isReadOnly;
    this.#commands = options.commands;
    this.#permissions = options.commands.permissionsOf(options.permissions);
  }

  get nowUs(): number {
    return this.#keyspace.version.hlc;
  }

  log(level: number, text: string): void {
    this.#keyspace.sideEffects?.log({ level, text: text.slice(0, LOG_BYTES_MAX) });
  }

  /** How many clients get the message is known to no replica. */
  publish(args: Arguments, isShard: boolean, out: ReplySink): void {
    if (this.#isReadOnly) return out.error(READ_ONLY);
    if (args.bytes(1) > KEY_BYTES_MAX) return out.error(CHANNEL_TOO_LONG);
    this.#keyspace.sideEffects?.publish({
      channel: args.text(1),
      payload: args.text(2),
      isEverywhere: true,
      ...(isShard ? { isShard } : {}),
    });
    out.integer(0);
  }

  seed(): number {
    return this.#keyspace.random().below(2 ** 32);
  }

  select(text: string, out: ReplySink): void {
    const database = databaseNumber(text);
    if (typeof database !== 'number') {
      return out.error(database ?? 'ERR value is not an integer or out of range');
    }
    this.#keyspace = this.#keyspace.in(database);
    this.#database = database;
    out.simple('OK');
  }

  call(args: Arguments, out: ReplySink): string | undefined {
    const { name } = args;
    const own = OWN_COMMANDS.get(name);
    if (own !== undefined) {
      const refusal = this.#refusalOfOwn(own, args, this.#denied);
      if (refusal === undefined) own.run(this, args, out);
      return refusal;
    }
    const command = this.#commandOf(name, args);
    if (typeof command === 'string') return command;
    return this.#refusalOf(command, args, this.#denied) ?? this.#run(command, args, out);
  }

  /** Of a command that is only asked about. */
  refusal(args: Arguments): string | undefined {
    const { name } = args;
    const own = OWN_COMMANDS.get(name);
    if (own !== undefined) return this.#refusalOfOwn(own, args, NOT_NOTED);
    const command = this.#commandOf(name, args);
    return typeof command === 'string' ? command : this.#refusalOf(command, args, NOT_NOTED);
  }

  readonly #denied = ({ kind, object }: Denial): void => {
    const username = this.#permissions?.name ?? '';
    this.#keyspace.sideEffects?.deny({ username, reason: kind, object });
  };

  /** That of the arguments, or the error line. */
  #commandOf(name: string, args: Arguments): Command | string {
    const command = this.#commands.find(args);
    if (NOT_IN_SCRIPTS.has(name) && !IN_SCRIPTS.has(command?.name ?? '')) return NOT_ALLOWED;
    return command === undefined || name.startsWith(OWN_PREFIX) ? UNKNOWN : command;
  }

  #refusalOf(
    command: Command,
    args: Arguments,
    denied: (denial: Denial) => void,
  ): string | undefined {
    if (!fitsArity(command.arity, args.count)) return WRONG_ARITY;
    if (command.flags.includes('noscript') || LASTING.has(command.name)) return NOT_ALLOWED;
    const judged = { label: command.name.toLowerCase(), command, isForAll: false };
    const denial = this.#permissions?.refusal(judged, args, denied);
    if (denial !== undefined) return denial;
    if (command.kind === 'write' && this.#isReadOnly) return READ_ONLY;
    return argumentRefusal(command, args);
  }

  #refusalOfOwn(
    { arity, publishes }: OwnCommand,
    args: Arguments,
    denied: (denial: Denial) => void,
  ): string | undefined {
    if (!fitsArity(arity, args.count)) return WRONG_ARITY;
    const label = args.name.toLowerCase();
    const judged = { label, command: undefined, isForAll: false };
    return this.#permissions?.refusal(
      publishes === true ? { ...judged, channels: ONE_CHANNEL } : judged,
      args,
      denied,
    );
  }

  #run(command: Command, args: Arguments, out: ReplySink): string | undefined {
    const keyspace = this.#keyspace;
    args.database = this.#database;
    const { keys } = command;
    if (keys === 'whole-store') {
      keyspace.needAll();
    } else if (keys !== 'none') {
      for (const i of keysAmong(keys, args)) keyspace.need(args, i);
    }
    try {
      const steps = stepsOf(command.run(keyspace, args, out));
      if (steps !== undefined) allSteps(steps);
    } catch (error) {
      if (error !== WRONG_TYPE) throw error;
      return WRONG_TYPE_ERROR;
    }
    return undefined;
  }
}
