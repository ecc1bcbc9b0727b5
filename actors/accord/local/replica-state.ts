/**
 * Everything one replica knows, and the few operations that all of its handlers share. Pure: time
 * comes in as `nowMs`, everything else goes out as effects.
 */

import { LoggedCommands } from '../durability/logged-commands.ts';
import type { AccordMessage, CommandDefinition } from '../messages/messages.ts';
import { population } from '../primitives/bit-set.ts';
import { type Deps, depsOf, union } from '../primitives/deps.ts';
import type { HybridClock } from '../primitives/hybrid-clock.ts';
import {
  decodeParticipants,
  encodeParticipants,
  type Participants,
} from '../primitives/participants.ts';
import { isDecided, isTerminal, STATUS_NAMES, Status } from '../primitives/status.ts';
import {
  compare,
  equal,
  isSpanning,
  keyOf,
  max,
  type Timestamp,
  type TxnId,
  ZERO,
} from '../primitives/timestamp.ts';
import type { Group, GroupDescriptor } from '../topology/group.ts';
import { isMetaGroup } from '../topology/group-id.ts';
import { Command, type Definition, type Waiter } from './command.ts';
import { CommandOrder } from './command-order.ts';
import { ConflictIndex } from './conflict-index.ts';
import type { Effect } from './effects.ts';
import { Invariants } from './invariants.ts';
import type { GroupEnd, GroupJoin, Mark, Transition } from './journal.ts';
import type { CommandView, ReplicaSizes, ReplicaView } from './replica-view.ts';

export interface ReplicaLimits {
  /**
   * A transaction whose coordinator is elsewhere is looked after when it is undecided this long.
   */
  readonly progressDelayMs: number;
  /** The same for a transaction of this node. */
  readonly ownProgressDelayMs: number;
  /** Upper bound of the backoff between two looks. */
  readonly progressDelayMsMax: number;
  /** Transactions named in one answer to a read barrier; the reader asks on for the rest. */
  readonly barrierIdsMax: number;
  /** Transactions that one read barrier waits for; beyond it the reader must catch up first. */
  readonly barrierWaitsMax: number;
  /** Barriers under way at once; beyond it the oldest is given up (its reads time out). */
  readonly barriersMax: number;
  /** Pause before a member that has not answered a barrier is asked again. */
  readonly barrierResendMs: number;
  /** A barrier that no quorum has answered by then is given up. */
  readonly barrierMsMax: number;
  /** Ids of one settled list, one hint, one answer to a fence. */
  readonly listIdsMax: number;
  /** Bytes of bodies sent in answer to one fetch. */
  readonly fetchBytesMax: number;
  /**
   * Memory for records of transactions, about. Beyond it, a transaction that a peer begins is
   * dropped; beyond as much for each member, any message that speaks of an unknown one. Records
   * that settle what is known are still made.
   */
  readonly heldBytesMax: number;
  /** How far a durability round stays behind the clock, so that it rejects nothing in progress. */
  readonly durabilityLagMs: number;
  /** Pause between two durability rounds. */
  readonly durabilityEveryMs: number;
  /** A member leads rounds too when nothing was forgotten for this long, times its rank. */
  readonly standInMs: number;
  /** Pause between two hints that repeat the mark, while any member has something to forget. */
  readonly hintEveryMs: number;
  /** Pause before what a hint has named and is missing here is fetched again. */
  readonly hintFetchEveryMs: number;
}

const REPLICA_LIMITS: ReplicaLimits = Object.freeze({
  progressDelayMs: 400,
  ownProgressDelayMs: 2_000,
  progressDelayMsMax: 4_000,
  barrierIdsMax: 4_096,
  barrierWaitsMax: 16_384,
  barriersMax: 64,
  barrierResendMs: 100,
  barrierMsMax: 10_000,
  listIdsMax: 4_096,
  fetchBytesMax: 4 * 2 ** 20,
  heldBytesMax: 2 ** 30,
  durabilityLagMs: 1_000,
  durabilityEveryMs: 500,
  standInMs: 5_000,
  hintEveryMs: 2_000,
  hintFetchEveryMs: 100,
});

type TracedEvent = Extract<Effect, { readonly type: 'Trace' }>['event'];

/** The approximate cost of a record beside its body. */
const COMMAND_BYTES = 1_024;

export class ReplicaState implements ReplicaView {
  readonly self: number;
  readonly group: Group;
  readonly clock: HybridClock;
  readonly limits: ReplicaLimits;
  /** Uniform in [0, 1): jitter of the progress log, nothing else. */
  readonly random: () => number;

