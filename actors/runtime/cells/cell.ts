/**
 * One actor over all its incarnations: bounded mailbox, lifecycle, and the turn in which its
 * behavior receives. Made by a supervisor, which decides what happens after an end; the cell itself
 * never restarts anything and never loses a message without a dead letter.
 */
import type { ActorRef, Offered, RoomWaiter } from '../actor-ref.ts';
import type { ActorExit, Behavior, ChildSpec, ExitReason } from '../behavior.ts';
import type { Child, Host, Parent } from '../host.ts';
import {
  type ActorInspection,
  type ActorState,
  type CrashInspection,
  errorText,
} from '../inspection.ts';
import type { Waker } from '../ports/ports.ts';
import type { Signal } from '../signal.ts';
import type { SampledEdge, TraceRecorder } from '../trace/trace-recorder.ts';
import { CellRef, refusePromise } from './cell-ref.ts';
import type { DeadLetterReason } from './dead-letters.ts';
import {
  Incarnation,
  type IncarnationOwner,
  TIMERS_MAX,
  WATCHES_MAX,
  type Watcher,
  type WatchTarget,
} from './incarnation.ts';
import { Mailbox } from './mailbox.ts';
import { WaitingLine } from './outlet.ts';

/**
 * A turn ends after this many messages or this long, so that sockets and other actors get theirs.
 */
export const TURN_MESSAGES_MAX = 1_024;
export const TURN_MS_MAX = 4;
/** Completions of its own work that an actor may always be told, however full its mailbox is. */
const OWN_MAX = 65_536;
/** The clock is read once per this many messages of a turn. */
const MESSAGES_PER_CLOCK_READ = 64;
/** Orders to end that one incarnation takes. */
const ORDERS_MAX = 1_024;
/** All timers of an actor may ring, and all it watches may end, before its next turn. */
const SIGNALS_MAX = TIMERS_MAX + WATCHES_MAX + ORDERS_MAX;
const NO_EDGE = -1;
const NO_MESSAGE = Symbol('no message');
/** In the place of a message that only an incarnation was to receive that has ended. */
const STALE = Symbol('stale');

export class Cell<M> implements Child, IncarnationOwner<M>, WatchTarget {
  readonly name: string;
  readonly path: string;
  readonly shutdownMs: number;
  readonly ref: ActorRef<M>;
  readonly traceId: number;
  readonly #spec: ChildSpec<M>;
  readonly #parent: Parent;
  readonly #host: Host;
  readonly #recorder: TraceRecorder;
  readonly #mailbox: Mailbox<M | typeof STALE>;
  readonly #watchers = new Set<Watcher>();
  /** Senders that the full mailbox has refused. */
  readonly #line = new WaitingLine();
  readonly #edges: SampledEdge[] = [];
  #signals = new Mailbox<Signal>(SIGNALS_MAX);
  #nextEdge = NO_EDGE;
  #turnHops = 0;

  #state: ActorState = 'retired';
  #behavior: Behavior<M> | undefined;
  #life: Incarnation<M> | undefined;
  #waker: Waker | undefined;
  #incarnation = 0;
  #leaving: ExitReason | undefined;
  #lastExit: ExitReason = { kind: 'shutdown' };
  #isAwake = false;
  #isInTurn = false;
  #isSuspended = false;
  #deadlineMs = 0;
  #underWay: unknown = NO_MESSAGE;

  #processed = 0;
  #turns = 0;
  #busyMs = 0;
  #lastCrash: CrashInspection | undefined;

  constructor(spec: ChildSpec<M>, parent: Parent, host: Host) {
    if (!(spec.shutdownMs >= 0 && spec.shutdownMs < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`${spec.name}: shutdownMs ${spec.shutdownMs} is not a bound`);
    }
    this.#spec = spec;
    this.#parent = parent;
    this.#host = host;
    this.#recorder = host.recorder;
    this.name = spec.name;
    this.path = `${parent.path}/${spec.name}`;
    this.shutdownMs = spec.shutdownMs;
    this.traceId = host.recorder.register(this.path);
    this.#mailbox = new Mailbox(spec.mailboxMax, spec.ownMax ?? OWN_MAX);
    this.ref = new CellRef(this);
  }

  get isAlive(): boolean {
    return this.#life !== undefined;
  }

  /** Between two incarnations. */
  get isDown(): boolean {
    return this.#state === 'down';
  }

  get host(): Host {
    return this.#host;
  }

  // --- messages in ---

