/** Planted bugs of a meta group whose members change. */
import type { Harness, Mutant } from './mutants.ts';

const LEASES: Harness = { type: 'unit', file: 'test/security/acl-lease.test.ts' };
const REPLICA: Harness = { type: 'unit', file: 'test/actors/accord/local/replica.test.ts' };
const TABLE: Harness = { type: 'unit', file: 'test/storage/table-generations.test.ts' };

export const META_GROUP_MUTANTS: readonly Mutant[] = [
  {
    name: 'table_changed_twice',
    accordItem: 'meta group: what the table of a new member holds has no effect again',
    file: 'storage/state-machine.ts',
    find: 'return isOfTable && compare(executeAt, changedAtOf(this.#settings)) <= 0;',
    replace: 'return isOfTable && executeAt.hlc === 0;',
    why: 'a new member executes changes that its table has already, and has another one from then on',
    budgetSeeds: 1,
    config: TABLE,
  },
  {
    name: 'closed_under_leases',
    accordItem: 'meta group: it ends when no lease is left of one that does not know it',
    file: 'actors/node/settings-watch.ts',
    find: 'if (!this.#isMajority((peer) => (this.#told.get(peer)?.view ?? 0) >= view)) return false;',
    replace: '',
    why: 'a node keeps a lease by the old members, and acts by users that the new ones have changed',
    budgetSeeds: 1,
    config: LEASES,
  },
  {
    name: 'lease_of_former_members',
    accordItem: 'meta group: one that knows a later generation gives no lease for an earlier one',
    file: 'actors/node/settings-watch.ts',
    find: 'return askedMs > sinceMs && version <= this.#own.version && view <= own;',
    replace: 'return askedMs > sinceMs && version <= this.#own.version;',
    why: 'a node that looked away takes a lease from members that have left',
    budgetSeeds: 1,
    config: LEASES,
  },
  {
    name: 'no_room_for_the_way_out',
    accordItem: 'meta group: its changes are taken where too much is kept',
    file: 'actors/accord/local/replica-state.ts',
    find: 'const isUsual = begun && !isMetaGroup(this.group.id);',
    replace: 'const isUsual = begun;',
    why: 'what is kept for a new member leaves no room for the change by which it learns that it is one',
    budgetSeeds: 1,
    config: REPLICA,
  },
];
