/** Planted bugs of members that are away for long, and are given the data later. */
import type { Harness, Mutant } from './mutants.ts';

const ABSENCE: Harness = { type: 'unit', file: 'test/simulation/absence.test.ts' };
const META: Harness = { type: 'unit', file: 'test/actors/meta/absences.test.ts' };
const ENDED: Harness = { type: 'unit', file: 'test/actors/accord/local/ended-group.test.ts' };
const JOINED: Harness = { type: 'unit', file: 'test/actors/accord/local/joined-group.test.ts' };

export const ABSENCE_MUTANTS: readonly Mutant[] = [
  {
    name: 'forgetting_counts_owed_as_settled',
    accordItem: 'ranges: a group waits for a member that fetches its data',
    file: 'actors/accord/durability/durability-rounds.ts',
    find: '&& !state.isPassedOver(peer)) everywhere = mark;',
    replace: '&& !state.down.has(peer)) everywhere = mark;',
    why: 'a member that is away for a moment, or fetches the data, lacks what others have forgotten',
    budgetSeeds: 1,
    config: ABSENCE,
  },
  {
    name: 'close_forgotten_in_deps',
    accordItem: 'ranges: deps carry a mark',
    file: 'actors/accord/local/replica-state.ts',
    find: 'return union(deps, depsOf([ended.close]));',
    replace: 'return deps;',
    why: 'a member that was passed over executes what its group has moved, without what came before',
    budgetSeeds: 1,
    config: ENDED,
  },
  {
    name: 'barrier_of_the_forgotten',
    accordItem: 'ranges: a read waits for all that a quorum has witnessed',
    file: 'actors/accord/local/read-barrier.ts',
    find: 'if (compare(redundantBefore, state.durableBefore) < 0) return;',
    replace: '',
    why: 'a member that was passed over reads data that are old',
    budgetSeeds: 1,
    config: ENDED,
  },
  {
    name: 'round_over_the_forgotten',
    accordItem: 'ranges: a round names all that it settles',
    file: 'actors/accord/durability/durability-rounds.ts',
    find: 'if (compare(base, state.durableBefore) < 0) return;',
    replace: '',
    why: 'a member that was passed over leads a round, and settles what it has never had',
    budgetSeeds: 1,
    config: ENDED,
  },
  {
    name: 'owed_successor_begins',
    accordItem: 'ranges: no execution before the Close of the parent or a snapshot',
    file: 'actors/accord/local/command-store.ts',
    find: 'if (!goesOnIn(descriptor, this.#options.self)) continue;',
    replace: 'if (!descriptor.members.includes(this.#options.self)) continue;',
    why: 'a member that is owed data takes part in a group of which others forget without it',
    budgetSeeds: 1,
    config: ENDED,
  },
  {
    name: 'older_group_votes_on',
    accordItem: 'ranges: a snapshot ends every older generation of its slots',
    file: 'actors/accord/local/command-store.ts',
    find: '      this.#groups.delete(member);\n',
    replace: '',
    why: 'a node votes in a group whose records it has let go',
    budgetSeeds: 1,
    config: JOINED,
  },
  {
    name: 'joins_a_generation_twice',
    accordItem: 'ranges: a node never joins a generation twice',
    file: 'actors/accord/local/command-store.ts',
    find: 'if (this.#isSuperseded(group)) return;',
    replace: '',
    why: 'after a start, by an old topology, a node votes anew where its votes are forgotten',
    budgetSeeds: 1,
    config: JOINED,
  },
  {
    name: 'passed_over_with_too_few',
    accordItem: 'ranges: no Close before a quorum has reported its data',
    file: 'actors/meta/absences.ts',
    find: 'if (range.members.filter(isThere).length < slow)',
    replace: 'if (range.members.filter(isThere).length < 1)',
    why: 'a group goes on with the data at one member',
    budgetSeeds: 1,
    config: META,
  },
];