  tell(message: M): boolean {
    if (this.#state === 'retired') return this.#refuse(message, 'stopped');
    if (!this.#mailbox.offer(message)) return this.#refuse(message, 'full');
    return this.#taken(message);
  }

  offer(message: M, waiter: RoomWaiter): Offered {
    if (this.#state === 'retired') {
      this.deadLetter(message, 'stopped');
      return 'gone';
    }
    if (this.#mailbox.offer(message)) {
      this.#taken(message);
      return 'taken';
    }
    this.#line.add(waiter);
    return 'full';
  }

  tellOwn(message: M): boolean {
    if (!this.#mailbox.offerOwn(message)) return this.#refuse(message, 'full');
    return this.#taken(message);
  }

  #taken(message: M): true {
    if (this.#recorder.samples()) this.#noteSend(message);
    if (!this.#isAwake) this.#wake();
    return true;
  }

  post(signal: Signal): void {
    if (!this.#signals.offer(signal)) this.#refuse(signal.letter(), 'full');
    if (!this.#isAwake) this.#wake();
  }

  deadLetter(message: unknown, reason: DeadLetterReason): void {
    this.#host.deadLetter(this.path, message, reason);
  }

  // --- lifecycle, driven by the supervisor ---

  begin(): void {
    this.#incarnation += 1;
    this.#leaving = undefined;
    this.#state = 'running';
    this.#isAwake = false;
    const waker = this.#host.scheduler.waker(`${this.path}.${this.#incarnation}`, () =>
      this.#turn(),
    );
    const life = new Incarnation<M>(this, this.#host, this.#incarnation);
    this.#waker = waker;
    this.#life = life;
    if (this.#incarnation > 1) {
      this.#host.totals.restarts += 1;
      this.#recorder.restart(this.traceId, this.#host.clock.monotonicMs(), this.#incarnation);
    }
    const crash = this.#start(life);
    this.#goOn(this.#endOf(crash));
  }

  /** The order to end comes before all messages that wait; a crash on the way is an end as well. */
  shutdown(): void {
    if (this.#life === undefined) return;
    this.post({ deliver: () => this.#stopOrdered(), letter: () => undefined });
  }

  kill(reason: ExitReason): void {
    if (this.#life === undefined) return;
    this.#leaving = reason;
    // A running handler cannot be interrupted: the turn ends after the present message.
    if (!this.#isInTurn) this.#exit(reason);
  }

  retire(): void {
    if (this.#state === 'retired') return;
    this.#state = 'retired';
    this.#drop();
    this.#callWaiters();
    this.#notifyWatchers(false);
    this.#watchers.clear();
  }

  /** For tests: the next turn throws this error, as if a message had made the handler throw it. */
  injectCrash(error: unknown): void {
    const deliver = (): void => {
      throw error;
    };
    this.post({ deliver, letter: () => undefined });
  }

  /** For tests: no turn takes place until `resume`; the mailbox fills up to its bound. */
  suspend(): void {
    this.#isSuspended = true;
  }

  resume(): void {
    this.#isSuspended = false;
    if (this.#waiting() > 0) this.#wake();
  }

  // --- what the incarnation asks of its cell ---

  receive(message: M): void {
    const result: unknown = this.#behavior?.receive(message);
    if (result !== undefined) refusePromise(result);
  }

  fatal(error: unknown): void {
    if (this.#leaving?.kind !== 'fatal') this.#leaving = { kind: 'fatal', error };
    // Called from a callback between turns: the end comes in a turn, like every end of its own.
    if (!this.#isInTurn && this.#behavior !== undefined) this.#wake();
  }

  watchTarget(ref: ActorRef<never>): WatchTarget {
    const door = ref instanceof CellRef ? ref.door() : undefined;
    if (door === undefined || door.host !== this.#host) {
      throw new TypeError(`"${ref.path}" is not an actor of this system`);
    }
    return door;
  }

  addWatcher(watcher: Watcher): void {
    if (this.#state !== 'retired') {
      this.#watchers.add(watcher);
      return;
    }
    watcher.exited({ path: this.path, reason: this.#lastExit, restarting: false });
  }

  removeWatcher(watcher: Watcher): void {
    this.#watchers.delete(watcher);
  }

  inspect(describes: boolean): ActorInspection {
    return {
      kind: 'actor',
      path: this.path,
      state: this.#state,
      isSuspended: this.#isSuspended,
      incarnation: this.#incarnation,
      restarts: Math.max(0, this.#incarnation - 1),
      depth: this.#mailbox.size,
      mailboxMax: this.#spec.mailboxMax,
      timers: this.#life?.timers.size ?? 0,
      watchers: this.#watchers.size,
      processed: this.#processed,
      turns: this.#turns,
      busyMs: this.#busyMs,
      lastCrash: this.#lastCrash,
      description: describes ? this.#describe() : undefined,
    };
  }

  // --- the turn ---

  #waiting(): number {
    return this.#mailbox.size + this.#signals.size;
  }

  #wake(): void {
    if (this.#waker === undefined) return;
    this.#isAwake = true;
    this.#waker.wake();
  }

  #turn(): void {
    this.#isAwake = false;
    const behavior = this.#behavior;
    if (behavior === undefined || this.#isSuspended) return;
    const startMs = this.#host.clock.monotonicMs();
    this.#deadlineMs = startMs + TURN_MS_MAX;
    const recorder = this.#recorder;
    const outer = recorder.current;
    recorder.current = this.traceId;
    recorder.txns.atMs = startMs;
    this.#isInTurn = true;
    const handledBefore = this.#processed;
    const crash = this.#receiveAll(behavior);
    this.#isInTurn = false;
    recorder.current = outer;
    recorder.hops = 0;

    const durMs = this.#host.clock.monotonicMs() - startMs;
    const handled = this.#processed - handledBefore;
    this.#busyMs += durMs;
    this.#turns += 1;
    this.#host.totals.turns += 1;
    this.#host.totals.messages += handled;
    recorder.turn(this.traceId, startMs, durMs, handled, this.#mailbox.size);
    this.#goOn(this.#endOf(crash));
  }

  /** After a turn or a start: ends, or admits waiting senders and schedules the next turn. */
  #goOn(end: ExitReason | undefined): void {
    if (end !== undefined) {
      this.#exit(end);
      return;
    }
    if (!this.#line.isEmpty) this.#callWaiters();
    if (!this.#isAwake && this.#waiting() > 0) this.#wake();
  }

  /** A forced end takes precedence over the handler's failure that followed. */
  #endOf(crash: ExitReason | undefined): ExitReason | undefined {
    return isForced(this.#leaving) ? this.#leaving : (crash ?? this.#leaving);
  }

  /** Everything of a turn that may throw. Returns how the actor ends, if it does. */
  #receiveAll(behavior: Behavior<M>): ExitReason | undefined {
    this.#turnHops = 0;
    try {
      const hadSignals = this.#signals.size > 0 && this.#drainSignals();
      const hadMessages = this.#mailbox.size > 0 && this.#drain(behavior);
      this.#underWay = NO_MESSAGE;
      this.#recorder.hops = this.#turnHops;
      if ((hadSignals || hadMessages) && !isForced(this.#leaving)) behavior.turnEnd?.();
      return undefined;
    } catch (error) {
      if (this.#underWay !== NO_MESSAGE) this.deadLetter(this.#underWay, 'crashed');
      this.#underWay = NO_MESSAGE;
      return { kind: 'crash', error };
    }
  }

  #drainSignals(): boolean {
    let left = this.#signals.open();
    while (left > 0 && this.#leaving === undefined) {
      left -= 1;
      const signal = this.#signals.take();
      this.#processed += 1;
      this.#underWay = signal.letter() ?? NO_MESSAGE;
      signal.deliver();
      if (left % MESSAGES_PER_CLOCK_READ === 0 && this.#isOverTime()) break;
    }
    return true;
  }

  #drain(behavior: Behavior<M>): boolean {
    const mailbox = this.#mailbox;
    let left = Math.min(mailbox.open(), TURN_MESSAGES_MAX);
    let untilClock = MESSAGES_PER_CLOCK_READ;
    while (left > 0 && this.#leaving === undefined) {
      left -= 1;
      const message = mailbox.take();
      if (message === STALE) {
        if (mailbox.taken === this.#nextEdge) this.#nextSampled();
        continue;
      }
      this.#underWay = message;
      this.#processed += 1;
      if (mailbox.taken === this.#nextEdge) this.#receiveSampled(message);
      else {
        const result: unknown = behavior.receive(message);
        if (result !== undefined) refusePromise(result);
      }
      untilClock -= 1;
      if (untilClock > 0) continue;
      untilClock = MESSAGES_PER_CLOCK_READ;
      if (this.#isOverTime()) break;
    }
    return true;
  }

  /** Their messages come from turns of their own and belong to no chain of messages here. */
  #callWaiters(): void {
    const mailbox = this.#mailbox;
    this.#line.call(() => mailbox.size < mailbox.max || this.#state === 'retired');
  }

  #isOverTime(): boolean {
    return this.#host.clock.monotonicMs() >= this.#deadlineMs;
  }

  #stopOrdered(): void {
    if (this.#leaving === undefined) this.#leaving = { kind: 'shutdown' };
  }

  // --- begin and end of an incarnation ---

  #start(life: Incarnation<M>): ExitReason | undefined {
    const outer = this.#recorder.current;
    this.#recorder.current = this.traceId;
    this.#isInTurn = true;
    try {
      const behavior = this.#spec.start(life);
      if (typeof behavior?.receive !== 'function') {
        throw new TypeError(`start of ${this.path} did not return a behavior`);
      }
      this.#behavior = behavior;
      return undefined;
    } catch (error) {
      return { kind: 'crash', error };
    } finally {
      this.#isInTurn = false;
      this.#recorder.current = outer;
    }
  }

  #exit(reason: ExitReason): void {
    const life = this.#life;
    const behavior = this.#behavior;
    if (life === undefined) return;
    this.#life = undefined;
    this.#behavior = undefined;
    this.#leaving = undefined;
    this.#waker?.stop();
    this.#waker = undefined;
    this.#isAwake = false;
    this.#state = 'down';
    this.#lastExit = reason;
    life.end();
    this.#signals = new Mailbox(SIGNALS_MAX);
    if (reason.kind === 'crash' || reason.kind === 'fatal') this.#noteCrash(reason.error);
    try {
      behavior?.stopped?.(reason);
    } catch (error) {
      this.#noteCrash(error);
    }
    for (const message of this.#mailbox.replaceOwn(STALE)) this.deadLetter(message, 'stale');
    this.#parent.childExited(this, reason);
    if (this.isDown) this.#notifyWatchers(true);
    if (reason.kind === 'fatal') this.#host.fatal(this.path, reason.error);
  }

  #noteCrash(error: unknown): void {
    const atMs = this.#host.clock.monotonicMs();
    const text = errorText(error);
    const stack = error instanceof Error ? error.stack : undefined;
    this.#lastCrash = { atMs, error: text, stack };
    this.#host.totals.crashes += 1;
    this.#recorder.crash(this.traceId, atMs, text);
  }

  #notifyWatchers(restarting: boolean): void {
    const exit: ActorExit = { path: this.path, reason: this.#lastExit, restarting };
    for (const watcher of [...this.#watchers]) watcher.exited(exit);
  }

  #drop(): void {
    const mailbox = this.#mailbox;
    while (mailbox.open() > 0) {
      const message = mailbox.take();
      if (message !== STALE) this.deadLetter(message, 'stopped');
    }
    this.#edges.length = 0;
    this.#nextEdge = NO_EDGE;
  }

  #refuse(message: unknown, reason: DeadLetterReason): false {
    this.deadLetter(message, reason);
    return false;
  }

  #describe(): unknown {
    try {
      return this.#behavior?.describe?.();
    } catch (error) {
      return errorText(error);
    }
  }

  // --- sampled messages ---

  #noteSend(message: M): void {
    const ordinal = this.#mailbox.lastOrdinal;
    this.#edges.push(this.#recorder.send(this.traceId, ordinal, message));
    if (this.#nextEdge === NO_EDGE) this.#nextEdge = ordinal;
  }

  #nextSampled(): SampledEdge | undefined {
    const edge = this.#edges.shift();
    this.#nextEdge = this.#edges[0]?.ordinal ?? NO_EDGE;
    return edge;
  }

  #receiveSampled(message: M): void {
    const edge = this.#nextSampled();
    if (edge === undefined) throw new Error(`${this.path}: a sampled message without its edge`);
    const recorder = this.#recorder;
    const mark = recorder.receive(this.traceId, edge, this.#mailbox.size, message);
    recorder.hops = edge.hops;
    this.#turnHops = Math.max(this.#turnHops, edge.hops);
    try {
      this.receive(message);
    } finally {
      recorder.hops = 0;
      recorder.handled(mark);
    }
  }
}

/** Ends that leave no room for the behavior to finish its turn. */
function isForced(reason: ExitReason | undefined): boolean {
  return reason?.kind === 'killed' || reason?.kind === 'fatal';
}
