/**
 * The executor once its engine is open: runs transaction bodies against the state machines of its
 * groups, strictly
 * in the order in which the replica hands them over, and serves reads in between. Renders the
 * replies of this node's own clients. Flushes the state machine in the background, never ahead of
 * the log.
 */
import { Arguments } from '../../storage/arguments.ts';
import { settingsOfBody } from '../../storage/body-settings.ts';
import { type ClusterSettings, EVENTS_SETTING } from '../../storage/cluster-settings.ts';
import { commandFor } from '../../storage/commands/command-table.ts';
import { NO_REPLY, type ReplySink } from '../../storage/commands/reply.ts';
import type { Engine, GroupSlots } from '../../storage/engine.ts';
import { EngineError } from '../../storage/errors.ts';
import type { Footprint } from '../../storage/keyspace/footprint.ts';
import type { SideEffects } from '../../storage/keyspace/side-effects.ts';
import { firstSlotOf } from '../../storage/keyspace/slots.ts';
import type { TableHashKey } from '../../storage/keyspace/table-hash.ts';
import type { WaitId } from '../../storage/keyspace/waited-keys.ts';
import type { StateMachine } from '../../storage/state-machine.ts';
import { type Division, StateMachines, type StoreReport } from '../../storage/state-machines.ts';
import { isUnitHead } from '../../storage/transaction-body.ts';
import { ReplyWriter } from '../../transport/resp/codec/encoder.ts';
import type {
  Part,
  PartAnswer,
  PartReplies,
  ReplyFlow,
  StoreNews,
  UnitId,
} from '../../transport/resp/connection/part.ts';
import { PartRenderer } from '../../transport/resp/connection/part-renderer.ts';
import { AppliedSlots } from '../accord/local/applied-slots.ts';
import type { Execution } from '../accord/local/effects.ts';
import { participantsOf, WHOLE_STORE } from '../accord/primitives/participants.ts';
import {
  decodeReads,
  decodeSpanningBody,
  isMoved,
  type SpanningPart,
} from '../accord/primitives/spanning-body.ts';
import { isClose, keyOf } from '../accord/primitives/timestamp.ts';
import { decodeSuccessors } from '../accord/topology/close-body.ts';
import { fetchingIn, type Group, goesOnIn } from '../accord/topology/group.ts';
import {
  type GroupId,
  GroupMap,
  groupKey,
  isMetaGroup,
  isSameGroup,
} from '../accord/topology/group-id.ts';
import { TOPOLOGY_RULES } from '../meta/meta-rows.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import type { Outlet } from '../runtime/cells/outlet.ts';
import { ApplySlice } from './apply-slice.ts';
import { BIG_KEYS_LOOKED_MAX, BIG_KEYS_REST_MS, BigKeySearch } from './big-key-search.ts';
import { REFUSED } from './client-errors.ts';
import { EXPIRE_BYTES_MAX, EXPIRE_KEYS_MAX, OWN_CONNECTION } from './expiry.ts';
import { GroupData } from './group-data.ts';
import { HeldEvents } from './held-events.ts';
import { HeldReplies } from './held-replies.ts';
import { KeyListings, LISTINGS_MAX } from './key-listings.ts';
import { LogFirstEngine } from './log-first-engine.ts';
import {
  type CoordinatorActorMessage,
  type ExecutorMessage,
  failureOf,
  type OutsideRun,
  type ReplicaActorMessage,
} from './messages.ts';
import { ReadRuns } from './read-runs.ts';
import { type Reading, readingOf, rowsToRead } from './reading.ts';
import { SpanningWaits } from './spanning-waits.ts';
import { TxnTrace } from './txn-trace.ts';

export interface RunningOptions {
  /** Node id. */
  readonly self: number;
  /** The groups of this store. */
  readonly groups: readonly Group[];
  readonly cacheBytesMax: number;
  readonly dirtyBytesMax: number;
  readonly unitWriteBytesMax: number;
  readonly tableHashKey: TableHashKey;
  /**
   * With so many changed bytes that the engine does not hold yet, nothing more is applied, between
   * two units of one transaction too, until a flush is done.
   */
  readonly unflushedBytesMax: number;
  /** A flush begins after this long, however little has changed. */
  readonly flushEveryMs: number;
  /** With so many reply bytes, the reads at the end of a part are left to another one. */
  readonly replyBytesMax: number;
  /** Of the entries that a transaction over several groups reads in one; the same on every node. */
  readonly spanningReadBytesMax: number;
  /** Bytes that the replies of a part may keep in memory; a read beyond it answers an error. */
  readonly keptReplyBytesMax: number;
  /** Replies that wait for credit of their connections; `HELD_BYTES_MAX` by default. */
  readonly heldReplyBytesMax?: number | undefined;
  /** Keyspace events that wait for the log; `HELD_EVENTS_MAX` by default. */
  readonly heldEventsMax?: number | undefined;
  /** Keys that KEYS lists among other commands; the same on every node. */
  readonly keysInUnitMax?: number | undefined;
  /** KEYS that are listed at a time; `LISTINGS_MAX` by default. */
  readonly listingsMax?: number | undefined;
  /** Keys that may change ahead of a listing; `VIEW_CHANGES_MAX` by default. */
  readonly viewChangesMax?: number | undefined;
  /** Commands that are applied without a pause; see `ApplySlice`. */
  readonly sliceCommandsMax?: number | undefined;
  /** Elements that a long command goes through without a pause; `STEP_ELEMENTS_MAX` by default. */
  readonly stepElementsMax?: number | undefined;
  readonly replica: ActorRef<ReplicaActorMessage>;
  readonly coordinator: ActorRef<CoordinatorActorMessage>;
  /** The sender of the parts. It outlives this actor. */
  readonly clients: Outlet<StoreNews>;
  /**
   * The cluster's time, for the deadlines that ephemeral reads look at; `TIME_UNKNOWN_MS` before
   * the first clocks are compared. The last timestamp seen would not do: it may be long past.
   */
  readonly nowMs: () => number;
  /** The cluster's table as this actor begins. */
  readonly table: () => ClusterSettings;
  readonly observe: (report: StoreReport, heldReplyBytes: number) => void;
  /** For checks that run beside the store: a fresh incarnation. */
  readonly watch?: ((machines: StateMachines) => void) | undefined;
  /** A flush found no room, or room again. */
  readonly onDiskFull: (full: boolean) => void;
}

