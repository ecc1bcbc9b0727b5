/**
 * A change of the topology, as a node sends it: a command of its state machine as JSON. Answers the
 * number of the last change, or an error that says why nothing was done.
 */
import { type Command, command } from './command.ts';
import { changeTable, rowOf } from './table-rows.ts';

export const TOPOLOGY_COMMAND = 'HOLO.TOPOLOGY';
/** How the error line begins where the rules refuse it. */
export const TOPOLOGY_REFUSED = 'ERR topology: ';

export const TOPOLOGY_COMMANDS: readonly Command[] = [
  command({
    group: 'server',
    keys: 'whole-store',
    ofTable: true,
    flags: 'write',
    name: TOPOLOGY_COMMAND,
    arity: 2,
    summary: 'Change the topology of the cluster',
    since: '0.1.0',
    complexity: 'O(N) where N is the number of ranges.',
    run(keyspace, args, out) {
      const row = (name: string): string | undefined => rowOf(keyspace, name);
      const rules = keyspace.topologyRules;
      const { changes, refused, answer } = rules(row, args.text(1), keyspace.version);
      if (refused !== undefined) return out.error(`${TOPOLOGY_REFUSED}${refused}`);
      changeTable(keyspace, changes);
      out.integer(answer);
    },
  }),
];
