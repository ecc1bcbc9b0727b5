/**
 * The events of the flight recorder: one flat record per fact, loss-free as JSON lines
 * (docs/formats.md, "Traces"). The recorder makes these at dump time; the exporters and the console
 * turn them into pictures.
 */

interface TraceFact {
  /** Microseconds since the Unix epoch; a double leaves quarters of a microsecond. */
  readonly t: number;
  /** Index of the node; dumps of several nodes are merged by concatenation. */
  readonly node: number;
}

/** A sampled message left an actor (`from`) for the mailbox of another. */
interface SendEvent extends TraceFact {
  readonly kind: 'send';
  /** Unique within the node; the `recv` of the same message has the same. */
  readonly serial: number;
  readonly from: string;
  readonly to: string;
  readonly msg: string;
  readonly txn?: string;
}

/** A sampled message was handled, which took `durUs`; `depth` messages were waiting behind it. */
interface ReceiveEvent extends TraceFact {
  readonly kind: 'recv';
  readonly serial: number;
  readonly from: string;
  readonly to: string;
  readonly msg: string;
  readonly txn?: string;
  readonly durUs: number;
  readonly depth: number;
}

/** One turn of an actor: `messages` handled in `durUs`, `depth` left waiting at its end. */
interface TurnEvent extends TraceFact {
  readonly kind: 'turn';
  readonly actor: string;
  readonly durUs: number;
  readonly messages: number;
  readonly depth: number;
}

/** An incarnation failed (`text`: the error) or began (`text`: its number). */
interface LifecycleEvent extends TraceFact {
  readonly kind: 'crash' | 'restart';
  readonly actor: string;
  readonly text: string;
}

interface DeadLetterEvent extends TraceFact {
  readonly kind: 'dead-letter';
  readonly actor: string;
  readonly msg: string;
  readonly reason: string;
}

/** A protocol step of a transaction, noted by the actor that took it. */
export interface TxnEvent extends TraceFact {
  readonly kind: 'txn';
  readonly actor: string;
  readonly txn: string;
  readonly step: string;
}

/**
 * A message that concerns transactions, of the protocol or between the actors of a store: `out` as
 * it leaves an actor, `in` as one receives it. All are recorded. The two ends have no number in
 * common: `message-pairs.ts` finds which belong together.
 */
export interface EndEvent extends TraceFact {
  readonly kind: 'out' | 'in';
  /** Of the node's events: their true order, whatever the times. */
  readonly seq: number;
  readonly actor: string;
  /** Absent where it concerns a whole turn (the log's). */
  readonly txn?: string;
  readonly msg: string;
  /** The node at the other end, or this one. */
  readonly peer: number;
  /** Time of a vote or a decision, ballot, place in the order, or token: by message. */
  readonly value: number;
}

/** Something that happened to a transaction at an actor. */
export interface StepEvent extends TraceFact {
  readonly kind: 'step';
  readonly seq: number;
  readonly actor: string;
  readonly txn?: string;
  readonly step: string;
  readonly value: number;
  /** Commands of a transaction that begins. */
  readonly count?: number;
  /** The transaction that it depends on, or waits for. */
  readonly on?: string;
}

export type TraceEvent =
  | EndEvent
  | StepEvent
  | SendEvent
  | ReceiveEvent
  | TurnEvent
  | LifecycleEvent
  | DeadLetterEvent
  | TxnEvent;

/** Stands for socket callbacks, timers and everything else that is not an actor's turn. */
export const OUTSIDE = 'outside';