/** Replies that wait for credit of their connections. */
const HELD_BYTES_MAX = 512 * 1024 * 1024;
const NO_BYTES = new Uint8Array(0);
const NO_SLOTS: readonly number[] = [];
/** A flush waits for the log, or keyspace events do. */
const FLUSH_TOKEN = 0;
const EVENTS_TOKEN = 1;
/** How soon a flush that found no room is tried again. */
const DISK_FULL_RETRY_MS = 5_000;

type Execute = Extract<ExecutorMessage, { readonly type: 'Execute' }>;
type Read = Extract<ExecutorMessage, { readonly type: 'Read' }>;
type ReadAt = Extract<ExecutorMessage, { readonly type: 'ReadAt' }>;

type FlushDone = Extract<ExecutorMessage, { readonly type: 'FlushDone' }>;

/** The end of a group, on its way to the engine. */
interface PinnedDivision extends Division {
  /** A member of what follows needs the data as they are at the end. */
  readonly isPinned: boolean;
}

interface Member {
  readonly group: GroupId;
  readonly machine: StateMachine;
  readonly slots: AppliedSlots;
  /** Whether there are keys with a deadline, as the coordinator was told last. */
  hasDeadlines: boolean;
}

/** A transaction on its way through the state machine, unit by unit. */
interface Application {
  readonly member: Member;
  readonly execution: Execution;
  /** Its commands: the body, or what follows its head over several groups. */
  readonly commands: Uint8Array;
  /** Absent where no client of this node waits. */
  readonly parts: readonly Part[] | undefined;
  /** Another group has told a client that there is nothing: its keys here are to be noted. */
  readonly notes: boolean;
  /** Where in the body the next command begins, and the number of its unit. */
  at: number;
  unit: number;
  /** Some commands of the unit have run. */
  isWithinUnit: boolean;
  /** Some steps of a command have run. */
  isWithinCommand: boolean;
  /** Commands of the unit that have not run, where it has a part. */
  left: number;
  /** Takes the replies of the unit. */
  sink: ReplySink;
}

export class RunningExecutor implements Behavior<ExecutorMessage> {
  readonly #context: ActorContext<ExecutorMessage>;
  readonly #options: RunningOptions;
  readonly #replica: Outlet<ReplicaActorMessage>;
  readonly #coordinator: Outlet<CoordinatorActorMessage>;
  readonly #replyTooLong: string;
  readonly #generation: number;
  readonly #engine: Engine;
  readonly #machines: StateMachines;
  readonly #members = new GroupMap<Member>();
  /** Clients of this node keep what they read. */
  #tracksWrites = true;
  readonly #args = new Arguments();
  readonly #noteArgs = new Arguments();
  /** Those of the part that is applied, perhaps over several turns. */
  readonly #writer = new ReplyWriter(2);
  readonly #renderer = new PartRenderer(this.#writer);
  /** Those of listings. */
  readonly #listRenderer = new PartRenderer(new ReplyWriter(2));
  readonly #reads: ReadRuns;
  readonly #trace: TxnTrace;
  readonly #held: HeldReplies;
  readonly #events: HeldEvents;
  readonly #listings: KeyListings;
  readonly #bigKeys: BigKeySearch;
  /** A write of the part that runs has answered more than may be kept. */
  #isLost = false;
  readonly #expected = new Map<string, readonly Part[]>();
  readonly #expectedReads = new Map<number, readonly Part[]>();
  /** By token, reads whose rows are on their way; those that could run meanwhile wait for them. */
  readonly #rowsAhead = new Map<number, Reading | undefined>();
  readonly #spanningWaits = new SpanningWaits();
  /** Executions and reads in the replica's order that wait for a flush. */
  #handed: (Execute | ReadAt | Reading)[] = [];
  /** Of those, the ends of groups. */
  #ends = 0;
  /** The transaction that waits: for a flush between two of its units, or for the next slice. */
  #halfDone: Application | undefined;
  /** Slots of the executions that wait in `#handed`; unknown until a read asks. */
  #waitingSlots: Set<number> | 'all' | undefined;
  readonly #slice: ApplySlice;
  /** The slice has ended, and its sequel is asked for. */
  #isPaused = false;
  /** Executions and reads of this generation that are done or begun: the replica's credit. */
  #taken = 0;
  #takenTold = 0;
  #dividing: readonly PinnedDivision[] | undefined;
  readonly #data: GroupData;
  #executedKeys: string[] = [];
  #outside: OutsideRun[] = [];
  /** Slots that the first command of the part that runs has met, and that its footprint lacks. */
  #outsideSlots: OutsideRun['slots'] = NO_SLOTS;
  #proceedWithFlush: (() => void) | undefined;
  #notBeforeMs = 0;
  #nextFlushMs: number;

