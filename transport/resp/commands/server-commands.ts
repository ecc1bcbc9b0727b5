/**
 * Commands about the node: INFO, TIME, WAIT, HoloStore's counters, and the short answers that
 * clients and tools expect about missing features. None of them pretends that a feature exists.
 */
import { NOT_AN_INTEGER } from '../../../storage/commands/command.ts';
import { parseInteger } from '../../../storage/types/integers.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import { mergeSections, renderInfo } from '../info.ts';
import type { LocalCommand, LocalContext } from '../routes.ts';
import { replyWith, withSubcommands } from './subcommands.ts';

const SERVER = {
  flags: ['loading', 'stale'],
  categories: ['@slow', '@dangerous'],
  group: 'server',
  complexity: 'O(1)',
} as const;

const ADMIN = ['@admin', '@slow', '@dangerous'] as const;
const CONTAINER = { ...SERVER, complexity: 'Depends on subcommand.' } as const;

/**
 * https://redis.io/docs/latest/commands/wait: an acknowledged write is already on the disks of a
 * majority, so there is nothing to wait for. WAIT 0 answers 0.
 */
function wait(context: LocalContext, args: readonly string[], out: ReplyWriter): void {
  const timeoutMs = parseInteger(args[2] ?? '');
  const copies = parseInteger(args[1] ?? '');
  if (copies === undefined) return out.error(NOT_AN_INTEGER);
  if (timeoutMs === undefined) {
    return out.error('ERR timeout is not an integer or out of range');
  }
  if (timeoutMs < 0) return out.error('ERR timeout is negative');
  const none = copies <= 0 || context.client.lastUnitFailed;
  out.integer(none ? 0 : context.services.replicasAcknowledged());
}

const OBJECT_HELP = [
  'ENCODING <key>',
  '    Return the kind of internal representation used in order to store the value',
  '    associated with a <key>.',
  'FREQ <key>',
  '    Return the access frequency index of the <key>. The returned integer is',
  '    proportional to the logarithm of the recent access frequency of the key.',
  'IDLETIME <key>',
  '    Return the idle time of the <key>, that is the approximated number of',
  '    seconds elapsed since the last access to the key.',
  'REFCOUNT <key>',
  '    Return the number of references of the value associated with the specified',
  '    <key>.',
];

const XGROUP_HELP = [
  'CREATE <key> <groupname> <id|$> [option]',
  '    Create a new consumer group. Options are:',
  '    * MKSTREAM',
  '      Create the empty stream if it does not exist.',
  '    * ENTRIESREAD entries_read',
  "      Set the group's entries_read counter (internal use).",
  'CREATECONSUMER <key> <groupname> <consumer>',
  '    Create a new consumer in the specified group.',
  'DELCONSUMER <key> <groupname> <consumer>',
  '    Remove the specified consumer.',
  'DESTROY <key> <groupname>',
  '    Remove the specified group.',
  'SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]',
  '    Set the current group ID and entries_read counter.',
];

const XINFO_HELP = [
  'CONSUMERS <key> <groupname>',
  '    Show consumers of <groupname>.',
  'GROUPS <key>',
  '    Show the stream consumer groups.',
  'STREAM <key> [FULL [COUNT <count>]',
  '    Show information about the stream.',
];

export const SERVER_COMMANDS: readonly LocalCommand[] = [
  {
    ...SERVER,
    name: 'INFO',
    arity: -1,
    summary: 'Returns information and statistics about the server.',
    since: '1.0.0',
    run: (context, args, out) =>
      out.verbatim(renderInfo(mergeSections(context.services.info()), args.slice(1))),
  },
  {
    ...SERVER,
    categories: ['@fast'],
    name: 'TIME',
    arity: 1,
    summary: 'Returns the server time.',
    since: '2.6.0',
    run(context, _args, out) {
      const nowUs = context.services.clock.wallUs();
      out.array(2);
      out.bulk(String(Math.floor(nowUs / 1e6)));
      out.bulk(String(Math.floor(nowUs % 1e6)));
    },
  },
  {
    ...SERVER,
    group: 'generic',
    categories: ['@slow', '@connection'],
    name: 'WAIT',
    arity: 3,
    afterAll: true,
    summary: 'Returns on how many other nodes the acknowledged writes surely are.',
    since: '3.0.0',
    run: wait,
  },
  {
    ...SERVER,
    categories: ['@admin', '@fast', '@dangerous'],
    name: 'ROLE',
    arity: 1,
    summary: 'Returns the role: every node takes every command.',
    since: '2.8.12',
    run(context, _args, out) {
      out.array(3);
      out.bulk('master');
      out.integer(context.services.replicationOffset());
      out.array(0);
    },
  },
  {
    ...SERVER,
    categories: ['@admin', '@fast', '@dangerous'],
    name: 'LASTSAVE',
    arity: 1,
    summary: 'Returns when the store was last written out; the log has every write before that.',
    since: '1.0.0',
    run: (context, _args, out) => out.integer(context.services.lastSaveSeconds()),
  },
  {
    ...SERVER,
    name: 'HOLOSTATS',
    arity: 1,
    summary: 'Returns counters of this node as k=v pairs.',
    since: '0.1.0',
    run: (context, _args, out) => out.bulk(context.services.holoStats()),
  },
  {
    ...SERVER,
    name: 'HOLOMETRICS',
    arity: 1,
    summary: 'Returns the metrics of this node in the Prometheus text format.',
    since: '0.1.0',
    run: (context, _args, out) => out.bulk(context.services.holoMetrics()),
  },
  {
    ...SERVER,
    categories: ADMIN,
    name: 'DEBUG',
    arity: -2,
    summary: 'Refused.',
    since: '1.0.0',
    run: (_context, _args, out) => out.error('ERR DEBUG command not allowed.'),
  },
  withSubcommands({
    ...CONTAINER,
    categories: ADMIN,
    name: 'MODULE',
    summary: 'A container for module commands.',
    since: '4.0.0',
    subcommands: { LIST: replyWith(2, (out) => out.array(0)) },
  }),
  withSubcommands({
    ...CONTAINER,
    group: 'generic',
    name: 'OBJECT',
    summary: 'A container for object introspection commands.',
    since: '2.2.3',
    // All of them ask the store.
    subcommands: {},
    helpCategory: '@keyspace',
    help: OBJECT_HELP,
  }),
  withSubcommands({
    ...CONTAINER,
    group: 'stream',
    name: 'XGROUP',
    summary: 'A container for consumer groups commands.',
    since: '5.0.0',
    // All of them ask the store.
    subcommands: {},
    helpCategory: '@stream',
    help: XGROUP_HELP,
  }),
  withSubcommands({
    ...CONTAINER,
    group: 'stream',
    name: 'XINFO',
    summary: 'A container for stream introspection commands.',
    since: '5.0.0',
    // All of them ask the store.
    subcommands: {},
    helpCategory: '@stream',
    help: XINFO_HELP,
  }),
];
