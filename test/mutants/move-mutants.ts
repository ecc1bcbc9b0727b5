/** Planted bugs of groups that change their members, and of data on their way. */
import type { Harness, Mutant } from './mutants.ts';

/** Moves under all faults. */
const MOVES: Harness = { type: 'moves', timeMs: 3_000 };
const INSTALLATION: Harness = {
  type: 'unit',
  file: 'test/storage/snapshots/installation.test.ts',
};
const JOINED: Harness = {
  type: 'unit',
  file: 'test/actors/accord/local/joined-group.test.ts',
};
const META: Harness = { type: 'unit', file: 'test/actors/meta/moves.test.ts' };

export const MOVE_MUTANTS: readonly Mutant[] = [
  {
    name: 'half_a_snapshot',
    accordItem: 'ranges: a snapshot is whole before it is executed on',
    file: 'storage/snapshots/installation.ts',
    find: 'if (!isSame) throw notWhole',
    replace: 'if (slot < 0) throw notWhole',
    why: 'a group begins with a part of its data',
    budgetSeeds: 1,
    config: INSTALLATION,
  },
  {
    name: 'open_with_the_first_chunk',
    accordItem: 'ranges: a snapshot is whole before it is executed on',
    file: 'storage/snapshots/installation.ts',
    find: "phase: 'partial' };",
    replace: "phase: 'open' };",
    why: 'after a restart a group is open of which not all has come in',
    budgetSeeds: 1,
    config: INSTALLATION,
  },
  {
    name: 'executes_before_its_parent',
    accordItem: 'ranges: no execution before the Close of the parent or a snapshot',
    file: 'actors/accord/local/command-store.ts',
    find: 'if (member.hasData) this.#handOver.add(group, effect);',
    replace: 'this.#handOver.add(group, effect);',
    why: 'a new member executes without the data that the group began with',
    budgetSeeds: 4,
    config: MOVES,
  },
  {
    name: 'joins_without_a_record',
    accordItem: 'ranges: having joined is durable before the first vote',
    file: 'actors/accord/local/command-store.ts',
    find: '    member.replica.begin();\n',
    replace: '',
    why: 'after a restart a new member knows nothing of what it has voted for',
    budgetSeeds: 1,
    config: JOINED,
  },
  {
    name: 'owed_data_forgotten',
    accordItem: 'ranges: no Close before a quorum has reported its data',
    file: 'actors/meta/electorates.ts',
    find: 'electorate, owed, absent };',
    replace: 'electorate, owed: owed.slice(1), absent };',
    why: 'members leave one after the other, and nobody has the data',
    budgetSeeds: 1,
    config: META,
  },
  {
    name: 'left_data_dropped_early',
    accordItem: 'ranges: an ended group is kept until its successors have its data',
    file: 'actors/snapshots/snapshot-actor.ts',
    find: 'if (nowMs < untilMs || !isNeedless(group)) continue;',
    replace: 'if (nowMs < untilMs) continue;',
    why: 'a new member finds nobody that has its data',
    budgetSeeds: 6,
    config: MOVES,
  },
  {
    name: 'pinned_view_moves_on',
    accordItem: 'ranges: a snapshot is of one point of the order',
    file: 'storage/state-machines.ts',
    find: 'const { bytes, next } = readChunk(view, slots,',
    replace: 'const { bytes, next } = readChunk(this.#engine, slots,',
    why: 'a new member gets what was written behind the end of the group, and executes it again',
    budgetSeeds: 1,
    config: INSTALLATION,
  },
];