  constructor(context: ActorContext<ExecutorMessage>, options: RunningOptions, opened: Engine) {
    this.#context = context;
    this.#options = options;
    this.#trace = new TxnTrace(context.recorder);
    this.#replica = context.outlet(options.replica);
    this.#coordinator = context.outlet(options.coordinator);
    const { keptReplyBytesMax, unitWriteBytesMax, keysInUnitMax } = options;
    this.#writer.keptBytesMax = keptReplyBytesMax;
    this.#listRenderer.writer.keptBytesMax = keptReplyBytesMax;
    this.#replyTooLong = `ERR the reply needs more than ${keptReplyBytesMax} bytes: ask for less`;
    this.#generation = context.incarnation;
    this.#engine = new LogFirstEngine(opened, (proceed) => {
      this.#proceedWithFlush = proceed;
      this.#awaitLog(FLUSH_TOKEN);
    });
    this.#machines = new StateMachines({
      engine: this.#engine,
      groups: options.groups,
      cacheBytesMax: options.cacheBytesMax,
      dirtyBytesMax: options.dirtyBytesMax,
      ...{ unitWriteBytesMax, keysInUnitMax },
      stepElementsMax: options.stepElementsMax,
      tableHashKey: options.tableHashKey,
      topologyRules: TOPOLOGY_RULES,
    });
    this.#data = new GroupData({
      machines: this.#machines,
      ...{ self: context.thisIncarnation, replica: this.#replica },
      begun: (groups) => this.#abandon(groups),
      opened: (group) => this.#opened(group),
      committed: (error) => this.#tellFlushed(error, false),
      onDiskFull: () => this.#flushLater(),
    });
    const heldMax = options.heldReplyBytesMax ?? HELD_BYTES_MAX;
    this.#held = new HeldReplies(heldMax, (answer) => this.#answer(answer));
    this.#events = new HeldEvents({
      max: options.heldEventsMax,
      awaitLog: () => this.#awaitLog(EVENTS_TOKEN),
      // Each is told at most once; without room it is lost.
      leave: (told) => tellOrDrop(options.clients, { type: 'KeysChanged', ...told }),
    });
    this.#listings = new KeyListings({
      max: options.listingsMax ?? LISTINGS_MAX,
      changesMax: options.viewChangesMax,
      bytesMax: keptReplyBytesMax,
      nowMs: () => context.clock.monotonicMs(),
      done: (part, outcome) => this.#listed(part, outcome),
    });
    this.#bigKeys = new BigKeySearch(() => context.clock.monotonicMs());
    this.#slice = new ApplySlice(() => context.clock.monotonicMs(), options.sliceCommandsMax);
    this.#reads = new ReadRuns({
      keptReplyBytesMax,
      nowMs: options.nowMs,
      groupOf: (reading) => this.#memberOf(reading),
      ran: () => this.#slice.ran(),
      hasTime: () => this.#hasTime(),
      mayReadOn: (renderer, part, args) => this.#mayReadOn(renderer, part, args),
      reply: (renderer, part) => this.#reply(renderer, part),
      tellEvents: (reading, from) => this.#tellEvents(this.#memberOf(reading), from),
    });
    this.#nextFlushMs = context.clock.monotonicMs() + options.flushEveryMs;
    options.watch?.(this.#machines);
    this.#follow(options.table());
    options.observe(this.#machines, 0);
    context.timers.startPeriodic('tick', 100, { type: 'Tick' });
    options.clients.send({ type: 'WaitsLost' });
    this.#tellHeld();
    this.#hold(this.#machines.open);
  }

  #tellHeld(): void {
    const { flushed: open, ended, lost } = this.#machines;
    const flushed = [...open, ...ended];
    this.#replica.send({ type: 'ExecutorReady', flushed, lost, generation: this.#generation });
  }

  #hold(groups: readonly GroupSlots[]): void {
    for (const { id, fromSlot, toSlot } of groups) {
      const machine = this.#machines.of(id);
      if (machine === undefined) continue;
      const [from, to] = [firstSlotOf(fromSlot), firstSlotOf(toSlot)];
      const slots = new AppliedSlots(from, to, machine.appliedSequence);
      machine.tracksWrites = this.#tracksWrites;
      const member = { group: id, machine, slots, hasDeadlines: false };
      this.#members.set(id, member);
      this.#tellDeadlines(member);
    }
  }

  receive(message: ExecutorMessage): void {
    try {
      if (message.type === 'Table') return this.#follow(message.table);
      return this.#receive(message);
    } catch (error) {
      // Damage does not heal by starting again, and every new try would only ask for more.
      if (error instanceof EngineError && error.code === 'HOLO_STORE_DAMAGED') {
        return this.#context.fatal(error);
      }
      throw error;
    }
  }

  turnEnd(): void {
    this.#tellTurn();
    this.#considerFlush();
    this.#options.observe(this.#machines, this.#held.bytes);
  }

  stopped(): void {
    for (const part of this.#listings.abandon()) this.#fail(part, REFUSED.restarted);
    this.#held.loseAll();
    this.#engine.close();
  }

  describe(): unknown {
    const machine = this.#machines;
    return {
      appliedSequence: machine.appliedSequence,
      flushedSequence: machine.flushedSequence,
      keys: machine.size,
      cachedKeys: machine.cachedKeys,
      cacheBytes: machine.cacheBytes,
      dirtyBytes: machine.dirtyBytes,
      unflushedBytes: machine.unflushedBytes,
      heldReplyBytes: this.#held.bytes,
      heldEvents: this.#events.count,
      waiting: this.#handed.length + Number(this.#isHalfWay()),
      kept: this.#replica.kept + this.#coordinator.kept,
    };
  }

  #follow({ values }: ClusterSettings): void {
    this.#machines.eventFlags = values.get(EVENTS_SETTING) ?? '';
  }

  /** Neither engine nor subscribers may know a transaction that the log could still lose. */
  #awaitLog(token: number): void {
    this.#replica.send({ type: 'Sync', token, replyTo: this.#context.thisIncarnation });
  }

  #logged(token: number): void {
    if (token === EVENTS_TOKEN) return this.#events.durable();
    const proceed = this.#proceedWithFlush;
    this.#proceedWithFlush = undefined;
    proceed?.();
  }

  #isHalfWay(): boolean {
    return this.#halfDone !== undefined || this.#reads.isHalfWay;
  }

  /** Applies the executions handed over while there is room for their changes. */
  #apply(): void {
    if (this.#isPaused) return;
    this.#slice.begin();
    for (;;) {
      if (!this.#reads.goOn()) return;
      if (this.#halfDone !== undefined && !this.#goOn(this.#halfDone)) return;
      const next = this.#handed[0];
      if (next === undefined) return;
      if (next.type === 'Execute' && !this.#hasRoom()) return;
      if (isEnd(next) && !this.#close(next)) {
        if (this.#passEnds()) continue;
        return;
      }
      if (!this.#hasTime()) return;
      this.#handed.shift();
      if (isEnd(next)) this.#ends -= 1;
      this.#waitingSlots = undefined;
      this.#taken += 1;
      this.#take(next);
    }
  }

  #take(next: Execute | ReadAt | Reading): void {
    if (next.type === 'Reading') return this.#read(next);
    // It has arrived twice, and the engine knows the end of its group; or that has been abandoned.
    if (!this.#members.has(next.group) && this.#isVoid(next.group)) return;
    const member = this.#memberOf(next);
    if (next.type === 'ReadAt') this.#fetch(member, next);
    else this.#begin(member, next.execution);
  }

  #isVoid(group: GroupId): boolean {
    return this.#machines.hasEnded(group) || this.#machines.isAbandoned(group);
  }

  #read(reading: Reading): void {
    if (this.#members.has(reading.group)) this.#reads.begin(reading);
    else this.#reads.giveUp(reading);
  }

  #memberOf({ group }: Execute | ReadAt | Reading): Member {
    const member = this.#members.get(group);
    if (member === undefined) throw new Error('an execution is of a group that is not here');
    return member;
  }

  /**
   * The successors of a group begin with all that it has changed in the engine. `false`: that takes
   * a while, and nothing is applied to it meanwhile. Groups that are as far as this one end in the
   * same step.
   */
  #close({ group }: Execute): boolean {
    const machines = this.#machines;
    if (!this.#members.has(group)) return true;
    if (!machines.mayDivide(group) || this.#context.clock.monotonicMs() < this.#notBeforeMs) {
      return false;
    }
    const divisions = this.#divisible();
    this.#dividing = divisions;
    machines.divide(divisions, (error) => this.#tellFlushed(error, true));
    return false;
  }

  /** Groups that are at their ends, and that the engine holds whole. */
  #divisible(): readonly PinnedDivision[] {
    const busy = new Set<string>();
    return this.#handed.flatMap((next) => {
      const { group } = next;
      const key = groupKey(group);
      const isFirst = !busy.has(key);
      busy.add(key);
      if (!isFirst || !isEnd(next) || !this.#members.has(group)) return [];
      if (!this.#machines.mayDivide(group)) return [];
      const { body, sequence } = next.execution;
      const all = decodeSuccessors(body);
      const successors = all.filter((each) => goesOnIn(each, this.#options.self));
      // The table of a new member comes with the news.
      const isPinned = !isMetaGroup(group) && all.some((each) => fetchingIn(each).length > 0);
      return [{ group, sequence, successors, isPinned }];
    });
  }

  /** Only its own group waits for an end. `false`: nothing that is handed over can go first. */
  #passEnds(): boolean {
    const ending = new Set<string>();
    const free: (Execute | ReadAt | Reading)[] = [];
    const waiting = this.#handed.filter((next) => {
      const key = groupKey(next.group);
      if (isEnd(next)) ending.add(key);
      const isFree = !ending.has(key) && this.#members.has(next.group);
      if (isFree) free.push(next);
      return !isFree;
    });
    this.#handed = [...free, ...waiting];
    return free.length > 0;
  }

  /** Work that is under way in the groups cannot go on: its clients try again. */
  #divided(divisions: readonly PinnedDivision[]): void {
    for (const { group, successors, isPinned } of divisions) {
      this.#members.delete(group);
      const [only] = successors;
      if (isPinned && only !== undefined) this.#machines.pin(group, only);
    }
    for (const part of this.#listings.abandon()) this.#fail(part, REFUSED.listing);
    this.#bigKeys.abandon();
    this.#spanningWaits.clear();
    this.#options.clients.send({ type: 'WaitsLost' });
    for (const { successors } of divisions) this.#hold(successors);
    this.#replica.send({ type: 'Flushed', flushed: this.#machines.ended });
    this.#options.watch?.(this.#machines);
  }

  /** Data come in that void those of these groups. */
  #abandon(groups: readonly GroupId[]): void {
    if (groups.length === 0) return;
    for (const group of groups) this.#members.delete(group);
    const isVoid = ({ group }: { readonly group: GroupId }): boolean =>
      groups.some((each) => isSameGroup(each, group));
    if (this.#halfDone !== undefined && isVoid(this.#halfDone.member)) this.#halfDone = undefined;
    const dropped = this.#handed.filter(isVoid);
    this.#handed = this.#handed.filter((next) => !isVoid(next));
    this.#ends -= dropped.filter(isEnd).length;
    this.#taken += dropped.length;
    this.#waitingSlots = undefined;
    for (const part of this.#listings.abandon()) this.#fail(part, REFUSED.listing);
    this.#bigKeys.abandon();
    this.#options.clients.send({ type: 'WaitsLost' });
    this.#options.watch?.(this.#machines);
  }

  /** The data of a group that this node has joined are whole. */
  #opened(group: GroupSlots): void {
    this.#hold([group]);
    this.#options.clients.send({ type: 'WaitsLost' });
    this.#replica.send({ type: 'Flushed', flushed: this.#machines.flushed });
    this.#options.watch?.(this.#machines);
  }

  #hasRoom(): boolean {
    return this.#machines.unflushedBytes < this.#options.unflushedBytesMax;
  }

  /** `false`: the slice is over, and others of this node are let go first. */
  #hasTime(): boolean {
    if (!this.#slice.isOver) return true;
    this.#isPaused = true;
    // Refused only when this incarnation has ended.
    tellOrDrop(this.#context.thisIncarnation, { type: 'ApplyMore' });
    return false;
  }

  /**
   * Serves short reads ahead of the executions that wait before them, or are half done, if none of
   * these has a slot of theirs: they are no part of what the barrier waits for.
   */
  #readAhead(reading: Reading): boolean {
    this.#waitingSlots ??= this.#slotsWaiting();
    if (!this.#reads.readAhead(reading, this.#waitingSlots)) return false;
    this.#taken += 1;
    return true;
  }

  #slotsWaiting(): Set<number> | 'all' {
    const slots = new Set<number>();
    const executions = this.#halfDone === undefined ? [] : [this.#halfDone.execution];
    for (const handed of this.#handed) {
      if (handed.type === 'Execute') executions.push(handed.execution);
    }
    for (const { participants } of executions) {
      if (participants === WHOLE_STORE) return 'all';
      for (const slot of participants) slots.add(slot);
    }
    return slots;
  }

  #begin(member: Member, execution: Execution): void {
    const { machine } = member;
    // A transaction ordered in the turn that delivers ExecutorReady arrives twice.
    if (execution.sequence <= machine.appliedSequence) return;
    this.#trace.handed(member.group, execution);
    const commands = this.#enter(machine, execution);
    // Of one that has no effect the coordinator hears from the replica.
    const key = keyOf(execution.id);
    const parts = isMoved(execution.reads) ? undefined : this.#expected.get(key);
    const notes = this.#spanningWaits.has(key);
    const place = { at: 0, unit: 0, isWithinUnit: false, isWithinCommand: false };
    const replies = { parts, notes, left: 0, sink: NO_REPLY };
    this.#halfDone = { member, execution, commands, ...replies, ...place };
  }

  /** Begins the transaction in the machine; returns its commands. */
  #enter(machine: StateMachine, execution: Execution): Uint8Array {
    const { executeAt, participants, body, reads, isRepeated } = execution;
    const isMovedOn = isMoved(reads);
    if (reads === undefined || isMovedOn) {
      const footprint = participants === WHOLE_STORE ? undefined : participants;
      const isVoid = isMovedOn || machine.hadEffect(executeAt);
      machine.begin(executeAt, footprint, undefined, isRepeated, settingsOfBody(body));
      return isVoid ? NO_BYTES : body;
    }
    const { parts, commands } = decodeSpanningBody(body);
    const thresholds = settingsOfBody(commands);
    machine.begin(executeAt, footprintOf(parts), decodeReads(reads), isRepeated, thresholds);
    return commands;
  }

  /** It stands behind all that it must see, and nothing that it must not see is handed over. */
  #fetch({ group, machine }: Member, { id, executeAt, body }: ReadAt): void {
    const { parts, commands } = decodeSpanningBody(body);
    const footprint = footprintOf(parts.filter((part) => isSameGroup(part.group, group)));
    const { spanningReadBytesMax: bytesMax } = this.#options;
    const entries = machine.fetch(commands, { executeAt, footprint, bytesMax });
    this.#replica.send({ type: 'Fetched', group, id, entries });
  }

  /** `false`: the rest waits for the flush, or for the next slice. */
  #goOn(application: Application): boolean {
    const { member, execution, commands, parts } = application;
    const { machine, slots } = member;
    const { id, participants, sequence } = execution;
    while (application.at < commands.length || application.isWithinCommand) {
      if (!application.isWithinUnit && !this.#hasRoom()) return false;
      const part = parts?.[application.unit];
      if (part === undefined) this.#runUnit(application);
      else this.#runPart(application, part);
      if (application.isWithinUnit) return false;
      application.unit += 1;
    }
    if (application.notes) this.#note(machine, keyOf(id));
    machine.commit(sequence);
    this.#tellWritten(member);
    this.#tellReady(member, execution);
    this.#tellEvents(member);
    this.#halfDone = undefined;
    this.#waitingSlots = undefined;
    this.#trace.at(this.#context.clock.monotonicMs());
    this.#trace.executed(member.group, execution, parts !== undefined);
    if (parts !== undefined) this.#answered(keyOf(id), parts);
    slots.applied(participants, sequence);
    this.#tellDeadlines(application.member);
    return true;
  }

  /** The first of its groups answers a transaction over several; a listing needs all of them. */
  #answered(key: string, parts: readonly Part[]): void {
    if (parts.some((part) => this.#listings.awaitsGroups(part))) return;
    this.#executedKeys.push(key);
    this.#expected.delete(key);
  }

  /** Keys that clients of this node wait for. */
  #tellReady({ group, machine }: Member, { executeAt }: Execution): void {
    const keys = machine.ready();
    const { clients } = this.#options;
    if (keys === 'lost') clients.send({ type: 'WaitsLost' });
    else if (keys.length > 0) clients.send({ type: 'KeysReady', group, atUs: executeAt.hlc, keys });
  }

  /** `by`: the connection whose command has written. */
  #tellWritten({ group, machine }: Member, by?: number): void {
    const keys = machine.takeWritten();
    if (keys !== undefined) this.#options.clients.send({ type: 'KeysWritten', group, keys, by });
  }

  /** Keyspace events behind the first `from`. */
  #tellEvents({ group, machine }: Member, from = 0): void {
    if (!machine.sideEffects.isEmpty) this.#tellSideEffects(group, machine.sideEffects);
    const events = machine.takeEvents(from);
    if (events.length > 0) this.#events.add({ group, events });
  }

  #tellSideEffects(group: GroupId, effects: SideEffects): void {
    const events = effects.takeMessages();
    const lines = effects.takeLines();
    const denials = effects.takeDenials();
    const { clients } = this.#options;
    // Each is done at most once; without room it is lost.
    if (events.length > 0) tellOrDrop(clients, { type: 'KeysChanged', group, events });
    // The same.
    if (lines.length > 0) tellOrDrop(clients, { type: 'ScriptsLogged', lines });
    // The same.
    if (denials.length > 0) tellOrDrop(clients, { type: 'ScriptsDenied', denials });
  }

  /** The coordinator looks for expired keys where there are keys with a deadline. */
  #tellDeadlines(member: Member): void {
    const hasDeadlines = member.machine.volatileSize > 0;
    if (member.hasDeadlines === hasDeadlines) return;
    member.hasDeadlines = hasDeadlines;
    this.#coordinator.send({ type: 'Volatile', group: member.group, hasDeadlines });
  }

  /** Runs the rest of a unit, or of the slice. */
  #runUnit(application: Application): void {
    const { commands } = application;
    do {
      this.#runCommand(application);
      const { at, isWithinCommand } = application;
      const isMore = at < commands.length && !isUnitHead(commands[at]);
      application.isWithinUnit = isWithinCommand || isMore;
    } while (application.isWithinUnit && this.#hasTime());
  }

  /** Begins the next command of the body, or goes on with the one that has begun. */
  #runCommand(application: Application): void {
    const { machine } = application.member;
    const args = this.#args;
    let isDone: boolean;
    if (application.isWithinCommand) {
      isDone = machine.more();
    } else {
      application.at = args.next(application.commands, application.at);
      if (application.notes) machine.mayWait = true;
      isDone = machine.start(args, application.sink);
    }
    application.isWithinCommand = !isDone;
    this.#slice.ran();
  }

  /** The same for a part of this node's own clients, which is told its replies. */
  #runPart(application: Application, part: Part): void {
    const { commands } = application;
    const { machine } = application.member;
    const { replyBytesMax } = this.#options;
    const args = this.#args;
    const writer = this.#writer;
    const renderer = this.#renderer;
    if (!application.isWithinUnit) {
      if (part.wholeStore && part.count === 1) {
        const end = args.next(commands, application.at);
        if (this.#list(machine, part, args)) {
          application.at = end;
          return;
        }
      }
      application.sink = writer;
      application.left = part.count;
      renderer.begin(part);
    }
    do {
      const isAnswered = application.sink === writer;
      if (!application.isWithinCommand) {
        application.left -= 1;
        if (isAnswered) renderer.next();
        if (part.waits) machine.mayWait = true;
      }
      this.#runCommand(application);
      const isDone = isAnswered && !application.isWithinCommand;
      const isLong = isDone && writer.length > replyBytesMax;
      if (isLong && !this.#mayAnswerMore(renderer, part, args)) application.sink = NO_REPLY;
      if (isDone && machine.isOutside) this.#metOutside(application, part);
      application.isWithinUnit = application.isWithinCommand || application.left > 0;
    } while (application.isWithinUnit && this.#hasTime());
    if (!application.isWithinUnit) this.#partDone(application, part);
  }

  /** The last command, and those behind it, have done nothing. */
  #metOutside(application: Application, part: Part): void {
    const { machine } = application.member;
    application.sink = NO_REPLY;
    // The connection asks for the others, and the part then begins with this one.
    if (this.#renderer.begun > 1) return this.#renderer.stopBefore();
    this.#outsideSlots = machine.outside(this.#args);
    if (part.count > 1) this.#renderer.stop();
  }

  #partDone({ member, execution, unit }: Application, part: Part): void {
    const { machine } = member;
    this.#tellWritten(member, part.unit.connection);
    const slots = this.#outsideSlots;
    this.#outsideSlots = NO_SLOTS;
    if (slots.length === 0) {
      const waiting = waitingFor(machine, part);
      if (waiting !== undefined) this.#othersNote(execution, part);
      return this.#reply(this.#renderer, part, waiting);
    }
    this.#writer.cutBack(0);
    this.#outside.push({ key: keyOf(execution.id), part: unit, slots });
  }

  /** The client of the part waits: the other groups of the transaction are to know of it. */
  #othersNote({ id, body, reads }: Execution, { unit }: Part): void {
    if (reads === undefined) return;
    const { parts } = decodeSpanningBody(body);
    const here = parts.filter(({ group }) => this.#members.has(group));
    this.#spanningWaits.begin(keyOf(id), unit, here.length - 1);
  }

  #note(machine: StateMachine, key: string): void {
    const unit = this.#spanningWaits.next(key);
    if (unit === undefined) machine.mayWait = false;
    else machine.waiting(waitIdOf(unit));
  }

  /** `false`: it is no KEYS that is listed in slices. */
  #list(machine: StateMachine, part: Part, args: Arguments): boolean {
    const begun = this.#listings.begin(part, machine, args);
    if (begun === undefined) return false;
    if (begun === 'busy') {
      machine.run(args, NO_REPLY);
      this.#fail(part, REFUSED.busy);
    } else if (this.#listings.size === 1) {
      this.#goOnListing();
    }
    return true;
  }

  #goOnListing(): void {
    // Refused only when this incarnation has ended.
    tellOrDrop(this.#context.thisIncarnation, { type: 'ListKeys' });
  }

  #listed(part: Part, outcome: readonly string[] | 'too long' | 'lost'): void {
    if (outcome === 'lost') return this.#fail(part, REFUSED.listing);
    if (outcome === 'too long') return this.#fail(part, this.#replyTooLong);
    const renderer = this.#listRenderer;
    const { writer } = renderer;
    renderer.begin(part);
    renderer.next();
    writer.array(outcome.length);
    for (const key of outcome) writer.bulk(key);
    if (writer.overflowed) {
      renderer.cutBack();
      writer.error(this.#replyTooLong);
    }
    this.#reply(renderer, part);
  }

  #fail({ unit, part }: Pick<Part, 'unit' | 'part'>, line: string): void {
    this.#answer({ type: 'PartFailed', unit, part, line });
  }

  /** `false`: the replies of the part are long, and the rest is another one. */
  #mayReadOn(renderer: PartRenderer, part: Part, args: Arguments): boolean {
    const isLong = renderer.writer.length > this.#options.replyBytesMax;
    return !isLong || this.#mayAnswerMore(renderer, part, args);
  }

  /** `args`: the command of the part that has just answered. `false`: no further one may. */
  #mayAnswerMore(renderer: PartRenderer, part: Part, args: Arguments): boolean {
    const { writer } = renderer;
    if (writer.overflowed && commandFor(args)?.kind === 'write') {
      this.#isLost = !writer.allowMore();
      if (this.#isLost) return false;
    } else if (writer.overflowed) {
      renderer.cutBack();
      writer.error(this.#replyTooLong);
    }
    if (renderer.begun < part.readsFrom || renderer.begun === part.count) return true;
    renderer.stop();
    return false;
  }

  #reply(renderer: PartRenderer, part: Part, waiting?: PartReplies['waiting']): void {
    const { writer } = renderer;
    if (waiting !== undefined) {
      this.#answer({ ...renderer.answer(part), waiting });
    } else if (this.#isLost) {
      this.#isLost = false;
      writer.cutBack(0);
      this.#answer({ type: 'RepliesLost', unit: part.unit, part: part.part });
    } else if (writer.isLong || writer.length > part.window) {
      const replies = renderer.finishLong();
      this.#held.begin(part, renderer.answerOf(part, NO_BYTES), replies);
    } else {
      const isSample = (part.sampledMs ?? 0) > 0;
      const renderedMs = isSample ? this.#context.clock.monotonicMs() : 0;
      this.#answer(renderer.answer(part, renderedMs));
    }
  }

  #answer(answer: PartAnswer): void {
    if (answer.unit.connection === OWN_CONNECTION) this.#coordinator.send(answer);
    else this.#options.clients.send(answer);
  }

  #tellTurn(): void {
    const coordinator = this.#coordinator;
    const generation = this.#generation;
    const count = this.#taken;
    if (count > this.#takenTold) this.#replica.send({ type: 'Taken', generation, count });
    const keys = this.#executedKeys;
    const outside = this.#outside;
    if (outside.length > 0) coordinator.send({ type: 'Outside', runs: outside });
    if (keys.length > 0) coordinator.send({ type: 'Executed', keys });
    const reads = this.#reads.takeDone();
    if (reads.length > 0) coordinator.send({ type: 'ReadsDone', reads });
    this.#takenTold = count;
    this.#executedKeys = [];
    this.#outside = [];
  }

  #considerFlush(): void {
    const machines = this.#machines;
    // The engine holds whole units.
    if (machines.flushing || this.#halfDone?.isWithinUnit === true) return;
    const nowMs = this.#context.clock.monotonicMs();
    if (nowMs < this.#notBeforeMs) return;
    // Data that come in may void what is under way.
    const isFree = !this.#reads.isHalfWay && !this.#awaitsClose();
    if (isFree && this.#data.advance()) return;
    const waits = (this.#halfDone !== undefined || this.#handed.length > 0) && !this.#hasRoom();
    const isDue = waits || this.#awaitsClose() || machines.needsFlush || nowMs >= this.#nextFlushMs;
    if (!isDue || !machines.hasUnflushed) return;
    machines.flush((error) => this.#tellFlushed(error, false));
    this.#nextFlushMs = nowMs + this.#options.flushEveryMs;
  }

  #tellFlushed(error: EngineError | undefined, divides: boolean): void {
    // Refused only when this incarnation has ended; the next one asks the engine itself.
    const failure = failureOf(error);
    tellOrDrop(this.#context.thisIncarnation, { type: 'FlushDone', failure, divides });
  }

  /** The end of a group waits until the engine holds the group. */
  #awaitsClose(): boolean {
    return this.#ends > 0;
  }

  /** Nothing is lost: what was to be written is kept in memory, and in the log. */
  #flushLater(): void {
    this.#options.onDiskFull(true);
    this.#notBeforeMs = this.#context.clock.monotonicMs() + DISK_FULL_RETRY_MS;
  }

  #receive(message: Exclude<ExecutorMessage, { readonly type: 'Table' }>): void {
    switch (message.type) {
      case 'Expect':
        this.#expected.set(message.key, message.parts);
        return;
      case 'ExpectRead':
        this.#expectedReads.set(message.token, message.parts);
        return this.#readRowsAhead(message.token, message.parts);
      case 'Forget':
        for (const part of this.#expected.get(message.key) ?? []) this.#listings.forget(part);
        this.#expected.delete(message.key);
        return;
      case 'ForgetAll':
        for (const parts of this.#expected.values()) {
          for (const part of parts) this.#listings.forget(part);
        }
        this.#expected.clear();
        this.#expectedReads.clear();
        for (const member of this.#members.values()) {
          member.hasDeadlines = false;
          this.#tellDeadlines(member);
        }
        return;
      case 'ForgetRead':
        this.#expectedReads.delete(message.token);
        return;
      case 'Execute':
      case 'Read':
      case 'ReadAt':
        if (message.generation !== this.#generation) return;
        return this.#hand(message);
      case 'ReadAheadDone':
        return this.#rowsRead(message.token);
      case 'ApplyMore':
        this.#isPaused = false;
        return this.#apply();
      case 'ReplyCredit':
      case 'RepliesAbandoned':
      case 'TrackWrites':
      case 'StopWaiting':
      case 'PassWait':
        return this.#receiveFlow(message);
      case 'NoteKeys':
        return this.#noteKeys(message.part);
      case 'Durable':
        return this.#logged(message.token);
      case 'FlushDone':
        return this.#flushDone(message);
      case 'ListKeys':
        this.#listings.slice();
        if (this.#listings.size > 0) this.#goOnListing();
        return;
      case 'FindBig': {
        const search = this.#machines.searchBigKeys(message.count, BIG_KEYS_LOOKED_MAX);
        return this.#bigKeys.begin(search, message.replyTo) ? this.#findMore() : undefined;
      }
      case 'FindMore':
        return this.#findMore();
      case 'FindExpired':
        return this.#findExpired(message.group, message.pastMs);
      case 'Tick':
        // The turn that it makes considers a flush as it ends.
        return this.#awaitsClose() ? this.#apply() : undefined;
      case 'Open':
        // A retry that is late: the engine is open.
        return;
      default:
        return this.#data.receive(message);
    }
  }

  #receiveFlow(message: ReplyFlow): void {
    switch (message.type) {
      case 'ReplyCredit':
        return this.#held.credit(message, message.upTo);
      case 'RepliesAbandoned':
        return this.#held.abandon(message);
      case 'TrackWrites':
        return this.#trackWrites(message.isOn);
      case 'StopWaiting':
        return this.#stopWaiting(message.unit);
      case 'PassWait':
        return this.#passWait(message.unit, message.to);
    }
  }

  #trackWrites(isOn: boolean): void {
    this.#tracksWrites = isOn;
    for (const { machine } of this.#members.values()) machine.tracksWrites = isOn;
  }

  #stopWaiting(unit: UnitId): void {
    this.#spanningWaits.stop(unit);
    for (const { machine } of this.#members.values()) machine.stopWaiting(waitIdOf(unit));
  }

  #passWait(from: UnitId, to: UnitId): void {
    this.#spanningWaits.pass(from, to);
    for (const { machine } of this.#members.values()) {
      machine.passWait(waitIdOf(from), waitIdOf(to));
    }
  }

  /** Before an attempt that another node begins: nothing is missed that it does not see. */
  #noteKeys({ bytes, unit, part }: Part): void {
    const args = this.#noteArgs;
    args.next(bytes, 0);
    let waiting: PartReplies['waiting'];
    for (const { machine } of this.#members.values()) {
      waiting = machine.noteKeys(args, waitIdOf(unit)) ?? waiting;
    }
    const none = { from: 0, replies: NO_BYTES, ends: [], errors: [], answered: 0, last: true };
    if (waiting === undefined) return this.#fail({ unit, part }, REFUSED.moved);
    this.#answer({ type: 'PartReplies', unit, part, ...none, waiting });
  }

  #findMore(): void {
    const isMore = this.#bigKeys.slice();
    if (isMore) this.#context.timers.start('find', BIG_KEYS_REST_MS, { type: 'FindMore' });
  }

  #hand(message: Execute | Read | ReadAt): void {
    if (message.type !== 'Read') {
      this.#handed.push(message);
      if (isEnd(message)) this.#ends += 1;
      this.#waitingSlots = undefined;
      return this.#apply();
    }
    const parts = this.#expectedReads.get(message.token);
    this.#expectedReads.delete(message.token);
    if (parts === undefined) {
      this.#taken += 1;
      return;
    }
    const { token, barrierSequence } = message;
    const reading = readingOf(message.group, token, barrierSequence, parts);
    if (this.#rowsAhead.has(token)) this.#rowsAhead.set(token, reading);
    else this.#handReading(reading);
  }

  /**
   * Where reads wait for the disk: while its barrier is out, and other work goes on, the rows that
   * a read needs are brought into memory. It may run later than its barrier asks for then, behind
   * the end of its group too.
   */
  #readRowsAhead(token: number, parts: readonly Part[]): void {
    if (!this.#machines.readsAreSlow) return;
    const [group] = parts[0]?.groups ?? [];
    const machine = group && this.#members.get(group)?.machine;
    const rows = machine === undefined ? [] : rowsToRead(parts, machine);
    if (rows.length === 0) return;
    this.#rowsAhead.set(token, undefined);
    this.#machines.readAhead(rows, () => {
      // Refused only when this incarnation has ended.
      tellOrDrop(this.#context.thisIncarnation, { type: 'ReadAheadDone', token });
    });
  }

  #rowsRead(token: number): void {
    const reading = this.#rowsAhead.get(token);
    this.#rowsAhead.delete(token);
    if (reading !== undefined) this.#handReading(reading);
  }

  #handReading(reading: Reading): void {
    const waits = this.#handed.length > 0 || this.#isHalfWay();
    if (waits && this.#members.has(reading.group) && this.#readAhead(reading)) return;
    this.#handed.push(reading);
    this.#apply();
  }

  #flushDone({ failure, divides }: FlushDone): void {
    const dividing = divides ? this.#dividing : undefined;
    if (divides) this.#dividing = undefined;
    if (failure?.code === 'HOLO_STORE_DISK_FULL') return this.#flushLater();
    if (failure !== undefined) throw new EngineError(failure.code, failure.text);
    this.#options.onDiskFull(false);
    if (dividing !== undefined) this.#divided(dividing);
    this.#replica.send({ type: 'Flushed', flushed: this.#machines.flushed });
    this.#apply();
  }

  #findExpired(group: GroupId, pastMs: number): void {
    const machine = this.#members.get(group)?.machine;
    // While apply waits for the disk, removals would only wait behind it.
    if (machine === undefined || this.#halfDone !== undefined) return;
    const beforeMs = this.#options.nowMs() - pastMs;
    const { database, keys } = machine.expired(EXPIRE_KEYS_MAX, beforeMs, EXPIRE_BYTES_MAX);
    const backlog = machine.expiryBacklog;
    // They stay expired: the next look finds them again.
    if (keys.length === 0) return;
    tellOrDrop(this.#options.coordinator, { type: 'Expired', group, database, keys, backlog });
  }
}

/** Right after the command of a part: the keys that its client waits for. */
function waitingFor(machine: StateMachine, part: Part): PartReplies['waiting'] {
  return part.waits ? machine.waiting(waitIdOf(part.unit)) : undefined;
}

function waitIdOf({ connection, sequence }: UnitId): WaitId {
  return { connection, attempt: sequence };
}

/** The slots of all groups; undefined: all slots. */
function footprintOf(parts: readonly SpanningPart[]): Footprint {
  const slots: number[] = [];
  for (const { participants } of parts) {
    if (participants === WHOLE_STORE) return undefined;
    for (const slot of participants) slots.push(slot);
  }
  return participantsOf(slots) as Uint16Array;
}

function isEnd(next: Execute | ReadAt | Reading): next is Execute {
  return next.type === 'Execute' && isClose(next.execution.id);
}
