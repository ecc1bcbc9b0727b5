/** A transaction's name in traces: its group, then its own name. Without one, the group alone. */
import { keyOf, type TxnId } from '../accord/primitives/timestamp.ts';
import { type GroupId, groupKey } from '../accord/topology/group-id.ts';

export function tracedName(group: GroupId, id: TxnId | undefined): string {
  return id === undefined ? groupKey(group) : `${groupKey(group)}/${keyOf(id)}`;
}
