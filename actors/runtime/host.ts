/**
 * The services of an actor system to its cells and supervisors. Built once by the system and shared
 * by all cells, so nothing in here belongs to one actor.
 */
import type { ExitReason } from './behavior.ts';
import type { DeadLetterReason, DeadLetters } from './cells/dead-letters.ts';
import type { Inspection } from './inspection.ts';
import type { Clock, Rng, Scheduler } from './ports/ports.ts';
import type { TimerWheel } from './ports/timer-wheel.ts';
import type { TraceRecorder } from './trace/trace-recorder.ts';

/** Counts since the start of the system, for metrics. */
export interface RuntimeTotals {
  turns: number;
  messages: number;
  crashes: number;
  restarts: number;
}

/** `path` ended for `reason`; its supervisor starts it again, with the siblings that rely on it. */
export interface RestartNotice {
  readonly path: string;
  readonly reason: ExitReason;
  readonly delayMs: number;
}

export interface Host {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly scheduler: Scheduler;
  readonly wheel: TimerWheel;
  readonly deadLetters: DeadLetters;
  readonly recorder: TraceRecorder;
  readonly totals: RuntimeTotals;
  /** Counts, keeps and traces an undelivered message. */
  deadLetter(to: string, message: unknown, reason: DeadLetterReason): void;
  /** Makes an actor or supervisor known by its path; throws when the path is taken. */
  register(child: Child): void;
  forget(child: Child): void;
  /** An actor met a failure that no restart can repair: everything ends now. */
  fatal(path: string, error: unknown): void;
  /** A supervisor is about to start a child again. */
  restarting(restart: RestartNotice): void;
}

/** A child of a supervisor: an actor or another supervisor. */
export interface Child {
  readonly path: string;
  readonly name: string;
  /** How long the child may take to end when asked; Infinity: it has limits of its own. */
  readonly shutdownMs: number;
  /** An incarnation exists: it runs or is being ended. */
  readonly isAlive: boolean;
  /** Starts the next incarnation. */
  begin(): void;
  /** Asks the incarnation to end; it reports its end to the supervisor. */
  shutdown(): void;
  /** Ends the incarnation at once, without another turn. */
  kill(reason: ExitReason): void;
  /** There will be no next incarnation: what waits becomes dead letters, the door closes. */
  retire(): void;
  inspect(describes: boolean): Inspection;
}

export interface Parent {
  readonly path: string;
  /** An incarnation of the child has ended; to be retired now or begun again later. */
  childExited(child: Child, reason: ExitReason): void;
}
