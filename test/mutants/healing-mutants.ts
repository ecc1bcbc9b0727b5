/** Planted bugs of stores that are begun anew beside their logs. */
import type { Harness, Mutant } from './mutants.ts';

const HEALING: Harness = { type: 'unit', file: 'test/simulation/healing.test.ts' };
const LOST: Harness = { type: 'unit', file: 'test/actors/accord/local/lost-store.test.ts' };
const RANGES: Harness = { type: 'unit', file: 'test/actors/meta/range-manager.test.ts' };

export const HEALING_MUTANTS: readonly Mutant[] = [
  {
    name: 'lost_store_is_empty',
    accordItem: 'lost disks: without its data a node is no member that has them',
    file: 'actors/log/forgotten.ts',
    find: "return groups.filter(({ machine }) => this.#is[machine === 'meta' ? 'table' : 'keys']);",
    replace: 'return groups.filter(() => false);',
    why: 'a store that was begun anew is taken for that of its log, and answers without old keys',
    budgetSeeds: 1,
    config: HEALING,
  },
  {
    name: 'lost_data_are_executed_on',
    accordItem: 'lost disks: no execution before the data are there',
    file: 'actors/accord/local/command-store.ts',
    find: '      member.hasData = false;\n',
    replace: '',
    why: 'what the log holds is executed on a store without what came before it',
    budgetSeeds: 1,
    config: LOST,
  },
  {
    name: 'lost_data_are_read',
    accordItem: 'lost disks: clients are handed on until the data are there',
    file: 'actors/node/joins.ts',
    find: 'return this.#without.has(group) || this.#lost.has(group);',
    replace: 'return this.#without.has(group);',
    why: 'clients of a node that has lost its store wait for it in vain',
    budgetSeeds: 1,
    config: HEALING,
  },
  {
    name: 'table_placed_before_it_is_settled',
    accordItem: 'lost disks: the table goes on behind all that it holds',
    file: 'actors/accord/local/replica.ts',
    find: 'if (compare(redundantBefore, lastChange) <= 0) return undefined;',
    replace: '',
    why: 'what the table that came in holds already is executed once more',
    budgetSeeds: 1,
    config: LOST,
  },
  {
    name: 'table_without_what_is_unflushed',
    accordItem: 'lost disks: a donor of the table has all that it has applied',
    file: 'actors/accord/local/command-store.ts',
    find: 'return sequence === flushedSequence;',
    replace: 'return sequence >= flushedSequence;',
    why: 'what all have forgotten is missing in the table that is handed out',
    budgetSeeds: 1,
    config: LOST,
  },
  {
    name: 'one_that_waits_holds_up_others',
    accordItem: 'lost disks: members get their data one after the other',
    file: 'actors/meta/range-manager.ts',
    find: "      .find((each) => typeof bringIn(state, each, boundAt(seenUs)) !== 'string');",
    replace: '      .at(0);',
    why: 'two members that lack the data wait for one another for ever',
    budgetSeeds: 1,
    config: RANGES,
  },
];
