/**
 * Executor: runs transaction bodies against the state machine, strictly in the order in which the
 * replica hands them over, and serves reads in between. Renders the replies of this node's own
 * clients. Flushes the state machine in the background, never ahead of the log.
 */

import { Arguments } from '../../storage/arguments.ts';
import { NO_REPLY } from '../../storage/commands/reply.ts';
import type { Engine, FlushBatch } from '../../storage/engine.ts';
import { EngineError } from '../../storage/errors.ts';
import type { TableHashKey } from '../../storage/keyspace/table-hash.ts';
import { StateMachine } from '../../storage/state-machine.ts';
import { UNIT_HEAD } from '../../storage/transaction-body.ts';
import { ReplyWriter } from '../../transport/resp/codec/encoder.ts';
import { UnitReplies } from '../../transport/resp/connection/unit-replies.ts';
import { AppliedSlots } from '../accord/local/applied-slots.ts';
import type { Execution } from '../accord/local/effects.ts';
import { keyOf } from '../accord/primitives/timestamp.ts';
import { LineageError } from '../log/lineage.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import { EXPIRE_BYTES_MAX, EXPIRE_KEYS_MAX } from './expiry.ts';
import type { CoordinatorActorMessage, ExecutorMessage, ReplicaActorMessage } from './messages.ts';
import type { PendingUnit } from './pending-unit.ts';

interface ExecutorOptions {
  /** undefined while the engine of the incarnation before is still closing. */
  readonly openEngine: () => Engine | undefined;
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
  /** Replies of one unit; longer ones become one error, and the writes stand. */
  readonly replyBytesMax: number;
  readonly replica: ActorRef<ReplicaActorMessage>;
  readonly coordinator: ActorRef<CoordinatorActorMessage>;
  /** The cluster's time, for the deadlines that ephemeral reads look at. */
  readonly nowMs: () => number;
  readonly observe: (machine: StateMachine) => void;
  /** Units and reads of clients that may wait while the engine is opened. */
  readonly earlyMax?: number | undefined;
  /** A flush found no room, or room again. */
  readonly onDiskFull: (full: boolean) => void;
}

/** How soon a flush that found no room is tried again. */
const DISK_FULL_RETRY_MS = 5_000;

type Handed = Extract<ExecutorMessage, { readonly type: 'Execute' | 'Read' }>;

/** A transaction on its way through the state machine, unit by unit. */
interface Application {
  readonly execution: Execution;
  /** Absent where no client of this node waits. */
  readonly units: readonly PendingUnit[] | undefined;
  /** Where in the body the next unit begins, and its number. */
  at: number;
  unit: number;
}

/** How soon a store that is still closing is tried again. */
const OPEN_AGAIN_MS = 5;
/** Units and reads of clients that wait for the engine. */
const EARLY_MAX = 65_536;

/**
 * Waits for the engine, then runs. A commit that the incarnation before has begun must have landed
 * or be lost before anybody reads what the engine holds.
 */
export function executorActor(
  context: ActorContext<ExecutorMessage>,
  options: ExecutorOptions,
): Behavior<ExecutorMessage> {
  let running: Behavior<ExecutorMessage> | undefined;
  let early: ExecutorMessage[] = [];

  function open(): void {
    let engine: Engine | undefined;
    try {
      engine = options.openEngine();
    } catch (error) {
      // What is missing or damaged does not come back by starting again.
      if (error instanceof LineageError || error instanceof EngineError) context.fatal(error);
      throw error;
    }
    if (engine === undefined) {
      context.timers.start('open', OPEN_AGAIN_MS, { type: 'Open' });
      return;
    }
    running = runningExecutor(context, options, engine);
    for (const message of early) running.receive(message);
    early = [];
  }

  open();
  return {
    receive(message) {
      if (message.type === 'Open') open();
      else if (running !== undefined) running.receive(message);
      else early = heldBack(early, message, options.earlyMax ?? EARLY_MAX);
    },
    turnEnd: () => running?.turnEnd?.(),
    stopped: (reason) => running?.stopped?.(reason),
    describe: () => running?.describe?.() ?? { opening: true },
  };
}

/**
 * What is left to receive once the engine is open. Executions and reads that come so early are
 * meant for the incarnation before. A client that finds no place is told nothing: it times out.
 */
function heldBack(
  early: ExecutorMessage[],
  message: ExecutorMessage,
  earlyMax: number,
): ExecutorMessage[] {
  switch (message.type) {
    case 'Expect':
    case 'ExpectRead':
      if (early.length < earlyMax) early.push(message);
      return early;
    case 'Forget':
      return early.filter((held) => held.type !== 'Expect' || held.key !== message.key);
    case 'ForgetRead':
      return early.filter((held) => held.type !== 'ExpectRead' || held.token !== message.token);
    default:
      return early;
  }
}