  readonly commands = new Map<string, Command>();
  readonly index: ConflictIndex;
  readonly invariants = new Invariants();
  /** All commands by t0: settlement works on ranges of time. */
  readonly order = new CommandOrder();
  /** Those of them whose records are durable, by LSN. */
  readonly logged = new LoggedCommands(this.commands);
  /** Not yet applied, not invalidated. */
  readonly unapplied = new Set<Command>();
  /** Applied, over several groups, and not known to be durable in all of them. */
  readonly undurable = new Set<Command>();
  /** By member: defined here, not known to be settled there. A read of that node must see them. */
  readonly unappliedBy = new Map<number, CommandOrder>();
  /** By member: the last `redundantBefore` that it told. */
  readonly peerRedundantBefore = new Map<number, Timestamp>();
  /** Members whose links are down. */
  readonly down = new Set<number>();
  /** Settled here since the last hint. */
  appliedNow: TxnId[] = [];

  /** No unknown transaction below this is witnessed any more. */
  rejectBefore: Timestamp = ZERO;
  /** Everything below this that ever executes is applied here. */
  redundantBefore: Timestamp = ZERO;
  /** Everything below this is applied everywhere and forgotten here. */
  durableBefore: Timestamp = ZERO;
  /** Since its Close was executed here. */
  ended: GroupEnd | undefined;
  /** How this node came to be a member, where it was none of the group before. */
  readonly joined: GroupJoin | undefined;
  /** The group forgets without the member, which gets the data of a later one. */
  readonly isPassedOver: (node: number) => boolean;
  sequence = 0;
  /** Executions up to this sequence are in the store's engine, durable. */
  flushedSequence = 0;
  /** Memory that definitions hold, about; it grows while a member is away. */
  retainedBytes = 0;
  nowMs = 0;
  effects: Effect[] = [];

  constructor(options: {
    readonly self: number;
    readonly group: Group;
    readonly clock: HybridClock;
    readonly random: () => number;
    readonly limits?: Partial<ReplicaLimits>;
    /** Of a successor: all that it orders is above. */
    readonly floor?: Timestamp | undefined;
    readonly joined?: GroupJoin | undefined;
    readonly isPassedOver?: ((node: number) => boolean) | undefined;
  }) {
    this.self = options.self;
    this.group = options.group;
    this.clock = options.clock;
    this.random = options.random;
    this.limits = { ...REPLICA_LIMITS, ...options.limits };
    this.joined = options.joined;
    this.isPassedOver = options.isPassedOver ?? (() => false);
    const { floor = ZERO } = options;
    this.rejectBefore = floor;
    this.redundantBefore = floor;
    this.durableBefore = floor;
    const { fromConflictSlot, toConflictSlot } = this.group;
    this.index = new ConflictIndex(fromConflictSlot, toConflictSlot);
    for (const node of this.group.members) {
      if (node === this.self) continue;
      this.unappliedBy.set(node, new CommandOrder());
      this.peerRedundantBefore.set(node, ZERO);
    }
  }

  get clockUs(): number {
    return this.clock.lastUs;
  }

  get sizes(): ReplicaSizes {
    return {
      commands: this.commands.size,
      unapplied: this.unapplied.size,
      indexed: this.index.size,
      ordered: this.order.size,
    };
  }

  maxConflict(participants: Participants): Timestamp {
    return this.index.maxConflict(participants);
  }

  get peers(): IterableIterator<number> {
    return this.peerRedundantBefore.keys();
  }

  send(to: number, message: AccordMessage): void {
    this.effects.push({ type: 'Send', to, message });
  }

  reply(to: number, message: AccordMessage): void {
    this.effects.push({ type: 'Reply', to, message });
  }

  persist(record: Mark, urgent: boolean): void {
    this.invariants.mark(record);
    this.effects.push({ type: 'Persist', record, urgent });
  }

  /** The Close is executed: what is ordered behind it has no effect here. */
  end(close: TxnId, executeAt: Timestamp, successors: readonly GroupDescriptor[]): void {
    this.ended = { type: 'Ended', close, executeAt, successors };
    this.#persistEnd();
    this.effects.push({ type: 'Ended', executeAt, successors });
  }

  /** The log must always hold that it has begun here, and ended. */
  persistLife(): void {
    if (this.joined !== undefined) {
      this.effects.push({ type: 'Persist', record: this.joined, urgent: false });
    }
    this.#persistEnd();
  }

