/**
 * Planted bugs that whole nodes must notice, and the mixes that make the schedules common in which
 * they show. `mutants.ts` has what the bare protocol and the stories notice.
 */
import { onlyFaults } from '../simulation/fault-kinds.ts';
import { USUAL_LIMITS } from '../simulation/limits.ts';
import { PLAIN_MIX, type Profile } from '../simulation/profile.ts';
import type { Harness, Mutant } from './mutants.ts';

const CORE = 'actors/accord/';

export function nodes(profile: Partial<Profile>, timeMs = 6_000, count = 3): Harness {
  return { type: 'node', nodes: count, timeMs, profile };
}

/** Nothing goes wrong: what happens is the work of the clients alone. */
export const FAIR: Partial<Profile> = {
  faultEveryMsMax: 0,
  crashAfterSendRate: 0,
  crashAfterCutRate: 0,
  skewMs: 0.5,
  driftPpm: 0,
  turnDelayMsMax: 0,
  limits: USUAL_LIMITS,
  readPipelineRate: 0,
  flushes: false,
};
/** Few enough that their histories can be searched. */
export const CALM: Partial<Profile> = { clients: 4, thinkMsMax: 40, keys: 3 };
export const BUSY: Partial<Profile> = { clients: 12, thinkMsMax: 3, keys: 2 };

/** Coordinators crash alone, while answers to their reads are under way. */
const COORDINATORS_CRASH = nodes({
  ...FAIR,
  ...BUSY,
  faultEveryMsMax: 150,
  faultMix: onlyFaults({ crashActor: 10, swizzle: 10 }),
});

/** SORT looks at keys that others write. */
const FOUND_KEYS = nodes({ ...FAIR, ...BUSY, mix: { ...PLAIN_MIX, mixed: 1 } });

const WHOLE_STORE = nodes({
  ...FAIR,
  ...CALM,
  mix: { ...PLAIN_MIX, mixed: 1, wholeStore: 1 },
});

/** Many commands over all keys, among writes that do not wait for them. */
const LISTINGS = nodes({
  ...FAIR,
  clients: 12,
  thinkMsMax: 2,
  mix: { ...PLAIN_MIX, mixed: 4, wholeStore: 2 },
});

/** Nodes crash all the time, after flushes too. */
export const RESTARTS: Partial<Profile> = {
  ...FAIR,
  ...CALM,
  flushes: true,
  faultEveryMsMax: 400,
  faultMix: onlyFaults({ crash: 10 }),
  mix: { ...PLAIN_MIX, wholeStore: 1 },
};

/** Values with a deadline, clocks that are right. */
const DEADLINES = nodes({
  ...FAIR,
  ...CALM,
  ttlMsMax: 1_500,
  mix: { ...PLAIN_MIX, register: 0, group: 0, readMany: 0, transaction: 0, volatile: 1 },
});

/** Values with a deadline, and clocks that differ. */
const DEADLINES_BY_OTHER_CLOCKS = nodes({
  ...FAIR,
  ...CALM,
  skewMs: 200,
  ttlMsMax: 600,
  mix: { ...PLAIN_MIX, register: 0, group: 0, readMany: 0, transaction: 0, volatile: 1 },
});

/**
 * Nodes come back after the deadlines of values, and find a majority of a group before they have
 * one of all members, whose clocks they need.
 */
const DEADLINES_AFTER_RESTARTS: Harness = {
  type: 'groups',
  timeMs: 10_000,
  profile: {
    ...FAIR,
    clients: 5,
    thinkMsMax: 600,
    keys: 4,
    ttlMsMax: 2_000,
    faultEveryMsMax: 450,
    faultMix: onlyFaults({ crash: 10, swizzle: 10 }),
    downMsMax: 5_000,
    mix: { ...PLAIN_MIX, register: 0, group: 0, readMany: 0, transaction: 0, volatile: 1 },
  },
};