function runningExecutor(
  context: ActorContext<ExecutorMessage>,
  options: ExecutorOptions,
  opened: Engine,
): Behavior<ExecutorMessage> {
  const { replyBytesMax, unflushedBytesMax } = options;
  const replica = context.outlet(options.replica);
  const coordinator = context.outlet(options.coordinator);
  const repliesTooLong = `ERR the replies exceed ${replyBytesMax} bytes; writes were done, ask for less`;
  const generation = context.incarnation;
  const engine = new LogFirstEngine(opened, (proceed) => awaitLog(proceed));
  const machine = new StateMachine({
    engine,
    cacheBytesMax: options.cacheBytesMax,
    dirtyBytesMax: options.dirtyBytesMax,
    unitWriteBytesMax: options.unitWriteBytesMax,
    tableHashKey: options.tableHashKey,
  });
  const slots = new AppliedSlots(machine.appliedSequence);
  const args = new Arguments();
  const writer = new ReplyWriter(2);
  const replies = new UnitReplies(writer);
  const expected = new Map<string, readonly PendingUnit[]>();
  const expectedReads = new Map<number, readonly PendingUnit[]>();
  /** Executions and reads in the replica's order that wait for a flush. */
  const handed: Handed[] = [];
  /** The transaction that waits for a flush between two of its units. */
  let halfDone: Application | undefined;
  /** Executions and reads of this generation that are done or begun: the replica's credit. */
  let taken = 0;
  let takenTold = 0;
  let executedKeys: string[] = [];
  let doneTokens: number[] = [];
  let retries: PendingUnit[] = [];
  let uncovered: PendingUnit[] = [];
  let proceedWithFlush: (() => void) | undefined;
  let notBeforeMs = 0;
  let nextFlushMs = context.clock.monotonicMs() + options.flushEveryMs;

  options.observe(machine);
  context.timers.startPeriodic('tick', 100, { type: 'Tick' });
  const { flushedSequence } = machine;
  replica.send({ type: 'ExecutorReady', flushedSequence, generation });

  /** The engine must not know a transaction that the log could still lose. */
  function awaitLog(proceed: () => void): void {
    proceedWithFlush = proceed;
    replica.send({ type: 'Sync', token: 0, replyTo: context.thisIncarnation });
  }

  /** All that was handed over, as far as there is room for what it changes. */
  function apply(): void {
    for (;;) {
      if (halfDone !== undefined && !goOn(halfDone)) return;
      const next = handed.shift();
      if (next === undefined) return;
      taken += 1;
      if (next.type === 'Read') read(next.token, next.barrierSequence);
      else begin(next.execution);
    }
  }

  function begin(execution: Execution): void {
    // What the replica has given its place in the very turn in which it hears of us comes twice:
    // among all that the engine does not hold, and as what is new. The machine would refuse it.
    if (execution.sequence <= machine.appliedSequence) return;
    machine.begin(execution.executeAt);
    halfDone = { execution, units: expected.get(keyOf(execution.id)), at: 0, unit: 0 };
  }

  /** `false`: the rest waits for the flush. */
  function goOn(application: Application): boolean {
    const { execution, units } = application;
    const { body, id, participants, sequence } = execution;
    while (application.at < body.length) {
      if (machine.unflushedBytes >= unflushedBytesMax) return false;
      const pending = units?.[application.unit];
      const { at } = application;
      application.at = pending === undefined ? runUnit(body, at) : answerUnit(pending, body, at);
      application.unit += 1;
    }
    machine.commit(sequence);
    halfDone = undefined;
    if (units !== undefined) executedKeys.push(keyOf(id));
    expected.delete(keyOf(id));
    slots.applied(participants, sequence);
    return true;
  }

  /** Returns where the next unit begins. */
  function runUnit(body: Uint8Array, start: number): number {
    let at = start;
    do {
      at = args.next(body, at);
      machine.run(args, NO_REPLY);
    } while (at < body.length && body[at] !== UNIT_HEAD);
    return at;
  }

  /** The same commands, and the replies that the unit is owed. */
  function answerUnit(pending: PendingUnit, body: Uint8Array, start: number): number {
    let at = start;
    replies.begin(pending.unit);
    let tooLong = false;
    for (let left = pending.count; left > 0; left -= 1) {
      at = args.next(body, at);
      replies.next();
      machine.run(args, tooLong ? NO_REPLY : writer);
      tooLong ||= writer.length > replyBytesMax;
    }
    const bytes = replies.finish();
    if (tooLong) pending.fail(repliesTooLong);
    else pending.complete(bytes);
    return at;
  }

  function read(token: number, barrierSequence: number): void {
    const units = expectedReads.get(token);
    if (units === undefined) return;
    expectedReads.delete(token);
    doneTokens.push(token);
    const nowMs = options.nowMs();
    for (const pending of units) {
      if (!slots.covers(pending.slots, barrierSequence)) uncovered.push(pending);
      else if (!readFor(pending, nowMs)) retries.push(pending);
    }
  }

  /** `false`: some key is past its deadline, and only a transaction may decide that it is gone. */
  function readFor(pending: PendingUnit, nowMs: number): boolean {
    const { unit } = pending;
    replies.begin(unit);
    let at = 0;
    for (let left = unit.count; left > 0; left -= 1) {
      at = args.next(unit.bytes, at);
      replies.next();
      const served = machine.read(args, nowMs, writer);
      const tooLong = writer.length > replyBytesMax;
      if (served && !tooLong) continue;
      writer.take();
      if (tooLong) pending.fail(repliesTooLong);
      return served;
    }
    pending.complete(replies.finish());
    return true;
  }

  function tellTurn(): void {
    if (taken > takenTold) replica.send({ type: 'Taken', generation, count: taken });
    if (executedKeys.length > 0) coordinator.send({ type: 'Executed', keys: executedKeys });
    if (retries.length > 0) coordinator.send({ type: 'Retry', units: retries });
    if (uncovered.length > 0) coordinator.send({ type: 'ReadAgain', units: uncovered });
    if (doneTokens.length > 0) coordinator.send({ type: 'ReadsDone', tokens: doneTokens });
    takenTold = taken;
    executedKeys = [];
    retries = [];
    uncovered = [];
    doneTokens = [];
  }

  function considerFlush(): void {
    if (machine.flushing) return;
    const nowMs = context.clock.monotonicMs();
    if (nowMs < notBeforeMs) return;
    const done = (error: EngineError | undefined): void => {
      // Refused only when this incarnation has ended; the next one asks the engine itself.
      tellOrDrop(context.thisIncarnation, { type: 'FlushDone', error });
    };
    if (halfDone !== undefined) {
      machine.flushBetweenUnits(done);
    } else {
      const due = machine.needsFlush || nowMs >= nextFlushMs;
      if (!due || machine.appliedSequence === machine.flushedSequence) return;
      machine.flush(done);
    }
    nextFlushMs = nowMs + options.flushEveryMs;
  }

  /** Nothing is lost: what was to be written is kept in memory, and in the log. */
  function flushLater(): void {
    options.onDiskFull(true);
    notBeforeMs = context.clock.monotonicMs() + DISK_FULL_RETRY_MS;
  }

  function receive(message: ExecutorMessage): void {
    switch (message.type) {
      case 'Expect':
        expected.set(message.key, message.units);
        return;
      case 'ExpectRead':
        expectedReads.set(message.token, message.units);
        return;
      case 'Forget':
        expected.delete(message.key);
        return;
      case 'ForgetRead':
        expectedReads.delete(message.token);
        return;
      case 'Execute':
      case 'Read':
        if (message.generation !== generation) return;
        handed.push(message);
        return apply();
      case 'Durable': {
        const proceed = proceedWithFlush;
        proceedWithFlush = undefined;
        return proceed?.();
      }
      case 'FlushDone':
        if (message.error?.code === 'HOLO_STORE_DISK_FULL') return flushLater();
        if (message.error !== undefined) throw message.error;
        options.onDiskFull(false);
        replica.send({ type: 'Flushed', sequence: machine.flushedSequence });
        return apply();
      case 'FindExpired': {
        // While apply waits for the disk, removals would only wait behind it.
        if (halfDone !== undefined) return;
        const beforeMs = options.nowMs() - message.pastMs;
        const keys = machine.expired(EXPIRE_KEYS_MAX, beforeMs, EXPIRE_BYTES_MAX);
        const backlog = machine.expiryBacklog;
        // They stay expired: the next look finds them again.
        if (keys.length > 0) tellOrDrop(options.coordinator, { type: 'Expired', keys, backlog });
        return;
      }
      case 'Tick':
        return options.observe(machine);
    }
  }

  return {
    receive(message) {
      try {
        return receive(message);
      } catch (error) {
        // Damage does not heal by starting again, and every new try would only ask for more.
        if (error instanceof EngineError && error.code === 'HOLO_STORE_DAMAGED') {
          return context.fatal(error);
        }
        throw error;
      }
    },
    turnEnd() {
      tellTurn();
      considerFlush();
    },
    stopped() {
      engine.close();
    },
    describe: () => ({
      appliedSequence: machine.appliedSequence,
      flushedSequence: machine.flushedSequence,
      keys: machine.size,
      cachedKeys: machine.cachedKeys,
      cacheBytes: machine.cacheBytes,
      dirtyBytes: machine.dirtyBytes,
      unflushedBytes: machine.unflushedBytes,
      waiting: handed.length + (halfDone === undefined ? 0 : 1),
      kept: replica.kept + coordinator.kept,
    }),
  };
}

/** An engine that commits only after the log is durable up to what the commit holds. */
class LogFirstEngine implements Engine {
  readonly #engine: Engine;
  readonly #whenLogged: (proceed: () => void) => void;

  constructor(engine: Engine, whenLogged: (proceed: () => void) => void) {
    this.#engine = engine;
    this.#whenLogged = whenLogged;
  }

  get meta(): Engine['meta'] {
    return this.#engine.meta;
  }

  get(...key: Parameters<Engine['get']>): ReturnType<Engine['get']> {
    return this.#engine.get(...key);
  }

  page(position: number, limit: number): ReturnType<Engine['page']> {
    return this.#engine.page(position, limit);
  }

  commit(batch: FlushBatch, done: (error: EngineError | undefined) => void): void {
    this.#whenLogged(() => this.#engine.commit(batch, done));
  }

  close(closed?: () => void): void {
    this.#engine.close(closed);
  }
}
