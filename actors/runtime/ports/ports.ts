/**
 * The ports of an actor to the outside world. In production they are the operating system and nact,
 * in the simulator one seed and virtual time; nothing else in a node reads a clock or rolls dice.
 */

export interface Clock {
  /** Wall clock in whole microseconds since the Unix epoch. It may jump, also backwards. */
  wallUs(): number;
  /** Milliseconds (fractions allowed) from an arbitrary start; never goes backwards. */
  monotonicMs(): number;
}

export interface Rng {
  /** Uniform in [0, 1). */
  next(): number;
}

export interface TimerHandle {
  cancel(): void;
}

/** One actor incarnation's place in the scheduler. */
export interface Waker {
  /** Asks for one later call of `onTurn`; calls before that turn are folded into it. */
  wake(): void;
  /** No turn begins after this. */
  stop(): void;
}

export interface Scheduler {
  /** `onTurn` runs in an event-loop turn of its own, never inside `wake`. */
  waker(name: string, onTurn: () => void): Waker;
  /** Calls back once, not before `delayMs` of monotonic time. */
  after(delayMs: number, callback: () => void): TimerHandle;
  /** Ends what the scheduler itself holds (the nact system). */
  close(): void;
}
