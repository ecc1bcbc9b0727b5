/**
 * The work of one group in the shell of a store's coordinators: parts that wait for their batch,
 * and the number of barriers in flight.
 */
import type { BareOks } from '../accord/messages/bare-ok.ts';
import type { TxnId } from '../accord/primitives/timestamp.ts';
import type { Group } from '../accord/topology/group.ts';
import { Batcher, type BatchLimits } from './batcher.ts';
import { ExpiryRounds } from './expiry.ts';

export class GroupWork {
  readonly group: Group;
  readonly batcher: Batcher;
  readonly expiry: ExpiryRounds;
  /** Replies that are counted elsewhere; absent where all replies come as messages. */
  readonly bareOks: BareOks | undefined;
  /** Members (bit set) whose plain replies are counted below the actors. */
  expected: number;
  /** Read barriers under way. */
  barriers = 0;
  /** The last proposal to end it, when it was begun, and how long the next one waits. */
  closing:
    | { readonly id: TxnId | undefined; readonly begunMs: number; readonly waitMs: number }
    | undefined;

  constructor(
    group: Group,
    batch: Partial<BatchLimits>,
    expiryMsMax: number,
    bareOks: BareOks | undefined,
    expected: number,
  ) {
    this.group = group;
    this.batcher = new Batcher(batch);
    this.expiry = new ExpiryRounds(group.id, expiryMsMax);
    this.bareOks = bareOks;
    this.expected = expected;
    bareOks?.expect(expected);
  }
}
