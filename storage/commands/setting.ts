/**
 * CONFIG SET of settings of the cluster, as the node that was asked sends it: `version` (the name
 * of the row that counts), then names and values that it has judged. Answers the new version.
 */
import type { Arguments } from '../arguments.ts';
import type { RowChange } from '../cluster-settings.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { STRING } from '../types/string.ts';
import { type Command, command, ONE_KEY } from './command.ts';
import { changeTable } from './table-rows.ts';

export const SETTING_COMMAND = 'HOLO.SETTING';
/** Answers the version of the cluster's table. */
export const TABLE_VERSION_COMMAND = 'HOLO.TABLEVERSION';

/** The value of the row that argument 1 names. */
export function versionOf(keyspace: Keyspace, args: Arguments): number {
  return Number(keyspace.table().findOf(STRING, args, 1)?.entry.value ?? 0);
}

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
      const version = versionOf(keyspace, args) + 1;
      const changes: RowChange[] = [[args.text(1), String(version)]];
      for (let i = 2; i + 1 < args.count; i += 2) changes.push([args.text(i), args.text(i + 1)]);
      changeTable(keyspace, changes);
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
      out.integer(versionOf(keyspace, args));
    },
  }),
];
