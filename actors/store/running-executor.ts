/**
 * The executor once its engine is open: runs transaction bodies against the state machines of its
 * groups, strictly
 * in the order in which the replica hands them over, and serves reads in between. Renders the
 * replies of this node's own clients. Flushes the state machine in the background, never ahead of
 * the log.
 */
import { Arguments } from '../../storage/arguments.ts';
import { commandFor } from '../../storage/commands/command-table.ts';
import { NO_REPLY, type ReplySink } from '../../storage/commands/reply.ts';
import type { Engine } from '../../storage/engine.ts';
import { EngineError } from '../../storage/errors.ts';
import type { TableHashKey } from '../../storage/keyspace/table-hash.ts';
import type { StateMachine } from '../../storage/state-machine.ts';
import { StateMachines, type StoreReport } from '../../storage/state-machines.ts';
import { isUnitHead } from '../../storage/transaction-body.ts';
import { ReplyWriter } from '../../transport/resp/codec/encoder.ts';
import type { Part, PartAnswer } from '../../transport/resp/connection/part.ts';
import { PartRenderer } from '../../transport/resp/connection/part-renderer.ts';
import { AppliedSlots } from '../accord/local/applied-slots.ts';
import type { Execution } from '../accord/local/effects.ts';
import { WHOLE_STORE } from '../accord/primitives/participants.ts';
import { keyOf } from '../accord/primitives/timestamp.ts';
import type { Group } from '../accord/topology/group.ts';
import { type GroupId, GroupMap } from '../accord/topology/group-id.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import type { Outlet } from '../runtime/cells/outlet.ts';
import { ApplySlice } from './apply-slice.ts';
import { BIG_KEYS_LOOKED_MAX, BIG_KEYS_REST_MS, BigKeySearch } from './big-key-search.ts';
import { REFUSED } from './client-errors.ts';
import { EXPIRE_BYTES_MAX, EXPIRE_KEYS_MAX, OWN_CONNECTION } from './expiry.ts';
import { HeldReplies } from './held-replies.ts';
import { KeyListings, LISTINGS_MAX } from './key-listings.ts';
import { LogFirstEngine } from './log-first-engine.ts';
import type {
  CoordinatorActorMessage,
  ExecutorMessage,
  OutsideRun,
  ReadDone,
  ReplicaActorMessage,
} from './messages.ts';
import { TxnTrace } from './txn-trace.ts';

export interface RunningOptions {
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
  /** Bytes that the replies of a part may keep in memory; a read beyond it answers an error. */
  readonly keptReplyBytesMax: number;
  /** Replies that wait for credit of their connections; `HELD_BYTES_MAX` by default. */
  readonly heldReplyBytesMax?: number | undefined;
  /** KEYS that are listed at a time; `LISTINGS_MAX` by default. */
  readonly listingsMax?: number | undefined;
  /** Keys that may change ahead of a listing; `VIEW_CHANGES_MAX` by default. */
  readonly viewChangesMax?: number | undefined;
  /** Commands that are applied without a pause; see `ApplySlice`. */
  readonly sliceCommandsMax?: number | undefined;
  readonly replica: ActorRef<ReplicaActorMessage>;
  readonly coordinator: ActorRef<CoordinatorActorMessage>;
  /** The sender of the parts. It outlives this actor. */
  readonly clients: Outlet<PartAnswer>;
  /**
   * The cluster's time, for the deadlines that ephemeral reads look at; `TIME_UNKNOWN_MS` before
   * the first clocks are compared. The last timestamp seen would not do: it may be long past.
   */
  readonly nowMs: () => number;
  readonly observe: (report: StoreReport, heldReplyBytes: number) => void;
  /** For checks that run beside the store: a fresh incarnation. */
  readonly watch?: ((machines: StateMachines) => void) | undefined;
  /** A flush found no room, or room again. */
  readonly onDiskFull: (full: boolean) => void;
}

/** Replies that wait for credit of their connections. */
const HELD_BYTES_MAX = 512 * 1024 * 1024;
const NO_BYTES = new Uint8Array(0);
/** How soon a flush that found no room is tried again. */
const DISK_FULL_RETRY_MS = 5_000;

type Handed = Extract<ExecutorMessage, { readonly type: 'Execute' | 'Read' }>;

