/**
 * WalWriter: the only one that writes and syncs the node's log. Takes records from every store,
 * commits them together as the sync policy says, and tells each store when its records are on
 * disk. Reads the log once at start and hands each store its records, group by group. Keeps the
 * clock's reservation (`clock-limits.ts`). A log that cannot be written any more stops the node: a
 * failed sync is never retried.
 */

import { NEVER, SyncPolicy, type SyncPolicyOptions } from '../../wal/sync-policy.ts';
import { WalError } from '../../wal/wal-error.ts';
import type { WriteAheadLog } from '../../wal/write-ahead-log.ts';
import { groupOfRecord } from '../accord/local/journal.ts';
import { STORE_MAX } from '../accord/primitives/timestamp.ts';
import { type GroupId, GroupMap } from '../accord/topology/group-id.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import { MESSAGE_CODES, STEP_CODES, tracedTurn } from '../runtime/trace/txn-steps.ts';
import {
  ClockLimits,
  decodeClockLimit,
  encodeClockLimit,
  NODE_RECORDS_FROM,
} from './clock-limits.ts';
import { LineageError } from './lineage.ts';

interface LogRecord {
  readonly type: number;
  readonly parts: readonly Uint8Array[];
}

interface ReplayedRecord {
  readonly lsn: number;
  readonly type: number;
  readonly payload: Uint8Array;
}

export type WalMessage =
  /** One turn's records of one store, in order. `urgent`: replies wait for them. */
  | {
      readonly type: 'Append';
      readonly store: number;
      readonly records: readonly LogRecord[];
      readonly urgent: boolean;
      readonly token: number;
      readonly replyTo: ActorRef<WalReply>;
    }
  | WalSync
  /** All records of a store, as they are on disk; what is pending is synced first. */
  | {
      readonly type: 'Replay';
      readonly store: number;
      readonly replyTo: ActorRef<WalAnswer>;
    }
  /** A store mints timestamps up to this limit soon: it must be in the log. */
  | { readonly type: 'Reserve'; readonly store: number; readonly limitUs: number }
  /** A store no longer needs what is below this LSN. */
  | { readonly type: 'Truncate'; readonly store: number; readonly fromLsn: number }
  | { readonly type: 'Timer' }
  | { readonly type: 'Watch' }
  | { readonly type: 'Open' }
  | { readonly type: 'Written'; readonly error: Error | undefined; readonly durableLsn: number };

/** Answers when everything appended so far is durable, under every policy. */
export interface WalSync {
  readonly type: 'Sync';
  /** Absent where the node itself asks. */
  readonly store?: number;
  readonly token: number;
  readonly replyTo: ActorRef<WalReply>;
}

export interface WalReply {
  readonly type: 'Durable';
  readonly token: number;
  /** LSN of the first record of that message; 0 for `Sync`. */
  readonly firstLsn: number;
}

interface WalReplay {
  readonly type: 'Replayed';
  readonly groups: readonly GroupRecords[];
  /** The highest limit of the clock in the log; 0: there is none. */
  readonly clockLimitUs: number;
}

/** While the log is read. */
interface FoundRecords extends GroupRecords {
  readonly records: ReplayedRecord[];
}

interface GroupRecords {
  readonly group: GroupId;
  readonly records: readonly ReplayedRecord[];
}

/** A limit of the clock is durable. Sent to every store, whichever requested it. */
interface WalClockLimit {
  readonly type: 'ClockLimit';
  readonly limitUs: number;
}

/** Only this store needs anything below this LSN. Repeated while it lasts. */
interface WalPinned {
  readonly type: 'LogPinned';
  readonly belowLsn: number;
}

/** Messages from the log to a store. */
export type WalAnswer = WalReply | WalReplay | WalClockLimit | WalPinned;