  #persistEnd(): void {
    if (this.ended === undefined) return;
    this.invariants.end();
    this.effects.push({ type: 'Persist', record: this.ended, urgent: false });
  }

  /** Logs what the command has become. */
  transition(command: Command, record: Transition, urgent: boolean): void {
    this.invariants.transition(command, record);
    this.effects.push({ type: 'Persist', record, urgent });
  }

  trace(event: TracedEvent, id?: TxnId, on?: TxnId): void {
    this.effects.push({ type: 'Trace', event, id, on });
  }

  /** A message denies what is known here: tells with both values, and changes nothing. */
  contradict(from: number, type: AccordMessage['type'], command: Command, what: string): void {
    const { key, status, executeAt } = command;
    const time = executeAt === undefined ? '' : ` for ${keyOf(executeAt)}`;
    const reason = `safety: transaction ${key} is ${STATUS_NAMES[status]}${time} here, but ${what}`;
    this.effects.push({ type: 'Contradicted', from, message: type, reason });
  }

  find(id: TxnId): Command | undefined {
    return this.commands.get(keyOf(id));
  }

  /** Settled everywhere that matters and perhaps forgotten: nothing may be begun for it here. */
  isRedundant(id: TxnId): boolean {
    return compare(id, this.redundantBefore) < 0;
  }

  /** Memory that all records hold, about. */
  get heldBytes(): number {
    return this.retainedBytes + COMMAND_BYTES * this.commands.size;
  }

  /**
   * The record of a transaction that a message speaks of; undefined when there is no room. One that
   * a peer has not `begun` just now is among what some peer holds, and each holds no more than its
   * own room: with room for all of that, whatever is under way can be finished.
   */
  admit(from: number, id: TxnId, begun: boolean): Command | undefined {
    const known = this.find(id);
    if (known !== undefined) return known;
    // Changes of the topology are the way out where too much is kept for the sake of one member.
    const isUsual = begun && !isMetaGroup(this.group.id);
    const rooms = isUsual ? 1 : this.group.members.length;
    if (from !== this.self && this.heldBytes >= rooms * this.limits.heldBytesMax) {
      this.trace('no room', id);
      return undefined;
    }
    return this.open(id);
  }

  /** The record of a transaction, made when it is not there yet. */
  open(id: TxnId): Command {
    const key = keyOf(id);
    const known = this.commands.get(key);
    if (known !== undefined) return known;
    const command = new Command(id, key);
    this.commands.set(key, command);
    this.unapplied.add(command);
    this.order.add(command);
    this.#scheduleCheck(command);
    return command;
  }

  /** Ranks spread the replicas, so that rarely two of them recover the same transaction. */
  #scheduleCheck(command: Command): void {
    const { members } = this.group;
    const own = command.id.node === this.self;
    const delay = own ? this.limits.ownProgressDelayMs : this.limits.progressDelayMs;
    const turn = (index: number): number => index + members.length;
    // The coordinator of several groups need not be a member of this one.
    const first = Math.max(0, members.indexOf(command.id.node));
    const rank = (turn(members.indexOf(this.self)) - first) % members.length;
    command.checkAtMs = this.nowMs + delay * (1 + 0.3 * rank + 0.2 * this.random());
  }

  /** Learns what the transaction is; logs it. */
  define(command: Command, definition: Definition): void {
    if (command.definition !== undefined) return;
    this.attach(command, definition);
    const { participants, body } = definition;
    this.transition(command, { type: 'Defined', id: command.id, participants, body }, false);
    this.index.add(command);
    this.awaitSettled(command);
  }

  /** Reads of members that have not told that they have settled it must hear of it. */
  awaitSettled(command: Command): void {
    for (const [peer, commands] of this.unappliedBy) {
      if ((command.appliedBy & this.group.bit(peer)) === 0) commands.add(command);
    }
  }

  /** Gives a record its definition, without logging it. */
  attach(command: Command, definition: Definition): void {
    command.definition = definition;
    this.retainedBytes += COMMAND_BYTES + definition.body.length;
  }

  /** Gives it what it has read in all its groups, without logging it. */
  keepReads(command: Command, reads: Uint8Array): void {
    command.reads = reads;
    this.retainedBytes += reads.length;
  }

  /** A vote for the time of execution (accord.md §2.2). */
  witness(command: Command, definition: Definition, fast: boolean): Timestamp {
    const { id } = command;
    const highest = this.index.maxConflict(definition.participants);
    if (fast && compare(id, highest) > 0) return id;
    const above = max(highest, id);
    // A recovery takes every transaction as it is, but its time must not become ours. Such a vote
    // only holds back others; it never becomes an executeAt.
    if (!fast && this.clock.isTooFar(above)) {
      const { store } = this.clock;
      return { hlc: above.hlc + 1, flags: id.flags, node: this.self, store };
    }
    return this.clock.uniqueNow(above, id.flags);
  }

  calcDeps(command: Command, bound: Timestamp): Deps {
    if (command.definition === undefined) return depsOf([]);
    const deps = this.index.conflictsBelow(command, command.definition.participants, bound);
    const { ended } = this;
    // Also when it is forgotten here: a member that is not waited for must not pass over it.
    if (ended === undefined) return deps;
    if (compare(ended.close, bound) >= 0 || equal(command.id, ended.close)) return deps;
    return union(deps, depsOf([ended.close]));
  }

  /**
   * Ids of the records with t0 in [from, before), ascending, as many as fit one list; `end`: these
   * are all below it.
   */
  idsBetween(
    from: Timestamp,
    before: Timestamp,
    keep: (command: Command) => boolean,
  ): { readonly ids: TxnId[]; readonly end: Timestamp } {
    const ids: TxnId[] = [];
    for (const command of this.order.from(from)) {
      if (compare(command.id, before) >= 0) break;
      if (!keep(command)) continue;
      if (ids.length === this.limits.listIdsMax) return { ids, end: command.id };
      ids.push(command.id);
    }
    return { ids, end: before };
  }

  /** Bookkeeping of a transaction that has become Applied or Invalidated here. */
  settled(command: Command): void {
    this.unapplied.delete(command);
    command.settledAtMs = this.nowMs;
    command.appliedBy |= this.group.bit(this.self);
    this.appliedNow.push(command.id);
    this.awaitDurable(command);
    this.pruneApplied([command]);
  }

  /** Other groups may need what it has read here until a quorum of each of them has that. */
  awaitDurable(command: Command): void {
    if (command.status !== Status.Applied || !isSpanning(command.id) || command.durable) return;
    this.undurable.add(command);
    this.#scheduleCheck(command);
  }

  /** A quorum of each of its groups has it PreApplied. */
  becameDurable(command: Command): void {
    command.durable = true;
    this.undurable.delete(command);
  }

  appliedByMajority = (command: Command): boolean =>
    command.status === Status.Applied && population(command.appliedBy) >= this.group.quorums.slow;

  /** The latest first: it covers those before it on its slots, which then cost nothing more. */
  pruneApplied(commands: readonly Command[]): void {
    const covering = commands.filter(this.appliedByMajority);
    covering.sort((a, b) => compare(b.executeAt ?? ZERO, a.executeAt ?? ZERO));
    for (const command of covering) this.index.prune(command, this.appliedByMajority);
  }

  forget(command: Command): void {
    if (command.definition !== undefined) {
      this.retainedBytes -= COMMAND_BYTES + command.definition.body.length;
    }
    this.retainedBytes -= command.reads?.length ?? 0;
    this.undurable.delete(command);
    this.commands.delete(command.key);
    this.unapplied.delete(command);
    this.index.remove(command);
    this.order.delete(command);
    for (const commands of this.unappliedBy.values()) commands.delete(command);
  }

  /** Lets `waiter` wait for `command`, unless there is nothing to wait for. */
  waitFor(waiter: Waiter, command: Command): void {
    if (isTerminal(command.status)) return;
    if (waiter.executeAt !== undefined && executesLater(command, waiter.executeAt)) return;
    command.waiters.push(waiter);
    waiter.waitingOn += 1;
  }
}

/** Decided, and for a time after `time`: a transaction that executes at `time` need not wait. */
export function executesLater(command: CommandView, time: Timestamp): boolean {
  const decided = isDecided(command.status) && command.status !== Status.Applied;
  return decided && command.executeAt !== undefined && compare(command.executeAt, time) > 0;
}

/** Facts of a peer would bring it further here: deps, or what it has read in all groups. */
export function lacksFacts({ id, status }: CommandView): boolean {
  return status < (isSpanning(id) ? Status.PreApplied : Status.Stable);
}

export function definitionOf(message: Partial<CommandDefinition>): Definition | undefined {
  if (message.body === undefined || message.slots === undefined) return undefined;
  return { participants: decodeParticipants(message.slots), body: message.body };
}

export function definitionFields(
  definition: Definition | undefined,
): CommandDefinition | Record<string, never> {
  if (definition === undefined) return {};
  return { slots: encodeParticipants(definition.participants), body: definition.body };
}
