/**
 * Planted bugs: each one an edit of one source file, the rule that it breaks, and the harness that
 * must notice within a budget of seeds. They exist only in copies of the tree; the product has no
 * switch for any of them.
 */

import type { Knobs, MixName } from '../actors/accord/knobs.ts';
import { onlyFaults } from '../simulation/fault-kinds.ts';
import type { Profile } from '../simulation/profile.ts';
import { ABSENCE_MUTANTS } from './absence-mutants.ts';
import { DATABASE_MUTANTS } from './database-mutants.ts';
import { FORWARDING_MUTANTS } from './forwarding-mutants.ts';
import { HEALING_MUTANTS } from './healing-mutants.ts';
import { LEASE_MUTANTS } from './lease-mutants.ts';
import { META_GROUP_MUTANTS } from './meta-group-mutants.ts';
import { MOVE_MUTANTS } from './move-mutants.ts';
import { NODE_LIFE_MUTANTS } from './node-life-mutants.ts';
import { NODE_MUTANTS, TORN_TAILS } from './node-mutants.ts';
import { SPANNING_MUTANTS } from './spanning-mutants.ts';
import { SPLIT_MUTANTS } from './split-mutants.ts';

export type Harness =
  | { readonly type: 'protocol'; readonly mix: MixName; readonly knobs?: Partial<Knobs> }
  /** All scripted schedules; a changed transcript or a broken rule kills. */
  | { readonly type: 'story'; readonly file: string }
  /** A unit test of the pure core, for what no drawn schedule has come upon. */
  | { readonly type: 'unit'; readonly file: string }
  /** Whole nodes on simulated disks and links. */
  | {
      readonly type: 'node';
      readonly nodes: number;
      readonly timeMs: number;
      readonly profile?: Partial<Profile>;
    }
  /** The same with groups that are split all the time. */
  | {
      readonly type: 'splits';
      readonly nodes: number;
      readonly timeMs: number;
      readonly profile?: Partial<Profile>;
    }
  /** Groups of three members each on five nodes, which change their members all the time. */
  | { readonly type: 'moves'; readonly timeMs: number }
  /** Clients that wait at the gateways of three nodes. */
  | { readonly type: 'waiting' }
  /** Clients of three nodes that keep what they read. */
  | { readonly type: 'tracking' }
  /** Five groups of three members each on five nodes, and any node is asked for all keys. */
  | {
      readonly type: 'spread';
      readonly timeMs: number;
      readonly profile?: Partial<Profile>;
    }
  /** The same with three groups of different members on five nodes. */
  | {
      readonly type: 'groups';
      readonly timeMs: number;
      readonly profile?: Partial<Profile>;
    };

interface Edit {
  readonly file: string;
  /** Must match exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant extends Edit {
  readonly name: string;
  /** Where the rule comes from: CEP-15's classic bugs by number, HoloStore's by letter. */
  readonly accordItem: string;
  readonly why: string;
  readonly budgetSeeds: number;
  readonly config: Harness;
  /** Planted to see: no schedule is known that it breaks, or none that is found by chance. */
  readonly mayLive?: true;
  /** Further changes that the bug needs to compile. */
  readonly also?: readonly Edit[];
}

const CORE = 'actors/accord/';

function protocol(
  mix: MixName,
  nodes: number,
  electorate: number,
  knobs: Partial<Knobs> = {},
): Harness {
  return { type: 'protocol', mix, knobs: { nodes, electorate, ...knobs } };
}

function story(name: string): Harness {
  return { type: 'story', file: `${name}.txt` };
}