export interface WalOptions {
  /** All readers of this log. It is cut no further than each of them allows. */
  readonly stores: readonly number[];
  /** Opens the log and hands out every record on disk. Called again for each replay. */
  readonly open: (
    onRecord: (record: ReplayedRecord & { readonly store: number }) => void,
  ) => WriteAheadLog;
  readonly policy: SyncPolicyOptions;
  readonly observe?: (syncMs: number, log: WriteAheadLog) => void;
  /** From a turn's records to their being on disk. */
  readonly logged?: (ms: number) => void;
  /** The disk is full: nothing can be logged until there is room again. */
  readonly onDiskFull?: (full: boolean) => void;
  /** Messages that wait until the log is open. */
  readonly earlyMax?: number | undefined;
  /** A write has been under way for long, or is so no more. */
  readonly onStalled?: (stalled: boolean) => void;
}

/** A write of the log's last life is still under way: how soon to try again. */
const OPEN_AGAIN_MS = 5;
/** How soon a full disk is tried again. */
const DISK_FULL_RETRY_MS = 200;
/** A write that takes longer is reported. */
const STALLED_MS = 2_000;
const WATCH_EVERY_MS = 500;
/** Messages that wait until the log is open; stores have less under way (`TURNS_MAX`). */
const EARLY_MAX = 65_536;

interface Waiting {
  readonly lsn: number;
  /** It must be on disk; else what the policy asks for suffices. */
  readonly syncs: boolean;
  readonly reply: WalReply | WalClockLimit;
  /** Absent where all stores are told. */
  readonly replyTo: ActorRef<WalReply> | undefined;
  /** The turn's name in traces; 0: it is no turn's. */
  readonly turn: number;
  readonly sinceMs: number;
}

/** Segments, the newest included, that a store may need without being told that it pins the log. */
const PINNED_SEGMENTS = 2;
/** In place of the store, in the headers of the node's own records: no store has this number. */
export const NODE_STREAM = STORE_MAX;

export function walActor(
  context: ActorContext<WalMessage>,
  options: WalOptions,
): Behavior<WalMessage> {
  return new WalWriter(context, options);
}

class WalWriter implements Behavior<WalMessage> {
  readonly #context: ActorContext<WalMessage>;
  readonly #options: WalOptions;
  readonly #policy: SyncPolicy;
  readonly #needed = new Map<number, number>();
  /**
   * Stores that have read the log since this incarnation opened it. Other stores' records were sent
   * to the previous incarnation, which may have lost earlier ones: they would leave a gap.
   */
  readonly #readers = new Map<number, ActorRef<WalAnswer>>();
  readonly #limits = new ClockLimits();
  #waiting: Waiting[] = [];
  #replays: Array<Extract<WalMessage, { type: 'Replay' }>> = [];
  /** By store: records read and not handed out yet. */
  #found = new Map<number, GroupMap<FoundRecords>>();
  /** Stores whose records have been handed out: for more the log must be read again. */
  readonly #handed = new Set<number>();
  #log: WriteAheadLog | undefined;
  #early: WalMessage[] = [];
  #inFlight = false;
  /** At the last try; unknown at first, since the incarnation before may have reported it. */
  #full: boolean | undefined;
  #retrying = false;
  #pinnedToldLsn = 0;
  #stalled: boolean | undefined;
  #startedMs = 0;

  constructor(context: ActorContext<WalMessage>, options: WalOptions) {
    this.#context = context;
    this.#options = options;
    this.#policy = new SyncPolicy(options.policy);
    context.timers.startPeriodic('watch', WATCH_EVERY_MS, { type: 'Watch' });
    this.#tryOpen();
  }

