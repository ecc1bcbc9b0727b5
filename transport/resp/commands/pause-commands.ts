/** CLIENT PAUSE and CLIENT UNPAUSE. */
import { parseInteger } from '../../../storage/types/integers.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import type { LocalContext } from '../routes.ts';
import type { Subcommand } from './subcommands.ts';

const ADMIN = ['@admin', '@slow', '@dangerous', '@connection'];
const USAGE = "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.";

/** https://redis.io/docs/latest/commands/client-pause */
function pause(context: LocalContext, args: readonly string[], out: ReplyWriter): void {
  if (args.length > 4) return out.error(USAGE);
  const mode = (args[3] ?? 'ALL').toUpperCase();
  if (mode !== 'ALL' && mode !== 'WRITE') {
    return out.error('ERR CLIENT PAUSE mode must be WRITE or ALL');
  }
  const ms = parseInteger(args[2] ?? '');
  if (ms === undefined) return out.error('ERR timeout is not an integer or out of range');
  if (ms < 0) return out.error('ERR timeout is negative');
  context.pauseClients(Number(ms), mode === 'ALL');
  out.simple('OK');
}

export const PAUSE_SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  PAUSE: { arity: -3, categories: ADMIN, run: pause },
  UNPAUSE: {
    arity: 2,
    categories: ADMIN,
    run(context, _args, out) {
      context.unpauseClients();
      out.simple('OK');
    },
  },
};
