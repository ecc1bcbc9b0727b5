/** Planted bugs of transactions over several groups, and the mixes in which they show. */
import { onlyFaults } from '../simulation/fault-kinds.ts';
import type { Harness, Mutant } from './mutants.ts';

const CORE = 'actors/accord/';

/** Transactions over three groups with different members, and all faults. */
const SPANNING: Harness = { type: 'groups', timeMs: 6_000 };

/** The answers of two groups to a recovery, in combinations that faults rarely make. */
const CONCLUSIONS: Harness = {
  type: 'unit',
  file: 'test/actors/accord/coordinate/spanning-recovery.test.ts',
};

/** Commands over all keys of all groups. */
const WHOLE_STORE: Harness = {
  type: 'groups',
  timeMs: 4_000,
  profile: { spansOnly: true, flushes: true, databases: 4 },
};

/** Blocks that begin with too many keys for a list, and remove some: drawn ones seldom do. */
const LISTS: Harness = { type: 'unit', file: 'test/storage/spanning.test.ts' };

/** Nodes die and come back, and forget at once what they may. */
const FORGETFUL: Harness = {
  type: 'groups',
  timeMs: 6_000,
  profile: {
    durabilityEveryMs: 20,
    durabilityLagMs: 100,
    faultEveryMsMax: 300,
    faultMix: onlyFaults({ crash: 10, isolate: 10, swizzle: 10 }),
    crashAfterSendRate: 0.02,
    downMsMax: 3_000,
  },
};

/** Coordinators die in the middle of Apply, and their groups forget long before others ask. */
const LATE_QUESTIONS: Harness = {
  type: 'groups',
  timeMs: 6_000,
  profile: {
    durabilityEveryMs: 20,
    durabilityLagMs: 100,
    hintEveryMs: 20,
    flushEveryMs: 20,
    progressDelayMs: 3_000,
    ownProgressDelayMs: 3_000,
    progressDelayMsMax: 4_000,
    faultEveryMsMax: 0,
    crashAfterSendRate: 0.01,
    downMsMax: 100,
    flushes: false,
    clients: 3,
  },
};

const COORDINATOR: Harness = {
  type: 'unit',
  file: 'test/actors/accord/coordinate/spanning-coordinator.test.ts',
};

