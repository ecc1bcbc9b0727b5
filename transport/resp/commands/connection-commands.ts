/**
 * Commands about the connection itself: PING, ECHO, HELLO, AUTH, SELECT, QUIT, RESET.
 */
import { arityError, printable } from '../../../storage/commands/command.ts';
import { databaseNumber } from '../../../storage/commands/database-number.ts';
import { parseInteger } from '../../../storage/types/integers.ts';
import { WRONG_PASS } from '../../access/access-control.ts';
import { DEFAULT_USER } from '../../access/acl/user.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import { isSubscriber } from '../connection/client-state.ts';
import { REDIS_COMPATIBLE_VERSION } from '../info.ts';
import { type LocalCommand, type LocalContext, NOT_IN_MULTI } from '../routes.ts';
import { nameError } from './client-command.ts';

const NO_PASSWORD_SET =
  'ERR AUTH <password> called without any password configured for the default user. ' +
  'Are you sure your configuration is correct?';
const NOAUTH_HELLO =
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> ' +
  'AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol ' +
  'version at the same time';
const SECURITY_ATTACK =
  'ERR Possible SECURITY ATTACK detected: HTTP was spoken to a Redis port. Connection aborted.';

const CONNECTION = {
  flags: ['noscript', 'loading', 'stale', 'fast'],
  categories: ['@fast', '@connection'],
  group: 'connection',
  complexity: 'O(1)',
} as const;

/** Before a login too. */
const FOR_ALL = [...CONNECTION.flags, 'no_auth'];

/** https://redis.io/docs/latest/commands/hello */
function hello(context: LocalContext, args: readonly string[], out: ReplyWriter): void {
  const { client } = context;
  if (context.inExec) return out.error(NOT_IN_MULTI);
  let protocol = client.protocol;
  if (args.length > 1) {
    const version = parseInteger(args[1] ?? '');
    if (version === undefined) {
      return out.error('ERR Protocol version is not an integer or out of range');
    }
    if (version !== 2 && version !== 3) {
      return out.error('NOPROTO unsupported protocol version');
    }
    protocol = version;
  }
  const options = helloOptions(args);
  if (typeof options === 'string') return out.error(options);
  const { login } = options;
  if (login !== undefined && !context.login(login.user, login.password)) {
    return out.error(WRONG_PASS);
  }
  if (!context.isLoggedIn) return out.error(NOAUTH_HELLO);
  if (options.name !== undefined) client.name = options.name;
  client.protocol = protocol;
  out.protocol = protocol;
  out.map(7);
  field(out, 'server', 'redis');
  field(out, 'version', REDIS_COMPATIBLE_VERSION);
  out.bulk('proto');
  out.integer(protocol);
  out.bulk('id');
  out.integer(client.id);
  field(out, 'mode', 'standalone');
  field(out, 'role', 'master');
  out.bulk('modules');
  out.array(0);
}

interface HelloOptions {
  name?: string;
  login?: { readonly user: string; readonly password: string };
}

function helloOptions(args: readonly string[]): HelloOptions | string {
  const options: HelloOptions = {};
  for (let i = 2; i < args.length; ) {
    const word = args[i] ?? '';
    const left = args.length - i - 1;
    if (word.toUpperCase() === 'AUTH' && left >= 2) {
      options.login = { user: args[i + 1] ?? '', password: args[i + 2] ?? '' };
      i += 3;
    } else if (word.toUpperCase() === 'SETNAME' && left >= 1) {
      const name = args[i + 1] ?? '';
      const error = nameError('Client names', name);
      if (error !== undefined) return error;
      options.name = name;
      i += 2;
    } else {
      return `ERR Syntax error in HELLO option '${printable(word)}'`;
    }
  }
  return options;
}

function field(out: ReplyWriter, name: string, value: string): void {
  out.bulk(name);
  out.bulk(value);
}

/** https://redis.io/docs/latest/commands/reset */
function reset(context: LocalContext, _args: readonly string[], out: ReplyWriter): void {
  const { client } = context;
  context.discardMulti();
  context.unwatch();
  context.pubsub.unsubscribeAll(context);
  context.logout();
  client.name = '';
  client.database = 0;
  client.protocol = 2;
  // The command after CLIENT REPLY SKIP gets no reply, even if it is RESET.
  if (client.replyMode !== 'skip') client.replyMode = 'on';
  context.track(undefined);
  context.monitor(false);
  client.noEvict = false;
  client.noTouch = false;
  out.protocol = 2;
  out.simple('RESET');
}

