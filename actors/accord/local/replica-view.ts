/**
 * The view of a replica for checks that run beside it, and for tests. Read only; only the replica's
 * own handlers change the state behind it.
 */
import type { Participants } from '../primitives/participants.ts';
import type { Timestamp, TxnId } from '../primitives/timestamp.ts';
import type { Command } from './command.ts';

export type CommandView = Readonly<Omit<Command, 'waiters' | 'checked'>>;

export interface ReplicaSizes {
  readonly commands: number;
  readonly unapplied: number;
  readonly indexed: number;
  readonly ordered: number;
}

export interface ReplicaView {
  readonly self: number;
  readonly commands: ReadonlyMap<string, CommandView>;
  readonly unapplied: ReadonlySet<CommandView>;
  readonly rejectBefore: Timestamp;
  readonly redundantBefore: Timestamp;
  readonly durableBefore: Timestamp;
  readonly sequence: number;
  readonly flushedSequence: number;
  readonly retainedBytes: number;
  readonly heldBytes: number;
  readonly clockUs: number;
  readonly sizes: ReplicaSizes;
  find(id: TxnId): CommandView | undefined;
  isRedundant(id: TxnId): boolean;
  /** The highest time that was ever voted for, proposed or decided on these slots. */
  maxConflict(participants: Participants): Timestamp;
}
