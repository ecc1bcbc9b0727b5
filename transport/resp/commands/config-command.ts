/** CONFIG: reads and changes the node's settings by Redis' names, through the registry. */
import { SYNTAX_ERROR } from '../../../storage/commands/command.ts';
import { DEFAULT_USER } from '../../access/acl/user.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import { type LocalCommand, type LocalContext, NOT_IN_MULTI } from '../routes.ts';
import { withSubcommands } from './subcommands.ts';

const NOT_ALONE =
  "ERR CONFIG SET failed (possibly related to argument 'requirepass') - it is of the cluster's users, " +
  'and is set alone';

function isPassword(name: string): boolean {
  return name.toLowerCase() === 'requirepass';
}

/** As ACL SETUSER of the default user. */
function setPassword(
  context: LocalContext,
  pairs: readonly (readonly [name: string, value: string])[],
  out: ReplyWriter,
): void {
  const [[, password] = ['', '']] = pairs;
  if (pairs.length > 1) return out.error(NOT_ALONE);
  if (context.inExec) return out.error(NOT_IN_MULTI);
  const rule = password === '' ? 'nopass' : `>${password}`;
  const plan = context.access.users.planSet(DEFAULT_USER, ['resetpass', rule]);
  if (typeof plan === 'string') out.error(plan);
  else context.changeUsers(plan, (reply) => reply.simple('OK'));
}

export const CONFIG_COMMAND: LocalCommand = withSubcommands({
  name: 'CONFIG',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['@admin', '@slow', '@dangerous'],
  group: 'server',
  summary: 'A container for server configuration commands.',
  since: '2.0.0',
  complexity: 'Depends on subcommand.',
  subcommands: {
    GET: {
      arity: -3,
      run(context, args, out) {
        const found = context.services.settings.matching(args.slice(2));
        out.map(found.length);
        for (const setting of found) {
          out.bulk(setting.name);
          out.bulk(setting.get());
        }
      },
    },
    SET: {
      // A password may be set.
      isSecret: true,
      arity: -4,
      afterAll: true,
      run(context, args, out) {
        if (args.length % 2 !== 0) return out.error(SYNTAX_ERROR);
        const pairs: [string, string][] = [];
        for (let i = 2; i < args.length; i += 2) pairs.push([args[i] ?? '', args[i + 1] ?? '']);
        if (pairs.some(([name]) => isPassword(name))) return setPassword(context, pairs, out);
        const outcome = context.services.settings.setAll(pairs, 'client');
        if (outcome === undefined) out.simple('OK');
        else if (typeof outcome === 'string') out.error(`ERR ${outcome}`);
        else if (context.inExec) out.error(NOT_IN_MULTI);
        else context.changeCluster(outcome);
      },
    },
    RESETSTAT: {
      arity: 2,
      run(context, _args, out) {
        context.counters.reset();
        context.routes.resetCounters();
        context.services.resetCounters();
        out.simple('OK');
      },
    },
    REWRITE: {
      arity: 2,
      run: (_context, _args, out) => out.error('ERR The server is running without a config file'),
    },
  },
});
