/**
 * A change of users, as the node that was asked sends it: `version` (the name of the row that
 * counts changes of the cluster's table), the version that the node saw, then names of rows and
 * their values; an empty value removes the row. It does nothing where another change came first, so
 * that no rule is lost that two nodes give at once. Answers the new version.
 */
import { NO_DEADLINE } from '../keyspace/entry.ts';
import { STRING } from '../types/string.ts';
import { type Command, command } from './command.ts';

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
      const table = keyspace.table();
      const version = Number(table.findOf(STRING, args, 1)?.entry.value ?? 0);
      if (version !== Number(args.text(2))) return out.error(USERS_CHANGED);
      table.set(args, 1, STRING, String(version + 1), NO_DEADLINE);
      for (let i = 3; i + 1 < args.count; i += 2) {
        const value = args.text(i + 1);
        const found = table.find(args, i);
        if (value !== '') table.set(args, i, STRING, value, NO_DEADLINE);
        else if (found !== undefined) table.remove(found);
      }
      keyspace.tableChanged();
      out.integer(version + 1);
    },
  }),
];
