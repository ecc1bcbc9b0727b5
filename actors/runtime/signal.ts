/**
 * Notices of the runtime to an actor: an expired timer, a death, the order to end. Signals are
 * received in the actor's turn before all messages and never cross the end of an incarnation.
 */
export interface Signal {
  /** Runs in the actor's turn; what it throws crashes the actor. */
  deliver(): void;
  /** The message that is lost when `deliver` throws; undefined when there is none. */
  letter(): unknown;
}
