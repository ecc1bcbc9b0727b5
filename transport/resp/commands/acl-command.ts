/**
 * ACL: users and what they may do. Users are the cluster's; a change is one transaction and is
 * answered when every node that is up has it. https://redis.io/docs/latest/commands/acl
 */

import type { Selector } from '../../../storage/commands/access/selector.ts';
import { arityError, fitsArity, printable, type Words } from '../../../storage/commands/command.ts';
import { parseInteger } from '../../../storage/types/integers.ts';
import { verboseDenial } from '../../access/access-control.ts';
import type { LogEntry } from '../../access/acl/acl-log.ts';
import { DEFAULT_USER } from '../../access/acl/user.ts';
import type { UserRows } from '../../access/acl/user-table.ts';
import { generatedPassword } from '../../access/passwords.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import { type LocalCommand, type LocalContext, NOT_IN_MULTI } from '../routes.ts';
import { type Subcommand, withSubcommands } from './subcommands.ts';

type Run = Subcommand['run'];

const PASSWORD_BITS = 256;
const PASSWORD_BITS_MAX = 4_096;
const LOG_SHOWN = 10;
const NO_FILE =
  'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via ' +
  'the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis ' +
  'configuration file set) in order to store users in the Redis configuration.';
const ADMIN = ['@admin', '@slow', '@dangerous'] as const;

/** Changes users, unless `plan` is an error line. */
function change(
  context: LocalContext,
  plan: UserRows | string,
  out: ReplyWriter,
  done?: (out: ReplyWriter) => void,
): void {
  if (typeof plan === 'string') return out.error(plan);
  if (context.inExec) return out.error(NOT_IN_MULTI);
  context.changeUsers(plan, done ?? ((reply) => reply.simple('OK')));
}

const setUser: Run = (context, args, out) => {
  const [, , name = '', ...rules] = args;
  change(context, context.access.users.planSet(name, rules), out);
};

const deleteUsers: Run = (context, args, out) => {
  const plan = context.access.users.planRemoval(args.slice(2));
  if (typeof plan === 'string') return out.error(plan);
  if (plan.count === 0) return out.integer(0);
  change(context, plan.rows, out, (reply) => reply.integer(plan.count));
};

const getUser: Run = ({ access }, args, out) => {
  const user = access.users.find(args[2] ?? '');
  if (user === undefined) return out.nil();
  out.map(6);
  out.bulk('flags');
  texts(out, user.flags);
  out.bulk('passwords');
  texts(out, user.passwords);
  permissions(out, user.root);
  out.bulk('selectors');
  out.array(user.selectors.length);
  for (const selector of user.selectors) {
    out.map(3);
    permissions(out, selector);
  }
};

function permissions(out: ReplyWriter, selector: Selector): void {
  out.bulk('commands');
  out.bulk(selector.commandText);
  out.bulk('keys');
  out.bulk(selector.keyText);
  out.bulk('channels');
  out.bulk(selector.channelText);
}

/** The categories, or the commands of one. */
const categories: Run = ({ access: { commands } }, args, out) => {
  if (args.length > 3) return out.error(arityError('acl|cat'));
  const word = args[2];
  const words =
    word === undefined ? [...commands.categories] : commands.ofCategory(word.toLowerCase());
  if (words === undefined) return out.error(`ERR Unknown category '${printable(word ?? '')}'`);
  texts(out, words);
};

const dryRun: Run = ({ access, routes }, args, out) => {
  const [, , name = '', ...words] = args;
  const user = access.users.find(name);
  if (user === undefined) return out.error(`ERR User '${printable(name)}' not found`);
  const route = routes.ofWords(words);
  if (route === undefined) return out.error(`ERR Command '${printable(words[0] ?? '')}' not found`);
  if (!fitsArity(route.arity, words.length)) return out.error(arityError(route.name));
  const asked: Words = { count: words.length, text: (i) => words[i] ?? '' };
  const denial = access.denial(user, route.judged, asked);
  // A refusal of the run (SORT) is no denial of the command.
  if (denial === undefined || typeof denial === 'string') out.simple('OK');
  else out.bulk(verboseDenial(user, denial));
};

const generatePassword: Run = (_context, args, out) => {
  if (args.length > 3) return out.error(arityError('acl|genpass'));
  const bits = args.length === 2 ? BigInt(PASSWORD_BITS) : parseInteger(args[2] ?? '');
  if (bits === undefined) return out.error('ERR value is not an integer or out of range');
  if (bits <= 0 || bits > PASSWORD_BITS_MAX) {
    const range = `a positive number up to ${PASSWORD_BITS_MAX}`;
    return out.error(
      `ERR ACL GENPASS argument must be the number of bits for the output password, ${range}`,
    );
  }
  out.bulk(generatedPassword(Number(bits)));
};