  receive(message: WalMessage): void {
    const log = this.#log;
    if (log !== undefined) return this.#receive(message, log);
    if (message.type === 'Open') return this.#tryOpen();
    if (message.type === 'Watch') return this.#watch();
    // Sent to the previous incarnation, and lost with it.
    const isOfStore = message.type === 'Append' || message.type === 'Reserve';
    if (isOfStore && !this.#readers.has(message.store)) return;
    if (this.#early.length >= (this.#options.earlyMax ?? EARLY_MAX)) {
      throw new Error('too much waits for the log to open');
    }
    this.#early.push(message);
  }

  turnEnd(): void {
    if (this.#log !== undefined) this.#answer(this.#log);
    if (this.#log !== undefined) this.#replay(this.#log);
    if (this.#log !== undefined) this.#consider('turn', this.#log);
  }

  stopped(): void {
    this.#close();
  }

  describe() {
    const log = this.#log;
    return {
      open: log !== undefined,
      appendedLsn: log?.appendedLsn,
      durableLsn: log?.durableLsn,
      pendingBytes: log?.pendingBytes,
      bytes: log?.bytes,
      policy: this.#policy.name,
      full: this.#full,
      stalled: this.#stalled,
    };
  }

  #tryOpen(): void {
    const found = new Map<number, GroupMap<FoundRecords>>();
    let log: WriteAheadLog;
    try {
      log = this.#options.open(({ lsn, store, type, payload }) => {
        if (type >= NODE_RECORDS_FROM) {
          return this.#limits.found(decodeClockLimit(type, payload), lsn);
        }
        if (this.#handed.has(store)) return;
        const ofStore = found.get(store) ?? new GroupMap<FoundRecords>();
        found.set(store, ofStore);
        const group = groupOfRecord(payload);
        const ofGroup = ofStore.get(group);
        if (ofGroup === undefined) ofStore.set(group, { group, records: [{ lsn, type, payload }] });
        else ofGroup.records.push({ lsn, type, payload });
      });
    } catch (error) {
      if (!(error instanceof WalError || error instanceof LineageError)) throw error;
      // Damage does not heal by starting again.
      if (error.code !== 'HOLO_WAL_BUSY') this.#context.fatal(error);
      this.#context.timers.start('open', OPEN_AGAIN_MS, { type: 'Open' });
      return;
    }
    this.#log = log;
    this.#found = found;
    const waiting = this.#early;
    this.#early = [];
    for (const message of waiting) this.#receive(message, log);
  }

  #append(message: Extract<WalMessage, { type: 'Append' }>, log: WriteAheadLog): void {
    const firstLsn = log.appendedLsn + 1;
    const { records, urgent, store, token, replyTo } = message;
    const turn = tracedTurn(store, token);
    this.#note('in', MESSAGE_CODES.Append, turn);
    for (const { type, parts } of records) log.append(store, type, parts);
    const sinceMs = this.#context.clock.monotonicMs();
    const { length } = records;
    this.#policy.appended(urgent ? length : 0, urgent ? 0 : length, sinceMs);
    this.#waiting.push({
      lsn: log.appendedLsn,
      syncs: !this.#policy.syncsLater,
      reply: { type: 'Durable', token, firstLsn },
      replyTo,
      turn,
      sinceMs,
    });
    this.#consider('record', log);
  }

  #consider(moment: 'record' | 'turn', log: WriteAheadLog): void {
    if (this.#retrying) return;
    const nowMs = this.#context.clock.monotonicMs();
    const at = this.#policy.commitAt(moment, nowMs, this.#inFlight, log.pendingBytes);
    if (at === NEVER) {
      if (moment === 'turn' && this.#policy.syncsLater) this.#write(nowMs, log);
      return;
    }
    if (at > nowMs) {
      this.#context.timers.start('commit', at - nowMs, { type: 'Timer' });
      return;
    }
    this.#inFlight = true;
    this.#startedMs = nowMs;
    this.#policy.committed();
    log.commit(this.#tellWritten);
  }

  /** For a policy that syncs later: records outlive the process before replies do. */
  #write(nowMs: number, log: WriteAheadLog): void {
    if (this.#inFlight || log.writtenLsn === log.appendedLsn) return;
    this.#inFlight = true;
    this.#startedMs = nowMs;
    log.write(this.#tellWritten);
  }

  readonly #tellWritten = (error: WalError | undefined, durableLsn: number): void => {
    // Refused only when this incarnation has ended: its log is closed.
    tellOrDrop(this.#context.thisIncarnation, { type: 'Written', error, durableLsn });
  };

  #written(error: Error | undefined, log: WriteAheadLog): void {
    this.#inFlight = false;
    if (error instanceof WalError && error.code === 'HOLO_WAL_DISK_FULL') {
      // Nothing is lost: the records wait in memory, and so do the replies.
      this.#policy.appended(1, 0, this.#context.clock.monotonicMs());
      this.#tellFull(true);
      this.#retrying = true;
      this.#context.timers.start('commit', DISK_FULL_RETRY_MS, { type: 'Timer' });
      return;
    }
    if (error !== undefined) this.#context.fatal(error);
    this.#tellFull(false);
    const tookMs = this.#context.clock.monotonicMs() - this.#startedMs;
    this.#note('step', STEP_CODES.synced, tookMs);
    this.#options.observe?.(tookMs, log);
    this.#answer(log);
    this.#replay(log);
  }

  #note(kind: 'out' | 'in' | 'step', code: number, value: number): void {
    const { recorder } = this.#context;
    recorder.txns.ofNode(recorder.current, kind, code, value);
  }

  #tellFull(now: boolean): void {
    // Repeated while it lasts: a listener may have restarted in between.
    if (this.#full === now && !now) return;
    this.#full = now;
    this.#options.onDiskFull?.(this.#full);
  }

  #watch(): void {
    const now = this.#inFlight && this.#context.clock.monotonicMs() - this.#startedMs >= STALLED_MS;
    if (now !== this.#stalled) this.#options.onStalled?.(now);
    this.#stalled = now;
  }

  #answer(log: WriteAheadLog): void {
    let answered = 0;
    let isLimit = false;
    const nowMs = this.#context.clock.monotonicMs();
    for (const { lsn, syncs, reply, replyTo, turn, sinceMs } of this.#waiting) {
      if (lsn > (syncs ? log.durableLsn : log.writtenLsn)) break;
      if (reply.type === 'ClockLimit') {
        this.#limitDurable(reply, lsn);
        isLimit = true;
      }
      if (turn > 0) {
        this.#note('out', MESSAGE_CODES.Durable, turn);
        this.#options.logged?.(nowMs - sinceMs);
      }
      // The asker has room for each answer; refused only when that incarnation has ended.
      if (replyTo !== undefined) tellOrDrop(replyTo, reply as WalReply);
      answered += 1;
    }
    if (answered === 0) return;
    this.#waiting = this.#waiting.slice(answered);
    // Limits fill the log as well, also when no store has anything to cut.
    if (isLimit && !this.#limits.isUnderWay) this.#cut(log);
  }

  // ---- the clock's reservation ------------------------------------------------------------

  #reserve(limitUs: number, log: WriteAheadLog): void {
    if (limitUs <= this.#limits.durableUs) return this.#tellLimit();
    // Otherwise a record that is on its way answers.
    if (this.#limits.ask(limitUs)) this.#appendLimit(log, true, limitUs);
  }

  /** Urgent when messages wait for it. */
  #appendLimit(log: WriteAheadLog, urgent: boolean, atLeastUs?: number): void {
    const limitUs = this.#limits.append(atLeastUs);
    const { type, parts } = encodeClockLimit(limitUs);
    log.append(NODE_STREAM, type, parts);
    const nowMs = this.#context.clock.monotonicMs();
    this.#policy.appended(urgent ? 1 : 0, urgent ? 0 : 1, nowMs);
    this.#waiting.push({
      lsn: log.appendedLsn,
      syncs: !this.#policy.syncsLater,
      reply: { type: 'ClockLimit', limitUs },
      replyTo: undefined,
      turn: 0,
      sinceMs: nowMs,
    });
    this.#consider('record', log);
  }

  #limitDurable({ limitUs }: WalClockLimit, lsn: number): void {
    this.#limits.durable(limitUs, lsn);
    this.#tellLimit();
  }

  #tellLimit(): void {
    const limitUs = this.#limits.durableUs;
    for (const reader of this.#readers.values()) {
      // A store that does not hear of it asks when it needs a limit itself.
      tellOrDrop(reader, { type: 'ClockLimit', limitUs });
    }
  }

  // ---- cuts -------------------------------------------------------------------------------

  /** As far as all stores allow; one that has not told yet may need everything. */
  #cut(log: WriteAheadLog): void {
    const { stores } = this.#options;
    const fromLsn = Math.min(...stores.map((store) => this.#needed.get(store) ?? 0));
    if (this.#limits.isLostBy(fromLsn, log.segments())) {
      // The newest limit moves to the log's head; the cut follows when it is durable there.
      if (!this.#limits.isUnderWay) this.#appendLimit(log, false);
      return;
    }
    log.truncateBefore(fromLsn);
    this.#tellPinned(log);
  }

  /** Once per segment: a store without traffic may hold back the log of all others. */
  #tellPinned(log: WriteAheadLog): void {
    const belowLsn = log.segments().at(-PINNED_SEGMENTS)?.firstLsn ?? 0;
    if (belowLsn <= this.#pinnedToldLsn) return;
    this.#pinnedToldLsn = belowLsn;
    for (const [store, reader] of this.#readers) {
      // Told again with the next segment.
      if ((this.#needed.get(store) ?? 0) < belowLsn) {
        tellOrDrop(reader, { type: 'LogPinned', belowLsn });
      }
    }
  }

  // ---- replays ----------------------------------------------------------------------------

  /** A store has lost its memory: read again what is on disk, once nothing is pending. */
  #replay(open: WriteAheadLog): void {
    if (this.#replays.length === 0 || this.#inFlight) return;
    if (open.durableLsn < open.appendedLsn) {
      this.#policy.flush();
      return;
    }
    const wanted = this.#replays.map(({ store }) => store);
    if (wanted.some((store) => this.#handed.has(store))) {
      for (const store of wanted) this.#handed.delete(store);
      this.#close();
      this.#tryOpen();
      // Busy: the next try answers.
      if (this.#log === undefined) return;
    }
    const clockLimitUs = this.#limits.durableUs;
    for (const { store, replyTo } of this.#replays) {
      const groups = [...(this.#found.get(store)?.values() ?? [])];
      this.#found.delete(store);
      this.#handed.add(store);
      // As above: refused only by an ended incarnation.
      tellOrDrop(replyTo, { type: 'Replayed', groups, clockLimitUs });
    }
    this.#replays = [];
    // The rest belongs to stores that this node does not have.
    if (this.#readers.size === this.#options.stores.length) this.#found.clear();
  }

  #close(): void {
    this.#log?.close();
    this.#log = undefined;
  }

  #receive(message: WalMessage, open: WriteAheadLog): void {
    switch (message.type) {
      case 'Append':
        return this.#readers.has(message.store) ? this.#append(message, open) : undefined;
      case 'Sync': {
        const { store, token, replyTo } = message;
        if (store === undefined ? this.#readers.size === 0 : !this.#readers.has(store)) return;
        const reply = { type: 'Durable', token, firstLsn: 0 } as const;
        const asked = { lsn: open.appendedLsn, syncs: true, reply, replyTo };
        this.#waiting.push({ ...asked, turn: 0, sinceMs: 0 });
        this.#policy.flush();
        return;
      }
      case 'Replay':
        this.#readers.set(message.store, message.replyTo);
        this.#replays.push(message);
        return;
      case 'Truncate': {
        // Later records of the store get higher LSNs than any record here.
        this.#needed.set(message.store, Math.min(message.fromLsn, open.appendedLsn + 1));
        return this.#cut(open);
      }
      case 'Reserve':
        return this.#readers.has(message.store) ? this.#reserve(message.limitUs, open) : undefined;
      case 'Timer':
        this.#retrying = false;
        return;
      case 'Watch':
        return this.#watch();
      case 'Written':
        return this.#written(message.error, open);
      case 'Open':
        return;
    }
  }
}
