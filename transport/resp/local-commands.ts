/** Every command that the gateway answers itself; `routes.ts` looks them up. */
import { ACL_COMMAND } from './commands/acl-command.ts';
import { CLIENT_COMMAND } from './commands/client-command.ts';
import { ASKING_COMMAND, CLUSTER_COMMAND } from './commands/cluster-command.ts';
import { COMMAND_COMMAND } from './commands/command-command.ts';
import { CONFIG_COMMAND } from './commands/config-command.ts';
import { CONNECTION_COMMANDS } from './commands/connection-commands.ts';
import { INSIGHT_COMMANDS } from './commands/insight-commands.ts';
import { MEMORY_COMMAND } from './commands/memory-command.ts';
import { MONITOR_COMMAND } from './commands/monitor-command.ts';
import { PUBSUB_COMMANDS } from './commands/pubsub-commands.ts';
import { SCRIPT_COMMANDS } from './commands/script-command.ts';
import { SERVER_COMMANDS } from './commands/server-commands.ts';
import { TRANSACTION_COMMANDS } from './commands/transaction-commands.ts';
import type { LocalCommand } from './routes.ts';

export const LOCAL_COMMANDS: readonly LocalCommand[] = [
  ...CONNECTION_COMMANDS,
  ...TRANSACTION_COMMANDS,
  ...SERVER_COMMANDS,
  ...INSIGHT_COMMANDS,
  ...PUBSUB_COMMANDS,
  ACL_COMMAND,
  CLIENT_COMMAND,
  ASKING_COMMAND,
  CLUSTER_COMMAND,
  COMMAND_COMMAND,
  CONFIG_COMMAND,
  MEMORY_COMMAND,
  ...SCRIPT_COMMANDS,
  MONITOR_COMMAND,
];
