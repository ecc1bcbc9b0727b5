/** How commands change the cluster's table. */
import { Arguments } from '../arguments.ts';
import { CHANGED_ROW, encodeChangedAt, type RowChange, VERSION_ROW } from '../cluster-settings.ts';
import { NO_DEADLINE } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { requestOf } from '../request.ts';
import { STRING } from '../types/string.ts';
import type { ReplySink } from './reply.ts';

/** The value of a row. */
export function rowOf(keyspace: Keyspace, name: string): string | undefined {
  const args = new Arguments();
  args.next(requestOf([name]), 0);
  return keyspace.table().findOf(STRING, args, 0)?.entry.value.toString();
}

/** They count from now on. */
export function changeTable(keyspace: Keyspace, rows: readonly RowChange[]): void {
  if (rows.length === 0) return;
  const changes: RowChange[] = [...rows, [CHANGED_ROW, encodeChangedAt(keyspace.version)]];
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

/**
 * The same as another version of the table, if there are any. Answers that version, for the node
 * that was asked, and what it then tells its client.
 */
export function changeCounted(
  keyspace: Keyspace,
  changes: readonly RowChange[],
  out: ReplySink,
  reply: (out: ReplySink) => void,
): void {
  const version = keyspace.settings.version + Number(changes.length > 0);
  if (changes.length > 0) changeTable(keyspace, [[VERSION_ROW, String(version)], ...changes]);
  out.array(2);
  out.integer(version);
  reply(out);
}
