/**
 * The picture of the actor tree for the console, metrics and tests: plain, serializable records.
 * Taken by `ActorSystem.inspect`, outside of the actors' turns.
 */

/**
 * `down`: between two incarnations, the mailbox takes messages. `retired`: over, everything is
 * refused.
 */
export type ActorState = 'running' | 'down' | 'retired';

export interface CrashInspection {
  readonly atMs: number;
  readonly error: string;
  readonly stack: string | undefined;
}

export interface ActorInspection {
  readonly kind: 'actor';
  readonly path: string;
  readonly state: ActorState;
  readonly isSuspended: boolean;
  readonly incarnation: number;
  readonly restarts: number;
  /** Messages waiting in the mailbox. */
  readonly depth: number;
  readonly mailboxMax: number;
  readonly timers: number;
  readonly watchers: number;
  /** Messages and signals received, turns taken, and time spent in them, since the first start. */
  readonly processed: number;
  readonly turns: number;
  readonly busyMs: number;
  readonly lastCrash: CrashInspection | undefined;
  /** The result of the behavior's `describe`, if it has one. */
  readonly description: unknown;
}

export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';

export interface SupervisorInspection {
  readonly kind: 'supervisor';
  readonly path: string;
  readonly state: 'running' | 'restarting' | 'stopping' | 'down' | 'retired';
  readonly strategy: Strategy;
  readonly restartsMax: number;
  readonly periodMs: number;
  /** Restarts within the period that ends now; one more than `restartsMax` is a failure. */
  readonly restartsInPeriod: number;
  readonly restarts: number;
  readonly children: readonly Inspection[];
}

export type Inspection = ActorInspection | SupervisorInspection;

/** An error as text, for records that must not keep the error alive. */
export function errorText(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
