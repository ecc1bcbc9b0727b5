/**
 * CLIENT: reads and changes the state of the client itself and of others. Maintenance notifications
 * are refused with an error.
 */
import { NOT_AN_INTEGER, printable, SYNTAX_ERROR } from '../../../storage/commands/command.ts';
import { parseInteger } from '../../../storage/types/integers.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import { type ClientView, isSubscriber } from '../connection/client-state.ts';
import { type LocalCommand, type LocalContext, NOT_IN_MULTI } from '../routes.ts';
import { clientFilter } from './client-filter.ts';
import { PAUSE_SUBCOMMANDS } from './pause-commands.ts';
import { type Subcommand, unsupported, withSubcommands } from './subcommands.ts';
import { TRACKING_SUBCOMMANDS } from './tracking-commands.ts';

/** Redis has no limit here, but the names cost memory per connection. */
const NAME_BYTES_MAX = 1024;

/** The error for a `name` that is not valid for a client or library; `what` begins the line. */
export function nameError(what: string, name: string): string | undefined {
  if (name.length > NAME_BYTES_MAX) {
    return `ERR ${what} cannot be longer than ${NAME_BYTES_MAX} bytes.`;
  }
  if (/^[!-~]*$/.test(name)) return undefined;
  return `ERR ${what} cannot contain spaces, newlines or special characters.`;
}