type FlushDone = Extract<ExecutorMessage, { readonly type: 'FlushDone' }>;

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
  /** Absent where no client of this node waits. */
  readonly parts: readonly Part[] | undefined;
  /** Where in the body the next command begins, and the number of its unit. */
  at: number;
  unit: number;
  /** Some commands of the unit have run. */
  isWithinUnit: boolean;
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
  readonly #members: GroupMap<Member>;
  readonly #args = new Arguments();
  /** Those of the part that is applied, perhaps over several turns. */
  readonly #writer = new ReplyWriter(2);
  readonly #renderer = new PartRenderer(this.#writer);
  /** Those of reads and listings. */
  readonly #readRenderer = new PartRenderer(new ReplyWriter(2));
  readonly #trace: TxnTrace;
  readonly #held: HeldReplies;
  readonly #listings: KeyListings;
  readonly #bigKeys: BigKeySearch;
  /** A write of the part that runs has answered more than may be kept. */
  #isLost = false;
  readonly #expected = new Map<string, readonly Part[]>();
  readonly #expectedReads = new Map<number, readonly Part[]>();
  /** Executions and reads in the replica's order that wait for a flush. */
  readonly #handed: Handed[] = [];
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
  #executedKeys: string[] = [];
  #outside: OutsideRun[] = [];
  #readsDone: ReadDone[] = [];
  #proceedWithFlush: (() => void) | undefined;
  #notBeforeMs = 0;
  #nextFlushMs: number;

  constructor(context: ActorContext<ExecutorMessage>, options: RunningOptions, opened: Engine) {
    this.#context = context;
    this.#options = options;
    this.#trace = new TxnTrace(context.recorder);
    this.#replica = context.outlet(options.replica);
    this.#coordinator = context.outlet(options.coordinator);
    const { keptReplyBytesMax } = options;
    this.#writer.keptBytesMax = keptReplyBytesMax;
    this.#readRenderer.writer.keptBytesMax = keptReplyBytesMax;
    this.#replyTooLong = `ERR the reply needs more than ${keptReplyBytesMax} bytes: ask for less`;
    this.#generation = context.incarnation;
    this.#engine = new LogFirstEngine(opened, (proceed) => this.#awaitLog(proceed));
    this.#machines = new StateMachines({
      engine: this.#engine,
      groups: options.groups,
      cacheBytesMax: options.cacheBytesMax,
      dirtyBytesMax: options.dirtyBytesMax,
      unitWriteBytesMax: options.unitWriteBytesMax,
      tableHashKey: options.tableHashKey,
    });
    const heldMax = options.heldReplyBytesMax ?? HELD_BYTES_MAX;
    this.#held = new HeldReplies(heldMax, (answer) => this.#answer(answer));
    this.#listings = new KeyListings({
      max: options.listingsMax ?? LISTINGS_MAX,
      changesMax: options.viewChangesMax,
      bytesMax: keptReplyBytesMax,
      nowMs: () => context.clock.monotonicMs(),
      done: (part, outcome) => this.#listed(part, outcome),
    });
    this.#bigKeys = new BigKeySearch(() => context.clock.monotonicMs());
    this.#members = membersOf(options.groups, this.#machines);
    this.#slice = new ApplySlice(() => context.clock.monotonicMs(), options.sliceCommandsMax);
    this.#nextFlushMs = context.clock.monotonicMs() + options.flushEveryMs;
    options.watch?.(this.#machines);
    options.observe(this.#machines, 0);
    context.timers.startPeriodic('tick', 100, { type: 'Tick' });
    const { flushed } = this.#machines;
    this.#replica.send({ type: 'ExecutorReady', flushed, generation: this.#generation });
    for (const member of this.#members.values()) this.#tellDeadlines(member);
  }

  receive(message: ExecutorMessage): void {
    try {
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
      waiting: this.#handed.length + (this.#halfDone === undefined ? 0 : 1),
      kept: this.#replica.kept + this.#coordinator.kept,
    };
  }

  /** The engine must not know a transaction that the log could still lose. */
  #awaitLog(proceed: () => void): void {
    this.#proceedWithFlush = proceed;
    this.#replica.send({ type: 'Sync', token: 0, replyTo: this.#context.thisIncarnation });
  }

  /** Applies the executions handed over while there is room for their changes. */
  #apply(): void {
    if (this.#isPaused) return;
    this.#slice.begin();
    for (;;) {
      if (this.#halfDone !== undefined && !this.#goOn(this.#halfDone)) return;
      const next = this.#handed[0];
      if (next === undefined) return;
      if (next.type === 'Execute' && (!this.#hasRoom || !this.#hasTime())) return;
      this.#handed.shift();
      this.#waitingSlots = undefined;
      this.#taken += 1;
      if (next.type === 'Read') this.#read(this.#memberOf(next), next.token, next.barrierSequence);
      else this.#begin(this.#memberOf(next), next.execution);
    }
  }

  #memberOf({ group }: Handed): Member {
    const member = this.#members.get(group);
    if (member === undefined) throw new Error('an execution is of a group that is not here');
    return member;
  }

  get #hasRoom(): boolean {
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
   * Serves a read ahead of the executions that wait before it, if none of them has a slot of it:
   * they are no part of what its barrier waits for.
   */
  #readAhead(read: Extract<Handed, { readonly type: 'Read' }>): boolean {
    if (this.#halfDone !== undefined) return false;
    const parts = this.#expectedReads.get(read.token);
    if (parts === undefined) return false;
    this.#waitingSlots ??= this.#slotsWaiting();
    const waiting = this.#waitingSlots;
    if (waiting === 'all') return false;
    const isFree = ({ wholeStore, participants }: Part): boolean =>
      !wholeStore && !participants.some((slot) => waiting.has(slot));
    if (!parts.every(isFree)) return false;
    this.#taken += 1;
    this.#read(this.#memberOf(read), read.token, read.barrierSequence);
    return true;
  }

  #slotsWaiting(): Set<number> | 'all' {
    const slots = new Set<number>();
    for (const handed of this.#handed) {
      if (handed.type === 'Read') continue;
      const { participants } = handed.execution;
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
    const { executeAt, participants } = execution;
    machine.begin(executeAt, participants === WHOLE_STORE ? undefined : participants);
    const parts = this.#expected.get(keyOf(execution.id));
    const unit = { at: 0, unit: 0, isWithinUnit: false, left: 0, sink: NO_REPLY };
    this.#halfDone = { member, execution, parts, ...unit };
  }

  /** `false`: the rest waits for the flush, or for the next slice. */
  #goOn(application: Application): boolean {
    const { member, execution, parts } = application;
    const { machine, slots } = member;
    const { body, id, participants, sequence } = execution;
    while (application.at < body.length) {
      if (!application.isWithinUnit && !this.#hasRoom) return false;
      const part = parts?.[application.unit];
      if (part === undefined) this.#runUnit(application);
      else this.#runPart(application, part);
      if (application.isWithinUnit) return false;
      application.unit += 1;
    }
    machine.commit(sequence);
    this.#halfDone = undefined;
    this.#trace.at(this.#context.clock.monotonicMs());
    this.#trace.executed(member.group, execution, parts !== undefined);
    if (parts !== undefined) this.#executedKeys.push(keyOf(id));
    this.#expected.delete(keyOf(id));
    slots.applied(participants, sequence);
    this.#tellDeadlines(application.member);
    return true;
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
    const { body } = application.execution;
    const { machine } = application.member;
    const args = this.#args;
    do {
      application.at = args.next(body, application.at);
      machine.run(args, NO_REPLY);
      this.#slice.ran();
      application.isWithinUnit = application.at < body.length && !isUnitHead(body[application.at]);
    } while (application.isWithinUnit && this.#hasTime());
  }

  /** The same for a part of this node's own clients, which is told its replies. */
  #runPart(application: Application, part: Part): void {
    const { body } = application.execution;
    const { machine } = application.member;
    const { replyBytesMax } = this.#options;
    const args = this.#args;
    const writer = this.#writer;
    const renderer = this.#renderer;
    if (!application.isWithinUnit) {
      if (part.wholeStore && part.count === 1) {
        const end = args.next(body, application.at);
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
      application.at = args.next(body, application.at);
      application.left -= 1;
      this.#slice.ran();
      const isAnswered = application.sink === writer;
      if (isAnswered) renderer.next();
      machine.run(args, application.sink);
      const isLong = isAnswered && writer.length > replyBytesMax;
      if (isLong && !this.#mayAnswerMore(renderer, part, args)) application.sink = NO_REPLY;
      application.isWithinUnit = application.left > 0;
    } while (application.isWithinUnit && this.#hasTime());
    if (!application.isWithinUnit) this.#partDone(application, part);
  }

  #partDone({ member, execution, unit }: Application, part: Part): void {
    // Only a command that travels alone can be begun anew.
    const slots = part.count === 1 ? member.machine.outside(this.#args) : [];
    if (slots.length === 0) return this.#reply(this.#renderer, part);
    this.#writer.cutBack(0);
    this.#outside.push({ key: keyOf(execution.id), part: unit, slots });
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
    const renderer = this.#readRenderer;
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

  #fail({ unit, part }: Part, line: string): void {
    this.#answer({ type: 'PartFailed', unit, part, line });
  }

  #read({ machine, slots }: Member, token: number, barrierSequence: number): void {
    const parts = this.#expectedReads.get(token);
    if (parts === undefined) return;
    this.#expectedReads.delete(token);
    const nowMs = this.#options.nowMs();
    const expired: number[] = [];
    const uncovered: number[] = [];
    for (const [index, part] of parts.entries()) {
      if (!slots.covers(part.participants, barrierSequence)) uncovered.push(index);
      else if (!this.#readFor(machine, part, nowMs)) expired.push(index);
    }
    this.#readsDone.push({ token, expired, uncovered });
  }

  /** `false`: some key is past its deadline, and only a transaction may decide that it is gone. */
  #readFor(machine: StateMachine, part: Part, nowMs: number): boolean {
    const { replyBytesMax } = this.#options;
    const args = this.#args;
    const renderer = this.#readRenderer;
    const { writer } = renderer;
    renderer.begin(part);
    let at = 0;
    for (let left = part.count; left > 0; left -= 1) {
      at = args.next(part.bytes, at);
      renderer.next();
      if (!machine.read(args, nowMs, writer)) {
        writer.cutBack(0);
        return false;
      }
      if (writer.length > replyBytesMax && !this.#mayAnswerMore(renderer, part, args)) break;
    }
    this.#reply(renderer, part);
    return true;
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

  #reply(renderer: PartRenderer, part: Part): void {
    const { writer } = renderer;
    if (this.#isLost) {
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
    const reads = this.#readsDone;
    if (reads.length > 0) coordinator.send({ type: 'ReadsDone', reads });
    this.#takenTold = count;
    this.#executedKeys = [];
    this.#outside = [];
    this.#readsDone = [];
  }

  #considerFlush(): void {
    const machines = this.#machines;
    // The engine holds whole units.
    if (machines.flushing || this.#halfDone?.isWithinUnit === true) return;
    const nowMs = this.#context.clock.monotonicMs();
    if (nowMs < this.#notBeforeMs) return;
    const done = (error: EngineError | undefined): void => {
      // Refused only when this incarnation has ended; the next one asks the engine itself.
      const failure = error && { code: error.code, text: error.message };
      tellOrDrop(this.#context.thisIncarnation, { type: 'FlushDone', failure });
    };
    const waits = (this.#halfDone !== undefined || this.#handed.length > 0) && !this.#hasRoom;
    const due = waits || machines.needsFlush || nowMs >= this.#nextFlushMs;
    if (!due || !machines.hasUnflushed) return;
    machines.flush(done);
    this.#nextFlushMs = nowMs + this.#options.flushEveryMs;
  }

  /** Nothing is lost: what was to be written is kept in memory, and in the log. */
  #flushLater(): void {
    this.#options.onDiskFull(true);
    this.#notBeforeMs = this.#context.clock.monotonicMs() + DISK_FULL_RETRY_MS;
  }

  #receive(message: ExecutorMessage): void {
    switch (message.type) {
      case 'Expect':
        this.#expected.set(message.key, message.parts);
        return;
      case 'ExpectRead':
        this.#expectedReads.set(message.token, message.parts);
        return;
      case 'Forget':
        this.#expected.delete(message.key);
        return;
      case 'ForgetAll':
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
        if (message.generation !== this.#generation) return;
        return this.#hand(message);
      case 'ApplyMore':
        this.#isPaused = false;
        return this.#apply();
      case 'ReplyCredit':
        return this.#held.credit(message, message.upTo);
      case 'RepliesAbandoned':
        return this.#held.abandon(message);
      case 'Durable': {
        const proceed = this.#proceedWithFlush;
        this.#proceedWithFlush = undefined;
        return proceed?.();
      }
      case 'FlushDone':
        return this.#flushDone(message.failure);
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
        return;
      case 'Open':
        // A retry that is late: the engine is open.
        return;
    }
  }

  #findMore(): void {
    const isMore = this.#bigKeys.slice();
    if (isMore) this.#context.timers.start('find', BIG_KEYS_REST_MS, { type: 'FindMore' });
  }

  #hand(message: Handed): void {
    if (this.#handed.length > 0 && message.type === 'Read' && this.#readAhead(message)) return;
    this.#handed.push(message);
    if (message.type === 'Execute') this.#waitingSlots = undefined;
    this.#apply();
  }

  #flushDone(failure: FlushDone['failure']): void {
    if (failure?.code === 'HOLO_STORE_DISK_FULL') return this.#flushLater();
    if (failure !== undefined) throw new EngineError(failure.code, failure.text);
    this.#options.onDiskFull(false);
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

function membersOf(groups: readonly Group[], machines: StateMachines): GroupMap<Member> {
  const members = new GroupMap<Member>();
  for (const { id, fromConflictSlot, toConflictSlot } of groups) {
    const machine = machines.of(id);
    if (machine === undefined) continue;
    const slots = new AppliedSlots(fromConflictSlot, toConflictSlot, machine.appliedSequence);
    members.set(id, { group: id, machine, slots, hasDeadlines: false });
  }
  return members;
}
