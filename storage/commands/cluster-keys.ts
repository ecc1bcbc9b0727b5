/** CLUSTER COUNTKEYSINSLOT and GETKEYSINSLOT: the keys of a slot are counted and lie together. */

import type { Arguments } from '../arguments.ts';
import type { StoredEntry } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { firstSlotOf, positionOf, REDIS_SLOTS } from '../keyspace/slots.ts';
import { parseInteger } from '../types/integers.ts';
import { type Command, command, NOT_AN_INTEGER, type Words } from './command.ts';
import { tooManyFor, visitAll } from './whole-store.ts';

const READ = {
  categories: ['@slow'],
  group: 'cluster',
  ofKeyspace: false,
  keys: 'whole-store',
  walksFrom: (args: Words) => {
    const slot = parseInteger(args.text(2));
    return slot !== undefined && isSlot(slot) ? firstSlotOf(Number(slot)) : 0;
  },
  listsKeys: () => true,
  flags: 'readonly',
  since: '3.0.0',
} as const;

/** The slot in argument 2, or the error line. */
function slotOf(args: Arguments): number | string {
  const slot = parseInteger(args.text(2));
  if (slot === undefined) return NOT_AN_INTEGER;
  return isSlot(slot) ? Number(slot) : 'ERR Invalid slot';
}

function isSlot(slot: number | bigint): boolean {
  return slot >= 0 && slot < REDIS_SLOTS;
}

/**
 * Visits the keys of a Redis slot; `false` from the visitor ends it. `false`: over several groups,
 * there are too many keys.
 */
function forEachKeyOf(
  keyspace: Keyspace,
  redisSlot: number,
  visit: (item: StoredEntry) => boolean,
): boolean {
  const end = firstSlotOf(redisSlot + 1);
  const start = positionOf(firstSlotOf(redisSlot), 0);
  return visitAll(keyspace, start, (item) => item.slot < end && visit(item));
}

export const CLUSTER_KEY_COMMANDS: readonly Command[] = [
  command({
    ...READ,
    name: 'CLUSTER|COUNTKEYSINSLOT',
    complexity: 'O(1)',
    arity: 3,
    summary: 'Return the number of keys in a hash slot',
    run(keyspace, args, out) {
      const slot = slotOf(args);
      if (typeof slot === 'string') return out.error(slot);
      if (keyspace.listed === undefined) return out.integer(keyspace.keysIn(slot));
      let keys = 0;
      const isWhole = forEachKeyOf(keyspace, slot, () => {
        keys += 1;
        return true;
      });
      if (isWhole) out.integer(keys);
      else out.error(tooManyFor('COUNTKEYSINSLOT', keyspace));
    },
  }),
  command({
    ...READ,
    name: 'CLUSTER|GETKEYSINSLOT',
    complexity: 'O(N) with N being the number of keys in the slot.',
    arity: 4,
    summary: 'Return some keys of a hash slot',
    run(keyspace, args, out) {
      const slot = slotOf(args);
      if (typeof slot === 'string') return out.error(slot);
      const most = parseInteger(args.text(3));
      if (most === undefined) return out.error(NOT_AN_INTEGER);
      if (most < 0) return out.error('ERR Invalid number of keys');
      const found: string[] = [];
      const isWhole = forEachKeyOf(keyspace, slot, (item) => {
        if (found.length >= most) return false;
        if (keyspace.isAlive(item)) found.push(item.key);
        return true;
      });
      if (!isWhole) return out.error(tooManyFor('GETKEYSINSLOT', keyspace));
      out.array(found.length);
      for (const key of found) out.bulk(key);
    },
  }),
];