const showLog: Run = (context, args, out) => {
  const { log } = context.access;
  if (args.length > 3) return out.error(arityError('acl|log'));
  if (args[2]?.toLowerCase() === 'reset') {
    log.reset();
    return out.simple('OK');
  }
  const count = args.length === 2 ? BigInt(LOG_SHOWN) : parseInteger(args[2] ?? '');
  if (count === undefined || count < 0) {
    return out.error('ERR value is out of range, must be positive');
  }
  const nowMs = context.services.clock.wallUs() / 1_000;
  const entries = log.newest(Number(count));
  out.array(entries.length);
  for (const entry of entries) logEntry(entry, nowMs, out);
};

function logEntry(entry: LogEntry, nowMs: number, out: ReplyWriter): void {
  out.map(10);
  out.bulk('count');
  out.integer(entry.count);
  const fields = ['reason', 'context', 'object', 'username'] as const;
  for (const field of fields) {
    out.bulk(field);
    out.bulk(entry[field]);
  }
  out.bulk('age-seconds');
  out.double(Math.max(0, Math.round(nowMs - entry.createdMs)) / 1_000);
  out.bulk('client-info');
  out.bulk(entry.client);
  out.bulk('entry-id');
  out.integer(entry.id);
  out.bulk('timestamp-created');
  out.integer(Math.round(entry.createdMs));
  out.bulk('timestamp-last-updated');
  out.integer(Math.round(entry.updatedMs));
}

const load: Run = (context, _args, out) => {
  const { aclFile } = context.services;
  if (aclFile === undefined) return out.error(NO_FILE);
  const text = aclFile.read();
  if (typeof text !== 'string') return out.error(`ERR ${text.reason}`);
  const plan = context.access.users.planLoad(text);
  if (typeof plan !== 'string') return change(context, plan, out);
  out.error(`ERR the ACL file was not loaded, and nothing has changed: ${plan}`);
};

const save: Run = (context, _args, out) => {
  const { aclFile } = context.services;
  if (aclFile === undefined) return out.error(NO_FILE);
  const problem = aclFile.write(context.access.users.describe());
  if (problem === undefined) out.simple('OK');
  else out.error(`ERR There was an error trying to save the ACLs: ${problem}`);
};

const HELP = [
  'CAT [<category>]',
  '    List all commands that belong to <category>, or all command categories',
  '    when no category is specified.',
  'DELUSER <username> [<username> ...]',
  '    Delete a list of users.',
  'DRYRUN <username> <command> [<arg> ...]',
  '    Returns whether the user can execute the given command without executing the command.',
  'GETUSER <username>',
  "    Get the user's details.",
  'GENPASS [<bits>]',
  '    Generate a secure 256-bit user password. The optional `bits` argument can',
  '    be used to specify a different size.',
  'LIST',
  '    Show users details in config file format.',
  'LOAD',
  '    Reload users from the ACL file.',
  'LOG [<count> | RESET]',
  '    Show the ACL log entries.',
  'SAVE',
  '    Save the current config to the ACL file.',
  'SETUSER <username> <attribute> [<attribute> ...]',
  '    Create or modify a user with the specified attributes.',
  'USERS',
  '    List all the registered usernames.',
  'WHOAMI',
  '    Return the current connection username.',
];

export const ACL_COMMAND: LocalCommand = withSubcommands({
  name: 'ACL',
  // Rules may hold passwords.
  isSecret: true,
  flags: ['noscript', 'loading', 'stale'],
  categories: ADMIN,
  group: 'server',
  summary: 'A container for Access List Control commands.',
  since: '6.0.0',
  complexity: 'Depends on subcommand.',
  subcommands: {
    CAT: { arity: -2, categories: ['@slow'], run: categories },
    DELUSER: { arity: -3, afterAll: true, run: deleteUsers },
    DRYRUN: { arity: -4, run: dryRun },
    GENPASS: { arity: -2, categories: ['@slow'], run: generatePassword },
    GETUSER: { arity: 3, run: getUser },
    LIST: {
      arity: 2,
      run: ({ access }, _args, out) =>
        texts(
          out,
          access.users.all().map((user) => `user ${user.name} ${user.describe()}`),
        ),
    },
    LOAD: { arity: 2, afterAll: true, run: load },
    LOG: { arity: -2, run: showLog },
    SAVE: { arity: 2, run: save },
    SETUSER: { arity: -3, afterAll: true, run: setUser },
    USERS: {
      arity: 2,
      run: ({ access }, _args, out) =>
        texts(
          out,
          access.users.all().map(({ name }) => name),
        ),
    },
    WHOAMI: {
      arity: 2,
      categories: ['@slow'],
      run: ({ client }, _args, out) => out.bulk(client.user || DEFAULT_USER),
    },
  },
  help: HELP,
});

function texts(out: ReplyWriter, words: readonly string[]): void {
  out.array(words.length);
  for (const word of words) out.bulk(word);
}
