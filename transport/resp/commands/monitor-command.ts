/** MONITOR: the client sees the commands of all clients of its node from now on. */
import type { LocalCommand } from '../routes.ts';

export const MONITOR_COMMAND: LocalCommand = {
  name: 'MONITOR',
  arity: 1,
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['@admin', '@slow', '@dangerous'],
  group: 'server',
  afterAll: true,
  summary: 'Listen for all requests received by the node in real time',
  since: '1.0.0',
  complexity: '',
  run(context, _args, out) {
    if (context.inExec) return out.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
    context.monitor(true);
    out.simple('OK');
  },
};
