/**
 * One replica of a range group: votes, promises, accepted values and facts (accord.md §2.5). Every
 * handler checks, changes, logs, then answers, and is idempotent under loss, repetition and
 * reordering. Pure; its door is the `CommandStore`.
 */

import { DurabilityRounds } from '../durability/durability-rounds.ts';
import type {
  Accept,
  AcceptInvalidate,
  AccordMessage,
  Apply,
  BeginRead,
  BeginRecovery,
  Commit,
  CommitInvalidate,
  Coordinate,
  LookAfter,
  Nack,
  PreAccept,
  Read,
  Round,
  Stable,
  StatusReply,
} from '../messages/messages.ts';
import {
  type Deps,
  decodeDeps,
  encodeDeps,
  isSubset,
  NO_DEPS,
  without,
} from '../primitives/deps.ts';
import { decodeParticipants } from '../primitives/participants.ts';
import { isDecided, isStable, isTerminal, Status } from '../primitives/status.ts';
import {
  type Ballot,
  compare,
  equal,
  isClose,
  keyOf,
  max,
  rejected,
  type Timestamp,
  type TxnId,
  ZERO,
} from '../primitives/timestamp.ts';
import { decodeSuccessors } from '../topology/close-body.ts';
import type { Command, Definition } from './command.ts';
import type { Effect, Execution } from './effects.ts';
import { awaitDeps, makeInvalidated, makePreApplied, makeStable, readAt } from './execution.ts';
import type { GroupEnd, GroupJoin, JournalRecord, Transition } from './journal.ts';
import { ProgressLog } from './progress-log.ts';
import { ReadBarriers } from './read-barrier.ts';
import { gatherEvidence } from './recovery-evidence.ts';
import { definitionFields, definitionOf, ReplicaState } from './replica-state.ts';
import type { ReplicaView } from './replica-view.ts';

/** The messages to a replica: from peers, and from the coordinator of its own node. */
export type ReplicaMessage = AccordMessage | Coordinate | BeginRead | LookAfter;

export class Replica {
  readonly #state: ReplicaState;
  readonly #progress: ProgressLog;
  readonly #reads: ReadBarriers;
  readonly #durability: DurabilityRounds;
  #isVoid = false;

  constructor(options: ConstructorParameters<typeof ReplicaState>[0]) {
    this.#state = new ReplicaState(options);
    this.#progress = new ProgressLog(this.#state);
    this.#reads = new ReadBarriers(this.#state);
    this.#durability = new DurabilityRounds(this.#state);
  }

  /** The effects since the last call. */
  takeEffects(): Effect[] {
    const { effects } = this.#state;
    this.#state.effects = [];
    return effects;
  }

  /** The effects not taken yet. */
  get effects(): readonly Effect[] {
    return this.#state.effects;
  }

  /** The state, for observers. */
  get view(): ReplicaView {
    return this.#state;
  }

  peerUp(peer: number): void {
    this.#durability.peerUp(peer);
  }

  peerDown(peer: number, nowMs: number): void {
    this.#progress.peerDown(peer, nowMs);
    this.#durability.peerDown(peer);
  }

