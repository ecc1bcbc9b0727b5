/**
 * The unit of one connection. It may outlive the connection: it still executes, and its replies are
 * dropped.
 */
import type { CallTally } from '../call-tally.ts';
import type { UnitContent } from './command-batch.ts';
import type { CommandUnit } from './command-unit.ts';

/** The connection, as its unit sees it. */
export interface UnitOwner {
  unitDone(unit: ConnectionUnit, replies: Uint8Array): void;
  /** The replies of a unit that failed as a whole. */
  failureOf(unit: ConnectionUnit, line: string): Uint8Array;
}

export class ConnectionUnit implements CommandUnit {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly readOnly: boolean;
  readonly wholeStore: boolean;
  readonly slots: readonly number[];
  readonly protocol: 2 | 3;
  readonly plan: CommandUnit['plan'];
  /** The client has asked for no reply (CLIENT REPLY SKIP). */
  readonly discarded: boolean;
  failed = false;
  readonly calls: CallTally;
  readonly startedMs: number;
  /** Indices of the commands that have answered an error. */
  errors: readonly number[] = [];
  readonly #owner: UnitOwner;

  constructor(
    owner: UnitOwner,
    content: UnitContent,
    startedMs: number,
    protocol: 2 | 3,
    discarded: boolean,
  ) {
    this.#owner = owner;
    this.startedMs = startedMs;
    this.calls = content.calls;
    this.bytes = content.bytes;
    this.count = content.count;
    this.readOnly = content.readOnly;
    this.wholeStore = content.wholeStore;
    this.slots = content.slots;
    this.protocol = protocol;
    this.plan = content.plan;
    this.discarded = discarded;
  }

  errorsAt(indices: readonly number[]): void {
    this.errors = indices;
  }

  complete(replies: Uint8Array): void {
    this.#owner.unitDone(this, replies);
  }

  fail(line: string): void {
    this.failed = true;
    this.#owner.unitDone(this, this.#owner.failureOf(this, line));
  }
}
