/**
 * WalWriter: the only one that writes and syncs the node's log. Takes records from every store,
 * commits them together as the sync policy says, and tells each store when its records are on
 * disk. A log that cannot be written any more stops the node: a failed sync is never retried.
 */

import { NEVER, SyncPolicy, type SyncPolicyOptions } from '../../wal/sync-policy.ts';
import { WalError } from '../../wal/wal-error.ts';
import type { WriteAheadLog } from '../../wal/write-ahead-log.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
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
  /** All records of a store, as they are on disk; what is still pending is synced first. */
  | { readonly type: 'Replay'; readonly store: number; readonly replyTo: ActorRef<WalReplay> }
  /** A store no longer needs what is below this LSN. */
  | { readonly type: 'Truncate'; readonly store: number; readonly fromLsn: number }
  | { readonly type: 'Timer' }
  | { readonly type: 'Watch' }
  | { readonly type: 'Open' }
  | { readonly type: 'Written'; readonly error: Error | undefined; readonly durableLsn: number };

/** Answers when everything appended so far is durable, under every policy. */
export interface WalSync {
  readonly type: 'Sync';
  readonly token: number;
  readonly replyTo: ActorRef<WalReply>;
}

export interface WalReply {
  readonly type: 'Durable';
  readonly token: number;
  /** LSN of the first record of that message; 0 for `Sync`. */
  readonly firstLsn: number;
}

export interface WalReplay {
  readonly type: 'Replayed';
  readonly records: readonly ReplayedRecord[];
}