  /** The engine holds, durably, what was executed up to this sequence. */
  flushed(sequence: number): void {
    if (!this.#isVoid) this.#state.flushedSequence = sequence;
  }

  /** Its executions are void: the engine need not hold them. */
  voided(): void {
    this.#isVoid = true;
    this.#state.flushedSequence = this.#state.sequence;
  }

  /** A turn is durable in which a record of this transaction was logged, from this LSN on. */
  logged(id: TxnId, firstLsn: number): void {
    const command = this.#state.find(id);
    if (command !== undefined) this.#state.logged.add(command, firstLsn);
  }

  /**
   * `logLags`: so much waits for the disk that answers come late everywhere. A recovery would only
   * add records to that, and its rivals' ballots would end it before its answers leave.
   */
  tick(nowMs: number, logLags = false): void {
    this.#state.nowMs = nowMs;
    if (!logLags) this.#progress.tick();
    this.#reads.tick();
    this.#durability.tick();
  }

  /**
   * When `tick` has something to do next, as long as nothing else is told to this replica; infinite
   * for an idle one. While anything is undecided it is the next tick.
   */
  get dueMs(): number {
    const { unapplied, undurable } = this.#state;
    if (unapplied.size + undurable.size > 0 || this.#reads.open > 0) return 0;
    return this.#durability.dueMs;
  }

  /** The oldest record that this replica needs, but for its marks. */
  get oldestLsn(): number {
    return this.#durability.oldestLsn();
  }

  /** Members for whose sake this replica keeps what it holds. */
  get laggards(): readonly number[] {
    return this.#durability.laggards();
  }

  /** Its marks hold back the log: writes them once more. */
  repeatMarks(): void {
    this.#durability.repeatMarks();
  }

  handle(from: number, message: ReplicaMessage, nowMs: number): void {
    this.#state.nowMs = nowMs;
    switch (message.type) {
      case 'Coordinate':
        return this.#coordinate(message);
      case 'PreAccept':
        return this.#preAccept(from, message);
      case 'Accept':
        return this.#accept(from, message);
      case 'AcceptInvalidate':
        return this.#acceptInvalidate(from, message);
      case 'Commit':
        return this.#commit(from, message);
      case 'Stable':
        return this.#stable(from, message);
      case 'Read':
        return this.#read(from, message);
      case 'Apply':
        return this.#apply(from, message);
      case 'InformDurable': {
        const command = this.#state.find(message.id);
        if (command !== undefined && isStable(command.status)) {
          this.#state.becameDurable(command);
        }
        return;
      }
      case 'CommitInvalidate':
        return this.#commitInvalidate(from, message);
      case 'BeginRecovery':
        return this.#beginRecovery(from, message);
      case 'CheckStatus':
        return this.#state.reply(from, this.#statusOf(message.id));
      case 'StatusReply':
        return this.#learn(from, message);
      case 'BeginRead':
        return this.#reads.begin(message.token, decodeParticipants(message.slots));
      case 'ReadBarrier':
        return this.#reads.answer(from, message);
      case 'ReadBarrierOk':
        return this.#reads.answered(from, message);
      case 'LookAfter':
        return this.#progress.lookAfterSoon(decodeDeps(message.ids));
      case 'Fetch':
        return this.#fetch(from, decodeDeps(message.ids));
      case 'AppliedHint':
      case 'RejectBefore':
      case 'RejectBeforeOk':
      case 'AppliedList':
      case 'CatchUp':
        return this.#durability.handle(from, message);
      default:
        throw new TypeError(`replica: ${message.type} is not for a replica`);
    }
  }

  /** A fresh transaction of this node: vote, and tell the others with our deps beside it. */
  #coordinate(message: Coordinate): void {
    const state = this.#state;
    const { id, slots, body } = message;
    const repeated = state.find(id) !== undefined;
    const command = this.#vote(state.self, id, definitionOf(message));
    if (command?.executeAt === undefined) return;
    const deps = encodeDeps(state.calcDeps(command, id));
    if (!repeated) {
      // Only once: "same" answers must stand for the deps of the first reply, which counts. The
      // coordinator itself asks again those that have not answered.
      for (const to of state.peers) state.send(to, { type: 'PreAccept', id, slots, deps, body });
    }
    state.reply(state.self, { type: 'PreAcceptOk', id, vote: command.executeAt, deps });
  }

  #preAccept(from: number, message: PreAccept): void {
    const state = this.#state;
    const { id } = message;
    const command = this.#vote(from, id, definitionOf(message));
    if (command?.executeAt === undefined) return;
    const deps = state.calcDeps(command, id);
    const same = isSubset(deps, decodeDeps(message.deps));
    const answer = same ? null : encodeDeps(deps);
    state.reply(from, { type: 'PreAcceptOk', id, vote: command.executeAt, deps: answer });
  }

