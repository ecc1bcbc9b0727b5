/** Planted bugs of groups that end, and of those that follow them. */
import { onlyFaults } from '../simulation/fault-kinds.ts';
import type { Harness, Mutant } from './mutants.ts';

const CORE = 'actors/accord/';

/** Splits under all faults. */
const SPLITS: Harness = { type: 'splits', nodes: 3, timeMs: 4_000 };

/** Splits, and nodes that die and come back. */
const CRASHES: Harness = {
  type: 'splits',
  nodes: 3,
  timeMs: 4_000,
  profile: {
    faultEveryMsMax: 250,
    faultMix: onlyFaults({ crash: 10, isolate: 3 }),
    crashAfterSendRate: 0.005,
    downMsMax: 300,
    damage: false,
    away: undefined,
  },
};

/** Each of them needs a log that tears or is cut at one place, or a clock that none has. */
const ENDED_GROUP: Harness = {
  type: 'unit',
  file: 'test/actors/accord/local/ended-group.test.ts',
};

export const SPLIT_MUTANTS: readonly Mutant[] = [
  {
    name: 'close_before_closing',
    accordItem: 'ranges: Close is proposed by one who has seen closing applied',
    file: 'actors/meta/range-manager.ts',
    find: "if (change.phase !== 'closing') return [];",
    replace: 'if (change.isPaused) return [];',
    why: 'a group ends whose split may still be cancelled',
    budgetSeeds: 6,
    config: SPLITS,
  },
  {
    name: 'two_holders_in_one_term',
    accordItem: 'ranges: a term of a lease has one holder',
    file: 'actors/meta/leases.ts',
    find: 'term: (held?.term ?? 0) + 1, untilUs',
    replace: 'term: 1, untilUs',
    why: 'who takes the lease over acts in the term of the one before',
    budgetSeeds: 12,
    config: SPLITS,
  },
  {
    name: 'meta_reads_the_local_clock',
    accordItem: 'ranges: the time of the meta group is executeAt',
    file: 'actors/meta/leases.ts',
    find: 'const untilUs = at.hlc + leaseMs * 1_000;',
    replace: 'const untilUs = at.hlc + leaseMs * 1_000 + Math.floor(performance.now());',
    why: 'replicas of the meta group come to different leases',
    budgetSeeds: 6,
    config: SPLITS,
  },
  {
    name: 'effect_behind_the_end',
    accordItem: 'ranges: what is ordered after Close has no effect',
    file: `${CORE}local/execution.ts`,
    find: 'if (state.ended === undefined) place(',
    replace: 'if (state.ended === undefined || !isClose(id)) place(',
    why: 'a later transaction of a group that has ended takes a place in its order',
    budgetSeeds: 6,
    config: SPLITS,
  },
  {
    name: 'moved_in_one_group_only',
    accordItem: 'ranges: moved in one is moved in all',
    file: 'actors/store/running-executor.ts',
    find: 'const isMovedOn = isMoved(reads);',
    replace: 'const isMovedOn = isMoved(reads) && body.length === 0;',
    why: 'the other groups execute what one of them has moved',
    budgetSeeds: 12,
    config: SPLITS,
  },
  {
    name: 'read_behind_the_end',
    accordItem: 'ranges: a replica that has ended answers no reads',
    file: `${CORE}local/execution.ts`,
    find: 'if (state.ended !== undefined) return answerReaders(state, command, MOVED);',
    replace: 'if (state.ended === null) return answerReaders(state, command, MOVED);',
    why: 'a transaction over several groups reads in one that has ended',
    budgetSeeds: 12,
    config: SPLITS,
  },
  {
    name: 'barrier_behind_the_end',
    accordItem: 'ranges: a barrier that has witnessed Close bounces the read',
    file: `${CORE}local/execution.ts`,
    find: `  if (state.ended !== undefined) {
    state.effects.push({ type: 'ReadMoved', token });`,
    replace: `  if (state.ended === null) {
    state.effects.push({ type: 'ReadMoved', token });`,
    why: 'a read is handed over in a group that has ended',
    budgetSeeds: 6,
    config: SPLITS,
  },
  {
    name: 'second_close_counts',
    accordItem: 'ranges: the second Close of a group is moved',
    file: `${CORE}local/execution.ts`,
    find: 'if (state.ended === undefined) place(',
    replace: 'if (state.ended === undefined || isClose(id)) place(',
    why: 'two Closes of one group both begin successors',
    budgetSeeds: 12,
    config: SPLITS,
  },
  {
    name: 'close_conflicts_with_nothing',
    accordItem: 'ranges: Close conflicts with everything',
    file: `${CORE}coordinate/coordinators.ts`,
    find: 'coordinate(WHOLE_STORE, body, nowMs, Flags.CLOSE)',
    replace: 'coordinate(new Uint16Array(0), body, nowMs, Flags.CLOSE)',
    why: 'replicas end the group at different places of the order',
    budgetSeeds: 6,
    config: SPLITS,
    also: [
      {
        file: `${CORE}messages/field-validation.ts`,
        find: "if (slots !== null) return 'sense';",
        replace: '',
      },
    ],
  },
  {
    name: 'end_not_with_the_marks',
    accordItem: 'ranges: state is a function of a prefix of the log, Close included',
    file: `${CORE}durability/durability-rounds.ts`,
    find: '    state.persistLife();\n',
    replace: '',
    why: 'the end of a group goes with the log that is cut',
    budgetSeeds: 1,
    config: ENDED_GROUP,
  },
  {
    name: 'end_forgotten_at_a_restart',
    accordItem: 'ranges: state is a function of a prefix of the log, Close included',
    file: `${CORE}local/replica.ts`,
    find: "else if (record.type === 'Ended') this.#state.ended = record;",
    replace: "else if (record.type === 'Ended') this.#state.ended = undefined;",
    why: 'a group that had ended is open again after a restart',
    budgetSeeds: 12,
    config: CRASHES,
  },
  {
    name: 'end_lost_with_the_tail',
    accordItem: 'ranges: state is a function of a prefix of the log, Close included',
    file: `${CORE}local/replica.ts`,
    find: 'if (state.ended !== undefined || !isClose(id) || sequence === 0) return;',
    replace: 'if (state.ended !== undefined || !isClose(id) || sequence >= 0) return;',
    why: 'a log that ends behind Close, and before the end that follows from it, loses that',
    budgetSeeds: 1,
    config: ENDED_GROUP,
  },
  {
    name: 'accepts_below_the_floor',
    accordItem: 'ranges: a successor votes above its floor alone',
    file: `${CORE}local/command-store.ts`,
    find: 'const floor = above(ended.executeAt);',
    replace: 'const floor = boundAt(1);',
    why: 'the order of a successor begins before the end of its parent',
    budgetSeeds: 1,
    config: ENDED_GROUP,
  },
  {
    name: 'electorate_shrinks_in_place',
    accordItem: '7',
    file: `${CORE}coordinate/coordinator.ts`,
    find: 'if (this.group.electors(round.fast) >= quorums.fast) {',
    replace: `const gone = this.group.electors(this.#unavailable);
    if (this.group.electors(round.fast) >= quorums.fast - gone) {`,
    why: 'fast quorums shrink without a Close, by what one node sees',
    budgetSeeds: 6,
    config: SPLITS,
  },
  {
    name: 'renewal_keeps_the_generation',
    accordItem: 'ranges: a group never changes',
    file: 'actors/meta/electorates.ts',
    find: 'generation: topology.lastGeneration + 1 }',
    replace: 'generation: id.generation }',
    why: 'a group with another electorate has the name of the one before it',
    budgetSeeds: 12,
    config: SPLITS,
  },
  {
    name: 'divides_what_is_not_flushed',
    accordItem: 'ranges: successors hold all that executed before Close',
    file: 'storage/state-machines.ts',
    find: 'return !this.#flushing && this.of(group)?.hasUnflushed === false;',
    replace: 'return !this.#flushing;',
    why: 'what the engine does not hold yet is lost to the successors',
    budgetSeeds: 6,
    config: SPLITS,
  },
  {
    name: 'end_without_the_successors',
    accordItem: 'ranges: the end and the successors are one step of the engine',
    file: 'storage/state-machines.ts',
    find: 'databases: [] }, ...begun];',
    replace: 'databases: [] }, ...begun.slice(1)];',
    why: 'a restart finds one half of a split range without counts and marks',
    budgetSeeds: 12,
    config: CRASHES,
  },
  {
    name: 'divided_by_another_flush',
    accordItem: 'ranges: the end and the successors are one step of the engine',
    file: 'actors/store/running-executor.ts',
    find: 'const dividing = divides ? this.#dividing : undefined;',
    replace: 'const dividing = this.#dividing;',
    why: 'the end of a flush that was under way before counts as that of the division',
    budgetSeeds: 12,
    config: SPLITS,
  },
  {
    name: 'closes_pile_up',
    accordItem: 'ranges: the end of a group is proposed ever more rarely',
    file: 'actors/store/coordinator-actor.ts',
    find: '2 * (closing?.waitMs ?? commandTimeoutMs / 2)',
    replace: 'commandTimeoutMs',
    why: 'where the disk is slow each waits for all before it, and none is decided',
    budgetSeeds: 1,
    config: { type: 'unit', file: 'test/actors/store/coordinator-actor.test.ts' },
  },
  {
    name: 'begun_again_when_told_late',
    accordItem: 'ranges: a unit is begun again only when it was moved',
    file: 'actors/store/coordinator-actor.ts',
    find: '    this.#resubmit(work.batcher.drop(() => false));',
    replace: `    this.#resubmit(work.batcher.drop(() => false));
    for (const [key, { pendings }] of this.#transactions) {
      this.#transactions.delete(key);
      this.#executor.send({ type: 'Forget', key });
      this.#resubmit(pendings);
    }`,
    why: 'what is under way when its group ends is begun again, and takes effect twice',
    budgetSeeds: 20,
    config: SPLITS,
  },
];