/** N=5, E=3 hides least. */
const STORM = protocol('STORM', 5, 3);
const STORM_OF_THREE = protocol('STORM', 3, 3);
const STANDARD = protocol('STANDARD', 3, 3);
const SETTLING = protocol('SETTLING', 5, 3);
/** Records lost from the log are noticed only when it is read. */
const CRASHES_AFTER_CUTS = protocol('SETTLING', 5, 3, { cutCrashRate: 1 });
const POWER_CUTS = protocol('POWER_CUTS', 3, 3);
const READERS = protocol('READERS', 3, 3);
const NODES: Harness = { type: 'node', nodes: 3, timeMs: 8_000 };
/** Reads of several slots meet writes of each of them, and nothing else happens. */
const READ_PIPELINES: Harness = {
  type: 'node',
  nodes: 5,
  timeMs: 4_000,
  profile: {
    readPipelineRate: 0.9,
    keys: 3,
    thinkMsMax: 3,
    clients: 12,
    faultEveryMsMax: 0,
    crashAfterSendRate: 0,
  },
};
const SHORT_BARRIERS: Harness = {
  type: 'node',
  nodes: 3,
  timeMs: 5_000,
  profile: { replicaLimits: { barrierIdsMax: 1 }, thinkMsMax: 3, clients: 12, keys: 2 },
};
const SHORT_LISTS: Harness = {
  ...NODES,
  profile: { replicaLimits: { listIdsMax: 1, barrierIdsMax: 1, fetchBytesMax: 1 } },
};
/** Many messages meet in one turn. */
/** Stores and logs are removed behind the back of nodes that are down. */
const REMOVALS: Harness = { ...NODES, profile: { damage: true, faultEveryMsMax: 400 } };
/** Actors crash with much in their mailboxes. */
const SLOW_TURNS: Harness = {
  ...NODES,
  profile: {
    turnDelayMsMax: 30,
    faultEveryMsMax: 300,
    faultMix: onlyFaults({ crashActor: 60, commit: 20 }),
  },
};
/** Every timestamp waits for its reservation, and nothing but the log tells which were used. */
const SHORT_RESERVATIONS: Harness = {
  ...NODES,
  profile: {
    reserveMs: 0.001,
    setBackMsMax: 10_000,
    blackoutRate: 0.3,
    downMsMax: 20,
    clients: 10,
    thinkMsMax: 2,
    diskMsMax: 20,
    faultEveryMsMax: 0,
    crashAfterSendRate: 0.02,
    crashKind: 'power',
  },
};
/** Records wait for a turn at a slow log while the engine is flushed, and the power fails often. */
const ONE_TURN_AT_THE_LOG: Harness = {
  type: 'node',
  nodes: 3,
  timeMs: 3_000,
  profile: {
    turnsMax: 1,
    flushEveryMs: 20,
    diskMsMax: 20,
    crashKind: 'power',
    faultEveryMsMax: 400,
    thinkMsMax: 5,
  },
};
/** Actors fall behind, and have little room for what waits. */
const FULL_MAILBOXES: Harness = { ...NODES, profile: { mailboxMax: 8, turnDelayMsMax: 20 } };