  /** The first vote stays, however often it is asked for. A promise ends the voting at ballot 0. */
  #vote(from: number, id: TxnId, definition: Definition | undefined): Command | undefined {
    const state = this.#state;
    if (definition !== undefined && this.#isSkewed(id, definition)) {
      this.#nack(from, id, 'PreAccept', ZERO, 'skewed', ZERO);
      return undefined;
    }
    const command = this.#acceptable(from, 'PreAccept', id, ZERO, true);
    if (command === undefined || command.status === Status.PreAccepted) return command;
    if (command.status > Status.PreAccepted) {
      this.#nack(from, id, 'PreAccept', ZERO, 'decided', command.promised);
      return undefined;
    }
    if (definition === undefined) return undefined;
    state.define(command, definition);
    const early = compare(id, state.rejectBefore) < 0;
    if (early) {
      command.executeAt = rejected(state.clock.uniqueNow(id, id.flags));
    } else {
      state.clock.observe(id);
      command.executeAt = state.witness(command, definition, true);
    }
    this.#preAccepted(command, definition);
    return command;
  }

  /** No vote can be given that is not too far ahead. The first vote stays, whatever it was. */
  #isSkewed(id: TxnId, definition: Definition): boolean {
    const state = this.#state;
    const status = state.find(id)?.status ?? Status.NotDefined;
    if (status !== Status.NotDefined || compare(id, state.rejectBefore) < 0) return false;
    const highest = state.index.maxConflict(definition.participants);
    return state.clock.isTooFar(max(id, highest));
  }

  #preAccepted(command: Command, definition: Definition): void {
    const vote = command.executeAt ?? command.id;
    command.status = Status.PreAccepted;
    command.votedFast = equal(vote, command.id);
    this.#state.index.bump(definition.participants, vote);
    const { id, votedFast } = command;
    this.#state.transition(command, { type: 'PreAccepted', id, vote, votedFast }, true);
  }

  #accept(from: number, message: Accept): void {
    const state = this.#state;
    const { id, ballot, executeAt } = message;
    // The proposal of a recovery may have been decided before.
    if (equal(ballot, ZERO) && state.clock.isTooFar(executeAt)) {
      return this.#nack(from, id, 'Accept', ballot, 'skewed', ZERO);
    }
    const command = this.#acceptable(from, 'Accept', id, ballot, true);
    if (command === undefined || this.#breaksBallot(from, command, message)) return;
    const deps = this.#take(from, command, message, 'Accepted');
    if (deps === undefined) return;
    const fresh = without(state.calcDeps(command, executeAt), deps);
    state.reply(from, { type: 'AcceptOk', id, ballot, deps: encodeDeps(fresh) });
  }

  #acceptInvalidate(from: number, message: AcceptInvalidate): void {
    const { id, ballot } = message;
    const command = this.#acceptable(from, 'AcceptInvalidate', id, ballot, true);
    if (command === undefined || this.#breaksBallot(from, command, message)) return;
    command.promised = ballot;
    command.accepted = ballot;
    command.deps = undefined;
    command.status = Status.AcceptedInvalidate;
    this.#state.transition(command, { type: 'AcceptedInvalidate', id, ballot }, true);
    this.#state.reply(from, { type: 'AcceptInvalidateOk', id, ballot });
  }

  #commit(from: number, message: Commit): void {
    const state = this.#state;
    const { id, ballot } = message;
    const command = this.#acceptable(from, 'Commit', id, ballot, false);
    if (command === undefined) return;
    if (this.#denies(from, command, message)) return;
    if (this.#breaksBallot(from, command, message)) return;
    if (command.status >= Status.Stable) {
      return state.reply(from, { type: 'CommitOk', id, ballot });
    }
    if (command.status === Status.Committed && compare(command.accepted, ballot) > 0) {
      return this.#nack(from, id, 'Commit', ballot, 'promised', command.promised);
    }
    if (this.#take(from, command, message, 'Committed') === undefined) return;
    state.reply(from, { type: 'CommitOk', id, ballot });
  }

  /** The deps of a value taken at its ballot; undefined when the definition must come first. */
  #take(
    from: number,
    command: Command,
    message: Accept | Commit,
    status: 'Accepted' | 'Committed',
  ): Deps | undefined {
    const state = this.#state;
    const { type, id, ballot, executeAt } = message;
    const definition = command.definition ?? definitionOf(message);
    if (definition === undefined) {
      this.#nack(from, id, type, ballot, 'insufficient', command.promised);
      return undefined;
    }
    state.define(command, definition);
    if (status === 'Committed') state.clock.observe(executeAt);
    else state.clock.heed(executeAt);
    const deps = decodeDeps(message.deps);
    command.promised = ballot;
    command.accepted = ballot;
    command.executeAt = executeAt;
    command.deps = deps;
    command.status = Status[status];
    state.index.bump(definition.participants, executeAt);
    state.transition(command, { type: status, id, ballot, executeAt, deps }, true);
    return deps;
  }

  /** The record when a value may be taken at this ballot; else the refusal is on its way. */
  #acceptable(
    from: number,
    round: Round,
    id: TxnId,
    ballot: Ballot,
    undecided: boolean,
  ): Command | undefined {
    const state = this.#state;
    const known = state.find(id);
    if (known === undefined && state.isRedundant(id)) {
      this.#nack(from, id, round, ballot, 'truncated', ZERO);
      return undefined;
    }
    const command = known ?? state.admit(from, id, round === 'PreAccept');
    if (command === undefined) return undefined;
    if (undecided && command.status >= Status.Committed) {
      this.#nack(from, id, round, ballot, 'decided', command.promised);
      return undefined;
    }
    if (compare(command.promised, ballot) > 0) {
      this.#nack(from, id, round, ballot, 'promised', command.promised);
      return undefined;
    }
    return command;
  }

  /** A ballot has one owner, who proposes one value at it; another was taken here. */
  #breaksBallot(
    from: number,
    command: Command,
    message: Accept | AcceptInvalidate | Commit,
  ): boolean {
    const { status, accepted, executeAt } = command;
    const { type, ballot } = message;
    const isProposed = status === Status.Accepted || status === Status.AcceptedInvalidate;
    if (!isProposed || !equal(accepted, ballot)) return false;
    const proposed = status === Status.Accepted ? executeAt : undefined;
    const value = message.type === 'AcceptInvalidate' ? undefined : message.executeAt;
    const isSame = value === undefined ? proposed === value : proposed && equal(proposed, value);
    if (isSame === true) return false;
    this.#state.contradict(from, type, command, `ballot ${keyOf(ballot)} proposes something else`);
    return true;
  }

  /** The record that a fact is about: below the mark it was settled here, and forgotten. */
  #ofFact(from: number, id: TxnId): Command | undefined {
    const state = this.#state;
    return state.find(id) ?? (state.isRedundant(id) ? undefined : state.admit(from, id, false));
  }

  /** A fact: no ballot is looked at. */
  #stable(from: number, message: Stable): void {
    const state = this.#state;
    const { id, executeAt } = message;
    const command = this.#ofFact(from, id);
    if (command === undefined) return;
    if (this.#denies(from, command, message)) return;
    if (command.status >= Status.Stable) return;
    const definition = command.definition ?? definitionOf(message);
    if (definition === undefined) return state.send(from, { type: 'CheckStatus', id });
    state.define(command, definition);
    makeStable(state, command, executeAt, decodeDeps(message.deps));
  }

  /** Its coordinator wants what it reads here, once all that executes before it is applied. */
  #read(from: number, { id, ballot }: Read): void {
    const state = this.#state;
    const command = state.find(id);
    if (command === undefined && state.isRedundant(id)) {
      return this.#nack(from, id, 'Read', ballot, 'truncated', ZERO);
    }
    // It is repeated, and so is Stable.
    if (command === undefined || !isStable(command.status)) return;
    const { reads } = command;
    if (reads !== undefined) {
      return state.reply(from, { type: 'ReadOk', id, ballot, entries: null, reads });
    }
    const others = command.readers.filter(({ node }) => node !== from);
    command.readers = [...others, { node: from, ballot }];
    if (command.waitingOn === 0) readAt(state, command);
  }

  /** The executor has read for it. The data are what they are at executeAt: they claim nothing. */
  fetched(id: TxnId, entries: Uint8Array): void {
    const command = this.#state.find(id);
    if (command?.status !== Status.Stable) return;
    const { readers } = command;
    command.readers = [];
    for (const { node, ballot } of readers) {
      this.#state.send(node, { type: 'ReadOk', id, ballot, entries, reads: null });
    }
  }

  /** A fact, like Stable: no ballot is looked at. */
  #apply(from: number, message: Apply): void {
    const state = this.#state;
    const { id, ballot } = message;
    const command = this.#ofFact(from, id);
    if (command === undefined) {
      if (state.isRedundant(id)) state.reply(from, { type: 'ApplyOk', id, ballot });
      return;
    }
    if (command.definition === undefined && definitionOf(message) === undefined) {
      return this.#nack(from, id, 'Apply', ballot, 'insufficient', command.promised);
    }
    if (this.#takeReads(from, command, message)) state.reply(from, { type: 'ApplyOk', id, ballot });
  }

  /** `false`: it denies what is known here. */
  #takeReads(
    from: number,
    command: Command,
    message: Omit<Apply, 'type' | 'ballot'> & { readonly type: Apply['type'] | 'StatusReply' },
  ): boolean {
    const state = this.#state;
    if (this.#denies(from, command, message)) return false;
    if (command.status >= Status.PreApplied) return true;
    const definition = command.definition ?? definitionOf(message);
    if (definition === undefined) return false;
    state.define(command, definition);
    if (command.status < Status.Stable) {
      makeStable(state, command, message.executeAt, decodeDeps(message.deps));
    }
    makePreApplied(state, command, message.reads);
    return true;
  }

  /** The message says that it executes at a time, and something else is known here. */
  #denies(
    from: number,
    command: Command,
    { type, executeAt }: Pick<Commit, 'executeAt'> & { readonly type: AccordMessage['type'] },
  ): boolean {
    const { status } = command;
    const decided = isDecided(status);
    if (!decided && status !== Status.Invalidated) return false;
    if (decided && command.executeAt !== undefined && equal(command.executeAt, executeAt)) {
      return false;
    }
    this.#state.contradict(from, type, command, `it is decided for ${keyOf(executeAt)} elsewhere`);
    return true;
  }

  #commitInvalidate(from: number, message: CommitInvalidate): void {
    const state = this.#state;
    const command = this.#ofFact(from, message.id);
    if (command === undefined || command.status === Status.Invalidated) return;
    if (isDecided(command.status)) {
      return state.contradict(from, message.type, command, 'it is invalidated elsewhere');
    }
    makeInvalidated(state, command);
  }

  #beginRecovery(from: number, message: BeginRecovery): void {
    const state = this.#state;
    const { id, ballot } = message;
    const known = state.find(id);
    if (known === undefined && state.isRedundant(id)) {
      return this.#nack(from, id, 'BeginRecovery', ballot, 'truncated', ZERO);
    }
    // No recoverer could go above such a promise.
    if (state.clock.isTooFar(ballot)) {
      return this.#nack(from, id, 'BeginRecovery', ballot, 'skewed', ZERO);
    }
    const command = known ?? state.admit(from, id, false);
    if (command === undefined) return;
    if (compare(command.promised, ballot) > 0) {
      return this.#nack(from, id, 'BeginRecovery', ballot, 'promised', command.promised);
    }
    state.clock.observe(ballot);
    if (!equal(command.promised, ballot) && !isTerminal(command.status)) {
      command.promised = ballot;
      state.transition(command, { type: 'Promised', id, ballot }, true);
    }
    const definition = definitionOf(message);
    if (command.definition === undefined && definition !== undefined) {
      state.define(command, definition);
    }
    if (command.status === Status.NotDefined && command.definition !== undefined) {
      command.executeAt = state.witness(command, command.definition, false);
      this.#preAccepted(command, command.definition);
    }
    state.reply(from, gatherEvidence(state, command, ballot));
  }

  /** Only facts, and the definition: votes are never passed on from peer to peer. */
  #statusOf(id: TxnId): StatusReply {
    const command = this.#state.find(id);
    if (command === undefined) {
      const status = this.#state.isRedundant(id) ? Status.Truncated : Status.NotDefined;
      const nothing = { promised: ZERO, accepted: ZERO, executeAt: null, deps: null, reads: null };
      return { type: 'StatusReply', id, status, ...nothing };
    }
    const { status, promised, accepted } = command;
    const stable = isStable(status);
    return {
      type: 'StatusReply',
      id,
      status,
      promised,
      accepted,
      executeAt: (stable && command.executeAt) || null,
      deps: stable ? encodeDeps(command.deps ?? NO_DEPS) : null,
      reads: command.reads ?? null,
      ...definitionFields(command.definition),
    };
  }

  #learn(from: number, message: StatusReply): void {
    const state = this.#state;
    const { id, status, executeAt, deps, reads } = message;
    if (executeAt !== null && deps !== null && reads !== null) {
      const command = this.#ofFact(from, id);
      if (command !== undefined) {
        this.#takeReads(from, command, { ...message, executeAt, deps, reads });
      }
    } else if (executeAt !== null && deps !== null) {
      this.#stable(from, { ...message, type: 'Stable', executeAt, deps });
    } else if (status === Status.Invalidated) {
      this.#commitInvalidate(from, { type: 'CommitInvalidate', id });
    } else if (status === Status.Truncated) {
      const command = state.find(id);
      // Over several groups it is forgotten only when a quorum of each has it.
      if (command?.status === Status.Applied) state.becameDurable(command);
      this.#durability.catchUp(from);
    } else {
      const command = state.find(id);
      const definition = definitionOf(message);
      if (command === undefined) return;
      if (definition !== undefined) state.define(command, definition);
      this.#progress.heard(command, message);
    }
  }

  #fetch(from: number, ids: readonly TxnId[]): void {
    let bytes = 0;
    for (const id of ids) {
      const command = this.#state.find(id);
      if (command === undefined) continue;
      const status = this.#statusOf(id);
      for (const part of [status.body, status.deps, status.reads]) bytes += part?.length ?? 0;
      this.#state.reply(from, status);
      if (bytes > this.#state.limits.fetchBytesMax) return;
    }
  }

  #nack(
    to: number,
    id: TxnId,
    round: Round,
    ballot: Ballot,
    reason: Nack['reason'],
    promised: Ballot,
  ): void {
    this.#state.reply(to, { type: 'Nack', id, round, ballot, reason, promised });
  }

  /** Takes one log record at start; call `restored` after the last. */
  restore(record: JournalRecord, lsn: number): void {
    if ('before' in record) this.#durability.restore(record);
    else if (record.type === 'Ended') this.#state.ended = record;
    else if (record.type === 'Joined') return;
    else this.#restoreCommand(record, lsn);
  }

  #restoreCommand(record: Transition, lsn: number): void {
    const state = this.#state;
    const command = state.open(record.id);
    state.logged.add(command, lsn);
    switch (record.type) {
      case 'Defined':
        // A copy: the record lies inside a whole segment's buffer.
        if (command.definition !== undefined) return;
        state.attach(command, { participants: record.participants, body: record.body.slice() });
        return;
      case 'PreAccepted':
        command.status = Status.PreAccepted;
        command.executeAt = record.vote;
        this.#restoreTime(command, record.vote);
        command.votedFast = record.votedFast;
        return;
      case 'Promised':
        command.promised = record.ballot;
        return;
      case 'AcceptedInvalidate':
        command.promised = record.ballot;
        command.accepted = record.ballot;
        command.deps = undefined;
        command.status = Status.AcceptedInvalidate;
        return;
      case 'Accepted':
      case 'Committed':
        command.promised = record.ballot;
        command.accepted = record.ballot;
        command.executeAt = record.executeAt;
        this.#restoreTime(command, record.executeAt);
        command.deps = record.deps;
        command.status = Status[record.type];
        return;
      case 'Stable':
        command.status = Status.Stable;
        command.executeAt = record.executeAt;
        command.deps = record.deps;
        return;
      case 'PreApplied':
        command.status = Status.PreApplied;
        // A copy, like that of the definition.
        if (command.reads === undefined) state.keepReads(command, record.reads.slice());
        return;
      case 'Applied':
        command.status = Status.Applied;
        command.sequence = record.sequence;
        return;
      case 'Invalidated':
        command.status = Status.Invalidated;
        return;
    }
  }

  /** Votes and proposals count as conflicts for ever, also those that were replaced since. */
  #restoreTime({ definition }: Command, time: Timestamp): void {
    if (definition !== undefined) this.#state.index.bump(definition.participants, time);
  }

  /**
   * The log has been read. `flushedSequence` is what the store's engine holds; everything after it
   * is executed again, first in the order that was logged, then by the protocol. Undefined: it has
   * none of the data; where the group has ended they may be given up, and records of it be gone.
   */
  restored(flushedSequence: number | undefined, nowMs: number): void {
    const state = this.#state;
    state.nowMs = nowMs;
    state.flushedSequence = flushedSequence ?? 0;
    state.sequence = state.flushedSequence;
    state.index.raiseFloor(state.durableBefore);
    if (state.ended !== undefined) state.invariants.end();
    const stable: Command[] = [];
    for (const command of [...state.commands.values()]) {
      if (this.#durability.wasErased(command)) {
        state.forget(command);
        continue;
      }
      this.#rebuild(command);
      this.#endedBy(command);
      if (isStable(command.status) && !isTerminal(command.status)) stable.push(command);
    }
    // Where this member alone is a majority; elsewhere the answers of the others prune.
    state.pruneApplied([...state.commands.values()]);
    this.#durability.restored();
    state.invariants.begin(state);
    if (flushedSequence !== undefined || state.ended === undefined) {
      for (const execution of this.unflushed()) state.effects.push({ type: 'Execute', execution });
    }
    for (const command of stable) if (!isTerminal(command.status)) awaitDeps(state, command);
  }

  /** The log ended behind the Close: the end of the group follows from it. */
  #endedBy({ id, sequence, executeAt, definition }: Command): void {
    const state = this.#state;
    if (state.ended !== undefined || !isClose(id) || sequence === 0) return;
    if (executeAt === undefined || definition === undefined) return;
    state.end(id, executeAt, decodeSuccessors(definition.body));
  }

  /** The log must hold that this node has joined before anything else of the group. */
  begin(): void {
    this.#state.persistLife();
  }

  /** How this node came to be a member, if it was none of a group before. */
  get joined(): GroupJoin | undefined {
    return this.#state.joined;
  }

  /** The groups that follow this one, once it has ended. */
  get ended(): GroupEnd | undefined {
    return this.#state.ended;
  }

  /**
   * The place in the order up to which data go that hold all that was applied anywhere when they
   * were read, and whose last change is of that time; undefined: not known yet. Where all of the
   * group conflict. What is older is settled here by then, and what is newer is still known, or is
   * among what has changed nothing.
   */
  placeOf(lastChange: Timestamp): number | undefined {
    const { redundantBefore, commands, sequence } = this.#state;
    if (compare(redundantBefore, lastChange) <= 0) return undefined;
    const newer = new Set<number>();
    for (const command of commands.values()) {
      const { executeAt = ZERO, sequence: at } = command;
      if (compare(executeAt, lastChange) > 0) newer.add(at);
    }
    let place = sequence;
    while (place > 0 && newer.has(place)) place -= 1;
    return place;
  }

  /** Executions that the engine does not hold, in their order. */
  unflushed(): Execution[] {
    const { commands, flushedSequence } = this.#state;
    const executions: Execution[] = [];
    for (const { id, executeAt, definition, reads, sequence } of commands.values()) {
      if (sequence <= flushedSequence || executeAt === undefined || definition === undefined) {
        continue;
      }
      const { participants, body } = definition;
      executions.push({ id, executeAt, participants, body, reads, sequence, isRepeated: true });
    }
    return executions.sort((a, b) => a.sequence - b.sequence);
  }

  #rebuild(command: Command): void {
    const state = this.#state;
    const { definition, executeAt, status } = command;
    state.clock.heed(command.id);
    state.clock.heed(command.promised);
    state.sequence = Math.max(state.sequence, command.sequence);
    state.invariants.restored(command);
    if (executeAt !== undefined && isDecided(status)) state.clock.observe(executeAt);
    else if (executeAt !== undefined) state.clock.heed(executeAt);
    if (isTerminal(status)) {
      state.unapplied.delete(command);
      command.appliedBy = state.group.bit(state.self);
      state.awaitDurable(command);
    } else {
      // Its coordinator may have died with us: look after it soon.
      command.checkAtMs = state.nowMs + 100 * (1 + state.random());
    }
    if (definition === undefined || status === Status.Invalidated) return;
    state.index.add(command);
    state.index.bump(definition.participants, command.id);
    if (executeAt !== undefined) state.index.bump(definition.participants, executeAt);
    state.awaitSettled(command);
  }
}
