/**
 * SCRIPT and FUNCTION, without the subcommands on the cluster's table, which are the store's. No
 * script can be killed, since none runs long: it ends at its number of steps.
 * https://redis.io/docs/latest/commands/script-load
 */
import type { LocalCommand } from '../routes.ts';
import { replyWith, unsupported, withSubcommands } from './subcommands.ts';

const NOT_BUSY = 'NOTBUSY No scripts in execution right now.';
const NONE_RUNS = replyWith(2, (out) => out.error(NOT_BUSY));

const OF_SCRIPTS = {
  flags: ['noscript'],
  categories: ['@slow', '@scripting'],
  group: 'scripting',
  complexity: 'Depends on subcommand.',
  helpCategory: '@scripting',
} as const;

export const SCRIPT_COMMANDS: readonly LocalCommand[] = [
  withSubcommands({
    ...OF_SCRIPTS,
    name: 'SCRIPT',
    summary: 'A container for Lua scripts management commands.',
    since: '2.6.0',
    help: [
      'EXISTS <sha1> [<sha1> ...]',
      '    Tell which scripts are loaded.',
      'FLUSH [ASYNC|SYNC]',
      '    Remove all loaded scripts, at all nodes.',
      'LOAD <script>',
      '    Load a script, to be run by its hash at every node.',
    ],
    subcommands: { DEBUG: unsupported('SCRIPT DEBUG', 3), KILL: NONE_RUNS },
  }),
  withSubcommands({
    ...OF_SCRIPTS,
    name: 'FUNCTION',
    summary: 'A container for function commands.',
    since: '7.0.0',
    help: [
      'LOAD [REPLACE] <function code>',
      '    Load a library, whose functions can be called at every node.',
      'DELETE <library name>',
      '    Remove a library.',
      'LIST [LIBRARYNAME pattern] [WITHCODE]',
      '    Tell of the libraries and their functions.',
      'STATS',
      '    Tell how many there are.',
      'KILL',
      '    Answers NOTBUSY: functions end at their number of steps.',
      'FLUSH [ASYNC|SYNC]',
      '    Remove all libraries.',
      'DUMP',
      '    Give all libraries as a payload for FUNCTION RESTORE.',
      'RESTORE <payload> [FLUSH|APPEND|REPLACE]',
      '    Restore libraries: in place of all, beside them, or in place of those that they name.',
    ],
    subcommands: { KILL: NONE_RUNS },
  }),
];