export const MUTANTS: readonly Mutant[] = [
  // ---- ballots and recovery ---------------------------------------------------------------
  {
    name: 'single_ballot',
    accordItem: '1',
    file: `${CORE}local/replica.ts`,
    find: "      command.promised = ballot;\n      state.transition(command, { type: 'Promised'",
    replace:
      "      command.promised = ballot;\n      command.accepted = ballot;\n      state.transition(command, { type: 'Promised'",
    why: 'a promise relabels the accepted value, so that a stale one beats a newer one',
    budgetSeeds: 1,
    config: story('01-one-ballot'),
  },
  {
    name: 'accept_no_deps',
    accordItem: '2',
    file: `${CORE}coordinate/recovery.ts`,
    find: "      return { type: 'coordinate', ...acceptedValue(most) };",
    replace: "      return { type: 'coordinate', ...acceptedValue(most), deps: NO_DEPS };",
    why: 'recovery proposes an accepted value without its deps',
    budgetSeeds: 400,
    config: STORM,
  },
  {
    name: 'no_stable',
    accordItem: '3',
    file: `${CORE}coordinate/coordinator.ts`,
    find: "if (population(round.replied) >= this.group.quorums.slow) this.#enter(round, 'Commit');",
    replace:
      "if (population(round.replied) >= this.group.quorums.slow) this.#stabilised(round, round.executeAt ?? round.id, 'slow');",
    why: 'executes before the deps are at a quorum',
    budgetSeeds: 40,
    config: STANDARD,
  },
  {
    name: 'no_wait',
    accordItem: '4',
    file: `${CORE}coordinate/recovery.ts`,
    find: '  if (wait.length > 0) return',
    replace: '  if (wait.length > 1_000) return',
    why: 'proposes t0 while an earlier transaction may yet turn out not to have witnessed it',
    budgetSeeds: 1,
    config: story('04-wait-for-the-earlier'),
  },
  {
    name: 'no_superseding',
    accordItem: '5',
    file: `${CORE}local/recovery-evidence.ts`,
    find: '      if (earlier) evidence.wait.push(other.id);\n      else evidence.rejects = true;',
    replace: '      if (earlier) evidence.wait.push(other.id);',
    why: 'a later transaction accepted without this one is no evidence any more',
    budgetSeeds: 1,
    config: story('05-superseded'),
  },
  {
    name: 'no_stable_evidence',
    accordItem: '5',
    file: `${CORE}local/recovery-evidence.ts`,
    find: 'if (!witnessed) evidence.rejects = true;',
    replace: 'if (!witnessed) return;',
    why: 'a stable transaction that executes later without this one is no evidence any more',
    budgetSeeds: 1,
    config: story('05-superseded-by-stable'),
  },
  {
    name: 'fast_quorum_too_small',
    accordItem: '6',
    file: `${CORE}topology/group.ts`,
    find: 'Math.floor((electorate + failures) / 2) + 1;',
    replace: 'Math.floor((electorate + failures) / 2);',
    why: 'two conflicting fast decisions can miss each other',
    budgetSeeds: 1_000,
    config: STORM_OF_THREE,
  },
  {
    name: 'fast_over_all_replicas',
    accordItem: '6',
    file: `${CORE}coordinate/coordinator.ts`,
    find: 'if (this.group.electors(round.fast) >= quorums.fast) {',
    replace: 'if (population(round.fast) >= quorums.fast) {',
    why: 'counts votes of replicas outside the electorate',
    budgetSeeds: 100,
    config: STORM,
  },
  {
    name: 'late_vote_switch',
    accordItem: '8',
    file: `${CORE}coordinate/coordinator.ts`,
    find: "    if (round.phase !== 'PreAccept' || !round.count(bit)) return;\n",
    replace:
      "    if (round.phase === 'Accept' && equal(message.vote, round.id)) round.fast |= bit;\n" +
      "    if (round.phase === 'Accept' && this.group.electors(round.fast) >= this.group.quorums.fast) {\n" +
      "      return this.#stabilised(round, round.id, 'fast');\n    }\n" +
      "    if (round.phase !== 'PreAccept' || !round.count(bit)) return;\n",
    why: 'decides fast after it has proposed on the slow path',
    budgetSeeds: 400,
    config: STANDARD,
  },
  {
    name: 'vote_after_promise',
    accordItem: '9',
    file: `${CORE}local/replica.ts`,
    find: "      this.#nack(from, id, round, ballot, 'promised', command.promised);\n      return undefined;\n",
    replace:
      "      if (round !== 'PreAccept') {\n        this.#nack(from, id, round, ballot, 'promised', command.promised);\n        return undefined;\n      }\n",
    why: 'answers a late PreAccept although a recoverer holds its promise',
    budgetSeeds: 100,
    config: STORM,
  },
  {
    name: 'recovery_does_not_witness',
    accordItem: '10',
    file: `${CORE}local/replica.ts`,
    find: '    this.#state.index.bump(definition.participants, vote);\n',
    replace:
      '    if (equal(command.promised, ZERO)) this.#state.index.bump(definition.participants, vote);\n',
    why: 'what recovery has shown to a replica does not hold back later votes',
    budgetSeeds: 100,
    config: STORM,
  },
  {
    name: 'accept_no_bump',
    accordItem: '11',
    file: `${CORE}local/replica.ts`,
    find: '    command.status = Status[status];\n    state.index.bump(definition.participants, executeAt);\n',
    replace:
      '    command.status = Status[status];\n' +
      "    if (status === 'Committed') state.index.bump(definition.participants, executeAt);\n",
    why: 'an accepted time does not hold back later votes',
    budgetSeeds: 100,
    config: STANDARD,
  },
  {
    name: 'accept_deps_bound_t0',
    accordItem: '12',
    file: `${CORE}local/replica.ts`,
    find: 'without(state.calcDeps(command, executeAt), deps)',
    replace: 'without(state.calcDeps(command, id), deps)',
    why: 'deps of a transaction that moved up stop at its t0',
    budgetSeeds: 200,
    config: STANDARD,
  },
  {
    name: 'deps_of_one_vote',
    accordItem: '13',
    file: `${CORE}coordinate/coordinator.ts`,
    find: 'round.deps = union(round.deps, deps);',
    replace: 'round.deps = deps;',
    why: 'takes the deps of the last vote, not of all',
    budgetSeeds: 400,
    config: STANDARD,
  },
  {
    name: 'deps_of_one_accept',
    accordItem: '13',
    file: `${CORE}coordinate/coordinator.ts`,
    find: 'round.deps = union(round.deps, fresh);',
    replace: 'round.deps = fresh;',
    why: 'what was proposed and what the others answered is dropped',
    budgetSeeds: 100,
    config: STANDARD,
  },
  {
    name: 'deps_skip_preaccepted',
    accordItem: '14',
    file: `${CORE}local/conflict-index.ts`,
    find: 'other === self || other.status === Status.Invalidated) return;',
    replace:
      'other === self || other.status <= Status.PreAccepted || other.status === Status.Invalidated) return;',
    why: 'leaves out conflicts that are not decided yet',
    budgetSeeds: 200,
    config: STANDARD,
  },
  {
    name: 'accept_ignores_promise',
    accordItem: '15',
    file: `${CORE}local/replica.ts`,
    find: "      this.#nack(from, id, round, ballot, 'promised', command.promised);\n      return undefined;\n",
    replace:
      "      if (round !== 'Accept') {\n        this.#nack(from, id, round, ballot, 'promised', command.promised);\n        return undefined;\n      }\n",
    why: 'takes a value below its promise',
    budgetSeeds: 200,
    config: STORM,
  },
  {
    name: 'commit_ignores_promise',
    accordItem: '15',
    file: `${CORE}local/replica.ts`,
    find: "      this.#nack(from, id, round, ballot, 'promised', command.promised);\n      return undefined;\n",
    replace:
      "      if (round !== 'Commit') {\n        this.#nack(from, id, round, ballot, 'promised', command.promised);\n        return undefined;\n      }\n",
    why: 'takes a commit below its promise',
    budgetSeeds: 400,
    config: STORM,
  },
  {
    name: 'stable_checks_ballot',
    accordItem: '15',
    file: `${CORE}local/replica.ts`,
    find: '    if (command.status >= Status.Stable) return;\n    const definition',
    replace:
      '    if (command.status >= Status.Stable || compare(command.promised, ZERO) > 0) return;\n    const definition',
    why: 'refuses a fact because of a promise, and loses the decision',
    budgetSeeds: 20,
    config: STANDARD,
  },
  {
    name: 'invalidate_by_one',
    accordItem: '16',
    file: `${CORE}coordinate/coordinator.ts`,
    find: 'if (population(round.replied) >= this.group.quorums.slow) this.#invalidated(round);',
    replace: 'if (population(round.replied) >= 1) this.#invalidated(round);',
    why: 'calls it invalid before a quorum has accepted that',
    budgetSeeds: 4_000,
    config: STORM,
  },
  {
    name: 'invalidate_after_decision',
    accordItem: '16',
    file: `${CORE}local/replica.ts`,
    find: "this.#acceptable(from, 'AcceptInvalidate', id, ballot, true)",
    replace: "this.#acceptable(from, 'AcceptInvalidate', id, ballot, false)",
    why: 'accepts an invalidation of what is decided here',
    budgetSeeds: 2_000,
    config: STORM,
  },
  // ---- execution and reads ----------------------------------------------------------------
  {
    name: 'wait_for_later',
    accordItem: '17',
    file: `${CORE}local/replica-state.ts`,
    find: '    if (waiter.executeAt !== undefined && executesLater(command, waiter.executeAt)) return;\n',
    replace: '',
    why: 'waits for what executes later: a cycle of waits',
    budgetSeeds: 200,
    config: STANDARD,
  },
  {
    name: 'execute_without_waiting',
    accordItem: '17',
    file: `${CORE}local/execution.ts`,
    find: 'if (dep !== undefined && dep !== command) state.waitFor(command, dep);',
    replace: '',
    why: 'executes as it learns, not in the order of executeAt',
    budgetSeeds: 40,
    config: STANDARD,
  },
  {
    name: 'read_does_not_wait',
    accordItem: '18',
    file: `${CORE}local/execution.ts`,
    find: 'if (command !== undefined && concerns(command)) state.waitFor(read, command);',
    replace: '',
    why: 'reads before what was acknowledged is applied here',
    budgetSeeds: 200,
    config: READERS,
  },
  {
    name: 'read_by_minority',
    accordItem: '18',
    file: `${CORE}local/read-barrier.ts`,
    find: 'if (population(barrier.replied) < state.group.quorums.slow) return;',
    replace: 'if (population(barrier.replied) < 1) return;',
    why: 'asks no other member which writes it must see',
    budgetSeeds: 1,
    config: story('18-read-asks-a-quorum'),
  },
  {
    name: 'barrier_only_decided',
    accordItem: '18',
    file: `${CORE}local/read-barrier.ts`,
    find: '    for (const { id } of pending.from(max(redundantBefore, after))) {\n',
    replace:
      '    for (const { id, status } of pending.from(max(redundantBefore, after))) {\n' +
      '      if (status < Status.Committed) continue;\n',
    also: [
      {
        file: `${CORE}local/read-barrier.ts`,
        find: '    for (const { id, definition } of this.#state.unapplied) {\n',
        replace:
          '    for (const { id, definition, status } of this.#state.unapplied) {\n' +
          '      if (status < Status.Committed) continue;\n',
      },
      {
        file: `${CORE}local/read-barrier.ts`,
        find: "import { isTerminal } from '../primitives/status.ts';\n",
        replace: "import { isTerminal, Status } from '../primitives/status.ts';\n",
      },
    ],
    why: 'a read does not wait for what is acknowledged elsewhere and not known to be decided here',
    budgetSeeds: 10,
    config: NODES,
  },
  {
    name: 'apply_twice',
    accordItem: '18, log: apply twice',
    file: `${CORE}local/replica.ts`,
    find: '    if (command.status >= Status.Stable) return;\n    const definition',
    replace: '    if (command.status === Status.Stable) return;\n    const definition',
    why: 'a repeated Stable executes the transaction again',
    budgetSeeds: 40,
    config: STANDARD,
  },
  {
    name: 'apply_twice_after_restart',
    accordItem: 'log: apply twice',
    file: `${CORE}local/replica.ts`,
    find: '      if (sequence <= flushedSequence || executeAt === undefined || definition === undefined)',
    replace: '      if (sequence === 0 || executeAt === undefined || definition === undefined)',
    why: 'replays what the engine already holds',
    budgetSeeds: 200,
    config: SETTLING,
  },
  // ---- durability -------------------------------------------------------------------------
  {
    name: 'vote_before_sync',
    accordItem: '22',
    file: `${CORE}local/replica.ts`,
    find: "    state.reply(from, { type: 'PreAcceptOk'",
    replace: "    state.send(from, { type: 'PreAcceptOk'",
    why: 'a vote leaves before it is on disk',
    budgetSeeds: 400,
    config: POWER_CUTS,
  },
  {
    name: 'promise_not_logged',
    accordItem: '22',
    file: `${CORE}local/replica.ts`,
    find: "      state.transition(command, { type: 'Promised', id, ballot }, true);\n",
    replace: '',
    why: 'a promise does not survive a crash',
    budgetSeeds: 200,
    config: POWER_CUTS,
  },
  {
    name: 'accepted_not_logged',
    accordItem: '22',
    file: `${CORE}local/replica.ts`,
    find: '    state.transition(command, { type: status, id, ballot, executeAt, deps }, true);\n',
    replace: '',
    why: 'an accepted value does not survive a crash',
    budgetSeeds: 200,
    config: POWER_CUTS,
  },
  {
    name: 'clock_not_restored',
    accordItem: '23',
    file: `${CORE}primitives/hybrid-clock.ts`,
    find: 'if (!this.#begun) this.#lastUs = Math.max(this.#lastUs, limitUs);\n',
    replace: '\n',
    why: 'after a restart with a clock that went back, timestamps are given out again',
    budgetSeeds: 2_000,
    config: protocol('POWER_CUTS', 3, 3, { stepBackMs: 400, downMsMax: 100, burstGapMs: 60 }),
  },
  {
    name: 'reservation_not_awaited',
    accordItem: '23',
    file: `${CORE}primitives/hybrid-clock.ts`,
    find: 'return hlcUs < this.#durableLimitUs;',
    replace: 'return hlcUs < this.#limitUs;',
    why: 'timestamps leave the node before the record that reserves them is on disk',
    budgetSeeds: 80,
    config: SHORT_RESERVATIONS,
  },
  {
    name: 'coordination_resumed',
    accordItem: '24',
    file: `${CORE}coordinate/coordinator.ts`,
    find: '    if (round === undefined) return;\n    const bit',
    replace:
      "    if (round === undefined && message.type === 'PreAcceptOk' && message.id.node === this.self) {\n" +
      "      this.#underWay += 1;\n      this.#begin(message.id, ZERO, 'PreAccept', undefined);\n" +
      '      return this.handle(from, message, nowMs);\n    }\n' +
      '    if (round === undefined) return;\n    const bit',
    why: 'goes on at ballot 0 with what it knew before, and may decide differently',
    budgetSeeds: 400,
    config: STANDARD,
  },
  // ---- replies ----------------------------------------------------------------------------
  {
    name: 'foreign_ballot_counted',
    accordItem: '32',
    file: `${CORE}coordinate/coordinator.ts`,
    find: "if (round.phase !== 'Accept' || !equal(message.ballot, round.ballot)) return;",
    replace: "if (round.phase !== 'Accept') return;",
    why: 'an answer to another ballot is counted',
    budgetSeeds: 6_000,
    config: STORM,
  },
  {
    name: 'duplicates_counted',
    accordItem: '32',
    file: `${CORE}coordinate/transaction-round.ts`,
    find: '    if (bit === 0 || (this.replied & bit) !== 0) return false;\n    this.replied |= bit;',
    replace:
      '    if (bit === 0) return false;\n    this.replied |= bit;\n    this.replied |= this.replied << 8;',
    why: 'a repeated answer stands for another replica',
    budgetSeeds: 100,
    config: STANDARD,
  },
  {
    name: 'recovery_storm',
    accordItem: '34',
    file: `${CORE}coordinate/coordinator.ts`,
    find: "    if (message.reason === 'promised') return;\n",
    replace:
      "    if (message.reason === 'promised') return this.recover(message.id, round.definition, this.nowMs);\n",
    why: 'a refused recoverer tries again at once: ballots race each other',
    budgetSeeds: 400,
    config: STORM,
  },
  {
    name: 'status_over_ballot',
    accordItem: '38 (one shard: an invalidation against an acceptance)',
    file: `${CORE}primitives/status.ts`,
    find: '    if (byBallot !== 0) return byBallot;\n',
    replace: '',
    why: 'among accepted values the status decides, not the ballot',
    budgetSeeds: 1,
    config: story('01-one-ballot'),
  },
  // ---- HoloStore's own --------------------------------------------------------------------
  {
    name: 'recovery_takes_the_highest_time',
    accordItem: 'A',
    file: `${CORE}coordinate/recovery.ts`,
    find: "      return { type: 'coordinate', ...acceptedValue(most) };",
    replace:
      "      return {\n        type: 'coordinate',\n        executeAt: replies.flatMap((r) => r.executeAt ?? []).sort((a, b) => a.hlc - b.hlc || a.node - b.node).at(-1) ?? round.id,\n" +
      '        deps: unite(replies, (r) => r.coordinated),\n      };',
    why: 'unites what the replies say, whatever their status and ballot',
    budgetSeeds: 2_000,
    config: STORM,
  },
  {
    name: 'invalidated_revived',
    accordItem: 'B',
    file: `${CORE}local/replica.ts`,
    find: 'if (undecided && command.status >= Status.Committed) {',
    replace:
      'if (undecided && command.status >= Status.Committed && command.status !== Status.Invalidated) {',
    why: 'what was given up is accepted again when a delayed message comes in',
    budgetSeeds: 2_000,
    config: STORM,
  },
  {
    name: 'conflicts_lost_at_restart',
    accordItem: 'C',
    file: `${CORE}local/replica.ts`,
    find: '    if (executeAt !== undefined) state.index.bump(definition.participants, executeAt);\n',
    replace: '',
    also: [
      {
        file: `${CORE}local/replica.ts`,
        find: 'if (definition !== undefined) this.#state.index.bump(definition.participants, time);',
        replace: 'if (definition === time) return;',
      },
    ],
    why: 'after a restart it votes for times below what it knows',
    budgetSeeds: 400,
    config: POWER_CUTS,
  },
  {
    name: 'marks_never_advance',
    accordItem: 'D',
    file: `${CORE}durability/applied-hints.ts`,
    find: '      state.peerRedundantBefore.set(from, message.redundantBefore);\n',
    replace: '',
    why: 'nothing is ever forgotten',
    budgetSeeds: 5,
    config: SETTLING,
  },
  // ---- settlement -------------------------------------------------------------------------
  {
    name: 'fence_not_kept',
    accordItem: '36 (our form: the rejectBefore of a durability round)',
    file: `${CORE}local/replica.ts`,
    find: 'const early = compare(id, state.rejectBefore) < 0;',
    replace: 'const early = false;',
    why: 'votes for what it promised not to witness',
    budgetSeeds: 1,
    config: story('36-reject-before-is-kept'),
  },
  {
    name: 'fence_by_any_quorum',
    accordItem: '36 (our form)',
    file: `${CORE}durability/durability-rounds.ts`,
    find: 'return population(promised) >= slow && group.electors(promised) >= durabilityElectors;',
    replace: 'return population(promised) >= slow && durabilityElectors > 0;',
    why: 'a recovery may not be able to tell that the rejectingBefore one was not decided fast',
    budgetSeeds: 1,
    config: story('36-reject-before-needs-electors'),
  },
  {
    name: 'fence_above_what_is_open',
    accordItem: '36 (our form)',
    file: `${CORE}durability/durability-rounds.ts`,
    find: 'const before = this.#belowOpen(past);',
    replace: 'const before = past;',
    why: 'on a slow disk each fence refuses what is under way, and nothing is ever decided',
    budgetSeeds: 1,
    config: { type: 'unit', file: 'test/actors/accord/durability/durability-rounds.test.ts' },
  },
  {
    name: 'conflicts_covered_too_soon',
    accordItem: '25 (our form: the index lets go)',
    file: `${CORE}local/replica-state.ts`,
    find: 'population(command.appliedBy) >= this.group.quorums.slow;',
    replace: 'population(command.appliedBy) >= 1;',
    why: 'a conflict leaves the index before a majority has applied it',
    budgetSeeds: 1,
    config: story('25-covered-by-a-majority'),
  },
  {
    name: 'same_without_own_deps',
    accordItem: '13 (our form: "same" answers)',
    file: `${CORE}coordinate/coordinator.ts`,
    find: '    if (round.sameSeen && round.ownDeps === undefined) return;\n',
    replace: '',
    why: '"same" stands for deps that the coordinator does not have yet',
    budgetSeeds: 2_000,
    config: protocol('STANDARD', 3, 3, { syncStallRate: 0.2, syncStallMsMax: 200 }),
  },
  // ---- log and storage --------------------------------------------------------------------
  {
    name: 'reply_before_sync',
    accordItem: 'log: a reply before its sync',
    file: `${CORE}local/command-store.ts`,
    find: '        return this.#log.reply({ group, to: effect.to, message: effect.message });',
    replace: '        return this.#send([{ group, to: effect.to, message: effect.message }]);',
    why: 'replies go before their records are on disk',
    budgetSeeds: 60,
    config: NODES,
  },
  {
    name: 'torn_tail_accepted',
    accordItem: 'log: a torn tail accepted',
    file: 'wal/record.ts',
    find: '  if (checksum !== bytes.readUInt32LE(offset)) return false;\n',
    replace: '  if (checksum < 0) return false;\n',
    why: 'half a record is read as a whole one',
    budgetSeeds: 60,
    config: TORN_TAILS,
  },
  {
    name: 'log_cut_too_far',
    accordItem: 'log: a truncation that skips a needed record',
    file: `${CORE}durability/logged-commands.ts`,
    find: '?.firstLsn === lsn) return lsn;',
    replace: '?.firstLsn === lsn) return this.#lsns.at(-1);',
    why: 'the log is cut behind the newest transaction, not behind the oldest',
    budgetSeeds: 400,
    config: CRASHES_AFTER_CUTS,
  },
  {
    name: 'marks_not_kept',
    accordItem: 'log: a truncation that skips a needed record',
    file: `${CORE}durability/durability-rounds.ts`,
    find: "    state.persist({ type: 'RejectBefore', before: rejectBefore }, false);\n",
    replace: '',
    why: 'the log is cut together with the last rejectBefore',
    budgetSeeds: 1,
    config: story('36-reject-before-survives-the-cut'),
  },
  {
    name: 'engine_applies_twice',
    accordItem: 'log: apply twice',
    file: 'actors/store/running-executor.ts',
    find: '    if (execution.sequence <= machine.appliedSequence) return;\n',
    replace: '',
    why: 'the executor executes again what comes twice; the state machine then refuses to commit it',
    budgetSeeds: 400,
    config: SLOW_TURNS,
  },
  {
    name: 'behind_counted',
    accordItem: '18',
    file: `${CORE}local/read-barrier.ts`,
    find: '    if (message.behind) return this.#askOn(barrier, from, ids);\n',
    replace: '    if (message.behind && !barrier) this.#askOn(barrier, from, ids);\n',
    why: 'a member that has more to name counts for the quorum of a read',
    budgetSeeds: 40,
    config: SHORT_BARRIERS,
  },
  {
    name: 'list_cut_but_mark_whole',
    accordItem: '36 (our form)',
    file: `${CORE}durability/durability-rounds.ts`,
    find: 'base: from, before: end, ids',
    replace: 'base: from, before: end && state.redundantBefore, ids',
    why: 'a list that does not hold all that is settled carries the mark of all',
    budgetSeeds: 40,
    config: SHORT_LISTS,
  },
  {
    name: 'fence_cut_but_whole',
    accordItem: '36 (our form)',
    file: `${CORE}durability/durability-rounds.ts`,
    find: '    round.end = min(round.end, message.end);\n',
    replace: '',
    why: 'settles up to X although some answer has named less than all below X',
    budgetSeeds: 40,
    config: SHORT_LISTS,
  },
  {
    name: 'one_barrier_for_two_keys',
    accordItem: 'reads of several slots',
    file: `${CORE}local/applied-slots.ts`,
    find: 'return !several || last <= barrierSequence;',
    replace: 'return !several || last <= Math.max(last, barrierSequence);',
    why: 'a pipeline of GETs may see writes that are newer than its barrier',
    budgetSeeds: 20,
    config: READ_PIPELINES,
  },
  {
    name: 'flush_overtakes_log',
    accordItem: 'log: the engine knows what the log may lose',
    file: `${CORE}local/command-store.ts`,
    find: 'if (this.#log.hasRecords || !this.#syncAsked) return;',
    replace: 'if (!this.#syncAsked) return;',
    why: 'the engine may be flushed before the records of what it holds are on their way to the log',
    budgetSeeds: 60,
    config: ONE_TURN_AT_THE_LOG,
  },
  {
    name: 'tell_refusal_ignored',
    accordItem: 'actors: a message that a full mailbox refuses',
    file: 'actors/store/replica-actor.ts',
    find: 'return this.#executor.send(effect);',
    replace: 'return tellOrDrop(this.#options.executor, effect);',
    why: 'an execution that the executor has no room for is lost, and those behind it follow',
    budgetSeeds: 60,
    config: FULL_MAILBOXES,
  },
  {
    name: 'expiry_by_local_clock',
    accordItem: 'storage: expiry judged by the local clock',
    file: 'actors/store/running-executor.ts',
    find: '    const { executeAt, participants, body, reads, isRepeated } = execution;\n',
    replace:
      '    StateMachine.localMs = this.#options.nowMs();\n' +
      '    const { executeAt, participants, body, reads, isRepeated } = execution;\n',
    also: [
      {
        file: 'actors/store/running-executor.ts',
        find: 'import type { StateMachine } from',
        replace: 'import { StateMachine } from',
      },
      {
        file: 'storage/state-machine.ts',
        find: '  #appliedSequence: number;\n',
        replace: '  static localMs = 0;\n  #appliedSequence: number;\n',
      },
      {
        file: 'storage/state-machine.ts',
        find: 'nowMs: Math.floor(hlc / 1000),\n      partlyStored',
        replace: 'nowMs: Math.floor(StateMachine.localMs),\n      partlyStored',
      },
    ],
    why: 'replicas disagree about which keys are past their deadline',
    budgetSeeds: 20,
    config: NODES,
  },
  // ---- planted to see ---------------------------------------------------------------------
  {
    name: 'recover_votes',
    accordItem: '§7',
    file: `${CORE}local/replica.ts`,
    find: 'state.witness(command, command.definition, false)',
    replace: 'state.witness(command, command.definition, true)',
    why: 'a recovery may vote for t0',
    budgetSeeds: 4_000,
    config: STORM,
  },
  {
    name: 'nowait_unstable',
    accordItem: '§7',
    file: `${CORE}local/recovery-evidence.ts`,
    find: '    } else if (!witnessed) {',
    replace:
      '    } else if (witnessed) {\n      if (earlier) evidence.noWait.push(other.id);\n    } else {',
    why: 'deps that are not stable count as having witnessed',
    budgetSeeds: 4_000,
    config: STORM,
    mayLive: true,
  },
  {
    name: 'missing_store_accepted',
    accordItem: 'start: a store that is missing',
    file: 'actors/log/lineage.ts',
    find: '    if (storeId === null) return;',
    replace: '    if (storeId === null || found === undefined) return;',
    also: [
      {
        file: 'actors/log/lineage.ts',
        find: '    if (sequence >= storeSequence) return',
        replace: '    if (sequence === 0 || sequence >= storeSequence) return',
      },
    ],
    why: 'a removed store is taken for an empty one',
    budgetSeeds: 120,
    config: REMOVALS,
  },
  {
    name: 'missing_log_accepted',
    accordItem: 'start: a log that is missing',
    file: 'actors/log/lineage.ts',
    find: '    if (logId === null) return;',
    replace: '    if (logId === null || found === undefined) return;',
    also: [
      {
        file: 'actors/log/lineage.ts',
        find: '    if (foundLsn >= durableLsn) return;',
        replace: '    if (foundLsn === 0 || foundLsn >= durableLsn) return;',
      },
    ],
    why: 'a removed log is taken for an empty one',
    budgetSeeds: 120,
    config: REMOVALS,
  },
  {
    name: 'calc_no_fence',
    accordItem: '§7 (one shard: recovery commits t0 without an Accept round)',
    file: `${CORE}coordinate/coordinator.ts`,
    find: '        return this.#accept(round, conclusion.executeAt);',
    replace:
      "        round.executeAt = conclusion.executeAt;\n        return this.#enter(round, 'Commit');",
    why: 'deps are read without a rejectBefore that holds back later votes',
    budgetSeeds: 600,
    config: STORM,
  },
  {
    name: 'skip_restabilise',
    accordItem: '§7',
    file: `${CORE}coordinate/coordinator.ts`,
    find: "        return this.#enter(round, 'Commit');",
    replace: "        return this.#stabilised(round, conclusion.executeAt, 'recovered');",
    why: 'a committed value that was found at one replica is called stable',
    budgetSeeds: 600,
    config: STORM,
  },
  {
    name: 'local_ok',
    accordItem: '§7',
    file: `${CORE}coordinate/recovery.ts`,
    find: 'deps: unite(replies, (reply) => reply.local)',
    replace: 'deps: unite(replies.slice(0, 1), (reply) => reply.local)',
    why: 'proposes t0 with the deps of one replier',
    budgetSeeds: 1,
    config: story('13-deps-of-all-that-answer'),
  },
  {
    name: 'two_values_at_one_ballot',
    accordItem: 'messages: judged before they are believed',
    file: `${CORE}local/replica.ts`,
    find: 'if (!isProposed || !equal(accepted, ballot)) return false;',
    replace: 'return false;',
    why: 'a peer that proposes two values at one ballot ends a node',
    budgetSeeds: 1,
    config: { type: 'unit', file: 'test/actors/accord/local/replica.test.ts' },
  },
  // ---- whole nodes ------------------------------------------------------------------------
  ...NODE_MUTANTS,
  ...DATABASE_MUTANTS,
  ...LEASE_MUTANTS,
  ...NODE_LIFE_MUTANTS,
  ...FORWARDING_MUTANTS,
  ...SPANNING_MUTANTS,
  ...SPLIT_MUTANTS,
  ...MOVE_MUTANTS,
  ...ABSENCE_MUTANTS,
  ...META_GROUP_MUTANTS,
  ...HEALING_MUTANTS,
];
