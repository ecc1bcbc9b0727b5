/**
 * The events of the flight recorder: one flat record per fact, loss-free as JSON lines.
 * The recorder makes these at dump time; the exporters and the console turn them into pictures.
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

export type TraceEvent =
  | SendEvent
  | ReceiveEvent
  | TurnEvent
  | LifecycleEvent
  | DeadLetterEvent
  | TxnEvent;

/** Stands for socket callbacks, timers and everything else that is not an actor's turn. */
export const OUTSIDE = 'outside';

/** One JSON object per line. */
export function toJsonl(events: readonly TraceEvent[]): string {
  let text = '';
  for (const event of events) text += `${JSON.stringify(event)}\n`;
  return text;
}