/** Clocks jump while links stall, so that a node takes a wrong time for that of the cluster. */
const JUMPING_CLOCKS = nodes(
  {
    ...FAIR,
    ...CALM,
    clients: 6,
    thinkMsMax: 20,
    faultEveryMsMax: 600,
    faultMix: onlyFaults({ clockJump: 20, swizzle: 10, isolate: 5, crash: 5 }),
  },
  10_000,
);

/** SORT looks at keys of others, among commands over all keys. */
const FOUND_KEYS_AND_SWAPS = nodes({
  ...FAIR,
  ...BUSY,
  databases: 4,
  mix: { ...PLAIN_MIX, mixed: 2, wholeStore: 2 },
});

const LONG_REPLIES = nodes({
  ...FAIR,
  ...CALM,
  limits: { ...USUAL_LIMITS, replyBytesMax: 40 },
  mix: { ...PLAIN_MIX, mixed: 2 },
});

/** Almost every write waits for the flush of those before it, while others read the same keys. */
const WRITES_WAIT = nodes({
  ...FAIR,
  ...BUSY,
  limits: { ...USUAL_LIMITS, unflushedBytesMax: 1 },
  mix: { ...PLAIN_MIX, register: 1 },
});

/** Units of several commands are applied one command at a time, and nodes crash meanwhile. */
const UNITS_IN_SLICES = nodes({
  ...RESTARTS,
  ...BUSY,
  turnDelayMsMax: 20,
  faultEveryMsMax: 200,
  limits: { ...USUAL_LIMITS, sliceCommandsMax: 1, dirtyBytesMax: 1 },
  mix: { ...PLAIN_MIX, transaction: 2, mixed: 2 },
});

/** Commands and units are applied step by step, while others read the same keys. */
const READS_AMID = nodes({
  ...FAIR,
  ...BUSY,
  limits: { ...USUAL_LIMITS, sliceCommandsMax: 1, stepElementsMax: 1 },
  mix: { ...PLAIN_MIX, transaction: 2, mixed: 2 },
});

/** The power fails again and again, and large records are on their way to a slow disk. */
export const TORN_TAILS = nodes(
  {
    ...FAIR,
    ...BUSY,
    faultEveryMsMax: 150,
    faultMix: onlyFaults({ crash: 30, crashAll: 5 }),
    crashKind: 'power',
    downMsMax: 200,
    diskMsMax: 20,
    mix: { ...PLAIN_MIX, big: 0.5 },
  },
  4_000,
);

/** The log is cut each second, to small segments, and the power fails right after. */
const CRASHES_AFTER_CUTS: Partial<Profile> = {
  ...FAIR,
  segmentBytes: 4_096,
  flushEveryMs: 20,
  crashKind: 'power',
  crashAfterCutRate: 0.5,
  syncPolicy: 'every_batch',
};

/**
 * One reservation outlives several cuts. Then all nodes die in the midst of a load, with ids under
 * way that only others have heard of, and their clocks are set back.
 */
const CUT_RESERVATIONS = nodes({
  ...CRASHES_AFTER_CUTS,
  ...BUSY,
  reserveMs: 6_000,
  blackoutRate: 1,
  setBackMsMax: 3_000,
  downMsMax: 20,
  diskMsMax: 20,
  limits: { ...USUAL_LIMITS, durabilityEveryMs: 50, durabilityLagMs: 100 },
});

/**
 * Slow turns in which the last transactions are forgotten and the next one begins; its record
 * begins a segment of its own.
 */
const CUT_TO_THE_END = nodes({
  ...CRASHES_AFTER_CUTS,
  clients: 2,
  thinkMsMax: 2_500,
  keys: 2,
  turnDelayMsMax: 30,
  mix: { ...PLAIN_MIX, big: 3 },
  limits: { ...USUAL_LIMITS, durabilityEveryMs: 300, durabilityLagMs: 100 },
});

/** Nodes are cut off while they begin transactions; the others settle meanwhile. */
const BEHIND_THE_MARK = nodes({
  ...FAIR,
  ...BUSY,
  faultEveryMsMax: 400,
  faultMix: onlyFaults({ isolate: 10, cutOneWay: 10, swizzle: 5 }),
  limits: {
    ...USUAL_LIMITS,
    durabilityEveryMs: 20,
    durabilityLagMs: 100,
    progressDelayMs: 50,
    ownProgressDelayMs: 50,
    progressDelayMsMax: 50,
  },
});

