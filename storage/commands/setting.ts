/**
 * CONFIG SET of settings of the cluster, as the node that was asked sends it: `version` (the name
 * of the row that counts), then names and values that it has judged. Answers the new version.
 */
import { NO_DEADLINE } from '../keyspace/entry.ts';
import { STRING } from '../types/string.ts';
import { type Command, command, ONE_KEY } from './command.ts';

export const SETTING_COMMAND = 'HOLO.SETTING';
/** Answers the version of the cluster's table. */
export const TABLE_VERSION_COMMAND = 'HOLO.TABLEVERSION';

export const SETTING_COMMANDS: readonly Command[] = [
  command({
    group: 'server',
    keys: 'whole-store',
    ofTable: true,
    flags: 'write',
    name: SETTING_COMMAND,
    arity: -4,
    summary: 'Change settings of the cluster',
    since: '0.1.0',
    complexity: 'O(N) where N is the number of settings.',
    run(keyspace, args, out) {
      const table = keyspace.table();
      const version = Number(table.findOf(STRING, args, 1)?.entry.value ?? 0) + 1;
      table.set(args, 1, STRING, String(version), NO_DEADLINE);
      for (let i = 2; i + 1 < args.count; i += 2) {
        table.set(args, i, STRING, args.text(i + 1), NO_DEADLINE);
      }
      keyspace.tableChanged();
      out.integer(version);
    },
  }),
  command({
    group: 'server',
    keys: ONE_KEY,
    ofTable: true,
    flags: 'readonly',
    name: TABLE_VERSION_COMMAND,
    arity: 2,
    summary: "Tell the version of the cluster's table",
    since: '0.1.0',
    complexity: 'O(1)',
    run(keyspace, args, out) {
      out.integer(Number(keyspace.table().findOf(STRING, args, 1)?.entry.value ?? 0));
    },
  }),
];