export const SPANNING_MUTANTS: readonly Mutant[] = [
  {
    name: 'head_of_a_flush_is_sent',
    accordItem: 'spanning: groups send their entries as they are',
    file: 'storage/spanning/fetched-entries.ts',
    find: 'writeRecord(record, key, placeOfText(key), entry, false, false);',
    replace: 'writeRecord(record, key, placeOfText(key), entry, false, true);',
    why: 'of a collection that a flush stores, other groups are sent the head of its beginning',
    budgetSeeds: 4,
    config: { type: 'waiting' },
  },
  {
    name: 'wait_unknown_to_other_groups',
    accordItem: 'waiting: each group of a command notes its keys',
    file: 'actors/store/running-executor.ts',
    find: 'if (waiting !== undefined) this.#othersNote(execution, part);',
    replace: '',
    why: 'of a command over several groups, only the one that answers notes the keys',
    budgetSeeds: 10,
    config: { type: 'waiting' },
  },
  {
    name: 'stable_is_final',
    accordItem: 'ranges: a stable one over several groups is looked after',
    file: `${CORE}local/progress-log.ts`,
    find: 'return !isSpanning(id) || waitingOn > 0;',
    replace: 'return !isSpanning(id) || waitingOn >= 0;',
    why: 'nobody reads and applies it when its coordinator has died',
    budgetSeeds: 20,
    config: SPANNING,
  },
  {
    name: 'waits_for_read_only',
    accordItem: 'ranges: a later one waits for Apply',
    file: `${CORE}local/execution.ts`,
    find: 'if (!execute(state, command)) continue;',
    replace: 'execute(state, command);',
    why: 'what conflicts and executes later does not wait until it is applied',
    budgetSeeds: 10,
    config: SPANNING,
  },
  {
    name: 'fast_in_one_group',
    accordItem: 'ranges: fast needs the fast quorum of every group',
    file: `${CORE}coordinate/spanning-coordinator.ts`,
    find: 'if (parts.every(({ group, fast }) =>',
    replace: 'if (parts.some(({ group, fast }) =>',
    why: 'the fast quorum of one group decides for all',
    budgetSeeds: 10,
    config: SPANNING,
  },
  {
    name: 'quorum_of_one_group',
    accordItem: 'ranges: slow and commit need a quorum of every group',
    file: `${CORE}coordinate/spanning-round.ts`,
    find: 'return this.parts.every((part) => part.hasQuorum);',
    replace: 'return this.parts.some((part) => part.isAsked && part.hasQuorum);',
    why: 'the quorum of one group ends a round for all',
    budgetSeeds: 10,
    config: SPANNING,
  },
  {
    name: 'fast_path_of_one_group',
    accordItem: 'ranges: evidence of one group says nothing about another',
    file: `${CORE}coordinate/spanning-recovery.ts`,
    find: 'const impossible = live.some(',
    replace: 'const impossible = live.every(',
    why: 'a recovery takes the fast path for possible though one group rules it out',
    budgetSeeds: 1,
    config: CONCLUSIONS,
  },
  {
    name: 'time_of_one_group',
    accordItem: 'ranges: executeAt is the largest vote of all groups',
    file: `${CORE}coordinate/spanning-coordinator.ts`,
    find: 'else round.vote = round.vote === undefined ? vote : mergeMax(round.vote, vote);',
    replace: 'else if (part === round.parts[0]) round.vote = mergeMax(round.vote ?? vote, vote);',
    why: 'the votes of the first group alone fix the time',
    budgetSeeds: 60,
    config: SPANNING,
  },
  {
    name: 'applied_in_one_group',
    accordItem: 'ranges: all groups are told what was read',
    file: `${CORE}coordinate/spanning-coordinator.ts`,
    find: "if (round.reads !== undefined) this.#enter(round, 'Apply', round.live);\n  }",
    replace:
      "if (round.reads !== undefined) this.#enter(round, 'Apply', round.live.slice(0, 1));\n  }",
    why: 'a quorum of one group counts as one of each',
    budgetSeeds: 10,
    config: SPANNING,
  },
  {
    name: 'reads_not_logged',
    accordItem: 'ranges: nothing is told before it is durable',
    file: `${CORE}local/execution.ts`,
    find: "  state.transition(command, { type: 'PreApplied', id: command.id, reads }, true);\n",
    replace: '',
    why: 'what was read in all groups is confirmed, and lost at the next crash',
    budgetSeeds: 20,
    config: FORGETFUL,
  },
  {
    name: 'outcome_dropped_early',
    accordItem: 'ranges: an outcome is kept until a quorum of every group has it',
    file: `${CORE}durability/durability-rounds.ts`,
    find: '    if (this.#state.undurable.has(command)) return false;\n',
    replace: '',
    why: 'a group forgets what another one has not applied yet and can get nowhere else',
    budgetSeeds: 60,
    config: LATE_QUESTIONS,
  },
  {
    name: 'durability_is_not_asked_for',
    accordItem: 'ranges: a sweeper asks for what has not become durable',
    file: `${CORE}local/progress-log.ts`,
    find: 'if (command.checkAtMs <= nowMs) this.#lookAfter(command);\n    }\n  }',
    replace: 'if (command.checkAtMs < 0) this.#lookAfter(command);\n    }\n  }',
    why: 'where the coordinator dies behind Apply, nothing is ever forgotten',
    budgetSeeds: 20,
    config: SPANNING,
  },
  {
    name: 'stale_answers_after_truncated',
    accordItem: 'ranges: after `absent` the other groups are asked afresh',
    file: `${CORE}coordinate/spanning-recovery.ts`,
    find: "return status < Status.Committed ? { type: 'invalidated' } : { type: 'later' };",
    replace: "return status <= Status.Stable ? { type: 'invalidated' } : { type: 'later' };",
    why: 'what a group has forgotten counts as without effect, though it is decided',
    budgetSeeds: 1,
    config: CONCLUSIONS,
  },
  {
    name: 'foreign_keys_are_absent',
    accordItem: 'storage: commands over several groups',
    file: 'storage/state-machine.ts',
    find: 'groups.push(decoded);',
    replace: 'groups.push({ ...decoded, entries: [] });',
    why: 'a group takes the keys of the others for absent',
    budgetSeeds: 10,
    config: SPANNING,
  },
  {
    name: 'size_of_one_group',
    accordItem: 'storage: commands over all keys of several groups',
    file: 'storage/spanning/spanning-keyspaces.ts',
    find: 'return this.#own().size + this.#fetched().size;',
    replace: 'return this.#own().size;',
    why: 'DBSIZE counts the keys of one group',
    budgetSeeds: 20,
    config: WHOLE_STORE,
  },
  {
    name: 'list_of_one_group',
    accordItem: 'storage: commands over all keys of several groups',
    file: 'storage/spanning/spanning-keyspaces.ts',
    find: 'const items = this.#fetched().listed();',
    replace: 'const items = this.#fetched().listed() && [];',
    why: 'KEYS in a block lists the keys of one group',
    budgetSeeds: 20,
    config: WHOLE_STORE,
  },
  {
    name: 'list_without_own_group',
    accordItem: 'storage: commands over all keys of several groups',
    file: 'storage/spanning/spanning-keyspaces.ts',
    find: 'isListed: sizesOf(this.#groups)',
    replace: 'isListed: sizesOf(others)',
    why: 'a group with too many keys lists them, where the other groups have not been told them',
    budgetSeeds: 1,
    config: LISTS,
  },
  {
    name: 'names_told_behind_values',
    accordItem: 'storage: commands over all keys of several groups',
    file: 'storage/state-machine.ts',
    find: 'entries = concat(this.#names(), named);',
    replace: 'entries = concat(named, this.#names());',
    why: 'in a block with KEYS, a key of another group has lost its value',
    budgetSeeds: 20,
    config: WHOLE_STORE,
  },
  {
    name: 'swap_in_one_group',
    accordItem: 'storage: commands over all keys of several groups',
    file: 'storage/spanning/spanning-keyspaces.ts',
    find: '    this.#fetched.set(a, second);\n',
    replace: '',
    why: 'behind SWAPDB in a block, the keys of other groups are those of before',
    budgetSeeds: 40,
    config: WHOLE_STORE,
  },
  {
    name: 'deadline_of_foreign_keys',
    accordItem: 'storage: commands over several groups',
    file: 'storage/spanning/fetched-keyspace.ts',
    find: 'if (!cell.entry.expired(this.#context.nowMs)) return cell;',
    replace: 'if (this.#context.nowMs > 0) return cell;',
    why: 'a key of another group is alive behind its deadline',
    budgetSeeds: 20,
    config: SPANNING,
  },
  {
    name: 'spanning_replay_without_reads',
    accordItem: 'ranges: a replay executes with what was read',
    file: `${CORE}local/replica.ts`,
    find: 'if (command.reads === undefined) state.keepReads(command, record.reads.slice());',
    replace: 'if (command.reads === undefined) state.keepReads(command, new Uint8Array(0));',
    why: 'after a restart a transaction executes without the keys of other groups',
    budgetSeeds: 20,
    config: FORGETFUL,
  },
  {
    name: 'recoveries_wait_for_one_another',
    accordItem: 'ranges: any replica that waits drives a recovery',
    file: `${CORE}coordinate/spanning-coordinator.ts`,
    find: 'isFull && !this.#givesWay(id)) return;',
    replace: 'isFull) return;',
    why: 'recoveries that wait until they may be read leave no room for those that they wait for',
    budgetSeeds: 1,
    config: COORDINATOR,
  },
];
