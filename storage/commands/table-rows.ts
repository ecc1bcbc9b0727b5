/** How commands change the rows beside the keys: the cluster's table, and stored scripts. */
import { Arguments } from '../arguments.ts';
import type { RowChange } from '../cluster-settings.ts';
import { NO_DEADLINE } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { requestOf } from '../request.ts';
import { STRING } from '../types/string.ts';

/** They count from now on. */
export function changeTable(keyspace: Keyspace, changes: readonly RowChange[]): void {
  const table = keyspace.table();
  const args = new Arguments();
  for (const [name, value] of changes) {
    args.next(requestOf([name]), 0);
    if (value !== undefined) {
      table.set(args, 0, STRING, value, NO_DEADLINE);
      continue;
    }
    const found = table.find(args, 0);
    if (found !== undefined) table.remove(found);
  }
  keyspace.tableChanged(changes);
}
