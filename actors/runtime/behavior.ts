/**
 * The parts of an actor: its behavior, the context that the runtime hands to it, and the child spec
 * by which a supervisor starts it. Types only; every actor shell imports this file, and nothing
 * here knows nact, mailboxes or supervisors.
 */
import type { ActorRef } from './actor-ref.ts';
import type { Outlet } from './cells/outlet.ts';
import type { Clock, Rng } from './ports/ports.ts';
import type { TraceRecorder } from './trace/trace-recorder.ts';

/**
 * Why an incarnation ended. `shutdown`: its supervisor asked. `killed`: it was asked and did not
 * end in time. `crash`: it threw. `fatal`: an actor of the system declared a failure that no
 * restart can repair.
 */
export type ExitReason =
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'killed' }
  | { readonly kind: 'crash'; readonly error: unknown }
  | { readonly kind: 'fatal'; readonly error: unknown };

/** The report of a death watch. */
export interface ActorExit {
  readonly path: string;
  readonly reason: ExitReason;
  /** `true`: the mailbox still takes messages for the next incarnation. `false`: it is over. */
  readonly restarting: boolean;
}

/**
 * An actor's code. All methods are synchronous: work that takes time is started here and its
 * completion comes back as a message. A handler that returns a promise is treated as a crash.
 */
export interface Behavior<in M> {
  receive(message: M): void;
  /**
   * After the last message of a turn: the place for what is done once per turn and not per
   * message.
   */
  turnEnd?(): void;
  /** The last call of this incarnation: close what it opened. Exceptions are only recorded. */
  stopped?(reason: ExitReason): void;
  /** A small, serializable picture of the state for the console. */
  describe?(): unknown;
}

export type TimerKey = string | number;

/** Timers of one incarnation; they all end with it. Resolution: one millisecond, never early. */
export interface Timers<in M> {
  /**
   * Delivers the message once after `delayMs`; a timer with the same key is replaced, also one that
   * has expired and was not received. Timer messages are never refused by a full mailbox. Throws
   * when the actor has `TIMERS_MAX` timers.
   */
  start(key: TimerKey, delayMs: number, message: M): void;
  /** Delivers every `periodMs`; at most one undelivered message per key. */
  startPeriodic(key: TimerKey, periodMs: number, message: M): void;
}

export interface ActorContext<M> {
  /** Stays valid over restarts. */
  readonly self: ActorRef<M>;
  /**
   * Like `self`, but ends with this incarnation: for completions of work that a later incarnation
   * must not see (its tells become dead letters then). A full mailbox does not refuse them: they
   * have `OWN_MAX` places of their own.
   */
  readonly thisIncarnation: ActorRef<M>;
  /** 1 for the first start, then one more with each restart. */
  readonly incarnation: number;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly timers: Timers<M>;
  /**
   * Death watch: `make` builds a message each time an incarnation of that actor ends, until it has
   * ended for good. Watching an actor that is already gone reports at once. The message is never
   * refused by a full mailbox. Throws for refs of another system, and over `WATCHES_MAX` watches.
   */
  watch(ref: ActorRef<never>, make: (exit: ActorExit) => M): void;
  /**
   * A channel to another actor that loses no message for lack of room. It ends with this
   * incarnation; messages still queued then become dead letters. Create it once, not per message.
   */
  outlet<T>(target: ActorRef<T>, keptMax?: number): Outlet<T>;
  /**
   * For what a restart cannot repair (a broken protocol invariant, an fsync error): ends the whole
   * system at once. Does not return; hence to be called within a handler, as a callback of the
   * operating system would pass the exception on to the process.
   */
  fatal(error: unknown): never;
  /** Notes a rare step in the trace, by name. */
  trace(txn: string, step: string): void;
  /** For what is noted of every transaction. */
  readonly recorder: TraceRecorder;
}

/** How a supervisor starts, restarts and stops one actor (after OTP's child specification). */
export interface ChildSpec<M> {
  /** Unique among siblings; letters, digits and `. _ : @ -`. */
  readonly name: string;
  /** How long the actor may take to end when it is asked, before it is killed. */
  readonly shutdownMs: number;
  readonly mailboxMax: number;
  /** Places beyond `mailboxMax` for completions (`thisIncarnation`); `OWN_MAX` by default. */
  readonly ownMax?: number;
  /** Called for each incarnation; must build its state from durable facts only. */
  readonly start: (context: ActorContext<M>) => Behavior<M>;
}
