/**
 * Which replies of a store may leave when (the durability contract of `effects.ts`). Gathers the
 * records of a turn, and keeps the turn's replies until the log confirms them. At most `turnsMax`
 * turns are on their way to the disk; the records of later ones wait for the next place together.
 */
import type { AccordMessage } from '../messages/messages.ts';
import type { TxnId } from '../primitives/timestamp.ts';
import type { GroupId } from '../topology/group-id.ts';
import type { StoreEffect } from './effects.ts';
import type { EncodedRecord } from './journal.ts';
import type { Replica } from './replica.ts';
import type { StoreGroup } from './store-groups.ts';

/** Turns whose records are not on disk yet. */
const TURNS_MAX = 1_024;
/** So many turns that wait for the disk, or so long a wait: no recovery begins meanwhile. */
const LAGGING_TURNS = 32;
const LAGGING_MS = 500;

interface StoreReply {
  readonly group: GroupId;
  readonly to: number;
  readonly message: AccordMessage;
}

interface Opened {
  readonly replica: Replica;
  readonly id: TxnId;
}

interface Turn {
  readonly token: number;
  readonly closedMs: number;
  readonly replies: StoreReply[];
  readonly opened: readonly Opened[];
  /** Groups whose marks it holds, all of them. */
  readonly rewritten: Iterable<StoreGroup>;
  /** Once the turn is durable, the log need keep nothing below this LSN and below the turn. */
  readonly neededLsn: number | undefined;
  readonly bytes: number;
}

/** Performed when the turn's records are durable. */
interface DurableTurn {
  readonly replies: readonly StoreReply[];
  readonly truncateFromLsn: number | undefined;
}

export class TurnLog {
  readonly #turnsMax: number;
  /** Not durable yet, oldest first. */
  #turns: Turn[] = [];
  #lastToken = 0;
  #records: EncodedRecord[] = [];
  #recordBytes = 0;
  #appendedBytes = 0;
  #replies: StoreReply[] = [];
  #opened: Opened[] = [];
  #urgent = false;
  /** With what these groups need beside their marks. */
  #rewritten = new Map<StoreGroup, number>();
  #confirmedLsn = 0;

  constructor(turnsMax: number = TURNS_MAX) {
    this.#turnsMax = turnsMax;
  }

  /** Bytes of records that are not on disk. */
  get unloggedBytes(): number {
    return this.#appendedBytes + this.#recordBytes;
  }

  get turns(): number {
    return this.#turns.length;
  }

  /** The disk is so far behind that nothing should be begun that can wait. */
  lags(nowMs: number): boolean {
    const oldest = this.#turns[0];
    if (oldest !== undefined && nowMs - oldest.closedMs > LAGGING_MS) return true;
    if (this.#turns.length >= this.#turnsMax) return this.hasRecords;
    return this.#turns.length > LAGGING_TURNS;
  }

  /** Records wait for a place among the turns. */
  get hasRecords(): boolean {
    return this.#records.length > 0;
  }

  add(record: EncodedRecord, urgent: boolean): void {
    this.#records.push(record);
    for (const part of record.parts) this.#recordBytes += part.length;
    if (urgent) this.#urgent = true;
  }

  /** The record that was added last is one of this transaction. */
  open(opened: Opened): void {
    this.#opened.push(opened);
  }

  reply(reply: StoreReply): void {
    this.#replies.push(reply);
  }

  /** The records that were added last are all marks of this group; else it needs what follows. */
  rewritten(group: StoreGroup, fromLsn: number): void {
    this.#rewritten.set(group, fromLsn);
  }

  /** All records that are not durable yet lie above. */
  get confirmedLsn(): number {
    return this.#confirmedLsn;
  }

  /**
   * All records of the turn as one append, and the replies that wait for nothing. Marks make older
   * records needless (`neededLsn` says which) when the turn that holds them is durable.
   */
  close(
    nowMs: number,
    neededLsn: (rewritten: ReadonlyMap<StoreGroup, number>, confirmedLsn: number) => number,
  ): {
    readonly append: Extract<StoreEffect, { readonly type: 'Append' }> | undefined;
    readonly replies: readonly StoreReply[];
  } {
    if (!this.hasRecords) return { append: undefined, replies: this.#takeFree() };
    if (this.#turns.length >= this.#turnsMax) return { append: undefined, replies: [] };
    this.#lastToken += 1;
    const token = this.#lastToken;
    const records = this.#records;
    const urgent = this.#urgent;
    this.#turns.push({
      token,
      closedMs: nowMs,
      replies: this.#replies,
      opened: this.#opened,
      rewritten: this.#rewritten.keys(),
      neededLsn:
        this.#rewritten.size === 0 ? undefined : neededLsn(this.#rewritten, this.#confirmedLsn),
      bytes: this.#recordBytes,
    });
    this.#appendedBytes += this.#recordBytes;
    this.#replies = [];
    this.#records = [];
    this.#recordBytes = 0;
    this.#opened = [];
    this.#urgent = false;
    this.#rewritten = new Map();
    return { append: { type: 'Append', token, records, urgent }, replies: [] };
  }

  /** Without records of their own, replies go with those before them, or at once. */
  #takeFree(): readonly StoreReply[] {
    const replies = this.#replies;
    this.#replies = [];
    const last = this.#turns.at(-1);
    if (last === undefined) return replies;
    last.replies.push(...replies);
    return [];
  }

  durable(token: number, firstLsn: number): DurableTurn {
    const [turn] = this.#turns;
    if (turn === undefined || turn.token !== token) {
      throw new Error(`the WalWriter confirms ${token} out of order`);
    }
    this.#turns = this.#turns.slice(1);
    this.#appendedBytes -= turn.bytes;
    this.#confirmedLsn = firstLsn;
    for (const { replica, id } of turn.opened) replica.logged(id, firstLsn);
    for (const group of turn.rewritten) group.marksLsn = firstLsn;
    const { replies, neededLsn } = turn;
    const truncateFromLsn = neededLsn === undefined ? undefined : Math.min(neededLsn, firstLsn);
    return { replies, truncateFromLsn };
  }
}
