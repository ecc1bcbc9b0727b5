/**
 * The cluster's table as a new member of the meta group takes it over: all rows at once, from what
 * the node has followed so far. Makes a batch. Pure.
 */
import { type ClusterSettings, changedAtOf, VERSION_ROW } from '../cluster-settings.ts';
import { emptyMeta, type FlushBatch, type GroupSlots, noChanges } from '../engine.ts';
import { Entry, NO_DEADLINE } from '../keyspace/entry.ts';
import { SlotCounts } from '../keyspace/slot-counts.ts';
import { redisSlotOf, slotOfText } from '../keyspace/slots.ts';
import { TABLE_DATABASE } from '../limits.ts';
import { placeOfText } from '../place.ts';
import { STRING } from '../types/string.ts';

/** Nothing of an older table is left. */
export function wholeTable(group: GroupSlots, table: ClusterSettings): FlushBatch {
  const { fromSlot, toSlot } = group;
  const counts = new SlotCounts(TABLE_DATABASE, fromSlot, toSlot, []);
  const changedAt = changedAtOf(table);
  const rows = [...table.values, [VERSION_ROW, String(table.version)] as const];
  const entries = rows.map(([key, value]) => {
    const entry = new Entry(STRING, value, NO_DEADLINE, changedAt);
    const slot = slotOfText(key);
    counts.changed(redisSlotOf(slot), 1, 0, key.length + entry.bytes);
    return { key: { key, slot, place: placeOfText(key) }, entry };
  });
  const blocks = counts.capture();
  let taken = 0;
  return {
    meta: emptyMeta(group),
    databases: [
      {
        ...noChanges(TABLE_DATABASE),
        ...{ clear: true, blocks, count: entries.length },
        take(limit, visit) {
          const next = entries.slice(taken, taken + limit);
          for (const { key, entry } of next) visit(key, entry);
          taken += next.length;
          return next.length;
        },
      },
    ],
  };
}
