/**
 * What the pure core wants done. The shells perform effects in order and decide nothing.
 *
 * Durability contract: a `Reply` leaves only when every record of the store that came before it in
 * the stream of effects is on disk; a `Send` may leave at once (it claims nothing).
 */

import type { AccordMessage, CommandDefinition } from '../messages/messages.ts';
import type { Participants } from '../primitives/participants.ts';
import type { Timestamp, TxnId } from '../primitives/timestamp.ts';
import type { JournalRecord } from './journal.ts';

export type Effect =
  | { readonly type: 'Send'; readonly to: number; readonly message: AccordMessage }
  | { readonly type: 'Reply'; readonly to: number; readonly message: AccordMessage }
  /** `urgent`: a reply waits for it; else it may ride with a later sync. */
  | { readonly type: 'Persist'; readonly record: JournalRecord; readonly urgent: boolean }
  | { readonly type: 'Execute'; readonly execution: Execution }
  /**
   * All that the read must see has been handed to the executor. `barrierSequence`: the last
   * execution that had been handed over when the barrier began.
   */
  | { readonly type: 'Read'; readonly token: number; readonly barrierSequence: number }
  /** A transaction of this node's coordinator can never execute. */
  | { readonly type: 'Refused'; readonly id: TxnId }
  /** Somebody must find out what became of it. */
  | {
      readonly type: 'Recover';
      readonly id: TxnId;
      readonly definition: CommandDefinition | undefined;
    }
  /**
   * The log need not keep anything below this LSN for the protocol's sake, once every record that
   * came before this effect is on disk; nor anything below those of this turn, if it is above.
   */
  | { readonly type: 'LogNeeded'; readonly fromLsn: number }
  | { readonly type: 'Trace'; readonly event: string; readonly id: TxnId | undefined }
  /**
   * A message denies a fact that is known here: it had no effect. Either this node is wrong or the
   * sender is; which one, a human must find out. `from` may be this node itself.
   */
  | {
      readonly type: 'Contradicted';
      readonly from: number;
      readonly message: AccordMessage['type'];
      readonly reason: string;
    };

/** One transaction whose turn has come. Sequences are consecutive. */
export interface Execution {
  readonly id: TxnId;
  readonly executeAt: Timestamp;
  readonly participants: Participants;
  readonly body: Uint8Array;
  readonly sequence: number;
}