/** https://redis.io/docs/latest/commands/auth */
function authenticate(context: LocalContext, args: readonly string[], out: ReplyWriter): void {
  if (args.length > 3) return out.error('ERR syntax error');
  const { defaultUser } = context.access.users;
  if (args.length === 2 && defaultUser.needsNoPassword) return out.error(NO_PASSWORD_SET);
  const [user, password] = args.length === 2 ? [DEFAULT_USER, args[1]] : [args[1], args[2]];
  if (context.login(user ?? '', password ?? '')) out.simple('OK');
  else out.error(WRONG_PASS);
}

/** A browser was lured into posting to this port: nothing after the request is read. */
function refuseHttp(context: LocalContext, _args: readonly string[], out: ReplyWriter): void {
  context.counters.securityAttacks += 1;
  out.error(SECURITY_ATTACK);
  context.closeAfterReplies();
}

const HTTP = {
  ...CONNECTION,
  flags: FOR_ALL,
  arity: -1,
  immediate: true,
  summary: 'An internal command that catches HTTP requests.',
  since: '1.0.0',
  run: refuseHttp,
} as const;

export const CONNECTION_COMMANDS: readonly LocalCommand[] = [
  {
    ...CONNECTION,
    name: 'PING',
    arity: -1,
    summary: "Returns the server's liveliness response.",
    since: '1.0.0',
    run({ client }, args, out) {
      if (args.length > 2) out.error(arityError('ping'));
      else if (client.protocol === 2 && isSubscriber(client)) {
        out.array(2);
        out.bulk('pong');
        out.bulk(args[1] ?? '');
      } else if (args.length === 2) out.bulk(args[1] ?? '');
      else out.simple('PONG');
    },
  },
  {
    ...CONNECTION,
    name: 'ECHO',
    arity: 2,
    summary: 'Returns the given string.',
    since: '1.0.0',
    run: (_context, args, out) => out.bulk(args[1] ?? ''),
  },
  {
    ...CONNECTION,
    name: 'HELLO',
    flags: FOR_ALL,
    isSecret: true,
    arity: -1,
    afterAll: true,
    summary: 'Handshakes with the server.',
    since: '6.0.0',
    run: hello,
  },
  {
    ...CONNECTION,
    name: 'AUTH',
    flags: FOR_ALL,
    arity: -2,
    summary: 'Authenticates the connection.',
    since: '1.0.0',
    isSecret: true,
    run: authenticate,
  },
  {
    ...CONNECTION,
    name: 'SELECT',
    arity: 2,
    summary: 'Changes the selected database.',
    since: '1.0.0',
    run({ client }, args, out) {
      const selected = databaseNumber(args[1] ?? '');
      if (typeof selected === 'string') return out.error(selected);
      client.database = selected;
      out.simple('OK');
    },
  },
  {
    ...CONNECTION,
    name: 'QUIT',
    flags: FOR_ALL,
    arity: -1,
    immediate: true,
    summary: 'Closes the connection.',
    since: '1.0.0',
    run(context, _args, out) {
      out.simple('OK');
      context.closeAfterReplies();
    },
  },
  {
    ...CONNECTION,
    name: 'RESET',
    flags: FOR_ALL,
    arity: 1,
    afterAll: true,
    immediate: true,
    summary: 'Resets the connection.',
    since: '6.2.0',
    run: reset,
  },
  {
    ...CONNECTION,
    name: 'READONLY',
    arity: 1,
    summary: 'Accepts reads from a replica: every node always does.',
    since: '3.0.0',
    run: (_context, _args, out) => out.simple('OK'),
  },
  {
    ...CONNECTION,
    name: 'READWRITE',
    arity: 1,
    summary: 'Ends READONLY.',
    since: '3.0.0',
    run: (_context, _args, out) => out.simple('OK'),
  },
  { ...HTTP, name: 'POST' },
  { ...HTTP, name: 'HOST:' },
];
