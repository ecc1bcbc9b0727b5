/**
 * A change of users, as the node that was asked sends it: `version` (the name of the row that
 * counts changes of the cluster's table), the version that the node saw, then names of rows and
 * their values; an empty value removes the row. It does nothing where another change came first, so
 * that no rule is lost that two nodes give at once. Answers the new version.
 */
import type { RowChange } from '../cluster-settings.ts';
import { type Command, command } from './command.ts';
import { versionOf } from './setting.ts';
import { changeTable } from './table-rows.ts';

export const USERS_COMMAND = 'HOLO.USERS';
/** The error line where another change came first. */
const USERS_CHANGED =
  'TRYAGAIN refused, nothing was done: users or settings were changed at the same time';

export const USERS_COMMANDS: readonly Command[] = [
  command({
    group: 'server',
    keys: 'whole-store',
    ofTable: true,
    flags: 'write',
    name: USERS_COMMAND,
    arity: -5,
    summary: 'Change the users of the cluster',
    since: '0.1.0',
    complexity: 'O(N) where N is the number of users that change.',
    run(keyspace, args, out) {
      const version = versionOf(keyspace, args);
      if (version !== Number(args.text(2))) return out.error(USERS_CHANGED);
      const changes: RowChange[] = [[args.text(1), String(version + 1)]];
      for (let i = 3; i + 1 < args.count; i += 2) {
        changes.push([args.text(i), args.text(i + 1) || undefined]);
      }
      changeTable(keyspace, changes);
      out.integer(version + 1);
    },
  }),
];
