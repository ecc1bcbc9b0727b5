/**
 * SCRIPT, without the subcommands on stored scripts, which are the store's. No script can be
 * killed, since none runs long: it ends at its number of steps.
 * https://redis.io/docs/latest/commands/script-load
 */
import type { LocalCommand } from '../routes.ts';
import { replyWith, unsupported, withSubcommands } from './subcommands.ts';

const NOT_BUSY = 'NOTBUSY No scripts in execution right now.';

export const SCRIPT_COMMAND: LocalCommand = withSubcommands({
  name: 'SCRIPT',
  flags: ['noscript'],
  categories: ['@slow', '@scripting'],
  group: 'scripting',
  summary: 'A container for Lua scripts management commands.',
  since: '2.6.0',
  complexity: 'Depends on subcommand.',
  helpCategory: '@scripting',
  help: [
    'EXISTS <sha1> [<sha1> ...]',
    '    Tell which scripts are loaded.',
    'FLUSH [ASYNC|SYNC]',
    '    Remove all loaded scripts, at all nodes.',
    'LOAD <script>',
    '    Load a script, to be run by its hash at every node.',
  ],
  subcommands: {
    DEBUG: unsupported('SCRIPT DEBUG', 3),
    KILL: replyWith(2, (out) => out.error(NOT_BUSY)),
  },
});