export interface WalOptions {
  /** Opens the log and hands out every record on disk. Called again for each replay. */
  readonly open: (
    onRecord: (record: ReplayedRecord & { readonly store: number }) => void,
  ) => WriteAheadLog;
  readonly policy: SyncPolicyOptions;
  readonly observe?: (syncMs: number, log: WriteAheadLog) => void;
  /** The disk is full: nothing can be logged until there is room again. */
  readonly onDiskFull?: (full: boolean) => void;
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
/** Messages that wait until the log is open. */
const WAITING_MAX = 65_536;

interface Waiting {
  readonly lsn: number;
  /** It must be on disk; else what the policy asks for suffices. */
  readonly syncs: boolean;
  readonly reply: WalReply;
  readonly replyTo: ActorRef<WalReply>;
}

export function walActor(
  context: ActorContext<WalMessage>,
  options: WalOptions,
): Behavior<WalMessage> {
  const { clock } = context;
  const policy = new SyncPolicy(options.policy);
  const needed = new Map<number, number>();
  /**
   * Stores that have read the log since it was opened by this incarnation. What comes from others
   * was sent to the one before, which may have lost what came before it: it would leave a gap.
   */
  const readers = new Set<number>();
  let waiting: Waiting[] = [];
  let replays: Array<Extract<WalMessage, { type: 'Replay' }>> = [];
  let found: Map<number, ReplayedRecord[]> | undefined = new Map();
  let log: WriteAheadLog | undefined;
  let early: WalMessage[] = [];
  let inFlight = false;
  /** At the last try; unknown at first, since the incarnation before may have reported it. */
  let full: boolean | undefined;
  let retrying = false;
  let stalled: boolean | undefined;
  let startedMs = 0;

  function tryOpen(): void {
    const byStore = new Map<number, ReplayedRecord[]>();
    try {
      log = options.open(({ store, lsn, type, payload }) => {
        const records = byStore.get(store);
        if (records === undefined) byStore.set(store, [{ lsn, type, payload }]);
        else records.push({ lsn, type, payload });
      });
    } catch (error) {
      if (!(error instanceof WalError || error instanceof LineageError)) throw error;
      // Damage does not heal by starting again.
      if (error.code !== 'HOLO_WAL_BUSY') context.fatal(error);
      context.timers.start('open', OPEN_AGAIN_MS, { type: 'Open' });
      return;
    }
    found = byStore;
    const waiting = early;
    early = [];
    for (const message of waiting) receive(message, log);
  }

  function append(message: Extract<WalMessage, { type: 'Append' }>, log: WriteAheadLog): void {
    found = undefined;
    const firstLsn = log.appendedLsn + 1;
    const { records, urgent, store, token, replyTo } = message;
    for (const { type, parts } of records) log.append(store, type, parts);
    policy.appended(urgent ? records.length : 0, urgent ? 0 : records.length, clock.monotonicMs());
    waiting.push({
      lsn: log.appendedLsn,
      syncs: !policy.syncsLater,
      reply: { type: 'Durable', token, firstLsn },
      replyTo,
    });
    consider('record', log);
  }

  function consider(moment: 'record' | 'turn', log: WriteAheadLog): void {
    if (retrying) return;
    const nowMs = clock.monotonicMs();
    const at = policy.commitAt(moment, nowMs, inFlight, log.pendingBytes);
    if (at === NEVER) {
      if (moment === 'turn' && policy.syncsLater) write(nowMs, log);
      return;
    }
    if (at > nowMs) {
      context.timers.start('commit', at - nowMs, { type: 'Timer' });
      return;
    }
    inFlight = true;
    startedMs = nowMs;
    policy.committed();
    log.commit(tellWritten);
  }

  /** For a policy that syncs later: records outlive the process before replies do. */
  function write(nowMs: number, log: WriteAheadLog): void {
    if (inFlight || log.writtenLsn === log.appendedLsn) return;
    inFlight = true;
    startedMs = nowMs;
    log.write(tellWritten);
  }

  function tellWritten(error: WalError | undefined, durableLsn: number): void {
    // Refused only when this incarnation has ended: its log is closed.
    tellOrDrop(context.thisIncarnation, { type: 'Written', error, durableLsn });
  }

  function written(error: Error | undefined, log: WriteAheadLog): void {
    inFlight = false;
    if (error instanceof WalError && error.code === 'HOLO_WAL_DISK_FULL') {
      // Nothing is lost: the records wait in memory, and so do the replies.
      policy.appended(1, 0, clock.monotonicMs());
      tellFull(true);
      retrying = true;
      context.timers.start('commit', DISK_FULL_RETRY_MS, { type: 'Timer' });
      return;
    }
    if (error !== undefined) context.fatal(error);
    tellFull(false);
    options.observe?.(clock.monotonicMs() - startedMs, log);
    answer(log);
    replay(log);
  }

  function tellFull(now: boolean): void {
    // Again and again while it lasts: who hears of it may have begun anew meanwhile.
    if (full === now && !now) return;
    full = now;
    options.onDiskFull?.(full);
  }

  function watch(): void {
    const now = inFlight && clock.monotonicMs() - startedMs >= STALLED_MS;
    if (now !== stalled) options.onStalled?.(now);
    stalled = now;
  }

  function answer(log: WriteAheadLog): void {
    let answered = 0;
    for (const { lsn, syncs, reply, replyTo } of waiting) {
      if (lsn > (syncs ? log.durableLsn : log.writtenLsn)) break;
      // Who asks has a place for each answer; refused only when that incarnation has ended.
      tellOrDrop(replyTo, reply);
      answered += 1;
    }
    if (answered > 0) waiting = waiting.slice(answered);
  }

  /** A store has lost its memory: read again what is on disk, once nothing is pending. */
  function replay(open: WriteAheadLog): void {
    if (replays.length === 0 || inFlight) return;
    if (open.durableLsn < open.appendedLsn) {
      policy.flush();
      return;
    }
    if (found === undefined) {
      close();
      tryOpen();
    }
    // Busy: the next try answers.
    if (found === undefined) return;
    for (const { store, replyTo } of replays) {
      // The same: only who has ended does not take it.
      tellOrDrop(replyTo, { type: 'Replayed', records: found.get(store) ?? [] });
    }
    replays = [];
  }

  function close(): void {
    log?.close();
    log = undefined;
  }

  function receive(message: WalMessage, open: WriteAheadLog): void {
    switch (message.type) {
      case 'Append':
        return readers.has(message.store) ? append(message, open) : undefined;
      case 'Sync': {
        if (readers.size === 0) return;
        const { token, replyTo } = message;
        const reply = { type: 'Durable', token, firstLsn: 0 } as const;
        waiting.push({ lsn: open.appendedLsn, syncs: true, reply, replyTo });
        policy.flush();
        return;
      }
      case 'Replay':
        readers.add(message.store);
        replays.push(message);
        return;
      case 'Truncate': {
        needed.set(message.store, message.fromLsn);
        return open.truncateBefore(Math.min(...needed.values()));
      }
      case 'Timer':
        retrying = false;
        return;
      case 'Watch':
        return watch();
      case 'Written':
        return written(message.error, open);
      case 'Open':
        return;
    }
  }

  context.timers.startPeriodic('watch', WATCH_EVERY_MS, { type: 'Watch' });
  tryOpen();

  return {
    receive(message) {
      if (log !== undefined) return receive(message, log);
      if (message.type === 'Open') return tryOpen();
      if (message.type === 'Watch') return watch();
      if (early.length >= WAITING_MAX) throw new Error('too much waits for the log to open');
      early.push(message);
    },
    turnEnd() {
      if (log !== undefined) answer(log);
      if (log !== undefined) replay(log);
      if (log !== undefined) consider('turn', log);
    },
    stopped: close,
    describe: () => ({
      open: log !== undefined,
      appendedLsn: log?.appendedLsn,
      durableLsn: log?.durableLsn,
      pendingBytes: log?.pendingBytes,
      bytes: log?.bytes,
      policy: policy.name,
      full,
      stalled,
    }),
  };
}