/** Votes lie well above t0, and the mark is so close that it can come between the two. */
const TIMES_ABOVE_THE_MARK = nodes({
  ...FAIR,
  clients: 4,
  thinkMsMax: 200,
  keys: 1,
  flushEveryMs: 20,
  skewMs: 100,
  weather: {
    delayMsMin: 0.05,
    delayMsMax: 30,
    lossRate: 0,
    duplicateRate: 0,
    stallRate: 0,
    stallMsMax: 0,
    ordered: false,
  },
  limits: { ...USUAL_LIMITS, durabilityEveryMs: 20, durabilityLagMs: 0 },
});

const THREE_GROUPS: Harness = { type: 'groups', timeMs: 4_000 };

/** Groups forget at different times, logs are cut often, and the power fails right after. */
const CUTS_OF_THREE_GROUPS: Harness = {
  type: 'groups',
  timeMs: 5_000,
  profile: { ...CRASHES_AFTER_CUTS, clients: 2, thinkMsMax: 2_000 },
};

/** Answers come later than the next recovery is due; nodes crash, so that there is much of it. */
const LATE_ANSWERS = nodes(
  {
    ...FAIR,
    ...BUSY,
    progressDelayMs: 20,
    diskMsMax: 25,
    turnDelayMsMax: 20,
    faultEveryMsMax: 500,
    faultMix: onlyFaults({ crash: 10, slowDisk: 5 }),
    limits: {
      ...USUAL_LIMITS,
      progressDelayMsMax: 79,
      slowPathMs: 1,
      mailboxMax: 8,
      writeBytesMax: 6,
    },
  },
  6_000,
  5,
);

