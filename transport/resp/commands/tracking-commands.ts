/** CLIENT TRACKING, TRACKINGINFO, CACHING and GETREDIR: what the client wants to hear of. */
import { SYNTAX_ERROR } from '../../../storage/commands/command.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import type { LocalContext } from '../routes.ts';
import { enabledTracking, parseTracking } from '../tracking/tracking-options.ts';
import type { Subcommand } from './subcommands.ts';

const NO_OPTS =
  'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT ' +
  'mode enabled';

/** https://redis.io/docs/latest/commands/client-tracking */
function track(context: LocalContext, args: readonly string[], out: ReplyWriter): void {
  const asked = parseTracking(args.slice(3), (id) => context.clients.byId(id) !== undefined);
  if (typeof asked === 'string') return out.error(asked);
  const word = (args[2] ?? '').toUpperCase();
  if (word !== 'ON' && word !== 'OFF') return out.error(SYNTAX_ERROR);
  if (word === 'OFF') {
    context.track(undefined);
    return out.simple('OK');
  }
  const enabled = enabledTracking(asked, context.tracking?.options);
  if (typeof enabled === 'string') return out.error(enabled);
  context.track(enabled);
  out.simple('OK');
}

function trackingInfo({ tracking }: LocalContext, out: ReplyWriter): void {
  const { isBroadcast, opts, noLoop, prefixes, redirect } = tracking?.options ?? {
    ...{ isBroadcast: false, opts: undefined, noLoop: false, prefixes: [], redirect: -1 },
  };
  const flags = [tracking === undefined ? 'off' : 'on'];
  if (isBroadcast) flags.push('bcast');
  if (opts !== undefined) flags.push(`opt${opts}`);
  if (tracking?.caching === true) flags.push(opts === 'in' ? 'caching-yes' : 'caching-no');
  if (noLoop) flags.push('noloop');
  if (tracking?.isBroken === true) flags.push('broken_redirect');
  out.map(3);
  out.bulk('flags');
  out.set(flags.length);
  for (const flag of flags) out.bulk(flag);
  out.bulk('redirect');
  out.integer(redirect);
  out.bulk('prefixes');
  out.array(prefixes.length);
  for (const prefix of prefixes) out.bulk(prefix);
}

function caching({ tracking }: LocalContext, args: readonly string[], out: ReplyWriter): void {
  if (tracking === undefined) return out.error(NO_OPTS);
  const word = (args[2] ?? '').toUpperCase();
  const { opts } = tracking.options;
  if (word !== 'YES' && word !== 'NO') return out.error(SYNTAX_ERROR);
  const needed = word === 'YES' ? 'in' : 'out';
  if (opts !== needed) {
    const mode = `OPT${needed.toUpperCase()}`;
    return out.error(
      `ERR CLIENT CACHING ${word} is only valid when tracking is enabled in ${mode} mode.`,
    );
  }
  tracking.caching = true;
  out.simple('OK');
}

export const TRACKING_SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  TRACKING: { arity: -3, run: track },
  TRACKINGINFO: { arity: 2, run: (context, _args, out) => trackingInfo(context, out) },
  CACHING: { arity: 3, run: caching },
  GETREDIR: {
    arity: 2,
    run: ({ tracking }, _args, out) => out.integer(tracking?.options.redirect ?? -1),
  },
};