/** One line of CLIENT LIST without its newline, with the fields of Redis 7.2. */
function describeClient(view: ClientView, nowMs: number): string {
  const { client } = view;
  const seconds = (sinceMs: number): number => Math.max(0, Math.floor((nowMs - sinceMs) / 1000));
  const { inputBytes, outputBytes, multiBytes } = view;
  const flags = [
    view.multiCommands >= 0 ? 'x' : '',
    view.closing ? 'c' : '',
    client.noEvict ? 'e' : '',
    client.noTouch ? 'T' : '',
    isSubscriber(client) ? 'P' : '',
    client.isMonitor ? 'O' : '',
    view.isBlocked ? 'b' : '',
    view.tracking === undefined ? '' : 't',
    view.tracking?.isBroken === true ? 'R' : '',
    view.tracking?.options.isBroadcast === true ? 'B' : '',
  ].join('');
  const fields: readonly (readonly [string, string | number])[] = [
    ['id', client.id],
    ['addr', client.address],
    ['laddr', client.localAddress],
    ['fd', -1],
    ['name', client.name],
    ['age', seconds(client.connectedMs)],
    ['idle', seconds(client.activeMs)],
    ['flags', flags === '' ? 'N' : flags],
    ['db', client.database],
    ['sub', client.subscriptions.channel],
    ['psub', client.subscriptions.pattern],
    ['ssub', client.subscriptions.shard],
    ['multi', view.multiCommands],
    ['qbuf', inputBytes],
    ['qbuf-free', 0],
    ['argv-mem', 0],
    ['multi-mem', multiBytes],
    ['rbs', 0],
    ['rbp', 0],
    ['obl', outputBytes],
    ['oll', 0],
    ['omem', outputBytes],
    ['tot-mem', inputBytes + outputBytes + multiBytes],
    ['events', 'r'],
    ['cmd', client.lastCommand],
    ['user', client.user],
    ['redir', view.tracking?.options.redirect ?? -1],
    ['resp', client.protocol],
    ['lib-name', client.libName],
    ['lib-ver', client.libVersion],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(' ');
}

/** The asking client is active now, before its next tick. */
function askedAtMs(context: LocalContext): number {
  context.client.activeMs = context.services.clock.monotonicMs();
  return context.client.activeMs;
}

function list(context: LocalContext, args: readonly string[], out: ReplyWriter): void {
  const nowMs = askedAtMs(context);
  const views = listed(context, args);
  if (typeof views === 'string') return out.error(views);
  out.verbatim(views.map((view) => `${describeClient(view, nowMs)}\n`).join(''));
}

/** The clients that CLIENT LIST [TYPE t | ID i ...] selects, or the error line. */
function listed(context: LocalContext, args: readonly string[]): ClientView[] | string {
  const word = (args[2] ?? '').toUpperCase();
  if (args.length === 2) return [...context.clients.all()];
  if (word === 'TYPE' && args.length === 4) {
    const type = (args[3] ?? '').toLowerCase();
    const isPubsub = type === 'pubsub';
    if (type === 'normal' || isPubsub) {
      const all = [...context.clients.all()];
      return all.filter(({ client }) => isSubscriber(client) === isPubsub);
    }
    const known = ['master', 'replica', 'slave'].includes(type);
    return known ? [] : `ERR Unknown client type '${printable(args[3] ?? '')}'`;
  }
  if (word !== 'ID' || args.length < 4) return SYNTAX_ERROR;
  const views: ClientView[] = [];
  for (const text of args.slice(3)) {
    const id = parseInteger(text);
    if (id === undefined) return 'ERR Invalid client ID';
    const view = context.clients.byId(Number(id));
    if (view !== undefined) views.push(view);
  }
  return views;
}

function kill(context: LocalContext, args: readonly string[], out: ReplyWriter): void {
  const [, , address] = args;
  if (args.length === 3) {
    const all = [...context.clients.all()];
    const found = all.find((view) => view.client.address === address);
    if (found === undefined) return out.error('ERR No such client');
    out.simple('OK');
    killOne(context, found);
    return;
  }
  const filter = clientFilter(
    args,
    context.client.id,
    context.services.clock.monotonicMs(),
    (name) => context.access.users.find(name) !== undefined,
  );
  if (typeof filter === 'string') return out.error(filter);
  const found = [...context.clients.all()].filter((view) => filter(view));
  out.integer(found.length);
  for (const view of found) killOne(context, view);
}

/** The asking client still gets its answer. */
function killOne(context: LocalContext, view: ClientView): void {
  if (view.client.id === context.client.id) context.closeAfterReplies();
  else view.kill();
}

function setInfo(context: LocalContext, args: readonly string[], out: ReplyWriter): void {
  const [, , attribute = '', value = ''] = args;
  const name = attribute.toLowerCase();
  if (name !== 'lib-name' && name !== 'lib-ver') {
    return out.error(`ERR Unrecognized option '${printable(attribute)}'`);
  }
  const error = nameError(name, value);
  if (error !== undefined) return out.error(error);
  if (name === 'lib-name') context.client.libName = value;
  else context.client.libVersion = value;
  out.simple('OK');
}

/** https://redis.io/docs/latest/commands/client-reply */
function reply(context: LocalContext, args: readonly string[], out: ReplyWriter): void {
  const { client } = context;
  const mode = (args[2] ?? '').toUpperCase();
  if (mode === 'ON') {
    client.replyMode = 'on';
    return out.simple('OK');
  }
  if (mode !== 'OFF' && mode !== 'SKIP') return out.error(SYNTAX_ERROR);
  // In Redis the array of EXEC would be shorter than its header announced.
  if (context.inExec) return out.error(NOT_IN_MULTI);
  if (mode === 'OFF') client.replyMode = 'off';
  else if (client.replyMode !== 'off') client.replyMode = 'skip-next';
}

const UNBLOCKED = 'UNBLOCKED client unblocked via CLIENT UNBLOCK';

function onOff(set: (context: LocalContext, on: boolean) => void): Subcommand {
  return {
    arity: 3,
    run(context, args, out) {
      const word = (args[2] ?? '').toUpperCase();
      if (word !== 'ON' && word !== 'OFF') return out.error(SYNTAX_ERROR);
      set(context, word === 'ON');
      out.simple('OK');
    },
  };
}

function unblock(context: LocalContext, args: readonly string[], out: ReplyWriter): void {
  const reason = (args[3] ?? 'TIMEOUT').toUpperCase();
  if (args.length > 4) out.error(SYNTAX_ERROR);
  else if (reason !== 'TIMEOUT' && reason !== 'ERROR') {
    out.error('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
  } else {
    const id = parseInteger(args[2] ?? '');
    if (id === undefined) return out.error(NOT_AN_INTEGER);
    const view = context.clients.byId(Number(id));
    const isError = reason === 'ERROR';
    out.integer(view?.unblock(isError ? UNBLOCKED : undefined) === true ? 1 : 0);
  }
}

const ADMIN = ['@admin', '@slow', '@dangerous', '@connection'];

export const CLIENT_COMMAND: LocalCommand = withSubcommands({
  name: 'CLIENT',
  flags: ['noscript', 'loading', 'stale'],
  categories: ['@slow', '@connection'],
  group: 'connection',
  // CLIENT REPLY affects the replies of all later commands, and of no earlier one.
  afterAll: true,
  summary: 'A container for client connection commands.',
  since: '2.4.0',
  complexity: 'Depends on subcommand.',
  helpCategory: '@connection',
  subcommands: {
    ID: { arity: 2, run: (context, _args, out) => out.integer(context.client.id) },
    INFO: {
      arity: 2,
      run(context, _args, out) {
        const view = context.clients.byId(context.client.id);
        const nowMs = askedAtMs(context);
        out.verbatim(view === undefined ? '' : `${describeClient(view, nowMs)}\n`);
      },
    },
    LIST: { arity: -2, categories: ADMIN, run: list },
    KILL: { arity: -3, categories: ADMIN, run: kill },
    GETNAME: {
      arity: 2,
      run(context, _args, out) {
        if (context.client.name === '') out.nil();
        else out.bulk(context.client.name);
      },
    },
    SETNAME: {
      arity: 3,
      run(context, args, out) {
        const name = args[2] ?? '';
        const error = nameError('Client names', name);
        if (error !== undefined) return out.error(error);
        context.client.name = name;
        out.simple('OK');
      },
    },
    SETINFO: { arity: 4, run: setInfo },
    REPLY: { arity: 3, run: reply },
    'NO-EVICT': {
      ...onOff((context, on) => {
        context.client.noEvict = on;
      }),
      categories: ADMIN,
    },
    'NO-TOUCH': onOff((context, on) => {
      context.client.noTouch = on;
    }),
    UNBLOCK: { arity: -3, categories: ADMIN, run: unblock },
    ...TRACKING_SUBCOMMANDS,
    ...PAUSE_SUBCOMMANDS,
    MAINT_NOTIFICATIONS: unsupported('CLIENT MAINT_NOTIFICATIONS', -3),
  },
});