export const NODE_MUTANTS: readonly Mutant[] = [
  {
    name: 'waits_lost_with_the_executor',
    accordItem: 'waiting: every client tries again',
    why: 'an executor that begins anew tells no client that waits to try again',
    file: 'actors/store/running-executor.ts',
    find: "    options.clients.send({ type: 'WaitsLost' });\n",
    replace: '',
    budgetSeeds: 30,
    config: { type: 'waiting' },
  },
  {
    name: 'element_of_a_dead_node',
    accordItem: 'waiting: elements that are left are taken',
    why: 'an element that was for the clients of another node is not taken when that one is gone',
    file: 'transport/resp/waiting/waiters.ts',
    find: 'if (nowMs < key.lookMs) continue;',
    replace: 'if (nowMs < Number.POSITIVE_INFINITY) continue;',
    budgetSeeds: 30,
    config: { type: 'waiting' },
  },
  {
    name: 'place_of_a_served_client_lost',
    accordItem: 'waiting: the next client waits in the place of the one before it',
    why: 'a client that waits in the place of one that was served is unknown to its store',
    file: 'storage/keyspace/waited-keys.ts',
    find: '    for (const { waiters } of wait.keys) waiters.add(to.connection);\n',
    replace: '',
    budgetSeeds: 30,
    config: { type: 'waiting' },
  },
  {
    name: 'entry_for_a_dead_group_node',
    accordItem: 'waiting: elements that are left are taken, those of groups too',
    why: 'an entry that was for the consumers of another node is not read when that one is gone',
    file: 'storage/keyspace/waited-keys.ts',
    find: 'return { added: Math.max(0, grown), left, isGone',
    replace: 'return { added: Math.max(0, grown), left: 0, isGone',
    budgetSeeds: 30,
    config: { type: 'waiting' },
  },
  {
    name: 'wait_ends_at_another_attempt',
    accordItem: 'waiting: a client is noted at its place',
    why: 'a command that has found nothing once more is not noted in the place of the one before',
    file: 'storage/keyspace/waited-keys.ts',
    find: '    this.#waits.set(connection, { attempt, keys: waited });',
    replace:
      '    this.#waits.set(connection, { attempt, keys: waited });\n    if (attempt % 3 === 0) this.#drop(connection);',
    budgetSeeds: 30,
    config: { type: 'waiting' },
  },
  {
    name: 'events_told_before_the_log',
    accordItem: 'events: told once',
    why: 'keyspace events are told before the log holds their execution, which it may then lose',
    file: 'actors/store/held-events.ts',
    find: '    this.#options.awaitLog();',
    replace: '    this.durable();',
    budgetSeeds: 20,
    config: nodes({}),
  },
  {
    name: 'events_again_after_a_restart_of_the_executor',
    accordItem: 'events: told once',
    why: 'what an executor is given once more tells its keyspace events again',
    file: 'actors/accord/local/replica.ts',
    find: 'sequence, isRepeated: true });',
    replace: 'sequence, isRepeated: false });',
    budgetSeeds: 20,
    config: nodes({}),
  },
  {
    name: 'read_overtaken_by_a_write',
    accordItem: 'tracking: once more behind the replies',
    why: 'a client keeps the value of a read that was overtaken by the message about a later write',
    file: 'transport/resp/tracking/client-tracking.ts',
    find: 'if (this.#reading.has(key)) this.#again.add(key);',
    replace: 'if (this.#reading.size < 0) this.#again.add(key);',
    budgetSeeds: 20,
    config: { type: 'tracking' },
  },
  {
    name: 'key_noted_behind_its_read',
    accordItem: 'tracking: noted before the read',
    why: 'a client that reads again a key which it has been told of is not noted for it',
    file: 'transport/resp/tracking/tracking-table.ts',
    find: '    client.remembered.delete(key);\n',
    replace: '',
    budgetSeeds: 20,
    config: { type: 'tracking' },
  },
  {
    name: 'pause_shorter_than_answers',
    accordItem: '2.13',
    why: 'recoverers do not wait longer where answers take long, and outbid one another for ever',
    file: 'actors/accord/local/progress-log.ts',
    find: 'Math.min(PAUSE_MS_MAX, 2 * this.#answerMs)',
    replace: 'Math.min(PAUSE_MS_MAX, 0 * this.#answerMs)',
    budgetSeeds: 30,
    config: LATE_ANSWERS,
  },
  {
    name: 'undeclared_key_not_in_footprint',
    accordItem: 'storage: keys that only show while a command runs',
    file: 'storage/keyspace/run-context.ts',
    find: 'if (!ofGroup || !hasSlot(this.footprint, slot)) throw KEY_OUTSIDE;',
    replace: 'if (!ofGroup) throw KEY_OUTSIDE;',
    why: 'SORT or a script looks at keys whose order with other transactions is not fixed',
    budgetSeeds: 60,
    config: FOUND_KEYS,
  },
  {
    name: 'rest_runs_behind_key_outside',
    accordItem: 'storage: keys that only show while a command runs',
    file: 'storage/state-machine.ts',
    find: 'if (this.#isOutside && !this.#isAlone) this.#unitEnded = true;',
    replace: 'if (this.#isOutside && !this.#isAlone) this.#unitEnded = false;',
    why: 'commands of a pipeline run before a script that is begun anew, and once more behind it',
    budgetSeeds: 60,
    config: FOUND_KEYS,
  },
  {
    name: 'clock_limit_lost_in_cut',
    accordItem: '23',
    file: 'actors/log/wal-actor.ts',
    find: 'if (this.#limits.isLostBy(fromLsn, log.segments())) {',
    replace: 'if (fromLsn < 0) {',
    why: 'the log is cut together with the last reservation of the clock',
    budgetSeeds: 60,
    config: CUT_RESERVATIONS,
  },
  {
    name: 'evidence_of_another_group',
    accordItem: 'ranges: evidence of another group',
    file: 'actors/node/router.ts',
    find: 'const route = this.#routes.get(group);',
    replace: 'const route = [...this.#routes.values()].at(-1) ?? this.#routes.get(group);',
    why: 'the messages of one group are taken for those of another',
    budgetSeeds: 10,
    config: THREE_GROUPS,
  },
  {
    name: 'log_cut_for_one_group',
    accordItem: 'log: a truncation that skips a needed record',
    file: `${CORE}local/store-groups.ts`,
    find: 'lowest = Math.min(lowest, oldestLsn, fromLsn === undefined ? member.marksLsn : UNWRITTEN);',
    replace: 'if (fromLsn !== undefined) lowest = Math.min(lowest, oldestLsn);',
    why: 'what one group of a store has forgotten cuts the records of the others',
    budgetSeeds: 60,
    config: CUTS_OF_THREE_GROUPS,
  },
  {
    name: 'cut_past_the_marks',
    accordItem: 'log: a truncation that skips a needed record',
    file: `${CORE}local/turn-log.ts`,
    find: 'neededLsn === undefined ? undefined : Math.min(neededLsn, firstLsn);',
    replace: 'neededLsn;',
    why: 'the log is cut together with the marks that were written for the cut',
    budgetSeeds: 60,
    config: CUT_TO_THE_END,
  },
  {
    name: 'forgotten_by_own_mark',
    accordItem: '36 (our form)',
    file: `${CORE}local/replica-state.ts`,
    find: 'return compare(id, this.redundantBefore) < 0;',
    replace: 'return compare(id, this.durableBefore) < 0;',
    why: 'begins something below its own mark, where nothing may be decided any more',
    budgetSeeds: 60,
    config: BEHIND_THE_MARK,
  },
  {
    name: 'forget_by_t0_only',
    accordItem: 'D',
    file: `${CORE}durability/durability-rounds.ts`,
    find: 'return command.executeAt === undefined || compare(command.executeAt, everywhere) < 0;',
    replace: 'return compare(command.id, everywhere) < 0;',
    why: 'forgets what executes above the mark, and its time is lost at the next start',
    budgetSeeds: 60,
    config: TIMES_ABOVE_THE_MARK,
  },
  {
    name: 'token_reused',
    accordItem: '18',
    file: 'actors/store/coordinator-actor.ts',
    find: 'this.#lastToken = Math.floor(context.rng.next() * 2 ** 52);',
    replace: 'this.#lastToken = 0;',
    why: 'after a restart of its coordinator a read takes answers to a read before it',
    budgetSeeds: 100,
    config: COORDINATORS_CRASH,
  },
  {
    name: 'whole_store_not_met',
    accordItem: '14',
    file: `${CORE}local/conflict-index.ts`,
    find: '    for (const command of this.#whole) visit(command);\n',
    replace: '',
    why: 'transactions over the whole store are no conflicts of others',
    budgetSeeds: 20,
    config: WHOLE_STORE,
  },
  {
    name: 'expired_read_is_nil',
    accordItem: 'storage: a read decides that a key is gone',
    file: 'storage/keyspace/group-keyspace.ts',
    find: 'throw PAST_DEADLINE;\n    this.#expire(cell);\n    return',
    replace: 'return this.#missed();\n    this.#expire(cell);\n    return',
    why: 'a read finds a key gone by the clock of one node, and no transaction has decided it',
    budgetSeeds: 20,
    config: DEADLINES_BY_OTHER_CLOCKS,
  },
  {
    name: 'keys_listed_as_they_are_now',
    accordItem: 'storage: KEYS answers the state at its place in the order',
    file: 'storage/keyspace/group-keyspace.ts',
    find: 'for (const view of this.#views) view.note(cell, old);',
    replace: 'void old;',
    why: 'a walk in slices finds what later transactions have written',
    budgetSeeds: 20,
    config: LISTINGS,
  },
  {
    name: 'median_of_any_clocks',
    accordItem: 'clocks: a majority agrees on the time',
    file: `${CORE}primitives/cluster-time.ts`,
    find: 'if (agreeing.length < this.#options.quorum) return;',
    replace: '',
    why: 'two clocks that are wrong in different ways make one of them the time of a node',
    budgetSeeds: 100,
    config: JUMPING_CLOCKS,
  },
  {
    name: 'outside_of_another_command',
    accordItem: 'storage: keys that only show while a command runs',
    file: 'storage/state-machine.ts',
    find: 'this.#isOutside = false;\n    if (args.startsUnit)',
    replace: 'if (args.startsUnit)',
    why: 'a command is run once more since one before it had met a key outside its footprint',
    budgetSeeds: 100,
    config: FOUND_KEYS_AND_SWAPS,
  },
  {
    name: 'deadline_at_last_timestamp',
    accordItem: 'storage: a read without the time decides on no deadline',
    file: 'actors/node/store.ts',
    find: 'this.#time.isKnown ? this.clock.presentUs / 1_000 : TIME_UNKNOWN_MS',
    replace: 'this.clock.presentUs / 1_000 || TIME_UNKNOWN_MS',
    why: 'a node that has just begun judges deadlines by a timestamp that is long past',
    budgetSeeds: 160,
    config: DEADLINES_AFTER_RESTARTS,
  },
  {
    name: 'expire_too_early',
    accordItem: 'storage: deadlines',
    file: 'storage/keyspace/group-keyspace.ts',
    find: 'cell.entry.deadline > this.nowMs) {',
    replace: 'cell.entry.deadline > this.nowMs + 250) {',
    why: 'a key is gone 250 ms before its deadline',
    budgetSeeds: 20,
    config: DEADLINES,
  },
  {
    name: 'write_behind_a_long_reply',
    accordItem: 'storage: a command is executed once',
    file: 'actors/store/running-executor.ts',
    find: 'if (renderer.begun < part.readsFrom || renderer.begun === part.count) return true;',
    replace: 'if (renderer.begun === part.count) return true;',
    why: 'a write behind a long reply is done, and is left to another part as well',
    budgetSeeds: 20,
    config: LONG_REPLIES,
  },
  {
    name: 'read_ahead_of_its_writes',
    accordItem:
      'reads: what waits at the executor is applied first where it has a slot of the read',
    file: 'actors/store/read-runs.ts',
    find: '!wholeStore && !participants.some((slot) => waiting.has(slot));',
    replace: '!wholeStore;',
    why: 'a read does not wait for the writes of its key that wait for a flush',
    budgetSeeds: 20,
    config: WRITES_WAIT,
  },
  {
    name: 'read_amid_its_writes',
    accordItem:
      'reads: what is half applied is applied whole first where it has a slot of the read',
    file: 'actors/store/running-executor.ts',
    find: 'this.#halfDone === undefined ? [] : [this.#halfDone.execution];',
    replace: '([] as Execution[]);',
    why: 'a read sees a command, or a unit, that is half applied',
    budgetSeeds: 20,
    config: READS_AMID,
  },
  {
    name: 'flush_within_a_unit',
    accordItem: 'storage: the engine holds whole units',
    file: 'actors/store/running-executor.ts',
    find: 'if (machines.flushing || this.#halfDone?.isWithinUnit === true) return;',
    replace: 'if (machines.flushing) return;',
    why: 'after a restart the rest of a unit is taken for done',
    budgetSeeds: 60,
    config: UNITS_IN_SLICES,
  },
  {
    name: 'flush_without_counts',
    accordItem: 'storage: counts of slots are flushed with the data',
    file: 'storage/keyspace/group-keyspace.ts',
    find: '      blocks: this.#counts.capture(),\n',
    replace: '      blocks: [],\n',
    why: 'after a restart a group takes its part of the engine for empty',
    budgetSeeds: 20,
    config: nodes(RESTARTS),
  },
  {
    name: 'cleared_in_memory_only',
    accordItem: 'storage: FLUSHALL of a group',
    file: 'storage/keyspace/group-keyspace.ts',
    find: '      clear: this.#clearPending,\n',
    replace: '      clear: false,\n',
    why: 'keys that FLUSHALL has removed come back from the engine',
    budgetSeeds: 20,
    config: nodes(RESTARTS),
  },
];
