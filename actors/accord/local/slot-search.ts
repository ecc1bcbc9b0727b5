/**
 * Finds the latest transactions of a store on one conflict slot, for operators: what its replicas
 * still know of, in whatever state. Bounded in time. Pure.
 */
import { hasSlot } from '../primitives/participants.ts';
import { STATUS_NAMES } from '../primitives/status.ts';
import { groupKey } from '../topology/group-id.ts';
import type { StoreGroup } from './store-groups.ts';

/** A transaction by its name in traces, in the state in which a replica has it. */
export interface FoundTxn {
  readonly txn: string;
  /** By the cluster's time. */
  readonly atUs: number;
  readonly state: string;
}

/** Of each group, the latest ones: about two milliseconds. */
const LOOKED_AT_MAX = 20_000;

/** The latest first, `count` at most. */
export function transactionsOn(
  groups: Iterable<StoreGroup>,
  slot: number,
  count: number,
): readonly FoundTxn[] {
  const found: FoundTxn[] = [];
  for (const { group, replica } of groups) {
    if (slot < group.fromConflictSlot || slot >= group.toConflictSlot) continue;
    const { commands } = replica.view;
    let passed = commands.size - LOOKED_AT_MAX;
    for (const { id, key, status, definition } of commands.values()) {
      passed -= 1;
      if (passed >= 0 || definition === undefined) continue;
      if (!hasSlot(definition.participants, slot)) continue;
      const state = STATUS_NAMES[status] ?? '';
      found.push({ txn: `${groupKey(group.id)}/${key}`, atUs: id.hlc, state });
    }
  }
  return found.sort((a, b) => b.atUs - a.atUs).slice(0, count);
}
